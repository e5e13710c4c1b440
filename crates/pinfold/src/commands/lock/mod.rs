//! `pinfold lock`: arguments in, a short account of what moved out.

mod check;
mod moves;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use pinfold_artifact::ArtifactFilename;
use pinfold_fetch::Connectivity;
use pinfold_lock::{LockDiff, diff};
use pinfold_packaging::{NameError, PackageName};
use pinfold_policy::names::remark_lookalikes;

use self::check::check;
use self::moves::{moved, stayed};
use crate::cli::{self, CheckFormat};
use crate::exit::{Exit, Failure};
use crate::ops::inspect::{Finding, Inspected, inspect};
use crate::ops::lock::{Answers, Decisions, Effect, Keep, LockRequest, Locked, Rollback, lock};
use crate::output::{Output, counted, tame};
use crate::world::World;

/// Locks, or compares; exit 1 if the lock is not what locking again gives.
///
/// # Errors
/// As [`lock`].
pub(super) fn run(arguments: &cli::Lock, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    if arguments.check && arguments.offline && arguments.replay.is_none() && !is_written("--offline") {
        return Err(Failure::new(Exit::Input, "PINFOLD_OFFLINE is set, and a check asks the index").help(
            "unset it; or write `--check --offline`, which holds the lock against the cache of this machine alone",
        ));
    }
    let connectivity = if arguments.offline { Connectivity::Offline } else { Connectivity::Online };
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
        connectivity,
        python: arguments.python.as_deref(),
        output: &path,
        decisions: decisions(arguments)?,
    };
    let locked = lock(&request, world, output)?;
    locked.warnings.iter().for_each(|warning| output.warning(warning));
    let found = changes(&locked);
    let inspected = match arguments.inspect {
        true => Some(inspect(&locked.lock, connectivity, world, output)?),
        false => None,
    };
    let verdict = inspected.as_ref().map_or(Exit::Done, Inspected::exit);
    if arguments.check && arguments.offline && arguments.replay.is_none() {
        output.warning("checked against the cache alone: no index was asked");
    }
    if arguments.check {
        let format = arguments.format.unwrap_or(CheckFormat::Text);
        let exit = check(&locked, &found, (format, inspected.as_ref()), &path, output);
        return Ok(if exit == Exit::Done { verdict } else { exit });
    }
    locked.lookalikes.iter().for_each(|found| {
        output.warning(&format!("{found}; make sure that it is what you mean"));
    });
    if arguments.upgrade || !arguments.upgrade_packages.is_empty() {
        output.result(&moved(&found));
        stayed(&request.keep, &found, &locked.lock).iter().for_each(|line| output.result(&tame(line)));
    } else {
        moved(&found).lines().for_each(|line| output.detail(line));
    }
    for (target, count) in &locked.targets {
        output.detail(&format!("{target}: {}", counted(*count, "package")));
    }
    output.status(&format!(
        "{}: {} for {}{}, in {:.2} s",
        path.display(),
        counted(locked.lock.packages.len(), "package"),
        counted(whole_targets(&locked.targets), "target"),
        if locked.before.is_some() { format!(", {} changed", found.packages.len()) } else { String::new() },
        begun.elapsed().as_secs_f64()
    ));
    inspected.iter().for_each(|inspected| report(inspected, output));
    // As in `lock`: what is not needed any more is not given back piece by piece.
    std::mem::forget(locked);
    Ok(verdict)
}

/// Returns true if an option was written, and not given by its variable: no variable turns a check off.
fn is_written(option: &str) -> bool {
    std::env::args_os().any(|argument| argument == option)
}

/// Says what `sync` would refuse, with the entries of the manifest that would accept it.
fn report(inspected: &Inspected, output: &Output) {
    for finding in &inspected.findings {
        let files: Vec<&str> = finding.files.iter().map(ArtifactFilename::as_str).collect();
        let reason = tame(&finding.reason).replace('\n', "\\n");
        output.result(&format!("{}: {}: {reason} ({})\n", finding.code, finding.package, files.join(", ")));
    }
    let entries: Vec<String> = inspected.findings.iter().filter_map(Finding::accept_entry).collect();
    if !entries.is_empty() {
        output.result(&format!("\n{}", tame(&entries.join("\n"))));
        output.status(
            "read these files; if they do only what they should, write the entries into the manifest and lock again",
        );
    }
    if !inspected.unbuilt.is_empty() {
        let names: Vec<&str> = inspected.unbuilt.iter().map(PackageName::as_str).collect();
        output.status(&format!("built from source, so not looked at: {}", names.join(", ")));
    }
    let count = inspected.findings.len();
    output.status(&format!(
        "{} wheels inspected, {count} finding{}",
        inspected.wheels,
        if count == 1 { "" } else { "s" }
    ));
}

/// Returns what differs from the former lock, if there was one.
fn changes(locked: &Locked) -> LockDiff {
    match &locked.before {
        Some((before, text)) if *text != locked.text => {
            let mut found = diff(before, &locked.lock);
            remark_lookalikes(&mut found, Some(before), &locked.lock);
            found
        }
        _ => LockDiff::default(),
    }
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

/// Counts the targets of a lock, each that is divided once.
fn whole_targets(targets: &[(String, usize)]) -> usize {
    let whole = targets.iter().map(|(target, _)| target.split_once(" (").map_or(target.as_str(), |(whole, _)| whole));
    whole.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divided_target_counts_once() {
        let targets =
            ["linux-x86_64 python 3.10 (<3.10.5)", "linux-x86_64 python 3.10 (>=3.10.5)", "linux-x86_64 python 3.11"];
        assert_eq!(whole_targets(&targets.map(|target| (target.to_owned(), 1))), 2);
    }
}
