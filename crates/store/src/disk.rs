//! The few things that differ between operating systems: private directories, permission bits, and what a file system
//! says of a file without reading it. Everything else in this crate is the same everywhere.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use crate::Stamp;

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use other as system;
#[cfg(unix)]
use unix as system;

pub(crate) use system::{
    Directory, facts_of, foreign_owner, foreign_writers, give_back, has_other_names, make_private_dir, make_read_only,
    make_way, number_of, other_writers, read_only_mode, remove_all, reserve,
};

/// What the file system says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size_bytes: u64,
    pub(crate) stamp: Stamp,
    /// Permission bits; on systems without them, whether it is read-only.
    pub(crate) mode: u32,
    /// Whose it is; 0 where the system does not tell.
    pub(crate) owner: u32,
}

impl Facts {
    /// Returns true if nobody else owns the file: its owner could make it writable at any time.
    pub(crate) fn is_ours(&self) -> bool {
        system::is_own_user(self.owner)
    }
}

/// Opens a file of the store's own to read it. Nothing if there is none, or something else in its place: a link leads
/// elsewhere, and a pipe has no end.
pub(crate) fn open_own(path: &Path) -> io::Result<Option<File>> {
    let opened = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(Some),
        Ok(_) => return Ok(None),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if is_absence(&error) => Ok(None),
        opened => opened,
    }
}

/// Returns true if something is not there, or a directory on the way to it is none.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns true if the system did not allow it: whatever is in the store is ours, so somebody took a right away.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Does something that needs these rights in a directory of the store. Where it is not allowed because its owner has not all
/// of them any more, they are given back, and it is done again.
pub(crate) fn with_rights<T>(directory: &Path, rights: u32, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(error) if is_denied(&error) && give_back(directory, rights) => act(),
        result => result,
    }
}

/// Looks at an entry of the store, also where the directory that it is in was closed.
pub(crate) fn look_at(path: &Path) -> io::Result<Metadata> {
    with_rights(path.parent().unwrap_or(path), LOOK_INTO, || fs::symlink_metadata(path))
}

/// Opens a file of the store to lock it, also where the right to read it was taken away.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if is_denied(&error) && give_back(path, READ) => File::open(path),
        opened => opened,
    }
}

/// What is said of that whose owner lost the right to read it.
pub(crate) const NOT_READABLE: &str = "what may not be read";
/// What the owner of a file needs to read it.
pub(crate) const READ: u32 = 0o400;
/// What the owner of a file needs to read it and to add to it.
pub(crate) const READ_AND_WRITE: u32 = 0o600;
/// What the owner of a directory needs to look into it.
pub(crate) const LOOK_INTO: u32 = 0o500;
/// What the owner of a directory needs to change what is in it.
pub(crate) const CHANGE: u32 = 0o700;
