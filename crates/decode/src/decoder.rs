//! The decoder of one bus: frames in, values of catalogue signals out.
//!
//! ```text
//! 11-bit 7E8…7EF, 29-bit 18DA Fx yy ─► ISO-TP ─► OBD-II, UDS ─┐
//! J1939 TP.CM, TP.DT to everybody   ─► BAM ────► group ───────┼─► believed? ─► sink
//! J1939, any other group            ────────────► group ───────┘
//! any other frame, whole messages    ────────────► DBC files, where there are some
//! ```
//!
//! Nothing is allocated per frame once each sender was heard.

mod answers;
mod dbc;
mod groups;
mod interest;
mod out;

use crate::{
    RejectCode,
    isotp::{self, Heard},
    j1939::{self, transport},
    odometer::Odometers,
    plan::{Plan, PlanError},
};
use out::Out;
use std::sync::Arc;
use vernport_types::{
    BootMicros, CanFrame, CanId, Catalogue, FrameKind, SignalId, Source, Stamp, Value, Vin,
};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many senders of ISO-TP messages are followed at once.
    pub diagnostic_senders: usize,
}

impl Default for Config {
    /// 16 senders.
    fn default() -> Self {
        Self { diagnostic_senders: 16 }
    }
}

/// Decodes the frames of one bus.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    plan: Plan,
    identify: bool,
    broadcasts: transport::Broadcasts,
    senders: Vec<(CanId, isotp::Receiver)>,
    odometers: Odometers,
    dbc: Option<Arc<crate::dbc::Plan>>,
}

impl Decoder {
    /// A decoder of the signals of `catalogue`. It reads VINs until told otherwise.
    ///
    /// # Errors
    /// [`PlanError`] if an entry has another unit or kind than the decoder gives.
    pub fn new(catalogue: &Catalogue, config: Config) -> Result<Self, PlanError> {
        Ok(Self {
            config,
            plan: Plan::new(catalogue)?,
            identify: true,
            broadcasts: transport::Broadcasts::default(),
            senders: Vec::new(),
            odometers: Odometers::default(),
            dbc: None,
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
        self.dbc_frame(frame, at, sink);
        match frame.id() {
            // ISO 15765-4: answers of the control units that legislation asks for.
            CanId::Standard(0x7E8..=0x7EF) => self.diagnostic(frame, at, sink),
            CanId::Standard(_) => {}
            // ISO 15765-2 normal fixed addressing: an answer to a tester (F0 to FF).
            CanId::Extended(raw) if raw & 0x1FFF_F000 == 0x18DA_F000 => self.diagnostic(frame, at, sink),
            CanId::Extended(_) if fd => {}
            CanId::Extended(_) => self.j1939(frame, at, sink),
        }
    }

    /// Lets time pass while nothing is heard: drops what waits too long.
    pub fn tick(&mut self, now: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut late = self.broadcasts.expire(now.boot);
        late += self.senders.iter_mut().filter_map(|(_, receiver)| receiver.expire(now.boot)).count();
        for _ in 0..late {
            sink(Decoded::Rejected { code: RejectCode::TransportTimeout });
        }
    }

    /// Forgets everything heard: another vehicle may be there now.
    pub fn reset(&mut self) {
        self.broadcasts.reset();
        self.senders.clear();
        self.odometers.reset();
    }

    fn j1939(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let Some(id) = j1939::Id::from_can(frame.id()) else { return };
        let data = frame.data();
        let to_everybody = id.destination == Some(j1939::Id::GLOBAL);
        let mut out = Out {
            plan: &self.plan,
            dbc: self.dbc.as_deref(),
            odometers: &mut self.odometers,
            identify: self.identify,
            at,
            sink,
        };
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
                    out.dbc_group(group, id.source, message);
                }
            }
            group => out.group(group, id.source, data),
        }
    }

    fn diagnostic(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let mut out = Out {
            plan: &self.plan,
            dbc: self.dbc.as_deref(),
            odometers: &mut self.odometers,
            identify: self.identify,
            at,
            sink,
        };
        let Some(receiver) = sender(&mut self.senders, frame.id(), at.boot, self.config) else {
            return out.rejected(Some(RejectCode::TransportBusy));
        };
        let step = receiver.push(frame.data(), at.boot);
        out.rejected(step.dropped);
        if let Heard::Message(message) = step.heard {
            out.answer(message, frame.id().raw());
            out.dbc_answer(frame.id(), message);
        }
    }
}

/// The receiver of a sender's messages; where there is no more room, that of one that is silent now.
fn sender(
    senders: &mut Vec<(CanId, isotp::Receiver)>,
    id: CanId,
    now: BootMicros,
    config: Config,
) -> Option<&mut isotp::Receiver> {
    let place = match senders.iter().position(|(sender, _)| *sender == id) {
        Some(place) => place,
        None if senders.len() < config.diagnostic_senders => {
            senders.push((id, isotp::Receiver::default()));
            senders.len() - 1
        }
        None => {
            let place = senders.iter_mut().position(|(_, receiver)| {
                let _ = receiver.expire(now);
                !receiver.is_under_way()
            })?;
            senders[place].0 = id;
            place
        }
    };
    senders.get_mut(place).map(|(_, receiver)| receiver)
}

#[cfg(test)]
mod tests;
