//! Unpacked artifacts.

use std::path::{Path, PathBuf};

use pinfold_artifact::{ArchivePath, Sha256};

use crate::{Store, StoreError, Stored, TreeManifest};

/// An unpacked artifact in the store.
#[derive(Debug, Clone)]
pub struct StoredTree {
    sha256: Sha256,
    files_dir: PathBuf,
    manifest: TreeManifest,
}

impl StoredTree {
    /// Returns the digest of the artifact that was unpacked.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the directory that the manifest's paths are relative to. Link from it; never write to it.
    pub fn files_dir(&self) -> &Path {
        &self.files_dir
    }

    /// Returns the list of files, sorted by path.
    pub const fn manifest(&self) -> &TreeManifest {
        &self.manifest
    }
}

/// A file of a stored tree that is not as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// The file.
    pub path: ArchivePath,
    /// What is different.
    pub difference: TreeDifference,
}

/// How a file of a stored tree differs from what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeDifference {
    /// It is no longer there, or is no regular file.
    Missing,
    /// Its permission bits are others.
    Mode,
    /// Written to since.
    Modified,
    /// Another file is in its place.
    Replaced,
    /// It has another size.
    Size,
}

impl Store {
    /// Returns the unpacked tree of an artifact. A damaged one is moved to the quarantine and counts as absent.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn tree(&self, _sha256: &Sha256) -> Result<Option<StoredTree>, StoreError> {
        todo!()
    }

    /// Unpacks an artifact: `fill` writes the files into the empty directory that it is given, and returns their list.
    ///
    /// # Errors
    /// What `fill` returns, and [`StoreError`] where the disk fails or the list does not fit the files.
    pub fn add_tree<E: From<StoreError>>(
        &self,
        _stored: &Stored,
        _fill: impl FnOnce(&Path) -> Result<TreeManifest, E>,
    ) -> Result<StoredTree, E> {
        todo!()
    }

    /// Compares every file's size, time, mode and inode with the manifest, without reading any. Returns what differs.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn check_tree(&self, _tree: &StoredTree) -> Result<Vec<TreeChange>, StoreError> {
        todo!()
    }

    /// Moves a tree out of the way: the next [`Store::tree`] does not see it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn quarantine(&self, _tree: &StoredTree) -> Result<(), StoreError> {
        todo!()
    }
}
