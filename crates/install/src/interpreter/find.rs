//! The search for an interpreter on a PATH.
//!
//! The user's own choice comes first: `python3`, then `python`, in every directory. Only then is a particular `python3.X`
//! looked for, newest first. What a directory of shims stands for is looked at in its place, and shims whose versions cannot be
//! found are asked. Relative directories are ignored: an interpreter must not come from where one happens to be.
//!
//! Each look costs a program that is started, so whatever can be known without one is: an interpreter that was asked before, and
//! one whose own name (`python3.9`, behind the link `python3`) says that it does not fit. The latter is asked last.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pinfold_packaging::{PythonMinor, Specifiers};

use super::shims::{Shims, is_shims};
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
        let minors = requires_python.map(PythonMinor::all_in);
        let candidates = candidates(self.search_path(), minors.as_deref().unwrap_or_default());
        let (may_fit, do_not): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| candidate.may_fit(minors.as_deref()));
        let mut rejected = Vec::new();
        for Candidate { program, .. } in may_fit.into_iter().chain(do_not) {
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

/// A program that may be an interpreter. It exists.
struct Candidate {
    /// Where it was found.
    program: PathBuf,
    /// What that leads to.
    leads_to: PathBuf,
}

impl Candidate {
    /// Returns false if the program's own name says that it is of another version.
    fn may_fit(&self, minors: Option<&[PythonMinor]>) -> bool {
        let name = self.leads_to.file_name().and_then(OsStr::to_str);
        let name = name.map(|name| name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(name));
        let Some(version) = name.and_then(|name| name.strip_prefix("python")) else { return true };
        match version.parse::<PythonMinor>() {
            Ok(minor) => minors.is_none_or(|minors| minors.contains(&minor)),
            Err(_) => !version.starts_with('2'),
        }
    }
}

/// Returns the programs to look at, in order, each once however many links lead to it.
fn candidates(search_path: &OsStr, minors: &[PythonMinor]) -> Vec<Candidate> {
    let directories: Vec<PathBuf> = std::env::split_paths(search_path).filter(|path| path.is_absolute()).collect();
    let general = ["python3", "python"].map(str::to_owned);
    let particular: Vec<String> = minors.iter().rev().map(|minor| format!("python{minor}")).collect();
    let mut programs = Vec::new();
    for names in [&general[..], &particular[..]] {
        for directory in &directories {
            let places = Shims::of(directory).map_or_else(|| vec![directory.clone()], |shims| shims.chosen());
            programs.extend(places.iter().flat_map(|place| names.iter().map(|name| program_in(place, name))));
        }
    }
    for bin in directories.iter().filter_map(|directory| Shims::of(directory)).flat_map(|shims| shims.all()) {
        programs.extend(particular.iter().map(|name| program_in(&bin, name)));
    }
    let mut seen = BTreeSet::new();
    let existing = programs.into_iter().filter(|program| program.is_file()).map(|program| {
        let leads_to = std::fs::canonicalize(&program).unwrap_or_else(|_| program.clone());
        Candidate { program, leads_to }
    });
    existing.filter(|it| seen.insert(it.leads_to.clone()) || is_shim(&it.program)).collect()
}

fn program_in(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Returns true for a shim, whose manager goes by the name under which it is started: several may be one file.
fn is_shim(program: &Path) -> bool {
    program.parent().is_some_and(is_shims)
}
