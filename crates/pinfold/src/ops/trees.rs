//! From a selection to unpacked trees: fetch, verify, unpack, build, in that order for each package and at once for many.
//!
//! Downloads start with the largest file, so that the longest transfer does not begin last. A wheel is unpacked as soon as
//! its bytes are in the store, while others still arrive. A tree that is in the store already is taken only if the store
//! remembers that its artifact came from the index that the lock names.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pinfold_fetch::Fetcher;
use pinfold_install::{
    EnvironmentGuard, InstallError, Intent, Interpreter, StageOptions, Staged, Staging, check_wheel, unpack_wheel,
};
use pinfold_lock::{Accepted, ArtifactKind, Direct, Selected, Selection};
use pinfold_packaging::PackageName;
use pinfold_store::{Readiness, Store, Stored, StoredTree};

use super::turns::{Turn, Turns};
use super::{builds, damage, sources};
use crate::exit::Failure;
use crate::output::Output;
use crate::phase::Unit;
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
    /// Whether one failure ends everything that the fetcher is for: then what is still arriving is given up. While a lock is made
    /// others ask with the same fetcher, and should not be told that they were given up.
    pub(crate) gives_up: bool,
}

/// Unpacked wheels, per package.
pub(crate) type Trees = BTreeMap<PackageName, StoredTree>;

/// Threads for what is in the store already.
const LOCAL_HANDS: usize = 2;
/// Builds at once: each is one process that computes.
const BUILDING_HANDS: usize = 2;
/// Threads for big files: some unpack while the next files arrive.
const BIG_HANDS: usize = 3;
/// Big files that arrive at once: more would all arrive late, and nothing could be unpacked before.
const BIG_ARRIVALS: usize = 2;
/// Threads for the rest: they mostly wait for the network.
const SMALL_HANDS: usize = 5;
/// Bytes from which a file is big.
const BIG_BYTES: u64 = 32 << 20;

/// Builds a generation: each distribution is linked into it as soon as its tree is there, while others still arrive. The
/// whole is complete when this returns, and put in place by [`Staged::exchange`].
///
/// A stored tree is compared with what was stored while it is linked. If one was changed, all are looked at, the changed
/// ones are put aside and made anew, and the generation is begun again, once.
///
/// # Errors
/// What fetching, unpacking and staging say. Nothing is left but what arrived.
pub(crate) fn stage<'g>(
    workshop: &Workshop<'_>,
    guard: &'g EnvironmentGuard,
    intent: &Intent<'_>,
    options: &StageOptions<'_>,
    accepts: &[Accepted],
    phase: &'static str,
) -> Result<Staged<'g>, Failure> {
    let bar = workshop.output.open_count_bar(phase, Unit::Files);
    let options = StageOptions { total: &|files| bar.know(files), progress: &|files| bar.inc(files), ..*options };
    let attempt = || {
        bar.begin();
        let staging = Staging::begin(guard, intent, &options)?;
        let ready = |selected: &Selected, tree: &StoredTree| staging.place_ahead(selected, tree);
        let trees = make(workshop, intent.selection, accepts, &ready)?;
        Ok::<_, Failure>((staging.finish(&trees), trees))
    };
    let staged = match attempt()? {
        (Err(InstallError::StoreChanged { .. }), trees) => {
            recheck(workshop, intent.selection, trees)?;
            attempt()?.0
        }
        (staged, trees) => {
            // The process soon ends: to give back the lists one by one takes milliseconds.
            std::mem::forget(trees);
            staged
        }
    };
    let staged = staged?;
    // Links count too, and what is no module is not compiled.
    bar.set_length(staged.receipt().file_count);
    bar.finish_and_clear();
    Ok(staged)
}

/// Makes the trees of everything that is selected, and tells `ready` of each as soon as others are still on their way.
///
/// The files of a tree that was stored before are looked at when they are linked; see [`recheck`].
///
/// # Errors
/// The first failure in the order of size; nothing is installed then.
pub(crate) fn make(
    workshop: &Workshop<'_>,
    selection: &Selection,
    accepts: &[Accepted],
    ready: &(dyn Fn(&Selected, &StoredTree) + Sync),
) -> Result<Trees, Failure> {
    // The longest lists of files first: what is read last should be short.
    let mut packages: Vec<&Selected> = selection.packages.iter().collect();
    packages.sort_by_key(|selected| std::cmp::Reverse(selected.artifact.size_bytes));
    // It takes a while where the bytes have to be looked at.
    let bar = workshop.output.count_bar("checking", packages.len() as u64, Unit::Packages);
    let look = |selected: &&Selected| stored_tree(workshop, selected, accepts).inspect(|_| bar.inc(1));
    let stored = in_parallel(&packages, LOCAL_HANDS, look);
    drop(bar);
    damage::tell(workshop.store, selection, workshop.output);
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for (selected, tree) in packages.into_iter().zip(stored?) {
        match tree {
            Some(tree) => there.push((selected, tree)),
            None => missing.push(selected),
        }
    }
    // What is to be built takes longest; then the largest file, so that the longest transfer does not begin last.
    let rank = |it: &&Selected| (it.kind != ArtifactKind::Sdist, std::cmp::Reverse(it.artifact.size_bytes));
    missing.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
    let made = thread::scope(|scope| {
        if !missing.is_empty() {
            scope.spawn(|| {
                let tell = |(selected, tree): &(&Selected, StoredTree)| {
                    ready(selected, tree);
                    Ok(())
                };
                in_parallel(&there, LOCAL_HANDS, tell)
            });
        }
        fetch_and_unpack(workshop, &missing, accepts, ready)
    })?;
    damage::tell(workshop.store, selection, workshop.output);
    let made = missing.into_iter().zip(made);
    Ok(there.into_iter().chain(made).map(|(selected, tree)| (selected.name.clone(), tree)).collect())
}

