//! A child process with no more rights than it was given.
//!
//! The one place in pinfold that starts a foreign program: an interpreter that is asked what it is, a build back-end, a
//! libc that is asked for its version. The child gets an emptied environment, an empty temporary HOME, the PATH and the
//! standard input that the caller names, a time limit and an output limit, and is started by path, never by a shell.
//! When it ends, or is ended, its whole process group ends with it; on Windows it alone, because a group there is a job object,
//! which the standard library does not make.
//!
//! What this does *not* do yet: keep the child from the network or from files that its user may read. That wall
//! (namespaces, Landlock) is planned; until then a build is only as trustworthy as the locked bytes that it runs.

mod capture;
mod command;
mod group;
mod place;

pub use command::{Command, Finished, SandboxError};
pub use place::canonicalize;
