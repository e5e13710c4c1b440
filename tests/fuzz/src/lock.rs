//! Locks: reading, writing and reading again is the identity; the two readings of markers agree.

use std::collections::BTreeSet;

use pinfold_lock::{Host, Lock, LockMarker, Wanted, diff, select};
use pinfold_packaging::{ExtraName, Marker, MarkerEnvironment, MarkerTruth, PythonSpan};

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] =
    &[Target { name: "lock", body: lock }, Target { name: "lock_marker", body: lock_marker }];

fn lock(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lock = match Lock::parse(text) {
        Ok(lock) => lock,
        Err(error) => return assert!(!error.to_string().contains(|c: char| c.is_control() && c != '\n'), "{error:?}"),
    };
    let written = lock.to_text();
    let again = Lock::parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again.to_text(), written);
    let (again, lock) = (in_order(again), in_order(lock));
    assert_eq!(again, lock, "{written}");
    assert!(diff(&lock, &again).is_empty());
    if lock.validate().is_ok() {
        for host in hosts() {
            check_selection(&lock, &host);
        }
    }
}

/// Puts a lock into the order in which locks are written.
fn in_order(mut lock: Lock) -> Lock {
    for package in &mut lock.packages {
        package.wheels.sort_by(|a, b| a.filename.cmp(&b.filename));
        package.dependencies.sort_by_cached_key(|dependency| format!("{dependency:?}"));
    }
    lock.packages.sort_by_cached_key(|package| format!("{package:?}"));
    lock
}

fn check_selection(lock: &Lock, host: &Host) {
    let asked = [Wanted::default(), Wanted { extras: lock.extras.clone(), groups: lock.dependency_groups.clone() }];
    for wanted in asked {
        let Ok(selection) = select(lock, host, &wanted) else { continue };
        let names: BTreeSet<_> = selection.packages.iter().map(|selected| &selected.name).collect();
        assert_eq!(names.len(), selection.packages.len(), "a name is selected twice");
        for selected in &selection.packages {
            let sha256 = selected.artifact.sha256;
            let entries = lock.packages.iter().filter(|package| package.name == selected.name);
            let mut files = entries.flat_map(|package| package.files());
            assert!(files.any(|file| file.sha256 == sha256), "a file that the lock does not list");
        }
    }
}

fn hosts() -> Vec<Host> {
    let host = |(system, python, full): (&str, &str, &str)| {
        let target = pinfold_packaging::Target::new(system.parse().unwrap(), python.parse().unwrap());
        let python: pinfold_packaging::Version = full.parse().unwrap();
        let span = PythonSpan { at_least: python.clone(), below: None };
        let environment = MarkerEnvironment { python_full_version: span, ..target.marker_environment() };
        Host { environment, tags: target.tags(), python }
    };
    let machines =
        [("linux-x86_64", "3.10", "3.10.12"), ("windows-x86_64", "3.11", "3.11.0"), ("macos-aarch64", "3.9", "3.9.20")];
    machines.map(host).into()
}

/// Releases of a kernel: not told, a version, and none.
const RELEASES: [&str; 3] = ["", "6.1.0", "5.10-amd64"];

/// A marker that both rooms read means the same in both: they have nothing in common but the specification, and what a kernel's
/// release is.
fn lock_marker(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(of_lock) = text.parse::<LockMarker>() else { return };
    let printed = of_lock.to_string();
    let again: LockMarker = printed.parse().unwrap_or_else(|error| panic!("`{printed}`: {error}"));
    assert_eq!(again.to_string(), printed);
    let of_requirement: Option<Marker> = text.parse().ok();
    for host in hosts() {
        for extras in [&[][..], &["a"], &["b", "c-d"]] {
            let extras: BTreeSet<ExtraName> = extras.iter().map(|extra| extra.parse().unwrap()).collect();
            for release in RELEASES {
                let environment = MarkerEnvironment {
                    platform_release: Some(release.to_owned()),
                    platform_version: Some(String::new()),
                    ..host.environment.clone()
                };
                let truth = of_lock.evaluate(&environment, &extras, &BTreeSet::new());
                assert_eq!(truth, again.evaluate(&environment, &extras, &BTreeSet::new()), "`{printed}`");
                if let Some(marker) = &of_requirement {
                    let expected = if truth { MarkerTruth::True } else { MarkerTruth::False };
                    assert_eq!(marker.evaluate(&environment, &extras), expected, "`{text}` in {environment:?}");
                }
            }
        }
    }
}
