//! Many resolutions become one lock.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::SafeUrl;
use pinfold_packaging::{ExtraName, GroupName, PackageName, Specifiers, Target, Version};

use crate::{ArtifactKind, Lock, LockedFile, Tool};

/// What one target gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The target.
    pub target: Target,
    /// Its packages.
    pub packages: BTreeMap<PackageName, Resolved>,
}

/// One package of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The version.
    pub version: Version,
    /// The one file that the target gets.
    pub file: LockedFile,
    /// What the file is.
    pub kind: ArtifactKind,
    /// The index that the package belongs to; none for a direct URL.
    pub index: Option<SafeUrl>,
    /// What it needs on this target.
    pub dependencies: BTreeSet<PackageName>,
    /// What makes it needed.
    pub reach: Reach,
    /// The Python versions that the package says it is for.
    pub requires_python: Option<Specifiers>,
}

/// What makes a package needed: always, or when one of the extras or groups is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Reach {
    /// Whether it is needed in any case.
    pub base: bool,
    /// The extras that need it.
    pub extras: BTreeSet<ExtraName>,
    /// The groups that need it.
    pub groups: BTreeSet<GroupName>,
}

/// Everything of a lock that is not found out by resolving.
#[derive(Debug, Clone, PartialEq)]
pub struct LockSettings {
    /// The extras that may be asked for.
    pub extras: BTreeSet<ExtraName>,
    /// The dependency groups that may be asked for.
    pub dependency_groups: BTreeSet<GroupName>,
    /// The dependency groups that are installed when none is asked for.
    pub default_groups: BTreeSet<GroupName>,
    /// The tool that writes the lock: `pinfold`.
    pub created_by: String,
    /// `[tool.pinfold]`; its targets and Python versions are set from the resolutions.
    pub tool: Option<Tool>,
}

/// Why resolutions do not make one lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("no target was resolved")]
    NoTarget,
}

/// Makes one lock of the resolutions of all targets.
///
/// # Errors
/// [`MergeError`] if no valid lock says what the resolutions say.
pub fn merge(resolutions: &[Resolution], settings: LockSettings) -> Result<Lock, MergeError> {
    let _ = (resolutions, settings);
    todo!()
}
