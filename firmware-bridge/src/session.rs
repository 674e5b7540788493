//! What both engines keep to: times, bounds, and what is counted.

use crate::{
    Message,
    message::MAX_FIRMWARE_BYTES,
    packet::{DecodeError, MAX_PACKET_BYTES, encode},
};
use heapless::String;

/// The time between two heartbeats, in microseconds.
pub const HEARTBEAT_MICROS: u64 = 1_000_000;
/// How long an end may be silent before the other gives the session up.
pub const SILENCE_MICROS: u64 = 3 * HEARTBEAT_MICROS;
/// The time between two [`crate::Hello`] that nobody answers.
pub const HELLO_MICROS: u64 = 500_000;
/// The most buses of one adapter that a host uses.
pub const MAX_BUSES: usize = 8;
/// Room for a packet with a zero in front of it.
pub const LINE_BYTES: usize = MAX_PACKET_BYTES + 1;

/// What an adapter said of itself at the beginning of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// The version that is spoken.
    pub version: u8,
    /// How many buses the adapter has.
    pub buses: u8,
    /// How many frames it can hold back while there is no credit.
    pub queue_frames: u16,
    /// Name and version of its firmware.
    pub firmware: String<MAX_FIRMWARE_BYTES>,
}

/// Packets passed over, by what was wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BadPackets {
    /// Longer than any message.
    pub too_long: u64,
    /// Ended in the middle.
    pub torn: u64,
    /// The checksum was another.
    pub checksum: u64,
    /// Of a version that is not spoken.
    pub version: u64,
    /// Of a kind that is not known.
    pub kind: u64,
    /// The body was not what its kind says.
    pub body: u64,
}

impl BadPackets {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.too_long + self.torn + self.checksum + self.version + self.kind + self.body
    }

    pub(crate) const fn count(&mut self, error: DecodeError) {
        let counter = match error {
            DecodeError::TooLong => &mut self.too_long,
            DecodeError::Torn => &mut self.torn,
            DecodeError::Checksum => &mut self.checksum,
            DecodeError::Version(_) => &mut self.version,
            DecodeError::Kind(_) => &mut self.kind,
            DecodeError::Body => &mut self.body,
        };
        *counter += 1;
    }
}

/// What a host has counted since it began, over all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostCounters {
    /// Sessions that began.
    pub sessions: u64,
    /// Sessions given up because noise had cost a setting or credit.
    pub repairs: u64,
    /// Frames handed out.
    pub frames: u64,
    /// Frames that the adapter lost for want of credit or room.
    pub dropped_by_adapter: u64,
    /// Frames that the adapter sent and the line lost.
    pub lost_on_line: u64,
    /// Frames beyond the credit that was given; passed over.
    pub beyond_credit: u64,
    /// Frames that no filter asked for, or of a bus that is not there; passed over.
    pub unwanted: u64,
    /// Frames to a bus that were lost with their session.
    pub unsent: u64,
    /// Frames to a bus that the adapter did not get there.
    pub refused_by_adapter: u64,
    /// Packets passed over.
    pub bad: BadPackets,
}

/// Writes a packet, behind a zero of its own if a session begins with it.
/// `None` for a message that contradicts itself, which neither engine makes.
pub(crate) fn written<'a>(
    message: &Message,
    begins: bool,
    out: &'a mut [u8; LINE_BYTES],
) -> Option<&'a [u8]> {
    let lead = usize::from(begins);
    out[0] = 0;
    let length = encode(message, out.get_mut(lead..)?).ok()?.len();
    out.get(..lead + length)
}

/// One more than the largest number is 0 again.
pub(crate) const fn next(count: &mut u32) -> u32 {
    let now = *count;
    *count = count.wrapping_add(1);
    now
}
