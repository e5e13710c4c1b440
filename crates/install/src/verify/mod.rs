//! Every installed byte against the receipt, the receipt against the lock, and against the store where it still has the
//! wheels.
//!
//! The chain of proof: the lock names a wheel by its digest; the store's manifest of that wheel names every file by its
//! digest; from it, everything that an install writes is derived again and held against the receipt; and every file is
//! read and held against the receipt. Bytecode that an interpreter made later is held against what its source compiles to.
//! Without the store's manifests the receipt is believed. Nothing is repaired here.

pub(crate) mod compiler;
mod event;
mod finding;
mod hashes;
pub(crate) mod known;
mod lock;
pub(crate) mod marshal;
mod proof;
mod receipt;
mod repair;
pub(crate) mod stamps;
mod walk;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod watched_lock;

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;

use pinfold_artifact::Sha256;
use pinfold_lock::{Lock, Selection};
use pinfold_packaging::PackageName;
use pinfold_store::Store;

pub use self::event::{WatchEnding, WatchEvent};
pub use self::finding::{Finding, FindingCode};
use self::hashes::Reading;
use self::proof::Candidate;
use self::stamps::Stamped;
#[cfg(target_os = "linux")]
pub use self::watch::watch;
#[cfg(target_os = "linux")]
pub use self::watched_lock::WatchedLock;
use crate::disk::{Kind, OTHERS_WRITE, Opened};
use crate::environment::SPARE;
use crate::ledger::LEDGER;
use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE};
use crate::{
    Environment, InstallError, InstalledFile, InstalledLink, Interpreter, Ledger, LedgerEntry, LedgerProblem, Receipt,
    ReceiptFiles, bytecode, exchange, generations, ledger,
};

/// How thoroughly an environment is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Every byte.
    #[default]
    Full,
    /// What the file system says of each file; only a file of which it says something else than at the install is read.
    /// Bytecode that an interpreter made is not looked at.
    Quick,
}

/// What `verify` has at hand.
#[derive(Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// How thoroughly.
    pub depth: Depth,
    /// The store, for the manifests of the wheels.
    pub store: Option<&'a Store>,
    /// The directory in which is kept what sources compile to.
    pub compiled: Option<&'a Path>,
    /// Told the bytes that were just checked.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What `verify` did and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How thorough it was.
    pub depth: Depth,
    /// What is wrong, sorted.
    pub findings: Vec<Finding>,
    /// Files that were looked at.
    pub files_checked: u64,
    /// Files that a quick look had to read, because the file system said something else of them than at the install.
    pub files_moved: u64,
    /// Bytes that were read.
    pub bytes_checked: u64,
    /// Distributions that were compared with the lock.
    pub distributions: u64,
    /// Distributions whose files were derived again from the store's manifest of their wheel.
    pub distributions_derived: u64,
    /// Files of bytecode that are what their source compiles to.
    pub bytecode_files: u64,
    /// Files of bytecode of which that was not found out.
    pub bytecode_unproven: u64,
}

impl Report {
    /// Adds what a part of the work came to.
    fn add(&mut self, part: Self) {
        self.findings.extend(part.findings);
        self.files_checked += part.files_checked;
        self.files_moved += part.files_moved;
        self.bytes_checked += part.bytes_checked;
    }

    fn sorted(mut self) -> Self {
        self.findings.sort();
        self.findings.dedup();
        self
    }
}

/// Compares an environment with its receipt, the receipt with the lock, and, where the store still has a wheel's tree, the
/// receipt with that. Changes nothing in the environment.
///
/// # Errors
/// [`InstallError::NoEnvironment`] if there is none, [`InstallError::Foreign`] if pinfold did not make it, and what the
/// disk says. Everything that differs is a finding, not an error.
pub fn verify(
    environment: &Environment,
    lock: &Lock,
    lock_sha256: &Sha256,
    options: &VerifyOptions<'_>,
) -> Result<Report, InstallError> {
    let _shared = environment.lock_shared();
    verify_held(environment, lock, lock_sha256, options)
}

