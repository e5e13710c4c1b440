//! What is asked of a resolution: one target, and everything the maintainer wrote about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pinfold_packaging::{
    BuildPolicy, ExtraName, GroupName, PackageName, Prerelease, Requirement, Strategy, Target, Version,
};

/// By project, the versions that it must be one of.
pub type Limits = BTreeMap<PackageName, BTreeSet<Version>>;

/// Everything that decides a resolution, beside the facts.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The system and the Python versions to resolve for.
    pub target: Target,
    /// What is required.
    pub roots: Vec<Root>,
    /// Narrow the versions of what is required anyway; they never add a project.
    pub constraints: Vec<Requirement>,
    /// Replace every declared range of a project, whoever declares it.
    pub overrides: Vec<Requirement>,
    /// Projects that are dropped, whoever requires them.
    pub exclude: BTreeSet<PackageName>,
    /// Versions of the previous lock, those of this target first. They are taken where they fit, yanked or not.
    pub locked: BTreeMap<PackageName, Vec<Version>>,
    /// Versions that other targets chose, or all could have, the best first. They are taken where they are candidates and none
    /// of `locked` fits.
    pub preferences: BTreeMap<PackageName, Vec<Version>>,
    /// Versions that a project must be one of, if it is needed. Unlike a constraint it is nobody's wish: it asks whether that
    /// would do.
    pub limits: Limits,
    /// Which pre-releases are candidates.
    pub prerelease: Prerelease,
    /// Which of several fitting versions is taken.
    pub strategy: Strategy,
    /// Files uploaded after this moment do not exist.
    pub exclude_newer: Option<jiff::Timestamp>,
    /// Which projects may be built from source.
    pub build: BuildPolicy,
    /// Projects whose wheels are not used.
    pub no_binary: BTreeSet<PackageName>,
}

/// One requirement that the maintainer wrote.
#[derive(Debug, Clone)]
pub struct Root {
    /// The requirement.
    pub requirement: Requirement,
    /// What it belongs to.
    pub reason: RootReason,
    /// Where it is written, for messages: `pinfold.toml:4`.
    pub written: String,
}

/// What a requirement of the maintainer belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootReason {
    /// The application itself.
    Base,
    /// One of the application's extras.
    Extra(ExtraName),
    /// A dependency group.
    Group(GroupName),
}

impl Problem {
    /// Returns the versions of a project that are better than any other, the best first.
    pub(crate) fn preferred(&self, name: &PackageName) -> impl Iterator<Item = &Version> + use<'_> {
        self.locked.get(name).into_iter().flatten().chain(self.preferences.get(name).into_iter().flatten())
    }
}

impl fmt::Display for RootReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("the application"),
            Self::Extra(name) => write!(f, "extra `{name}`"),
            Self::Group(name) => write!(f, "group `{name}`"),
        }
    }
}
