//! `pinfold sync`: arguments in, a short account of what changed out.

use std::time::Instant;

use pinfold_fetch::Connectivity;
use pinfold_install::{Adoption, Bytecode, Change, LinkMode, RebuildReason};
use pinfold_lock::Wanted;
use pinfold_packaging::{ExtraName, GroupName, NameError};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::ops::sync::{Extent, SyncRequest, Synced, sync};
use crate::output::{Output, human_bytes};
use crate::world::World;

/// Makes the environment what the lock says.
///
/// # Errors
/// As [`sync`].
pub(super) fn run(arguments: &cli::Sync, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let extent = if arguments.dry_run { Extent::Plan } else { Extent::Apply };
    let request = SyncRequest {
        lock: &arguments.lock,
        venv: &arguments.venv,
        python: arguments.python.as_deref(),
        wanted: wanted(arguments)?,
        connectivity: if arguments.offline { Connectivity::Offline } else { Connectivity::Online },
        link_mode: match arguments.link_mode {
            cli::LinkMode::Auto => LinkMode::Auto,
            cli::LinkMode::Copy => LinkMode::Copy,
            cli::LinkMode::Hardlink => LinkMode::Hardlink,
            cli::LinkMode::Reflink => LinkMode::Reflink,
        },
        bytecode: if arguments.compile_bytecode { Bytecode::Compile } else { Bytecode::Leave },
        keep: arguments.keep,
        adoption: if arguments.adopt { Adoption::SetAside } else { Adoption::Refuse },
        patience: (&arguments.wait).into(),
        extent,
    };
    let synced = sync(&request, world, output)?;
    report(&synced, extent, arguments, output, begun);
    Ok(Exit::Done)
}

fn wanted(arguments: &cli::Sync) -> Result<Wanted, Failure> {
    let wrong = |e: NameError| Failure::of(Exit::Input, &e);
    let extras = arguments.extras.iter().map(|text| text.parse::<ExtraName>()).collect::<Result<_, _>>();
    let groups = arguments.groups.iter().map(|text| text.parse::<GroupName>()).collect::<Result<_, _>>();
    Ok(Wanted { extras: extras.map_err(wrong)?, groups: groups.map_err(wrong)? })
}

fn report(synced: &Synced, extent: Extent, arguments: &cli::Sync, output: &Output, begun: Instant) {
    let plan = &synced.plan;
    if plan.is_empty() {
        let count = synced.selection.packages.len();
        output.status(&format!("{} is up to date ({count} packages)", arguments.venv.display()));
        return;
    }
    for (sign, changes) in [("+", &plan.added), ("~", &plan.changed), ("-", &plan.removed)] {
        for change in changes {
            let line = format!("{sign} {}", shown(change));
            if extent == Extent::Plan { output.result(&format!("{line}\n")) } else { output.detail(&line) }
        }
    }
    let counts = format!(
        "{} added, {} changed, {} removed, {} kept",
        plan.added.len(),
        plan.changed.len(),
        plan.removed.len(),
        plan.kept
    );
    let reasons: String = plan.rebuild.iter().map(|reason| format!(", {}", reason_text(*reason))).collect();
    match &synced.receipt {
        Some(receipt) => output.status(&format!(
            "{}: {counts}{reasons}; generation {}, {} files, {}, in {:.2} s",
            arguments.venv.display(),
            receipt.generation,
            receipt.file_count,
            human_bytes(receipt.total_bytes),
            begun.elapsed().as_secs_f64()
        )),
        None => output.status(&format!("{} would change: {counts}{reasons}", arguments.venv.display())),
    }
}

fn shown(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from != to => format!("{} {from} -> {to}", change.name),
        (_, Some(version)) | (Some(version), None) => format!("{} {version}", change.name),
        (None, None) => change.name.to_string(),
    }
}

const fn reason_text(reason: RebuildReason) -> &'static str {
    match reason {
        RebuildReason::Interpreter => "another interpreter",
        RebuildReason::Lock => "another lock",
        RebuildReason::Moved => "the environment was moved",
        RebuildReason::New => "a new environment",
        RebuildReason::Wanted => "other extras or groups",
    }
}
