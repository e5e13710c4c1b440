//! Each system call with which a change of an environment reads or writes files fails once: no room, a broken device, no
//! permission, too many open files.
//!
//! Then the run ends with exit code 4, names file and cause, and leaves the old environment; or the failure is one that does
//! no harm (they are listed here), and the environment is the new one. Either way the next run succeeds, and the store holds
//! what was stored. The suite takes a sample of the calls; `tests/kill/all` takes them all.

use std::collections::BTreeMap;

use pinfold_testkit::{Failing, Finished, Meddling, Point, Traced, Watching, announce_skipped};

use crate::kill::scenario::{Found, Scenario, Tree};
use crate::kill::{sample, tell};

/// Fails every `step`-th call of a scenario, in each way that such a call can fail.
fn check(scenario: &Scenario, step: usize) {
    check_also(scenario, step, |_| false);
}

/// Fails every `step`-th call of a scenario, and these.
fn check_also(scenario: &Scenario, step: usize, is_chosen: impl Fn(&Point) -> bool) {
    let before = scenario.prepare();
    let traced = match scenario.command().traced(Watching::ChangesAndReads, None) {
        Ok(traced) => traced,
        Err(reason) => return announce_skipped(&format!("failing during {}", scenario.name), &reason),
    };
    let context = format!("{}, left in peace: {}", scenario.name, traced.finished);
    assert!(traced.finished.code == 0 && scenario.found(&before, &context) == Found::New, "{context}");
    scenario.goes_on(&before, &context);
    let (mut tried, mut missed, mut failed) = (0_usize, 0_usize, 0_usize);
    let mut wrong = BTreeMap::new();
    let mut chosen = sample(&traced.points, step);
    chosen.extend(traced.points.iter().filter(|point| is_chosen(point)));
    chosen.sort();
    chosen.dedup();
    for point in chosen {
        for failing in ways(point) {
            let meddle = Some((point, Meddling::Fail(*failing)));
            let (before, run) = meets(scenario, || {
                let run = scenario.command().traced(Watching::ChangesAndReads, meddle);
                run.expect("it could be traced a moment ago")
            });
            let context = format!("{}, {failing:?} at {point}: {}", scenario.name, run.finished);
            tried += 1;
            missed += usize::from(!run.met);
            let found = scenario.found(&before, &context);
            if run.met
                && let Err(why) = judge(point, *failing, &run.finished, found)
            {
                wrong.entry(format!("{} {}", point.call, point.files)).or_insert(format!("{why}: {context}"));
            }
            failed += usize::from(run.finished.code == 4);
            if is_damage(scenario, point, *failing) {
                scenario.syncs(&context);
            }
            scenario.goes_on(&before, &context);
        }
    }
    tell(&format!(
        "{}: {} calls, {tried} failures, {missed} not met again, {failed} ended the run",
        scenario.name,
        traced.points.len()
    ));
    let all: Vec<_> = wrong.values().map(String::as_str).collect();
    assert!(all.is_empty(), "{} kinds of failure end wrongly\n{}", all.len(), all.join("\n----\n"));
    // A sample is small: one or two calls of fourteen that another order of threads makes elsewhere say nothing of the others.
    assert!(missed * 10 <= tried + 10 && failed > 0, "{missed} missed and {failed} failed of {tried}");
}

/// Runs a scenario until it meets its point. Which of two threads makes a call that both could make is not the same in every
/// run, and on a busy machine less so.
fn meets(scenario: &Scenario, mut run: impl FnMut() -> Traced) -> (Tree, Traced) {
    for _ in 1..TRIES {
        let before = scenario.prepare();
        let traced = run();
        if traced.met {
            return (before, traced);
        }
        scenario.goes_on(&before, &format!("{}, a call not met again: {}", scenario.name, traced.finished));
    }
    (scenario.prepare(), run())
}

/// Runs until a call counts as one that is not made again.
const TRIES: usize = 5;

/// Returns true where a failure is taken for damage, and rightly: what may not be looked at in a stored tree, in the record of
/// where it came from, or where it was linked from there, was closed by somebody, and is put aside. A repair, which fetches
/// nothing, then leaves it to the next sync.
fn is_damage(scenario: &Scenario, point: &Point, failing: Failing) -> bool {
    scenario.name == "repair"
        && matches!(failing, Failing::Denied)
        && looks(point)
        && ["cache/store/artifacts/", "cache/store/trees/", ".pinfold-.venv/staging/"]
            .iter()
            .any(|place| point.files.contains(place))
}

