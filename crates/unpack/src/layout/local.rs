//! Local headers and data descriptors: the second telling of what the central directory says.

use std::io::{Read, Seek, SeekFrom};

use super::Method;
use super::central::{DESCRIPTOR, Entry, check_needed_version};
use super::end::MAX32;
use super::fields::{u16_at, u32_at, u64_at, zip64_extra};
use crate::ArchiveError;
use crate::error::shown;

/// Bytes of an archive, read in small pieces from front to back: neighbouring headers share one read.
pub(crate) struct Window<'a, R> {
    archive: &'a mut R,
    /// Where in the archive the reader's first byte is.
    base: u64,
    /// Where in the archive `bytes` begins.
    start: u64,
    /// The piece read last.
    bytes: Vec<u8>,
}

const HEADER_BYTES: usize = 30;
const WINDOW_BYTES: usize = 16 << 10;

impl<'a, R: Read + Seek> Window<'a, R> {
    pub(crate) fn new(archive: &'a mut R, base: u64) -> Self {
        Self { archive, base, start: base, bytes: Vec::new() }
    }

    /// Returns `length` bytes from `start`, which are known to be in the archive.
    pub(crate) fn get(&mut self, start: u64, length: usize) -> Result<&[u8], ArchiveError> {
        let doing = "its headers";
        let held = start.checked_sub(self.start).and_then(|skipped| usize::try_from(skipped).ok());
        let held = held.filter(|skipped| skipped.saturating_add(length) <= self.bytes.len());
        let skipped = match held {
            Some(skipped) => skipped,
            None => {
                let at = SeekFrom::Start(start - self.base);
                self.archive.seek(at).map_err(|source| ArchiveError::Io { doing, source })?;
                self.start = start;
                self.bytes.clear();
                let wanted = length.max(WINDOW_BYTES) as u64;
                let archive = &mut *self.archive;
                archive
                    .take(wanted)
                    .read_to_end(&mut self.bytes)
                    .map_err(|source| ArchiveError::Io { doing, source })?;
                0
            }
        };
        match self.bytes.get(skipped..skipped + length) {
            Some(bytes) => Ok(bytes),
            None => Err(ArchiveError::Layout { offset: start, problem: "the archive ends inside a header" }),
        }
    }
}

/// Checks one member's local header and data descriptor, which with its data fill the archive from
/// `entry.header_start` to `span_end`; returns where its data begins.
pub(crate) fn check<R: Read + Seek>(
    entry: &Entry,
    span_end: u64,
    window: &mut Window<'_, R>,
) -> Result<u64, ArchiveError> {
    let offset = entry.header_start;
    let refused = |problem| ArchiveError::Layout { offset, problem };
    let room = span_end.saturating_sub(offset);
    if room < HEADER_BYTES as u64 {
        return Err(refused("members overlap"));
    }
    let header = window.get(offset, HEADER_BYTES)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(refused("no local header where the central directory says"));
    }
    let [name_length, extra_length] = [26, 28].map(|at| usize::from(u16_at(header, at)));
    let length = HEADER_BYTES + name_length + extra_length;
    if room < length as u64 {
        return Err(refused("members overlap"));
    }
    let header = window.get(offset, length)?;
    check_header(entry, header, name_length)?;
    let data_start = offset + length as u64;
    let Some(descriptor_length) = (room - length as u64).checked_sub(entry.packed_bytes) else {
        return Err(refused("members overlap"));
    };
    let descriptor_start = data_start + entry.packed_bytes;
    match (entry.flags & DESCRIPTOR != 0, descriptor_length) {
        (false, 0) => Ok(data_start),
        (true, 12 | 16 | 20 | 24) => {
            let length = if descriptor_length < 20 { 4 } else { 8 };
            let signed = descriptor_length % 8 == 0;
            #[expect(clippy::cast_possible_truncation, reason = "it is at most 24")]
            let bytes = window.get(descriptor_start, descriptor_length as usize)?;
            check_descriptor(entry, bytes, signed, length)?;
            Ok(data_start)
        }
        (true, 0) => Err(ArchiveError::Layout { offset: descriptor_start, problem: "a data descriptor is missing" }),
        _ => Err(ArchiveError::Layout { offset: descriptor_start, problem: "bytes between members" }),
    }
}

