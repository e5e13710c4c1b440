//! Targets agree on a version wherever they can.
//!
//! Each target lends its choices to the next, which settles most of it. Where a later target cannot follow, because a version
//! has no file for it, the others may be able to follow it instead, or all of them one that none has chosen. So where targets
//! chose apart, all of them are asked again, with limits: the project is this version, everything else stays as it is or comes
//! together too. What comes out is never worse: nothing that agreed is parted, and no other project is set back.
//!
//! The search is exact. Where it leaves a project apart, no version of it that the pages offer to all is possible on those
//! terms, unless it gave up after [`QUESTIONS`] questions, or the version is older than any that was chosen by more than
//! [`REACH`] releases.

use std::collections::{BTreeMap, BTreeSet};

use pinfold_packaging::{PackageName, Target, Version};

use crate::Solution;
use crate::problem::Limits;

/// What targets are asked on top of their problems.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Versions that every target prefers, by project, the best first.
    pub preferences: BTreeMap<PackageName, Vec<Version>>,
    /// The limits of each problem, by position; empty where there are none.
    pub limits: Vec<Limits>,
}

/// Who solves all problems, one for each target.
pub trait Solver {
    /// Why there is no answer.
    type Error;

    /// Solves every problem, which may take several solutions where its target is divided.
    ///
    /// # Errors
    /// Those of the facts that it needs.
    fn solve(&mut self, terms: &Terms) -> Result<Solved, Self::Error>;

    /// Returns the versions of a project that its page offers to a problem for this target, and whether each is a wheel there.
    fn candidates(&self, problem: usize, target: &Target, name: &PackageName) -> BTreeMap<Version, bool>;
}

/// What comes of asking all targets.
#[derive(Debug)]
pub enum Solved {
    /// The solutions of each problem.
    All(Vec<Vec<Solution>>),
    /// One has none.
    Impossible,
    /// Looking for one came upon something that must not be worked around, or took too long; there may be others.
    Stopped,
}

/// What a maintainer's wishes mean for agreement.
pub struct Wishes<'w> {
    /// Projects of which an earlier lock has versions: they keep them.
    pub kept: &'w BTreeSet<PackageName>,
    /// Returns true if the lowest version of a project is the best.
    pub wants_lowest: &'w dyn Fn(&PackageName) -> bool,
}

/// Brings together what targets chose apart, as far as that is possible.
///
/// # Errors
/// Those of the solver.
pub fn agree<S: Solver>(
    first: Vec<Vec<Solution>>,
    wishes: &Wishes<'_>,
    solver: &mut S,
) -> Result<Vec<Vec<Solution>>, S::Error> {
    let mut search =
        Search { solver, wishes, left: QUESTIONS, state: State(first), ways: BTreeMap::new(), stuck: BTreeSet::new() };
    while let Some(better) = search.improve()? {
        search.state = better;
        search.ways.clear();
    }
    Ok(search.state.0)
}

/// What is held of a project.
#[derive(Debug, Clone)]
enum Hold {
    /// It is one of these everywhere; if there is none, nobody may need it.
    OneOf(BTreeSet<Version>),
    /// Each target keeps its own.
    Stays,
}

/// What comes of a question to all targets.
enum Answer {
    Found(State),
    /// There is nothing on these terms, nor on stricter ones.
    Impossible,
    /// Nothing was found.
    Nothing,
}

type Holds = BTreeMap<PackageName, Hold>;

struct Search<'s, S> {
    solver: &'s mut S,
    wishes: &'s Wishes<'s>,
    /// How often all targets may still be asked.
    left: usize,
    state: State,
    /// What each project that is apart can come together on, the best first; as far as it was asked for.
    ways: BTreeMap<PackageName, Vec<Version>>,
    /// What could not be brought together in this state or one before: it is tried again when all else was.
    stuck: BTreeSet<PackageName>,
}

