//! Why a text is no lock that pinfold works with, and what it remarks on without refusing.

use pinfold_artifact::{ArtifactFilename, Limits};
use pinfold_packaging::PackageName;

/// Why a lock cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// One entry names a file twice.
    #[error("line {line}: `{package}` lists `{filename}` twice")]
    DuplicateFile {
        /// The file.
        filename: ArtifactFilename,
        /// Where.
        line: usize,
        /// The entry.
        package: PackageName,
    },
    /// A file is of another project or version than its entry.
    #[error("line {line}: `{filename}` is no file of `{package}`{}", .version.as_ref().map(|v| format!(" {v}")).unwrap_or_default())]
    ForeignFile {
        /// The file.
        filename: ArtifactFilename,
        /// Where.
        line: usize,
        /// The entry.
        package: PackageName,
        /// The entry's version.
        version: Option<String>,
    },
    /// A file is locked by a path on some machine.
    #[error("line {line}: `{package}` is locked by the local path `{path}`; pinfold installs only what has a URL")]
    LocalPath {
        /// Where.
        line: usize,
        /// The entry.
        package: PackageName,
        /// The path, escaped and cut.
        path: String,
    },
    /// A key that must be there is not.
    #[error("line {line}: `{place}` has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// Where.
        line: usize,
        /// The table.
        place: String,
    },
    /// An entry gives files and a source tree, two kinds of direct source, or nothing at all.
    #[error(
        "line {line}: `{package}` must have either wheels or an sdist, or exactly one of archive, directory and vcs"
    )]
    Sources {
        /// Where.
        line: usize,
        /// The entry.
        package: PackageName,
    },
    /// The text is no TOML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Column, from 1.
        column: usize,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// Too many bytes.
    #[error("the lock has {found} bytes; the limit is {}", Limits::LOCK_BYTES)]
    TooLarge {
        /// Bytes found.
        found: u64,
    },
    /// Too many packages.
    #[error("the lock has {found} packages; the limit is {}", Limits::LOCK_PACKAGES)]
    TooManyPackages {
        /// Entries found.
        found: usize,
    },
    /// A value is of the wrong TOML type.
    #[error("line {line}: `{place}` must be {expected}, not {found}")]
    Type {
        /// What it must be, with its article.
        expected: &'static str,
        /// What it is, with its article.
        found: &'static str,
        /// Where.
        line: usize,
        /// The key.
        place: String,
    },
    /// A key of `[tool.pinfold]` that this pinfold does not know.
    #[error("line {line}: unknown key `{key}` in `{place}`; it may need a newer pinfold")]
    UnknownKey {
        /// The key, escaped and cut.
        key: String,
        /// Where.
        line: usize,
        /// The table.
        place: String,
    },
    /// A part of the format that pinfold does not work with.
    #[error("line {line}: `{place}` is not supported by pinfold")]
    Unsupported {
        /// Where.
        line: usize,
        /// The key.
        place: String,
    },
    /// A value does not mean what it must mean.
    #[error("line {line}: `{place}` is `{found}`: {reason}")]
    Value {
        /// The value, escaped and cut.
        found: String,
        /// Where.
        line: usize,
        /// The key.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Another major version of the format, or of `[tool.pinfold]`.
    #[error("`{key}` is `{found}`; this pinfold reads {supported}")]
    Version {
        /// The value found, escaped and cut.
        found: String,
        /// `lock-version` or `tool.pinfold.schema`.
        key: &'static str,
        /// What is read.
        supported: &'static str,
    },
    /// A file is not pinned by SHA-256.
    #[error("line {line}: `{filename}` of `{package}` has no sha256 but {}; nothing weaker pins a file", shown_algorithms(.algorithms))]
    WeakHash {
        /// The algorithms that are given.
        algorithms: Vec<String>,
        /// The file.
        filename: ArtifactFilename,
        /// Where.
        line: usize,
        /// The entry.
        package: PackageName,
    },
}

fn shown_algorithms(algorithms: &[String]) -> String {
    if algorithms.is_empty() { "no hash at all".to_owned() } else { format!("only {}", algorithms.join(", ")) }
}

impl LockError {
    /// Returns the code of the refusal, if the lock is refused for security and not only wrong.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::ForeignFile { .. } => Some("foreign-file"),
            Self::LocalPath { .. } => Some("local-path"),
            Self::WeakHash { .. } => Some("weak-hash"),
            Self::DuplicateFile { .. }
            | Self::MissingKey { .. }
            | Self::Sources { .. }
            | Self::Syntax { .. }
            | Self::TooLarge { .. }
            | Self::TooManyPackages { .. }
            | Self::Type { .. }
            | Self::UnknownKey { .. }
            | Self::Unsupported { .. }
            | Self::Value { .. }
            | Self::Version { .. } => None,
        }
    }
}

impl LockError {
    /// Returns where in the text it is wrong: line and, if it is known, column, both from 1.
    pub const fn place(&self) -> Option<(usize, Option<usize>)> {
        match self {
            Self::DuplicateFile { line, .. }
            | Self::ForeignFile { line, .. }
            | Self::LocalPath { line, .. }
            | Self::MissingKey { line, .. }
            | Self::Sources { line, .. }
            | Self::Type { line, .. }
            | Self::UnknownKey { line, .. }
            | Self::Unsupported { line, .. }
            | Self::Value { line, .. }
            | Self::WeakHash { line, .. } => Some((*line, None)),
            Self::Syntax { line, column, .. } => Some((*line, Some(*column))),
            Self::TooLarge { .. } | Self::TooManyPackages { .. } | Self::Version { .. } => None,
        }
    }
}

/// Something odd in a lock that was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockWarning {
    /// The format has a newer minor version than this pinfold knows.
    #[error("`lock-version` is `{found}`; this pinfold knows 1.0 and ignores what came later")]
    MinorVersion {
        /// The version.
        found: String,
    },
    /// A key that the standard does not have.
    #[error("line {line}: unknown key `{key}` in `{place}` is ignored")]
    UnknownKey {
        /// The key, escaped and cut.
        key: String,
        /// Where.
        line: usize,
        /// The table.
        place: String,
    },
}
