//! What changed between two locks, for a reviewer: packages, versions, origins, bytes, builds, settings.
//!
//! Packages are compared by name; a name may have several entries. Each change has a weight, because a lock's diff is long and
//! its reader is in a hurry: what nobody does in good faith (a file that kept its name and has other bytes, another index) comes
//! before what deserves a look, and that before what every upgrade brings.

mod package;
mod settings;
mod text;

pub use settings::{OtherLine, first_other_line};

use std::collections::{BTreeMap, BTreeSet};

use pinfold_packaging::{PackageName, Version};

use crate::{Lock, Package};

/// Everything that differs between two locks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockDiff {
    /// The packages that differ.
    pub packages: BTreeMap<PackageName, PackageDiff>,
    /// What differs outside of packages.
    pub settings: Vec<Change>,
}

/// How a package differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageDiff {
    /// Whether the old lock has it.
    pub was_there: bool,
    /// Whether the new lock has it.
    pub is_there: bool,
    /// Its versions in the old lock.
    pub old_versions: BTreeSet<Version>,
    /// Its versions in the new lock.
    pub new_versions: BTreeSet<Version>,
    /// What else differs.
    pub changes: Vec<Change>,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it is about.
    pub kind: ChangeKind,
    /// The file, key or name that it is about; may be empty.
    pub subject: String,
    /// What the old lock says; none if nothing.
    pub old: Option<String>,
    /// What the new lock says; none if nothing.
    pub new: Option<String>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A finding that the maintainer accepts.
    Accept,
    /// A package that is built and was not, with code of its own.
    BuildAdded,
    /// How a package is built.
    BuildChanged,
    /// A package that it needs.
    Dependency,
    /// A later epoch, which outranks every version without.
    Epoch,
    /// A file, where the version stayed.
    File,
    /// A host that serves files.
    Host,
    /// A name that resembles a popular one.
    Lookalike,
    /// When it applies, where the version stayed.
    Marker,
    /// The METADATA that was believed, where the file stayed.
    Metadata,
    /// An earlier version.
    OlderVersion,
    /// Where it comes from: an index, a URL, a repository.
    Origin,
    /// Another digest under the same name.
    Replaced,
    /// A requirement, where the version stayed.
    Requirement,
    /// The Python versions that it says it is for.
    RequiresPython,
    /// A setting of the lock.
    Setting,
    /// Another size under the same name.
    Size,
    /// Much bigger than before.
    SizeJump,
    /// The targets on which it applies.
    Targets,
    /// Another upload time under the same name.
    UploadTime,
    /// Another URL on the same host.
    Url,
}

/// How much a change deserves to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// What every upgrade brings.
    Note,
    /// What a reviewer should look at.
    Look,
    /// What is rarely done in good faith.
    Alarm,
}

/// Compares two locks.
pub fn diff(old: &Lock, new: &Lock) -> LockDiff {
    let (old_entries, new_entries) = (by_name(old), by_name(new));
    let names: BTreeSet<&PackageName> = old_entries.keys().chain(new_entries.keys()).copied().collect();
    let changed = names.into_iter().filter_map(|name| {
        let before = old_entries.get(name).map_or(&[][..], Vec::as_slice);
        let after = new_entries.get(name).map_or(&[][..], Vec::as_slice);
        Some((name.clone(), package::compare((old, before), (new, after))?))
    });
    let mut diff = LockDiff { packages: changed.collect(), settings: settings::compare(old, new) };
    if diff.is_empty() && old != new {
        // Where a path leads on this machine is part of the value, and not of the text.
        diff.settings.extend(settings::first_line(old, new));
    }
    diff
}

fn by_name(lock: &Lock) -> BTreeMap<&PackageName, Vec<&Package>> {
    let mut packages: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
    for package in &lock.packages {
        packages.entry(&package.name).or_default().push(package);
    }
    packages
}

