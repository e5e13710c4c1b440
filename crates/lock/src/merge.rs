//! Many resolutions, one per target, become one lock.
//!
//! Each resolution is exact; merging must lose nothing of that. So the lock says for every target exactly what its resolution
//! says, also to an installer that knows nothing of pinfold: markers decide which entry, wheel tags which file of it, and
//! where these would decide otherwise the entry is split, or merging fails. Nobody learns at install time that two things
//! fit.

mod condition;
mod entry;
mod least;
mod site;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, SafeUrl};
use pinfold_packaging::{ExtraName, FilenameError, GroupName, PackageName, Specifiers, Target, Version};

use crate::{ArtifactKind, DependencyReference, Direct, Lock, LockedFile, Package, Tool};

use entry::{Entry, Part, entries_of};
use site::Sites;

/// What one target gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The target.
    pub target: Target,
    /// Its packages; what several targets get alike may be shared.
    pub packages: BTreeMap<PackageName, Arc<Resolved>>,
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
    /// How it was asked for, if it belongs to no index.
    pub direct: Option<Direct>,
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
    /// Two targets need different things of a project and look the same to a marker.
    #[error(
        "{one} and {other} need different files or versions of `{name}`, and no marker tells the two targets apart; \
         lock them separately, or give both the same floor"
    )]
    AlikeTargets {
        /// The project.
        name: PackageName,
        /// One target.
        one: String,
        /// The other.
        other: String,
    },
    /// A file name cannot be read.
    #[error("`{name}` cannot be locked")]
    Filename {
        /// The project.
        name: PackageName,
        /// What is wrong.
        #[source]
        source: FilenameError,
    },
    /// The marker of an entry is longer than a reader may accept.
    #[error("`{name}` is needed under more conditions than a marker may have")]
    MarkerTooLarge {
        /// The project.
        name: PackageName,
    },
    /// A package needs one that was not resolved.
    #[error("`{name}` needs `{dependency}`, which was not resolved for {target}")]
    MissingDependency {
        /// The dependency.
        dependency: PackageName,
        /// The project.
        name: PackageName,
        /// The target.
        target: String,
    },
    /// There is nothing to merge.
    #[error("no target was resolved")]
    NoTarget,
    /// Two resolutions are for the same machines.
    #[error("{target} was resolved twice")]
    SameTarget {
        /// The target.
        target: String,
    },
    /// A package is reached by an extra or group that the lock does not offer.
    #[error("`{name}` is needed by `{by}`, which is no extra or group of the lock")]
    UndeclaredReach {
        /// The extra or group.
        by: String,
        /// The project.
        name: PackageName,
    },
    /// Nothing needs a package.
    #[error("nothing needs `{name}` on {target}")]
    Unreached {
        /// The project.
        name: PackageName,
        /// The target.
        target: String,
    },
    /// A wheel does not fit the target that it was chosen for.
    #[error("`{filename}` does not fit {target}")]
    UnusableWheel {
        /// The wheel.
        filename: ArtifactFilename,
        /// The target.
        target: String,
    },
}

/// Makes one lock of the resolutions of all targets.
///
/// There is one entry per version and index of a project, with the files of all its targets; it has a marker only where it
/// does not serve every target, or only for an extra or group. Whatever order the resolutions come in, the lock is the same.
///
/// # Errors
/// [`MergeError`] if no lock says what the resolutions say, for every installer that follows the standard.
pub fn merge(resolutions: &[Resolution], settings: LockSettings) -> Result<Lock, MergeError> {
    let mut resolutions: Vec<&Resolution> = resolutions.iter().collect();
    resolutions.sort_by(|a, b| a.target.cmp(&b.target));
    check(&resolutions, &settings)?;
    let targets: Vec<&Target> = resolutions.iter().map(|resolution| &resolution.target).collect();
    let sites = Sites::of(&targets);
    let parts: Vec<Part<'_>> = resolutions.iter().map(|resolution| Part::of(resolution, &sites)).collect();
    let names: BTreeSet<&PackageName> = resolutions.iter().flat_map(|resolution| resolution.packages.keys()).collect();
    let mut entries = BTreeMap::new();
    for name in names {
        entries.insert(name.clone(), entries_of(name, &parts, &sites)?);
    }
    let mut packages: Vec<Package> = Vec::with_capacity(entries.values().map(Vec::len).sum());
    for (name, of_name) in &entries {
        packages.extend(of_name.iter().map(|entry| package(name, entry, &entries, &resolutions)));
    }
    let tool = settings.tool.map(|tool| Tool {
        targets: unique(targets.iter().map(|target| *target.system())),
        python: unique(targets.iter().map(|target| target.python())),
        ..tool
    });
    let mut lock = Lock {
        requires_python: sites.requires_python(),
        environments: sites.environments(&targets),
        extras: settings.extras,
        dependency_groups: settings.dependency_groups,
        default_groups: settings.default_groups,
        created_by: settings.created_by,
        packages,
        tool,
    };
    lock.packages.sort_by(crate::write::compare_packages);
    Ok(lock)
}

