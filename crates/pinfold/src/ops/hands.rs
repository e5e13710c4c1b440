//! One piece of work for many things, or two pieces, by a few threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Returns how many threads compute at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does two things at once: the other one on a thread of its own.
pub(super) fn both<A, B: Send>(own: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let own = own();
        (own, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Does `work` for every item on up to `hands` threads, of which the caller's is one, begun in the order of the items; the results are in that order too.
pub(super) fn each<T: Sync, R: Send>(items: &[T], hands: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let waiting = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let hand = || {
        loop {
            let next = locked(&waiting).next();
            let Some((position, item)) = next else { return };
            let result = work(item);
            locked(&done).push((position, result));
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..500).collect();
        assert_eq!(each(&items, 7, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(each(&[] as &[usize], 7, |item| *item).is_empty());
        assert_eq!(both(|| 1, || 2), (1, 2));
    }
}
