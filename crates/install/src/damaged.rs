//! Generations that `verify --repair` found damaged: nobody is led back to one.
//!
//! A mark is an empty file beside the history, named for the generation; a number is never given twice. It is made before
//! the repaired generation takes the place of the damaged one, so that there is no moment at which a rollback would offer
//! it. Where the repair could not be finished, the mark tells `sync` that there is something to do.

use std::fs;
use std::path::PathBuf;

use crate::{Environment, EnvironmentGuard, InstallError};

impl EnvironmentGuard {
    /// Notes that a generation is damaged.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn mark_damaged(&self, generation: u64) -> Result<(), InstallError> {
        let environment = self.environment();
        self.anchor().make_directory(&directory(environment))?;
        let mark = mark(environment, generation);
        self.anchor().write_note(&mark, b"").map(drop).map_err(InstallError::io("write", &mark))
    }

    /// Takes the note back, because the generation was found to be right.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn unmark_damaged(&self, generation: u64) -> Result<(), InstallError> {
        self.anchor().remove_file(&mark(self.environment(), generation))
    }
}

impl Environment {
    /// Returns true if a generation was noted as damaged.
    pub fn is_marked_damaged(&self, generation: u64) -> bool {
        fs::symlink_metadata(mark(self, generation)).is_ok()
    }
}

fn directory(environment: &Environment) -> PathBuf {
    environment.state().join("damaged")
}

fn mark(environment: &Environment, generation: u64) -> PathBuf {
    directory(environment).join(generation.to_string())
}
