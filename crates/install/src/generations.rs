//! Former generations, and the way back to them.
//!
//! A former generation that cannot be read, or from which something is missing, hinders nothing but going back to it: it
//! is listed as damaged, and refused.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::anchor::Anchor;
use crate::disk::{self, Directory, Kind, Opened};
use crate::exchange::{self, Method, Placed};
use crate::ledger::{append, highest_recorded};
use crate::{Environment, EnvironmentGuard, InstallError, Receipt, ReceiptFiles, Relocation, spare};

/// A generation of an environment, the current one or a former one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Whether it is the one in place.
    pub current: bool,
    /// Its receipt.
    pub receipt: Receipt,
}

/// A former generation that cannot be read, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub generation: u64,
    /// Why.
    pub reason: String,
}

/// Returns the generations that can be read and were not found damaged, newest first.
///
/// # Errors
/// [`InstallError`] if the environment's own receipt cannot be read, or a directory.
pub fn history(environment: &Environment) -> Result<Vec<Generation>, InstallError> {
    let anchor = Anchor::to_read(environment.state())?;
    let readable = |(_, directory): (u64, PathBuf)| anchor.receipt(&directory).ok().flatten();
    let current = environment.receipt()?;
    // Of a generation that somebody brought back by other means, the one in place is listed.
    let in_place = |number: u64| current.as_ref().is_some_and(|receipt| receipt.generation == number);
    let former = former(&anchor, environment)?.into_iter();
    let former = former.filter(|(number, _)| !in_place(*number) && !environment.is_marked_damaged(*number));
    let former = former.filter_map(readable).map(|receipt| Generation { current: false, receipt });
    let mut found: Vec<Generation> = former.collect();
    found.extend(current.map(|receipt| Generation { current: true, receipt }));
    found.sort_by_key(|generation| std::cmp::Reverse(generation.receipt.generation));
    Ok(found)
}

/// Returns the former generations that cannot be read or were found damaged, newest first.
///
/// # Errors
/// [`InstallError::Io`] if they cannot be listed.
pub fn unreadable(environment: &Environment) -> Result<Vec<Unreadable>, InstallError> {
    let anchor = Anchor::to_read(environment.state())?;
    let mut found: Vec<Unreadable> = former(&anchor, environment)?
        .into_iter()
        .filter_map(|(generation, directory)| match anchor.receipt(&directory) {
            _ if environment.is_marked_damaged(generation) => {
                Some(Unreadable { generation, reason: FOUND_DAMAGED.to_owned() })
            }
            Ok(Some(_)) => None,
            Ok(None) => Some(Unreadable { generation, reason: "it has no receipt".to_owned() }),
            Err(InstallError::Receipt { reason, .. }) => Some(Unreadable { generation, reason }),
            Err(error) => Some(Unreadable { generation, reason: error.to_string() }),
        })
        .collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.generation));
    Ok(found)
}

/// Returns numbers and directories of the former generations, oldest first.
fn former(anchor: &Anchor, environment: &Environment) -> Result<Vec<(u64, PathBuf)>, InstallError> {
    let number = |name: &str| name.parse().ok().filter(|number: &u64| *number <= Receipt::LAST_GENERATION);
    let numbered = |(name, path): (String, PathBuf)| number(&name).map(|number| (number, path));
    let found = anchor.subdirectories(&environment.generations())?;
    let mut found: Vec<(u64, PathBuf)> = found.into_iter().filter_map(numbered).collect();
    found.sort();
    Ok(found)
}

