//! What trucks and trailers say in J1939: the messages' bytes (SAE J1939-71,
//! -73 and -81). How they travel is [`node`]'s matter.

mod node;
mod transfer;

pub(crate) use node::{Node, Request};
use vernport_types::{CanFrame, CanId, Position, Vin};

/// The engine's source address (SAE J1939, table B2).
pub(crate) const ENGINE: u8 = 0x00;
/// The instrument cluster's source address.
pub(crate) const CLUSTER: u8 = 0x17;
/// The source address of the unit that knows the position.
pub(crate) const TELEMATICS: u8 = 0x4A;
/// The brakes of the first trailer (ISO 11992-2).
pub(crate) const TRAILER_BRAKES: u8 = 0xC8;
/// What watches tyres and axles of this simulation's trailer; no address of any standard.
pub(crate) const TRAILER_AXLES: u8 = 0xC9;
/// The address of everybody.
pub(crate) const GLOBAL: u8 = 0xFF;

/// Request PGN.
pub(crate) const REQUEST: u32 = 0xEA00;
const ACKNOWLEDGEMENT: u32 = 0xE800;
/// Address claimed.
pub(crate) const ADDRESS_CLAIMED: u32 = 0xEE00;
/// Vehicle distance, high resolution.
pub(crate) const VDHR: u32 = 0xFEC1;
/// Vehicle distance.
pub(crate) const VD: u32 = 0xFEE0;
/// Vehicle position.
pub(crate) const VP: u32 = 0xFEF3;
/// Active trouble codes.
pub(crate) const DM1: u32 = 0xFECA;
/// Cruise control and vehicle speed 1.
pub(crate) const CCVS1: u32 = 0xFEF1;
/// Dash display.
pub(crate) const DD: u32 = 0xFEFC;
/// Vehicle electrical power 1.
pub(crate) const VEP1: u32 = 0xFEF7;
/// Engine hours, revolutions.
pub(crate) const HOURS: u32 = 0xFEE5;
/// Vehicle identification.
pub(crate) const VI: u32 = 0xFEEC;
/// Trouble codes that were active before.
pub(crate) const DM2: u32 = 0xFECB;
/// Power take-off drive engagement.
pub(crate) const PTODE: u32 = 0xFDA4;
/// Tire condition.
pub(crate) const TIRE: u32 = 0xFEF4;
/// Vehicle weight.
pub(crate) const VW: u32 = 0xFEEA;

/// Default priority of information (SAE J1939-71).
const PRIORITY: u8 = 6;
/// The control bytes of an acknowledgement: refused, and cannot answer now.
pub(crate) const REFUSED: u8 = 1;
pub(crate) const CANNOT_NOW: u8 = 3;

/// An active trouble code of J1939.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct J1939Fault {
    /// Suspect parameter number, 19 bits.
    pub spn: u32,
    /// Failure mode identifier, 5 bits.
    pub fmi: u8,
    /// How often it came, 7 bits; 127 is "not known".
    pub occurrences: u8,
}

/// The 29-bit identifier of a message. For PDU1 (below 0xF000) the low byte of
/// `pgn` is the destination.
pub(crate) fn identifier(priority: u8, pgn: u32, source: u8) -> CanId {
    CanId::Extended(u32::from(priority & 7) << 26 | (pgn & 0x3_FFFF) << 8 | u32::from(source))
}

fn frame(priority: u8, pgn: u32, source: u8, data: [u8; 8]) -> CanFrame {
    CanFrame::data_frame(identifier(priority, pgn, source), &data).expect("8 bytes fit a frame")
}

/// A message of one frame. For PDU1 the low byte of `pgn` is the destination.
pub(crate) fn message(pgn: u32, source: u8, data: [u8; 8]) -> CanFrame {
    frame(PRIORITY, pgn, source, data)
}

/// An acknowledgement without data, to whoever asked (SAE J1939-21).
pub(crate) fn acknowledgement(control: u8, source: u8, asked_by: u8, pgn: u32) -> CanFrame {
    let [low, middle, high, _] = pgn.to_le_bytes();
    let data = [control, 0xFF, 0xFF, 0xFF, asked_by, low, middle, high];
    message(ACKNOWLEDGEMENT | u32::from(GLOBAL), source, data)
}

/// SPN 917 and 918, total and trip: 5 m a bit; this truck has no trip meter.
pub(crate) fn vdhr(odometer_m: u64) -> [u8; 8] {
    halves(capped(odometer_m / 5), u32::MAX)
}

/// SPN 244 and 245, trip and total: 0.125 km a bit.
pub(crate) fn vd(odometer_m: u64) -> [u8; 8] {
    halves(u32::MAX, capped(odometer_m / 125))
}

