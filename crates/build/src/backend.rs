//! Calls of PEP 517 hooks in a child process.
//!
//! The child knows what the sandbox gives it and nothing else: no variable of the user's, an empty home, a fixed locale,
//! time zone and hash seed, so that what it writes depends on the sources and the locked tools. It answers into a file,
//! because standard output belongs to the backend.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold_sandbox::{Command, Finished};
use serde::{Deserialize, Serialize};

use crate::{BuildError, BuildSystem};

/// What a build runs with: an interpreter of the caller's making, and where it may work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workbench {
    /// The interpreter of the environment that holds exactly the locked build requirements, by absolute path.
    pub environment_python: PathBuf,
    /// An existing directory in which every run makes and removes a directory of its own.
    pub scratch: PathBuf,
    /// What stands in PATH after the environment's own scripts: where a compiler is, for instance.
    pub search_path: OsString,
    /// `SOURCE_DATE_EPOCH`, the time that backends write into archives; see [`Workbench::EPOCH`].
    pub source_date_epoch: u64,
    /// Milliseconds that one hook may take; see [`Workbench::TIMEOUT_MS`].
    pub timeout_ms: u64,
    /// Bytes that one hook may print; see [`Workbench::OUTPUT_BYTES`].
    pub output_bytes: usize,
}

impl Workbench {
    /// 1980-01-02: the first day that a zip can express in every time zone.
    pub const EPOCH: u64 = 315_619_200;
    /// Half an hour: compiling takes its time, an endless build does not end (SD16).
    pub const TIMEOUT_MS: u64 = 30 * 60 * 1000;
    /// 64 MiB of compiler warnings.
    pub const OUTPUT_BYTES: usize = 64 << 20;

    /// Makes a workbench with the usual limits.
    pub fn new(environment_python: &Path, scratch: &Path, search_path: &OsStr) -> Self {
        Self {
            environment_python: environment_python.to_owned(),
            scratch: scratch.to_owned(),
            search_path: search_path.to_owned(),
            source_date_epoch: Self::EPOCH,
            timeout_ms: Self::TIMEOUT_MS,
            output_bytes: Self::OUTPUT_BYTES,
        }
    }
}

/// A hook of PEP 517.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// `prepare_metadata_for_build_wheel`.
    Metadata,
    /// `get_requires_for_build_wheel`.
    Requirements,
    /// `build_wheel`, the only one that a backend must have.
    Wheel,
}

impl Hook {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "prepare_metadata_for_build_wheel",
            Self::Requirements => "get_requires_for_build_wheel",
            Self::Wheel => "build_wheel",
        }
    }
}

/// One call of a hook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The hook.
    pub(crate) hook: Hook,
    /// What it is given.
    pub(crate) arguments: &'a [&'a Path],
    /// The project's directory in unpacked sources that no other call has.
    pub(crate) sources: &'a Path,
    /// A directory that the answer is written to.
    pub(crate) room: &'a Path,
}

#[derive(Serialize)]
struct Request<'a> {
    backend: &'a str,
    backend_path: &'a [String],
    calls: Vec<RequestedCall<'a>>,
}

#[derive(Serialize)]
struct RequestedCall<'a> {
    hook: &'static str,
    optional: bool,
    arguments: &'a [&'a Path],
    directory: &'a Path,
    answer: PathBuf,
}

/// What the hook runner writes: exactly one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    missing: Option<bool>,
    returned: Option<serde_json::Value>,
}

impl Call<'_> {
    fn answer_path(&self) -> PathBuf {
        self.room.join(format!("{}.json", self.hook.name()))
    }

    fn is_optional(&self) -> bool {
        self.hook != Hook::Wheel
    }

    /// Reads what the hook answered; none if the backend has no such hook. The backend runs as the user and may have put
    /// anything in the place of the answer.
    fn answer(&self, failed: &dyn Fn(String) -> BuildError) -> Result<Option<serde_json::Value>, BuildError> {
        let path = self.answer_path();
        let what = || format!("the answer of {}", self.hook.name());
        let malformed = |problem: String| BuildError::Malformed { what: what(), problem };
        let kind = fs::symlink_metadata(&path).map_err(|_| failed("it left no answer".to_owned()))?;
        if !kind.is_file() || kind.len() > ANSWER_BYTES {
            return Err(malformed(format!("no file of at most {ANSWER_BYTES} bytes")));
        }
        let bytes = fs::read(&path).map_err(BuildError::io("reading", &path))?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        match answer {
            Answer { missing: None, returned: Some(value) } => Ok(Some(value)),
            Answer { missing: Some(true), returned: None } if self.is_optional() => Ok(None),
            Answer { missing: Some(true), .. } => Err(failed("the backend has no such hook".to_owned())),
            _ => Err(malformed("neither a value nor the absence of the hook".to_owned())),
        }
    }
}

