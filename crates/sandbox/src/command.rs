//! What a child is given, how it is watched, and what it leaves.
//!
//! One thread per pipe and one that waits for the exit report into one channel; the caller's thread only waits for that
//! channel, with the time that is left. The group is always killed *before* the leader is reaped, so that the group's
//! number cannot have been given to somebody else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::capture::{Capture, Event};
use crate::group;

/// A program to start, and everything that it may know.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program, by absolute path.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// The directory that it starts in; none means its empty temporary HOME.
    pub directory: Option<PathBuf>,
    /// What its PATH holds.
    pub search_path: OsString,
    /// Further variables. `HOME`, `PATH` and `TMPDIR` are set by the sandbox and cannot be given here.
    pub environment: BTreeMap<OsString, OsString>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// How long it may run.
    pub time_limit: Duration,
    /// How many bytes it may write to standard output, and as many to standard error.
    pub output_limit_bytes: usize,
    /// A directory, and how many bytes it may have before the child is stopped. It is looked at a few times a second.
    pub disk_limit: Option<(PathBuf, u64)>,
}

/// What a child that ended by itself left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// Why a child could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The child filled a directory with more than it may.
    #[error("`{program}` wrote more than {limit_bytes} bytes into `{directory}` and was stopped")]
    Disk {
        /// The program.
        program: PathBuf,
        /// The directory.
        directory: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// The temporary HOME cannot be made.
    #[error("cannot make a temporary home directory for `{program}`")]
    Home {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process that left the group keeps the output open.
    #[error("`{program}` ended but left a process behind that holds its output open")]
    Lingering {
        /// The program.
        program: PathBuf,
    },
    /// The child wrote more than it may.
    #[error("`{program}` wrote more than {limit_bytes} bytes and was stopped; it last complained: {last_line}")]
    Output {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit_bytes: usize,
        /// The last line of standard error, escaped and cut.
        last_line: String,
    },
    /// The program path is relative, or a reserved variable was given.
    #[error("cannot start `{program}`: {reason}")]
    Rejected {
        /// The program.
        program: PathBuf,
        /// What is wrong with the request.
        reason: &'static str,
    },
    /// The system cannot start the program.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The child ran longer than it may.
    #[error("`{program}` was stopped after {} ms; it last complained: {last_line}", limit.as_millis())]
    Timeout {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: Duration,
        /// The last line of standard error, escaped and cut.
        last_line: String,
    },
    /// The system cannot tell how the child ended.
    #[error("cannot wait for `{program}`")]
    Wait {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Command {
    /// Makes a command with no arguments, no input, a minute of time and a mebibyte of output.
    pub fn new(program: &Path, search_path: &OsStr) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            directory: None,
            search_path: search_path.to_owned(),
            environment: BTreeMap::new(),
            stdin: Vec::new(),
            time_limit: Duration::from_secs(60),
            output_limit_bytes: 1 << 20,
            disk_limit: None,
        }
    }

    /// Runs the child to its end.
    ///
    /// # Errors
    /// [`SandboxError`] if it cannot be started, or had to be stopped. A status other than 0 is no error here.
    pub fn run(&self) -> Result<Finished, SandboxError> {
        self.check()?;
        let home = tempfile::Builder::new().prefix("pinfold-home-").tempdir();
        let home = home.map_err(|source| SandboxError::Home { program: self.program.clone(), source })?;
        let deadline = Instant::now() + self.time_limit;
        let mut child = self.spawn(home.path())?;
        let (events, reports) = mpsc::channel();
        let captures = self.attach(&mut child, &events);
        let mut open_streams = 2;
        let mut has_ended = || group::has_ended(&mut child);
        let ending = watch(&reports, deadline, self.disk_limit.as_ref(), &mut open_streams, &mut has_ended);
        group::kill(&mut child);
        let status = child.wait().map_err(|source| SandboxError::Wait { program: self.program.clone(), source })?;
        let drained = drain(&reports, open_streams);
        let [stdout, stderr] = captures.map(|capture| capture.take());
        let ending = match (ending, drained) {
            // It was gone before what it had written was read.
            (Ending::Exited, Drained::TooMuch) => Ending::TooMuch,
            (Ending::Exited, Drained::Lingering) => {
                return Err(SandboxError::Lingering { program: self.program.clone() });
            }
            (ending, _) => ending,
        };
        match ending {
            Ending::Exited => Ok(Finished { status, stdout, stderr }),
            Ending::TooLarge(directory, limit_bytes) => {
                Err(SandboxError::Disk { program: self.program.clone(), directory, limit_bytes })
            }
            Ending::TooMuch => Err(SandboxError::Output {
                program: self.program.clone(),
                limit_bytes: self.output_limit_bytes,
                last_line: last_line(&stderr),
            }),
            Ending::TimedOut => Err(SandboxError::Timeout {
                program: self.program.clone(),
                limit: self.time_limit,
                last_line: last_line(&stderr),
            }),
        }
    }

    fn check(&self) -> Result<(), SandboxError> {
        let rejected = |reason| Err(SandboxError::Rejected { program: self.program.clone(), reason });
        if !self.program.is_absolute() {
            return rejected("the program must be named by its absolute path");
        }
        if RESERVED.iter().any(|name| self.environment.contains_key(OsStr::new(name))) {
            return rejected("HOME, PATH and TMPDIR are set by the sandbox");
        }
        Ok(())
    }

    fn spawn(&self, home: &Path) -> Result<Child, SandboxError> {
        let temporary = home.join("tmp");
        let own = home.join("home");
        for directory in [&temporary, &own] {
            std::fs::create_dir(directory)
                .map_err(|source| SandboxError::Home { program: self.program.clone(), source })?;
        }
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment);
        command.env("HOME", &own).env("PATH", &self.search_path).env("TMPDIR", &temporary);
        group::set_system_variables(&mut command, &own, &temporary);
        command.current_dir(self.directory.as_ref().unwrap_or(&own));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        group::lead(&mut command);
        command.spawn().map_err(|source| SandboxError::Spawn { program: self.program.clone(), source })
    }

    /// Starts the threads that feed, read and await the child.
    fn attach(&self, child: &mut Child, events: &Sender<Event>) -> [Capture; 2] {
        if let Some(mut pipe) = child.stdin.take() {
            let bytes = self.stdin.clone();
            // A child that does not read its input closes the pipe: that is its right, and no error.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let limit = self.output_limit_bytes;
        let stdout = Capture::start(child.stdout.take(), limit, events.clone());
        let stderr = Capture::start(child.stderr.take(), limit, events.clone());
        group::report_exit(child, events.clone());
        [stdout, stderr]
    }
}

/// Why a child is no longer watched.
enum Ending {
    Exited,
    TimedOut,
    TooLarge(PathBuf, u64),
    TooMuch,
}

fn watch(
    reports: &Receiver<Event>,
    deadline: Instant,
    disk_limit: Option<&(PathBuf, u64)>,
    open_streams: &mut usize,
    has_ended: &mut dyn FnMut() -> bool,
) -> Ending {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let pause = if disk_limit.is_some() { left.min(DISK_PAUSE) } else { left };
        let pause = pause.min(group::LOOK_PAUSE);
        match reports.recv_timeout(pause) {
            Ok(Event::Closed) => *open_streams -= 1,
            Ok(Event::Exited) | Err(RecvTimeoutError::Disconnected) => return Ending::Exited,
            Ok(Event::TooMuch) => return Ending::TooMuch,
            Err(RecvTimeoutError::Timeout) if has_ended() => return Ending::Exited,
            Err(RecvTimeoutError::Timeout) if pause == left => return Ending::TimedOut,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some((directory, limit)) = disk_limit.filter(|(directory, limit)| size_of(directory, 0) > *limit) {
            return Ending::TooLarge(directory.clone(), *limit);
        }
    }
}

/// Returns how many bytes the files below a directory have. What vanishes meanwhile counts as nothing.
fn size_of(directory: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth < DISK_DEPTH => size_of(&entry.path(), depth + 1),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// What became of the pipes of a child that is gone.
enum Drained {
    /// They were read to their end.
    Whole,
    /// A process outside the group keeps one open.
    Lingering,
    /// There was more in them than the child may write.
    TooMuch,
}

/// Waits until both pipes are read to their end.
fn drain(reports: &Receiver<Event>, mut open_streams: usize) -> Drained {
    let deadline = Instant::now() + DRAIN_LIMIT;
    while open_streams > 0 {
        match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Closed) => open_streams -= 1,
            Ok(Event::Exited) => {}
            Ok(Event::TooMuch) => return Drained::TooMuch,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Drained::Lingering,
        }
    }
    Drained::Whole
}

