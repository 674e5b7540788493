//! A vehicle with the faults of its bus: sleep, loss, noise, another tester.
//!
//! Promise: in any span of time at most [`BURST_FRAMES`] and one frame for each
//! [`FRAME_MICROS`] begun are sent, whatever is heard and whenever it is called;
//! what is more finds the bus full, is lost and counted.

use crate::{
    fault::Fault,
    noise::Noise,
    random::Random,
    tester::Tester,
    vehicle::{Model, NEVER, Vehicle, now_plus},
};
use std::collections::VecDeque;
use vernport_types::{BootMicros, CanFrame};

/// Frames that can be sent at once.
pub const BURST_FRAMES: u64 = 64;
/// A frame more for each so many microseconds: more than a classic bus can carry.
pub const FRAME_MICROS: u64 = 100;
/// How long after the ignition the bus falls asleep.
pub const SLEEP_MICROS: u64 = 10_000_000;

/// What was sent, and what was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Frames that went out.
    pub frames: u64,
    /// Frames of the vehicle that a fault took.
    pub lost: u64,
    /// Frames for which the bus was full.
    pub crowded_out: u64,
}

/// A vehicle, its faults, and those of its bus.
pub struct Simulated {
    model: Model,
    faults: Vec<Fault>,
    seed: u64,
    state: State,
    loss: Loss,
    room: Room,
    sent: Sent,
}

enum State {
    Asleep {
        /// Whether a frame wakes it.
        wakes: bool,
    },
    Awake(Box<Awake>),
}

struct Awake {
    vehicle: Box<dyn Vehicle>,
    tester: Option<Tester>,
    noise: Option<Noise>,
    sleeps_at: BootMicros,
}

impl Simulated {
    /// Puts a vehicle on a bus. The same model, faults, seed and frames give the same frames.
    pub fn new(model: Model, faults: &[Fault], seed: u64, now: BootMicros) -> Self {
        let asleep = faults.iter().rev().find_map(|fault| match fault {
            Fault::Asleep { wakes } => Some(*wakes),
            _ => None,
        });
        let mut simulated = Self {
            model,
            faults: faults.to_vec(),
            seed,
            state: State::Asleep { wakes: asleep.unwrap_or(true) },
            loss: Loss::new(faults, seed),
            room: Room { frames: BURST_FRAMES, since: now },
            sent: Sent::default(),
        };
        if asleep.is_none() {
            simulated.wake(now);
        }
        simulated
    }

    /// What was sent so far.
    pub const fn sent(&self) -> Sent {
        self.sent
    }

    /// Whether the bus sleeps.
    pub const fn is_asleep(&self) -> bool {
        matches!(self.state, State::Asleep { .. })
    }

    fn wake(&mut self, now: BootMicros) {
        let mut awake = Awake {
            vehicle: self.model.start(&self.faults, now),
            tester: None,
            noise: None,
            sleeps_at: NEVER,
        };
        for fault in &self.faults {
            match *fault {
                Fault::Tester { session } => {
                    awake.tester = Some(Tester::new(self.model.kind(), session, self.seed ^ 1, now));
                }
                Fault::Noise { per_second } => awake.noise = Some(Noise::new(per_second, self.seed ^ 2, now)),
                Fault::IgnitionOff { after_micros } => {
                    awake.sleeps_at = now_plus(now, after_micros.saturating_add(SLEEP_MICROS));
                }
                _ => {}
            }
        }
        self.state = State::Awake(Box::new(awake));
    }

    /// Falls asleep where it is time; the distance is kept for the next drive.
    fn rest(&mut self, now: BootMicros) {
        if let State::Awake(awake) = &self.state
            && awake.sleeps_at <= now
        {
            self.model.set_odometer_m(awake.vehicle.odometer_m(now));
            self.state = State::Asleep { wakes: true };
        }
    }

