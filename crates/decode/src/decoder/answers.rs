//! Diagnostic answers to values: OBD-II and UDS, whoever asked.

use super::{Decoded, diagnostic::Asked, out::Out};
use crate::{
    obd::{self, Answer, Told},
    poll::Unit,
    uds::{self, Report},
};
use vernport_types::{CanId, Fault, Source, TroubleCode, Value};

/// UDS "by status mask": the codes whose status has a bit of the request's mask.
const BY_STATUS_MASK: u8 = 0x02;
/// UDS "supported": all codes that the unit knows, failing or not.
const SUPPORTED: u8 = 0x0A;
/// The bit "confirmed" of a status (ISO 14229-1, annex D.2).
const CONFIRMED: u8 = 0x08;

impl<F: FnMut(Decoded)> Out<'_, F> {
    /// Takes a whole answer of the control unit that speaks with `id`, and the
    /// request where that was heard.
    pub(super) fn answer(&mut self, message: &[u8], id: CanId, asked: Option<&Asked>) {
        let responder = id.raw();
        if let Some(vin) = uds::vin(message) {
            let source = Source::Uds { service: uds::READ_BY_IDENTIFIER, did: uds::VIN, responder };
            return self.vin(source, || vin);
        }
        if let [uds::POSITIVE_BY_IDENTIFIER, high, low, data @ ..] = message {
            return self.identifier(u16::from_be_bytes([*high, *low]), data, id, asked);
        }
        if let Some(vin) = obd::vin(message) {
            return self.vin(Source::Obd { service: 9, pid: 2, responder }, || vin);
        }
        match Report::read(message) {
            Some(Ok(report)) => return self.report(&report, responder, asked),
            Some(Err(code)) => return self.rejected(Some(code)),
            None => {}
        }
        obd::read(message, |told| match told {
            Ok(told) => self.obd(told, responder),
            Err(code) => self.rejected(Some(code)),
        });
    }

    /// An answer of service 22 to a configured identifier. With several in one answer, lengths
    /// would have to be known that are not: then nothing is read.
    fn identifier(&mut self, did: u16, data: &[u8], id: CanId, asked: Option<&Asked>) {
        let alone = asked.is_none_or(|asked| asked.request().len() == 3);
        let Some(unit) = Unit::answering(id).filter(|_| alone) else { return };
        let source = Source::Uds { service: uds::READ_BY_IDENTIFIER, did, responder: id.raw() };
        let dids = self.dids;
        for (wanted, value) in dids.read(unit, did, data) {
            match value {
                Ok(Value::Integer(metres))
                    if self.plan.odometer.is_some_and(|odometer| odometer.id == wanted.id) =>
                {
                    self.odometer(source, || Ok((metres, None)));
                }
                value => self.value(Some(wanted), source, || value),
            }
        }
    }

    fn obd(&mut self, Told { service, pid, answer }: Told, responder: u32) {
        let plan = self.plan;
        let source = Source::Obd { service, pid, responder };
        match answer {
            Answer::Status { lamp_on, .. } => {
                self.value(plan.malfunction_lamp, source, || Ok(Value::Flag(lamp_on)));
            }
            Answer::SpeedKmPerH(speed) => self.number(plan.speed, source, || Ok(speed)),
            Answer::PowerTakeOff(on) => self.value(plan.power_take_off, source, || Ok(Value::Flag(on))),
            Answer::FuelPercent(level) => self.number(plan.fuel_level, source, || Ok(level)),
            Answer::ModuleVolts(volts) => self.number(plan.battery_voltage, source, || Ok(volts)),
            Answer::BatteryPercent(charge) => self.number(plan.traction_charge, source, || Ok(charge)),
            Answer::OilCelsius(degrees) => self.number(plan.oil_temperature, source, || Ok(degrees)),
            Answer::EngineHours(hours) => self.number(plan.engine_hours, source, || Ok(hours)),
            Answer::ExhaustFluidPercent(level) => {
                self.number(plan.exhaust_fluid_level, source, || Ok(level));
            }
            Answer::OdometerMetres(metres) => self.odometer(source, || Ok((metres, None))),
            Answer::TroubleCode(code) => {
                self.value(plan.trouble_codes, source, || Ok(Value::TroubleCode(code)));
            }
            Answer::NoTroubleCode(_) => self.value(plan.trouble_codes, source, || Ok(Value::Nothing)),
        }
    }

    fn report(&mut self, report: &Report<'_>, responder: u32, asked: Option<&Asked>) {
        let (Report::Codes { sub_function, .. } | Report::One { sub_function, .. }) = *report else { return };
        let source = Source::Uds { service: uds::READ_TROUBLE_CODES, did: sub_function.into(), responder };
        let wanted = self.plan.trouble_codes;
        let mut none = true;
        for (record, available) in report.records() {
            let Some(state) = uds::fault_state(record.status, available) else { continue };
            none = false;
            let fault = Fault::Uds { code: record.code, status: record.status };
            self.value(wanted, source, || Ok(Value::TroubleCode(TroubleCode { fault, state })));
        }
        // A list says "none" only where it would have held every confirmed code.
        let all = match sub_function {
            SUPPORTED => true,
            BY_STATUS_MASK => match asked.map(Asked::request) {
                Some([_, _, mask, ..]) => mask & CONFIRMED != 0,
                _ => true,
            },
            _ => false,
        };
        if none && all {
            self.value(wanted, source, || Ok(Value::Nothing));
        }
    }
}
