//! `pinfold verify --watch`: what changes in an environment, told as it happens.

use std::path::Path;

use pinfold_install::WatchEvent;

use crate::exit::{Exit, Failure};
use crate::world::World;

/// Watches an environment until it is gone or nobody reads standard output any more. Exit 1 if something is wrong then.
///
/// # Errors
/// Exit 2 if the lock or the environment cannot be read, 4 if the system watches no more directories.
#[cfg(target_os = "linux")]
pub fn watch(venv: &Path, lock: &Path, world: &World, tell: &mut dyn FnMut(WatchEvent)) -> Result<Exit, Failure> {
    use std::ops::ControlFlow;
    use std::os::fd::AsFd as _;

    use pinfold_install::{Depth, Environment, InstallError, VerifyOptions, WatchEnding, WatchedLock};

    let environment = Environment::at(venv)?;
    let compiled = world.compiled_dir();
    let options = VerifyOptions { depth: Depth::Full, store: None, compiled: compiled.as_deref(), progress: &|_| {} };
    let stdout = std::io::stdout();
    if environment.receipt()?.is_none() {
        // Read first: without a lock that is the next step.
        super::read_lock(lock)?;
        return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }.into());
    }
    loop {
        // Whoever puts another generation in place may have another lock. One that cannot be read ends this here.
        super::read_lock(lock)?;
        let read = || {
            // A pipe would be waited for, and nothing be seen meanwhile.
            if std::fs::metadata(lock).is_ok_and(|found| !found.is_file()) {
                return Err(format!("the lock `{}` is no regular file", lock.display()));
            }
            super::read_lock(lock).map(|read| (read.lock, read.sha256)).map_err(in_short)
        };
        let watched = WatchedLock { path: lock, read: &read };
        let mut pass_on = |event| {
            tell(event);
            ControlFlow::Continue(())
        };
        let reader = Some(stdout.as_fd());
        match pinfold_install::watch(&environment, &watched, &options, reader, &mut pass_on)? {
            WatchEnding::Closed(left) => return Ok(if left.is_empty() { Exit::Done } else { Exit::No }),
            WatchEnding::Gone => {
                tell(WatchEvent::Gone);
                return Ok(Exit::No);
            }
            WatchEnding::Replaced => {}
        }
    }
}

/// Returns what a failure says, in one line.
#[cfg(target_os = "linux")]
fn in_short(failure: Failure) -> String {
    let causes = failure.details.iter().filter(|(label, _)| *label == "cause").map(|(_, cause)| cause.as_str());
    failure.headline.lines().take(1).chain(causes).collect::<Vec<_>>().join(": ")
}

/// Says that this system cannot.
///
/// # Errors
/// Exit 2, always.
#[cfg(not(target_os = "linux"))]
pub fn watch(_venv: &Path, _lock: &Path, _world: &World, _tell: &mut dyn FnMut(WatchEvent)) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Input, "`verify --watch` works on Linux only")
        .help("run `pinfold verify --quick` from time to time instead"))
}
