//! One run of PubGrub: which package next, which version of it, and what it needs.
//!
//! A run is exact: it stops at the first fact that it lacks, or when it learns something that must hold from its beginning
//! (then it is started again with more [`Knobs`]). A collecting run is never believed; it goes on past missing facts, so
//! that many questions are asked at once.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use pinfold_artifact::Limits;
use pinfold_packaging::{ExtraName, PackageName, Prerelease, Specifiers, Version};
use pubgrub::{Dependencies, DependencyProvider, Map, PackageResolutionStatistics, Set};
use version_ranges::Ranges;

use crate::candidates::{Best, Choice, Permits, Project, Projects};
use crate::depths::Depths;
use crate::prepared::{Demand, Prepared};
use crate::{Question, Refusal};

/// What PubGrub decides about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Package {
    /// What the maintainer asks for.
    Root,
    /// A project.
    Project(PackageName),
    /// An extra of a project: has the project's versions, needs the project at the same version, and what the extra needs.
    Extra(PackageName, ExtraName),
}

/// What a run learned that holds from the beginning of the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knobs {
    /// Candidates that requirements of packages let in.
    pub(crate) permits: Permits,
    /// Extras that a project's version settles at once; see [`absent`].
    pub(crate) tied: BTreeMap<PackageName, BTreeSet<ExtraName>>,
    /// Projects that are decided after all others, the higher the later: deciding them early drove another project to
    /// ever older versions.
    pub(crate) late: BTreeMap<PackageName, u32>,
    /// Pairs of which the second was put after the first; no pair is turned twice.
    pub(crate) turned: BTreeSet<(PackageName, PackageName)>,
    /// How deep each project lies below what is required: the deeper, the later it is decided. Empty until that is learned.
    pub(crate) depths: Depths,
    /// Projects that are decided after everybody who could let in what is none of their candidates: there was no solution
    /// without it.
    pub(crate) patient: BTreeSet<PackageName>,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("too many versions of one project")]
    Candidates(PackageName),
    #[error("a fact is missing")]
    Missing,
    #[error("a security refusal")]
    Refused(Refusal),
    #[error("something was learned")]
    Restart,
    #[error("too many steps")]
    Steps,
}

/// What a run learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// Every project is better decided after those that need it.
    Depths,
    /// The second project is better decided after the first.
    Late(PackageName, PackageName),
    /// A package's requirement names a pre-release of the project.
    Prerelease(PackageName),
    /// An extra's version has to follow its project's.
    Tied(PackageName, ExtraName),
    /// A package's requirement pins a yanked version.
    Yanked(PackageName, Version),
}

/// Whether a run is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Collect,
    Exact,
}

/// One run.
pub(crate) struct Run<'r, 'f> {
    pub(crate) prepared: &'f Prepared<'f>,
    pub(crate) projects: &'r Projects<'f>,
    pub(crate) knobs: &'r Knobs,
    mode: Mode,
    /// Counts over all runs of one resolution.
    steps: &'r Cell<usize>,
    /// Candidates that requirements of packages let in: those that were known before, and of projects of which nothing was chosen
    /// yet.
    pub(crate) permits: RefCell<Permits>,
    /// Projects of which a version was asked for.
    chosen_from: RefCell<Set<PackageName>>,
    /// The version chosen last of each project.
    last: RefCell<Map<PackageName, Version>>,
    tried: RefCell<Map<PackageName, Set<Version>>>,
    blame: RefCell<Map<(PackageName, PackageName), u32>>,
    /// Where markers of versions that were looked at divide the target.
    cuts: RefCell<BTreeSet<Version>>,
    questions: RefCell<BTreeMap<Package, Vec<Question>>>,
    page_missing: Cell<bool>,
    /// What was learned, each once.
    lessons: RefCell<Vec<Lesson>>,
    /// The steps at which the run began, and at which it ends for what it learned.
    began: usize,
    ends: Cell<Option<usize>>,
}

