//! Runs the command under a tracer that sees its system calls, and can kill it at one of them or make one fail.
//!
//! A [`Point`] names one call of a run: what it does, to which file, the how manieth time. Runs of one command from one
//! state meet the same points, in whatever order their threads get to them; so a test lists the points of a run that is left
//! in peace, and repeats the run once for each of them. Programs that the command starts are not traced.
//!
//! Only Linux on x86_64 and aarch64 can do it, and only where the system permits tracing: everywhere else
//! [`Pinfold::traced`] says why not, and it is for the test to say that aloud.

use crate::runner::{Finished, Pinfold};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers;

/// What is done to one system call of a run.
#[derive(Clone, Copy)]
pub enum Meddling<'m> {
    /// This is done just before the call takes place: somebody else is at work in the same directories.
    Act(&'m dyn Fn()),
    /// The call does not take place, and the program is told this error.
    Fail(Failing),
    /// The program is killed, as `kill -9` does, just before the call takes place.
    Kill,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// `EACCES`: permission denied.
    Denied,
    /// `EIO`: the device failed.
    Device,
    /// `EMFILE`: too many open files.
    Files,
    /// `ENOSPC`: no room.
    Room,
}

/// What the system of a run cannot do. Calls that it refuses for that are no points: they change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// Two directories cannot be exchanged: `renameat2` says `EINVAL`, as on some file systems.
    Exchange,
    /// It can do everything.
    Nothing,
    /// There is no `renameat2` at all: `ENOSYS`, as on old kernels.
    RenameFlags,
}

/// Which calls are points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Those that change the file system.
    Changes,
    /// Those that change it, and those that open, list or read what is in the test's own home.
    ChangesAndReads,
}

/// One system call of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The name of the call, `openat`.
    pub call: &'static str,
    /// The files, relative to the test's home; random names and the numbers of generations are taken out.
    pub files: String,
    /// How many calls of this name on these files went before.
    pub occurrence: usize,
}

/// What a traced run left.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The run; its code is -1 if it was killed.
    pub finished: Finished,
    /// Its points, in the order in which they were met.
    pub points: Vec<Point>,
    /// Whether the point that something was to be done at was met.
    pub met: bool,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} #{}", self.call, self.files, self.occurrence)
    }
}

/// Says on the real standard error, which no test runner hides, that something was not tested, and why.
pub fn announce_skipped(what: &str, reason: &str) {
    use std::io::Write;
    // The macros would write into the captured output of a test that passes.
    let _closed = writeln!(std::io::stderr(), "\nSKIPPED: {what}: {reason}");
}

impl Pinfold<'_> {
    /// Runs to the end under a tracer, and meddles with one of its points.
    ///
    /// # Errors
    /// Why programs cannot be traced here.
    pub fn traced(self, watching: Watching, meddle: Option<(&Point, Meddling<'_>)>) -> Result<Traced, String> {
        self.traced_on(Lacking::Nothing, watching, meddle)
    }

    /// As [`Pinfold::traced`], on a system that cannot do everything.
    ///
    /// # Errors
    /// Why programs cannot be traced here.
    pub fn traced_on(
        self,
        lacking: Lacking,
        watching: Watching,
        meddle: Option<(&Point, Meddling<'_>)>,
    ) -> Result<Traced, String> {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        return linux::run(self, lacking, watching, meddle);
        #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
        {
            let _unused = (self, lacking, watching, meddle);
            Err(format!("there is no tracer for {} on {}", std::env::consts::OS, std::env::consts::ARCH))
        }
    }
}
