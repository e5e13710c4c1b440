//! pinfold: a reproducible lockfile resolver and installer for Python applications.

use std::process::ExitCode;

use pinfold::{cli, commands, world};

fn main() -> ExitCode {
    // SAFETY: this is the first thing that happens, and no other thread has been started.
    unsafe { world::forget_empty_variables() };
    commands::run(&cli::parse()).into()
}