/// As [`verify`], for who holds the environment's lock already.
pub(crate) fn verify_held(
    environment: &Environment,
    lock: &Lock,
    lock_sha256: &Sha256,
    options: &VerifyOptions<'_>,
) -> Result<Report, InstallError> {
    let mut report = Report { depth: options.depth, ..Report::default() };
    let past = past_holds(environment, &mut report)?;
    let header = match environment.receipt() {
        Ok(Some(receipt)) => receipt,
        Ok(None) => return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }),
        Err(InstallError::Receipt { reason, .. }) => return Ok(damaged(report, RECEIPT_FILE, reason)),
        Err(error) => return Err(error),
    };
    // Reading the lock and the list of files are the two longest things that a quick look does: they go side by side.
    let (read, selection) = std::thread::scope(|scope| {
        let read = scope.spawn(|| ReceiptFiles::read(environment.venv()));
        let selection = lock::compare(&header, lock, lock_sha256, &mut report);
        (crate::join(read), selection)
    });
    interpreter_stays(&header.interpreter, &mut report);
    past_ends_here(environment, &past, &header, &mut report)?;
    nobody_else_writes_beside(environment, &mut report)?;
    let (list, sha256) = match read {
        Ok(Some(read)) => read,
        Ok(None) => return Ok(damaged(report, FILES_FILE, "it is gone".to_owned())),
        Err(InstallError::Receipt { reason, .. }) => return Ok(damaged(report, FILES_FILE, reason)),
        Err(error) => return Err(error),
    };
    check_list(&header, &list, &sha256, environment, &mut report);
    let stamps = stamps::read(environment.venv(), &sha256, list.files.len());
    let listed = Listed::new(&header, &list, stamps.as_deref());
    match options.depth {
        Depth::Full => full(environment, &listed, &list, selection.as_ref(), options, &mut report)?,
        Depth::Quick => quick(environment, &listed, options, &mut report)?,
    }
    Ok(report.sorted())
}

fn full(
    environment: &Environment,
    listed: &Listed<'_>,
    list: &ReceiptFiles,
    selection: Option<&Selection>,
    options: &VerifyOptions<'_>,
    report: &mut Report,
) -> Result<(), InstallError> {
    let made = match (options.store, selection) {
        (Some(store), Some(selection)) => receipt::derive(environment, listed.header, list, selection, store, report)?,
        _ => Vec::new(),
    };
    let mut seen = walk::walk(environment, listed, report)?;
    let reading =
        Reading { root: environment.venv(), depth: Depth::Full, which: &|_| true, progress: options.progress };
    let unread = hashes::check(&reading, listed, report)?;
    seen.reread(&unread, listed, report);
    // What was compiled while installing is in no wheel: it is proven as what was compiled later.
    let candidate = |path: &str| Some(Candidate { path: path.to_owned(), compiled: bytecode::compiled(path)? });
    seen.bytecode.extend(made.into_iter().filter_map(candidate));
    proof::prove(environment, listed, &seen.bytecode, options.compiled, report)
}

fn quick(
    environment: &Environment,
    listed: &Listed<'_>,
    options: &VerifyOptions<'_>,
    report: &mut Report,
) -> Result<(), InstallError> {
    let reading =
        Reading { root: environment.venv(), depth: Depth::Quick, which: &|_| true, progress: options.progress };
    let mut part = Report::default();
    let (checked, seen) = std::thread::scope(|scope| {
        let checked = scope.spawn(|| hashes::check(&reading, listed, &mut part));
        let seen = walk::walk(environment, listed, report);
        (crate::join(checked), seen)
    });
    let (unread, seen) = (checked?, seen?);
    report.add(part);
    seen.reread(&unread, listed, report);
    report.bytecode_unproven += seen.bytecode.len() as u64;
    Ok(())
}

