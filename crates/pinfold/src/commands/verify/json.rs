//! The report as one JSON document.

use pinfold_install::{Depth, Finding, Report};
use serde_json::{Value, json};

use crate::ops::repair::Outcome;

/// Returns the document.
pub(super) fn document(report: &Report, outcome: Option<&Outcome>) -> Value {
    let mut document = json!({
        "depth": match report.depth {
            Depth::Full => "full",
            Depth::Quick => "quick",
        },
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "distributions": report.distributions,
        "distributions_derived": report.distributions_derived,
        "files": report.files_checked,
        "files_read_again": report.files_moved,
        "bytes": report.bytes_checked,
        "bytecode_proven": report.bytecode_files,
        "bytecode_unproven": report.bytecode_unproven,
    });
    if let (Some(outcome), Value::Object(fields)) = (outcome, &mut document) {
        fields.insert("repair".to_owned(), repair(outcome));
    }
    document
}

/// Returns one finding.
pub(super) fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "path": finding.path,
        "package": finding.package.as_ref().map(ToString::to_string),
        "expected": finding.expected,
        "found": finding.found,
    })
}

/// Returns what was done about the findings.
pub(super) fn repair(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Failed(failure) => json!({ "outcome": "failed", "reason": failure.headline }),
        Outcome::Left(reasons) => json!({ "outcome": "left", "reasons": reasons }),
        Outcome::Nothing => json!({ "outcome": "nothing" }),
        Outcome::Repaired { generation, damaged } => {
            json!({ "outcome": "repaired", "generation": generation, "damaged": damaged })
        }
    }
}