/// Returns the last line that is not blank, escaped and cut, for a message.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    line.trim().chars().take(200).flat_map(char::escape_debug).collect()
}

/// How long the pipes of a child that is gone may take to be read to their end.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How often a directory is looked at that must not become too large.
const DISK_PAUSE: Duration = Duration::from_millis(250);
/// How deep it is looked at.
const DISK_DEPTH: usize = 32;

/// Variables that are the sandbox's own.
const RESERVED: [&str; 3] = ["HOME", "PATH", "TMPDIR"];

#[cfg(test)]
mod tests_everywhere {
    use super::*;

    /// The one program that every system has: this one, asked for the list of its tests.
    fn list() -> Command {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(&program, OsStr::new(""));
        command.arguments = vec!["--list".into()];
        command
    }

    #[test]
    fn a_child_that_ended_is_not_waited_for_any_longer() {
        let begun = Instant::now();
        let finished = list().run().unwrap();
        let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
        assert!(finished.status.success() && stdout.contains("a_child_that_ended"), "{}: {stdout}", finished.status);
        assert!(begun.elapsed() < list().time_limit, "{:?}", begun.elapsed());
    }

    /// The child is gone before anybody reads: what it wrote is too much all the same, and not taken for all of it.
    #[test]
    fn what_a_child_left_in_a_pipe_counts() {
        let (events, reports) = mpsc::channel();
        for event in [Event::Exited, Event::TooMuch, Event::Closed, Event::Closed] {
            events.send(event).unwrap();
        }
        assert!(matches!(watch(&reports, Instant::now(), None, &mut 2, &mut || false), Ending::Exited));
        assert!(matches!(drain(&reports, 2), Drained::TooMuch));
        events.send(Event::Closed).unwrap();
        drop(events);
        assert!(matches!(drain(&reports, 2), Drained::Whole));
    }

    #[test]
    fn a_child_that_prints_too_much_is_stopped_everywhere() {
        let mut command = list();
        command.output_limit_bytes = 10;
        assert!(matches!(command.run(), Err(SandboxError::Output { limit_bytes: 10, .. })));
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "tests.rs"]
mod tests;
