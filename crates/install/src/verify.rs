//! Every installed byte against the receipt, and the receipt against the lock.

use pinfold_artifact::Sha256;
use pinfold_lock::Lock;
use pinfold_packaging::PackageName;
use pinfold_store::Store;

use crate::{Environment, InstallError};

/// What `verify` found wrong, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// A file that no distribution brought.
    Added,
    /// A file whose bytes are others.
    Changed,
    /// Metadata of a distribution that pinfold did not install.
    ForeignDistribution,
    /// A symbolic link that points elsewhere, or stands where a file should be.
    LinkChanged,
    /// The lock is another than the one that was installed, or selects something else.
    LockChanged,
    /// A file that is gone.
    Missing,
    /// A file whose permissions are others.
    ModeChanged,
    /// The receipt contradicts itself, the lock or the store.
    ReceiptChanged,
    /// A new file that takes effect whenever the interpreter starts.
    StartupHook,
}

/// One thing that `verify` found wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of thing.
    pub code: FindingCode,
    /// The path inside the environment, or empty if it is about a whole distribution or the lock.
    pub path: String,
    /// The distribution that owns it.
    pub package: Option<PackageName>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// What `verify` did and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What is wrong, sorted.
    pub findings: Vec<Finding>,
    /// Files that were read.
    pub files_checked: u64,
    /// Bytes that were read.
    pub bytes_checked: u64,
    /// Distributions that were compared with the lock.
    pub distributions: u64,
    /// Files of bytecode that the interpreter made itself and whose header fits their source.
    pub bytecode_files: u64,
}

impl FindingCode {
    /// Returns the code as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::ForeignDistribution => "foreign-distribution",
            Self::LinkChanged => "link-changed",
            Self::LockChanged => "lock-changed",
            Self::Missing => "missing",
            Self::ModeChanged => "mode-changed",
            Self::ReceiptChanged => "receipt-changed",
            Self::StartupHook => "startup-hook",
        }
    }
}

/// Reads every byte of an environment and compares it with its receipt, the receipt with the lock, and, where the store
/// still has a wheel's tree, the receipt with that. Changes nothing.
///
/// # Errors
/// [`InstallError::NoEnvironment`] if there is none, [`InstallError::Foreign`] if pinfold did not make it, and what the
/// disk says. Everything that differs is a finding, not an error.
pub fn verify(
    environment: &Environment,
    lock: &Lock,
    lock_sha256: &Sha256,
    store: Option<&Store>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, InstallError> {
    let _ = (environment, lock, lock_sha256, store, progress);
    todo!()
}
