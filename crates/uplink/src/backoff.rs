//! How long to wait after a failure: exponential with full jitter, and never
//! less than what the other side asked for.
//!
//! Pure: the caller draws the random number and does the waiting.

use std::time::Duration;

/// Waits between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// The longest `Retry-After` that is heeded; whoever asks for more is asked again after this.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

    /// The first wait is at most `base`, each later one at most twice the one before, none longer than `max`.
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, failures: 0 }
    }

    /// An attempt failed. `draw` is random over its whole range. Where the other side
    /// gave a `Retry-After`, the jitter comes on top of it, so that not all return at once.
    pub fn failed(&mut self, draw: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = 2_u32.checked_pow(self.failures).and_then(|factor| self.base.checked_mul(factor));
        let ceiling = doubled.map_or(self.max, |wait| wait.min(self.max));
        self.failures = self.failures.saturating_add(1);
        let jitter = ceiling.mul_f64(f64::from(draw) / f64::from(u32::MAX));
        retry_after.unwrap_or_default().min(Self::MAX_RETRY_AFTER).saturating_add(jitter)
    }

    /// An attempt succeeded: the next failure waits as briefly as the first.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many attempts failed in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff::new(SECOND, 60 * SECOND)
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_longest_wait_and_falls_back_after_a_success() {
        let mut backoff = backoff();
        let ceilings: Vec<_> = (0..8).map(|_| backoff.failed(u32::MAX, None).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60]);
        for _ in 0..100 {
            assert_eq!(backoff.failed(u32::MAX, None), 60 * SECOND);
        }
        assert_eq!(backoff.failures(), 108);
        backoff.succeeded();
        assert_eq!(backoff.failed(u32::MAX, None), SECOND);
    }

    #[test]
    fn jitter_is_full_from_nothing_to_the_ceiling() {
        assert_eq!(backoff().failed(0, None), Duration::ZERO);
        let half = backoff().failed(u32::MAX / 2, None);
        assert!(half.abs_diff(SECOND / 2) < Duration::from_millis(1), "{half:?}");
    }

    #[test]
    fn retry_after_is_a_floor_within_reason() {
        assert_eq!(backoff().failed(0, Some(7 * SECOND)), 7 * SECOND);
        assert_eq!(backoff().failed(u32::MAX, Some(7 * SECOND)), 8 * SECOND);
        assert_eq!(backoff().failed(0, Some(Duration::MAX)), Backoff::MAX_RETRY_AFTER);
    }
}
