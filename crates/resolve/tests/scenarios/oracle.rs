//! A brute-force oracle: in tiny universes every choice is tried, and resolver and oracle must agree on whether one works.
//! Every resolution runs with all facts, with the facts in the opposite order, and round by round; these must agree too.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pinfold_resolve::Outcome;
use proptest::prelude::*;

use crate::universe::{Universe, name, outcome_in, problem, shown};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// What a requirement may demand; the first five are for packages, all for the maintainer.
const SPECIFIERS: [&str; 8] = ["", ">=2", "<2", "!=2", "<=2", "==1", "==2", ">=1rc1"];
const MARKERS: [&str; 4] = ["", "; sys_platform == 'linux'", "; sys_platform == 'win32'", "; extra == 'x'"];

/// A requirement: position in `NAMES`, in `SPECIFIERS`, whether the extra `x` is wanted, position in `MARKERS`.
type Need = (usize, usize, bool, usize);

#[derive(Debug, Clone)]
struct Release {
    kind: Kind,
    needs: Vec<Need>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Final,
    Foreign,
    Missing,
    Prerelease,
    Yanked,
}

/// Releases 1 to 3 of each name.
#[derive(Debug, Clone)]
struct World {
    releases: Vec<Vec<Release>>,
    roots: Vec<Need>,
    settings: &'static str,
}

fn need(specifiers: usize, markers: usize) -> impl Strategy<Value = Need> {
    (0..NAMES.len(), 0..specifiers, prop::bool::weighted(0.25), 0..markers)
}

fn world() -> impl Strategy<Value = World> {
    let kind = prop_oneof![
        8 => Just(Kind::Final), 1 => Just(Kind::Foreign), 2 => Just(Kind::Missing),
        2 => Just(Kind::Prerelease), 1 => Just(Kind::Yanked),
    ];
    let release = (kind, prop::collection::vec(need(5, 4), 0..4)).prop_map(|(kind, needs)| Release { kind, needs });
    let releases = prop::collection::vec(prop::collection::vec(release, 3), NAMES.len());
    let settings = prop_oneof![
        3 => Just(""), 1 => Just("strategy: lowest"), 1 => Just("strategy: lowest-direct"),
        1 => Just("exclude: d"), 1 => Just("constraint: b<2\nconstraint: c!=2"), 1 => Just("prefer: a 1\nprefer: b 2"),
    ];
    (releases, prop::collection::vec(need(SPECIFIERS.len(), 3), 1..4), settings)
        .prop_map(|(releases, roots, settings)| World { releases, roots, settings })
}

fn need_text((name, specifier, extra, marker): Need) -> String {
    let extra = if extra { "[x]" } else { "" };
    format!("{}{extra}{}{}", NAMES[name], SPECIFIERS[specifier], MARKERS[marker])
}

impl World {
    fn text(&self) -> String {
        let mut text = String::new();
        for (name, releases) in NAMES.iter().zip(&self.releases) {
            for (position, release) in releases.iter().enumerate() {
                let number = position + 1;
                let (suffix, word) = match release.kind {
                    Kind::Missing => continue,
                    Kind::Final => ("", ""),
                    Kind::Foreign => ("", " wheel=cp310-cp310-win_amd64"),
                    Kind::Prerelease => ("rc1", ""),
                    Kind::Yanked => ("", " yanked"),
                };
                let needs: Vec<String> = release.needs.iter().map(|need| need_text(*need)).collect();
                writeln!(text, "{name} {number}{suffix}{word} extras=x -> {}", needs.join(" | ")).unwrap();
            }
        }
        text
    }

    fn problem_text(&self) -> String {
        let roots: Vec<String> = self.roots.iter().map(|need| need_text(*need)).collect();
        format!("{}\n{}", roots.join("\n"), self.settings)
    }

    fn excluded(&self, name: usize) -> bool {
        self.settings == "exclude: d" && name == 3
    }

    /// Ten times the number; a release candidate is just below.
    fn value(&self, name: usize, position: usize) -> i32 {
        let number = 10 * (i32::try_from(position).unwrap() + 1);
        if self.releases[name][position].kind == Kind::Prerelease { number - 1 } else { number }
    }

