//! What is known of the vehicle on a bus since it came.

use super::{Addressing, Unit, talk::Talk};
use crate::obd::Supported;
use vernport_types::BootMicros;

/// Units that are followed on one bus.
const MAX_UNITS: usize = 48;

/// A unit that answered or was asked.
#[derive(Debug)]
pub(super) struct KnownUnit {
    pub(super) unit: Unit,
    /// When it may be asked again.
    pub(super) free_at: BootMicros,
    /// Whether it ever answered.
    pub(super) answers: bool,
    /// The PIDs of service 01 that it says it has.
    pub(super) supported: Supported,
}

/// What is known of the vehicle that is there.
#[derive(Debug)]
pub(super) struct Vehicle {
    pub(super) talk: Talk,
    pub(super) speaks_j1939: bool,
    /// Found by an answer.
    pub(super) addressing: Option<Addressing>,
    /// Tried next, where none is found.
    pub(super) trial: Addressing,
    pub(super) units: Vec<KnownUnit>,
    /// Most PIDs in one request: fewer once a unit did not take six.
    pub(super) pack: usize,
    /// Diagnostic requests that nobody answered, in a row.
    pub(super) silences: u8,
    pub(super) paused_until: BootMicros,
}

impl Default for Vehicle {
    fn default() -> Self {
        Self {
            talk: Talk::default(),
            speaks_j1939: false,
            addressing: None,
            trial: Addressing::Standard,
            units: Vec::new(),
            pack: 6,
            silences: 0,
            paused_until: BootMicros(0),
        }
    }
}

impl Vehicle {
    /// Whether a unit said that it supports a PID.
    pub(super) fn supports(&self, pid: u8) -> bool {
        self.units.iter().any(|known| known.supported.contains(pid))
    }

    /// Whether a unit told which of the 32 PIDs after this one it supports.
    pub(super) fn is_told(&self, base: u8) -> bool {
        self.units.iter().any(|known| known.supported.is_told(base))
    }

    pub(super) fn unit(&mut self, unit: Unit) -> Option<&mut KnownUnit> {
        let place = match self.units.iter().position(|known| known.unit == unit) {
            Some(place) => place,
            None if self.units.len() < MAX_UNITS => {
                let (free_at, supported) = (BootMicros(0), Supported::new());
                self.units.push(KnownUnit { unit, free_at, answers: false, supported });
                self.units.len() - 1
            }
            None => return None,
        };
        self.units.get_mut(place)
    }
}
