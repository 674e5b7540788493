//! How long to wait before the next connection: twice as long each time, up to
//! a bound, and somewhere in the upper half of it, so that boxes do not come
//! back together.

use std::time::Duration;

/// Bounds of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(30) }
    }
}

/// The waits of one link.
pub(crate) struct Waits {
    bounds: Backoff,
    failures: u32,
}

impl Waits {
    pub(crate) fn new(bounds: Backoff) -> Self {
        Self { bounds, failures: 0 }
    }

    /// The connection did what it was for: the next wait is a first one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn next(&mut self) -> Duration {
        self.wait(u32::from_le_bytes(vernport_crypto::random()))
    }

    fn wait(&mut self, drawn: u32) -> Duration {
        let factor = 1_u32 << self.failures.min(20);
        self.failures = self.failures.saturating_add(1);
        let whole = self.bounds.first.saturating_mul(factor).min(self.bounds.longest);
        whole / 2 + (whole / 2).mul_f64(f64::from(drawn) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_start_over_after_success() {
        let mut waits = Waits::new(Backoff::default());
        let longest: Vec<_> = (0..9).map(|_| waits.wait(u32::MAX).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        waits.reset();
        assert_eq!(waits.wait(0), Duration::from_millis(125));
        for _ in 0..1000 {
            assert!(waits.next() <= Duration::from_secs(30));
        }
    }
}
