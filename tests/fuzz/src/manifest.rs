//! Manifests and requirements files: what was read can be written and read again, an error points into the text.

use std::collections::BTreeSet;

use pinfold_manifest::{
    Manifest, ManifestError, Reference, ReferenceSource, Requested, Routes, Sourced, read_constraints,
    read_requirements,
};
use pinfold_packaging::Requirement;

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] =
    &[Target { name: "manifest", body: manifest }, Target { name: "requirements_file", body: requirements_file }];

/// Longer texts may not fit into the limit of a requirement once they are printed with more blanks.
const READABLE_AGAIN_BYTES: usize = 1024;

fn manifest(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for read in [Manifest::parse_toml(text, "pinfold.toml"), Manifest::parse_pyproject(text, "pyproject.toml")] {
        let manifest = match read {
            Ok(manifest) => manifest,
            Err(error) => {
                check_error(&error, text);
                continue;
            }
        };
        let targets: BTreeSet<String> = manifest.targets.iter().map(ToString::to_string).collect();
        assert!(!targets.is_empty() && targets.len() == manifest.targets.len(), "{targets:?}");
        for target in &manifest.targets {
            assert_eq!(target.to_string().parse().as_ref(), Ok(target));
        }
        check_requirements(&manifest.dependencies, text);
        check_requirements(&manifest.constraints, text);
        check_requirements(&manifest.overrides, text);
        manifest.groups.values().chain(manifest.extras.values()).for_each(|list| check_requirements(list, text));
        if let Ok(routes) = Routes::new(&manifest.indexes) {
            for index in &manifest.indexes {
                let routed = index.packages.iter().all(|name| routes.index_of(name).name == index.name);
                assert!(routed, "{} does not get its packages", index.name);
            }
        }
    }
}

fn check_requirements(requirements: &[Sourced<Requested>], text: &str) {
    for sourced in requirements {
        assert!(sourced.line <= text.matches('\n').count() + 1, "{sourced:?}");
        let Requested { requirement, reference } = &sourced.value;
        assert!(requirement.url.is_none() && (reference.is_none() || requirement.specifiers.is_any()), "{sourced:?}");
        let printed = requirement.to_string();
        if printed.len() <= READABLE_AGAIN_BYTES {
            assert_eq!(Requirement::parse(&printed).as_ref(), Ok(requirement), "{printed}");
            check_printed(&sourced.value);
        }
    }
}

/// Checks that what was asked for is the same when its own words are asked for.
fn check_printed(requested: &Requested) {
    // A path is shown to people as it is, blanks and all.
    if let Some(ReferenceSource::Path(path)) = requested.reference.as_ref().map(|reference| &reference.source)
        && path.as_str().contains(|c: char| !c.is_ascii_alphanumeric() && !"./_-+".contains(c))
    {
        return;
    }
    let printed = requested.to_string();
    let quote = if printed.contains('\'') { '"' } else { '\'' };
    if printed.contains([quote, '\\']) || printed.len() > READABLE_AGAIN_BYTES {
        return;
    }
    let manifest = format!("[project]\ndependencies = [{quote}{printed}{quote}]\n");
    let again = Manifest::parse_toml(&manifest, "again").unwrap_or_else(|error| panic!("{}", error.report()));
    let reference = requested.reference.clone().map(|reference| Reference { has_egg: false, ..reference });
    let expected = Requested { requirement: requested.requirement.clone(), reference };
    assert_eq!(again.dependencies[0].value, expected, "{printed}");
}

/// Checks that an error can be shown: in the text, and with nothing that drives a terminal.
fn check_error(error: &ManifestError, text: &str) {
    let place = error.place();
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(place.line <= lines.len(), "{place:?}");
    if let Some(line) = place.line.checked_sub(1).and_then(|line| lines.get(line)) {
        assert!(place.column >= 1 && place.column <= line.chars().count() + 1, "{place:?}");
    }
    assert!(place.length >= 1);
    let report = error.report();
    assert!(!report.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{report:?}");
}

fn requirements_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut reads = 0;
    let mut read = |path: &str| {
        reads += 1;
        match path {
            "requirements.txt" => Ok(text.into()),
            "more.txt" => Ok("b==1\n-c below/even-more.txt\n".into()),
            "below/even-more.txt" => Ok("c<2 ; python_version < '3'".into()),
            _ => Err("there is no such file".to_owned()),
        }
    };
    let environment = |name: &str| (name == "VERSION").then(|| "1.0".to_owned());
    let result = read_requirements("requirements.txt", &mut read, &|_| None, &environment);
    assert!(reads <= 1000, "{reads} files were read");
    match result {
        Ok(file) => {
            let all = file.requirements.iter().chain(&file.constraints);
            for sourced in all.clone().filter(|sourced| sourced.file == "requirements.txt") {
                check_requirements(std::slice::from_ref(sourced), text);
            }
            let names: BTreeSet<_> = all.map(|sourced| &sourced.value.requirement.name).collect();
            assert!(file.hashes.iter().all(|demand| names.contains(&demand.value.name)), "a hash of nothing");
        }
        Err(error) if error.place().file == "requirements.txt" => check_error(&error, text),
        Err(_) => {}
    }
    let mut read = |path: &str| if path == "a.txt" { Ok(text.into()) } else { Err("no".to_owned()) };
    if let Ok(file) = read_constraints("a.txt", &mut read, &|_| None, &environment) {
        assert!(file.requirements.is_empty(), "a constraint became a requirement");
    }
}
