//! Records and readings for the filters: one flow takes them, made coarser, under an alias.

use crate::questions::{Drawn, NOON, grant_of, opened, rules, signal, table};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vernport_policy::{Outcomes, Sampler, Table};
use vernport_types::{
    AssetId, Identification, Number, Position, Reading, SignalId, Source, Stamp, Value, VehicleAlias,
};

/// Records, of which one in eight is of a vehicle that the flow is not open for.
pub(crate) const RECORDS: usize = 1_024;
/// What the bundle does to the odometer, in metres.
const STEP: i64 = 10_000;

/// What a vehicle sends, as JSON has it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) vehicle: &'a str,
    pub(crate) time: i64,
    pub(crate) odometer: i64,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) speed: f64,
    pub(crate) fuel: f64,
    pub(crate) engine_hours: f64,
    pub(crate) voltage: f64,
    pub(crate) distance_to_service: f64,
}

/// What the recipient gets.
#[derive(Default, PartialEq, Debug, Deserialize, Serialize)]
pub(crate) struct View<'a> {
    pub(crate) vehicle: &'a str,
    pub(crate) time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) odometer: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) voltage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distance_to_service: Option<f64>,
}

/// The signals of a record in the catalogue.
struct Signals {
    odometer: SignalId,
    location: SignalId,
    speed: SignalId,
    fuel: SignalId,
    engine_hours: SignalId,
    voltage: SignalId,
    distance_to_service: SignalId,
}

/// One vehicle or many, and what they send.
pub(crate) struct Fleet {
    pub(crate) table: Table,
    pub(crate) now: Stamp,
    pub(crate) sampler: Sampler,
    pub(crate) out: Outcomes,
    /// For each record its vehicle, whether the flow is open for it, and its alias in hexadecimal digits.
    pub(crate) of: Vec<(AssetId, bool, String)>,
    /// The records as JSON.
    pub(crate) lines: Vec<String>,
    signals: Signals,
}

impl Fleet {
    pub(crate) fn build(vehicles: usize) -> Result<Self> {
        let (rules, catalogue) = rules(include_str!("../../../config/bundles/example-fleet/bundle.toml"))?;
        let flow = rules.find(&"maintenance".parse()?).context("the flow of the bundle")?;
        let mut drawn = Drawn(2);
        let mut known = Vec::new();
        let mut grants = Vec::new();
        // A vehicle whose flow is closed stands beside them.
        for n in 0..=vehicles {
            let (asset, open) = (drawn.asset(), n < vehicles);
            let granted = opened(flow, NOON.plus_seconds(3_600), flow.lease_seconds, n as u64);
            let alias = granted.alias.to_string();
            grants.push(grant_of(asset, if open { vec![granted] } else { Vec::new() }));
            known.push((asset, open, alias));
        }
        let of = |_| known[if drawn.one_in(8) { vehicles } else { drawn.below(vehicles) }].clone();
        let of: Vec<_> = (0..RECORDS).map(of).collect();
        let lines = of.iter().map(|(asset, ..)| line(*asset, &mut drawn)).collect::<Result<_>>()?;
        let (table, now) = table(&rules, grants)?;
        let named = |path| signal(&catalogue, path);
        let signals = Signals {
            odometer: named("Vehicle.TraveledDistance")?,
            location: named("Vehicle.CurrentLocation")?,
            speed: named("Vehicle.Speed")?,
            fuel: named("Vehicle.Powertrain.FuelSystem.RelativeLevel")?,
            engine_hours: named("Vehicle.Powertrain.CombustionEngine.EngineHours")?,
            voltage: named("Vehicle.LowVoltageBattery.CurrentVoltage")?,
            distance_to_service: named("Vehicle.Service.DistanceToService")?,
        };
        Ok(Self { table, now, sampler: Sampler::default(), out: Outcomes::new(), of, lines, signals })
    }

    /// The odometer of a record as one reading.
    pub(crate) fn reading(&self, n: usize) -> Result<Reading> {
        let record: Record = serde_json::from_str(&self.lines[n])?;
        Ok(self.reading_of(self.of[n].0, self.signals.odometer, Value::Integer(record.odometer)))
    }

    fn reading_of(&self, asset: AssetId, signal: SignalId, value: Value) -> Reading {
        let source = Source::J1939 { pgn: 65_217, sa: 0 };
        Reading { asset, signal, value, at: self.now, source, identified_by: Identification::BusVin }
    }

    /// Ours: each value of the record is a reading, and is decided on; none if nothing is released.
    pub(crate) fn view<'a>(
        &mut self,
        asset: AssetId,
        record: &Record<'_>,
        alias: &'a mut [u8; 32],
    ) -> Option<View<'a>> {
        let mut view = View { time: record.time, ..View::default() };
        let signals = &self.signals;
        let number = |n| Number::new(n).map(Value::Number);
        let values = [
            (signals.odometer, Ok(Value::Integer(record.odometer))),
            (
                signals.location,
                Position::from_degrees(record.latitude, record.longitude).map(Value::Position),
            ),
            (signals.speed, number(record.speed)),
            (signals.fuel, number(record.fuel)),
            (signals.engine_hours, number(record.engine_hours)),
            (signals.voltage, number(record.voltage)),
            (signals.distance_to_service, number(record.distance_to_service)),
        ];
        let mut called: Option<VehicleAlias> = None;
        for (signal, value) in values {
            let Ok(value) = value else { continue };
            let reading = self.reading_of(asset, signal, value);
            self.table.decide(&reading, self.now, &mut self.sampler, &mut self.out);
            for released in self.out.released() {
                called = Some(released.alias());
                match released.value() {
                    Value::Integer(n) => view.odometer = Some(n),
                    Value::Number(n) if signal == self.signals.voltage => view.voltage = Some(n.get()),
                    Value::Number(n) => view.distance_to_service = Some(n.get()),
                    _ => {}
                }
            }
        }
        hex::encode_to_slice(called?.as_bytes(), alias).expect("32 digits");
        view.vehicle = std::str::from_utf8(alias).expect("digits");
        Some(view)
    }
}

/// The same view written by hand for this one rule, with no table behind it: what typed JSON costs.
pub(crate) fn plain<'a>(record: &Record<'_>, alias: &'a str) -> View<'a> {
    View {
        vehicle: alias,
        time: record.time,
        odometer: Some((record.odometer + STEP / 2).div_euclid(STEP) * STEP),
        voltage: Some((record.voltage + 0.5).floor()),
        distance_to_service: Some(record.distance_to_service),
    }
}

fn line(asset: AssetId, drawn: &mut Drawn) -> Result<String> {
    let part = |bound: usize, drawn: &mut Drawn| drawn.below(bound) as f64 / 10.0;
    let vehicle = asset.to_string();
    let record = Record {
        vehicle: &vehicle,
        time: NOON.0 + drawn.below(1_000_000_000) as i64,
        odometer: drawn.below(1_500_000_000) as i64,
        latitude: 58.0 + part(90, drawn),
        longitude: 7.0 + part(50, drawn),
        speed: part(900, drawn),
        fuel: part(1_000, drawn),
        engine_hours: part(90_000, drawn),
        voltage: 20.0 + part(90, drawn),
        distance_to_service: part(9_000_000, drawn),
    };
    // What the record bears besides, and nobody is to get.
    let mut json = serde_json::to_value(&record)?;
    json["vin"] = json!("YV2RT40A8KB123456");
    json["driver"] = json!("DK-0000001");
    Ok(Json::to_string(&json))
}
