//! Whether a lock is older than the one that is installed (LK15): by the state of the index that each is of.
//!
//! A lock has no date of its own, so that locking again gives the same bytes. What it was locked against has: the cutoff
//! that the maintainer wrote down, or else the newest file that it names.

use pinfold_lock::Lock;
use serde::{Deserialize, Serialize};

use crate::{Plan, Receipt};

/// The state of the index that a lock is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockAsOf {
    /// The time (RFC 3339, UTC).
    pub time: String,
    /// What it is the time of.
    pub kind: AsOf,
}

/// What a time is the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AsOf {
    /// The cutoff: newer files did not exist for it.
    Cutoff,
    /// The newest file that it names.
    NewestFile,
}

/// A lock that is older than the installed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// What the lock is of.
    pub lock: LockAsOf,
    /// What the installed one is of.
    pub installed: LockAsOf,
}

impl LockAsOf {
    /// Returns what a lock is of; none if it names neither a cutoff nor when any file was uploaded.
    pub fn of(lock: &Lock) -> Option<Self> {
        if let Some(cutoff) = lock.tool.as_ref().and_then(|tool| tool.exclude_newer) {
            return Some(Self { time: cutoff.to_string(), kind: AsOf::Cutoff });
        }
        let files = lock.packages.iter().flat_map(|package| {
            package.wheels.iter().chain(&package.sdist).chain(package.archive.as_ref().map(|archive| &archive.file))
        });
        let newest = files.filter_map(|file| file.upload_time).max()?;
        Some(Self { time: newest.to_string(), kind: AsOf::NewestFile })
    }

    /// Returns the time in whole seconds: texts of equal length, which sort as times do.
    fn seconds(&self) -> &str {
        self.time.get(.."2024-08-20T00:00:00".len()).unwrap_or(&self.time)
    }
}

/// Compares a lock with the one that is installed. Two cutoffs decide alone. The newest file of a lock also becomes older
/// when a package goes, so then a package must go back too.
pub(crate) fn older(lock: Option<&LockAsOf>, plan: &Plan, receipt: Option<&Receipt>) -> Option<Older> {
    let (lock, installed) = (lock?, receipt?.lock_as_of.as_ref()?);
    let goes_back = || plan.changed.iter().any(|change| change.to < change.from);
    let decides = (lock.kind, installed.kind) == (AsOf::Cutoff, AsOf::Cutoff) || goes_back();
    (lock.seconds() < installed.seconds() && decides)
        .then(|| Older { lock: lock.clone(), installed: installed.clone() })
}
