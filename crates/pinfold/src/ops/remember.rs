//! What this machine remembers of its environments, and whether their ledgers still are what was remembered.

use pinfold_install::{Environment, KnownEnvironments, Ledger, LedgerProblem, ledger};

use crate::exit::Failure;
use crate::output::{Output, tame};
use crate::world::World;

/// Returns the environments that are known on this machine.
///
/// # Errors
/// Exit 3 if others may write to what is known.
pub(crate) fn known(world: &World) -> Result<KnownEnvironments, Failure> {
    Ok(KnownEnvironments::in_directory(world.cache_part("environments")?))
}

/// Remembers an environment that was just changed. What goes wrong here is told, and undoes nothing.
pub(crate) fn remember(environment: &Environment, world: &World, output: &Output) {
    match known(world).and_then(|known| Ok(known.remember(environment)?)) {
        Ok(problem) => problem.iter().for_each(|problem| tell(environment, problem, output)),
        Err(failure) => output.warning(&format!(
            "this environment cannot be remembered in the cache, so `pinfold trace` may not know it: {}",
            failure.in_one_line()
        )),
    }
}

/// Remembers an environment that was not changed, if it is not remembered yet.
pub(crate) fn remember_if_new(environment: &Environment, world: &World, output: &Output) {
    if !known(world).is_ok_and(|known| known.is_remembered(environment)) {
        remember(environment, world, output);
    }
}

/// Reads an environment's ledger, and holds it against what is remembered.
///
/// # Errors
/// Exit 4 if the disk fails.
pub(crate) fn checked_ledger(environment: &Environment, world: &World) -> Result<Ledger, Failure> {
    let mut read = ledger(environment)?;
    read.problems.extend(known(world)?.compare(environment)?);
    Ok(read)
}

/// Tells of something that is wrong with an environment's ledger.
pub(crate) fn tell(environment: &Environment, problem: &LedgerProblem, output: &Output) {
    let (expected, found) = problem.expected_and_found();
    let venv = tame(&environment.venv().to_string_lossy());
    output.warning(&format!(
        "{}: line {} of the ledger of `{venv}`: expected {expected}, found {found}; see `pinfold explain {}`",
        problem.code(),
        problem.line(),
        problem.code(),
    ));
}
