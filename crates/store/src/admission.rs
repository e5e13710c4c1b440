//! The one way into the store.

use std::io;

use pinfold_artifact::Artifact;

use crate::{Store, StoreError, Stored};

/// An artifact that is arriving.
#[derive(Debug)]
pub struct Admission {
    written: u64,
}

impl Store {
    /// Begins to admit an artifact. What an interrupted admission of the same artifact from the same index left is taken up.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn admission(&self, _artifact: &Artifact) -> Result<Admission, StoreError> {
        todo!()
    }
}

impl Admission {
    /// Returns how many bytes are there already: where the source must go on.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`] as soon as there is one byte too many.
    pub fn push(&mut self, _bytes: &[u8]) -> Result<(), StoreError> {
        todo!()
    }

    /// Forgets everything written so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn restart(&mut self) -> Result<(), StoreError> {
        todo!()
    }

    /// Makes the artifact part of the store, if its size and digest match. Otherwise nothing is left.
    ///
    /// # Errors
    /// [`StoreError::SizeMismatch`], [`StoreError::HashMismatch`], [`StoreError::Io`].
    pub fn finish(self) -> Result<Stored, StoreError> {
        todo!()
    }
}

impl io::Write for Admission {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.push(buffer).map_err(io::Error::other)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
