//! What stands in the way of a solution, and what exists instead.
//!
//! A hint states what is there; it never says to turn a check off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

use jiff::Timestamp;
use pinfold_artifact::ArtifactFilename;
use pinfold_packaging::{DistributionFilename, PackageName, PageFile, Prerelease, Version, WheelFilename};
use pubgrub::External;
use version_ranges::Ranges;

use super::words::{Words, list};
use super::{Fact, Role};
use crate::candidates::{Obstacle, Project};
use crate::run::{Package, Run};

/// Gathers hints from the facts of a derivation.
pub(super) struct Hints<'r, 'f> {
    run: &'r Run<'r, 'f>,
    /// By project, kind and detail, so that each is said once; the versions that it is about.
    hints: BTreeMap<(PackageName, Kind, String), BTreeSet<Version>>,
    cuts: BTreeSet<Version>,
    empty: BTreeSet<PackageName>,
}

/// What a hint is about, in the order in which hints of one project are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Absent,
    Constraint,
    Excluded,
    Existing,
    Hidden,
    NoTime,
    NoWheel,
    NotBuilt,
    Prerelease,
    Python,
    Skipped,
    TooNew,
    Unreadable,
    Yanked,
}

impl<'r, 'f> Hints<'r, 'f> {
    pub(super) fn new(run: &'r Run<'r, 'f>) -> Self {
        let mut hints = Self { run, hints: BTreeMap::new(), cuts: BTreeSet::new(), empty: BTreeSet::new() };
        hints.read_excluded();
        hints
    }

    /// What the maintainer requires and excludes at once is not installed, which may surprise.
    fn read_excluded(&mut self) {
        let problem = self.run.prepared.problem;
        for root in problem.roots.iter().filter(|root| problem.exclude.contains(&root.requirement.name)) {
            self.note(&root.requirement.name, Kind::Excluded, None, root.written.clone());
        }
    }

    /// Reads one fact.
    pub(super) fn read(&mut self, fact: &Fact, role: Role) {
        let (External::NoVersions(package, range) | External::FromDependencyOf(package, range, ..)) = fact else {
            return;
        };
        let (Package::Project(name) | Package::Extra(name, _)) = package else { return };
        if range.is_empty() {
            return;
        }
        let Some(project) = self.run.projects.find(name) else { return };
        let positions = project.positions(range);
        self.cuts.extend(positions.iter().filter_map(|position| project.better_part(*position)));
        if !matches!(fact, External::NoVersions(..)) {
            return;
        }
        let Some(page) = project.page() else {
            self.note(name, Kind::Absent, None, String::new());
            return;
        };
        if page.version_count() == 0 && page.skipped().is_empty() {
            self.empty.insert(name.clone());
        }
        // What is no wheel or sdist of the project matters only where nothing else was left out.
        let missed: Vec<_> = page.skipped().iter().filter(|skipped| skipped.missed.is_some()).collect();
        let skipped = if missed.is_empty() { page.skipped().iter().collect() } else { missed };
        if let Some(first) = skipped.first() {
            let (count, filename, reason) = (skipped.len(), &first.filename, &first.reason);
            let detail = format!("{count} of its files could not be read: `{filename}`: {reason}");
            self.note(name, Kind::Skipped, None, detail);
        }
        if positions.is_empty() && role == Role::Needed && page.version_count() > 0 {
            self.note(name, Kind::Existing, None, existing(&project, range));
        }
        for position in positions.into_iter().rev() {
            let Some(obstacle) = project.obstacle(position, &self.run.permits.borrow()) else { continue };
            self.read_obstacle(&project, position, &obstacle);
        }
    }

