//! Behaviours of the decoder as a whole, over the shipped catalogue.

mod files;
mod random;

use super::*;
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
        assert!(heard.contains(&(path.to_owned(), value)), "{text}");
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

/// For each signal that J1939 gives: a message, whole in one frame, and its group.
const ON_J1939: [(&str, &str); 32] = [
    ("Vehicle.TraveledDistance", "18FEC100#E8F4E40141B11600"),
    ("Vehicle.TraveledDistance", "18FEE000#BB00000007F80600"),
    ("Vehicle.CurrentLocation", "18FEF300#0E236A931EDE8134"),
    ("Vehicle.Speed", "18FEF100#FF0050CCFF0000F0"),
    ("Vehicle.Speed", "18FE6C00#FFFFFFFFFFFF0050"),
    ("Vehicle.Diagnostics.DTCList", "18FECA00#40FF5B000301FFFF"),
    ("Vehicle.Diagnostics.DTCList", "18FECB00#40FF5B000301FFFF"),
    ("Vehicle.Powertrain.FuelSystem.RelativeLevel", "18FEFC00#FFCCFFFFFFFFFFFF"),
    ("Vehicle.Extension.FuelSystem.SecondTank.RelativeLevel", "18FEFC00#FFFFFFFFFFFF32FF"),
    ("Vehicle.LowVoltageBattery.CurrentVoltage", "18FEF700#FFFFFFFFDB00DB00"),
    ("Vehicle.Powertrain.CombustionEngine.EngineHours", "18FEE500#20110000FFFFFFFF"),
    ("Vehicle.Service.DistanceToService", "18FEC000#FFDF80FFFFFFFFFF"),
    ("Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne", "18FDA400#FFFFFFFFFFFFFDFF"),
    ("Vehicle.Extension.PowerTakeOffs.IsGovernorSwitchOn", "18FEF000#FFFFFFFFFFFDFFFF"),
    ("Vehicle.Chassis.ParkingBrake.IsEngaged", "18FEF100#F7FFFFFFFFFFFFFF"),
    ("Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", "18FEF400#00C8FFFFFFFFFFFF"),
    ("Vehicle.Chassis.Axle.Row1.Wheel.Right.Tire.Pressure", "18FEF400#01C8FFFFFFFFFFFF"),
    ("Vehicle.Chassis.Axle.Row2.Wheel.Left.Tire.Pressure", "18FEF400#10C8FFFFFFFFFFFF"),
    ("Vehicle.Chassis.Axle.Row2.Wheel.Right.Tire.Pressure", "18FEF400#13C8FFFFFFFFFFFF"),
    ("Vehicle.Extension.Axle.Row1.Weight", "18FEEA00#00C05DFFFFFFFFFF"),
    ("Vehicle.Extension.Axle.Row2.Weight", "18FEEA00#10C05DFFFFFFFFFF"),
    ("Vehicle.Extension.Axle.Row3.Weight", "18FEEA00#20C05DFFFFFFFFFF"),
    ("Vehicle.Extension.Axle.Row4.Weight", "18FEEA00#30C05DFFFFFFFFFF"),
    ("Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn", "18FECA00#7FFF00000000FFFF"),
    ("Vehicle.Extension.Lamps.IsRedStopOn", "18FECA00#DFFF00000000FFFF"),
    ("Vehicle.Extension.Lamps.IsAmberWarningOn", "18FECA00#F7FF00000000FFFF"),
    ("Vehicle.Extension.Lamps.IsProtectOn", "18FECA00#FDFF00000000FFFF"),
    ("Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level", "18FE5600#FAFFFFFFFFFFFFFF"),
    ("Vehicle.Extension.FuelSystem.AccumulatedConsumption", "18FEE900#FFFFFFFFD29B0000"),
    ("Vehicle.Extension.EngineCoolant.RelativeLevel", "18FEEF00#FFFFFFFFFFFFFFF9"),
    ("Vehicle.Extension.EngineOil.RelativeLevel", "18FEEF00#FFFFFAFFFFFFFFFF"),
    ("Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature", "18FEEE00#FFFF602DFFFFFFFF"),
];

/// The signals of the catalogue that no J1939 message gives, and why.
const NOT_ON_J1939: [&str; 5] = [
    // Cars tell it, by DBC.
    "Vehicle.Body.Lights.Beam.Low.IsOn",
    "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current",
    "Vehicle.Extension.LowVoltageBattery.StateOfCharge",
    "Vehicle.Powertrain.FuelSystem.IsFuelLevelLow",
    "Vehicle.Extension.EngineOil.RemainingLife",
];

