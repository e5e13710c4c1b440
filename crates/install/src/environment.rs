//! Where an environment is, and the hidden directory beside it that holds its lock, its staging area and its history.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{InstallError, Receipt};

/// The place of an environment. It need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Absolute, its parent without links: what shebangs and `pyvenv.cfg` name.
    venv: PathBuf,
    /// `.pinfold-NAME` beside it, on the same file system.
    state: PathBuf,
}

/// The right to change an environment: while it lives, no other pinfold process changes it.
#[derive(Debug)]
pub struct EnvironmentGuard {
    environment: Environment,
    _lock: File,
}

impl Environment {
    /// Names the environment at `venv` (absolute, or relative to the process's directory). Nothing is created.
    ///
    /// # Errors
    /// [`InstallError::Path`] if the path cannot be written into scripts, [`InstallError::Io`] if its parent is missing.
    pub fn at(venv: &Path) -> Result<Self, InstallError> {
        let _ = venv;
        todo!()
    }

    /// Returns the directory of the environment.
    pub fn venv(&self) -> &Path {
        &self.venv
    }

    /// Returns the interpreter of the environment, existing or to be.
    pub fn python(&self) -> PathBuf {
        todo!()
    }

    /// Returns the hidden directory beside the environment.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Reads the receipt's header. None if there is no environment, or an empty directory.
    ///
    /// # Errors
    /// [`InstallError::Foreign`] if something is there that pinfold did not make.
    pub fn receipt(&self) -> Result<Option<Receipt>, InstallError> {
        todo!()
    }

    /// Waits until no other process changes the environment, and tidies up what a killed one left.
    ///
    /// # Errors
    /// [`InstallError::Io`]; [`InstallError::Foreign`] as [`Environment::receipt`].
    pub fn lock(&self) -> Result<EnvironmentGuard, InstallError> {
        todo!()
    }
}

impl EnvironmentGuard {
    /// Returns the environment that is guarded.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }
}