/// The program behind the links is no part of the environment, and decides what everything in it does.
fn interpreter_stays(interpreter: &Interpreter, report: &mut Report) {
    if interpreter.is_same_program() {
        return;
    }
    let path = interpreter.base_executable.display();
    let found = match interpreter.present_stamp() {
        Some(stamp) => format!("`{path}` of {} bytes, written at {} ns", stamp.size_bytes, stamp.mtime_ns),
        None => format!("no `{path}`"),
    };
    let stamp = &interpreter.stamp;
    let expected = format!(
        "Python {}, `{path}` of {} bytes, written at {} ns",
        interpreter.version, stamp.size_bytes, stamp.mtime_ns
    );
    report.findings.push(Finding::new(FindingCode::InterpreterChanged, "", expected, found));
}

/// The ledger says what was in place before: whoever hides an installation changes it there. A line that a dying process
/// left half written is none of it.
fn past_holds(environment: &Environment, report: &mut Report) -> Result<Ledger, InstallError> {
    let (path, past) = (ledger_path(environment), ledger(environment)?);
    for problem in &past.problems {
        if let LedgerProblem::Broken { line, expected, found } = problem {
            let expected = format!("in line {line} {expected}");
            report.findings.push(Finding::new(FindingCode::LedgerBroken, &path, expected, found));
        }
    }
    Ok(past)
}

/// No line covers the last one of the ledger; but it is of what is in place, so the receipt says the same. It says something
/// else if somebody changed either, or cut lines off. Where a killed process left something to do, the line of what it put in
/// place may still come.
fn past_ends_here(
    environment: &Environment,
    past: &Ledger,
    receipt: &Receipt,
    report: &mut Report,
) -> Result<(), InstallError> {
    let last = past.entries.last();
    let is_missing = last.is_none_or(|last| last.generation != receipt.generation);
    if is_missing && exchange::owes_a_line(environment, last.map(|last| last.generation))? {
        return Ok(());
    }
    let Some(last) = last else { return past_is_there(environment, receipt, report) };
    if last.is_of(receipt) {
        return Ok(());
    }
    let shown = |entry: &LedgerEntry| {
        let LedgerEntry { generation, installed_at, lock_sha256, files_sha256, distributions, .. } = entry;
        let named = distributions.iter().map(|it| format!("{} {} {}", it.name, it.version, it.sha256.short()));
        let named = named.collect::<Vec<_>>().join(", ");
        format!("generation {generation} of {installed_at}, lock {lock_sha256}, files {files_sha256}: {named}")
    };
    let (expected, found) = (format!("{} (receipt)", shown(&LedgerEntry::from(receipt))), shown(last));
    let path = ledger_path(environment);
    let code = if is_missing { FindingCode::LedgerBroken } else { FindingCode::ReceiptChanged };
    report.findings.push(Finding::new(code, &path, expected, format!("{found} (ledger)")));
    Ok(())
}

/// A ledger without a line is lost, unless nothing was ever in place before: the line of a first generation may have been on its
/// way to the disk when the machine lost power, and says no more than the receipt. Where an environment was moved to that may
/// be moved, its past is in the place that it came from.
fn past_is_there(environment: &Environment, receipt: &Receipt, report: &mut Report) -> Result<(), InstallError> {
    if generations::has_past(environment, receipt)? && !receipt.was_moved_to(environment) {
        let expected = format!("what was in place before, and generation {}", receipt.generation);
        let found = "no line: the ledger is gone".to_owned();
        report.findings.push(Finding::new(FindingCode::LedgerBroken, &ledger_path(environment), expected, found));
    }
    Ok(())
}

