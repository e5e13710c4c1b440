//! The few things that differ between operating systems: private directories, permission bits, and what a file system
//! says of a file without reading it. Everything else in this crate is the same everywhere.

use std::fs::{self, File};
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
    Directory, facts_of, foreign_writers, has_other_names, is_open_to_all, make_private_dir, make_read_only,
    read_only_mode, remove_all, reserve,
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
