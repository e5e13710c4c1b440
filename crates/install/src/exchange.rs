//! One rename between the old environment and the new one, and what to do when a process dies around it.
//!
//! Where the system can exchange two directories in one step, it does: at every instant the environment is the old one or
//! the new one. Elsewhere two renames are needed; a note written before the first says what to finish. Generations carry
//! their number in their receipt, so that after any interruption each directory says itself what it is:
//! `staging/new-N` with receipt N was never put in place, with another receipt it is the former environment, with none it
//! was another tool's (while it is built, `new-N.building` is beside it); `generations/K` whose receipt says M is the environment that K took the place of.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::disk::{Contents, Opened};
use crate::environment::{Occupant, is_virtual_environment};
use crate::{Environment, EnvironmentGuard, InstallError, Receipt, generations, ledger, platform, staging};

/// How two directories are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// One step, or two where the file system cannot do it in one.
    Best,
    /// Two steps, with a note.
    Journalled,
}

/// A new environment is in place, whatever else went wrong.
#[derive(Debug)]
pub struct Placed {
    /// Its receipt.
    pub receipt: Receipt,
    /// Why the former environment is not in the history yet, or something else of the kind. The next lock makes up for it.
    pub untidy: Option<InstallError>,
}

/// Notes that this environment's directories are about to be changed: the next lock looks at them.
///
/// # Errors
/// [`InstallError::Path`] for a mount point, which cannot be exchanged; it is told before anything is fetched.
pub(crate) fn begin(guard: &EnvironmentGuard) -> Result<(), InstallError> {
    guard.anchor().check()?;
    let venv = guard.environment().venv();
    if guard.anchor().open_directory(venv).is_ok_and(|opened| platform::is_mount_point(&opened.directory)) {
        return Err(InstallError::Path { path: venv.to_owned(), reason: IS_MOUNT_POINT });
    }
    // The ledger first: while something is unfinished, at most the line of what is being put in place may be missing.
    guard.record_present()?;
    let last = ledger::last_recorded(guard.environment())?;
    let note = guard.environment().state().join(UNFINISHED);
    guard.anchor().write_note(&note, note_text(last).as_bytes()).map(drop).map_err(InstallError::io("write", &note))
}

/// Notes that everything is in its place.
pub(crate) fn finish(guard: &EnvironmentGuard) -> Result<(), InstallError> {
    guard.anchor().remove_file(&guard.environment().state().join(UNFINISHED))
}

/// Returns the text of the note: how the ledger ended before.
fn note_text(last: Option<u64>) -> String {
    format!("{}\n", last.map_or_else(|| "-".to_owned(), |last| last.to_string()))
}

/// Returns true if a process died before it could write a line for what it put in place: the ledger ends as it did before.
///
/// # Errors
/// [`InstallError::Io`] if the note cannot be read.
pub(crate) fn owes_a_line(environment: &Environment, last: Option<u64>) -> Result<bool, InstallError> {
    let path = environment.state().join(UNFINISHED);
    let mut text = Vec::new();
    match platform::open_regular(&path).and_then(|file| file.take(NOTE_BYTES).read_to_end(&mut text)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(InstallError::io("read", &path)(error)),
        Ok(_) => Ok(text == note_text(last).as_bytes()),
    }
}

/// Returns true if directories were about to be changed, and nobody noted that they are in their places.
pub(crate) fn is_unfinished(environment: &Environment) -> bool {
    environment.state().join(UNFINISHED).exists()
}

