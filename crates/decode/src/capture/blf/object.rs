//! What is in an object: frames of CAN and CAN FD, error frames. Other types are passed over.
//!
//! ```text
//! header      flags at 16 (1: time in 10 µs, 2: in ns), time since the start (u64) at 24
//! body of     1, 86  CAN_MESSAGE(2)        channel u16, flags u8, dlc u8, id u32, data
//!             100    CAN_FD_MESSAGE        channel u16, flags u8, dlc u8, id u32, 5, FD flags u8,
//!                                          bytes u8, 5, data
//!             101    CAN_FD_MESSAGE_64     channel u8, dlc u8, bytes u8, 1, id u32, 4, flags u32, 19,
//!                                          where more follows the data u8, 4, data
//!             2, 73  CAN_ERROR(_EXT)       channel u16
//!             104    CAN_FD_ERROR_64       channel u8
//! ```
//!
//! The highest bit of an id says that it has 29 bits. Of type 101 there may be
//! fewer bytes than it says: the frame then has those that are there.

use super::{u16_at, u32_at, u64_at};
use crate::capture::fields;
use vernport_types::{CanFrame, CanId, FrameKind};

const CAN_MESSAGE: u32 = 1;
const CAN_ERROR: u32 = 2;
const CAN_ERROR_EXT: u32 = 73;
const CAN_MESSAGE2: u32 = 86;
const CAN_FD_MESSAGE: u32 = 100;
const CAN_FD_MESSAGE_64: u32 = 101;
const CAN_FD_ERROR_64: u32 = 104;

const EXTENDED_ID: u32 = 0x8000_0000;
/// A remote frame, in the flags of types 1, 86 and 100.
const REMOTE: u8 = 0x80;
/// In the FD flags of type 100: a frame in the format of CAN FD.
const EDL: u8 = 0x01;
/// The same two in the flags of type 101.
const REMOTE_64: u32 = 0x10;
const EDL_64: u32 = 0x1000;
const TIME_TEN_MICROS: u32 = 1;

/// A frame, as an object tells it.
pub(super) struct Heard {
    pub(super) channel: u16,
    pub(super) offset_micros: i64,
    pub(super) frame: CanFrame,
}

/// The frame of an object; none if it is of another type.
pub(super) fn read(object: &[u8]) -> Result<Option<Heard>, &'static str> {
    let kind = u32_at(object, 12).ok_or("an object without a type")?;
    let body = u16_at(object, 4).and_then(|at| object.get(usize::from(at)..)).unwrap_or_default();
    let frame = match kind {
        CAN_MESSAGE | CAN_MESSAGE2 => message(body),
        CAN_FD_MESSAGE => fd_message(body),
        CAN_FD_MESSAGE_64 => fd_message_64(object, body),
        CAN_ERROR | CAN_ERROR_EXT => u16_at(body, 0).and_then(error_frame),
        CAN_FD_ERROR_64 => body.first().and_then(|channel| error_frame(u16::from(*channel))),
        _ => return Ok(None),
    };
    let (channel, frame) = frame.ok_or("an object that is no frame")?;
    let offset_micros = offset_micros(object).ok_or("an object without a time")?;
    Ok(Some(Heard { channel, offset_micros, frame }))
}

fn offset_micros(object: &[u8]) -> Option<i64> {
    let (flags, time) = (u32_at(object, 16)?, u64_at(object, 24)?);
    let micros = if flags & TIME_TEN_MICROS != 0 { time.checked_mul(10)? } else { time / 1_000 };
    i64::try_from(micros).ok()
}

fn id(raw: u32) -> Option<CanId> {
    fields::id(raw & !EXTENDED_ID, raw & EXTENDED_ID != 0)
}

fn message(body: &[u8]) -> Option<(u16, CanFrame)> {
    let (channel, [flags, dlc], id) =
        (u16_at(body, 0)?, *body.get(2..)?.first_chunk()?, id(u32_at(body, 4)?)?);
    if flags & REMOTE != 0 {
        return Some((channel, fields::frame(id, FrameKind::Remote, &[])?));
    }
    let data = body.get(8..)?.get(..fields::bytes_of_dlc(dlc, false)?)?;
    Some((channel, fields::frame(id, FrameKind::Data, data)?))
}

fn fd_message(body: &[u8]) -> Option<(u16, CanFrame)> {
    let (channel, flags, id) = (u16_at(body, 0)?, *body.get(2)?, id(u32_at(body, 4)?)?);
    let [fd_flags, len] = *body.get(13..)?.first_chunk()?;
    let data = body.get(20..)?.get(..usize::from(len))?;
    frame(channel, id, fd_flags & EDL != 0, flags & REMOTE != 0, data)
}

fn fd_message_64(object: &[u8], body: &[u8]) -> Option<(u16, CanFrame)> {
    let [channel, _, len] = *body.first_chunk()?;
    let (id, flags) = (id(u32_at(body, 4)?)?, u32_at(body, 12)?);
    let before = object.len() - body.len() + 40;
    let end = match usize::from(*body.get(35)?) {
        0 => object.len(),
        more => more.min(object.len()),
    };
    let there = object.get(before..end)?;
    let data = match there.get(..usize::from(len)) {
        Some(data) => data,
        None => &there[..fields::longest_within(there.len())],
    };
    frame(u16::from(channel), id, flags & EDL_64 != 0, flags & REMOTE_64 != 0, data)
}

fn frame(channel: u16, id: CanId, fd: bool, remote: bool, data: &[u8]) -> Option<(u16, CanFrame)> {
    let frame = match (fd, remote) {
        (true, _) => fields::frame(id, FrameKind::FdData, data),
        (false, true) => fields::frame(id, FrameKind::Remote, &[]),
        (false, false) => fields::frame(id, FrameKind::Data, data),
    };
    Some((channel, frame?))
}

fn error_frame(channel: u16) -> Option<(u16, CanFrame)> {
    Some((channel, fields::frame(CanId::Extended(0), FrameKind::Error, &[])?))
}
