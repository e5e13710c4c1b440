//! Turns: no more than so many at once, however many threads there are.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many may do something at once; the others wait for their turn.
pub(crate) struct Turns {
    left: Mutex<usize>,
    given_back: Condvar,
}

/// A turn, given back when dropped.
pub(crate) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Makes so many turns.
    pub(crate) const fn new(left: usize) -> Self {
        Self { left: Mutex::new(left), given_back: Condvar::new() }
    }

    /// Waits for a turn.
    pub(crate) fn wait(&self) -> Turn<'_> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = self.given_back.wait_while(left, |left| *left == 0).unwrap_or_else(PoisonError::into_inner);
        *left -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}
