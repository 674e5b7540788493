//! What an operator knows of its streams, kept over a restart: so that what is
//! missing shows although nobody was there, and what comes again is known.
//!
//! One JSON object: numbers and ids, no value. A vehicle's alias and purpose
//! are in it, so whoever keeps it closes it to others.

use super::{Known, Numbered, Stream, StreamLimits, Streams};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_types::{MessageId, Slug, VehicleAlias};

/// Not what was saved, or of another operator. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not what a subscription of this operator has saved (version 1)")]
pub struct NotSaved;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    v: u32,
    operator: Slug,
    streams: Vec<SavedStream>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedStream {
    purpose: Slug,
    vehicle: VehicleAlias,
    highest: u64,
    missing: Vec<(u64, u64)>,
    recent: Vec<(u64, MessageId)>,
}

impl Streams {
    /// What has to be known after a restart, as JSON.
    pub fn save(&self, operator: &Slug) -> Vec<u8> {
        let mut known: Vec<_> =
            self.known.iter().filter(|(stream, _)| stream.operator == *operator).collect();
        known.sort_by_key(|(_, known)| known.heard);
        let streams = known.into_iter().map(|(stream, known)| SavedStream {
            purpose: stream.purpose.clone(),
            vehicle: stream.vehicle,
            highest: known.highest,
            missing: known.missing.iter().map(|gap| (gap.first, gap.last)).collect(),
            recent: known.recent.iter().copied().collect(),
        });
        let saved = Saved { v: 1, operator: operator.clone(), streams: streams.collect() };
        serde_json::to_vec(&saved).expect("text keys and numbers always encode")
    }

    /// Goes on from what was saved; counts begin at 0.
    ///
    /// # Errors
    /// [`NotSaved`] for anything else.
    pub fn restore(limits: StreamLimits, operator: &Slug, saved: &[u8]) -> Result<Self, NotSaved> {
        let saved: Saved = serde_json::from_slice(saved).map_err(|_| NotSaved)?;
        if saved.v != 1 || saved.operator != *operator {
            return Err(NotSaved);
        }
        let mut streams = Self::new(limits);
        let unwanted = saved.streams.len().saturating_sub(limits.streams);
        for (saved, heard) in saved.streams.into_iter().skip(unwanted).zip(1..) {
            let gaps = saved.missing.iter().map(|(first, last)| Numbered { first: *first, last: *last });
            let in_order = |gaps: &[Numbered]| gaps.iter().all(|gap| gap.first <= gap.last);
            let gaps: Vec<_> = gaps.collect();
            let apart = gaps.windows(2).all(|two| two[0].last < two[1].first);
            if !in_order(&gaps) || !apart || gaps.last().is_some_and(|gap| gap.last > saved.highest) {
                return Err(NotSaved);
            }
            let old = |len: usize, room: usize| len.saturating_sub(room);
            let known = Known {
                highest: saved.highest,
                missing: gaps.iter().skip(old(gaps.len(), limits.gaps)).copied().collect(),
                recent: saved.recent.iter().skip(old(saved.recent.len(), limits.recent)).copied().collect(),
                heard,
                counts: super::Counts::default(),
            };
            let (purpose, vehicle) = (saved.purpose, saved.vehicle);
            streams.known.insert(Stream { operator: operator.clone(), purpose, vehicle }, known);
            streams.deliveries = heard;
        }
        Ok(streams)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Counts, News, Noted,
        tests::{gap, stream, value},
    };
    use super::*;

    fn operator() -> Slug {
        "fjord".parse().expect("a slug")
    }

    #[test]
    fn after_a_restart_gaps_show_repeated_ones_are_known_and_late_ones_are_late() {
        let mut before = Streams::default();
        for seq in [1, 2, 5] {
            before.note(&stream(1), &value(seq, seq));
        }
        let saved = before.save(&operator());
        let mut after = Streams::restore(StreamLimits::default(), &operator(), &saved).expect("saved");
        assert_eq!(after.total(), Counts::default());
        let mut note = |seq| after.note(&stream(1), &value(seq, seq));
        assert_eq!(note(5).news, News::Repeated);
        assert_eq!(note(4).news, News::Late);
        assert_eq!(note(9), Noted { news: News::New, missing: gap(6, 8) });
        assert_eq!(after.total(), Counts { messages: 2, repeated: 1, skipped: 0, missing: 3 });
    }

    #[test]
    fn what_is_saved_keeps_to_the_bounds_of_whoever_reads_it() {
        let mut before = Streams::default();
        for n in 0..9 {
            for seq in (1..50).step_by(2) {
                before.note(&stream(n), &value(seq, seq));
            }
        }
        let limits = StreamLimits { streams: 3, recent: 4, gaps: 2 };
        let after = Streams::restore(limits, &operator(), &before.save(&operator())).expect("saved");
        let mut kept: Vec<_> = after.known.keys().map(|stream| stream.vehicle.to_string()).collect();
        kept.sort();
        let last: Vec<_> = (6..9).map(|n| stream(n).vehicle.to_string()).collect();
        assert_eq!(kept, last, "those heard last");
        assert!(after.known.values().all(|known| known.recent.len() == 4 && known.missing.len() == 2));
    }

    #[test]
    fn anything_else_is_refused() {
        let mut streams = Streams::default();
        for seq in [1, 4, 7] {
            streams.note(&stream(1), &value(seq, seq));
        }
        let saved = String::from_utf8(streams.save(&operator())).expect("JSON");
        let restore =
            |text: &str| Streams::restore(StreamLimits::default(), &operator(), text.as_bytes()).map(|_| ());
        assert_eq!(restore(&saved), Ok(()));
        for wrong in [
            "",
            "{}",
            &saved.replace("\"v\":1", "\"v\":2"),
            &saved.replace("fjord", "other"),
            &saved.replace("[2,3]", "[3,2]"),
            &saved.replace("[2,3]", "[2,5]"),
            &saved.replace("\"highest\":7", "\"highest\":3"),
            &saved[..saved.len() / 2],
        ] {
            assert_eq!(restore(wrong), Err(NotSaved), "{wrong}");
        }
    }
}
