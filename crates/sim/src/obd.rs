//! What the truck answers to OBD-II (SAE J1979, ISO 15031-5): services 01, 03
//! and 09. Others are refused when asked of this unit alone, and passed over
//! in silence when asked of all.

/// Service 01, current data.
const CURRENT_DATA: u8 = 0x01;
/// Service 03, confirmed trouble codes.
const STORED_CODES: u8 = 0x03;
/// Service 09, vehicle information.
const VEHICLE_INFORMATION: u8 = 0x09;
/// What is added to a service in its answer.
const POSITIVE: u8 = 0x40;
const NEGATIVE: u8 = 0x7F;
const SERVICE_NOT_SUPPORTED: u8 = 0x11;
/// PIDs of one request of service 01.
const MAX_PIDS: usize = 6;

/// The PIDs this truck knows, besides those that say which it knows.
const KNOWN_PIDS: [u8; 5] = [0x01, 0x0D, 0x2F, 0x42, 0xA6];
/// Likewise for the information types of service 09.
const KNOWN_INFORMATION: [u8; 1] = [0x02];

/// What the answers are made of.
pub(crate) struct Readings<'a> {
    pub(crate) vin: &'a str,
    pub(crate) odometer_m: u64,
    pub(crate) speed_km_per_h: u8,
    pub(crate) fuel_percent: u8,
    pub(crate) battery_mv: u16,
    pub(crate) trouble_codes: &'a [[u8; 2]],
}

/// The answer to one request; `None` where the standard asks for silence.
pub(crate) fn answer(request: &[u8], asked_of_all: bool, readings: &Readings<'_>) -> Option<Vec<u8>> {
    match *request {
        [CURRENT_DATA, ref pids @ ..] if (1..=MAX_PIDS).contains(&pids.len()) => {
            let mut bytes = vec![CURRENT_DATA | POSITIVE];
            for pid in pids {
                if let Some(data) = current_data(*pid, readings) {
                    bytes.push(*pid);
                    bytes.extend(data);
                }
            }
            (bytes.len() > 1).then_some(bytes)
        }
        [STORED_CODES] => {
            let count = u8::try_from(readings.trouble_codes.len()).unwrap_or(u8::MAX);
            let codes = readings.trouble_codes.iter().take(usize::from(count)).flatten();
            Some([STORED_CODES | POSITIVE, count].iter().chain(codes).copied().collect())
        }
        [VEHICLE_INFORMATION, 0x00] => {
            let mut bytes = vec![VEHICLE_INFORMATION | POSITIVE, 0x00];
            bytes.extend(supported(0x00, &KNOWN_INFORMATION));
            Some(bytes)
        }
        [VEHICLE_INFORMATION, 0x02] => {
            // One data item: the VIN.
            let mut bytes = vec![VEHICLE_INFORMATION | POSITIVE, 0x02, 1];
            bytes.extend(readings.vin.as_bytes());
            Some(bytes)
        }
        [CURRENT_DATA | STORED_CODES | VEHICLE_INFORMATION, ..] | [] => None,
        [service, ..] if !asked_of_all => Some(vec![NEGATIVE, service, SERVICE_NOT_SUPPORTED]),
        _ => None,
    }
}

fn current_data(pid: u8, readings: &Readings<'_>) -> Option<Vec<u8>> {
    Some(match pid {
        // Which PIDs are known, 32 at a time; a range is named by the one before it.
        _ if pid.is_multiple_of(0x20) && (pid == 0 || KNOWN_PIDS.iter().any(|known| *known > pid)) => {
            supported(pid, &KNOWN_PIDS).to_vec()
        }
        // The lamp in bit 7, how many codes below it; no readiness tests.
        0x01 => {
            let count = u8::try_from(readings.trouble_codes.len()).unwrap_or(0x7F).min(0x7F);
            let lamp = if count > 0 { 0x80 } else { 0 };
            vec![lamp | count, 0, 0, 0]
        }
        0x0D => vec![readings.speed_km_per_h],
        // 100/255 % a bit.
        0x2F => {
            vec![u8::try_from(u16::from(readings.fuel_percent.min(100)) * 255 / 100).expect("at most 255")]
        }
        // 1 mV a bit.
        0x42 => readings.battery_mv.to_be_bytes().to_vec(),
        // 0.1 km a bit.
        0xA6 => u32::try_from(readings.odometer_m / 100).unwrap_or(u32::MAX).to_be_bytes().to_vec(),
        _ => return None,
    })
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

    const READINGS: Readings<'_> = Readings {
        vin: "YV2RT40A8KB123456",
        odometer_m: 57_088_920,
        speed_km_per_h: 80,
        fuel_percent: 60,
        battery_mv: 27_600,
        trouble_codes: &[[0x01, 0x01], [0xC4, 0x02]],
    };

    fn answers(request: &str, expected: &str) {
        let request = bytes(request);
        let answered = answer(&request, true, &READINGS).expect("an answer");
        assert_eq!(answered, bytes(expected), "{request:02X?}");
    }

    fn bytes(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
    }

    #[test]
    fn current_data_is_as_the_standard_writes_it() {
        answers("01 01", "41 01 82 00 00 00");
        answers("01 0D", "41 0D 50");
        answers("01 2F", "41 2F 99");
        answers("01 42", "41 42 6B D0");
        answers("01 A6", "41 A6 00 08 B6 09");
        answers("01 0D 05 42", "41 0D 50 42 6B D0");
    }

    #[test]
    fn supported_pids_lead_from_range_to_range() {
        answers("01 00", "41 00 80 08 00 01");
        answers("01 20", "41 20 00 02 00 01");
        answers("01 40", "41 40 40 00 00 01");
        answers("01 60", "41 60 00 00 00 01");
        answers("01 80", "41 80 00 00 00 01");
        answers("01 A0", "41 A0 04 00 00 00");
        answers("09 00", "49 00 40 00 00 00");
        assert_eq!(answer(&[1, 0xC0], true, &READINGS), None);
    }

    #[test]
    fn codes_and_vin_are_as_the_standard_writes_them() {
        answers("03", "43 02 01 01 C4 02");
        answers("09 02", "49 02 01 59 56 32 52 54 34 30 41 38 4B 42 31 32 33 34 35 36");
    }

    #[test]
    fn what_is_not_known_is_refused_to_one_asker_and_silent_to_all() {
        for (request, refusal) in
            [(&[0x04][..], [0x7F, 0x04, 0x11]), (&[0x22, 0xF1, 0x90], [0x7F, 0x22, 0x11])]
        {
            assert_eq!(answer(request, false, &READINGS), Some(refusal.to_vec()));
            assert_eq!(answer(request, true, &READINGS), None);
        }
        for request in [&[][..], &[1], &[1, 0x05], &[3, 0], &[9, 0x0A], &[1, 1, 1, 1, 1, 1, 1, 1]] {
            assert_eq!(answer(request, false, &READINGS), None, "{request:?}");
        }
    }
}