const VIN: &str = "Vehicle.VehicleIdentification.VIN";

#[test]
fn every_signal_of_the_catalogue_comes_from_the_groups_that_its_filters_pass_and_from_no_other() {
    let (catalogue, decoder) = (catalogue(), decoder());
    let always = decoder.interest(|_| false, false);
    for (_, signal) in catalogue.iter() {
        let path = &*signal.path;
        // The VIN fills more than one frame, and has its own test.
        let known = ON_J1939.iter().map(|(path, _)| path).chain(&NOT_ON_J1939);
        assert!(known.chain(&[VIN]).any(|known| *known == path), "{path}: on J1939 or not?");
    }
    for (path, text) in ON_J1939 {
        let wanted = catalogue.find(path).unwrap_or_else(|| panic!("{path}: not in the catalogue"));
        assert!(
            values(&hear(&mut self::decoder(), &[text])).iter().any(|(heard, _)| heard == path),
            "{path}"
        );
        let filters = decoder.interest(|signal| signal == wanted, false);
        let id = frame(text).id();
        assert!(filters.iter().any(|filter| filter.passes(id)), "{path}: {text}");
        assert!(!always.iter().any(|filter| filter.passes(id)), "{path}: {text} passes unasked");
        for (other, text) in ON_J1939 {
            let id = frame(text).id();
            let same_group = ON_J1939.iter().any(|(p, t)| *p == path && frame(t).id() == id);
            let passes = filters.iter().any(|filter| filter.passes(id));
            assert_eq!(passes, same_group, "{other} with the filters of {path}");
        }
    }
}

#[test]
fn a_vin_passes_where_it_is_wanted_as_a_value_or_to_identify() {
    let (decoder, vin) = (decoder(), catalogue().find(VIN).expect("listed"));
    let passes = |filters: &[vernport_types::CanFilter], text: &str| {
        filters.iter().any(|filter| filter.passes(frame(text).id()))
    };
    for filters in [decoder.interest(|signal| signal == vin, false), decoder.interest(|_| false, true)] {
        assert!(passes(&filters, "18FEEC00#FFFFFFFFFFFFFFFF"));
        assert!(LONG_VI.iter().all(|text| passes(&filters, text)));
    }
    assert!(!passes(&decoder.interest(|_| false, false), "18FEEC00#FFFFFFFFFFFFFFFF"));
}

#[test]
fn what_an_asker_must_hear_passes_whatever_is_wanted() {
    let filters = decoder().interest(|_| false, false);
    for text in [
        "7DF#0209020000000000",
        "7E0#0201045555555555",
        "7E7#0201045555555555",
        "7E8#0241040000000000",
        "7EF#0241040000000000",
        "7A0#0322C00B55555555",
        "18DAEEFB#0322F190",
        "18DAFBEE#0462F19000",
        "18DB33F1#0103",
        "18EAFFF9#ECFE00",
        "18EA00FA#ECFE00",
        "18EEFF0B#0000000000000000",
        "18E8F90B#01FFFFFFF9ECFE00",
        "1CECF900#10120003FFECFE00",
        "1CEBF900#0157444239363334",
        "09F21403#FFFFFFFFFFFFFFFF",
    ] {
        assert!(filters.iter().any(|filter| filter.passes(frame(text).id())), "{text}");
    }
    for text in ["6FF#00", "100#00", "18FEF100#00", "0CF00400#00", "18DA0017#00", "18EAFF0B#ECFE00"] {
        assert!(!filters.iter().any(|filter| filter.passes(frame(text).id())), "{text}");
    }
}

#[test]
fn a_long_message_to_one_unit_is_read_as_one_to_all_is() {
    let to_one =
        LONG_VI.map(|text| text.replace("18ECFF00#20", "18ECF900#10").replace("18EBFF00", "18EBF900"));
    let heard = hear(&mut decoder(), &to_one.each_ref().map(String::as_str));
    assert!(matches!(heard[0], Decoded::Vin { source: Source::J1939 { pgn: 65260, sa: 0 }, .. }));
}

