//! The plan against decoding bit by bit, and the reader against broken files.

mod foreign;

use super::*;
use crate::RejectCode;
use proptest::prelude::*;
use std::fmt::Write as _;
use vernport_types::{Catalogue, Value};

const HEAD: &str = "VERSION \"\"\nNS_ :\n\tCM_\n\tBA_DEF_\nBS_:\nBU_: A\n";

fn read(body: &str) -> (Database, Vec<Finding>) {
    Database::read(format!("{HEAD}{body}").as_bytes()).expect("a DBC file")
}

fn clean(body: &str) -> Database {
    let (database, findings) = read(body);
    assert_eq!(findings, []);
    database
}

fn catalogue() -> Catalogue {
    let text = include_str!("../../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("a catalogue")
}

fn plan(body: &str) -> Plan {
    Plan::new(&[clean(body)], &Mapping::shipped(), &catalogue()).expect("small")
}

/// What a plan reads from a frame: names and values, in the order of the plan.
fn heard(plan: &Plan, id: CanId, data: &[u8]) -> Vec<(String, Result<Value, RejectCode>)> {
    let mut heard = Vec::new();
    plan.frame(id, data.len() > 8, data, &mut |read: Read| {
        heard.push(read);
    });
    heard.sort_by_key(|read: &Read| read.index);
    let named = |read: Read| (plan.name(read.index).expect("named").to_owned(), read.value.map(Value::from));
    heard.into_iter().map(named).collect()
}

fn number(value: &Result<Value, RejectCode>) -> Option<f64> {
    value.ok().and_then(|value| value.as_f64())
}

const ODOMETER: &str = "BO_ 1072 Cluster: 8 A\n SG_ Odometer : 15|24@0+ (1,0) [0|0] \"km\" A\nVAL_ 1072 Odometer 16777215 \"Invalid\" ;\n";

#[test]
fn an_odometer_in_kilometres_becomes_metres_and_its_word_for_invalid_none() {
    let plan = plan(ODOMETER);
    let of = |data: [u8; 8]| heard(&plan, CanId::Standard(0x430), &data).remove(0);
    assert_eq!(of([0, 1, 0, 0x59, 0, 0, 0, 0]), ("Cluster.Odometer".into(), Ok(Value::Integer(65_625_000))));
    assert_eq!(of([0, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]).1, Err(RejectCode::NotAvailable));
    assert_eq!(of([0, 0xFF, 0xFF, 0xFE, 0, 0, 0, 0]).1, Err(RejectCode::OutOfRange));
}

#[test]
fn a_frame_that_ends_before_the_signal_has_no_value() {
    let plan = plan(ODOMETER);
    assert_eq!(heard(&plan, CanId::Standard(0x430), &[0, 1, 0])[0].1, Err(RejectCode::WrongLength));
    assert!(heard(&plan, CanId::Standard(0x430), &[0, 1, 0, 0x59])[0].1.is_ok());
    assert_eq!(heard(&plan, CanId::Extended(0x430), &[0; 8]), [], "11 and 29 bits are apart");
}

#[test]
fn names_units_and_widths_have_to_fit_before_a_signal_is_an_odometer() {
    for line in [
        "SG_ OdoTripVerify : 7|24@0+ (0.1,0) [0|0] \"km\" A",
        "SG_ ODOMETER : 7|24@0+ (1,0) [0|0] \"\" A",
        "SG_ ODOMETER : 7|8@0+ (10,0) [0|0] \"m\" A",
        "SG_ ODOMETER : 7|16@0+ (1,0) [0|0] \"km\" A",
        "SG_ DistanceToEmpty : 7|24@0+ (1,0) [0|0] \"km\" A",
    ] {
        assert!(plan(&format!("BO_ 1 M: 8 A\n {line}\n")).is_empty(), "{line}");
    }
    assert_eq!(
        plan("BO_ 1 M: 8 A\n SG_ KBI_Kilometerstand : 8|20@1+ (1,0) [0|0] \"Unit_KiloMeter\" A\n").len(),
        1
    );
}

#[test]
fn a_name_in_many_messages_is_of_objects_and_a_high_voltage_is_not_the_battery_of_12_volts() {
    let radar: String = (1..=4)
        .map(|n| format!("BO_ {n} OBJECT_{n}: 8 A\n SG_ SPEED : 7|12@0+ (0.1,0) [0|0] \"km/h\" A\n"))
        .collect();
    assert!(plan(&radar).is_empty());
    let voltage =
        |factor| format!("BO_ 1 M: 8 A\n SG_ Battery_Voltage : 0|12@1+ ({factor},0) [0|0] \"V\" A\n");
    assert!(plan(&voltage("0.2")).is_empty());
    assert_eq!(plan(&voltage("0.01")).len(), 1);
}

#[test]
fn a_mapping_of_the_user_comes_before_the_shipped_one() {
    let database = clean(
        "BO_ 1 M: 8 A\n SG_ ODOMETER : 7|24@0+ (1,0) [0|0] \"\" A\n SG_ KmStand : 31|24@0+ (1,0) [0|0] \"km\" A\n",
    );
    let own = "format = 1\n[[rule]]\npath = \"Vehicle.TraveledDistance\"\nmessage = \"M\"\nsignal = [\"ODOMETER\"]\nassume_unit = \"mi\"\n";
    let mapping = Mapping::from_toml("own.toml", own).expect("rules").before(Mapping::shipped());
    let plan = Plan::new(&[database], &mapping, &catalogue()).expect("small");
    let heard = heard(&plan, CanId::Standard(1), &[0, 0, 100, 0, 0, 100, 0, 0]);
    assert_eq!(heard, [("M.ODOMETER".into(), Ok(Value::Integer(160_934)))]);
}

const J1939: &str =
    "BA_DEF_ BO_ \"VFrameFormat\" ENUM \"StandardCAN\",\"ExtendedCAN\",\"reserved\",\"J1939PG\";\n";

#[test]
fn a_parameter_group_is_found_whatever_its_priority_source_and_destination() {
    // PDU2: 18FEF1FE; PDU1: 0CEFFFFE.
    let body = format!(
        "BO_ 2566844926 CCVS1: 8 A\n SG_ WheelBasedVehicleSpeed : 8|16@1+ (0.00390625,0) [0|0] \"km/h\" A\n\
         BO_ 2364538878 Proprietary: 8 A\n SG_ FuelLevel : 0|8@1+ (0.4,0) [0|100] \"%\" A\n{J1939}\
         BA_ \"VFrameFormat\" BO_ 2566844926 3;\nBA_ \"VFrameFormat\" BO_ 2364538878 3;\n"
    );
    let plan = plan(&body);
    for raw in [0x18FE_F1FE, 0x18FE_F100, 0x0CFE_F117] {
        let heard = heard(&plan, CanId::Extended(raw), &[0xFF, 0, 80, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(number(&heard[0].1), Some(80.0), "{raw:X}");
    }
    for raw in [0x0CEF_FFFE, 0x18EF_FF03, 0x18EF_1203] {
        assert_eq!(number(&heard(&plan, CanId::Extended(raw), &[200; 8])[0].1), Some(80.0), "{raw:X}");
    }
    for raw in [0x18FE_F200, 0x18FF_F100, 0x19FE_F100, 0x18EE_0003] {
        assert_eq!(heard(&plan, CanId::Extended(raw), &[0; 8]), [], "{raw:X}");
    }
    let filters = plan.interest(|_| true);
    let pass = |raw| filters.iter().any(|filter| filter.passes(CanId::Extended(raw)));
    assert!(pass(0x0CFE_F117) && pass(0x18EF_1203) && !pass(0x18FE_F200) && !pass(0x18EE_0003));
}

#[test]
fn a_message_for_each_source_is_kept_apart_and_any_other_source_goes_to_the_first() {
    let line = |factor| format!(" SG_ FuelLevel : 0|8@1+ ({factor},0) [0|100] \"%\" A\n");
    let body = format!(
        "BO_ 2566843136 One: 8 A\n{}BO_ 2566843159 Two: 8 A\n{}{J1939}BA_DEF_DEF_ \"VFrameFormat\" \"J1939PG\";\n",
        line("0.4"),
        line("0.8")
    );
    let database = clean(&body);
    let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
    for (source, value) in [(0x00, 40.0), (0x17, 80.0), (0x21, 40.0)] {
        let id = CanId::Extended(0x18FE_EB00 | source);
        assert_eq!(number(&heard(&plan, id, &[100; 8])[0].1), Some(value));
        assert_eq!(database.decode_all(id, &[100; 8]).expect("known").expect("whole")[0].1, value);
    }
}

#[test]
fn ranges_of_j1939_that_mean_none_are_none_by_the_width_of_the_signal() {
    let body = format!(
        "BO_ 2566844926 M: 8 A\n SG_ FuelLevel : 0|8@1+ (0.4,0) [0|100] \"%\" A\n \
         SG_ ParkingBrakeSwitch : 8|2@1+ (1,0) [0|3] \"\" A\n SG_ BatteryPotential_PowerInput1 : 16|16@1+ (0.05,0) [0|0] \"V\" A\n{J1939}\
         BA_DEF_DEF_ \"VFrameFormat\" \"J1939PG\";\n"
    );
    let plan = plan(&body);
    let codes = |data: [u8; 8]| {
        heard(&plan, CanId::Extended(0x18FE_F100), &data)
            .into_iter()
            .map(|(_, value)| value.err())
            .collect::<Vec<_>>()
    };
    let (na, error, reserved) =
        (Some(RejectCode::NotAvailable), Some(RejectCode::SensorError), Some(RejectCode::ReservedValue));
    assert_eq!(codes([250, 1, 0xE0, 1, 0, 0, 0, 0]), [None, None, None]);
    assert_eq!(codes([255, 3, 0xFF, 0xFF, 0, 0, 0, 0]), [na, na, na]);
    assert_eq!(codes([254, 2, 0, 0xFE, 0, 0, 0, 0]), [error, error, error]);
    assert_eq!(codes([251, 0, 0, 0xFB, 0, 0, 0, 0]), [reserved, None, reserved]);
}

const PLACE: &str = "BO_ 3 gnss_pos: 8 A\n SG_ PositionValid : 0|1@1+ (1,0) [0|1] \"\" A\n \
    SG_ Latitude : 1|28@1+ (1e-06,-90) [-90|90] \"deg\" A\n SG_ Longitude : 29|29@1+ (1e-06,-180) [-180|180] \"deg\" A\n";

#[test]
fn a_position_is_one_value_and_only_while_it_is_valid() {
    let plan = plan(PLACE);
    let raw: u64 = 1 | (146_000_000 << 1) | (190_000_000 << 29);
    let heard = |raw: u64| heard(&plan, CanId::Standard(3), &raw.to_le_bytes());
    let place = vernport_types::Position::from_degrees(56.0, 10.0).expect("on the globe");
    assert_eq!(heard(raw), [("gnss_pos.Latitude".into(), Ok(Value::Position(place)))]);
    assert_eq!(heard(raw & !1), [("gnss_pos.Latitude".into(), Err(RejectCode::NotAvailable))]);
    assert_eq!(heard(u64::MAX), [("gnss_pos.Latitude".into(), Err(RejectCode::NotAvailable))]);
    assert!(self::plan(&PLACE.replace("1e-06", "0.5")).is_empty(), "half a degree is no position");
}

#[test]
fn multiplexed_signals_are_there_when_their_switches_say_so() {
    let body = "BO_ 1 M: 8 A\n SG_ Inner m3M : 8|8@1+ (1,0) [0|0] \"\" A\n SG_ Deep m1 : 16|8@1- (1,0) [0|0] \"\" A\n \
                SG_ Root M : 0|4@1+ (1,0) [0|0] \"\" A\n SG_ Other m4 : 16|8@1+ (1,0) [0|0] \"\" A\n\
                SG_MUL_VAL_ 1 Inner Root 2-3,7-7;\nSG_MUL_VAL_ 1 Deep Inner 5-9;\n";
    let database = clean(body);
    let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
    let names = |data: [u8; 3]| {
        let mut names: Vec<_> =
            heard(&plan, CanId::Standard(1), &data).into_iter().map(|(name, _)| name).collect();
        names.sort();
        names.iter().map(|name| name.trim_start_matches("M.").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names([2, 5, 0xFF]), "Deep Inner Root");
    assert_eq!(names([7, 4, 0xFF]), "Inner Root");
    assert_eq!(names([4, 5, 0xFF]), "Other Root");
    assert_eq!(names([9, 5, 0xFF]), "Root");
    assert_eq!(database.decode_all(CanId::Standard(1), &[9, 0, 0]), Some(Err(RejectCode::ReservedValue)));
}

#[test]
fn of_two_files_the_first_owns_an_identifier_and_a_group() {
    let one = clean("BO_ 1 One: 8 A\n SG_ a : 0|8@1+ (1,0) [0|0] \"\" A\n");
    let two = clean(
        "BO_ 1 Two: 8 A\n SG_ b : 0|8@1+ (1,0) [0|0] \"\" A\nBO_ 2 More: 8 A\n SG_ c : 0|8@1+ (1,0) [0|0] \"\" A\n",
    );
    let plan = Plan::everything(&[one, two]).expect("small");
    assert_eq!(heard(&plan, CanId::Standard(1), &[0; 8])[0].0, "One.a");
    assert_eq!(heard(&plan, CanId::Standard(2), &[0; 8])[0].0, "More.c");
}

#[test]
fn an_answer_has_its_length_in_front_and_classic_frames_of_it_are_not_read() {
    let plan = plan(
        "BO_ 2028 Battery: 62 A\n SG_ x_StateOfChargeBMS : 64|8@1+ (0.5,0) [0|0] \"%\" A\n"
            .replace("62 A", "64 A")
            .as_str(),
    );
    assert_eq!(heard(&plan, CanId::Standard(0x7EC), &[0x10, 62, 0x62, 1, 1, 0, 0, 0]), []);
    let mut heard = Vec::new();
    plan.answer(CanId::Standard(0x7EC), &[0x62, 1, 1, 0, 0, 0, 0, 167], &mut |read| {
        heard.push(number(&read.value.map(Value::from)));
    });
    assert_eq!(heard, [Some(83.5)]);
}

#[test]
fn flags_are_on_or_off_and_other_values_are_neither() {
    let plan = plan("BO_ 1 M: 8 A\n SG_ FuelLvlWarn_D_Actl : 0|2@1+ (1,0) [0|3] \"SED\" A\n");
    let of = |byte: u8| heard(&plan, CanId::Standard(1), &[byte])[0].1;
    assert_eq!([of(0), of(1), of(2)], [false, true, true].map(|flag| Ok(Value::Flag(flag))));
    assert_eq!(of(3), Err(RejectCode::ReservedValue));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_rest_is_read() {
    let at = HEAD.lines().count() as u32;
    let cases: [(&str, Severity, u32, &str); 19] = [
        ("BO_ 1 M: 1 A\n SG_ s : 4|8@1+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "ends beyond its message"),
        ("BO_ 1 M: 1 A\n SG_ s : 3|8@0+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "ends beyond its message"),
        ("BO_ 1 M: 1 A\n SG_ s : 70000|8@0+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "begins beyond"),
        ("BO_ 1 M: 8 A\n SG_ s : 0|65@1+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "has 65 bits"),
        ("BO_ 1 M: 8 A\n SG_ s : 0|0@1+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "has no bits"),
        ("BO_ 1 M: 8 A\n SG_ s : 0|8@1+ (0,0) [0|0] \"\" A\n", Severity::Error, 2, "a factor of zero"),
        (
            "BO_ 1 M: 8 A\n SG_ s : 0|8@1+ (1e999,0) [0|0] \"\" A\n",
            Severity::Error,
            2,
            "one that is no number",
        ),
        ("BO_ 1 M: 8 A\n SG_ s : 0|8@1+ (1,0) [9|0] \"\" A\n", Severity::Warning, 2, "smallest value above"),
        ("BO_ 1 M: 8 A\nBO_ 1 N: 8 A\n", Severity::Error, 2, "identifier of the message in line 7"),
        ("BO_ 1 M: 8 A\nBO_ 2 M: 8 A\n", Severity::Warning, 2, "name of the message in line 7"),
        ("BO_ 2048 M: 8 A\n", Severity::Warning, 1, "2048 has over 11 bits"),
        ("BO_ 536870912 M: 8 A\n", Severity::Error, 1, "536870912 is no identifier"),
        ("BO_ 1 M: 1786 A\n", Severity::Error, 1, "has 1786 bytes"),
        ("BO_ 1 M: 9 A\n", Severity::Warning, 1, "which no frame has"),
        ("BO_ 1 M: 8 A\n SG_ s m0 : 0|8@1+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "0 signals with M"),
        (
            "BO_ 1 M: 8 A\n SG_ s : 0|16@1+ (1,0) [0|0] \"\" A\n\nSIG_VALTYPE_ 1 s : 1;\n",
            Severity::Error,
            4,
            "a float of 16 bits",
        ),
        (
            "BO_ 1 M: 8 A\n SG_ s : 0|2@1+ (1,0) [0|0] \"\" A\nVAL_ 1 s 4 \"four\" 3 \"three\" ;\n",
            Severity::Warning,
            3,
            "1 words for values",
        ),
        (
            "BO_ 1 M: 8 A\n SG_ s : 0|8@1+ (1,0) [0|0] \"\" A\nVAL_ 1 s 0 \"off\" 1 \"on\"\n",
            Severity::Warning,
            3,
            "has no semicolon",
        ),
        ("BO_ 1 M: 8 A\n SG_ s 0|8@1+ (1,0) [0|0] \"\" A\n", Severity::Error, 2, "SG_ cannot be read"),
    ];
    for (body, severity, line, what) in cases {
        let (database, findings) =
            read(&format!("{body}BO_ 99 Last: 8 A\n SG_ x : 0|8@1+ (1,0) [0|0] \"\" A\n"));
        let found: Vec<_> = findings.iter().map(|f| (f.severity, f.line, f.what.contains(what))).collect();
        assert_eq!(found, [(severity, at + line, true)], "{body}{findings:?}");
        assert_eq!(
            database.message(CanId::Standard(99)).map(|message| message.signals.len()),
            Some(1),
            "{body}"
        );
    }
}

#[test]
fn switches_that_cannot_be_are_told() {
    let body = |mul: &str| {
        format!(
            "BO_ 1 M: 8 A\n SG_ a M : 0|4@1+ (1,0) [0|0] \"\" A\n SG_ b m1M : 4|4@1+ (1,0) [0|0] \"\" A\n \
             SG_ c m1 : 8|8@1+ (1,0) [0|0] \"\" A\n{mul}"
        )
    };
    let told = |mul: &str| read(&body(mul)).1.into_iter().map(|f| f.what).collect::<Vec<_>>().join("; ");
    assert_eq!(told(""), "");
    assert!(told("SG_MUL_VAL_ 1 c a 16-16;\n").contains("its switch goes from 0 to 15"));
    assert!(told("SG_MUL_VAL_ 1 c d 1-1;\n").contains("a switch that the message does not have"));
    assert!(told("SG_MUL_VAL_ 1 x a 1-1;\n").contains("a signal that the file does not have"));
    let ring = "SG_MUL_VAL_ 1 a b 1-1;\nSG_MUL_VAL_ 1 b a 1-1;\n";
    assert!(told(ring).contains("depends on itself"), "{}", told(ring));
}

#[test]
fn signals_that_share_bits_are_told_unless_a_switch_keeps_them_apart() {
    let body = |switches: [&str; 2]| {
        format!(
            "BO_ 1 M: 8 A\n SG_ s M : 0|4@1+ (1,0) [0|0] \"\" A\n SG_ a {} : 8|8@1+ (1,0) [0|0] \"\" A\n \
             SG_ b {} : 11|4@0+ (1,0) [0|0] \"\" A\n",
            switches[0], switches[1]
        )
    };
    assert_eq!(read(&body(["m0", "m1"])).1, []);
    for switches in [["m0", "m0"], ["m0", ""], ["", ""]] {
        let findings = read(&body(switches)).1;
        assert!(
            matches!(findings.as_slice(), [f] if f.what == "b shares bits with a in line 9"),
            "{findings:?}"
        );
    }
}

#[test]
fn long_names_protocols_and_multiplexers_of_other_writers_are_read() {
    let database = clean(
        "BO_ 1 Short: 8 A\n SG_ s : 0|8@1+ (1,0) [0|0] \"\" A\n\
         BO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 A\n SG_ unused : 0|8@1+ (1,0) [0|0] \"\" A\n\
         BA_DEF_ SG_ \"SystemSignalLongSymbol\" STRING ;\nBA_ \"SystemSignalLongSymbol\" SG_ 1 s \"a_long_name\";\n\
         BA_ \"SystemMessageLongSymbol\" BO_ 1 \"a_long_message\";\nVAL_ 1 s 0 \"off\" 1.0 \"on;\" ;\n\
         CM_ SG_ 1 s \"a\nBO_ 7 none: 8 A\n\";\n",
    );
    assert_eq!(database.messages.len(), 1);
    assert_eq!(
        (&*database.messages[0].name, &*database.messages[0].signals[0].name),
        ("a_long_message", "a_long_name")
    );
    assert_eq!(database.messages[0].signals[0].words, [(0, "off".into()), (1, "on;".into())]);
}

#[test]
fn what_is_no_dbc_file_is_refused() {
    assert_eq!(Database::read(b"\x7FELF\0\0"), Err(ReadError::NotDbc));
    assert_eq!(Database::read(b""), Err(ReadError::NotDbc));
    let long = vec![b' '; Database::MAX_BYTES + 1];
    assert!(matches!(Database::read(&long), Err(ReadError::TooLong { .. })));
}

/// One signal of a made file: kind, start, length, factor, offset, and which branch it is in.
type Made = (u8, u16, u8, bool, i8, i8, u8);

fn made(len: u16, signals: &[Made]) -> String {
    let mut body = format!("BO_ 5 M: {len} A\n SG_ Switch M : 0|2@1+ (1,0) [0|0] \"\" A\n");
    let mut kinds = String::new();
    for (n, (kind, start, bits, intel, factor, offset, branch)) in signals.iter().enumerate() {
        let bits = match kind {
            0 => 32,
            1 => 64,
            _ => *bits,
        };
        let (order, sign) = (u8::from(*intel), if kind % 2 == 0 { '-' } else { '+' });
        let branch = if *branch < 4 { format!("m{branch}") } else { String::new() };
        let factor = if *factor == 0 { 0.25 } else { f64::from(*factor) };
        let _ = writeln!(
            body,
            " SG_ s{n} {branch} : {start}|{bits}@{order}{sign} ({factor},{offset}) [0|0] \"\" A"
        );
        if *kind < 2 {
            let _ = writeln!(kinds, "SIG_VALTYPE_ 5 s{n} : {};", kind + 1);
        }
    }
    body + &kinds
}

proptest! {
    #[test]
    fn the_plan_reads_what_bit_by_bit_reading_reads(
        len in prop_oneof![1_u16..=8, Just(16), Just(64)],
        signals in proptest::collection::vec(
            (0_u8..8, 0_u16..512, 1_u8..=64, any::<bool>(), any::<i8>(), any::<i8>(), 0_u8..8), 0..12),
        data in proptest::collection::vec(any::<u8>(), 64),
        heard_len in 0_usize..=64,
    ) {
        let (database, _) = read(&made(len, &signals));
        let message = database.message(CanId::Standard(5)).expect("made");
        let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
        let data = &data[..heard_len.min(usize::from(len))];
        let mut planned: Vec<(String, Result<u64, RejectCode>)> = heard_fd(&plan, data);
        let switch = message.signals.first().filter(|s| &*s.name == "Switch").and_then(|s| s.raw(data));
        let mut naive = Vec::new();
        for signal in &message.signals {
            if signal.switch.as_ref().is_some_and(|by| !switch.is_some_and(|raw| by.is_at(raw))) {
                continue;
            }
            let value = match signal.raw(data) {
                None => Err(RejectCode::WrongLength),
                Some(raw) if signal.physical(raw).is_finite() => Ok((signal.physical(raw) + 0.0).to_bits()),
                Some(_) => Err(RejectCode::OutOfRange),
            };
            naive.push((format!("M.{}", signal.name), value));
        }
        planned.sort();
        naive.sort();
        prop_assert_eq!(planned, naive);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Database::read(&bytes);
    }

    #[test]
    fn no_change_to_a_file_makes_reading_or_planning_panic(
        cuts in proptest::collection::vec((0_usize..2_000, 0_usize..12, "[ -~\n]{0,6}"), 1..6),
        data in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut text = format!("{HEAD}{ODOMETER}{PLACE}{J1939}{}", made(8, &[(0, 0, 1, true, 1, 1, 0), (3, 9, 9, false, 2, 0, 1)]));
        for (at, len, insert) in cuts {
            let from = at % (text.len() + 1);
            let to = (from + len).min(text.len());
            text.replace_range(from..to, &insert);
        }
        if let Ok((database, findings)) = Database::read(text.as_bytes()) {
            for finding in findings {
                prop_assert!(finding.line as usize <= text.lines().count().max(1), "{}", finding);
            }
            let everything = Plan::everything(std::slice::from_ref(&database)).expect("small");
            let some = Plan::new(std::slice::from_ref(&database), &Mapping::shipped(), &catalogue()).expect("small");
            for message in &database.messages {
                let _ = (message.decode(&data), heard(&everything, message.id, &data), heard(&some, message.id, &data));
            }
        }
    }
}

fn heard_fd(plan: &Plan, data: &[u8]) -> Vec<(String, Result<u64, RejectCode>)> {
    let mut heard = Vec::new();
    plan.frame(CanId::Standard(5), true, data, &mut |read: Read| {
        let bits = read.value.map(|value| value.as_f64().expect("a number").to_bits());
        heard.push((plan.name(read.index).expect("named").to_owned(), bits));
    });
    heard
}
