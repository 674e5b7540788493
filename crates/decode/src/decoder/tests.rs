//! Behaviours of the decoder as a whole, over the shipped catalogue.

use super::*;
use proptest::prelude::*;
use vernport_types::{
    BootMicros, Fault, FaultState, Label, Number, Position, TimeQuality, TroubleCode, UtcMicros,
};

const CATALOGUE: &str = include_str!("../../../../config/signals/vehicle.toml");

fn catalogue() -> Catalogue {
    Catalogue::from_toml([("vehicle.toml", CATALOGUE)]).expect("the shipped catalogue")
}

fn at(micros: u64) -> Stamp {
    Stamp { wall: UtcMicros(0), boot: BootMicros(micros), quality: TimeQuality::Synced }
}

fn frame(text: &str) -> CanFrame {
    crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
}

fn hear(decoder: &mut Decoder, frames: &[&str]) -> Vec<Decoded> {
    let mut heard = Vec::new();
    for (text, micros) in frames.iter().zip((0..).step_by(10_000)) {
        decoder.push(&frame(text), at(micros), &mut |decoded| heard.push(decoded));
    }
    heard
}

fn values(decoded: &[Decoded]) -> Vec<(String, Value)> {
    let catalogue = catalogue();
    let value = |decoded: &Decoded| match decoded {
        Decoded::Signal { signal, value, .. } => Some((catalogue.signal(*signal).path.to_string(), *value)),
        _ => None,
    };
    decoded.iter().filter_map(value).collect()
}

fn decoder() -> Decoder {
    Decoder::new(&catalogue(), Config::default()).expect("the shipped catalogue fits")
}

const LONG_VI: [&str; 4] = [
    "18ECFF00#20120003FFECFE00",
    "18EBFF00#0157444239363334",
    "18EBFF00#023033314C373338",
    "18EBFF00#033030312AFFFFFF",
];

#[test]
fn each_message_gives_its_signal_in_the_unit_of_the_catalogue() {
    let number = |number| Value::Number(Number::new(number).expect("finite"));
    for (text, path, value) in [
        ("18FEC1EE#E8F4E40141B11600", "Vehicle.TraveledDistance", Value::Integer(158_910_600)),
        ("18FEE000#BB00000007F80600", "Vehicle.TraveledDistance", Value::Integer(57_088_875)),
        (
            "18FEF34A#0E236A931EDE8134",
            "Vehicle.CurrentLocation",
            Value::Position(Position::from_e7(373_206_542, -1_219_073_762).expect("on the globe")),
        ),
        ("18FEF100#FF0050CCFF0000F0", "Vehicle.Speed", number(80.0)),
        ("18FEFC00#FFCCFFFFFFFFFFFF", "Vehicle.Powertrain.FuelSystem.RelativeLevel", number(81.6)),
        ("18FEF700#FFFFFFFFDB00DB00", "Vehicle.LowVoltageBattery.CurrentVoltage", number(10.95)),
        ("18FEE500#20110000FFFFFFFF", "Vehicle.Powertrain.CombustionEngine.EngineHours", number(219.2)),
        ("18FEC027#FFDF80FFFFFFFFFF", "Vehicle.Service.DistanceToService", number(4_320.0)),
        (
            "18FDA421#FFFFFFFFFFFFFDFF",
            "Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne",
            Value::Flag(true),
        ),
        ("18FECA00#00FF00000000FFFF", "Vehicle.Diagnostics.DTCList", Value::Nothing),
        ("7E8#06410D502F330000", "Vehicle.Speed", number(80.0)),
        ("7E8#0641A6001E848000", "Vehicle.TraveledDistance", Value::Integer(200_000_000)),
        ("18DAF110#0441422FEA000000", "Vehicle.LowVoltageBattery.CurrentVoltage", number(12.266)),
        ("7E9#024300CCCCCCCCCC", "Vehicle.Diagnostics.DTCList", Value::Nothing),
        ("7E8#0641018307E50000", "Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn", Value::Flag(true)),
        ("7E8#03415BCC00000000", "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", number(80.0)),
        ("7E8#03415C8300000000", "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature", number(91.0)),
        ("7E8#03411E0155555555", "Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne", Value::Flag(true)),
        (
            "7E8##1000F417F01000C0A800000000000000000000000",
            "Vehicle.Powertrain.CombustionEngine.EngineHours",
            number(219.2),
        ),
        (
            "18DAF110##1000C4185040000000066000000000000",
            "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level",
            number(40.0),
        ),
        ("7E8#035902FBAAAAAAAA", "Vehicle.Diagnostics.DTCList", Value::Nothing),
    ] {
        let heard = values(&hear(&mut decoder(), &[text]));
        assert_eq!(heard.first(), Some(&(path.to_owned(), value)), "{text}");
    }
}

