//! The environments that are known on this machine, with a copy of each one's ledger.
//!
//! An environment that was thrown away takes its ledger with it. So each sync leaves a copy in the cache directory: for
//! every environment that was ever made with this cache there is a directory, named for the digest of its path, with its path
//! and its ledger. What `trace` answers and what `cache prune --unused` keeps is read here. The copy is also what a ledger is
//! held against: one that was written anew, or that lost its end, has a whole chain and yet is not what is remembered.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use pinfold_artifact::Sha256;
use serde::{Deserialize, Serialize};

use crate::ledger::{self, LEDGER};
use crate::receipt::digest;
use crate::{Environment, InstallError, Ledger, LedgerProblem, Receipt, exchange};

/// The environments that are known on this machine.
#[derive(Debug, Clone)]
pub struct KnownEnvironments {
    directory: PathBuf,
}

/// An environment that is, or was, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEnvironment {
    /// Where it is, or was.
    pub venv: PathBuf,
    /// Whether there still is an environment of pinfold's.
    pub is_present: bool,
    /// What is remembered of its ledger; first the newest copy, then those of ledgers that were there before.
    pub remembered: Vec<Ledger>,
}

impl KnownEnvironments {
    /// Names the directory; it need not exist yet.
    pub const fn in_directory(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns true if an environment's ledger is as long as what is remembered of it. Costs two looks.
    pub fn is_remembered(&self, environment: &Environment) -> bool {
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        length(&environment.state().join(LEDGER)) == length(&self.place(environment.venv()).join(LEDGER))
    }

    /// Remembers an environment and what its ledger says by now.
    ///
    /// Returns what is wrong if the ledger is not the one that was remembered, only longer; the former copy is kept.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn remember(&self, environment: &Environment) -> Result<Option<LedgerProblem>, InstallError> {
        let (original, place) = (environment.state().join(LEDGER), self.place(environment.venv()));
        let copy = place.join(LEDGER);
        self.make(&place, environment.venv())?;
        let held = File::create(place.join(HELD)).map_err(InstallError::io("open", &place.join(HELD)))?;
        held.lock().map_err(InstallError::io("lock", &place.join(HELD)))?;
        if let Some(added) = ledger::added_since(&original, &copy)? {
            if added.is_empty() {
                return Ok(None);
            }
            let file = OpenOptions::new().create(true).append(true).open(&copy);
            let mut file = file.map_err(InstallError::io("open", &copy))?;
            file.write_all(&added).map_err(InstallError::io("write", &copy))?;
            return Ok(None);
        }
        let (now, before) = (ledger::whole_lines(ledger::read_bytes(&original)?), ledger::read_bytes(&copy)?);
        let former = place.join(format!("{FORMER}{}.jsonl", digest(&before).short()));
        fs::rename(&copy, &former).map_err(InstallError::io("keep", &former))?;
        fs::write(&copy, &now).map_err(InstallError::io("write", &copy))?;
        Ok(difference(&before, &now))
    }

    /// Holds an environment's ledger against what is remembered of it.
    ///
    /// # Errors
    /// [`InstallError::Io`].
    pub fn compare(&self, environment: &Environment) -> Result<Vec<LedgerProblem>, InstallError> {
        let now = ledger::read_bytes(&environment.state().join(LEDGER))?;
        let mut problems = Vec::new();
        if now.is_empty() && environment.receipt()?.is_none() {
            // The environment has gone, and its ledger with it.
            return Ok(problems);
        }
        for copy in copies(&self.place(environment.venv()))? {
            problems.extend(difference(&ledger::read_bytes(&copy)?, &now));
        }
        problems.dedup();
        Ok(problems)
    }

    /// Returns every environment that is known, sorted by path. What cannot be read of one is left out.
    ///
    /// # Errors
    /// [`InstallError::Io`] if the directory cannot be listed.
    pub fn list(&self) -> Result<Vec<KnownEnvironment>, InstallError> {
        let mut found = Vec::new();
        for (_, place) in exchange::subdirectories(&self.directory)? {
            let Ok(about) = fs::read(place.join(ABOUT)) else { continue };
            let Ok(About { venv }) = serde_json::from_slice(&about) else { continue };
            let venv = PathBuf::from(venv);
            let is_present = Receipt::read(&venv).ok().flatten().is_some();
            let copies = copies(&place)?;
            let remembered = copies.iter().filter_map(|copy| ledger::read_ledger(copy).ok()).collect();
            found.push(KnownEnvironment { venv, is_present, remembered });
        }
        found.sort_by(|a, b| a.venv.cmp(&b.venv));
        Ok(found)
    }

