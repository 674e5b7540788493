//! Which odometer values are believed, source by source.
//!
//! A source is one message of one control unit: units disagree (a cluster and
//! an engine are often some kilometres apart), so nothing is compared between
//! them. Within one source and one visit:
//!
//! - Zero is none, nor is a total that is below its own trip, nor one that
//!   equals its trip and is small: that is a unit that has just woken up and
//!   not yet been told (real clusters send such a start value for minutes).
//! - It never falls.
//! - It goes no further than a vehicle can drive in the time, neither from the value
//!   before nor since the first: many small steps are no way around the bound. A further
//!   step is taken only when three values in a row agree with it: then the first was wrong.
//!
//! Nothing is remembered from one visit to the next: another vehicle may be there, or
//! another cluster in the same one. What a person typed in or a tool sent is a source
//! of its own kind and never judged by, nor a judge of, what is heard on a bus.

use crate::RejectCode;
use vernport_types::{BootMicros, Source};

/// How many sources are followed in one visit.
pub const MAX_SOURCES: usize = 32;
/// A total that equals its trip is believed from here on, in metres.
pub const START_VALUE_BELOW_M: i64 = 1_000_000;
/// How fast a vehicle may be, in metres a second (252 km/h).
pub const MAX_SPEED_M_PER_S: i64 = 70;
/// What may be added to a step: resolution, and units that pass on late.
pub const SLACK_M: i64 = 1_000;
/// How many values in a row have to agree before a long step is believed.
pub const CONFIRMATIONS: u8 = 3;

/// The odometers of one visit.
#[derive(Debug, Default)]
pub struct Odometers {
    tracks: Vec<Track>,
}

struct Track {
    source: Source,
    /// The first value of the run that is believed.
    first: Point,
    last: Point,
    candidate: Option<(Point, u8)>,
}

impl std::fmt::Debug for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Track({})", self.source)
    }
}

#[derive(Clone, Copy)]
struct Point {
    metres: i64,
    at: BootMicros,
}

impl Point {
    /// Whether a vehicle can have come from here to `next`.
    fn leads_to(self, next: Self) -> Result<(), RejectCode> {
        let seconds = i64::try_from(next.at.0.saturating_sub(self.at.0) / 1_000_000).unwrap_or(i64::MAX);
        let furthest = seconds.saturating_mul(MAX_SPEED_M_PER_S).saturating_add(SLACK_M);
        let step = next.metres.saturating_sub(self.metres);
        match step {
            ..0 => Err(RejectCode::OdometerFell),
            _ if step > furthest => Err(RejectCode::OdometerJumped),
            _ => Ok(()),
        }
    }
}

impl Odometers {
    /// Gives the value back if it is believed.
    ///
    /// # Errors
    /// [`RejectCode::OdometerWakeUp`], [`RejectCode::OdometerFell`], [`RejectCode::OdometerJumped`],
    /// or [`RejectCode::TooManySources`] past [`MAX_SOURCES`].
    pub fn check(
        &mut self,
        source: Source,
        total_m: i64,
        trip_m: Option<i64>,
        at: BootMicros,
    ) -> Result<i64, RejectCode> {
        let start_value =
            trip_m.is_some_and(|trip| trip > total_m || trip == total_m && total_m < START_VALUE_BELOW_M);
        if total_m <= 0 || start_value {
            return Err(RejectCode::OdometerWakeUp);
        }
        let here = Point { metres: total_m, at };
        let Some(track) = self.tracks.iter_mut().find(|track| track.source == source) else {
            if self.tracks.len() == MAX_SOURCES {
                return Err(RejectCode::TooManySources);
            }
            self.tracks.push(Track { source, first: here, last: here, candidate: None });
            return Ok(total_m);
        };
        match track.last.leads_to(here).and_then(|()| track.first.leads_to(here)) {
            Ok(()) => {}
            Err(RejectCode::OdometerJumped) => {
                track.confirm(here)?;
                track.first = here;
            }
            Err(code) => {
                track.candidate = None;
                return Err(code);
            }
        }
        track.candidate = None;
        track.last = here;
        Ok(total_m)
    }

