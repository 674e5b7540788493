//! What a control unit answers to OBD-II (SAE J1979, ISO 15031-5): services 01,
//! 03, 07, 09 and 0A.

use crate::dtc::Dtc;
use vernport_types::Vin;

/// Service 01, current data.
const CURRENT_DATA: u8 = 0x01;
/// Service 03, confirmed trouble codes.
const CONFIRMED_CODES: u8 = 0x03;
/// Service 07, pending trouble codes.
const PENDING_CODES: u8 = 0x07;
/// Service 09, vehicle information.
const VEHICLE_INFORMATION: u8 = 0x09;
/// Service 0A, permanent trouble codes.
const PERMANENT_CODES: u8 = 0x0A;
/// What is added to a service in its answer.
pub(crate) const POSITIVE: u8 = 0x40;
/// The bytes of a calibration identification.
const CALIBRATION_BYTES: usize = 16;
/// The most codes an answer can count.
const MOST_CODES: usize = 255;

/// What a unit knows of OBD-II.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Obd {
    /// The PIDs it knows, besides those that say which it knows.
    pub(crate) pids: &'static [u8],
    /// Likewise for the information types of service 09.
    pub(crate) information: &'static [u8],
    /// How many PIDs it takes in one request. The standard has six; old units
    /// take fewer and refuse the request as a whole.
    pub(crate) most_pids: usize,
}

/// What the answers are made of.
pub(crate) struct Knowledge<'a> {
    pub(crate) vin: Vin,
    pub(crate) odometer_m: u64,
    pub(crate) speed_km_per_h: u8,
    pub(crate) fuel_percent: u8,
    pub(crate) charge_percent: u8,
    pub(crate) module_mv: u16,
    pub(crate) since_clear_km: u16,
    pub(crate) codes: &'a [Dtc],
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The standard asks for silence.
    Silence,
    Positive(Vec<u8>),
    /// Negative, with this code; said to one asker, and of some codes to all.
    Negative(u8),
    /// Not a service of this protocol.
    Unknown,
}

/// Negative response code: sub-function not supported. What old units give for
/// a request of more PIDs than they take.
pub(crate) const SUB_FUNCTION_NOT_SUPPORTED: u8 = 0x12;

impl Obd {
    /// The answer to one request.
    pub(crate) fn answer(&self, request: &[u8], known: &Knowledge<'_>) -> Answer {
        match *request {
            [CURRENT_DATA, ref pids @ ..] if pids.len() > self.most_pids => {
                Answer::Negative(SUB_FUNCTION_NOT_SUPPORTED)
            }
            [CURRENT_DATA, ref pids @ ..] => {
                let mut bytes = vec![CURRENT_DATA | POSITIVE];
                for pid in pids {
                    if let Some(data) = self.current_data(*pid, known) {
                        bytes.push(*pid);
                        bytes.extend(data);
                    }
                }
                if bytes.len() > 1 { Answer::Positive(bytes) } else { Answer::Silence }
            }
            [CONFIRMED_CODES] => codes(CONFIRMED_CODES, known, Dtc::is_confirmed),
            [PENDING_CODES] => codes(PENDING_CODES, known, Dtc::is_pending),
            [PERMANENT_CODES] => codes(PERMANENT_CODES, known, |code| code.permanent),
            [VEHICLE_INFORMATION, kind] => match self.information(kind, known) {
                Some(data) => Answer::Positive([&[VEHICLE_INFORMATION | POSITIVE, kind], &*data].concat()),
                None => Answer::Silence,
            },
            [CONFIRMED_CODES | PENDING_CODES | PERMANENT_CODES | VEHICLE_INFORMATION, ..] => Answer::Silence,
            _ => Answer::Unknown,
        }
    }

