//! Packages, versions and facts in words.

use std::collections::BTreeSet;
use std::ops::Bound;

use pinfold_packaging::{ExtraName, MarkerTruth, PackageName, Specifiers, Version};
use pubgrub::{External, Map, Term};
use version_ranges::Ranges;

use super::{Fact, Role};
use crate::candidates::{Obstacle, Project};
use crate::prepared::Demand;
use crate::run::{Package, Run, absent};

/// Finds the words, with the pages at hand.
pub(super) struct Words<'r, 'f> {
    run: &'r Run<'r, 'f>,
}

/// A subject.
pub(super) struct Subject {
    pub(super) text: String,
    plural: bool,
    /// The package, where all of its versions are meant.
    all_of: Option<String>,
    /// The versions, where one of them is meant.
    either: Option<String>,
    /// The extra, where it is meant that it is left out.
    without: Option<String>,
}

impl Subject {
    fn new(text: String) -> Self {
        Self { text, plural: false, all_of: None, either: None, without: None }
    }

    /// Says that these versions cannot be used.
    pub(super) fn unusable(&self) -> String {
        match &self.all_of {
            Some(label) => format!("no version of {label} can be used"),
            None => format!("{} cannot be used", self.text),
        }
    }

    /// Returns the package, where all of its versions are meant.
    pub(super) fn label(&self) -> Option<&str> {
        self.all_of.as_deref()
    }

    /// Names the versions of which one is needed.
    pub(super) fn choice(&self) -> String {
        match &self.all_of {
            Some(label) => format!("some version of {label}"),
            None => self.either.clone().unwrap_or_else(|| self.text.clone()),
        }
    }

    /// Says that these versions are needed; that an extra has to be left out means that it cannot be used.
    pub(super) fn needed(&self) -> String {
        match &self.without {
            Some(extra) => format!("{extra} cannot be used"),
            None => format!("{} is needed", self.choice()),
        }
    }

    /// Says that these versions need others.
    pub(super) fn needs(&self, other: &Self) -> String {
        match &other.without {
            Some(extra) => format!("{} with {extra}", self.unusable()),
            None => format!("{} {} {}", self.text, self.verb("needs", "need"), other.choice()),
        }
    }

    /// Returns the form of a verb that fits.
    pub(super) const fn verb(&self, singular: &'static str, plural: &'static str) -> &'static str {
        if self.plural { plural } else { singular }
    }
}

/// Packages, each with positions of its versions.
pub(super) type Sets = BTreeSet<(String, Vec<usize>)>;

impl<'r, 'f> Words<'r, 'f> {
    pub(super) fn new(run: &'r Run<'r, 'f>) -> Self {
        Self { run }
    }

    /// Returns the positions of the versions of a project in a range; none if nothing is known of it.
    pub(super) fn positions(&self, name: &PackageName, range: &Ranges<Version>) -> Vec<usize> {
        self.run.projects.find(name).map(|project| project.positions(range)).unwrap_or_default()
    }

    /// Returns what tells the versions that terms are about from others: in words, two sets of many may look alike.
    pub(super) fn sets(&self, terms: &Map<Package, Term<Ranges<Version>>>) -> Sets {
        let set = |(package, term): (&Package, &Term<Ranges<Version>>)| {
            let (Term::Positive(range) | Term::Negative(range)) = term;
            match package {
                Package::Root => None,
                Package::Project(name) | Package::Extra(name, _) => {
                    Some((package.to_string(), self.positions(name, range)))
                }
            }
        };
        terms.iter().filter_map(set).collect()
    }

