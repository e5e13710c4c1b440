//! The one shape that a zip may have: headers and data contiguous from byte 0 to the central directory, the central
//! directory up to its end record, the end record up to the last byte, every fact told twice told alike.
//!
//! A zip can say the same thing in several places, and readers differ in which they believe: two readers then see two
//! archives in the same bytes (CVE-2025-54368, CVE-2025-8291). Here every such place is read, and a disagreement, a
//! gap, an overlap, a prefix or a tail is refused. What is accepted, any reader reads alike.

mod central;
mod end;
mod fields;
mod local;
mod names;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek, SeekFrom};

use pinfold_artifact::{ArchivePath, Limits};

use crate::ArchiveError;
pub(crate) use central::{Entry, parse as parse_directory};
pub(crate) use end::{END_BYTES, End};
pub(crate) use local::{Window, check as check_local};

/// The members of a zip whose layout is strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The files, in the order of their data.
    pub members: Vec<Member>,
    /// The directories that have an entry of their own, in the order of their entries.
    pub directories: Vec<ArchivePath>,
    /// Bytes of the archive.
    pub archive_bytes: u64,
}

/// One file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path.
    pub path: ArchivePath,
    /// Bytes of its data in the archive.
    pub packed_bytes: u64,
    /// Bytes of the file.
    pub unpacked_bytes: u64,
    /// CRC-32 of the file.
    pub crc32: u32,
    /// Whether any execute bit is set. No other permission is kept.
    pub executable: bool,
    /// How its data is packed.
    pub method: Method,
    /// Where its data begins in the archive.
    pub data_start: u64,
}

/// How a member's data is packed. No other method is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Method 8.
    Deflate,
    /// Method 0.
    Stored,
}

/// Reads the layout of a zip, local headers included.
///
/// # Errors
/// Everything of `ATTACKS.md` 3 that does not need the members' data.
pub fn read_layout<R: Read + Seek>(archive: &mut R) -> Result<Layout, ArchiveError> {
    let failed = |source| ArchiveError::Io { doing: "its end", source };
    let archive_bytes = archive.seek(SeekFrom::End(0)).map_err(failed)?;
    let tail_start = archive_bytes.saturating_sub(END_BYTES as u64);
    let tail = read_span(archive, tail_start, archive_bytes - tail_start)?;
    let end = End::parse(&tail, archive_bytes)?;
    check_directory_size(&end)?;
    let directory = read_span(archive, end.directory_start, end.directory_bytes)?;
    let entries = parse_directory(&directory, &end)?;
    let mut layout = Layout { members: Vec::with_capacity(entries.len()), directories: Vec::new(), archive_bytes };
    let mut window = Window::new(archive, 0);
    let mut expected_start = 0;
    for (position, entry) in entries.iter().enumerate() {
        if entry.header_start != expected_start {
            return Err(ArchiveError::Layout { offset: entry.header_start, problem: "bytes before the first member" });
        }
        let span_end = entries.get(position + 1).map_or(end.directory_start, |next| next.header_start);
        let data_start = check_local(entry, span_end, &mut window)?;
        expected_start = span_end;
        if entry.is_directory {
            layout.directories.push(entry.path.clone());
        } else {
            layout.members.push(Member::new(entry, data_start));
        }
    }
    if expected_start != end.directory_start {
        return Err(ArchiveError::Layout { offset: 0, problem: "bytes before the central directory" });
    }
    Ok(layout)
}

/// Refuses a central directory that would be too much to hold in memory.
pub(crate) fn check_directory_size(end: &End) -> Result<(), ArchiveError> {
    let (found, limit) = (end.directory_bytes, Limits::WHEEL_TAIL_BYTES);
    if found > limit {
        return Err(ArchiveError::Bomb { what: "the size of the central directory", found, limit });
    }
    Ok(())
}

/// Reads a span that is known to be in the archive and of bounded length.
pub(crate) fn read_span<R: Read + Seek>(archive: &mut R, start: u64, length: u64) -> Result<Vec<u8>, ArchiveError> {
    let failed = |source| ArchiveError::Io { doing: "a part of it", source };
    archive.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    archive.take(length).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 != length {
        return Err(ArchiveError::Layout { offset: start, problem: "the archive is shorter than it says" });
    }
    Ok(bytes)
}

impl Member {
    pub(crate) fn new(entry: &Entry, data_start: u64) -> Self {
        Self {
            path: entry.path.clone(),
            packed_bytes: entry.packed_bytes,
            unpacked_bytes: entry.unpacked_bytes,
            crc32: entry.crc32,
            executable: entry.executable,
            method: entry.method,
            data_start,
        }
    }
}
