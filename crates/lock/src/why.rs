//! Why a package is in a lock, where, and what keeps it from being newer: from the lock alone, so that the answer is the same
//! offline. What the lock cannot know (whether there is anything newer) is not guessed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use jiff::Timestamp;
use pinfold_packaging::{PackageName, Requirement, Strategy, Version};
use version_ranges::Ranges;

use crate::{Applies, Asker, Demanded, Lock, Tree};

/// Why a package is in a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// The package.
    pub name: PackageName,
    /// Its entries.
    pub entries: Vec<WhyEntry>,
    /// The shortest chains that lead from each root to it.
    pub chains: Vec<Vec<Link>>,
    /// Whether there are more chains than [`Why::MOST_CHAINS`].
    pub has_more_chains: bool,
    /// Every requirement on it, overrides alone if there are any.
    pub requirements: Vec<Demand>,
    /// Whether the lock says who asked for what; else only the chains are known, and their roots are a guess.
    pub knows_requirements: bool,
    /// The version that is preferred.
    pub strategy: Option<Strategy>,
    /// Files uploaded later did not exist for the lock.
    pub exclude_newer: Option<Timestamp>,
    /// How many targets the lock is for.
    pub target_count: usize,
}

/// One entry of the package.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyEntry {
    /// The version.
    pub version: Option<Version>,
    /// Where it comes from: the URL of its index, or what was asked for directly.
    pub origin: Option<String>,
    /// When it applies, as the lock says it; none for always.
    pub marker: Option<String>,
    /// The targets on which it applies, and what for.
    pub applies: Vec<Applies>,
}

/// A package of a chain, with what brought it there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The package.
    pub name: PackageName,
    /// Who asks for it: of a chain's first, the maintainer.
    pub by: BTreeSet<Asker>,
    /// The requirements by which it is asked for, if the lock has them.
    pub requirements: BTreeSet<String>,
}

/// A requirement on the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Who demands.
    pub by: Asker,
    /// What, as it was written.
    pub requirement: String,
    /// Whether it excludes a version that is newer than those of the lock.
    pub caps: bool,
}

impl Why {
    /// How many chains are given: beyond that nobody reads.
    pub const MOST_CHAINS: usize = 200;

    /// Explains why a package is in a lock; none if it is not.
    pub fn of(lock: &Lock, name: &PackageName) -> Option<Self> {
        let tree = Tree::of(lock);
        tree.packages().get(name)?;
        let entries = lock.packages.iter().filter(|package| package.name == *name).map(|package| WhyEntry {
            version: lock.version_of(package),
            origin: package.origin_text(),
            marker: package.marker.as_ref().map(ToString::to_string),
            applies: lock.applies(package),
        });
        let entries: Vec<WhyEntry> = entries.collect();
        let requirements = Demands::of(lock);
        let mut chains = Vec::new();
        for root in tree.roots() {
            shortest(&tree, root, name, Self::MOST_CHAINS + 1 - chains.len(), &mut chains);
            if chains.len() > Self::MOST_CHAINS {
                break;
            }
        }
        let has_more_chains = chains.len() > Self::MOST_CHAINS;
        chains.truncate(Self::MOST_CHAINS);
        Some(Self {
            name: name.clone(),
            chains: chains.iter().map(|chain| requirements.links(chain)).collect(),
            has_more_chains,
            requirements: requirements.on(name, entries.iter().filter_map(|entry| entry.version.as_ref()).max()),
            entries,
            knows_requirements: tree.knows_roots(),
            strategy: lock.tool.as_ref().map(|tool| tool.resolution),
            exclude_newer: lock.tool.as_ref().and_then(|tool| tool.exclude_newer),
            target_count: lock.targets().len(),
        })
    }
}

