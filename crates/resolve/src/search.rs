//! The story of a resolution: run, look, restart.
//!
//! Every run begins from nothing but the problem, the facts and what former runs learned. What they learned is a function
//! of the facts that they looked at, so more facts than needed change nothing.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use pinfold_packaging::{ExtraName, PackageName, Version};
use pubgrub::{PubGrubError, Set};
use version_ranges::Ranges;

use crate::answer::{Answer, answer};
use crate::candidates::{Best, Permits, Projects};
use crate::depths::depths;
use crate::explanation::{explain, explain_effort};
use crate::prepared::Prepared;
use crate::run::{BIG, Knobs, Lesson, Mode, Package, Run, Stop, root_version};
use crate::{Explanation, Facts, Need, Outcome, Problem, Question};

/// Resolves one target as far as the facts go.
///
/// The outcome depends on the problem and the facts alone, and on no fact that the resolution does not need.
pub fn resolve(problem: &Problem, facts: &Facts) -> Outcome {
    Search::new(problem).proceed(facts)
}

/// An order of decisions: what one resolution has learned about it, the next need not learn again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    late: BTreeMap<PackageName, u32>,
    turned: BTreeSet<(PackageName, PackageName)>,
    tied: BTreeMap<PackageName, BTreeSet<ExtraName>>,
}

/// A resolution that is taken up again when facts were added.
///
/// It gives the outcome that [`resolve`] gives for the same facts, and keeps what it learned in between: what a run learns,
/// it learns from facts that it looked at, so it learns the same when there are more.
#[derive(Debug)]
pub struct Search<'p> {
    prepared: Prepared<'p>,
    knobs: Knobs,
    restarts: usize,
    steps: Cell<usize>,
    /// Why there was no solution before it was tried with patience.
    unsolved: Option<Explanation>,
}

impl<'p> Search<'p> {
    /// Begins a resolution.
    pub fn new(problem: &'p Problem) -> Self {
        Self::in_order(problem, &Order::default())
    }

    /// Begins a resolution in the order of decisions that another target's resolution has learned.
    ///
    /// It decides which of several solutions is found, and how soon; whether there is one does not depend on it.
    pub fn in_order(problem: &'p Problem, order: &Order) -> Self {
        let Order { late, turned, tied } = order.clone();
        let knobs = Knobs { late, turned, tied, ..Knobs::default() };
        Self { prepared: Prepared::new(problem), knobs, restarts: 0, steps: Cell::new(0), unsolved: None }
    }

    /// Returns the order of decisions that was learned so far.
    pub fn order(&self) -> Order {
        let Knobs { late, turned, tied, .. } = self.knobs.clone();
        Order { late, turned, tied }
    }

    /// Resolves as far as the facts go. They must be those of the call before, and more.
    ///
    /// A project may have no candidate in a range only because nobody who would let one in was looked at yet. So where there is
    /// no solution for that reason, it is tried once more, with such projects last. If there is none either, the first
    /// explanation is told: it is the shorter one.
    pub fn proceed(&mut self, facts: &Facts) -> Outcome {
        match (self.run(facts), &self.unsolved) {
            (Outcome::NoSolution(_), Some(first)) => Outcome::NoSolution(first.clone()),
            (outcome, _) => outcome,
        }
    }

    fn run(&mut self, facts: &Facts) -> Outcome {
        let Self { prepared, knobs, restarts, steps, unsolved } = self;
        let problem = prepared.problem;
        if let Some(cut) = usable_cut(problem, prepared.cuts.iter()) {
            return Outcome::Divide(cut);
        }
        let projects = Projects::new(prepared, facts);
        while *restarts < RESTARTS {
            let begun = steps.get();
            let run = Run::new(prepared, &projects, knobs, Mode::Exact, steps);
            let stop = match pubgrub::resolve(&run, Package::Root, root_version()) {
                Ok(selected) if !run.has_learned() => return conclude(problem, &run, answer(&run, selected)),
                Ok(_) => Stop::Restart,
                Err(PubGrubError::NoSolution(tree)) => {
                    let explained = explain(&run, tree);
                    let cuts = run.cuts();
                    if let Some(cut) = usable_cut(problem, cuts.iter().chain(&explained.cuts)) {
                        return Outcome::Divide(cut);
                    }
                    let explanation = unsolved.get_or_insert(explained.explanation);
                    if explained.barred.is_subset(&knobs.patient) {
                        return Outcome::NoSolution(explanation.clone());
                    }
                    knobs.patient.extend(explained.barred);
                    *restarts += 1;
                    continue;
                }
                Err(PubGrubError::ErrorChoosingVersion { source, .. }) => source,
                Err(PubGrubError::ErrorRetrievingDependencies { source, .. }) => source,
                Err(PubGrubError::ErrorInShouldCancel(source)) => source,
            };
            match stop {
                Stop::Missing => {
                    // The same steps are taken again when the fact is there.
                    steps.set(begun);
                    let needed: Set<Subject> = run.needed().iter().map(subject).collect();
                    let questions = questions(run.into_questions(), prepared, &projects, knobs);
                    return Outcome::Need(need(questions, |question| needed.contains(&subject(question))));
                }
                Stop::Refused(refusal) => return Outcome::Refused(refusal),
                Stop::Candidates(_) | Stop::Steps => return Outcome::NoSolution(explain_effort(&run)),
                Stop::Restart if run.wants_depths() => {
                    match depths(&projects, &knobs.permits) {
                        Ok(found) => knobs.depths = found,
                        Err(missing) => {
                            steps.set(begun);
                            return Outcome::Need(need(missing, |_| true));
                        }
                    }
                    *restarts += 1;
                }
                Stop::Restart => {
                    let lessons = run.into_lessons();
                    lessons.into_iter().for_each(|lesson| knobs.take(lesson));
                    *restarts += 1;
                }
            }
        }
        Outcome::NoSolution(explain_effort(&Run::new(prepared, &projects, knobs, Mode::Exact, steps)))
    }
}

