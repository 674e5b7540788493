//! Times of ISO-TP: timeouts of both sides, and the gap between frames.
//!
//! N_As, N_Bs, N_Cs are of the sender of a message, N_Ar, N_Br, N_Cr of its
//! receiver (ISO 15765-2:2016, 9.8, figure and table of timing parameters).

use vernport_types::BootMicros;

/// N_As, N_Ar: how long handing over one frame to the bus may take (ISO 15765-2:2016, 9.8.2).
pub const N_AS_MICROS: u64 = 1_000_000;
/// N_Bs: how long a sender waits for flow control (ISO 15765-2:2016, 9.8.2).
pub const N_BS_MICROS: u64 = 1_000_000;
/// N_Cr: how long a receiver waits for the next consecutive frame (ISO 15765-2:2016, 9.8.2).
pub const N_CR_MICROS: u64 = 1_000_000;
/// N_Br: how soon a receiver gives its next flow control. With N_Ar it has to
/// stay below 0.9 × N_Bs (ISO 15765-2:2016, 9.8.1).
pub const N_BR_MICROS: u64 = 800_000;

/// How long one who only listens waits where flow control may come between: N_Bs and N_Cr.
pub const LISTENING_MICROS: u64 = N_BS_MICROS + N_CR_MICROS;

/// STmin, the gap that a receiver asks for between consecutive frames, as it
/// stands on the bus (ISO 15765-2:2016, 9.6.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap(u8);

impl Gap {
    /// No gap.
    pub const NONE: Self = Self(0);
    /// The longest one, 127 ms.
    pub const LONGEST: Self = Self(0x7F);

    /// Any byte of a flow control.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The shortest gap that is not shorter than this; none over 127 ms.
    pub fn at_least_micros(micros: u64) -> Option<Self> {
        let byte = match micros {
            0 => 0,
            1..=900 => 0xF0 + micros.div_ceil(100),
            _ => micros.div_ceil(1_000),
        };
        u8::try_from(byte).ok().filter(|byte| micros <= 900 || *byte <= 0x7F).map(Self)
    }

    /// The byte in a flow control.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// The gap in microseconds; a reserved byte counts as the longest one (9.6.5.6).
    pub const fn micros(self) -> u64 {
        match self.0 {
            millis @ 0..=0x7F => millis as u64 * 1_000,
            tenths @ 0xF1..=0xF9 => (tenths - 0xF0) as u64 * 100,
            _ => 127_000,
        }
    }
}

/// A time after another.
pub(crate) fn after(now: BootMicros, micros: u64) -> BootMicros {
    BootMicros(now.0.saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_milliseconds_or_tenths_and_what_is_reserved_is_the_longest() {
        for (byte, micros) in
            [(0, 0), (1, 1_000), (0x7F, 127_000), (0xF1, 100), (0xF9, 900), (0x80, 127_000), (0xF0, 127_000)]
        {
            assert_eq!(Gap::from_byte(byte).micros(), micros, "{byte:02X}");
        }
        for reserved in (0x80..=0xF0).chain(0xFA..=0xFF) {
            assert_eq!(Gap::from_byte(reserved).micros(), Gap::LONGEST.micros());
        }
    }

    #[test]
    fn a_gap_is_never_shorter_than_asked_for() {
        for micros in 0..=127_000 {
            let gap = Gap::at_least_micros(micros).expect("up to 127 ms");
            assert!(gap.micros() >= micros && gap.micros() < micros + 1_000, "{micros}");
        }
        assert_eq!(Gap::at_least_micros(127_001), None);
    }
}
