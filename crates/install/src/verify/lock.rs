//! The receipt against the lock: is what was installed what the lock selects?

use std::collections::BTreeMap;

use pinfold_artifact::Sha256;
use pinfold_lock::{Lock, Selection, Wanted, select};
use pinfold_packaging::PackageName;

use super::{Finding, FindingCode, Report};
use crate::{InstalledDistribution, Receipt, plan};

/// Adds a finding for everything in which receipt and lock differ; returns what the lock selects.
pub(super) fn compare(header: &Receipt, lock: &Lock, lock_sha256: &Sha256, report: &mut Report) -> Option<Selection> {
    let mut code = FindingCode::ReceiptChanged;
    if header.lock_sha256 != *lock_sha256 {
        code = FindingCode::LockChanged;
        let expected = format!("lock sha256 {lock_sha256}");
        let found = format!("installed from lock sha256 {}", header.lock_sha256);
        report.findings.push(Finding::new(code, "", expected, found));
    }
    let wanted = Wanted { extras: header.extras.clone(), groups: header.groups.clone() };
    let host = header.interpreter.host().map_err(|error| error.to_string());
    let selection = host.and_then(|host| select(lock, &host, &wanted).map_err(|error| error.to_string()));
    let selection = match selection {
        Ok(selection) => selection,
        Err(reason) => {
            report.findings.push(Finding::new(code, "", "a lock for this environment", reason));
            return None;
        }
    };
    let mut installed: BTreeMap<&PackageName, &InstalledDistribution> =
        header.distributions.iter().map(|it| (&it.name, it)).collect();
    for selected in &selection.packages {
        report.distributions += 1;
        let artifact = &selected.artifact;
        let expected = format!("{} {} (sha256 {})", artifact.filename, artifact.url.without_query(), artifact.sha256);
        let found = match installed.remove(&selected.name) {
            Some(it) if plan::is_same(it, selected) => continue,
            Some(it) => {
                let query = if it.url.without_query() == artifact.url.without_query() && it.url != artifact.url {
                    ", another query"
                } else {
                    ""
                };
                format!("{} {}{query} (sha256 {})", it.filename, it.url.without_query(), it.sha256)
            }
            None => "not installed".to_owned(),
        };
        report.findings.push(Finding::new(code, "", expected, found).of(Some(&selected.name)));
    }
    for it in installed.into_values() {
        let found = format!("{} (sha256 {})", it.filename, it.sha256);
        report.findings.push(Finding::new(code, "", "not installed", found).of(Some(&it.name)));
    }
    Some(selection)
}
