//! A truck with a driver who consented, and what of it must be found on no disk.

use anyhow::{Result, bail};
use std::fmt::Write as _;
use vernport_policy::Minimiser;
use vernport_sim::{J1939Fault, Truck, TruckConfig};
use vernport_testkit::canary::Canaries;
use vernport_types::{BootMicros, CanId, Position, Value};

pub(crate) const VIN: &str = "YV2XZ93W7KJ604817";
const PLATE: &str = "ZQ71934";
/// Not a multiple of 10 km, as which the plaintext topic gets it.
const ODOMETER_M: u64 = 3_987_654_325;
/// What the plaintext topic gets of it.
pub(crate) const ODOMETER_ROUNDED_M: u64 = 3_987_650_000;
/// In microseconds of the truck's own time.
const SECOND: u64 = 1_000_000;

fn position() -> Result<Position> {
    Ok(Position::from_e7(634_305_149, 103_950_537)?)
}

/// The world of the example fleet: vehicle, driver, notice, consent, order.
pub(crate) fn world(notice: &str) -> String {
    format!(
        r#"format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "{VIN}"
plate = {{ country = "NO", number = "{PLATE}" }}
[[subject]]
name = "driver"
[[event]]
time = "-30d"
kind = "linked"
asset = "truck"
subject = "driver"
role = "driver"
[[event]]
time = "-2d"
kind = "notice-served"
notice = "{notice}"
[[event]]
time = "-1d"
kind = "consent-given"
subject = "driver"
role = "driver"
purpose = "eco-coaching"
recipient = "eco-coach"
categories = ["driving-behaviour", "component-status"]
valid_until = "+300d"
[[event]]
time = "-1m"
kind = "order-opened"
order = "order"
assets = ["truck"]
station = "main/bay-1"
"#
    )
}

/// The truck's talk, as lines of candump.
pub(crate) struct Talk {
    truck: Truck,
    now: BootMicros,
}

impl Talk {
    pub(crate) fn new() -> Result<Self> {
        let config = TruckConfig {
            vin: VIN.parse()?,
            odometer_m: ODOMETER_M,
            speed_km_per_h: 43,
            position: position()?,
            fuel_percent: 62,
            battery_mv: 24_700,
            engine_s: 9_412 * 3_600,
            faults: vec![J1939Fault { spn: 3216, fmi: 4, occurrences: 2 }],
            obd_trouble_codes: Vec::new(),
            announce_vin_every_micros: Some(2 * SECOND),
        };
        Ok(Self { truck: Truck::new(config, BootMicros(0)), now: BootMicros(0) })
    }

    /// What it says in so many seconds of its own time.
    pub(crate) fn seconds(&mut self, seconds: u64) -> Result<String> {
        let until = BootMicros(self.now.0 + seconds * SECOND);
        let mut lines = String::new();
        while self.truck.next_due() <= until {
            self.now = self.truck.next_due();
            for frame in self.truck.on_tick(self.now) {
                let (whole, part) = (self.now.0 / SECOND, self.now.0 % SECOND);
                write!(lines, "({whole}.{part:06}) can0 ")?;
                match frame.id() {
                    CanId::Standard(id) => write!(lines, "{id:03X}")?,
                    CanId::Extended(id) => write!(lines, "{id:08X}")?,
                }
                writeln!(lines, "#{}", hex::encode_upper(frame.data()))?;
            }
        }
        self.now = until;
        Ok(lines)
    }
}

/// Everything planted.
pub(crate) fn canaries() -> Result<Canaries> {
    let cell = Minimiser::Cell(6).apply(Value::Position(position()?));
    let Some(Value::Cell(cell)) = cell else { bail!("a position lies in a cell") };
    Ok(Canaries::default()
        .text("VIN", VIN)
        .text("plate", PLATE)
        .odometer("odometer", ODOMETER_M)
        .odometer("odometer, rounded", ODOMETER_ROUNDED_M)
        .position("position", position()?)
        .cell("cell", cell))
}
