//! Which file of a version serves the target, or why none does; and in which order the versions are tried.
//!
//! Everything is found lazily, version by version, and remembered: of a page with thousands of files a resolution looks at
//! a few. What makes a version a candidate never changes during a run; PubGrub's proofs rest on that.

use std::cell::{OnceCell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, Origin};
use pinfold_packaging::{
    DistributionFilename, ExtraName, Metadata, PackageName, PageFile, Prerelease, Specifiers, Version,
};
use pubgrub::Map;
use version_ranges::Ranges;

use crate::facts::{MetadataFact, ProjectFact};
use crate::prepared::{Demand, Directions, Prepared, PythonAnswer};
use crate::run::Stop;
use crate::{Facts, ProjectFacts, Question, Refusal};

/// Every project that was looked at, for one problem.
pub(crate) struct Projects<'f> {
    pub(crate) prepared: &'f Prepared<'f>,
    pub(crate) facts: &'f Facts,
    known: RefCell<Map<PackageName, Option<Rc<Project<'f>>>>>,
}

/// One project whose page is known, or that is known not to exist.
pub(crate) struct Project<'f> {
    pub(crate) name: PackageName,
    prepared: &'f Prepared<'f>,
    facts: &'f Facts,
    fact: &'f ProjectFact,
    directions: Option<&'f Directions>,
    /// What was found out, by the position of the version.
    known: RefCell<Map<usize, Known<'f>>>,
    has_final: OnceCell<bool>,
}

/// What was found out about a version.
#[derive(Default)]
struct Known<'f> {
    choice: Option<Choice<'f>>,
    metadata: Option<&'f MetadataFact>,
    /// What it needs.
    demands: Option<Rc<[Demand]>>,
    /// What its extras need.
    of_extras: Vec<(ExtraName, Rc<[Demand]>)>,
}

/// Which file of a version serves the target.
#[derive(Debug, Clone)]
pub(crate) enum Choice<'f> {
    /// This one.
    File(&'f Arc<PageFile>),
    /// None.
    None(Obstacle),
}

/// Why no file of a version serves the target. The order is that in which they are looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    /// A constraint rules the version out.
    Constraint,
    /// The project is required by URL and this is another file.
    OtherUrl,
    /// Uploaded after the cutoff.
    TooNew,
    /// There is a cutoff and the index does not tell the upload time (attack IX34).
    NoUploadTime,
    /// It needs another Python.
    Python(PythonObstacle),
    /// Only wheels for other systems, and no sdist.
    NoWheel,
    /// Only an sdist would do, and the project is none of those that may be built.
    NotBuilt,
    /// Other files of the version exist, and this one would serve; only the cutoff hides it, or that its upload time is not told.
    Hidden(ArtifactFilename, Option<Timestamp>),
    /// Yanked, and not pinned.
    Yanked(String),
    /// A pre-release, and none is wanted.
    Prerelease,
    /// Its metadata cannot be read.
    Unreadable(Arc<str>),
}

/// Which Python is needed instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PythonObstacle {
    pub(crate) specifiers: Specifiers,
    /// Where the target could be divided so that the file serves a part.
    pub(crate) cut: Option<Version>,
}

impl PartialOrd for PythonObstacle {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PythonObstacle {
    /// Which of two is reported does not matter.
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

/// What else decides whether a version is a candidate; fixed for a run, grown between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Permits {
    /// Projects of which a requirement of a package names a pre-release.
    pub(crate) prereleases: BTreeSet<PackageName>,
    /// Versions that a requirement of a package pins exactly although they are yanked.
    pub(crate) yanked: BTreeSet<(PackageName, Version)>,
}

/// How welcome a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Welcome {
    First,
    /// Taken only where no other fits: yanked versions, and pre-releases that only a package's requirement named.
    Last,
}

/// The best candidate in a range.
pub(crate) enum Best<'f> {
    /// Its metadata is known.
    Known(&'f Version),
    /// The metadata of a file must be known first.
    Missing { position: usize },
    /// There is none.
    Nothing,
    /// A security refusal.
    Refused(Refusal),
}

