//! `pinfold history`: the generations of an environment.

use pinfold_install::{Environment, history};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Lists the generations, newest first.
///
/// # Errors
/// Exit 2 if the environment was not made by pinfold, 4 if the disk fails.
pub(super) fn run(arguments: &cli::Environment, output: &Output) -> Result<Exit, Failure> {
    let environment = Environment::at(&arguments.venv)?;
    environment.settle()?;
    for generation in history(&environment)? {
        let receipt = generation.receipt;
        output.result(&format!(
            "{} {:>4}  {}  lock {}  {} packages\n",
            if generation.current { "*" } else { " " },
            receipt.generation,
            receipt.installed_at,
            receipt.lock_sha256.short(),
            receipt.distributions.len(),
        ));
    }
    Ok(Exit::Done)
}
