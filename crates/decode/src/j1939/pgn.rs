//! The parameter groups that are read, and the one value each gives us.
//!
//! Positions and scales are those of SAE J1939-71 (J1939DA); the number in
//! front of each is its suspect parameter number (SPN).

use super::slot;
use crate::RejectCode;
use vernport_types::{Position, Vin};

/// Power take-off drive engagement (PTODE).
pub const PTO_DRIVE: u32 = 64932;
/// Service information (SERV).
pub const SERVICE: u32 = 65216;
/// High resolution vehicle distance (VDHR).
pub const DISTANCE_HIGH_RESOLUTION: u32 = 65217;
/// Active trouble codes (DM1).
pub const ACTIVE_TROUBLE_CODES: u32 = 65226;
/// Vehicle distance (VD).
pub const DISTANCE: u32 = 65248;
/// Engine hours and revolutions (HOURS).
pub const ENGINE_HOURS: u32 = 65253;
/// Vehicle identification (VI).
pub const VEHICLE_IDENTIFICATION: u32 = 65260;
/// Cruise control and vehicle speed 1 (CCVS1).
pub const SPEED: u32 = 65265;
/// Vehicle position (VP).
pub const POSITION: u32 = 65267;
/// Vehicle electrical power 1 (VEP1).
pub const ELECTRICAL_POWER: u32 = 65271;
/// Dash display 1 (DD1).
pub const DASH_DISPLAY: u32 = 65276;

/// Total and trip distance in metres; none for a trip that is not sent.
pub type Distance = (i64, Option<i64>);

/// SPN 917 and 918: total and trip, 5 m a bit.
///
/// # Errors
/// [`RejectCode`] if the total is no value.
pub fn distance_high_resolution(data: &[u8]) -> Result<Distance, RejectCode> {
    distance(slot::double(data, 0)?, slot::double(data, 4), 5)
}

/// SPN 245 and 244: total and trip, 125 m a bit.
///
/// # Errors
/// [`RejectCode`] if the total is no value.
pub fn vehicle_distance(data: &[u8]) -> Result<Distance, RejectCode> {
    distance(slot::double(data, 4)?, slot::double(data, 0), 125)
}

fn distance(total: u32, trip: Result<u32, RejectCode>, metres_a_bit: i64) -> Result<Distance, RejectCode> {
    Ok((i64::from(total) * metres_a_bit, trip.ok().map(|trip| i64::from(trip) * metres_a_bit)))
}

/// SPN 584 and 585: latitude and longitude, 1e-7 degree a bit from -210 degrees.
///
/// # Errors
/// [`RejectCode`] if one of them is no value or the place is not on the globe.
pub fn position(data: &[u8]) -> Result<Position, RejectCode> {
    let degrees_e7 = |raw: u32| i32::try_from(i64::from(raw) - 2_100_000_000);
    let latitude = degrees_e7(slot::double(data, 0)?).map_err(|_| RejectCode::OutOfRange)?;
    let longitude = degrees_e7(slot::double(data, 4)?).map_err(|_| RejectCode::OutOfRange)?;
    Position::from_e7(latitude, longitude).map_err(|_| RejectCode::OutOfRange)
}

/// SPN 84: wheel-based speed in km/h, 1/256 a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn speed_km_per_h(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::word(data, 1)?) / 256.0)
}

/// SPN 96: fuel level 1 in percent, 0.4 a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn fuel_percent(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::byte(data, 1)?) * 4.0 / 10.0)
}

/// SPN 168: battery potential in volts, 0.05 a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn battery_volts(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::word(data, 4)?) * 5.0 / 100.0)
}

/// SPN 247: total engine hours, 0.05 h a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn engine_hours(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::double(data, 0)?) * 5.0 / 100.0)
}

/// SPN 914: distance to the next service in km, 5 a bit from -160635; negative when overdue.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn service_km(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::word(data, 1)?) * 5.0 - 160_635.0)
}

/// SPN 3948: at least one power take-off is engaged.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn power_take_off(data: &[u8]) -> Result<bool, RejectCode> {
    slot::flag(data, 6, 0)
}