    fn read_obstacle(&mut self, project: &Project<'f>, position: usize, obstacle: &Obstacle) {
        let problem = self.run.prepared.problem;
        let (kind, detail) = match obstacle {
            Obstacle::Constraint => {
                let (text, count) = Words::new(self.run).constraint(&project.name);
                (Kind::Constraint, format!("{text} {}", if count == 1 { "rules" } else { "rule" }))
            }
            Obstacle::OtherUrl => return,
            Obstacle::TooNew => (Kind::TooNew, String::new()),
            Obstacle::NoUploadTime => (Kind::NoTime, project.origin().index().to_string()),
            Obstacle::Python(own) => {
                self.cuts.extend(own.cut.clone());
                (Kind::Python, own.specifiers.to_string())
            }
            Obstacle::NoWheel => (Kind::NoWheel, problem.target.to_string()),
            Obstacle::NotBuilt => (Kind::NotBuilt, problem.target.to_string()),
            Obstacle::Hidden(filename, uploaded) => (Kind::Hidden, self.hidden_text(project, filename, *uploaded)),
            Obstacle::Yanked(reason) => (Kind::Yanked, reason.clone()),
            Obstacle::Prerelease => (Kind::Prerelease, problem.prerelease.to_string()),
            Obstacle::Unreadable(reason) => (Kind::Unreadable, reason.to_string()),
        };
        let version = project.page().map(|page| page.version(position).clone());
        self.note(&project.name, kind, version, detail);
    }

    fn note(&mut self, name: &PackageName, kind: Kind, version: Option<Version>, detail: String) {
        self.hints.entry((name.clone(), kind, detail)).or_default().extend(version);
    }

    /// Returns the projects that do not exist and have a name that is like none of those that do.
    pub(super) fn unknown(&self) -> BTreeSet<PackageName> {
        let absent = self.hints.keys().filter(|(_, kind, _)| *kind == Kind::Absent).map(|(name, ..)| name);
        absent.filter(|name| self.near(name).is_none()).cloned().collect()
    }

    /// Returns the projects with versions that are candidates only if a requirement of a package names them.
    pub(super) fn barred(&self) -> BTreeSet<PackageName> {
        let lets_in = self.run.prepared.problem.prerelease == Prerelease::IfNecessary;
        let is_barred = |kind: Kind| kind == Kind::Yanked || (kind == Kind::Prerelease && lets_in);
        self.hints.keys().filter(|(_, kind, _)| is_barred(*kind)).map(|(name, ..)| name.clone()).collect()
    }

    /// Returns the projects whose pages name no file.
    pub(super) const fn empty(&self) -> &BTreeSet<PackageName> {
        &self.empty
    }

    /// Returns the hints, and where `Requires-Python` divides the target: it rules a version out, or a better file of it.
    pub(super) fn finish(self) -> (Vec<String>, BTreeSet<Version>) {
        let mut hints = Vec::new();
        let mut alike: BTreeMap<(&PackageName, Kind), usize> = BTreeMap::new();
        for ((name, kind, detail), versions) in &self.hints {
            let count = alike.entry((name, *kind)).or_default();
            *count += 1;
            if *count <= ALIKE {
                hints.push(super::cut(self.text(name, *kind, detail, versions)));
            }
        }
        hints.dedup();
        if hints.len() > HINTS {
            let more = hints.len() - HINTS;
            hints.truncate(HINTS);
            hints.push(format!("{more} more are left out"));
        }
        (hints, self.cuts)
    }

