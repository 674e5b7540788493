//! The answering side of ISO-TP (ISO 15765-2), normal addressing, classic CAN:
//! one request of a single frame, one answer of one or more frames.

use crate::j1939::now_plus;
use std::collections::VecDeque;
use vernport_types::{BootMicros, CanFrame, CanId};

/// How long the answerer waits for a flow control frame (N_Bs).
const FLOW_CONTROL_TIMEOUT_MICROS: u64 = 1_000_000;
/// What fills a frame.
const PADDING: u8 = 0xAA;
/// The longest message of classic ISO-TP: a length of 12 bits.
const MAX_BYTES: usize = 4095;

/// The payload of a single frame.
pub(crate) fn single_frame_payload(frame: &CanFrame) -> Option<&[u8]> {
    let (&control, payload) = frame.data().split_first()?;
    if control >> 4 != 0 || control == 0 {
        return None;
    }
    payload.get(..usize::from(control))
}

/// One conversation: answers that go out under one identifier.
pub(crate) struct Answerer {
    id: CanId,
    consecutive: VecDeque<CanFrame>,
    state: State,
}

enum State {
    Idle,
    /// A first frame, or a block, is out; flow control must come.
    Awaiting {
        until: BootMicros,
    },
    /// Frames go out; `None` left in the block means no end to it.
    Sending {
        due: BootMicros,
        pause_micros: u64,
        left_in_block: Option<u8>,
    },
}

impl Answerer {
    pub(crate) const fn new(id: CanId) -> Self {
        Self { id, consecutive: VecDeque::new(), state: State::Idle }
    }

    /// Begins an answer; one that is under way is given up, as the standard
    /// has it for a new request.
    pub(crate) fn answer(&mut self, payload: &[u8], now: BootMicros) -> Option<CanFrame> {
        self.consecutive.clear();
        self.state = State::Idle;
        if payload.len() <= 7 {
            let length = u8::try_from(payload.len()).expect("at most 7");
            return Some(self.frame(&[length], payload));
        }
        if payload.len() > MAX_BYTES {
            return None;
        }
        let (first, rest) = payload.split_at(6);
        let [high, low] = u16::try_from(payload.len()).expect("at most 12 bits").to_be_bytes();
        for (chunk, sequence) in rest.chunks(7).zip((0..=15u8).cycle().skip(1)) {
            self.consecutive.push_back(self.frame(&[0x20 | sequence], chunk));
        }
        self.state = State::Awaiting { until: now_plus(now, FLOW_CONTROL_TIMEOUT_MICROS) };
        Some(self.frame(&[0x10 | high, low], first))
    }

