//! `pinfold verify`: the report as lines, as JSON or as SARIF, and what was done about it.

mod json;
mod sarif;
mod text;
mod watching;

use std::time::Instant;

use pinfold_install::{Depth, FindingCode, Report};

use crate::cli::{ReportFormat, Verify};
use crate::exit::{Exit, Failure};
use crate::ops::environments::Patience;
use crate::ops::repair::{LEDGER, Outcome, repair};
use crate::ops::verify::verify;
use crate::output::{self, Output, human_bytes};
use crate::world::World;

/// Compares an environment with a lock; exit 1 if anything differs, and could not be put right.
///
/// # Errors
/// As [`verify`] and [`repair`].
pub(super) fn run(arguments: &Verify, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let venv = &arguments.environment.venv;
    if arguments.watch {
        return watching::run(arguments, world, output);
    }
    let depth = if arguments.quick { Depth::Quick } else { Depth::Full };
    let patience = Patience::from(&arguments.wait);
    let (report, outcome) = if arguments.repair {
        let repaired = repair(venv, &arguments.lock, patience, world, output)?;
        (repaired.report, Some(repaired.outcome))
    } else {
        (verify((venv, patience), &arguments.lock, depth, world, output)?, None)
    };
    match arguments.format {
        ReportFormat::Json => output.result(&format!("{}\n", json::document(&report, outcome.as_ref()))),
        ReportFormat::Sarif => output.result(&sarif::document(&report, outcome.as_ref(), arguments)?),
        ReportFormat::Text => report.findings.iter().for_each(|finding| output.result(&text::line(finding))),
    }
    let counted = format!("{} in {:.2} s", counted(&report), begun.elapsed().as_secs_f64());
    let venv = venv.display();
    match (&outcome, report.findings.len()) {
        (_, 0) if report.depth == Depth::Quick => {
            output.status(&format!("{venv} looks as it was installed: {counted}"))
        }
        (_, 0) => output.status(&format!("{venv} is what the lock says: {counted}")),
        (_, 1) => output.status(&format!("1 finding: {counted}")),
        (_, count) => output.status(&format!("{count} findings: {counted}")),
    }
    if report.depth == Depth::Quick {
        output.status(NOT_PROVEN);
    }
    match outcome {
        Some(Outcome::Failed(failure)) => return Err(*failure),
        Some(Outcome::Left(reasons)) => {
            reasons.iter().for_each(|reason| output.warning(&format!("not repaired: {reason}")));
            return Ok(Exit::No);
        }
        Some(Outcome::Repaired { generation, damaged }) => {
            output.status(&format!(
                "repaired: generation {generation} was built from the store, checked byte by byte, and put in place; \
                 generation {damaged} is kept as damaged, and no rollback leads back to it"
            ));
            let has_broken_ledger = report.findings.iter().any(|finding| finding.code == FindingCode::LedgerBroken);
            if has_broken_ledger {
                output.warning(&format!("not repaired: {LEDGER}"));
            }
            return Ok(if has_broken_ledger { Exit::No } else { Exit::Done });
        }
        Some(Outcome::Nothing) | None => {}
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::No })
}

/// Says what was looked at.
fn counted(report: &Report) -> String {
    let mut parts =
        vec![output::counted(report.distributions, "distribution"), output::counted(report.files_checked, "file")];
    match report.depth {
        Depth::Full => parts.push(format!("{} read", human_bytes(report.bytes_checked))),
        Depth::Quick => parts.push(format!("{} of them read", report.files_moved)),
    }
    if report.bytecode_files > 0 {
        parts.push(output::counted(report.bytecode_files, "file") + " of bytecode proven");
    }
    if report.bytecode_unproven > 0 {
        parts.push(output::counted(report.bytecode_unproven, "file") + " of bytecode not looked at");
    }
    parts.join(", ")
}

const NOT_PROVEN: &str = "quick: files whose size, time, number and permissions are as installed were not read; \
                          whoever can write a file can put these back. `pinfold verify` reads every byte";