/// Looks at every file of these trees, and puts those aside that were changed: they are made anew the next time. Called when
/// linking has found one.
///
/// # Errors
/// Exit 4 if the disk fails.
fn recheck(workshop: &Workshop<'_>, selection: &Selection, trees: Trees) -> Result<(), Failure> {
    for tree in trees.into_values() {
        drop(workshop.store.ready(tree)?);
    }
    damage::tell(workshop.store, selection, workshop.output);
    Ok(())
}

/// Returns the tree of a wheel, or of what was built before from an sdist, if the store has it. It may have been unpacked
/// for another lock, which accepted what this one does not.
fn stored_tree(
    workshop: &Workshop<'_>,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<Option<StoredTree>, Failure> {
    let store = workshop.store;
    let tree = match selected.kind {
        ArtifactKind::Wheel => store.unpacked(&selected.artifact)?,
        ArtifactKind::Sdist => match builds::known_wheel(workshop, selected)? {
            Some(wheel) => store.unpacked(&wheel)?,
            None => None,
        },
    };
    let Some(tree) = tree else { return Ok(None) };
    // What it cannot have lost is compared with what was stored while it is linked.
    if store.is_settled(&tree) {
        return Ok(check_wheel(&tree, selected, accepts)?.then_some(tree));
    }
    match store.ready(tree)? {
        Readiness::Ready(tree) => Ok(check_wheel(&tree, selected, accepts)?.then_some(tree)),
        Readiness::Damaged(_) => Ok(None),
    }
}

/// Fetches what is missing, unpacks the wheels of it and builds the rest. Sdists come first in the list, then big files.
fn fetch_and_unpack(
    workshop: &Workshop<'_>,
    missing: &[&Selected],
    accepts: &[Accepted],
    ready: &(dyn Fn(&Selected, &StoredTree) + Sync),
) -> Result<Vec<StoredTree>, Failure> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let bar = workshop.output.byte_bar("fetching", missing.iter().map(|s| s.artifact.size_bytes).sum());
    let received: Vec<AtomicU64> = missing.iter().map(|_| AtomicU64::new(0)).collect();
    let arrivals = Turns::new(BIG_ARRIVALS);
    let wheels = missing.partition_point(|selected| selected.kind == ArtifactKind::Sdist);
    let small = wheels + missing[wheels..].partition_point(|selected| selected.artifact.size_bytes >= BIG_BYTES);
    let lanes = [
        Lane { range: 0..wheels, hands: BUILDING_HANDS, turns: None },
        Lane { range: wheels..small, hands: BIG_HANDS, turns: Some(&arrivals) },
        Lane { range: small..missing.len(), hands: SMALL_HANDS, turns: None },
    ];
    let give_up = || {
        if workshop.gives_up {
            workshop.fetcher.abandon();
        }
    };
    let made = in_lanes(missing, &lanes, give_up, |position, selected, turn| {
        let progress = |bytes: u64| {
            let before = received[position].swap(bytes, Ordering::Relaxed);
            if bytes >= before { bar.inc(bytes - before) } else { bar.dec(before - bytes) }
        };
        let stored = fetch(workshop, selected, &progress)?;
        drop(turn.take());
        progress(selected.artifact.size_bytes);
        let tree = match selected.kind {
            ArtifactKind::Sdist => {
                let wheel = builds::wheel_of(workshop, selected, &stored, accepts)?;
                unpack_wheel(workshop.store, &wheel, selected, accepts)?
            }
            ArtifactKind::Wheel => unpack_once(workshop.store, &stored, selected, accepts)?,
        };
        ready(selected, &tree);
        Ok(tree)
    });
    bar.finish_and_clear();
    made
}

fn fetch(workshop: &Workshop<'_>, selected: &Selected, progress: &(dyn Fn(u64) + Sync)) -> Result<Stored, Failure> {
    match &selected.direct {
        Some(Direct::Directory { .. } | Direct::Git { .. }) => sources::get(workshop, selected),
        Some(Direct::Archive { .. }) | None => {
            Ok(workshop.fetcher.download(&selected.artifact, workshop.store, progress)?)
        }
    }
}

