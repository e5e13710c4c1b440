//! From PubGrub's choice to a [`Solution`]: what each package needs, and who needs it, by walking from the roots.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use pinfold_packaging::{ExtraName, Metadata, PackageName, Repair, Specifiers, Version};
use pubgrub::SelectedDependencies;

use crate::candidates::Project;
use crate::prepared::Demand;
use crate::run::{Package, Run, Stop, absent};
use crate::{Chosen, RootReason, Solution, Warning};

/// A solution, and where markers of what it holds divide the target.
pub(crate) struct Answer {
    pub(crate) solution: Solution,
    pub(crate) cuts: BTreeSet<Version>,
}

/// A project, or one of its extras.
type Node = (PackageName, Option<ExtraName>);

/// Makes the solution out of what PubGrub selected.
pub(crate) fn answer(run: &Run<'_, '_>, selected: SelectedDependencies<Package, Version>) -> Result<Answer, Stop> {
    let versions: BTreeMap<PackageName, Version> = selected
        .into_iter()
        .filter_map(|(package, version)| match package {
            Package::Project(name) => Some((name, version)),
            Package::Extra(..) | Package::Root => None,
        })
        .collect();
    let walk = Walk::new(run, &versions)?;
    let mut answer = Answer {
        solution: Solution {
            target: run.prepared.problem.target.clone(),
            packages: BTreeMap::new(),
            warnings: BTreeSet::new(),
        },
        cuts: BTreeSet::new(),
    };
    answer.solution.warnings = walk.passed_over();
    for ((name, extra), (demands, reasons)) in walk.nodes {
        let (Some(project), Some(version)) = (run.projects.find(&name), versions.get(&name)) else { continue };
        answer.cuts.extend(demands.iter().flat_map(|demand| demand.cuts.iter().cloned()));
        if let Some(extra) = extra {
            answer.warn_extra(&project, version, &extra);
        }
        if !answer.solution.packages.contains_key(&name) {
            let Some(chosen) = choose(&project, version) else { continue };
            answer.warn(&name, &project, &chosen);
            answer.solution.packages.insert(name.clone(), chosen);
        }
        if let Some(chosen) = answer.solution.packages.get_mut(&name) {
            chosen.reasons.extend(reasons);
            let others = demands.iter().map(|demand| &demand.name).filter(|other| **other != name);
            chosen.dependencies.extend(others.cloned());
        }
    }
    Ok(answer)
}

fn choose(project: &Project<'_>, version: &Version) -> Option<Chosen> {
    let (file, metadata) = project.chosen(version)?;
    Some(Chosen {
        version: version.clone(),
        file: file.clone(),
        origin: project.origin().clone(),
        dependencies: BTreeSet::new(),
        reasons: BTreeSet::new(),
        requires_python: metadata.requires_python.clone().or_else(|| file.requires_python.clone()),
    })
}

/// Returns what is repaired in a `Requires-Python`.
fn repairs(python: &str) -> Vec<Repair> {
    Specifiers::parse_lenient(python).map(|(_, repairs)| repairs).unwrap_or_default()
}

impl Answer {
    fn warn_extra(&mut self, project: &Project<'_>, version: &Version, extra: &ExtraName) {
        let provides = |metadata: &Metadata| metadata.whole().is_ok_and(|read| read.provides_extras.contains(extra));
        let known = project.chosen(version).is_some_and(|(_, metadata)| provides(metadata));
        if !known {
            let (name, version, extra) = (project.name.clone(), version.clone(), extra.clone());
            self.solution.warnings.insert(Warning::UnknownExtra { name, version, extra });
        }
    }

    fn warn(&mut self, name: &PackageName, project: &Project<'_>, chosen: &Chosen) {
        if let Some(page) = project.page()
            && let Some(state) = Warning::state_word(page.status().state)
        {
            let reason = page.status().reason.clone();
            self.solution.warnings.insert(Warning::Status { name: name.clone(), state, reason });
        }
        let repairs = project.chosen(&chosen.version).into_iter().flat_map(|(file, metadata)| {
            // The page mostly repeats the metadata, and the same is told once.
            let page = file.broken_python.as_deref().map(repairs).unwrap_or_default();
            metadata.repairs.iter().cloned().chain(page)
        });
        self.solution.warnings.extend(repairs.map(|repair| {
            let version = chosen.version.clone();
            Warning::Repaired { name: name.clone(), version, repair }
        }));
        if let Some(reason) = &chosen.file.yanked {
            let (version, reason) = (chosen.version.clone(), reason.clone());
            self.solution.warnings.insert(Warning::Yanked { name: name.clone(), version, reason });
        }
    }
}

