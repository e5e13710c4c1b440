//! One question to an interpreter.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold_packaging::Version;
use pinfold_sandbox::{Command, SandboxError};
use serde::Deserialize;

use super::libc;
use crate::interpreter::facts::Stamp;
use crate::{Interpreter, InterpreterError, SchemePaths};

impl Interpreter {
    /// Asks a program what it is, isolated and without `site`: nothing that is installed is imported.
    ///
    /// # Errors
    /// [`InterpreterError`] if it cannot be run or is no Python 3.
    pub fn probe(program: &Path, search_path: &OsStr) -> Result<Self, InterpreterError> {
        let program = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        let mut command = Command::new(&program, search_path);
        command.arguments = ["-I", "-S", "-B", "-"].map(Into::into).to_vec();
        command.stdin = SCRIPT.as_bytes().to_vec();
        command.time_limit = TIME_LIMIT;
        let finished = command.run().map_err(|source| not_run(&program, source))?;
        let answer = |reason| InterpreterError::Answer { path: program.clone(), reason };
        if !finished.status.success() {
            return Err(answer(format!("it ended with {}: {}", finished.status, last_line(&finished.stderr))));
        }
        let raw: RawAnswer = serde_json::from_slice(&finished.stdout).map_err(|e| answer(e.to_string()))?;
        let libc = libc::of_answer(&raw, search_path);
        raw.check(libc).map_err(answer)
    }
}

/// What the script prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnswer {
    executable: PathBuf,
    pub(super) base_executable: PathBuf,
    base_prefix: PathBuf,
    version: String,
    implementation_name: String,
    platform_python_implementation: String,
    os_name: String,
    pub(super) sys_platform: String,
    platform_machine: String,
    platform_system: String,
    platform_release: String,
    platform_version: String,
    pointer_bits: u32,
    pub(super) glibc: Option<String>,
    macos_release: Option<String>,
    is_environment: bool,
    scheme: SchemePaths,
}

impl RawAnswer {
    fn check(self, libc: Option<super::Libc>) -> Result<Interpreter, String> {
        let version: Version = self.version.parse().map_err(|_| format!("its version is `{}`", self.version))?;
        if version.release().first() != Some(&3) {
            return Err(format!("its version is {version}"));
        }
        if self.pointer_bits != 64 {
            return Err("it is a 32-bit program".to_owned());
        }
        if self.implementation_name != "cpython" {
            return Err(format!("it is {}; locks are made for CPython", self.platform_python_implementation));
        }
        for path in [&self.scheme.purelib, &self.scheme.platlib, &self.scheme.scripts, &self.scheme.headers] {
            let _: pinfold_artifact::ArchivePath = path.parse().map_err(|e| format!("its scheme has {e}"))?;
        }
        let stamp = Stamp::of(&self.base_executable).map_err(|e| format!("its base program has no stamp: {e}"))?;
        Ok(Interpreter {
            executable: self.executable,
            base_executable: self.base_executable,
            base_prefix: self.base_prefix,
            version,
            implementation_name: self.implementation_name,
            platform_python_implementation: self.platform_python_implementation,
            os_name: self.os_name,
            sys_platform: self.sys_platform,
            platform_machine: self.platform_machine,
            platform_system: self.platform_system,
            platform_release: self.platform_release,
            platform_version: self.platform_version,
            libc,
            macos_release: self.macos_release.as_deref().and_then(libc::two_numbers),
            is_environment: self.is_environment,
            scheme: self.scheme,
            stamp,
        })
    }
}

/// Says why a program was not run to its end: because it is none, or because of what the machine had to do.
fn not_run(program: &Path, source: SandboxError) -> InterpreterError {
    let path = program.to_owned();
    let is_none = match &source {
        // A script whose own interpreter is not there is "not found".
        SandboxError::Spawn { source, .. } => {
            matches!(source.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) || is_of_no_format(source)
        }
        _ => false,
    };
    if is_none { InterpreterError::NoProgram { path, source } } else { InterpreterError::Run { path, source } }
}

/// Returns true if the system knows no way to start such a file.
fn is_of_no_format(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error());
    // ERROR_BAD_EXE_FORMAT.
    #[cfg(not(unix))]
    return error.raw_os_error() == Some(193);
}

fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim().chars().take(200).flat_map(char::escape_debug).collect()
}

const SCRIPT: &str = include_str!("probe.py");

/// A shim may start several programs on a busy machine; an answer itself takes 20 ms.
const TIME_LIMIT: Duration = Duration::from_secs(30);