    /// Forgets all sources: another vehicle may be there.
    pub fn reset(&mut self) {
        self.tracks.clear();
    }
}

impl Track {
    fn confirm(&mut self, here: Point) -> Result<(), RejectCode> {
        let seen = match self.candidate {
            Some((before, seen)) if before.leads_to(here).is_ok() => seen + 1,
            _ => 1,
        };
        self.candidate = Some((here, seen));
        if seen >= CONFIRMATIONS { Ok(()) } else { Err(RejectCode::OdometerJumped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLUSTER: Source = Source::J1939 { pgn: 65217, sa: 0x17 };
    const ENGINE: Source = Source::J1939 { pgn: 65248, sa: 0 };

    fn at(seconds: u64) -> BootMicros {
        BootMicros(seconds * 1_000_000)
    }

    #[test]
    fn a_cluster_that_wakes_up_has_no_odometer_until_it_is_told() {
        let mut odometers = Odometers::default();
        let woken = [37_500, 0, 158_910_600, 158_910_600].iter().zip(0..).map(|(metres, second)| {
            let trip = if *metres < 100_000_000 { *metres } else { 7_435_845 };
            odometers.check(CLUSTER, *metres, Some(trip), at(second))
        });
        assert_eq!(
            woken.collect::<Vec<_>>(),
            [
                Err(RejectCode::OdometerWakeUp),
                Err(RejectCode::OdometerWakeUp),
                Ok(158_910_600),
                Ok(158_910_600),
            ]
        );
    }

    #[test]
    fn a_trip_that_was_never_reset_is_no_reason_to_doubt_a_large_total() {
        let mut odometers = Odometers::default();
        assert_eq!(odometers.check(ENGINE, 90_000_000, Some(90_000_000), at(0)), Ok(90_000_000));
        assert_eq!(
            odometers.check(ENGINE, 90_000_000, Some(90_000_001), at(1)),
            Err(RejectCode::OdometerWakeUp)
        );
    }

    #[test]
    fn sources_that_disagree_stay_apart() {
        let mut odometers = Odometers::default();
        for second in 0..3 {
            assert_eq!(odometers.check(ENGINE, 57_088_920, None, at(second)), Ok(57_088_920));
            assert_eq!(odometers.check(CLUSTER, 57_090_810, None, at(second)), Ok(57_090_810));
        }
    }

    #[test]
    fn it_never_falls_and_a_single_jump_is_not_believed() {
        let mut odometers = Odometers::default();
        let mut check = |metres, second| odometers.check(ENGINE, metres, None, at(second));
        assert_eq!(check(50_000_000, 0), Ok(50_000_000));
        assert_eq!(check(49_999_999, 1), Err(RejectCode::OdometerFell));
        assert_eq!(check(80_000_000, 2), Err(RejectCode::OdometerJumped));
        assert_eq!(check(50_000_100, 3), Ok(50_000_100));
        assert_eq!(check(80_000_000, 4), Err(RejectCode::OdometerJumped));
        assert_eq!(check(80_000_000, 5), Err(RejectCode::OdometerJumped));
        assert_eq!(check(80_000_100, 6), Ok(80_000_100), "three in a row agree: the first was wrong");
        assert_eq!(check(50_000_200, 7), Err(RejectCode::OdometerFell));
    }

    #[test]
    fn many_small_steps_are_no_way_around_the_bound() {
        let mut odometers = Odometers::default();
        // 900 m in each tenth of a second: each step is within the slack, all of them are not.
        let tenth = |n: i64| BootMicros(u64::try_from(n).expect("positive") * 100_000);
        let mut check = |n: i64| odometers.check(ENGINE, 50_000_000 + n * 900, None, tenth(n));
        assert_eq!((check(0), check(1)), (Ok(50_000_000), Ok(50_000_900)));
        assert_eq!(check(2), Err(RejectCode::OdometerJumped));
    }

    #[test]
    fn a_source_that_changes_its_unit_is_not_believed_at_once_nor_when_it_changes_back() {
        let mut odometers = Odometers::default();
        let mut check = |metres, second| odometers.check(ENGINE, metres, None, at(second));
        assert_eq!(check(158_910_600, 0), Ok(158_910_600));
        assert_eq!(check(158_910_600_000, 1), Err(RejectCode::OdometerJumped), "metres told as kilometres");
        assert_eq!(check(158_910, 2), Err(RejectCode::OdometerFell), "kilometres told as metres");
        assert_eq!(check(158_910_600, 3), Ok(158_910_600));
    }

    #[test]
    fn a_satellite_receivers_distance_does_not_stand_in_for_the_odometer() {
        let mut odometers = Odometers::default();
        const RECEIVER: Source = Source::J1939 { pgn: 65248, sa: 0x4A };
        assert_eq!(odometers.check(ENGINE, 57_088_920, None, at(0)), Ok(57_088_920));
        assert_eq!(
            odometers.check(RECEIVER, 41_003_000, None, at(1)),
            Ok(41_003_000),
            "it is told, as its own source"
        );
        assert_eq!(odometers.check(ENGINE, 57_088_920, None, at(2)), Ok(57_088_920));
    }

    #[test]
    fn what_a_person_typed_judges_no_bus_and_is_judged_by_none() {
        let mut odometers = Odometers::default();
        assert_eq!(odometers.check(Source::Manual, 99_000_000, None, at(0)), Ok(99_000_000));
        assert_eq!(odometers.check(ENGINE, 57_088_920, None, at(0)), Ok(57_088_920));
        assert_eq!(odometers.check(Source::Tool, 57_089_000, None, at(0)), Ok(57_089_000));
    }

    #[test]
    fn the_next_visit_begins_without_a_memory() {
        let mut odometers = Odometers::default();
        assert_eq!(odometers.check(CLUSTER, 158_910_600, None, at(0)), Ok(158_910_600));
        odometers.reset();
        assert_eq!(
            odometers.check(CLUSTER, 5_000_000, None, at(1)),
            Ok(5_000_000),
            "another vehicle, or another cluster"
        );
    }

    #[test]
    fn sources_past_the_bound_are_refused() {
        let mut odometers = Odometers::default();
        for sa in 0..32 {
            assert!(odometers.check(Source::J1939 { pgn: 65217, sa }, 5_000_000, None, at(0)).is_ok());
        }
        assert_eq!(odometers.check(ENGINE, 5_000_000, None, at(0)), Err(RejectCode::TooManySources));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_what_is_believed_never_falls(
            sent in proptest::collection::vec((0_i64..200_000_000, proptest::option::of(0_i64..200_000_000)), 1..100)
        ) {
            let mut odometers = Odometers::default();
            let mut last = 0;
            for ((total, trip), second) in sent.into_iter().zip(0_u64..) {
                if let Ok(metres) = odometers.check(CLUSTER, total, trip, at(second)) {
                    prop_assert!(metres >= last && metres > 0);
                    last = metres;
                }
            }
        }

        #[test]
        fn a_vehicle_that_drives_is_believed_throughout(
            start in 1_000_i64..4_000_000_000,
            steps in proptest::collection::vec((0_i64..60, 1_u64..100), 1..100),
        ) {
            let mut odometers = Odometers::default();
            let (mut metres, mut second) = (start, 0);
            for (speed, seconds) in steps {
                prop_assert_eq!(odometers.check(ENGINE, metres, None, at(second)), Ok(metres));
                metres += speed * i64::try_from(seconds).expect("small");
                second += seconds;
            }
        }
    }
}
