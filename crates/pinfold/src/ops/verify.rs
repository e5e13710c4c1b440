//! `pinfold verify`: every installed byte against the lock. Reads everything, changes nothing.

use std::path::Path;

use pinfold_install::{Depth, Environment, Report, VerifyOptions, check_beside};

use super::environments::{Patience, wait_to_read};
use crate::exit::Failure;
use crate::output::Output;
use crate::world::World;

/// Compares an environment with a lock.
///
/// # Errors
/// Exit 2 if the lock or the environment cannot be read, 4 if another process changes it for too long, or the disk or the
/// interpreter fails. What differs is in the report.
pub fn verify(
    (venv, patience): (&Path, Patience),
    lock: &Path,
    depth: Depth,
    world: &World,
    output: &Output,
) -> Result<Report, Failure> {
    let read = super::read_lock(lock)?;
    let environment = Environment::at(venv)?;
    check_beside(&environment)?;
    wait_to_read(&environment, patience, output)?;
    let store = match depth {
        Depth::Full => Some(world.store()?),
        Depth::Quick => None,
    };
    let total = || environment.receipt().ok().flatten().map_or(0, |receipt| receipt.total_bytes);
    let bar = output.byte_bar("verifying", total());
    let compiled = world.compiled_dir();
    let options = VerifyOptions {
        depth,
        store: store.as_ref(),
        compiled: compiled.as_deref(),
        progress: &|bytes| bar.inc(bytes),
    };
    let report = pinfold_install::verify(&environment, &read.lock, &read.sha256, &options)?;
    bar.finish_and_clear();
    Ok(report)
}
