//! The decoder of one bus: frames in, values of catalogue signals out.
//!
//! ```text
//! 11-bit 700…7FF, 29-bit 18DA Fx yy ─► ISO-TP ────► OBD-II, UDS ─┐
//! J1939 TP.CM, TP.DT                ─► transport ─► group ───────┼─► believed? ─► sink
//! J1939, any other group            ──────────────► group ───────┘
//! any other frame, whole messages   ──────────────► DBC files, where there are some
//! ```
//!
//! Nothing is allocated per frame once each sender was heard. On a boat's bus no
//! group is read ([`j1939::marine`]).

mod answers;
mod dbc;
mod diagnostic;
mod groups;
mod interest;
mod out;

use crate::{
    RejectCode,
    dids::Dids,
    isotp::Limits,
    j1939::{self, claim, marine, pgn, spn, transport},
    odometer::Odometers,
    plan::{Plan, PlanError},
};
use diagnostic::Diagnostics;
pub(crate) use groups::GROUPS;
pub(crate) use interest::ALWAYS_HEARD;
use out::Out;
use std::sync::Arc;
use vernport_types::{CanFrame, CanId, Catalogue, FrameKind, SignalId, Source, Stamp, Value, Vin};

/// What was understood.
///
/// `Debug` shows signal and source, never a value or a VIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A value of a catalogue signal, in the unit of the catalogue.
    Signal {
        /// Which signal.
        signal: SignalId,
        /// Its value.
        value: Value,
        /// Which message of which control unit.
        source: Source,
        /// When the message was complete.
        at: Stamp,
    },
    /// The vehicle said its VIN. It comes before the value of the same VIN.
    Vin {
        /// The VIN.
        vin: Vin,
        /// Which message of which control unit.
        source: Source,
        /// When the message was complete.
        at: Stamp,
    },
    /// Something was said and not taken.
    Rejected {
        /// Why.
        code: RejectCode,
    },
}

/// Bounds of a [`Decoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// How much of diagnostic messages is followed at once.
    pub diagnostics: Limits,
}

/// J1939 groups from here on are of data page 1.
const FIRST_OF_DATA_PAGE_1: u32 = 0x1_0000;

/// Decodes the frames of one bus.
#[derive(Debug)]
pub struct Decoder {
    plan: Plan,
    identify: bool,
    groups: groups::Index,
    transport: transport::Transport,
    methods: spn::Methods,
    claims: claim::Claims,
    marine: marine::Evidence,
    diagnostics: Diagnostics,
    odometers: Odometers,
    dbc: Option<Arc<crate::dbc::Plan>>,
    dids: Arc<Dids>,
}

impl Decoder {
    /// A decoder of the signals of `catalogue`. It reads VINs until told otherwise.
    ///
    /// # Errors
    /// [`PlanError`] if an entry has another unit or kind than the decoder gives.
    pub fn new(catalogue: &Catalogue, config: Config) -> Result<Self, PlanError> {
        let plan = Plan::new(catalogue)?;
        Ok(Self {
            plan,
            identify: true,
            groups: groups::Index::new(&plan),
            transport: transport::Transport::default(),
            methods: spn::Methods::default(),
            claims: claim::Claims::default(),
            marine: marine::Evidence::default(),
            diagnostics: Diagnostics::new(config.diagnostics),
            odometers: Odometers::default(),
            dbc: None,
            dids: Arc::default(),
        })
    }

    /// Reads configured data identifiers too. Comes before [`Decoder::with_dbc`], so that no
    /// signal comes of both.
    #[must_use]
    pub fn with_dids(mut self, dids: &Arc<Dids>) -> Self {
        self.dids = Arc::clone(dids);
        self
    }

    /// Whether VINs may be read. While not, they are not decoded, neither to
    /// recognise the vehicle nor as a value.
    pub fn set_identify(&mut self, open: bool) {
        self.identify = open;
    }

    /// Takes one frame heard at `at`.
    pub fn push(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let fd = match frame.kind() {
            FrameKind::Data => false,
            FrameKind::FdData => true,
            FrameKind::Remote | FrameKind::Error => return,
        };
        self.dbc_frame(frame, at, sink);
        match frame.id() {
            id if Diagnostics::are_on(id) => self.diagnostic(frame, at, sink),
            CanId::Standard(_) => {}
            CanId::Extended(_) if fd => {}
            CanId::Extended(_) => self.j1939(frame, at, sink),
        }
    }

    /// Lets time pass while nothing is heard: drops what waits too long.
    pub fn tick(&mut self, now: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut late = self.transport.expire(now.boot);
        late += self.diagnostics.expire(now.boot);
        for _ in 0..late {
            sink(Decoded::Rejected { code: RejectCode::TransportTimeout });
        }
    }

    /// Forgets everything heard: another vehicle may be there now.
    pub fn reset(&mut self) {
        self.transport.reset();
        self.methods.reset();
        self.claims.reset();
        self.marine = marine::Evidence::default();
        self.diagnostics.reset();
        self.odometers.reset();
    }

    /// The J1939 addresses claimed since the last reset.
    pub fn claims(&self) -> &claim::Claims {
        &self.claims
    }

    fn j1939(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let Some(id) = j1939::Id::from_can(frame.id()) else { return };
        let data = frame.data();
        if id.pgn == pgn::ADDRESS_CLAIMED || id.pgn >= FIRST_OF_DATA_PAGE_1 {
            return self.network(id, data, sink);
        }
        let mut out = Out {
            plan: &self.plan,
            dbc: self.dbc.as_deref(),
            dids: &self.dids,
            odometers: &mut self.odometers,
            identify: self.identify,
            at,
            sink,
        };
        let (group, data) = if transport::Transport::is(id.pgn) {
            let groups = &self.groups;
            let step = self.transport.push(id, data, at.boot, |group| out.wants(group, groups.find(group)));
            out.rejected(step.dropped);
            let Some((group, message)) = step.message else { return };
            out.dbc_group(group, id.source, message);
            (self.groups.find(group), message)
        } else {
            (self.groups.find(id.pgn), data)
        };
        let Some(group) = group else { return };
        if self.marine.is_marine() {
            return out.rejected(Some(RejectCode::ForeignNetwork));
        }
        out.group(group, id.source, data, &mut self.methods);
    }

    /// What tells whose bus this is.
    fn network(&mut self, id: j1939::Id, data: &[u8], sink: &mut impl FnMut(Decoded)) {
        let before = self.marine.is_marine();
        if let Some(claim) = claim::Claim::read(id, data) {
            self.claims.heard(claim);
            self.marine.claim(claim);
        } else {
            self.marine.message(id, data);
        }
        if !before && self.marine.is_marine() {
            sink(Decoded::Rejected { code: RejectCode::ForeignNetwork });
        }
    }

    fn diagnostic(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut out = Out {
            plan: &self.plan,
            dbc: self.dbc.as_deref(),
            dids: &self.dids,
            odometers: &mut self.odometers,
            identify: self.identify,
            at,
            sink,
        };
        let step = self.diagnostics.push(frame, at.boot);
        out.rejected(step.dropped);
        // The one place where every whole answer of a control unit comes by.
        if let Some((message, asked)) = step.answer {
            out.answer(message, frame.id(), asked.as_ref());
            out.dbc_answer(frame.id(), message);
        }
    }
}

#[cfg(test)]
mod tests;
