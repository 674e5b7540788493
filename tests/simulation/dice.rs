//! The one source of chance: what happens in a simulation follows from its seed.

use crate::numbers::Dice as Numbers;
use std::sync::{Mutex, PoisonError};

/// Dice that many hands may throw.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<Numbers>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Numbers::from_seed(seed ^ 0x005E_ED0F_7E57)))
    }

    pub(crate) fn draw(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }

    /// Below `end`, which is above 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.draw() % end
    }

    /// From `least` to `most`.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// Whether something happens that does in so many of a hundred cases.
    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<T: Copy>(&self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap_or(0)]
    }
}
