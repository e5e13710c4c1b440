//! Turns: no more than so many at once, however many threads there are, and whoever others wait for comes first.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So many may do something at once; the others wait for their turn.
pub(crate) struct Turns {
    state: Mutex<State>,
    given_back: Condvar,
    given_back_to_urgent: Condvar,
}

struct State {
    left: usize,
    /// How many wait that are urgent.
    urgent: usize,
}

/// A turn, given back when dropped.
pub(crate) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Makes so many turns.
    pub(crate) const fn new(left: usize) -> Self {
        Self {
            state: Mutex::new(State { left, urgent: 0 }),
            given_back: Condvar::new(),
            given_back_to_urgent: Condvar::new(),
        }
    }

    /// Waits for a turn that nobody urgent wants.
    pub(crate) fn wait(&self) -> Turn<'_> {
        let must_wait = |state: &mut State| state.left == 0 || state.urgent > 0;
        let waited = self.given_back.wait_while(self.state(), must_wait);
        waited.unwrap_or_else(PoisonError::into_inner).left -= 1;
        Turn(self)
    }

    /// Waits for a turn, before everybody who is not urgent.
    pub(crate) fn wait_urgently(&self) -> Turn<'_> {
        let mut state = self.state();
        state.urgent += 1;
        let waited = self.given_back_to_urgent.wait_while(state, |state| state.left == 0);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.left -= 1;
        state.urgent -= 1;
        self.call_next(&state);
        Turn(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_next(&self, state: &State) {
        if state.left == 0 {
            return;
        }
        let next = if state.urgent > 0 { &self.given_back_to_urgent } else { &self.given_back };
        next.notify_one();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.left += 1;
        self.0.call_next(&state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn whoever_is_urgent_comes_first_and_everybody_comes() {
        let turns = Turns::new(1);
        let held = turns.wait();
        let (sender, came) = channel();
        thread::scope(|scope| {
            for number in 0..4 {
                let (turns, sender) = (&turns, sender.clone());
                scope.spawn(move || {
                    let turn = if number < 2 { turns.wait() } else { turns.wait_urgently() };
                    sender.send(number).unwrap();
                    drop(turn);
                });
            }
            while turns.state().urgent < 2 {
                thread::yield_now();
            }
            drop(held);
        });
        let mut came: Vec<usize> = came.try_iter().collect();
        came[..2].sort_unstable();
        came[2..].sort_unstable();
        assert_eq!(came, [2, 3, 0, 1]);
    }
}
