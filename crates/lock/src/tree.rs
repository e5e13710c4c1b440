//! Which package needs which, over a lock: for people who ask what something is there for.
//!
//! It follows `packages.dependencies`, which the standard calls informational: nothing is installed because of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use pinfold_packaging::PackageName;

use crate::Lock;

/// The dependencies between the packages of a lock, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What each package needs.
    needs: BTreeMap<PackageName, BTreeSet<PackageName>>,
    /// The versions of each package.
    versions: BTreeMap<PackageName, Vec<String>>,
}

impl Tree {
    /// Reads the dependencies of a lock.
    pub fn of(lock: &Lock) -> Self {
        let mut needs: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
        let mut versions: BTreeMap<PackageName, Vec<String>> = BTreeMap::new();
        for package in &lock.packages {
            let names = package.dependencies.iter().map(|reference| reference.name.clone());
            needs.entry(package.name.clone()).or_default().extend(names);
            let known = versions.entry(package.name.clone()).or_default();
            let version = package.version.as_ref().map(ToString::to_string);
            known.extend(version.filter(|version| !known.contains(version)));
        }
        Self { needs, versions }
    }

    /// Returns the packages that no other package needs; where all of a circle need each other, its first.
    pub fn roots(&self) -> Vec<&PackageName> {
        let of_others = self.needs.iter().flat_map(|(by, needs)| needs.iter().filter(move |name| *name != by));
        let needed: BTreeSet<&PackageName> = of_others.collect();
        let mut roots: Vec<&PackageName> = self.needs.keys().filter(|name| !needed.contains(name)).collect();
        let mut reached: BTreeSet<&PackageName> = BTreeSet::new();
        roots.iter().for_each(|root| self.reach(root, &mut reached));
        for name in self.needs.keys() {
            if !reached.contains(name) {
                roots.push(name);
                self.reach(name, &mut reached);
            }
        }
        roots.sort();
        roots
    }

    fn reach<'a>(&'a self, from: &'a PackageName, reached: &mut BTreeSet<&'a PackageName>) {
        let mut waiting = vec![from];
        while let Some(name) = waiting.pop() {
            if reached.insert(name) {
                waiting.extend(self.needs.get(name).into_iter().flatten());
            }
        }
    }

    /// Returns the whole tree as text. What a package needs is written once, where it first occurs; later occurrences say
    /// `(above)`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut written = BTreeSet::new();
        // An own stack: a lock may be deeper than the machine's.
        let mut waiting: Vec<(usize, &PackageName)> = self.roots().into_iter().rev().map(|root| (0, root)).collect();
        while let Some((depth, name)) = waiting.pop() {
            let needs = self.needs.get(name);
            let first = written.insert(name);
            let above = if first || needs.is_none_or(BTreeSet::is_empty) { "" } else { " (above)" };
            // Writing to a string cannot fail; deeper than fifty levels nobody reads.
            let _ = writeln!(text, "{}{}{above}", "    ".repeat(depth.min(50)), self.shown(name));
            if first {
                waiting.extend(needs.into_iter().flatten().rev().map(|name| (depth + 1, name)));
            }
        }
        text
    }

    /// Returns the shortest chain from each root that leads to a package, the package itself last; none if the lock has no
    /// such package.
    pub fn why(&self, wanted: &PackageName) -> Option<Vec<Vec<PackageName>>> {
        self.needs.get(wanted)?;
        Some(self.roots().into_iter().filter_map(|root| self.chain(root, wanted)).collect())
    }

    fn chain(&self, root: &PackageName, wanted: &PackageName) -> Option<Vec<PackageName>> {
        let mut came_from: BTreeMap<&PackageName, Option<&PackageName>> = BTreeMap::from([(root, None)]);
        let mut waiting = VecDeque::from([root]);
        while let Some(name) = waiting.pop_front() {
            if name == wanted {
                let mut chain = vec![name.clone()];
                let mut at = name;
                while let Some(Some(before)) = came_from.get(at) {
                    chain.push((*before).clone());
                    at = before;
                }
                chain.reverse();
                return Some(chain);
            }
            for next in self.needs.get(name).into_iter().flatten() {
                if !came_from.contains_key(next) {
                    came_from.insert(next, Some(name));
                    waiting.push_back(next);
                }
            }
        }
        None
    }

    /// Returns a package with its versions: `torch 2.1.0, 2.1.0+cu121`.
    pub fn shown(&self, name: &PackageName) -> String {
        match self.versions.get(name) {
            Some(versions) if !versions.is_empty() => format!("{name} {}", versions.join(", ")),
            _ => name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::fixture::{resolved, settings, target};
    use crate::{Resolution, merge};

    fn tree(packages: &[(&str, &[&str])]) -> Tree {
        let package =
            |(name, needs): &(&str, &[&str])| resolved(&format!("{name}-1-py3-none-any.whl"), needs, &["base"]);
        let packages = packages.iter().map(package).collect();
        Tree::of(&merge(&[Resolution { target: target("linux-x86_64 3.10"), packages }], settings()).unwrap())
    }

    #[test]
    fn each_subtree_is_written_once() {
        let tree =
            tree(&[("app", &["b", "c"]), ("b", &["d"]), ("c", &["d", "b"]), ("d", &["e"]), ("e", &[]), ("z", &["e"])]);
        assert_snapshot!(tree.to_text(), @"
        app 1
            b 1
                d 1
                    e 1
            c 1
                b 1 (above)
                d 1 (above)
        z 1
            e 1
        ");
    }

    #[test]
    fn circles_end() {
        let tree = tree(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "c"])]);
        assert_snapshot!(tree.to_text(), @"
        a 1
            b 1
                c 1
                    a 1 (above)
                    c 1 (above)
        ");
    }

    #[test]
    fn says_why_a_package_is_there() {
        let tree =
            tree(&[("app", &["b", "c"]), ("b", &["d"]), ("c", &["e"]), ("d", &["e"]), ("e", &[]), ("z", &["d"])]);
        let shown = |chain: &Vec<PackageName>| chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" > ");
        let why =
            |name: &str| tree.why(&name.parse().unwrap()).map(|chains| chains.iter().map(shown).collect::<Vec<_>>());
        assert_eq!(why("e"), Some(vec!["app > c > e".to_owned(), "z > d > e".to_owned()]));
        assert_eq!(why("app"), Some(vec!["app".to_owned()]));
        assert_eq!(why("x"), None);
    }
}
