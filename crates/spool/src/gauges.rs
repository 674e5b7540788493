//! Figures that the writer keeps and the handle reads without asking the database.

use crate::{Queued, command::Outcome};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// How full the spool is, and what it refused.
#[derive(Debug)]
pub(crate) struct Gauges {
    used_bytes: AtomicU64,
    max_bytes: u64,
    refused: AtomicU64,
    reserve_whole: AtomicBool,
}

impl Gauges {
    pub(crate) fn new(used_bytes: u64, max_bytes: u64, reserve_whole: bool) -> Self {
        Self {
            used_bytes: AtomicU64::new(used_bytes),
            max_bytes,
            refused: AtomicU64::new(0),
            reserve_whole: AtomicBool::new(reserve_whole),
        }
    }

    pub(crate) fn queued(&self) -> Queued {
        Queued { used_bytes: self.used_bytes.load(Relaxed), max_bytes: self.max_bytes }
    }

    pub(crate) fn account<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        for outcome in outcomes {
            self.used_bytes.fetch_add(outcome.taken_bytes, Relaxed);
            self.used_bytes.fetch_sub(outcome.freed_bytes, Relaxed);
        }
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    pub(crate) fn set_reserve_whole(&self, whole: bool) {
        self.reserve_whole.store(whole, Relaxed);
    }

    pub(crate) fn reserve_whole(&self) -> bool {
        self.reserve_whole.load(Relaxed)
    }
}
