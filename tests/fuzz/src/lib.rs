//! What the targets share: a fuzzer's bytes read as the frames of a bus, and the shipped catalogue.

use std::sync::LazyLock;
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, FrameKind, Stamp, TimeQuality, UtcMicros};

/// The shipped catalogue.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let text = include_str!("../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
});

/// Identifiers that mean something to the decoder, so that the fuzzer need not guess them.
const IDS: [CanId; 32] = [
    CanId::Standard(0x7DF),
    CanId::Standard(0x7E0),
    CanId::Standard(0x7E8),
    CanId::Standard(0x7E9),
    CanId::Standard(0x7A0),
    CanId::Standard(0x7A8),
    CanId::Standard(0x003),
    CanId::Standard(0x430),
    CanId::Extended(0x18DA_F110),
    CanId::Extended(0x18DA_10F1),
    CanId::Extended(0x18DB_33F1),
    CanId::Extended(0x1CEC_FF00),
    CanId::Extended(0x1CEB_FF00),
    CanId::Extended(0x1CEC_F900),
    CanId::Extended(0x1CEB_F900),
    CanId::Extended(0x1CEC_00F9),
    CanId::Extended(0x1CEC_1700),
    CanId::Extended(0x1CEB_1700),
    CanId::Extended(0x18EA_FFF9),
    CanId::Extended(0x18EE_FF00),
    CanId::Extended(0x18EE_FFF9),
    CanId::Extended(0x18E8_FF00),
    CanId::Extended(0x18FE_C100),
    CanId::Extended(0x18FE_C117),
    CanId::Extended(0x18FE_E000),
    CanId::Extended(0x18FE_CA00),
    CanId::Extended(0x18FE_CB00),
    CanId::Extended(0x18FE_F34A),
    CanId::Extended(0x18FE_F100),
    CanId::Extended(0x18FE_F433),
    CanId::Extended(0x18FE_EA03),
    CanId::Extended(0x19F8_0123),
];

/// What happens next on the bus.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A frame is heard.
    Frame(CanFrame, Stamp),
    /// Nothing is heard.
    Silence(Stamp),
    /// Something else happens: up to the target.
    Other(u8, Stamp),
}

/// Reads bytes as steps: what, how long after the one before, and for a frame its length and data.
#[derive(Debug, Clone)]
pub struct Steps<'a> {
    bytes: &'a [u8],
    now: u64,
}

impl<'a> Steps<'a> {
    /// Starts at one second.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, now: 1_000_000 }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*head)
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let [what, pause] = self.take()?;
        // Mostly milliseconds; the highest bit makes them tenths of a second, past every timeout.
        let micros = u64::from(pause & 0x7F) * if pause & 0x80 == 0 { 1_000 } else { 100_000 };
        self.now += micros;
        let at = Stamp {
            wall: UtcMicros(i64::try_from(self.now).ok()?),
            boot: BootMicros(self.now),
            quality: TimeQuality::Synced,
        };
        let id = match what {
            0..=127 => IDS[usize::from(what) % IDS.len()],
            128..=199 => CanId::Extended(u32::from_le_bytes(self.take()?) & 0x1FFF_FFFF),
            200..=239 => CanId::Standard(u16::from_le_bytes(self.take()?) & 0x7FF),
            240..=243 => return Some(Step::Silence(at)),
            _ => return Some(Step::Other(what, at)),
        };
        let [shape] = self.take()?;
        let kind = match shape >> 6 {
            0 | 1 => FrameKind::Data,
            2 => FrameKind::FdData,
            _ if shape & 1 == 0 => FrameKind::Remote,
            _ => FrameKind::Error,
        };
        let wanted = match kind {
            FrameKind::Data => usize::from(shape & 0x0F).min(8),
            FrameKind::FdData => usize::from(shape & 0x3F) + 1,
            FrameKind::Remote => 0,
            FrameKind::Error => 8,
        };
        let (data, rest) = self.bytes.split_at(wanted.min(self.bytes.len()));
        self.bytes = rest;
        Some(Step::Frame(CanFrame::new(id, kind, data)?, at))
    }
}
