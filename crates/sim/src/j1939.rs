//! What the truck says in J1939: the messages' bytes (SAE J1939-71, -73) and
//! the broadcast of those longer than a frame (SAE J1939-21, BAM).

use std::collections::VecDeque;
use vernport_types::{BootMicros, CanFrame, CanId, Position};

/// The engine's source address (SAE J1939, table B2).
pub(crate) const ENGINE: u8 = 0x00;
/// The instrument cluster's source address.
pub(crate) const CLUSTER: u8 = 0x17;
/// The source address of the unit that knows the position.
pub(crate) const TELEMATICS: u8 = 0x4A;
/// The address of everybody.
pub(crate) const GLOBAL: u8 = 0xFF;

/// Request PGN.
pub(crate) const REQUEST: u32 = 0xEA00;
const ACKNOWLEDGEMENT: u32 = 0xE800;
const TP_CM: u32 = 0xEC00;
const TP_DT: u32 = 0xEB00;
/// Vehicle distance, high resolution.
pub(crate) const VDHR: u32 = 0xFEC1;
/// Vehicle distance.
pub(crate) const VD: u32 = 0xFEE0;
/// Vehicle position.
pub(crate) const VP: u32 = 0xFEF3;
/// Active trouble codes.
pub(crate) const DM1: u32 = 0xFECA;
/// Cruise control and vehicle speed 1.
pub(crate) const CCVS1: u32 = 0xFEF1;
/// Dash display.
pub(crate) const DD: u32 = 0xFEFC;
/// Vehicle electrical power 1.
pub(crate) const VEP1: u32 = 0xFEF7;
/// Engine hours, revolutions.
pub(crate) const HOURS: u32 = 0xFEE5;
/// Vehicle identification.
pub(crate) const VI: u32 = 0xFEEC;

/// Default priority of information (SAE J1939-71).
const PRIORITY: u8 = 6;
/// Default priority of the transport protocol (SAE J1939-21).
const TRANSPORT_PRIORITY: u8 = 7;
/// Pause between the packets of a BAM; the standard allows 50 to 200 ms.
const BAM_PAUSE_MICROS: u64 = 50_000;
const BAM_CONTROL_BYTE: u8 = 0x20;
/// The most a BAM can carry: 255 packets of 7 bytes.
const BAM_MAX_BYTES: usize = 1785;

/// An active trouble code of J1939.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct J1939Fault {
    /// Suspect parameter number, 19 bits.
    pub spn: u32,
    /// Failure mode identifier, 5 bits.
    pub fmi: u8,
    /// How often it came, 7 bits; 127 is "not known".
    pub occurrences: u8,
}

/// The 29-bit identifier of a message. For PDU1 (below 0xF000) the low byte of
/// `pgn` is the destination.
pub(crate) fn identifier(priority: u8, pgn: u32, source: u8) -> CanId {
    CanId::Extended(u32::from(priority & 7) << 26 | (pgn & 0x3_FFFF) << 8 | u32::from(source))
}

fn frame(priority: u8, pgn: u32, source: u8, data: [u8; 8]) -> CanFrame {
    CanFrame::data_frame(identifier(priority, pgn, source), &data).expect("8 bytes fit a frame")
}

/// A message of one frame.
pub(crate) fn message(pgn: u32, source: u8, data: [u8; 8]) -> CanFrame {
    frame(PRIORITY, pgn, source, data)
}

/// "I do not know that PGN", to whoever asked (SAE J1939-21, acknowledgement).
pub(crate) fn refusal(source: u8, asked_by: u8, pgn: u32) -> CanFrame {
    let [low, middle, high, _] = pgn.to_le_bytes();
    let data = [1, 0xFF, 0xFF, 0xFF, asked_by, low, middle, high];
    message(ACKNOWLEDGEMENT | u32::from(GLOBAL), source, data)
}

/// SPN 917 and 918, total and trip: 5 m a bit; this truck has no trip meter.
pub(crate) fn vdhr(odometer_m: u64) -> [u8; 8] {
    halves(capped(odometer_m / 5), u32::MAX)
}

/// SPN 244 and 245, trip and total: 0.125 km a bit.
pub(crate) fn vd(odometer_m: u64) -> [u8; 8] {
    halves(u32::MAX, capped(odometer_m / 125))
}

/// SPN 584 and 585, latitude and longitude: 1e-7 degrees a bit from -210.
pub(crate) fn vp(position: Position) -> [u8; 8] {
    let raw = |degrees_e7: i32| capped((i64::from(degrees_e7) + 2_100_000_000).unsigned_abs());
    halves(raw(position.latitude_e7()), raw(position.longitude_e7()))
}

