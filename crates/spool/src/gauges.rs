//! Figures that the writer keeps and the handle reads without asking the database.

use crate::{Queued, command::Outcome};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// How full the spool is, what it refused, and how much flows.
#[derive(Debug)]
pub(crate) struct Gauges {
    used_bytes: AtomicU64,
    max_bytes: u64,
    refused: AtomicU64,
    reserve_whole: AtomicBool,
    commits: AtomicU64,
    hour: Mutex<Hour>,
}

/// How many bytes came and went lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flowed {
    /// Queued.
    pub taken_bytes: u64,
    /// Delivered, destroyed or given way.
    pub freed_bytes: u64,
    /// Within how many seconds: an hour, or less after an opening.
    pub seconds: u64,
}

impl Gauges {
    pub(crate) fn new(used_bytes: u64, max_bytes: u64, reserve_whole: bool) -> Self {
        Self {
            used_bytes: AtomicU64::new(used_bytes),
            max_bytes,
            refused: AtomicU64::new(0),
            reserve_whole: AtomicBool::new(reserve_whole),
            commits: AtomicU64::new(0),
            hour: Mutex::new(Hour::new(Instant::now())),
        }
    }

    pub(crate) fn queued(&self) -> Queued {
        Queued { used_bytes: self.used_bytes.load(Relaxed), max_bytes: self.max_bytes }
    }

    /// A transaction was committed, with these outcomes.
    pub(crate) fn account<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        let (mut taken_bytes, mut freed_bytes) = (0, 0);
        for outcome in outcomes {
            self.used_bytes.fetch_add(outcome.taken_bytes, Relaxed);
            self.used_bytes.fetch_sub(outcome.freed_bytes, Relaxed);
            taken_bytes += outcome.taken_bytes;
            freed_bytes += outcome.freed_bytes;
        }
        self.commits.fetch_add(1, Relaxed);
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        hour.add(Instant::now(), taken_bytes, freed_bytes);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    pub(crate) fn set_reserve_whole(&self, whole: bool) {
        self.reserve_whole.store(whole, Relaxed);
    }

    pub(crate) fn reserve_whole(&self) -> bool {
        self.reserve_whole.load(Relaxed)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// What came and went since the opening, and within the last hour.
    pub(crate) fn flowed(&self) -> (Flowed, Flowed) {
        self.hour.lock().unwrap_or_else(PoisonError::into_inner).read(Instant::now())
    }
}

/// Minutes that are kept.
const MINUTES: usize = 60;

/// Bytes that came and went, minute by minute.
#[derive(Debug)]
struct Hour {
    begun: Instant,
    /// The number of the minute, and what came and went in it.
    minutes: [(u64, u64, u64); MINUTES],
    total: (u64, u64),
}

impl Hour {
    fn new(begun: Instant) -> Self {
        Self { begun, minutes: [(0, 0, 0); MINUTES], total: (0, 0) }
    }

    fn minute(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs() / 60
    }

    fn add(&mut self, now: Instant, taken_bytes: u64, freed_bytes: u64) {
        let minute = self.minute(now);
        // Below the number of minutes, so it fits.
        let slot = &mut self.minutes[(minute % MINUTES as u64) as usize];
        if slot.0 != minute {
            *slot = (minute, 0, 0);
        }
        slot.1 += taken_bytes;
        slot.2 += freed_bytes;
        self.total.0 += taken_bytes;
        self.total.1 += freed_bytes;
    }

    fn read(&self, now: Instant) -> (Flowed, Flowed) {
        let seconds = now.saturating_duration_since(self.begun).as_secs();
        let minute = self.minute(now);
        let (taken_bytes, freed_bytes) = self.total;
        let all = Flowed { taken_bytes, freed_bytes, seconds };
        let oldest = (minute + 1).saturating_sub(MINUTES as u64);
        let kept = self.minutes.iter().filter(|slot| slot.0 >= oldest);
        let (taken_bytes, freed_bytes) =
            kept.fold((0, 0), |(taken, freed), slot| (taken + slot.1, freed + slot.2));
        (all, Flowed { taken_bytes, freed_bytes, seconds: seconds - oldest * 60 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_hour_forgets_what_is_older_and_the_total_does_not() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut hour = Hour::new(begun);
        hour.add(at(1), 100, 10);
        hour.add(at(59), 1, 1);
        hour.add(at(1800), 7, 0);
        let (all, last) = hour.read(at(1830));
        assert_eq!((all, all), (last, Flowed { taken_bytes: 108, freed_bytes: 11, seconds: 1830 }));
        // An hour and a minute later the first minute is gone, also where nothing was added.
        let (all, last) = hour.read(at(3661));
        assert_eq!((all.taken_bytes, last.taken_bytes), (108, 7));
        assert!((3540..=3600).contains(&last.seconds), "{last:?}");
        hour.add(at(3600 + 2), 1000, 0);
        assert_eq!(hour.read(at(3700)).1.taken_bytes, 1007);
        assert_eq!(hour.read(at(20_000)).1.taken_bytes, 0);
    }
}
