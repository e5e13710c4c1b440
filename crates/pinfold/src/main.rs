//! pinfold: a reproducible lockfile resolver and installer for Python applications.

use std::process::ExitCode;

use pinfold::{cli, commands};

fn main() -> ExitCode {
    commands::run(&cli::parse()).into()
}