impl LockDiff {
    /// Returns true if nothing differs.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.settings.is_empty()
    }

    /// Adds something to say about a package that differs; nothing is said about one that does not.
    pub fn remark(&mut self, name: &PackageName, change: Change) {
        if let Some(package) = self.packages.get_mut(name) {
            package.changes.push(change);
            package.changes.sort_by(Change::order);
        }
    }

    /// Returns the packages, the weightiest first.
    pub fn by_weight(&self) -> Vec<(&PackageName, &PackageDiff)> {
        let mut packages: Vec<_> = self.packages.iter().collect();
        packages.sort_by_key(|(name, package)| (std::cmp::Reverse(package.weight()), *name));
        packages
    }

    /// Returns the weight of the weightiest change; none if nothing differs.
    pub fn weight(&self) -> Option<Weight> {
        let packages = self.packages.values().map(PackageDiff::weight);
        packages.chain(self.settings.iter().map(Change::weight)).max()
    }
}

impl PackageDiff {
    /// Returns the weight of the weightiest change. A new name deserves a look in any case.
    pub fn weight(&self) -> Weight {
        let own = if self.was_there { Weight::Note } else { Weight::Look };
        self.changes.iter().map(Change::weight).max().map_or(own, |weight| weight.max(own))
    }
}

impl Change {
    pub(crate) fn new(kind: ChangeKind, subject: impl ToString, old: Option<String>, new: Option<String>) -> Self {
        Self { kind, subject: subject.to_string(), old, new }
    }

    /// Returns the change of a value, if it changed.
    pub(crate) fn of<T: ToString + PartialEq>(
        kind: ChangeKind,
        subject: impl ToString,
        old: &Option<T>,
        new: &Option<T>,
    ) -> Option<Self> {
        let text = |value: &Option<T>| value.as_ref().map(ToString::to_string);
        (old != new).then(|| Self::new(kind, subject, text(old), text(new)))
    }

    /// Returns how much it deserves to be looked at.
    pub fn weight(&self) -> Weight {
        match self.kind {
            // An index that is no longer used harms nobody.
            ChangeKind::Origin if self.new.is_none() || (self.old.is_none() && self.subject.is_empty()) => Weight::Note,
            ChangeKind::Host | ChangeKind::Accept if self.new.is_none() => Weight::Note,
            kind => kind.weight(),
        }
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        other.weight().cmp(&self.weight()).then_with(|| self.cmp(other))
    }
}

impl ChangeKind {
    const fn weight(self) -> Weight {
        match self {
            Self::BuildAdded | Self::Epoch | Self::Lookalike | Self::Origin | Self::Replaced | Self::Size => {
                Weight::Alarm
            }
            Self::Accept
            | Self::BuildChanged
            | Self::Host
            | Self::Metadata
            | Self::OlderVersion
            | Self::SizeJump
            | Self::UploadTime => Weight::Look,
            Self::Dependency
            | Self::File
            | Self::Marker
            | Self::Requirement
            | Self::RequiresPython
            | Self::Setting
            | Self::Targets
            | Self::Url => Weight::Note,
        }
    }

    /// Returns its name, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::BuildAdded => "build-added",
            Self::BuildChanged => "build-changed",
            Self::Dependency => "dependency",
            Self::Epoch => "epoch",
            Self::File => "file",
            Self::Host => "host",
            Self::Lookalike => "look-alike",
            Self::Marker => "marker",
            Self::Metadata => "metadata",
            Self::OlderVersion => "older-version",
            Self::Origin => "origin",
            Self::Replaced => "replaced",
            Self::Requirement => "requirement",
            Self::RequiresPython => "requires-python",
            Self::Setting => "setting",
            Self::Size => "size",
            Self::SizeJump => "size-jump",
            Self::Targets => "targets",
            Self::UploadTime => "upload-time",
            Self::Url => "url",
        }
    }
}

impl Weight {
    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Look => "look",
            Self::Note => "note",
        }
    }
}

#[cfg(test)]
mod tests;