#[test]
fn priority_and_source_do_not_matter_to_what_is_read_but_the_source_is_told() {
    for text in ["0CFEF100#FF0050CCFF0000F0", "1CFEF10B#FF0050CCFF0000F0"] {
        assert_eq!(values(&hear(&mut decoder(), &[text])).len(), 1);
    }
    let heard = hear(&mut decoder(), &["18FEC1EE#E8F4E40141B11600"]);
    assert!(matches!(heard[..], [Decoded::Signal { source: Source::J1939 { pgn: 65217, sa: 0xEE }, .. }]));
}

#[test]
fn a_vin_in_a_long_message_is_told_once_as_vin_and_once_as_value() {
    let heard = hear(&mut decoder(), &LONG_VI);
    let vin = "WDB9634031L738001";
    let source = Source::J1939 { pgn: 65260, sa: 0 };
    assert_eq!(heard[0], Decoded::Vin { vin: vin.parse().expect("a VIN"), source, at: at(30_000) });
    let label = Value::Label(Label::new(vin).expect("short"));
    assert_eq!(values(&heard), [("Vehicle.VehicleIdentification.VIN".to_owned(), label)]);
}

#[test]
fn while_vins_may_not_be_read_none_is() {
    let mut decoder = decoder();
    decoder.set_identify(false);
    assert_eq!(hear(&mut decoder, &LONG_VI), []);
    let answer = ["7E8#1014490201544D42", "7E8#214A50374E58354E", "7E8#2259303834393233"];
    assert_eq!(hear(&mut decoder, &answer), []);
}

#[test]
fn a_catalogue_without_a_signal_is_a_world_without_it() {
    let mut decoder = Decoder::new(&Catalogue::default(), Config::default()).expect("fits");
    let all =
        ["18FEC1EE#E8F4E40141B11600", "18FEF34A#0E236A931EDE8134", "7E8#024300CCCCCCCCCC", "18FECA00#00"];
    assert_eq!(hear(&mut decoder, &all), []);
    assert_eq!(hear(&mut decoder, &LONG_VI), []);
}

#[test]
fn what_is_half_heard_when_the_vehicle_leaves_is_gone() {
    let mut decoder = decoder();
    hear(&mut decoder, &LONG_VI[..3]);
    hear(&mut decoder, &["7E8#1014490201544D42", "7E8#214A50374E58354E"]);
    hear(&mut decoder, &["18FEC100#E8F4E40141B11600"]);
    decoder.reset();
    assert_eq!(hear(&mut decoder, &[LONG_VI[3], "7E8#2259303834393233"]), []);
    let next_vehicle = hear(&mut decoder, &["18FEC100#40420F0041B10000"]);
    assert_eq!(values(&next_vehicle), [("Vehicle.TraveledDistance".to_owned(), Value::Integer(5_000_000))]);
}

#[test]
fn a_message_that_never_ends_is_dropped_by_time_alone() {
    let mut decoder = decoder();
    hear(&mut decoder, &[LONG_VI[0], "7E8#1014490201544D42"]);
    let mut late = Vec::new();
    decoder.tick(at(60_000_000), &mut |decoded| late.push(decoded));
    assert_eq!(late, [Decoded::Rejected { code: RejectCode::TransportTimeout }; 2]);
}

#[test]
fn more_senders_than_the_bound_take_the_place_of_silent_ones_only() {
    let diagnostics = Limits { senders: 1, ..Limits::default() };
    let mut decoder = Decoder::new(&catalogue(), Config { diagnostics }).expect("fits");
    assert_eq!(hear(&mut decoder, &["7E8#024300CCCCCCCCCC", "7E9#024300CCCCCCCCCC"]).len(), 2);
    let busy = hear(&mut decoder, &["7E8#1014490201544D42", "7E9#024300CCCCCCCCCC"]);
    assert_eq!(busy, [Decoded::Rejected { code: RejectCode::TransportBusy }]);
}

#[test]
fn trouble_codes_come_one_by_one_with_their_state() {
    let heard = hear(&mut decoder(), &["7E8#0447010456000000"]);
    let code = TroubleCode { fault: Fault::Obd(0x0456), state: FaultState::Pending };
    assert_eq!(values(&heard), [("Vehicle.Diagnostics.DTCList".to_owned(), Value::TroubleCode(code))]);
}

