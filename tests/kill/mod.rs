//! `sync` and `rollback` are killed at every system call with which they change the file system, one run for each.
//!
//! Afterwards the environment is the old one or the new one, byte for byte, mode for mode and link for link, `verify` finds
//! nothing, the next run gives the new one, the old one is in the history, and everything in the store is what was stored.
//!
//! Where a system cannot exchange two directories, two renames do, and in between there is no environment; then what reads
//! the history next finishes what was begun. The tracer hides the call from some of the runs.
//!
//! The suite takes every so manieth point of each scenario, and all between the two renames; `tests/kill/all` takes them all.

use std::collections::BTreeMap;

use pinfold_testkit::{Meddling, Point, Watching, announce_skipped};

use scenario::{Found, Scenario};

pub(crate) mod scenario;

/// Set to take every point instead of a sample, or every so manieth.
pub(crate) const EVERY_POINT: &str = "PINFOLD_TEST_EVERY_POINT";

/// Returns every `step`-th of the points, or all if the full run was asked for.
pub(crate) fn sample(points: &[Point], step: usize) -> Vec<&Point> {
    let step = std::env::var(EVERY_POINT).map_or(step, |step| step.parse().unwrap_or(1));
    points.iter().step_by(step).collect()
}

/// Says on standard error what a full run came to; a sample says nothing.
pub(crate) fn tell(text: &str) {
    if std::env::var_os(EVERY_POINT).is_some() {
        use std::io::Write;
        let _closed = writeln!(std::io::stderr(), "{text}");
    }
}

/// Kills the scenario at every `step`-th of its points.
fn check(scenario: &Scenario, step: usize) {
    let before = scenario.prepare();
    let traced = match scenario.traced(Watching::Changes, None) {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped(&format!("killing during {}", scenario.name), &reason),
    };
    let context = format!("{}, left in peace: {}", scenario.name, traced.finished);
    assert!(traced.finished.code == 0 && scenario.found(&before, &context) == Found::New, "{context}");
    scenario.goes_on(&before, &context);
    assert!(traced.points.len() > FEWEST_POINTS, "{}: only {} points", scenario.name, traced.points.len());
    let (mut outcomes, mut missed, mut between) = (BTreeMap::new(), Vec::new(), 0_usize);
    let steps = two_steps(&traced.points);
    assert_eq!(steps.is_empty(), !scenario.is_in_two_steps(), "{:#?}", traced.points);
    let mut chosen: Vec<&Point> = sample(&traced.points, step).into_iter().chain(steps).collect();
    chosen.sort();
    chosen.dedup();
    for point in &chosen {
        let before = scenario.prepare();
        let killed = scenario.traced(Watching::Changes, Some((point, Meddling::Kill)));
        let killed = killed.expect("it could be traced a moment ago");
        let context = format!("{}, killed before {point}: {}", scenario.name, killed.finished);
        assert!(killed.finished.code == if killed.met { -1 } else { 0 }, "{context}");
        between += usize::from(scenario.settle(&before, &context));
        let found = scenario.found(&before, &context);
        assert!(killed.met || found == Found::New, "{context}");
        missed.extend((!killed.met).then(|| point.to_string()));
        *outcomes.entry(found).or_insert(0_usize) += usize::from(killed.met);
        scenario.goes_on(&before, &context);
    }
    tell(&format!(
        "{}: {} points, {} tried, {missed:?} not met again, {between} between, {outcomes:?}",
        scenario.name,
        traced.points.len(),
        chosen.len()
    ));
    assert!(
        // Of two distributions that bring the same file the one that is unpacked first is linked.
        missed.len() <= 1 + chosen.len() / 20,
        "{}: of {} points not met again: {missed:?}",
        scenario.name,
        chosen.len()
    );
    assert!(
        outcomes.values().sum::<usize>() + missed.len() == chosen.len() && outcomes.contains_key(&Found::Old),
        "{outcomes:?}"
    );
    assert_eq!(between > 0, scenario.is_in_two_steps() && !before.is_empty(), "{between} between two renames");
}

/// Returns the calls of an exchange in two steps: from the note of what is to be done to its removal.
fn two_steps(points: &[Point]) -> &[Point] {
    let is_note = |point: &Point| point.files == NOTE;
    let (first, last) = (points.iter().position(is_note), points.iter().rposition(is_note));
    first.zip(last).map_or(&[], |(first, last)| &points[first..=last])
}

/// The note that is written before the first of two renames.
const NOTE: &str = "project/.pinfold-.venv/exchange";
/// Fewer system calls than these cannot be a change of an environment.
const FEWEST_POINTS: usize = 5;

#[test]
fn killed_during_a_first_install() {
    check(&Scenario::first_install(), 19);
}

#[test]
fn killed_during_an_update() {
    check(&Scenario::update(), 19);
}

#[test]
fn killed_during_an_update_by_copies() {
    check(&Scenario::update_by_copies(), 37);
}

#[test]
fn killed_during_an_update_with_bytecode() {
    check(&Scenario::update_with_bytecode(), 37);
}

#[test]
fn killed_during_an_update_with_a_spare() {
    check(&Scenario::update_with_spare(), 19);
}

#[test]
fn killed_during_a_rollback() {
    check(&Scenario::rollback(), 2);
}

#[test]
fn killed_during_a_repair() {
    check(&Scenario::repair(), 37);
}

#[test]
fn killed_during_a_first_install_in_two_steps() {
    check(&Scenario::first_install_in_two_steps(), 37);
}

#[test]
fn killed_during_an_update_in_two_steps() {
    check(&Scenario::update_in_two_steps(), 37);
}

#[test]
fn killed_during_a_rollback_in_two_steps() {
    check(&Scenario::rollback_in_two_steps(), 3);
}
