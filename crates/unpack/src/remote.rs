//! One member of a zip that is elsewhere: found from the archive's last bytes, read from a span of it.
//!
//! This serves METADATA by ranged requests while locking. The member's bytes are checked against the central
//! directory that came with them, never against a pinned digest: the lock pins the whole file.

use std::io::Cursor;

use pinfold_artifact::Limits;

use crate::extract::member_bytes;
use crate::layout::{END_BYTES, End, Entry, Window, check_directory_size, check_local, parse_directory};
use crate::{ArchiveError, Member};

/// Where a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// The span to ask for: from `header_start`, `span_bytes` long.
    At {
        /// Where the local header begins.
        header_start: u64,
        /// Bytes of header, data and descriptor.
        span_bytes: u64,
        /// What to give to [`read_member`].
        member: RemoteMember,
    },
    /// The tail does not hold the whole central directory: ask for everything from here.
    NeedMore {
        /// The first byte that is needed.
        from: u64,
    },
}

/// What the central directory says of a remote member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteMember {
    entry: Entry,
    span_end: u64,
}

impl RemoteMember {
    /// Returns the member's path.
    pub fn path(&self) -> &str {
        self.entry.path.as_str()
    }

    /// Returns the member's size.
    pub const fn unpacked_bytes(&self) -> u64 {
        self.entry.unpacked_bytes
    }
}

/// Finds the one member `<top-level directory><path_suffix>`, for instance with the suffix `.dist-info/METADATA`, from
/// the last bytes of an archive of `total_bytes`.
///
/// # Errors
/// If the central directory is not strict, or does not hold exactly one such member.
pub fn locate(tail: &[u8], total_bytes: u64, path_suffix: &str) -> Result<Located, ArchiveError> {
    let Some(tail_start) = total_bytes.checked_sub(tail.len() as u64) else {
        return Err(ArchiveError::Layout { offset: total_bytes, problem: "the tail is longer than the archive" });
    };
    if tail.len() < END_BYTES && tail_start > 0 {
        return Ok(Located::NeedMore { from: total_bytes.saturating_sub(END_BYTES as u64) });
    }
    let end = End::parse(&tail[tail.len().saturating_sub(END_BYTES)..], total_bytes)?;
    check_directory_size(&end)?;
    let Some(skipped) = end.directory_start.checked_sub(tail_start) else {
        return Ok(Located::NeedMore { from: end.directory_start });
    };
    // Both fit: `End` has shown that the directory lies inside the archive, and here that it lies inside the tail.
    let [skipped, length] = [skipped, end.directory_bytes].map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let Some(directory) = tail.get(skipped..skipped.saturating_add(length)) else {
        return Err(ArchiveError::Layout { offset: end.directory_start, problem: "the central directory is cut" });
    };
    let entries = parse_directory(directory, &end)?;
    let wanted = |entry: &Entry| {
        let top = entry.path.as_str().strip_suffix(path_suffix);
        !entry.is_directory && top.is_some_and(|top| !top.is_empty() && !top.contains('/'))
    };
    let mut found = entries.iter().enumerate().filter(|(_, entry)| wanted(entry));
    let (Some((position, entry)), None) = (found.next(), found.next()) else {
        let found = entries.iter().filter(|entry| wanted(entry)).map(|entry| entry.path.as_str().to_owned());
        return Err(ArchiveError::DistInfo { found: found.collect() });
    };
    let (found, limit) = (entry.unpacked_bytes.max(entry.packed_bytes), Limits::METADATA_BYTES.min(MEMBER_BYTES));
    if found > limit {
        return Err(ArchiveError::Bomb { what: "the size of METADATA", found, limit });
    }
    let span_end = entries.get(position + 1).map_or(end.directory_start, |next| next.header_start);
    let span_bytes = span_end.saturating_sub(entry.header_start);
    // A local header has at most 30 + 2 * 65,535 bytes and a descriptor 24.
    if span_bytes > entry.packed_bytes + 30 + 2 * 0xffff + 24 {
        return Err(ArchiveError::Layout { offset: entry.header_start, problem: "bytes between members" });
    }
    let member = RemoteMember { entry: entry.clone(), span_end };
    Ok(Located::At { header_start: entry.header_start, span_bytes, member })
}

/// What [`crate::Extractor`] unpacks in one piece.
const MEMBER_BYTES: u64 = crate::extract::READABLE_MEMBER_BYTES;

/// Reads the member from the bytes of its span.
///
/// # Errors
/// If local header and central directory disagree, or the data is broken or too long.
pub fn read_member(span: &[u8], member: &RemoteMember) -> Result<Vec<u8>, ArchiveError> {
    let RemoteMember { entry, span_end } = member;
    let mut span_reader = Cursor::new(span);
    let mut window = Window::new(&mut span_reader, entry.header_start);
    let data_start = check_local(entry, *span_end, &mut window)?;
    let skipped = usize::try_from(data_start - entry.header_start).unwrap_or(usize::MAX);
    let data = span.get(skipped..).unwrap_or_default();
    if (data.len() as u64) < entry.packed_bytes {
        return Err(ArchiveError::Layout { offset: data_start, problem: "the span is shorter than the member" });
    }
    member_bytes(&Member::new(entry, data_start), data)
}

#[cfg(test)]
mod tests;
