//! A tiny world, the text that it is for the resolver, and by brute force whether it has a solution.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

pub(super) const NAMES: [&str; 4] = ["a", "b", "c", "d"];
pub(super) const TARGETS: [&str; 3] = ["linux-x86_64 3.10", "windows-x86_64 3.10", "linux-x86_64 3.11"];
/// What a requirement may demand; the first five are for packages, all for the maintainer.
const SPECIFIERS: [&str; 9] = ["", ">=2", "<2", "!=2", "<=2", "==1", "==2", ">=1rc1", "==2.*"];
const EXTRAS: [&str; 4] = ["", "[x]", "[y]", "[x,y]"];
const MARKERS: [&str; 7] = [
    "",
    "; sys_platform == 'linux'",
    "; sys_platform == 'win32'",
    "; python_version < '3.11'",
    "; extra == 'x'",
    "; extra == 'y' and sys_platform == 'linux'",
    "; extra == 'x' or python_version >= '3.11'",
];
const PRERELEASES: [&str; 4] = ["if-necessary", "allow", "explicit", "never"];

/// A requirement, as positions in the tables.
#[derive(Debug, Clone, Copy)]
struct Need {
    name: usize,
    specifier: usize,
    extras: usize,
    marker: usize,
}

#[derive(Debug, Clone)]
struct Release {
    kind: Kind,
    needs: Vec<Need>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Final,
    Missing,
    /// Its page, or only its metadata, wants Python 3.11.
    NewPython {
        in_metadata: bool,
    },
    Prerelease,
    Sdist,
    WindowsOnly,
    Yanked,
}

/// Releases 1 to 3 of each name, and what is asked.
#[derive(Debug, Clone)]
pub(super) struct World {
    releases: Vec<Vec<Release>>,
    roots: Vec<Need>,
    constraints: Vec<Need>,
    overrides: Vec<Need>,
    excludes_d: bool,
    builds: bool,
    prefers: bool,
    strategy: &'static str,
    prerelease: usize,
}

fn need(specifiers: usize, markers: usize) -> impl Strategy<Value = Need> {
    (0..NAMES.len(), 0..specifiers, prop::sample::select(vec![0, 0, 0, 1, 2, 3]), 0..markers)
        .prop_map(|(name, specifier, extras, marker)| Need { name, specifier, extras, marker })
}

/// A constraint or an override: without extras.
fn direction() -> impl Strategy<Value = Need> {
    need(SPECIFIERS.len(), 4).prop_map(|need| Need { extras: 0, ..need })
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let kind = prop_oneof![
        10 => Just(Kind::Final), 2 => Just(Kind::Missing), 1 => Just(Kind::WindowsOnly), 2 => Just(Kind::Prerelease),
        1 => Just(Kind::Yanked), 1 => Just(Kind::Sdist),
        1 => any::<bool>().prop_map(|in_metadata| Kind::NewPython { in_metadata }),
    ];
    let release = (kind, prop::collection::vec(need(5, 7), 0..4)).prop_map(|(kind, needs)| Release { kind, needs });
    let releases = prop::collection::vec(prop::collection::vec(release, 3), NAMES.len());
    let roots = prop::collection::vec(need(SPECIFIERS.len(), 4), 1..4);
    let some =
        |at_most: usize| prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(direction(), 1..=at_most)];
    let seldom = || prop::bool::weighted(0.2);
    let strategy = prop::sample::select(vec!["highest", "highest", "lowest", "lowest-direct"]);
    let prerelease = prop::sample::select(vec![0, 0, 0, 1, 2, 3]);
    (releases, roots, some(2), some(2), (seldom(), seldom(), seldom()), strategy, prerelease).prop_map(
        |(releases, roots, constraints, overrides, (excludes_d, builds, prefers), strategy, prerelease)| World {
            releases,
            roots,
            constraints,
            overrides,
            excludes_d,
            builds,
            prefers,
            strategy,
            prerelease,
        },
    )
}

impl Need {
    fn text(self) -> String {
        format!("{}{}{}{}", NAMES[self.name], EXTRAS[self.extras], SPECIFIERS[self.specifier], MARKERS[self.marker])
    }

    /// Returns true if it holds on the target where an extra is wanted: 0 for none, 1 for `x`, 2 for `y`.
    fn holds(self, target: usize, extra: usize) -> bool {
        let (linux, old) = (target != 1, target != 2);
        match self.marker {
            0 => true,
            1 => linux,
            2 => !linux,
            3 => old,
            4 => extra == 1,
            5 => extra == 2 && linux,
            _ => extra == 1 || !old,
        }
    }

    fn names_prerelease(self) -> bool {
        SPECIFIERS[self.specifier] == ">=1rc1"
    }

    fn is_exact(self) -> bool {
        matches!(SPECIFIERS[self.specifier], "==1" | "==2")
    }
}

