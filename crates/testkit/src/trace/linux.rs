//! The tracer itself: one thread that starts the program, and is told of each of its system calls before and after.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::Program;
use super::{Failing, Lacking, Meddling, Point, Traced, Watching, registers};
use crate::runner::{Pinfold, Running};

/// Runs a command to its end.
pub(super) fn run(
    run: Pinfold<'_>,
    lacking: Lacking,
    watching: Watching,
    meddle: Option<(&Point, Meddling<'_>)>,
) -> Result<Traced, String> {
    let home = run.home().path().canonicalize().map_err(|error| error.to_string())?;
    let started = begin(run)?;
    let process = Pid::from_raw(started.id().cast_signed());
    let mut tracer = Tracer {
        program: Program { process: process.as_raw(), home: &home },
        lacking,
        watching,
        meddle,
        counted: BTreeMap::new(),
        points: Vec::new(),
        met: false,
        inside: BTreeMap::new(),
    };
    let code = tracer.follow(process).map_err(|error| format!("the tracer failed: {error}"))?;
    let (points, met) = (tracer.points, tracer.met);
    Ok(Traced { finished: started.finish_with(Some(code)), points, met })
}

/// Starts the program, stopped before its first instruction.
fn begin(run: Pinfold<'_>) -> Result<Running, String> {
    let ask = |command: &mut std::process::Command| {
        // SAFETY: between fork and exec the closure makes one system call and touches no memory but its own.
        let _same = unsafe { command.pre_exec(|| ptrace::traceme().map_err(std::io::Error::from)) };
    };
    let started = run.start(ask).map_err(|error| format!("a program cannot be traced here: {error}"))?;
    let process = Pid::from_raw(started.id().cast_signed());
    let first = waitpid(process, Some(WaitPidFlag::__WALL)).map_err(|error| error.to_string())?;
    if !matches!(first, WaitStatus::Stopped(_, Signal::SIGTRAP)) {
        return Err(format!("a traced program did not stop at its beginning: {first:?}"));
    }
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(process, options).map_err(|error| error.to_string())?;
    ptrace::syscall(process, None).map_err(|error| error.to_string())?;
    Ok(started)
}

struct Tracer<'a> {
    program: Program<'a>,
    lacking: Lacking,
    watching: Watching,
    meddle: Option<(&'a Point, Meddling<'a>)>,
    /// How often each call was met.
    counted: BTreeMap<(&'static str, String), usize>,
    points: Vec<Point>,
    met: bool,
    /// The threads that are in a call, with the error that it will give.
    inside: BTreeMap<Pid, Option<Errno>>,
}

impl Tracer<'_> {
    /// Lets the program run to its end; returns its exit code, or -1 if a signal ended it.
    fn follow(&mut self, process: Pid) -> Result<i32, Errno> {
        loop {
            // Only what this thread traces: other tests have children of their own.
            let stop = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Err(Errno::EINTR) => continue,
                stop => stop?,
            };
            let (thread, signal) = match stop {
                WaitStatus::Exited(thread, code) if thread == process => return Ok(code),
                WaitStatus::Signaled(thread, ..) if thread == process => return Ok(-1),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    self.inside.remove(&thread);
                    continue;
                }
                WaitStatus::PtraceSyscall(thread) => {
                    // A thread that was killed meanwhile is gone: its end is told next.
                    if self.call(thread, process) == Err(Errno::ESRCH) {
                        continue;
                    }
                    (thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..)
                | WaitStatus::Stopped(thread, Signal::SIGSTOP | Signal::SIGTRAP) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                WaitStatus::Continued(_) | WaitStatus::StillAlive => continue,
            };
            match ptrace::syscall(thread, signal) {
                Err(Errno::ESRCH) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A thread stopped before a call or after it.
    fn call(&mut self, thread: Pid, process: Pid) -> Result<(), Errno> {
        let mut state = ptrace::getregs(thread)?;
        if let Some(error) = self.inside.remove(&thread) {
            if let Some(error) = error {
                registers::set_result(&mut state, -i64::from(error as i32));
                ptrace::setregs(thread, state)?;
            }
            return Ok(());
        }
        self.inside.insert(thread, None);
        let (number, arguments) = registers::call_of(&state);
        if let Some(error) = self.lacks(number, &arguments) {
            return self.refuse(thread, state, error);
        }
        let Some((call, files)) = self.program.point(number, &arguments, self.watching) else { return Ok(()) };
        let counted = self.counted.entry((call, files.clone())).or_default();
        let point = Point { call, files, occurrence: *counted };
        *counted += 1;
        let meddling = self.meddle.and_then(|(chosen, meddling)| (*chosen == point).then_some(meddling));
        self.points.push(point);
        self.met |= meddling.is_some();
        match meddling {
            None => Ok(()),
            Some(Meddling::Act(act)) => {
                act();
                Ok(())
            }
            Some(Meddling::Kill) => kill(process, Signal::SIGKILL),
            Some(Meddling::Fail(failing)) => self.refuse(thread, state, errno(failing)),
        }
    }

    /// Returns the error of a call that the system does not have.
    const fn lacks(&self, number: i64, arguments: &[u64; 5]) -> Option<Errno> {
        if number != libc::SYS_renameat2 {
            return None;
        }
        match self.lacking {
            Lacking::Exchange if arguments[4] & libc::RENAME_EXCHANGE as u64 != 0 => Some(Errno::EINVAL),
            Lacking::RenameFlags => Some(Errno::ENOSYS),
            Lacking::Exchange | Lacking::Nothing => None,
        }
    }

    /// Keeps a call from taking place, and has it give an error.
    fn refuse(&mut self, thread: Pid, mut state: libc::user_regs_struct, error: Errno) -> Result<(), Errno> {
        // No call does anything with no descriptor and no path.
        registers::set_arguments(&mut state, u64::MAX, 0);
        ptrace::setregs(thread, state)?;
        self.inside.insert(thread, Some(error));
        Ok(())
    }
}

const fn errno(failing: Failing) -> Errno {
    match failing {
        Failing::Denied => Errno::EACCES,
        Failing::Device => Errno::EIO,
        Failing::Files => Errno::EMFILE,
        Failing::Room => Errno::ENOSPC,
    }
}
