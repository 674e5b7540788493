//! What is planted, and where it stands before anything happens: in the truck,
//! in the ledger, and as needles to search for.

use anyhow::{Result, bail};
use vernport_policy::Minimiser;
use vernport_sim::{J1939Fault, Truck, TruckConfig};
use vernport_testkit::canary::Canaries;
use vernport_types::{BootMicros, CanId, Position, Value};

pub(crate) const VIN: &str = "YV2XZ93W7KJ604817";
/// Of a vehicle that was never handed in.
pub(crate) const OTHER_VIN: &str = "WJMM62VXK0Z918273";
pub(crate) const SERIAL: &str = "BODY-7719-KRX-40382";
pub(crate) const PLATE: &str = "ZQ71934";
/// The number of a driver's card, which nobody asked the tool for.
pub(crate) const DRIVER_CARD: &str = "N8830417265590021";
/// What the fleet operators call the truck.
pub(crate) const FLEET_NUMBER: &str = "Trekkvogn-KXQ-58214";
/// A multiple of 5 m, as the bus says it.
pub(crate) const ODOMETER_M: u64 = 3_987_654_325;
/// What the message of coarser scale, 125 m, makes of it.
const COARSE_ODOMETER_M: u64 = ODOMETER_M / 125 * 125;
/// The tool's own reading, in metres.
pub(crate) const TOOL_ODOMETER_M: u64 = 3_987_713_469;
const LATITUDE_E7: i32 = 634_305_149;
const LONGITUDE_E7: i32 = 103_950_537;
/// In microseconds of the truck's own time.
pub(crate) const SECOND: u64 = 1_000_000;

/// The consent that a controller's form asks for: role, purpose, recipient, categories.
pub(crate) fn consent(controller: &str) -> Option<[&'static str; 4]> {
    match controller {
        "westrum" => Some(["owner", "maintenance-reminder", "westrum-workshop", "\"odometer\""]),
        "cars-software" => {
            Some(["owner", "service-reminder", "cars-service", "\"odometer\", \"component-status\""])
        }
        "example-fleet" => {
            Some(["driver", "eco-coaching", "eco-coach", "\"driving-behaviour\", \"component-status\""])
        }
        _ => None,
    }
}

/// What a controller's ledger says before the truck talks. Names are the controller's own, so ids are too.
pub(crate) fn world(controller: &str, notice: &str) -> String {
    let mut text = format!(
        r#"format = 1
[[asset]]
name = "truck of {controller}"
since = "-30d"
vin = "{VIN}"
plate = {{ country = "NO", number = "{PLATE}" }}
[[subject]]
name = "owner of {controller}"
[[subject]]
name = "driver of {controller}"
[[event]]
time = "-30d"
kind = "linked"
asset = "truck of {controller}"
subject = "owner of {controller}"
role = "owner"
[[event]]
time = "-30d"
kind = "linked"
asset = "truck of {controller}"
subject = "driver of {controller}"
role = "driver"
[[event]]
time = "-2d"
kind = "notice-served"
notice = "{notice}"
evidence = "photograph of {PLATE} with card {DRIVER_CARD}"
[[event]]
time = "-1m"
kind = "order-opened"
order = "order of {controller}"
assets = ["truck of {controller}"]
station = "main/bay-1"
"#
    );
    if let Some([role, purpose, recipient, categories]) = consent(controller) {
        text += &format!(
            r#"[[event]]
time = "-1d"
kind = "consent-given"
subject = "{role} of {controller}"
role = "{role}"
purpose = "{purpose}"
recipient = "{recipient}"
categories = [{categories}]
valid_until = "+300d"
evidence = "form of {PLATE}, {VIN}"
"#
        );
    }
    text
}

fn position() -> Result<Position> {
    Ok(Position::from_e7(LATITUDE_E7, LONGITUDE_E7)?)
}

pub(crate) fn truck() -> Result<Truck> {
    let config = TruckConfig {
        vin: VIN.parse()?,
        odometer_m: ODOMETER_M,
        speed_km_per_h: 0,
        position: position()?,
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: vec![J1939Fault { spn: 3216, fmi: 4, occurrences: 2 }],
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(2 * SECOND),
    };
    Ok(Truck::new(config, BootMicros(0)))
}

/// Everything planted. The frames are searched as they are on the bus, too: eight bytes in a row.
pub(crate) fn canaries() -> Result<Canaries> {
    let mut canaries = Canaries::default()
        .text("VIN", VIN)
        .text("beginning of the VIN", &VIN[..7])
        .text("middle of the VIN", &VIN[7..14])
        .text("VIN of another vehicle", OTHER_VIN)
        .text("serial number", SERIAL)
        .text("plate", PLATE)
        .text("driver's card", DRIVER_CARD)
        .text("fleet number", FLEET_NUMBER)
        .odometer("odometer", ODOMETER_M)
        .odometer("odometer, coarse message", COARSE_ODOMETER_M)
        .odometer("odometer of the tool", TOOL_ODOMETER_M)
        .odometer("odometer, rounded to 1 km", (ODOMETER_M + 500) / 1_000 * 1_000)
        .position("position", position()?);
    for resolution in [6, 15] {
        let Some(Value::Cell(cell)) = Minimiser::Cell(resolution).apply(Value::Position(position()?)) else {
            bail!("a position lies in a cell");
        };
        canaries = canaries.cell("cell", cell);
    }
    let mut truck = truck()?;
    for frame in truck.on_tick(BootMicros(SECOND)) {
        let says = |pgn: u32| matches!(frame.id(), CanId::Extended(id) if id >> 8 & 0xFFFF == pgn);
        // VDHR, VD and VP.
        if [0xFEC1, 0xFEE0, 0xFEF3].into_iter().any(says) {
            canaries = canaries.bytes("frame", frame.data());
        }
    }
    Ok(canaries)
}
