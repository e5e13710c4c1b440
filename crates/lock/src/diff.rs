//! What changed between two locks, for a reviewer: packages, versions, origins and bytes.
//!
//! Packages are compared by name; a name may have several entries. A file that kept its name and changed its digest is told
//! apart from everything else, because it is what nobody does in good faith.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pinfold_artifact::{ArtifactFilename, SafeUrl, Sha256};
use pinfold_packaging::{PackageName, Version};

use crate::{Lock, LockedFile, Package};

/// Everything that differs between two locks, by package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockDiff {
    /// The packages that differ.
    pub packages: BTreeMap<PackageName, PackageDiff>,
}

/// How a package differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageDiff {
    /// Its versions in the old lock; empty if it was added.
    pub old_versions: BTreeSet<Version>,
    /// Its versions in the new lock; empty if it was removed.
    pub new_versions: BTreeSet<Version>,
    /// Its indexes, old and new, if they are not the same.
    pub indexes: Option<(BTreeSet<SafeUrl>, BTreeSet<SafeUrl>)>,
    /// Its hosts, old and new, where the indexes are the same and the files come from elsewhere.
    pub hosts: Option<(BTreeSet<String>, BTreeSet<String>)>,
    /// Files that kept their name and are other bytes: name, old digest, new digest.
    pub replaced: Vec<(ArtifactFilename, Sha256, Sha256)>,
    /// Files of versions that both locks have which only the new one lists.
    pub added_files: BTreeSet<ArtifactFilename>,
    /// Files of versions that both locks have which only the old one lists.
    pub removed_files: BTreeSet<ArtifactFilename>,
    /// Whether it applies in other cases than before, its versions being the same.
    pub conditions_changed: bool,
}

/// Compares two locks.
pub fn diff(old: &Lock, new: &Lock) -> LockDiff {
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&PackageName> = old.keys().chain(new.keys()).copied().collect();
    let changed = names.into_iter().filter_map(|name| {
        let package = compare(old.get(name).map_or(&[], Vec::as_slice), new.get(name).map_or(&[], Vec::as_slice))?;
        Some((name.clone(), package))
    });
    LockDiff { packages: changed.collect() }
}

impl LockDiff {
    /// Returns true if nothing differs.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}

impl PackageDiff {
    fn says_anything(&self) -> bool {
        self.old_versions != self.new_versions
            || self.indexes.is_some()
            || self.hosts.is_some()
            || !self.replaced.is_empty()
            || !self.added_files.is_empty()
            || !self.removed_files.is_empty()
            || self.conditions_changed
    }
}

fn by_name(lock: &Lock) -> BTreeMap<&PackageName, Vec<&Package>> {
    let mut packages: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
    for package in &lock.packages {
        packages.entry(&package.name).or_default().push(package);
    }
    packages
}

fn compare(old: &[&Package], new: &[&Package]) -> Option<PackageDiff> {
    let (old_versions, new_versions) = (versions(old), versions(new));
    let kept: BTreeSet<&Version> = old_versions.intersection(&new_versions).collect();
    let (old_files, new_files) = (files(old, &kept), files(new, &kept));
    let only = |these: &BTreeMap<&ArtifactFilename, &LockedFile>, those: &BTreeMap<&ArtifactFilename, &LockedFile>| {
        these.keys().filter(|name| !those.contains_key(*name)).map(|name| (*name).clone()).collect()
    };
    let both = !old.is_empty() && !new.is_empty();
    let different = |old: BTreeSet<SafeUrl>, new: BTreeSet<SafeUrl>| (both && old != new).then_some((old, new));
    let indexes = different(indexes(old), self::indexes(new));
    let (old_hosts, new_hosts) = (hosts(old), hosts(new));
    let replaced = old_files.iter().filter_map(|(name, old)| {
        let new = new_files.get(name).filter(|new| new.sha256 != old.sha256)?;
        Some(((*name).clone(), old.sha256, new.sha256))
    });
    let diff = PackageDiff {
        hosts: (both && indexes.is_none() && old_hosts != new_hosts).then_some((old_hosts, new_hosts)),
        indexes,
        replaced: replaced.collect(),
        added_files: only(&new_files, &old_files),
        removed_files: only(&old_files, &new_files),
        conditions_changed: old_versions == new_versions && conditions(old) != conditions(new),
        old_versions,
        new_versions,
    };
    diff.says_anything().then_some(diff)
}

fn versions(entries: &[&Package]) -> BTreeSet<Version> {
    entries.iter().filter_map(|package| package.version.clone()).collect()
}

fn indexes(entries: &[&Package]) -> BTreeSet<SafeUrl> {
    entries.iter().filter_map(|package| package.index.as_ref()).map(SafeUrl::as_directory).collect()
}

fn hosts(entries: &[&Package]) -> BTreeSet<String> {
    let files = entries.iter().flat_map(|package| package.files());
    files.map(|file| file.url.file_host().map_or("file://".to_owned(), |host| host.to_string())).collect()
}

fn conditions(entries: &[&Package]) -> BTreeSet<(String, String)> {
    let text = |package: &&Package| {
        let marker = package.marker.as_ref().map(ToString::to_string).unwrap_or_default();
        (package.version.as_ref().map(ToString::to_string).unwrap_or_default(), marker)
    };
    entries.iter().map(text).collect()
}

fn files<'a>(entries: &[&'a Package], versions: &BTreeSet<&Version>) -> BTreeMap<&'a ArtifactFilename, &'a LockedFile> {
    let kept = entries.iter().filter(|package| package.version.as_ref().is_some_and(|v| versions.contains(v)));
    kept.flat_map(|package| package.files()).map(|file| (&file.filename, file)).collect()
}

