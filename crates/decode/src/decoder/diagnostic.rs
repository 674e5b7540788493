//! Diagnostic messages on the bus, whoever asked: which frames they come in, and
//! which answer is to which request.
//!
//! - 7E8 to 7EF and 18DAFxyy only carry answers (ISO 15765-4, ISO 15765-2): they
//!   are followed as they come, also where the requests are not heard.
//! - Any other identifier X + 8 in 700 to 7FF is followed only for as long as a
//!   reading request on X waits for its answer, and only the answer to it is
//!   taken: a broadcast that happens to look like ISO-TP gives nothing.

use crate::{
    RejectCode,
    isotp::{Conversations, Heard, Limits, Pci},
    uds::{Negative, P2_STAR_MICROS, Reaction},
};
use vernport_types::{BootMicros, CanFrame, CanId};

/// Requests that wait for their answers at once; a further one takes the place of the oldest.
const MAX_WAITING: usize = 32;

/// A request that was heard.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    answer_id: CanId,
    /// The first bytes: what a single frame of classic CAN carries.
    request: [u8; 7],
    len: usize,
    until: BootMicros,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({:?})", self.answer_id)
    }
}

/// What one frame completed.
pub(super) struct Step<'a> {
    /// Why a message was dropped.
    pub(super) dropped: Option<RejectCode>,
    /// A whole answer of a control unit, with the request where that was heard.
    pub(super) answer: Option<(&'a [u8], Option<Asked>)>,
}

impl Step<'_> {
    const NOTHING: Self = Self { dropped: None, answer: None };
}

/// What identifiers say about a frame.
enum Role {
    /// An answer; `known` if the identifier carries nothing else.
    Answer {
        known: bool,
    },
    /// A request, with where its answer comes if one unit is asked.
    Request {
        answer_id: CanId,
    },
    None,
}

/// The diagnostic messages of one bus.
#[derive(Debug)]
pub(super) struct Diagnostics {
    conversations: Conversations,
    waiting: Vec<Asked>,
}