/// Returns true if several hooks may be called with one start of the interpreter: the backend is no part of the sources, of
/// which each call has its own, and the system can divide a process.
pub(crate) const fn can_share_a_start(system: &BuildSystem) -> bool {
    cfg!(unix) && system.backend_path.is_empty()
}

/// Calls a hook; none if the backend has no such hook, which only [`Hook::Wheel`] must not lack.
pub(crate) fn call(
    call: Call<'_>,
    system: &BuildSystem,
    bench: &Workbench,
) -> Result<Option<serde_json::Value>, BuildError> {
    Ok(call_in_turn(&[call], system, bench)?.pop().flatten())
}

/// Calls hooks one after the other with one start of the interpreter, each in a process of its own. The first that answers
/// with anything but nothing is the last that is called. Returns the answers of those that were.
pub(crate) fn call_in_turn(
    calls: &[Call<'_>],
    system: &BuildSystem,
    bench: &Workbench,
) -> Result<Vec<Option<serde_json::Value>>, BuildError> {
    let requested = calls.iter().map(|call| RequestedCall {
        hook: call.hook.name(),
        optional: call.is_optional(),
        arguments: call.arguments,
        directory: call.sources,
        answer: call.answer_path(),
    });
    let request = Request { backend: &system.backend, backend_path: &system.backend_path, calls: requested.collect() };
    let Some(first) = calls.first() else { return Ok(Vec::new()) };
    let stdin = serde_json::to_vec(&request).map_err(|error| BuildError::Malformed {
        what: "the request to the build backend".to_owned(),
        problem: error.to_string(),
    })?;
    // Where one start is enough, nobody would read the bytecode of what it imports.
    let bytecode: &[&str] = if can_share_a_start(system) { &["-B"] } else { &[] };
    let finished = run(calls.len(), first, bytecode, stdin, bench)?;
    let failed_in = |call: &Call<'_>, reason: String| BuildError::Backend {
        backend: system.backend.clone(),
        hook: call.hook.name(),
        reason,
        output: output_end(&finished),
    };
    if !finished.status.success() {
        let unanswered = calls.iter().find(|call| fs::symlink_metadata(call.answer_path()).is_err());
        return Err(failed_in(unanswered.unwrap_or(first), finished.status.to_string()));
    }
    let mut answers = Vec::new();
    for call in calls {
        let answer = call.answer(&|reason| failed_in(call, reason))?;
        let is_last = answer.as_ref().is_some_and(|answer| *answer != serde_json::json!([]));
        answers.push(answer);
        if is_last {
            break;
        }
    }
    Ok(answers)
}

fn run(
    calls: usize,
    first: &Call<'_>,
    bytecode: &[&str],
    stdin: Vec<u8>,
    bench: &Workbench,
) -> Result<Finished, BuildError> {
    let scripts = bench.environment_python.parent().unwrap_or(Path::new("/"));
    let places = std::iter::once(scripts.to_owned()).chain(std::env::split_paths(&bench.search_path));
    let search_path = std::env::join_paths(places).map_err(|error| BuildError::Malformed {
        what: "the search path of the build".to_owned(),
        problem: error.to_string(),
    })?;
    let mut command = Command::new(&bench.environment_python, &search_path);
    // Isolated by hand: `-I` would also drop the hash seed. There is no user site, and nothing of the user's
    // environment that Python could obey.
    command.arguments = bytecode.iter().chain(&["-s", "-c", HOOK_RUNNER]).map(OsString::from).collect();
    command.directory = Some(first.sources.to_owned());
    command.environment = environment(bench);
    command.stdin = stdin;
    command.time_limit = Duration::from_millis(bench.timeout_ms.saturating_mul(calls as u64));
    command.output_limit_bytes = bench.output_bytes;
    command.run().map_err(|source| BuildError::Sandbox { hook: first.hook.name(), source })
}

fn environment(bench: &Workbench) -> BTreeMap<OsString, OsString> {
    let epoch = bench.source_date_epoch.to_string();
    let variables = [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        // A backend that calls pip must not reach an index: what a build needs is in the lock.
        ("PIP_CONFIG_FILE", if cfg!(windows) { "nul" } else { "/dev/null" }),
        ("PIP_NO_INDEX", "1"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONSAFEPATH", "1"),
        ("SOURCE_DATE_EPOCH", &epoch),
        ("TZ", "UTC"),
    ];
    variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// Returns the end of what a child printed, for a message.
fn output_end(finished: &Finished) -> String {
    let streams = [&finished.stdout, &finished.stderr];
    let text: String = streams.iter().map(|stream| String::from_utf8_lossy(stream)).collect();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(OUTPUT_LINES)..].iter();
    shown.map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

/// Takes out what could steer a terminal.
fn printable(line: &str) -> String {
    line.chars().take(300).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

const HOOK_RUNNER: &str = include_str!("hook.py");
const ANSWER_BYTES: u64 = 1 << 20;
const OUTPUT_LINES: usize = 30;
