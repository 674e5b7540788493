//! Time: UTC in data, the boot clock for distances, and how far to trust either.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

impl UtcMicros {
    /// This time and `micros` more, at the ends of the range where it would leave it.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This time and `seconds` more, at the ends of the range where it would leave it.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// This time cut down to a whole multiple of `step_micros` since the epoch.
    #[must_use]
    pub const fn truncated(self, step_micros: i64) -> Self {
        if step_micros <= 1 { self } else { Self(self.0 - self.0.rem_euclid(step_micros)) }
    }
}

/// Microseconds of `CLOCK_BOOTTIME`: goes on during suspend, never goes back within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootMicros(pub u64);

/// How far the wall clock can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeQuality {
    /// Nothing is known; no flow opens.
    Unset,
    /// Between the last signed head and the allowed drift since.
    Bounded,
    /// Kept by a time service.
    Synced,
}

/// When something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall clock.
    pub wall: UtcMicros,
    /// Boot clock, for order and distance within one boot.
    pub boot: BootMicros,
    /// How far `wall` can be trusted.
    pub quality: TimeQuality,
}

/// What tells the time. The one way to it for everything above, so that tests
/// can hold it, jump it and set it back.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Stamp;
}

impl<F: Fn() -> Stamp + Send + Sync> Clock for F {
    fn now(&self) -> Stamp {
        self()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_goes_down_before_the_epoch_too() {
        assert_eq!(UtcMicros(-1).truncated(10), UtcMicros(-10));
        assert_eq!(UtcMicros(19).truncated(10), UtcMicros(10));
        assert_eq!(UtcMicros(19).truncated(0), UtcMicros(19));
    }
}
