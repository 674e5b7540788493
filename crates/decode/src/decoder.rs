//! The decoder of one bus: frames in, values of catalogue signals out.
//!
//! ```text
//! 11-bit 700…7FF, 29-bit 18DA Fx yy ─► ISO-TP ─► OBD-II, UDS ─┐
//! J1939 TP.CM, TP.DT to everybody   ─► BAM ────► group ───────┼─► believed? ─► sink
//! J1939, any other group            ────────────► group ───────┘
//! ```
//!
//! Nothing is allocated per frame once each sender was heard.

mod answers;
mod diagnostic;
mod groups;
mod interest;
mod out;

use crate::{
    RejectCode,
    isotp::Limits,
    j1939::{self, transport},
    odometer::Odometers,
    plan::{Plan, PlanError},
};
use diagnostic::Diagnostics;
use out::Out;
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

/// Decodes the frames of one bus.
#[derive(Debug)]
pub struct Decoder {
    plan: Plan,
    identify: bool,
    broadcasts: transport::Broadcasts,
    diagnostics: Diagnostics,
    odometers: Odometers,
}

impl Decoder {
    /// A decoder of the signals of `catalogue`. It reads VINs until told otherwise.
    ///
    /// # Errors
    /// [`PlanError`] if an entry has another unit or kind than the decoder gives.
    pub fn new(catalogue: &Catalogue, config: Config) -> Result<Self, PlanError> {
        Ok(Self {
            plan: Plan::new(catalogue)?,
            identify: true,
            broadcasts: transport::Broadcasts::default(),
            diagnostics: Diagnostics::new(config.diagnostics),
            odometers: Odometers::default(),
        })
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
        match frame.id() {
            id if Diagnostics::are_on(id) => self.diagnostic(frame, at, sink),
            CanId::Standard(_) => {}
            CanId::Extended(_) if fd => {}
            CanId::Extended(_) => self.j1939(frame, at, sink),
        }
    }

    /// Lets time pass while nothing is heard: drops what waits too long.
    pub fn tick(&mut self, now: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut late = self.broadcasts.expire(now.boot);
        late += self.diagnostics.expire(now.boot);
        for _ in 0..late {
            sink(Decoded::Rejected { code: RejectCode::TransportTimeout });
        }
    }

    /// Forgets everything heard: another vehicle may be there now.
    pub fn reset(&mut self) {
        self.broadcasts.reset();
        self.diagnostics.reset();
        self.odometers.reset();
    }

    fn j1939(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let Some(id) = j1939::Id::from_can(frame.id()) else { return };
        let data = frame.data();
        let to_everybody = id.destination == Some(j1939::Id::GLOBAL);
        let mut out =
            Out { plan: &self.plan, odometers: &mut self.odometers, identify: self.identify, at, sink };
        match id.pgn {
            transport::CONNECTION if to_everybody => {
                let dropped = self.broadcasts.announce(id.source, data, at.boot, |group| out.wants(group));
                out.rejected(dropped);
            }
            transport::DATA if to_everybody => {
                let step = self.broadcasts.packet(id.source, data, at.boot);
                out.rejected(step.dropped);
                if let Some((group, message)) = step.message {
                    out.group(group, id.source, message);
                }
            }
            group => out.group(group, id.source, data),
        }
    }

    fn diagnostic(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut out =
            Out { plan: &self.plan, odometers: &mut self.odometers, identify: self.identify, at, sink };
        let step = self.diagnostics.push(frame, at.boot);
        out.rejected(step.dropped);
        // The one place where every whole answer of a control unit comes by.
        if let Some((message, asked)) = step.answer {
            out.answer(message, frame.id(), asked.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
