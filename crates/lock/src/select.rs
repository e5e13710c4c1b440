//! From a lock to what one machine installs, by the rules that PEP 751 gives every installer.
//!
//! Nothing is resolved and nothing is made up: an entry applies or not, a wheel fits or not, and where that leaves two
//! answers or none it is an error. `[tool.pinfold]` is asked only for reasons to refuse, so that deleting it installs the same
//! files or none. There is no fallback to another version, another index or a build that the lock does not name.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use pinfold_artifact::{Artifact, ArtifactFilename, Sha256};
use pinfold_packaging::{ExtraName, GroupName, MarkerEnvironment, PackageName, Tags, Target, Version, WheelFilename};

use crate::{
    ArtifactKind, BuildRecipe, DependencyReference, Direct, Lock, LockMarker, LockedArchive, LockedFile, Package,
    ValidateError,
};

/// The interpreter that packages are selected for.
#[derive(Debug, Clone)]
pub struct Host {
    /// What it says about itself.
    pub environment: MarkerEnvironment,
    /// The wheels that it can use.
    pub tags: Arc<Tags>,
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
    /// How it was asked for, if it belongs to no index; for `direct_url.json`.
    pub direct: Option<Direct>,
    /// Digest of the METADATA that the lock believed.
    pub metadata_sha256: Option<Sha256>,
}

/// Why nothing can be selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Two entries of one project apply.
    #[error("`{name}` has two entries that apply here: {one} and {other}")]
    AmbiguousPackage {
        /// The project.
        name: PackageName,
        /// The version of one.
        one: String,
        /// The version of the other.
        other: String,
    },
    /// Two wheels of an entry fit equally well.
    #[error("`{name}` has two wheels that fit equally well: {one} and {other}")]
    AmbiguousWheel {
        /// The project.
        name: PackageName,
        /// One.
        one: ArtifactFilename,
        /// The other.
        other: ArtifactFilename,
    },
    /// A package has no file for this machine.
    #[error("no file of `{name}` fits this machine ({host}); the lock is for {targets}")]
    NoFile {
        /// What this machine is.
        host: String,
        /// The project.
        name: PackageName,
        /// What the lock is for.
        targets: String,
    },
    /// A package must be built and the lock does not say how.
    #[error("`{filename}` must be built from source, and the lock has no build of `{name}`")]
    NoRecipe {
        /// The sdist.
        filename: ArtifactFilename,
        /// The project.
        name: PackageName,
    },
    /// A package to be installed has no version.
    #[error("`{name}` has no version")]
    NoVersion {
        /// The project.
        name: PackageName,
    },
    /// The lock is for other machines.
    #[error("the lock is for {targets}; this machine is {host}")]
    OtherTarget {
        /// What this machine is.
        host: String,
        /// What the lock is for.
        targets: String,
    },
    /// A package is for other Python versions.
    #[error("`{name}` needs Python {requires}; this machine is {host}")]
    RequiresPython {
        /// What this machine is.
        host: String,
        /// The project.
        name: PackageName,
        /// What it needs.
        requires: String,
    },
    /// The lock must not be used at all.
    #[error(transparent)]
    Refused(#[from] ValidateError),
    /// No such extra.
    #[error("the lock has no extra `{extra}`; it has {offered}")]
    UnknownExtra {
        /// What was asked for.
        extra: ExtraName,
        /// What there is.
        offered: String,
    },
    /// No such group.
    #[error("the lock has no dependency group `{group}`; it has {offered}")]
    UnknownGroup {
        /// What was asked for.
        group: GroupName,
        /// What there is.
        offered: String,
    },
}

impl SelectError {
    /// Returns the code of the refusal, if it is one for security.
    pub const fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::NoRecipe { .. } => Some("unlocked-build"),
            Self::Refused(error) => error.refusal_code(),
            Self::AmbiguousPackage { .. }
            | Self::AmbiguousWheel { .. }
            | Self::NoFile { .. }
            | Self::NoVersion { .. }
            | Self::OtherTarget { .. }
            | Self::RequiresPython { .. }
            | Self::UnknownExtra { .. }
            | Self::UnknownGroup { .. } => None,
        }
    }

    /// Returns the error's code, also where it is no refusal for security.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AmbiguousPackage { .. } | Self::AmbiguousWheel { .. } => "lock-ambiguous",
            Self::NoFile { .. } | Self::OtherTarget { .. } | Self::RequiresPython { .. } => "lock-other-target",
            Self::NoRecipe { .. } => "unlocked-build",
            Self::NoVersion { .. } => "lock-incomplete",
            Self::Refused(error) => error.code(),
            Self::UnknownExtra { .. } | Self::UnknownGroup { .. } => "unknown-extra-or-group",
        }
    }
}