    fn place(&self, venv: &Path) -> PathBuf {
        self.directory.join(digest(venv.as_os_str().as_encoded_bytes()).short())
    }

    fn make(&self, place: &Path, venv: &Path) -> Result<(), InstallError> {
        let about = place.join(ABOUT);
        let text = serde_json::to_string(&About { venv: venv.to_string_lossy().into_owned() });
        let text = text.map_err(|e| InstallError::io("write", &about)(e.into()))? + "\n";
        if fs::read(&about).is_ok_and(|bytes| bytes == text.as_bytes()) {
            return Ok(());
        }
        // A process that died, or the power that went, may have left half of it.
        make_private_directories(place).map_err(InstallError::io("make the directory", place))?;
        let half = place.join(format!("{ABOUT}.new"));
        fs::write(&half, text).map_err(InstallError::io("write", &half))?;
        fs::rename(&half, &about).map_err(InstallError::io("write", &about))
    }
}

/// What is written of an environment beside its ledger.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    venv: String,
}

fn make_private_directories(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Returns the copies of an environment's ledgers, the newest first.
fn copies(place: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(InstallError::io("list", place)(e)),
    };
    let named = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.path());
    let paths: Vec<PathBuf> = entries.map(named).collect::<Result<_, _>>().map_err(InstallError::io("list", place))?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut former: Vec<PathBuf> = paths.into_iter().filter(|path| name(path).starts_with(FORMER)).collect();
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    former.sort_by_key(|path| (std::cmp::Reverse(changed(path)), path.clone()));
    let newest = place.join(LEDGER);
    Ok(newest.exists().then_some(newest).into_iter().chain(former).collect())
}

/// Says where a ledger is not what was remembered.
fn difference(remembered: &[u8], now: &[u8]) -> Option<LedgerProblem> {
    if remembered.is_empty() || now.starts_with(remembered) {
        return None;
    }
    let (mut before, mut after) = (ledger::lines(remembered), ledger::lines(now));
    let mut line = 0;
    let (was, is) = loop {
        line += 1;
        match (before.next(), after.next()) {
            (Some(was), Some(is)) if was == is => {}
            (was, is) => break (was, is),
        }
    };
    if was.is_some_and(|was| ledger::entry_of_line(was).is_none()) {
        // It is the copy that was not finished.
        return None;
    }
    if line == 1 && is_of_another_environment(remembered, now) {
        return None;
    }
    let told = |line: Option<&[u8]>| line.map_or_else(|| "nothing".to_owned(), described);
    Some(LedgerProblem::Rewritten { line, expected: told(was), found: told(is) })
}

/// Returns true if a ledger is the one of another environment that was made later in the same place: it begins with a first
/// generation, after everything that is remembered, and has no line of it.
fn is_of_another_environment(remembered: &[u8], now: &[u8]) -> bool {
    let first = ledger::lines(now).next().and_then(ledger::entry_of_line);
    let last = ledger::lines(remembered).filter_map(ledger::entry_of_line).last();
    let (Some(first), Some(last)) = (first, last) else { return false };
    let before: BTreeSet<&[u8]> = ledger::lines(remembered).collect();
    let is_new = ledger::lines(now).all(|line| !before.contains(line));
    first.generation == 1 && first.installed_at.as_str() >= last.since() && is_new
}

fn described(line: &[u8]) -> String {
    let sha256: Sha256 = digest(line);
    match ledger::entry_of_line(line) {
        Some(entry) => format!("generation {} of {} (sha256 {sha256})", entry.generation, entry.since()),
        None => format!("a line with sha256 {sha256}"),
    }
}

const ABOUT: &str = "environment.json";
const FORMER: &str = "former-";
const HELD: &str = "lock";

#[cfg(test)]
#[cfg(unix)]
mod tests;
