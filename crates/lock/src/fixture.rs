//! What the tests of several modules are made of: small resolutions, written in one line each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_packaging::{PackageName, Prerelease, PythonSpan, Strategy, Target, Version, WheelFilename};

use crate::{ArtifactKind, Asked, Host, LockSettings, LockedFile, LockedIndex, Reach, Resolution, Resolved, Tool};

pub(crate) const INDEX: &str = "https://index.example/simple/";

/// Returns the target of `linux-x86_64 3.10`.
pub(crate) fn target(text: &str) -> Target {
    let (system, python) = text.split_once(' ').unwrap();
    Target::new(system.parse().unwrap(), python.parse().unwrap())
}

/// Returns a digest that follows from a text, well enough for tests.
pub(crate) fn digest(text: &str) -> Sha256 {
    let mut bytes = [0_u8; 32];
    for (position, byte) in text.bytes().enumerate() {
        bytes[position % 32] = bytes[position % 32].rotate_left(3) ^ byte ^ (position as u8);
    }
    Sha256::from_bytes(bytes)
}

pub(crate) fn file(filename: &str) -> LockedFile {
    let filename: ArtifactFilename = filename.parse().unwrap();
    LockedFile {
        url: format!("https://files.example/{}", filename.as_str().replace('+', "%2B")).parse().unwrap(),
        size_bytes: 1000 + filename.as_str().len() as u64,
        sha256: digest(filename.as_str()),
        upload_time: Some("2024-05-01T12:30:00.25Z".parse().unwrap()),
        filename,
    }
}

/// Returns a package of the index: its file name, what it needs, and what needs it (`base`, `extra x`, `group g`).
pub(crate) fn resolved(filename: &str, dependencies: &[&str], reach: &[&str]) -> (PackageName, Arc<Resolved>) {
    let file = file(filename);
    let (name, version, kind) = match WheelFilename::parse(&file.filename) {
        Ok(wheel) => (wheel.name.clone(), wheel.version.clone(), ArtifactKind::Wheel),
        Err(_) => {
            let (name, version) = filename.strip_suffix(".tar.gz").unwrap().rsplit_once('-').unwrap();
            (name.parse().unwrap(), version.parse().unwrap(), ArtifactKind::Sdist)
        }
    };
    let reach = Reach {
        base: reach.contains(&"base"),
        extras: reach.iter().filter_map(|reach| reach.strip_prefix("extra ")).map(|x| x.parse().unwrap()).collect(),
        groups: reach.iter().filter_map(|reach| reach.strip_prefix("group ")).map(|x| x.parse().unwrap()).collect(),
    };
    let resolved = Resolved {
        version,
        file,
        kind,
        index: Some(INDEX.parse().unwrap()),
        direct: None,
        dependencies: dependencies.iter().map(|name| name.parse().unwrap()).collect(),
        reach,
        requires_python: None,
    };
    (name, Arc::new(resolved))
}

/// Returns the resolution of a target that needs these files in any case.
pub(crate) fn resolution(target: Target, filenames: &[&str]) -> Resolution {
    let packages = filenames.iter().map(|filename| resolved(filename, &[], &["base"])).collect();
    Resolution { target, packages }
}

pub(crate) fn settings() -> LockSettings {
    LockSettings {
        extras: ["gpu", "x"].map(|name| name.parse().unwrap()).into(),
        dependency_groups: ["dev"].map(|name| name.parse().unwrap()).into(),
        default_groups: BTreeSet::new(),
        created_by: "pinfold".to_owned(),
        tool: Some(Tool {
            schema: Tool::SCHEMA,
            inputs: digest("inputs"),
            exclude_newer: Some("2024-08-20T00:00:00Z".parse().unwrap()),
            exclude_newer_span: None,
            prerelease: Prerelease::IfNecessary,
            resolution: Strategy::Highest,
            targets: Vec::new(),
            python: Vec::new(),
            indexes: vec![LockedIndex {
                name: "main".to_owned(),
                url: INDEX.parse().unwrap(),
                file_hosts: ["files.example".parse().unwrap()].into(),
                insecure: false,
            }],
            builds: Vec::new(),
            accepts: Vec::new(),
            asked: Asked::default(),
            computed: BTreeSet::new(),
            first_seen: BTreeMap::new(),
            trees: Vec::new(),
            metadata: BTreeMap::new(),
        }),
    }
}

/// Returns an interpreter that is the target's oldest machine, with the given full version.
pub(crate) fn host(target: &Target, python: &str) -> Host {
    let python: Version = python.parse().unwrap();
    let mut environment = target.marker_environment();
    environment.python_full_version = PythonSpan { at_least: python.clone(), below: None };
    environment.platform_release = Some("6.1.0-18-amd64".to_owned());
    environment.platform_version = Some("#1 SMP".to_owned());
    Host { environment, tags: target.tags(), python }
}
