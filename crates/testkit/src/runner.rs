//! Runs the built command as a user would, with nothing of the machine's environment but where programs are.
//!
//! HOME, the cache and temporary files are those of the [`TempHome`]; no proxy, no credential, no configuration of pip
//! reaches the run unless the test sets it.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::home::TempHome;

/// No run of a test takes longer; one that does is killed and fails the test.
const LIMIT: Duration = Duration::from_secs(300);
/// What a run inherits: where programs are, and what Windows needs to start one.
const INHERITED: [&str; 3] = ["PATH", "SystemRoot", "PATHEXT"];

/// A run that has not begun.
#[derive(Debug)]
pub struct Pinfold<'home> {
    home: &'home TempHome,
    command: Command,
    line: String,
}

/// What a run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// The arguments, for messages.
    pub line: String,
}

/// A run that goes on.
#[derive(Debug)]
pub struct Running {
    child: Arc<Mutex<Child>>,
    output: [JoinHandle<Vec<u8>>; 2],
    ended: mpsc::Sender<()>,
    watch: JoinHandle<bool>,
    line: String,
}

impl<'home> Pinfold<'home> {
    pub(crate) fn new(home: &'home TempHome, binary: &str) -> Self {
        let mut command = Command::new(binary);
        command.env_clear().current_dir(home.project());
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, path) in [
            ("HOME", home.home()),
            ("USERPROFILE", home.home()),
            ("XDG_CACHE_HOME", home.home().join("cache")),
            ("XDG_CONFIG_HOME", home.home().join("config")),
            ("XDG_DATA_HOME", home.home().join("data")),
            ("TMPDIR", home.tmp()),
            ("TEMP", home.tmp()),
            ("TMP", home.tmp()),
            ("PINFOLD_CACHE_DIR", home.cache()),
        ] {
            command.env(name, path);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").env("PIP_CONFIG_FILE", home.home().join("no-pip-configuration"));
        Self { home, command, line: "pinfold".to_owned() }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.line.push(' ');
        self.line.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Takes an environment variable away that a run has.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs under this umask, as the shell takes it.
    #[cfg(unix)]
    pub fn under_umask(self, umask: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("umask \"$1\"; shift; exec \"$@\"").args(["sh", umask]);
        command.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        if let Some(directory) = self.command.get_current_dir() {
            command.current_dir(directory);
        }
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        Self { command, ..self }
    }

    /// Starts in a directory of the project instead of its top.
    pub fn directory(mut self, path: &str) -> Self {
        self.command.current_dir(self.home.project().join(path));
        self
    }

    /// Runs to the end.
    pub fn run(self) -> Finished {
        self.spawn().finish()
    }

    /// Starts and returns at once: for a test that kills it, or that runs several.
    pub fn spawn(self) -> Running {
        let line = self.line.clone();
        self.start(|_| {}).unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"))
    }

    /// Starts after a last change of the command.
    pub(crate) fn start(mut self, prepare: impl FnOnce(&mut Command)) -> std::io::Result<Running> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut self.command);
        let mut child = self.command.spawn()?;
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let output = [read_all(stdout), read_all(stderr)];
        let child = Arc::new(Mutex::new(child));
        let (ended, waits) = mpsc::channel();
        let watched = Arc::clone(&child);
        let watch = std::thread::spawn(move || {
            let late = waits.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
            if late {
                kill(&watched);
            }
            late
        });
        Ok(Running { child, output, ended, watch, line: self.line })
    }

    /// Returns the home that the run is in.
    #[cfg(target_os = "linux")]
    pub(crate) const fn home(&self) -> &TempHome {
        self.home
    }
}

impl Running {
    /// Kills the run, as `kill -9` does.
    pub fn kill(&self) {
        kill(&self.child);
    }

    /// Returns true if the run has ended by itself.
    pub fn has_ended(&self) -> bool {
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        ended.is_ok_and(|status| status.is_some())
    }

    /// Waits for the end.
    pub fn finish(self) -> Finished {
        self.finish_with(None)
    }

    /// Returns the number of the process.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Waits for the end of a run that somebody else may have waited for already, with this exit code.
    pub(crate) fn finish_with(self, code: Option<i32>) -> Finished {
        let [stdout, stderr] = self.output.map(|reader| reader.join().expect("a reader does not panic"));
        // Both pipes are closed, so the child has ended or is about to.
        let code = code.unwrap_or_else(|| {
            let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait().expect("it is our own child");
            status.code().unwrap_or(-1)
        });
        let _ = self.ended.send(());
        let late = self.watch.join().expect("the watch does not panic");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let finished = Finished { code, stdout: text(stdout), stderr: text(stderr), line: self.line };
        assert!(!late, "ran longer than {} s and was killed: {finished}", LIMIT.as_secs());
        finished
    }
}

impl Finished {
    /// Panics with the whole output unless the run ended with this code; returns itself for further checks.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit code {code}: {self}");
        self
    }

    /// Panics unless the run was refused (exit code 3) with this refusal code.
    #[track_caller]
    pub fn expect_refusal(self, refusal: &str) -> Self {
        assert!(self.code == 3, "expected a refusal: {self}");
        assert!(self.stderr.contains(&format!("error[{refusal}]")), "expected `error[{refusal}]`: {self}");
        self
    }

    /// Panics unless standard error contains this.
    #[track_caller]
    pub fn expect_stderr(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "expected `{part}` on standard error: {self}");
        self
    }

    /// Panics unless standard output contains this.
    #[track_caller]
    pub fn expect_stdout(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "expected `{part}` on standard output: {self}");
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ended with {}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.code, self.stdout, self.stderr)
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still what the run wrote.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn kill(child: &Mutex<Child>) {
    // An error means that it has ended already.
    let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
}
