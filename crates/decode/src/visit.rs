//! A visit: one vehicle attached to one bus, and what identified it.
//!
//! INVARIANT 6: readings go to the right asset or to nobody. So:
//!
//! - From one break of the bus to the next (detach, or silence) there is at
//!   most one vehicle. What is heard before it is recognised is held, within a
//!   bound, and is given to it or dropped at the break with everything half received.
//! - A VIN on the bus decides alone, once heard: its asset, or nobody.
//! - Without a VIN, after a moment of grace: the asset that a technician said
//!   stands here, if that was said after the last vehicle left; else the asset
//!   that the gateway is mounted in.
//!   (A vehicle that a technician named, and that left without being heard or
//!   detached, leaves its name to the next: there is nothing that could tell.)
//! - Two statements that do not fit together end the visit: nobody is read
//!   until the next break. Two VINs on one bus are such: a trailer or body may say its own
//!   beside the truck's, and which values are whose, nothing tells.
//! - A bus that turns out to be a boat's gives away nothing that was held.
//!
//! ```text
//!            first frame              VIN, assertion or pin
//!   empty ───────────────► unknown ─────────────────────────► known
//!     ▲                     │  ▲ ◄───── no longer holds ───────┤
//!     │      break          │  │                               │ conflict
//!     └─────────────────────┴──┼──────── nobody ◄──────────────┘
//! ```

mod attachment;

use crate::{
    Config as DecoderConfig, Decoded, Decoder, PlanError, RejectCode, dbc, dids::Dids, j1939::claim::Claims,
};
use attachment::Attachment;
use std::sync::Arc;
use vernport_types::{
    AssetId, CanFrame, Catalogue, FrameKind, Identification, Reading, SignalId, Stamp, UtcMicros, Vin,
};

/// What a technician said about which vehicle stands at the station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assertion {
    /// The vehicle.
    pub asset: AssetId,
    /// When it was said, by the clock of the frames. What was said before the
    /// last vehicle left says nothing about the next one.
    pub made_at: UtcMicros,
}

/// What the gateway knows about vehicles, from its grants.
pub trait Lookup {
    /// Whether VINs may be read now: an order or enrolment here waits for a vehicle.
    fn identify_open(&self) -> bool;
    /// The asset of a VIN, if it is expected here.
    fn by_vin(&self, vin: &Vin) -> Option<AssetId>;
    /// The asset that a technician said stands here.
    fn asserted(&self) -> Option<Assertion>;
    /// The asset that this gateway is mounted in.
    fn pinned(&self) -> Option<AssetId> {
        None
    }
}

/// Why a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The bus or adapter went away.
    Detached,
    /// Nothing was heard for too long.
    Silence,
    /// Two identifications do not fit together; nobody is read until the next break.
    Conflict,
    /// What identified the vehicle does not hold any more.
    Recheck,
}

/// What comes out of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The vehicle was recognised, or the same vehicle in another way.
    Began {
        /// Which asset.
        asset: AssetId,
        /// By what.
        by: Identification,
    },
    /// A reading of the recognised vehicle.
    Reading(Reading),
    /// A value was dropped, since nobody knows whose it is.
    Unidentified {
        /// Which signal.
        signal: SignalId,
    },
    /// Bytes that did not become a value.
    Rejected {
        /// Why.
        code: RejectCode,
    },
    /// The visit ended. Follows a `Began`, except that a conflict may come before any.
    Ended {
        /// Why.
        why: End,
    },
}

/// Bounds of a [`Visit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Bounds of its decoder.
    pub decoder: DecoderConfig,
    /// How long the bus may be silent within one visit, in microseconds. Default 5 s.
    pub silence_micros: u64,
    /// How long a VIN is waited for before an assertion or the pinned asset is
    /// taken, in microseconds. Default 2 s.
    pub vin_grace_micros: u64,
    /// How old a value may be when the vehicle is recognised, in microseconds. Default 30 s.
    pub hold_micros: u64,
    /// How many values are held until the vehicle is recognised. Default 512.
    pub hold_values: usize,
    /// How often it is checked that what identified the vehicle still holds, in microseconds. Default 0.2 s.
    pub recheck_micros: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            decoder: DecoderConfig::default(),
            silence_micros: 5_000_000,
            vin_grace_micros: 2_000_000,
            hold_micros: 30_000_000,
            hold_values: 512,
            recheck_micros: 200_000,
        }
    }
}