impl Diagnostics {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { conversations: Conversations::new(limits), waiting: Vec::new() }
    }

    /// Whether frames with this identifier come here.
    pub(super) const fn are_on(id: CanId) -> bool {
        match id {
            CanId::Standard(id) => matches!(id, 0x700..=0x7FF),
            // To or from a tester (F0 to FF).
            CanId::Extended(raw) => raw >> 16 == 0x18DA && (raw & 0xF000 == 0xF000 || raw & 0xF0 == 0xF0),
        }
    }

    /// Takes one data frame.
    pub(super) fn push(&mut self, frame: &CanFrame, now: BootMicros) -> Step<'_> {
        let id = frame.id();
        match self.role(id, now) {
            Role::Answer { known } => self.answer(id, known, frame.data(), now),
            Role::Request { answer_id } => {
                Step { dropped: self.request(answer_id, frame.data(), now), answer: None }
            }
            Role::None => Step::NOTHING,
        }
    }

    pub(super) fn expire(&mut self, now: BootMicros) -> usize {
        self.conversations.expire(now)
    }

    pub(super) fn reset(&mut self) {
        self.conversations.reset();
        self.waiting.clear();
    }

    fn role(&self, id: CanId, now: BootMicros) -> Role {
        match id {
            CanId::Standard(0x7E8..=0x7EF) => Role::Answer { known: true },
            CanId::Extended(raw) if raw & 0xF000 == 0xF000 => Role::Answer { known: true },
            _ if self.place_of(id, now).is_some() => Role::Answer { known: false },
            // All units are asked; which will answer is not said.
            CanId::Standard(0x7DF) => Role::None,
            CanId::Standard(id) => {
                CanId::standard(id + 8).map_or(Role::None, |answer_id| Role::Request { answer_id })
            }
            CanId::Extended(raw) => {
                let swapped = 0x18DA_0000 | (raw & 0xFF) << 8 | raw >> 8 & 0xFF;
                Role::Request { answer_id: CanId::Extended(swapped) }
            }
        }
    }

    /// The request that an answer with this identifier would be to.
    fn place_of(&self, answer_id: CanId, now: BootMicros) -> Option<usize> {
        self.waiting.iter().position(|asked| asked.answer_id == answer_id && now <= asked.until)
    }

    fn request(&mut self, answer_id: CanId, data: &[u8], now: BootMicros) -> Option<RejectCode> {
        match Pci::read(data, 0).ok()?? {
            Pci::Single(request) if only_reads(request) => self.wait_for(answer_id, request, now),
            Pci::FlowControl(said) => return self.conversations.flow_control(answer_id, said, now),
            _ => {}
        }
        None
    }

    fn wait_for(&mut self, answer_id: CanId, request: &[u8], now: BootMicros) {
        let mut asked = Asked { answer_id, request: [0; 7], len: request.len().min(7), until: until(now) };
        asked.request[..asked.len].copy_from_slice(&request[..asked.len]);
        let same = self.waiting.iter().position(|waiting| waiting.answer_id == answer_id);
        let oldest = || (0..self.waiting.len()).min_by_key(|place| self.waiting[*place].until);
        match same.or_else(|| oldest().filter(|_| self.waiting.len() == MAX_WAITING)) {
            Some(place) => self.waiting[place] = asked,
            None => self.waiting.push(asked),
        }
    }

    fn answer(&mut self, id: CanId, known: bool, data: &[u8], now: BootMicros) -> Step<'_> {
        let place = self.place_of(id, now);
        let step = self.conversations.push(id, data, now);
        let dropped = step.dropped;
        let mut asked = place.and_then(|place| self.waiting.get_mut(place));
        let Heard::Message(message) = step.heard else {
            // A long answer takes its time.
            if let Some(asked) = &mut asked {
                asked.until = until(now);
            }
            return Step { dropped, answer: None };
        };
        if let Some(negative) = Negative::read(message) {
            match (asked, negative.code.reaction()) {
                (Some(asked), Reaction::Wait) => asked.until = until(now),
                (Some(_), _) if let Some(place) = place => drop(self.waiting.swap_remove(place)),
                _ => {}
            }
            return Step { dropped, answer: None };
        }
        let fits = asked.as_ref().is_some_and(|asked| asked.is_answered_by(message));
        match place.filter(|_| fits) {
            Some(place) => {
                let asked = self.waiting.swap_remove(place);
                Step { dropped, answer: Some((message, Some(asked))) }
            }
            None => Step { dropped, answer: known.then_some((message, None)) },
        }
    }
}

fn until(now: BootMicros) -> BootMicros {
    BootMicros(now.0.saturating_add(P2_STAR_MICROS))
}

/// Whether a request is one of the services whose answers are read.
fn only_reads(request: &[u8]) -> bool {
    match request {
        [0x22, dids @ ..] => !dids.is_empty() && dids.len().is_multiple_of(2),
        [0x01 | 0x02 | 0x09 | 0x19, _, ..] | [0x03 | 0x07 | 0x0A] => true,
        _ => false,
    }
}

impl Asked {
    /// The request as far as it is kept.
    pub(super) fn request(&self) -> &[u8] {
        &self.request[..self.len]
    }

