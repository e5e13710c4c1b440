//! A brute-force oracle: in tiny universes every choice is tried, and resolver and oracle must agree on whether one works.
//! Every resolution runs with all facts, with the facts in the opposite order, and round by round; these must agree too.
//!
//! A world has four projects of a few releases each, with versions and specifiers of every form that PEP 440 has, extras that
//! bring extras, markers of several variables, cycles, files for one system or one Python only, yanks, pre-releases, several
//! targets, and everything that the maintainer can direct. The oracle knows none of the product's code: it has a reading of
//! its own of versions, specifiers and markers, and reads the world, not the text made of it.

mod judge;
mod marker;
mod merged;
mod together;
mod version;
mod world;

use std::collections::BTreeSet;

use pinfold_packaging::{Specifiers, Target};
use pinfold_resolve::{Chosen, Order, Outcome, Problem, RootReason, Solution};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use self::judge::{Choice, Judge, Names};
use self::marker::Place;
use self::version::{Clause, Sign, Version};
use self::world::{ASKERS, Asker, NAMES, POOL, TARGETS, World, world};
use crate::universe::{Universe, name, outcome_in, problem, shown};

/// Patch releases on both sides of whatever a world tells apart.
const PATCHES: [u64; 8] = [0, 3, 4, 5, 7, 8, 9, 30];

/// A world that is resolved for one target.
struct Case<'w> {
    world: &'w World,
    universe: &'w Universe,
    place: Place,
}

impl Case<'_> {
    /// Resolves for a target or a part of one, alone and in an order that another target has learned, and holds what comes out
    /// against the oracle. Returns the order.
    fn agree(&self, problem: &Problem, lent: &Order) -> Result<Order, TestCaseError> {
        self.hold(problem, &outcome_in(self.universe, problem), 0)?;
        let (outcome, order) = self.universe.in_order(problem, lent);
        self.hold(problem, &outcome, 0)?;
        Ok(order)
    }

    /// Holds an outcome against the oracle; of a target that is divided, those of its parts.
    fn hold(&self, problem: &Problem, outcome: &Outcome, depth: usize) -> Result<(), TestCaseError> {
        let context = || {
            format!(
                "{}\n{}\n{}",
                self.world.text(),
                self.world.problem_text(&problem.target.to_string()),
                shown(outcome)
            )
        };
        match outcome {
            Outcome::Divide(cut) => {
                let parts = problem.target.divide(cut);
                prop_assert!(parts.is_some() && depth < PATCHES.len(), "no division\n{}", context());
                for target in parts.map(<[Target; 2]>::from).into_iter().flatten() {
                    let part = Problem { target, ..problem.clone() };
                    self.hold(&part, &outcome_in(self.universe, &part), depth + 1)?;
                }
            }
            Outcome::Need(_) | Outcome::Refused(_) => prop_assert!(false, "{}", context()),
            Outcome::NoSolution(explanation) => {
                for place in span(self.world, self.place, &problem.target) {
                    let judge = Judge::new(self.world, place, &[place]);
                    prop_assert!(!judge.is_satisfiable(Names::Unavoidable), "a solution exists\n{}", context());
                }
                let unique: BTreeSet<&String> = explanation.sentences().iter().collect();
                prop_assert_eq!(unique.len(), explanation.sentences().len(), "a sentence twice\n{}", context());
                prop_assert!(!unique.is_empty(), "no sentence\n{}", context());
                let first = explanation.sentences().first().is_none_or(|sentence| sentence.starts_with("Because "));
                prop_assert!(first, "it begins with what follows from nothing\n{}", context());
                prop_assert!(!explanation.to_string().contains("99999"), "a version that is ours alone\n{}", context());
            }
            Outcome::Solved(solution) => {
                let span = span(self.world, self.place, &problem.target);
                for place in &span {
                    let wrong = wrong(solution, self.world, &Judge::new(self.world, *place, &span));
                    prop_assert!(wrong.is_none(), "{}\n{}", wrong.unwrap_or_default(), context());
                }
            }
        }
        Ok(())
    }
}

/// Returns interpreters of a target, on both sides of whatever the world tells apart.
fn span(world: &World, place: Place, target: &Target) -> Vec<Place> {
    let span = target.python_span();
    let is_inside = |patch: &u64| {
        let python = pinfold_packaging::Version::from_release([3, place.minor, *patch]);
        python >= span.at_least && span.below.as_ref().is_none_or(|below| python < *below)
    };
    let patches: &[u64] = if world.divides() { &PATCHES } else { &PATCHES[..1] };
    patches.iter().copied().filter(is_inside).map(|patch| Place { patch, ..place }).collect()
}

