//! Vector BLF: the binary log of CANalyzer and CANoe; also of python-can.
//!
//! ```text
//! file       "LOGG", size of the header (u32), …, start as SYSTEMTIME (8 × u16 at 40), …
//! object     "LOBJ", size of the header (u16), version (u16), size (u32), type (u32), body
//! container  type 10: method (u16: 0 plain, 2 zlib), 6, size when inflated (u32), 4, objects
//! ```
//!
//! All numbers are little-endian. Containers are inflated piece by piece into the
//! reader of objects, since an object may begin in one and end in the next.
//! Sizes that the file claims are bounds to be checked, never room to be made.
//! What the objects hold stands in [`object`].

mod framing;
mod object;

use super::{Event, Line, SkipReason, civil};
use flate2::bufread::ZlibDecoder;
use framing::{Found, Framing};
use std::{fmt::Write as _, io::Read as _};
use vernport_types::UtcMicros;

/// The largest object, and the largest content of a container. CANoe writes containers of 128 KiB.
const MAX_BLOCK_BYTES: usize = if cfg!(test) { 256 * 1024 } else { 16 * 1024 * 1024 };
/// The largest header of a file; that of CANoe has 144 bytes.
const MAX_HEADER_BYTES: usize = 4096;
const INFLATED_BYTES: usize = 64 * 1024;
const CONTAINER: u32 = 10;
const CONTAINER_HEADER_BYTES: usize = 16;
const PLAIN: u16 = 0;
const ZLIB: u16 = 2;

/// Reads a BLF file.
#[derive(Default)]
pub(super) struct Blf {
    /// The header of the file, while it is not whole.
    header: Option<Vec<u8>>,
    began: i64,
    outer: Framing,
    inner: Objects,
}

/// Reads objects, and counts them.
#[derive(Default)]
struct Objects {
    framing: Framing,
    number: u64,
    channel: String,
}

impl Blf {
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let header = self.header.get_or_insert_default();
        if header.len() == MAX_HEADER_BYTES {
            return self.objects(bytes, sink);
        }
        let (part, rest) = bytes.split_at(bytes.len().min(MAX_HEADER_BYTES - header.len()));
        header.extend_from_slice(part);
        if header.len() == MAX_HEADER_BYTES {
            self.begin(sink);
            self.objects(rest, sink);
        }
    }

    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if self.header.as_ref().is_some_and(|header| header.len() < MAX_HEADER_BYTES) {
            self.begin(sink);
        }
        let torn = self.outer.is_torn() || self.inner.framing.is_torn();
        if torn {
            self.inner.skip("the last object is torn", sink);
        }
    }

    /// Reads the header, and what stands behind it already.
    fn begin(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let head = self.header.clone().unwrap_or_default();
        let size = u32_at(&head, 4).and_then(|size| usize::try_from(size).ok());
        let objects = match size {
            Some(size) if head.starts_with(b"LOGG") => {
                self.began = start(&head).unwrap_or(0);
                head.get(size..).unwrap_or_default()
            }
            _ => &head[..],
        };
        self.objects(objects, sink);
    }

    fn objects(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { outer, inner, began, .. } = self;
        outer.push(bytes, &mut |object| match object {
            Ok(object) if u32_at(object, 12) == Some(CONTAINER) => inner.container(object, *began, sink),
            other => inner.object(other, *began, sink),
        });
    }
}

impl Objects {
    fn skip(&mut self, problem: &'static str, sink: &mut dyn FnMut(Event<'_>)) {
        self.number += 1;
        sink(Event::Skipped { number: self.number, reason: SkipReason::Object(problem) });
    }

    fn object(&mut self, object: Found<'_>, began: i64, sink: &mut dyn FnMut(Event<'_>)) {
        let heard = match object.and_then(object::read) {
            Ok(heard) => heard,
            Err(problem) => return self.skip(problem, sink),
        };
        self.number += 1;
        let Some(heard) = heard else { return };
        self.channel.clear();
        let _ = write!(self.channel, "{}", heard.channel);
        let time = UtcMicros(began.saturating_add(heard.offset_micros));
        sink(Event::Frame(Line { time, channel: &self.channel, frame: heard.frame }));
    }

    fn container(&mut self, object: &[u8], began: i64, sink: &mut dyn FnMut(Event<'_>)) {
        let body = usize::from(u16_at(object, 4).unwrap_or_default());
        let content = body.checked_add(CONTAINER_HEADER_BYTES).and_then(|at| object.get(at..));
        match (u16_at(object, body), content) {
            (Some(PLAIN), Some(content)) => self.inflated(content, began, sink),
            (Some(ZLIB), Some(content)) => {
                if let Err(problem) = self.inflate(content, began, sink) {
                    self.framing.reset();
                    self.skip(problem, sink);
                }
            }
            _ => self.skip("a container of an unknown kind", sink),
        }
    }

    fn inflate(
        &mut self,
        content: &[u8],
        began: i64,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), &'static str> {
        let mut decoder = ZlibDecoder::new(content);
        let mut piece = vec![0; INFLATED_BYTES];
        let mut total = 0;
        loop {
            let read = decoder.read(&mut piece).map_err(|_| "a container that cannot be inflated")?;
            if read == 0 {
                return Ok(());
            }
            total += read;
            if total > MAX_BLOCK_BYTES {
                return Err("a container that holds more than one can");
            }
            self.inflated(&piece[..read], began, sink);
        }
    }

    fn inflated(&mut self, bytes: &[u8], began: i64, sink: &mut dyn FnMut(Event<'_>)) {
        let mut framing = std::mem::take(&mut self.framing);
        framing.push(bytes, &mut |object| self.object(object, began, sink));
        self.framing = framing;
    }
}

/// The SYSTEMTIME of the start: year, month, day of week, day, hour, minute, second, millisecond.
fn start(header: &[u8]) -> Option<i64> {
    let field = |n: usize| u16_at(header, 40 + 2 * n);
    let day = civil::date(field(0)?.into(), field(1)?.into(), field(3)?.into())?;
    let seconds = (i64::from(field(4)?) * 60 + i64::from(field(5)?)) * 60 + i64::from(field(6)?);
    Some(day + seconds * 1_000_000 + i64::from(field(7)?) * 1_000)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
