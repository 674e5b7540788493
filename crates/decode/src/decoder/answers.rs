//! Diagnostic answers to values: OBD-II and UDS, whoever asked.

use super::{Decoded, out::Out};
use crate::{
    obd::{self, Answer},
    uds,
};
use vernport_types::{Source, Value};

impl<F: FnMut(Decoded)> Out<'_, F> {
    pub(super) fn answer(&mut self, message: &[u8], responder: u32) {
        let plan = self.plan;
        if let Some(vin) = uds::vin(message) {
            let source = Source::Uds { service: uds::READ_BY_IDENTIFIER, did: uds::VIN, responder };
            return self.vin(source, || vin);
        }
        if let Some(vin) = obd::vin(message) {
            return self.vin(Source::Obd { service: 9, pid: 2, responder }, || vin);
        }
        obd::read(message, |answer| {
            let answer = match answer {
                Ok(answer) => answer,
                Err(code) => return self.rejected(Some(code)),
            };
            let (service, pid) = answer.asked_by();
            let source = Source::Obd { service, pid, responder };
            match answer {
                Answer::SpeedKmPerH(speed) => self.number(plan.speed, source, || Ok(speed)),
                Answer::FuelPercent(level) => self.number(plan.fuel_level, source, || Ok(level)),
                Answer::ModuleVolts(volts) => self.number(plan.battery_voltage, source, || Ok(volts)),
                Answer::OdometerMetres(metres) => self.odometer(source, || Ok((metres, None))),
                Answer::TroubleCode(code) => {
                    self.value(plan.trouble_codes, source, || Ok(Value::TroubleCode(code)));
                }
                Answer::NoTroubleCode(_) => self.value(plan.trouble_codes, source, || Ok(Value::Nothing)),
            }
        });
    }
}
