//! The past of an environment: the generations that are kept, those that only the ledger tells of, and what each changed.

use std::collections::BTreeMap;

use pinfold_artifact::Sha256;
use pinfold_install::{
    Change, Environment, Ledger, LedgerDistribution, LedgerEntry, Receipt, Unreadable, changes, check_beside, history,
    unreadable,
};

use super::remember::checked_ledger;
use crate::exit::Failure;
use crate::world::World;

/// The past of an environment.
#[derive(Debug)]
pub(crate) struct Past {
    /// The generations, newest first.
    pub(crate) generations: Vec<PastGeneration>,
    /// Former generations that cannot be read.
    pub(crate) unreadable: Vec<Unreadable>,
    /// The ledger, and what is wrong with it.
    pub(crate) ledger: Ledger,
}

impl Past {
    /// Returns true if nothing was ever in place, as far as anybody can tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.generations.is_empty() && self.unreadable.is_empty() && self.ledger.problems.is_empty()
    }
}

/// A generation, kept or not.
#[derive(Debug)]
pub(crate) struct PastGeneration {
    /// Its number.
    pub(crate) generation: u64,
    /// Whether it is the one in place.
    pub(crate) is_current: bool,
    /// Whether it can be gone back to.
    pub(crate) is_kept: bool,
    /// When it was made.
    pub(crate) installed_at: String,
    /// When it was put in place again.
    pub(crate) rolled_back_at: Vec<String>,
    /// Digest of its lock.
    pub(crate) lock_sha256: Sha256,
    /// How many distributions it has.
    pub(crate) packages: usize,
    /// What changed against what was in place before.
    pub(crate) changes: Vec<Change>,
}

/// Reads the past of an environment.
///
/// # Errors
/// Exit 3 if the environment was not made by pinfold, 2 if a receipt cannot be read, 4 if the disk fails.
pub(crate) fn past(environment: &Environment, world: &World) -> Result<Past, Failure> {
    check_beside(environment)?;
    let ledger = checked_ledger(environment, world)?;
    let kept = history(environment)?;
    let mut found = BTreeMap::new();
    for (position, entry) in ledger.entries.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|before| ledger.entries.get(before));
        found.entry(entry.generation).and_modify(|known| put_back(known, entry)).or_insert_with(|| of(entry, before));
    }
    let mut older: Option<&Receipt> = None;
    for generation in kept.iter().rev() {
        let receipt = &generation.receipt;
        let known = found.entry(receipt.generation).or_insert_with(|| unrecorded(receipt, older));
        known.is_current = generation.current;
        known.is_kept = true;
        older = Some(receipt);
    }
    let unreadable = unreadable(environment)?;
    Ok(Past { generations: found.into_values().rev().collect(), unreadable, ledger })
}

fn of(entry: &LedgerEntry, before: Option<&LedgerEntry>) -> PastGeneration {
    PastGeneration {
        generation: entry.generation,
        is_current: false,
        is_kept: false,
        installed_at: entry.installed_at.clone(),
        rolled_back_at: entry.rolled_back_at.iter().cloned().collect(),
        lock_sha256: entry.lock_sha256,
        packages: entry.distributions.len(),
        changes: entry.changes_since(before),
    }
}

fn put_back(known: &mut PastGeneration, entry: &LedgerEntry) {
    known.rolled_back_at.extend(entry.rolled_back_at.clone());
}

/// A generation of which the ledger does not tell, because it was lost.
fn unrecorded(receipt: &Receipt, older: Option<&Receipt>) -> PastGeneration {
    let list = |receipt: &Receipt| receipt.distributions.iter().map(LedgerDistribution::from).collect::<Vec<_>>();
    PastGeneration {
        generation: receipt.generation,
        is_current: false,
        is_kept: false,
        installed_at: receipt.installed_at.clone(),
        rolled_back_at: Vec::new(),
        lock_sha256: receipt.lock_sha256,
        packages: receipt.distributions.len(),
        changes: changes(&older.map(list).unwrap_or_default(), &list(receipt)),
    }
}
