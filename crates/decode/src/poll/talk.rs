//! Whether a vehicle is awake, told by what it says unasked.
//!
//! Used as evidence, all of it from the bus alone:
//! - **Talk**: a data frame that is neither a tester's nor an answer to one. Answers
//!   do not count, so that asking cannot keep a bus awake by itself. Without talk
//!   for [`AWAKE_MICROS`] the bus counts as asleep, and after that it is listened
//!   to for the whole of `listen_micros` again.
//! - **Keyswitch**: SPN 158 of VEP1 below 3 V from every unit that tells it.
//!
//! The rate of a bus is not used: behind a kernel filter nobody knows it. Engine
//! speed is not used either: with the engine off the ignition may be on.

use crate::j1939::{Id, pgn, slot};
use vernport_types::{BootMicros, CanFrame, CanId};

/// How long a bus may say nothing unasked before it counts as asleep.
pub const AWAKE_MICROS: u64 = 1_000_000;
/// How long a bus is listened to before the first request, unless configured otherwise.
pub const LISTEN_MICROS: u64 = 3_000_000;

/// For how long one unit's "on" outweighs another's "off".
const KEY_MICROS: u64 = 5_000_000;
/// 3 V in SPN 158, 0.05 V a bit.
const KEY_ON_RAW: u16 = 60;

/// What was said unasked, and when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Talk {
    since: Option<BootMicros>,
    last: Option<BootMicros>,
    key_on: Option<BootMicros>,
    key_off: Option<BootMicros>,
}

impl Talk {
    pub(super) fn heard(&mut self, frame: &CanFrame, now: BootMicros) {
        if self.is_asleep(now) {
            self.since = Some(now);
        }
        self.last = Some(now);
        let group = Id::from_can(frame.id()).map(|id| id.pgn);
        if group == Some(pgn::ELECTRICAL_POWER)
            && let Ok(raw) = slot::word(frame.data(), 6)
        {
            let place = if raw < KEY_ON_RAW { &mut self.key_off } else { &mut self.key_on };
            *place = Some(now);
        }
    }

    /// Whether nobody talks.
    pub(super) fn is_asleep(&self, now: BootMicros) -> bool {
        self.last.is_none_or(|last| now.0.saturating_sub(last.0) > AWAKE_MICROS)
    }

    /// Whether the vehicle says that its key is off.
    pub(super) fn key_is_off(&self) -> bool {
        let Some(off) = self.key_off else { return false };
        self.key_on.is_none_or(|on| off.0.saturating_sub(on.0) > KEY_MICROS)
    }

    /// When it was listened to for long enough, if talk goes on; none while nobody talks.
    pub(super) fn listened_at(&self, listen_micros: u64, now: BootMicros) -> Option<BootMicros> {
        let since = self.since.filter(|_| !self.is_asleep(now))?;
        Some(BootMicros(since.0.saturating_add(listen_micros)))
    }
}

/// Groups that show that a bus speaks J1939: those we read, and what every engine or
/// transmission sends (EEC1, EEC2, ETC1, ETC2, ET1, EFL/P1, LFE, AMB, address claimed).
pub(super) fn is_j1939(id: CanId) -> bool {
    let Some(id) = Id::from_can(id) else { return false };
    match id.pgn {
        0xEE00 => id.destination == Some(Id::GLOBAL),
        61442..=61445 | 65262 | 65263 | 65266 | 65269 => true,
        pgn::DISTANCE_HIGH_RESOLUTION | pgn::DISTANCE | pgn::SPEED | pgn::POSITION => true,
        pgn::ELECTRICAL_POWER | pgn::DASH_DISPLAY | pgn::ENGINE_HOURS | pgn::ACTIVE_TROUBLE_CODES => true,
        _ => false,
    }
}
