//! What an interpreter says about itself, and the search for one.

mod error;
mod facts;
mod find;
mod known;
mod libc;
mod probe;
mod shims;

pub use error::InterpreterError;
pub use facts::{Interpreter, Libc, SchemePaths, Stamp as ProgramStamp};
pub use known::KnownInterpreters;

#[cfg(test)]
#[cfg(unix)]
mod tests;
