//! Where the resolver's questions are answered: facts are gathered, the pure resolver is asked again, until it has decided.
//!
//! While questions are out, the desk crawls ahead: of each page that arrives it asks for the metadata of the best candidate,
//! of each metadata for the pages of what it depends on. What was asked in vain costs a request, never a wrong answer: the
//! resolver looks only at facts, and the same facts give the same lock in whatever order they came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use indicatif::ProgressBar;
use jiff::Timestamp;
use pinfold_artifact::{ArtifactFilename, Limits, Origin};
use pinfold_packaging::{
    DistributionFilename, ExtraName, MarkerEnvironment, MarkerTruth, PackageName, PageFile, Releases, Requirement,
    SimplePage, Target, Version,
};
use pinfold_resolve::{
    Explanation, Facts, FileKey, Need, Order, Outcome, Problem, ProjectFacts, Question, Refusal, Search, Solution,
    best_candidates, candidates,
};

use super::ahead::{Ahead, AskedFile, Place};
use super::crew::Crew;
use super::source::{Answer, MetadataFact, Source};
use crate::exit::{Exit, Failure};
use crate::ops::hands;

/// Facts, and the crew that fetches more.
pub(super) struct Desk {
    facts: Facts,
    source: Arc<Source>,
    /// Few threads, which look at what is at hand; many, which wait for the network.
    near: Crew<Question, Reply>,
    far: Crew<Question, Reply>,
    replies: Receiver<Reply>,
    /// For builds, which say when they have ended.
    bell: Sender<Reply>,
    outstanding: usize,
    /// An sdist was asked for since it was last seen to that one can be built.
    meets_sdists: bool,
    /// Sdists that are being built.
    building: BTreeSet<ArtifactFilename>,
    /// Sdists whose builds have ended, one way or the other.
    built: BTreeSet<ArtifactFilename>,
    /// Pages that came since the crawl last looked.
    arrived: Vec<PackageName>,
    asked: BTreeSet<Key>,
    /// Files whose metadata cannot be read, and why.
    unreadable: BTreeMap<ArtifactFilename, String>,
    /// What could not be had; it matters only if the resolver asks for it.
    failures: BTreeMap<Key, Failure>,
    /// Sdists whose metadata only a build can tell.
    unbuilt: BTreeSet<ArtifactFilename>,
    /// Those of them that came since it was last looked whether an earlier build has the answer.
    new_unbuilt: Vec<Question>,
    /// Versions that the maintainer pins exactly: there is no other choice.
    pinned: BTreeSet<(PackageName, Version)>,
    /// Sdists of those that the crawl came to.
    new_pinned: Vec<Question>,
    /// What METADATA said, per file: the lock and the recording keep its digest.
    metadata: BTreeMap<ArtifactFilename, MetadataFact>,
    /// Pages as they came, if they are to be recorded.
    pages: Option<BTreeMap<PackageName, Option<SimplePage>>>,
    /// Environments whose markers decide what is worth crawling for.
    ahead: Vec<(Problem, MarkerEnvironment)>,
    /// What METADATA that came requires of a project: it makes some of its versions likelier than others.
    wanted: BTreeMap<PackageName, Vec<Requirement>>,
    /// What an earlier run looked at.
    earlier: Ahead,
    /// Where that is kept.
    place: Option<Place>,
    progress: ProgressBar,
}

/// What the desk waits for.
#[expect(clippy::large_enum_variant, reason = "a reply is moved once and never kept")]
enum Reply {
    /// What a crew says: the answer, or from the near one nothing if the network has to be asked.
    Answered(Question, Result<Option<Answer>, Failure>),
    /// The build of an sdist has ended.
    Built(ArtifactFilename),
}

/// Tells the desk, when it is dropped, that the build of an sdist has ended.
pub(super) struct Ring {
    bell: Sender<Reply>,
    filename: ArtifactFilename,
}

impl Drop for Ring {
    fn drop(&mut self) {
        // A desk that is gone waits for nothing.
        drop(self.bell.send(Reply::Built(self.filename.clone())));
    }
}

