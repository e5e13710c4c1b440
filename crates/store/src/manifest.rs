//! The list of an unpacked tree's files.

use std::collections::BTreeMap;

use pinfold_artifact::{ArchivePath, Sha256};

/// What an unpacked artifact consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeManifest {
    /// The files; the store sorts them by path.
    pub files: Vec<TreeFile>,
    /// Small facts about the artifact that an install needs, so that it need not read the files again.
    pub note: BTreeMap<String, String>,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Where it is, below the tree's root.
    pub path: ArchivePath,
    /// Its size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it may be executed.
    pub executable: bool,
    /// How the disk recorded it. The store fills this in.
    pub stamp: Stamp,
}

/// What the file system says of a file without reading it. It changes when the file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Time of the last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The file's number on its file system; 0 where the system has none.
    pub inode: u64,
}

impl TreeFile {
    /// Makes an entry for a file that has just been written; the store adds the stamp.
    pub fn new(path: ArchivePath, size_bytes: u64, sha256: Sha256, executable: bool) -> Self {
        Self { path, size_bytes, sha256, executable, stamp: Stamp::default() }
    }
}
