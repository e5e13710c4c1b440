//! `pinfold lock`: arguments in, a short account of what moved out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use pinfold_artifact::ArtifactFilename;
use pinfold_fetch::Connectivity;
use pinfold_lock::Lock;
use pinfold_packaging::{NameError, PackageName};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::ops::lock::{Answers, Decisions, Effect, Keep, LockRequest, Locked, Rollback, lock};
use crate::output::Output;
use crate::world::World;

/// Locks, or compares; exit 1 if the lock is not what locking again gives.
///
/// # Errors
/// As [`lock`].
pub(super) fn run(arguments: &cli::Lock, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from("pylock.toml"));
    let request = LockRequest {
        requirements: &arguments.requirements,
        index_url: arguments.index_url.as_deref(),
        targets: &arguments.targets,
        python_versions: &arguments.python_versions,
        exclude_newer: arguments.exclude_newer.as_deref(),
        keep: keep(arguments)?,
        effect: if arguments.check { Effect::Compare } else { Effect::Write },
        answers: answers(arguments),
        connectivity: if arguments.offline { Connectivity::Offline } else { Connectivity::Online },
        python: arguments.python.as_deref(),
        output: &path,
        decisions: decisions(arguments)?,
    };
    let locked = lock(&request, world, output)?;
    locked.warnings.iter().for_each(|warning| output.warning(warning));
    let before = locked.before.as_ref().map(|(lock, _)| lock);
    let moved = changes(before, &locked.lock);
    if arguments.check {
        return Ok(check(&locked, &moved, &path, output));
    }
    moved.iter().for_each(|line| output.detail(line));
    for (target, count) in &locked.targets {
        output.detail(&format!("{target}: {count} packages"));
    }
    output.status(&format!(
        "{}: {} packages for {} targets{}, in {:.2} s",
        path.display(),
        locked.lock.packages.len(),
        locked.targets.len(),
        if before.is_some() { format!(", {} changed", moved.len()) } else { String::new() },
        begun.elapsed().as_secs_f64()
    ));
    Ok(Exit::Done)
}

fn keep(arguments: &cli::Lock) -> Result<Keep, Failure> {
    if arguments.upgrade {
        return Ok(Keep::Nothing);
    }
    let names = arguments.upgrade_packages.iter().map(|text| text.parse::<PackageName>());
    let moving = names.collect::<Result<_, NameError>>().map_err(|e| Failure::of(Exit::Input, &e))?;
    Ok(Keep::AllBut(moving))
}

fn decisions(arguments: &cli::Lock) -> Result<Decisions, Failure> {
    let replaced = arguments.accept_replaced.iter().map(|text| text.parse::<ArtifactFilename>());
    let replaced = replaced.collect::<Result<_, _>>().map_err(|e| Failure::of(Exit::Input, &e))?;
    let rollback = if arguments.allow_index_rollback { Rollback::Allowed } else { Rollback::Refused };
    Ok(Decisions { replaced, rollback })
}

fn answers(arguments: &cli::Lock) -> Answers<'_> {
    match (&arguments.record, &arguments.replay) {
        (Some(file), _) => Answers::Record { file, url: arguments.record_as.as_deref() },
        (None, Some(file)) => Answers::Replay(file),
        (None, None) => Answers::Live,
    }
}

fn check(locked: &Locked, moved: &[String], path: &Path, output: &Output) -> Exit {
    let same = locked.before.as_ref().is_some_and(|(_, text)| *text == locked.text);
    if same {
        output.status(&format!("{} is what locking again gives", path.display()));
        return Exit::Done;
    }
    moved.iter().for_each(|line| output.result(&format!("{line}\n")));
    let before = locked.before.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
    if moved.is_empty() {
        output.result(&first_difference(before, &locked.text));
    }
    output.warning(&format!("{} is out of date: locking again gives another lock", path.display()));
    Exit::No
}

/// Returns one line for every package whose versions or files differ.
fn changes(before: Option<&Lock>, after: &Lock) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let (old, new) = (entries(before), entries(after));
    let names: BTreeSet<&PackageName> = old.keys().chain(new.keys()).copied().collect();
    let changed = names.into_iter().filter(|name| old.get(name) != new.get(name));
    changed
        .map(|name| match (old.get(name), new.get(name)) {
            (Some((from, _)), Some((to, _))) if from == to => format!("~ {name} {from}: other files"),
            (Some((from, _)), Some((to, _))) => format!("~ {name} {from} -> {to}"),
            (Some((from, _)), None) => format!("- {name} {from}"),
            (None, Some((to, _))) => format!("+ {name} {to}"),
            (None, None) => name.to_string(),
        })
        .collect()
}

type Entry = (String, BTreeSet<String>);

/// Returns, per project, its versions and its files with their digests.
fn entries(lock: &Lock) -> BTreeMap<&PackageName, Entry> {
    let mut entries: BTreeMap<&PackageName, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for package in &lock.packages {
        let (versions, files) = entries.entry(&package.name).or_default();
        versions.extend(package.version.iter().map(ToString::to_string));
        files.extend(package.files().map(|file| format!("{} {}", file.url, file.sha256)));
    }
    let joined = |versions: BTreeSet<String>| versions.into_iter().collect::<Vec<_>>().join(", ");
    entries.into_iter().map(|(name, (versions, files))| (name, (joined(versions), files))).collect()
}

fn first_difference(before: &str, after: &str) -> String {
    let position = before.lines().zip(after.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(position).unwrap_or("(the end)").to_owned();
    format!("line {}:\n- {}\n+ {}\n", position + 1, line(before), line(after))
}