impl<'f> Projects<'f> {
    /// Makes an empty collection.
    pub(crate) fn new(prepared: &'f Prepared<'f>, facts: &'f Facts) -> Self {
        Self { prepared, facts, known: RefCell::default() }
    }

    /// Returns how many projects were looked at.
    pub(crate) fn known_count(&self) -> usize {
        self.known.borrow().len()
    }

    /// Returns of how many projects something is known.
    pub(crate) fn fact_count(&self) -> usize {
        self.facts.project_count()
    }

    /// Returns true if there is more than one index, or projects of more than one were looked at.
    pub(crate) fn have_several_indexes(&self) -> bool {
        if self.facts.has_several_indexes() {
            return true;
        }
        let known = self.known.borrow();
        let mut indexes = known.values().flatten().map(|project| project.origin().index());
        let first = indexes.next();
        indexes.any(|index| Some(index) != first)
    }

    /// Returns the names that are known to exist, sorted.
    pub(crate) fn existing(&self) -> Vec<&'f PackageName> {
        self.facts.existing().collect()
    }

    /// Returns a project, or none if nothing is known of it.
    pub(crate) fn find(&self, name: &PackageName) -> Option<Rc<Project<'f>>> {
        if let Some(found) = self.known.borrow().get(name) {
            return found.clone();
        }
        let project = self.facts.project(name).map(|fact| {
            Rc::new(Project {
                name: name.clone(),
                prepared: self.prepared,
                facts: self.facts,
                fact,
                directions: self.prepared.directions(name),
                known: RefCell::default(),
                has_final: OnceCell::new(),
            })
        });
        self.known.borrow_mut().insert(name.clone(), project.clone());
        project
    }

    /// Returns what a version of a project needs: itself, or only what one of its extras adds. It is found out once per
    /// resolution, because no run learns anything that would change it.
    pub(crate) fn demands(
        &self,
        name: &PackageName,
        version: &Version,
        extra: Option<&ExtraName>,
    ) -> Result<Rc<[Demand]>, Stop> {
        let project = self.find(name).ok_or(Stop::Missing)?;
        let (position, metadata) = project.chosen_metadata(version).ok_or(Stop::Missing)?;
        if let Some(known) = project.known_demands(position, extra) {
            return Ok(known);
        }
        let demands: Rc<[Demand]> = self.find_demands(name, version, (metadata, extra))?.into();
        project.keep_demands(position, extra, &demands);
        Ok(demands)
    }

    fn find_demands(
        &self,
        name: &PackageName,
        version: &Version,
        (metadata, extra): (&Metadata, Option<&ExtraName>),
    ) -> Result<Vec<Demand>, Stop> {
        let none = BTreeSet::new();
        let wanted: BTreeSet<ExtraName> = extra.into_iter().cloned().collect();
        let mut demands = Vec::new();
        let read = if extra.is_some() { whole(name, version, metadata)? } else { metadata };
        for requirement in &read.requires_dist {
            let plain = self.prepared.demand(requirement, &none);
            let demand = match (extra, plain) {
                (None, plain) => plain,
                (Some(_), Some(plain)) if plain.cuts.is_empty() => None,
                (Some(_), _) => self.prepared.demand(requirement, &wanted),
            };
            let Some(demand) = demand else { continue };
            if let Some(url) = demand.url.as_ref()
                && !self.prepared.names_url(&demand.name, url)
            {
                return Err(Stop::Refused(Refusal::DirectUrl {
                    name: name.clone(),
                    version: version.clone(),
                    dependency: demand.name,
                    url: url.to_string(),
                }));
            }
            demands.push(demand);
        }
        Ok(demands)
    }
}

/// Returns METADATA with what only extras need.
fn whole<'f>(name: &PackageName, version: &Version, metadata: &'f Metadata) -> Result<&'f Metadata, Stop> {
    metadata.whole().map_err(|error| {
        let (name, version, reason) = (name.clone(), version.clone(), error.to_string());
        Stop::Refused(Refusal::UnreadableExtras { name, version, reason })
    })
}

