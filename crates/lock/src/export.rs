//! From a lock to a requirements file that pip installs with `--require-hashes`: the same versions and bytes, for one target or
//! for all of them, told apart by markers.
//!
//! It gives up what such a file has no words for: which index a package belongs to, the hosts of files, pinned build tools, the
//! accepted findings. What cannot be pinned by a hash is an error, not a line without one. Nothing of the lock is written that
//! pip would read as something else: an option, a comment, a variable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pinfold_packaging::{ExtraName, GroupName, PackageName, Target, WheelFilename};

use crate::marker::{Membership, Node};
use crate::select::check_wanted;
use crate::{Lock, LockMarker, LockedFile, Package, SelectError, ValidateError, Wanted};

/// Why a lock cannot be written as a requirements file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// An entry has no file that a target can use.
    #[error("`{name}` has no file for {target}")]
    NoFile {
        /// The package.
        name: PackageName,
        /// The target.
        target: String,
    },
    /// The lock must not be used at all.
    #[error(transparent)]
    Refused(#[from] ValidateError),
    /// Something in it would mean something else to pip.
    #[error("`{name}` cannot be written into a requirements file: pip would read its {what} otherwise")]
    Unwritable {
        /// The package.
        name: PackageName,
        /// What.
        what: &'static str,
    },
    /// A source tree has no digest that pip could check.
    #[error("`{name}` is a source tree: no hash pins it for pip")]
    Unpinned {
        /// The package.
        name: PackageName,
    },
    /// No such extra or group.
    #[error(transparent)]
    Wanted(#[from] SelectError),
}

/// Writes what some of a lock's targets install as requirements. Of a lock that names no targets, every file counts.
///
/// # Errors
/// [`ExportError`] if the lock must not be used, or something in it cannot be written with a hash.
pub fn requirements(lock: &Lock, targets: &[Target], wanted: &Wanted) -> Result<String, ExportError> {
    lock.validate()?;
    check_wanted(lock, wanted)?;
    let groups: BTreeSet<GroupName> = wanted.groups.union(&lock.default_groups).cloned().collect();
    let mut text = String::new();
    for package in &lock.packages {
        let Some(marker) = condition(package, targets, lock, &wanted.extras, &groups) else { continue };
        if package.tree.is_some() {
            return Err(ExportError::Unpinned { name: package.name.clone() });
        }
        let files = files(package, targets, &wanted.extras, &groups)?;
        if files.values().any(|file| !file.filename.as_str().ends_with(".whl")) {
            text.push_str("# pip builds this one from source, with build tools of its own choice\n");
        }
        text.push_str(&line(package, marker.as_deref())?);
        for file in files.values() {
            // Writing to a string cannot fail.
            let _ = write!(text, " \\\n    --hash=sha256:{}", file.sha256);
        }
        text.push('\n');
    }
    Ok(text)
}

/// Returns the requirement itself: the version, or the URL that was asked for.
fn line(package: &Package, marker: Option<&str>) -> Result<String, ExportError> {
    let unwritable = |what| ExportError::Unwritable { name: package.name.clone(), what };
    let own = match (&package.archive, &package.version) {
        (Some(archive), _) => {
            let url = archive.file.url.without_fragment().to_string();
            if url.contains("${") || !is_plain(&url.replace("%23", "")) {
                return Err(unwritable("URL"));
            }
            let inside = archive.subdirectory.as_ref().map(|path| format!("#subdirectory={path}")).unwrap_or_default();
            if inside.contains([' ', '$', '\\', '&']) || !inside.is_ascii() {
                return Err(unwritable("subdirectory"));
            }
            format!("{} @ {url}{inside}", package.name)
        }
        (None, Some(version)) => format!("{}=={version}", package.name),
        (None, None) => return Err(unwritable("version, which is absent,")),
    };
    match marker {
        None => Ok(own),
        Some(marker) if is_plain(marker) => Ok(format!("{own} ; {marker}")),
        Some(_) => Err(unwritable("marker")),
    }
}

/// Returns true if pip reads every character as itself: no comment, no continuation, no variable, no second line.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains(['#', '\\', '$'])
}

