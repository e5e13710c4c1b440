//! A derivation made plainer before it is told.
//!
//! PubGrub decides about an extra beside its project, and about ranges in which there may be no version. Neither is anything that
//! a reader thinks of. An extra that is wanted has the version of its project, so what is said of both is said of the extra; what
//! ties the two says nothing then. What is said of versions that do not exist is the fact that they do not.

use std::collections::HashMap;
use std::sync::Arc;

use pinfold_packaging::{PackageName, Version};
use pubgrub::{DerivationTree, Derived, External, Map, Term};
use version_ranges::Ranges;

use super::words::Words;
use super::{Fact, Step, Tree};
use crate::run::{Package, absent};

/// What cannot hold together.
type Terms = Map<Package, Term<Ranges<Version>>>;

/// Makes a derivation plainer. Walks without recursion: it can be as deep as the search was long.
pub(super) fn plain(words: &Words<'_, '_>, tree: &Arc<Tree>) -> Arc<Tree> {
    let mut made: HashMap<*const Tree, Arc<Tree>> = HashMap::new();
    let mut stack = vec![(tree, false)];
    while let Some((node, done)) = stack.pop() {
        let key = Arc::as_ptr(node);
        if made.contains_key(&key) {
            continue;
        }
        match &**node {
            DerivationTree::External(_) => drop(made.insert(key, Arc::clone(node))),
            DerivationTree::Derived(step) if !done => {
                stack.extend([(node, true), (&step.cause1, false), (&step.cause2, false)]);
            }
            DerivationTree::Derived(step) => {
                let cause = |cause: &Arc<Tree>| made.get(&Arc::as_ptr(cause)).unwrap_or(cause).clone();
                let own = plain_step(words, step, [cause(&step.cause1), cause(&step.cause2)]);
                made.insert(key, own);
            }
        }
    }
    made.remove(&Arc::as_ptr(tree)).unwrap_or_else(|| Arc::clone(tree))
}

fn plain_step(words: &Words<'_, '_>, step: &Step, [cause1, cause2]: [Arc<Tree>; 2]) -> Arc<Tree> {
    let terms = merged(&step.terms);
    let nothing = terms.iter().find_map(|(package, term)| nothing_of(words, package, term));
    if let Some((package, range)) = nothing {
        return Arc::new(DerivationTree::External(External::NoVersions(package, range)));
    }
    if let (Some((package, one)), Some((other, two))) = (lack(&cause1), lack(&cause2))
        && package == other
    {
        let both = External::NoVersions(package.clone(), one.union(two));
        return Arc::new(DerivationTree::External(both));
    }
    for cause in [&cause1, &cause2] {
        if matches!(&**cause, DerivationTree::Derived(own) if are_alike(words, &own.terms, &terms)) {
            return Arc::clone(cause);
        }
    }
    Arc::new(DerivationTree::Derived(Derived { terms, shared_id: step.shared_id, cause1, cause2 }))
}

fn lack(tree: &Tree) -> Option<(&Package, &Ranges<Version>)> {
    match tree {
        DerivationTree::External(Fact::NoVersions(package, range)) => Some((package, range)),
        DerivationTree::External(_) | DerivationTree::Derived(_) => None,
    }
}

/// Returns the versions that a term allows.
fn allowed(term: &Term<Ranges<Version>>) -> Ranges<Version> {
    match term {
        Term::Positive(range) => range.clone(),
        Term::Negative(range) => range.complement(),
    }
}

/// Says of an extra that is wanted what is said of its project, and no more of the project.
fn merged(terms: &Terms) -> Terms {
    let mut merged = terms.clone();
    let mut told: Vec<&PackageName> = Vec::new();
    for (package, term) in terms {
        let Package::Extra(name, _) = package else { continue };
        let mut own = allowed(term);
        if own.contains(&absent()) {
            continue;
        }
        if let Some(of_project) = terms.get(&Package::Project(name.clone())) {
            own = own.intersection(&allowed(of_project));
            told.push(name);
        }
        merged.insert(package.clone(), Term::Positive(own));
    }
    told.into_iter().for_each(|name| drop(merged.remove(&Package::Project(name.clone()))));
    merged
}

/// Returns the versions that a term is about, if none of them exists.
fn nothing_of(
    words: &Words<'_, '_>,
    package: &Package,
    term: &Term<Ranges<Version>>,
) -> Option<(Package, Ranges<Version>)> {
    let Term::Positive(range) = term else { return None };
    let is_nothing = match package {
        Package::Root => false,
        Package::Project(name) => words.positions(name, range).is_empty(),
        Package::Extra(name, _) => !range.contains(&absent()) && words.positions(name, range).is_empty(),
    };
    is_nothing.then(|| (package.clone(), range.clone()))
}

/// Returns true if two sets of terms say the same of the versions that there are.
fn are_alike(words: &Words<'_, '_>, one: &Terms, other: &Terms) -> bool {
    let is_alike = |(package, own): (&Package, &Term<Ranges<Version>>)| match (own, other.get(package)) {
        (Term::Positive(own), Some(Term::Positive(other))) | (Term::Negative(own), Some(Term::Negative(other))) => {
            match package {
                Package::Root => true,
                Package::Project(name) => words.positions(name, own) == words.positions(name, other),
                Package::Extra(name, _) => {
                    own.contains(&absent()) == other.contains(&absent())
                        && words.positions(name, own) == words.positions(name, other)
                }
            }
        }
        _ => false,
    };
    !one.is_empty() && one.len() == other.len() && one.iter().all(is_alike)
}
