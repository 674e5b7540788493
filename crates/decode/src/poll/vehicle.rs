//! What is known of the vehicle on a bus since it came.

use super::{Addressing, Unit, talk::Talk};
use vernport_types::BootMicros;

/// Units that are followed on one bus.
const MAX_UNITS: usize = 48;

/// What is known of the vehicle that is there.
#[derive(Debug)]
pub(super) struct Vehicle {
    pub(super) talk: Talk,
    pub(super) speaks_j1939: bool,
    /// Found by an answer.
    pub(super) addressing: Option<Addressing>,
    /// Tried next, where none is found.
    pub(super) trial: Addressing,
    /// Units that answered or were asked, and when they may be asked again.
    pub(super) units: Vec<(Unit, BootMicros, bool)>,
    /// By range of 32: the PIDs that some unit supports, once they were told.
    pub(super) supported: [Option<u32>; 8],
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
            supported: [None; 8],
            pack: 6,
            silences: 0,
            paused_until: BootMicros(0),
        }
    }
}

impl Vehicle {
    /// Whether a unit said that it supports a PID.
    pub(super) fn supports(&self, pid: u8) -> bool {
        let Some(place) = pid.checked_sub(1) else { return false };
        let mask = self.supported[usize::from(place / 0x20)];
        mask.is_some_and(|mask| mask & (0x8000_0000 >> (place % 0x20)) != 0)
    }

    pub(super) fn unit(&mut self, unit: Unit) -> Option<&mut (Unit, BootMicros, bool)> {
        let place = match self.units.iter().position(|(known, ..)| *known == unit) {
            Some(place) => place,
            None if self.units.len() < MAX_UNITS => {
                self.units.push((unit, BootMicros(0), false));
                self.units.len() - 1
            }
            None => return None,
        };
        self.units.get_mut(place)
    }
}
