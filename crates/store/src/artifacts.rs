//! Stored artifacts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pinfold_artifact::{Artifact, Sha256};

use crate::{Store, StoreError};

/// An artifact in the store: proof that its size and digest matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    sha256: Sha256,
    size_bytes: u64,
    path: PathBuf,
}

impl Stored {
    /// Returns the digest.
    pub const fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// Returns the size.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns where the file is. Nobody may change it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(StoreError::io("open", &self.path))
    }
}

impl Store {
    /// Returns the artifact if it is present and was admitted before from this artifact's own index.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn find(&self, _artifact: &Artifact) -> Result<Option<Stored>, StoreError> {
        todo!()
    }

    /// Admits an artifact: reads the source to its end, and keeps it only if size and digest match.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`] or [`StoreError::HashMismatch`], which leave nothing behind.
    pub fn admit(&self, _artifact: &Artifact, _source: &mut dyn Read) -> Result<Stored, StoreError> {
        todo!()
    }

    /// Reads the whole artifact again and moves it to the quarantine if its digest is another by now.
    ///
    /// # Errors
    /// [`StoreError::StoreMismatch`].
    pub fn recheck(&self, _stored: &Stored) -> Result<(), StoreError> {
        todo!()
    }

    /// Moves an artifact out of the way: the next `find` does not see it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn quarantine_artifact(&self, _stored: &Stored) -> Result<(), StoreError> {
        todo!()
    }
}
