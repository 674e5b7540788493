//! The kernel's or the adapter's time of a frame, told as a [`Stamp`].
//!
//! The kernel says when it saw a frame, by the wall clock of the system. What
//! counts is how long ago that was: so much earlier than now is the stamp. An
//! adapter's own clock is finer and belongs to nobody; it is tied to the boot clock
//! by the least delay seen between the two. The boot clock of the stamps never
//! goes back. Where the kernel says nothing, or what cannot be, the clock's now counts.

use std::{sync::Arc, time::Duration};
use vernport_types::{BootMicros, Clock, Stamp};

/// A frame waits in a socket for as long as its reader stands still, as when a disk is full. One that
/// seems to wait longer than a day was stamped by another clock.
const MOST_AGE_MICROS: i64 = 86_400_000_000;
/// What the system's wall clock may differ from the boot clock between two frames
/// before it counts as set: this, and a thousandth of the time between.
const STEP_MICROS: i64 = 10_000;
const STEP_SLEW: i64 = 1000;
/// An adapter's crystal differs from ours by less than this share of the time.
const DRIFT_PARTS: i64 = 5000;
/// An adapter's clock that is so far off was set back or belongs to another start of it.
const MOST_DELAY_MICROS: i64 = 1_000_000;

/// What the kernel says of one frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KernelTime {
    /// When the kernel saw the frame, since 1970 by the system's wall clock.
    pub(crate) software: Option<Duration>,
    /// When the adapter saw it, by a clock of its own.
    pub(crate) hardware: Option<Duration>,
}

pub(crate) struct Stamper {
    clock: Arc<dyn Clock>,
    last: BootMicros,
    /// The system's wall clock less the boot clock, and the boot clock then.
    step: Option<(i64, i64)>,
    /// Where the system's wall clock was set: up to this time of it the kernel's times may be of
    /// before, and say nothing.
    set_at: Option<i64>,
    hardware: Option<HardwareClock>,
    by_clock: u64,
}

impl Stamper {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: BootMicros(0), step: None, set_at: None, hardware: None, by_clock: 0 }
    }

    /// Frames whose time is that at which they were read.
    pub(crate) const fn by_clock(&self) -> u64 {
        self.by_clock
    }

    /// Forgets the adapter's clock: the next frames may be another adapter's.
    pub(crate) fn new_adapter(&mut self) {
        self.hardware = None;
    }

    /// When the frame was heard. `system_now` is the system's wall clock, since 1970.
    pub(crate) fn stamp(&mut self, heard: KernelTime, system_now: Duration) -> Stamp {
        let now = self.clock.now();
        let boot_now = signed(now.boot.0);
        if self.stepped(micros(system_now), boot_now) {
            self.set_at = Some(micros(system_now));
        }
        let told = heard.software.map(micros).filter(|at| self.set_at.is_none_or(|set| *at > set));
        let age = told.map(|at| micros(system_now).saturating_sub(at));
        let at = match age {
            Some(age) if (0..=MOST_AGE_MICROS.min(boot_now)).contains(&age) => {
                self.refined(heard.hardware, boot_now - age)
            }
            _ => {
                self.by_clock += 1;
                boot_now
            }
        };
        let boot = BootMicros(at.unsigned_abs()).max(self.last);
        self.last = boot;
        let since = signed(boot.0) - boot_now;
        Stamp { wall: now.wall.plus_micros(since), boot, quality: now.quality }
    }

    /// The adapter's time where it has one, else the kernel's, on the boot clock.
    fn refined(&mut self, hardware: Option<Duration>, kernel: i64) -> i64 {
        let Some(hardware) = hardware.map(micros) else { return kernel };
        let clock = self.hardware.get_or_insert(HardwareClock { offset: kernel - hardware, last: hardware });
        clock.boot_micros(hardware, kernel).clamp(0, kernel)
    }

    /// Whether the system's wall clock was set since the last frame.
    fn stepped(&mut self, system: i64, boot: i64) -> bool {
        let difference = system.saturating_sub(boot);
        let before = self.step.replace((difference, boot));
        before.is_some_and(|(old, then)| {
            let slewed = STEP_MICROS + (boot - then).max(0) / STEP_SLEW;
            difference.abs_diff(old) > slewed.unsigned_abs()
        })
    }
}

/// An adapter's clock against the boot clock, in microseconds.
struct HardwareClock {
    /// What to add to the adapter's time.
    offset: i64,
    last: i64,
}

impl HardwareClock {
    /// The least difference seen is that of the frame that waited least; it is
    /// let grow as fast as the clocks may drift apart.
    fn boot_micros(&mut self, hardware: i64, kernel: i64) -> i64 {
        let seen = kernel.saturating_sub(hardware);
        let since = hardware.saturating_sub(self.last);
        let allowed = self.offset.saturating_add(since.max(0) / DRIFT_PARTS);
        let restarted = since < -MOST_DELAY_MICROS || seen.saturating_sub(allowed) > MOST_DELAY_MICROS;
        self.offset = if restarted { seen } else { allowed.min(seen) };
        self.last = hardware;
        hardware.saturating_add(self.offset)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "stamp_tests.rs"]
mod tests;
