//! The verbs: each turns arguments into a call, and a value into output and an exit code.

mod account;
mod cache;
mod diff;
mod explain;
mod export;
mod history;
mod lock;
mod outdated;
mod rollback;
mod sync;
mod trace;
mod tree;
mod verify;
mod why;

use std::panic::AssertUnwindSafe;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::world::World;

/// Does what the arguments say, and says how it went.
pub fn run(cli: &Cli) -> Exit {
    let output = Output::new(&cli.global);
    let failure = match guarded(|| dispatch(cli, &output)).and_then(|exit| output.delivered(exit)) {
        Ok(exit) => return exit,
        Err(failure) => failure,
    };
    output.failure(&failure);
    failure.exit
}

/// A panic, which has told itself what happened, is a bug: scripts get its code, and people what to do.
fn guarded(work: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    // Nothing of what the work used is looked at any more.
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure::new(Exit::Bug, "pinfold stopped, because of a bug in it")
            .help("report it, with the message above; nothing that was in place is half changed"))
    })
}

fn dispatch(cli: &Cli, output: &Output) -> Result<Exit, Failure> {
    if let Some(directory) = &cli.global.directory {
        std::env::set_current_dir(directory).map_err(|e| {
            Failure::new(Exit::Input, format!("cannot start in `{}`", directory.display())).with("cause", e)
        })?;
    }
    // Whoever only reads a lock or a page of the manual needs no cache, and no place for one.
    let world = || World::new(&cli.global);
    match &cli.command {
        Command::Cache(arguments) => cache::run(arguments, &world()?, output),
        Command::Diff(arguments) => diff::run(arguments, output),
        Command::Explain(arguments) => explain::run(arguments, output),
        Command::Export(arguments) => export::run(arguments, output),
        Command::History(arguments) => history::run(arguments, &world()?, output),
        Command::Lock(arguments) => lock::run(arguments, &world()?, output),
        Command::Outdated(arguments) => outdated::run(arguments, &world()?, output),
        Command::Rollback(arguments) => rollback::run(arguments, &world()?, output),
        Command::Sync(arguments) => sync::run(arguments, &world()?, output),
        Command::Trace(arguments) => trace::run(arguments, &world()?, output),
        Command::Tree(arguments) => tree::run(arguments, output),
        Command::Verify(arguments) => verify::run(arguments, &world()?, output),
        Command::Why(arguments) => why::run(arguments, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug() {
        let failure = guarded(|| panic!("made by a test")).unwrap_err();
        assert_eq!(failure.exit, Exit::Bug);
        // Of a thread that the work waits for, too.
        let in_thread = || std::thread::scope(|scope| scope.spawn(|| panic!("made by a test")).join());
        let failure = guarded(|| in_thread().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).unwrap_err();
        assert_eq!(failure.exit, Exit::Bug);
        assert_eq!(guarded(|| Ok(Exit::No)).unwrap(), Exit::No);
    }
}
