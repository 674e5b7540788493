//! Golden answers of services 10, 19, 22 and 3E.

use super::*;
use vernport_types::Vin;

const UNIT: Uds = Uds {
    items: &[
        (0xF190, Item::Vin),
        (0xDD01, Item::OdometerKm),
        (0xF40D, Item::Pid(0x0D)),
        (0xF4A6, Item::Pid(0xA6)),
        (0x0101, Item::Cells),
    ],
    obd: Obd { pids: &[0x0D, 0xA6], information: &[], most_pids: 6 },
};

const CODES: [Dtc; 2] = [
    Dtc {
        code: [0x01, 0x71, 0x00],
        status: 0xAF,
        permanent: true,
        occurrences: 3,
        speed_km_per_h: 72,
        odometer_m: 98_765_432,
    },
    Dtc { status: 0x24, ..Dtc::confirmed([0xC1, 0x21, 0x87]) },
];

fn known(speed_km_per_h: u8) -> Knowledge<'static> {
    Knowledge {
        vin: Vin::from_ascii(b"YV1SMT00000000001").expect("a VIN"),
        odometer_m: 123_456_789,
        speed_km_per_h,
        fuel_percent: 0,
        charge_percent: 84,
        module_mv: 12_600,
        since_clear_km: 0,
        codes: &CODES,
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
}

fn answers(request: &str, expected: &str) {
    let answered = UNIT.answer(&bytes(request), &mut Active::Default, &known(50));
    assert_eq!(answered, Answer::Positive(bytes(expected)), "{request}");
}

fn refuses(request: &str, code: u8) {
    let answered = UNIT.answer(&bytes(request), &mut Active::Default, &known(50));
    assert_eq!(answered, Answer::Negative(code), "{request}");
}

#[test]
fn data_by_identifier_is_as_the_standard_writes_it() {
    answers("22 F1 90", "62 F1 90 59 56 31 53 4D 54 30 30 30 30 30 30 30 30 30 30 31");
    answers("22 DD 01", "62 DD 01 01 E2 40");
    answers("22 F4 A6", "62 F4 A6 00 12 D6 87");
    answers("22 DD 01 12 34 F4 0D", "62 DD 01 01 E2 40 F4 0D 32");
    refuses("22 12 34", OUT_OF_RANGE);
    refuses("22", WRONG_LENGTH);
    refuses("22 F1", WRONG_LENGTH);
    refuses("22 F1 90 F1", WRONG_LENGTH);
    refuses(&format!("22{}", " F1 90".repeat(17)), WRONG_LENGTH);
}

#[test]
fn the_charge_record_holds_every_cell() {
    let Answer::Positive(record) = UNIT.answer(&bytes("22 01 01"), &mut Active::Default, &known(0)) else {
        panic!("an answer")
    };
    assert_eq!(record.len(), 3 + 1 + 2 * usize::from(CELLS));
    assert_eq!(record[3..8], bytes("A8 0F 84 0F 85"), "84 %, 3 972 mV, 3 973 mV");
}

#[test]
fn trouble_codes_are_as_the_standard_writes_them() {
    answers("19 01 08", "59 01 FF 01 00 01");
    answers("19 02 FF", "59 02 FF 01 71 00 AF C1 21 87 24");
    answers("19 02 08", "59 02 FF 01 71 00 AF");
    answers("19 02 10", "59 02 FF");
    answers("19 04 01 71 00 01", "59 04 01 71 00 AF 01 02 DD 01 01 81 CD F4 0D 48");
    answers("19 04 01 71 00 FF", "59 04 01 71 00 AF 01 02 DD 01 01 81 CD F4 0D 48");
    answers("19 06 01 71 00 01", "59 06 01 71 00 AF 01 03");
    answers("19 06 01 71 00 FE", "59 06 01 71 00 AF 01 03");
    answers("19 0A", "59 0A FF 01 71 00 AF C1 21 87 24");
    refuses("19 04 01 71 00 FE", OUT_OF_RANGE);
    refuses("19 04 99 99 99 01", OUT_OF_RANGE);
    refuses("19 02", WRONG_LENGTH);
    refuses("19 0A 00", WRONG_LENGTH);
    refuses("19", WRONG_LENGTH);
    refuses("19 55", SUB_FUNCTION_NOT_SUPPORTED);
}

#[test]
fn a_session_is_opened_held_and_shuts_out_data_while_programming() {
    let mut active = Active::Default;
    let standing = known(0);
    let mut ask = |request: &str| UNIT.answer(&bytes(request), &mut active, &standing);
    assert_eq!(ask("10 03"), Answer::Positive(bytes("50 03 00 32 01 F4")));
    assert_eq!(ask("22 F4 0D"), Answer::Positive(bytes("62 F4 0D 00")));
    assert_eq!(ask("10 02"), Answer::Positive(bytes("50 02 00 32 01 F4")));
    assert_eq!(ask("22 F4 0D"), Answer::Negative(NOT_IN_SESSION));
    assert_eq!(ask("19 02 FF"), Answer::Negative(NOT_IN_SESSION));
    assert_eq!(ask("3E 80"), Answer::Silence, "no answer wanted");
    assert_eq!(ask("3E 00"), Answer::Positive(bytes("7E 00")));
    assert_eq!(ask("10 81"), Answer::Silence);
    assert_eq!(ask("22 F4 0D"), Answer::Positive(bytes("62 F4 0D 00")));
}

#[test]
fn no_programming_while_driving_and_no_service_that_writes() {
    let mut active = Active::Default;
    let answered = UNIT.answer(&[0x10, 0x02], &mut active, &known(50));
    assert_eq!((answered, active), (Answer::Negative(CONDITIONS_NOT_CORRECT), Active::Default));
    refuses("10", WRONG_LENGTH);
    refuses("10 01 00", WRONG_LENGTH);
    refuses("10 40", SUB_FUNCTION_NOT_SUPPORTED);
    refuses("3E 01", SUB_FUNCTION_NOT_SUPPORTED);
    for service in [0x11, 0x14, 0x27, 0x28, 0x2E, 0x2F, 0x31, 0x34, 0x36, 0x3D, 0x85] {
        let answered = UNIT.answer(&[service, 0, 0], &mut Active::Default, &known(0));
        assert_eq!(answered, Answer::Unknown, "{service:02X}");
    }
}