    fn text(&self, name: &PackageName, kind: Kind, detail: &str, own: &BTreeSet<Version>) -> String {
        let versions = shown(own);
        let word = |singular: &'static str, plural: &'static str| if own.len() == 1 { singular } else { plural };
        let (is, has, needs) = (word("is", "are"), word("has", "have"), word("needs", "need"));
        match kind {
            Kind::Absent => self.absent_text(name),
            Kind::Constraint => {
                format!("{name} {versions} {}, but {detail} {} out", word("exists", "exist"), word("it", "them"))
            }
            Kind::Excluded => format!("{name} ({detail}) is never installed: `exclude` names it"),
            Kind::Hidden => format!("{name} {versions} {has} {detail}"),
            Kind::TooNew => self.too_new_text(name, own),
            Kind::NoTime => format!(
                "{detail} does not tell when {name} {versions} {} uploaded, so exclude-newer hides {}; on an index with a \
                 route, `upload-time = \"first-seen\"` lets the moment of the first lock stand for it",
                word("was", "were"),
                word("it", "them")
            ),
            Kind::Existing => match self.run.projects.find(name) {
                Some(project) if self.run.projects.have_several_indexes() => {
                    format!("{detail}, on {}, the only index that is asked for it", project.origin().index())
                }
                _ => detail.to_owned(),
            },
            Kind::Skipped => format!("{name}: {detail}"),
            Kind::Python => {
                format!(
                    "{name} {versions} {needs} Python {detail}; this target is {}",
                    self.run.prepared.problem.target
                )
            }
            Kind::NoWheel if self.run.prepared.problem.no_binary.contains(name) => {
                format!("{name} {versions} {has} no sdist, and `no-binary` names {name}, so its wheels are not used")
            }
            Kind::NotBuilt if self.run.prepared.problem.no_binary.contains(name) => {
                format!("{name} {versions} {has} an sdist, but `build` in the manifest does not name {name}")
            }
            Kind::NoWheel => {
                let wheels = own.last().map(|newest| self.wheels_text(name, newest)).unwrap_or_default();
                format!("{name} {versions} {has} no wheel that every {detail} can use, and no sdist{wheels}")
            }
            Kind::NotBuilt => format!(
                "{name} {versions} {has} no wheel for {detail}, but an sdist; `build` in the manifest does not name {name}"
            ),
            Kind::Unreadable => format!("the metadata of {name} {versions} cannot be read: {detail}"),
            Kind::Yanked if detail.is_empty() => {
                format!("{name} {versions} {is} yanked; only an exact `==` takes {}", word("it", "them"))
            }
            Kind::Yanked => {
                format!("{name} {versions} {is} yanked ({detail}); only an exact `==` takes {}", word("it", "them"))
            }
            Kind::Prerelease => format!(
                "{name} {versions} {is} {}; the setting prerelease = \"{detail}\" does not take {} here",
                word("a pre-release", "pre-releases"),
                word("it", "them")
            ),
        }
    }

    /// Says what the wheels of a version are for: other systems, if this Python has any, else other Pythons.
    fn wheels_text(&self, name: &PackageName, version: &Version) -> String {
        let project = self.run.projects.find(name);
        let page = project.as_ref().and_then(|project| project.page());
        let Some((page, position)) = page.and_then(|page| Some((page, page.position(version)?))) else {
            return String::new();
        };
        let tags = &self.run.prepared.tags;
        // What the target could use has something else in its way.
        let wheels = page.files(position).iter().filter_map(|file| wheel(file));
        let wheels: Vec<&WheelFilename> = wheels.filter(|wheel| tags.rank(wheel).is_none()).collect();
        let fits = |wheel: &&&WheelFilename| tags.fits_python(wheel);
        let systems: BTreeSet<&str> = wheels.iter().filter(fits).flat_map(|wheel| wheel.platform_tags()).collect();
        if !systems.is_empty() {
            return format!("; its wheels for this Python are for {}", few(&quoted(systems)));
        }
        let pair = |wheel: &&WheelFilename| {
            let join = |parts: Vec<&str>| parts.join(".");
            format!("{}-{}", join(wheel.python_tags().collect()), join(wheel.abi_tags().collect()))
        };
        let pythons: BTreeSet<String> = wheels.iter().map(pair).collect();
        if pythons.is_empty() { String::new() } else { format!("; its wheels are for {}", few(&quoted(pythons))) }
    }

    /// Names the one file of a version that would serve the target, and says why it does not.
    fn hidden_text(&self, project: &Project<'f>, filename: &ArtifactFilename, uploaded: Option<Timestamp>) -> String {
        let problem = self.run.prepared.problem;
        let file = format!("`{filename}` for {}", problem.target);
        match (uploaded, problem.exclude_newer) {
            (Some(time), Some(cutoff)) => {
                format!("{file}, uploaded {time}; that is newer than {cutoff}, so exclude-newer hides it")
            }
            _ => {
                format!(
                    "{file}, but {} does not tell when it was uploaded, so exclude-newer hides it",
                    project.origin().index()
                )
            }
        }
    }

