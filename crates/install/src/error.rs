//! Why an environment was not changed, or could not be looked at.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_packaging::PackageName;

use crate::environment::ADOPTABLE;
use crate::{Holder, InterpreterError, WheelFinding};

/// Why an environment was not changed, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The wheel is hostile or broken.
    #[error("`{filename}` cannot be unpacked")]
    Archive {
        /// The wheel.
        filename: String,
        /// Why.
        source: pinfold_unpack::ArchiveError,
    },
    /// Another process changes the environment, and takes longer than this one may wait.
    #[error("`{path}` is in use by another pinfold")]
    Busy {
        /// The environment.
        path: PathBuf,
        /// The other process, as far as it said who it is.
        holder: Holder,
        /// How long this one waited.
        waited: Duration,
    },
    /// Two distributions bring different files of one path, or paths that are one on some file system.
    #[error("{} `{path}`, with different bytes", both_install(first, second))]
    Conflict {
        /// The path inside the environment.
        path: String,
        /// The first distribution.
        first: String,
        /// The second.
        second: String,
    },
    /// A former generation cannot take the environment's place.
    #[error("generation {generation} is damaged: `{path}`: {problem}")]
    Damaged {
        /// Its number.
        generation: u64,
        /// What of it.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The directory is something that pinfold did not make.
    #[error("`{path}` was not made by pinfold: {reason}")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What is there.
        reason: &'static str,
    },
    /// The interpreter cannot be used.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The disk failed, or does not allow it.
    #[error("failed to {action} `{path}`")]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The way of placing files that was asked for does not work between the store and the environment.
    #[error("link mode `{mode}` does not work from `{from}` to `{to}`")]
    LinkMode {
        /// Its name.
        mode: &'static str,
        /// The first file of the store with which it failed.
        from: PathBuf,
        /// The directory that it was to come to.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// METADATA is not what the lock believed when it resolved.
    #[error("METADATA of `{filename}` has sha256 {found}, expected {expected} (pylock.toml)")]
    Metadata {
        /// The locked file.
        filename: ArtifactFilename,
        /// What the lock says.
        expected: Sha256,
        /// What the wheel has.
        found: Sha256,
    },
    /// No wheel tree was given for a package of the selection: a bug of the caller.
    #[error("no unpacked wheel was given for `{name}`")]
    MissingTree {
        /// The package.
        name: PackageName,
    },
    /// There is no environment.
    #[error("there is no environment at `{path}`; `pinfold sync` makes one")]
    NoEnvironment {
        /// Where it should be.
        path: PathBuf,
    },
    /// The generation asked for is not in the history.
    #[error("there is no {}; the history has {}", wanted.map_or_else(|| "older generation".to_owned(), |n| format!("generation {n}")), shown_list(known))]
    NoGeneration {
        /// The number asked for.
        wanted: Option<u64>,
        /// The numbers that there are.
        known: Vec<u64>,
    },
    /// The environment's path cannot be written into scripts.
    #[error("`{path}` cannot hold an environment: {reason}")]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The receipt cannot be understood.
    #[error("the receipt `{path}` cannot be read: {reason}")]
    Receipt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// RECORD is wrong about single files: the maintainer may accept exactly these.
    #[error("`{filename}` cannot be unpacked")]
    Record {
        /// The distribution.
        package: PackageName,
        /// The wheel.
        filename: String,
        /// Everything that RECORD is wrong about and nobody accepted, at least one.
        files: Vec<WheelFinding>,
        /// The first of it.
        source: pinfold_unpack::ArchiveError,
    },
    /// A distribution brings a file that would take the place of one of the environment's own.
    #[error("`{package}` installs `{path}`, which belongs to the environment itself")]
    Reserved {
        /// The distribution.
        package: PackageName,
        /// The path inside the environment.
        path: String,
    },
    /// The first line of a script has options that cannot be kept.
    #[error("the first line of `{path}` of `{package}` has options that cannot be kept: `{line}`")]
    ScriptOptions {
        /// The distribution.
        package: PackageName,
        /// The script.
        path: String,
        /// Its first line.
        line: String,
    },
    /// The stored tree was changed.
    #[error("the stored tree of `{package}` was changed: `{path}`: {difference}")]
    StoreChanged {
        /// The distribution.
        package: PackageName,
        /// The file.
        path: String,
        /// How it differs.
        difference: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] pinfold_store::StoreError),
    /// The wheel brings files that nobody accepted.
    #[error("`{package}` brings {}", shown_files(files))]
    Unaccepted {
        /// The distribution.
        package: PackageName,
        /// The files, at least one.
        files: Vec<WheelFinding>,
    },
}

impl InstallError {
    /// Returns the code of the refusal, or none where the world failed or the request was wrong.
    pub fn refusal_code(&self) -> Option<&str> {
        match self {
            Self::Archive { source, .. } | Self::Record { source, .. } => source.refusal_code(),
            Self::Conflict { .. } => Some("file-conflict"),
            Self::Damaged { .. } => Some("damaged-generation"),
            Self::Foreign { .. } => Some("foreign-environment"),
            Self::Metadata { .. } => Some("metadata-mismatch"),
            Self::Reserved { .. } => Some("reserved-path"),
            Self::ScriptOptions { .. } => Some("unsafe-entry-point"),
            Self::Store(source) => source.refusal_code(),
            Self::StoreChanged { .. } => Some("store-mismatch"),
            Self::Unaccepted { files, .. } => files.first().map(|file| file.code.as_str()),
            Self::Busy { .. }
            | Self::Interpreter(_)
            | Self::Io { .. }
            | Self::LinkMode { .. }
            | Self::MissingTree { .. }
            | Self::NoEnvironment { .. }
            | Self::NoGeneration { .. }
            | Self::Path { .. }
            | Self::Receipt { .. } => None,
        }
    }

    /// Returns true if what is in the environment's place may be kept aside on request.
    pub fn is_adoptable(&self) -> bool {
        matches!(self, Self::Foreign { reason, .. } if *reason == ADOPTABLE)
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn shown_list(numbers: &[u64]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn shown_files(files: &[WheelFinding]) -> String {
    let shown = files.iter().map(|file| format!("`{}` ({}, sha256 {})", file.path, file.code, file.sha256));
    shown.collect::<Vec<_>>().join(", ")
}

/// A wheel can bring one path twice: at its root and in `.data/purelib`.
fn both_install(first: &str, second: &str) -> String {
    if first == second {
        return format!("two files of `{first}` are installed as");
    }
    format!("`{first}` and `{second}` both install")
}
