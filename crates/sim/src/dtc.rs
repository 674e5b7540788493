//! Trouble codes of a control unit, as OBD-II and UDS both see them.

/// Status bit: seen, not yet confirmed (ISO 14229-1, annex D.2).
const PENDING: u8 = 0x04;
/// Status bit: confirmed.
const CONFIRMED: u8 = 0x08;
/// Status bit: the malfunction lamp is wanted.
const WARNING: u8 = 0x80;

/// A trouble code of a control unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtc {
    /// Two bytes of SAE J2012 and the failure type (ISO 15031-6).
    pub code: [u8; 3],
    /// Status byte (ISO 14229-1, annex D.2).
    pub status: u8,
    /// Whether clearing leaves it (service 0A).
    pub permanent: bool,
    /// How often it came.
    pub occurrences: u8,
    /// Speed when it came, in km/h.
    pub speed_km_per_h: u8,
    /// Distance when it came, in metres.
    pub odometer_m: u64,
}

impl Dtc {
    /// A confirmed code with the lamp on, which came once, standing.
    pub const fn confirmed(code: [u8; 3]) -> Self {
        Self { code, status: 0xAF, permanent: false, occurrences: 1, speed_km_per_h: 0, odometer_m: 0 }
    }

    pub(crate) const fn is_pending(&self) -> bool {
        self.status & PENDING != 0
    }

    pub(crate) const fn is_confirmed(&self) -> bool {
        self.status & CONFIRMED != 0
    }

    pub(crate) const fn wants_lamp(&self) -> bool {
        self.status & WARNING != 0
    }

    pub(crate) const fn of_obd(&self) -> [u8; 2] {
        let [high, low, _] = self.code;
        [high, low]
    }
}