    /// Brings frames of the vehicle onto the bus, where the other tester hears
    /// them and may say something to the vehicle.
    fn bring(&mut self, frames: Vec<CanFrame>, now: BootMicros) -> Vec<CanFrame> {
        let State::Awake(awake) = &mut self.state else { return Vec::new() };
        let mut out = Vec::new();
        let mut waiting = VecDeque::from(frames);
        while let Some(frame) = waiting.pop_front() {
            if self.loss.takes() {
                self.sent.lost += 1;
                continue;
            }
            if !self.room.take(now, &mut self.sent) {
                continue;
            }
            out.push(frame);
            // Flow control is what it says, to which no vehicle says a first frame: this ends.
            if let Some(said) = awake.tester.as_ref().and_then(|tester| tester.on_frame(&frame, now))
                && self.room.take(now, &mut self.sent)
            {
                out.push(said);
                waiting.extend(awake.vehicle.on_frame(&said, now));
            }
        }
        out
    }
}

impl Vehicle for Simulated {
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        self.rest(now);
        match &mut self.state {
            State::Asleep { wakes: false } => Vec::new(),
            State::Asleep { wakes: true } => {
                // The frame that wakes is not understood by who slept.
                self.wake(now);
                Vec::new()
            }
            State::Awake(awake) => {
                let frames = awake.vehicle.on_frame(frame, now);
                self.bring(frames, now)
            }
        }
    }

    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        self.rest(now);
        let State::Awake(awake) = &mut self.state else { return Vec::new() };
        let mut frames = awake.vehicle.on_tick(now);
        let tester = &mut awake.tester;
        // It can have two things to say at once: that it is there, and a question.
        let asked = std::iter::from_fn(|| tester.as_mut()?.on_tick(now)).take(2);
        let noise = awake.noise.as_mut().and_then(|noise| noise.on_tick(now));
        let mut out = Vec::new();
        for foreign in noise.into_iter().chain(asked) {
            if self.room.take(now, &mut self.sent) {
                out.push(foreign);
                frames.extend(awake.vehicle.on_frame(&foreign, now));
            }
        }
        out.extend(self.bring(frames, now));
        out
    }

    fn next_due(&self) -> BootMicros {
        let State::Awake(awake) = &self.state else { return NEVER };
        let tester = awake.tester.as_ref().map_or(NEVER, Tester::next_due);
        let noise = awake.noise.as_ref().map_or(NEVER, Noise::next_due);
        awake.vehicle.next_due().min(tester).min(noise).min(awake.sleeps_at)
    }

    fn odometer_m(&self, now: BootMicros) -> u64 {
        match &self.state {
            State::Asleep { .. } => self.model.odometer_m(),
            State::Awake(awake) => awake.vehicle.odometer_m(now.min(awake.sleeps_at)),
        }
    }
}

/// Which frames do not arrive.
struct Loss {
    every: Option<u32>,
    passed: u32,
    per_mille: u16,
    random: Random,
}

impl Loss {
    fn new(faults: &[Fault], seed: u64) -> Self {
        let mut loss = Self { every: None, passed: 0, per_mille: 0, random: Random::new(seed) };
        for fault in faults {
            match fault {
                Fault::LostEvery(every) => loss.every = Some(every.get()),
                Fault::LostShare { per_mille } => loss.per_mille = *per_mille,
                _ => {}
            }
        }
        loss
    }

    fn takes(&mut self) -> bool {
        if let Some(every) = self.every {
            self.passed += 1;
            if self.passed >= every {
                self.passed = 0;
                return true;
            }
        }
        self.per_mille > 0 && self.random.below(1000) < u32::from(self.per_mille)
    }
}

/// Room on the bus: fills with time up to a burst.
struct Room {
    frames: u64,
    since: BootMicros,
}

impl Room {
    fn take(&mut self, now: BootMicros, sent: &mut Sent) -> bool {
        let more = now.0.saturating_sub(self.since.0) / FRAME_MICROS;
        if more > 0 {
            self.frames = self.frames.saturating_add(more).min(BURST_FRAMES);
            self.since = now_plus(self.since, more * FRAME_MICROS);
        }
        match self.frames.checked_sub(1) {
            Some(left) => {
                self.frames = left;
                sent.frames += 1;
                true
            }
            None => {
                sent.crowded_out += 1;
                false
            }
        }
    }
}
