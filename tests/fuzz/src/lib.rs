//! What the targets share: a fuzzer's bytes read as the frames of a bus, the
//! shipped catalogue, what holds of any tool's message, how a capture is read twice, and packets of the wire.

use crc::{CRC_32_ISCSI, Crc};
use std::sync::LazyLock;
use vernport_decode::capture::{Event, Format, Reader};
use vernport_mqtt::ToolMessage;
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, FrameKind, Stamp, TimeQuality, UtcMicros};

/// The shipped catalogue.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let text = include_str!("../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
});

/// When a tool's message arrives: 2026-11-20T09:00:00Z.
pub const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);

/// Whether every value of a tool's message is within what the catalogue believes, and none lies ahead.
pub fn is_of_the_catalogue(message: &ToolMessage) -> bool {
    message.readings.iter().all(|reading| {
        let entry = CATALOGUE.signal(reading.signal);
        let number = reading.value.as_f64();
        number.is_none_or(|n| entry.min.is_none_or(|min| n >= min) && entry.max.is_none_or(|max| n <= max))
            && reading.at <= NOW.plus_seconds(300)
    })
}

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

/// Reads a capture whole and in two parts: frames and counts are the same.
pub fn read_capture(format: Format, bytes: &[u8]) {
    let mut whole = Vec::new();
    let counts = format.read(bytes, &mut |event| whole.extend(frame_of(&event)));
    let mut reader = Reader::of(format);
    let mut parts = Vec::new();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for part in [first, second] {
        reader.push(part, &mut |event| parts.extend(frame_of(&event))).expect("the format is given");
    }
    let (_, counted) =
        reader.finish(&mut |event| parts.extend(frame_of(&event))).expect("the format is given");
    assert!(whole == parts && counts == counted);
}

fn frame_of(event: &Event<'_>) -> Option<(UtcMicros, CanFrame)> {
    match event {
        Event::Frame(line) => Some((line.time, line.frame)),
        Event::Skipped { .. } => None,
    }
}

static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// A packet of the wire with this kind and body, and the right checksum, which chance would never give.
pub fn packet(kind_and_body: &[u8]) -> Vec<u8> {
    let mut raw = vec![vernport_wire::VERSION];
    raw.extend(kind_and_body);
    raw.extend(CHECKSUM.checksum(&raw).to_le_bytes());
    // Stuffed the naive way: each run without a zero, after its length.
    let mut stuffed = Vec::new();
    for run in raw.split(|byte| *byte == 0) {
        let mut parts = run.chunks(254).peekable();
        if run.is_empty() {
            stuffed.push(1);
        }
        while let Some(part) = parts.next() {
            stuffed.push(u8::try_from(part.len() + 1).expect("at most 255"));
            stuffed.extend(part);
            if part.len() == 254 && parts.peek().is_none() {
                stuffed.push(1);
            }
        }
    }
    stuffed.push(0);
    stuffed
}

/// What comes down a line: pauses in microseconds, and noise or whole packets.
pub fn line(bytes: &[u8]) -> impl Iterator<Item = (u64, Vec<u8>)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [pause, shape, tail @ ..] = rest else { return None };
        let (part, tail) = tail.split_at(usize::from(shape & 0x3F).min(tail.len()));
        rest = tail;
        let sent = if shape & 0x80 == 0 { packet(part) } else { part.to_vec() };
        Some((u64::from(*pause) * 20_000, sent))
    })
}
