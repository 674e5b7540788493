//! ISO 15765-2 (ISO-TP): messages of up to 4095 bytes in CAN frames, as a state machine without I/O.
//!
//! [`Receiver`] follows one sender, whether its messages are for us or for
//! another tester that we only hear. What it promises: a message is given out
//! whole or not at all (a missing, repeated or late frame drops it), and its
//! buffer grows by what arrived, never by the length that a frame claims.
//!
//! ```text
//! byte 0 (protocol control information, ISO 15765-2:2016, 9.6)
//! 0x0L  single frame, L bytes; L = 0 in CAN FD: length in byte 1
//! 0x1L  first frame, 12 bits of length
//! 0x2N  consecutive frame number N, modulo 16
//! 0x3S  flow control, status S; byte 1 block size, byte 2 gap
//! ```

use crate::RejectCode;
use vernport_types::BootMicros;

/// The longest message that is followed: the 12-bit length of a first frame.
pub const MAX_MESSAGE_BYTES: usize = 4095;

/// How long to wait for the next consecutive frame (N_Cr, ISO 15765-2:2016, 9.7).
pub const N_CR_MICROS: u64 = 1_000_000;

/// How long the first consecutive frame may take: the tester's flow control (N_Bs) lies before it.
const FIRST_GAP_MICROS: u64 = 2 * N_CR_MICROS;

/// Filler of unused bytes in what we send (ISO 15765-2:2016, 10.4.2.1).
const PADDING: u8 = 0xCC;

/// Flow control "continue to send": no limit of frames, no gap.
pub const FLOW_CONTROL: [u8; 8] = [0x30, 0, 0, PADDING, PADDING, PADDING, PADDING, PADDING];

/// A message of at most 7 bytes as the data of one frame.
pub fn single_frame(message: &[u8]) -> Option<[u8; 8]> {
    let length = u8::try_from(message.len()).ok().filter(|length| (1..=7).contains(length))?;
    let mut data = [PADDING; 8];
    data[0] = length;
    data[1..=message.len()].copy_from_slice(message);
    Some(data)
}

/// What one frame did.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Why a message that was under way, or this one, was dropped.
    pub dropped: Option<RejectCode>,
    /// What is there now.
    pub heard: Heard<'a>,
}

/// What a [`Receiver`] has after a frame.
#[derive(PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing to act on.
    Nothing,
    /// The first frame of a longer message: whoever asked for it owes a flow control.
    First,
    /// A whole message.
    Message(&'a [u8]),
}

impl std::fmt::Debug for Heard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::First => f.write_str("First"),
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
        }
    }
}

/// Puts the messages of one sender together.
#[derive(Default)]
pub struct Receiver {
    buffer: Vec<u8>,
    under_way: Option<UnderWay>,
}

