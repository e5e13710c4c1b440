//! One call of a PEP 517 hook in a child process.

use std::path::PathBuf;

/// What a build runs with: an interpreter of the caller's making, and where it may work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workbench {
    /// The interpreter of the environment that holds exactly the locked build requirements.
    pub environment_python: PathBuf,
    /// An existing directory in which every run makes and removes a directory of its own.
    pub scratch: PathBuf,
    /// `SOURCE_DATE_EPOCH`: the time that backends write into archives.
    pub source_date_epoch: u64,
    /// Milliseconds that one hook may take.
    pub timeout_ms: u64,
    /// Bytes that one hook may print.
    pub output_bytes: u64,
}
