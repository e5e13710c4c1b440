//! Brute force: every choice of versions is tried, and a choice is right if everything that it reaches holds.
//!
//! Of one thing only bounds are told. Whether a pre-release or a yanked version that only a package's requirement names is a
//! candidate depends on which packages were looked at. It is one if a package names it that there is no way around
//! ([`Names::Unavoidable`]), and it is none if no package does ([`Names::Anybody`]).

use std::collections::{BTreeMap, BTreeSet};

use super::marker::Place;
use super::version::{Clause, Version};
use super::world::{Asker, Kind, NAMES, Need, Part, Release, Time, World};

/// Whose requirements let in what is no candidate by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Those of packages of any version.
    Anybody,
    /// Those of projects that have one release only, are needed in any case, and are candidates without their own word.
    Unavoidable,
}

/// Judges choices for one interpreter of a span that gets one answer.
pub(crate) struct Judge<'w> {
    world: &'w World,
    place: Place,
    /// Every interpreter that a chosen file must serve.
    pythons: Vec<Version>,
}

/// Of each project a position among its releases, or none.
pub(crate) type Choice = [Option<usize>; NAMES.len()];

/// What a choice reaches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Per project, what it needs beside itself.
    pub(crate) dependencies: BTreeMap<usize, BTreeSet<usize>>,
}

enum Walk<'w> {
    /// Something does not hold.
    Fails,
    /// A project is needed of which nothing is chosen.
    Open(usize),
    Reached(Reached, Vec<Made<'w>>),
}

/// A requirement, and which project makes it for which of its extras; none for the maintainer.
type Made<'w> = (Option<(usize, Option<usize>)>, &'w Need);

impl<'w> Judge<'w> {
    pub(crate) fn new(world: &'w World, place: Place, span: &[Place]) -> Self {
        let python = |place: &Place| Version::read(&format!("3.{}.{}", place.minor, place.patch));
        Self { world, place, pythons: span.iter().map(python).collect() }
    }

    /// Tries every choice.
    pub(crate) fn is_satisfiable(&self, names: Names) -> bool {
        self.completes(&mut Choice::default(), names)
    }

    fn completes(&self, choice: &mut Choice, names: Names) -> bool {
        match self.walk(choice, None) {
            Walk::Fails => false,
            Walk::Open(name) => (0..self.world.projects[name].len()).any(|position| {
                choice[name] = Some(position);
                let completes = self.completes(choice, names);
                choice[name] = None;
                completes
            }),
            Walk::Reached(reached, active) => self.is_permitted(choice, &reached, &active, names),
        }
    }

    /// Returns what a choice reaches for one asker or for all of them; none if it is wrong.
    pub(crate) fn reached(&self, choice: &Choice, asker: Option<Asker>, names: Names) -> Option<Reached> {
        match self.walk(choice, asker) {
            Walk::Fails | Walk::Open(_) => None,
            Walk::Reached(reached, active) => {
                // What lets something in for one asker lets it in for all.
                let Walk::Reached(_, all) = self.walk(choice, None) else { return None };
                let active = if asker.is_some() { all } else { active };
                self.is_permitted(choice, &reached, &active, names).then_some(reached)
            }
        }
    }

