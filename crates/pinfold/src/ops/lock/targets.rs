//! Target after target: the first is solved alone, and lends its choices and its order of decisions to all others, which are
//! solved side by side.
//!
//! Versions agree that way where they can, and what one target has learned about the order need not be learned again. Which
//! solution a target gets does not depend on what was known when it was tried.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pinfold_lock::Lock;
use pinfold_packaging::{PackageName, Target, Version};
use pinfold_resolve::{Order, Problem, Solution};

use super::LockRequest;
use super::agree::{self, Preferences};
use super::desk::{Desk, Unsolved};
use super::inputs::Inputs;
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
    let kept = agree::kept(former, &request.keep);
    let pose = |target| inputs.problem(target, cutoff, agree::kept_for(target, former, &kept));
    let problems: Vec<Problem> = inputs.targets.iter().map(pose).collect();
    desk.crawl_ahead(&problems, &names);
    agree::agree(&kept, inputs.manifest.resolution, &mut Targets { problems: &problems, desk, sdists })
}

/// All targets, and who answers their questions.
struct Targets<'t, 's> {
    problems: &'t [Problem],
    desk: &'t mut Desk,
    sdists: &'t mut Sdists<'s>,
}

impl agree::Solver for Targets<'_, '_> {
    fn solve(&mut self, preferences: Preferences) -> Result<Vec<Solution>, Unsolved> {
        solve_each(self.problems, preferences, self.desk, self.sdists)
    }

    fn candidates(&self, name: &PackageName, target: &Target) -> BTreeSet<Version> {
        let own = |problem: &&Problem| {
            problem.target.system() == target.system() && problem.target.python() == target.python()
        };
        let posed = self.problems.iter().find(own).map(|problem| Problem { target: target.clone(), ..problem.clone() });
        posed.map(|problem| self.desk.candidates(&problem, name)).unwrap_or_default()
    }
}

fn solve_each(
    problems: &[Problem],
    preferences: Preferences,
    desk: &mut Desk,
    sdists: &mut Sdists<'_>,
) -> Result<Vec<Solution>, Unsolved> {
    let Some((first, others)) = problems.split_first() else { return Ok(Vec::new()) };
    let (mut lent, mut order) = (Lent { preferences }, Order::default());
    let mut solutions = desk.solve(&lent.pose(first), &mut order, sdists)?;
    lent.take(&solutions);
    let posed: Vec<Problem> = others.iter().map(|problem| lent.pose(problem)).collect();
    let known = desk.solve_known(&posed, &order);
    for (posed, known) in posed.iter().zip(known) {
        let mut own = match known {
            Some(solution) => vec![solution],
            None => desk.solve(posed, &mut order.clone(), sdists)?,
        };
        if !lent.agrees(&own, posed) {
            own = desk.solve(&lent.pose(posed), &mut order.clone(), sdists)?;
        }
        lent.take(&own);
        solutions.extend(own);
    }
    solutions.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(solutions)
}

/// What targets that are solved lend to those that are not.
struct Lent {
    preferences: Preferences,
}

impl Lent {
    fn pose(&self, problem: &Problem) -> Problem {
        Problem { preferences: self.preferences.clone(), ..problem.clone() }
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
