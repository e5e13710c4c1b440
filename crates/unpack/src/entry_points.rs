//! `entry_points.txt`: the scripts that an installer writes, each proven to be a plain name and a plain object reference.

use crate::ArchiveError;

/// The scripts of a wheel. Other groups are data for the packages themselves and are not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryPoints {
    /// Scripts that run in a console, sorted by name.
    pub console_scripts: Vec<EntryPoint>,
    /// Scripts that run without a console window, sorted by name.
    pub gui_scripts: Vec<EntryPoint>,
}

/// One script: `name = module:attribute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The file name of the script: one path segment of ASCII letters, digits and `-_.`.
    pub name: String,
    /// The module: identifiers joined by dots.
    pub module: String,
    /// The object inside the module: identifiers joined by dots.
    pub attribute: String,
}

/// What is wrong with an entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryPointProblem {
    /// The same script twice.
    #[error("defined twice")]
    Duplicate,
    /// The text is no INI file as the specification describes.
    #[error("no `name = module:attribute` line in a group")]
    Malformed,
    /// The name is no plain file name.
    #[error("the name is no plain file name")]
    Name,
    /// The object reference is not `module:attribute`.
    #[error("the object reference is not `module:attribute`")]
    Reference,
}

impl EntryPoints {
    /// Reads and checks the text of `entry_points.txt`.
    ///
    /// # Errors
    /// If a script's name or object reference could mean anything but itself (WI11).
    pub fn parse(text: &str) -> Result<Self, ArchiveError> {
        let _ = text;
        todo!()
    }
}