    /// The data of a PID this unit knows.
    pub(crate) fn current_data(&self, pid: u8, known: &Knowledge<'_>) -> Option<Vec<u8>> {
        let names_range = pid.is_multiple_of(0x20);
        // Which PIDs are known, 32 at a time; a range is named by the one before it.
        if names_range && (pid == 0 || self.pids.iter().any(|known| *known > pid)) {
            return Some(supported(pid, self.pids).to_vec());
        }
        if names_range || !self.pids.contains(&pid) {
            return None;
        }
        Some(match pid {
            // The lamp in bit 7, how many codes below it; no readiness tests.
            0x01 => {
                let confirmed = || known.codes.iter().filter(|code| code.is_confirmed());
                let count = u8::try_from(confirmed().count()).unwrap_or(0x7F).min(0x7F);
                let lamp = if confirmed().any(Dtc::wants_lamp) { 0x80 } else { 0 };
                vec![lamp | count, 0, 0, 0]
            }
            0x0D => vec![known.speed_km_per_h],
            0x2F => vec![of_255(known.fuel_percent)],
            // Distance since codes were cleared, 1 km a bit; not an odometer.
            0x31 => known.since_clear_km.to_be_bytes().to_vec(),
            // 1 mV a bit.
            0x42 => known.module_mv.to_be_bytes().to_vec(),
            // Charge of the traction battery.
            0x5B => vec![of_255(known.charge_percent)],
            // 0.1 km a bit.
            0xA6 => u32::try_from(known.odometer_m / 100).unwrap_or(u32::MAX).to_be_bytes().to_vec(),
            _ => return None,
        })
    }

    fn information(&self, kind: u8, known: &Knowledge<'_>) -> Option<Vec<u8>> {
        match kind {
            0x00 => Some(supported(0x00, self.information).to_vec()),
            _ if !self.information.contains(&kind) => None,
            // Each with the number of data items first: one VIN, one calibration.
            0x02 => Some([&[1], known.vin.expose().as_bytes()].concat()),
            0x04 => {
                let mut calibration = [0; CALIBRATION_BYTES];
                calibration[..9].copy_from_slice(b"SIM-CAL-1");
                Some([&[1][..], &calibration].concat())
            }
            _ => None,
        }
    }
}

fn codes(service: u8, known: &Knowledge<'_>, is_one: impl Fn(&Dtc) -> bool) -> Answer {
    let codes: Vec<_> =
        known.codes.iter().filter(|code| is_one(code)).take(MOST_CODES).map(Dtc::of_obd).collect();
    let count = u8::try_from(codes.len()).expect("at most MOST_CODES");
    Answer::Positive([service | POSITIVE, count].into_iter().chain(codes.into_iter().flatten()).collect())
}

/// 100/255 % a bit.
fn of_255(percent: u8) -> u8 {
    u8::try_from(u16::from(percent.min(100)) * 255 / 100).expect("at most 255")
}

