//! Attempts and pauses: what may pass is tried again, what may not is an answer. All attempts share one deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::{FetchCause, Timing};

/// An attempt that brought nothing.
#[derive(Debug)]
pub(crate) struct Setback {
    pub(crate) cause: FetchCause,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl<T: Into<FetchCause>> From<T> for Setback {
    fn from(cause: T) -> Self {
        Self { cause: cause.into(), retry_after: None }
    }
}

/// What there is to spend on one transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) attempts: u32,
    pub(crate) total: Duration,
}

/// Attempts until one succeeds, the cause cannot pass, or the budget is spent. Returns the number of attempts with the
/// last cause.
pub(crate) async fn persist<T>(
    timing: &Timing,
    budget: Budget,
    mut attempt: impl AsyncFnMut() -> Result<T, Setback>,
) -> Result<T, (u32, FetchCause)> {
    let deadline = Instant::now().checked_add(budget.total);
    let mut number = 1;
    loop {
        let outcome = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, attempt()).await,
            None => Ok(attempt().await),
        };
        let Ok(outcome) = outcome else {
            return Err((number, FetchCause::Timeout { what: "the transfer was slower than its deadline allows" }));
        };
        let setback = match outcome {
            Ok(value) => return Ok(value),
            Err(setback) if number >= budget.attempts || !setback.cause.is_passing() => {
                return Err((number, setback.cause));
            }
            Err(setback) => setback,
        };
        let pause = pause_after(timing, number, setback.retry_after);
        let resumed_at = Instant::now().checked_add(pause);
        if resumed_at.zip(deadline).is_some_and(|(resumed_at, deadline)| resumed_at >= deadline) {
            return Err((number, setback.cause));
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        number = number.saturating_add(1);
    }
}

fn pause_after(timing: &Timing, attempts: u32, wanted: Option<Duration>) -> Duration {
    let doubled = timing.back_off.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.max(wanted.unwrap_or_default()).min(timing.longest_pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded_whatever_the_server_wants() {
        let timing = Timing::usual();
        let check = |attempts, wanted: Option<u64>, expected_ms| {
            let pause = pause_after(&timing, attempts, wanted.map(Duration::from_secs));
            assert_eq!(pause, Duration::from_millis(expected_ms));
        };
        check(1, None, 500);
        check(2, None, 1000);
        check(3, Some(2), 2000);
        check(1, Some(7), 7000);
        check(1, Some(u64::MAX), 20_000);
        check(u32::MAX, None, 20_000);
    }
}
