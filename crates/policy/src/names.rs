//! Names that resemble a popular one: typosquatting. Whoever registers `requessts` waits for a slip of the finger, or for a
//! reviewer who reads what he expects.
//!
//! A name is compared with the most downloaded projects: by letters that were changed, left out, added or swapped (how many
//! depends on the length), by letters that look alike (`rn` for `m`, `0` for `o`, `1` or `i` for `l`), by separators, by the order
//! of its words. A name that is popular itself is never suspicious, and neither is another number in the place of a number
//! (`nvidia-cublas-cu11`, `…-cu12`), which is how projects name their editions.

mod distance;
mod popular;

use std::collections::BTreeSet;
use std::fmt;

use pinfold_lock::{Change, ChangeKind, Lock, LockDiff};
use pinfold_packaging::PackageName;

pub use popular::PopularNames;

/// A name that resembles a popular one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookalike {
    /// The name.
    pub name: PackageName,
    /// The popular name.
    pub popular: &'static str,
    /// The popular name's place among the most downloaded, from 1.
    pub rank: usize,
    /// What the resemblance is.
    pub likeness: Likeness,
}

/// In what two names are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They are the same but for separators, and letters that look alike.
    Confusable,
    /// So many letters were changed, left out, added or swapped with their neighbour.
    Letters(usize),
    /// They have the same words in another order.
    Reordered,
}

/// Returns the names that are new in a lock and resemble a popular one. Without a former lock every name is new.
pub fn new_lookalikes(old: Option<&Lock>, new: &Lock) -> Vec<Lookalike> {
    let known: BTreeSet<&PackageName> =
        old.into_iter().flat_map(|lock| &lock.packages).map(|package| &package.name).collect();
    let all: BTreeSet<&PackageName> = new.packages.iter().map(|package| &package.name).collect();
    let tools = new.tool.iter().flat_map(|tool| &tool.builds).flat_map(|build| &build.requires);
    let tools = tools.map(|tool| &tool.name).filter(|name| {
        let mut before = old.iter().filter_map(|lock| lock.tool.as_ref()).flat_map(|tool| &tool.builds);
        !before.any(|build| build.requires.iter().any(|tool| tool.name == **name))
    });
    let mut new: BTreeSet<&PackageName> = all.into_iter().chain(tools).filter(|name| !known.contains(name)).collect();
    // Nearly all names of a lock are popular themselves, and that is soon seen.
    popular::leave_unpopular(&mut new);
    if new.is_empty() {
        return Vec::new();
    }
    let popular = PopularNames::load();
    new.into_iter().filter_map(|name| popular.lookalike(name)).collect()
}

/// Adds to a diff of two locks which of the new names resemble a popular one.
pub fn remark_lookalikes(diff: &mut LockDiff, old: Option<&Lock>, new: &Lock) {
    for found in new_lookalikes(old, new) {
        let said = format!("{} ({}, number {} by downloads)", found.popular, found.likeness, found.rank);
        let change = |subject| Change { kind: ChangeKind::Lookalike, subject, old: None, new: Some(said) };
        if diff.packages.contains_key(&found.name) {
            diff.remark(&found.name, change(String::new()));
        } else {
            // A build tool: it is no package of the lock.
            diff.settings.insert(0, change(found.name.to_string()));
        }
    }
}

/// Returns the candidate that somebody may have meant who wrote `name`: the nearest one, if it is near.
pub fn did_you_mean<'a>(
    name: &PackageName,
    candidates: impl IntoIterator<Item = &'a PackageName>,
) -> Option<&'a PackageName> {
    let most = (name.as_str().len() / 3).max(1);
    let near = candidates.into_iter().filter_map(|candidate| {
        let letters = distance::within(candidate.as_str().as_bytes(), name.as_str().as_bytes(), most);
        let inside = candidate.as_str().split('-').any(|word| word == name.as_str());
        letters.or(inside.then_some(most + 1)).map(|letters| (letters, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, popular, rank, likeness } = self;
        write!(f, "`{name}` resembles the popular `{popular}` (number {rank} by downloads): {likeness}")
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confusable => f.write_str("they look alike"),
            Self::Letters(1) => f.write_str("one letter differs"),
            Self::Letters(count) => write!(f, "{count} letters differ"),
            Self::Reordered => f.write_str("the same words in another order"),
        }
    }
}

#[cfg(test)]
mod tests;
