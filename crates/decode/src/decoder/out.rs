//! Where decoded values go: each message to its meaning, each value past the catalogue's bounds.

use super::Decoded;
use crate::{
    RejectCode,
    j1939::{dm1, pgn},
    obd::{self, Answer},
    odometer::Odometers,
    plan::{Plan, Wanted},
    uds,
};
use vernport_types::{Label, Number, Source, Stamp, Value, Vin};

/// One frame's way out. What the catalogue does not list is not even computed.
pub(super) struct Out<'a, F> {
    pub(super) plan: &'a Plan,
    pub(super) odometers: &'a mut Odometers,
    pub(super) identify: bool,
    pub(super) at: Stamp,
    pub(super) sink: &'a mut F,
}

impl<F: FnMut(Decoded)> Out<'_, F> {
    pub(super) fn rejected(&mut self, code: Option<RejectCode>) {
        if let Some(code) = code {
            (self.sink)(Decoded::Rejected { code });
        }
    }

    fn value(
        &mut self,
        wanted: Option<Wanted>,
        source: Source,
        read: impl FnOnce() -> Result<Value, RejectCode>,
    ) {
        let Some(wanted) = wanted else { return };
        (self.sink)(match read().and_then(|value| wanted.believe(value)) {
            Ok(value) => Decoded::Signal { signal: wanted.id, value, source, at: self.at },
            Err(code) => Decoded::Rejected { code },
        });
    }

    fn number(
        &mut self,
        wanted: Option<Wanted>,
        source: Source,
        read: impl FnOnce() -> Result<f64, RejectCode>,
    ) {
        self.value(wanted, source, || {
            Number::new(read()?).map(Value::Number).map_err(|_| RejectCode::OutOfRange)
        });
    }

    fn odometer(&mut self, source: Source, read: impl FnOnce() -> Result<pgn::Distance, RejectCode>) {
        let Some(wanted) = self.plan.odometer else { return };
        // Bounds come first, so that a value out of them is no step to measure others by.
        let believed = read().and_then(|(total, trip)| {
            wanted.believe(Value::Integer(total))?;
            self.odometers.check(source, total, trip, self.at.boot)
        });
        self.value(Some(wanted), source, || believed.map(Value::Integer));
    }

    fn vin(&mut self, source: Source, read: impl FnOnce() -> Result<Vin, RejectCode>) {
        if !self.reads_vins() {
            return;
        }
        match read() {
            Ok(vin) => {
                (self.sink)(Decoded::Vin { vin, source, at: self.at });
                self.value(self.plan.vin, source, || {
                    Label::new(vin.expose()).map(Value::Label).map_err(|_| RejectCode::NotAVin)
                });
            }
            Err(code) => self.rejected(Some(code)),
        }
    }

    fn reads_vins(&self) -> bool {
        self.identify && self.plan.vin.is_some()
    }

    /// Whether a group is worth putting together when it comes in a long message.
    pub(super) fn wants(&self, group: u32) -> bool {
        match group {
            pgn::ACTIVE_TROUBLE_CODES => self.plan.trouble_codes.is_some(),
            pgn::VEHICLE_IDENTIFICATION => self.reads_vins(),
            _ => false,
        }
    }

    pub(super) fn group(&mut self, group: u32, sa: u8, data: &[u8]) {
        let plan = self.plan;
        let source = Source::J1939 { pgn: group, sa };
        match group {
            pgn::DISTANCE_HIGH_RESOLUTION => self.odometer(source, || pgn::distance_high_resolution(data)),
            pgn::DISTANCE => self.odometer(source, || pgn::vehicle_distance(data)),
            pgn::POSITION => self.value(plan.location, source, || pgn::position(data).map(Value::Position)),
            pgn::SPEED => self.number(plan.speed, source, || pgn::speed_km_per_h(data)),
            pgn::DASH_DISPLAY => self.number(plan.fuel_level, source, || pgn::fuel_percent(data)),
            pgn::ELECTRICAL_POWER => self.number(plan.battery_voltage, source, || pgn::battery_volts(data)),
            pgn::ENGINE_HOURS => self.number(plan.engine_hours, source, || pgn::engine_hours(data)),
            pgn::SERVICE => self.number(plan.distance_to_service, source, || pgn::service_km(data)),
            pgn::PTO_DRIVE => {
                self.value(plan.power_take_off, source, || pgn::power_take_off(data).map(Value::Flag));
            }
            pgn::ACTIVE_TROUBLE_CODES => self.active_trouble_codes(source, data),
            pgn::VEHICLE_IDENTIFICATION => self.vin(source, || pgn::vin(data)),
            _ => {}
        }
    }

    fn active_trouble_codes(&mut self, source: Source, data: &[u8]) {
        let Some(wanted) = self.plan.trouble_codes else { return };
        let codes = match dm1::trouble_codes(data) {
            Ok(codes) => codes,
            Err(code) => return self.rejected(Some(code)),
        };
        let mut none = true;
        for code in codes {
            none = false;
            self.value(Some(wanted), source, || code.map(Value::TroubleCode));
        }
        if none {
            self.value(Some(wanted), source, || Ok(Value::Nothing));
        }
    }

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
