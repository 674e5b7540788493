//! Behaviours of configured data identifiers: what they read, and what is refused.
use super::*;
use crate::{Config, Decoded, Decoder};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use vernport_types::{BootMicros, Source, Stamp, TimeQuality, UtcMicros};

const ODOMETER: &str = "Vehicle.TraveledDistance";
const OIL: &str = "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature";
const PARKING_BRAKE: &str = "Vehicle.Chassis.ParkingBrake.IsEngaged";

fn catalogue() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
        let text = include_str!("../../../../config/signals/vehicle.toml");
        Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
    });
    &SHIPPED
}

fn rule(path: &str) -> Rule {
    Rule {
        did: 0xDD01,
        unit: Unit::Standard(0),
        path: path.into(),
        first_byte: 0,
        bytes: 3,
        scale: 1000.0,
        offset: 0.0,
        signed: false,
    }
}

fn flag(path: &str) -> Rule {
    Rule { bytes: 1, scale: 1.0, ..rule(path) }
}

fn decoder(rules: Vec<Rule>) -> Decoder {
    let dids = Arc::new(Dids::new(catalogue(), rules).expect("rules"));
    Decoder::new(catalogue(), Config::default()).expect("fits").with_dids(&dids)
}

/// What is read of frames, one each second.
fn told(decoder: &mut Decoder, frames: &[&str]) -> Vec<Result<(Source, Value), RejectCode>> {
    let mut told = Vec::new();
    for (text, second) in frames.iter().zip(1..) {
        let frame = crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame;
        let boot = BootMicros(second * 1_000_000);
        let at = Stamp { wall: UtcMicros(0), boot, quality: TimeQuality::Bounded };
        decoder.push(&frame, at, &mut |decoded| match decoded {
            Decoded::Signal { value, source, .. } => told.push(Ok((source, value))),
            Decoded::Rejected { code } => told.push(Err(code)),
            Decoded::Vin { .. } => {}
        });
    }
    told
}

const SOURCE: Source = Source::Uds { service: 0x22, did: 0xDD01, responder: 0x7E8 };

#[test]
fn an_answer_becomes_a_value_in_the_unit_of_the_catalogue() {
    let odometer = told(&mut decoder(vec![rule(ODOMETER)]), &["7E8#0662DD0101E240"]);
    assert_eq!(odometer, [Ok((SOURCE, Value::Integer(123_456_000)))]);
    let oil = Rule { first_byte: 1, bytes: 2, scale: 0.1, offset: -10.0, signed: true, ..rule(OIL) };
    let value = Value::Number(Number::new(-35.6).expect("finite"));
    assert_eq!(told(&mut decoder(vec![oil]), &["7E8#0662DD01AAFF00"]), [Ok((SOURCE, value))]);
    let brake = flag(PARKING_BRAKE);
    let frames = ["7E8#0462DD0100", "7E8#0462DD0101", "7E8#0462DD0102"];
    let flags =
        [Ok((SOURCE, Value::Flag(false))), Ok((SOURCE, Value::Flag(true))), Err(RejectCode::OutOfRange)];
    assert_eq!(told(&mut decoder(vec![brake]), &frames), flags);
}

#[test]
fn one_answer_may_hold_several_signals_and_be_long() {
    let oil = Rule { first_byte: 5, bytes: 1, scale: 1.0, offset: -40.0, ..rule(OIL) };
    let mut decoder = decoder(vec![rule(ODOMETER), oil]);
    let told = told(&mut decoder, &["7E8#100962DD0101E240", "7E8#21AABB64"]);
    let oil = Value::Number(Number::new(60.0).expect("finite"));
    assert_eq!(told, [Ok((SOURCE, Value::Integer(123_456_000))), Ok((SOURCE, oil))]);
}

#[test]
fn other_units_identifiers_and_lengths_give_nothing() {
    let mut decoder = decoder(vec![rule(ODOMETER)]);
    for (frames, expected) in [
        (&["7E9#0662DD0101E240"][..], &[][..]),
        (&["18DAF110#0662DD0101E240"], &[]),
        (&["7E8#0662DD0201E240"], &[]),
        (&["7E8#037F2231"], &[]),
        // Shorter than the rule needs.
        (&["7E8#0562DD0101E2"], &[Err(RejectCode::WrongLength)]),
        // Behind FFFFFF the catalogue believes nothing: 16 777 215 km.
        (&["7E8#0662DD01FFFFFF"], &[Err(RejectCode::OutOfRange)]),
        (&["7E8#0662DD01000000"], &[Err(RejectCode::OdometerWakeUp)]),
        // Several at once: where each ends is not known.
        (&["7E0#0522DD01DD02", "7E8#0662DD0101E240"], &[]),
    ] {
        assert_eq!(told(&mut decoder, frames), expected, "{frames:?}");
        decoder.reset();
    }
}

