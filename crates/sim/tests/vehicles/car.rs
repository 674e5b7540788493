//! The car: OBD-II and UDS of its units, and refusals.

use crate::harness::{START, after_ms, ask, car_config, frame, run, texts};
use vernport_sim::{Answering, Car, CarConfig, Vehicle};

fn car() -> Car {
    Car::new(car_config(), &[], START)
}

#[test]
fn every_unit_answers_what_it_knows_of_a_question_to_all() {
    let mut car = car();
    let said = texts(&car.on_frame(&frame("7DF#02010D"), START));
    assert_eq!(said, ["7E8#03410D00AAAAAAAA", "7E9#03410D00AAAAAAAA", "7EA#03410D00AAAAAAAA"]);
    let said = texts(&car.on_frame(&frame("7DF#0201A6"), START));
    assert_eq!(said, ["7E8#0641A60012D687AA"], "only the engine knows the distance");
    let said = texts(&car.on_frame(&frame("7DF#020100"), START));
    assert_eq!(
        said,
        ["7E8#06410080080001AA", "7E9#06410080080000AA", "7EA#06410000080001AA"],
        "supported PIDs differ"
    );
    let said = texts(&car.on_frame(&frame("7DF#0103"), START));
    assert_eq!(said, ["7E8#0443010171AAAAAA", "7E9#0443010730AAAAAA", "7EA#024300AAAAAAAAAA"]);
    let pending = texts(&car.on_frame(&frame("7E0#0107"), START));
    assert_eq!(pending, ["7E8#06470201710301AA"]);
    let permanent = texts(&car.on_frame(&frame("7E0#010A"), START));
    assert_eq!(permanent, ["7E8#044A010171AAAAAA"]);
}

#[test]
fn six_pids_come_in_one_long_answer_and_an_old_unit_refuses_them() {
    let mut car = car();
    let question = "7DF#0701010D2F3142A6";
    let said = texts(&car.on_frame(&frame(question), START));
    assert_eq!(said, ["7E8#1015410181000000", "7E9#1008410101000000", "7EA#037F0112AAAAAAAA"]);
    // 62 % is 158 of 255; 20 912 km; 14 100 mV; 1 234 567 × 0.1 km.
    assert_eq!(
        ask(&mut car, question, "7E8", 0),
        ["7E8#1015410181000000", "7E8#210D002F9E3151B0", "7E8#22423714A60012D6", "7E8#2387AAAAAAAAAAAA"]
    );
    let one = texts(&car.on_frame(&frame("7E2#020142"), after_ms(500)));
    assert_eq!(one, ["7EA#0441423714AAAAAA"], "one PID is not too much");
}

#[test]
fn seven_pids_are_let_in_and_refused_as_a_whole() {
    let mut car = car();
    assert_eq!(texts(&car.on_frame(&frame("7E0#1008010020406080"), START)), ["7E8#300000AAAAAAAAAA"]);
    assert_eq!(texts(&car.on_frame(&frame("7E0#21A0C0"), START)), ["7E8#037F0112AAAAAAAA"]);
}

#[test]
fn vin_and_calibration_are_long_answers() {
    let vin = ["7E8#1014490201595631", "7E8#21534D5430303030", "7E8#2230303030303137"];
    assert_eq!(ask(&mut car(), "7DF#020902", "7E8", 0), vin);
    let calibration = ["7E8#101349040153494D", "7E8#212D43414C2D3100", "7E8#22000000000000AA"];
    assert_eq!(ask(&mut car(), "7E0#020904", "7E8", 0), calibration);
    assert_eq!(ask(&mut car(), "7E0#020900", "7E8", 0), ["7E8#06490050000000AA"]);
}

#[test]
fn uds_reads_vin_odometer_and_codes_and_refuses_the_rest() {
    let mut car = car();
    assert_eq!(
        ask(&mut car, "7E0#0322F190", "7E8", 0),
        ["7E8#101462F190595631", "7E8#21534D5430303030", "7E8#2230303030303137"]
    );
    assert_eq!(ask(&mut car, "7E0#0322DD01", "7E8", 300), ["7E8#0662DD0101E240AA"]);
    assert_eq!(ask(&mut car, "7E0#031902FF", "7E8", 600), ["7E8#100B5902FF017100", "7E8#21AF03010004AAAA"]);
    assert_eq!(ask(&mut car, "7E0#0322ABCD", "7E8", 900), ["7E8#037F2231AAAAAAAA"]);
    assert_eq!(ask(&mut car, "7E0#042EF19000", "7E8", 1200), ["7E8#037F2E11AAAAAAAA"]);
    assert_eq!(ask(&mut car, "7DF#0322ABCD", "7E8", 1500), [""; 0], "refusals to all are kept back");
    assert_eq!(ask(&mut car, "7DF#0114", "7E8", 1800), [""; 0]);
}

#[test]
fn a_session_ends_by_itself_when_nobody_holds_it() {
    let mut car = car();
    let ask = |car: &mut Car, text: &str, ms: u64| texts(&car.on_frame(&frame(text), after_ms(ms)));
    assert_eq!(ask(&mut car, "7E0#021002", 0), ["7E8#065002003201F4AA"]);
    assert_eq!(ask(&mut car, "7E0#0322DD01", 4_000), ["7E8#037F227FAAAAAAAA"], "programming: no data");
    assert_eq!(ask(&mut car, "7E0#023E80", 8_000), [""; 0]);
    assert_eq!(ask(&mut car, "7E0#0322DD01", 12_999), ["7E8#037F227FAAAAAAAA"], "it was held");
    assert_eq!(ask(&mut car, "7E0#0322DD01", 18_000), ["7E8#0662DD0101E240AA"], "and has ended");
}

#[test]
fn the_instruments_answer_with_extended_addressing() {
    let mut car = car();
    assert_eq!(texts(&car.on_frame(&frame("6F1#600322DD01"), START)), ["660#F10662DD0101E240"]);
    assert_eq!(texts(&car.on_frame(&frame("6F1#610322DD01"), START)), [""; 0], "asked of another unit");
}

#[test]
fn with_can_fd_answers_are_as_told() {
    let fd = CarConfig { answering: Answering::Fd, ..car_config() };
    let mut car = Car::new(fd, &[], START);
    let said = texts(&car.on_frame(&frame("7E0#0322F190"), START));
    assert_eq!(said, ["7E8##0001462F190595631534D543030303030303030303137AAAA"]);
    let mut classic = self::car();
    assert_eq!(texts(&classic.on_frame(&frame("7E0##00322F19000000000"), START)), [""; 0], "it knows no FD");
}

#[test]
fn nothing_is_due_between_messages() {
    let mut car = car();
    run(&mut car, 1_000);
    let due = car.next_due();
    assert!(due > after_ms(1_000));
    assert_eq!(texts(&car.on_tick(after_ms(1_001))), [""; 0]);
    assert_eq!(car.next_due(), due);
}
