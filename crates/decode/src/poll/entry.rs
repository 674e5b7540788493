//! One thing to ask for: when it is due, and what became of it so far.

use super::{Did, Group, Pids, Request, Unit};
use vernport_types::BootMicros;

/// First pause after silence or "busy"; each further one is twice as long.
const BACKOFF_MICROS: u64 = 1_000_000;
/// The longest pause.
const BACKOFF_MOST_MICROS: u64 = 60_000_000;
/// Nobody refuses a J1939 request to everybody, so that silence says it: so often.
const SILENCES: u8 = 3;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// Which of the 32 PIDs after this one are supported.
    Supported(u8),
    Pid(u8),
    Confirmed,
    Pending,
    Permanent,
    ObdVin,
    /// Where OBD-II gives no VIN.
    UdsVin,
    /// Where OBD-II gives no trouble codes; asked of the unit that answered first.
    UdsCodes,
    Did(Unit, Did),
    Group(Group),
}

impl Item {
    /// Whether it has to be known first how the units of OBD-II are addressed.
    pub(super) const fn needs_obd(self) -> bool {
        !matches!(self, Self::Did(..) | Self::Group(_))
    }

    /// The request for it alone.
    pub(super) fn request(self) -> Request {
        match self {
            Self::Supported(pid) | Self::Pid(pid) => {
                Request::CurrentData(Pids::new(&[pid]).expect("one PID"))
            }
            Self::Confirmed => Request::ConfirmedTroubleCodes,
            Self::Pending => Request::PendingTroubleCodes,
            Self::Permanent => Request::PermanentTroubleCodes,
            Self::ObdVin => Request::Vin,
            Self::UdsVin => Request::DataByIdentifier(crate::uds::VIN),
            Self::UdsCodes => Request::TroubleCodesByStatus,
            Self::Did(_, did) => Request::DataByIdentifier(did),
            Self::Group(group) => Request::J1939(group),
        }
    }
}

/// An item and what is known of it in this visit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// How long after an answer it is asked again.
    pub(super) every: u64,
    pub(super) due: BootMicros,
    /// In a row.
    pub(super) failures: u8,
    /// Refused as unsupported: not asked again in this visit.
    pub(super) refused: bool,
    pub(super) wanted: bool,
    /// Whether it was answered in this visit.
    pub(super) known: bool,
}

impl Entry {
    pub(super) fn new(item: Item, every: u64) -> Self {
        Self { item, every, due: BootMicros(0), failures: 0, refused: false, wanted: true, known: false }
    }

    pub(super) fn answered(&mut self, now: BootMicros) {
        self.failures = 0;
        self.known = true;
        self.due = BootMicros(now.0.saturating_add(self.every));
    }

    /// Silence, or a refusal that may pass.
    pub(super) fn failed(&mut self, now: BootMicros, silent: bool) {
        let pause = (BACKOFF_MICROS << self.failures.min(6)).min(BACKOFF_MOST_MICROS);
        self.failures = self.failures.saturating_add(1);
        self.due = BootMicros(now.0.saturating_add(pause));
        if silent && matches!(self.item, Item::Group(_)) && self.failures >= SILENCES {
            self.refused = true;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.wanted && !self.refused
    }
}
