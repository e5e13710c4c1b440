//! The central directory: what the archive says of each member before any member is looked at.

use pinfold_artifact::{ArchivePath, Limits};

use super::Method;
use super::end::{End, MAX32, hides_an_end};
use super::fields::{u16_at, u32_at, u64_at, zip64_extra};
use crate::ArchiveError;
use crate::error::shown;

/// One entry of the central directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: ArchivePath,
    pub(crate) is_directory: bool,
    pub(crate) executable: bool,
    pub(crate) flags: u16,
    pub(crate) method: Method,
    pub(crate) crc32: u32,
    pub(crate) packed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    pub(crate) header_start: u64,
}

/// Flag bit 3: sizes and CRC follow the data.
pub(super) const DESCRIPTOR: u16 = 1 << 3;

const HEADER_BYTES: usize = 46;
const ENCRYPTION: u16 = 1 | 1 << 6 | 1 << 13;
const UTF8: u16 = 1 << 11;
/// Bits 1 and 2 are the compressor's own affair.
const KNOWN_FLAGS: u16 = 1 << 1 | 1 << 2 | DESCRIPTOR | UTF8;

/// Parses the central directory; returns its entries in the order of their headers.
pub(crate) fn parse(mut bytes: &[u8], end: &End) -> Result<Vec<Entry>, ArchiveError> {
    let limit = Limits::ARCHIVE_MEMBERS as u64;
    if end.entries > limit {
        return Err(ArchiveError::Bomb { what: "the number of members", found: end.entries, limit });
    }
    let total = bytes.len();
    let mut entries = Vec::with_capacity(usize::try_from(end.entries).unwrap_or(0).min(total / HEADER_BYTES));
    while !bytes.is_empty() {
        let offset = end.directory_start + (total - bytes.len()) as u64;
        if entries.len() as u64 == end.entries {
            return Err(ArchiveError::Layout { offset, problem: "more central headers than the end record counts" });
        }
        let (entry, rest) = parse_entry(bytes, offset)?;
        entries.push(entry);
        bytes = rest;
    }
    if entries.len() as u64 != end.entries {
        let problem = "fewer central headers than the end record counts";
        return Err(ArchiveError::Layout { offset: end.directory_start, problem });
    }
    entries.sort_by_key(|entry| entry.header_start);
    check_sizes(&entries, end)?;
    super::names::check_unique(&entries)?;
    Ok(entries)
}

fn parse_entry(bytes: &[u8], offset: u64) -> Result<(Entry, &[u8]), ArchiveError> {
    let refused = |problem| ArchiveError::Layout { offset, problem };
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(b"PK\x01\x02") {
        return Err(refused("no central header where one must be"));
    }
    let [name_length, extra_length, comment_length] = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
    let length = HEADER_BYTES + name_length + extra_length + comment_length;
    if bytes.len() < length {
        return Err(refused("a central header is cut"));
    }
    let (header, rest) = bytes.split_at(length);
    let name = &header[HEADER_BYTES..HEADER_BYTES + name_length];
    let extra = &header[HEADER_BYTES + name_length..HEADER_BYTES + name_length + extra_length];
    if hides_an_end(&header[length - comment_length..]) {
        return Err(refused("a member's comment holds an end record"));
    }
    if u16_at(header, 34) != 0 {
        return Err(refused("the archive is one of several parts"));
    }
    check_needed_version(header[6]).map_err(refused)?;
    let flags = u16_at(header, 8);
    let name = read_name(name, flags, offset)?;
    let method = read_method(flags, u16_at(header, 10), name)?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(refused("a flag that has no meaning in a wheel"));
    }
    let [unpacked_bytes, packed_bytes, header_start] = read_sizes(header, extra).map_err(refused)?;
    let is_directory = name.ends_with('/');
    let entry = Entry {
        path: name.strip_suffix('/').unwrap_or(name).parse()?,
        is_directory,
        executable: check_mode(name, is_directory, u32_at(header, 38))?,
        flags,
        method,
        crc32: u32_at(header, 16),
        packed_bytes,
        unpacked_bytes,
        header_start,
    };
    check_entry(&entry).map_err(refused)?;
    Ok((entry, rest))
}

/// Refuses a member that says it needs a newer form of zip than 6.3: some readers take the archive for unreadable.
pub(super) fn check_needed_version(version: u8) -> Result<(), &'static str> {
    if version > 63 { Err("a member needs a form of zip that is not known") } else { Ok(()) }
}

