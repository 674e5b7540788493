//! What an operator knows of its streams: which numbers came, which were named
//! as skipped, which are missing, and which messages came again.
//!
//! `seq` has no gap per operator, purpose and vehicle. A jump that no `skipped`
//! names was lost between gateway and operator: as a rule the broker let it
//! expire. A message that is delivered again bears its id again, so it is told
//! apart from a new one however often it comes.
//!
//! Promises: nothing here panics on foreign numbers, and the room is bounded:
//! streams, ids of each, gaps of each ([`StreamLimits`]).

mod saved;

pub use saved::NotSaved;

use crate::{FleetMessage, Stream};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
};
use vernport_types::MessageId;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams; the one that was silent longest makes room.
    pub streams: usize,
    /// Messages of each stream that are known again when they are repeated.
    pub recent: usize,
    /// Gaps of each stream that may still be filled; older ones stay counted.
    pub gaps: usize,
}

impl Default for StreamLimits {
    /// 1024 streams, the last 1024 messages and 64 gaps of each: 25 MB at most.
    fn default() -> Self {
        Self { streams: 1024, recent: 1024, gaps: 64 }
    }
}

/// A range of numbers, both ends among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Numbered {
    /// How many they are.
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// What both have.
    fn common(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }
}

/// What a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has not come before.
    New,
    /// It had been counted as missing.
    Late,
    /// It came before, or says what was said before.
    Repeated,
    /// Its number was another message's: the gateway counts anew, so what is missing between is not known.
    BeganAnew,
}

/// What one delivery means for its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Whether it is new.
    pub news: News,
    /// Numbers just before it that did not come and that nobody named: lost at
    /// the broker, where they expired as a rule.
    pub missing: Option<Numbered>,
}

/// What came of a stream, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Different values and sealed batches.
    pub messages: u64,
    /// Deliveries of what had come before.
    pub repeated: u64,
    /// Numbers that the gateway named as never coming.
    pub skipped: u64,
    /// Numbers that are missing and that nobody named.
    pub missing: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.repeated += other.repeated;
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.missing = self.missing.saturating_add(other.missing);
    }
}

/// The state of one stream.
struct Known {
    /// The highest number heard of.
    highest: u64,
    /// Ascending, apart from each other.
    missing: VecDeque<Numbered>,
    recent: VecDeque<(u64, MessageId)>,
    heard: u64,
    counts: Counts,
}

/// The streams of one operator. `Debug` shows no vehicle.
#[derive(Default)]
pub struct Streams {
    limits: StreamLimits,
    known: HashMap<Stream, Known>,
    deliveries: u64,
    /// Of streams that made room.
    forgotten: Counts,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streams({}, {:?})", self.known.len(), self.total())
    }
}

impl Streams {
    /// Nothing is known yet: the first message of each stream is where it begins.
    pub fn new(limits: StreamLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes note of a delivery on the topic of this stream.
    pub fn note(&mut self, stream: &Stream, message: &FleetMessage) -> Noted {
        self.deliveries += 1;
        if !self.known.contains_key(stream) && self.known.len() >= self.limits.streams.max(1) {
            self.forget_one();
        }
        let known = self.known.entry(stream.clone()).or_insert_with(|| Known {
            highest: numbers(message).first.saturating_sub(1),
            missing: VecDeque::new(),
            recent: VecDeque::new(),
            heard: 0,
            counts: Counts::default(),
        });
        known.heard = self.deliveries;
        known.note(message, &self.limits)
    }

    /// Each stream that is remembered, and what came of it.
    pub fn counts(&self) -> impl Iterator<Item = (&Stream, Counts)> {
        self.known.iter().map(|(stream, known)| (stream, known.counts))
    }

    /// What came of all, those that made room among them.
    pub fn total(&self) -> Counts {
        let mut total = self.forgotten;
        self.known.values().for_each(|known| total.add(known.counts));
        total
    }

    fn forget_one(&mut self) {
        let silent = self.known.iter().min_by_key(|(_, known)| known.heard).map(|(stream, _)| stream.clone());
        if let Some(known) = silent.and_then(|stream| self.known.remove(&stream)) {
            self.forgotten.add(known.counts);
        }
    }
}

impl Known {
    fn note(&mut self, message: &FleetMessage, limits: &StreamLimits) -> Noted {
        let names_others = matches!(message, FleetMessage::Skipped(_));
        let noted = if self.recent.iter().any(|(_, id)| *id == message.id()) {
            Noted { news: News::Repeated, missing: None }
        } else {
            self.remember(message, limits.recent.max(1));
            self.place(numbers(message), names_others, limits.gaps)
        };
        match noted.news {
            News::Repeated => self.counts.repeated += 1,
            _ if !names_others => self.counts.messages += 1,
            _ => {}
        }
        noted
    }

