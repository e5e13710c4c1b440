//! The command: arguments in, exit code out, and the loops that join the rooms.
//!
//! This is the only crate that prints, reads the environment or exits. `commands/` turns arguments into a call and a value into
//! output; `ops/` tells each story in order; everything else is in the rooms below.

pub mod cli;
mod closed;
pub mod commands;
pub mod exit;
mod failures;
mod logins;
pub mod ops;
pub mod output;
pub mod phase;
pub mod world;
