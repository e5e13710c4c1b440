//! The story of a resolution: run, look, restart.

use pinfold_packaging::PackageName;

use crate::{Facts, Outcome, Problem, Question};

/// Resolves one target as far as the facts go.
pub fn resolve(_problem: &Problem, _facts: &Facts) -> Outcome {
    todo!()
}

/// Returns the question that a resolution would ask first about a project whose page is known.
pub fn best_candidate(problem: &Problem, facts: &Facts, name: &PackageName) -> Option<Question> {
    best_candidates(problem, facts, [name]).pop()
}

/// Returns the questions that a resolution would ask first about projects whose pages are known.
pub fn best_candidates<'a>(
    _problem: &Problem,
    _facts: &Facts,
    _names: impl IntoIterator<Item = &'a PackageName>,
) -> Vec<Question> {
    todo!()
}
