//! May this lock be used at all: every check that needs no host and no network.

use pinfold_artifact::{ArtifactFilename, OriginError, SafeUrl};
use pinfold_packaging::PackageName;

use crate::Lock;

/// Why a lock that can be read must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// A file is served by a host that its index does not allow.
    #[error("`{filename}` of `{package}` is not of its origin")]
    ForeignHost {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// What is wrong.
        #[source]
        source: OriginError,
    },
    /// A file is fetched over plain `http` from another machine.
    #[error("`{filename}` of `{package}` is fetched from {url}, which anyone on the way can change; only https is allowed")]
    InsecureUrl {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// The URL.
        url: SafeUrl,
    },
    /// A file is on some machine's disk, and its index is not.
    #[error("`{filename}` of `{package}` is the local file {url}")]
    LocalFile {
        /// The file.
        filename: ArtifactFilename,
        /// The entry.
        package: PackageName,
        /// The URL.
        url: SafeUrl,
    },
    /// A package belongs to an index that the lock does not list.
    #[error("`{package}` belongs to {index}, which is none of the lock's indexes: {listed}")]
    UnknownIndex {
        /// The entry's index.
        index: SafeUrl,
        /// The indexes of the lock.
        listed: String,
        /// The entry.
        package: PackageName,
    },
    /// A package is a source tree.
    #[error("`{package}` is a source tree ({kind}), which no digest pins; lock a released file of it instead")]
    UnpinnedTree {
        /// `directory` or `vcs`.
        kind: &'static str,
        /// The entry.
        package: PackageName,
    },
}

impl ValidateError {
    /// Returns the code of the refusal.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        Some(match self {
            Self::ForeignHost { .. } | Self::UnknownIndex { .. } => "origin-mismatch",
            Self::InsecureUrl { .. } => "insecure-url",
            Self::LocalFile { .. } => "local-path",
            Self::UnpinnedTree { .. } => "unpinned-source",
        })
    }
}

impl Lock {
    /// Checks everything that must hold before anything of the lock is fetched, for every entry, selected or not.
    ///
    /// # Errors
    /// [`ValidateError`] for the first entry that must not be used.
    pub fn validate(&self) -> Result<(), ValidateError> {
        todo!()
    }
}
