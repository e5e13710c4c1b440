//! What an environment and its history have to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pinfold_testkit::{TempHome, sha256_hex};

use super::harm::FORGED;
use crate::kill::scenario::{RECEIPT, STAMPS, Tree, compared};

/// What an environment is made of beside its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Which environment it is: scripts name it.
    pub(super) which: usize,
    pub(super) is_compiled: bool,
    /// Its files are its own, and its owner may write to them.
    pub(super) is_copied: bool,
}

/// A generation, in place or kept.
#[derive(Clone, Debug)]
pub(super) struct Former {
    pub(super) number: u64,
    pub(super) lock: usize,
    pub(super) kind: Kind,
    /// What was there when it was made.
    pub(super) clean: Tree,
    /// What is there, whatever was done to it.
    pub(super) tree: Tree,
    /// A repair has found that, and left its mark.
    pub(super) is_marked: bool,
}

impl Former {
    /// Returns true if somebody changed it since it was made.
    pub(super) fn is_harmed(&self) -> bool {
        comparable(&self.tree, self.kind) != comparable(&self.clean, self.kind)
            || self.tree.iter().any(|(_, entry)| entry.ends_with(&sha256_hex(FORGED)))
    }

    /// Says in what the disk differs from this. A stored file whose mode is put right has it in every tree that shares it.
    fn differs(&mut self, path: &str, home: &TempHome) -> Option<String> {
        let now = home.snapshot(path);
        let clean: BTreeSet<_> = self.clean.iter().collect();
        let put_right = |(path, entry): &(String, String)| {
            let found = now.iter().find(|(its, _)| its == path);
            let is_right = |found: &&(String, String)| clean.contains(found) && found.1[MODE..] == entry[MODE..];
            (path.clone(), found.filter(is_right).map_or_else(|| entry.clone(), |(_, found)| found.clone()))
        };
        self.tree = self.tree.iter().map(put_right).collect();
        Some(compared(&self.tree, &now)).filter(|difference| !difference.is_empty())
    }
}

/// How long a mode is in an entry of a tree.
const MODE: usize = "0644".len();

/// An environment and its history.
pub(super) struct Environment {
    pub(super) name: &'static str,
    pub(super) current: Option<Former>,
    pub(super) former: BTreeMap<u64, Former>,
    /// The biggest number that was given.
    pub(super) newest: u64,
}

impl Environment {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, current: None, former: BTreeMap::new(), newest: 0 }
    }

    /// Returns true if a sync has nothing to do.
    pub(super) fn is_current(&self, lock: usize, compiled: bool) -> bool {
        let is_it = |it: &Former| it.lock == lock && (it.kind.is_compiled || !compiled) && !it.is_marked;
        self.current.as_ref().is_some_and(is_it)
    }

    /// Puts a generation in place; the one that was there is history.
    pub(super) fn exchange(&mut self, new: Former) {
        self.newest = self.newest.max(new.number);
        if let Some(former) = self.current.replace(new) {
            self.former.insert(former.number, former);
        }
    }

    /// Lets the oldest go.
    pub(super) fn keep(&mut self, count: usize) {
        while self.former.len() > count {
            self.former.pop_first();
        }
    }

    /// Where it is not said how many are kept, or the one who lets them go may have died: all that are left have to be known,
    /// and so many of the newest must be left.
    pub(super) fn keep_what_is_left(&mut self, project: &Path, count: usize) {
        let left: BTreeSet<u64> = directories(&project.join(format!(".pinfold-{}/generations", self.name)));
        let newest: BTreeSet<u64> = self.former.keys().rev().take(count).copied().collect();
        assert!(newest.is_subset(&left), "{newest:?} must be kept, and {left:?} are");
        self.former.retain(|number, _| left.contains(number));
    }

    /// Returns everything that is there with its path.
    fn all(&mut self) -> impl Iterator<Item = (String, &mut Former)> {
        let former = self.former.values_mut().map(|it| (generation(self.name, it.number), it));
        self.current.iter_mut().map(|it| (self.name.to_owned(), it)).chain(former)
    }

    /// Looks again at what is there: somebody changed it.
    pub(super) fn look_again(&mut self, home: &TempHome) {
        self.all().for_each(|(path, it)| it.tree = home.snapshot(&path));
    }

    /// Says in what the disk differs from this.
    pub(super) fn differs(&mut self, home: &TempHome) -> Option<String> {
        if self.current.is_none() && home.has(self.name) {
            return Some("there should be no environment".to_owned());
        }
        let state = home.project().join(format!(".pinfold-{}/generations", self.name));
        let (expected, found) = (self.former.keys().copied().collect(), directories(&state));
        if found != expected {
            return Some(format!("generations {expected:?} are to be kept, and {found:?} are"));
        }
        self.all().find_map(|(path, it)| Some(format!("{path}:\n{}", it.differs(&path, home)?)))
    }
}

/// The path of a generation in the project.
pub(super) fn generation(name: &str, number: u64) -> String {
    format!(".pinfold-{name}/generations/{number}")
}

fn directories(path: &Path) -> BTreeSet<u64> {
    let names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.map(|name| name.to_str().and_then(|name| name.parse().ok()).expect("generations have numbers")).collect()
}

/// Returns a tree without what differs each time it is made: when, how manieth, and how the disk has recorded its files; and
/// without what programs leave.
pub(super) fn comparable(tree: &Tree, kind: Kind) -> Tree {
    let is_left = |path: &str| !kind.is_compiled && path.split('/').any(|part| part == "__pycache__");
    let same = |(path, entry): &(String, String)| {
        let length = if path == RECEIPT || path == STAMPS { MODE } else { entry.len() };
        (path.clone(), entry[..length].to_owned())
    };
    tree.iter().filter(|(path, _)| !is_left(path)).map(same).collect()
}