    /// Where a message that was not seen before stands among the numbers.
    fn place(&mut self, these: Numbered, names_others: bool, gaps: usize) -> Noted {
        let filled = self.fill(these);
        let beyond = these.last.saturating_sub(self.highest.max(these.first.saturating_sub(1)));
        if names_others {
            self.counts.skipped = self.counts.skipped.saturating_add(filled).saturating_add(beyond);
        }
        if these.last > self.highest {
            let before =
                Numbered { first: self.highest.saturating_add(1), last: these.first.saturating_sub(1) };
            let missing = (before.first <= before.last).then_some(before);
            if let Some(missing) = missing {
                self.counts.missing = self.counts.missing.saturating_add(missing.count());
                self.missing.push_back(missing);
                if self.missing.len() > gaps {
                    self.missing.pop_front();
                }
            }
            self.highest = these.last;
            return Noted { news: News::New, missing };
        }
        let news = match (filled, names_others) {
            (1.., _) => News::Late,
            // It says again what is known: that its numbers do not come, or that they came before.
            (0, true) => News::Repeated,
            (0, false) => {
                self.missing.clear();
                self.recent.retain(|(seq, _)| *seq == these.last);
                self.highest = these.last;
                News::BeganAnew
            }
        };
        Noted { news, missing: None }
    }

    /// Takes numbers out of the missing ones; says how many were among them.
    fn fill(&mut self, these: Numbered) -> u64 {
        let mut filled = 0;
        let mut left = VecDeque::with_capacity(self.missing.len());
        for gap in self.missing.drain(..) {
            let Some(common) = gap.common(these) else {
                left.push_back(gap);
                continue;
            };
            filled += common.count();
            if gap.first < common.first {
                left.push_back(Numbered { first: gap.first, last: common.first - 1 });
            }
            if common.last < gap.last {
                left.push_back(Numbered { first: common.last + 1, last: gap.last });
            }
        }
        self.missing = left;
        self.counts.missing = self.counts.missing.saturating_sub(filled);
        filled
    }