/// Puts the directory `source`, which has this receipt, in the environment's place, and then `record`s it. What was there
/// goes into the history, or is set aside. Something else that has taken the place of `source` meanwhile is put back.
///
/// # Errors
/// Only while the former environment is in place, or was put back.
pub(crate) fn put_in_place(
    guard: &EnvironmentGuard,
    source: &Opened,
    receipt: Receipt,
    method: Method,
    record: impl FnOnce(&Receipt) -> Result<(), InstallError>,
) -> Result<Placed, InstallError> {
    guard.anchor().check()?;
    let put_away = exchange(guard, source, receipt.generation, method)?;
    // All of it is tried. Unless everything is done, the note of what is unfinished stays, and the next lock does the rest.
    let recorded = record(&receipt);
    // Once the exchange is on the disk, no loss of power brings the former environment back.
    let settled = put_away.and(recorded).and_then(|()| guard.anchor().settle());
    let untidy = settled.and_then(|()| finish(guard)).err();
    Ok(Placed { receipt, untidy })
}

/// Exchanges the directories. Returns how putting away what was there went.
fn exchange(
    guard: &EnvironmentGuard,
    source: &Opened,
    generation: u64,
    method: Method,
) -> Result<Result<(), InstallError>, InstallError> {
    let (environment, anchor) = (guard.environment(), guard.anchor());
    let venv = environment.venv();
    let occupant = guard.occupant()?;
    let path = &source.path;
    if occupant == Occupant::Nothing {
        anchor.rename_new(path, venv).map_err(InstallError::io("put the new environment at", venv))?;
        return check_placed(guard, source).map(Ok).inspect_err(|_| drop(anchor.rename_new(venv, path)));
    }
    if method == Method::Journalled {
        return in_two_steps(guard, source, generation, &occupant);
    }
    match anchor.exchange(path, venv) {
        Ok(()) => {}
        Err(e) if platform::cannot_exchange(&e) => return in_two_steps(guard, source, generation, &occupant),
        Err(e) => return Err(InstallError::io("put the new environment in the place of", venv)(e)),
    }
    let placed = check_placed(guard, source);
    let is_ours = placed.is_ok();
    let expected = placed.and_then(|()| is_what_was_there(guard, path, &occupant));
    if !matches!(expected, Ok(true)) {
        // What came out has been replaced since, or was a link before: that is not put in the place of what was looked at.
        if is_ours && anchor.is_link(path) {
            return Err(replaced(path));
        }
        anchor.exchange(path, venv).map_err(InstallError::io("put back", venv))?;
        return expected.and_then(|_| Err(replaced(venv)));
    }
    Ok(put_away(guard, path, generation, &occupant).map(drop))
}

/// Refuses if what is in the environment's place now is not the directory that was built or looked at.
fn check_placed(guard: &EnvironmentGuard, source: &Opened) -> Result<(), InstallError> {
    let venv = guard.environment().venv();
    match guard
        .anchor()
        .open_directory(venv)
        .and_then(|it| platform::is_same_directory(&it.directory, &source.directory))
    {
        Ok(true) => Ok(()),
        Ok(false) => Err(replaced(&source.path)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(replaced(&source.path)),
        Err(error) => Err(InstallError::io("look at", venv)(error)),
    }
}

/// Returns true if a directory is what was in the environment's place when it was looked at. Somebody may have put
/// something else there since, a link to elsewhere for one; that is neither history nor pinfold's to remove.
fn is_what_was_there(guard: &EnvironmentGuard, directory: &Path, occupant: &Occupant) -> Result<bool, InstallError> {
    let opened = match guard.anchor().open_directory(directory) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(false),
        Err(error) => return Err(InstallError::io("open", directory)(error)),
    };
    let receipt = match Receipt::read_in(&opened) {
        Err(InstallError::Receipt { .. }) => None,
        result => result?,
    };
    Ok(match occupant {
        Occupant::Empty => opened.directory.entries().map_err(InstallError::io("list", directory))?.is_empty(),
        Occupant::Foreign => receipt.is_none() && is_virtual_environment(&opened.directory),
        Occupant::Nothing => false,
        Occupant::Ours(former) => receipt.is_some_and(|receipt| receipt == **former),
    })
}

fn replaced(path: &Path) -> InstallError {
    let reason = "it was replaced while the new environment was put in place";
    InstallError::Foreign { path: path.to_owned(), reason }
}