    /// Names versions of a package by those that exist.
    pub(super) fn versions(&self, package: &Package, range: &Ranges<Version>) -> Subject {
        let (name, label) = match package {
            Package::Root => return Subject::new("what you require".to_owned()),
            Package::Project(name) => (name, name.to_string()),
            Package::Extra(name, extra) => (name, format!("{name}[{extra}]")),
        };
        let project = self.run.projects.find(name);
        let Some((project, page)) = project.as_ref().and_then(|project| Some((project, project.page()?))) else {
            return Subject::new(label);
        };
        let positions = project.positions(range);
        if positions.len() == page.version_count() && positions.len() > 1 {
            let all_of = Some(label.clone());
            return Subject { all_of, ..Subject::new(format!("every version of {label}")) };
        }
        if positions.is_empty() {
            return match package {
                Package::Extra(name, extra) if range.contains(&absent()) => {
                    let without = Some(label);
                    Subject { without, ..Subject::new(format!("{name} without its extra `{extra}`")) }
                }
                _ => Subject::new(format!("{label} {}", range_text(range))),
            };
        }
        let version = |position: usize| page.version(position).to_string();
        let last = page.version_count() - 1;
        let runs = runs(&positions);
        let text = |(start, end): &(usize, usize)| match (*start, *end) {
            (start, end) if start == end => version(start),
            (start, end) if end == last => format!("{} and newer", version(start)),
            (0, end) => format!("{} and older", version(end)),
            (start, end) => format!("{} to {}", version(start), version(end)),
        };
        if runs.len() > RUNS {
            let (first, newest) = (positions.first().copied().unwrap_or(0), positions.last().copied().unwrap_or(last));
            let text =
                format!("{} versions of {label} from {} to {}", positions.len(), version(first), version(newest));
            let either = Some(format!("one of {text}"));
            return Subject { plural: true, either, ..Subject::new(text) };
        }
        let texts: Vec<String> = runs.iter().map(text).collect();
        let either = Some(format!("{label} {}", texts.join(" or ")));
        let text = format!("{label} {}", list(&texts));
        Subject { plural: positions.len() > 1, either, ..Subject::new(text) }
    }

    /// Says a fact; none for what only links an extra to its project.
    pub(super) fn fact(&self, fact: &Fact, role: Role) -> Option<String> {
        match fact {
            External::NotRoot(..) => None,
            External::Custom(_, _, never) => match *never {},
            External::NoVersions(Package::Project(name) | Package::Extra(name, _), range) => {
                self.no_versions(name, range, role)
            }
            External::NoVersions(Package::Root, _) => None,
            External::FromDependencyOf(of, own, on, other) => self.dependency(of, own, on, other),
        }
    }

    fn no_versions(&self, name: &PackageName, range: &Ranges<Version>, role: Role) -> Option<String> {
        // That there is no version in no range is nothing to tell.
        if range.is_empty() {
            return None;
        }
        let project = self.run.projects.find(name)?;
        let Some(page) = project.page() else {
            return Some(format!("{name} does not exist on {}", project.origin().index()));
        };
        let positions = project.positions(range);
        if !positions.is_empty() {
            let subject = self.versions(&Package::Project(name.clone()), range);
            return Some(format!("{} ({})", subject.unusable(), self.reasons(&project, &positions).join("; ")));
        }
        if page.version_count() == 0 {
            return Some(format!("{name} has no files"));
        }
        (role == Role::Needed).then(|| format!("there is no version of {name} {}", range_text(range)))
    }

    fn reasons(&self, project: &Project<'f>, positions: &[usize]) -> Vec<String> {
        let permits = &*self.run.permits.borrow();
        let mut seen = BTreeSet::new();
        let mut reasons = Vec::new();
        for position in positions.iter().rev() {
            let Some(obstacle) = project.obstacle(*position, permits) else { continue };
            let reason = self.reason(project, &obstacle);
            if seen.insert(reason.clone()) {
                reasons.push(reason);
            }
        }
        if reasons.len() > REASONS {
            reasons.truncate(REASONS);
            reasons.push("…".to_owned());
        }
        reasons
    }

    fn reason(&self, project: &Project<'f>, obstacle: &Obstacle) -> String {
        let problem = self.run.prepared.problem;
        match obstacle {
            Obstacle::Constraint => format!("ruled out by {}", self.constraint(&project.name).0),
            Obstacle::OtherUrl => {
                match self.run.prepared.directions(&project.name).map_or(0, |directions| directions.urls.len()) {
                    0 | 1 => "another file than the one required by URL".to_owned(),
                    count => format!("{count} different files are required by URL"),
                }
            }
            Obstacle::TooNew => "uploaded after the cutoff of exclude-newer".to_owned(),
            Obstacle::NoUploadTime => "the index tells no upload time, which exclude-newer needs".to_owned(),
            Obstacle::Python(own) => format!("needs Python {}", own.specifiers),
            Obstacle::NoWheel if problem.no_binary.contains(&project.name) => {
                "no sdist, and no-binary forbids its wheels".to_owned()
            }
            Obstacle::NoWheel => format!("no wheel for {}", problem.target),
            Obstacle::NotBuilt => format!("only an sdist for {}, and `build` does not name it", problem.target),
            Obstacle::Hidden(_, Some(_)) => {
                format!("what serves {} was uploaded after the cutoff of exclude-newer", problem.target)
            }
            Obstacle::Hidden(_, None) => {
                format!("the index tells no upload time of what serves {}, which exclude-newer needs", problem.target)
            }
            Obstacle::Yanked(_) => "yanked".to_owned(),
            Obstacle::Prerelease => "pre-release".to_owned(),
            Obstacle::Unreadable(_) => "unreadable metadata".to_owned(),
        }
    }