/// SPN 584 and 585, latitude and longitude: 1e-7 degrees a bit from -210.
pub(crate) fn vp(position: Position) -> [u8; 8] {
    let raw = |degrees_e7: i32| capped((i64::from(degrees_e7) + 2_100_000_000).unsigned_abs());
    halves(raw(position.latitude_e7()), raw(position.longitude_e7()))
}

/// SPN 84, wheel-based speed: 1/256 km/h a bit, bytes 2 and 3.
pub(crate) fn ccvs1(speed_km_per_h: u8) -> [u8; 8] {
    let [low, high] = (u16::from(speed_km_per_h) * 256).to_le_bytes();
    [0xFF, low, high, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// SPN 96, fuel level 1: 0.4 % a bit, byte 2.
pub(crate) fn dd(fuel_percent: u8) -> [u8; 8] {
    let raw = u16::from(fuel_percent.min(100)) * 5 / 2;
    [0xFF, raw.to_le_bytes()[0], 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// SPN 168, battery potential: 0.05 V a bit, bytes 5 and 6.
pub(crate) fn vep1(battery_mv: u16) -> [u8; 8] {
    let [low, high] = (battery_mv / 50).to_le_bytes();
    [0xFF, 0xFF, 0xFF, 0xFF, low, high, 0xFF, 0xFF]
}

/// SPN 247, total engine hours: 0.05 h a bit, bytes 1 to 4.
pub(crate) fn hours(engine_s: u64) -> [u8; 8] {
    halves(capped(engine_s / 180), u32::MAX)
}

/// SPN 3948, at least one PTO engaged: byte 7, bits 1 and 2.
pub(crate) const fn ptode(engaged: bool) -> [u8; 8] {
    [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFC | engaged as u8, 0xFF]
}

/// SPN 929, 241 and 242: where the tyre is (axle and place, 4 bits each, from
/// 0), its pressure (4 kPa a bit) and temperature (0.03125 K a bit from -273 °C).
pub(crate) fn tire(axle: u8, place: u8, pressure_kpa: u16, celsius: u8) -> [u8; 8] {
    let pressure = u8::try_from(pressure_kpa / 4).unwrap_or(u8::MAX).min(0xFA);
    let [low, high] = ((u16::from(celsius) + 273) * 32).to_le_bytes();
    [location(axle, place), pressure, low, high, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// SPN 928 and 582: which axle, and its weight (0.5 kg a bit). The weights of
/// trailer and cargo are not known here.
pub(crate) fn vw(axle: u8, weight_kg: u16) -> [u8; 8] {
    let raw = u16::try_from(u32::from(weight_kg) * 2).unwrap_or(u16::MAX).min(0xFAFF);
    let [low, high] = raw.to_le_bytes();
    // Place 15: the axle as a whole.
    [location(axle, 0x0F), low, high, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// VI: the VIN, ended by an asterisk (SPN 237).
pub(crate) fn vi(vin: Vin) -> Vec<u8> {
    format!("{}*", vin.expose()).into_bytes()
}

const fn location(axle: u8, place: u8) -> u8 {
    (axle & 0x0F) << 4 | place & 0x0F
}

/// NAME (SAE J1939-81): identity number 1, no registered manufacturer, on
/// highway, the address not arbitrary.
pub(crate) fn name(function: u8) -> [u8; 8] {
    const MANUFACTURER: u64 = 0x7FF;
    const ON_HIGHWAY: u64 = 1;
    (1 | MANUFACTURER << 21 | u64::from(function) << 40 | ON_HIGHWAY << 60).to_le_bytes()
}

/// An address claim (SAE J1939-81): from the address, to all.
pub(crate) fn address_claim(source: u8, function: u8) -> CanFrame {
    message(ADDRESS_CLAIMED | u32::from(GLOBAL), source, name(function))
}

/// DM1 and DM2 (SAE J1939-73): lamps, then four bytes a code, conversion method 0.
/// With any code the malfunction lamp is on; without, one all-zero code.
pub(crate) fn trouble_codes(faults: &[J1939Fault]) -> Vec<u8> {
    let lamps = if faults.is_empty() { 0x00 } else { 0x40 };
    let mut bytes = vec![lamps, 0xFF];
    for fault in faults {
        let [low, middle, high, _] = fault.spn.to_le_bytes();
        bytes.extend([low, middle, (high & 0x07) << 5 | fault.fmi & 0x1F, fault.occurrences & 0x7F]);
    }
    if faults.is_empty() {
        bytes.extend([0; 4]);
    }
    bytes
}

fn halves(first: u32, second: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_le_bytes(), second.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

/// The largest value of a four-byte parameter is 0xFAFFFFFF; above it stands
/// "error" and "not available" (SAE J1939-71, table 1).
fn capped(raw: u64) -> u32 {
    u32::try_from(raw).unwrap_or(u32::MAX).min(0xFAFF_FFFF)
}