/// Puts what was in the environment's place where it belongs; `generation` took its place. Returns where it is, if it is kept.
fn put_away(
    guard: &EnvironmentGuard,
    directory: &Path,
    generation: u64,
    occupant: &Occupant,
) -> Result<Option<PathBuf>, InstallError> {
    match occupant {
        Occupant::Empty => {
            let removed = guard.anchor().remove_directory(directory);
            removed.map(|()| None).map_err(InstallError::io("remove", directory))
        }
        Occupant::Foreign => set_aside(guard, directory, generation).map(Some),
        Occupant::Nothing => Ok(None),
        Occupant::Ours(former) => move_to_history(guard, directory, former).map(Some),
    }
}

/// Keeps a directory that is in no history: mostly one that pinfold did not make.
fn set_aside(guard: &EnvironmentGuard, directory: &Path, generation: u64) -> Result<PathBuf, InstallError> {
    let place = guard.environment().set_aside(generation);
    if !guard.anchor().has(&place)? {
        return keep_as(guard, directory, place);
    }
    keep_as(guard, directory, guard.environment().set_aside(generations::next_number(guard)?))
}

fn keep_as(guard: &EnvironmentGuard, directory: &Path, place: PathBuf) -> Result<PathBuf, InstallError> {
    match guard.anchor().rename_new(directory, &place) {
        Ok(()) => Ok(place),
        Err(error) => Err(InstallError::io("keep the former environment as", &place)(error)),
    }
}

/// Renames a directory to its generation's place in the history.
///
/// Somebody may have brought an environment back by other means, from a backup for one, whose generation is in the history
/// too: then that copy makes way. Another generation that has the same number stays, and the directory is set aside.
fn move_to_history(guard: &EnvironmentGuard, directory: &Path, receipt: &Receipt) -> Result<PathBuf, InstallError> {
    let (environment, anchor) = (guard.environment(), guard.anchor());
    let generations = environment.generations();
    anchor.make_directory(&generations)?;
    let place = generations.join(receipt.generation.to_string());
    if place == directory {
        return Ok(place);
    }
    if anchor.has(&place)? {
        let is_copy = matches!(anchor.receipt(&place), Ok(Some(kept)) if kept == *receipt);
        let name = format!("copy-of-{}", receipt.generation);
        if !is_copy || generations::discard(guard, &place, &name).is_err() {
            return set_aside(guard, directory, receipt.generation);
        }
        let kept = keep_as(guard, directory, place);
        generations::remove_discarded(guard);
        return kept;
    }
    keep_as(guard, directory, place)
}

/// The former environment out, the new one in; a note first, so that the second half can be made up for.
fn in_two_steps(
    guard: &EnvironmentGuard,
    source: &Opened,
    generation: u64,
    occupant: &Occupant,
) -> Result<Result<(), InstallError>, InstallError> {
    let (environment, anchor, path) = (guard.environment(), guard.anchor(), &source.path);
    let (venv, note) = (environment.venv(), environment.state().join(NOTE));
    if !is_what_was_there(guard, venv, occupant)? {
        return Err(replaced(venv));
    }
    let relative = path.strip_prefix(environment.state()).unwrap_or(path);
    let written = anchor.write_note(&note, relative.to_string_lossy().as_bytes()).and_then(|file| file.sync_all());
    written.map_err(InstallError::io("write", &note))?;
    let former = put_away(guard, venv, generation, occupant)?;
    let renamed = anchor.rename_new(path, venv).map_err(InstallError::io("put the new environment at", venv));
    let placed =
        renamed.and_then(|()| check_placed(guard, source).inspect_err(|_| drop(anchor.rename_new(venv, path))));
    if let Err(error) = placed {
        // Nothing is in place now. The former environment goes back if it can; the next lock puts the new one in otherwise.
        if let Some(former) = former
            && anchor.rename_new(&former, venv).is_ok()
        {
            let _stays_if_it_must = anchor.remove_file(&note);
        }
        return Err(error);
    }
    Ok(anchor.remove_file(&note))
}