/// In which ways a call can fail.
const fn ways(point: &Point) -> &'static [Failing] {
    match point.call.as_bytes() {
        b"openat" => &[Failing::Device, Failing::Denied, Failing::Files],
        b"openat(write)" => &[Failing::Room, Failing::Device, Failing::Denied, Failing::Files],
        b"read" | b"pread64" | b"getdents64" | b"fstat" | b"flock" => &[Failing::Device],
        b"statx" | b"newfstatat" | b"readlink" => &[Failing::Device, Failing::Denied],
        b"write" | b"pwrite64" | b"writev" | b"ftruncate" | b"fallocate" | b"copy_file_range" => {
            &[Failing::Room, Failing::Device]
        }
        // Links that are not permitted are made as copies, which is another environment to the byte.
        b"linkat" => &[Failing::Room, Failing::Device],
        _ => &[Failing::Room, Failing::Device, Failing::Denied],
    }
}

/// Says what is wrong with how a run ended.
fn judge(point: &Point, failing: Failing, run: &Finished, found: Found) -> Result<(), String> {
    let is_among =
        |list: &[(&str, &str)]| list.iter().any(|(call, place)| *call == point.call && is_at(&point.files, place));
    let harmless = is_among(HARMLESS) || (matches!(failing, Failing::Denied) && is_among(HARMLESS_IF_DENIED));
    match (run.code, found) {
        // The user named the lock: an input that cannot be read.
        (2, Found::Old) if point.files.starts_with("project/pylock.") => Ok(()),
        // Only `verify --repair` ends so: it says what it found, and why it left it.
        (1, Found::Old) if run.stderr.contains("not repaired: ") => Ok(()),
        // What is there was compared byte by byte: a look that failed did no harm, a change that failed may have.
        (0, Found::New) if harmless || looks(point) => Ok(()),
        (0, Found::New) => Err("it does harm, and was passed over".to_owned()),
        (4, Found::Old) => {
            let cause = match failing {
                Failing::Denied => "(os error 13)",
                Failing::Device => "(os error 5)",
                Failing::Files => "(os error 24)",
                Failing::Room => "(os error 28)",
            };
            let named = point.files.split([' ', '/']).filter(|name| !name.contains("RANDOM") && *name != "N");
            let named = point.files.is_empty()
                || [".whl` cannot be unpacked", "a temporary home"].iter().any(|what| run.stderr.contains(what))
                || named.filter(|name| run.stderr.contains(name)).count() > 0;
            // The standard library asks whether a directory is there when it could not make it, and keeps that answer to itself.
            let told = run.stderr.contains(cause) || point.call == "statx" && run.stderr.contains("(os error 17)");
            if told && named && run.stderr.contains("help: ") {
                Ok(())
            } else {
                Err("the message does not say where and why".to_owned())
            }
        }
        (code, found) => Err(format!("exit code {code} and the environment {found:?}")),
    }
}

/// Returns true if the files of a call are of this place: a part of their path, or all of it behind `=`.
fn is_at(files: &str, place: &str) -> bool {
    place.strip_prefix('=').map_or_else(|| files.contains(place), |whole| files == whole)
}

/// Returns true for calls that change nothing.
fn looks(point: &Point) -> bool {
    [
        "open",
        "openat",
        "read",
        "pread64",
        "getdents64",
        "fstat",
        "flock",
        "statx",
        "newfstatat",
        "readlink",
        "readlinkat",
    ]
    .contains(&point.call)
}

/// Calls whose failure does no harm, by name and place (a part of the path; with `=` all of it), each with the reason.
const HARMLESS_IF_DENIED: &[(&str, &str)] = &[
    // Whoever may only read there can hold the lock all the same.
    ("openat(write)", "cache/store/lock"),
    // One that may not be written is of somebody who has completed it: another is begun.
    ("openat(write)", "cache/store/partial/"),
];

