//! An sdist, unpacked strictly: one top-level directory, files, directories and links to files inside it, bounded.

use std::io::{self, Read, Seek};

use pinfold_artifact::ArchivePath;

use crate::ArchiveError;

/// The two formats of an sdist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.tar.gz`.
    TarGz,
    /// `.zip`.
    Zip,
}

/// One entry of an sdist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, the top-level directory included.
    pub path: ArchivePath,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Whether any execute bit is set.
        executable: bool,
        /// Its size.
        size_bytes: u64,
    },
    /// A symbolic or hard link to a file of the same sdist; links are given out last, and the caller makes a copy.
    LinkedFile {
        /// The file that is meant.
        target: ArchivePath,
    },
}

impl Format {
    /// Returns the format that a file name tells, if it is one of the two.
    pub fn of(filename: &str) -> Option<Self> {
        match filename {
            name if name.ends_with(".tar.gz") => Some(Self::TarGz),
            name if name.ends_with(".zip") => Some(Self::Zip),
            _ => None,
        }
    }
}

/// Reads an sdist and gives every entry to `sink`, with a reader over a file's bytes. Returns the name of the
/// top-level directory. What `sink` was given may be used only if this returns `Ok`.
///
/// # Errors
/// Everything of `ATTACKS.md` 6, SD01 to SD07; an error of `sink` as [`ArchiveError::Io`].
pub fn unpack<R: Read + Seek>(
    archive: &mut R,
    format: Format,
    sink: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> Result<String, ArchiveError> {
    let _ = (archive, format, sink);
    todo!()
}

/// Returns the bytes of the sdist's `PKG-INFO`, if it has one, after reading the whole archive.
///
/// # Errors
/// As [`unpack`].
pub fn read_pkg_info<R: Read + Seek>(archive: &mut R, format: Format) -> Result<Option<Vec<u8>>, ArchiveError> {
    let _ = (archive, format);
    todo!()
}

/// Returns the bytes of the file `path` directly below the top-level directory, for instance `pyproject.toml`.
///
/// # Errors
/// As [`unpack`].
pub fn read_top_level<R: Read + Seek>(
    archive: &mut R,
    format: Format,
    path: &str,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let _ = (archive, format, path);
    todo!()
}
