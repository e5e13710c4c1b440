//! Whether environment and cache can be where they are to be, as far as that is known before the lock is read or anything is made.
//!
//! A plan tells it too: nobody should be promised what is refused then.

use std::path::{Path, PathBuf};

use pinfold_install::{Environment, Receipt, Relocation, check_scripts};

use super::sync::SyncRequest;
use crate::exit::{Exit, Failure};
use crate::world::World;

/// Checks the places.
///
/// # Errors
/// Exit 2 if the environment cannot be there, as [`Environment::at`], [`Environment::receipt`] and [`check_scripts`], and if the
/// cache directory is in it.
pub(crate) fn check(request: &SyncRequest<'_>, world: &World) -> Result<(), Failure> {
    let environment = Environment::at(request.venv)?.adopting(request.adoption);
    check_cache(&world.cache_dir, environment.venv())?;
    let named = check_scripts(&environment, request.relocation.unwrap_or_default());
    if named.is_err() && request.relocation.is_none() {
        let receipt = environment.receipt()?;
        check_scripts(&environment, receipt.as_ref().map_or(Relocation::Fixed, Receipt::relocation))?;
        return Ok(());
    }
    Ok(named?)
}

/// An environment is exchanged as a whole: a cache in it would go with it, and would be what nobody installed.
fn check_cache(cache_dir: &Path, venv: &Path) -> Result<(), Failure> {
    if !resolved(cache_dir).starts_with(venv) {
        return Ok(());
    }
    Err(Failure::new(Exit::Input, format!("the cache directory `{}` is in the environment", cache_dir.display()))
        .with("environment", venv.display())
        .help("name another directory with --cache-dir or PINFOLD_CACHE_DIR: an environment holds only what its lock says"))
}

/// Returns a path with the links resolved that are there already.
fn resolved(path: &Path) -> PathBuf {
    let canonical =
        |place: &Path| Some(pinfold_sandbox::canonicalize(place).ok()?.join(path.strip_prefix(place).ok()?));
    path.ancestors().find_map(canonical).unwrap_or_else(|| path.to_owned())
}