impl<S: Solver> Search<'_, S> {
    /// Returns a state in which fewer projects are apart, if there is one.
    fn improve(&mut self) -> Result<Option<State>, S::Error> {
        let movable: Vec<PackageName> = self.movable().cloned().collect();
        if movable.is_empty() {
            return Ok(None);
        }
        let preferences = movable.iter().map(|name| (name.clone(), self.ways_of(name))).collect();
        if let Answer::Found(better) = self.ask(&Holds::new(), preferences)?
            && self.objection(&better).is_none()
            && better.apart().len() < self.state.apart().len()
        {
            return Ok(Some(better));
        }
        let (last, first): (Vec<_>, Vec<_>) = movable.iter().partition(|name| self.stuck.contains(*name));
        for name in first.into_iter().chain(last) {
            if let Some(better) = self.bring_together(name)? {
                return Ok(Some(better));
            }
            self.stuck.insert(name.clone());
        }
        Ok(None)
    }

    /// Returns the projects that are apart and may move.
    fn movable(&self) -> impl Iterator<Item = &PackageName> {
        self.state.apart().into_iter().filter(|name| !self.wishes.kept.contains(*name))
    }

    fn bring_together(&mut self, name: &PackageName) -> Result<Option<State>, S::Error> {
        let ways = self.ways_of(name);
        let any = Holds::from([(name.clone(), Hold::OneOf(ways.iter().cloned().collect()))]);
        if ways.is_empty() || matches!(self.ask(&any, BTreeMap::new())?, Answer::Impossible) {
            return Ok(None);
        }
        for version in ways {
            let holds = Holds::from([(name.clone(), Hold::OneOf([version].into()))]);
            if let Some(better) = self.complete(&holds)? {
                return Ok(Some(better));
            }
        }
        Ok(None)
    }

    /// Finds a state with these holds that nothing can be said against: what moved and did not come together is held too, one way
    /// after the other.
    fn complete(&mut self, holds: &Holds) -> Result<Option<State>, S::Error> {
        let Answer::Found(found) = self.ask(holds, BTreeMap::new())? else { return Ok(None) };
        let Some(name) = self.objection(&found).cloned() else { return Ok(Some(found)) };
        if holds.contains_key(&name) {
            return Ok(None);
        }
        let one_of = |version| Hold::OneOf(BTreeSet::from([version]));
        let holds_of_it: Vec<Hold> = if self.state.has(&name) {
            std::iter::once(Hold::Stays).chain(self.ways_of(&name).into_iter().map(one_of)).collect()
        } else {
            // Nobody had it: what needs it can be done without, perhaps.
            let without = Hold::OneOf(BTreeSet::new());
            self.common(&name, &found).into_iter().map(one_of).chain([without]).collect()
        };
        for hold in holds_of_it {
            let mut holds = holds.clone();
            holds.insert(name.clone(), hold);
            if let Some(better) = self.complete(&holds)? {
                return Ok(Some(better));
            }
        }
        Ok(None)
    }

    /// Asks all targets; what is not held stays where it agrees, and where it does not it stays or moves to what all could take.
    fn ask(&mut self, holds: &Holds, preferences: BTreeMap<PackageName, Vec<Version>>) -> Result<Answer, S::Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(Answer::Nothing) };
        self.left = left;
        let movable: Vec<PackageName> = self.movable().cloned().collect();
        let ways: BTreeMap<_, _> = movable.into_iter().map(|name| (name.clone(), self.ways_of(&name))).collect();
        let limits = (0..self.state.0.len()).map(|problem| self.limits(problem, holds, &ways)).collect();
        Ok(match self.solver.solve(&Terms { preferences, limits })? {
            Solved::All(solutions) => Answer::Found(State(solutions)),
            Solved::Impossible => Answer::Impossible,
            Solved::Stopped => Answer::Nothing,
        })
    }

    fn limits(&self, problem: usize, holds: &Holds, ways: &BTreeMap<PackageName, Vec<Version>>) -> Limits {
        let mut limits = Limits::new();
        for (name, all) in self.state.versions() {
            let own = self.state.of(problem, name);
            let limit = match (holds.get(name), ways.get(name)) {
                (Some(Hold::OneOf(versions)), _) => versions.clone(),
                // A target that did not need it takes what the others have, if they have one.
                _ if own.is_empty() && all.len() > 1 => continue,
                _ if own.is_empty() => all.into_iter().cloned().collect(),
                (None, Some(ways)) => own.into_iter().chain(ways).cloned().collect(),
                (Some(Hold::Stays), _) | (None, None) => own.into_iter().cloned().collect(),
            };
            limits.insert(name.clone(), limit);
        }
        for (name, hold) in holds {
            if let (Hold::OneOf(versions), false) = (hold, self.state.has(name)) {
                limits.insert(name.clone(), versions.clone());
            }
        }
        limits
    }

    /// Returns a project that is apart and was not, or is and has moved.
    fn objection<'f>(&self, found: &'f State) -> Option<&'f PackageName> {
        let before = self.state.apart();
        let has_moved = |name: &PackageName| {
            (0..found.0.len()).any(|problem| {
                let own = self.state.of(problem, name);
                !own.is_empty() && !found.of(problem, name).is_subset(&own)
            })
        };
        found.apart().into_iter().find(|name| !before.contains(name) || has_moved(name))
    }

    /// Returns what a project that is apart can come together on, the best first.
    fn ways_of(&mut self, name: &PackageName) -> Vec<Version> {
        if let Some(ways) = self.ways.get(name) {
            return ways.clone();
        }
        let ways = self.common(name, &self.state);
        self.ways.insert(name.clone(), ways.clone());
        ways
    }

    /// Returns the versions that the pages offer to all who have a project in a state, no better than the best that is chosen, and
    /// not far beyond the last. What is built is among them only if somebody chose it: nobody's code runs to look further.
    fn common(&self, name: &PackageName, state: &State) -> Vec<Version> {
        let chosen: BTreeSet<&Version> = state.chosen(name).map(|(_, _, version)| version).collect();
        let (Some(first), Some(last)) = (chosen.first().copied(), chosen.last().copied()) else { return Vec::new() };
        let lowest = (self.wishes.wants_lowest)(name);
        let mut offered: Vec<BTreeSet<Version>> = Vec::new();
        for (problem, target, _) in state.chosen(name) {
            let own = self.solver.candidates(problem, target, name).into_iter();
            let own = own.filter(|(version, is_wheel)| *is_wheel || chosen.contains(version));
            offered.push(own.map(|(version, _)| version).collect());
        }
        let mut any: Vec<&Version> = offered.iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
        if !lowest {
            any.reverse();
        }
        let is_beyond = |version: &Version| if lowest { version > last } else { version < first };
        let near = any.iter().filter(|version| is_beyond(version)).take(REACH);
        let between = any.iter().filter(|version| (first..=last).contains(*version));
        let is_common = |version: &&&Version| offered.iter().all(|own| own.contains(**version));
        between.chain(near).filter(is_common).map(|version| (*version).clone()).collect()
    }
}

