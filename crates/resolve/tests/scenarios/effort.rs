//! Bounds on effort, and rounds.

use std::collections::{BTreeMap, BTreeSet};
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

/// What a project of [`layers`] needs beside its namesake of the next layer.
struct Needs {
    /// A project of the next layer, not newer than itself.
    other: usize,
    /// A popular project of a deeper layer.
    popular: (usize, usize),
    /// It never learned of more than the first five releases of that.
    capped: bool,
}

impl Needs {
    fn of(layer: usize, node: usize) -> Self {
        let deeper = layer + 1 + (node * 5 + layer) % (LAYERS - layer);
        Self {
            other: (node * 7 + 3) % NODES,
            popular: (deeper, (node * 11 + layer) % NODES / 3),
            capped: (layer * 3 + node).is_multiple_of(7),
        }
    }
}

/// Twelve layers of thirty projects with twelve releases each.
fn layers() -> Universe {
    let mut text = String::new();
    for (layer, node) in (0..LAYERS).flat_map(|layer| (0..NODES).map(move |node| (layer, node))) {
        let Needs { other, popular: (deeper, popular), capped } = Needs::of(layer, node);
        for release in 1..=12 {
            write!(text, "p{layer}-{node} {release}").unwrap();
            if layer + 1 < LAYERS {
                write!(text, " -> p{next}-{node} | p{next}-{other}<={release}", next = layer + 1).unwrap();
            }
            if deeper < LAYERS {
                write!(text, " | p{deeper}-{popular}{}", if capped { "<=5" } else { "" }).unwrap();
            }
            text.push('\n');
        }
    }
    Universe::new(&text)
}

/// Where every project is decided after those that need it: 5 of what is capped and of what follows it, 12 of the others.
fn newest() -> BTreeMap<String, &'static str> {
    let mut versions = BTreeMap::new();
    let mut held_back = BTreeSet::new();
    for (layer, node) in (0..LAYERS).flat_map(|layer| (0..NODES).map(move |node| (layer, node))) {
        let needs = Needs::of(layer, node);
        held_back.extend(needs.capped.then_some(needs.popular));
        let is_held_back = held_back.contains(&(layer, node));
        held_back.extend(is_held_back.then_some((layer + 1, needs.other)));
        versions.insert(format!("p{layer}-{node}"), if is_held_back { "5" } else { "12" });
    }
    versions
}

#[test]
fn in_a_big_problem_what_is_needed_by_many_gives_way_without_a_search() {
    let roots: Vec<String> = (0..NODES).map(|node| format!("p0-{node}")).collect();
    let (universe, problem) = (layers(), problem(&roots.join("\n")));
    let outcome = outcome_in(&universe, &problem);
    let Outcome::Solved(solution) = &outcome else { panic!("{}", brief(&outcome)) };
    let chosen = solution.packages.iter().map(|(name, own)| (name.to_string(), own.version.to_string()));
    let newest = newest().into_iter().map(|(name, version)| (name, version.to_owned()));
    assert_eq!(chosen.collect::<BTreeMap<_, _>>(), newest.collect());
    let (_, effort) = universe.crawl(&problem, Facts::new());
    // 360 projects, 88 of them held back; deciding pair after pair in another order takes 82 rounds and 969 questions.
    assert!(effort.rounds <= 50 && effort.metadata <= 700, "{effort:?}");
}

const LAYERS: usize = 12;
const NODES: usize = 30;
