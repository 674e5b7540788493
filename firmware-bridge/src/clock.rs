//! The adapter's clock in the host's: from question and answer, with the
//! largest possible error of each, and never going back.

use crate::message::ClockReply;

/// An answer that was longer under way tells nothing.
pub const MAX_ROUND_TRIP_MICROS: u64 = 250_000;
/// How many answers are kept.
pub(crate) const SAMPLES: usize = 8;
/// What two clocks may drift apart: crystals keep 100 ppm each.
const DRIFT_PPM: u64 = 200;

/// The middle of one question and answer, on both clocks.
#[derive(Debug, Clone, Copy)]
struct Sample {
    host_micros: u64,
    adapter_micros: u64,
    /// The adapter's time was at most this far from `adapter_micros` then.
    bound_micros: u64,
}

impl Sample {
    /// The largest error if this sample is used at that time of the host.
    const fn bound_at(&self, host_micros: u64) -> u64 {
        let age = host_micros.saturating_sub(self.host_micros);
        self.bound_micros
            .saturating_add(age / 1_000_000 * DRIFT_PPM + age % 1_000_000 * DRIFT_PPM / 1_000_000)
    }

    /// How far the adapter's clock is from where `self` expects it.
    const fn distance(&self, other: &Self) -> u64 {
        let host = other.host_micros.wrapping_sub(self.host_micros);
        let adapter = other.adapter_micros.wrapping_sub(self.adapter_micros);
        adapter.wrapping_sub(host).cast_signed().unsigned_abs()
    }
}

/// Gives frames the host's time.
///
/// Of the last eight answers it uses the one with the smallest possible error:
/// half its way there and back, and what the clocks may have drifted since. An
/// answer that no drift explains means that the adapter's clock was set; the
/// answers before it are forgotten.
#[derive(Debug, Clone, Default)]
pub struct ClockMap {
    samples: [Option<Sample>; SAMPLES],
    at: usize,
    best: Option<Sample>,
    last_micros: u64,
}

impl ClockMap {
    /// A session begins: the adapter may be another, and nothing that it will
    /// tell was heard before `now_micros`.
    pub fn begin(&mut self, now_micros: u64) {
        *self = Self { last_micros: self.last_micros.max(now_micros), ..Self::default() };
    }

    /// Takes an answer that came in at `back_micros` of the host. Whether it
    /// tells anything: it must not contradict itself, nor have taken longer
    /// than [`MAX_ROUND_TRIP_MICROS`].
    pub fn reply(&mut self, reply: &ClockReply, back_micros: u64) -> bool {
        let elapsed = back_micros.checked_sub(reply.host_micros);
        let at_adapter = reply.sent_micros.checked_sub(reply.received_micros);
        let (Some(elapsed), Some(at_adapter)) = (elapsed, at_adapter) else { return false };
        let Some(round_trip) = elapsed.checked_sub(at_adapter) else { return false };
        if round_trip > MAX_ROUND_TRIP_MICROS {
            return false;
        }
        let sample = Sample {
            host_micros: reply.host_micros + elapsed / 2,
            adapter_micros: reply.received_micros + at_adapter / 2,
            bound_micros: round_trip / 2 + 1,
        };
        let jumped = self.best.is_some_and(|best| {
            best.distance(&sample) > best.bound_at(sample.host_micros).saturating_add(sample.bound_micros)
        });
        if jumped {
            (self.samples, self.at) = ([None; SAMPLES], 0);
        }
        if let Some(place) = self.samples.get_mut(self.at) {
            *place = Some(sample);
        }
        self.at = (self.at + 1) % SAMPLES;
        let kept = self.samples.iter().flatten();
        self.best = kept.min_by_key(|kept| kept.bound_at(back_micros)).copied();
        true
    }

    /// How many answers are kept; at most 8.
    pub fn samples(&self) -> usize {
        self.samples.iter().flatten().count()
    }

    /// The largest error of a time given out now, in microseconds; `None`
    /// while no answer came.
    pub fn bound_micros(&self, now_micros: u64) -> Option<u64> {
        self.best.map(|best| best.bound_at(now_micros))
    }

