//! The one shape that a zip may have: headers and data contiguous from byte 0 to the central directory, the central
//! directory up to its end record, the end record up to the last byte, every fact told twice told alike.
//!
//! A zip can say the same thing in several places, and readers differ in which they believe: two readers then see two
//! archives in the same bytes (CVE-2025-54368, CVE-2025-8291). Here every such place is read, and a disagreement, a
//! gap, an overlap, a prefix or a tail is refused. What is accepted, any reader reads alike.

mod central;
mod end;
mod local;
mod names;

use std::io::{Read, Seek};

use pinfold_artifact::ArchivePath;

use crate::ArchiveError;

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
    let _ = archive;
    todo!()
}
