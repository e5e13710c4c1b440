//! The end of a zip: the end record, and the zip64 record and locator where sizes need them.
//!
//! All three have one place each, counted from the last byte. Searching for them, as readers do, is what lets two
//! readers find two different ends (ZW11, ZW13); so nothing is searched, and an archive comment is refused.

use super::fields::{u16_at, u32_at, u64_at};
use crate::ArchiveError;

/// Bytes at the end of an archive that hold everything [`End::parse`] looks at.
pub(crate) const END_BYTES: usize = RECORD64_BYTES + LOCATOR64_BYTES + RECORD_BYTES;

const RECORD_BYTES: usize = 22;
const LOCATOR64_BYTES: usize = 20;
const RECORD64_BYTES: usize = 56;

/// Where the central directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) entries: u64,
    pub(crate) directory_start: u64,
    pub(crate) directory_bytes: u64,
}

impl End {
    /// Reads the end of an archive of `total_bytes` from its last bytes: [`END_BYTES`] of them, or all if it is shorter.
    pub(crate) fn parse(tail: &[u8], total_bytes: u64) -> Result<Self, ArchiveError> {
        let refused = |problem| ArchiveError::Layout { offset: total_bytes, problem };
        let Some(record_start) = tail.len().checked_sub(RECORD_BYTES) else {
            return Err(refused("too short for a zip"));
        };
        let record = &tail[record_start..];
        if !record.starts_with(RECORD) {
            return Err(refused("the last 22 bytes are no end record: a tail, a comment, a cut or no zip at all"));
        }
        if u16_at(record, 20) != 0 {
            return Err(refused("the end record announces a comment"));
        }
        if u16_at(record, 4) != 0 || u16_at(record, 6) != 0 || u16_at(record, 8) != u16_at(record, 10) {
            return Err(refused("the archive is one of several parts"));
        }
        let plain = Self {
            entries: u64::from(u16_at(record, 10)),
            directory_start: u64::from(u32_at(record, 16)),
            directory_bytes: u64::from(u32_at(record, 12)),
        };
        let before = &tail[..record_start];
        let saturated = [plain.entries == 0xffff, plain.directory_bytes == MAX32, plain.directory_start == MAX32];
        let (end, directory_end) = if saturated.contains(&true) || holds_locator(before) {
            let wide = Self::parse_wide(before, total_bytes)?;
            plain.agree(&wide, saturated).map_err(refused)?;
            (wide, total_bytes - END_BYTES as u64)
        } else {
            (plain, total_bytes - RECORD_BYTES as u64)
        };
        if end.directory_start.checked_add(end.directory_bytes) != Some(directory_end) {
            return Err(refused("the central directory does not end where the end record begins"));
        }
        Ok(end)
    }

    /// Reads the zip64 record and locator from the bytes before the end record.
    fn parse_wide(before: &[u8], total_bytes: u64) -> Result<Self, ArchiveError> {
        let refused = |problem| ArchiveError::Layout { offset: total_bytes, problem };
        let Some(record_start) = before.len().checked_sub(RECORD64_BYTES + LOCATOR64_BYTES) else {
            return Err(refused("a zip64 end record is needed and missing"));
        };
        let (record, locator) = before[record_start..].split_at(RECORD64_BYTES);
        if !locator.starts_with(LOCATOR64) || !record.starts_with(RECORD64) {
            return Err(refused("a zip64 end record is needed and not in its place"));
        }
        if u64_at(locator, 8) != total_bytes - END_BYTES as u64 {
            return Err(refused("the zip64 locator points elsewhere"));
        }
        if u64_at(record, 4) != RECORD64_BYTES as u64 - 12 {
            return Err(refused("the zip64 end record has extensible data"));
        }
        let parts = u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1;
        if parts || u32_at(record, 16) != 0 || u32_at(record, 20) != 0 || u64_at(record, 24) != u64_at(record, 32) {
            return Err(refused("the archive is one of several parts"));
        }
        Ok(Self {
            entries: u64_at(record, 32),
            directory_start: u64_at(record, 48),
            directory_bytes: u64_at(record, 40),
        })
    }

    /// Checks that every fact that fits into the plain record is the same in the zip64 record.
    fn agree(&self, wide: &Self, saturated: [bool; 3]) -> Result<(), &'static str> {
        let pairs = [
            (self.entries, wide.entries),
            (self.directory_bytes, wide.directory_bytes),
            (self.directory_start, wide.directory_start),
        ];
        let differs = pairs.iter().zip(saturated).any(|((plain, wide), saturated)| !saturated && plain != wide);
        if differs { Err("end record and zip64 end record disagree") } else { Ok(()) }
    }
}

/// Returns true if a zip64 locator stands where readers look for one.
///
/// It need not be asked for: Python's `zipfile` writes one from 2 GiB on, where the end record still has room. Then both say
/// the same. But the comment or an extra field of the last central header can hold one too, with a zip64 end record and a
/// second central directory before it: readers that look for the locator first then see another archive than those that
/// look at the end record first (ZW13). Such a directory does not end where both records say that it does.
fn holds_locator(before: &[u8]) -> bool {
    let place = before.len().checked_sub(LOCATOR64_BYTES).map(|start| &before[start..]);
    place.is_some_and(|place| place.starts_with(LOCATOR64))
}

/// Returns true if bytes of a header hold the signature of an end record, a zip64 end record or its locator: somebody
/// hides a second end there, for readers that search for one (ZW11, ZW13).
pub(super) fn hides_an_end(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|window| [RECORD, RECORD64, LOCATOR64].contains(&window))
}

const RECORD: &[u8] = b"PK\x05\x06";
const RECORD64: &[u8] = b"PK\x06\x06";
const LOCATOR64: &[u8] = b"PK\x06\x07";

/// A 32-bit field that says "see the zip64 record".
pub(super) const MAX32: u64 = u32::MAX as u64;
