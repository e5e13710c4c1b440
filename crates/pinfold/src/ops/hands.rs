//! One piece of work for many things, by a few threads.

use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Does two things at once, as far as a second processor is there in time.
pub(super) fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    match cores() {
        Some(cores) => cores.install(|| rayon::join(one, other)),
        None => (one(), other()),
    }
}

/// Does `work`, which computes, for every item on every processor, a few items at a time; what it finds is in their order.
pub(super) fn computed<T: Sync, R: Send>(
    items: &[T],
    at_least: usize,
    work: impl Fn(&T) -> Option<R> + Send + Sync,
) -> Vec<R> {
    match cores() {
        Some(cores) => cores.install(|| items.par_iter().with_min_len(at_least).filter_map(&work).collect()),
        None => items.iter().filter_map(work).collect(),
    }
}

/// Returns the threads that compute: the first one that asks, and one more for each other processor. They stay where they are from one
/// piece of work to the next, and whoever has nothing to do takes what another has left; a thread that is made for half a
/// millisecond's work often begins when that is over. Nothing if no thread can be made.
fn cores() -> Option<&'static ThreadPool> {
    static CORES: OnceLock<Option<ThreadPool>> = OnceLock::new();
    CORES.get_or_init(|| ThreadPoolBuilder::new().use_current_thread().build().ok()).as_ref()
}

/// Does `work` for every item on up to `hands` threads, of which the caller's is one, begun in the order of the items; the results are in that order too.
pub(super) fn each<T: Sync, R: Send>(items: &[T], hands: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let waiting = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let hand = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((position, item)) = next else { return };
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((position, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..hands.min(items.len()) {
            scope.spawn(hand);
        }
        hand();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_keeps_the_order_of_the_items() {
        let items: Vec<usize> = (0..500).collect();
        let even = |item: &usize| item.is_multiple_of(2).then_some(item * 2);
        let expected: Vec<usize> = items.iter().filter_map(even).collect();
        // From more threads than one: the tests of this room run side by side.
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(computed(&items, 3, even), expected));
            }
        });
        assert_eq!(both(|| 1, || "two"), (1, "two"));
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..500).collect();
        assert_eq!(each(&items, 7, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(each(&[] as &[usize], 7, |item| *item).is_empty());
    }
}
