//! Systems without permission bits, owners and calls relative to an open directory in the standard library: Windows.
//!
//! What keeps others away there is where the store is, in the user's own profile.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::Facts;
use crate::Stamp;

pub(super) const fn is_own_user(_user: u32) -> bool {
    true
}

pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

pub(crate) fn give_back(_path: &Path, _rights: u32) -> bool {
    false
}

/// Lets a file be replaced or removed that may not be written to: somebody else may have stored the same bytes a moment ago.
/// Returns true if there is a file with which it can be tried again.
#[expect(
    clippy::permissions_set_readonly_false,
    reason = "that is no more than it says here: nobody else gets a right"
)]
pub(crate) fn make_way(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let mut permissions = metadata.permissions();
    permissions.set_readonly(false);
    metadata.is_file() && fs::set_permissions(path, permissions).is_ok()
}

pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

pub(crate) fn foreign_writers(_metadata: &Metadata) -> Option<String> {
    None
}

pub(crate) fn foreign_owner(_metadata: &Metadata) -> Option<String> {
    None
}

/// The standard library tells none: when it was made stands for it.
pub(crate) fn number_of(metadata: &Metadata) -> u64 {
    let made = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    made.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) fn has_other_names(_metadata: &Metadata) -> bool {
    false
}

pub(crate) fn other_writers(_metadata: &Metadata) -> Option<String> {
    None
}

/// Takes away the right to write. The file must have been opened for writing.
pub(crate) fn make_read_only(file: &File, _executable: bool) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

pub(crate) const fn read_only_mode(_executable: bool) -> u32 {
    READ_ONLY
}

pub(crate) fn facts_of(metadata: &Metadata) -> Option<Facts> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    metadata.is_file().then(|| Facts {
        size_bytes: metadata.len(),
        stamp: Stamp { mtime_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX), inode: 0 },
        mode: if metadata.permissions().readonly() { READ_ONLY } else { WRITABLE },
        owner: 0,
    })
}

pub(crate) fn reserve(_file: &File, _size_bytes: u64) -> io::Result<()> {
    Ok(())
}

/// A directory, by path.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(path)?.is_dir() {
            return Ok(Self(path.to_owned()));
        }
        Err(io::ErrorKind::NotADirectory.into())
    }

    pub(crate) fn open_below(&self, path: &str) -> io::Result<Self> {
        let mut opened = Self(self.0.clone());
        for part in path.split('/').filter(|part| !part.is_empty()) {
            opened = Self::open(&opened.0.join(part))?;
        }
        Ok(opened)
    }

    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Facts>> {
        match fs::symlink_metadata(self.0.join(name)) {
            Ok(metadata) => Ok(facts_of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    /// Takes the right to write away, or gives it back: by name, because a file that is open to be read lets nobody change
    /// what it is.
    pub(crate) fn set_mode(&self, name: &str, mode: u32) -> io::Result<()> {
        let path = self.0.join(name);
        let mut permissions = fs::symlink_metadata(&path)?.permissions();
        permissions.set_readonly(mode & WRITE == 0);
        fs::set_permissions(&path, permissions)
    }
}

/// The modes that a file is said to have here: it is read-only, or it is not.
const READ_ONLY: u32 = 0o444;
const WRITABLE: u32 = 0o644;
const WRITE: u32 = 0o200;