#[derive(Clone, Copy)]
struct UnderWay {
    length: usize,
    next: u8,
    frame_bytes: usize,
    deadline: BootMicros,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("under_way", &self.under_way.is_some()).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Takes the data of one frame of the sender, heard at `now`.
    pub fn push(&mut self, data: &[u8], now: BootMicros) -> Step<'_> {
        let mut dropped = self.expire(now);
        let heard = match data.first().map(|pci| pci >> 4) {
            Some(0) => {
                dropped = self.cut_off().or(dropped);
                match single(data) {
                    Some(message) => {
                        self.buffer.clear();
                        self.buffer.extend_from_slice(message);
                        Heard::Message(&self.buffer)
                    }
                    None => return Step { dropped: Some(RejectCode::TransportSize), heard: Heard::Nothing },
                }
            }
            Some(1) => {
                dropped = self.cut_off().or(dropped);
                if !self.first(data, now) {
                    return Step { dropped: Some(RejectCode::TransportSize), heard: Heard::Nothing };
                }
                Heard::First
            }
            Some(2) => match self.consecutive(data, now) {
                Ok(true) => Heard::Message(&self.buffer),
                Ok(false) => Heard::Nothing,
                Err(code) => return Step { dropped: Some(code), heard: Heard::Nothing },
            },
            // Flow control is of the other side; the rest is not ISO-TP.
            _ => Heard::Nothing,
        };
        Step { dropped, heard }
    }

    /// Drops a message whose next frame is overdue.
    pub fn expire(&mut self, now: BootMicros) -> Option<RejectCode> {
        let late = self.under_way.is_some_and(|message| now > message.deadline);
        if late {
            self.under_way = None;
        }
        late.then_some(RejectCode::TransportTimeout)
    }

    /// Whether a message is under way.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Forgets what is under way.
    pub fn reset(&mut self) {
        self.under_way = None;
        self.buffer.clear();
    }

    /// Ends a message that another one follows before its end.
    fn cut_off(&mut self) -> Option<RejectCode> {
        self.under_way.take().map(|_| RejectCode::TransportSequence)
    }

    fn first(&mut self, data: &[u8], now: BootMicros) -> bool {
        let [high, low, rest @ ..] = data else { return false };
        let length = usize::from(*high & 0x0F) << 8 | usize::from(*low);
        // A length of 0 announces 32 bits of length, more than we follow; one
        // that a single frame could carry is an error (ISO 15765-2:2016, 9.6.3).
        if data.len() < 8 || length <= rest.len().max(7) {
            return false;
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(rest);
        let deadline = BootMicros(now.0.saturating_add(FIRST_GAP_MICROS));
        self.under_way = Some(UnderWay { length, next: 1, frame_bytes: data.len(), deadline });
        true
    }

    fn consecutive(&mut self, data: &[u8], now: BootMicros) -> Result<bool, RejectCode> {
        let Some(mut message) = self.under_way.take() else { return Ok(false) };
        let missing = message.length - self.buffer.len();
        let [number, rest @ ..] = data else { return Err(RejectCode::TransportSequence) };
        // Only the last frame may be shorter than the first one was.
        if number & 0x0F != message.next || (rest.len() < missing && data.len() < message.frame_bytes) {
            return Err(RejectCode::TransportSequence);
        }
        self.buffer.extend_from_slice(&rest[..rest.len().min(missing)]);
        if self.buffer.len() == message.length {
            return Ok(true);
        }
        message.next = (message.next + 1) & 0x0F;
        message.deadline = BootMicros(now.0.saturating_add(N_CR_MICROS));
        self.under_way = Some(message);
        Ok(false)
    }
}