/// Adds at most `most` of the shortest chains from a root to a package.
fn shortest<'a>(
    tree: &'a Tree,
    root: &'a PackageName,
    wanted: &'a PackageName,
    most: usize,
    chains: &mut Vec<Vec<&'a PackageName>>,
) {
    // By level: what was reached first on it, and from which packages of the level before.
    let mut reached: BTreeMap<&PackageName, (usize, Vec<&PackageName>)> = BTreeMap::from([(root, (0, Vec::new()))]);
    let mut waiting = VecDeque::from([root]);
    while let Some(name) = waiting.pop_front() {
        let level = reached.get(name).map_or(0, |(level, _)| *level);
        if reached.get(wanted).is_some_and(|(found, _)| level >= *found) {
            break;
        }
        for next in tree.packages().get(name).into_iter().flat_map(|node| &node.needs) {
            match reached.get_mut(next) {
                None => {
                    reached.insert(next, (level + 1, vec![name]));
                    waiting.push_back(next);
                }
                Some((other, from)) if *other == level + 1 => from.push(name),
                Some(_) => {}
            }
        }
    }
    // From the end to the root; every package that was reached from several divides the chain.
    let mut open: Vec<Vec<&PackageName>> = if reached.contains_key(wanted) { vec![vec![wanted]] } else { Vec::new() };
    let end = chains.len() + most;
    while let Some(chain) = open.pop() {
        let Some((_, from)) = chain.last().and_then(|name| reached.get(name)) else { continue };
        if from.is_empty() {
            chains.push(chain.iter().rev().copied().collect());
            if chains.len() >= end {
                return;
            }
        }
        for before in from.iter().rev() {
            let mut longer = chain.clone();
            longer.push(before);
            open.push(longer);
        }
    }
}

/// The readable requirements of a lock.
struct Demands<'a> {
    known: Vec<Demanded<'a>>,
}

impl<'a> Demands<'a> {
    fn of(lock: &'a Lock) -> Self {
        Self { known: lock.tool.iter().flat_map(|tool| tool.asked.requirements()).collect() }
    }

    /// Returns what is demanded of a package of which the lock has no newer version than this.
    fn on(&self, name: &PackageName, newest: Option<&Version>) -> Vec<Demand> {
        let own = self.known.iter().filter(|known| known.requirement.name == *name);
        let demand = |known: &Demanded<'_>| Demand {
            by: known.by.clone(),
            requirement: known.text.clone(),
            caps: known.is_direct || caps(&known.requirement, newest),
        };
        let all: Vec<Demand> = own.map(demand).collect();
        let overrides: Vec<Demand> = all.iter().filter(|demand| demand.by == Asker::Overrides).cloned().collect();
        if overrides.is_empty() { all } else { overrides }
    }

    fn links(&self, chain: &[&PackageName]) -> Vec<Link> {
        let mut links = Vec::new();
        let mut before: Option<&PackageName> = None;
        for name in chain {
            let asks = |by: &Asker| match (by, before) {
                (Asker::Package(by, _), Some(before)) => by == before,
                (by, None) => by.is_root(),
                _ => false,
            };
            let own = self.known.iter().filter(|known| known.requirement.name == **name && asks(known.by));
            let (by, requirements): (BTreeSet<Asker>, BTreeSet<String>) =
                own.map(|known| (known.by.clone(), known.text.clone())).unzip();
            links.push(Link { name: (*name).clone(), by, requirements });
            before = Some(*name);
        }
        links
    }
}

