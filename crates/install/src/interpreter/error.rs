//! Why an interpreter cannot be used.

use std::path::PathBuf;

use pinfold_packaging::TargetError;

/// Why an interpreter cannot be used, or none was found.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// The program ran but is no Python that pinfold works with.
    #[error("`{path}` does not answer as Python 3 does: {reason}")]
    Answer {
        /// The program.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The program could not be run to compile modules, or took too long.
    #[error("`{path}` could not compile modules")]
    Compile {
        /// The program.
        path: PathBuf,
        /// Why.
        source: pinfold_sandbox::SandboxError,
    },
    /// The program ended while it compiled a source, twice: killed, for lack of memory, or because it cannot bear the source.
    #[error("`{path}` ended while it compiled `{module}`, twice: {how}")]
    Died {
        /// The program.
        path: PathBuf,
        /// The source, relative to the environment.
        module: String,
        /// How it ended.
        how: String,
    },
    /// The file is nothing that the system can start.
    #[error("`{path}` is no program that can be started")]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: pinfold_sandbox::SandboxError,
    },
    /// No interpreter on the PATH has a version that is wanted.
    #[error("no Python {wanted} on the PATH; {}", shown_rejected(rejected))]
    NotFound {
        /// What `requires-python` says.
        wanted: String,
        /// The programs that were looked at, and why each was passed over.
        rejected: Vec<(PathBuf, String)>,
    },
    /// The program could not be run.
    #[error("cannot ask `{path}` what it is")]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        source: pinfold_sandbox::SandboxError,
    },
    /// The machine is of no kind that locks are made for.
    #[error("`{path}` runs on `{found}`, which no lock can name")]
    System {
        /// The program.
        path: PathBuf,
        /// What it runs on.
        found: String,
        /// Why.
        source: Option<TargetError>,
    },
}

fn shown_rejected(rejected: &[(PathBuf, String)]) -> String {
    if rejected.is_empty() {
        return "there is none at all".to_owned();
    }
    let shown = rejected.iter().map(|(path, reason)| format!("`{}` {reason}", path.display()));
    shown.collect::<Vec<_>>().join(", ")
}
