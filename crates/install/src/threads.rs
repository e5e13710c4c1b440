//! Work on both cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// Threads that work on files: two are enough for every disk that was measured.
pub(crate) const THREADS: usize = 2;

/// Does `work` for every item, on both cores, begun in the order of the items; returns the results in that order.
pub(crate) fn map<'t, T: Sync, R: Send>(items: &'t [T], work: impl Fn(usize, &'t T) -> R + Sync) -> Vec<R> {
    map_heaviest_first(items, |_| 0, work)
}

/// As [`map`], but the items are begun in the order of their weights: if the heaviest were the last, one core would do it
/// while the other has nothing left to do.
pub(crate) fn map_heaviest_first<'t, T: Sync, R: Send>(
    items: &'t [T],
    weight: impl Fn(&T) -> usize,
    work: impl Fn(usize, &'t T) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|position| std::cmp::Reverse(weight(&items[*position])));
    let next = AtomicUsize::new(0);
    let worker = || {
        let take = || {
            let position = *order.get(next.fetch_add(1, Ordering::Relaxed))?;
            Some((position, work(position, &items[position])))
        };
        std::iter::from_fn(take).collect::<Vec<_>>()
    };
    let mut done: Vec<_> = on_each(THREADS.min(items.len()), |_| worker()).into_iter().flatten().collect();
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs `worker` with each number below `threads`, the first on this thread; returns what each returned.
pub(crate) fn on_each<R: Send>(threads: usize, worker: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let worker = &worker;
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || worker(number))).collect();
        let own = worker(0);
        std::iter::once(own).chain(others.into_iter().map(join)).collect()
    })
}

/// Returns a thread's result, or goes on with its panic.
pub(crate) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        for count in [0, 1, 2, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = items.iter().map(|item| item * 3).collect();
            assert_eq!(map(&items, |position, item| position + 2 * item), expected);
            assert_eq!(map_heaviest_first(&items, |item| item % 7, |position, item| position + 2 * item), expected);
        }
    }
}