/// Puts everything in its place that a killed process left elsewhere. Only the holder of the lock may call this.
pub(crate) fn recover(guard: &EnvironmentGuard) -> Result<(), InstallError> {
    let (environment, anchor) = (guard.environment(), guard.anchor());
    if !anchor.has(&environment.state().join(UNFINISHED))? {
        return Ok(());
    }
    finish_two_steps(guard)?;
    for (name, directory) in anchor.subdirectories(&environment.staging())? {
        recover_staged(guard, &name, &directory)?;
    }
    for (name, directory) in anchor.subdirectories(&environment.generations())? {
        // One that cannot be read is no reason to do nothing: nobody can go back to it.
        if let Ok(Some(receipt)) = anchor.receipt(&directory)
            && name != receipt.generation.to_string()
        {
            move_to_history(guard, &directory, &receipt)?;
        }
    }
    // Any other line that is missing is somebody's to tell of.
    if owes_a_line(environment, ledger::last_recorded(environment)?)? {
        guard.record_present()?;
    }
    finish(guard)
}

/// A directory in the staging area was being built, was built and never put in place, or was taken out of its place.
fn recover_staged(guard: &EnvironmentGuard, name: &str, directory: &Path) -> Result<(), InstallError> {
    let removed = || staging::remove(guard, directory);
    let Some(generation) = name.strip_prefix("new-").and_then(|number| number.parse().ok()) else { return removed() };
    if staging::is_being_built(guard, directory)? {
        return removed();
    }
    match guard.anchor().receipt(directory) {
        Ok(Some(receipt)) if receipt.generation == generation => removed(),
        Ok(Some(receipt)) => move_to_history(guard, directory, &receipt).map(drop),
        Ok(None) | Err(InstallError::Receipt { .. }) => {
            let entries = guard.anchor().open_directory(directory).and_then(|opened| opened.directory.entries());
            let entries = entries.map_err(InstallError::io("list", directory))?;
            if entries.is_empty() { removed() } else { set_aside(guard, directory, generation).map(drop) }
        }
        Err(error) => Err(error),
    }
}

fn finish_two_steps(guard: &EnvironmentGuard) -> Result<(), InstallError> {
    let (environment, anchor) = (guard.environment(), guard.anchor());
    let note = environment.state().join(NOTE);
    let relative = match anchor.read_own(&note, NOTE_BYTES).map_err(InstallError::io("read", &note))? {
        Contents::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Contents::Gone | Contents::Irregular | Contents::TooLarge => return Ok(()),
    };
    let source = environment.state().join(&relative);
    let inside = Path::new(&relative).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let receipt = match inside.then(|| anchor.receipt(&source)) {
        None | Some(Err(InstallError::Receipt { .. })) => None,
        // What cannot be read now is no reason to forget it.
        Some(result) => result?,
    };
    if receipt.is_some() && !anchor.has(environment.venv())? {
        let action = "put the new environment at";
        let renamed = anchor.rename_new(&source, environment.venv());
        renamed.map_err(InstallError::io(action, environment.venv()))?;
    }
    anchor.remove_file(&note)
}

/// Returns the directories inside a directory with their names, sorted; none if it does not exist.
pub(crate) fn subdirectories(directory: &Path) -> Result<Vec<(String, PathBuf)>, InstallError> {
    match Opened::at(directory).and_then(|opened| opened.subdirectories()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(InstallError::io("list", directory)),
    }
}

/// Returns the name under which a generation is built.
pub(crate) fn staging_name(generation: u64) -> String {
    format!("new-{generation}")
}

const IS_MOUNT_POINT: &str =
    "it is a mount point, and none can be put in the place of another; mount the directory that it is in";
/// Present while directories are being moved.
const UNFINISHED: &str = "unfinished";
/// What is to be put in place by the second of two renames, relative to the state directory.
const NOTE: &str = "exchange";
/// Longer than any path in the state directory.
const NOTE_BYTES: u64 = 4096;

#[cfg(test)]
#[cfg(unix)]
mod tests;
