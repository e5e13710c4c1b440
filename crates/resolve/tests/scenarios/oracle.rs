//! A brute-force oracle: in tiny universes every choice is tried, and resolver and oracle must agree on whether one works.
//! Every resolution runs with all facts, with the facts in the opposite order, and round by round; these must agree too.
//!
//! A world has four projects of three releases each, extras, markers, several targets, and everything that the maintainer
//! can direct. The oracle knows none of the resolver's code: it reads the world, not the text made of it.

mod world;

use std::collections::BTreeSet;

use pinfold_resolve::Outcome;
use proptest::prelude::*;

use self::world::{NAMES, TARGETS, World, world};
use crate::universe::{Universe, name, outcome_in, problem, shown};

/// Resolves a world for one target, and holds the outcome against the oracle.
fn agree(world: &World, universe: &Universe, target: usize) -> Result<(), TestCaseError> {
    let question = world.problem_text(target);
    let outcome = outcome_in(universe, &problem(&question));
    let context = || format!("{}\n{question}\n{}", world.text(), shown(&outcome));
    match &outcome {
        Outcome::NoSolution(explanation) => {
            prop_assert!(!world.is_satisfiable(target), "a solution exists\n{}", context());
            let unique: BTreeSet<&String> = explanation.sentences().iter().collect();
            prop_assert_eq!(unique.len(), explanation.sentences().len(), "a sentence twice\n{}", context());
            prop_assert!(!unique.is_empty(), "no sentence\n{}", context());
            prop_assert!(!explanation.to_string().contains("99999"), "a version that is ours alone\n{}", context());
        }
        Outcome::Solved(solution) => {
            let chosen = |position: usize| {
                solution
                    .packages
                    .get(&name(NAMES[position]))
                    .map_or(3, |chosen| usize::try_from(chosen.version.release()[0]).unwrap() - 1)
            };
            let choice: Vec<usize> = (0..4).map(chosen).collect();
            let reached = world.reached(&choice, target);
            let names: BTreeSet<usize> = (0..4).filter(|position| choice[*position] != 3).collect();
            prop_assert_eq!(reached, Some(names), "{}", context());
        }
        Outcome::Divide(_) | Outcome::Need(_) | Outcome::Refused(_) => prop_assert!(false, "{}", context()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_200, failure_persistence: None, ..ProptestConfig::default() })]

    /// 3,600 questions, each resolved in three ways.
    #[test]
    fn resolver_and_oracle_agree(world in world()) {
        let universe = Universe::new(&world.text());
        for target in 0..TARGETS.len() {
            agree(&world, &universe, target)?;
        }
    }
}
