//! The simulated truck: a log of it, it on a virtual bus, and what it says by the
//! decoder alone, as the yardstick for what comes out at the other end.

use crate::opened::{Line, Opened, json};
use anyhow::Result;
use std::{fmt::Write as _, path::Path};
use vernport::shipped;
use vernport_decode::{Config, Decoded, Decoder};
use vernport_sim::{J1939Fault, Truck, TruckConfig};
use vernport_types::{BootMicros, CanFrame, CanId, Position, Stamp, TimeQuality, UtcMicros};

/// The VIN of `worlds/truck.toml`.
pub(crate) const VIN: &str = "YV2RT40A8KB123456";
/// Where its odometer starts, in metres.
pub(crate) const ODOMETER_M: u64 = 412_345_675;
/// What the flow "workshop" of Westrum passes on as read.
pub(crate) const WORKSHOP: [&str; 5] = [
    "Vehicle.TraveledDistance",
    "Vehicle.Diagnostics.DTCList",
    "Vehicle.Powertrain.FuelSystem.RelativeLevel",
    "Vehicle.LowVoltageBattery.CurrentVoltage",
    "Vehicle.Powertrain.CombustionEngine.EngineHours",
];
const SECOND: u64 = 1_000_000;

/// A truck that drives at a speed, and says its VIN every two seconds.
pub(crate) fn truck(vin: &str, speed_km_per_h: u8, now: BootMicros) -> Result<Truck> {
    let faults = vec![
        J1939Fault { spn: 3216, fmi: 4, occurrences: 2 },
        J1939Fault { spn: 609, fmi: 12, occurrences: 3 },
    ];
    truck_with(vin, speed_km_per_h, faults, now)
}

/// The same with other faults. One fits in a frame; more take a transport session (J1939-21), which a pause in its
/// middle ends.
pub(crate) fn truck_with(
    vin: &str,
    speed_km_per_h: u8,
    faults: Vec<J1939Fault>,
    now: BootMicros,
) -> Result<Truck> {
    let config = TruckConfig {
        vin: vin.parse()?,
        odometer_m: ODOMETER_M,
        speed_km_per_h,
        position: Position::from_degrees(59.743_21, 10.204_56)?,
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults,
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(2 * SECOND),
    };
    Ok(Truck::new(config, now))
}

/// What the truck sends from its time `now` on for so many seconds.
pub(crate) fn drive(truck: &mut Truck, now: BootMicros, seconds: u64) -> Vec<(BootMicros, CanFrame)> {
    let until = BootMicros(now.0 + seconds * SECOND);
    let mut sent = Vec::new();
    while truck.next_due() <= until {
        let at = truck.next_due();
        sent.extend(truck.on_tick(at).into_iter().map(|frame| (at, frame)));
    }
    sent
}

/// Frames as they stand in a log that begins at `start`.
pub(crate) struct Log {
    pub(crate) frames: Vec<(BootMicros, CanFrame)>,
    start: UtcMicros,
}

impl Log {
    /// A drive of the known truck.
    pub(crate) fn of_one_visit(start: UtcMicros, seconds: u64) -> Result<Self> {
        let mut log = Self::starting_at(start);
        log.visit(VIN, 0, seconds)?;
        Ok(log)
    }

    /// An empty log.
    pub(crate) fn starting_at(start: UtcMicros) -> Self {
        Self { start, frames: Vec::new() }
    }

    /// Appends the drive of a truck that comes to the bus `at` seconds after the start.
    pub(crate) fn visit(&mut self, vin: &str, at: u64, seconds: u64) -> Result<()> {
        let now = BootMicros(at * SECOND);
        self.frames.extend(drive(&mut truck(vin, 80, now)?, now, seconds));
        Ok(())
    }

    /// The lines of the log, in candump's form.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.frames.iter().map(|(at, frame)| self.line(*at, frame)).collect()
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, self.lines().concat())?)
    }

    fn line(&self, at: BootMicros, frame: &CanFrame) -> String {
        let wall = self.wall(at).0;
        let mut line = format!("({}.{:06}) can0 ", wall / 1_000_000, wall % 1_000_000);
        let id = match frame.id() {
            CanId::Standard(id) => write!(line, "{id:03X}"),
            CanId::Extended(id) => write!(line, "{id:08X}"),
        };
        id.expect("a text takes text");
        line + "#" + &hex::encode_upper(frame.data()) + "\n"
    }

    fn wall(&self, at: BootMicros) -> UtcMicros {
        self.start.plus_micros(i64::try_from(at.0).expect("a short log"))
    }

    /// What the flow "workshop" has to release of it: every value that the decoder alone reads, exact.
    pub(crate) fn workshop(&self) -> Result<Opened> {
        let stamped = self.frames.iter().map(|(at, frame)| {
            (Stamp { wall: self.wall(*at), boot: *at, quality: TimeQuality::Bounded }, frame)
        });
        workshop(stamped)
    }
}

/// What the flow "workshop" has to release of these frames of one visit.
pub(crate) fn workshop<'a>(frames: impl Iterator<Item = (Stamp, &'a CanFrame)>) -> Result<Opened> {
    let catalogue = shipped::catalogue();
    let mut decoder = Decoder::new(&catalogue, Config::default())?;
    let mut expected = Opened::default();
    for (at, frame) in frames {
        decoder.push(frame, at, &mut |decoded| {
            let Decoded::Signal { signal, value, source, at } = decoded else { return };
            let path = &catalogue.signal(signal).path;
            if WORKSHOP.contains(&&**path) {
                expected.push(Line {
                    recipient: "westrum-workshop".into(),
                    purpose: "service-delivery".into(),
                    path: path.to_string(),
                    value: json(value),
                    source: source.to_string(),
                    at: at.wall,
                });
            }
        });
    }
    Ok(expected)
}
