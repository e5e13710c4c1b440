//! A brute-force oracle: in tiny universes every choice is tried, and resolver and oracle must agree on whether one works.
//! Every resolution runs with all facts, with the facts in the opposite order, and round by round; these must agree too.
//!
//! A world has four projects of three releases each, extras, markers, several targets, and everything that the maintainer
//! can direct. The oracle knows none of the resolver's code: it reads the world, not the text made of it.

mod world;

use std::collections::BTreeSet;

use pinfold_resolve::{Order, Outcome};
use proptest::prelude::*;

use self::world::{NAMES, TARGETS, World, world};
use crate::universe::{Universe, name, outcome_in, problem, shown};

/// Resolves a world for one target, alone and in an order that another target has learned, and holds what comes out against
/// the oracle. Returns the order.
fn agree(world: &World, universe: &Universe, target: usize, lent: &Order) -> Result<Order, TestCaseError> {
    let problem = problem(&world.problem_text(target));
    hold(world, target, &outcome_in(universe, &problem))?;
    let (outcome, order) = universe.in_order(&problem, lent);
    hold(world, target, &outcome)?;
    Ok(order)
}

/// Holds an outcome against the oracle.
fn hold(world: &World, target: usize, outcome: &Outcome) -> Result<(), TestCaseError> {
    let context = || format!("{}\n{}\n{}", world.text(), world.problem_text(target), shown(outcome));
    match outcome {
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

    /// 3,600 questions, each resolved in four ways.
    #[test]
    fn resolver_and_oracle_agree(world in world()) {
        let universe = Universe::new(&world.text());
        let mut order = Order::default();
        for target in 0..TARGETS.len() {
            order = agree(&world, &universe, target, &order)?;
        }
    }
}
