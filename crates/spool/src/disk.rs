//! The disk below a spool: the machine's, or with the feature `simulation` one of a test.
//!
//! On a simulated disk every question and every group of calls is carried out to its end
//! without giving way to the runtime, so that paused time cannot run ahead of SQLite's thread.
//! Everything else is the same: the same file, the same statements.

#[cfg(feature = "simulation")]
use crate::Unit;
#[cfg(feature = "simulation")]
use std::{sync::Arc, time::Duration};

/// A disk that a test simulates.
#[cfg(feature = "simulation")]
pub trait Disk: Send + Sync {
    /// Asked before a group of calls is carried out: for how long the disk takes no notice of it.
    fn delay(&self) -> Duration;

    /// Whether the file may become larger now.
    fn has_room(&self) -> bool;

    /// A unit was committed.
    fn queued(&self, unit: &Unit);
}

/// What a spool lies on.
#[derive(Clone, Default)]
pub(crate) struct Below {
    #[cfg(feature = "simulation")]
    pub(crate) disk: Option<Arc<dyn Disk>>,
}

impl std::fmt::Debug for Below {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Below")
    }
}

impl Below {
    /// Carries out what SQLite does.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        #[cfg(feature = "simulation")]
        if self.disk.is_some() {
            return futures_executor::block_on(work);
        }
        work.await
    }
}
