//! OBD-II (SAE J1979 / ISO 15031-5) answers: services 01, 03, 07 and the VIN of 09.
//!
//! ```text
//! 41 PID data [PID data …]   current data, up to six PIDs
//! 43 n code(2)…              confirmed trouble codes
//! 47 n code(2)…              pending trouble codes
//! 49 02 01 VIN(17)           the VIN
//! ```

use crate::RejectCode;
use vernport_types::{Fault, FaultState, TroubleCode, Vin};

/// Vehicle speed, km/h.
pub const SPEED: u8 = 0x0D;
/// Fuel level, 100/255 percent a bit.
pub const FUEL_LEVEL: u8 = 0x2F;
/// Control module voltage, mV a bit.
pub const MODULE_VOLTAGE: u8 = 0x42;
/// Odometer, 100 m a bit.
pub const ODOMETER: u8 = 0xA6;

/// What an answer says that we read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// PID 0D, km/h.
    SpeedKmPerH(f64),
    /// PID 2F, percent.
    FuelPercent(f64),
    /// PID 42, volts.
    ModuleVolts(f64),
    /// PID A6, metres.
    OdometerMetres(i64),
    /// Services 03 and 07: one trouble code.
    TroubleCode(TroubleCode),
    /// Services 03 and 07: asked, none.
    NoTroubleCode(FaultState),
}

impl Answer {
    /// Service and PID (0 for none) that it answers.
    pub const fn asked_by(&self) -> (u8, u8) {
        match self {
            Self::SpeedKmPerH(_) => (1, SPEED),
            Self::FuelPercent(_) => (1, FUEL_LEVEL),
            Self::ModuleVolts(_) => (1, MODULE_VOLTAGE),
            Self::OdometerMetres(_) => (1, ODOMETER),
            Self::TroubleCode(TroubleCode { state: FaultState::Pending, .. })
            | Self::NoTroubleCode(FaultState::Pending) => (7, 0),
            Self::TroubleCode(_) | Self::NoTroubleCode(_) => (3, 0),
        }
    }
}

/// The VIN of an answer to 09 02; none if the message is another one.
pub fn vin(message: &[u8]) -> Option<Result<Vin, RejectCode>> {
    match message {
        [0x49, 0x02, 0x01, text @ ..] => Some(crate::vin::read(text)),
        _ => None,
    }
}

/// Reads one message of a control unit; what is not an answer that we know gives nothing.
pub fn read(message: &[u8], mut sink: impl FnMut(Result<Answer, RejectCode>)) {
    match message {
        [0x41, data @ ..] => current_data(data, &mut sink),
        [0x43, codes @ ..] => trouble_codes(codes, FaultState::Present, &mut sink),
        [0x47, codes @ ..] => trouble_codes(codes, FaultState::Pending, &mut sink),
        _ => {}
    }
}

fn current_data(mut data: &[u8], sink: &mut impl FnMut(Result<Answer, RejectCode>)) {
    while let [pid, rest @ ..] = data {
        // Without the length of a PID, what follows it cannot be told apart.
        let Some(length) = data_bytes(*pid) else { return };
        let Some((value, rest)) = rest.split_at_checked(length) else {
            return sink(Err(RejectCode::WrongLength));
        };
        match (*pid, value) {
            (SPEED, [a]) => sink(Ok(Answer::SpeedKmPerH(f64::from(*a)))),
            (FUEL_LEVEL, [a]) => sink(Ok(Answer::FuelPercent(f64::from(*a) * 100.0 / 255.0))),
            (MODULE_VOLTAGE, [a, b]) => {
                sink(Ok(Answer::ModuleVolts(f64::from(u16::from_be_bytes([*a, *b])) / 1000.0)));
            }
            (ODOMETER, [a, b, c, d]) => {
                let hundred_metres = u32::from_be_bytes([*a, *b, *c, *d]);
                sink(Ok(Answer::OdometerMetres(i64::from(hundred_metres) * 100)));
            }
            _ => {}
        }
        data = rest;
    }
}