/// SPN 84, wheel-based speed: 1/256 km/h a bit, bytes 2 and 3.
pub(crate) fn ccvs1(speed_km_per_h: u8) -> [u8; 8] {
    let [low, high] = (u16::from(speed_km_per_h) * 256).to_le_bytes();
    [0xFF, low, high, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// SPN 96, fuel level 1: 0.4 % a bit, byte 2.
pub(crate) fn dd(fuel_percent: u8) -> [u8; 8] {
    let raw = u16::from(fuel_percent.min(100)) * 5 / 2;
    [0xFF, raw.to_le_bytes()[0], 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// SPN 168, battery potential: 0.05 V a bit, bytes 5 and 6.
pub(crate) fn vep1(battery_mv: u16) -> [u8; 8] {
    let [low, high] = (battery_mv / 50).to_le_bytes();
    [0xFF, 0xFF, 0xFF, 0xFF, low, high, 0xFF, 0xFF]
}

/// SPN 247, total engine hours: 0.05 h a bit, bytes 1 to 4.
pub(crate) fn hours(engine_s: u64) -> [u8; 8] {
    halves(capped(engine_s / 180), u32::MAX)
}

/// DM1 (SAE J1939-73): lamps, then four bytes a code, conversion method 0.
/// With any code the malfunction lamp is on; without, one all-zero code.
pub(crate) fn dm1(faults: &[J1939Fault]) -> Vec<u8> {
    let lamps = if faults.is_empty() { 0x00 } else { 0x40 };
    let mut bytes = vec![lamps, 0xFF];
    for fault in faults {
        let [low, middle, high, _] = fault.spn.to_le_bytes();
        bytes.extend([low, middle, (high & 0x07) << 5 | fault.fmi & 0x1F, fault.occurrences & 0x7F]);
    }
    if faults.is_empty() {
        bytes.extend([0; 4]);
    }
    bytes
}

fn halves(first: u32, second: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_le_bytes(), second.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

/// The largest value of a four-byte parameter is 0xFAFFFFFF; above it stands
/// "error" and "not available" (SAE J1939-71, table 1).
fn capped(raw: u64) -> u32 {
    u32::try_from(raw).unwrap_or(u32::MAX).min(0xFAFF_FFFF)
}

/// Broadcasts of one control unit, one after the other: the standard allows a
/// unit one BAM at a time.
#[derive(Default)]
pub(crate) struct Broadcasts {
    waiting: VecDeque<(u32, Vec<u8>)>,
    packets: VecDeque<CanFrame>,
    next_due: Option<BootMicros>,
}

impl Broadcasts {
    /// Sends a message as one frame, or puts it in line as a BAM. A message
    /// that waits already is not put there twice.
    pub(crate) fn send(&mut self, pgn: u32, source: u8, bytes: Vec<u8>, now: BootMicros) -> Vec<CanFrame> {
        if bytes.len() <= 8 {
            let mut data = [0xFF; 8];
            data[..bytes.len()].copy_from_slice(&bytes);
            return vec![message(pgn, source, data)];
        }
        if bytes.len() <= BAM_MAX_BYTES && self.waiting.iter().all(|(waiting, _)| *waiting != pgn) {
            self.waiting.push_back((pgn, bytes));
        }
        self.on_tick(source, now)
    }

    /// What is due now.
    pub(crate) fn on_tick(&mut self, source: u8, now: BootMicros) -> Vec<CanFrame> {
        if self.next_due.is_some_and(|due| due > now) {
            return Vec::new();
        }
        if self.packets.is_empty()
            && let Some((pgn, bytes)) = self.waiting.pop_front()
        {
            self.packets = packets(pgn, source, &bytes);
        }
        let packet = self.packets.pop_front();
        // The pause is kept after the last packet too, before the next announcement.
        self.next_due = packet.is_some().then(|| now_plus(now, BAM_PAUSE_MICROS));
        packet.into_iter().collect()
    }

    pub(crate) const fn next_due(&self) -> Option<BootMicros> {
        self.next_due
    }
}

fn packets(pgn: u32, source: u8, bytes: &[u8]) -> VecDeque<CanFrame> {
    let length = u16::try_from(bytes.len()).expect("at most BAM_MAX_BYTES, see send");
    let count = u8::try_from(bytes.len().div_ceil(7)).expect("at most BAM_MAX_BYTES, see send");
    let ([size_low, size_high], [low, middle, high, _]) = (length.to_le_bytes(), pgn.to_le_bytes());
    let announcement = [BAM_CONTROL_BYTE, size_low, size_high, count, 0xFF, low, middle, high];
    let to_all = |pgn: u32, data| frame(TRANSPORT_PRIORITY, pgn | u32::from(GLOBAL), source, data);
    let data_packets = bytes.chunks(7).zip(1..).map(|(chunk, sequence)| {
        let mut data = [0xFF; 8];
        data[0] = sequence;
        data[1..=chunk.len()].copy_from_slice(chunk);
        to_all(TP_DT, data)
    });
    std::iter::once(to_all(TP_CM, announcement)).chain(data_packets).collect()
}

pub(crate) fn now_plus(now: BootMicros, micros: u64) -> BootMicros {
    BootMicros(now.0.saturating_add(micros))
}