#[test]
fn active_and_previously_active_codes_are_told_apart_and_lamps_come_with_active_ones_only() {
    let code = |state| {
        Value::TroubleCode(TroubleCode {
            fault: Fault::J1939 { spn: 91, fmi: 3, occurrence: Some(1) },
            state,
        })
    };
    let flag = |path: &str, on| (format!("Vehicle.Extension.Lamps.{path}"), Value::Flag(on));
    let codes = "Vehicle.Diagnostics.DTCList".to_owned();
    let active = hear(&mut decoder(), &["18FECA00#4CFF5B000301FFFF"]);
    assert_eq!(
        values(&active),
        [
            (codes.clone(), code(FaultState::Present)),
            flag("IsMalfunctionIndicatorOn", true),
            flag("IsRedStopOn", false),
            flag("IsProtectOn", false),
        ]
    );
    let not_available = Decoded::Rejected { code: RejectCode::NotAvailable };
    assert!(active.contains(&not_available), "an amber lamp that is not there is not off");
    let previous = values(&hear(&mut decoder(), &["18FECB00#4CFF5B000301FFFF"]));
    assert_eq!(previous, [(codes.clone(), code(FaultState::Stored))]);
    assert_eq!(values(&hear(&mut decoder(), &["18FECB00#4CFF00000000FFFF"])), [(codes, Value::Nothing)]);
}

#[test]
fn codes_whose_number_is_not_certain_are_not_none() {
    let heard = hear(&mut decoder(), &["18FECB00#00FF5B000381FFFF"]);
    assert_eq!(heard, [Decoded::Rejected { code: RejectCode::ConversionMethod }]);
}

#[test]
fn sources_that_disagree_are_told_apart() {
    let heard = hear(
        &mut decoder(),
        &["18FEC100#489BAE00FFFFFFFF", "18FEC117#C29CAE00FFFFFFFF", "18FEE000#FFFFFFFFB7F80600"],
    );
    let mut sources: Vec<Source> = Vec::new();
    for decoded in heard {
        if let Decoded::Signal { source, .. } = decoded {
            sources.push(source);
        }
    }
    let source = |pgn, sa| Source::J1939 { pgn, sa };
    assert_eq!(sources, [source(65217, 0), source(65217, 0x17), source(65248, 0)]);
}

#[test]
fn a_value_is_told_when_it_is_said_and_never_again() {
    let mut decoder = decoder();
    assert_eq!(hear(&mut decoder, &["18FEC1EE#E8F4E40141B11600"]).len(), 1);
    for second in 1..600 {
        decoder.tick(at(second * 1_000_000), &mut |decoded| panic!("{decoded:?}"));
    }
}

const MARINE_CLAIM: &str = "18EEFF03#0000000000FF00C0";
const DISTANCE: &str = "18FEC1EE#E8F4E40141B11600";

#[test]
fn a_boat_is_not_a_truck_until_its_bus_breaks() {
    let foreign = Decoded::Rejected { code: RejectCode::ForeignNetwork };
    for boat in [
        &[MARINE_CLAIM][..],
        &["09F50B03#FFFFFFFFFFFFFFFF", "09F20005#FFFFFFFFFFFFFFFF", "0DF20105#401AFFFFFFFFFFFF"],
    ] {
        let mut decoder = decoder();
        assert_eq!(hear(&mut decoder, boat), [foreign]);
        assert_eq!(hear(&mut decoder, &[DISTANCE, "18FEE500#20110000FFFFFFFF", "18FF1003#00"]), [foreign; 2]);
        assert!(hear(&mut decoder, &LONG_VI).iter().all(|decoded| *decoded == foreign));
        decoder.reset();
        assert_eq!(hear(&mut decoder, &[DISTANCE]).len(), 1);
        assert_ne!(hear(&mut decoder, &["18FEE500#20110000FFFFFFFF"]), [foreign]);
    }
}

#[test]
fn a_truck_with_groups_of_data_page_1_and_a_boats_receiver_on_a_tractor_are_no_boats() {
    let mut truck = decoder();
    let page_1 = ["19E2400B#FFFFFFFFFFFFFFFF", "19FEC117#E8F4E40141B11600", "19F80103#0E236A931EDE8134"];
    assert_eq!(hear(&mut truck, &page_1), [], "nor is any of them a group of data page 0");
    assert_eq!(hear(&mut truck, &[DISTANCE]).len(), 1);
    let mut tractor = decoder();
    hear(&mut tractor, &["18EEFF80#0000000000810020", MARINE_CLAIM]);
    assert_eq!(values(&hear(&mut tractor, &[DISTANCE])).len(), 1);
    assert_eq!(tractor.claims().iter().count(), 2);
    tractor.reset();
    assert_eq!(tractor.claims().iter().count(), 0);
}
