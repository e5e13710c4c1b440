//! `pinfold rollback`: back to a former generation, at once and offline.

use pinfold_install::{Environment, rollback};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::ops::environments::{lock, record_present, tell_untidy};
use crate::ops::remember::remember;
use crate::output::{Output, counted};
use crate::world::World;

/// Puts a former generation in place.
///
/// # Errors
/// Exit 1 if there is no such generation, 2 if there is no environment, 3 if it is damaged, 4 if another process takes too long or the disk fails.
pub(super) fn run(arguments: &cli::Rollback, world: &World, output: &Output) -> Result<Exit, Failure> {
    let environment = Environment::at(&arguments.environment.venv)?;
    let guard = lock(&environment, (&arguments.wait).into(), output)?;
    record_present(&guard, output)?;
    let placed = rollback(&guard, arguments.generation, &world.now().to_string())?;
    tell_untidy(&placed, output);
    let receipt = placed.receipt;
    remember(&environment, world, output);
    output.status(&format!(
        "generation {} of {} is in place ({}, lock {})",
        receipt.generation,
        receipt.installed_at,
        counted(receipt.distributions.len(), "package"),
        receipt.lock_sha256.short(),
    ));
    Ok(Exit::Done)
}