/// No version is ever declared unavailable: what cannot be used is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl<'r, 'f> Run<'r, 'f> {
    /// Makes a run.
    pub(crate) fn new(
        prepared: &'f Prepared<'f>,
        projects: &'r Projects<'f>,
        knobs: &'r Knobs,
        mode: Mode,
        steps: &'r Cell<usize>,
    ) -> Self {
        Self {
            prepared,
            projects,
            knobs,
            mode,
            steps,
            permits: RefCell::new(knobs.permits.clone()),
            chosen_from: RefCell::default(),
            last: RefCell::default(),
            tried: RefCell::default(),
            blame: RefCell::default(),
            cuts: RefCell::default(),
            questions: RefCell::default(),
            page_missing: Cell::new(false),
            lessons: RefCell::default(),
            began: steps.get(),
            ends: Cell::new(None),
        }
    }

    /// Returns true if something was learned.
    pub(crate) fn has_learned(&self) -> bool {
        !self.lessons.borrow().is_empty()
    }

    /// Returns true if it learned that projects are to be decided by their depths.
    pub(crate) fn wants_depths(&self) -> bool {
        self.lessons.borrow().contains(&Lesson::Depths)
    }

    /// Returns what the run learned.
    pub(crate) fn into_lessons(self) -> Vec<Lesson> {
        self.lessons.into_inner()
    }

    /// Returns the questions without whose answers the run could not go on: not those that it met on the way to guess at.
    pub(crate) fn needed(&self) -> Vec<Question> {
        self.questions.borrow().values().filter_map(|questions| questions.first()).cloned().collect()
    }

    /// Returns the questions that the run met, sorted by package, pages first.
    pub(crate) fn into_questions(self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.questions.into_inner().into_values().flatten().collect();
        questions.sort_by_key(|question| matches!(question, Question::Metadata { .. }));
        questions
    }

    /// Returns where markers divide the target.
    pub(crate) fn cuts(&self) -> BTreeSet<Version> {
        self.cuts.borrow().clone()
    }

    /// Returns how many versions of each project were tried, most first.
    pub(crate) fn most_tried(&self) -> Vec<(usize, PackageName)> {
        let tried = self.tried.borrow();
        let mut counts: Vec<_> = tried.iter().map(|(name, versions)| (versions.len(), name.clone())).collect();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        counts
    }

    /// Notes what has to hold from the beginning of the next run.
    ///
    /// What only changes the order of decisions is gathered for a while before the run ends, so that a big problem is not
    /// begun anew for each of its many conflicts. What changes the candidates is learned at once, and not on a way that an
    /// earlier lesson would not have gone; so is that depths decide, which makes up for the lessons gathered before.
    fn learn(&self, lesson: Lesson) -> Result<(), Stop> {
        if self.mode == Mode::Collect {
            return Ok(());
        }
        let mut lessons = self.lessons.borrow_mut();
        let is_of_order = matches!(lesson, Lesson::Late(..) | Lesson::Tied(..));
        if is_of_order && lessons.contains(&lesson) {
            return Ok(());
        }
        if is_of_order || lesson == Lesson::Depths || lessons.is_empty() {
            lessons.push(lesson);
        }
        if !is_of_order {
            return Err(Stop::Restart);
        }
        if self.ends.get().is_none() {
            let taken = self.steps.get() - self.began;
            self.ends.set(Some(self.steps.get() + taken.saturating_sub(SHORT)));
        }
        Ok(())
    }

    /// Lets in candidates of a project that a requirement of a package names. Of a project of which none was chosen yet, nothing
    /// was concluded, so it is as if they had been candidates from the beginning; otherwise the next run begins with them.
    fn let_in(&self, name: &PackageName, lesson: Lesson) -> Result<(), Stop> {
        if self.chosen_from.borrow().contains(name) {
            return self.learn(lesson);
        }
        self.permits.borrow_mut().take(lesson);
        Ok(())
    }

    /// Returns the best candidate of a project, for good: what is a candidate does not change any more in this run.
    fn best(&self, project: &Project<'f>, range: &Ranges<Version>) -> Best<'f> {
        if !self.chosen_from.borrow().contains(&project.name) {
            self.chosen_from.borrow_mut().insert(project.name.clone());
        }
        project.best(range, &self.permits.borrow())
    }

    /// Notes that a project's page is missing.
    fn miss_page(&self, name: &PackageName) {
        self.page_missing.set(true);
        self.questions.borrow_mut().insert(Package::Project(name.clone()), vec![Question::Page(name.clone())]);
    }

    /// Notes which metadata is missing: the best candidate's, and that of those after it where many were tried already, so
    /// that a long search takes few rounds. They are not bound to what is demanded now: where one version after the other
    /// fails, whoever demands it is about to demand older ones.
    fn miss_metadata(&self, project: &Project<'f>, position: usize) {
        let tried = self.tried.borrow().get(&project.name).map_or(0, Set::len);
        let mut questions: Vec<Question> = project.question(position).into_iter().collect();
        // In a big problem every round is dear.
        if tried > 1 || (tried == 1 && self.projects.known_count() > BIG) {
            questions.extend(project.missing_after(position, &self.permits.borrow(), (tried * 2).min(PREFETCH)));
        }
        self.questions.borrow_mut().insert(Package::Project(project.name.clone()), questions);
    }

    fn rank_project(&self, name: &PackageName, range: &Ranges<Version>, conflicts: u32) -> Rank {
        let Some(project) = self.projects.find(name) else {
            self.miss_page(name);
            return Rank::new(Class::Unknown, 0, 0);
        };
        let (count, has_candidate) = project.survey(range, &self.permits.borrow());
        let is_patient = self.knobs.patient.contains(name);
        if !has_candidate && !is_patient {
            return Rank::new(Class::Impossible, 0, 0);
        }
        if self.mode == Mode::Collect {
            match project.best(range, &self.permits.borrow()) {
                Best::Missing { position } => {
                    self.miss_metadata(&project, position);
                    return Rank::new(Class::Unknown, 0, 0);
                }
                Best::Known(_) | Best::Nothing | Best::Refused(_) => {
                    self.questions.borrow_mut().remove(&Package::Project(name.clone()));
                }
            }
        }
        if is_patient {
            return Rank::new(Class::Patient, 0, 0);
        }
        let conflicts = if conflicts < CONFLICTS { 0 } else { conflicts };
        let direct = self.prepared.directions(name).is_some_and(|own| own.direct);
        match self.knobs.late.get(name) {
            Some(level) if count > 1 => Rank::new(Class::Late(Reverse(*level)), conflicts, count),
            _ if count <= 1 => Rank::new(Class::Pinned, conflicts, count),
            _ if direct => Rank::new(Class::Direct, conflicts, count),
            _ => Rank { depth: Reverse(self.depth(name)), ..Rank::new(Class::Transitive, conflicts, count) },
        }
    }

    /// Returns how deep a project lies; one that no best candidate needs lies deepest.
    fn depth(&self, name: &PackageName) -> u32 {
        if self.knobs.depths.is_empty() { 0 } else { self.knobs.depths.get(name).copied().unwrap_or(u32::MAX) }
    }

    fn rank_extra(&self, name: &PackageName, range: &Ranges<Version>) -> Rank {
        if range.contains(&absent()) {
            return Rank::new(Class::Idle, 0, 0);
        }
        if self.knobs.patient.contains(name) {
            return Rank::new(Class::PatientExtra, 0, 0);
        }
        match self.projects.find(name).map(|project| project.count(range)) {
            Some(0 | 1) => Rank::new(Class::Pinned, u32::MAX, 0),
            Some(_) | None => Rank::new(Class::Waiting, 0, 0),
        }
    }

    fn choose_project(&self, name: &PackageName, range: &Ranges<Version>) -> Result<Option<Version>, Stop> {
        let Some(project) = self.projects.find(name) else { return Err(Stop::Missing) };
        if let Some(page) = project.page()
            && page.status().state == pinfold_packaging::ProjectState::Quarantined
        {
            let (reason, origin) = (page.status().reason.clone(), page.origin().clone());
            return Err(Stop::Refused(Refusal::Quarantined { name: name.clone(), reason, origin }));
        }
        let version = match self.best(&project, range) {
            Best::Known(version) => version.clone(),
            Best::Missing { position } => {
                self.miss_metadata(&project, position);
                return Err(Stop::Missing);
            }
            Best::Nothing => return Ok(None),
            Best::Refused(refusal) => return Err(Stop::Refused(refusal)),
        };
        let mut tried = self.tried.borrow_mut();
        let tried = tried.entry(name.clone()).or_default();
        tried.insert(version.clone());
        if tried.len() > Limits::CANDIDATES {
            return Err(Stop::Candidates(name.clone()));
        }
        self.last.borrow_mut().insert(name.clone(), version.clone());
        Ok(Some(version))
    }

    fn choose_extra(
        &self,
        name: &PackageName,
        extra: &ExtraName,
        range: &Ranges<Version>,
    ) -> Result<Option<Version>, Stop> {
        if range.contains(&absent()) {
            return Ok(Some(absent()));
        }
        // Where there is a choice, every project is decided by now, and an extra's version is its project's.
        if let Some(version) = self.last.borrow().get(name)
            && range.contains(version)
        {
            return Ok(Some(version.clone()));
        }
        let Some(project) = self.projects.find(name) else { return Err(Stop::Missing) };
        let tied = || self.knobs.tied.get(name).is_some_and(|extras| extras.contains(extra));
        if project.count(range) > 1 && !tied() {
            self.learn(Lesson::Tied(name.clone(), extra.clone()))?;
        }
        match self.best(&project, range) {
            Best::Known(version) => Ok(Some(version.clone())),
            Best::Missing { position } => {
                self.miss_metadata(&project, position);
                Err(Stop::Missing)
            }
            Best::Nothing => Ok(None),
            Best::Refused(refusal) => Err(Stop::Refused(refusal)),
        }
    }

    /// Looks at a package's demand for what must hold from the beginning of a run, and for conflicts with earlier choices.
    fn study(&self, of: &PackageName, demand: &Demand) -> Result<(), Stop> {
        self.cuts.borrow_mut().extend(demand.cuts.iter().cloned());
        let Some(project) = self.projects.find(&demand.name) else {
            self.miss_page(&demand.name);
            return Ok(());
        };
        if self.prepared.problem.prerelease == Prerelease::IfNecessary
            && !self.permits.borrow().prereleases.contains(&demand.name)
            && demand.specifiers.iter().any(|own| own.mentions_prerelease())
            && !self.prepared.wants_prereleases(&demand.name)
        {
            self.let_in(&demand.name, Lesson::Prerelease(demand.name.clone()))?;
        }
        if demand.specifiers.iter().any(Specifiers::is_pinned) {
            self.study_pin(&project, demand)?;
        }
        self.assign_blame(of, &project, demand)
    }

    fn study_pin(&self, project: &Project<'f>, demand: &Demand) -> Result<(), Stop> {
        for position in project.positions(&demand.range) {
            let Choice::File(file) = project.choice(position) else { continue };
            let pin = (demand.name.clone(), file.distribution.version().clone());
            if file.yanked.is_some() && !self.permits.borrow().yanked.contains(&pin) {
                self.let_in(&demand.name, Lesson::Yanked(pin.0, pin.1))?;
            }
        }
        Ok(())
    }

    /// Counts how often versions of one project fail on the choice made for another; after some such failures the other is
    /// better decided later.
    fn assign_blame(&self, of: &PackageName, project: &Project<'f>, demand: &Demand) -> Result<(), Stop> {
        let clashes = self.last.borrow().get(&demand.name).is_some_and(|version| !demand.range.contains(version));
        let turned = |first: &PackageName, second: &PackageName| {
            let (first, second) = (first.clone(), second.clone());
            self.lessons.borrow().contains(&Lesson::Late(first.clone(), second.clone()))
                || self.knobs.turned.contains(&(first, second))
        };
        if !clashes || *of == demand.name || turned(of, &demand.name) || turned(&demand.name, of) {
            return Ok(());
        }
        if self.knobs.depths.is_empty() && self.tried.borrow().len() > BIG {
            return self.learn(Lesson::Depths);
        }
        let mut blame = self.blame.borrow_mut();
        let count = blame.entry((of.clone(), demand.name.clone())).or_default();
        *count += 1;
        if *count < BLAME {
            return Ok(());
        }
        let fixed =
            self.prepared.roots.iter().any(|(_, own)| own.name == demand.name && project.count(&own.range) <= 1);
        drop(blame);
        if fixed { Ok(()) } else { self.learn(Lesson::Late(of.clone(), demand.name.clone())) }
    }

    fn project_dependencies(
        &self,
        name: &PackageName,
        version: &Version,
        extra: Option<&ExtraName>,
    ) -> Result<BTreeMap<Package, Ranges<Version>>, Stop> {
        let mut dependencies = BTreeMap::new();
        for demand in self.projects.demands(name, version, extra)?.iter() {
            self.study(name, demand)?;
            let own = demand.name == *name;
            if own && extra.is_none() && demand.range.contains(version) {
                // A project that needs itself is content with itself; only the extras matter.
                for wanted in &demand.extras {
                    add(
                        &mut dependencies,
                        Package::Extra(name.clone(), wanted.clone()),
                        Ranges::singleton(version.clone()),
                    );
                }
                continue;
            }
            if own && extra.is_none() {
                add(&mut dependencies, Package::Project(name.clone()), Ranges::empty());
                continue;
            }
            add_demand(&mut dependencies, demand);
        }
        match extra {
            Some(_) => add(&mut dependencies, Package::Project(name.clone()), Ranges::singleton(version.clone())),
            None => {
                for tied in self.knobs.tied.get(name).into_iter().flatten() {
                    let either = Ranges::singleton(version.clone()).union(&Ranges::singleton(absent()));
                    add(&mut dependencies, Package::Extra(name.clone(), tied.clone()), either);
                }
            }
        }
        Ok(dependencies)
    }
}

