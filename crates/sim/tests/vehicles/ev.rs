//! The electric car: 29 bits, charge instead of fuel, long answers in CAN FD.

use crate::harness::{START, ask, ev_config, frame, run, texts};
use vernport_sim::{Ev, NEVER, Vehicle};

fn ev() -> Ev {
    Ev::new(ev_config(), &[], START)
}

#[test]
fn it_answers_with_29_bits_and_has_no_fuel() {
    let mut ev = ev();
    assert_eq!(ask(&mut ev, "18DB33F1#0201A6", "18DAF110", 0), ["18DAF110#0641A60006F855AA"]);
    // 01, 0D; 42, 5B; no 2F.
    assert_eq!(ask(&mut ev, "18DB33F1#020100", "18DAF110", 0), ["18DAF110#06410080080001AA"]);
    assert_eq!(ask(&mut ev, "18DB33F1#020120", "18DAF110", 0), ["18DAF110#06412000000001AA"]);
    assert_eq!(ask(&mut ev, "18DB33F1#02012F", "18DAF110", 0), [""; 0]);
    assert_eq!(ask(&mut ev, "18DB33F1#02015B", "18DAF110", 0), ["18DAF110#03415BD6AAAAAAAA"]);
    assert_eq!(ask(&mut ev, "18DB33F1#0103", "18DAF110", 0), ["18DAF110#0443010A1FAAAAAA"]);
}

#[test]
fn charge_and_odometer_are_read_by_identifier() {
    let mut ev = ev();
    assert_eq!(ask(&mut ev, "18DA10F1#0322F45B", "18DAF110", 0), ["18DAF110#0462F45BD6AAAAAA"]);
    assert_eq!(ask(&mut ev, "18DA10F1#0322F4A6", "18DAF110", 0), ["18DAF110#0762F4A60006F855"]);
    assert_eq!(ask(&mut ev, "18DA10F1#0322DD01", "18DAF110", 0), ["18DAF110#0662DD0100B26EAA"]);
    let vin = ask(&mut ev, "18DA10F1#0322F190", "18DAF110", 0);
    assert_eq!(vin[0], "18DAF110#101462F190595631");
    assert_eq!(vin.len(), 3);
}

#[test]
fn the_record_of_the_cells_is_long_in_either_form() {
    let mut classic = ev();
    let said = ask(&mut classic, "18DA40F1#03220101", "18DAF140", 0);
    // 196 bytes: 6 and 28 times 7, the last frame not full.
    assert_eq!((said.len(), said[0].as_str()), (29, "18DAF140#10C4620101A80F84"));
    assert!(said[28].starts_with("18DAF140#2C"));

    let mut fd = ev();
    let said = ask(&mut fd, "18DA40F1##00322010100000000", "18DAF140", 0);
    // 62, 63, 63 and 8 bytes.
    let lengths: Vec<usize> = said.iter().map(|text| (text.len() - "18DAF140##0".len()) / 2).collect();
    assert_eq!(lengths, [64, 64, 64, 12]);
    assert!(said[0].starts_with("18DAF140##010C4620101A80F84"));
    assert!(said[3].starts_with("18DAF140##023"));
}

#[test]
fn unasked_it_says_nothing() {
    let mut ev = ev();
    assert_eq!(ev.next_due(), NEVER);
    assert_eq!(run(&mut ev, 60_000), []);
    assert_eq!(texts(&ev.on_frame(&frame("7DF#0201A6"), START)), [""; 0], "11 bits are not its form");
}
