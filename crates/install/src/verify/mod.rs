//! Every installed byte against the receipt, the receipt against the lock, and against the store where it still has the
//! wheels.
//!
//! The chain of proof: the lock names a wheel by its digest; the store's manifest of that wheel names every file by its
//! digest; from it, everything that an install writes is derived again and held against the receipt; and every file is
//! read and held against the receipt. Without the store's manifests the receipt is believed. Nothing is repaired.

mod hashes;
mod lock;
mod receipt;
mod walk;

use std::collections::BTreeMap;

use pinfold_artifact::Sha256;
use pinfold_lock::Lock;
use pinfold_packaging::PackageName;
use pinfold_store::Store;

use crate::receipt::{FILES_FILE, RECEIPT_DIRECTORY, RECEIPT_FILE};
use crate::{Environment, InstallError, InstalledFile, InstalledLink, Receipt, ReceiptFiles};

/// What `verify` found wrong, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// A file that no distribution brought.
    Added,
    /// A file whose bytes are others.
    Changed,
    /// Metadata of a distribution that pinfold did not install.
    ForeignDistribution,
    /// A symbolic link that points elsewhere, or anything but a file where a file should be.
    LinkChanged,
    /// The lock is another than the one that was installed, or selects something else.
    LockChanged,
    /// A file that is gone.
    Missing,
    /// A file whose permissions are others.
    ModeChanged,
    /// The receipt contradicts itself, the lock or the store.
    ReceiptChanged,
    /// A new file that takes effect whenever the interpreter starts.
    StartupHook,
}

/// One thing that `verify` found wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of thing.
    pub code: FindingCode,
    /// The path inside the environment, or empty if it is about a whole distribution or the lock.
    pub path: String,
    /// The distribution that owns it.
    pub package: Option<PackageName>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// What `verify` did and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What is wrong, sorted.
    pub findings: Vec<Finding>,
    /// Files that were read.
    pub files_checked: u64,
    /// Bytes that were read.
    pub bytes_checked: u64,
    /// Distributions that were compared with the lock.
    pub distributions: u64,
    /// Distributions whose files were derived again from the store's manifest of their wheel.
    pub distributions_derived: u64,
    /// Files of bytecode that the interpreter made itself: their header fits their source, their code is not compared.
    pub bytecode_files: u64,
}

impl FindingCode {
    /// Returns the code as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::ForeignDistribution => "foreign-distribution",
            Self::LinkChanged => "link-changed",
            Self::LockChanged => "lock-changed",
            Self::Missing => "missing",
            Self::ModeChanged => "mode-changed",
            Self::ReceiptChanged => "receipt-changed",
            Self::StartupHook => "startup-hook",
        }
    }
}

impl Finding {
    fn new(code: FindingCode, path: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { code, path: path.to_owned(), package: None, expected: expected.into(), found: found.into() }
    }

    fn of(mut self, package: Option<&PackageName>) -> Self {
        self.package = package.cloned();
        self
    }
}

/// Reads every byte of an environment and compares it with its receipt, the receipt with the lock, and, where the store
/// still has a wheel's tree, the receipt with that. Changes nothing. `progress` is told the bytes that were just read.
///
/// # Errors
/// [`InstallError::NoEnvironment`] if there is none, [`InstallError::Foreign`] if pinfold did not make it, and what the
/// disk says. Everything that differs is a finding, not an error.
pub fn verify(
    environment: &Environment,
    lock: &Lock,
    lock_sha256: &Sha256,
    store: Option<&Store>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, InstallError> {
    let _shared = environment.lock_shared();
    let mut report = Report::default();
    let header = match environment.receipt() {
        Ok(Some(receipt)) => receipt,
        Ok(None) => return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }),
        Err(InstallError::Receipt { reason, .. }) => return Ok(damaged(report, RECEIPT_FILE, reason)),
        Err(error) => return Err(error),
    };
    let selection = lock::compare(&header, lock, lock_sha256, &mut report);
    let list = match ReceiptFiles::read(environment.venv()) {
        Ok(Some((list, found))) => {
            check_list(&header, &list, &found, environment, &mut report);
            list
        }
        Ok(None) => return Ok(damaged(report, FILES_FILE, "it is gone".to_owned())),
        Err(InstallError::Receipt { reason, .. }) => return Ok(damaged(report, FILES_FILE, reason)),
        Err(error) => return Err(error),
    };
    if let (Some(store), Some(selection)) = (store, &selection) {
        receipt::derive(environment, &header, &list, selection, store, &mut report)?;
    }
    let listed = Listed::new(&header, &list);
    let present = walk::walk(environment, &listed, &mut report)?;
    hashes::check(environment, &listed, &present, &mut report, progress)?;
    report.findings.sort();
    report.findings.dedup();
    Ok(report)
}

/// Without a receipt nothing else can be compared.
fn damaged(mut report: Report, file: &str, reason: String) -> Report {
    let path = format!("{RECEIPT_DIRECTORY}/{file}");
    report.findings.push(Finding::new(FindingCode::ReceiptChanged, &path, "the receipt of an install", reason));
    report.findings.sort();
    report
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
    if std::path::Path::new(&header.venv) != environment.venv() {
        wrong(format!("an environment at {}", header.venv), format!("one at {}", environment.venv().display()));
    }
}

/// What the receipt lists, by path.
struct Listed<'a> {
    files: BTreeMap<&'a str, &'a InstalledFile>,
    links: BTreeMap<&'a str, &'a InstalledLink>,
    header: &'a Receipt,
}

impl<'a> Listed<'a> {
    fn new(header: &'a Receipt, list: &'a ReceiptFiles) -> Self {
        Self {
            files: list.files.iter().map(|file| (file.path.as_str(), file)).collect(),
            links: list.links.iter().map(|link| (link.path.as_str(), link)).collect(),
            header,
        }
    }

    /// Returns the first distribution that owns a file.
    fn owner(&self, file: &InstalledFile) -> Option<&'a PackageName> {
        let owner = *file.owners.first()?;
        self.header.distributions.get(owner as usize).map(|distribution| &distribution.name)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
