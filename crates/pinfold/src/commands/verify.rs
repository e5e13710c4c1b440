//! `pinfold verify`: the report, as lines or as JSON.

use std::time::Instant;

use pinfold_install::{Finding, Report};
use serde_json::json;

use crate::cli::{ResultFormat, Verify};
use crate::exit::{Exit, Failure};
use crate::ops::verify::verify;
use crate::output::{Output, human_bytes, tame};
use crate::world::World;

/// Compares an environment with a lock; exit 1 if anything differs.
///
/// # Errors
/// As [`verify`].
pub(super) fn run(arguments: &Verify, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let report = verify(&arguments.environment.venv, &arguments.lock, pinfold_install::Depth::Full, world, output)?;
    match arguments.format {
        ResultFormat::Json => output.result(&format!("{}\n", as_json(&report))),
        ResultFormat::Text => report.findings.iter().for_each(|finding| output.result(&line(finding))),
    }
    let counted = format!(
        "{} distributions, {} files, {} read in {:.2} s",
        report.distributions,
        report.files_checked,
        human_bytes(report.bytes_checked),
        begun.elapsed().as_secs_f64()
    );
    if report.findings.is_empty() {
        output.status(&format!("{} is what the lock says: {counted}", arguments.environment.venv.display()));
        return Ok(Exit::Done);
    }
    let count = report.findings.len();
    output.status(&format!("{count} finding{}: {counted}", if count == 1 { "" } else { "s" }));
    Ok(Exit::No)
}

/// Returns one line: the code, what it is about (a path, a distribution, or both), what was expected and what was found.
fn line(finding: &Finding) -> String {
    // A file's name may have a line end; each finding is one line.
    let path = tame(&finding.path).replace('\n', "\\n");
    let about = match (path.is_empty(), &finding.package) {
        (true, None) => String::new(),
        (true, Some(name)) => format!("{name}: "),
        (false, None) => format!("{path}: "),
        (false, Some(name)) => format!("{path} ({name}): "),
    };
    format!("{}: {about}expected {}, found {}\n", finding.code.as_str(), finding.expected, finding.found)
}

fn as_json(report: &Report) -> serde_json::Value {
    let findings: Vec<serde_json::Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.as_str(),
                "path": finding.path,
                "package": finding.package.as_ref().map(ToString::to_string),
                "expected": finding.expected,
                "found": finding.found,
            })
        })
        .collect();
    json!({
        "findings": findings,
        "distributions": report.distributions,
        "files": report.files_checked,
        "bytes": report.bytes_checked,
    })
}

#[cfg(test)]
mod tests {
    use pinfold_install::FindingCode;

    use super::*;

    #[test]
    fn a_finding_names_what_there_is_to_name() {
        let finding = |path: &str, package: Option<&str>| Finding {
            code: FindingCode::Changed,
            path: path.to_owned(),
            package: package.map(|name| name.parse().unwrap()),
            expected: "a".to_owned(),
            found: "b".to_owned(),
        };
        for (path, package, expected) in [
            ("", None, "changed: expected a, found b\n"),
            ("", Some("x"), "changed: x: expected a, found b\n"),
            ("f.py", None, "changed: f.py: expected a, found b\n"),
            ("f\n.py", Some("x"), "changed: f\\n.py (x): expected a, found b\n"),
        ] {
            assert_eq!(line(&finding(path, package)), expected);
        }
    }
}
