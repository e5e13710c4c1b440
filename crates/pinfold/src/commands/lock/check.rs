//! What `lock --check` says of a lock: whether locking again gives it, and else what differs.

use std::path::Path;

use pinfold_artifact::ArtifactFilename;
use pinfold_lock::{LockDiff, OtherLine, first_other_line, unified_diff};
use serde_json::{Value, json};

use super::report;
use crate::cli::CheckFormat;
use crate::commands::diff::diff_json;
use crate::exit::Exit;
use crate::ops::inspect::{Finding, Inspected};
use crate::ops::lock::Locked;
use crate::output::{Output, tame};

/// Holds a lock against what locking again gave.
pub(super) fn check(
    locked: &Locked,
    found: &LockDiff,
    (format, inspected): (CheckFormat, Option<&Inspected>),
    path: &Path,
    output: &Output,
) -> Exit {
    let before = locked.before.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
    let same = before == locked.text;
    let path = path.display();
    match format {
        CheckFormat::Diff => {
            let name = path.to_string();
            output.result(&tame(&unified_diff(&name, before, &format!("{name} (locked again)"), &locked.text)));
            // Standard output is for `patch` alone.
            let findings = inspected.iter().flat_map(|inspected| &inspected.findings);
            findings.for_each(|finding| {
                output.warning(&format!("{}: {}: {}", finding.code, finding.package, finding.reason));
            });
        }
        CheckFormat::Json => {
            let mut report = diff_json(found);
            report["differs"] = (!same).into();
            let written = first_other_line(before, &locked.text).filter(|_| found.is_empty());
            if let Some(OtherLine { number, old, new, .. }) = written {
                report["first_line"] = json!({ "number": number, "old": old, "new": new });
            }
            if let Some(inspected) = inspected {
                report["findings"] = inspected.findings.iter().map(finding_json).collect();
            }
            output.result(&format!("{report}\n"));
        }
        CheckFormat::Text => {
            output.result(&found.to_string());
            if !same && found.is_empty() {
                output.result(&tame(&first_difference(before, &locked.text)));
            }
        }
    }
    if format == CheckFormat::Text {
        inspected.into_iter().for_each(|inspected| report(inspected, output));
    }
    if same {
        output.status(&format!("{path} is what locking again gives"));
        return Exit::Done;
    }
    output.warning(&format!("{path} is out of date: locking again gives another lock"));
    Exit::No
}

/// Returns the first line that is written otherwise, of two texts that say the same.
fn first_difference(before: &str, after: &str) -> String {
    let Some(found) = first_other_line(before, after) else { return String::new() };
    let moved = if found.is_order_only { " and after, the same in another order" } else { "" };
    format!("line {}{moved}:\n- {}\n+ {}\n", found.number, found.old, found.new)
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "package": finding.package.as_str(),
        "files": finding.files.iter().map(ArtifactFilename::as_str).collect::<Vec<_>>(),
        "path": finding.acceptable.as_ref().map(|(path, _)| path.as_str()),
        "sha256": finding.acceptable.as_ref().map(|(_, sha256)| sha256.to_string()),
        "reason": finding.reason,
    })
}
