//! Who asks for what, for the lock to keep: what the maintainer wrote, and of each locked package the requirements that hold
//! on one of the targets. `pinfold why` reads it; nothing is selected by it.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_lock::{Asked, Asker};
use pinfold_packaging::{ExtraName, MarkerEnvironment, MarkerTruth, PackageName, Requirement};
use pinfold_resolve::{RootReason, Solution};

use super::inputs::Inputs;
use super::source::MetadataFact;

/// Returns what was asked for, by whom.
pub(super) fn asked(
    inputs: &Inputs,
    solutions: &[Solution],
    known: &BTreeMap<ArtifactFilename, MetadataFact>,
) -> Asked {
    let mut asked = Asked::default();
    for root in &inputs.roots {
        let by = match &root.reason {
            RootReason::Base => Asker::Application,
            RootReason::Extra(name) => Asker::Extra(name.clone()),
            RootReason::Group(name) => Asker::Group(name.clone()),
        };
        asked.add(by, inputs.text_of(&root.requirement));
    }
    for constraint in &inputs.constraints {
        asked.add(Asker::Constraints, inputs.text_of(constraint));
    }
    for replacement in &inputs.overrides {
        asked.add(Asker::Overrides, inputs.text_of(replacement));
    }
    // Most files serve several targets, and most files of a version have one METADATA: each requirement is written once. Where it
    // stands depends on whether an extra is wanted.
    let mut written: BTreeSet<(Sha256, bool, usize)> = BTreeSet::new();
    for solution in solutions {
        let environment = solution.target.marker_environment();
        let wanted = wanted_extras(inputs, solution, &environment, known);
        for (name, chosen) in &solution.packages {
            let Some(fact) = known.get(&chosen.file.filename) else { continue };
            for (position, requirement) in holding(solution, name, &environment, &wanted, known) {
                if written.insert((fact.sha256, wanted.contains_key(name), position)) {
                    let by = Asker::Package(name.clone(), chosen.version.clone());
                    asked.add(by, requirement.to_string());
                }
            }
        }
    }
    asked
}

static NONE: BTreeSet<ExtraName> = BTreeSet::new();

/// Returns what METADATA requires: where no extra is wanted, what only extras need is not looked at.
fn requirements<'a>(fact: &'a MetadataFact, extras: &BTreeSet<ExtraName>) -> &'a [Requirement] {
    let own = &fact.metadata;
    // Where an extra is wanted, the resolver has read all of it already.
    let read = if extras.is_empty() { own } else { own.whole().unwrap_or(own) };
    &read.requires_dist
}

type Extras<'a> = BTreeMap<&'a PackageName, BTreeSet<ExtraName>>;

/// Returns the requirements of a chosen package that hold on the target, with their positions in its metadata.
fn holding<'k, 'w>(
    solution: &'w Solution,
    name: &PackageName,
    environment: &'w MarkerEnvironment,
    wanted: &'w Extras<'_>,
    known: &'k BTreeMap<ArtifactFilename, MetadataFact>,
) -> impl Iterator<Item = (usize, &'k Requirement)> {
    let chosen = solution.packages.get(name);
    let extras = wanted.get(name).unwrap_or(&NONE);
    let metadata = chosen.and_then(|chosen| known.get(&chosen.file.filename));
    let requirements = metadata.into_iter().flat_map(|fact| requirements(fact, extras).iter().enumerate());
    requirements.filter(move |(_, requirement)| {
        chosen.is_some_and(|chosen| chosen.dependencies.contains(&requirement.name))
            && (requirement.marker.is_always()
                || requirement.marker.evaluate(environment, extras) != MarkerTruth::False)
    })
}

/// Returns the extras of each chosen package that somebody wants on the target.
fn wanted_extras<'a>(
    inputs: &'a Inputs,
    solution: &'a Solution,
    environment: &MarkerEnvironment,
    known: &'a BTreeMap<ArtifactFilename, MetadataFact>,
) -> Extras<'a> {
    let mut wanted: Extras<'a> = BTreeMap::new();
    let roots = inputs.roots.iter().map(|root| &root.requirement).filter(|requirement| !requirement.extras.is_empty());
    for requirement in roots {
        if requirement.marker.evaluate(environment, &BTreeSet::new()) != MarkerTruth::False {
            wanted.entry(&requirement.name).or_default().extend(requirement.extras.iter().cloned());
        }
    }
    // Extras want extras; each round adds one at least, and there are only so many.
    loop {
        let mut more: Vec<(&'a PackageName, ExtraName)> = Vec::new();
        for (name, chosen) in &solution.packages {
            let Some(fact) = known.get(&chosen.file.filename) else { continue };
            let own = requirements(fact, wanted.get(name).unwrap_or(&NONE));
            if own.iter().all(|requirement| requirement.extras.is_empty()) {
                continue;
            }
            for (_, requirement) in holding(solution, name, environment, &wanted, known) {
                let before = wanted.get(&requirement.name);
                let is_new = |extra: &&ExtraName| before.is_none_or(|before| !before.contains(*extra));
                more.extend(requirement.extras.iter().filter(is_new).map(|extra| (&requirement.name, extra.clone())));
            }
        }
        if more.is_empty() {
            return wanted;
        }
        for (name, extra) in more {
            wanted.entry(name).or_default().insert(extra);
        }
    }
}
