//! What stands in the way of a solution, and what exists instead.
//!
//! A hint states what is there; it never says to turn a check off.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_packaging::{PackageName, Version};
use pubgrub::External;

use super::words::Words;
use super::{Fact, Role};
use crate::candidates::{Obstacle, Project};
use crate::run::{Package, Run};

/// Gathers hints from the facts of a derivation.
pub(super) struct Hints<'r, 'f> {
    run: &'r Run<'r, 'f>,
    /// By project, then by kind, so that each is said once.
    hints: BTreeMap<(PackageName, &'static str), Hint>,
    cuts: BTreeSet<Version>,
}

/// One hint: the versions that it is about, newest first, and what is said of them.
struct Hint {
    versions: Vec<Version>,
    detail: String,
}

impl<'r, 'f> Hints<'r, 'f> {
    pub(super) fn new(run: &'r Run<'r, 'f>) -> Self {
        Self { run, hints: BTreeMap::new(), cuts: BTreeSet::new() }
    }

    /// Reads one fact.
    pub(super) fn read(&mut self, fact: &Fact, role: Role) {
        let External::NoVersions(Package::Project(name) | Package::Extra(name, _), range) = fact else { return };
        let Some(project) = self.run.projects.find(name) else { return };
        let Some(page) = project.page() else {
            self.note(name, "absent", None, String::new());
            return;
        };
        if let Some(skipped) = page.skipped().first() {
            let detail = format!(
                "{} of its files could not be read: `{}`: {}",
                page.skipped().len(),
                skipped.filename,
                skipped.reason
            );
            self.note(name, "skipped", None, detail);
        }
        let positions = project.positions(range);
        if positions.is_empty() && role == Role::Needed && page.version_count() > 0 {
            let newest = page.version(page.version_count() - 1).clone();
            self.note(name, "newest", Some(newest), String::new());
        }
        for position in positions.into_iter().rev() {
            let Some(obstacle) = project.obstacle(position, &self.run.knobs.permits) else { continue };
            self.read_obstacle(&project, page.version(position), &obstacle);
        }
    }

    fn read_obstacle(&mut self, project: &Project<'f>, version: &Version, obstacle: &Obstacle) {
        let problem = self.run.prepared.problem;
        let (kind, detail) = match obstacle {
            Obstacle::Constraint => ("constraint", Words::new(self.run).constraint(&project.name)),
            Obstacle::OtherUrl => return,
            Obstacle::TooNew => ("too new", problem.exclude_newer.map(|cutoff| cutoff.to_string()).unwrap_or_default()),
            Obstacle::NoUploadTime => ("no time", project.origin().index().to_string()),
            Obstacle::Python(own) => {
                self.cuts.extend(own.cut.clone());
                ("python", own.specifiers.to_string())
            }
            Obstacle::NoWheel => ("no wheel", problem.target.to_string()),
            Obstacle::NotBuilt => ("sdist", problem.target.to_string()),
            Obstacle::Yanked(reason) => ("yanked", reason.clone()),
            Obstacle::Prerelease => ("pre-release", problem.prerelease.to_string()),
        };
        self.note(&project.name, kind, Some(version.clone()), detail);
    }

    fn note(&mut self, name: &PackageName, kind: &'static str, version: Option<Version>, detail: String) {
        let hint = self.hints.entry((name.clone(), kind)).or_insert(Hint { versions: Vec::new(), detail });
        hint.versions.extend(version);
    }

    /// Returns the hints, and where `Requires-Python` divides the target.
    pub(super) fn finish(self) -> (Vec<String>, BTreeSet<Version>) {
        let mut hints: Vec<String> =
            self.hints.iter().map(|((name, kind), hint)| self.text(name, kind, hint)).map(super::cut).collect();
        hints.dedup();
        if hints.len() > HINTS {
            let more = hints.len() - HINTS;
            hints.truncate(HINTS);
            hints.push(format!("{more} more are left out"));
        }
        (hints, self.cuts)
    }

    fn text(&self, name: &PackageName, kind: &str, hint: &Hint) -> String {
        let versions = shown(&hint.versions);
        let detail = &hint.detail;
        match kind {
            "absent" => self.absent_text(name),
            "constraint" => format!("{name} {versions} exists, but the constraint {detail} rules it out"),
            "too new" => format!("{name} {versions} was uploaded after {detail}, so exclude-newer hides it"),
            "no time" => {
                format!("{detail} does not tell when {name} {versions} was uploaded, so exclude-newer hides it")
            }
            "newest" => format!("the newest version of {name} is {versions}"),
            "python" => {
                format!("{name} {versions} needs Python {detail}; this target is {}", self.run.prepared.problem.target)
            }
            "no wheel" => format!("{name} {versions} has no wheel that every {detail} can use, and no sdist"),
            "sdist" => format!(
                "{name} {versions} has no wheel for {detail}, but an sdist; `build` in the manifest does not name {name}"
            ),
            "yanked" if detail.is_empty() => format!("{name} {versions} is yanked; only an exact `==` takes it"),
            "yanked" => format!("{name} {versions} is yanked ({detail}); only an exact `==` takes it"),
            "pre-release" => format!(
                "{name} {versions} is a pre-release; the setting prerelease = \"{detail}\" does not take it here"
            ),
            _ => format!("{name}: {detail}"),
        }
    }

    fn absent_text(&self, name: &PackageName) -> String {
        let index = self.run.projects.find(name).map(|project| project.origin().index().to_string());
        let missing = format!("there is no project {name} on {}", index.unwrap_or_default());
        let known = self.run.projects.existing().into_iter();
        let near = known
            .map(|other| (strsim::damerau_levenshtein(name.as_str(), other.as_str()), other))
            .filter(|(distance, other)| *distance > 0 && *distance <= 2 && *distance * 3 <= other.as_str().len())
            .min();
        match near {
            Some((_, other)) => format!("{missing}; did you mean `{other}`?"),
            None => missing,
        }
    }
}

/// Names some versions, newest first.
fn shown(versions: &[Version]) -> String {
    let unique: BTreeSet<&Version> = versions.iter().collect();
    let names: Vec<String> = unique.iter().rev().take(VERSIONS).map(ToString::to_string).collect();
    match unique.len().saturating_sub(VERSIONS) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

const HINTS: usize = 30;
/// Versions that one hint names.
const VERSIONS: usize = 3;
