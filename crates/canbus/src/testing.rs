//! What the tests of this crate share: a clock that ticks at each look, frames.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use vernport_types::{BootMicros, CanFrame, CanId, Clock, Stamp, TimeQuality, UtcMicros};

/// 2023-11-14T22:13:20Z, in microseconds.
pub(crate) const START_MICROS: i64 = 1_700_000_000_000_000;

/// Each look at this clock is one microsecond after the last.
pub(crate) fn ticking_clock() -> Arc<dyn Clock> {
    let looks = AtomicI64::new(0);
    Arc::new(move || {
        let look = looks.fetch_add(1, Ordering::Relaxed);
        Stamp {
            wall: UtcMicros(START_MICROS + look),
            boot: BootMicros(look.unsigned_abs()),
            quality: TimeQuality::Synced,
        }
    })
}

pub(crate) fn data_frame(id: u16, bytes: &[u8]) -> CanFrame {
    CanFrame::data_frame(CanId::Standard(id), bytes).expect("at most 8 bytes")
}