impl World {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, releases) in NAMES.iter().zip(&self.releases) {
            for (position, release) in releases.iter().enumerate() {
                let (suffix, word) = match release.kind {
                    Kind::Missing => continue,
                    Kind::Final => ("", ""),
                    Kind::NewPython { in_metadata: false } => ("", " python=>=3.11"),
                    Kind::NewPython { in_metadata: true } => ("", " metapython=>=3.11"),
                    Kind::Prerelease => ("rc1", ""),
                    Kind::Sdist => ("", " sdist"),
                    Kind::WindowsOnly => ("", " wheel=py3-none-win_amd64"),
                    Kind::Yanked => ("", " yanked"),
                };
                let needs: Vec<String> = release.needs.iter().map(|need| need.text()).collect();
                writeln!(text, "{name} {}{suffix}{word} extras=x,y -> {}", position + 1, needs.join(" | ")).unwrap();
            }
        }
        text
    }

    pub(super) fn problem_text(&self, target: usize) -> String {
        let mut lines: Vec<String> = self.roots.iter().map(|need| need.text()).collect();
        lines.extend(self.constraints.iter().map(|need| format!("constraint: {}", need.text())));
        lines.extend(self.overrides.iter().map(|need| format!("override: {}", need.text())));
        lines.extend(self.excludes_d.then(|| "exclude: d".to_owned()));
        lines.extend(self.builds.then(|| "build: *".to_owned()));
        lines.extend(self.prefers.then(|| "locked: a 1\nprefer: b 2".to_owned()));
        lines.push(format!("strategy: {}", self.strategy));
        lines.push(format!("prerelease: {}", PRERELEASES[self.prerelease]));
        lines.push(format!("target: {}", TARGETS[target]));
        lines.join("\n")
    }

    /// Returns the directions for a name that hold on the target.
    fn of(&self, needs: &[Need], name: usize, target: usize) -> Vec<Need> {
        needs.iter().copied().filter(|need| need.name == name && need.holds(target, 0)).collect()
    }

    /// Returns everything that the maintainer says of a name; an override takes the place of what is required.
    fn said(&self, name: usize, target: usize) -> Vec<Need> {
        let overrides = self.of(&self.overrides, name, target);
        let required = if overrides.is_empty() { self.of(&self.roots, name, target) } else { overrides };
        [required, self.of(&self.constraints, name, target)].concat()
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
            "==2.*" => value == 20 || value == 19,
            other => panic!("{other}"),
        }
    }

    /// Returns true if a release meets what is required of it, by override where there is one.
    fn suits(&self, need: Need, position: usize, target: usize) -> bool {
        let overrides = self.of(&self.overrides, need.name, target);
        if overrides.is_empty() {
            return self.meets(need.name, position, need.specifier);
        }
        overrides.iter().all(|one| self.meets(need.name, position, one.specifier))
    }

    fn is_candidate(&self, name: usize, position: usize, target: usize) -> bool {
        let constraints = self.of(&self.constraints, name, target);
        let constrained = constraints.iter().any(|one| !self.meets(name, position, one.specifier));
        let is_locked = self.prefers && name == 0 && position == 0;
        let usable = match self.releases[name][position].kind {
            Kind::Final => true,
            Kind::Missing => false,
            Kind::NewPython { .. } => target == 2,
            Kind::Prerelease => self.takes_prereleases(name, target),
            Kind::Sdist => self.builds,
            Kind::WindowsOnly => target == 1,
            Kind::Yanked => {
                let pins = |need: &Need| need.is_exact() && self.meets(name, position, need.specifier);
                is_locked || self.said(name, target).iter().any(pins)
            }
        };
        usable && !constrained
    }

    fn takes_prereleases(&self, name: usize, target: usize) -> bool {
        let named = || self.said(name, target).into_iter().any(Need::names_prerelease);
        let is_final = |release: &Release| !matches!(release.kind, Kind::Missing | Kind::Prerelease);
        match PRERELEASES[self.prerelease] {
            "allow" => true,
            "explicit" => named(),
            "never" => false,
            _ => named() || !self.releases[name].iter().any(is_final),
        }
    }

    /// Returns the names that are reached if the choice works; 3 means that nothing is chosen of a name.
    pub(super) fn reached(&self, choice: &[usize], target: usize) -> Option<BTreeSet<usize>> {
        let excluded = |need: &Need| self.excludes_d && need.name == 3;
        let active = |needs: &[Need], extra: usize| -> Vec<Need> {
            needs.iter().copied().filter(|need| need.holds(target, extra) && !excluded(need)).collect()
        };
        let mut pending = active(&self.roots, 0);
        let mut seen = BTreeSet::new();
        while let Some(need) = pending.pop() {
            let position = *choice.get(need.name)?;
            if position == 3 || !self.is_candidate(need.name, position, target) || !self.suits(need, position, target) {
                return None;
            }
            let extras: &[usize] = [&[0][..], &[0, 1], &[0, 2], &[0, 1, 2]][need.extras];
            for extra in extras {
                if seen.insert((need.name, *extra)) {
                    pending.extend(active(&self.releases[need.name][position].needs, *extra));
                }
            }
        }
        Some(seen.into_iter().map(|(name, _)| name).collect())
    }

    /// Tries every choice.
    pub(super) fn is_satisfiable(&self, target: usize) -> bool {
        (0..256).any(|number: usize| {
            let choice: Vec<usize> = (0..4).map(|name| (number >> (2 * name)) & 3).collect();
            self.reached(&choice, target).is_some()
        })
    }
}