    fn remember(&mut self, message: &FleetMessage, recent: usize) {
        if self.recent.len() >= recent {
            self.recent.pop_front();
        }
        self.recent.push_back((message.seq(), message.id()));
    }
}

/// The numbers that a message stands for.
fn numbers(message: &FleetMessage) -> Numbered {
    let last = message.seq();
    let first = match message {
        FleetMessage::Skipped(skipped) => last.saturating_sub(skipped.skipped.saturating_sub(1)),
        FleetMessage::Value(_) | FleetMessage::Sealed(_) => last,
    };
    Numbered { first, last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use vernport_types::VehicleAlias;

    const ALIAS: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

    pub(super) fn stream(n: u8) -> Stream {
        Stream {
            operator: "fjord".parse().expect("a slug"),
            purpose: "service".parse().expect("a slug"),
            vehicle: VehicleAlias::from_bytes([n; 16]),
        }
    }

    pub(super) fn value(seq: u64, id: u64) -> FleetMessage {
        let json = format!(
            r#"{{"v":1,"id":"{id:032x}","seq":{seq},"vehicle":"{ALIAS}","path":"Vehicle.A","value":1,"unit":"","time":"2026-11-20T09:00:00Z","time_quality":"synced","source":"tool","minimised":"exact","purpose":"service","flow":"a","bundle":"b","late":false,"delete_by":"2026-12-20T00:00:00Z"}}"#
        );
        FleetMessage::from_json(json.as_bytes()).expect("a message")
    }

    fn skipped(last: u64, count: u64) -> FleetMessage {
        let id = last | 1 << 60;
        let json = format!(
            r#"{{"v":1,"id":"{id:032x}","seq":{last},"vehicle":"{ALIAS}","purpose":"service","skipped":{count}}}"#
        );
        FleetMessage::from_json(json.as_bytes()).expect("a message")
    }

    fn note(streams: &mut Streams, message: &FleetMessage) -> Noted {
        streams.note(&stream(1), message)
    }

    pub(super) fn gap(first: u64, last: u64) -> Option<Numbered> {
        Some(Numbered { first, last })
    }

    #[test]
    fn a_jump_is_missing_unless_it_was_named() {
        let mut streams = Streams::default();
        let new = |missing| Noted { news: News::New, missing };
        assert_eq!(note(&mut streams, &value(12, 12)), new(None), "it begins anywhere");
        assert_eq!(note(&mut streams, &skipped(16, 4)), new(None));
        assert_eq!(note(&mut streams, &value(17, 17)), new(None));
        assert_eq!(note(&mut streams, &value(20, 20)), new(gap(18, 19)));
        assert_eq!(note(&mut streams, &skipped(24, 2)), new(gap(21, 22)));
        let counts = Counts { messages: 3, repeated: 0, skipped: 6, missing: 4 };
        assert_eq!(streams.total(), counts);
    }

    #[test]
    fn a_repeated_message_counts_once_and_one_that_comes_late_is_missing_no_more() {
        let mut streams = Streams::default();
        for seq in [1, 2, 5] {
            note(&mut streams, &value(seq, seq));
        }
        assert_eq!(note(&mut streams, &value(2, 2)).news, News::Repeated);
        assert_eq!(note(&mut streams, &value(3, 3)), Noted { news: News::Late, missing: None });
        assert_eq!(note(&mut streams, &value(3, 3)).news, News::Repeated);
        assert_eq!(streams.total(), Counts { messages: 4, repeated: 2, skipped: 0, missing: 1 });
    }

    #[test]
    fn what_came_and_was_named_as_skipped_afterwards_is_counted_once() {
        // Sent, its acknowledgement lost, then destroyed: the next one names it.
        let mut streams = Streams::default();
        note(&mut streams, &value(1, 1));
        note(&mut streams, &value(2, 2));
        assert_eq!(note(&mut streams, &skipped(2, 1)).news, News::Repeated);
        assert_eq!(note(&mut streams, &skipped(4, 3)), Noted { news: News::New, missing: None });
        note(&mut streams, &value(5, 5));
        assert_eq!(streams.total(), Counts { messages: 3, repeated: 1, skipped: 2, missing: 0 });
    }

    #[test]
    fn a_number_under_another_id_means_that_the_gateway_counts_anew() {
        let mut streams = Streams::default();
        for seq in [1, 2, 9] {
            note(&mut streams, &value(seq, seq));
        }
        assert_eq!(note(&mut streams, &value(1, 100)), Noted { news: News::BeganAnew, missing: None });
        assert_eq!(note(&mut streams, &value(2, 101)).news, News::New);
        assert_eq!(streams.total().missing, 6, "what was missing before stays so");
    }

    #[test]
    fn room_is_bounded_and_what_made_room_stays_counted() {
        let limits = StreamLimits { streams: 3, recent: 4, gaps: 2 };
        let mut streams = Streams::new(limits);
        for n in 0..10 {
            for seq in (1..100).step_by(2) {
                streams.note(&stream(n), &value(seq, seq));
            }
        }
        assert_eq!(streams.known.len(), 3);
        assert!(streams.known.values().all(|known| known.recent.len() == 4 && known.missing.len() == 2));
        assert_eq!(streams.total(), Counts { messages: 500, repeated: 0, skipped: 0, missing: 490 });
    }

    /// What becomes of a number on its way.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fate {
        Delivered,
        Skipped,
        Lost,
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        let fate = prop_oneof![4 => Just(Fate::Delivered), 1 => Just(Fate::Skipped), 1 => Just(Fate::Lost)];
        proptest::collection::vec(fate, 1..60)
    }

    /// What a gateway sends of these numbers, from 1 on, as far as it arrives.
    fn sent(fates: &[Fate]) -> Vec<FleetMessage> {
        let mut sent = vec![value(1, 1)];
        let mut run = 0;
        for (seq, fate) in (2..).zip(fates) {
            if *fate == Fate::Skipped {
                run += 1;
                continue;
            }
            if run > 0 {
                sent.push(skipped(seq - 1, run));
                run = 0;
            }
            if *fate == Fate::Delivered {
                sent.push(value(seq, seq));
            }
        }
        sent
    }

    proptest! {
        #[test]
        fn every_number_is_received_named_or_missing_whatever_is_repeated_or_late(
            fates in fates(),
            again in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..8, any::<bool>()), 0..12),
        ) {
            let mut deliveries = sent(&fates);
            let (mut heard, mut named) = (BTreeSet::new(), BTreeSet::new());
            for message in &deliveries {
                let Numbered { first, last } = numbers(message);
                match message {
                    FleetMessage::Skipped(_) => named.extend(first..=last),
                    _ => heard.extend(first..=last),
                }
            }
            for (at, back, moved) in again {
                let at = at.index(deliveries.len());
                // The first one stays: it is where the stream begins.
                let from = at.saturating_sub(back).max(1).min(at);
                if moved && from > 0 {
                    let late = deliveries.remove(from);
                    deliveries.insert(at, late);
                } else {
                    let repeated: Vec<_> = deliveries[from..=at].to_vec();
                    deliveries.splice(at + 1..at + 1, repeated);
                }
            }
            let mut streams = Streams::default();
            let news: Vec<_> = deliveries.iter().map(|message| note(&mut streams, message).news).collect();
            prop_assert!(!news.contains(&News::BeganAnew));
            let highest = heard.iter().chain(&named).max().copied().unwrap_or(0);
            let total = streams.total();
            prop_assert_eq!(total.messages, heard.len() as u64);
            prop_assert_eq!(total.skipped, named.len() as u64);
            prop_assert_eq!(total.missing, highest - total.messages - total.skipped);
        }

        #[test]
        fn any_numbers_are_taken(
            foreign in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 0..40),
        ) {
            let mut streams = Streams::new(StreamLimits { streams: 1, recent: 3, gaps: 2 });
            for (seq, count, names) in foreign {
                let message = if names { skipped(seq, count.max(1)) } else { value(seq, count) };
                note(&mut streams, &message);
            }
        }
    }
}