impl Permits {
    /// Adds what a lesson lets in.
    pub(crate) fn take(&mut self, lesson: Lesson) {
        match lesson {
            Lesson::Prerelease(name) => drop(self.prereleases.insert(name)),
            Lesson::Yanked(name, version) => drop(self.yanked.insert((name, version))),
            Lesson::Depths | Lesson::Late(..) | Lesson::Tied(..) => {}
        }
    }
}

fn add(dependencies: &mut BTreeMap<Package, Ranges<Version>>, package: Package, range: Ranges<Version>) {
    let merged = match dependencies.get(&package) {
        Some(own) => own.intersection(&range),
        None => range,
    };
    dependencies.insert(package, merged);
}

fn add_demand(dependencies: &mut BTreeMap<Package, Ranges<Version>>, demand: &Demand) {
    for extra in &demand.extras {
        let present = demand.range.intersection(&Ranges::singleton(absent()).complement());
        add(dependencies, Package::Extra(demand.name.clone(), extra.clone()), present);
    }
    add(dependencies, Package::Project(demand.name.clone()), demand.range.clone());
}

impl DependencyProvider for Run<'_, '_> {
    type P = Package;
    type V = Version;
    type VS = Ranges<Version>;
    type Priority = Rank;
    type M = Never;
    type Err = Stop;