/// Returns true if a requirement excludes a version above this one; where none is known, every version above some.
fn caps(requirement: &Requirement, newest: Option<&Version>) -> bool {
    let ranges = requirement.specifiers.ranges();
    match newest {
        Some(newest) => !Ranges::strictly_higher_than(newest.clone()).subset_of(&ranges),
        None => ranges.bounding_range().is_none_or(|(_, upper)| !matches!(upper, Bound::Unbounded)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::lock;

    fn text(chain: &[Link]) -> String {
        let link = |link: &Link| {
            let texts: Vec<&str> = link.requirements.iter().map(String::as_str).collect();
            if texts.is_empty() { link.name.to_string() } else { texts.join(" & ") }
        };
        chain.iter().map(link).collect::<Vec<_>>().join(" -> ")
    }

    #[track_caller]
    fn check(lock: &Lock, name: &str, expected: &[&str]) {
        let why = Why::of(lock, &name.parse().unwrap()).unwrap();
        assert_eq!(why.chains.iter().map(|chain| text(chain)).collect::<Vec<_>>(), expected, "{name}");
    }

    #[test]
    fn gives_every_shortest_chain_from_each_root() {
        let lock = lock(&[
            ("app", &["b", "c"]),
            ("b", &["d"]),
            ("c", &["d"]),
            ("d", &["e"]),
            ("e", &["b"]),
            ("y", &["b", "d"]),
            ("z", &[]),
        ]);
        check(&lock, "d", &["app -> b -> d", "app -> c -> d", "y -> d"]);
        check(&lock, "app", &["app"]);
        check(&lock, "b", &["app -> b", "y -> b"]);
        assert_eq!(Why::of(&lock, &"nothing".parse().unwrap()), None);
        assert!(!Why::of(&lock, &"d".parse().unwrap()).unwrap().knows_requirements);
    }

    #[test]
    fn many_chains_are_cut() {
        // Twelve layers of two: 2^12 shortest chains.
        let names: Vec<[String; 2]> = (10..22).map(|layer| [format!("x{layer}"), format!("y{layer}")]).collect();
        let mut packages: Vec<(&str, Vec<&str>)> = vec![("app", names[0].iter().map(String::as_str).collect())];
        for (layer, pair) in names.iter().enumerate() {
            let next = names.get(layer + 1).map_or(vec!["end"], |pair| pair.iter().map(String::as_str).collect());
            packages.extend(pair.iter().map(|name| (name.as_str(), next.clone())));
        }
        packages.push(("end", Vec::new()));
        let packages: Vec<(&str, &[&str])> = packages.iter().map(|(name, needs)| (*name, needs.as_slice())).collect();
        let why = Why::of(&lock(&packages), &"end".parse().unwrap()).unwrap();
        assert_eq!((why.chains.len(), why.has_more_chains), (Why::MOST_CHAINS, true));
    }

    #[test]
    fn says_what_keeps_a_package_from_being_newer() {
        let mut lock = lock(&[("a", &["b"]), ("b", &[]), ("c", &["b"])]);
        let asked = &mut lock.tool.as_mut().unwrap().asked;
        asked.add(Asker::Application, "a==1");
        asked.add(Asker::Extra("gpu".parse().unwrap()), "c!=2; sys_platform == 'linux'");
        asked.add(Asker::Package("a".parse().unwrap(), "1".parse().unwrap()), "b[x]>=0.5");
        asked.add(Asker::Package("a".parse().unwrap(), "1".parse().unwrap()), "b~=1.0; extra == 'y'");
        asked.add(Asker::Package("c".parse().unwrap(), "1".parse().unwrap()), "b!=1.5");
        asked.add(Asker::Package("c".parse().unwrap(), "1".parse().unwrap()), "b!=0.9");
        asked.add(Asker::Constraints, "b<=3");
        check(
            &lock,
            "b",
            &["a==1 -> b[x]>=0.5 & b~=1.0; extra == 'y'", "c!=2; sys_platform == 'linux' -> b!=0.9 & b!=1.5"],
        );
        let demands = |lock: &Lock| {
            let why = Why::of(lock, &"b".parse().unwrap()).unwrap();
            assert!(why.knows_requirements);
            why.requirements.iter().map(|d| format!("{}: {} {}", d.by, d.requirement, d.caps)).collect::<Vec<_>>()
        };
        let expected = [
            "a constraint: b<=3 true",
            "a 1: b[x]>=0.5 false",
            "a 1: b~=1.0; extra == 'y' true",
            "c 1: b!=0.9 false",
            "c 1: b!=1.5 true",
        ];
        assert_eq!(demands(&lock), expected);
        lock.tool.as_mut().unwrap().asked.add(Asker::Overrides, "b");
        assert_eq!(demands(&lock), ["an override: b false"]);
    }
}
