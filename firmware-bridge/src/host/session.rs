//! One session as the host sees it: what is still to be said, how much credit
//! is out, and whether the adapter heard what was said.

use crate::{
    clock::SAMPLES,
    message::{ClockReply, ClockRequest, Heartbeat, Report},
    session::{HEARTBEAT_MICROS, MAX_BUSES, SILENCE_MICROS, next},
};

/// The first questions for the time follow each other faster.
const FIRST_CLOCK_MICROS: u64 = 100_000;
const CLOCK_MICROS: u64 = 1_000_000;
/// Without an answer about the time, frames flow after this all the same.
const CLOCK_WAIT_MICROS: u64 = 1_000_000;

/// The adapter must have heard what was said three reports ago.
const SETTLING: usize = 3;
/// Reports that come in a heap, after a pause of the host, count as one.
const SETTLING_STEP_MICROS: u64 = HEARTBEAT_MICROS * 9 / 10;

/// What the host has said.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    credit: u32,
    settings: u32,
}

/// What a report showed.
pub(super) struct Found {
    /// Frames that the line lost.
    pub(super) lost: u32,
    /// The host's frames that did not get onto their bus, since the last report.
    pub(super) refused: u32,
}

#[derive(Debug)]
pub(super) struct Session {
    buses: usize,
    /// By bus: the mode, the filters are still to be said.
    modes: u8,
    filters: u8,
    sequence: u32,
    heartbeat_micros: u64,
    heard_micros: u64,
    dropped_by_adapter: u32,
    beyond_credit: u32,
    clock_micros: u64,
    clock_asked: Option<u64>,
    /// When credit is given without an answer about the time; `None` once it is given.
    credit_waits_until: Option<u64>,
    outstanding: u32,
    received: u32,
    refused: u32,
    said: Said,
    /// What was said by one of the last reports, the oldest first, which the
    /// adapter must have heard by now.
    said_by: [Said; SETTLING],
    said_by_micros: u64,
}

const _: () = assert!(MAX_BUSES <= 8, "one bit a bus");

impl Session {
    pub(super) fn new(buses: u8, now_micros: u64) -> Self {
        let buses = usize::from(buses).min(MAX_BUSES);
        let each = (0..buses).fold(0u8, |bits, bus| bits | 1 << bus);
        Self {
            buses,
            modes: each,
            filters: each,
            sequence: 0,
            heartbeat_micros: now_micros,
            heard_micros: now_micros,
            dropped_by_adapter: 0,
            beyond_credit: 0,
            clock_micros: now_micros,
            clock_asked: None,
            credit_waits_until: Some(now_micros.saturating_add(CLOCK_WAIT_MICROS)),
            outstanding: 0,
            received: 0,
            refused: 0,
            said: Said::default(),
            said_by: [Said::default(); SETTLING],
            said_by_micros: now_micros,
        }
    }

    pub(super) const fn buses(&self) -> usize {
        self.buses
    }

    pub(super) const fn is_silent(&self, now_micros: u64) -> bool {
        now_micros.saturating_sub(self.heard_micros) >= SILENCE_MICROS
    }

    pub(super) const fn has_settings(&self) -> bool {
        self.modes != 0 || self.filters != 0
    }

    /// The next time at which something is due by time alone.
    pub(super) fn wake_micros(&self) -> u64 {
        let silent = self.heard_micros.saturating_add(SILENCE_MICROS);
        let credit = self.credit_waits_until.unwrap_or(u64::MAX);
        self.heartbeat_micros.min(self.clock_micros).min(silent).min(credit)
    }

    pub(super) fn renew_mode(&mut self, bus: u8) {
        self.modes |= self.bit(bus);
    }

    pub(super) fn renew_filters(&mut self, bus: u8) {
        self.filters |= self.bit(bus);
    }

    fn bit(&self, bus: u8) -> u8 {
        if usize::from(bus) < self.buses { 1 << bus } else { 0 }
    }

    /// The next bus whose mode is to be said.
    pub(super) fn next_mode(&mut self) -> Option<u8> {
        lowest(&mut self.modes).inspect(|_| _ = next(&mut self.said.settings))
    }

    /// The next bus whose filters are to be said.
    pub(super) fn next_filters(&mut self) -> Option<u8> {
        lowest(&mut self.filters).inspect(|_| _ = next(&mut self.said.settings))
    }

