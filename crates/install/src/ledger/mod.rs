//! The ledger: everything that was ever in place in an environment, one line of JSON for each change, chained by digests.
//!
//! It outlives the generations that are pruned. Each line carries the SHA-256 of the line before it, so that a line that was
//! changed, left out or put in later shows. A line that a dying process left half written is ended by the next one and
//! covered by its digest: it is reported, and spoils no other. A process that died before it wrote its line only delays that
//! line: who locks the environment next finds that something is unfinished, and writes it.
//!
//! The chain shows what was done to a part of the ledger, but for its last line; that is of the receipt in place. It cannot
//! show that the whole was written anew. Against that stands the copy that [`crate::KnownEnvironments`] keeps elsewhere.

mod chain;
mod file;

use std::io::Write;
use std::path::Path;

use pinfold_artifact::{SafeUrl, Sha256};
use pinfold_packaging::{PackageName, Version};
use serde::{Deserialize, Serialize};

pub use chain::{Ledger, LedgerProblem};
pub(crate) use chain::{entry_of_line, lines};
pub(crate) use file::{added_since, highest_recorded, last_recorded, read_bytes, whole_lines};

use crate::receipt::digest;
use crate::{Change, Environment, EnvironmentGuard, InstallError, InstalledDistribution, Receipt};
use file::{End, seems_to_end_with};

/// One line of the ledger: a generation was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The generation.
    pub generation: u64,
    /// When it was made (RFC 3339).
    pub installed_at: String,
    /// When it was put back, if it came by a rollback.
    pub rolled_back_at: Option<String>,
    /// Digest of its lock.
    pub lock_sha256: Sha256,
    /// Digest of its list of files.
    pub files_sha256: Sha256,
    /// What was in it, sorted by name.
    pub distributions: Vec<LedgerDistribution>,
}

/// A distribution, as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerDistribution {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// Digest of the locked file.
    pub sha256: Sha256,
    /// Digest of the wheel that was built from it, if it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wheel_sha256: Option<Sha256>,
    /// Where it came from; lines of an older form do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SafeUrl>,
    /// The index that it belongs to; lines of an older form do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<SafeUrl>,
}

impl LedgerEntry {
    /// Returns when the generation came into place.
    pub fn since(&self) -> &str {
        self.rolled_back_at.as_deref().unwrap_or(&self.installed_at)
    }

    /// Returns what changed against the entry before.
    pub fn changes_since(&self, former: Option<&Self>) -> Vec<Change> {
        let before = former.map_or(&[][..], |former| &former.distributions);
        changes(before, &self.distributions)
    }

    /// Returns true if the entry is of the generation that has this receipt.
    pub(crate) fn is_of(&self, receipt: &Receipt) -> bool {
        let mut expected = Self::of(receipt, self.rolled_back_at.as_deref());
        for (expected, own) in expected.distributions.iter_mut().zip(&self.distributions) {
            // Lines of an older form do not say.
            expected.url = expected.url.take().filter(|_| own.url.is_some());
            expected.index = expected.index.take().filter(|_| own.index.is_some());
        }
        expected == *self
    }

    fn of(receipt: &Receipt, rolled_back_at: Option<&str>) -> Self {
        Self {
            generation: receipt.generation,
            installed_at: receipt.installed_at.clone(),
            rolled_back_at: rolled_back_at.map(str::to_owned),
            lock_sha256: receipt.lock_sha256,
            files_sha256: receipt.files_sha256,
            distributions: receipt.distributions.iter().map(LedgerDistribution::from).collect(),
        }
    }
}

impl From<&Receipt> for LedgerEntry {
    fn from(receipt: &Receipt) -> Self {
        Self::of(receipt, None)
    }
}