impl<'f> Project<'f> {
    /// Returns the page, or none if the project does not exist.
    pub(crate) fn page(&self) -> Option<&'f ProjectFacts> {
        match self.fact {
            ProjectFact::Absent(_) => None,
            ProjectFact::Page(page) => Some(page),
        }
    }

    /// Returns the origin that the project belongs to.
    pub(crate) fn origin(&self) -> &'f Origin {
        match self.fact {
            ProjectFact::Absent(origin) => origin,
            ProjectFact::Page(page) => page.origin(),
        }
    }

    /// Returns how many versions of the page lie in a range, usable or not.
    pub(crate) fn count(&self, range: &Ranges<Version>) -> usize {
        self.segments(range).iter().map(|(start, end)| end - start).sum()
    }

    /// Returns the positions of the versions in a range, ascending.
    pub(crate) fn positions(&self, range: &Ranges<Version>) -> Vec<usize> {
        self.segments(range).into_iter().flat_map(|(start, end)| start..end).collect()
    }

    /// Returns the runs of positions in a range, ascending, each with its first and the one after its last.
    fn segments(&self, range: &Ranges<Version>) -> Vec<(usize, usize)> {
        let mut segments = Vec::new();
        let Some(page) = self.page() else { return segments };
        for (start, end) in range.iter() {
            let first = match start {
                Bound::Unbounded => 0,
                Bound::Included(bound) => page.partition(|version| version < bound),
                Bound::Excluded(bound) => page.partition(|version| version <= bound),
            };
            if first == page.version_count() {
                break;
            }
            let last = match end {
                Bound::Unbounded => page.version_count(),
                Bound::Included(bound) => page.partition(|version| version <= bound),
                Bound::Excluded(bound) => page.partition(|version| version < bound),
            };
            if first < last {
                segments.push((first, last));
            }
        }
        segments
    }

    /// Returns how many versions of the page lie in a range, and whether the page alone shows a candidate among them.
    pub(crate) fn survey(&self, range: &Ranges<Version>, permits: &Permits) -> (usize, bool) {
        let segments = self.segments(range);
        let count = segments.iter().map(|(start, end)| end - start).sum();
        (count, self.ordered(segments).any(|position| self.welcome(position, permits).is_ok()))
    }

    /// Returns the versions that the page alone shows to be candidates, and whether each is a wheel.
    pub(crate) fn shown(&self, permits: &Permits) -> BTreeMap<Version, bool> {
        let Some(page) = self.page() else { return BTreeMap::new() };
        let positions = (0..page.version_count()).filter(|position| self.welcome(*position, permits).is_ok());
        let is_wheel = |position| match self.choice(position) {
            Choice::File(file) => matches!(file.distribution, DistributionFilename::Wheel(_)),
            Choice::None(_) => false,
        };
        positions.map(|position| (page.version(position).clone(), is_wheel(position))).collect()
    }

    /// Returns the best candidate in a range.
    pub(crate) fn best(&self, range: &Ranges<Version>, permits: &Permits) -> Best<'f> {
        for version in self.prepared.problem.preferred(&self.name).filter(|version| range.contains(version)) {
            if let Some(position) = self.page().and_then(|page| page.position(version))
                && self.welcome(position, permits).is_ok()
                && let Some(best) = self.checked(position)
            {
                return best;
            }
        }
        for welcome in [Welcome::First, Welcome::Last] {
            for position in self.order(range) {
                if self.welcome(position, permits) == Ok(welcome)
                    && let Some(best) = self.checked(position)
                {
                    return best;
                }
            }
        }
        Best::Nothing
    }

    /// Returns the questions for the candidates after a position whose metadata is missing, at most `limit`, best first.
    pub(crate) fn missing_after(&self, position: usize, permits: &Permits, limit: usize) -> Vec<Question> {
        let Some(page) = self.page() else { return Vec::new() };
        let after = if self.is_lowest() { (position + 1, page.version_count()) } else { (0, position) };
        let missing = |position: &usize| self.welcome(*position, permits).is_ok() && self.metadata(*position).is_none();
        let positions = self.ordered(vec![after]).filter(missing).take(limit);
        positions.filter_map(|position| self.question(position)).collect()
    }

    /// Returns the versions that come before the chosen one in the order in which they are tried, and whose metadata is known to
    /// be unreadable; with their files, and why.
    pub(crate) fn unreadable_before(
        &self,
        chosen: &Version,
        permits: &Permits,
    ) -> Vec<(&'f Version, &'f Arc<PageFile>, Arc<str>)> {
        let Some((page, position)) = self.page().and_then(|page| Some((page, page.position(chosen)?))) else {
            return Vec::new();
        };
        let before = if self.is_lowest() { 0..position } else { position + 1..page.version_count() };
        let unreadable = |position: usize| match (self.obstacle(position, permits)?, self.choice(position)) {
            (Obstacle::Unreadable(reason), Choice::File(file)) => Some((page.version(position), file, reason)),
            _ => None,
        };
        before.filter_map(unreadable).collect()
    }

    /// Returns the versions with a file that would be tried before the chosen one, if what the page says of it could be read; in
    /// the order in which they are tried, each with what cannot be read.
    pub(crate) fn missed_before(&self, chosen: &Version, permits: &Permits) -> Vec<(&'f Version, &'f str)> {
        let (Some(page), Some((file, _))) = (self.page(), self.chosen(chosen)) else { return Vec::new() };
        if self.directions.is_some_and(|own| !own.urls.is_empty()) {
            return Vec::new();
        }
        let chosen_rank = self.rank(&file.distribution).ok();
        let mut missed: Vec<(&'f Version, &'f str)> = Vec::new();
        for (own, reason) in page.skipped().iter().filter_map(|file| Some((file.missed.as_ref()?, &file.reason))) {
            let version = own.distribution.version();
            let Ok(rank) = self.rank(&own.distribution) else { continue };
            let is_before = match version.cmp(chosen) {
                Ordering::Equal => Some(rank) < chosen_rank,
                Ordering::Greater => !self.is_lowest(),
                Ordering::Less => self.is_lowest(),
            };
            let is_welcome =
                !version.is_prerelease() || self.takes_prereleases() || permits.prereleases.contains(&self.name);
            let cutoff = self.prepared.problem.exclude_newer;
            let is_early = cutoff.is_none_or(|cutoff| own.upload_time.is_some_and(|time| time <= cutoff));
            if is_before && is_welcome && is_early {
                missed.push((version, reason));
            }
        }
        missed.sort_unstable();
        if !self.is_lowest() {
            missed.reverse();
        }
        missed
    }

    /// Returns the question for the metadata of the version at a position.
    pub(crate) fn question(&self, position: usize) -> Option<Question> {
        let page = self.page()?;
        match self.choice(position) {
            Choice::File(file) => Some(Question::Metadata {
                name: self.name.clone(),
                version: page.version(position).clone(),
                file: file.clone(),
                origin: page.origin().clone(),
            }),
            Choice::None(_) => None,
        }
    }

    /// Returns file and metadata of a version that [`Self::best`] returned.
    pub(crate) fn chosen(&self, version: &Version) -> Option<(&'f Arc<PageFile>, &'f Arc<Metadata>)> {
        let position = self.page()?.position(version)?;
        match self.choice(position) {
            Choice::File(file) => match self.metadata(position)? {
                MetadataFact::Known(metadata) => Some((file, metadata)),
                MetadataFact::Unreadable(_) => None,
            },
            Choice::None(_) => None,
        }
    }

    /// Returns position and metadata of a version that [`Self::best`] returned.
    pub(crate) fn chosen_metadata(&self, version: &Version) -> Option<(usize, &'f Metadata)> {
        let position = self.page()?.position(version)?;
        match self.metadata(position)? {
            MetadataFact::Known(metadata) => Some((position, metadata)),
            MetadataFact::Unreadable(_) => None,
        }
    }

    /// Returns what a version needs, if that was found out.
    pub(crate) fn known_demands(&self, position: usize, extra: Option<&ExtraName>) -> Option<Rc<[Demand]>> {
        let known = self.known.borrow();
        let own = known.get(&position)?;
        match extra {
            None => own.demands.clone(),
            Some(extra) => own.of_extras.iter().find(|(own, _)| own == extra).map(|(_, demands)| Rc::clone(demands)),
        }
    }

    /// Keeps what a version needs.
    pub(crate) fn keep_demands(&self, position: usize, extra: Option<&ExtraName>, demands: &Rc<[Demand]>) {
        let mut known = self.known.borrow_mut();
        let own = known.entry(position).or_default();
        match extra {
            None => own.demands = Some(Rc::clone(demands)),
            Some(extra) => own.of_extras.push((extra.clone(), Rc::clone(demands))),
        }
    }

    /// Returns why the version at a position is no candidate, if it is none; metadata included where it is known.
    pub(crate) fn obstacle(&self, position: usize, permits: &Permits) -> Option<Obstacle> {
        match self.welcome(position, permits) {
            Err(obstacle) => Some(obstacle),
            Ok(_) => self.metadata(position).and_then(|metadata| self.metadata_obstacle(metadata)),
        }
    }

    fn metadata(&self, position: usize) -> Option<&'f MetadataFact> {
        if let Some(fact) = self.known.borrow().get(&position).and_then(|own| own.metadata) {
            return Some(fact);
        }
        let Choice::File(file) = self.choice(position) else { return None };
        let fact = self.facts.metadata_fact(file)?;
        self.known.borrow_mut().entry(position).or_default().metadata = Some(fact);
        Some(fact)
    }

    fn metadata_obstacle(&self, fact: &MetadataFact) -> Option<Obstacle> {
        match fact {
            MetadataFact::Known(metadata) => {
                metadata.requires_python.as_ref().and_then(|specifiers| self.python_obstacle(specifiers))
            }
            MetadataFact::Unreadable(reason) => Some(Obstacle::Unreadable(Arc::clone(reason))),
        }
    }

    fn python_obstacle(&self, specifiers: &Specifiers) -> Option<Obstacle> {
        let cut = match self.prepared.accepts_python(specifiers) {
            PythonAnswer::All => return None,
            PythonAnswer::None => None,
            PythonAnswer::Some(cut) => Some(cut),
        };
        Some(Obstacle::Python(PythonObstacle { specifiers: specifiers.clone(), cut }))
    }

    /// Returns what the metadata of a candidate makes of it; none if it is no candidate after all.
    fn checked(&self, position: usize) -> Option<Best<'f>> {
        let page = self.page()?;
        let version = page.version(position);
        let Some(fact) = self.metadata(position) else { return Some(Best::Missing { position }) };
        if let MetadataFact::Known(metadata) = fact
            && (metadata.name != self.name || metadata.version != *version)
        {
            let Choice::File(file) = self.choice(position) else { return None };
            return Some(Best::Refused(Refusal::ForeignMetadata {
                filename: file.filename.clone(),
                found_name: metadata.name.clone(),
                found_version: metadata.version.clone(),
            }));
        }
        self.metadata_obstacle(fact).is_none().then_some(Best::Known(version))
    }

    /// Returns the positions in a range in the order in which they are tried.
    fn order(&self, range: &Ranges<Version>) -> impl Iterator<Item = usize> + use<> {
        self.ordered(self.segments(range))
    }

    fn ordered(&self, mut segments: Vec<(usize, usize)>) -> impl Iterator<Item = usize> + use<> {
        let lowest = self.is_lowest();
        if !lowest {
            segments.reverse();
        }
        segments.into_iter().flat_map(move |(start, end)| {
            (start..end).map(move |position| if lowest { position } else { start + (end - 1 - position) })
        })
    }

    fn is_lowest(&self) -> bool {
        use pinfold_packaging::Strategy;
        match self.prepared.problem.strategy {
            Strategy::Highest => false,
            Strategy::Lowest => true,
            Strategy::LowestDirect => self.directions.is_some_and(|own| own.direct),
        }
    }

    /// Returns how welcome the version at a position is, as far as the page tells.
    fn welcome(&self, position: usize, permits: &Permits) -> Result<Welcome, Obstacle> {
        let file = match self.choice(position) {
            Choice::File(file) => file,
            Choice::None(obstacle) => return Err(obstacle),
        };
        let version = file.distribution.version();
        let by_url = self.directions.is_some_and(|own| !own.urls.is_empty());
        if by_url {
            return Ok(Welcome::First);
        }
        let mut welcome = Welcome::First;
        if version.is_prerelease() && !self.takes_prereleases() {
            if !permits.prereleases.contains(&self.name) {
                return Err(Obstacle::Prerelease);
            }
            welcome = Welcome::Last;
        }
        if let Some(reason) = &file.yanked {
            let pinned = self.directions.is_some_and(|own| own.pins.iter().any(|pin| pin.contains(version)));
            let locked = self.prepared.problem.locked.get(&self.name).is_some_and(|own| own.contains(version));
            let permitted = || permits.yanked.contains(&(self.name.clone(), version.clone()));
            if !(pinned || locked || permitted()) {
                return Err(Obstacle::Yanked(reason.clone()));
            }
            welcome = Welcome::Last;
        }
        Ok(welcome)
    }

    fn takes_prereleases(&self) -> bool {
        self.prepared.wants_prereleases(&self.name)
            || (self.prepared.problem.prerelease == Prerelease::IfNecessary && !self.has_final())
    }

    /// Returns true if a final release exists, whether or not it can be used.
    fn has_final(&self) -> bool {
        *self.has_final.get_or_init(|| {
            let Some(page) = self.page() else { return false };
            let exists = |file: &Arc<PageFile>| self.time_obstacle(file).is_none();
            (0..page.version_count())
                .rev()
                .any(|position| !page.version(position).is_prerelease() && page.files(position).iter().any(exists))
        })
    }

    /// Returns the file of the version at a position that serves the target.
    pub(crate) fn choice(&self, position: usize) -> Choice<'f> {
        if let Some(choice) = self.known.borrow().get(&position).and_then(|own| own.choice.as_ref()) {
            return choice.clone();
        }
        let choice = self.choose(position);
        self.known.borrow_mut().entry(position).or_default().choice = Some(choice.clone());
        choice
    }

    fn choose(&self, position: usize) -> Choice<'f> {
        let Some(page) = self.page() else { return Choice::None(Obstacle::NoWheel) };
        let version = page.version(position);
        let constraint = self.directions.and_then(|own| own.constraint.as_ref());
        if constraint.is_some_and(|(range, _)| !range.contains(version)) {
            return Choice::None(Obstacle::Constraint);
        }
        let mut best: Option<(FileOrder, &'f Arc<PageFile>)> = None;
        let mut obstacle = Obstacle::Constraint;
        for file in page.files(position) {
            match self.file_order(file) {
                Ok(order) if best.as_ref().is_none_or(|(own, _)| order < *own) => best = Some((order, file)),
                Ok(_) => {}
                Err(found) => obstacle = if found > obstacle { found } else { obstacle },
            }
        }
        match best {
            Some((_, file)) => Choice::File(file),
            None => {
                let better = self.divided(position, &obstacle).or_else(|| self.hidden(position, &obstacle));
                Choice::None(better.unwrap_or(obstacle))
            }
        }
    }

    /// Returns that a file would serve a part of the target, where none serves all of it: whatever is in the way of others, the
    /// target can be divided.
    fn divided(&self, position: usize, obstacle: &Obstacle) -> Option<Obstacle> {
        let is_by_url = self.directions.is_some_and(|own| !own.urls.is_empty());
        if is_by_url || !matches!(obstacle, Obstacle::NoWheel | Obstacle::NotBuilt | Obstacle::Python(_)) {
            return None;
        }
        self.first_part(position, |_| true).map(Obstacle::Python)
    }

    /// Returns where a better file of a version than the one that serves the whole target serves a part of it: what that one needs,
    /// or that it was yanked, is in the way of the other part alone.
    pub(crate) fn better_part(&self, position: usize) -> Option<Version> {
        let Choice::File(chosen) = self.choice(position) else { return None };
        if self.directions.is_some_and(|own| !own.urls.is_empty()) {
            return None;
        }
        let own = self.order_of(chosen).ok()?;
        self.first_part(position, |file| self.order_of(file).is_ok_and(|other| other < own))?.cut
    }

    /// Returns which of these files of a version would serve a part of the target; of several the one that divides it first.
    fn first_part(&self, position: usize, is_one: impl Fn(&PageFile) -> bool) -> Option<PythonObstacle> {
        let part = |file: &Arc<PageFile>| {
            if self.time_obstacle(file).is_some() || self.rank(&file.distribution).is_err() || !is_one(file) {
                return None;
            }
            match self.python_obstacle(file.requires_python.as_ref()?)? {
                Obstacle::Python(PythonObstacle { specifiers, cut: Some(cut) }) => Some((cut, specifiers)),
                _ => None,
            }
        };
        let parts = self.page()?.files(position).iter().filter_map(part);
        let first =
            parts.min_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.to_string().cmp(&other.1.to_string())));
        first.map(|(cut, specifiers)| PythonObstacle { specifiers, cut: Some(cut) })
    }

    /// Returns the file that would serve the target if the cutoff did not hide it, where what is not hidden serves none: to say
    /// that there is no such file would be untrue. Of several the first to be uploaded.
    fn hidden(&self, position: usize, obstacle: &Obstacle) -> Option<Obstacle> {
        if !matches!(obstacle, Obstacle::NoWheel | Obstacle::NotBuilt) {
            return None;
        }
        let serves = |file: &&Arc<PageFile>| {
            let refused = || file.requires_python.as_ref().and_then(|own| self.python_obstacle(own)).is_some();
            self.time_obstacle(file).is_some() && self.rank(&file.distribution).is_ok() && !refused()
        };
        let serving = self.page()?.files(position).iter().filter(serves);
        let first = serving.min_by_key(|file| (file.upload_time.is_none(), file.upload_time, &file.filename))?;
        Some(Obstacle::Hidden(first.filename.clone(), first.upload_time))
    }

    fn time_obstacle(&self, file: &PageFile) -> Option<Obstacle> {
        let cutoff = self.prepared.problem.exclude_newer?;
        match file.upload_time {
            None => Some(Obstacle::NoUploadTime),
            Some(time) => (time > cutoff).then_some(Obstacle::TooNew),
        }
    }

    /// Returns how well a file serves the target, or why it does not.
    fn file_order(&self, file: &PageFile) -> Result<FileOrder, Obstacle> {
        let urls = self.directions.map(|own| &own.urls).filter(|urls| !urls.is_empty());
        let obstacle = match urls {
            Some(urls) => {
                let url = file.url.to_safe_url().without_fragment();
                urls.iter().any(|own| *own != url).then_some(Obstacle::OtherUrl)
            }
            None => self.time_obstacle(file),
        };
        if let Some(obstacle) = obstacle {
            return Err(obstacle);
        }
        if let Some(obstacle) = file.requires_python.as_ref().and_then(|own| self.python_obstacle(own)) {
            return Err(obstacle);
        }
        self.order_of(file)
    }

    /// Returns how well a file serves the target whose Pythons it accepts.
    fn order_of(&self, file: &PageFile) -> Result<FileOrder, Obstacle> {
        let rank = self.rank(&file.distribution)?;
        Ok(FileOrder { yanked: file.yanked.is_some(), rank, name: file.filename.clone() })
    }

    /// Returns how well a file of this name serves the target, or why it does not.
    fn rank(&self, distribution: &DistributionFilename) -> Result<Rank, Obstacle> {
        let problem = self.prepared.problem;
        let (is_sdist, tags, build) = match distribution {
            DistributionFilename::Wheel(_) if problem.no_binary.contains(&self.name) => return Err(Obstacle::NoWheel),
            DistributionFilename::Wheel(wheel) => {
                (false, self.prepared.tags.rank(wheel).ok_or(Obstacle::NoWheel)?, wheel.build.clone())
            }
            DistributionFilename::Sdist(_) if !problem.build.allows(&self.name) => return Err(Obstacle::NotBuilt),
            DistributionFilename::Sdist(_) => (true, 0, None),
        };
        Ok(Rank { is_sdist, tags, build: Reverse(build) })
    }
}

/// The order of the files of one version: the least serves best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileOrder {
    yanked: bool,
    rank: Rank,
    name: ArtifactFilename,
}

/// What a file's name says of how well it serves the target: the least serves best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_sdist: bool,
    tags: u32,
    build: Reverse<Option<pinfold_packaging::BuildTag>>,
}
