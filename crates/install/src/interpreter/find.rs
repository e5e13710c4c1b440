//! The search for an interpreter on a PATH.

use std::ffi::OsStr;

use pinfold_packaging::Specifiers;

use crate::{Interpreter, InterpreterError};

impl Interpreter {
    /// Finds the first interpreter on a PATH whose version is wanted: `python3` and `python` first, then `python3.X`.
    ///
    /// # Errors
    /// [`InterpreterError::NotFound`], with what was looked at.
    pub fn find(search_path: &OsStr, requires_python: Option<&Specifiers>) -> Result<Self, InterpreterError> {
        let _ = (search_path, requires_python);
        todo!()
    }
}
