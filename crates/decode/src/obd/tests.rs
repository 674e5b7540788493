//! Answers of services 01, 02, 03, 07, 09 and 0A.

use super::*;
use proptest::prelude::*;

fn read_all(text: &str) -> Vec<Result<Told, RejectCode>> {
    let mut answers = Vec::new();
    read(&hex::decode(text).expect("hexadecimal"), |answer| answers.push(answer));
    answers
}

fn current(pid: u8, answer: Answer) -> Result<Told, RejectCode> {
    Ok(Told { service: 1, pid, answer })
}

#[test]
fn each_pid_is_read_in_its_unit() {
    for (text, pid, answer) in [
        ("41010027E100", STATUS, Answer::Status { lamp_on: false, trouble_codes: 0 }),
        ("41018307E500", STATUS, Answer::Status { lamp_on: true, trouble_codes: 3 }),
        ("410D50", SPEED, Answer::SpeedKmPerH(80.0)),
        ("411E01", AUXILIARY_INPUT, Answer::PowerTakeOff(true)),
        ("412F33", FUEL_LEVEL, Answer::FuelPercent(20.0)),
        ("41422FEA", MODULE_VOLTAGE, Answer::ModuleVolts(12.266)),
        ("415BCC", BATTERY_CHARGE, Answer::BatteryPercent(80.0)),
        ("415C83", OIL_TEMPERATURE, Answer::OilCelsius(91.0)),
        ("41651F00", AUXILIARY_INPUTS_OUTPUTS, Answer::PowerTakeOff(false)),
        ("417F03000C0A800000000000000000", ENGINE_RUN_TIME, Answer::EngineHours(219.2)),
        ("4185040000000066000000FF", NOX_CONTROL, Answer::ExhaustFluidPercent(40.0)),
        ("41A6001E8480", ODOMETER, Answer::OdometerMetres(200_000_000)),
    ] {
        assert_eq!(read_all(text), [current(pid, answer)], "{text}");
    }
}

#[test]
fn what_a_unit_does_not_support_or_means_otherwise_is_not_told() {
    for (text, why) in [
        ("41651E01", "no power take-off"),
        ("417F02000C0A800000000000000000", "no total run time"),
        ("4185030000000066000000FF", "no level of the reagent"),
        ("413151B0", "distance since the codes were cleared is not the odometer"),
        ("41210000", "nor is the distance with the indicator on"),
        ("411F1234", "run time since start is not engine hours"),
        ("41B2CC", "health is not charge"),
    ] {
        assert_eq!(read_all(text), [], "{why}");
    }
}

#[test]
fn several_pids_may_share_an_answer_as_many_as_the_unit_has() {
    let shared = "410D5001000000002F33420000A600000001";
    let pids: Vec<u8> = read_all(shared).iter().map(|told| told.expect("whole").pid).collect();
    assert_eq!(pids, [SPEED, STATUS, FUEL_LEVEL, MODULE_VOLTAGE, ODOMETER]);
    assert_eq!(read_all("41FF0D50"), [], "nothing is guessed behind an unknown PID");
    assert_eq!(read_all("4106800D50"), [], "nor behind one whose length is the vehicle's own");
    assert_eq!(read_all("41A6001E84"), [Err(RejectCode::WrongLength)]);
    let cut = read_all("410D50A6001E84");
    assert_eq!(cut, [current(SPEED, Answer::SpeedKmPerH(80.0)), Err(RejectCode::WrongLength)]);
}

#[test]
fn trouble_codes_are_told_by_service_and_none_is_an_answer() {
    let told = |service, answer| Ok(Told { service, pid: 0, answer });
    let code = |service, code, state| {
        told(service, Answer::TroubleCode(TroubleCode { fault: Fault::Obd(code), state }))
    };
    let none = |service, state| told(service, Answer::NoTroubleCode(state));
    assert_eq!(
        read_all("430201010202"),
        [code(3, 0x0101, FaultState::Present), code(3, 0x0202, FaultState::Present)]
    );
    assert_eq!(read_all("47010456"), [code(7, 0x0456, FaultState::Pending)]);
    assert_eq!(read_all("4A010456"), [code(0x0A, 0x0456, FaultState::Stored)]);
    assert_eq!(read_all("4300"), [none(3, FaultState::Present)]);
    assert_eq!(read_all("47010000"), [none(7, FaultState::Pending)]);
    assert_eq!(read_all("4A00"), [none(0x0A, FaultState::Stored)]);
    assert_eq!(read_all("43020101"), [Err(RejectCode::WrongLength)]);
    assert_eq!(read_all("43"), [Err(RejectCode::WrongLength)]);
}

#[test]
fn of_a_freeze_frame_only_its_code_is_told() {
    let answer = Answer::TroubleCode(TroubleCode { fault: Fault::Obd(0x0420), state: FaultState::Stored });
    assert_eq!(read_all("4202000420"), [Ok(Told { service: 2, pid: 2, answer })]);
    assert_eq!(
        read_all("420D0050020004200D0050"),
        [Ok(Told { service: 2, pid: 2, answer })],
        "a speed of that moment is not the speed"
    );
    assert_eq!(read_all("4202000000"), [], "no frame");
    assert_eq!(read_all("42020004"), [Err(RejectCode::WrongLength)]);
}

#[test]
fn the_vin_of_a_real_car_is_read_and_negative_answers_are_nothing() {
    let vin_of = |text| vin(&hex::decode(text).expect("hexadecimal"));
    let expected = "TMBJP7NX5NY084923".parse().expect("a VIN");
    assert_eq!(vin_of("490201544D424A50374E58354E59303834393233"), Some(Ok(expected)));
    assert_eq!(vin_of("490201544D42"), Some(Err(RejectCode::NotAVin)));
    assert_eq!((vin_of("490400"), vin_of("490401")), (None, None));
    assert_eq!(read_all("7F0112"), []);
    assert_eq!(read_all(""), []);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300), service in 0x40_u8..0x4C) {
        for message in [message.clone(), [&[service], &message[..]].concat()] {
            let mut answers = 0;
            read(&message, |_| answers += 1);
            prop_assert!(answers <= message.len() + 1);
            let _ = vin(&message);
        }
    }
}