fn check_header(entry: &Entry, header: &[u8], name_length: usize) -> Result<(), ArchiveError> {
    let (name, extra) = header[HEADER_BYTES..].split_at(name_length);
    let path = entry.path.as_str().as_bytes();
    let same_name = if entry.is_directory { name.strip_suffix(b"/") == Some(path) } else { name == path };
    if !same_name {
        return Err(disagreement(entry, "name", entry.path.as_str(), &shown(name)));
    }
    let method = match entry.method {
        Method::Deflate => 8,
        Method::Stored => 0,
    };
    let mut facts = vec![
        ("flags", u64::from(entry.flags), u64::from(u16_at(header, 6))),
        ("method", method, u64::from(u16_at(header, 8))),
    ];
    let refused = |problem| ArchiveError::Layout { offset: entry.header_start, problem };
    check_needed_version(header[4]).map_err(refused)?;
    let [packed_bytes, unpacked_bytes] = local_sizes(header, extra).map_err(refused)?;
    let crc32 = u32_at(header, 14);
    let after = entry.flags & DESCRIPTOR != 0 && crc32 == 0 && packed_bytes == 0 && unpacked_bytes == 0;
    if !after {
        facts.push(("CRC-32", u64::from(entry.crc32), u64::from(crc32)));
        facts.push(("packed size", entry.packed_bytes, packed_bytes));
        facts.push(("unpacked size", entry.unpacked_bytes, unpacked_bytes));
    }
    agree(entry, &facts)
}

/// Returns packed and unpacked size; with zip64 both are in the extra field. Some build tools write that field though
/// the sizes fit into the header: then both must say the same.
fn local_sizes(header: &[u8], extra: &[u8]) -> Result<[u64; 2], &'static str> {
    let sizes = [18, 22].map(|at| u64::from(u32_at(header, at)));
    let Some(wide) = zip64_extra(extra)? else {
        return if sizes.contains(&MAX32) { Err("a local zip64 extra field is needed and missing") } else { Ok(sizes) };
    };
    if wide.len() != 16 {
        return Err("a local zip64 extra field does not hold two sizes");
    }
    let wide = [u64_at(wide, 8), u64_at(wide, 0)];
    if sizes == [MAX32; 2] || sizes == wide { Ok(wide) } else { Err("a local header gives two sizes") }
}

fn check_descriptor(entry: &Entry, bytes: &[u8], signed: bool, length: usize) -> Result<(), ArchiveError> {
    let offset = entry.header_start;
    let body = match (signed, bytes.strip_prefix(b"PK\x07\x08")) {
        (false, _) => bytes,
        (true, Some(body)) => body,
        (true, None) => return Err(ArchiveError::Layout { offset, problem: "a data descriptor has no signature" }),
    };
    let size_at = |at: usize| if length == 4 { u64::from(u32_at(body, at)) } else { u64_at(body, at) };
    agree(
        entry,
        &[
            ("CRC-32", u64::from(entry.crc32), u64::from(u32_at(body, 0))),
            ("packed size", entry.packed_bytes, size_at(4)),
            ("unpacked size", entry.unpacked_bytes, size_at(4 + length)),
        ],
    )
}

fn agree(entry: &Entry, facts: &[(&'static str, u64, u64)]) -> Result<(), ArchiveError> {
    match facts.iter().find(|(_, central, local)| central != local) {
        Some((field, central, local)) => Err(disagreement(entry, field, &central.to_string(), &local.to_string())),
        None => Ok(()),
    }
}

fn disagreement(entry: &Entry, field: &'static str, central: &str, local: &str) -> ArchiveError {
    let path = entry.path.as_str().to_owned();
    ArchiveError::HeaderDisagreement { path, field, central: central.to_owned(), local: local.to_owned() }
}