/// Puts a former generation in place: the one with the number given, else the newest that is older than the current one, can be
/// read and was not found damaged.
/// Where the one that was named is in place already, nothing is done.
///
/// # Errors
/// [`InstallError::NoGeneration`] if there is none, [`InstallError::NoEnvironment`] if there is no generation at all,
/// [`InstallError::Damaged`] if it is not complete.
pub fn rollback(guard: &EnvironmentGuard, generation: Option<u64>, at: &str) -> Result<Placed, InstallError> {
    let environment = guard.environment();
    let receipt = guard.receipt()?;
    let current = receipt.as_ref().map(|receipt| receipt.generation);
    if let Some(receipt) = receipt.filter(|_| generation.is_some() && generation == current) {
        return Ok(Placed { receipt, untidy: None });
    }
    let former = former(guard.anchor(), environment)?;
    if current.is_none() && former.is_empty() {
        return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() });
    }
    let known: Vec<u64> = former.iter().map(|(number, _)| *number).collect();
    // What has no receipt, or none that can be understood, is passed over unless it is asked for.
    let is_readable =
        |directory: &Path| !matches!(guard.anchor().receipt(directory), Ok(None) | Err(InstallError::Receipt { .. }));
    let chosen = former.into_iter().rfind(|(number, directory)| match generation {
        Some(wanted) => *number == wanted,
        None => {
            current.is_none_or(|current| *number < current)
                && !environment.is_marked_damaged(*number)
                && is_readable(directory)
        }
    });
    let Some((chosen, directory)) = chosen else {
        return Err(InstallError::NoGeneration { wanted: generation, known });
    };
    let opened = guard.anchor().open_directory(&directory).map_err(InstallError::io("open", &directory))?;
    let receipt = check_complete(environment, chosen, &opened)?;
    exchange::begin(guard)?;
    let record = |receipt: &Receipt| append(guard, receipt, Some(at));
    exchange::put_in_place(guard, &opened, receipt, Method::Best, record)
}

/// Checks that a former generation can take the environment's place: everything that its receipt lists is there, with its
/// size and permissions, and it was made for this place. The bytes are not read: `verify` does that.
fn check_complete(environment: &Environment, generation: u64, opened: &Opened) -> Result<Receipt, InstallError> {
    let Opened { directory: root, path: directory } = opened;
    let damaged = |path: &str, problem: String| InstallError::Damaged { generation, path: path.to_owned(), problem };
    if environment.is_marked_damaged(generation) {
        return Err(damaged("environment", FOUND_DAMAGED.to_owned()));
    }
    let unreadable = |error| match error {
        InstallError::Receipt { path, reason } => damaged(&path.display().to_string(), reason),
        other => other,
    };
    let receipt = Receipt::read_in(opened).map_err(unreadable)?;
    let receipt = receipt.ok_or_else(|| damaged(&directory.display().to_string(), "it has no receipt".to_owned()))?;
    if receipt.generation != generation {
        return Err(damaged("receipt", format!("it is of generation {}", receipt.generation)));
    }
    if receipt.relocation() == Relocation::Fixed && Path::new(&receipt.venv) != environment.venv() {
        return Err(damaged("scripts", format!("they name `{}`, another place", receipt.venv)));
    }
    let base = &receipt.interpreter.base_executable;
    if fs::metadata(base).is_err() {
        return Err(damaged("interpreter", format!("`{}` is gone", base.display())));
    }
    let list = ReceiptFiles::read_in(opened).map_err(unreadable)?;
    let Some((list, sha256)) = list else { return Err(damaged("files.json", "it is gone".to_owned())) };
    if sha256 != receipt.files_sha256 {
        return Err(damaged("files.json", format!("its sha256 is {sha256}, expected {}", receipt.files_sha256)));
    }
    if let Some(path) = no_directory(root, &list).map_err(InstallError::io("look into", directory))? {
        return Err(damaged(path, "it is no directory".to_owned()));
    }
    for file in &list.files {
        let problem = match root.facts(file.path.as_str()) {
            Err(e) if is_absence(&e) => e.to_string(),
            Err(e) => return Err(InstallError::io("look at", &directory.join(file.path.as_str()))(e)),
            Ok(facts) if facts.kind != Kind::File => "it is no regular file".to_owned(),
            Ok(facts) if facts.size_bytes != file.size => {
                format!("it has {} bytes, expected {}", facts.size_bytes, file.size)
            }
            Ok(facts) if cfg!(unix) && file.executable && facts.mode & 0o100 == 0 => "it cannot be run".to_owned(),
            Ok(_) => continue,
        };
        return Err(damaged(file.path.as_str(), problem));
    }
    for link in &list.links {
        let found = match root.read_link(link.path.as_str()) {
            Err(e) if !is_absence(&e) => {
                return Err(InstallError::io("read the link", &directory.join(link.path.as_str()))(e));
            }
            found => found,
        };
        if !found.is_ok_and(|target| target == Path::new(&link.target)) {
            return Err(damaged(link.path.as_str(), format!("it is no link to `{}`", link.target)));
        }
    }
    Ok(receipt)
}

