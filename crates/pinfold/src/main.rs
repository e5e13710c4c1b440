//! pinfold: a reproducible lockfile resolver and installer for Python applications.

use std::process::ExitCode;

use clap::Parser;
use pinfold::cli::Cli;
use pinfold::commands;

fn main() -> ExitCode {
    commands::run(&Cli::parse()).into()
}
