//! Former generations, and the way back to them.

use std::fs;
use std::path::PathBuf;

use crate::exchange::{self, Method};
use crate::ledger::{append, last_recorded};
use crate::{Environment, EnvironmentGuard, InstallError, Receipt};

/// A generation of an environment, the current one or a former one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Whether it is the one in place.
    pub current: bool,
    /// Its receipt.
    pub receipt: Receipt,
}

/// Returns the generations, newest first.
///
/// # Errors
/// [`InstallError`] if a directory or receipt cannot be read.
pub fn history(environment: &Environment) -> Result<Vec<Generation>, InstallError> {
    let mut found = former(environment)?;
    found.extend(environment.receipt()?.map(|receipt| Generation { current: true, receipt }));
    found.sort_by_key(|generation| std::cmp::Reverse(generation.receipt.generation));
    Ok(found)
}

fn former(environment: &Environment) -> Result<Vec<Generation>, InstallError> {
    let mut found = Vec::new();
    for (_, directory) in exchange::subdirectories(&environment.generations())? {
        found.extend(Receipt::read(&directory)?.map(|receipt| Generation { current: false, receipt }));
    }
    Ok(found)
}

/// Puts a former generation in place: the one with the number given, else the newest that is older than the current one.
///
/// # Errors
/// [`InstallError::NoGeneration`] if there is none.
pub fn rollback(guard: &EnvironmentGuard, generation: Option<u64>, at: &str) -> Result<Receipt, InstallError> {
    let environment = guard.environment();
    let current = environment.receipt()?.map(|receipt| receipt.generation);
    let former = former(environment)?;
    let known: Vec<u64> = former.iter().map(|generation| generation.receipt.generation).collect();
    let chosen = match generation {
        Some(wanted) => known.iter().copied().find(|number| *number == wanted),
        None => known.iter().copied().filter(|number| current.is_none_or(|current| *number < current)).max(),
    };
    let Some(chosen) = chosen else {
        return Err(InstallError::NoGeneration { wanted: generation, known });
    };
    exchange::begin(environment)?;
    exchange::put_in_place(environment, &environment.generations().join(chosen.to_string()), Method::Best)?;
    exchange::finish(environment)?;
    let receipt = environment.receipt()?;
    let receipt = receipt.ok_or_else(|| InstallError::NoEnvironment { path: environment.venv().to_owned() })?;
    append(environment, &receipt, Some(at))?;
    Ok(receipt)
}

/// Returns the number of the next generation.
pub(crate) fn next_number(environment: &Environment) -> Result<u64, InstallError> {
    let newest = history(environment)?.first().map_or(0, |generation| generation.receipt.generation);
    let recorded = last_recorded(environment)?.unwrap_or(0);
    Ok(newest.max(recorded) + 1)
}

/// Removes the oldest former generations until `keep` are left.
pub(crate) fn prune(environment: &Environment, keep: usize) -> Result<(), InstallError> {
    let numbered = |(name, path): (String, PathBuf)| name.parse().ok().map(|number: u64| (number, path));
    let found = exchange::subdirectories(&environment.generations())?;
    let mut found: Vec<(u64, PathBuf)> = found.into_iter().filter_map(numbered).collect();
    found.sort();
    let surplus = found.len().saturating_sub(keep);
    for (_, directory) in &found[..surplus] {
        fs::remove_dir_all(directory).map_err(InstallError::io("remove", directory))?;
    }
    Ok(())
}