/// SPN 237: the VIN, ended by an asterisk.
///
/// # Errors
/// [`RejectCode`] unless 17 characters of a VIN stand before the asterisk and nothing but filler after it.
pub fn vin(data: &[u8]) -> Result<Vin, RejectCode> {
    let end = data.iter().position(|byte| *byte == b'*').ok_or(RejectCode::NotText)?;
    let (text, rest) = (&data[..end], &data[end + 1..]);
    if !rest.iter().all(|byte| matches!(byte, 0 | b' ' | 0xFF)) {
        return Err(RejectCode::NotText);
    }
    crate::vin::read(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hexadecimal")
    }

    #[test]
    fn distances_are_whole_metres_and_a_trip_may_be_missing() {
        assert_eq!(distance_high_resolution(&data("E8F4E40141B11600")), Ok((158_910_600, Some(7_435_845))));
        assert_eq!(distance_high_resolution(&data("4C1D0000FFFFFFFF")), Ok((37_500, None)));
        assert_eq!(vehicle_distance(&data("BB00000007F80600")), Ok((57_088_875, Some(23_375))));
        assert_eq!(vehicle_distance(&data("FFFFFFFF07F80600")), Ok((57_088_875, None)));
        assert_eq!(vehicle_distance(&data("BB000000FFFFFFFF")), Err(RejectCode::NotAvailable));
        assert_eq!(vehicle_distance(&data("BB000000")), Err(RejectCode::WrongLength));
    }

    #[test]
    fn a_position_of_a_real_unit_is_read_and_none_off_the_globe() {
        let position_of = |text| position(&data(text));
        let place = position_of("0E236A931EDE8134").expect("a position");
        assert_eq!((place.latitude_e7(), place.longitude_e7()), (373_206_542, -1_219_073_762));
        assert_eq!(position_of("FFFFFFFF1EDE8134"), Err(RejectCode::NotAvailable));
        assert_eq!(position_of("0E236A93FFFFFFFE"), Err(RejectCode::SensorError));
        assert_eq!(position_of("000000000000FA00"), Err(RejectCode::OutOfRange));
        assert_eq!(position_of("000000FA000000FA"), Err(RejectCode::OutOfRange));
    }

    #[test]
    fn numbers_have_the_scale_of_the_standard() {
        assert_eq!(speed_km_per_h(&data("FF0150CCFF0000F0")), Ok(80.003_906_25));
        assert_eq!(fuel_percent(&data("FFCCFFFFFFFFFFFF")), Ok(81.6));
        assert_eq!(battery_volts(&data("FFFFFFFFDB00DB00")), Ok(10.95));
        assert_eq!(engine_hours(&data("20110000FFFFFFFF")), Ok(219.2));
        assert_eq!(service_km(&data("FF307DFFFFFFFFFF")), Ok(-395.0));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFDFF")), Ok(true));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFCFF")), Ok(false));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFFFF")), Err(RejectCode::NotAvailable));
    }

    #[test]
    fn a_vin_ends_with_its_asterisk() {
        let vin_of = |text: &[u8]| vin(text);
        assert_eq!(
            vin_of(b"WDB9634031L738001*"),
            "WDB9634031L738001".parse().map_err(|_| RejectCode::NotAVin)
        );
        assert!(vin_of(b"WDB9634031L738001*\0\xFF ").is_ok());
        assert_eq!(vin_of(b"WDB9634031L738001"), Err(RejectCode::NotText));
        assert_eq!(vin_of(b"WDB9634031L738001*WDB9634031L738002*"), Err(RejectCode::NotText));
        assert_eq!(vin_of(b"*"), Err(RejectCode::NotAVin));
        // A real tractor: 17 characters of a serial number, then bytes that are not text.
        let tractor = data("314C303631333052454C503936393436383E2C05295D07012701012A");
        assert_eq!(vin(&tractor), Err(RejectCode::NotText));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (distance_high_resolution(&data), vehicle_distance(&data), position(&data), vin(&data));
            let _ = (speed_km_per_h(&data), fuel_percent(&data), battery_volts(&data), engine_hours(&data));
            let _ = (service_km(&data), power_take_off(&data));
        }
    }
}
