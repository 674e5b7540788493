//! Packets: a message with version, kind and checksum, stuffed and ended.

use crate::{
    MIN_VERSION, VERSION,
    cobs::{Unstuffer, stuff},
    message::Message,
};
use core::fmt;
use crc::{CRC_32_ISCSI, Crc};

/// The longest body is a full [`crate::FilterSet`]: bus, count, and 11 bytes
/// a filter (postcard: variant 1, identifier 5, mask 5).
const MAX_BODY_BYTES: usize = 2 + crate::MAX_FILTERS * 11;
const HEAD_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 4;
/// The longest packet before stuffing.
const MAX_RAW_BYTES: usize = HEAD_BYTES + MAX_BODY_BYTES + CHECKSUM_BYTES;
/// The longest packet on the wire, with its ending zero.
pub const MAX_PACKET_BYTES: usize = MAX_RAW_BYTES + MAX_RAW_BYTES / 254 + 2;

static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Why a message was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is too short; [`MAX_PACKET_BYTES`] fits each message.
    NoRoom,
    /// The message contradicts itself ([`Message::is_well_formed`]).
    Malformed,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "the buffer is too short for the packet; give it MAX_PACKET_BYTES",
            Self::Malformed => "the message has a number or length that its kind does not allow",
        })
    }
}

impl core::error::Error for EncodeError {}

/// Why a packet was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than any message.
    TooLong,
    /// Ended in the middle.
    Torn,
    /// The checksum is another.
    Checksum,
    /// A version that this crate does not speak.
    Version(u8),
    /// A kind that this version does not know.
    Kind(u8),
    /// The body is not what its kind says.
    Body,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the packet is longer than {MAX_PACKET_BYTES} bytes"),
            Self::Torn => f.write_str("the packet ends in its middle"),
            Self::Checksum => f.write_str("the packet's checksum does not agree"),
            Self::Version(version) => {
                write!(f, "the packet has version {version}, not {MIN_VERSION} to {VERSION}; update one end")
            }
            Self::Kind(kind) => write!(f, "the packet has the unknown kind {kind}"),
            Self::Body => f.write_str("the packet's body is not what its kind says"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Writes a message as one packet, with its ending zero, to the front of
/// `out`; gives what was written.
///
/// # Errors
/// [`EncodeError`]; `out` then holds nothing of use.
pub fn encode<'a>(message: &Message, out: &'a mut [u8]) -> Result<&'a [u8], EncodeError> {
    if !message.is_well_formed() {
        return Err(EncodeError::Malformed);
    }
    let mut raw = [0; MAX_RAW_BYTES];
    (raw[0], raw[1]) = (VERSION, message.kind());
    let body = &mut raw[HEAD_BYTES..HEAD_BYTES + MAX_BODY_BYTES];
    let end = HEAD_BYTES + message.write_body(body).map_err(|_| EncodeError::NoRoom)?;
    let checksum = CHECKSUM.checksum(&raw[..end]).to_le_bytes();
    raw[end..end + CHECKSUM_BYTES].copy_from_slice(&checksum);
    let stuffed = stuff(&raw[..end + CHECKSUM_BYTES], out).ok_or(EncodeError::NoRoom)?;
    *out.get_mut(stuffed).ok_or(EncodeError::NoRoom)? = 0;
    Ok(&out[..=stuffed])
}

/// Finds packets in a stream of bytes, however it is cut.
#[derive(Debug)]
pub struct Decoder {
    unstuffer: Unstuffer,
    raw: [u8; MAX_RAW_BYTES],
    length: usize,
    /// There was more than fits: pass over everything up to the next zero.
    overflow: bool,
    /// Something came since the last zero.
    begun: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            unstuffer: Unstuffer::default(),
            raw: [0; MAX_RAW_BYTES],
            length: 0,
            overflow: false,
            begun: false,
        }
    }
}

impl Decoder {
    /// Takes the next byte. Gives a message, or why there is none, with the
    /// zero that ends the packet. Zeros in a row are nothing.
    pub fn push(&mut self, byte: u8) -> Option<Result<Message, DecodeError>> {
        if byte != 0 {
            self.begun = true;
            if let Some(byte) = self.unstuffer.push(byte) {
                match self.raw.get_mut(self.length) {
                    Some(place) => {
                        *place = byte;
                        self.length += 1;
                    }
                    None => self.overflow = true,
                }
            }
            return None;
        }
        let whole = self.unstuffer.end();
        let (begun, overflow, length) = (self.begun, self.overflow, self.length);
        (self.begun, self.overflow, self.length) = (false, false, 0);
        if !begun {
            return None;
        }
        Some(if overflow {
            Err(DecodeError::TooLong)
        } else if whole {
            read(&self.raw[..length])
        } else {
            Err(DecodeError::Torn)
        })
    }
}

fn read(raw: &[u8]) -> Result<Message, DecodeError> {
    let (head, checksum) = raw.split_last_chunk::<CHECKSUM_BYTES>().ok_or(DecodeError::Torn)?;
    let [version, kind, body @ ..] = head else { return Err(DecodeError::Torn) };
    if CHECKSUM.checksum(head).to_le_bytes() != *checksum {
        return Err(DecodeError::Checksum);
    }
    if !(MIN_VERSION..=VERSION).contains(version) {
        return Err(DecodeError::Version(*version));
    }
    let body = Message::read_body(*kind, body).ok_or(DecodeError::Kind(*kind))?;
    match body {
        Ok((message, [])) if message.is_well_formed() => Ok(message),
        _ => Err(DecodeError::Body),
    }
}
