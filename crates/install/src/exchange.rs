//! One rename between the old environment and the new one, and what to do when a process dies around it.
//!
//! Where the system can exchange two directories in one step, it does: at every instant the environment is the old one or
//! the new one. Elsewhere two renames are needed; a note written before the first says what to finish. Generations carry
//! their number in their receipt, so that after any interruption each directory says itself what it is:
//! `staging/new-N` with receipt N was never put in place, with another receipt it is the former environment;
//! `generations/K` whose receipt says M is the environment that K took the place of.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::environment::create_private_directory;
use crate::{Environment, InstallError, Receipt, platform};

/// How two directories are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// One step, or two where the file system cannot do it in one.
    Best,
    /// Two steps, with a note.
    #[cfg_attr(not(test), expect(dead_code, reason = "taken where the system cannot exchange; tests ask for it"))]
    Journalled,
}

/// Notes that this environment's directories are about to be changed: the next lock looks at them.
pub(crate) fn begin(environment: &Environment) -> Result<(), InstallError> {
    let note = environment.state().join(UNFINISHED);
    fs::write(&note, "").map_err(InstallError::io("write", &note))
}

/// Notes that everything is in its place.
pub(crate) fn finish(environment: &Environment) -> Result<(), InstallError> {
    let note = environment.state().join(UNFINISHED);
    match fs::remove_file(&note) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(InstallError::io("remove", &note)(e)),
        _ => Ok(()),
    }
}

/// Puts the directory `source` in the environment's place. What was there goes into the history.
pub(crate) fn put_in_place(environment: &Environment, source: &Path, method: Method) -> Result<(), InstallError> {
    let venv = environment.venv();
    let former = environment.receipt()?;
    let present = fs::symlink_metadata(venv).is_ok();
    let renamed = match (present, method) {
        (false, _) => platform::rename_new(source, venv),
        (true, Method::Best) => match platform::exchange(source, venv) {
            Err(e) if platform::cannot_exchange(&e) => return in_two_steps(environment, source, former.as_ref()),
            result => result,
        },
        (true, Method::Journalled) => return in_two_steps(environment, source, former.as_ref()),
    };
    renamed.map_err(InstallError::io("put the new environment in the place of", venv))?;
    if !present {
        return Ok(());
    }
    match former {
        Some(former) => move_to_history(environment, source, former.generation),
        None => fs::remove_dir(source).map_err(InstallError::io("remove", source)),
    }
}

/// Renames a directory to its generation's place in the history.
fn move_to_history(environment: &Environment, directory: &Path, generation: u64) -> Result<(), InstallError> {
    let generations = environment.generations();
    create_private_directory(&generations)?;
    let place = generations.join(generation.to_string());
    if place == directory {
        return Ok(());
    }
    platform::rename_new(directory, &place).map_err(InstallError::io("keep the former environment as", &place))
}

/// The former environment out, the new one in; a note first, so that the second half can be made up for.
fn in_two_steps(environment: &Environment, source: &Path, former: Option<&Receipt>) -> Result<(), InstallError> {
    let (venv, note) = (environment.venv(), environment.state().join(NOTE));
    let relative = source.strip_prefix(environment.state()).unwrap_or(source);
    fs::write(&note, relative.to_string_lossy().as_bytes()).map_err(InstallError::io("write", &note))?;
    match former {
        Some(former) => move_to_history(environment, venv, former.generation)?,
        None => fs::remove_dir(venv).map_err(InstallError::io("remove", venv))?,
    }
    platform::rename_new(source, venv).map_err(InstallError::io("put the new environment at", venv))?;
    fs::remove_file(&note).map_err(InstallError::io("remove", &note))
}

/// Puts everything in its place that a killed process left elsewhere. Only the holder of the lock may call this.
pub(crate) fn recover(environment: &Environment) -> Result<(), InstallError> {
    if !environment.state().join(UNFINISHED).exists() {
        return Ok(());
    }
    finish_two_steps(environment)?;
    for (name, directory) in subdirectories(&environment.staging())? {
        let receipt = Receipt::read(&directory).ok().flatten();
        match receipt {
            Some(receipt) if name != staging_name(receipt.generation) => {
                move_to_history(environment, &directory, receipt.generation)?;
            }
            _ => fs::remove_dir_all(&directory).map_err(InstallError::io("remove", &directory))?,
        }
    }
    for (name, directory) in subdirectories(&environment.generations())? {
        match Receipt::read(&directory)? {
            Some(receipt) if name != receipt.generation.to_string() => {
                move_to_history(environment, &directory, receipt.generation)?;
            }
            _ => {}
        }
    }
    finish(environment)
}

fn finish_two_steps(environment: &Environment) -> Result<(), InstallError> {
    let note = environment.state().join(NOTE);
    let Ok(relative) = fs::read_to_string(&note) else {
        return Ok(());
    };
    let source = environment.state().join(&relative);
    let inside = Path::new(&relative).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let complete = inside && Receipt::read(&source).ok().flatten().is_some();
    if complete && fs::symlink_metadata(environment.venv()).is_err() {
        let action = "put the new environment at";
        platform::rename_new(&source, environment.venv()).map_err(InstallError::io(action, environment.venv()))?;
    }
    fs::remove_file(&note).map_err(InstallError::io("remove", &note))
}

/// Returns the directories inside a directory with their names, sorted; none if it does not exist.
pub(crate) fn subdirectories(directory: &Path) -> Result<Vec<(String, PathBuf)>, InstallError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(InstallError::io("list", directory)(e)),
    };
    let read = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let is_directory = entry.file_type()?.is_dir();
        Ok(is_directory.then(|| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
    };
    let found: io::Result<Vec<_>> = entries.map(read).collect();
    let mut found: Vec<_> = found.map_err(InstallError::io("list", directory))?.into_iter().flatten().collect();
    found.sort();
    Ok(found)
}

/// Returns the name under which a generation is built.
pub(crate) fn staging_name(generation: u64) -> String {
    format!("new-{generation}")
}

/// Present while directories are being moved.
const UNFINISHED: &str = "unfinished";
/// What is to be put in place by the second of two renames, relative to the state directory.
const NOTE: &str = "exchange";

#[cfg(test)]
#[cfg(unix)]
mod tests;