#[test]
fn an_odometer_does_not_fall_or_jump() {
    let frames = ["7E8#0662DD0101E240", "7E8#0662DD0101E23F", "7E8#0662DD0102E240", "7E8#0662DD0101E241"];
    let source = |km: i64| Ok((SOURCE, Value::Integer(km * 1000)));
    let expected =
        [source(123_456), Err(RejectCode::OdometerFell), Err(RejectCode::OdometerJumped), source(123_457)];
    assert_eq!(told(&mut decoder(vec![rule(ODOMETER)]), &frames), expected);
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_its_remedy() {
    let refused = |rules: Vec<Rule>| Dids::new(catalogue(), rules).expect_err("refused").why;
    for (wrong, why) in [
        (rule("Vehicle.Odometer"), Why::UnknownSignal),
        (rule("Vehicle.CurrentLocation"), Why::Kind(ValueKind::Position)),
        (rule("Vehicle.VehicleIdentification.VIN"), Why::Kind(ValueKind::Label)),
        (Rule { bytes: 0, ..rule(ODOMETER) }, Why::Place),
        (Rule { bytes: 7, ..rule(ODOMETER) }, Why::Place),
        (Rule { first_byte: 1024, ..rule(ODOMETER) }, Why::Place),
        (Rule { scale: 0.0, ..rule(ODOMETER) }, Why::Scale),
        (Rule { scale: f64::NAN, ..rule(ODOMETER) }, Why::Scale),
        (Rule { offset: f64::INFINITY, ..rule(ODOMETER) }, Why::Scale),
        (Rule { offset: 1e12, ..rule(ODOMETER) }, Why::NeverBelieved),
        (Rule { scale: 2.0, ..flag(PARKING_BRAKE) }, Why::NeverBelieved),
        (Rule { did: 0xF190, ..rule(ODOMETER) }, Why::Vin),
    ] {
        assert_eq!(refused(vec![wrong.clone()]), why, "{wrong:?}");
    }
    assert_eq!(refused(vec![rule(ODOMETER), rule(ODOMETER)]), Why::Twice);
    let many = |count: u16| (0..count).map(|did| Rule { did, ..rule(ODOMETER) }).collect();
    assert_eq!(refused(many(33)), Why::TooMany);
    assert!(Dids::new(catalogue(), many(32)).is_ok());
    let error = Dids::new(catalogue(), vec![rule("Vehicle.Odometer")]).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "data identifier DD01 as Vehicle.Odometer: the signal catalogue has no such path; mend it, or list the signal"
    );
}

proptest! {
    #[test]
    fn a_raw_value_is_that_of_a_plain_reading(
        data in proptest::collection::vec(any::<u8>(), 0..12),
        first_byte in 0_u16..8,
        bytes in 1_u8..=6,
        signed: bool,
        scale in -1000_i32..1000,
    ) {
        let scale = f64::from(scale.max(1));
        let rule = Rule { first_byte, bytes, signed, scale, offset: 0.0, ..rule(OIL) };
        let dids = Dids::new(catalogue(), vec![rule]).expect("a rule");
        let (_, value) = dids.read(Unit::Standard(0), 0xDD01, &data).next().expect("one rule");
        let (from, to) = (usize::from(first_byte), usize::from(first_byte) + usize::from(bytes));
        if data.len() < to {
            prop_assert_eq!(value, Err(RejectCode::WrongLength));
        } else {
            let negative = signed && data[from] >= 0x80;
            let mut word = [if negative { 0xFF } else { 0 }; 8];
            word[8 - usize::from(bytes)..].copy_from_slice(&data[from..to]);
            #[expect(clippy::cast_precision_loss, reason = "6 bytes are exact")]
            let expected = i64::from_be_bytes(word) as f64 * scale;
            prop_assert_eq!(value, Ok(Value::Number(Number::new(expected).expect("finite"))));
        }
    }

    #[test]
    fn no_answer_makes_it_panic_or_passes_the_bounds(
        data in proptest::collection::vec(any::<u8>(), 0..5),
        first_byte in 0_u16..4,
        bytes in 1_u8..=6,
        signed: bool,
    ) {
        let rules = vec![
            Rule { first_byte, bytes, signed, ..rule(ODOMETER) },
            Rule { first_byte, bytes, signed, scale: 0.5, ..rule(OIL) },
            Rule { first_byte, bytes, signed, scale: 1.0, ..rule(PARKING_BRAKE) },
        ];
        let mut decoder = decoder(rules);
        let message = [&[0x62, 0xDD, 1][..], &data].concat();
        let frame = format!("7E8#{:02X}{}", message.len(), hex::encode(&message));
        for (_, value) in told(&mut decoder, &[&frame]).into_iter().flatten() {
            match value {
                Value::Integer(metres) => prop_assert!((1..=4_294_967_295).contains(&metres)),
                Value::Number(_) => {
                    prop_assert!(value.as_f64().is_some_and(|number| (-60.0..=250.0).contains(&number)));
                }
                _ => prop_assert!(matches!(value, Value::Flag(_))),
            }
        }
    }
}