    fn prioritize(&self, package: &Package, range: &Ranges<Version>, conflicts: &PackageResolutionStatistics) -> Rank {
        match package {
            Package::Root => Rank::new(Class::Root, 0, 0),
            Package::Project(name) => self.rank_project(name, range, conflicts.conflict_count()),
            Package::Extra(name, _) => self.rank_extra(name, range),
        }
    }

    fn choose_version(&self, package: &Package, range: &Ranges<Version>) -> Result<Option<Version>, Stop> {
        if self.mode == Mode::Exact && self.page_missing.get() {
            return Err(Stop::Missing);
        }
        match package {
            Package::Root => Ok(Some(root_version())),
            Package::Project(name) => self.choose_project(name, range),
            Package::Extra(name, extra) => self.choose_extra(name, extra, range),
        }
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, Ranges<Version>, Never>, Stop> {
        let dependencies = match package {
            Package::Root => {
                let mut dependencies = BTreeMap::new();
                self.prepared.roots.iter().for_each(|(_, demand)| add_demand(&mut dependencies, demand));
                dependencies
            }
            Package::Project(name) => self.project_dependencies(name, version, None)?,
            Package::Extra(_, _) if *version == absent() => BTreeMap::new(),
            Package::Extra(name, extra) => self.project_dependencies(name, version, Some(extra))?,
        };
        Ok(Dependencies::Available(dependencies.into_iter().collect()))
    }

    fn should_cancel(&self) -> Result<(), Stop> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if self.ends.get().is_some_and(|ends| steps > ends) {
            return Err(Stop::Restart);
        }
        if self.mode == Mode::Collect && steps > COLLECT.max(self.projects.known_count() * COLLECT_EACH) {
            return Err(Stop::Steps);
        }
        if steps > Limits::SOLVER_STEPS.max(self.projects.fact_count() * STEPS) { Err(Stop::Steps) } else { Ok(()) }
    }
}