    fn meets(&self, name: usize, position: usize, specifier: usize) -> bool {
        let value = self.value(name, position);
        match SPECIFIERS[specifier] {
            "" => true,
            ">=2" => value >= 20,
            // PEP 440: the pre-releases of 2 are not below 2.
            "<2" => value < 19,
            "!=2" => value != 20,
            "<=2" => value <= 20,
            "==1" => value == 10,
            "==2" => value == 20,
            ">=1rc1" => value >= 9,
            other => panic!("{other}"),
        }
    }

    fn is_candidate(&self, name: usize, position: usize) -> bool {
        let own_roots = || self.roots.iter().filter(|(own, _, _, marker)| *own == name && *marker != 2);
        let constrained = self.settings.starts_with("constraint")
            && ((name == 1 && !self.meets(name, position, 2)) || (name == 2 && !self.meets(name, position, 3)));
        let usable = match self.releases[name][position].kind {
            Kind::Final => true,
            Kind::Foreign | Kind::Missing => false,
            Kind::Prerelease => {
                let is_final = |release: &Release| matches!(release.kind, Kind::Final | Kind::Foreign | Kind::Yanked);
                own_roots().any(|(_, specifier, ..)| *specifier == 7) || !self.releases[name].iter().any(is_final)
            }
            Kind::Yanked => {
                own_roots().any(|(_, specifier, ..)| {
                    matches!(SPECIFIERS[*specifier], "==1" | "==2") && self.meets(name, position, *specifier)
                }) || (name < 2 && position == name && self.settings.starts_with("prefer"))
            }
        };
        usable && !constrained
    }

    /// Returns the names that are reached if the choice works.
    fn reached(&self, choice: &[usize]) -> Option<BTreeSet<usize>> {
        let mut pending: Vec<(usize, usize, bool)> = Vec::new();
        let holds = |marker: usize, extra: bool| match marker {
            0 | 1 => true,
            2 => false,
            _ => extra,
        };
        let add = |needs: &[Need], extra: bool, pending: &mut Vec<(usize, usize, bool)>| {
            let active = needs.iter().filter(|(name, _, _, marker)| holds(*marker, extra) && !self.excluded(*name));
            pending.extend(active.map(|(name, specifier, extra, _)| (*name, *specifier, *extra)));
        };
        add(&self.roots, false, &mut pending);
        let mut seen = BTreeSet::new();
        while let Some((name, specifier, extra)) = pending.pop() {
            let position = *choice.get(name)?;
            if position == 3 || !self.is_candidate(name, position) || !self.meets(name, position, specifier) {
                return None;
            }
            for extra in [false, extra] {
                if seen.insert((name, extra)) {
                    add(&self.releases[name][position].needs, extra, &mut pending);
                }
            }
        }
        Some(seen.into_iter().map(|(name, _)| name).collect())
    }

    /// Tries every choice; 3 means none.
    fn is_satisfiable(&self) -> bool {
        (0..256).any(|number: usize| {
            let choice: Vec<usize> = (0..4).map(|name| (number >> (2 * name)) & 3).collect();
            self.reached(&choice).is_some()
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resolver_and_oracle_agree(world in world()) {
        let universe = Universe::new(&world.text());
        let outcome = outcome_in(&universe, &problem(&world.problem_text()));
        let context = || format!("{}\n{}\n{}", world.text(), world.problem_text(), shown(&outcome));
        match &outcome {
            Outcome::NoSolution(_) => prop_assert!(!world.is_satisfiable(), "a solution exists\n{}", context()),
            Outcome::Solved(solution) => {
                let chosen = |position: usize| {
                    solution.packages.get(&name(NAMES[position])).map_or(3, |chosen| {
                        usize::try_from(chosen.version.release()[0]).unwrap() - 1
                    })
                };
                let choice: Vec<usize> = (0..4).map(chosen).collect();
                let reached = world.reached(&choice);
                let names: BTreeSet<usize> = (0..4).filter(|position| choice[*position] != 3).collect();
                prop_assert_eq!(reached, Some(names), "{}", context());
            }
            Outcome::Divide(_) | Outcome::Need(_) | Outcome::Refused(_) => prop_assert!(false, "{}", context()),
        }
    }
}
