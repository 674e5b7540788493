//! A clock that a test moves: what the machine's says, and what was added.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use vernport_gateway::SystemClock;
use vernport_types::{Clock, Stamp, UtcMicros};

/// All copies are moved together.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<AtomicI64>);

impl Moved {
    /// So much time has passed.
    pub(crate) fn forward(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Stamp {
        let now = SystemClock.now();
        Stamp { wall: UtcMicros(now.wall.0 + self.0.load(Ordering::SeqCst)), ..now }
    }
}
