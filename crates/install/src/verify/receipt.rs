//! The receipt against the store: everything that an install writes is derived again from the manifests of the wheels.
//!
//! Whoever can change a file in the environment can change the receipt beside it. The store is elsewhere, found by the
//! digest that the lock names, and its manifest says what the wheel's files are.

use std::collections::BTreeMap;

use pinfold_lock::Selection;
use pinfold_packaging::PackageName;
use pinfold_store::{Store, StoreError};

use super::{Finding, FindingCode, Report};
use crate::merge::Planned;
use crate::scripts::Place;
use crate::stage::Part;
use crate::wheel_facts::WheelFacts;
use crate::{Environment, InstallError, InstalledFile, Receipt, ReceiptFiles, base, bytecode, distribution, plan};

/// Adds a finding for every file that the receipt lists and an install would not write, or the other way round. Returns
/// the files that were compiled while installing.
pub(super) fn derive<'a>(
    environment: &Environment,
    header: &Receipt,
    list: &'a ReceiptFiles,
    selection: &Selection,
    store: &Store,
    report: &mut Report,
) -> Result<Vec<&'a str>, InstallError> {
    let mut derived: BTreeMap<String, Expected> = BTreeMap::new();
    let mut is_derived = vec![false; header.distributions.len()];
    let place = Place::of(header, environment);
    for (position, it) in header.distributions.iter().enumerate() {
        let Some(selected) = selection.packages.iter().find(|selected| plan::is_same(it, selected)) else { continue };
        // A tree that is damaged proves nothing, also where it cannot be put aside.
        let tree = match store.tree(&it.wheel_sha256) {
            Err(StoreError::Stuck { .. }) => None,
            tree => tree?,
        };
        let Some(tree) = tree else { continue };
        let Some(facts) = WheelFacts::of(tree.manifest()) else { continue };
        let part = Part { selected, tree: &tree, facts };
        let owner = u32::try_from(position).unwrap_or(u32::MAX);
        // A tree that was changed in the store proves nothing; the environment may be right.
        let Ok(files) = distribution::files(&part, owner, &header.interpreter, &place) else {
            continue;
        };
        for file in files {
            expect(&mut derived, &file, Some(&it.name));
        }
        is_derived[position] = true;
        report.distributions_derived += 1;
    }
    let (own, links) = base::environment_files(&header.interpreter, &place)?;
    for file in own {
        expect(&mut derived, &file, None);
    }
    if links != list.links {
        let found = list.links.iter().map(|link| format!("{} -> {}", link.path, link.target)).collect::<Vec<_>>();
        let finding = Finding::new(FindingCode::ReceiptChanged, "", "the links of an environment", found.join(", "));
        report.findings.push(finding);
    }
    let is_complete =
        |file: &InstalledFile| file.owners.iter().all(|owner| is_derived.get(*owner as usize).copied().unwrap_or(true));
    Ok(compare(list, derived, &is_complete, report))
}

/// What an install would write.
struct Expected {
    file: (u64, pinfold_artifact::Sha256),
    executable: bool,
    package: Option<PackageName>,
}

fn expect(derived: &mut BTreeMap<String, Expected>, file: &Planned<'_>, package: Option<&PackageName>) {
    let expected =
        Expected { file: (file.size_bytes, file.sha256), executable: file.executable, package: package.cloned() };
    let entry = derived.entry(file.path.to_string()).or_insert(expected);
    entry.executable |= file.executable;
}

fn compare<'a>(
    list: &'a ReceiptFiles,
    mut derived: BTreeMap<String, Expected>,
    is_complete: &dyn Fn(&InstalledFile) -> bool,
    report: &mut Report,
) -> Vec<&'a str> {
    let mut compiled = Vec::new();
    let code = FindingCode::ReceiptChanged;
    for file in &list.files {
        let found = format!("sha256 {} in the receipt", file.sha256);
        match derived.remove(file.path.as_str()) {
            Some(expected) if expected.file == (file.size, file.sha256) && expected.executable == file.executable => {}
            Some(expected) => {
                let text = format!("sha256 {} in the wheel", expected.file.1);
                report.findings.push(Finding::new(code, file.path.as_str(), text, found).of(expected.package.as_ref()));
            }
            None if !is_complete(file) => {}
            None if bytecode::source_of(&file.path).is_some() => compiled.push(file.path.as_str()),
            None => report.findings.push(Finding::new(code, file.path.as_str(), "no such file in the wheel", found)),
        }
    }
    for (path, expected) in derived {
        let text = format!("sha256 {} in the wheel", expected.file.1);
        report.findings.push(Finding::new(code, &path, text, "not in the receipt").of(expected.package.as_ref()));
    }
    compiled
}