    fn walk(&self, choice: &Choice, asker: Option<Asker>) -> Walk<'w> {
        let roots = self.world.roots.iter().filter(|(own, _)| asker.is_none_or(|asker| asker == *own));
        let mut active: Vec<Made<'_>> = self.made(roots.map(|(_, need)| need), None).map(|need| (None, need)).collect();
        let (mut at, mut seen, mut reached) = (0, BTreeSet::new(), Reached::default());
        while let Some((_, need)) = active.get(at).copied() {
            at += 1;
            let Some(position) = choice[need.name] else { return Walk::Open(need.name) };
            let Some((part, _)) = self.file(need.name, position) else { return Walk::Fails };
            if !self.suits(need, &self.release(need.name, position).version) {
                return Walk::Fails;
            }
            reached.dependencies.entry(need.name).or_default();
            for extra in std::iter::once(None).chain(need.extras.iter().copied().map(Some)) {
                if !seen.insert((need.name, extra)) {
                    continue;
                }
                for further in self.made(&part.needs, extra) {
                    active.push((Some((need.name, extra)), further));
                    if further.name != need.name {
                        reached.dependencies.get_mut(&need.name).unwrap().insert(further.name);
                    }
                }
            }
        }
        Walk::Reached(reached, active)
    }

    /// Returns the requirements that are made here.
    fn made(&self, needs: impl IntoIterator<Item = &'w Need>, extra: Option<usize>) -> impl Iterator<Item = &'w Need> {
        let (place, excluded) = (self.place, self.world.excluded);
        let is_made = move |need: &&Need| excluded != Some(need.name) && need.holds(&place, extra);
        needs.into_iter().filter(is_made)
    }

    fn release(&self, name: usize, position: usize) -> &'w Release {
        &self.world.projects[name][position]
    }

    fn on<'n>(&'n self, needs: &'w [Need], name: usize) -> impl Iterator<Item = &'w Need> + 'n {
        needs.iter().filter(move |need| need.name == name && need.holds(&self.place, None))
    }

    /// An override takes the place of every declared range.
    fn suits(&self, need: &Need, version: &Version) -> bool {
        let mut overrides = self.on(&self.world.overrides, need.name).peekable();
        if overrides.peek().is_none() { need.accepts(version) } else { overrides.all(|own| own.accepts(version)) }
    }

    /// What the maintainer says of a project.
    fn said(&self, name: usize) -> Vec<&'w Need> {
        let mut said: Vec<&Need> = self.on(&self.world.overrides, name).collect();
        if said.is_empty() {
            let roots = self.made(self.world.roots.iter().map(|(_, need)| need), None);
            said = roots.filter(|need| need.name == name).collect();
        }
        said.extend(self.on(&self.world.constraints, name));
        said
    }

    fn serves_python(&self, clauses: &[Clause]) -> bool {
        self.pythons.iter().all(|python| clauses.iter().all(|clause| clause.accepts(python)))
    }

    fn exists(&self, part: &Part) -> bool {
        !self.world.has_cutoff || part.time == Time::Before
    }

    /// Returns the file that serves the span best, and the part that it is of.
    pub(crate) fn file(&self, name: usize, position: usize) -> Option<(&'w Part, Kind)> {
        let release = self.release(name, position);
        if !self.on(&self.world.constraints, name).all(|constraint| constraint.accepts(&release.version)) {
            return None;
        }
        let may_be_used = |kind: Kind| match kind {
            Kind::Sdist => self.world.built.contains(&name),
            _ => self.world.no_binary != Some(name) && kind.serves(&self.place),
        };
        let parts = release.parts.iter().filter(|part| self.exists(part) && self.serves_python(&part.page_python));
        let files = parts.flat_map(|part| part.kinds.iter().map(move |kind| (part, *kind)));
        let best = files.filter(|(_, kind)| may_be_used(*kind)).min_by_key(|(part, kind)| (part.yanked, *kind));
        best.filter(|(part, _)| self.serves_python(&part.metadata_python))
    }

    /// Returns true if everything that is reached is a candidate.
    fn is_permitted(&self, choice: &Choice, reached: &Reached, active: &[Made<'w>], names: Names) -> bool {
        let mut unavoidable: BTreeSet<usize> = BTreeSet::new();
        loop {
            let counts = |maker: &Option<(usize, Option<usize>)>| {
                maker.is_none_or(|(maker, extra)| extra.is_none() && unavoidable.contains(&maker))
            };
            let counting: Vec<&Need> =
                active.iter().filter(|(maker, _)| counts(maker)).map(|(_, need)| *need).collect();
            let further = counting.iter().map(|need| need.name).find(|name| {
                let is_only = self.world.projects[*name].len() == 1;
                is_only && !unavoidable.contains(name) && self.is_candidate(*name, choice, &counting, names)
            });
            let Some(name) = further else {
                let mut reached = reached.dependencies.keys();
                return reached.all(|name| self.is_candidate(*name, choice, &counting, names));
            };
            unavoidable.insert(name);
        }
    }

    fn is_candidate(&self, name: usize, choice: &Choice, counting: &[&'w Need], names: Names) -> bool {
        let Some(position) = choice[name] else { return false };
        let Some((part, _)) = self.file(name, position) else { return false };
        let version = &self.release(name, position).version;
        let of_packages = self.of_packages(name, counting, names);
        (!version.is_prerelease() || self.takes_prereleases(name, &of_packages))
            && (!part.yanked || self.takes_yanked(name, version, &of_packages))
    }

    /// What packages say of a project, as far as it counts.
    fn of_packages(&self, name: usize, counting: &[&'w Need], names: Names) -> Vec<&'w Need> {
        if self.on(&self.world.overrides, name).next().is_some() {
            return Vec::new();
        }
        let of_name = |need: &&Need| need.name == name;
        match names {
            Names::Anybody => {
                let parts = self.world.projects.iter().flatten().flat_map(|release| &release.parts);
                parts.flat_map(|part| &part.needs).filter(of_name).collect()
            }
            Names::Unavoidable => counting.iter().copied().filter(of_name).collect(),
        }
    }

    fn takes_prereleases(&self, name: usize, of_packages: &[&Need]) -> bool {
        let says_so = || self.said(name).into_iter().any(Need::names_prerelease);
        let is_final =
            |release: &Release| !release.version.is_prerelease() && release.parts.iter().any(|part| self.exists(part));
        match self.world.prerelease {
            "allow" => true,
            "explicit" => says_so(),
            "never" => false,
            _ => {
                says_so()
                    || !self.world.projects[name].iter().any(is_final)
                    || of_packages.iter().any(|need| need.names_prerelease())
            }
        }
    }

    fn takes_yanked(&self, name: usize, version: &Version, of_packages: &[&Need]) -> bool {
        let is_locked = self.world.locked.iter().any(|(own, locked)| *own == name && locked == version);
        let pins = |need: &&Need| need.is_pin() && need.accepts(version);
        is_locked || self.said(name).iter().any(pins) || of_packages.iter().any(pins)
    }
}
