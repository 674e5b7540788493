//! One sender's messages, put together: whether they are for us or for another
//! tester that we only hear.
//!
//! A missing, repeated, swapped, late or wrongly sized frame drops the message
//! that is under way; a new first or single frame begins another one (ISO
//! 15765-2:2016, 9.8.3). Flow control of the other side is told by
//! [`Receiver::flow_control`] where it is heard. Where it is not, each gap may
//! hold one.

use super::{
    MAX_MESSAGE_BYTES,
    pci::{FlowControl, Pci, Status},
    timing::{LISTENING_MICROS, N_CR_MICROS, after},
};
use crate::RejectCode;
use vernport_types::BootMicros;

/// The smallest buffer that is made.
const SMALLEST_BUFFER: usize = 64;

/// What one frame did.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Why a message that was under way, or this one, was dropped.
    pub dropped: Option<RejectCode>,
    /// What is there now.
    pub heard: Heard<'a>,
}

impl Step<'_> {
    pub(super) const fn dropped(code: RejectCode) -> Self {
        Self { dropped: Some(code), heard: Heard::Nothing }
    }
}

/// What a [`Receiver`] has after a frame.
#[derive(PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing to act on.
    Nothing,
    /// The first frame of a longer message: whoever asked for it owes a flow control.
    First,
    /// The first frame of a message that is longer than what is followed:
    /// whoever asked for it owes the flow control "overflow".
    TooLong,
    /// A whole message.
    Message(&'a [u8]),
}

impl std::fmt::Debug for Heard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::First => f.write_str("First"),
            Self::TooLong => f.write_str("TooLong"),
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
        }
    }
}

/// Puts the messages of one sender together.
pub struct Receiver {
    address_bytes: usize,
    max_bytes: usize,
    buffer: Vec<u8>,
    under_way: Option<UnderWay>,
}

#[derive(Clone, Copy)]
struct UnderWay {
    length: usize,
    next: u8,
    /// Size of the first frame, which the others keep (RX_DL, ISO 15765-2:2016, 9.5.4).
    frame_bytes: usize,
    deadline: BootMicros,
    flow: Flow,
}

/// What is known of the other side's flow control.
#[derive(Clone, Copy)]
enum Flow {
    /// It was not heard: it may come before any frame.
    Unheard,
    /// All frames may come at once.
    Open,
    /// So many frames may come before the next one.
    Block(u8),
}

impl Default for Receiver {
    /// Of normal addressing, for messages of at most [`MAX_MESSAGE_BYTES`].
    fn default() -> Self {
        Self::new(0, MAX_MESSAGE_BYTES)
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("under_way", &self.under_way.is_some()).finish_non_exhaustive()
    }
}

impl Receiver {
    /// A receiver of frames with so many bytes of address before the control
    /// byte (0 or 1), for messages of at most `max_bytes`.
    pub const fn new(address_bytes: usize, max_bytes: usize) -> Self {
        Self { address_bytes, max_bytes, buffer: Vec::new(), under_way: None }
    }

