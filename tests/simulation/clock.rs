//! The test's clocks: all of them go with the paused time of the runtime, and each machine's own
//! can be set, set back, or found to be worth nothing.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
};
use tokio::time::Instant;
use vernport_types::{BootMicros, Clock, Stamp, TimeQuality, UtcMicros};

/// When every simulation begins: 21 November 2026, 08:00 UTC.
pub(crate) const BEGINNING: UtcMicros = UtcMicros(1_795_248_000_000_000);

/// Time as it is: what passes in the runtime, and what the whole world sleeps through.
#[derive(Debug)]
pub(crate) struct TrueTime {
    began: Instant,
    slept_micros: AtomicI64,
}

impl TrueTime {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), slept_micros: AtomicI64::new(0) })
    }

    /// Microseconds since the beginning.
    pub(crate) fn micros(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX) + self.slept_micros.load(Relaxed)
    }

    /// Nobody does anything for so long: a night, a weekend.
    pub(crate) fn sleep(&self, seconds: i64) {
        self.slept_micros.fetch_add(seconds * 1_000_000, Relaxed);
    }
}

/// The clock of one machine.
#[derive(Debug)]
pub(crate) struct Machine {
    time: Arc<TrueTime>,
    wall_off_micros: AtomicI64,
    suspended_micros: AtomicU64,
    quality: AtomicU8,
}

impl Machine {
    pub(crate) fn new(time: &Arc<TrueTime>) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            wall_off_micros: AtomicI64::new(0),
            suspended_micros: AtomicU64::new(0),
            quality: AtomicU8::new(TimeQuality::Synced as u8),
        })
    }

    /// Sets the wall clock so far off the true time; 0 sets it right.
    pub(crate) fn set_off(&self, seconds: i64) {
        self.wall_off_micros.store(seconds * 1_000_000, Relaxed);
    }

    /// The machine was asleep for so long: its boot clock went on faster than its programs.
    pub(crate) fn suspend(&self, seconds: u64) {
        self.suspended_micros.fetch_add(seconds * 1_000_000, Relaxed);
    }

    pub(crate) fn set_quality(&self, quality: TimeQuality) {
        self.quality.store(quality as u8, Relaxed);
    }

    pub(crate) fn boot(&self) -> u64 {
        self.now().boot.0
    }
}

impl Clock for Machine {
    fn now(&self) -> Stamp {
        let micros = self.time.micros();
        let boot = u64::try_from(micros).unwrap_or(0) + self.suspended_micros.load(Relaxed);
        let quality = match self.quality.load(Relaxed) {
            quality if quality == TimeQuality::Unset as u8 => TimeQuality::Unset,
            quality if quality == TimeQuality::Bounded as u8 => TimeQuality::Bounded,
            _ => TimeQuality::Synced,
        };
        let wall = BEGINNING.plus_micros(micros + self.wall_off_micros.load(Relaxed));
        Stamp { wall, boot: BootMicros(boot), quality }
    }
}