/// One bus and the vehicle on it. Owns the decoder, so that a break forgets
/// half-received messages together with the vehicle.
#[derive(Debug)]
pub struct Visit {
    config: Config,
    decoder: Decoder,
    attached: Option<Attachment>,
    /// When the last vehicle was heard last.
    left_at: Option<UtcMicros>,
    /// What a technician had said by then.
    spent: Option<Assertion>,
}

impl Visit {
    /// A bus with nobody on it.
    ///
    /// # Errors
    /// [`PlanError`] if a catalogue entry does not fit what is decoded.
    pub fn new(catalogue: &Catalogue, config: Config) -> Result<Self, PlanError> {
        let decoder = Decoder::new(catalogue, config.decoder)?;
        Ok(Self { config, decoder, attached: None, left_at: None, spent: None })
    }

    /// Reads configured data identifiers too.
    #[must_use]
    pub fn with_dids(mut self, dids: &Arc<Dids>) -> Self {
        self.decoder = self.decoder.with_dids(dids);
        self
    }

    /// Reads the signals of DBC files too. Comes after [`Visit::with_dids`].
    #[must_use]
    pub fn with_dbc(mut self, dbc: &Arc<dbc::Plan>) -> Self {
        self.decoder = self.decoder.with_dbc(dbc);
        self
    }

    /// The vehicle that is recognised now.
    pub fn recognised(&self) -> Option<(AssetId, Identification)> {
        self.attached.as_ref()?.recognised()
    }

    /// Takes one frame of the bus.
    pub fn push(&mut self, frame: &CanFrame, at: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        // The adapter reports errors also, and most of all, when no vehicle is there.
        if frame.kind() == FrameKind::Error {
            return;
        }
        self.end_when_silent(at, out);
        let (config, left_at, spent) = (self.config, self.left_at, self.spent);
        let attached = self.attached.get_or_insert_with(|| Attachment::new(config, left_at, spent, at));
        let identify = lookup.identify_open();
        attached.recheck_heard(at, lookup, out);
        attached.heard(at, identify, out);
        self.decoder.set_identify(identify);
        self.decoder.push(frame, at, &mut |decoded| match decoded {
            Decoded::Signal { signal, value, source, at } => attached.value((signal, value, source, at), out),
            Decoded::Vin { vin, at, .. } => attached.vin(vin, at, lookup, out),
            Decoded::Rejected { code } => {
                if code == RejectCode::ForeignNetwork {
                    attached.drop_all(out);
                }
                out(Event::Rejected { code });
            }
        });
    }

    /// The J1939 addresses claimed since the last break of the bus.
    pub fn claims(&self) -> &Claims {
        self.decoder.claims()
    }

    /// Lets time pass; call it at least once a second, and when grants changed.
    pub fn tick(&mut self, now: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        self.end_when_silent(now, out);
        self.decoder.tick(now, &mut |decoded| {
            if let Decoded::Rejected { code } = decoded {
                out(Event::Rejected { code });
            }
        });
        if let Some(attached) = &mut self.attached {
            attached.recheck(now, lookup, out);
        }
    }

    /// The bus or adapter went away.
    pub fn detach(&mut self, now: Stamp, out: &mut impl FnMut(Event)) {
        self.end(End::Detached, out);
        self.left_at = Some(now.wall);
    }

    fn end_when_silent(&mut self, now: Stamp, out: &mut impl FnMut(Event)) {
        if self.attached.as_ref().is_some_and(|attached| attached.is_silent(now)) {
            self.end(End::Silence, out);
        }
    }

    fn end(&mut self, why: End, out: &mut impl FnMut(Event)) {
        self.decoder.reset();
        if let Some(attached) = self.attached.take() {
            self.left_at = Some(attached.last_heard().wall);
            self.spent = attached.said();
            attached.end(why, out);
        }
    }
}

#[cfg(test)]
mod histories;
#[cfg(test)]
mod swaps;
#[cfg(test)]
mod tests;
