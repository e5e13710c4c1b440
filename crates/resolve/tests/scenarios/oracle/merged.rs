//! From random worlds to a lock and back: what a target's resolution has is what the lock gives to each of its interpreters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pinfold_artifact::Sha256;
use pinfold_lock::{
    ArtifactKind, Asked, BuildRecipe, Host, Lock, LockSettings, LockedFile, LockedIndex, Reach, Resolution, Resolved,
    Tool, Wanted, merge, select,
};
use pinfold_packaging::{PackageName, Prerelease, PythonSpan, Strategy as Preference, Target, Version};
use pinfold_resolve::{Chosen, Outcome, Problem, RootReason, Solution};
use proptest::prelude::*;

use super::marker::Place;
use super::world::{TARGETS, World, world};
use super::{cases, span};
use crate::universe::{Universe, origin, problem};

/// Every solution that the world has for a target, or for a part of one.
fn solutions(universe: &Universe, problem: &Problem, found: &mut Vec<Solution>) {
    match universe.in_order(problem, &pinfold_resolve::Order::default()).0 {
        Outcome::Divide(cut) => {
            let parts = problem.target.divide(&cut).map(<[Target; 2]>::from);
            for target in parts.into_iter().flatten() {
                solutions(universe, &Problem { target, ..problem.clone() }, found);
            }
        }
        Outcome::Solved(solution) => found.push(solution),
        Outcome::Need(_) | Outcome::NoSolution(_) | Outcome::Refused(_) => {}
    }
}

/// Solves target after target, as the command does: what was chosen is preferred by those that follow.
fn all_solutions(world: &World, universe: &Universe) -> Vec<(Place, Solution)> {
    let mut preferences: BTreeMap<PackageName, Vec<Version>> = BTreeMap::new();
    let mut all = Vec::new();
    for (target, place) in TARGETS {
        let mut posed = problem(&world.problem_text(target));
        for (name, versions) in &preferences {
            posed.preferences.entry(name.clone()).or_insert_with(|| versions.clone());
        }
        let mut found = Vec::new();
        solutions(universe, &posed, &mut found);
        for solution in found {
            for (name, chosen) in &solution.packages {
                preferences.entry(name.clone()).or_insert_with(|| vec![chosen.version.clone()]);
            }
            all.push((place, solution));
        }
    }
    all
}

/// A digest that follows from a text, well enough for tests.
fn digest(text: &str) -> Sha256 {
    let mut bytes = [0_u8; 32];
    for (position, byte) in text.bytes().enumerate() {
        bytes[position % 32] = bytes[position % 32].rotate_left(3) ^ byte;
    }
    Sha256::from_bytes(bytes)
}

fn resolved(chosen: &Chosen) -> Resolved {
    let mut reach = Reach::default();
    for reason in &chosen.reasons {
        match reason {
            RootReason::Base => reach.base = true,
            RootReason::Extra(name) => drop(reach.extras.insert(name.clone())),
            RootReason::Group(name) => drop(reach.groups.insert(name.clone())),
        }
    }
    Resolved {
        version: chosen.version.clone(),
        file: LockedFile {
            filename: chosen.file.filename.clone(),
            url: chosen.file.url.to_safe_url(),
            size_bytes: 1 + chosen.file.filename.as_str().len() as u64,
            sha256: digest(chosen.file.filename.as_str()),
            upload_time: chosen.file.upload_time,
        },
        kind: if chosen.is_sdist() { ArtifactKind::Sdist } else { ArtifactKind::Wheel },
        index: Some(chosen.origin.index().clone()),
        direct: None,
        dependencies: chosen.dependencies.clone(),
        reach,
        requires_python: chosen.requires_python.clone(),
    }
}

/// What the command knows beside the resolutions: the index, and how each sdist is built.
fn settings(solutions: &[(Place, Solution)]) -> LockSettings {
    let chosen = solutions.iter().flat_map(|(_, solution)| &solution.packages);
    let sdists: BTreeMap<_, _> =
        chosen.filter(|(_, chosen)| chosen.is_sdist()).map(|own| (&own.1.file.filename, own)).collect();
    let recipe = |(name, chosen): &(&PackageName, &Chosen)| BuildRecipe {
        name: (*name).clone(),
        version: chosen.version.clone(),
        sdist: digest(chosen.file.filename.as_str()),
        targets: Vec::new(),
        backend: "backend".to_owned(),
        backend_path: Vec::new(),
        metadata: digest("metadata"),
        requires: Vec::new(),
    };
    LockSettings {
        extras: ["gpu".parse().unwrap()].into(),
        dependency_groups: ["dev".parse().unwrap()].into(),
        default_groups: BTreeSet::new(),
        created_by: "pinfold".to_owned(),
        tool: Some(Tool {
            schema: Tool::SCHEMA,
            inputs: digest("inputs"),
            exclude_newer: None,
            exclude_newer_span: None,
            prerelease: Prerelease::IfNecessary,
            resolution: Preference::Highest,
            targets: Vec::new(),
            python: Vec::new(),
            indexes: vec![LockedIndex {
                name: "main".to_owned(),
                url: origin().index().clone(),
                file_hosts: BTreeSet::new(),
                insecure: false,
            }],
            builds: sdists.values().map(recipe).collect(),
            accepts: Vec::new(),
            asked: Asked::default(),
            computed: BTreeSet::new(),
            first_seen: BTreeMap::new(),
            trees: Vec::new(),
            metadata: BTreeMap::new(),
        }),
    }
}

