//! DBC files beside the built-in decoding: which of their messages are asked, and what they may say.
//!
//! What the built-in decoding reads from a message, a DBC file does not give
//! a second time: of a parameter group that is known here, and of an answer to
//! OBD-II, it gives only the signals that are not read anyway. So a reading
//! comes once, and with the care (trips, wake-up) that only the protocol knows.

use super::{Decoded, Decoder, out::Out};
use crate::{
    dbc::{Plan, Read, Reading},
    j1939,
};
use std::sync::Arc;
use vernport_types::{CanFrame, CanId, FrameKind, SignalId, Source, Stamp, Value};

impl Decoder {
    /// Reads the signals of DBC files too.
    #[must_use]
    pub fn with_dbc(mut self, plan: &Arc<Plan>) -> Self {
        let always = self.interest(|_| false, false);
        let read_elsewhere = |id: CanId, signal: SignalId| {
            let filters = self.interest(|wanted| wanted == signal, false);
            !is_of_diagnosis(id) && filters.iter().any(|filter| !always.contains(filter) && filter.passes(id))
        };
        let plan = Plan::clone(plan).without(read_elsewhere);
        self.dbc = (!plan.is_empty()).then(|| Arc::new(plan));
        self
    }

    /// The DBC files' plan, as it was given to the decoder: for the names of its sources.
    pub fn dbc(&self) -> Option<&Arc<Plan>> {
        self.dbc.as_ref()
    }

    /// Asks the DBC files of one frame. Frames of transport protocols are not for them: what those
    /// carry comes when it is whole. Nor are requests: files of loggers name their identifiers
    /// too, and what fills a request would be read as a value.
    pub(super) fn dbc_frame(&mut self, frame: &CanFrame, at: Stamp, sink: &mut impl FnMut(Decoded)) {
        let Some(dbc) = &self.dbc else { return };
        let id = frame.id();
        if is_of_diagnosis(id) || is_of_a_tester(id) || is_of_transport(id) {
            return;
        }
        let mut out = Out {
            plan: &self.plan,
            dbc: None,
            dids: &self.dids,
            odometers: &mut self.odometers,
            identify: self.identify,
            at,
            sink,
        };
        dbc.frame(id, frame.kind() == FrameKind::FdData, frame.data(), &mut |read| out.read(read));
    }
}

impl<F: FnMut(Decoded)> Out<'_, F> {
    /// Asks the DBC files of a whole ISO-TP message.
    pub(super) fn dbc_answer(&mut self, sender: CanId, message: &[u8]) {
        let Some(dbc) = self.dbc else { return };
        let (of_obd, of_uds) = (matches!(message, [0x41..=0x4A, ..]), matches!(message, [0x62, ..]));
        dbc.answer(sender, message, &mut |read| {
            let is_read = of_obd && self.obd_gives(read.signal) || of_uds && self.dids.gives(read.signal);
            if !is_read {
                self.read(read);
            }
        });
    }

    /// What is read from answers of OBD-II without any file.
    fn obd_gives(&self, signal: SignalId) -> bool {
        let plan = self.plan;
        let given = [
            &plan.speed,
            &plan.fuel_level,
            &plan.battery_voltage,
            &plan.engine_hours,
            &plan.power_take_off,
            &plan.odometer,
            &plan.trouble_codes,
            &plan.malfunction_lamp,
            &plan.oil_temperature,
            &plan.exhaust_fluid_level,
            &plan.traction_charge,
        ];
        given.into_iter().any(|wanted| wanted.is_some_and(|wanted| wanted.id == signal))
    }

    /// Asks the DBC files of a parameter group that came in packets.
    pub(super) fn dbc_group(&mut self, group: u32, source: u8, message: &[u8]) {
        if let Some(dbc) = self.dbc {
            dbc.group(group, source, message, &mut |read| self.read(read));
        }
    }

    fn read(&mut self, read: Read) {
        let source = Source::Dbc { signal: read.index };
        let is_odometer = self.plan.odometer.is_some_and(|odometer| odometer.id == read.signal);
        let believed = read.value.and_then(|value| match value {
            Reading::Integer(metres) if is_odometer => {
                self.odometers.check(source, metres, None, self.at.boot).map(Value::Integer)
            }
            reading => Ok(Value::from(reading)),
        });
        (self.sink)(match believed {
            Ok(value) => Decoded::Signal { signal: read.signal, value, source, at: self.at },
            Err(code) => Decoded::Rejected { code },
        });
    }
}

/// Answers of control units to testers (ISO 15765-4, ISO 15765-2).
fn is_of_diagnosis(id: CanId) -> bool {
    match id {
        CanId::Standard(id) => (0x7E8..=0x7EF).contains(&id),
        CanId::Extended(raw) => raw & 0x1FFF_F000 == 0x18DA_F000,
    }
}

/// Requests of testers to control units (the same standards).
fn is_of_a_tester(id: CanId) -> bool {
    match id {
        CanId::Standard(id) => (0x7DF..=0x7E7).contains(&id),
        CanId::Extended(raw) => matches!(raw >> 16, 0x18DA | 0x18DB) && raw & 0xF0 == 0xF0,
    }
}

/// Packets of SAE J1939-21.
fn is_of_transport(id: CanId) -> bool {
    j1939::Id::from_can(id)
        .is_some_and(|id| matches!(id.pgn, j1939::transport::CONNECTION | j1939::transport::DATA))
}