    /// Quotes the constraints on a project, and says how many there are.
    pub(super) fn constraint(&self, name: &PackageName) -> (String, usize) {
        let own = self.run.prepared.directions(name).and_then(|own| own.constraint.as_ref());
        let texts: Vec<String> =
            own.into_iter().flat_map(|(_, requirements)| requirements.iter().map(|one| format!("`{one}`"))).collect();
        let word = if texts.len() == 1 { "constraint" } else { "constraints" };
        (format!("the {word} {}", list(&texts)), texts.len())
    }

    fn dependency(&self, of: &Package, own: &Ranges<Version>, on: &Package, other: &Ranges<Version>) -> Option<String> {
        let (name, extra) = match of {
            Package::Root => return self.root_dependency(on, other),
            Package::Project(name) => (name, None),
            Package::Extra(name, extra) => (name, Some(extra)),
        };
        // What ties an extra to its project needs no words; that a project needs an extra of its own does.
        let tie = match on {
            Package::Root => true,
            Package::Extra(on_name, _) => on_name == name && extra.is_none() && other.contains(&absent()),
            Package::Project(on_name) => on_name == name && extra.is_some() && !other.is_empty(),
        };
        if tie {
            return None;
        }
        let subject = self.versions(of, own);
        let needed = self.needed(name, extra, own, on).unwrap_or_else(|| match on {
            Package::Project(name) => format!("{name} {}", range_text(other)),
            Package::Extra(..) | Package::Root => on.to_string(),
        });
        let none = if other.is_empty() { ", which no version can meet" } else { "" };
        Some(format!("{} {} {needed}{none}", subject.text, subject.verb("needs", "need")))
    }

    fn root_dependency(&self, on: &Package, other: &Ranges<Version>) -> Option<String> {
        let (Package::Project(name) | Package::Extra(name, _)) = on else { return None };
        let roots = &self.run.prepared.problem.roots;
        let overridden = self.run.prepared.directions(name).is_some_and(|own| own.replacement.is_some());
        let own = self.run.prepared.roots.iter().filter(|(_, demand)| demand.name == *name);
        let texts: Vec<String> = own
            .map(|(position, demand)| {
                let root = &roots[*position];
                let text = if overridden { demand_text(demand) } else { format!("`{}`", root.requirement) };
                if root.written.is_empty() { text } else { format!("{text} ({})", root.written) }
            })
            .collect();
        let none = if other.is_empty() { ", which no version can meet" } else { "" };
        (!texts.is_empty()).then(|| format!("you require {}{none}", texts.join(" and ")))
    }

    /// Quotes what the newest version in a range needs of a package, as its metadata writes it.
    fn needed(
        &self,
        name: &PackageName,
        extra: Option<&ExtraName>,
        own: &Ranges<Version>,
        on: &Package,
    ) -> Option<String> {
        let (Package::Project(on_name) | Package::Extra(on_name, _)) = on else { return None };
        let project = self.run.projects.find(name)?;
        let page = project.page()?;
        let positions = project.positions(own);
        let (version, demands) = positions.iter().rev().find_map(|position| {
            let version = page.version(*position);
            let demands = self.run.projects.demands(name, version, extra).ok()?;
            let demands: Vec<Demand> = demands.iter().filter(|demand| demand.name == *on_name).cloned().collect();
            (!demands.is_empty()).then_some((version, demands))
        })?;
        let texts: BTreeSet<String> = demands.iter().map(demand_text).collect();
        let text = texts.into_iter().collect::<Vec<_>>().join(" and ");
        let overridden = self.run.prepared.directions(on_name).is_some_and(|own| own.replacement.is_some());
        let guessed = self.guessed(&project, (version, extra), on_name);
        Some(match (overridden, guessed.is_empty()) {
            (true, _) => format!("{text} (by your override)"),
            (false, true) => text,
            (false, false) => format!("{text} (if {}, which no target knows)", list(&guessed)),
        })
    }

    /// Quotes the markers because of which a version may or may not need a project, and so is taken to need it: they ask for
    /// the release of a kernel.
    fn guessed(
        &self,
        project: &Project<'f>,
        (version, extra): (&Version, Option<&ExtraName>),
        on: &PackageName,
    ) -> Vec<String> {
        let wanted: BTreeSet<ExtraName> = extra.into_iter().cloned().collect();
        let Some((_, metadata)) = project.chosen_metadata(version) else { return Vec::new() };
        let demands = metadata.requires_dist.iter().filter(|requirement| requirement.name == *on);
        let markers = demands.map(|requirement| &requirement.marker).filter(|marker| marker.asks_for_the_unknown());
        let markers =
            markers.filter(|marker| marker.evaluate(&self.run.prepared.environment, &wanted) != MarkerTruth::False);
        markers.map(|marker| format!("`{marker}`")).collect()
    }
}

