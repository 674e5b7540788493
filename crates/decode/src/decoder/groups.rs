//! J1939 parameter groups to values: which group gives which signal.

use super::{Decoded, out::Out};
use crate::j1939::{dm1, pgn};
use vernport_types::{Source, Value};

impl<F: FnMut(Decoded)> Out<'_, F> {
    /// Whether a group is worth putting together when it comes in a long message.
    pub(super) fn wants(&self, group: u32) -> bool {
        match group {
            pgn::ACTIVE_TROUBLE_CODES => self.plan.trouble_codes.is_some(),
            pgn::VEHICLE_IDENTIFICATION => self.reads_vins(),
            _ => self.dbc.is_some_and(|dbc| dbc.wants_group(group)),
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
}
