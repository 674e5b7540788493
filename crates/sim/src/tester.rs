//! Another tester on the bus: asks every few seconds, and may open a diagnostic
//! session and hold it. It helps long answers along as a tester has to.

use crate::{
    fault::Session,
    random::Random,
    vehicle::{Kind, now_plus},
};
use vernport_types::{BootMicros, CanFrame, CanId};

/// When it asks first.
const FIRST_MICROS: u64 = 2_000_000;
/// It pauses so long at least between two requests, and up to twice that.
const PAUSE_MICROS: u32 = 3_000_000;
/// How often it says that it is there while it holds a session; S3 is 5 s.
const PRESENT_MICROS: u64 = 2_000_000;
/// How long after a request a first frame is an answer to it.
const ANSWER_MICROS: u64 = 1_000_000;
/// What it fills frames with.
const PADDING: u8 = 0x55;
/// The address of a service tool on J1939 (SAE J1939, table B2: off-board diagnostic-service tool 2).
const J1939_ADDRESS: u32 = 0xFA;

/// To all or to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    All,
    One,
}

/// What it asks, one after the other: service and rest.
const QUESTIONS: [(To, &[u8]); 4] = [
    (To::All, &[0x01, 0x00]),
    (To::One, &[0x22, 0xF1, 0x90]),
    (To::All, &[0x03]),
    (To::One, &[0x19, 0x02, 0xFF]),
];

/// A second tester.
pub(crate) struct Tester {
    kind: Kind,
    session: Option<Session>,
    opened: bool,
    asked_at: Option<BootMicros>,
    question: usize,
    next_question: BootMicros,
    next_present: BootMicros,
    random: Random,
}

impl Tester {
    pub(crate) const fn new(kind: Kind, session: Option<Session>, seed: u64, now: BootMicros) -> Self {
        Self {
            kind,
            session,
            opened: false,
            asked_at: None,
            question: 0,
            next_question: now_plus(now, FIRST_MICROS),
            next_present: crate::NEVER,
            random: Random::new(seed),
        }
    }

    /// What it asks now.
    pub(crate) fn on_tick(&mut self, now: BootMicros) -> Option<CanFrame> {
        if self.next_present <= now {
            self.next_present = now_plus(now, PRESENT_MICROS);
            return self.frame(To::One, &[0x3E, 0x80]);
        }
        if self.next_question > now {
            return None;
        }
        let pause = u64::from(PAUSE_MICROS) + u64::from(self.random.below(PAUSE_MICROS));
        self.next_question = now_plus(now, pause);
        self.asked_at = Some(now);
        if self.kind == Kind::Trailer {
            // VI, of all.
            let id = CanId::Extended(0x18EA_FF00 | J1939_ADDRESS);
            return CanFrame::data_frame(id, &[0xEC, 0xFE, 0x00]);
        }
        if let Some(session) = self.session.filter(|_| !self.opened) {
            self.opened = true;
            self.next_present = now_plus(now, PRESENT_MICROS);
            let number = match session {
                Session::Programming => 2,
                Session::Extended => 3,
            };
            return self.frame(To::One, &[0x10, number]);
        }
        let (to, request) = QUESTIONS[self.question % QUESTIONS.len()];
        self.question = self.question.wrapping_add(1);
        self.frame(to, request)
    }

    /// A frame of the vehicle; flow control if it begins a long answer to this tester.
    pub(crate) fn on_frame(&self, frame: &CanFrame, now: BootMicros) -> Option<CanFrame> {
        let asked = self.asked_at.is_some_and(|at| now.0.saturating_sub(at.0) <= ANSWER_MICROS);
        let first = frame.data().first().is_some_and(|control| control >> 4 == 1);
        if !asked || !first {
            return None;
        }
        let to = match frame.id() {
            CanId::Standard(id @ 0x7E8..=0x7EF) => CanId::Standard(id - 8),
            CanId::Extended(id) if id & 0x1FFF_FF00 == 0x18DA_F100 => {
                CanId::Extended(0x18DA_00F1 | (id & 0xFF) << 8)
            }
            _ => return None,
        };
        CanFrame::data_frame(to, &padded(&[0x30, 0, 0]))
    }

    pub(crate) fn next_due(&self) -> BootMicros {
        self.next_question.min(self.next_present)
    }

    fn frame(&self, to: To, request: &[u8]) -> Option<CanFrame> {
        let id = match (self.kind, to) {
            (Kind::Car, To::All) => CanId::Standard(0x7DF),
            (Kind::Car, To::One) => CanId::Standard(0x7E0),
            (_, To::All) => CanId::Extended(0x18DB_33F1),
            (Kind::Ev, To::One) => CanId::Extended(0x18DA_10F1),
            (_, To::One) => CanId::Extended(0x18DA_00F1),
        };
        let length = u8::try_from(request.len()).ok()?;
        CanFrame::data_frame(id, &padded(&[&[length], request].concat()))
    }
}

fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut data = [PADDING; 8];
    for (place, byte) in data.iter_mut().zip(bytes) {
        *place = *byte;
    }
    data
}
