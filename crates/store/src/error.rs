//! What can go wrong in the store: refusals of bytes that are not the locked ones, and a disk that fails.

use std::io;
use std::path::{Path, PathBuf};

use pinfold_artifact::{Artifact, Sha256};

use crate::Damage;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bytes have another digest than the locked one.
    #[error("`{}` from {} has sha256 {found}, expected {}", artifact.filename, artifact.url.without_query(), artifact.sha256)]
    HashMismatch {
        /// What was expected, and from where.
        artifact: Box<Artifact>,
        /// The digest of what arrived.
        found: Sha256,
    },
    /// The disk failed, or does not allow it.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than this user can write to the store.
    #[error("`{}` may be written by others: {found}", path.display())]
    Permissions {
        /// The directory.
        path: PathBuf,
        /// Its mode or owner.
        found: String,
    },
    /// The bytes are more or fewer than the locked size.
    #[error("`{}` from {} has {found} bytes, expected {}", artifact.filename, artifact.url.without_query(), artifact.size_bytes)]
    SizeMismatch {
        /// What was expected, and from where.
        artifact: Box<Artifact>,
        /// The bytes counted before giving up: where more came than expected, one more than expected.
        found: u64,
    },
    /// The source of the bytes failed while they were read.
    #[error("failed to read `{}` from {}", artifact.filename, artifact.url.without_query())]
    Source {
        /// What was expected, and from where.
        artifact: Box<Artifact>,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// What was put into the staging directory is not what the manifest says.
    #[error("the unpacked `{path}` is not as its manifest says: expected {expected}, found {found}")]
    Staging {
        /// The file, relative to the tree.
        path: String,
        /// What the manifest says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A stored tree is not what was stored, and cannot be put aside.
    #[error("{} was changed after it was stored: expected {}, found {}; and it could not be moved away", entry(damage), damage.expected, damage.found)]
    Stuck {
        /// The first of what is wrong with it.
        damage: Box<Damage>,
        /// Why it is still there.
        #[source]
        source: Box<StoreError>,
    },
    /// A stored artifact no longer has the digest that it was stored under. It has been moved to the quarantine.
    #[error("the stored artifact {expected} was changed after it was stored: it now has sha256 {found}")]
    StoreMismatch {
        /// The digest that it was stored under.
        expected: Sha256,
        /// The digest of what is there.
        found: Sha256,
    },
}

impl StoreError {
    /// Returns the code of the refusal, or nothing where the world failed.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::HashMismatch { .. } => Some("hash-mismatch"),
            Self::SizeMismatch { .. } => Some("size-mismatch"),
            Self::Permissions { .. } => Some("foreign-writers"),
            Self::StoreMismatch { .. } | Self::Stuck { .. } => Some("store-mismatch"),
            Self::Io { .. } | Self::Source { .. } | Self::Staging { .. } => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Returns what makes this error of the reason why a damaged tree is still in its place.
    pub(crate) fn stuck(damage: &Damage) -> impl FnOnce(Self) -> Self {
        let damage = Box::new(damage.clone());
        move |source| Self::Stuck { damage, source: Box::new(source) }
    }

    pub(crate) fn size(artifact: &Artifact, found: u64) -> Self {
        Self::SizeMismatch { artifact: Box::new(artifact.clone()), found }
    }
}

fn entry(damage: &Damage) -> String {
    if damage.path.is_empty() {
        return format!("the stored tree of sha256 {}", damage.artifact);
    }
    format!("`{}` in the stored tree of sha256 {}", damage.path, damage.artifact)
}
