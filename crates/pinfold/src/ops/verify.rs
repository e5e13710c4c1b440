//! `pinfold verify`: every installed byte against the lock. Reads everything, changes nothing.

use std::path::Path;

use pinfold_install::{Environment, Report};

use crate::exit::Failure;
use crate::output::Output;
use crate::world::World;

/// Compares an environment with a lock.
///
/// # Errors
/// Exit 2 if the lock or the environment cannot be read. What differs is in the report.
pub fn verify(venv: &Path, lock: &Path, world: &World, output: &Output) -> Result<Report, Failure> {
    let read = super::read_lock(lock)?;
    let environment = Environment::at(venv)?;
    let receipt = environment.receipt()?;
    let store = world.store()?;
    let bar = output.byte_bar("verifying", receipt.map_or(0, |receipt| receipt.total_bytes));
    let report =
        pinfold_install::verify(&environment, &read.lock, &read.sha256, Some(&store), &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(report)
}