impl From<&InstalledDistribution> for LedgerDistribution {
    fn from(installed: &InstalledDistribution) -> Self {
        Self {
            name: installed.name.clone(),
            version: installed.version.clone(),
            sha256: installed.sha256,
            wheel_sha256: (installed.wheel_sha256 != installed.sha256).then_some(installed.wheel_sha256),
            url: Some(installed.url.clone()),
            index: Some(installed.index.clone()),
        }
    }
}

/// Compares two lists of distributions: what came, went, or has another version or other bytes.
pub fn changes(before: &[LedgerDistribution], after: &[LedgerDistribution]) -> Vec<Change> {
    let find = |list: &[LedgerDistribution], name: &PackageName| list.iter().find(|it| it.name == *name).cloned();
    let mut changes = Vec::new();
    for it in after {
        let from = find(before, &it.name);
        if from.as_ref().is_none_or(|from| (&from.version, &from.sha256) != (&it.version, &it.sha256)) {
            let from = from.map(|from| from.version);
            changes.push(Change { name: it.name.clone(), from, to: Some(it.version.clone()) });
        }
    }
    let gone = before.iter().filter(|it| find(after, &it.name).is_none());
    changes.extend(gone.map(|it| Change { name: it.name.clone(), from: Some(it.version.clone()), to: None }));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

/// Returns the ledger of an environment; an empty one if there is none.
///
/// # Errors
/// [`InstallError::Io`].
pub fn ledger(environment: &Environment) -> Result<Ledger, InstallError> {
    read_ledger(&environment.state().join(LEDGER))
}

/// Reads a ledger; an empty one if there is none.
pub(crate) fn read_ledger(path: &Path) -> Result<Ledger, InstallError> {
    Ok(Ledger::read(&read_bytes(path)?))
}

/// Returns true if the ledger of an environment ends with what is in place there. Only its end is read.
///
/// # Errors
/// [`InstallError::Io`].
fn ends_with(environment: &Environment, receipt: &Receipt) -> Result<bool, InstallError> {
    Ok(last_recorded(environment)? == Some(receipt.generation))
}

/// As [`ends_with`], where something cheap is asked for first: a line that was written by pinfold is what it seems.
///
/// # Errors
/// [`InstallError::Io`].
pub(crate) fn is_recorded(environment: &Environment, receipt: &Receipt) -> Result<bool, InstallError> {
    Ok(seems_to_end_with(environment, receipt.generation)? || ends_with(environment, receipt)?)
}

/// Adds the environment's generation to the ledger, unless it is the last one there; true if it was not.
pub(crate) fn reconcile(guard: &EnvironmentGuard, current: &Receipt) -> Result<bool, InstallError> {
    let is_last = ends_with(guard.environment(), current)?;
    if !is_last {
        append(guard, current, None)?;
    }
    Ok(!is_last)
}

/// Adds a line for a generation that was just put in place. Only the holder of the environment's lock may call this.
pub(crate) fn append(
    guard: &EnvironmentGuard,
    receipt: &Receipt,
    rolled_back_at: Option<&str>,
) -> Result<(), InstallError> {
    let path = guard.environment().state().join(LEDGER);
    let mut ledger = guard.anchor().open_to_append(&path).map_err(InstallError::io("open", &path))?;
    let end = End::of(&mut ledger).map_err(InstallError::io("read", &path))?;
    let entry = LedgerEntry::of(receipt, rolled_back_at);
    let line = entry.to_line(&digest(&end.last_line)).map_err(InstallError::io("write", &path))?;
    // A line that a dying process cut off is ended, so that it does not spoil this one.
    let line = format!("{}{line}\n", if end.is_cut { "\n" } else { "" });
    ledger.write_all(line.as_bytes()).map_err(InstallError::io("write", &path))?;
    // The exchange waits for the disk too: after a loss of power the line must be there if what it tells of is.
    ledger.sync_data().map_err(InstallError::io("write to the disk", &path))
}

/// The ledger's name inside an environment's state directory.
pub(crate) const LEDGER: &str = "ledger.jsonl";

#[cfg(test)]
#[cfg(unix)]
mod tests;
