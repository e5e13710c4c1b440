//! No two members are one file, on any file system.

use super::central::Entry;
use crate::{ArchiveError, portable_fold};

/// Refuses two entries of one path, files that differ only in case or Unicode normal form, and a path that is a file
/// and a directory (ZW06, ZW20). Directories that differ only in case are one directory elsewhere, which hides nothing.
pub(super) fn check_unique(entries: &[Entry]) -> Result<(), ArchiveError> {
    // With the separator as the lowest character, everything below a path follows it directly.
    let mut folds: Vec<(String, &Entry)> =
        entries.iter().map(|entry| (portable_fold(entry.path.as_str()).replace('/', "\0"), entry)).collect();
    folds.sort_by(|(a, _), (b, _)| a.cmp(b));
    for pair in folds.windows(2) {
        let [(fold, entry), (next_fold, next)] = pair else { continue };
        let same = fold == next_fold && !(entry.is_directory && next.is_directory && entry.path != next.path);
        let below = !entry.is_directory && next_fold.strip_prefix(fold.as_str()).is_some_and(|r| r.starts_with('\0'));
        if same || below {
            let [first, second] = [entry, next].map(|entry| entry.path.as_str().to_owned());
            return Err(ArchiveError::DuplicateMember { first, second });
        }
    }
    Ok(())
}