    fn too_new_text(&self, name: &PackageName, versions: &BTreeSet<Version>) -> String {
        let cutoff = self.run.prepared.problem.exclude_newer.map(|cutoff| cutoff.to_string()).unwrap_or_default();
        let time = |version: &Version| {
            let project = self.run.projects.find(name)?;
            let page = project.page()?;
            let files = page.files(page.position(version)?);
            files.iter().filter_map(|file| file.upload_time).min()
        };
        let text = |version: &Version| match time(version) {
            Some(time) => format!("{version} (uploaded {time})"),
            None => version.to_string(),
        };
        let (is, it) = if versions.len() == 1 { ("is", "it") } else { ("are", "them") };
        let texts: Vec<String> = versions.iter().rev().map(text).collect();
        format!("{name} {} {is} newer than {cutoff}, so exclude-newer hides {it}", few(&texts))
    }

    fn absent_text(&self, name: &PackageName) -> String {
        let index = self.run.projects.find(name).map(|project| project.origin().index().to_string());
        let missing = format!("there is no project {name} on {}", index.unwrap_or_default());
        match self.near(name) {
            Some(other) => format!("{missing}; did you mean `{other}`?"),
            None if self.run.projects.have_several_indexes() => {
                format!(
                    "{missing}, and no other index is asked for it: `packages` of an index says which names are its own"
                )
            }
            None => missing,
        }
    }

    /// Returns the project with the name that is most like this one, if one is like it.
    fn near(&self, name: &PackageName) -> Option<&'f PackageName> {
        let known = self.run.projects.existing().into_iter();
        let near = known
            .map(|other| (strsim::damerau_levenshtein(name.as_str(), other.as_str()), other))
            .filter(|(distance, other)| *distance > 0 && *distance <= 2 && *distance * 3 <= other.as_str().len());
        near.min().map(|(_, other)| other)
    }
}

/// Says which versions exist on both sides of a range that has none.
fn existing(project: &Project<'_>, range: &Ranges<Version>) -> String {
    let Some(page) = project.page() else { return String::new() };
    let last = page.version_count() - 1;
    let (first, newest) = (page.version(0), page.version(last));
    let name = &project.name;
    if last == 0 {
        return format!("the only version of {name} is {first}");
    }
    let start = range.iter().next().map_or(Bound::Unbounded, |(start, _)| start.clone());
    let below = page.partition(|version| match &start {
        Bound::Unbounded => false,
        Bound::Included(bound) | Bound::Excluded(bound) => version <= bound,
    });
    match below {
        0 if range.iter().count() > 1 => format!("the versions of {name} are {first} to {newest}"),
        0 => format!("the oldest version of {name} is {first}"),
        below if below > last => format!("the newest version of {name} is {newest}"),
        below => format!("the nearest versions of {name} are {} and {}", page.version(below - 1), page.version(below)),
    }
}

/// Names some versions, newest first.
fn shown(versions: &BTreeSet<Version>) -> String {
    few(&versions.iter().rev().map(ToString::to_string).collect::<Vec<_>>())
}

fn wheel(file: &PageFile) -> Option<&WheelFilename> {
    match &file.distribution {
        DistributionFilename::Sdist(_) => None,
        DistributionFilename::Wheel(wheel) => Some(wheel),
    }
}

fn quoted(texts: impl IntoIterator<Item = impl fmt::Display>) -> Vec<String> {
    texts.into_iter().map(|text| format!("`{text}`")).collect()
}

/// Lists the first of some texts.
fn few(texts: &[String]) -> String {
    match texts.len().saturating_sub(VERSIONS) {
        0 => list(texts),
        more => format!("{} and {more} more", texts[..VERSIONS].join(", ")),
    }
}

const HINTS: usize = 30;
/// Hints of one kind about one project.
const ALIKE: usize = 3;
/// Versions that one hint names.
const VERSIONS: usize = 3;
