//! `pinfold history`: the generations of an environment, and what changed from one to the next.

use pinfold_install::{Change, Environment, InstallError, LedgerProblem};
use serde_json::{Value, json};

use crate::cli::{History, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::history::{Past, PastGeneration, past};
use crate::ops::remember::tell;
use crate::output::{Output, counted, tame};
use crate::world::World;

/// Lists the generations, newest first; exit 1 if the ledger was tampered with.
///
/// # Errors
/// As [`past`]; exit 2 if there is no environment, and none is remembered.
pub(super) fn run(arguments: &History, world: &World, output: &Output) -> Result<Exit, Failure> {
    let environment = Environment::at(&arguments.environment.venv)?;
    environment.settle()?;
    let past = past(&environment, world)?;
    if past.is_empty() {
        return Err(InstallError::NoEnvironment { path: environment.venv().to_owned() }.into());
    }
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&environment, &past))),
        ResultFormat::Text => as_text(&past, arguments.all, output),
    }
    past.ledger.problems.iter().for_each(|problem| tell(&environment, problem, output));
    Ok(if past.ledger.is_intact() { Exit::Done } else { Exit::No })
}

fn as_text(past: &Past, all: bool, output: &Output) {
    let (listed, mut unlisted): (Vec<_>, Vec<_>) = past.generations.iter().partition(|it| it.is_kept || all);
    // A damaged one is still there, and has a line of its own.
    unlisted.retain(|it| past.unreadable.iter().all(|damaged| damaged.generation != it.generation));
    listed.into_iter().for_each(|generation| output.result(&line(generation)));
    for damaged in &past.unreadable {
        output.result(&tame(&format!("! {:>4}  damaged: {}\n", damaged.generation, damaged.reason)));
    }
    let (count, verb) = (unlisted.len(), if unlisted.len() == 1 { "is" } else { "are" });
    if count > 0 {
        output.status(&format!("{count} more {verb} no longer kept; `--all` lists what the ledger tells of them"));
    }
}

fn line(generation: &PastGeneration) -> String {
    let mark = match (generation.is_current, generation.is_kept) {
        (true, _) => "*",
        (false, true) => " ",
        (false, false) => "x",
    };
    let again = generation.rolled_back_at.last().map(|at| format!(", again {at}")).unwrap_or_default();
    tame(&format!(
        "{mark} {:>4}  {}{again}  lock {}  {}  {}",
        generation.generation,
        generation.installed_at,
        generation.lock_sha256.short(),
        counted(generation.packages, "package"),
        summary(&generation.changes),
    )) + "\n"
}

/// Returns the changes if they are few, else how many there are.
fn summary(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no changes".to_owned();
    }
    if changes.len() <= FEW {
        return changes.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    let count = |added: bool, removed: bool| {
        changes.iter().filter(|it| (it.from.is_none(), it.to.is_none()) == (added, removed)).count()
    };
    format!("{} added, {} updated, {} removed", count(true, false), count(false, false), count(false, true))
}

fn shown(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from != to => format!("~ {} {from} -> {to}", change.name),
        (Some(_), Some(to)) => format!("~ {} {to} (other bytes)", change.name),
        (None, Some(to)) => format!("+ {} {to}", change.name),
        (Some(from), None) => format!("- {} {from}", change.name),
        (None, None) => change.name.to_string(),
    }
}

fn as_json(environment: &Environment, past: &Past) -> Value {
    json!({
        "venv": environment.venv().to_string_lossy(),
        "generations": past.generations.iter().map(generation_json).collect::<Vec<_>>(),
        "ledger": {
            "entries": past.ledger.entries.len(),
            "chained": past.ledger.is_chained,
            "intact": past.ledger.is_intact(),
            "problems": past.ledger.problems.iter().map(problem_json).collect::<Vec<_>>(),
        },
        "damaged": past.unreadable.iter().map(|it| json!({ "generation": it.generation, "reason": it.reason })).collect::<Vec<_>>(),
    })
}

fn generation_json(generation: &PastGeneration) -> Value {
    let select = |from: bool, to: bool, value: &dyn Fn(&Change) -> Value| {
        let chosen = generation.changes.iter().filter(|it| (it.from.is_some(), it.to.is_some()) == (from, to));
        chosen.map(value).collect::<Vec<_>>()
    };
    let text = |version: &Option<_>| version.as_ref().map(ToString::to_string);
    let added = |it: &Change| json!({ "name": it.name.to_string(), "version": text(&it.to) });
    let removed = |it: &Change| json!({ "name": it.name.to_string(), "version": text(&it.from) });
    let updated = |it: &Change| json!({ "name": it.name.to_string(), "from": text(&it.from), "to": text(&it.to) });
    json!({
        "generation": generation.generation,
        "current": generation.is_current,
        "kept": generation.is_kept,
        "installed_at": generation.installed_at,
        "rolled_back_at": generation.rolled_back_at,
        "lock_sha256": generation.lock_sha256.to_string(),
        "packages": generation.packages,
        "added": select(false, true, &added),
        "removed": select(true, false, &removed),
        "updated": select(true, true, &updated),
    })
}

/// Returns a problem of a ledger as `history` and `trace` write it.
pub(super) fn problem_json(problem: &LedgerProblem) -> Value {
    let (expected, found) = problem.expected_and_found();
    json!({ "code": problem.code(), "line": problem.line(), "expected": expected, "found": found })
}

/// So many changes are shown one by one.
const FEW: usize = 5;