/// The same, in whichever way it fails.
const HARMLESS: &[(&str, &str)] = &[
    // The environment is in place. What is left is told as a warning, and the next run makes up for it.
    ("mkdir", ".pinfold-.venv/generations"),
    ("mkdirat", ".pinfold-.venv/generations"),
    ("openat(write)", ".pinfold-.venv/ledger.jsonl"),
    ("renameat2", ".pinfold-.venv/generations/N"),
    ("fdatasync", ".pinfold-.venv/ledger.jsonl"),
    ("fsync", "=project"),
    ("unlink", ".pinfold-.venv/unfinished"),
    ("unlinkat", ".pinfold-.venv/unfinished"),
    ("write", ".pinfold-.venv/ledger.jsonl"),
    // A copy of the ledger, for `trace`: a warning says that it is not there.
    ("fsync", "cache/environments/"),
    ("mkdir", "cache/environments"),
    ("openat(write)", "cache/environments/"),
    ("rename", "cache/environments/"),
    ("write", "cache/environments/"),
    // What was compiled is in the environment, and is not kept for the next one.
    ("mkdir", "cache/compiled"),
    ("openat(write)", "cache/compiled/"),
    ("rename", "cache/compiled/"),
    ("write", "cache/compiled/"),
    // What surplus generations leave: the next run that changes something removes it.
    ("mkdir", ".pinfold-.venv/discarded"),
    ("mkdirat", ".pinfold-.venv/discarded"),
    ("rename", ".pinfold-.venv/discarded"),
    ("renameat2", ".pinfold-.venv/discarded"),
    ("rmdir", ".pinfold-.venv/discarded"),
    ("unlinkat", ".pinfold-.venv/discarded"),
    ("unlink", ".pinfold-.venv/discarded"),
    // Blocks cannot be shared: files are linked instead.
    ("ioctl", ".pinfold-.venv/staging"),
    // The first file is tried as one that shares its blocks; where that may not be, it is linked.
    ("openat(write)", ".pinfold-.venv/staging/new-N/lib"),
    // Directories that could not be made ahead are made again when files are placed in them.
    ("mkdirat", ".pinfold-.venv/staging/new-N/"),
    // What cannot be placed while other files still arrive is placed, or told, when all are there.
    ("linkat", ".pinfold-.venv/staging/new-N/lib"),
    ("unlinkat", ".pinfold-.venv/staging/new-N/lib"),
    // Whatever fails while a spare is changed into a generation: the generation is built without it.
    ("linkat", ".pinfold-.venv/staging/new-N/"),
    ("openat(write)", ".pinfold-.venv/staging/new-N/"),
    ("renameat2", ".pinfold-.venv/spare"),
    ("symlinkat", ".pinfold-.venv/staging/new-N/"),
    ("unlinkat", ".pinfold-.venv/staging/new-N/"),
    ("write", ".pinfold-.venv/staging/new-N/"),
    // The number of the process, which is only shown, is not in the lock file, or stays there when nobody holds it any more.
    ("ftruncate", ".pinfold-.venv/lock"),
    ("write", ".pinfold-.venv/lock"),
    // What is remembered of interpreters: the next run asks them again.
    ("mkdir", "cache/interpreters"),
    ("openat(write)", "cache/interpreters/"),
    ("write", "cache/interpreters/"),
    ("rename", "cache/interpreters/"),
    // A temporary home of the interpreter that is asked what it is.
    ("rmdir", "tmp/pinfold-home-RANDOM"),
    ("unlinkat", "tmp/pinfold-home-RANDOM"),
];

#[test]
fn failing_during_a_first_install() {
    check(&Scenario::first_install(), 97);
}

#[test]
fn failing_during_an_update() {
    check(&Scenario::update(), 97);
}

#[test]
fn failing_during_an_update_by_copies() {
    check(&Scenario::update_by_copies(), 193);
}

#[test]
fn failing_during_an_update_with_bytecode() {
    check(&Scenario::update_with_bytecode(), 97);
}

#[test]
fn failing_during_an_update_with_a_spare() {
    check(&Scenario::update_with_spare(), 37);
}

#[test]
fn failing_during_a_rollback() {
    check(&Scenario::rollback(), 41);
}

#[test]
fn failing_during_a_repair() {
    // A file of its own that may not be read once ended a repair without a word, and an environment that may not be listed with
    // another cause than it had.
    let told_wrongly = |files: &str| files == "project/.venv" || files.ends_with("new-N/.gitignore");
    check_also(&Scenario::repair(), 193, |point| point.call == "openat" && told_wrongly(&point.files));
}