/// Returns when an entry applies: none if never, an inner none if always.
fn condition(
    package: &Package,
    targets: &[Target],
    lock: &Lock,
    extras: &BTreeSet<ExtraName>,
    groups: &BTreeSet<GroupName>,
) -> Option<Option<String>> {
    let Some(marker) = &package.marker else { return Some(None) };
    let (mut always, mut ever) = (true, targets.is_empty());
    for target in targets {
        let answers = marker.answers_on(target, extras, groups);
        always &= answers == [true].into();
        ever |= answers.contains(&true);
    }
    if !ever {
        return None;
    }
    // Of all targets the marker stays even if each of them meets it: it keeps others away.
    let is_one = targets.len() == 1 && lock.targets().len() > 1;
    if always && is_one {
        return Some(None);
    }
    match given(marker.node(), extras, groups) {
        Given::Always => Some(None),
        Given::Never => None,
        Given::When(node) => Some(Some(LockMarker::new(node).to_string())),
    }
}

/// What is left of a marker once it is known what was asked for.
enum Given {
    Always,
    Never,
    When(Node),
}

fn given(node: &Node, extras: &BTreeSet<ExtraName>, groups: &BTreeSet<GroupName>) -> Given {
    let known = |holds: bool| if holds { Given::Always } else { Given::Never };
    match node {
        Node::Compare(_) => Given::When(node.clone()),
        Node::Extra(membership, name) | Node::Extras(membership, name) => {
            known(extras.contains(name) == (*membership == Membership::Is))
        }
        Node::Groups(membership, name) => known(groups.contains(name) == (*membership == Membership::Is)),
        Node::And(members) => {
            let mut left = Vec::new();
            for member in members {
                match given(member, extras, groups) {
                    Given::Always => {}
                    Given::Never => return Given::Never,
                    Given::When(node) => left.push(node),
                }
            }
            Node::all(left).map_or(Given::Always, Given::When)
        }
        Node::Or(members) => {
            let mut left = Vec::new();
            for member in members {
                match given(member, extras, groups) {
                    Given::Always => return Given::Always,
                    Given::Never => {}
                    Given::When(node) => left.push(node),
                }
            }
            Node::any(left).map_or(Given::Never, Given::When)
        }
    }
}