/// Returns the question that a resolution would ask first about a project whose page is known.
pub fn best_candidate(problem: &Problem, facts: &Facts, name: &PackageName) -> Option<Question> {
    best_candidates(problem, facts, [name]).pop()
}

/// Returns the questions that a resolution would ask first about projects whose pages are known.
pub fn best_candidates<'a>(
    problem: &Problem,
    facts: &Facts,
    names: impl IntoIterator<Item = &'a PackageName>,
) -> Vec<Question> {
    let prepared = Prepared::new(problem);
    let projects = Projects::new(&prepared, facts);
    let permits = Permits::default();
    let question = |name: &PackageName| {
        let roots = prepared.roots.iter().filter(|(_, demand)| demand.name == *name);
        let range = roots.fold(Ranges::<Version>::full(), |range, (_, demand)| range.intersection(&demand.range));
        let project = projects.find(name)?;
        match project.best(&range, &permits) {
            Best::Missing { position } => project.question(position),
            Best::Known(_) | Best::Nothing | Best::Refused(_) => None,
        }
    };
    names.into_iter().filter_map(question).collect()
}

/// Returns the versions of a project that its page shows to be candidates for the target, and whether each is a wheel. No
/// metadata is looked at: which is known by now is an accident.
pub fn candidates(problem: &Problem, facts: &Facts, name: &PackageName) -> BTreeMap<Version, bool> {
    let prepared = Prepared::new(problem);
    let projects = Projects::new(&prepared, facts);
    projects.find(name).map(|project| project.shown(&Permits::default())).unwrap_or_default()
}

/// Returns everything that can be asked now: what the exact run met, and what a run finds that goes on without it. In a big
/// problem that is first what the best candidate of every project needs, which takes no run.
fn questions<'a>(
    met: Vec<Question>,
    prepared: &'a Prepared<'a>,
    projects: &Projects<'a>,
    knobs: &Knobs,
) -> Vec<Question> {
    let mut guess = knobs.clone();
    let mut questions = Vec::new();
    if guess.depths.is_empty() && projects.known_count() > BIG {
        match depths(projects, &guess.permits) {
            Ok(found) => guess.depths = found,
            Err(missing) => questions = missing,
        }
    }
    if questions.is_empty() {
        let steps = Cell::new(0);
        let run = Run::new(prepared, projects, &guess, Mode::Collect, &steps);
        let _ = pubgrub::resolve(&run, Package::Root, root_version());
        questions = run.into_questions();
    }
    let mut asked: Set<Subject> = questions.iter().map(subject).collect();
    questions.extend(met.into_iter().filter(|question| asked.insert(subject(question))));
    questions
}

/// Marks the questions that must be answered.
fn need(questions: Vec<Question>, is_needed: impl Fn(&Question) -> bool) -> Need {
    let needed = questions.iter().enumerate().filter(|(_, question)| is_needed(question)).map(|(own, _)| own).collect();
    Need { questions, needed }
}

/// What a question is about: a project, or a version of one.
type Subject = (PackageName, Option<Version>);

/// Returns what a question is about.
fn subject(question: &Question) -> Subject {
    match question {
        Question::Metadata { name, version, .. } => (name.clone(), Some(version.clone())),
        Question::Page(name) => (name.clone(), None),
    }
}

fn conclude(problem: &Problem, run: &Run<'_, '_>, answer: Result<Answer, Stop>) -> Outcome {
    match answer {
        Ok(answer) => match usable_cut(problem, answer.cuts.iter()) {
            Some(cut) => Outcome::Divide(cut),
            None => Outcome::Solved(answer.solution),
        },
        Err(Stop::Refused(refusal)) => Outcome::Refused(refusal),
        // The run that chose the versions had every fact about them.
        Err(_) => Outcome::NoSolution(explain_effort(run)),
    }
}

/// Returns the lowest cut that divides the target.
fn usable_cut<'a>(problem: &Problem, cuts: impl Iterator<Item = &'a Version>) -> Option<Version> {
    cuts.filter(|cut| problem.target.divide(cut).is_some()).min().cloned()
}

impl Knobs {
    fn take(&mut self, lesson: Lesson) {
        match lesson {
            // Facts may be missing for these; see [`Search::proceed`].
            Lesson::Depths => {}
            Lesson::Late(first, second) => {
                let level = self.late.get(&first).map_or(0, |level| *level) + 1;
                let own = self.late.entry(second.clone()).or_default();
                *own = level.max(*own);
                self.turned.insert((first, second));
            }
            Lesson::Tied(name, extra) => {
                self.tied.entry(name).or_default().insert(extra);
            }
            Lesson::Prerelease(_) | Lesson::Yanked(..) => self.permits.take(lesson),
        }
    }
}

/// Restarts of one resolution: each adds something to [`Knobs`]; real resolutions need a handful.
const RESTARTS: usize = 1_000;
