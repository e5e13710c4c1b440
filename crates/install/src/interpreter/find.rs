//! The search for an interpreter on a PATH.
//!
//! The user's own choice comes first: `python3`, then `python`, in every directory. Only then is a particular `python3.X`
//! looked for, newest first. Shims that answer for no version are passed over; the versions that such a shim chooses from
//! are looked at themselves. Relative directories are ignored: an interpreter must not come from where one happens to be.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pinfold_packaging::{PythonMinor, Specifiers};

use crate::{Interpreter, InterpreterError, KnownInterpreters};

impl Interpreter {
    /// Finds the first interpreter on a PATH whose version is wanted, and asks each anew; see [`KnownInterpreters::find`].
    ///
    /// # Errors
    /// [`InterpreterError::NotFound`], with what was looked at.
    pub fn find(search_path: &OsStr, requires_python: Option<&Specifiers>) -> Result<Self, InterpreterError> {
        KnownInterpreters::none(search_path).find(requires_python)
    }
}

impl KnownInterpreters<'_> {
    /// Finds the first interpreter on the PATH whose version is wanted: `python3` and `python` first, then `python3.X`.
    ///
    /// # Errors
    /// [`InterpreterError::NotFound`], with what was looked at.
    pub fn find(&self, requires_python: Option<&Specifiers>) -> Result<Interpreter, InterpreterError> {
        let mut rejected = Vec::new();
        let mut seen = BTreeSet::new();
        for program in candidates(self.search_path(), requires_python) {
            if !seen.insert(std::fs::canonicalize(&program).unwrap_or_else(|_| program.clone())) && !is_shim(&program) {
                continue;
            }
            match self.probe(&program) {
                Ok(found) if requires_python.is_none_or(|wanted| wanted.contains(&found.version)) => return Ok(found),
                Ok(found) => rejected.push((program, format!("is {}", found.version))),
                Err(InterpreterError::Answer { reason, .. }) => rejected.push((program, format!("fails: {reason}"))),
                Err(error) => rejected.push((program, format!("fails: {error}"))),
            }
        }
        let wanted = requires_python.map_or_else(|| "3".to_owned(), Specifiers::to_string);
        Err(InterpreterError::NotFound { wanted, rejected })
    }
}

/// Returns the programs to ask, in order. They exist.
fn candidates(search_path: &OsStr, requires_python: Option<&Specifiers>) -> Vec<PathBuf> {
    let directories: Vec<PathBuf> = std::env::split_paths(search_path).filter(|path| path.is_absolute()).collect();
    let mut minors = match requires_python {
        Some(wanted) => PythonMinor::all_in(wanted),
        None => Vec::new(),
    };
    minors.reverse();
    let general = ["python3", "python"].map(str::to_owned);
    let particular: Vec<String> = minors.iter().map(|minor| format!("python{minor}")).collect();
    let mut programs = Vec::new();
    for names in [&general[..], &particular[..]] {
        for directory in &directories {
            programs.extend(names.iter().map(|name| program_in(directory, name)));
        }
    }
    for directory in directories.iter().filter(|directory| directory.ends_with("shims")) {
        for bin in version_directories(directory) {
            programs.extend(particular.iter().map(|name| program_in(&bin, name)));
        }
    }
    programs.retain(|program| program.is_file());
    programs
}

fn program_in(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn is_shim(program: &Path) -> bool {
    program.parent().is_some_and(|directory| directory.ends_with("shims"))
}

/// Returns the `bin` directories of the versions that a directory of shims chooses from, newest name first.
fn version_directories(shims: &Path) -> Vec<PathBuf> {
    let Some(versions) = shims.parent().map(|root| root.join("versions")) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    found.reverse();
    found
}