/// Returns the files of an entry that the targets install, by name.
fn files<'a>(
    package: &'a Package,
    targets: &[Target],
    extras: &BTreeSet<ExtraName>,
    groups: &BTreeSet<GroupName>,
) -> Result<BTreeMap<String, &'a LockedFile>, ExportError> {
    let named = |file: &'a LockedFile| (file.filename.to_string(), file);
    if targets.is_empty() || package.archive.is_some() {
        return Ok(package.files().map(named).collect());
    }
    let mut files = BTreeMap::new();
    for target in targets {
        let applies = |marker: &LockMarker| marker.answers_on(target, extras, groups).contains(&true);
        if !package.marker.as_ref().is_none_or(applies) {
            continue;
        }
        let tags = target.tags();
        let rank = |file: &LockedFile| WheelFilename::parse(&file.filename).ok().and_then(|wheel| tags.rank(&wheel));
        let ranked = package.wheels.iter().filter_map(|wheel| Some((rank(wheel)?, wheel)));
        let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, wheel)| wheel).or(package.sdist.as_ref());
        let file =
            best.ok_or_else(|| ExportError::NoFile { name: package.name.clone(), target: target.to_string() })?;
        files.extend([named(file)]);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::fixture::{resolved, settings, target};
    use crate::{LockedArchive, Resolution, merge};

    fn lock() -> Lock {
        let on = |text: &str, files: &[(&str, &[&str])]| Resolution {
            target: target(text),
            packages: files.iter().map(|(file, reach)| resolved(file, &[], reach)).collect(),
        };
        let linux = on(
            "linux-x86_64 3.10",
            &[
                ("a-1-py3-none-any.whl", &["base"]),
                ("n-1-cp310-cp310-manylinux2014_x86_64.whl", &["base"]),
                ("t-2+cu121-cp310-cp310-linux_x86_64.whl", &["extra gpu", "group dev"]),
                ("s-1.tar.gz", &["base"]),
            ],
        );
        let windows = on(
            "windows-x86_64 3.10",
            &[
                ("a-1-py3-none-any.whl", &["base"]),
                ("n-1-cp310-cp310-win_amd64.whl", &["base"]),
                ("t-2-cp310-cp310-win_amd64.whl", &["extra gpu"]),
                ("w-1-py3-none-any.whl", &["base"]),
            ],
        );
        let mut lock = merge(&[linux, windows], settings()).unwrap();
        // A direct URL, and an sdist that may be built.
        let direct = lock.packages.iter().position(|package| package.name.as_str() == "w").unwrap();
        let wheel = lock.packages[direct].wheels.remove(0);
        lock.packages[direct].archive = Some(LockedArchive { file: wheel, path: None, subdirectory: None });
        lock.packages[direct].index = None;
        lock
    }

    fn wanted(extras: &[&str], groups: &[&str]) -> Wanted {
        Wanted {
            extras: extras.iter().map(|name| name.parse().unwrap()).collect(),
            groups: groups.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn all_targets_are_told_apart_by_markers() {
        let lock = lock();
        assert_snapshot!(requirements(&lock, &lock.targets(), &wanted(&["gpu"], &[])).unwrap(), @r"
        a==1 \
            --hash=sha256:612c332e747c352a6666646e216c60763e667a7f000000000000000000000000
        n==1 \
            --hash=sha256:651f8d6631f9e7fa3824697b3f3c3e227d707c6a787c7862602b2a2a28426627 \
            --hash=sha256:6e2c332e677535363824697b3f3c3e2267787c4c757872212c376d7370000000
        # pip builds this one from source, with build tools of its own choice
        s==1 ; sys_platform == 'linux' \
            --hash=sha256:732c332d706474296f7300000000000000000000000000000000000000000000
        t==2 ; sys_platform == 'win32' \
            --hash=sha256:742c302e677535363824697b3f3c3e2267787c4c757872212c376d7370000000
        t==2+cu121 ; sys_platform == 'linux' \
            --hash=sha256:b5748d1577ca37353924697b3f3c3e227361212224387a7e766c624464252840
        w @ https://files.example/w-1-py3-none-any.whl ; sys_platform == 'win32' \
            --hash=sha256:772c332e747c352a6666646e216c60763e667a7f000000000000000000000000
        ");
    }

    #[test]
    fn one_target_needs_no_marker_and_has_one_file_each() {
        let lock = lock();
        let targets = lock.targets();
        assert_snapshot!(requirements(&lock, &targets[..1], &wanted(&[], &["dev"])).unwrap(), @r"
        a==1 \
            --hash=sha256:612c332e747c352a6666646e216c60763e667a7f000000000000000000000000
        n==1 \
            --hash=sha256:651f8d6631f9e7fa3824697b3f3c3e227d707c6a787c7862602b2a2a28426627
        # pip builds this one from source, with build tools of its own choice
        s==1 \
            --hash=sha256:732c332d706474296f7300000000000000000000000000000000000000000000
        t==2+cu121 \
            --hash=sha256:b5748d1577ca37353924697b3f3c3e227361212224387a7e766c624464252840
        ");
        assert_snapshot!(requirements(&lock, &targets[1..], &wanted(&[], &["dev"])).unwrap(), @r"
        a==1 \
            --hash=sha256:612c332e747c352a6666646e216c60763e667a7f000000000000000000000000
        n==1 \
            --hash=sha256:6e2c332e677535363824697b3f3c3e2267787c4c757872212c376d7370000000
        w @ https://files.example/w-1-py3-none-any.whl \
            --hash=sha256:772c332e747c352a6666646e216c60763e667a7f000000000000000000000000
        ");
    }

    #[test]
    fn what_pip_would_read_otherwise_is_not_written() {
        for marker in ["os_name == 'x # y'", "os_name != '${HOME}'", "os_name != 'a\\\\b'", "os_name != 'ü'"] {
            let mut lock = lock();
            lock.packages[0].marker = Some(marker.parse().unwrap());
            let error = requirements(&lock, &[], &wanted(&[], &[])).unwrap_err();
            assert_eq!(error, ExportError::Unwritable { name: "a".parse().unwrap(), what: "marker" }, "{marker}");
        }
        let unknown = requirements(&lock(), &[], &wanted(&["nothing"], &[])).unwrap_err();
        assert!(matches!(unknown, ExportError::Wanted(SelectError::UnknownExtra { .. })), "{unknown}");
    }

    #[test]
    fn a_target_without_a_file_is_an_error() {
        let mut lock = lock();
        let n = lock.packages.iter().position(|package| package.name.as_str() == "n").unwrap();
        lock.packages[n].wheels.pop();
        let error = requirements(&lock, &lock.targets(), &wanted(&[], &[])).unwrap_err();
        assert!(matches!(error, ExportError::NoFile { .. }), "{error}");
    }
}
