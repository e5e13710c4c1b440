//! From a selection to unpacked trees: fetch, verify, unpack, build, in that order for each package and at once for many.
//!
//! Downloads start with the largest file, so that the longest transfer does not begin last. A wheel is unpacked as soon as
//! its bytes are in the store, while others still arrive. A tree that is in the store already is taken only if the store
//! remembers that its artifact came from the index that the lock names, and if it still is what was stored.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pinfold_fetch::Fetcher;
use pinfold_install::{Interpreter, check_wheel, unpack_wheel};
use pinfold_lock::{Accepted, ArtifactKind, Direct, Selected, Selection};
use pinfold_packaging::PackageName;
use pinfold_store::{Readiness, Store, Stored, StoredTree};

use super::turns::Turns;
use super::{builds, damage, sources};
use crate::exit::Failure;
use crate::output::Output;
use crate::world::World;

/// What making trees needs.
#[derive(Clone, Copy)]
pub(crate) struct Workshop<'a> {
    /// The surroundings.
    pub(crate) world: &'a World,
    /// Where bytes become trusted.
    pub(crate) store: &'a Store,
    /// The door to the network.
    pub(crate) fetcher: &'a Fetcher,
    /// Where progress is shown.
    pub(crate) output: &'a Output,
    /// The interpreter that builds run with.
    pub(crate) interpreter: &'a Interpreter,
}

/// Unpacked wheels, per package.
pub(crate) type Trees = BTreeMap<PackageName, StoredTree>;

/// Threads for big files: some unpack while the next files arrive.
const BIG_HANDS: usize = 5;
/// Big files that arrive at once: more would all arrive late, and nothing could be unpacked before.
const BIG_ARRIVALS: usize = 2;
/// Threads for the rest: they mostly wait for the network.
const SMALL_HANDS: usize = 5;
/// Bytes from which a file is big.
const BIG_BYTES: u64 = 32 << 20;

/// Makes the trees of everything that is selected.
///
/// # Errors
/// The first failure in the order of the selection; nothing is installed then.
pub(crate) fn make(workshop: &Workshop<'_>, selection: &Selection, accepts: &[Accepted]) -> Result<Trees, Failure> {
    let (mut trees, missing) = at_hand(workshop, selection, accepts)?;
    let stored = fetch_and_unpack(workshop, &missing, accepts, &mut trees)?;
    for (selected, sdist) in stored {
        let wheel = builds::wheel_of(workshop, selected, &sdist, accepts)?;
        trees.insert(selected.name.clone(), unpack_wheel(workshop.store, &wheel, selected, accepts)?);
    }
    damage::tell(workshop.store, selection, workshop.output);
    Ok(trees)
}

/// Returns the trees that the store has, and the packages that it lacks.
fn at_hand<'a>(
    workshop: &Workshop<'_>,
    selection: &'a Selection,
    accepts: &[Accepted],
) -> Result<(Trees, Vec<&'a Selected>), Failure> {
    let wheels: Vec<&Selected> = selection.packages.iter().filter(|p| p.kind == ArtifactKind::Wheel).collect();
    let looked = in_parallel(&wheels, 2, |selected| stored_tree(workshop.store, selected, accepts));
    damage::tell(workshop.store, selection, workshop.output);
    let looked = looked?;
    let mut trees = Trees::new();
    let mut missing: Vec<&Selected> = selection.packages.iter().filter(|p| p.kind == ArtifactKind::Sdist).collect();
    for (selected, tree) in wheels.into_iter().zip(looked) {
        match tree {
            Some(tree) => drop(trees.insert(selected.name.clone(), tree)),
            None => missing.push(selected),
        }
    }
    missing.sort_by_key(|selected| (std::cmp::Reverse(selected.artifact.size_bytes), &selected.name));
    Ok((trees, missing))
}

/// A stored tree may have been unpacked for another lock, which accepted what this one does not.
fn stored_tree(store: &Store, selected: &Selected, accepts: &[Accepted]) -> Result<Option<StoredTree>, Failure> {
    let Some(tree) = store.unpacked(&selected.artifact)? else { return Ok(None) };
    match store.ready(tree)? {
        Readiness::Ready(tree) => Ok(check_wheel(&tree, selected, accepts)?.then_some(tree)),
        Readiness::Damaged(_) => Ok(None),
    }
}