/// An interpreter of a target.
fn host(target: &Target, place: &Place) -> Host {
    let python = Version::from_release([3, place.minor, place.patch]);
    let mut environment = target.marker_environment();
    environment.python_full_version = PythonSpan { at_least: python.clone(), below: None };
    environment.platform_release = Some("6.1.0-18".to_owned());
    environment.platform_version = Some("#1 SMP".to_owned());
    Host { environment, tags: target.tags(), python }
}

/// Nothing, the extra, the group, and both.
fn questions() -> [Wanted; 4] {
    let (extras, groups) = (BTreeSet::from(["gpu".parse().unwrap()]), BTreeSet::from(["dev".parse().unwrap()]));
    let none = Wanted::default();
    let extra = Wanted { extras: extras.clone(), ..none.clone() };
    let group = Wanted { groups: groups.clone(), ..none.clone() };
    [none, extra, group, Wanted { extras, groups }]
}

/// Holds what a lock gives to an interpreter against the resolution of its target.
fn hold(lock: &Lock, host: &Host, solution: &Solution, wanted: &Wanted) -> Result<(), TestCaseError> {
    let holding =
        lock.environments.iter().filter(|own| own.evaluate(&host.environment, &wanted.extras, &wanted.groups));
    prop_assert_eq!(holding.count(), 1, "{} is in one environment of\n{}", host, lock.to_text());
    let selection =
        select(lock, host, wanted).map_err(|error| TestCaseError::fail(format!("{error}\n{}", lock.to_text())))?;
    let is_wanted = |chosen: &Chosen| {
        chosen.reasons.iter().any(|reason| match reason {
            RootReason::Base => true,
            RootReason::Extra(name) => wanted.extras.contains(name),
            RootReason::Group(name) => wanted.groups.contains(name),
        })
    };
    let expected: BTreeMap<_, _> = solution.packages.iter().filter(|(_, chosen)| is_wanted(chosen)).collect();
    let found: Vec<_> = selection.packages.iter().map(|own| (&own.name, own.artifact.filename.as_str())).collect();
    let files: Vec<_> = expected.iter().map(|(name, chosen)| (*name, chosen.file.filename.as_str())).collect();
    prop_assert_eq!(found, files, "{} with {:?}\n{}", host, wanted, lock.to_text());
    for selected in &selection.packages {
        let chosen = expected[&selected.name];
        prop_assert_eq!(&selected.version, &chosen.version);
        prop_assert_eq!(selected.recipe.is_some(), chosen.is_sdist());
        // What only another asker's extra of it needs is not there; and an entry that targets share names the needs of all.
        let mut needs = chosen.dependencies.iter().filter(|need| expected.contains_key(need));
        prop_assert!(needs.all(|need| selected.dependencies.contains(need)), "{}\n{}", selected.name, lock.to_text());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_resolved_for_a_target_is_what_the_lock_gives_it(world in world()) {
        let universe = Universe::new(&world.text());
        let all = all_solutions(&world, &universe);
        let mut resolutions: Vec<Resolution> = Vec::new();
        for (_, solution) in &all {
            let packages = solution.packages.iter().map(|(name, chosen)| (name.clone(), Arc::new(resolved(chosen))));
            resolutions.push(Resolution { target: solution.target.clone(), packages: packages.collect() });
        }
        let Ok(lock) = merge(&resolutions, settings(&all)) else {
            prop_assert!(all.is_empty(), "{}", merge(&resolutions, settings(&all)).unwrap_err());
            return Ok(());
        };
        let text = lock.to_text();
        let (read, warnings) =
            Lock::read(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert!(warnings.is_empty(), "{:?}\n{}", warnings, text);
        prop_assert_eq!(read.to_text(), text.clone());
        resolutions.reverse();
        prop_assert_eq!(merge(&resolutions, settings(&all)).unwrap().to_text(), text.clone());
        // To an installer that knows nothing of pinfold it says the same.
        let bare = Lock { tool: None, ..read.clone() };
        for (place, solution) in &all {
            for place in span(&world, *place, &solution.target) {
                let host = host(&solution.target, &place);
                for wanted in questions() {
                    hold(&read, &host, solution, &wanted)?;
                    let selected = |lock: &Lock| {
                        let selection = select(lock, &host, &wanted).unwrap();
                        selection.packages.into_iter().map(|own| own.artifact.filename).collect::<Vec<_>>()
                    };
                    if read.tool.as_ref().is_some_and(|tool| tool.builds.is_empty()) {
                        prop_assert_eq!(selected(&bare), selected(&read));
                    }
                }
            }
        }
        refuse_others(&world, &read, &all)?;
    }
}

/// An interpreter that no solution is for gets nothing.
fn refuse_others(world: &World, lock: &Lock, all: &[(Place, Solution)]) -> Result<(), TestCaseError> {
    for (target, whole) in TARGETS {
        let target = problem(&world.problem_text(target)).target;
        for place in span(world, whole, &target) {
            let python = Version::from_release([3, place.minor, place.patch]);
            let is_for = |solution: &Solution| {
                let own = solution.target.python_span();
                let inside = python >= own.at_least && own.below.is_none_or(|below| python < below);
                inside && solution.target.system() == target.system()
            };
            if !all.iter().any(|(_, solution)| is_for(solution)) {
                let refused = select(lock, &host(&target, &place), &Wanted::default());
                prop_assert!(refused.is_err(), "{target} {python}\n{}", lock.to_text());
            }
        }
    }
    Ok(())
}