/// Threads that look at what is at hand: as many as compute at once on a small machine.
const NEAR: usize = 2;
/// Threads that wait for the network: more than any server wants to see at once over one connection gains nothing.
const FAR: usize = 48;

/// A question, without what only the answer needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Metadata(ArtifactFilename),
    Page(PackageName),
}

impl Key {
    fn of(question: &Question) -> Self {
        match question {
            Question::Metadata { file, .. } => Self::Metadata(file.filename.clone()),
            Question::Page(name) => Self::Page(name.clone()),
        }
    }
}

/// Why a target has no resolution.
#[derive(Debug)]
pub(super) enum Unsolved {
    /// A fact could not be had, or must not be believed.
    Failed(Failure),
    /// There is none.
    NoSolution(Target, Box<Explanation>),
    /// Looking for one came upon something that must not be worked around, or took too long.
    Refused(Failure),
}

impl From<Failure> for Unsolved {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// An sdist whose metadata is wanted.
pub(super) struct Sdist<'a> {
    /// The project.
    pub(super) name: &'a PackageName,
    /// The version.
    pub(super) version: &'a Version,
    /// The file.
    pub(super) file: &'a Arc<PageFile>,
    /// Who may serve it.
    pub(super) origin: &'a Origin,
}

/// Who can tell what an sdist's metadata is.
pub(super) trait Builder {
    /// Returns true if an earlier build of the sdist said what its metadata is. Runs nothing.
    ///
    /// # Errors
    /// Exit 4 if the cache directory cannot be made.
    fn knows(&mut self, source: &Arc<Source>, sdist: &Sdist<'_>) -> Result<bool, Failure>;

    /// Makes ready what every build waits for, while an sdist is fetched that may have to be built. Runs nothing of it.
    ///
    /// # Errors
    /// Exit 4 if the cache directory cannot be made.
    fn make_ready(&mut self, source: &Arc<Source>) -> Result<(), Failure>;

    /// Begins to build an sdist that the resolver asked for, while others are waited for, and drops what `ring` gives when the
    /// build has ended. How it ended is seen when its metadata is taken. Returns false if it is not built now.
    ///
    /// # Errors
    /// Exit 4 if the cache directory cannot be made.
    fn begin(
        &mut self,
        source: &Arc<Source>,
        sdist: &Sdist<'_>,
        ring: &dyn Fn() -> Option<Ring>,
    ) -> Result<bool, Failure>;

    /// Returns the metadata that a build of the sdist gives. What the build needs comes from `source`.
    ///
    /// # Errors
    /// If there is no way to build it, or the build fails.
    fn metadata(&mut self, source: &Arc<Source>, sdist: &Sdist<'_>) -> Result<MetadataFact, Unsolved>;
}

fn is_of_sdist(question: &Question) -> bool {
    matches!(question, Question::Metadata { file, .. } if matches!(file.distribution, DistributionFilename::Sdist(_)))
}

/// Returns what the maintainer pins exactly on a target: whatever else is required, another version is no solution.
fn pinned(problem: &Problem) -> Vec<(PackageName, Version)> {
    let (environment, no_extras) = (problem.target.marker_environment(), BTreeSet::<ExtraName>::new());
    let replaced = |name: &PackageName| problem.overrides.iter().any(|one| one.name == *name);
    let requirements = problem.roots.iter().map(|root| &root.requirement);
    let holds = requirements.filter(|one| one.marker.evaluate(&environment, &no_extras) == MarkerTruth::True);
    let may_be = holds.filter(|one| !problem.exclude.contains(&one.name) && !replaced(&one.name));
    may_be.filter_map(|one| Some((one.name.clone(), one.specifiers.exact()?.clone()))).collect()
}

impl Desk {
    /// Opens the desk. `keep_pages` keeps every page for a recording.
    pub(super) fn new(source: Arc<Source>, keep_pages: bool, progress: ProgressBar) -> Self {
        let (sender, replies) = channel();
        let at_hand = Arc::clone(&source);
        let near = Crew::new(NEAR, sender.clone(), move |question: Question| {
            let answer = at_hand.answer_at_hand(&question);
            Reply::Answered(question, answer)
        });
        let asking = Arc::clone(&source);
        let far = Crew::new(FAR, sender.clone(), move |question: Question| {
            let answer = asking.answer(&question).map(Some);
            Reply::Answered(question, answer)
        });
        let mut facts = Facts::new();
        if source.indexes().all().len() > 1 {
            facts.add_several_indexes();
        }
        Self {
            facts,
            source,
            near,
            far,
            replies,
            bell: sender,
            outstanding: 0,
            meets_sdists: false,
            building: BTreeSet::new(),
            built: BTreeSet::new(),
            arrived: Vec::new(),
            asked: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            failures: BTreeMap::new(),
            unbuilt: BTreeSet::new(),
            new_unbuilt: Vec::new(),
            pinned: BTreeSet::new(),
            new_pinned: Vec::new(),
            metadata: BTreeMap::new(),
            pages: keep_pages.then(BTreeMap::new),
            ahead: Vec::new(),
            wanted: BTreeMap::new(),
            earlier: Ahead::default(),
            place: None,
            progress,
        }
    }

    /// Returns where facts come from.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Returns where facts come from, to be kept.
    pub(super) fn shared_source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    /// Returns what the METADATA of each file said.
    pub(super) const fn metadata(&self) -> &BTreeMap<ArtifactFilename, MetadataFact> {
        &self.metadata
    }

    /// Returns the files whose metadata cannot be read, and why.
    pub(super) const fn unreadable(&self) -> &BTreeMap<ArtifactFilename, String> {
        &self.unreadable
    }

    /// Returns the pages, if they were to be kept.
    pub(super) const fn pages(&self) -> Option<&BTreeMap<PackageName, Option<SimplePage>>> {
        self.pages.as_ref()
    }

    /// Returns a project's page once it is there; nothing if the index has no such project.
    ///
    /// # Errors
    /// If the page cannot be had.
    pub(super) fn page(&mut self, name: &PackageName) -> Result<Option<Arc<ProjectFacts>>, Failure> {
        let question = Question::Page(name.clone());
        self.ask(question.clone());
        while !self.is_known(&question)? {
            self.wait()?;
        }
        Ok(self.facts.page(name).cloned())
    }

    /// Starts to crawl for these problems: what an earlier run looked at, their direct requirements, and `names`, which an
    /// earlier lock had.
    pub(super) fn crawl_ahead(&mut self, problems: &[Problem], names: &BTreeSet<PackageName>) {
        self.pinned = problems.iter().flat_map(pinned).collect();
        self.look_again(problems);
        self.ahead = problems.iter().map(|p| (p.clone(), p.target.marker_environment())).collect();
        let roots = problems.iter().flat_map(|problem| problem.roots.iter().map(|root| &root.requirement.name));
        let mut first: BTreeSet<PackageName> = roots.chain(names).cloned().collect();
        first.retain(|name| problems.iter().all(|problem| !problem.exclude.contains(name)));
        // What may have to be built comes first: nothing takes longer.
        let builds = |name: &PackageName| problems.iter().any(|problem| problem.build.allows(name));
        let (slow, quick): (Vec<_>, Vec<_>) = first.into_iter().partition(builds);
        for name in slow.into_iter().chain(quick) {
            self.ask(Question::Page(name));
        }
        self.crawl_on();
    }

    /// Looks at what an earlier run with the same direct requirements looked at, as far as the pack has it.
    fn look_again(&mut self, problems: &[Problem]) {
        let Some(fetcher) = self.source.fetcher() else { return };
        let Some(place) = Place::of(problems, self.source.indexes()) else { return };
        self.earlier = place.read(fetcher);
        self.place = Some(place);
        let (pages, before): (Vec<&PackageName>, _) = (self.earlier.pages.iter().collect(), self.asked.len());
        for (question, answer) in self.answer_together(&pages, |name| Some(Question::Page((*name).clone()))) {
            self.file_packed(question, answer);
        }
        // What is worth asking about these pages is known.
        self.arrived.clear();
        let (files, facts): (Vec<&AskedFile>, _) = (self.earlier.files.iter().collect(), &self.facts);
        for (question, answer) in self.answer_together(&files, |file| file.question(facts)) {
            self.file_packed(question, answer);
        }
        self.progress.inc_length((self.asked.len() - before) as u64);
    }

    /// Answers questions that the pack has answers to, on two threads: most of the work of a lock for which nothing has to be
    /// fetched.
    fn answer_together<T: Sync>(
        &self,
        asked: &[T],
        question: impl Fn(&T) -> Option<Question> + Sync,
    ) -> Vec<(Question, Result<Answer, Failure>)> {
        let source = &self.source;
        let answers = hands::each(asked, NEAR, |asked| {
            let question = question(asked)?;
            let answer = source.answer_packed(&question).transpose()?;
            Some((question, answer))
        });
        answers.into_iter().flatten().collect()
    }

    /// Keeps what was looked at for the next run with the same direct requirements.
    ///
    /// # Errors
    /// Exit 4 if the cache cannot be written.
    pub(super) fn keep_asked(&self) -> Result<(), Failure> {
        let Some((place, fetcher)) = self.place.as_ref().zip(self.source.fetcher()) else { return Ok(()) };
        let asked = self.ahead_of_next();
        if asked != self.earlier {
            place.keep(fetcher, &asked)?;
        }
        Ok(fetcher.keep_pack()?)
    }

    /// Returns true if no answer that was used can change any more, for a lock with this cutoff.
    pub(super) fn is_frozen(&self, cutoff: Timestamp) -> bool {
        self.asked.iter().all(|key| match key {
            Key::Page(name) => self.source.is_frozen(name, cutoff),
            Key::Metadata(_) => true,
        })
    }

    fn ahead_of_next(&self) -> Ahead {
        let mut asked = Ahead::default();
        for key in &self.asked {
            match key {
                Key::Page(name) => drop(asked.pages.insert(name.clone())),
                Key::Metadata(filename) => {
                    let fact = self.metadata.get(filename).map(|fact| &fact.metadata);
                    asked.files.extend(fact.map(|own| AskedFile {
                        name: own.name.clone(),
                        version: own.version.clone(),
                        filename: filename.clone(),
                    }));
                }
            }
        }
        asked
    }

    /// Files a page for which no index has to be asked, and what the METADATA of its files says.
    pub(super) fn seed(
        &mut self,
        name: &PackageName,
        origin: Origin,
        page: SimplePage,
        facts: Vec<(PageFile, MetadataFact)>,
    ) {
        self.asked.insert(Key::Page(name.clone()));
        self.facts.add_page(name.clone(), Arc::new(ProjectFacts::new(origin, page)));
        for (file, fact) in facts {
            self.asked.insert(Key::Metadata(file.filename.clone()));
            self.keep(&file, fact);
        }
    }

    /// Keeps why a project cannot be had, for whoever asks for it.
    pub(super) fn put_aside(&mut self, name: &PackageName, failure: Failure) {
        self.asked.insert(Key::Page(name.clone()));
        self.failures.insert(Key::Page(name.clone()), failure);
    }

    /// Returns the versions of a project that its page shows to be candidates for a problem.
    pub(super) fn candidates(&self, problem: &Problem, name: &PackageName) -> BTreeMap<Version, bool> {
        candidates(problem, &self.facts, name)
    }

    /// Resolves each problem as far as what is known goes, side by side, and asks for what is missing. Where more than that
    /// is to be said, there is no solution here, and [`Self::solve`] says it.
    pub(super) fn solve_known(&mut self, problems: &[Problem], order: &Order) -> Vec<Option<Solution>> {
        let facts = &self.facts;
        let outcomes = hands::each(problems, hands::cores(), |problem| Search::in_order(problem, order).proceed(facts));
        let mut solutions = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            solutions.push(match outcome {
                Outcome::Solved(solution) => Some(solution),
                Outcome::Need(need) => {
                    need.questions.into_iter().for_each(|question| self.ask(question));
                    None
                }
                Outcome::Divide(_) | Outcome::NoSolution(_) | Outcome::Refused(_) => None,
            });
        }
        solutions
    }

    /// Resolves one problem; the target is cut where a marker divides it, so one problem may have several solutions. It begins
    /// in an order of decisions, and leaves the one that it has learned.
    ///
    /// # Errors
    /// [`Unsolved`] if a fact cannot be had or there is no solution.
    pub(super) fn solve(
        &mut self,
        problem: &Problem,
        order: &mut Order,
        builder: &mut dyn Builder,
    ) -> Result<Vec<Solution>, Unsolved> {
        self.take_known_builds(builder)?;
        let mut search = Search::in_order(problem, order);
        for _ in 0..Limits::RESOLVE_ROUNDS {
            match search.proceed(&self.facts) {
                Outcome::Divide(cut) => return self.solve_parts(problem, &cut, order, builder),
                Outcome::Need(need) => self.answer_all(&need, builder)?,
                Outcome::NoSolution(why) => {
                    return Err(Unsolved::NoSolution(problem.target.clone(), Box::new(why)));
                }
                Outcome::Refused(refusal) => {
                    let code = refusal.refusal_code().unwrap_or("refused");
                    let failure = Failure::refused(code, refusal.to_string()).with("target", &problem.target);
                    let own = "if you trust that URL, require it yourself in the manifest; otherwise ";
                    let own = if matches!(refusal, Refusal::DirectUrl { .. }) { own } else { "" };
                    let help = format!("{own}pin another version, or leave the package out with `exclude`");
                    return Err(Unsolved::Refused(failure.help(help)));
                }
                Outcome::Solved(solution) => {
                    *order = search.order();
                    return Ok(vec![solution]);
                }
            }
        }
        let headline = format!("gave up after asking for more facts {} times", Limits::RESOLVE_ROUNDS);
        let failure = Failure::new(Exit::No, headline).with("target", &problem.target);
        Err(Unsolved::Refused(failure.help("pin more of the requirements")))
    }

    fn solve_parts(
        &mut self,
        problem: &Problem,
        cut: &Version,
        order: &mut Order,
        builder: &mut dyn Builder,
    ) -> Result<Vec<Solution>, Unsolved> {
        let Some((early, late)) = problem.target.divide(cut) else {
            let headline = format!("a marker divides {} at {cut}, which is not inside it", problem.target);
            return Err(Failure::new(Exit::Bug, headline).into());
        };
        let mut solutions = self.solve(&Problem { target: late, ..problem.clone() }, order, builder)?;
        let mut preferences = problem.preferences.clone();
        for (name, chosen) in solutions.iter().flat_map(|solution| &solution.packages) {
            preferences.entry(name.clone()).or_insert_with(|| vec![chosen.version.clone()]);
        }
        solutions.extend(self.solve(&Problem { target: early, preferences, ..problem.clone() }, order, builder)?);
        Ok(solutions)
    }

    fn ask(&mut self, question: Question) {
        if self.asked.contains(&Key::of(&question)) {
            return;
        }
        if let Some(question) = self.ask_packed(question) {
            self.asked.insert(Key::of(&question));
            self.progress.inc_length(1);
            self.outstanding += 1;
            self.meets_sdists |= is_of_sdist(&question);
            self.near.ask(question);
        }
    }

    /// Asks a question of the pack alone; it is returned if the pack has no answer.
    fn ask_packed(&mut self, question: Question) -> Option<Question> {
        let Some(answer) = self.source.answer_packed(&question).transpose() else { return Some(question) };
        self.progress.inc_length(1);
        self.file_packed(question, answer);
        None
    }

    fn file_packed(&mut self, question: Question, answer: Result<Answer, Failure>) {
        if self.asked.insert(Key::of(&question)) {
            self.outstanding += 1;
            self.file(question, answer);
        }
    }

    /// Waits for the next reply and files it, together with those that are there already.
    fn wait(&mut self) -> Result<(), Failure> {
        let gone = || Failure::new(Exit::Bug, "nobody answers a question of the resolver");
        if self.outstanding == 0 && self.building.is_empty() {
            return Err(gone());
        }
        let reply = self.replies.recv().map_err(|_| gone())?;
        self.take(reply);
        while let Ok(reply) = self.replies.try_recv() {
            self.take(reply);
        }
        self.crawl_on();
        Ok(())
    }

    fn take(&mut self, reply: Reply) {
        match reply {
            Reply::Answered(question, Ok(None)) => self.far.ask(question),
            Reply::Answered(question, Ok(Some(answer))) => self.file(question, Ok(answer)),
            Reply::Answered(question, Err(failure)) => self.file(question, Err(failure)),
            Reply::Built(filename) => {
                self.building.remove(&filename);
                self.built.insert(filename);
            }
        }
    }

    /// Asks for what the pages that came make likely to be needed.
    fn crawl_on(&mut self) {
        while !self.arrived.is_empty() {
            let names = std::mem::take(&mut self.arrived);
            let candidates: Vec<Question> =
                self.ahead.iter().flat_map(|(problem, _)| self.likely_candidates(problem, &names)).collect();
            for question in candidates {
                self.ask(question);
            }
        }
    }

    /// Returns what to ask about these projects: the best candidate of all that is required so far, and where that leaves
    /// none, of what the maintainer requires.
    fn likely_candidates(&self, problem: &Problem, names: &[PackageName]) -> Vec<Question> {
        let wanted = names.iter().filter_map(|name| self.wanted.get(name)).flatten().cloned();
        let constraints = problem.constraints.iter().cloned().chain(wanted).collect();
        let mut questions = best_candidates(&Problem { constraints, ..problem.clone() }, &self.facts, names);
        let is_open = |wanted: &&PackageName| {
            let is_asked = |question: &Question| matches!(question, Question::Metadata { name, .. } if name == *wanted);
            self.wanted.contains_key(*wanted) && !questions.iter().any(is_asked)
        };
        let open: Vec<&PackageName> = names.iter().filter(is_open).collect();
        if !open.is_empty() {
            questions.extend(best_candidates(problem, &self.facts, open));
        }
        questions
    }

    /// Waits until every one of the questions is answered that no build has to answer, and if there is none, until a build has
    /// answered one: the resolver may ask for more while builds run, which take longest. A guess may go without an answer: which
    /// ones there are depends on what came first, and on nothing of that kind may depend whether there is a lock.
    fn answer_all(&mut self, need: &Need, builder: &mut dyn Builder) -> Result<(), Unsolved> {
        let questions = &need.questions;
        for question in questions {
            self.ask(question.clone());
        }
        let (mut has_answered, mut left_to_builds) = (false, Vec::new());
        for (position, question) in questions.iter().enumerate() {
            self.begin_builds(questions, builder)?;
            let is_guess = !need.needed.contains(&position);
            while !((is_guess && self.is_given_up(question)) || self.is_known(question)?) {
                if self.must_be_built(question) {
                    if self.is_waited_for(question) {
                        left_to_builds.push(question);
                        break;
                    }
                    self.build(question, builder)?;
                } else {
                    self.wait()?;
                    self.begin_builds(questions, builder)?;
                }
                has_answered = true;
            }
        }
        while !has_answered && !left_to_builds.is_empty() {
            self.wait()?;
            self.begin_builds(questions, builder)?;
            for question in &left_to_builds {
                if !self.is_waited_for(question) {
                    self.build(question, builder)?;
                    has_answered = true;
                }
            }
        }
        Ok(())
    }

    /// Files what earlier builds said of the sdists that the crawl came to.
    fn take_known_builds(&mut self, builder: &mut dyn Builder) -> Result<(), Unsolved> {
        for question in std::mem::take(&mut self.new_unbuilt) {
            let Question::Metadata { name, version, file, origin } = &question else { continue };
            if builder.knows(&self.shared_source(), &Sdist { name, version, file, origin })? {
                self.build(&question, builder)?;
            }
        }
        Ok(())
    }

    /// Begins to build what the resolver asked for, and what the maintainer pins. What else the crawl came to is not built:
    /// nobody's code runs on a guess.
    fn begin_builds(&mut self, questions: &[Question], builder: &mut dyn Builder) -> Result<(), Unsolved> {
        if std::mem::take(&mut self.meets_sdists) {
            builder.make_ready(&self.shared_source())?;
        }
        self.take_known_builds(builder)?;
        for question in std::mem::take(&mut self.new_pinned) {
            self.begin_build(&question, builder)?;
        }
        for question in questions {
            if self.must_be_built(question) {
                self.begin_build(question, builder)?;
            }
        }
        Ok(())
    }

    fn begin_build(&mut self, question: &Question, builder: &mut dyn Builder) -> Result<(), Failure> {
        let Question::Metadata { name, version, file, origin } = question else { return Ok(()) };
        let filename = &file.filename;
        if self.facts.has_metadata(&FileKey::of(file)) || self.built.contains(filename) {
            return Ok(());
        }
        let bell = || Some(Ring { bell: self.bell.clone(), filename: filename.clone() });
        if builder.begin(&self.shared_source(), &Sdist { name, version, file, origin }, &bell)? {
            self.building.insert(filename.clone());
        }
        Ok(())
    }

    /// Returns true if the sdist is being built, or will be when another build has ended.
    fn is_waited_for(&self, question: &Question) -> bool {
        let Question::Metadata { file, .. } = question else { return false };
        !self.building.is_empty() && !self.built.contains(&file.filename)
    }

    /// Returns true if a question has no answer, or only a build would give one.
    fn is_given_up(&self, question: &Question) -> bool {
        self.failures.contains_key(&Key::of(question)) || self.must_be_built(question)
    }

    fn is_known(&self, question: &Question) -> Result<bool, Failure> {
        if let Some(failure) = self.failures.get(&Key::of(question)) {
            return Err(failure.clone());
        }
        Ok(match question {
            Question::Metadata { file, .. } => self.facts.has_metadata(&FileKey::of(file)),
            Question::Page(name) => self.facts.has_page(name),
        })
    }

    fn must_be_built(&self, question: &Question) -> bool {
        matches!(question, Question::Metadata { file, .. } if self.unbuilt.contains(&file.filename))
    }

    fn build(&mut self, question: &Question, builder: &mut dyn Builder) -> Result<(), Unsolved> {
        let Question::Metadata { name, version, file, origin } = question else { return Ok(()) };
        let fact = builder.metadata(&self.shared_source(), &Sdist { name, version, file, origin })?;
        self.keep(file, fact);
        Ok(())
    }

    /// Files a reply among the facts, and asks for what it makes likely to be needed.
    fn file(&mut self, question: Question, answer: Result<Answer, Failure>) {
        self.progress.inc(1);
        self.outstanding -= 1;
        if let (true, Question::Metadata { name, version, .. }) = (answer.is_ok(), &question)
            && is_of_sdist(&question)
            && self.pinned.contains(&(name.clone(), version.clone()))
        {
            self.new_pinned.push(question.clone());
        }
        match (question, answer) {
            // A version that cannot be read is no candidate; should nothing else do, the explanation says so.
            (Question::Metadata { file, .. }, Err(failure)) if failure.code.as_deref() == Some("bad-metadata") => {
                let causes = failure.details.iter().filter(|(key, _)| *key == "cause").map(|(_, cause)| cause.as_str());
                let reason = std::iter::once(failure.headline.as_str()).chain(causes).collect::<Vec<_>>().join(": ");
                self.facts.add_unreadable(FileKey::of(&file), &reason);
                self.unreadable.insert(file.filename.clone(), reason);
            }
            (question, Err(failure)) => {
                self.failures.insert(Key::of(&question), failure);
            }
            (Question::Page(name), Ok(Answer::Page(page))) => self.file_page(name, page),
            (Question::Metadata { file, .. }, Ok(Answer::Metadata(fact))) => {
                let metadata = Arc::clone(&fact.metadata);
                self.keep(&file, *fact);
                self.ask_for_dependencies(&metadata.requires_dist);
            }
            (Question::Metadata { name, version, file, origin }, Ok(Answer::NeedsBuild(likely))) => {
                self.ask_for_dependencies(&likely);
                self.unbuilt.insert(file.filename.clone());
                self.new_unbuilt.push(Question::Metadata { name, version, file, origin });
            }
            (Question::Page(_) | Question::Metadata { .. }, Ok(_)) => {}
        }
    }

    fn file_page(&mut self, name: PackageName, page: Option<(Origin, Releases)>) {
        let Some((origin, page)) = page else {
            if let Ok(index) = self.source.indexes().of(&name) {
                self.facts.add_absent(name.clone(), index.origin());
            }
            if let Some(pages) = &mut self.pages {
                pages.insert(name, None);
            }
            return;
        };
        if let Some(pages) = &mut self.pages {
            pages.insert(name.clone(), Some(page.to_page()));
        }
        let page = self.source.indexes().stamped(&name, page);
        self.facts.add_page(name.clone(), Arc::new(ProjectFacts::new(origin, page)));
        self.arrived.push(name);
    }

    fn keep(&mut self, file: &PageFile, fact: MetadataFact) {
        self.facts.add_metadata(FileKey::of(file), Arc::clone(&fact.metadata));
        self.metadata.insert(file.filename.clone(), fact);
    }

    fn ask_for_dependencies(&mut self, requirements: &[Requirement]) {
        let no_extras = BTreeSet::<ExtraName>::new();
        let likely = requirements.iter().filter(|requirement| {
            self.ahead.iter().any(|(problem, environment)| {
                !problem.exclude.contains(&requirement.name)
                    && requirement.marker.evaluate(environment, &no_extras) != MarkerTruth::False
            })
        });
        let likely: Vec<Requirement> = likely.cloned().collect();
        for requirement in likely {
            let name = requirement.name.clone();
            self.wanted.entry(name.clone()).or_default().push(requirement);
            self.ask(Question::Page(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use pinfold_packaging::{BuildPolicy, Requirement};
    use pinfold_resolve::{Root, RootReason};

    use super::*;

    fn root(text: &str) -> Root {
        let requirement = Requirement::parse(text).unwrap();
        Root { requirement, reason: RootReason::Base, written: "app.toml:1".to_owned() }
    }

    #[test]
    fn only_what_has_no_alternative_is_pinned() {
        let target = Target::new("linux-x86_64".parse().unwrap(), "3.10".parse().unwrap());
        let problem = |texts: &[&str]| Problem {
            target: target.clone(),
            roots: texts.iter().map(|text| root(text)).collect(),
            constraints: Vec::new(),
            overrides: vec![Requirement::parse("replaced==2.0").unwrap()],
            exclude: BTreeSet::from(["excluded".parse().unwrap()]),
            locked: BTreeMap::new(),
            preferences: BTreeMap::new(),
            limits: BTreeMap::new(),
            prerelease: Default::default(),
            strategy: Default::default(),
            exclude_newer: None,
            build: BuildPolicy::none(),
            no_binary: BTreeSet::new(),
        };
        let check = |text: &str, expected: Option<&str>| {
            let found = pinned(&problem(&[text]));
            let found: Vec<String> = found.iter().map(|(name, version)| format!("{name} {version}")).collect();
            assert_eq!(found, expected.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{text}");
        };
        check("a==1.0", Some("a 1.0"));
        check("a===1.0", Some("a 1.0"));
        check("a[x]==1.0; sys_platform == 'linux'", Some("a 1.0"));
        for other in ["a", "a<=1.0", "a==1.*", "a~=1.0", "a==1.0,!=2.0", "replaced==1.0", "excluded==1.0"] {
            check(other, None);
        }
        // A marker that does not hold, or not for the whole target, is no reason to run anything.
        check("a==1.0; sys_platform == 'win32'", None);
        check("a==1.0; python_full_version < '3.10.8'", None);
        check("a==1.0; extra == 'x'", None);
    }
}