/// The bit mask of the 32 PIDs after `base`, the first in the highest bit. The
/// last bit says that the next range holds some.
fn supported(base: u8, known: &[u8]) -> [u8; 4] {
    let mut mask = 0u32;
    for pid in known {
        match pid.checked_sub(base) {
            Some(place @ 1..=32) => mask |= 1 << (32 - place),
            Some(33..) => mask |= 1,
            _ => {}
        }
    }
    mask.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Obd =
        Obd { pids: &[0x01, 0x0D, 0x2F, 0x31, 0x42, 0x5B, 0xA6], information: &[0x02, 0x04], most_pids: 6 };

    const CODES: [Dtc; 3] = [
        Dtc { permanent: true, ..Dtc::confirmed([0x01, 0x01, 0x00]) },
        Dtc { status: 0x08, ..Dtc::confirmed([0xC4, 0x02, 0x87]) },
        Dtc { status: 0x04, ..Dtc::confirmed([0x03, 0x01, 0x00]) },
    ];

    fn known(codes: &[Dtc]) -> Knowledge<'_> {
        Knowledge {
            vin: Vin::from_ascii(b"YV2RT40A8KB123456").expect("a VIN"),
            odometer_m: 57_088_920,
            speed_km_per_h: 80,
            fuel_percent: 60,
            charge_percent: 84,
            module_mv: 27_600,
            since_clear_km: 20_912,
            codes,
        }
    }

    fn answers(request: &str, expected: &str) {
        let request = bytes(request);
        let answered = UNIT.answer(&request, &known(&CODES));
        assert_eq!(answered, Answer::Positive(bytes(expected)), "{request:02X?}");
    }

    fn bytes(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
    }

    #[test]
    fn current_data_is_as_the_standard_writes_it() {
        answers("01 01", "41 01 82 00 00 00");
        answers("01 0D", "41 0D 50");
        answers("01 2F", "41 2F 99");
        answers("01 31", "41 31 51 B0");
        answers("01 42", "41 42 6B D0");
        answers("01 5B", "41 5B D6");
        answers("01 A6", "41 A6 00 08 B6 09");
        answers("01 0D 05 42", "41 0D 50 42 6B D0");
        answers("01 01 0D 2F 31 42 A6", "41 01 82 00 00 00 0D 50 2F 99 31 51 B0 42 6B D0 A6 00 08 B6 09");
    }

    #[test]
    fn supported_pids_lead_from_range_to_range() {
        answers("01 00", "41 00 80 08 00 01");
        answers("01 20", "41 20 00 02 80 01");
        answers("01 40", "41 40 40 00 00 21");
        answers("01 60", "41 60 00 00 00 01");
        answers("01 80", "41 80 00 00 00 01");
        answers("01 A0", "41 A0 04 00 00 00");
        answers("01 00 20 40 C0", "41 00 80 08 00 01 20 00 02 80 01 40 40 00 00 21");
        answers("09 00", "49 00 50 00 00 00");
        assert_eq!(UNIT.answer(&[1, 0xC0], &known(&[])), Answer::Silence);
    }

    #[test]
    fn codes_vin_and_calibration_are_as_the_standard_writes_them() {
        answers("03", "43 02 01 01 C4 02");
        answers("07", "47 02 01 01 03 01");
        answers("0A", "4A 01 01 01");
        answers("09 02", "49 02 01 59 56 32 52 54 34 30 41 38 4B 42 31 32 33 34 35 36");
        answers("09 04", "49 04 01 53 49 4D 2D 43 41 4C 2D 31 00 00 00 00 00 00 00");
        assert_eq!(UNIT.answer(&[3], &known(&[])), Answer::Positive(vec![0x43, 0]));
    }

    #[test]
    fn more_pids_than_a_unit_takes_are_refused_as_a_whole() {
        let refused = Answer::Negative(SUB_FUNCTION_NOT_SUPPORTED);
        let seven = [1, 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0];
        assert_eq!(UNIT.answer(&seven, &known(&[])), refused);
        let old = Obd { most_pids: 1, ..UNIT };
        assert_eq!(old.answer(&[1, 0x0D, 0x2F], &known(&[])), refused);
        assert_eq!(old.answer(&[1, 0x0D], &known(&[])), Answer::Positive(vec![0x41, 0x0D, 80]));
    }

    #[test]
    fn what_is_not_known_is_silent_and_what_is_no_service_of_obd_is_unknown() {
        for request in [&[1][..], &[1, 0x05], &[3, 0], &[9], &[9, 0x0A], &[9, 2, 4]] {
            assert_eq!(UNIT.answer(request, &known(&[])), Answer::Silence, "{request:?}");
        }
        for request in [&[][..], &[0x04], &[0x22, 0xF1, 0x90]] {
            assert_eq!(UNIT.answer(request, &known(&[])), Answer::Unknown, "{request:?}");
        }
    }

    #[test]
    fn an_answer_counts_no_more_codes_than_a_byte_can() {
        let many = vec![Dtc::confirmed([1, 2, 3]); 300];
        let Answer::Positive(bytes) = UNIT.answer(&[3], &known(&many)) else { panic!("an answer") };
        assert_eq!((bytes[1], bytes.len()), (255, 2 + 2 * 255));
        let Answer::Positive(bytes) = UNIT.answer(&[1, 1], &known(&many)) else { panic!("an answer") };
        assert_eq!(bytes[2], 0xFF, "127 codes and the lamp");
    }
}
