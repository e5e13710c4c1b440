//! The right to change an environment: waiting for it, saying for whom, giving up.

use std::time::Duration;

use pinfold_install::{Environment, EnvironmentGuard, Holder, Placed, Waiting};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::failures::holder_text;
use crate::output::{Output, tame};

/// How long to wait for an environment that another process changes; none is as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(Option<Duration>);

impl From<&cli::Wait> for Patience {
    fn from(arguments: &cli::Wait) -> Self {
        let seconds = if arguments.no_wait { Some(0) } else { arguments.lock_timeout };
        Self(seconds.map(|seconds| Duration::from_secs(seconds.into())))
    }
}

/// Waits until no other process changes the environment, and says for whom if that takes a while.
///
/// # Errors
/// Exit 4 if it takes too long, or the disk fails; exit 3 if pinfold did not make what is there.
pub fn lock(environment: &Environment, patience: Patience, output: &Output) -> Result<EnvironmentGuard, Failure> {
    let notice = |holder: &Holder| output.status(&waiting_text(environment, holder));
    Ok(environment.lock_within(&Waiting { limit: patience.0, notice: &notice })?)
}

/// Notes in the ledger what is in place, where it does not say so, and tells of it: from then on the ledger is whole again, and
/// nobody could see what is missing from it.
///
/// # Errors
/// Exit 4 if the disk fails.
pub fn record_present(guard: &EnvironmentGuard, output: &Output) -> Result<(), Failure> {
    if let Some(generation) = guard.record_present()? {
        output.warning(&format!(
            "the ledger of `{}` did not say that generation {generation} is in place, which is noted now: the environment was \
             brought here by other means, the machine lost power, or the ledger was cut off or is lost; it may lack what was in place before",
            tame(&guard.environment().venv().to_string_lossy())
        ));
    }
    Ok(())
}

/// Waits until no other process changes an environment that is to be read, and says for whom if that takes a while.
///
/// # Errors
/// Exit 4 if it takes too long, or the disk fails.
pub fn wait_to_read(environment: &Environment, patience: Patience, output: &Output) -> Result<(), Failure> {
    let notice = |holder: &Holder| output.status(&waiting_text(environment, holder));
    Ok(environment.wait_to_read(&Waiting { limit: patience.0, notice: &notice })?)
}

fn waiting_text(environment: &Environment, holder: &Holder) -> String {
    format!("waiting for {}, held by {}", environment.venv().display(), holder_text(holder))
}

/// Says what could not be tidied up after a new environment was put in place.
pub fn tell_untidy(placed: &Placed, output: &Output) {
    if let Some(error) = &placed.untidy {
        let why = Failure::of(Exit::World, error).in_one_line();
        output.warning(&format!("the environment is in place, but pinfold {why}; the next run makes up for it"));
    }
}
