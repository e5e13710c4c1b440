//! The problem with everything that does not change while it is solved, computed once.
//!
//! Overrides, constraints, exclusions and markers are applied here and nowhere else: the rest of the room sees [`Demand`]s,
//! which hold on the target as they stand.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pinfold_artifact::SafeUrl;
use pinfold_packaging::{
    ExtraName, MarkerEnvironment, MarkerTruth, PackageName, Prerelease, RequiredUrl, Requirement, Specifiers, Tags,
    Target, Version,
};
use version_ranges::Ranges;

use crate::Problem;

/// A requirement as it holds on the target: marker evaluated, override applied.
#[derive(Debug, Clone)]
pub(crate) struct Demand {
    pub(crate) name: PackageName,
    pub(crate) extras: BTreeSet<ExtraName>,
    pub(crate) range: Ranges<Version>,
    pub(crate) specifiers: Vec<Specifiers>,
    /// The file that is demanded, if one is and no override says otherwise.
    pub(crate) url: Option<RequiredUrl>,
    /// Where its marker divides the target; until it is divided the marker counts as true.
    pub(crate) cuts: BTreeSet<Version>,
}

/// What the maintainer wrote about one project for this target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directions {
    /// It is required directly.
    pub(crate) direct: bool,
    /// A requirement of the maintainer names a pre-release of it.
    pub(crate) names_prerelease: bool,
    /// The versions that constraints leave, if there are any.
    pub(crate) constraint: Option<(Ranges<Version>, Vec<Requirement>)>,
    /// What replaces every declared range, if something does.
    pub(crate) replacement: Option<Vec<Specifiers>>,
    /// The files that it must be.
    pub(crate) urls: BTreeSet<SafeUrl>,
    /// Versions that the maintainer pins exactly.
    pub(crate) pins: Vec<Ranges<Version>>,
}

/// A problem, made ready.
#[derive(Debug)]
pub(crate) struct Prepared<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) environment: MarkerEnvironment,
    pub(crate) tags: Arc<Tags>,
    /// Every release of Python that the target stands for.
    pub(crate) pythons: Vec<Version>,
    pub(crate) directions: BTreeMap<PackageName, Directions>,
    /// What is required, with the position of the root.
    pub(crate) roots: Vec<(usize, Demand)>,
    /// Where the maintainer's own markers divide the target.
    pub(crate) cuts: BTreeSet<Version>,
    /// Answers of [`Self::accepts_python`]: thousands of files share a few specifiers.
    python_answers: RefCell<HashMap<Specifiers, PythonAnswer>>,
    /// The last of them.
    last_python: RefCell<Option<(Specifiers, PythonAnswer)>>,
}

/// Whether a file that accepts certain Python versions serves the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PythonAnswer {
    /// It serves every release of the target.
    All,
    /// It serves none.
    None,
    /// It serves some; this is the first release at which the answer changes.
    Some(Version),
}

impl<'p> Prepared<'p> {
    /// Prepares a problem.
    pub(crate) fn new(problem: &'p Problem) -> Self {
        let mut prepared = Self {
            problem,
            environment: problem.target.marker_environment(),
            tags: problem.target.tags(),
            pythons: pythons(&problem.target),
            directions: BTreeMap::new(),
            roots: Vec::new(),
            cuts: BTreeSet::new(),
            python_answers: RefCell::default(),
            last_python: RefCell::default(),
        };
        prepared.read_overrides();
        prepared.read_roots();
        prepared.read_constraints();
        prepared.read_limits();
        prepared
    }

    /// Returns what the maintainer wrote about a project.
    pub(crate) fn directions(&self, name: &PackageName) -> Option<&Directions> {
        self.directions.get(name)
    }

    /// Returns true if the maintainer says that a project is the file at this URL.
    pub(crate) fn names_url(&self, name: &PackageName, url: &RequiredUrl) -> bool {
        let Some(url) = url.safe().map(SafeUrl::without_fragment) else { return false };
        self.directions(name).is_some_and(|directions| directions.urls.contains(&url))
    }

    /// Returns which releases of the target a file serves that accepts these Python versions.
    pub(crate) fn accepts_python(&self, specifiers: &Specifiers) -> PythonAnswer {
        // The files of a version have the same, and so have most versions one after the other.
        if let Some((last, answer)) = &*self.last_python.borrow()
            && last == specifiers
        {
            return answer.clone();
        }
        let answer = self.find_python(specifiers);
        *self.last_python.borrow_mut() = Some((specifiers.clone(), answer.clone()));
        answer
    }

    fn find_python(&self, specifiers: &Specifiers) -> PythonAnswer {
        if let Some(answer) = self.python_answers.borrow().get(specifiers) {
            return answer.clone();
        }
        let series = |version: &Version| Some([*version.release().first()?, *version.release().get(1)?]);
        let is_alike = self.pythons.first().and_then(series).is_some_and(|own| specifiers.take_series_whole(own));
        let pythons = self.pythons.iter().take(if is_alike { 1 } else { usize::MAX });
        let mut answers = pythons.map(|python| (specifiers.contains(python), python));
        let first = answers.next().is_none_or(|(answer, _)| answer);
        let answer = match answers.find(|(answer, _)| *answer != first) {
            Some((_, cut)) => PythonAnswer::Some(cut.clone()),
            None if first => PythonAnswer::All,
            None => PythonAnswer::None,
        };
        self.python_answers.borrow_mut().insert(specifiers.clone(), answer.clone());
        answer
    }

