//! Who asks for what, for the lock to keep: what the maintainer wrote, and of each locked package the requirements that hold
//! on one of the targets. `pinfold why` reads it; nothing is selected by it.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_artifact::{ArtifactFilename, Sha256};
use pinfold_lock::{Asked, Asker};
use pinfold_packaging::{ExtraName, MarkerEnvironment, MarkerTruth, PackageName, Requirement};
use pinfold_resolve::{Chosen, RootReason, Solution};

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
        let told: Vec<Told<'_>> = Told::of(solution, known).collect();
        let wanted = wanted_extras(inputs, &told, &environment);
        for one in &told {
            for (position, requirement) in one.holding(&environment, &wanted) {
                if written.insert((one.fact.sha256, wanted.contains_key(one.name), position)) {
                    let by = Asker::Package(one.name.clone(), one.chosen.version.clone());
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

/// A chosen package, and what its file says that it needs.
struct Told<'a> {
    name: &'a PackageName,
    chosen: &'a Chosen,
    fact: &'a MetadataFact,
}

impl<'a> Told<'a> {
    /// Returns those of a solution whose file says something.
    fn of(
        solution: &'a Solution,
        known: &'a BTreeMap<ArtifactFilename, MetadataFact>,
    ) -> impl Iterator<Item = Self> + use<'a> {
        let packages = solution.packages.iter();
        packages.filter_map(|(name, chosen)| Some(Self { name, chosen, fact: known.get(&chosen.file.filename)? }))
    }

    /// Returns the requirements that hold on the target, with their positions in the metadata.
    fn holding<'w>(
        &'w self,
        environment: &'w MarkerEnvironment,
        wanted: &'w Extras<'_>,
    ) -> impl Iterator<Item = (usize, &'a Requirement)> + use<'a, 'w> {
        let extras = wanted.get(self.name).unwrap_or(&NONE);
        requirements(self.fact, extras).iter().enumerate().filter(move |(_, requirement)| {
            self.chosen.dependencies.contains(&requirement.name)
                && (requirement.marker.is_always()
                    || requirement.marker.evaluate(environment, extras) != MarkerTruth::False)
        })
    }
}

/// Returns the extras of each chosen package that somebody wants on the target.
fn wanted_extras<'a>(inputs: &'a Inputs, told: &[Told<'a>], environment: &MarkerEnvironment) -> Extras<'a> {
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
        for one in told {
            let own = requirements(one.fact, wanted.get(one.name).unwrap_or(&NONE));
            if own.iter().all(|requirement| requirement.extras.is_empty()) {
                continue;
            }
            for (_, requirement) in one.holding(environment, &wanted) {
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