    /// The host's time for the adapter's `at_micros`, of a frame that has come
    /// in at `now_micros`. Never after that, never before the session began,
    /// never before a time given out earlier. Without any answer: now.
    pub fn to_host(&mut self, at_micros: u64, now_micros: u64) -> u64 {
        let mapped = self.best.map_or(now_micros, |best| {
            let since = at_micros.wrapping_sub(best.adapter_micros).cast_signed();
            best.host_micros.saturating_add_signed(since)
        });
        self.last_micros = mapped.min(now_micros).max(self.last_micros);
        self.last_micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(host: u64, received: u64, sent: u64) -> ClockReply {
        ClockReply { host_micros: host, received_micros: received, sent_micros: sent }
    }

    #[test]
    fn the_answer_with_the_shortest_way_counts() {
        let mut map = ClockMap::default();
        map.begin(0);
        assert_eq!(map.to_host(5, 1_000), 1_000, "without an answer: when it came in");
        // The adapter is 1 s behind. A slow answer, 80 ms of it on the way back.
        assert!(map.reply(&reply(2_000_000, 1_000_100, 1_000_100), 2_080_100));
        assert!(map.reply(&reply(2_100_000, 1_100_100, 1_100_300), 2_100_400));
        assert_eq!(map.to_host(1_200_000, 2_300_000), 2_200_000);
        assert_eq!(map.bound_micros(2_100_400), Some(101), "half of 200 us, and rounding");
        assert_eq!(map.bound_micros(3_100_200), Some(301), "and 200 ppm of drift");
        // Slow answers never displace it while it is kept.
        for second in 0..6 {
            let host = 3_000_000 + second * 1_000_000;
            assert!(map.reply(&reply(host, host - 990_000, host - 990_000), host + 50_000));
        }
        assert_eq!(map.to_host(8_000_000, 9_500_000), 9_000_000);
    }

    #[test]
    fn answers_that_cannot_be_are_passed_over() {
        let mut map = ClockMap::default();
        for (reply, back) in [
            (reply(100, 10, 10), 99),
            (reply(100, 10, 9), 200),
            (reply(100, 10, 200), 200),
            (reply(100, 10, 10), 101 + MAX_ROUND_TRIP_MICROS),
            (reply(u64::MAX, 0, u64::MAX), 0),
        ] {
            assert!(!map.reply(&reply, back), "{reply:?}");
        }
        assert_eq!(map.samples(), 0);
        assert!(map.reply(&reply(100, u64::MAX, u64::MAX), 100 + MAX_ROUND_TRIP_MICROS));
        assert_eq!(map.to_host(0, 200_000), 125_101, "the adapter's clock wraps");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once_and_time_never_goes_back() {
        let mut map = ClockMap::default();
        map.begin(0);
        for second in 1..=8 {
            assert!(map.reply(
                &reply(second * 1_000_000, second * 1_000_000, second * 1_000_000),
                second * 1_000_000 + 100
            ));
        }
        assert_eq!(map.to_host(8_500_000, 8_600_000), 8_500_000 + 50);
        // An hour forward: what came before the next answer cannot be in the future.
        assert_eq!(map.to_host(3_608_600_000, 8_650_000), 8_650_000);
        assert!(map.reply(&reply(9_000_000, 3_609_000_000, 3_609_000_000), 9_000_100));
        assert_eq!(map.samples(), 1, "the old answers are gone");
        assert_eq!(map.to_host(3_609_500_000, 9_600_000), 9_500_050);
        // Back to nearly nothing.
        assert_eq!(map.to_host(10, 9_700_000), 9_500_050, "not before what was given out");
        assert!(map.reply(&reply(10_000_000, 400_000, 400_000), 10_000_100));
        assert_eq!(map.to_host(500_000, 11_000_000), 10_100_050);
        map.begin(12_000_000);
        assert_eq!(map.to_host(1, 12_500_000), 12_500_000);
    }
}
