//! The directory that the store is in, and what else pinfold keeps there: nobody else may have a hand in it.
//!
//! Whoever can make a name there before pinfold does can put a link in its place, and what pinfold then writes ends in a file
//! that the link leads to. So before the first write it is looked at whose the directory and its part are.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::{StoreError, disk};

/// Makes a part of a cache directory, unless it is there, and returns its path. Only this user can write there.
///
/// # Errors
/// [`StoreError::Permissions`] if others may write there or rename it, [`StoreError::Io`] if it cannot be made.
pub fn make_part(cache: &Path, name: &str) -> Result<PathBuf, StoreError> {
    check_part(cache, name)?;
    let part = cache.join(name);
    disk::make_private_dir(&part).map_err(StoreError::io("create the directory", &part))?;
    check_part(cache, name)
}

/// Returns the path of a part of a cache directory; nothing is made, and it need not be there.
///
/// # Errors
/// As [`make_part`].
pub fn check_part(cache: &Path, name: &str) -> Result<PathBuf, StoreError> {
    check_above(cache)?;
    let part = cache.join(name);
    let Some(metadata) = present(look(&part), &part)? else { return Ok(part) };
    if !metadata.is_dir() && !metadata.is_symlink() {
        return Err(StoreError::io("use the directory", &part)(io::ErrorKind::NotADirectory.into()));
    }
    private(&part, &metadata)?;
    Ok(part)
}

/// Checks a directory in which pinfold has its own, if it is there: whoever may rename there can put others in their place.
pub(crate) fn check_above(cache: &Path) -> Result<(), StoreError> {
    let cache = if cache.as_os_str().is_empty() { Path::new(".") } else { cache };
    let Some(metadata) = present(look(cache), cache)? else { return Ok(()) };
    let found = disk::foreign_owner(&metadata).or_else(|| disk::other_writers(&metadata));
    found.map_or(Ok(()), |found| Err(StoreError::Permissions { path: cache.to_owned(), found }))
}

/// Returns what the file system says of a directory of pinfold's. This user may have moved it, and have left a link to it; what
/// somebody else's link leads to is not looked at.
pub(crate) fn look(path: &Path) -> io::Result<Metadata> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() && disk::foreign_owner(&metadata).is_none() { fs::metadata(path) } else { Ok(metadata) }
}

/// Checks that a directory is one, and that only this user can write there.
pub(crate) fn private(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let found = match metadata {
        metadata if metadata.is_dir() => disk::foreign_writers(metadata),
        metadata if metadata.is_symlink() => Some("it is a link, and where it leads to is not looked at".to_owned()),
        _ => Some("it is no directory".to_owned()),
    };
    found.map_or(Ok(()), |found| Err(StoreError::Permissions { path: path.to_owned(), found }))
}

fn present(looked: io::Result<Metadata>, path: &Path) -> Result<Option<Metadata>, StoreError> {
    match looked {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("look at", path)(error)),
    }
}