/// What is reached from the roots.
struct Walk<'r, 'f> {
    run: &'r Run<'r, 'f>,
    versions: &'r BTreeMap<PackageName, Version>,
    nodes: BTreeMap<Node, (Rc<[Demand]>, BTreeSet<RootReason>)>,
}

impl<'r, 'f> Walk<'r, 'f> {
    fn new(run: &'r Run<'r, 'f>, versions: &'r BTreeMap<PackageName, Version>) -> Result<Self, Stop> {
        let mut walk = Self { run, versions, nodes: BTreeMap::new() };
        let roots = &run.prepared.problem.roots;
        let reasons: BTreeSet<&RootReason> = run.prepared.roots.iter().map(|(root, _)| &roots[*root].reason).collect();
        for reason in reasons {
            let own = run.prepared.roots.iter().filter(|(root, _)| roots[*root].reason == *reason);
            let mut pending: Vec<Node> = own.flat_map(|(_, demand)| nodes(demand)).collect();
            while let Some(node) = pending.pop() {
                pending.extend(walk.reach(node, reason)?);
            }
        }
        Ok(walk)
    }

    /// Returns a warning for what would have been taken before the chosen, if it could be read: each version by its metadata,
    /// and for each defect of a page the first file that has it.
    fn passed_over(&self) -> BTreeSet<Warning> {
        let mut warnings = BTreeSet::new();
        let is_missed = |name: &PackageName| {
            let page = self.run.projects.find(name).and_then(|project| project.page());
            page.is_some_and(|page| page.skipped().iter().any(|skipped| skipped.missed.is_some()))
        };
        if !self.run.projects.facts.has_unreadable() && !self.versions.keys().any(is_missed) {
            return warnings;
        }
        let prepared = self.run.prepared;
        let roots = prepared.roots.iter().map(|(_, demand)| demand);
        let demands: Vec<&Demand> = roots.chain(self.nodes.values().flat_map(|(demands, _)| demands.iter())).collect();
        for (name, chosen) in self.versions {
            let Some(project) = self.run.projects.find(name) else { continue };
            let constraint = prepared.directions.get(name).and_then(|own| own.constraint.as_ref());
            if prepared.problem.preferred(name).any(|version| version == chosen) {
                continue;
            }
            let is_asked_for = |version: &Version| {
                demands.iter().filter(|demand| demand.name == *name).all(|demand| demand.range.contains(version))
                    && constraint.is_none_or(|(range, _)| range.contains(version))
            };
            for (version, file, reason) in project.unreadable_before(chosen, &self.run.permits.borrow()) {
                if is_asked_for(version) {
                    let (name, version, filename) = (name.clone(), version.clone(), file.filename.clone());
                    warnings.insert(Warning::Unreadable { name, version, filename, reason: reason.to_string() });
                }
            }
            let mut told = BTreeSet::new();
            for (version, reason) in project.missed_before(chosen, &self.run.permits.borrow()) {
                if is_asked_for(version) && told.insert(reason) {
                    let (name, version, reason) = (name.clone(), version.clone(), reason.to_owned());
                    warnings.insert(Warning::Missed { name, version, reason });
                }
            }
        }
        warnings
    }

    /// Notes that a node is reached for a reason; returns what it reaches, if that is news.
    fn reach(&mut self, node: Node, reason: &RootReason) -> Result<Vec<Node>, Stop> {
        if let Some((demands, reasons)) = self.nodes.get_mut(&node) {
            let new = reasons.insert(reason.clone());
            return Ok(if new { demands.iter().flat_map(nodes).collect() } else { Vec::new() });
        }
        let (name, extra) = &node;
        let Some(version) = self.versions.get(name).filter(|version| **version != absent()) else {
            return Ok(Vec::new());
        };
        let demands = self.run.projects.demands(name, version, extra.as_ref())?;
        let next = demands.iter().flat_map(nodes).collect();
        self.nodes.insert(node, (demands, BTreeSet::from([reason.clone()])));
        Ok(next)
    }
}

/// Returns the nodes that a demand reaches.
fn nodes(demand: &Demand) -> Vec<Node> {
    let extras = demand.extras.iter().map(|extra| (demand.name.clone(), Some(extra.clone())));
    std::iter::once((demand.name.clone(), None)).chain(extras).collect()
}