/// How urgent a decision is; the greatest is made first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    class: Class,
    /// What lies deeper comes later.
    depth: Reverse<u32>,
    /// How often it took part in conflicts, once that is often.
    conflicts: u32,
    /// Fewer versions to choose from come first.
    count: Reverse<usize>,
}

/// In the order from last to first, unlike other enums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Facts are missing.
    Unknown,
    /// An extra of a project that is decided last.
    PatientExtra,
    /// Decided after all others; see [`Knobs::patient`].
    Patient,
    /// An extra that nobody wants so far.
    Idle,
    /// An extra whose project is not decided.
    Waiting,
    /// Better decided after others; see [`Knobs::late`].
    Late(Reverse<u32>),
    /// Required by packages only.
    Transitive,
    /// Required by the maintainer.
    Direct,
    /// There is no choice.
    Pinned,
    /// There is no candidate, which is better known early.
    Impossible,
    /// The root.
    Root,
}

impl Rank {
    fn new(class: Class, conflicts: u32, count: usize) -> Self {
        Self { class, depth: Reverse(0), conflicts, count: Reverse(count) }
    }
}

impl Package {
    /// Returns the project, none of the root.
    pub(crate) const fn project(&self) -> Option<&PackageName> {
        match self {
            Self::Root => None,
            Self::Project(name) | Self::Extra(name, _) => Some(name),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the root"),
            Self::Project(name) => write!(f, "{name}"),
            Self::Extra(name, extra) => write!(f, "{name}[{extra}]"),
        }
    }
}

