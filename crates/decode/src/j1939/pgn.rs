//! The parameter groups that are read, and the values each gives us.
//!
//! Positions and scales are those of SAE J1939-71 (J1939DA); the number in
//! front of each is its suspect parameter number (SPN).

use super::slot;
use crate::RejectCode;
use vernport_types::{Position, Vin};

/// Request (PGN 59904), for any other group.
pub const REQUEST: u32 = 0xEA00;
/// Acknowledgement (PGN 59392), see [`super::ack`].
pub const ACKNOWLEDGEMENT: u32 = 0xE800;
/// Address claimed (PGN 60928), see [`super::claim`].
pub const ADDRESS_CLAIMED: u32 = 0xEE00;

/// Power take-off drive engagement (PTODE).
pub const PTO_DRIVE: u32 = 64932;
/// Aftertreatment 1 diesel exhaust fluid tank (AT1T1I).
pub const EXHAUST_FLUID: u32 = 65110;
/// Tachograph (TCO1).
pub const TACHOGRAPH: u32 = 65132;
/// Service information (SERV).
pub const SERVICE: u32 = 65216;
/// High resolution vehicle distance (VDHR).
pub const DISTANCE_HIGH_RESOLUTION: u32 = 65217;
/// Active trouble codes (DM1).
pub const ACTIVE_TROUBLE_CODES: u32 = 65226;
/// Previously active trouble codes (DM2).
pub const PREVIOUS_TROUBLE_CODES: u32 = 65227;
/// Vehicle distance (VD).
pub const DISTANCE: u32 = 65248;
/// Engine hours and revolutions (HOURS).
pub const ENGINE_HOURS: u32 = 65253;
/// Fuel consumption, liquid (LFC).
pub const FUEL_CONSUMPTION: u32 = 65257;
/// Vehicle weight (VW).
pub const VEHICLE_WEIGHT: u32 = 65258;
/// Vehicle identification (VI).
pub const VEHICLE_IDENTIFICATION: u32 = 65260;
/// Engine temperature 1 (ET1).
pub const ENGINE_TEMPERATURE: u32 = 65262;
/// Engine fluid level and pressure 1 (EFLP1).
pub const ENGINE_FLUIDS: u32 = 65263;
/// Power take-off information (PTO).
pub const PTO: u32 = 65264;
/// Cruise control and vehicle speed 1 (CCVS1).
pub const SPEED: u32 = 65265;
/// Vehicle position (VP).
pub const POSITION: u32 = 65267;
/// Tire condition (TIRE).
pub const TIRE: u32 = 65268;
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

/// SPN 1624: speed of the tachograph in km/h, 1/256 a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn tachograph_km_per_h(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::word(data, 6)?) / 256.0)
}

/// SPN 70: the parking brake is set.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn parking_brake(data: &[u8]) -> Result<bool, RejectCode> {
    slot::flag(data, 0, 2)
}

/// SPN 96: fuel level 1 in percent.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn fuel_percent(data: &[u8]) -> Result<f64, RejectCode> {
    percent(data, 1)
}

/// SPN 38: fuel level 2 in percent.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn second_fuel_percent(data: &[u8]) -> Result<f64, RejectCode> {
    percent(data, 6)
}

/// SPN 98: engine oil level in percent.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn oil_percent(data: &[u8]) -> Result<f64, RejectCode> {
    percent(data, 2)
}

/// SPN 111: engine coolant level in percent.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn coolant_percent(data: &[u8]) -> Result<f64, RejectCode> {
    percent(data, 7)
}

/// SPN 1761: diesel exhaust fluid level in percent.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn exhaust_fluid_percent(data: &[u8]) -> Result<f64, RejectCode> {
    percent(data, 0)
}

/// 0.4 percent a bit.
fn percent(data: &[u8], at: usize) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::byte(data, at)?) * 4.0 / 10.0)
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

/// SPN 250: fuel used since the vehicle was built in litres, 0.5 a bit.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn fuel_used_litres(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::double(data, 4)?) / 2.0)
}

/// SPN 175: engine oil temperature in degrees Celsius, 1/32 a bit from -273.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn oil_celsius(data: &[u8]) -> Result<f64, RejectCode> {
    Ok(f64::from(slot::word(data, 2)?) / 32.0 - 273.0)
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

/// SPN 980: the switch that lets the engine's governor serve a power take-off.
///
/// # Errors
/// [`RejectCode`] if it is no value.
pub fn power_take_off_governor(data: &[u8]) -> Result<bool, RejectCode> {
    slot::flag(data, 5, 0)
}

/// SPN 928 and 582: an axle from the front (from 0) and the weight on it in kg, 0.5 a bit.
///
/// # Errors
/// [`RejectCode`] if the axle or its weight is no value.
pub fn axle_kg(data: &[u8]) -> Result<(usize, f64), RejectCode> {
    let (axle, _) = location(data)?;
    Ok((axle, f64::from(slot::word(data, 1)?) / 2.0))
}

