//! The hearing side: requests of one or more frames, and flow control.

use super::TIMEOUT_MICROS;
use crate::vehicle::{NEVER, now_plus};
use vernport_types::BootMicros;

/// The longest request that a unit takes, in bytes; longer ones get an overflow.
const MAX_REQUEST_BYTES: usize = 64;
const CLEAR_TO_SEND: [u8; 3] = [0x30, 0, 0];
const OVERFLOW: [u8; 3] = [0x32, 0, 0];

/// What a frame of the asker comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    /// A whole request.
    Request(Vec<u8>),
    /// A long request begins: the flow control that it gets.
    Begun([u8; 3]),
    /// Flow control for our answer.
    FlowControl([u8; 3]),
}

/// Puts one asker's request together.
#[derive(Default)]
pub(crate) struct Listener {
    bytes: Vec<u8>,
    wanted_bytes: usize,
    next_sequence: u8,
    until: Option<BootMicros>,
}

impl Listener {
    /// A frame's bytes after the address; `functional`: asked of all, which
    /// takes single frames only (ISO 15765-2).
    pub(crate) fn on_bytes(&mut self, data: &[u8], functional: bool, now: BootMicros) -> Heard {
        if self.until.is_some_and(|until| until <= now) {
            self.forget();
        }
        match (data, functional) {
            ([control @ 0x00..=0x0F, rest @ ..], _) => {
                let payload = match (control, rest) {
                    // A length of its own byte is for frames longer than 8 bytes.
                    (0, [length, rest @ ..]) if data.len() > 8 => rest.get(..usize::from(*length)),
                    (0, _) | (8.., _) => None,
                    (length, rest) => rest.get(..usize::from(*length)),
                };
                let Some(payload) = payload.filter(|payload| !payload.is_empty()) else {
                    return Heard::Nothing;
                };
                self.forget();
                Heard::Request(payload.to_vec())
            }
            ([high @ 0x10..=0x1F, low, rest @ ..], false) => self.begin(*high, *low, rest, now),
            ([control @ 0x20..=0x2F, rest @ ..], false) => self.go_on(control & 0x0F, rest, now),
            ([control @ 0x30..=0x3F, block, separation, ..], false) => {
                Heard::FlowControl([*control, *block, *separation])
            }
            _ => Heard::Nothing,
        }
    }

    /// When a request that stopped is forgotten.
    pub(crate) fn next_due(&self) -> BootMicros {
        self.until.unwrap_or(NEVER)
    }

    pub(crate) fn on_tick(&mut self, now: BootMicros) {
        if self.until.is_some_and(|until| until <= now) {
            self.forget();
        }
    }

    fn begin(&mut self, high: u8, low: u8, rest: &[u8], now: BootMicros) -> Heard {
        self.forget();
        let length = usize::from(u16::from_be_bytes([high & 0x0F, low]));
        if length <= rest.len() {
            // It would have fitted, or is a length of 32 bits, which none of ours takes.
            return if length == 0 { Heard::Begun(OVERFLOW) } else { Heard::Nothing };
        }
        if length > MAX_REQUEST_BYTES {
            return Heard::Begun(OVERFLOW);
        }
        self.bytes = rest.to_vec();
        self.wanted_bytes = length;
        self.next_sequence = 1;
        self.until = Some(now_plus(now, TIMEOUT_MICROS));
        Heard::Begun(CLEAR_TO_SEND)
    }

    fn go_on(&mut self, sequence: u8, rest: &[u8], now: BootMicros) -> Heard {
        if self.until.is_none() {
            return Heard::Nothing;
        }
        if sequence != self.next_sequence {
            self.forget();
            return Heard::Nothing;
        }
        let missing = self.wanted_bytes.saturating_sub(self.bytes.len());
        self.bytes.extend(rest.iter().take(missing));
        self.next_sequence = (self.next_sequence + 1) % 16;
        self.until = Some(now_plus(now, TIMEOUT_MICROS));
        if self.bytes.len() < self.wanted_bytes {
            return Heard::Nothing;
        }
        let request = std::mem::take(&mut self.bytes);
        self.forget();
        Heard::Request(request)
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: BootMicros = BootMicros(0);

    fn hear(bytes: &[u8]) -> Heard {
        Listener::default().on_bytes(bytes, false, NOW)
    }

    #[test]
    fn a_single_frame_is_a_request_if_it_is_whole() {
        assert_eq!(hear(&[2, 9, 2, 0, 0, 0, 0, 0]), Heard::Request(vec![9, 2]));
        assert_eq!(hear(&[2, 9, 2]), Heard::Request(vec![9, 2]));
        let mut long = vec![0, 9];
        long.extend([1; 10]);
        assert_eq!(hear(&long), Heard::Request(vec![1; 9]), "CAN FD: the length has its own byte");
        for bytes in [&[][..], &[0, 1], &[3, 9, 2], &[8, 1, 2, 3, 4, 5, 6, 7, 8], &[0x40, 1], &[0x10]] {
            assert_eq!(hear(bytes), Heard::Nothing, "{bytes:?}");
        }
        let torn = [0, 60, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(hear(&torn), Heard::Nothing, "it claims more than it has");
    }

    #[test]
    fn a_long_request_is_let_in_and_put_together() {
        let mut listener = Listener::default();
        let begun = listener.on_bytes(&[0x10, 8, 1, 0, 0x20, 0x40, 0x60, 0x80], false, NOW);
        assert_eq!(begun, Heard::Begun([0x30, 0, 0]));
        let whole = listener.on_bytes(&[0x21, 0xA0, 0xC0, 0x55, 0x55], false, NOW);
        assert_eq!(whole, Heard::Request(vec![1, 0, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0]));
        assert_eq!(listener.next_due(), NEVER);
    }

    #[test]
    fn a_long_request_that_is_broken_late_or_too_long_is_forgotten() {
        let begin = [0x10, 20, 1, 2, 3, 4, 5, 6];
        let mut listener = Listener::default();
        listener.on_bytes(&begin, false, NOW);
        assert_eq!(listener.on_bytes(&[0x22, 1, 2, 3, 4, 5, 6, 7], false, NOW), Heard::Nothing);
        assert_eq!(listener.on_bytes(&[0x21, 1, 2, 3, 4, 5, 6, 7], false, NOW), Heard::Nothing);

        listener.on_bytes(&begin, false, NOW);
        assert_eq!(listener.next_due(), BootMicros(TIMEOUT_MICROS));
        listener.on_tick(BootMicros(TIMEOUT_MICROS));
        assert_eq!(listener.next_due(), NEVER);

        assert_eq!(hear(&[0x1F, 0xFF, 1, 2, 3, 4, 5, 6]), Heard::Begun([0x32, 0, 0]));
        assert_eq!(hear(&[0x10, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]), Heard::Begun([0x32, 0, 0]));
        assert_eq!(hear(&[0x10, 3, 1, 2, 3, 4, 5, 6]), Heard::Nothing);
        let functional = Listener::default().on_bytes(&begin, true, NOW);
        assert_eq!(functional, Heard::Nothing, "asked of all: single frames only");
    }
}
