//! From a lock to what one machine installs.

use std::collections::BTreeSet;

use pinfold_artifact::{Artifact, Sha256};
use pinfold_packaging::{ExtraName, GroupName, MarkerEnvironment, PackageName, Tags, Version};

use crate::{ArtifactKind, BuildRecipe, Lock, ValidateError};

/// The interpreter that packages are selected for.
#[derive(Debug, Clone)]
pub struct Host {
    /// What it says about itself.
    pub environment: MarkerEnvironment,
    /// The wheels that it can use.
    pub tags: Tags,
    /// Its full version.
    pub python: Version,
}

/// What was asked for beside the base.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Extras.
    pub extras: BTreeSet<ExtraName>,
    /// Dependency groups.
    pub groups: BTreeSet<GroupName>,
}

/// What one machine installs.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Its packages, sorted by name.
    pub packages: Vec<Selected>,
}

/// One package that a machine installs.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The project's name.
    pub name: PackageName,
    /// The version.
    pub version: Version,
    /// The one file.
    pub artifact: Artifact,
    /// What the file is.
    pub kind: ArtifactKind,
    /// How an sdist becomes a wheel; none for a wheel.
    pub recipe: Option<BuildRecipe>,
    /// The selected packages that it needs.
    pub dependencies: BTreeSet<PackageName>,
    /// Whether it was asked for by URL, for `direct_url.json`.
    pub direct_url: bool,
    /// Digest of the METADATA that the lock believed.
    pub metadata_sha256: Option<Sha256>,
}

/// Why nothing can be selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The lock must not be used at all.
    #[error(transparent)]
    Refused(#[from] ValidateError),
}

impl SelectError {
    /// Returns the code of the refusal, if it is one.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(error) => error.refusal_code(),
        }
    }
}

/// Selects what `host` installs from `lock`.
///
/// # Errors
/// [`SelectError`] if the lock is not for the host, is ambiguous for it, or must not be used.
pub fn select(lock: &Lock, host: &Host, wanted: &Wanted) -> Result<Selection, SelectError> {
    let _ = (lock, host, wanted);
    todo!()
}