/// The version of the root.
pub(crate) fn root_version() -> Version {
    Version::from_release([0])
}

/// The version of an extra that is not wanted. A project's version says of a tied extra: this version, or absent. So the
/// extra's version follows at once when somebody wants it, instead of being searched for.
///
/// [`crate::ProjectFacts`] drops the real version of that number, should anybody publish it.
pub(crate) fn absent() -> Version {
    static ABSENT: LazyLock<Version> = LazyLock::new(|| Version::from_release([u64::MAX; 4]));
    ABSENT.clone()
}

/// Conflicts from which on they count for the order of decisions.
const CONFLICTS: u32 = 5;
/// Failures of versions of one project on the choice for another, until the other is decided later.
const BLAME: u32 = 5;
/// Steps that a project may take, where there are so many that the limit for all of them is too small.
const STEPS: usize = 100;
/// Steps that are soon taken again: a run that ends after so many does not go on to learn more.
const SHORT: usize = 200;
/// Projects from which on a problem is big: a question more counts less than a round there, and a clash is answered by
/// deciding by depth.
pub(crate) const BIG: usize = 200;
/// Steps of a run that only collects questions, and those for each project that it looked at.
const COLLECT: usize = 300;
const COLLECT_EACH: usize = 2;
/// Questions that a long search asks at once.
const PREFETCH: usize = 64;