/// Selects what `host` installs from `lock`.
///
/// # Errors
/// [`SelectError`] if the lock is not for the host, is ambiguous for it, or must not be used.
pub fn select(lock: &Lock, host: &Host, wanted: &Wanted) -> Result<Selection, SelectError> {
    lock.validate()?;
    check_wanted(lock, wanted)?;
    let fitting = check_host(lock, host)?;
    let groups: BTreeSet<GroupName> = wanted.groups.union(&lock.default_groups).cloned().collect();
    let mut active: BTreeMap<&PackageName, &Package> = BTreeMap::new();
    for package in &lock.packages {
        let applies = |marker: &LockMarker| marker.evaluate(&host.environment, &wanted.extras, &groups);
        if !package.marker.as_ref().is_none_or(applies) {
            continue;
        }
        check_python(package, host)?;
        if let Some(other) = active.insert(&package.name, package) {
            let version = |package: &Package| package.version.as_ref().map_or("?".to_owned(), ToString::to_string);
            let (one, other) = (version(other), version(package));
            return Err(SelectError::AmbiguousPackage { name: package.name.clone(), one, other });
        }
    }
    let selected = active.values().map(|package| select_package(lock, host, &fitting, package, &active));
    Ok(Selection { packages: selected.collect::<Result<_, _>>()? })
}

pub(crate) fn check_wanted(lock: &Lock, wanted: &Wanted) -> Result<(), SelectError> {
    if let Some(extra) = wanted.extras.difference(&lock.extras).next() {
        return Err(SelectError::UnknownExtra { extra: extra.clone(), offered: listed(&lock.extras) });
    }
    let known = |group: &&GroupName| lock.dependency_groups.contains(*group) || lock.default_groups.contains(*group);
    match wanted.groups.iter().find(|group| !known(group)) {
        Some(group) => {
            Err(SelectError::UnknownGroup { group: group.clone(), offered: listed(&lock.dependency_groups) })
        }
        None => Ok(()),
    }
}

/// Checks that the lock is for the host, and returns the names of the lock's targets that the host is.
fn check_host(lock: &Lock, host: &Host) -> Result<BTreeSet<String>, SelectError> {
    let other = || SelectError::OtherTarget { host: host.to_string(), targets: lock.shown_targets() };
    if lock.requires_python.as_ref().is_some_and(|requires| !requires.contains(&host.python)) {
        return Err(other());
    }
    let holds = |marker: &LockMarker| marker.evaluate(&host.environment, &BTreeSet::new(), &BTreeSet::new());
    if !lock.environments.is_empty() && !lock.environments.iter().any(holds) {
        return Err(other());
    }
    let Some(tool) = &lock.tool else {
        return Ok(BTreeSet::new());
    };
    let fitting: BTreeSet<String> =
        tool.all_targets().filter(|target| host.is(target)).map(|t| t.to_string()).collect();
    if fitting.is_empty() { Err(other()) } else { Ok(fitting) }
}

fn check_python(package: &Package, host: &Host) -> Result<(), SelectError> {
    match &package.requires_python {
        Some(requires) if !requires.contains(&host.python) => Err(SelectError::RequiresPython {
            host: host.to_string(),
            name: package.name.clone(),
            requires: requires.to_string(),
        }),
        _ => Ok(()),
    }
}

fn select_package(
    lock: &Lock,
    host: &Host,
    fitting: &BTreeSet<String>,
    package: &Package,
    active: &BTreeMap<&PackageName, &Package>,
) -> Result<Selected, SelectError> {
    let Chosen { artifact, kind, direct } = choose(lock, host, package)?;
    let named = || WheelFilename::parse(&artifact.filename).ok().map(|wheel| wheel.version);
    let version = lock.version_of(package).or_else(named);
    let version = version.ok_or_else(|| SelectError::NoVersion { name: package.name.clone() })?;
    let recipe = match kind {
        ArtifactKind::Wheel => None,
        ArtifactKind::Sdist => Some(recipe_for(lock, fitting, package, &artifact)?.clone()),
    };
    let is_active =
        |reference: &&DependencyReference| active.get(&reference.name).is_some_and(|entry| reference.may_mean(entry));
    let dependencies = package.dependencies.iter().filter(is_active).map(|reference| reference.name.clone());
    Ok(Selected {
        name: package.name.clone(),
        version,
        kind,
        recipe,
        dependencies: dependencies.collect(),
        direct,
        metadata_sha256: lock.tool.as_ref().and_then(|tool| tool.metadata.get(&artifact.filename).copied()),
        artifact,
    })
}

/// The one file of a package.
struct Chosen {
    artifact: Artifact,
    kind: ArtifactKind,
    direct: Option<Direct>,
}

