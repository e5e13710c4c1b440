//! Target after target: the first is solved alone, and lends its choices and its order of decisions to all others, which are
//! solved side by side.
//!
//! Versions agree that way where they can, and what one target has learned about the order need not be learned again. Which
//! solution a target gets does not depend on what was known when it was tried.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pinfold_lock::Lock;
use pinfold_packaging::{PackageName, Strategy, Target, Version};
use pinfold_resolve::{Order, Problem, Solution, Solved, Solver, Terms, Wishes, agree};

use super::LockRequest;
use super::desk::{Desk, Unsolved};
use super::inputs::Inputs;
use super::kept::{self, Kept};
use super::sdists::Sdists;

/// Solves every target.
///
/// # Errors
/// As [`Desk::solve`].
pub(super) fn solve(
    inputs: &Inputs,
    former: Option<&Lock>,
    request: &LockRequest<'_>,
    cutoff: Option<Timestamp>,
    desk: &mut Desk,
    sdists: &mut Sdists<'_>,
) -> Result<Vec<Solution>, Unsolved> {
    let names: BTreeSet<PackageName> = former.iter().flat_map(|lock| &lock.packages).map(|p| p.name.clone()).collect();
    let kept = kept::kept(former, &request.keep);
    let pose = |target| inputs.problem(target, cutoff, kept::kept_for(target, former, &kept));
    let problems: Vec<Problem> = inputs.targets.iter().map(pose).collect();
    desk.crawl_ahead(&problems, &names);
    let first = solve_each(&problems, &Terms::default(), desk, sdists)?;
    let mut solutions: Vec<Solution> = agreed(first, &kept, &mut Targets { problems: &problems, desk, sdists })?;
    solutions.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(solutions)
}

/// Brings together what the targets chose apart.
fn agreed(
    first: Vec<Vec<Solution>>,
    kept: &Kept<'_>,
    targets: &mut Targets<'_, '_>,
) -> Result<Vec<Solution>, Unsolved> {
    let kept: BTreeSet<PackageName> = kept.keys().map(|name| (*name).clone()).collect();
    let direct = |name: &PackageName| {
        targets.problems.iter().flat_map(|problem| &problem.roots).any(|root| root.requirement.name == *name)
    };
    let strategy = targets.problems.first().map_or(Strategy::Highest, |problem| problem.strategy);
    let wants_lowest = |name: &PackageName| match strategy {
        Strategy::Highest => false,
        Strategy::Lowest => true,
        Strategy::LowestDirect => direct(name),
    };
    let wishes = Wishes { kept: &kept, wants_lowest: &wants_lowest };
    Ok(agree(first, &wishes, targets)?.into_iter().flatten().collect())
}

/// All targets, and who answers their questions.
struct Targets<'t, 's> {
    problems: &'t [Problem],
    desk: &'t mut Desk,
    sdists: &'t mut Sdists<'s>,
}

impl Solver for Targets<'_, '_> {
    type Error = Unsolved;

    fn solve(&mut self, terms: &Terms) -> Result<Solved, Unsolved> {
        match solve_each(self.problems, terms, self.desk, self.sdists) {
            Ok(solutions) => Ok(Solved::All(solutions)),
            Err(Unsolved::NoSolution(..)) => Ok(Solved::Impossible),
            // What would be refused if somebody wanted it is no way to agree, and nobody's fault.
            Err(Unsolved::Refused(_)) => Ok(Solved::Stopped),
            Err(failed @ Unsolved::Failed(_)) => Err(failed),
        }
    }

    fn candidates(&self, problem: usize, target: &Target, name: &PackageName) -> BTreeMap<Version, bool> {
        let posed = self.problems.get(problem).map(|problem| Problem { target: target.clone(), ..problem.clone() });
        posed.map(|problem| self.desk.candidates(&problem, name)).unwrap_or_default()
    }
}

/// Solves every problem, each on its terms.
///
/// # Errors
/// As [`Desk::solve`].
fn solve_each(
    problems: &[Problem],
    terms: &Terms,
    desk: &mut Desk,
    sdists: &mut Sdists<'_>,
) -> Result<Vec<Vec<Solution>>, Unsolved> {
    let Some((first, others)) = problems.split_first() else { return Ok(Vec::new()) };
    let (mut lent, mut order) = (Lent { preferences: terms.preferences.clone(), terms }, Order::default());
    let own = desk.solve(&lent.pose(0, first), &mut order, sdists)?;
    lent.take(&own);
    let mut solutions = vec![own];
    let posed: Vec<Problem> = (1..).zip(others).map(|(position, problem)| lent.pose(position, problem)).collect();
    let known = desk.solve_known(&posed, &order);
    for (position, (posed, known)) in (1..).zip(posed.iter().zip(known)) {
        let mut own = match known {
            Some(solution) => vec![solution],
            None => desk.solve(posed, &mut order.clone(), sdists)?,
        };
        if !lent.agrees(&own, posed) {
            own = desk.solve(&lent.pose(position, posed), &mut order.clone(), sdists)?;
        }
        lent.take(&own);
        solutions.push(own);
    }
    Ok(solutions)
}

/// What targets that are solved lend to those that are not.
struct Lent<'t> {
    preferences: BTreeMap<PackageName, Vec<Version>>,
    terms: &'t Terms,
}

impl Lent<'_> {
    fn pose(&self, position: usize, problem: &Problem) -> Problem {
        let limits = self.terms.limits.get(position).cloned().unwrap_or_default();
        Problem { preferences: self.preferences.clone(), limits, ..problem.clone() }
    }

    /// Adds what was chosen of projects that no target before has.
    fn take(&mut self, solutions: &[Solution]) {
        for (name, chosen) in solutions.iter().flat_map(|solution| &solution.packages) {
            self.preferences.entry(name.clone()).or_insert_with(|| vec![chosen.version.clone()]);
        }
    }

    /// Returns true if every project has the version that was lent since the problem was posed.
    fn agrees(&self, solutions: &[Solution], posed: &Problem) -> bool {
        let mut chosen = solutions.iter().flat_map(|solution| &solution.packages);
        let later = |name| self.preferences.get(name).filter(|_| !posed.preferences.contains_key(name));
        chosen.all(|(name, chosen)| later(name).is_none_or(|lent| lent.first() == Some(&chosen.version)))
    }
}
