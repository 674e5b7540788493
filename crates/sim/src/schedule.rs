//! What a vehicle says by itself: messages, each with its period.

use crate::vehicle::{NEVER, now_plus};
use vernport_types::BootMicros;

/// A message, its period, and how long after the start it comes first; both in µs.
pub(crate) type Entry<M> = (M, u64, u64);

/// Messages that come again and again.
pub(crate) struct Schedule<M> {
    jobs: Vec<Job<M>>,
}

struct Job<M> {
    message: M,
    period_micros: u64,
    due: BootMicros,
}

impl<M: Copy> Schedule<M> {
    pub(crate) fn new(entries: &[Entry<M>], now: BootMicros) -> Self {
        let mut schedule = Self { jobs: Vec::with_capacity(entries.len()) };
        for entry in entries {
            schedule.add(*entry, now);
        }
        schedule
    }

    pub(crate) fn add(&mut self, (message, period_micros, delay_micros): Entry<M>, now: BootMicros) {
        let due = now_plus(now, delay_micros);
        self.jobs.push(Job { message, period_micros: period_micros.max(1), due });
    }

    /// What is due by now, each message once, in the order of the entries.
    pub(crate) fn due(&mut self, now: BootMicros) -> Vec<M> {
        let mut due = Vec::new();
        for job in self.jobs.iter_mut().filter(|job| job.due <= now) {
            let missed = (now.0 - job.due.0) / job.period_micros;
            job.due = now_plus(job.due, job.period_micros.saturating_mul(missed.saturating_add(1)));
            due.push(job.message);
        }
        due
    }

    pub(crate) fn next_due(&self) -> BootMicros {
        self.jobs.iter().map(|job| job.due).min().unwrap_or(NEVER)
    }
}
