//! Where the bits of a signal stand, and how they are taken from the data.

use super::database::{ByteOrder, Signal};

/// The data of a message.
pub(super) struct Data<'d> {
    pub(super) bytes: &'d [u8],
    /// The first eight bytes as a number, read from their low end and from their high end.
    pub(super) words: [u64; 2],
}

impl<'d> Data<'d> {
    #[inline]
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        let first = match bytes.first_chunk::<8>() {
            Some(first) => *first,
            None => padded(bytes),
        };
        Self { bytes, words: [u64::from_le_bytes(first), u64::from_be_bytes(first)] }
    }
}

#[cold]
fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first[..bytes.len()].copy_from_slice(bytes);
    first
}

/// Where the bits of a signal stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// The byte that the word begins with; 0 in messages of up to 8 bytes.
    at: u16,
    /// How many bytes there have to be.
    needs: u16,
    /// 0 for a word that is read from its low end (Intel), 1 from its high one (Motorola).
    end: u8,
    /// By how much a 64-bit word is moved up, and a 128-bit one; then down.
    up: u8,
    down: u8,
    /// The message has up to 8 bytes.
    is_short: bool,
}

impl Field {
    pub(super) fn new(signal: &Signal, is_short: bool) -> Self {
        let byte = if is_short { 0 } else { signal.start_bit / 8 };
        let width = if is_short { 64 } else { 128 };
        let len = u32::from(signal.len_bits);
        let (end, up) = match signal.order {
            ByteOrder::Intel => (0, width - (u32::from(signal.start_bit - byte * 8) + len)),
            ByteOrder::Motorola => (1, signal.top_distance() - u32::from(byte) * 8),
        };
        let narrow = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let needs = u16::try_from(signal.needs_bytes()).unwrap_or(u16::MAX);
        Self { at: byte, needs, end, up: narrow(up), down: narrow(width - len), is_short }
    }

    /// The bits; none if the data ends before.
    pub(super) fn raw(self, data: &Data<'_>) -> Option<u64> {
        if usize::from(self.needs) > data.bytes.len() {
            return None;
        }
        Some(if self.is_short {
            data.words[usize::from(self.end & 1)] << (self.up & 63) >> (self.down & 63)
        } else {
            self.of_bytes(data.bytes)
        })
    }

    /// From the data of a longer message.
    fn of_bytes(self, data: &[u8]) -> u64 {
        let mut window = [0; 16];
        let rest = data.get(usize::from(self.at)..).unwrap_or_default();
        let len = rest.len().min(16);
        window[..len].copy_from_slice(&rest[..len]);
        let word = if self.end == 0 { u128::from_le_bytes(window) } else { u128::from_be_bytes(window) };
        #[expect(clippy::cast_possible_truncation, reason = "a signal has at most 64 bits")]
        let raw = (word << (self.up & 127) >> (self.down & 127)) as u64;
        raw
    }
}