fn trouble_codes(codes: &[u8], state: FaultState, sink: &mut impl FnMut(Result<Answer, RejectCode>)) {
    let [count, codes @ ..] = codes else { return sink(Err(RejectCode::WrongLength)) };
    let codes = match codes.as_chunks() {
        (codes, []) if codes.len() == usize::from(*count) => codes,
        _ => return sink(Err(RejectCode::WrongLength)),
    };
    let mut none = true;
    for code in codes.iter().map(|code| u16::from_be_bytes(*code)).filter(|code| *code != 0) {
        none = false;
        sink(Ok(Answer::TroubleCode(TroubleCode { fault: Fault::Obd(code), state })));
    }
    if none {
        sink(Ok(Answer::NoTroubleCode(state)));
    }
}

/// How many bytes of data a PID of service 01 has (SAE J1979-DA), to step over it.
const fn data_bytes(pid: u8) -> Option<usize> {
    Some(match pid {
        0x04..=0x0B | 0x0D..=0x0F | 0x11..=0x13 | 0x1C..=0x1E => 1,
        0x2C..=0x30 | 0x33 | 0x45..=0x4C | 0x51 | 0x52 | 0x5A..=0x5C | 0x5F | 0x61 | 0x62 => 1,
        0x02 | 0x03 | 0x0C | 0x10 | 0x14..=0x1B | 0x1F | 0x21..=0x23 => 2,
        0x31 | 0x32 | 0x3C..=0x3F | 0x42..=0x44 | 0x4D | 0x4E | 0x53 | 0x54 | 0x59 | 0x5D | 0x5E | 0x63 => 2,
        0x00 | 0x01 | 0x20 | 0x24..=0x2B | 0x34..=0x3B | 0x40 | 0x41 | 0x4F | 0x50 | 0x60 => 4,
        0x80 | 0xA0 | 0xA4 | 0xA6 | 0xC0 => 4,
        0x64 => 5,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(text: &str) -> Vec<Result<Answer, RejectCode>> {
        let mut answers = Vec::new();
        read(&hex::decode(text).expect("hexadecimal"), |answer| answers.push(answer));
        answers
    }

    #[test]
    fn current_data_is_read_also_where_several_pids_share_an_answer() {
        assert_eq!(read_all("41A6001E8480"), [Ok(Answer::OdometerMetres(200_000_000))]);
        assert_eq!(read_all("41422FEA"), [Ok(Answer::ModuleVolts(12.266))]);
        assert_eq!(
            read_all("410D50010027E1002F33"),
            [Ok(Answer::SpeedKmPerH(80.0)), Ok(Answer::FuelPercent(20.0)),]
        );
        assert_eq!(read_all("41FF0D50"), [], "nothing is guessed behind an unknown PID");
        assert_eq!(read_all("413151B0"), [], "distance since clear is not the odometer");
        assert_eq!(read_all("41A6001E84"), [Err(RejectCode::WrongLength)]);
    }

    #[test]
    fn trouble_codes_are_told_by_service_and_none_is_an_answer() {
        let code = |code, state| Ok(Answer::TroubleCode(TroubleCode { fault: Fault::Obd(code), state }));
        assert_eq!(
            read_all("430201010202"),
            [code(0x0101, FaultState::Present), code(0x0202, FaultState::Present)]
        );
        assert_eq!(read_all("47010456"), [code(0x0456, FaultState::Pending)]);
        assert_eq!(read_all("4300"), [Ok(Answer::NoTroubleCode(FaultState::Present))]);
        assert_eq!(read_all("47010000"), [Ok(Answer::NoTroubleCode(FaultState::Pending))]);
        assert_eq!(read_all("43020101"), [Err(RejectCode::WrongLength)]);
        assert_eq!(read_all("43"), [Err(RejectCode::WrongLength)]);
    }

    #[test]
    fn the_vin_of_a_real_car_is_read_and_negative_answers_are_nothing() {
        let vin_of = |text| vin(&hex::decode(text).expect("hexadecimal"));
        let expected = "TMBJP7NX5NY084923".parse().expect("a VIN");
        assert_eq!(vin_of("490201544D424A50374E58354E59303834393233"), Some(Ok(expected)));
        assert_eq!(vin_of("490201544D42"), Some(Err(RejectCode::NotAVin)));
        assert_eq!(vin_of("490400"), None);
        assert_eq!(read_all("7F0112"), []);
        assert_eq!(read_all(""), []);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut answers = 0;
            read(&message, |_| answers += 1);
            prop_assert!(answers <= message.len() + 1);
            let _ = vin(&message);
        }
    }
}
