//! Seeded random numbers: splitmix64, so that a seed says everything.

use crate::reference::{Micros, SECOND};

/// Noon of 20 November 2026, UTC: worlds happen around it.
pub(super) const NOON: Micros = 1_795_176_000 * SECOND;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `sides`, which is more than 0.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(sides).expect("small")).expect("small")
    }

    /// From `from` to `to`, both included.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let sides = usize::try_from(to - from + 1).expect("a range");
        from + i64::try_from(self.below(sides)).expect("small")
    }

    /// True in so many of a hundred.
    pub(super) fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }

    pub(super) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Each with so many of a hundred, at least one.
    pub(super) fn some_of<T: Clone>(&mut self, all: &[T], percent: usize) -> Vec<T> {
        let mut some: Vec<T> = all.iter().filter(|_| self.percent(percent)).cloned().collect();
        if some.is_empty() {
            some.push(self.one_of(all));
        }
        some
    }
}