fn choose(lock: &Lock, host: &Host, package: &Package) -> Result<Chosen, SelectError> {
    if let Some(tree) = &package.tree {
        let (artifact, direct) = lock.tree(package, tree)?;
        return Ok(Chosen { artifact, kind: ArtifactKind::Sdist, direct: Some(direct) });
    }
    let (file, kind) = choose_file(lock, host, package)?;
    let direct = package
        .archive
        .as_ref()
        .map(|archive| Direct::Archive { path: archive.path.clone(), subdirectory: archive.subdirectory.clone() });
    Ok(Chosen { artifact: lock.artifact(package, file)?, kind, direct })
}

/// The standard's rule: the archive if there is one, else the wheel with the best tag, else the sdist.
fn choose_file<'a>(
    lock: &Lock,
    host: &Host,
    package: &'a Package,
) -> Result<(&'a LockedFile, ArtifactKind), SelectError> {
    let none =
        || SelectError::NoFile { host: host.to_string(), name: package.name.clone(), targets: lock.shown_targets() };
    let rank = |file: &LockedFile| rank(file, &host.tags);
    if let Some(LockedArchive { file: archive, .. }) = &package.archive {
        return match archive.filename.as_str().ends_with(".whl") {
            true if rank(archive).is_none() => Err(none()),
            true => Ok((archive, ArtifactKind::Wheel)),
            false => Ok((archive, ArtifactKind::Sdist)),
        };
    }
    let mut ranked: Vec<(u32, &LockedFile)> =
        package.wheels.iter().filter_map(|wheel| Some((rank(wheel)?, wheel))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    match (&ranked[..], &package.sdist) {
        ([(first, one), (second, other), ..], _) if first == second => Err(SelectError::AmbiguousWheel {
            name: package.name.clone(),
            one: one.filename.clone(),
            other: other.filename.clone(),
        }),
        ([(_, best), ..], _) => Ok((best, ArtifactKind::Wheel)),
        ([], Some(sdist)) => Ok((sdist, ArtifactKind::Sdist)),
        ([], None) => Err(none()),
    }
}

/// Returns how well the tags of a wheel suit a machine: less is better, none is not at all.
fn rank(file: &LockedFile, tags: &Tags) -> Option<u32> {
    WheelFilename::parse(&file.filename).ok().and_then(|wheel| tags.rank(&wheel))
}

impl Package {
    /// Returns the file of an index that a machine with these tags gets by the standard's rule: the best wheel, else the sdist.
    pub fn file_for(&self, tags: &Tags) -> Option<&LockedFile> {
        let ranked = self.wheels.iter().filter_map(|wheel| Some((rank(wheel, tags)?, wheel)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, best)| best).or(self.sdist.as_ref())
    }
}

fn recipe_for<'a>(
    lock: &'a Lock,
    fitting: &BTreeSet<String>,
    package: &Package,
    sdist: &Artifact,
) -> Result<&'a BuildRecipe, SelectError> {
    let serves = |recipe: &&BuildRecipe| {
        recipe.name == package.name
            && recipe.sdist == sdist.sha256
            && package.version.as_ref().is_none_or(|version| *version == recipe.version)
            && (recipe.targets.is_empty() || recipe.targets.iter().any(|target| fitting.contains(target)))
    };
    let recipes = lock.tool.iter().flat_map(|tool| &tool.builds);
    recipes
        .into_iter()
        .find(serves)
        .ok_or_else(|| SelectError::NoRecipe { filename: sdist.filename.clone(), name: package.name.clone() })
}

impl Host {
    /// Returns true if the host is a machine of the target: same system and Python, at or above its floor.
    fn is(&self, target: &Target) -> bool {
        let expected = target.marker_environment();
        let own = &self.environment;
        let platforms: BTreeSet<&String> = self.tags.platforms().iter().collect();
        own.sys_platform == expected.sys_platform
            && own.platform_machine == expected.platform_machine
            && own.implementation_name == expected.implementation_name
            && own.python_version == expected.python_version
            && target.tags().platforms().iter().all(|platform| platforms.contains(platform))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MarkerEnvironment { sys_platform, platform_machine, implementation_name, .. } = &self.environment;
        write!(f, "{sys_platform} {platform_machine}, {implementation_name} {}", self.python)?;
        match self.tags.platforms().first() {
            Some(platform) => write!(f, ", {platform}"),
            None => Ok(()),
        }
    }
}

impl Lock {
    /// Returns what the lock is for, for messages.
    fn shown_targets(&self) -> String {
        if let Some(tool) = &self.tool {
            return tool.all_targets().map(|target| target.to_string()).collect::<Vec<_>>().join(", ");
        }
        let mut parts: Vec<String> = self.environments.iter().map(|marker| format!("`{marker}`")).collect();
        parts.extend(self.requires_python.as_ref().map(|requires| format!("Python {requires}")));
        if parts.is_empty() { "any machine".to_owned() } else { parts.join(", ") }
    }
}

fn listed<T: ToString>(names: &BTreeSet<T>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{}`", name.to_string())).collect::<Vec<_>>().join(", ")
}
