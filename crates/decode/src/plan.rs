//! Which catalogue signals this crate can give, and what the catalogue believes of each.
//!
//! A signal that the catalogue does not list is not decoded. One that it lists
//! in another unit or kind than the decoder gives is an error when the decoder is made.

use crate::RejectCode;
use thiserror::Error;
use vernport_types::{Catalogue, SignalId, Value, ValueKind};

/// A catalogue entry that does not fit what the decoder gives.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("signal catalogue: {path} is decoded as {kind:?} in unit \"{unit}\"; mend its entry, or take it out")]
pub struct PlanError {
    /// The signal.
    pub path: &'static str,
    /// The unit that the decoder gives.
    pub unit: &'static str,
    /// The kind that the decoder gives.
    pub kind: ValueKind,
}

/// A signal of the catalogue with the values that are believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) id: SignalId,
    min: f64,
    max: f64,
}

impl Wanted {
    /// A signal of the catalogue with its bounds.
    pub(crate) fn new(catalogue: &Catalogue, id: SignalId) -> Self {
        let signal = catalogue.signal(id);
        let (min, max) = (signal.min.unwrap_or(f64::NEG_INFINITY), signal.max.unwrap_or(f64::INFINITY));
        Self { id, min, max }
    }

    /// Whether some value from `least` to `most` is believed.
    pub(crate) fn overlaps(&self, least: f64, most: f64) -> bool {
        least <= self.max && most >= self.min
    }

    /// Gives the value back unless the catalogue does not believe it.
    pub(crate) fn believe(&self, value: Value) -> Result<Value, RejectCode> {
        match value.as_f64() {
            Some(number) if number < self.min || number > self.max => Err(RejectCode::OutOfRange),
            _ => Ok(value),
        }
    }
}

macro_rules! plan {
    ($($(#[$doc:meta])* $field:ident: $path:literal, $unit:literal, $kind:ident;)*) => {
        /// The signals to decode; none for those that the catalogue does not list.
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct Plan {
            $($(#[$doc])* pub(crate) $field: Option<Wanted>,)*
        }

        impl Plan {
            pub(crate) fn new(catalogue: &Catalogue) -> Result<Self, PlanError> {
                Ok(Self { $($field: wanted(catalogue, $path, $unit, ValueKind::$kind)?,)* })
            }
        }
    };
}

plan! {
    odometer: "Vehicle.TraveledDistance", "m", Integer;
    location: "Vehicle.CurrentLocation", "degrees", Position;
    vin: "Vehicle.VehicleIdentification.VIN", "", Label;
    speed: "Vehicle.Speed", "km/h", Number;
    trouble_codes: "Vehicle.Diagnostics.DTCList", "", TroubleCode;
    fuel_level: "Vehicle.Powertrain.FuelSystem.RelativeLevel", "percent", Number;
    battery_voltage: "Vehicle.LowVoltageBattery.CurrentVoltage", "V", Number;
    engine_hours: "Vehicle.Powertrain.CombustionEngine.EngineHours", "h", Number;
    distance_to_service: "Vehicle.Service.DistanceToService", "km", Number;
    power_take_off: "Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne", "", Flag;
    power_take_off_governor: "Vehicle.Extension.PowerTakeOffs.IsGovernorSwitchOn", "", Flag;
    parking_brake: "Vehicle.Chassis.ParkingBrake.IsEngaged", "", Flag;
    tire_pressure_1_left: "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", "kPa", Number;
    tire_pressure_1_right: "Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.Pressure", "kPa", Number;
    tire_pressure_2_left: "Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Pressure", "kPa", Number;
    tire_pressure_2_right: "Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Pressure", "kPa", Number;
    axle_weight_1: "Vehicle.Extension.Axle.Row1.Weight", "kg", Number;
    axle_weight_2: "Vehicle.Extension.Axle.Row2.Weight", "kg", Number;
    axle_weight_3: "Vehicle.Extension.Axle.Row3.Weight", "kg", Number;
    axle_weight_4: "Vehicle.Extension.Axle.Row4.Weight", "kg", Number;
    malfunction_lamp: "Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn", "", Flag;
    red_stop_lamp: "Vehicle.Extension.Lamps.IsRedStopOn", "", Flag;
    amber_warning_lamp: "Vehicle.Extension.Lamps.IsAmberWarningOn", "", Flag;
    protect_lamp: "Vehicle.Extension.Lamps.IsProtectOn", "", Flag;
    exhaust_fluid_level: "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level", "percent", Number;
    second_fuel_level: "Vehicle.Extension.FuelSystem.SecondTank.RelativeLevel", "percent", Number;
    fuel_used: "Vehicle.Extension.FuelSystem.AccumulatedConsumption", "l", Number;
    coolant_level: "Vehicle.Extension.EngineCoolant.RelativeLevel", "percent", Number;
    oil_level: "Vehicle.Extension.EngineOil.RelativeLevel", "percent", Number;
    oil_temperature: "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature", "Celsius", Number;
    traction_charge: "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", "percent", Number;
}

fn wanted(
    catalogue: &Catalogue,
    path: &'static str,
    unit: &'static str,
    kind: ValueKind,
) -> Result<Option<Wanted>, PlanError> {
    let Some(id) = catalogue.find(path) else { return Ok(None) };
    let signal = catalogue.signal(id);
    if &*signal.unit != unit || signal.kind != kind {
        return Err(PlanError { path, unit, kind });
    }
    Ok(Some(Wanted::new(catalogue, id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(unit: &str, kind: &str) -> Catalogue {
        let text = format!(
            "format = 1\n[[signal]]\npath = \"Vehicle.TraveledDistance\"\nunit = \"{unit}\"\nkind = \"{kind}\"\n\
             category = \"odometer\"\nmin = 0\nmax = 1000"
        );
        Catalogue::from_toml([("signals.toml", text.as_str())]).expect("a catalogue")
    }

    #[test]
    fn only_what_is_listed_is_planned() {
        let plan = Plan::new(&catalogue("m", "integer")).expect("fits");
        assert!(plan.odometer.is_some() && plan.speed.is_none() && plan.vin.is_none());
    }

    #[test]
    fn an_entry_in_another_unit_or_kind_is_an_error_that_says_how_to_mend_it() {
        for (unit, kind) in [("km", "integer"), ("m", "number")] {
            let error = Plan::new(&catalogue(unit, kind)).expect_err("does not fit");
            assert_eq!(
                error.to_string(),
                "signal catalogue: Vehicle.TraveledDistance is decoded as Integer in unit \"m\"; \
                 mend its entry, or take it out"
            );
        }
    }

    #[test]
    fn the_catalogue_says_what_is_believed() {
        let odometer = Plan::new(&catalogue("m", "integer")).expect("fits").odometer.expect("listed");
        assert_eq!(odometer.believe(Value::Integer(1000)), Ok(Value::Integer(1000)));
        assert_eq!(odometer.believe(Value::Integer(1001)), Err(RejectCode::OutOfRange));
        assert_eq!(odometer.believe(Value::Integer(-1)), Err(RejectCode::OutOfRange));
    }
}
