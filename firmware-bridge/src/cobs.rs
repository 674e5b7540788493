//! Consistent overhead byte stuffing (Cheshire and Baker, 1999): the same bytes
//! without a zero, at a cost of one byte in 254.

/// The longest run without a zero that one code byte can stand for.
const MAX_RUN: u8 = 254;

/// Stuffs `bytes` into `out` and gives the length; `None` when `out` is too
/// short. The ending zero is the caller's.
pub(crate) fn stuff(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut code_at, mut run, mut at) = (0, 0u8, 1);
    for &byte in bytes {
        if byte != 0 {
            *out.get_mut(at)? = byte;
            at += 1;
            run += 1;
        }
        if byte == 0 || run == MAX_RUN {
            *out.get_mut(code_at)? = run + 1;
            (code_at, run, at) = (at, 0, at + 1);
        }
    }
    *out.get_mut(code_at)? = run + 1;
    // A full run as the last one needs no code byte behind it, but may have it.
    Some(at)
}

/// Unstuffs byte by byte, as they come in.
#[derive(Debug, Default)]
pub(crate) struct Unstuffer {
    /// Bytes that remain of the run.
    left: u8,
    /// A zero follows the run, unless the packet ends.
    zero_follows: bool,
}

impl Unstuffer {
    /// Takes the next byte, which is not zero; gives up to one byte of the packet.
    pub(crate) fn push(&mut self, byte: u8) -> Option<u8> {
        if self.left > 0 {
            self.left -= 1;
            return Some(byte);
        }
        let zero = self.zero_follows.then_some(0);
        self.left = byte.saturating_sub(1);
        self.zero_follows = self.left < MAX_RUN;
        zero
    }

    /// The packet ends here. Whether it was whole.
    pub(crate) fn end(&mut self) -> bool {
        let whole = self.left == 0;
        *self = Self::default();
        whole
    }
}
