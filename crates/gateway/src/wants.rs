//! What the driver tells each live bus: what is wanted of it now.

use vernport_decode::poll::Wanted;
use vernport_types::{BootMicros, CanFilter};

/// How long it holds. A driver that stands still, because nothing can be queued, lets
/// nothing be asked for either.
const HOLDS_MICROS: u64 = 1_000_000;

/// What is wanted of one bus. Counts and identifiers of frames; no value, no vehicle.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    /// What may be asked for.
    pub(crate) ask: Wanted,
    /// The frames that may bring something.
    pub(crate) interest: Vec<CanFilter>,
    /// When it was said.
    pub(crate) at: BootMicros,
}

impl Wants {
    /// Before anything was said: ask nothing, hear everything.
    pub(crate) fn nothing_known() -> Self {
        Self { ask: Wanted::default(), interest: CanFilter::ALL.to_vec(), at: BootMicros(0) }
    }

    /// What may be asked for at a time.
    pub(crate) fn ask_at(&self, now: BootMicros) -> Wanted {
        if now.0.saturating_sub(self.at.0) > HOLDS_MICROS { Wanted::default() } else { self.ask.clone() }
    }
}
