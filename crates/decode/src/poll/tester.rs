//! Whether another tester is on the bus (invariant 14, design section 7).
//!
//! What shows one, of frames that we did not send ourselves:
//! - a diagnostic request: 7DF, 7E0 to 7E7, 18DAxxFx, 18DBxxFx (ISO 15765-4, ISO 15765-2);
//! - anything from the J1939 addresses of service tools, F9 and FA (SAE J1939, table B2);
//! - an answer that is for another tester (18DAFxyy but not F1), or that nobody here asked for.
//!
//! For [`QUIET_MICROS`] after the last of them nothing is sent. A session that may
//! change the vehicle keeps us silent until the visit ends: whoever began it may
//! pause for longer than a minute.

use crate::j1939::Id;
use vernport_types::{BootMicros, CanFilter, CanFrame, CanId};

/// How long another tester has to be silent before anything is sent.
pub const QUIET_MICROS: u64 = 60_000_000;

/// J1939 groups of memory access and of silencing a network: DM13 to DM18 (SAE J1939-73).
const CHANGING_GROUPS: [u32; 6] = [0xDF00, 0xD900, 0xD800, 0xD700, 0xD600, 0xD400];
/// Address claimed (SAE J1939-81).
const ADDRESS_CLAIMED: u32 = 0xEE00;

/// What a frame says about testers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing.
    None,
    /// Another tester is there.
    Tester,
    /// Another tester changes the vehicle, or is about to.
    Changes,
    /// Somebody else has our J1939 address.
    AddressTaken,
}

/// What is known of other testers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Testers {
    since: Option<BootMicros>,
    last: Option<BootMicros>,
    changes: bool,
    address_taken: bool,
}

impl Testers {
    pub(super) fn note(&mut self, sign: Sign, now: BootMicros) {
        if sign == Sign::None {
            return;
        }
        if !self.must_be_quiet(now) {
            self.since = Some(now);
        }
        self.last = Some(now);
        self.changes |= sign == Sign::Changes;
        self.address_taken |= sign == Sign::AddressTaken;
    }

    /// Whether nothing may be sent.
    pub(super) fn must_be_quiet(&self, now: BootMicros) -> bool {
        self.changes || self.last.is_some_and(|at| now.0.saturating_sub(at.0) < QUIET_MICROS)
    }

    /// Whether nothing may be sent in the name of our J1939 address.
    pub(super) fn address_taken(&self) -> bool {
        self.address_taken
    }

    /// Since when nothing may be sent.
    pub(super) fn quiet_since(&self, now: BootMicros) -> Option<BootMicros> {
        self.since.filter(|_| self.must_be_quiet(now))
    }

    /// When something may be sent again; none when only the visit's end allows it.
    pub(super) fn quiet_until(&self) -> Option<BootMicros> {
        if self.changes {
            return None;
        }
        Some(self.last.map_or(BootMicros(0), |at| BootMicros(at.0.saturating_add(QUIET_MICROS))))
    }

    /// The vehicle is gone. Whoever tests it may be there still: the minute goes on.
    pub(super) fn visit_ended(&mut self) {
        self.changes = false;
        self.address_taken = false;
    }
}

/// What a frame that is not ours says by its identifier and its service.
pub(super) fn sign(frame: &CanFrame) -> Sign {
    let of_tester = match frame.id() {
        CanId::Standard(id) => matches!(id, 0x7DF..=0x7E7),
        CanId::Extended(raw) => {
            let (diagnostic, source) = (matches!(raw >> 16, 0x18DA | 0x18DB), raw & 0xFF);
            if let Some(id) = Id::from_can(frame.id()) {
                if id.pgn == ADDRESS_CLAIMED && id.source == super::request::OUR_J1939_ADDRESS {
                    return Sign::AddressTaken;
                }
                if CHANGING_GROUPS.contains(&id.pgn) {
                    return Sign::Changes;
                }
            }
            let to_other = raw & 0x1FFF_F000 == 0x18DA_F000 && raw & 0xF00 != 0x100;
            to_other || diagnostic && source & 0xF0 == 0xF0 || matches!(source, 0xF9 | 0xFA)
        }
    };
    let answers = matches!(frame.id(), CanId::Standard(0x7E8..=0x7EF))
        || matches!(frame.id(), CanId::Extended(raw) if raw & 0x1FFF_F000 == 0x18DA_F000);
    match () {
        () if (of_tester || answers) && is_changing(frame.data(), answers) => Sign::Changes,
        () if of_tester => Sign::Tester,
        () => Sign::None,
    }
}

/// Whether a diagnostic message changes a vehicle or prepares to (ISO 14229-1): any session but the
/// default and the extended one, reset, security, writing, control, routines, transfers.
fn is_changing(data: &[u8], answer: bool) -> bool {
    let (service, parameter) = match *data {
        [0, _, service, parameter, ..] if data.len() > 8 => (service, parameter),
        [length @ 1..=7, service, parameter, ..] => (service, if length > 1 { parameter } else { 0 }),
        [1, service] => (service, 0),
        [first, _, service, parameter, ..] if first >> 4 == 1 => (service, parameter),
        _ => return false,
    };
    let service = match (answer, service & 0x40 != 0) {
        (true, true) => service & !0x40,
        (true, false) => return false,
        (false, _) => service,
    };
    match service {
        0x10 => !matches!(parameter & 0x7F, 1 | 3),
        0x04 | 0x08 | 0x11 | 0x14 | 0x27..=0x29 | 0x2E | 0x2F | 0x31 | 0x34..=0x38 | 0x3D | 0x84 | 0x85 => {
            true
        }
        _ => false,
    }
}

/// The frames that show another tester, whatever else is filtered.
pub(super) fn filters() -> [CanFilter; 8] {
    let extended = |id, mask| CanFilter { id: CanId::Extended(id), mask };
    [
        CanFilter::exactly(CanId::Standard(0x7DF)),
        CanFilter { id: CanId::Standard(0x7E0), mask: 0x7F0 },
        extended(0x18DA_00F0, 0x1FFF_00F0),
        extended(0x18DB_00F0, 0x1FFF_00F0),
        extended(0x18DA_F000, 0x1FFF_F000),
        extended(0xF9, 0xFF),
        extended(0xFA, 0xFF),
        // DM13 to DM18: D4 to DF, priority and addresses do not count.
        extended(0x00D0_0000, 0x03F0_0000),
    ]
}