    /// Whether a message answers this request, by its service and by what was asked for.
    fn is_answered_by(&self, message: &[u8]) -> bool {
        let [service, parameters @ ..] = self.request() else { return false };
        let [answered, told @ ..] = message else { return false };
        if *answered != service | 0x40 {
            return false;
        }
        match service {
            0x22 => told.len() >= 2 && parameters.get(..2) == told.get(..2),
            // A unit answers the PIDs that it has, in any order.
            0x01 => told.first().is_some_and(|pid| parameters.contains(pid)),
            0x02 | 0x09 | 0x19 => !told.is_empty() && parameters.first() == told.first(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> CanFrame {
        crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
    }

    fn hear(diagnostics: &mut Diagnostics, frames: &[&str]) -> Vec<(String, bool)> {
        let mut answers = Vec::new();
        for (text, at) in frames.iter().zip((0..).step_by(10_000)) {
            if let Some((message, asked)) = diagnostics.push(&frame(text), BootMicros(at)).answer {
                answers.push((hex::encode_upper(message), asked.is_some()));
            }
        }
        answers
    }

    fn diagnostics() -> Diagnostics {
        Diagnostics::new(Limits::default())
    }

    #[test]
    fn an_answer_is_followed_on_any_pair_whose_request_was_heard() {
        let answer = ["7A8#0562C00B0102AAAA"];
        assert_eq!(hear(&mut diagnostics(), &answer), [], "nobody asked");
        let asked = ["7A0#0322C00BAAAAAAAA", "7A8#0562C00B0102AAAA", "7A8#0562C00B0304AAAA"];
        assert_eq!(
            hear(&mut diagnostics(), &asked),
            [("62C00B0102".into(), true)],
            "one answer to one request"
        );
        let long =
            ["7B3#03220100AAAAAAAA", "7BB#100A6201001122", "7B3#3000000000000000", "7BB#2133445566AAAAAA"];
        assert_eq!(hear(&mut diagnostics(), &long), [], "a first frame has 8 bytes");
        let long =
            ["7B3#03220100AAAAAAAA", "7BB#100A620100112233", "7B3#3000000000000000", "7BB#2144556677AAAAAA"];
        assert_eq!(hear(&mut diagnostics(), &long), [("62010011223344556677".into(), true)]);
    }

    #[test]
    fn only_the_answer_to_the_request_is_taken_there() {
        for other in ["7A8#0562C00C0102AAAA", "7A8#044101AAAAAAAAAA", "7A8#02620A", "7A9#0562C00B0102AAAA"] {
            assert_eq!(hear(&mut diagnostics(), &["7A0#0322C00BAAAAAAAA", other]), [], "{other}");
        }
        for request in
            ["7A0#0422C00BAAAAAAAA", "7A0#023E80", "7A0#042EC00B01", "7A0#0327C00B", "7DF#0322C00B"]
        {
            assert_eq!(hear(&mut diagnostics(), &[request, "7A8#0562C00B0102AAAA"]), [], "{request}");
        }
        for (request, answer) in
            [("7A0#03010C0D", "7A8#03410D50"), ("7A0#0319020F", "7A8#035902FB"), ("7A0#0103", "7A8#024300")]
        {
            assert_eq!(hear(&mut diagnostics(), &[request, answer]).len(), 1, "{request}");
        }
    }

    #[test]
    fn known_identifiers_of_answers_need_no_request() {
        let answers = ["7E8#03410D50", "18DAF110#03410D50"];
        let told = ("410D50".to_owned(), false);
        assert_eq!(hear(&mut diagnostics(), &answers), [told.clone(), told]);
        let asked = ["18DA10F1#02010D", "18DAF110#03410D50", "7E0#02010D", "7E8#03410D50"];
        let told = ("410D50".to_owned(), true);
        assert_eq!(hear(&mut diagnostics(), &asked), [told.clone(), told]);
    }

    #[test]
    fn a_pending_answer_is_waited_for_and_a_refusal_ends_the_waiting() {
        let mut diagnostics = diagnostics();
        let mut push = |text: &str, at| diagnostics.push(&frame(text), BootMicros(at)).answer.is_some();
        push("7A0#0322C00B", 0);
        push("7A8#037F2278", P2_STAR_MICROS);
        assert!(push("7A8#0462C00B01", 2 * P2_STAR_MICROS));
        push("7A0#0322C00B", 0);
        assert!(!push("7A8#0462C00B01", P2_STAR_MICROS + 1), "too late");
        push("7A0#0322C00B", 0);
        push("7A8#037F2231", 1);
        assert!(!push("7A8#0462C00B01", 2), "it was refused");
    }

    #[test]
    fn more_requests_than_the_bound_take_the_place_of_the_oldest() {
        let mut diagnostics = diagnostics();
        for (number, at) in (0x700_u16..0x750).zip(0..) {
            let request = CanFrame::data_frame(CanId::Standard(number), &[3, 0x22, 1, 2]).expect("short");
            diagnostics.push(&request, BootMicros(at));
            assert!(diagnostics.waiting.len() <= MAX_WAITING);
        }
    }
}
