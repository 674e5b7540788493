//! A stream of bytes to objects: finds where each begins, also after damage.

use super::{MAX_BLOCK_BYTES, u16_at, u32_at};

const SIGNATURE: &[u8; 4] = b"LOBJ";
const BASE_HEADER_BYTES: usize = 16;
/// Objects are filled up to a multiple of four, some by more.
const MAX_PADDING_BYTES: usize = 8;

/// An object from its signature on, or what stands in place of one.
pub(super) type Found<'a> = Result<&'a [u8], &'static str>;

/// Puts objects together.
#[derive(Debug, Default)]
pub(super) struct Framing {
    buffer: Vec<u8>,
    /// Bytes that are no object were told already.
    lost: bool,
}

impl Framing {
    /// Takes more bytes and gives out every object that is whole.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Found<'_>)) {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(rest) = self.buffer.get(at..).filter(|rest| rest.len() >= BASE_HEADER_BYTES) {
            if !rest.starts_with(SIGNATURE) {
                let next = find(rest);
                // Three bytes may be the beginning of a signature.
                let passed = next.unwrap_or(rest.len() - (SIGNATURE.len() - 1));
                if !self.lost && (passed > MAX_PADDING_BYTES || next.is_none()) {
                    self.lost = true;
                    sink(Err("bytes that are no object"));
                }
                at += passed;
                continue;
            }
            match size(rest) {
                None => {
                    sink(Err("an object with a size that none has"));
                    self.lost = true;
                    at += SIGNATURE.len();
                }
                Some(size) => {
                    let Some(object) = rest.get(..size) else { break };
                    self.lost = false;
                    sink(Ok(object));
                    at += size;
                }
            }
        }
        self.buffer.drain(..at);
    }

    /// Whether an object is not whole.
    pub(super) fn is_torn(&self) -> bool {
        self.buffer.starts_with(SIGNATURE)
    }

    /// Forgets what is not whole.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(SIGNATURE.len()).position(|window| window == SIGNATURE)
}

/// The size of an object, if it can be one.
fn size(object: &[u8]) -> Option<usize> {
    let header = usize::from(u16_at(object, 4)?);
    let size = usize::try_from(u32_at(object, 8)?).ok()?;
    (header >= BASE_HEADER_BYTES && header <= size && size <= MAX_BLOCK_BYTES).then_some(size)
}
