//! Chance that a seed gives again.

use anyhow::Result;
use std::io::Write as _;

/// Random numbers (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// From `VERNPORT_SEED` where it is given; says which seed it is.
    pub(crate) fn thrown(test: &str) -> Result<Self> {
        let seed = std::env::var("VERNPORT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from_le_bytes(vernport_crypto::random()));
        writeln!(std::io::stderr(), "{test}: VERNPORT_SEED={seed}")?;
        Ok(Self::from_seed(seed))
    }

    /// From a seed.
    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// One of several.
    pub(crate) fn of<T: Copy>(&mut self, several: &[T]) -> T {
        let place = self.below(several.len() as u64);
        several[usize::try_from(place).expect("few")]
    }
}