    /// Returns the demand that a requirement makes on the target where the extras are wanted, if it makes one.
    pub(crate) fn demand(&self, requirement: &Requirement, extras: &BTreeSet<ExtraName>) -> Option<Demand> {
        if self.problem.exclude.contains(&requirement.name) {
            return None;
        }
        let cuts = match requirement.marker.evaluate(&self.environment, extras) {
            MarkerTruth::False => return None,
            MarkerTruth::True => BTreeSet::new(),
            MarkerTruth::Divided(cuts) => cuts,
        };
        let replacement = self.directions(&requirement.name).and_then(|directions| directions.replacement.as_ref());
        let (specifiers, url) = match replacement {
            Some(specifiers) => (specifiers.clone(), None),
            None => (vec![requirement.specifiers.clone()], requirement.url.clone()),
        };
        let ranges = specifiers.iter().filter(|one| !one.is_any()).map(Specifiers::ranges);
        let range = ranges.reduce(|range, one| range.intersection(&one)).unwrap_or_else(Ranges::full);
        Some(Demand {
            name: requirement.name.clone(),
            extras: requirement.extras.clone(),
            range,
            specifiers,
            url,
            cuts,
        })
    }

    fn read_overrides(&mut self) {
        for requirement in &self.problem.overrides {
            if !self.holds(requirement) {
                continue;
            }
            let directions = self.directions.entry(requirement.name.clone()).or_default();
            directions.replacement.get_or_insert_default().push(requirement.specifiers.clone());
            directions.note(requirement);
        }
    }

    fn read_roots(&mut self) {
        let none = BTreeSet::new();
        for (position, root) in self.problem.roots.iter().enumerate() {
            let Some(demand) = self.demand(&root.requirement, &none) else { continue };
            self.cuts.extend(demand.cuts.iter().cloned());
            let directions = self.directions.entry(demand.name.clone()).or_default();
            directions.direct = true;
            if directions.replacement.is_none() {
                directions.note(&root.requirement);
            }
            self.roots.push((position, demand));
        }
    }

    fn read_constraints(&mut self) {
        for requirement in &self.problem.constraints {
            if !self.holds(requirement) {
                continue;
            }
            let directions = self.directions.entry(requirement.name.clone()).or_default();
            directions.note(requirement);
            let (range, texts) = directions.constraint.get_or_insert_with(|| (Ranges::full(), Vec::new()));
            *range = range.intersection(&requirement.specifiers.ranges());
            texts.push(requirement.clone());
        }
    }

    fn read_limits(&mut self) {
        for (name, versions) in &self.problem.limits {
            let one_of = versions.iter().fold(Ranges::empty(), |all, one| all.union(&Ranges::singleton(one.clone())));
            let directions = self.directions.entry(name.clone()).or_default();
            let (range, _) = directions.constraint.get_or_insert_with(|| (Ranges::full(), Vec::new()));
            *range = range.intersection(&one_of);
        }
    }

    /// Returns true if a marker of the maintainer holds; one that divides the target is noted and holds for now.
    fn holds(&mut self, requirement: &Requirement) -> bool {
        match requirement.marker.evaluate(&self.environment, &BTreeSet::new()) {
            MarkerTruth::False => false,
            MarkerTruth::True => true,
            MarkerTruth::Divided(cuts) => {
                self.cuts.extend(cuts);
                true
            }
        }
    }

    /// Returns true if every pre-release of a project is a candidate because a setting or the maintainer says so.
    pub(crate) fn wants_prereleases(&self, name: &PackageName) -> bool {
        let directions = self.directions(name);
        match self.problem.prerelease {
            Prerelease::Allow => true,
            Prerelease::Explicit | Prerelease::IfNecessary => directions.is_some_and(|own| own.names_prerelease),
            Prerelease::Never => false,
        }
    }
}

impl Directions {
    fn note(&mut self, requirement: &Requirement) {
        self.names_prerelease |= requirement.specifiers.mentions_prerelease();
        if requirement.specifiers.is_pinned() {
            self.pins.push(requirement.specifiers.ranges());
        }
        self.urls.extend(requirement.url.as_ref().and_then(RequiredUrl::safe).map(SafeUrl::without_fragment));
    }
}

/// Lists the releases of Python that a target stands for. Patch numbers beyond [`LAST_PATCH`] were never seen.
fn pythons(target: &Target) -> Vec<Version> {
    let span = target.python_span();
    let number = |version: &Version, position: usize| version.release().get(position).copied().unwrap_or(0);
    let (major, minor) = (number(&span.at_least, 0), number(&span.at_least, 1));
    let Some(below) = span.below else { return vec![span.at_least] };
    (number(&span.at_least, 2)..=LAST_PATCH)
        .map(|patch| Version::from_release([major, minor, patch]))
        .take_while(|version| *version < below)
        .collect()
}

const LAST_PATCH: u64 = 60;