/// SPN 929 and 241: a wheel and the pressure of its tire in kPa, 4 a bit. Wheels count
/// left to right and front to back: 0 and 1 are the first axle's, 2 and 3 the second's;
/// a wheel that has no number of ours has the number [`usize::MAX`].
///
/// Tires count from the left, whether there are two of them on an axle or four. On the
/// first axle there are two. Behind it the second may be a right one or an inner left
/// one, so there the outermost of four are taken, and the left one of two.
///
/// # Errors
/// [`RejectCode`] if the tire or its pressure is no value.
pub fn tire_kpa(data: &[u8]) -> Result<(usize, f64), RejectCode> {
    let wheel = match location(data)? {
        (0, tire @ 0..=1) => tire,
        (1, 0) => 2,
        (1, 3) => 3,
        _ => usize::MAX,
    };
    Ok((wheel, f64::from(slot::byte(data, 1)?) * 4.0))
}

/// Axle from the front and place from the left, half a byte each.
fn location(data: &[u8]) -> Result<(usize, usize), RejectCode> {
    match data.first().ok_or(RejectCode::WrongLength)? {
        0xFF => Err(RejectCode::NotAvailable),
        0xFE => Err(RejectCode::SensorError),
        both => Ok((usize::from(both >> 4), usize::from(both & 0xF))),
    }
}

/// SPN 237: the VIN, ended by an asterisk. Some senders add further fields, each ended by one.
///
/// # Errors
/// [`RejectCode`] unless the first field is a VIN, and the others are filler, other text or the same VIN.
pub fn vin(data: &[u8]) -> Result<Vin, RejectCode> {
    let end = data.iter().position(|byte| *byte == b'*').ok_or(RejectCode::NotText)?;
    let (text, rest) = (&data[..end], &data[end + 1..]);
    let vin = crate::vin::read(text)?;
    for field in rest.split(|byte| *byte == b'*') {
        if field.iter().all(|byte| matches!(byte, 0 | b' ' | 0xFF)) {
            continue;
        }
        // Bytes that are not text may be the rest of another message: then the VIN may be, too.
        if !field.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(RejectCode::NotText);
        }
        if crate::vin::read(field).is_ok_and(|other| other != vin) {
            return Err(RejectCode::NotAVin);
        }
    }
    Ok(vin)
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
        assert_eq!(tachograph_km_per_h(&data("FFFFFFFFFFFF0050")), Ok(80.0));
        assert_eq!(second_fuel_percent(&data("FFFFFFFFFFFF32FF")), Ok(20.0));
        assert_eq!(oil_percent(&data("FFFFFAFFFFFFFFFF")), Ok(100.0));
        assert_eq!(coolant_percent(&data("FFFFFFFFFFFFFFF9")), Ok(99.6));
        assert_eq!(exhaust_fluid_percent(&data("FAFFFFFFFFFFFFFF")), Ok(100.0));
        assert_eq!(fuel_used_litres(&data("FFFFFFFFD29B0000")), Ok(19_945.0));
        assert_eq!(oil_celsius(&data("FFFF602DFFFFFFFF")), Ok(90.0));
        assert_eq!(axle_kg(&data("10C05DFFFFFFFFFF")), Ok((1, 12_000.0)));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFDFF")), Ok(true));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFCFF")), Ok(false));
        assert_eq!(power_take_off(&data("FFFFFFFFFFFFFFFF")), Err(RejectCode::NotAvailable));
    }

    #[test]
    fn switches_are_on_off_failed_or_not_there() {
        for (read, byte) in [(parking_brake as fn(&[u8]) -> _, 0), (power_take_off_governor, 5)] {
            let shift = if byte == 0 { 2 } else { 0 };
            let with = |bits: u8| {
                let mut data = [0xFF; 8];
                data[byte] = bits << shift;
                read(&data)
            };
            assert_eq!([with(0), with(1)], [Ok(false), Ok(true)]);
            assert_eq!([with(2), with(3)], [Err(RejectCode::SensorError), Err(RejectCode::NotAvailable)]);
        }
    }

    #[test]
    fn a_tire_whose_side_cannot_be_told_is_no_wheel_of_ours() {
        let wheel = |location: u8| tire_kpa(&[location, 200, 0xFF, 0xFF]);
        for (location, number) in [(0x00, 0), (0x01, 1), (0x10, 2), (0x13, 3)] {
            assert_eq!(wheel(location), Ok((number, 800.0)));
        }
        for location in [0x11, 0x12, 0x02, 0x20, 0xF0] {
            assert_eq!(wheel(location), Ok((usize::MAX, 800.0)), "{location:02X}");
        }
        assert_eq!(wheel(0xFF), Err(RejectCode::NotAvailable));
        assert_eq!(tire_kpa(&[0]), Err(RejectCode::WrongLength));
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
        assert_eq!(vin_of(b"WDB9634031L738001*WDB9634031L738002*"), Err(RejectCode::NotAVin));
        assert!(vin_of(b"WDB9634031L738001*WDB9634031L738001*").is_ok());
        assert!(vin_of(b"WDB9634031L738001*BODY 12*\0\0").is_ok());
        assert_eq!(vin_of(b"WDB9634031L738001*\x05\x07*"), Err(RejectCode::NotText));
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
            let _ = (service_km(&data), power_take_off(&data), power_take_off_governor(&data), parking_brake(&data));
            let _ = (axle_kg(&data), tire_kpa(&data), oil_celsius(&data), fuel_used_litres(&data));
            let _ = (oil_percent(&data), coolant_percent(&data), exhaust_fluid_percent(&data));
        }
    }
}
