//! Bounds on effort, and rounds.

use std::fmt::Write as _;

use insta::assert_snapshot;
use pinfold_resolve::{Facts, Outcome};

use crate::universe::{Effort, Universe, brief, outcome_in, problem};

#[test]
fn a_deep_tree_takes_few_rounds() {
    let mut universe = String::new();
    for level in 0..6 {
        for node in 0..6 {
            writeln!(universe, "p{level}-{node} 1.0 -> p{}-{node} | p{}-{}", level + 1, level + 1, (node + 1) % 6)
                .unwrap();
        }
    }
    (0..6).for_each(|node| writeln!(universe, "p6-{node} 1.0").unwrap());
    let (outcome, Effort { rounds, .. }) = Universe::new(&universe).crawl(&problem("p0-0\np0-3"), Facts::new());
    assert!(matches!(outcome, Outcome::Solved(_)));
    // Two questions per level (page, then metadata), and the last round.
    assert!(rounds <= 15, "{rounds}");
}

#[test]
fn a_long_search_takes_few_rounds() {
    let mut universe = String::from("b 1.0\n");
    (0..200).for_each(|minor| writeln!(universe, "a 1.{minor} -> b>={}", if minor == 0 { 1 } else { 2 }).unwrap());
    let (outcome, Effort { rounds, .. }) = Universe::new(&universe).crawl(&problem("a\nb"), Facts::new());
    assert_eq!(brief(&outcome), "a 1.0, b 1.0");
    assert!(rounds < 20, "{rounds}");
}

#[test]
fn a_hopeless_search_ends_with_an_explanation_of_bounded_size() {
    let mut universe = String::new();
    for minor in 0..250 {
        writeln!(universe, "a 1.{minor} -> b=={minor}").unwrap();
        writeln!(universe, "b {minor} -> c=={}", minor + 1).unwrap();
    }
    universe.push_str("c 0\n");
    let universe = Universe::new(&universe);
    let (outcome, _) = universe.crawl(&problem("a"), universe.facts(false));
    let Outcome::NoSolution(explanation) = outcome else { panic!("{}", brief(&outcome)) };
    let text = explanation.to_string();
    assert_snapshot!(text, @r#"
    Because b 0 needs `c==1` and there is no version of c ==1, b 0 cannot be used.
    And because a 1.0 needs `b==0`, a 1.0 cannot be used.
    Likewise, in 2 steps, a 1.1 cannot be used.
    And because a 1.0 cannot be used, a 1.1 and older cannot be used.
    Likewise, in 744 steps, no version of a can be used.
    And because you require `a` (app.toml:1), there is no solution.
    hint: the only version of c is 0
    "#);
}

/// Twelve layers of thirty projects with twelve releases each. Every release needs two projects of the next layer, one of them
/// not newer than itself, and a popular one of some deeper layer. Every seventh project never learned of more than the first
/// five releases of that.
fn layers() -> Universe {
    let mut text = String::new();
    for (layer, node) in (0..LAYERS).flat_map(|layer| (0..NODES).map(move |node| (layer, node))) {
        let (next, other) = (layer + 1, (node * 7 + 3) % NODES);
        let deeper = next + (node * 5 + layer) % (LAYERS - layer);
        let popular = (node * 11 + layer) % NODES / 3;
        let bound = if (layer * 3 + node) % 7 == 0 { "<=5" } else { "" };
        for release in 1..=12 {
            write!(text, "p{layer}-{node} {release}").unwrap();
            if next < LAYERS {
                write!(text, " -> p{next}-{node} | p{next}-{other}<={release}").unwrap();
            }
            if deeper < LAYERS {
                write!(text, " | p{deeper}-{popular}{bound}").unwrap();
            }
            text.push('\n');
        }
    }
    Universe::new(&text)
}

#[test]
fn in_a_big_problem_what_is_needed_by_many_gives_way_without_a_search() {
    let roots: Vec<String> = (0..NODES).map(|node| format!("p0-{node}")).collect();
    let (universe, problem) = (layers(), problem(&roots.join("\n")));
    let outcome = outcome_in(&universe, &problem);
    let Outcome::Solved(solution) = &outcome else { panic!("{}", brief(&outcome)) };
    // What was capped, and what may not be newer than that; of everything else the newest.
    let versions: Vec<String> = solution.packages.values().map(|own| own.version.to_string()).collect();
    let of = |version: &str| versions.iter().filter(|own| *own == version).count();
    assert_eq!((of("12"), of("5"), versions.len()), (273, 87, LAYERS * NODES), "{}", brief(&outcome));
    let (_, effort) = universe.crawl(&problem, Facts::new());
    // Two questions per layer, and one round for each step down; nothing older is asked for than what is taken.
    assert!(effort.rounds <= 50 && effort.metadata <= 700, "{effort:?}");
}

const LAYERS: usize = 12;
const NODES: usize = 30;