/// Writes a demand as a requirement, without its marker.
fn demand_text(demand: &Demand) -> String {
    let extras: Vec<&str> = demand.extras.iter().map(ExtraName::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    let specifiers: Vec<String> = demand.specifiers.iter().map(Specifiers::to_string).collect();
    format!("`{}{extras}{}`", demand.name, specifiers.join(","))
}

/// Joins neighbouring positions.
fn runs(positions: &[usize]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *position => *end = *position,
            _ => runs.push((*position, *position)),
        }
    }
    runs
}

/// Joins with commas, and with "and" before the last.
pub(super) fn list(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns the range with or without the version of an extra that nobody wants, whichever is simpler: it is nothing to tell.
fn plain_range(range: &Ranges<Version>) -> Ranges<Version> {
    let absent = Ranges::singleton(absent());
    let (with, without) = (range.union(&absent), range.intersection(&absent.complement()));
    if with.iter().count() < without.iter().count() { with } else { without }
}

/// Writes a range of which no version exists.
fn range_text(range: &Ranges<Version>) -> String {
    let range = plain_range(range);
    let complement = range.complement();
    let gaps: Option<Vec<String>> =
        complement.iter().map(|(start, end)| Some(format!("!={}", lone(start, end)?))).collect();
    if let Some(gaps) = gaps
        && !gaps.is_empty()
        && gaps.len() <= RUNS
    {
        return gaps.join(",");
    }
    let parts: Vec<String> = range.iter().map(|(start, end)| segment_text(start, end)).collect();
    if parts.len() > RUNS {
        return "in the demanded ranges".to_owned();
    }
    parts.join(" or ")
}

/// Returns the version that bounds have between them, if it is one, local versions aside.
fn lone<'b>(start: &'b Bound<Version>, end: &Bound<Version>) -> Option<&'b Version> {
    match (start, end) {
        (Bound::Included(low), Bound::Included(high)) => (low == high).then_some(low),
        (Bound::Included(low), Bound::Excluded(high)) => (after(low) == Some(high.to_string())).then_some(low),
        _ => None,
    }
}

/// Returns the end of the local versions of a version as [`Specifiers::ranges`] has it, for all but development releases.
fn after(version: &Version) -> Option<String> {
    let text = version.without_local().to_string();
    if text.contains(".dev") {
        return None;
    }
    Some(match text.rsplit_once(".post") {
        Some((release, post)) => format!("{release}.post{}.dev0", post.parse::<u64>().ok()? + 1),
        None => format!("{text}.post0.dev0"),
    })
}

/// Returns the version of which this is the end of the local versions.
fn before(version: &Version) -> Option<String> {
    let text = version.to_string();
    let (release, post) = text.strip_suffix(".dev0")?.rsplit_once(".post")?;
    Some(match post.parse::<u64>().ok()? {
        0 => release.to_owned(),
        post => format!("{release}.post{}", post - 1),
    })
}

fn segment_text(start: &Bound<Version>, end: &Bound<Version>) -> String {
    if let Some(version) = lone(start, end) {
        return format!("=={version}");
    }
    let low = match start {
        Bound::Unbounded => None,
        Bound::Included(version) => Some(match before(version) {
            Some(version) => format!(">{version}"),
            None => format!(">={}", plain(version)),
        }),
        Bound::Excluded(version) => Some(format!(">{version}")),
    };
    let high = match end {
        Bound::Unbounded => None,
        Bound::Included(version) => Some(format!("<={version}")),
        Bound::Excluded(version) => Some(match before(version) {
            Some(version) => format!("<={version}"),
            None => format!("<{}", plain(version)),
        }),
    };
    let parts: Vec<String> = low.into_iter().chain(high).collect();
    parts.join(",")
}

/// Drops the development release that ranges begin or end with where a specifier wrote none.
fn plain(version: &Version) -> String {
    let text = version.to_string();
    match text.strip_suffix(".dev0") {
        Some(short) => short.to_owned(),
        None => text,
    }
}

/// Runs of versions that are named one by one.
const RUNS: usize = 4;
/// Reasons that are named for one range.
const REASONS: usize = 4;
