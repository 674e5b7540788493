//! Signs of life: which few broadcasts show that a vehicle is there, when all
//! others are filtered away in the kernel.
//!
//! A visit ends when a bus says nothing for some seconds. Behind filters that let
//! through only what somebody wants, a bus may say nothing although the vehicle
//! stands there. So some broadcasts pass that cost little and come often:
//!
//! ```text
//! open, everything passes ──── enough heard ────► kept: the signs pass, and what is wanted
//!       ▲                                            │
//!       └──────────── no sign for LOST_MICROS ───────┘
//! ```
//!
//! When the signs cease, everything passes again long before a silence counts as
//! the end of a visit: a vehicle that only went quieter shows itself, and a bus
//! that is truly silent ends the visit at the same time as without filters. What
//! comes after a break is listened to anew.

use vernport_types::{BootMicros, CanFilter, CanFrame, CanId, FrameKind};

/// How long a bus is listened to before the signs are chosen.
pub const CHOOSE_MICROS: u64 = 2_000_000;
/// How long the signs may cease before everything passes again.
pub const LOST_MICROS: u64 = 1_000_000;
/// How many broadcasts are kept.
pub const SIGNS: usize = 3;

/// A sign comes at least this often, so that two of them fit into [`LOST_MICROS`].
const MOST_PERIOD_MICROS: u64 = 400_000;
/// Identifiers that are compared while choosing.
const MAX_CANDIDATES: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: CanId,
    first: BootMicros,
    last: BootMicros,
    gaps: u64,
    longest_micros: u64,
}

impl Candidate {
    fn heard(&mut self, now: BootMicros) {
        self.longest_micros = self.longest_micros.max(now.0.saturating_sub(self.last.0));
        self.gaps += 1;
        self.last = now;
    }

    /// Whether it came regularly, up to now.
    fn is_steady(&self, now: BootMicros) -> bool {
        let longest = self.longest_micros.max(now.0.saturating_sub(self.last.0));
        self.gaps >= 3 && longest <= MOST_PERIOD_MICROS
    }

    fn period_micros(&self) -> u64 {
        self.last.0.saturating_sub(self.first.0) / self.gaps.max(1)
    }
}

#[derive(Debug)]
enum State {
    /// Everything passes: listening for what to keep.
    Open { since: Option<BootMicros>, candidates: Vec<Candidate> },
    /// These pass beside what is wanted.
    Kept { signs: Vec<CanId>, last: BootMicros },
}

/// Chooses and watches the signs of life of one bus.
#[derive(Debug)]
pub struct Presence {
    state: State,
}

impl Default for Presence {
    /// Everything passes.
    fn default() -> Self {
        Self { state: State::Open { since: None, candidates: Vec::new() } }
    }
}

impl Presence {
    /// Takes each frame that passed; says whether the filters change.
    pub fn heard(&mut self, frame: &CanFrame, now: BootMicros) -> bool {
        if !matches!(frame.kind(), FrameKind::Data | FrameKind::FdData) {
            return false;
        }
        match &mut self.state {
            State::Kept { signs, last } => {
                if signs.contains(&frame.id()) {
                    *last = now;
                }
            }
            State::Open { since, candidates } => {
                let since = *since.get_or_insert(now);
                if let Some(known) = candidates.iter_mut().find(|candidate| candidate.id == frame.id()) {
                    known.heard(now);
                } else if candidates.len() < MAX_CANDIDATES && !is_asked_for(frame.id()) {
                    let (id, first, last) = (frame.id(), now, now);
                    candidates.push(Candidate { id, first, last, gaps: 0, longest_micros: 0 });
                }
                if now.0.saturating_sub(since.0) >= CHOOSE_MICROS {
                    return self.choose(now);
                }
            }
        }
        self.tick(now)
    }

    /// Lets time pass; says whether the filters change.
    pub fn tick(&mut self, now: BootMicros) -> bool {
        match &self.state {
            State::Kept { last, .. } if now.0.saturating_sub(last.0) > LOST_MICROS => {
                *self = Self::default();
                true
            }
            _ => false,
        }
    }

    /// When [`Presence::tick`] has something to do, unless something is heard before.
    pub fn next_due(&self) -> Option<BootMicros> {
        let State::Kept { last, .. } = &self.state else { return None };
        Some(BootMicros(last.0.saturating_add(LOST_MICROS + 1)))
    }

    /// Whether frames are kept away.
    pub fn is_kept(&self) -> bool {
        matches!(self.state, State::Kept { .. })
    }

    /// The vehicle is gone, or its frames were not heard for another reason; says
    /// whether the filters change.
    pub fn reset(&mut self) -> bool {
        let kept = self.is_kept();
        *self = Self::default();
        kept
    }