#[test]
fn uds_trouble_codes_come_with_their_status_byte() {
    let heard = hear(&mut decoder(), &["7EC#100B5902FF123456", "7EC#2109789ABC50AAAA"]);
    let fault = Fault::Uds { code: 0x12_3456, status: 0x09 };
    let code = Value::TroubleCode(TroubleCode { fault, state: FaultState::Present });
    assert_eq!(values(&heard), [("Vehicle.Diagnostics.DTCList".to_owned(), code)], "the other never failed");
    let source = Source::Uds { service: 0x19, did: 2, responder: 0x7EC };
    assert!(matches!(heard[..], [Decoded::Signal { source: from, .. }] if from == source));
}

#[test]
fn a_list_says_none_only_where_it_would_have_held_every_confirmed_code() {
    let none = [("Vehicle.Diagnostics.DTCList".to_owned(), Value::Nothing)];
    for (frames, all) in [
        (&["7E8#035902FB"][..], true),
        (&["7E0#0319020F", "7E8#035902FB"], true),
        (&["7E0#03190204", "7E8#035902FB"], false),
        (&["7E0#0319020A", "7E8#07590AFB12345650"], true),
        (&["7E8#035915FB"], false),
        (&["7E8#065901FB010000"], false),
        (&["7A8#035902FB"], false),
        (&["7A0#0319020F", "7A8#035902FB"], true),
    ] {
        let heard = values(&hear(&mut decoder(), frames));
        assert_eq!(heard, if all { &none[..] } else { &[] }, "{frames:?}");
    }
}

#[test]
fn a_broadcast_that_looks_like_an_answer_gives_no_value() {
    let heard = hear(&mut decoder(), &["720#03410D5000000000", "7B8#0641A6001E848000", "7F8#024300"]);
    assert_eq!(heard, []);
}

#[test]
fn answers_are_read_whatever_fills_the_frame() {
    for padding in ["", "00000000", "55555555", "AAAAAAAA", "CCCCCCCC", "FFFFFFFF"] {
        let frames = [format!("7E8#03410D50{padding}"), format!("18DAF110#03410D50{padding}")];
        for frame in &frames {
            assert_eq!(values(&hear(&mut decoder(), &[frame])).len(), 1, "{frame}");
        }
    }
}

#[test]
fn nothing_decoded_prints_what_it_holds() {
    let mut heard = hear(&mut decoder(), &LONG_VI);
    heard.extend(hear(&mut decoder(), &["18FEC1EE#E8F4E40141B11600", "18FEF34A#0E236A931EDE8134"]));
    let shown = format!("{heard:?}");
    assert!(!shown.contains("WDB") && !shown.contains("158910600") && !shown.contains("3732"), "{shown}");
}

fn any_frame() -> impl Strategy<Value = CanFrame> {
    let group = prop_oneof![
        Just(65217_u32),
        Just(65226),
        Just(65248),
        Just(65253),
        Just(65260),
        Just(65265),
        Just(65267),
        Just(65271),
        Just(65276),
        Just(65216),
        Just(64932),
        Just(0xECFF),
        Just(0xEBFF),
        Just(0xDAF1),
    ];
    let id = prop_oneof![
        (group, any::<u8>())
            .prop_map(|(group, sa)| CanId::Extended(0x1800_0000 | group << 8 | u32::from(sa % 4))),
        (0x7E0_u16..0x7F0).prop_map(CanId::Standard),
        (0_u32..0x2000_0000).prop_map(CanId::Extended),
    ];
    let first = prop_oneof![any::<u8>(), 0_u8..0x30, Just(0x20)];
    (id, any::<bool>(), first, proptest::collection::vec(any::<u8>(), 0..=64)).prop_map(
        |(id, fd, first, mut data)| {
            if let Some(byte) = data.first_mut() {
                *byte = first;
            }
            let kind = if fd { FrameKind::FdData } else { FrameKind::Data };
            data.truncate(if fd { 64 } else { 8 });
            CanFrame::new(id, kind, &data).expect("short enough")
        },
    )
}

proptest! {
    #[test]
    fn random_frames_never_panic_and_what_comes_out_is_believed(
        frames in proptest::collection::vec(any_frame(), 0..300)
    ) {
        let catalogue = catalogue();
        let mut decoder = decoder();
        for (frame, micros) in frames.iter().zip((0..).step_by(1_000)) {
            decoder.push(frame, at(micros), &mut |decoded| {
                let Decoded::Signal { signal, value, .. } = decoded else { return };
                let entry = catalogue.signal(signal);
                if let Some(number) = value.as_f64() {
                    assert!(entry.min.is_none_or(|min| number >= min), "{}", entry.path);
                    assert!(entry.max.is_none_or(|max| number <= max), "{}", entry.path);
                }
            });
        }
    }
}