fn read_name(name: &[u8], flags: u16, offset: u64) -> Result<&str, ArchiveError> {
    let refused = |problem| ArchiveError::Layout { offset, problem };
    let text = str::from_utf8(name).map_err(|_| refused("a member's name is not UTF-8"))?;
    if !text.is_ascii() && flags & UTF8 == 0 {
        return Err(refused("a member's name beyond ASCII is not marked as UTF-8"));
    }
    Ok(text)
}

fn read_method(flags: u16, method: u16, name: &str) -> Result<Method, ArchiveError> {
    let refused = |found: String| ArchiveError::UnsupportedMethod { path: shown(name.as_bytes()), found };
    if flags & ENCRYPTION != 0 {
        return Err(refused("encryption".to_owned()));
    }
    match method {
        0 => Ok(Method::Stored),
        8 => Ok(Method::Deflate),
        other => Err(refused(format!("compression method {other}"))),
    }
}

/// Returns unpacked size, packed size and header offset; each comes from the zip64 field exactly if its own is full.
fn read_sizes(header: &[u8], extra: &[u8]) -> Result<[u64; 3], &'static str> {
    let mut values = [24, 20, 42].map(|at| u64::from(u32_at(header, at)));
    let mut wide = zip64_extra(extra)?.unwrap_or_default();
    for value in values.iter_mut().filter(|value| **value == MAX32) {
        if wide.len() < 8 {
            return Err("a zip64 size is needed and missing");
        }
        *value = u64_at(wide, 0);
        wide = &wide[8..];
    }
    if wide.is_empty() { Ok(values) } else { Err("a zip64 extra field holds more than is needed") }
}

/// Refuses links, devices and disagreement between name and mode; returns whether an execute bit is set. All other
/// permission bits are dropped (ZW22).
fn check_mode(name: &str, is_directory: bool, attributes: u32) -> Result<bool, ArchiveError> {
    let mode = attributes >> 16;
    let found = match mode & 0o170_000 {
        0 => None,
        0o040_000 if is_directory => None,
        0o100_000 if !is_directory => None,
        0o040_000 => Some("a directory by its mode and a file by its name"),
        0o100_000 => Some("a file by its mode and a directory by its name"),
        0o120_000 => Some("a symbolic link"),
        0o010_000 | 0o020_000 | 0o060_000 | 0o140_000 => Some("a device, pipe or socket"),
        _ => Some("of an unknown type"),
    };
    let found = found.or((attributes & DOS_DIRECTORY != 0 && !is_directory)
        .then_some("a directory by its attributes and a file by its name"));
    match found {
        Some(found) => Err(ArchiveError::SpecialFile { path: shown(name.as_bytes()), found }),
        None => Ok(!is_directory && mode & 0o111 != 0),
    }
}

const DOS_DIRECTORY: u32 = 0x10;

/// Checks one entry against itself.
fn check_entry(entry: &Entry) -> Result<(), &'static str> {
    if entry.is_directory && (entry.unpacked_bytes != 0 || entry.crc32 != 0) {
        return Err("a directory has contents");
    }
    match entry.method {
        Method::Stored if entry.packed_bytes != entry.unpacked_bytes => Err("a stored member has two sizes"),
        // A reader that goes from front to back cannot know where such data ends.
        Method::Stored if entry.flags & DESCRIPTOR != 0 && entry.packed_bytes != 0 => {
            Err("a stored member has its size after its data")
        }
        Method::Deflate if entry.packed_bytes == 0 => Err("a deflated member has no data"),
        _ => Ok(()),
    }
}

/// Checks all entries together: bombs (ZW17).
fn check_sizes(entries: &[Entry], end: &End) -> Result<(), ArchiveError> {
    let mut unpacked = 0_u64;
    for entry in entries {
        unpacked = unpacked.saturating_add(entry.unpacked_bytes);
    }
    let ratio_limit = end.directory_start.saturating_mul(Limits::ARCHIVE_RATIO).max(Limits::ARCHIVE_RATIO_FLOOR_BYTES);
    let limit = ratio_limit.min(Limits::ARCHIVE_UNPACKED_BYTES);
    if unpacked > limit {
        return Err(ArchiveError::Bomb { what: "the unpacked size", found: unpacked, limit });
    }
    Ok(())
}