/// Fetches what is missing and unpacks the wheels of it. Returns the sdists.
fn fetch_and_unpack<'a>(
    workshop: &Workshop<'_>,
    missing: &[&'a Selected],
    accepts: &[Accepted],
    trees: &mut Trees,
) -> Result<Vec<(&'a Selected, Stored)>, Failure> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let bar = workshop.output.byte_bar("fetching", missing.iter().map(|s| s.artifact.size_bytes).sum());
    let received: Vec<AtomicU64> = missing.iter().map(|_| AtomicU64::new(0)).collect();
    let arrivals = Turns::new(BIG_ARRIVALS);
    let big = missing.partition_point(|selected| selected.artifact.size_bytes >= BIG_BYTES);
    let made = in_lanes(missing, &[(0..big, BIG_HANDS), (big..missing.len(), SMALL_HANDS)], |position, selected| {
        let progress = |bytes: u64| {
            let before = received[position].swap(bytes, Ordering::Relaxed);
            if bytes >= before { bar.inc(bytes - before) } else { bar.dec(before - bytes) }
        };
        let turn = (position < big).then(|| arrivals.wait());
        let stored = match &selected.direct {
            Some(Direct::Directory { .. } | Direct::Git { .. }) => sources::get(workshop, selected)?,
            Some(Direct::Archive { .. }) | None => {
                workshop.fetcher.download(&selected.artifact, workshop.store, &progress)?
            }
        };
        drop(turn);
        progress(selected.artifact.size_bytes);
        match selected.kind {
            ArtifactKind::Sdist => Ok((stored, None)),
            ArtifactKind::Wheel => {
                let tree = unpack_once(workshop.store, &stored, selected, accepts)?;
                Ok((stored, Some(tree)))
            }
        }
    });
    bar.finish_and_clear();
    let made = made?;
    let mut sdists = Vec::new();
    for (selected, made) in missing.iter().zip(made) {
        match made {
            (_, Some(tree)) => drop(trees.insert(selected.name.clone(), tree)),
            (stored, None) => sdists.push((*selected, stored)),
        }
    }
    Ok(sdists)
}

/// Unpacks a wheel and forgets its bytes: the tree stands for them, and memory and disk are soon needed for the next.
fn unpack_once(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<StoredTree, Failure> {
    let tree = match unpack_wheel(store, stored, selected, accepts) {
        // Another process may have unpacked it meanwhile, and forgotten the bytes.
        Err(_) if !stored.path().exists() => unpack_wheel(store, stored, selected, accepts),
        result => result,
    };
    let tree = tree.map_err(|error| {
        Failure::from(error).with("from", &selected.artifact.url).with("origin", selected.artifact.origin.index())
    })?;
    store.forget_bytes(stored)?;
    Ok(tree)
}

/// Does `work` for every item on up to `hands` threads, begun in the order of the items.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    hands: usize,
    work: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    in_lanes(items, &[(0..items.len(), hands)], |_, item| work(item))
}

/// Does `work` for every item: each lane on threads of its own, begun in the order of the items. After a failure no further
/// item is begun; of several failures the one of the earliest item is returned.
fn in_lanes<T: Sync, R: Send>(
    items: &[T],
    lanes: &[(Range<usize>, usize)],
    work: impl Fn(usize, &T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let failed = AtomicBool::new(false);
    let results: Vec<Mutex<Option<Result<R, Failure>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let begun: Vec<AtomicUsize> = lanes.iter().map(|(range, _)| AtomicUsize::new(range.start)).collect();
    let (failed, results, work) = (&failed, &results, &work);
    thread::scope(|scope| {
        for ((range, hands), next) in lanes.iter().zip(&begun) {
            let hand = move || {
                while !failed.load(Ordering::Relaxed) {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(position).filter(|_| position < range.end) else { return };
                    let result = work(position, item);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    *results[position].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            };
            for _ in 0..(*hands).min(range.len()) {
                scope.spawn(hand);
            }
        }
    });
    let taken = results.iter().map(|result| result.lock().unwrap_or_else(PoisonError::into_inner).take());
    taken.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        let doubled = in_parallel(&items, 8, |item| Ok(item * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_failure_ends_the_work() {
        let items: Vec<u32> = (0..100).collect();
        let done = AtomicUsize::new(0);
        let failed = in_parallel(&items, 1, |item| {
            done.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err(Failure::new(Exit::World, "three")) } else { Ok(()) }
        });
        assert_eq!(failed.unwrap_err().headline, "three");
        assert_eq!(done.into_inner(), 4);
    }
}