/// Returns what is wrong with a solution.
fn wrong(solution: &Solution, world: &World, judge: &Judge<'_>) -> Option<String> {
    let mut choice = Choice::default();
    for (position, text) in NAMES.iter().enumerate() {
        let Some(chosen) = solution.packages.get(&name(text)) else { continue };
        let version = chosen.version.to_string();
        let found = world.projects[position].iter().position(|release| release.version.to_string() == version);
        choice[position] = found;
        let Some((_, kind)) = found.and_then(|found| judge.file(position, found)) else {
            return Some(format!("{text} {version} has no file"));
        };
        if !chosen.file.filename.as_str().ends_with(kind.end()) {
            return Some(format!("{} instead of {}", chosen.file.filename, kind.end()));
        }
    }
    let Some(reached) = judge.reached(&choice, None, Names::Anybody) else {
        return Some("a requirement is not met".to_owned());
    };
    let own = reached.dependencies.iter().map(|(own, needs)| (NAMES[*own], needs.iter().map(|need| NAMES[*need])));
    let expected: Vec<(&str, Vec<&str>)> = own.map(|(own, needs)| (own, needs.collect())).collect();
    let found: Vec<(&str, Vec<&str>)> = solution
        .packages
        .iter()
        .map(|(own, chosen)| (own.as_str(), chosen.dependencies.iter().map(|need| need.as_str()).collect()))
        .collect();
    if found != expected {
        return Some(format!("reaches {found:?} instead of {expected:?}"));
    }
    for asker in ASKERS {
        let reason = match asker {
            Asker::Base => RootReason::Base,
            Asker::Extra => RootReason::Extra("gpu".parse().unwrap()),
            Asker::Group => RootReason::Group("dev".parse().unwrap()),
        };
        let reached = judge.reached(&choice, Some(asker), Names::Anybody).map(|reached| reached.dependencies)?;
        let is_right = |(position, text): (usize, &&str)| {
            let chosen = solution.packages.get(&name(text));
            chosen.is_some_and(|chosen| chosen.reasons.contains(&reason)) == reached.contains_key(&position)
        };
        if !NAMES.iter().enumerate().all(is_right) {
            return Some(format!("{reason:?} reaches something else"));
        }
    }
    None
}

/// Returns how many worlds are tried: `PINFOLD_ORACLE_CASES`, or so many.
fn cases(default: u32) -> u32 {
    std::env::var("PINFOLD_ORACLE_CASES").map_or(default, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), failure_persistence: None, ..ProptestConfig::default() })]

    /// 1,600 questions, each resolved in four ways.
    #[test]
    fn resolver_and_oracle_agree(world in world()) {
        let universe = Universe::new(&world.text());
        let mut order = Order::default();
        for (target, place) in TARGETS {
            let case = Case { world: &world, universe: &universe, place };
            order = case.agree(&problem(&world.problem_text(target)), &order)?;
        }
    }
}

const SIGNS: [Sign; 10] = [
    Sign::Above,
    Sign::AtLeast,
    Sign::AtMost,
    Sign::Below,
    Sign::Compatible,
    Sign::Equal,
    Sign::EqualPrefix,
    Sign::Identical,
    Sign::NotEqual,
    Sign::NotEqualPrefix,
];

/// The oracle's reading of PEP 440 and both of the product's, over every pair of versions.
#[test]
fn three_readings_of_every_specifier_agree() {
    let pool: Vec<Version> = POOL.iter().map(|text| Version::read(text)).collect();
    let candidates: Vec<(&Version, pinfold_packaging::Version)> =
        pool.iter().map(|own| (own, own.to_string().parse().unwrap())).collect();
    for (own, read) in &candidates {
        for (other, other_read) in &candidates {
            assert_eq!(own.key().cmp(&other.key()), read.cmp(other_read), "{own} and {other}");
        }
    }
    for sign in SIGNS {
        for version in &pool {
            let clause = Clause::new(sign, version);
            let specifiers: Specifiers = clause.to_string().parse().unwrap();
            let ranges = specifiers.ranges();
            for (candidate, read) in &candidates {
                let expected = clause.accepts(candidate);
                assert_eq!(specifiers.contains(read), expected, "{clause} and {candidate}");
                assert_eq!(ranges.contains(read), expected, "the ranges of {clause} and {candidate}");
            }
            assert_eq!(specifiers.is_pinned(), clause.is_pin(), "{clause}");
            assert_eq!(specifiers.mentions_prerelease(), clause.names_prerelease(), "{clause}");
        }
    }
}

/// A generator that makes nothing but dead ends proves nothing.
#[test]
fn worlds_have_answers_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let (mut divided, mut solved, mut unsolved) = (0, 0, 0);
    let (mut several, mut prerelease, mut yanked, mut sdist) = (0, 0, 0, 0);
    for _ in 0..400 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let universe = Universe::new(&world.text());
        match universe.in_order(&problem(&world.problem_text(TARGETS[0].0)), &Order::default()).0 {
            Outcome::Divide(_) => divided += 1,
            Outcome::Need(_) | Outcome::NoSolution(_) | Outcome::Refused(_) => unsolved += 1,
            Outcome::Solved(solution) => {
                let has = |is: fn(&Chosen) -> bool| usize::from(solution.packages.values().any(is));
                solved += 1;
                several += usize::from(solution.packages.len() > 2);
                prerelease += has(|chosen| chosen.version.is_prerelease());
                yanked += has(|chosen| chosen.file.yanked.is_some());
                sdist += has(Chosen::is_sdist);
            }
        }
    }
    let counts = [divided, solved, unsolved, several, prerelease, yanked, sdist];
    assert!(solved > 80 && unsolved > 80 && counts.iter().all(|count| *count > 2), "{counts:?}");
}