/// The solutions of each problem.
struct State(Vec<Vec<Solution>>);

impl State {
    /// Returns who chose which version of a project.
    fn chosen(&self, name: &PackageName) -> impl Iterator<Item = (usize, &Target, &Version)> {
        let parts =
            self.0.iter().enumerate().flat_map(|(problem, parts)| parts.iter().map(move |part| (problem, part)));
        parts.filter_map(|(problem, part)| Some((problem, &part.target, &part.packages.get(name)?.version)))
    }

    /// Returns the versions of a project that a problem has.
    fn of(&self, problem: usize, name: &PackageName) -> BTreeSet<&Version> {
        let parts = self.0.get(problem).into_iter().flatten();
        parts.filter_map(|part| part.packages.get(name)).map(|chosen| &chosen.version).collect()
    }

    fn has(&self, name: &PackageName) -> bool {
        self.chosen(name).next().is_some()
    }

    /// Returns the versions that were chosen of each project.
    fn versions(&self) -> BTreeMap<&PackageName, BTreeSet<&Version>> {
        let mut versions: BTreeMap<&PackageName, BTreeSet<&Version>> = BTreeMap::new();
        for (name, chosen) in self.0.iter().flatten().flat_map(|solution| &solution.packages) {
            versions.entry(name).or_default().insert(&chosen.version);
        }
        versions
    }

    /// Returns the projects of which several versions were chosen.
    fn apart(&self) -> BTreeSet<&PackageName> {
        let several = self.versions().into_iter().filter(|(_, versions)| versions.len() > 1);
        several.map(|(name, _)| name).collect()
    }
}

/// How often all targets are asked again at most.
const QUESTIONS: usize = 256;
/// How many versions beyond the last that somebody chose are looked at. A release that is further away is not what anybody means
/// who asks for the newest.
const REACH: usize = 16;
