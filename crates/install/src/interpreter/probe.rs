//! One question to an interpreter.

use std::ffi::OsStr;
use std::path::Path;

use crate::{Interpreter, InterpreterError};

impl Interpreter {
    /// Asks a program what it is, isolated and without `site`: nothing that is installed is imported.
    ///
    /// # Errors
    /// [`InterpreterError`] if it cannot be run or is no Python 3.
    pub fn probe(program: &Path, search_path: &OsStr) -> Result<Self, InterpreterError> {
        let _ = (program, search_path);
        todo!()
    }
}