/// Unpacks a wheel and forgets its bytes: the tree stands for them, and memory and disk are soon needed for the next.
fn unpack_once(
    store: &Store,
    stored: &Stored,
    selected: &Selected,
    accepts: &[Accepted],
) -> Result<StoredTree, Failure> {
    let tree = match unpack_wheel(store, stored, selected, accepts) {
        // Another process may have unpacked it meanwhile, and forgotten the bytes; and a third may have brought them again.
        Err(_) if store.unpacked(&selected.artifact)?.is_some() => unpack_wheel(store, stored, selected, accepts),
        result => result,
    };
    let tree = tree.map_err(|error| {
        let (url, origin) = (&selected.artifact.url, selected.artifact.origin.index());
        Failure::from(error).with("from", url.without_query()).with("origin", origin.without_query())
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
    in_lanes(items, &[Lane { range: 0..items.len(), hands, turns: None }], || (), |_, item, _| work(item))
}

/// Items that have threads of their own.
struct Lane<'t> {
    /// Which.
    range: Range<usize>,
    /// How many threads.
    hands: usize,
    /// What each of the items waits for before it is begun.
    turns: Option<&'t Turns>,
}

/// Does `work` for every item: each lane on threads of its own, begun in the order of the items. The item's turn is given to
/// `work`, which may give it back before its end. After a failure no further item is begun, not even one that only waited
/// for its turn, and `give_up` is called, which may end what goes on; of several failures the one of the earliest item is
/// returned, but for those that are only a consequence of another.
fn in_lanes<T: Sync, R: Send>(
    items: &[T],
    lanes: &[Lane<'_>],
    give_up: impl Fn() + Sync,
    work: impl Fn(usize, &T, &mut Option<Turn<'_>>) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let failed = AtomicBool::new(false);
    let results: Vec<Mutex<Option<Result<R, Failure>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let begun: Vec<AtomicUsize> = lanes.iter().map(|lane| AtomicUsize::new(lane.range.start)).collect();
    let (failed, results, work, give_up) = (&failed, &results, &work, &give_up);
    thread::scope(|scope| {
        for (Lane { range, hands, turns }, next) in lanes.iter().zip(&begun) {
            let hand = move || {
                while !failed.load(Ordering::Relaxed) {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(position).filter(|_| position < range.end) else { return };
                    let mut turn = turns.map(Turns::wait);
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let result = work(position, item, &mut turn);
                    // Before the turn is given back: whoever waited for it looks whether to go on.
                    if result.is_err() && !failed.swap(true, Ordering::Relaxed) {
                        give_up();
                    }
                    drop(turn);
                    *results[position].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            };
            for _ in 0..(*hands).min(range.len()) {
                scope.spawn(hand);
            }
        }
    });
    let taken = results.iter().map(|result| result.lock().unwrap_or_else(PoisonError::into_inner).take());
    let (mut done, mut failures) = (Vec::with_capacity(items.len()), Vec::new());
    for result in taken.flatten() {
        match result {
            Ok(it) => done.push(it),
            Err(failure) => failures.push(failure),
        }
    }
    // The sort is stable: the earliest stays the first of its kind.
    failures.sort_by_key(|failure| failure.is_consequence);
    failures.into_iter().next().map_or(Ok(done), Err)
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

    #[test]
    fn what_goes_on_is_given_up_and_the_reason_is_told() {
        let (give_up, given_up) = std::sync::mpsc::channel();
        let given_up = Mutex::new(given_up);
        let lanes = [Lane { range: 0..2, hands: 2, turns: None }];
        let give_up = || give_up.send(()).unwrap();
        let failed = in_lanes(&["first", "second"], &lanes, give_up, |_, item, _| match *item {
            // It lasts until it is given up.
            "first" => {
                given_up.lock().unwrap().recv().unwrap();
                Err::<(), _>(Failure { is_consequence: true, ..Failure::new(Exit::World, "given up") })
            }
            reason => Err(Failure::new(Exit::World, reason)),
        });
        assert_eq!(failed.unwrap_err().headline, "second");
    }

    #[test]
    fn after_a_failure_nothing_that_waited_for_its_turn_is_begun() {
        let items: Vec<u32> = (0..8).collect();
        let run = |fails: bool| {
            let (turns, begun) = (Turns::new(1), AtomicUsize::new(0));
            let lanes = [Lane { range: 0..items.len(), hands: items.len(), turns: Some(&turns) }];
            let result = in_lanes(
                &items,
                &lanes,
                || (),
                |_, _, turn| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    assert!(turn.is_some());
                    if fails { Err(Failure::new(Exit::World, "it failed")) } else { Ok(()) }
                },
            );
            (result.is_ok(), begun.into_inner())
        };
        // Whichever has its turn first fails, however many wait by then.
        assert_eq!(run(true), (false, 1));
        assert_eq!(run(false), (true, 8));
    }
}