/// Returns the first of the directories that files and links of a generation are in that is something else, a link for one: it
/// would lead to files of somebody else's.
fn no_directory<'l>(root: &Directory, list: &'l ReceiptFiles) -> io::Result<Option<&'l str>> {
    let mut directories = BTreeSet::new();
    let paths = list.files.iter().map(|file| &file.path).chain(list.links.iter().map(|link| &link.path));
    paths.for_each(|path| disk::add_parents(&mut directories, path.as_str()));
    for directory in directories {
        match root.facts(directory) {
            Ok(facts) if facts.kind == Kind::Directory => {}
            // Of what is gone, the files that should be in it tell.
            Err(error) if is_absence(&error) => {}
            Ok(_) => return Ok(Some(directory)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Returns true if something is not there, or something else is: any other error says nothing about what is there.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotADirectory | ErrorKind::NotFound)
}

/// Returns the number of the next generation: one that none ever had, also where the environment was taken away.
pub(crate) fn next_number(guard: &EnvironmentGuard) -> Result<u64, InstallError> {
    let environment = guard.environment();
    let current = guard.receipt()?.map_or(0, |receipt| receipt.generation);
    let former = former(guard.anchor(), environment)?.last().map_or(0, |(number, _)| *number);
    let recorded = highest_recorded(environment)?.unwrap_or(0);
    let mut number = current.max(former).max(recorded) + 1;
    // What the generation takes the place of may be set aside under its number.
    while guard.anchor().has(&environment.set_aside(number))? {
        number += 1;
    }
    Ok(number)
}

/// Returns how many former generations there are, damaged ones among them.
///
/// # Errors
/// [`InstallError::Io`] if they cannot be listed.
pub fn former_count(environment: &Environment) -> Result<usize, InstallError> {
    Ok(former(&Anchor::to_read(environment.state())?, environment)?.len())
}

/// Returns true if something was in place before, as far as anybody can tell without a ledger.
///
/// # Errors
/// [`InstallError::Io`] if the former generations cannot be listed.
pub(crate) fn has_past(environment: &Environment, current: &Receipt) -> Result<bool, InstallError> {
    Ok(current.generation > 1 || former_count(environment)? > 0)
}

/// Takes the oldest former generations out of the history until `keep` are left, and returns how many went. The newest of them
/// becomes the spare, if it may be of use; the others are removed, and so is the former spare.
///
/// # Errors
/// [`InstallError::Io`]; those that went before are gone.
pub fn prune(guard: &EnvironmentGuard, keep: usize) -> Result<usize, InstallError> {
    let environment = guard.environment();
    let mut surplus = former(guard.anchor(), environment)?;
    surplus.truncate(surplus.len().saturating_sub(keep));
    let count = surplus.len();
    let Some((newest, directory)) = surplus.pop() else { return Ok(0) };
    let spare = environment.spare();
    if guard.anchor().has(&spare)? {
        discard(guard, &spare, &format!("spare-of-{newest}"))?;
    }
    for (number, directory) in &surplus {
        discard(guard, directory, &number.to_string())?;
    }
    if environment.is_marked_damaged(newest) || !spare::keep(guard, &directory) {
        discard(guard, &directory, &newest.to_string())?;
    }
    remove_discarded(guard);
    Ok(count)
}

/// Takes a generation out of the history, by one rename: what is half removed is none.
pub(crate) fn discard(guard: &EnvironmentGuard, directory: &Path, name: &str) -> Result<(), InstallError> {
    let discarded = guard.environment().discarded();
    guard.anchor().make_directory(&discarded)?;
    guard.anchor().rename_new(directory, &discarded.join(name)).map_err(InstallError::io("remove", directory))
}

/// Removes what was taken out of the history. What cannot be removed now is removed another time.
pub(crate) fn remove_discarded(guard: &EnvironmentGuard) {
    let _ = guard.anchor().remove_tree(&guard.environment().discarded());
}

/// Why a generation is not gone back to that looks complete.
const FOUND_DAMAGED: &str = "`pinfold verify --repair` found it damaged";