/// Whoever may write to pinfold's own directory beside the environment, or to one in it, decides what is gone back to.
fn nobody_else_writes_beside(environment: &Environment, report: &mut Report) -> Result<(), InstallError> {
    let state = environment.state();
    let opened = match Opened::at(state) {
        Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => return Ok(()),
        opened => opened.map_err(InstallError::io("open", state))?.directory,
    };
    let own = opened.own_facts().map_err(InstallError::io("look at", state))?;
    let beside = beside(environment);
    report.findings.extend(hashes::wrong_writers(&beside, &own, OTHERS_WRITE));
    for (name, kind) in opened.entries().map_err(InstallError::io("list", state))? {
        // Of the spare nothing is believed, whoever may write to it.
        let Some(name) = name.to_str().filter(|name| kind != Kind::Link && *name != SPARE) else { continue };
        match opened.facts(name) {
            // A sync may be at work.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            facts => {
                let facts = facts.map_err(InstallError::io("look at", &state.join(name)))?;
                report.findings.extend(hashes::wrong_writers(&format!("{beside}/{name}"), &facts, OTHERS_WRITE));
            }
        }
    }
    Ok(())
}

/// Returns the path of pinfold's own directory as seen from the environment.
fn beside(environment: &Environment) -> String {
    format!("../{}", environment.state().file_name().unwrap_or_default().to_string_lossy())
}

/// Returns the path of the ledger as seen from the environment.
fn ledger_path(environment: &Environment) -> String {
    format!("{}/{LEDGER}", beside(environment))
}

/// Without a receipt nothing else can be compared.
fn damaged(mut report: Report, file: &str, reason: String) -> Report {
    let path = format!("{RECEIPT_DIRECTORY}/{file}");
    report.findings.push(Finding::new(FindingCode::ReceiptChanged, &path, "the receipt of an install", reason));
    report.sorted()
}

fn check_list(header: &Receipt, list: &ReceiptFiles, found: &Sha256, environment: &Environment, report: &mut Report) {
    let path = format!("{RECEIPT_DIRECTORY}/{FILES_FILE}");
    let mut wrong = |expected: String, found: String| {
        report.findings.push(Finding::new(FindingCode::ReceiptChanged, &path, expected, found));
    };
    if *found != header.files_sha256 {
        wrong(format!("sha256 {} (receipt)", header.files_sha256), format!("sha256 {found}"));
    }
    let count = (list.files.len() + list.links.len()) as u64;
    if count != header.file_count {
        wrong(format!("{} entries", header.file_count), format!("{count} entries"));
    }
    if !list.files.is_sorted_by(|a, b| a.path < b.path) || !list.links.is_sorted_by(|a, b| a.path < b.path) {
        wrong("every path once, in order".to_owned(), "another order".to_owned());
    }
    if std::path::Path::new(&header.venv) != environment.venv() && !header.was_moved_to(environment) {
        wrong(format!("an environment at {}", header.venv), format!("one at {}", environment.venv().display()));
    }
}

/// What the receipt lists, by path.
struct Listed<'a> {
    files: BTreeMap<&'a str, &'a InstalledFile>,
    links: BTreeMap<&'a str, &'a InstalledLink>,
    /// None if no stamps were recorded for this list.
    stamps: Option<HashMap<&'a str, Stamped>>,
    header: &'a Receipt,
}

impl<'a> Listed<'a> {
    fn new(header: &'a Receipt, list: &'a ReceiptFiles, stamps: Option<&[Stamped]>) -> Self {
        let by_path = |stamps: &[Stamped]| {
            let paths = list.files.iter().map(|file| file.path.as_str());
            paths.zip(stamps.iter().copied()).collect()
        };
        Self {
            stamps: stamps.map(by_path),
            files: list.files.iter().map(|file| (file.path.as_str(), file)).collect(),
            links: list.links.iter().map(|link| (link.path.as_str(), link)).collect(),
            header,
        }
    }

    /// Returns what the file system said of a file when it was installed.
    fn stamp(&self, path: &str) -> Option<Stamped> {
        self.stamps.as_ref()?.get(path).copied()
    }

    /// Returns the first distribution that owns a file.
    fn owner(&self, file: &InstalledFile) -> Option<&'a PackageName> {
        let owner = *file.owners.first()?;
        self.header.distributions.get(owner as usize).map(|distribution| &distribution.name)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod bytecode_tests;
#[cfg(test)]
#[cfg(unix)]
mod tests;