    /// A frame of the asker that may be flow control.
    pub(crate) fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        if !matches!(self.state, State::Awaiting { .. }) {
            return Vec::new();
        }
        match *frame.data() {
            // Clear to send: block size, then the pause between frames.
            [0x30, block, separation, ..] => {
                self.state = State::Sending {
                    due: now,
                    pause_micros: pause_micros(separation),
                    left_in_block: (block > 0).then_some(block),
                };
                self.on_tick(now)
            }
            [0x31, ..] => {
                self.state = State::Awaiting { until: now_plus(now, FLOW_CONTROL_TIMEOUT_MICROS) };
                Vec::new()
            }
            // Overflow: the asker will not have it.
            [0x32, ..] => {
                self.consecutive.clear();
                self.state = State::Idle;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// What is due now; an answer that waited too long for flow control is given up.
    pub(crate) fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let mut out = Vec::new();
        loop {
            match &mut self.state {
                State::Awaiting { until } if *until <= now => {
                    self.consecutive.clear();
                    self.state = State::Idle;
                }
                State::Sending { due, pause_micros, left_in_block } if *due <= now => {
                    let Some(frame) = self.consecutive.pop_front() else {
                        self.state = State::Idle;
                        continue;
                    };
                    out.push(frame);
                    *due = now_plus(now, *pause_micros);
                    if let Some(left) = left_in_block {
                        *left -= 1;
                        if *left == 0 && !self.consecutive.is_empty() {
                            let until = now_plus(now, FLOW_CONTROL_TIMEOUT_MICROS);
                            self.state = State::Awaiting { until };
                            return out;
                        }
                    }
                    if self.consecutive.is_empty() {
                        self.state = State::Idle;
                    }
                }
                _ => return out,
            }
        }
    }

    pub(crate) const fn next_due(&self) -> Option<BootMicros> {
        match self.state {
            State::Idle => None,
            State::Awaiting { until } => Some(until),
            State::Sending { due, .. } => Some(due),
        }
    }

    fn frame(&self, control: &[u8], payload: &[u8]) -> CanFrame {
        let mut data = [PADDING; 8];
        data[..control.len()].copy_from_slice(control);
        data[control.len()..control.len() + payload.len()].copy_from_slice(payload);
        CanFrame::data_frame(self.id, &data).expect("8 bytes fit a frame")
    }
}

/// STmin (ISO 15765-2, table 20): 0x00 to 0x7F ms, 0xF1 to 0xF9 hundreds of
/// µs; reserved values count as the longest.
const fn pause_micros(separation: u8) -> u64 {
    match separation {
        0x00..=0x7F => separation as u64 * 1000,
        0xF1..=0xF9 => (separation - 0xF0) as u64 * 100,
        _ => 127_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER_ID: CanId = CanId::Standard(0x7E8);

    fn flow_control(bytes: &[u8]) -> CanFrame {
        CanFrame::data_frame(CanId::Standard(0x7E0), bytes).expect("short enough")
    }

    fn sequence_numbers(frames: &[CanFrame]) -> Vec<u8> {
        frames.iter().map(|frame| frame.data()[0]).collect()
    }

    #[test]
    fn a_short_answer_is_one_frame_and_a_long_one_waits_for_flow_control() {
        let mut answerer = Answerer::new(ANSWER_ID);
        let now = BootMicros(0);
        let single = answerer.answer(&[0x41, 0x0D, 80], now).expect("a frame");
        assert_eq!(single.data(), [3, 0x41, 0x0D, 80, 0xAA, 0xAA, 0xAA, 0xAA]);
        assert_eq!(answerer.next_due(), None);

        let payload: Vec<u8> = (0..20).collect();
        let first = answerer.answer(&payload, now).expect("a frame");
        assert_eq!(first.data(), [0x10, 20, 0, 1, 2, 3, 4, 5]);
        assert_eq!(answerer.on_tick(BootMicros(999_999)), []);
        let rest = answerer.on_frame(&flow_control(&[0x30, 0, 0]), BootMicros(999_999));
        assert_eq!(rest[0].data(), [0x21, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(rest[1].data(), [0x22, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!((rest.len(), answerer.next_due()), (2, None));
    }

    #[test]
    fn the_asker_sets_the_pace_and_the_block_size() {
        let mut answerer = Answerer::new(ANSWER_ID);
        answerer.answer(&[0; 34], BootMicros(0)).expect("a first frame and four more");
        let clear = flow_control(&[0x30, 2, 20]);
        assert_eq!(sequence_numbers(&answerer.on_frame(&clear, BootMicros(100))), [0x21]);
        assert_eq!(answerer.next_due(), Some(BootMicros(20_100)));
        assert_eq!(answerer.on_tick(BootMicros(20_099)), []);
        assert_eq!(sequence_numbers(&answerer.on_tick(BootMicros(20_100))), [0x22]);
        assert_eq!(answerer.on_tick(BootMicros(60_000)), [], "the block is over");
        assert_eq!(answerer.on_frame(&flow_control(&[0x31, 0, 0]), BootMicros(900_000)), [], "told to wait");
        let rest = answerer.on_frame(&flow_control(&[0x30, 0, 0xF1]), BootMicros(1_800_000));
        assert_eq!(sequence_numbers(&rest), [0x23]);
        assert_eq!(sequence_numbers(&answerer.on_tick(BootMicros(1_800_100))), [0x24]);
    }

    #[test]
    fn silence_overflow_and_a_new_answer_end_the_old_one() {
        let mut answerer = Answerer::new(ANSWER_ID);
        let clear = flow_control(&[0x30, 0, 0]);
        answerer.answer(&[0; 20], BootMicros(0)).expect("a first frame");
        assert_eq!(answerer.on_tick(BootMicros(1_000_000)), []);
        assert_eq!(answerer.on_frame(&clear, BootMicros(1_000_001)), [], "too late");

        answerer.answer(&[0; 20], BootMicros(0)).expect("a first frame");
        answerer.on_frame(&flow_control(&[0x32, 0, 0]), BootMicros(1));
        assert_eq!(answerer.on_frame(&clear, BootMicros(2)), [], "the asker had no room");

        answerer.answer(&[0; 20], BootMicros(0)).expect("a first frame");
        answerer.answer(&[1; 3], BootMicros(1)).expect("a single frame");
        assert_eq!(answerer.on_frame(&clear, BootMicros(2)), [], "the old answer is gone");
    }

    #[test]
    fn sequence_numbers_wrap_from_15_to_0_and_too_long_is_refused() {
        let mut answerer = Answerer::new(ANSWER_ID);
        answerer.answer(&[0; 6 + 17 * 7], BootMicros(0)).expect("a first frame");
        let frames = answerer.on_frame(&flow_control(&[0x30, 0, 0]), BootMicros(1));
        assert_eq!(sequence_numbers(&frames)[13..], [0x2E, 0x2F, 0x20, 0x21]);
        assert!(answerer.answer(&[0; MAX_BYTES + 1], BootMicros(2)).is_none());
    }

    #[test]
    fn only_a_whole_single_frame_is_a_request() {
        let payload = |bytes: &[u8]| single_frame_payload(&flow_control(bytes)).map(<[u8]>::to_vec);
        assert_eq!(payload(&[2, 9, 2, 0, 0, 0, 0, 0]), Some(vec![9, 2]));
        assert_eq!(payload(&[2, 9, 2]), Some(vec![9, 2]));
        for bytes in [&[][..], &[0, 1], &[3, 9, 2], &[0x10, 20, 1, 2, 3, 4, 5, 6], &[0x30, 0, 0], &[8, 1]] {
            assert_eq!(payload(bytes), None, "{bytes:?}");
        }
    }
}