    /// Takes the data of one frame of the sender, heard at `now`.
    pub fn push(&mut self, data: &[u8], now: BootMicros) -> Step<'_> {
        let late = self.expire(now);
        let pci = match Pci::read(data, self.address_bytes) {
            Ok(Some(pci)) => pci,
            Ok(None) => return Step { dropped: late, heard: Heard::Nothing },
            // A start that cannot be read still ends what was under way: one drop.
            Err(code) => {
                self.under_way = None;
                return Step::dropped(code);
            }
        };
        match pci {
            Pci::Single(message) => {
                let dropped = self.cut_off().or(late);
                if message.len() > self.max_bytes {
                    return Step { dropped: Some(RejectCode::TransportSize), heard: Heard::Nothing };
                }
                self.buffer.clear();
                self.append(message);
                Step { dropped, heard: Heard::Message(&self.buffer) }
            }
            Pci::First { length, data: part } => {
                let dropped = self.cut_off().or(late);
                self.first(length, part, data.len(), now, dropped)
            }
            Pci::Consecutive { number, data: part } => {
                match self.consecutive(number, part, data.len(), now) {
                    Ok(true) => Step { dropped: late, heard: Heard::Message(&self.buffer) },
                    Ok(false) => Step { dropped: late, heard: Heard::Nothing },
                    Err(code) => Step::dropped(code),
                }
            }
            // Flow control on this path is about messages of the other direction.
            Pci::FlowControl(_) => Step { dropped: late, heard: Heard::Nothing },
        }
    }

    /// Takes what the receiver of the message said, at `now`; gives why the
    /// message ended if it did.
    pub fn flow_control(&mut self, flow_control: FlowControl, now: BootMicros) -> Option<RejectCode> {
        if let Some(late) = self.expire(now) {
            return Some(late);
        }
        let message = self.under_way.as_mut()?;
        match flow_control.status {
            Status::Continue => {
                message.deadline = after(now, N_CR_MICROS);
                message.flow = match flow_control.block_size {
                    0 => Flow::Open,
                    frames => Flow::Block(frames),
                };
                return None;
            }
            Status::Wait => {
                message.deadline = after(now, LISTENING_MICROS);
                return None;
            }
            Status::Overflow | Status::Reserved => {}
        }
        self.under_way = None;
        Some(RejectCode::TransportSize)
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
    pub const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// When the message that is under way has to go on.
    pub fn deadline(&self) -> Option<BootMicros> {
        self.under_way.map(|message| message.deadline)
    }

    /// Forgets what is under way; the memory is kept for the next message.
    pub fn reset(&mut self) {
        self.under_way = None;
        self.buffer.clear();
    }

    /// How many bytes of memory it holds.
    pub const fn bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// How many bytes it would hold after a frame with so many bytes of data.
    pub(super) fn bytes_after(&self, frame_bytes: usize) -> usize {
        let kept = if self.under_way.is_some() { self.buffer.len() } else { 0 };
        self.capacity_for(kept + frame_bytes)
    }

    /// Gives its memory back, with what is under way.
    pub(super) fn release(&mut self) {
        self.under_way = None;
        self.buffer = Vec::new();
    }

    /// Doubles, so that a long message is not moved at each frame, up to the
    /// longest message that is followed.
    fn capacity_for(&self, bytes: usize) -> usize {
        let capacity = self.buffer.capacity();
        let needed = bytes.min(self.max_bytes);
        if needed <= capacity {
            return capacity;
        }
        needed.max(2 * capacity).max(SMALLEST_BUFFER).min(self.max_bytes.max(SMALLEST_BUFFER))
    }

    fn append(&mut self, part: &[u8]) {
        let capacity = self.capacity_for(self.buffer.len() + part.len());
        self.buffer.reserve_exact(capacity - self.buffer.len());
        self.buffer.extend_from_slice(part);
    }

    /// Ends a message that another one follows before its end.
    fn cut_off(&mut self) -> Option<RejectCode> {
        self.under_way.take().map(|_| RejectCode::TransportSequence)
    }

    fn first(
        &mut self,
        length: u32,
        part: &[u8],
        frame_bytes: usize,
        now: BootMicros,
        dropped: Option<RejectCode>,
    ) -> Step<'_> {
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= self.max_bytes) else {
            return Step { dropped: Some(RejectCode::TransportSize), heard: Heard::TooLong };
        };
        self.buffer.clear();
        self.append(part);
        let deadline = after(now, LISTENING_MICROS);
        self.under_way = Some(UnderWay { length, next: 1, frame_bytes, deadline, flow: Flow::Unheard });
        Step { dropped, heard: Heard::First }
    }

    fn consecutive(
        &mut self,
        number: u8,
        part: &[u8],
        frame_bytes: usize,
        now: BootMicros,
    ) -> Result<bool, RejectCode> {
        // The rest of a message whose start was not heard or not followed.
        let Some(mut message) = self.under_way.take() else { return Ok(false) };
        let missing = message.length - self.buffer.len();
        let last = part.len() >= missing;
        // Only the last frame may be shorter than the first one, and none may be
        // longer (ISO 15765-2:2016, 9.6.4 and 9.5.4).
        let fits = frame_bytes == message.frame_bytes || (last && frame_bytes < message.frame_bytes);
        if number != message.next || !fits {
            return Err(RejectCode::TransportSequence);
        }
        self.append(&part[..part.len().min(missing)]);
        if last {
            return Ok(true);
        }
        message.next = (message.next + 1) & 0x0F;
        let (flow, wait) = match message.flow {
            Flow::Unheard | Flow::Block(0 | 1) => (Flow::Unheard, LISTENING_MICROS),
            Flow::Open => (Flow::Open, N_CR_MICROS),
            Flow::Block(frames) => (Flow::Block(frames - 1), N_CR_MICROS),
        };
        message.flow = flow;
        message.deadline = after(now, wait);
        self.under_way = Some(message);
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isotp::timing::Gap;
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

    fn says(status: Status, block_size: u8) -> FlowControl {
        FlowControl { status, block_size, gap: Gap::NONE }
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
        let frames = segment(&[7; 30], 8);
        let mut receiver = Receiver::default();
        assert_eq!(receiver.push(&frames[0], START).heard, Heard::First);
        // Unheard flow control may lie between; once it was heard, N_Cr counts.
        let mut now = after(START, LISTENING_MICROS);
        assert_eq!(receiver.push(&frames[1], now).dropped, None);
        now = after(now, LISTENING_MICROS);
        assert_eq!(receiver.flow_control(says(Status::Continue, 0), now), None);
        now = after(now, N_CR_MICROS);
        assert_eq!(receiver.push(&frames[2], now).dropped, None);
        now = after(now, N_CR_MICROS + 1);
        assert_eq!(receiver.push(&frames[3], now), Step::dropped(RejectCode::TransportTimeout));
        assert_eq!(receiver.expire(now), None, "counted once");
    }

    #[test]
    fn between_blocks_and_while_told_to_wait_there_is_more_time() {
        let frames = segment(&[7; 30], 8);
        let mut receiver = Receiver::default();
        receiver.push(&frames[0], START);
        assert_eq!(receiver.flow_control(says(Status::Continue, 1), START), None);
        assert_eq!(receiver.push(&frames[1], START).dropped, None);
        assert_eq!(receiver.deadline(), Some(after(START, LISTENING_MICROS)), "a block ends here");
        let later = after(START, 900_000);
        assert_eq!(receiver.flow_control(says(Status::Wait, 0), later), None);
        assert_eq!(receiver.deadline(), Some(after(later, LISTENING_MICROS)));
        assert_eq!(receiver.flow_control(says(Status::Overflow, 0), later), Some(RejectCode::TransportSize));
        assert_eq!(receiver.push(&frames[2], later), Step { dropped: None, heard: Heard::Nothing });
    }

    #[test]
    fn a_message_longer_than_the_bound_is_not_followed() {
        let mut receiver = Receiver::new(0, 100);
        let too_long = segment(&[1; 101], 8);
        let step = receiver.push(&too_long[0], START);
        assert_eq!(step, Step { dropped: Some(RejectCode::TransportSize), heard: Heard::TooLong });
        assert_eq!(receiver.push(&too_long[1], START), Step { dropped: None, heard: Heard::Nothing });
        assert_eq!(hear(&mut receiver, &segment(&[2; 100], 8)).0, [vec![2; 100]]);
        // 4 GiB are claimed and two bytes came.
        let claims = [0x10, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2];
        assert_eq!(Receiver::default().push(&claims, START).heard, Heard::TooLong);
        let mut patient = Receiver::new(0, usize::MAX);
        assert_eq!(patient.push(&claims, START).heard, Heard::First);
        assert_eq!(patient.bytes(), SMALLEST_BUFFER);
    }

    #[test]
    fn frames_of_another_size_than_the_first_one_drop_the_message() {
        for (at, bytes) in [(1, 7), (1, 12)] {
            let mut frames = segment(&[7; 30], 8);
            frames[at].resize(bytes, 0);
            let (messages, dropped) = hear(&mut Receiver::default(), &frames);
            assert_eq!((messages.len(), dropped), (0, vec![RejectCode::TransportSequence]));
        }
        // The last one may be filled up or as short as it gets.
        let mut filled = segment(&[7; 9], 8);
        filled[1].resize(8, 0xAA);
        assert_eq!(hear(&mut Receiver::default(), &filled).0, [vec![7; 9]]);
    }

    #[test]
    fn a_can_fd_single_frame_has_its_length_in_the_second_byte() {
        let mut data = vec![0, 10];
        data.extend(1..=10_u8);
        let (messages, _) = hear(&mut Receiver::default(), &[data]);
        assert_eq!(messages, [(1..=10).collect::<Vec<u8>>()]);
    }

    #[test]
    fn a_second_message_of_the_same_length_takes_no_new_memory() {
        let mut receiver = Receiver::default();
        hear(&mut receiver, &segment(&[1; 900], 8));
        let (bytes, place) = (receiver.bytes(), receiver.buffer.as_ptr());
        hear(&mut receiver, &segment(&[2; 900], 8));
        assert_eq!((receiver.bytes(), receiver.buffer.as_ptr()), (bytes, place));
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
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=64), 0..200),
            address_bytes in 0_usize..=1,
        ) {
            let mut receiver = Receiver::new(address_bytes, MAX_MESSAGE_BYTES);
            for frame in &frames {
                if let Heard::Message(message) = receiver.push(frame, START).heard {
                    prop_assert!(message.len() <= MAX_MESSAGE_BYTES);
                }
                prop_assert!(receiver.bytes() <= MAX_MESSAGE_BYTES);
            }
        }
    }
}