impl fmt::Display for LockDiff {
    /// Writes one paragraph per package, each line beginning with `+`, `-` or `~`; `!` marks what is never in good faith.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, package) in &self.packages {
            let (old, new) = (joined(&package.old_versions), joined(&package.new_versions));
            match (package.old_versions.is_empty(), package.new_versions.is_empty()) {
                (true, false) => writeln!(f, "+ {name} {new}")?,
                (false, true) => writeln!(f, "- {name} {old}")?,
                _ if old != new => writeln!(f, "~ {name} {old} -> {new}")?,
                _ => writeln!(f, "~ {name} {new}")?,
            }
            for (filename, old, new) in &package.replaced {
                writeln!(f, "    ! {filename} is other bytes: sha256 {} -> {}", old.short(), new.short())?;
            }
            if let Some((old, new)) = &package.indexes {
                writeln!(f, "    ! index {} -> {}", joined(old), joined(new))?;
            }
            if let Some((old, new)) = &package.hosts {
                writeln!(f, "    host {} -> {}", joined(old), joined(new))?;
            }
            for filename in &package.added_files {
                writeln!(f, "    + {filename}")?;
            }
            for filename in &package.removed_files {
                writeln!(f, "    - {filename}")?;
            }
            if package.conditions_changed {
                writeln!(f, "    applies in other cases")?;
            }
        }
        Ok(())
    }
}

fn joined<T: ToString>(values: &BTreeSet<T>) -> String {
    if values.is_empty() {
        return "none".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::fixture::{digest, resolution, settings, target};
    use crate::merge;

    fn lock(filenames: &[&str]) -> Lock {
        merge(&[resolution(target("linux-x86_64 3.10"), filenames)], settings()).unwrap()
    }

    #[test]
    fn a_lock_does_not_differ_from_itself() {
        let one = lock(&["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]);
        assert!(diff(&one, &one).is_empty());
        assert_eq!(diff(&one, &one).to_string(), "");
    }

    #[test]
    fn says_what_was_added_removed_and_changed() {
        let old =
            lock(&["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "c-1-py3-none-any.whl", "d-1-py3-none-any.whl"]);
        let mut new = lock(&[
            "a-1-py3-none-any.whl",
            "b-1.1-py3-none-any.whl",
            "c-1-cp310-cp310-manylinux2014_x86_64.whl",
            "e-1-py3-none-any.whl",
        ]);
        new.packages[0].wheels[0].sha256 = digest("evil");
        new.packages[1].index = Some("https://evil.example/simple/".parse().unwrap());
        new.packages[2].marker = Some("sys_platform == 'linux'".parse().unwrap());
        new.packages[2].wheels[0].url = "https://index.example/c".parse().unwrap();
        assert_snapshot!(diff(&old, &new), @"
        ~ a 1
            ! a-1-py3-none-any.whl is other bytes: sha256 612c332e747c -> 65776b6f0000
        ~ b 1 -> 1.1
            ! index https://index.example/simple/ -> https://evil.example/simple/
        ~ c 1
            host https://files.example -> https://index.example
            + c-1-cp310-cp310-manylinux2014_x86_64.whl
            - c-1-py3-none-any.whl
            applies in other cases
        - d 1
        + e 1
        ");
    }
}