    /// What has to pass for `wanted`.
    pub fn filters(&self, wanted: &[CanFilter]) -> Vec<CanFilter> {
        let State::Kept { signs, .. } = &self.state else { return CanFilter::ALL.to_vec() };
        let mut filters: Vec<CanFilter> = signs.iter().map(|id| CanFilter::exactly(*id)).collect();
        filters.extend_from_slice(wanted);
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Keeps the slowest of the steady ones: they cost least. Where none is steady, everything
    /// goes on to pass, and it is chosen anew.
    fn choose(&mut self, now: BootMicros) -> bool {
        let State::Open { candidates, .. } = &mut self.state else { return false };
        let mut steady: Vec<_> = candidates.iter().filter(|candidate| candidate.is_steady(now)).collect();
        steady.sort_by_key(|candidate| std::cmp::Reverse(candidate.period_micros()));
        let signs: Vec<CanId> = steady.iter().take(SIGNS).map(|candidate| candidate.id).collect();
        if signs.is_empty() {
            return self.reset();
        }
        self.state = State::Kept { signs, last: now };
        true
    }
}

/// Diagnostics come when a tester asks, not because a vehicle is there.
fn is_asked_for(id: CanId) -> bool {
    match id {
        CanId::Standard(id) => id >= 0x700,
        CanId::Extended(raw) => matches!(raw >> 16 & 0xFF, 0xDA | 0xDB | 0xEA | 0xEB | 0xEC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000;

    fn frame(id: u16) -> CanFrame {
        CanFrame::data_frame(CanId::Standard(id), &[0; 8]).expect("8 bytes")
    }

    /// Plays broadcasts (identifier, period) and gives what passed as times.
    fn play(presence: &mut Presence, from: u64, to: u64, said: &[(u16, u64)]) -> Vec<(u64, u16)> {
        let mut passed = Vec::new();
        for now in from..to {
            for (id, period) in said {
                let passes = presence.filters(&[]).iter().any(|filter| filter.passes(CanId::Standard(*id)));
                if now % period == 0 && passes {
                    passed.push((now, *id));
                    presence.heard(&frame(*id), BootMicros(now * MS));
                }
            }
            presence.tick(BootMicros(now * MS));
        }
        passed
    }

    #[test]
    fn of_a_whole_bus_the_slowest_steady_broadcasts_are_kept() {
        let mut presence = Presence::default();
        let said = [(0x10, 10), (0x20, 20), (0x30, 100), (0x40, 200), (0x50, 300), (0x60, 1000)];
        let passed = play(&mut presence, 0, 10_000, &said);
        let late: std::collections::BTreeSet<u16> =
            passed.iter().filter(|(at, _)| *at > 3_000).map(|(_, id)| *id).collect();
        assert_eq!(late.into_iter().collect::<Vec<_>>(), [0x30, 0x40, 0x50]);
    }

    #[test]
    fn what_is_wanted_passes_beside_the_signs_and_everything_before() {
        let mut presence = Presence::default();
        let wanted = [CanFilter::exactly(CanId::Standard(0x7E8))];
        assert_eq!(presence.filters(&wanted), CanFilter::ALL);
        play(&mut presence, 0, 3_000, &[(0x30, 100)]);
        assert_eq!(presence.filters(&wanted), [CanFilter::exactly(CanId::Standard(0x30)), wanted[0]]);
        assert!(presence.reset());
        assert_eq!(presence.filters(&wanted), CanFilter::ALL);
    }

    #[test]
    fn answers_and_rare_frames_are_no_signs() {
        let mut presence = Presence::default();
        play(&mut presence, 0, 20_000, &[(0x7E8, 100), (0x30, 900)]);
        assert_eq!(presence.filters(&[]), CanFilter::ALL);
    }

    proptest! {
        /// A visit ends at a silence of 5 s: behind the filters there is none that is not on the bus.
        #[test]
        fn no_silence_is_made_by_the_filters(
            phases in proptest::collection::vec(
                (proptest::collection::vec((1_u16..0x700, 5_u64..3_000), 1..6), 1_000_u64..12_000),
                1..5,
            ),
        ) {
            let mut presence = Presence::default();
            let (mut at, mut passed, mut on_bus) = (0, vec![0], vec![0]);
            for (said, length) in &phases {
                passed.extend(play(&mut presence, at, at + length, said).into_iter().map(|(at, _)| at));
                on_bus.extend((at..at + length).filter(|now| said.iter().any(|(_, period)| now % period == 0)));
                at += length;
            }
            let longest = |times: &[u64]| {
                times.windows(2).map(|pair| pair[1] - pair[0]).chain([at - times.last().expect("one")]).max()
            };
            let (behind, before) = (longest(&passed), longest(&on_bus));
            // What was filtered is at most the time in which the signs may cease.
            prop_assert!(behind <= before.map(|gap| gap + LOST_MICROS / MS + 1), "{behind:?} {before:?}");
        }
    }
}
