//! The trailer: distance, tyres, axles, codes and its own VIN.

use crate::harness::{START, after_ms, frame, run, texts, trailer_config};
use vernport_sim::{J1939Fault, Trailer, TrailerConfig, Vehicle};

#[test]
fn the_first_second_says_each_message_as_the_standard_writes_it() {
    let said = run(&mut Trailer::new(trailer_config(), &[], START), 239);
    let expected = [
        (0, "18FEC1C8#00879303FFFFFFFF"),         // VDHR: 60 000 000 × 5 m
        (20, "18FEE0C9#FFFFFFFF009F2400".into()), // VD: 2 400 000 × 0.125 km
        (40, "18FECAC8#00FF00000000FFFF".into()), // DM1: no code
        (60, "18FEEAC9#0FC832FFFFFFFFFF".into()), // VW: 13 000 × 0.5 kg
        (80, "18FEEAC9#1F9033FFFFFFFFFF".into()),
        (100, "18FEEAC9#2F5834FFFFFFFFFF".into()),
        (120, "18FEF4C9#00D4E025FFFFFFFF".into()), // TIRE: 212 × 4 kPa, (30 + 273) × 32
        (140, "18FEF4C9#01D2E025FFFFFFFF".into()),
        (160, "18FEF4C9#10CFE025FFFFFFFF".into()),
        (180, "18FEF4C9#11CDE025FFFFFFFF".into()),
        (200, "18FEF4C9#20CAE025FFFFFFFF".into()),
        (220, "18FEF4C9#21C8E025FFFFFFFF".into()),
    ];
    assert_eq!(said, expected);
}

#[test]
fn its_own_vin_comes_by_broadcast_when_told_to_and_on_request() {
    let announcing = TrailerConfig { announce_vin_every_micros: Some(10_000_000), ..trailer_config() };
    let said = run(&mut Trailer::new(announcing, &[], START), 400);
    let vin: Vec<_> = said.into_iter().filter(|(_, text)| text.starts_with("1CE")).collect();
    let expected = [
        (240, "1CECFFC8#20120003FFECFE00"),
        (290, "1CEBFFC8#015956"),
        (340, "1CEBFFC8#02"),
        (390, "1CEBFFC8#03"),
    ];
    for ((at, text), (expected_at, start)) in vin.iter().zip(expected) {
        assert!(*at == expected_at && text.starts_with(start), "{at} {text}");
    }
    assert_eq!(vin.len(), 4);

    let mut silent = Trailer::new(trailer_config(), &[], START);
    assert!(run(&mut silent, 20_000).iter().all(|(_, text)| !text.starts_with("1CEC")));
    let said = texts(&silent.on_frame(&frame("18EAFFF9#ECFE00"), after_ms(20_000)));
    assert_eq!(said, ["1CECFFC8#20120003FFECFE00"]);
}

#[test]
fn the_brakes_tell_their_codes_from_their_own_address() {
    let coded =
        TrailerConfig { faults: vec![J1939Fault { spn: 790, fmi: 5, occurrences: 1 }], ..trailer_config() };
    let said = run(&mut Trailer::new(coded, &[], START), 99);
    assert!(said.contains(&(40, "18FECAC8#40FF16030501FFFF".into())), "{said:?}");
}

#[test]
fn it_goes_on_its_own_axles_and_refuses_what_it_does_not_know() {
    let driving = TrailerConfig { speed_km_per_h: 90, ..trailer_config() };
    let mut trailer = Trailer::new(driving, &[], START);
    assert_eq!(trailer.odometer_m(after_ms(3_600_000)), 300_090_000);
    assert_eq!(texts(&trailer.on_frame(&frame("18EAC8F9#00EF00"), START)), ["18E8FFC8#01FFFFFFF900EF00"]);
    assert_eq!(texts(&trailer.on_frame(&frame("18EAFFF9#00EF00"), START)), [""; 0]);
    assert_eq!(
        texts(&trailer.on_frame(&frame("18EAFFF9#00EE00"), START)),
        ["18EEFFC8#0100E0FF00090010"],
        "its address"
    );
}
