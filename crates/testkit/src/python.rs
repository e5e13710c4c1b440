//! The Python that tests install for: the one that the machine has.
//!
//! A shim (as version managers put them on the path) does not work with another HOME, so the interpreter is asked once,
//! with the environment of the test, where it really is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A Python interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// The program itself, no shim.
    pub path: PathBuf,
    /// `3.10`.
    pub minor: String,
    /// `3.10.14`.
    pub version: String,
}

const QUESTION: &str = "import platform, sys; print(sys.executable); print('%d.%d' % sys.version_info[:2]); \
    print(platform.python_version())";

impl Python {
    /// Returns the interpreter of the machine. Panics if there is none: the tests need one.
    pub fn found() -> &'static Self {
        static FOUND: OnceLock<Python> = OnceLock::new();
        FOUND.get_or_init(|| {
            let names = ["python3", "python"];
            names.into_iter().find_map(ask).expect("the tests need a Python 3 on the path")
        })
    }

    /// Runs code in a directory, without the user's site directory, and returns what it printed. Panics if it fails.
    pub fn run(&self, directory: &Path, code: &str) -> String {
        run_python(&self.path, directory, code)
    }
}

/// Runs code with an interpreter (one of an environment, say) in a directory, and returns what it printed.
///
/// # Panics
/// If it cannot be started or fails; the message has what it wrote to standard error.
pub fn run_python(program: &Path, directory: &Path, code: &str) -> String {
    let mut command = Command::new(program);
    command.args(["-I", "-B", "-c", code]).current_dir(directory).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = command.output().unwrap_or_else(|error| panic!("cannot start `{}`: {error}", program.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{}` failed on `{code}`:\n{stderr}", program.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn ask(name: &str) -> Option<Python> {
    let output = Command::new(name).args(["-I", "-c", QUESTION]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    let (path, minor, version) = (lines.next()?, lines.next()?, lines.next()?);
    output.status.success().then(|| Python { path: PathBuf::from(path), minor, version })
}