    pub(super) fn heartbeat(&mut self, now_micros: u64) -> Option<Heartbeat> {
        // Looked at once a turn, and a turn is due at this time.
        self.open_credit_if(self.credit_waits_until.is_some_and(|until| now_micros >= until));
        (now_micros >= self.heartbeat_micros).then(|| {
            self.heartbeat_micros = now_micros.saturating_add(HEARTBEAT_MICROS);
            Heartbeat { sequence: next(&mut self.sequence), dropped_frames: self.beyond_credit }
        })
    }

    /// The adapter's heartbeat; gives how many frames more it has dropped.
    pub(super) fn heard(&mut self, heartbeat: Heartbeat, now_micros: u64) -> u64 {
        self.heard_micros = now_micros;
        let more = heartbeat.dropped_frames.saturating_sub(self.dropped_by_adapter);
        self.dropped_by_adapter = heartbeat.dropped_frames;
        u64::from(more)
    }

    pub(super) fn clock_request(&mut self, now_micros: u64, samples: usize) -> Option<ClockRequest> {
        (now_micros >= self.clock_micros).then(|| {
            let pause = if samples < SAMPLES { FIRST_CLOCK_MICROS } else { CLOCK_MICROS };
            self.clock_micros = now_micros.saturating_add(pause);
            self.clock_asked = Some(now_micros);
            ClockRequest { host_micros: now_micros }
        })
    }

    /// Whether this answers the last question, for the first time.
    pub(super) fn asked(&mut self, reply: &ClockReply) -> bool {
        self.clock_asked.take_if(|asked| *asked == reply.host_micros).is_some()
    }

    pub(super) const fn open_credit_if(&mut self, ready: bool) {
        if ready {
            self.credit_waits_until = None;
        }
    }

    /// How much credit to give: not for less than a quarter of the window.
    pub(super) fn credit_due(&self, window: u32, held: u32) -> Option<u32> {
        let room = window.saturating_sub(held).saturating_sub(self.outstanding);
        let settled = self.credit_waits_until.is_none() && !self.has_settings();
        (settled && room >= (window / 4).max(1)).then_some(room)
    }

    pub(super) const fn grant(&mut self, frames: u32) {
        self.outstanding = self.outstanding.saturating_add(frames);
        self.said.credit = self.said.credit.wrapping_add(frames);
    }

    /// A frame came in; whether there was credit for it.
    pub(super) fn spend(&mut self) -> bool {
        let Some(left) = self.outstanding.checked_sub(1) else {
            next(&mut self.beyond_credit);
            return false;
        };
        self.outstanding = left;
        next(&mut self.received);
        true
    }

    /// Takes the adapter's word for this session; `None` if it did not hear
    /// what it must have heard.
    pub(super) fn report(&mut self, report: &Report, now_micros: u64) -> Option<Found> {
        let lost = report.sent_frames.wrapping_sub(self.received);
        let [settled, ..] = self.said_by;
        let heard = between(settled.credit, report.credit_frames, self.said.credit)
            && between(settled.settings, report.settings, self.said.settings);
        if !heard || lost > self.outstanding {
            return None;
        }
        self.outstanding -= lost;
        self.received = report.sent_frames;
        if now_micros.saturating_sub(self.said_by_micros) >= SETTLING_STEP_MICROS {
            let [_, newer @ ..] = self.said_by;
            for (place, said) in self.said_by.iter_mut().zip(newer.into_iter().chain([self.said])) {
                *place = said;
            }
            self.said_by_micros = now_micros;
        }
        let refused = report.refused_frames.wrapping_sub(self.refused);
        self.refused = report.refused_frames;
        Some(Found { lost, refused })
    }
}

/// Takes the lowest bit that is set.
fn lowest(bits: &mut u8) -> Option<u8> {
    let bit = u8::try_from(bits.trailing_zeros()).ok().filter(|bit| *bit < 8)?;
    *bits &= *bits - 1;
    Some(bit)
}

/// Whether a wrapping count lies from `least` to `most`.
const fn between(least: u32, count: u32, most: u32) -> bool {
    count.wrapping_sub(least) <= most.wrapping_sub(least)
}