fn unique<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
}

fn check(resolutions: &[&Resolution], settings: &LockSettings) -> Result<(), MergeError> {
    if resolutions.is_empty() {
        return Err(MergeError::NoTarget);
    }
    let overlap = |pair: &&[&Resolution]| {
        let (one, other) = (&pair[0].target, &pair[1].target);
        let (first, second) = (one.python_span(), other.python_span());
        let reaches = first.below.is_none_or(|below| second.at_least < below);
        one.system() == other.system() && one.python() == other.python() && reaches
    };
    if let Some(pair) = resolutions.windows(2).find(overlap) {
        return Err(MergeError::SameTarget { target: pair[1].target.to_string() });
    }
    for resolution in resolutions {
        for (name, resolved) in &resolution.packages {
            check_reach(name, resolved, &resolution.target, settings)?;
            let missing = |dependency: &&PackageName| !resolution.packages.contains_key(*dependency);
            if let Some(dependency) = resolved.dependencies.iter().find(missing) {
                let (dependency, target) = (dependency.clone(), resolution.target.to_string());
                return Err(MergeError::MissingDependency { dependency, name: name.clone(), target });
            }
        }
    }
    Ok(())
}

fn check_reach(
    name: &PackageName,
    resolved: &Resolved,
    target: &Target,
    settings: &LockSettings,
) -> Result<(), MergeError> {
    let Reach { base, extras, groups } = &resolved.reach;
    if !base && extras.is_empty() && groups.is_empty() {
        return Err(MergeError::Unreached { name: name.clone(), target: target.to_string() });
    }
    let extra = extras.iter().find(|extra| !settings.extras.contains(*extra)).map(ToString::to_string);
    let declared =
        |group: &GroupName| settings.dependency_groups.contains(group) || settings.default_groups.contains(group);
    let group = groups.iter().find(|group| !declared(group)).map(ToString::to_string);
    match extra.or(group) {
        Some(by) => Err(MergeError::UndeclaredReach { by, name: name.clone() }),
        None => Ok(()),
    }
}

/// Makes the lock's entry, once it is known which entries its dependencies have.
fn package(
    name: &PackageName,
    entry: &Entry,
    entries: &BTreeMap<PackageName, Vec<Entry>>,
    resolutions: &[&Resolution],
) -> Package {
    let own: Vec<(usize, &Resolved)> =
        entry.targets.iter().map(|position| (*position, &*resolutions[*position].packages[name])).collect();
    let first = own.first().map(|(_, first)| *first);
    // What the files of several targets disagree about cannot be said of all of them.
    let says_so = |first: &Resolved, other: &Resolved| {
        first.file.filename == other.file.filename
            || match (&first.requires_python, &other.requires_python) {
                (Some(first), Some(other)) => first.is_spelled_as(other),
                (first, other) => first.is_none() && other.is_none(),
            }
    };
    let agreed = first.filter(|first| own.iter().all(|(_, other)| says_so(first, other)));
    let mut dependencies: Vec<DependencyReference> = Vec::new();
    let mut settled = BTreeSet::new();
    for (position, resolved) in &own {
        for dependency in &resolved.dependencies {
            if settled.contains(dependency) {
                continue;
            }
            let of_name = &entries[dependency];
            let found = of_name.iter().find(|other| other.targets.contains(position));
            let reference = found.map(|other| reference(dependency, other, of_name));
            if of_name.len() == 1 && reference.is_some() {
                settled.insert(dependency);
            }
            dependencies.extend(reference.filter(|reference| !dependencies.contains(reference)));
        }
    }
    dependencies.sort_by(crate::write::compare_dependencies);
    Package {
        name: name.clone(),
        // The standard: what a source tree gives need not always be this version, so no version is written for one.
        version: first.map(|resolved| resolved.version.clone()).filter(|_| entry.tree.is_none()),
        marker: entry.marker.clone(),
        requires_python: agreed.and_then(|resolved| resolved.requires_python.clone()),
        index: first.and_then(|resolved| resolved.index.clone()),
        dependencies,
        wheels: entry.wheels.clone(),
        sdist: entry.sdist.clone(),
        archive: entry.archive.clone(),
        tree: entry.tree.clone(),
    }
}

/// Returns the least that tells `entry` from the other entries of its name.
fn reference(name: &PackageName, entry: &Entry, of_name: &[Entry]) -> DependencyReference {
    let mut reference = DependencyReference { name: name.clone(), version: None, index: None, marker: None };
    if of_name.len() == 1 {
        return reference;
    }
    reference.version = Some(entry.version.clone()).filter(|_| entry.tree.is_none());
    let mut alike = of_name.iter().filter(|other| other.version == entry.version).collect::<Vec<_>>();
    if alike.len() > 1 && alike.iter().any(|other| other.index != entry.index) {
        reference.index = entry.index.clone();
        alike.retain(|other| other.index == entry.index);
    }
    if alike.len() > 1 {
        reference.marker = entry.marker.clone();
    }
    reference
}