fn single(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match data {
        // Over 8 bytes (CAN FD) the length stands in byte 1.
        [0, length, rest @ ..] if data.len() > 8 => (usize::from(*length), rest),
        [pci, rest @ ..] => (usize::from(*pci & 0x0F), rest),
        [] => return None,
    };
    rest.get(..length).filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: BootMicros = BootMicros(1_000);

    /// The naive other side: cuts a message into frames of `size` bytes.
    fn segment(message: &[u8], size: usize) -> Vec<Vec<u8>> {
        if message.len() <= 7 {
            return vec![[&[u8::try_from(message.len()).expect("short")], message].concat()];
        }
        let length = u16::try_from(message.len()).expect("at most 4095");
        let (head, tail) = message.split_at(size - 2);
        let mut frames = vec![[&(0x1000 | length).to_be_bytes()[..], head].concat()];
        for (number, part) in tail.chunks(size - 1).enumerate() {
            let pci = 0x20 | u8::try_from((number + 1) % 16).expect("below 16");
            frames.push([&[pci], part].concat());
        }
        frames
    }

    fn hear(receiver: &mut Receiver, frames: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<RejectCode>) {
        let (mut messages, mut dropped) = (Vec::new(), Vec::new());
        for frame in frames {
            let step = receiver.push(frame, START);
            dropped.extend(step.dropped);
            if let Heard::Message(message) = step.heard {
                messages.push(message.to_vec());
            }
        }
        (messages, dropped)
    }

    #[test]
    fn a_real_vin_answer_in_three_frames_is_whole() {
        let frames: Vec<Vec<u8>> = ["1014490201544D42", "214A50374E58354E", "2259303834393233"]
            .iter()
            .map(|text| hex::decode(text).expect("hexadecimal"))
            .collect();
        let (messages, dropped) = hear(&mut Receiver::default(), &frames);
        assert_eq!(messages, [hex::decode("490201544D424A50374E58354E59303834393233").expect("hexadecimal")]);
        assert!(dropped.is_empty());
    }

    #[test]
    fn a_late_frame_drops_the_message() {
        let frames = segment(&[7; 20], 8);
        let mut receiver = Receiver::default();
        assert_eq!(receiver.push(&frames[0], START).heard, Heard::First);
        let in_time = BootMicros(START.0 + FIRST_GAP_MICROS);
        assert_eq!(receiver.push(&frames[1], in_time).dropped, None);
        let late = BootMicros(in_time.0 + N_CR_MICROS + 1);
        let step = receiver.push(&frames[2], late);
        assert_eq!(step, Step { dropped: Some(RejectCode::TransportTimeout), heard: Heard::Nothing });
        assert_eq!(receiver.expire(late), None, "counted once");
    }

    #[test]
    fn lengths_that_the_protocol_does_not_allow_are_refused() {
        let mut receiver = Receiver::default();
        for bad in [
            &[0x00][..],
            &[0x03, 1, 2],
            &[0x10, 0x07, 1, 2, 3, 4, 5, 6],
            &[0x10, 0, 0, 1, 0, 0, 0, 0],
            &[0x10, 9, 1],
        ] {
            let step = receiver.push(bad, START);
            assert_eq!(step, Step { dropped: Some(RejectCode::TransportSize), heard: Heard::Nothing });
            assert!(!receiver.is_under_way());
        }
        assert_eq!(receiver.push(&[], START).heard, Heard::Nothing);
        assert_eq!(receiver.push(&FLOW_CONTROL, START).heard, Heard::Nothing);
    }

    #[test]
    fn a_can_fd_single_frame_has_its_length_in_the_second_byte() {
        let mut data = vec![0, 10];
        data.extend(1..=10_u8);
        let (messages, _) = hear(&mut Receiver::default(), &[data]);
        assert_eq!(messages, [(1..=10).collect::<Vec<u8>>()]);
    }

    #[test]
    fn a_request_fills_one_frame() {
        assert_eq!(single_frame(&[0x09, 0x02]), Some([2, 9, 2, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC]));
        assert_eq!((single_frame(&[]), single_frame(&[0; 8])), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_cut_up_is_put_together(
            message in proptest::collection::vec(any::<u8>(), 1..400),
            size in prop_oneof![Just(8_usize), Just(64)],
        ) {
            prop_assume!(message.len() <= 7 || message.len() > size - 2);
            let (messages, dropped) = hear(&mut Receiver::default(), &segment(&message, size));
            prop_assert_eq!(messages, vec![message]);
            prop_assert_eq!(dropped, vec![]);
        }

        #[test]
        fn a_missing_repeated_or_swapped_frame_drops_and_never_joins(
            first in proptest::collection::vec(any::<u8>(), 30..60),
            second in proptest::collection::vec(any::<u8>(), 30..60),
            at in 1_usize..4,
            harm in 0_u8..3,
        ) {
            let mut frames = segment(&first, 8);
            match harm {
                0 => drop(frames.remove(at)),
                1 => frames.insert(at, frames[at].clone()),
                _ => frames.swap(at, at + 1),
            }
            frames.extend(segment(&second, 8));
            let (messages, dropped) = hear(&mut Receiver::default(), &frames);
            prop_assert_eq!(messages, vec![second]);
            prop_assert_eq!(dropped.len(), 1);
        }

        #[test]
        fn random_frames_never_panic_nor_grow(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=64), 0..200)
        ) {
            let mut receiver = Receiver::default();
            for frame in &frames {
                if let Heard::Message(message) = receiver.push(frame, START).heard {
                    prop_assert!(message.len() <= MAX_MESSAGE_BYTES);
                }
                prop_assert!(receiver.buffer.capacity() <= 2 * MAX_MESSAGE_BYTES + 64);
            }
        }
    }
}
