//! What is asked when, over scripted buses. The invariants over random ones are in
//! `tests/random.rs`.

use super::*;
use crate::dids::{Dids, Rule};
use std::sync::LazyLock;
use vernport_types::{BootMicros, CanFrame, Catalogue, SignalId};

mod random;

const CATALOGUE: &str = include_str!("../../../../config/signals/vehicle.toml");
const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

const ODOMETER: &str = "Vehicle.TraveledDistance";
const SPEED: &str = "Vehicle.Speed";
const FUEL: &str = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
const CODES: &str = "Vehicle.Diagnostics.DTCList";
const HOURS: &str = "Vehicle.Powertrain.CombustionEngine.EngineHours";

fn catalogue() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::from_toml([("vehicle.toml", CATALOGUE)]).expect("the shipped catalogue"));
    &SHIPPED
}

fn signal(path: &str) -> SignalId {
    catalogue().find(path).expect("a signal of the catalogue")
}

fn frame(text: &str) -> CanFrame {
    crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
}

fn text(frame: &CanFrame) -> String {
    let id = match frame.id() {
        vernport_types::CanId::Standard(id) => format!("{id:03X}"),
        vernport_types::CanId::Extended(id) => format!("{id:08X}"),
    };
    format!("{id}#{}", hex::encode_upper(frame.data()))
}

fn wanted(paths: &[&str], identify: bool) -> Wanted {
    Wanted { signals: paths.iter().map(|path| (signal(path), 0)).collect(), identify }
}

/// A bus with an asker on it, and a car that answers what it was told to.
struct Bus {
    asker: Asker,
    now: u64,
    /// What the car says by itself every 100 ms; none while it sleeps.
    talk: Option<&'static str>,
    /// Request and answers.
    answers: Vec<(&'static str, Vec<&'static str>)>,
    sent: Vec<(u64, String)>,
}

impl Bus {
    fn new(wanted: &Wanted) -> Self {
        let mut asker = Asker::new(catalogue(), &Dids::default(), Config::default());
        asker.want(wanted);
        Self { asker, now: SECOND, talk: Some("3D0#0011223344556677"), answers: Vec::new(), sent: Vec::new() }
    }

    /// A car of 2010 and later: PIDs 0D, 2F, 42 and A6.
    fn car(wanted: &Wanted) -> Self {
        let mut bus = Self::new(wanted);
        bus.answers = vec![
            ("7DF#020100CCCCCCCCCC", vec!["7E8#0641000008000100"]),
            ("7DF#020120CCCCCCCCCC", vec!["7E8#0641200002000100"]),
            ("7DF#020140CCCCCCCCCC", vec!["7E8#0641404000000100"]),
            ("7DF#020160CCCCCCCCCC", vec!["7E8#0641600000000100"]),
            ("7DF#020180CCCCCCCCCC", vec!["7E8#0641800000000100"]),
            ("7DF#0201A0CCCCCCCCCC", vec!["7E8#0641A00400000000"]),
            ("7DF#0201A6CCCCCCCCCC", vec!["7E8#0641A6001E848000"]),
            ("7DF#02010DCCCCCCCCCC", vec!["7E8#03410D5000000000"]),
        ];
        for masks in &mut bus.answers[..5] {
            // The last bit: the next range has some too.
            masks.1[0] = match masks.0 {
                "7DF#020100CCCCCCCCCC" => "7E8#0641000008000155",
                "7DF#020120CCCCCCCCCC" => "7E8#0641200002000155",
                "7DF#020140CCCCCCCCCC" => "7E8#0641404000000155",
                "7DF#020160CCCCCCCCCC" => "7E8#0641600000000155",
                _ => "7E8#0641800000000155",
            };
        }
        bus
    }

    fn hear(&mut self, text: &str) {
        self.asker.heard(&frame(text), BootMicros(self.now));
        self.send();
    }

    fn send(&mut self) {
        while let Some(due) = self.asker.due(BootMicros(self.now)) {
            let request = text(&due);
            self.sent.push((self.now, request.clone()));
            let answers = self.answers.iter().find(|(asked, _)| *asked == request);
            for answer in answers.map(|(_, answers)| answers.clone()).unwrap_or_default() {
                self.now += MS;
                self.asker.heard(&frame(answer), BootMicros(self.now));
            }
        }
        let next = self.asker.next_due(BootMicros(self.now));
        assert!(next.is_none_or(|next| next.0 > self.now), "whoever waits for it would spin");
    }

    fn run(&mut self, micros: u64) -> &mut Self {
        let until = self.now + micros;
        while self.now < until {
            self.now += 10 * MS;
            if let Some(talk) = self.talk.filter(|_| (self.now / (10 * MS)).is_multiple_of(10)) {
                self.asker.heard(&frame(talk), BootMicros(self.now));
            }
            self.send();
        }
        self
    }

    fn requests(&self) -> Vec<&str> {
        self.sent.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn count(&self, text: &str) -> usize {
        self.sent.iter().filter(|(_, sent)| sent == text).count()
    }

    fn standing(&self) -> Standing {
        self.asker.standing(BootMicros(self.now))
    }
}

#[test]
fn requests_are_the_bytes_of_the_standards() {
    let pids = Pids::new(&[0xA6, 0x2F]).expect("two PIDs");
    let (all_11, all_29) = (To::All(Addressing::Standard), To::All(Addressing::Extended));
    let (one_11, one_29) = (To::One(Unit::Standard(1)), To::One(Unit::Extended(0x17)));
    for (request, to, expected) in [
        (Request::CurrentData(pids), all_11, "7DF#0301A62FCCCCCCCC"),
        (Request::ConfirmedTroubleCodes, all_11, "7DF#0103CCCCCCCCCCCC"),
        (Request::PendingTroubleCodes, all_29, "18DB33F1#0107CCCCCCCCCCCC"),
        (Request::PermanentTroubleCodes, all_11, "7DF#010ACCCCCCCCCCCC"),
        (Request::Vin, all_11, "7DF#020902CCCCCCCCCC"),
        (Request::DataByIdentifier(0xF190), one_11, "7E1#0322F190CCCCCCCC"),
        (Request::TroubleCodesByStatus, one_29, "18DA17F1#0319020FCCCCCCCC"),
        (Request::J1939(Group::VehicleIdentification), all_11, "18EAFFF9#ECFE00"),
        (Request::J1939(Group::PreviousTroubleCodes), all_11, "18EAFFF9#CBFE00"),
    ] {
        assert_eq!(text(&request.frame(to)), expected);
    }
    assert_eq!(text(&flow_control(Unit::Standard(0))), "7E0#300000CCCCCCCCCC");
    assert_eq!(text(&flow_control(Unit::Extended(0x10))), "18DA10F1#300000CCCCCCCCCC");
    assert_eq!((Pids::new(&[]), Pids::new(&[1; 7])), (None, None));
}

#[test]
fn a_silent_bus_is_not_woken_and_a_talking_one_is_listened_to_first() {
    let mut bus = Bus::car(&wanted(&[ODOMETER], true));
    bus.talk = None;
    assert_eq!(bus.run(60 * SECOND).requests(), [""; 0]);
    assert_eq!(bus.standing(), Standing::Asleep);
    bus.talk = Some("3D0#00");
    bus.run(LISTEN_MICROS - 100 * MS);
    assert_eq!((bus.requests(), bus.standing()), (vec![], Standing::Listening));
    bus.run(300 * MS);
    assert_eq!(bus.requests(), ["7DF#020100CCCCCCCCCC"]);
}

#[test]
fn only_what_is_supported_is_asked_and_only_what_is_wanted() {
    let mut bus = Bus::car(&wanted(&[ODOMETER], false));
    bus.run(30 * SECOND);
    assert_eq!(bus.count("7DF#0201A6CCCCCCCCCC"), 3, "every ten seconds");
    assert_eq!(bus.sent.len(), 6 + 3, "{:?}", bus.sent);
    // A car that says it has no A6.
    let mut bus = Bus::car(&wanted(&[ODOMETER, SPEED], false));
    bus.answers[4].1 = vec!["7E8#0641800000000055"];
    bus.run(10 * SECOND);
    assert_eq!((bus.count("7DF#0201A0CCCCCCCCCC"), bus.count("7DF#0201A6CCCCCCCCCC")), (0, 0));
    assert!(bus.count("7DF#02010DCCCCCCCCCC") > 3);
}

#[test]
fn what_any_of_several_units_supports_is_asked() {
    let mut bus = Bus::car(&wanted(&[ODOMETER, SPEED], false));
    bus.answers[0].1 = vec!["7EA#0641000008000055", "7E8#0641000000000155"];
    bus.run(10 * SECOND);
    assert!(bus.count("7DF#0201A6CCCCCCCCCC") > 0 && bus.count("7DF#02010DCCCCCCCCCC") > 0);
}

#[test]
fn what_is_of_use_once_an_hour_is_not_asked_each_ten_seconds() {
    let mut wanted = wanted(&[ODOMETER], false);
    wanted.signals[0].1 = 3600 * SECOND;
    let mut bus = Bus::car(&wanted);
    assert_eq!(bus.run(600 * SECOND).count("7DF#0201A6CCCCCCCCCC"), 1);
}

#[test]
fn while_nobody_may_be_identified_no_vin_is_asked_and_without_an_open_flow_nothing() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    bus.run(10 * SECOND);
    assert_eq!(bus.count("7DF#020902CCCCCCCCCC"), 0);
    bus.asker.want(&wanted(&[], true));
    bus.run(5 * SECOND);
    assert!(bus.count("7DF#020902CCCCCCCCCC") > 0);
    bus.asker.want(&Wanted::default());
    let before = bus.sent.len();
    bus.run(60 * SECOND);
    assert_eq!((bus.sent.len(), bus.standing()), (before, Standing::Idle));
}

#[test]
fn six_pids_share_a_request_until_a_unit_refuses_that() {
    let mut bus = Bus::car(&wanted(&[ODOMETER, FUEL, SPEED], false));
    bus.answers.push(("7DF#03012F0DCCCCCCCC", vec!["7E8#037F011255555555"]));
    bus.answers.push(("7DF#02012FCCCCCCCCCC", vec!["7E8#03412F5000000000"]));
    bus.run(20 * SECOND);
    let packed: Vec<_> = bus.sent.iter().filter(|(_, text)| text.starts_with("7DF#03")).collect();
    assert_eq!(packed.len(), 1, "{:?}", bus.sent);
    for pid in ["A6", "0D", "2F"] {
        assert!(bus.count(&format!("7DF#0201{pid}CCCCCCCCCC")) > 0, "{pid}");
    }
}

#[test]
fn a_long_answer_to_us_gets_its_flow_control_and_no_other_does() {
    let mut bus = Bus::car(&wanted(&[], true));
    bus.answers.push(("7DF#020902CCCCCCCCCC", vec!["7E8#1014490201544D42"]));
    bus.run(LISTEN_MICROS + 2 * SECOND);
    assert_eq!(bus.count("7E0#300000CCCCCCCCCC"), bus.count("7DF#020902CCCCCCCCCC"));
    let sent = bus.sent.len();
    for other in ["7E8#100A41A6001E8480", "18DAFBEE#101462F1904C4330"] {
        bus.hear(other);
    }
    assert_eq!(bus.sent.len(), sent, "of another request, and to another tester");
}

#[test]
fn an_answer_that_nobody_here_asked_for_shows_another_tester() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    bus.hear("7E8#1014490201544D42");
    assert_eq!(bus.run(20 * SECOND).requests(), [""; 0]);
    assert_eq!(bus.standing(), Standing::OtherTester { since: BootMicros(SECOND) });
}

#[test]
fn beside_another_tester_nothing_is_sent_from_the_next_frame_on_for_a_minute() {
    for other in [
        "7DF#0209020000000000",
        "7E0#0201045555555555",
        "7E3#300000",
        "18DAEEFB#0322F190",
        "18DB33F1#0103",
        "18EAFFFA#ECFE00",
        "18EAFFF9#ECFE00",
        "18EEFFF9#0000000000000000",
        "18DAFBEE#0462F1904C",
    ] {
        let mut bus = Bus::car(&wanted(&[SPEED], false));
        bus.run(6 * SECOND);
        let sent = bus.sent.len();
        assert!(sent > 0);
        bus.now += 300 * MS;
        bus.hear(other);
        bus.run(QUIET_MICROS - 100 * MS);
        assert_eq!(bus.sent.len(), sent, "{other}");
        assert!(matches!(bus.standing(), Standing::OtherTester { .. }));
        bus.run(2 * SECOND);
        assert!(bus.sent.len() > sent, "{other}");
    }
}

#[test]
fn a_long_answer_is_not_helped_along_once_another_tester_is_there() {
    let mut bus = Bus::car(&wanted(&[], true));
    while bus.count("7DF#020902CCCCCCCCCC") == 0 {
        bus.run(10 * MS);
    }
    bus.hear("7E0#0201045555555555");
    bus.hear("7E8#1014490201544D42");
    assert_eq!(bus.count("7E0#300000CCCCCCCCCC"), 0);
}

#[test]
fn after_a_session_that_may_change_the_vehicle_it_keeps_silent_until_the_visit_ends() {
    for other in [
        "7E0#021002CCCCCCCCCC",
        "7E8#065002003201F4",
        "7E1#022701CCCCCCCCCC",
        "7DF#0104",
        "18DA00FA#100A2EF190010203",
        "18D900FA#0000",
    ] {
        let mut bus = Bus::car(&wanted(&[SPEED], false));
        bus.hear(other);
        assert_eq!(bus.run(3600 * SECOND).requests(), [""; 0], "{other}");
        bus.asker.visit_ended();
        bus.run(6 * SECOND);
        assert!(!bus.sent.is_empty(), "{other}");
    }
}

#[test]
fn an_adapter_that_echoes_is_no_tester_but_the_same_frame_twice_is() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    while bus.sent.is_empty() {
        bus.run(10 * MS);
    }
    let (_, ours) = bus.sent[0].clone();
    bus.hear(&ours);
    assert!(!matches!(bus.standing(), Standing::OtherTester { .. }));
    bus.hear(&ours);
    assert!(matches!(bus.standing(), Standing::OtherTester { .. }));
}

#[test]
fn response_pending_is_waited_for_but_not_for_ever() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    bus.answers.clear();
    bus.answers.push(("7DF#020100CCCCCCCCCC", vec!["7E8#037F017855555555"]));
    bus.run(LISTEN_MICROS + SECOND);
    assert_eq!(bus.sent.len(), 1, "it waits");
    for _ in 0..10 {
        bus.run(4 * SECOND).hear("7E8#037F017855555555");
    }
    assert!(bus.run(5 * SECOND).sent.len() > 1, "pending ten times is no answer");
}

#[test]
fn busy_and_silence_back_off_and_unsupported_is_not_asked_again() {
    let mut bus = Bus::car(&wanted(&[CODES], false));
    bus.answers.push(("7DF#0103CCCCCCCCCCCC", vec!["7E8#037F032155555555"]));
    bus.answers.push(("7DF#0107CCCCCCCCCCCC", vec!["7E8#037F071155555555"]));
    bus.answers.push(("7DF#010ACCCCCCCCCCCC", vec!["7E8#024A000000000000"]));
    bus.answers.push(("7E0#0319020FCCCCCCCC", vec!["7E8#037F197F55555555"]));
    bus.run(120 * SECOND);
    let times: Vec<u64> =
        bus.sent.iter().filter(|(_, t)| t.starts_with("7DF#0103")).map(|(at, _)| *at).collect();
    assert!((5..=8).contains(&times.len()), "{times:?}");
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.windows(2).all(|pair| pair[1] * 2 > pair[0] * 3), "each pause is longer: {gaps:?}");
    assert_eq!((bus.count("7DF#0107CCCCCCCCCCCC"), bus.count("7E0#0319020FCCCCCCCC")), (1, 1));
    assert!(bus.count("7DF#010ACCCCCCCCCCCC") >= 3);
    assert!(bus.asker.counts().refused > 2 && bus.asker.counts().answered > 3);
}

#[test]
fn where_nobody_answers_in_11_bits_29_are_tried_and_remembered() {
    let mut bus = Bus::new(&wanted(&[SPEED], false));
    bus.answers = vec![
        ("18DB33F1#020100CCCCCCCCCC", vec!["18DAF110#0641000008000000"]),
        ("18DB33F1#02010DCCCCCCCCCC", vec!["18DAF110#03410D5000000000"]),
    ];
    bus.run(10 * SECOND);
    assert_eq!(bus.count("7DF#020100CCCCCCCCCC"), 1);
    assert!(bus.count("18DB33F1#02010DCCCCCCCCCC") > 3);
}

#[test]
fn a_vehicle_without_obd_is_asked_for_its_vin_by_uds() {
    let mut bus = Bus::new(&wanted(&[], true));
    bus.answers = vec![("7DF#0322F190CCCCCCCC", vec!["7E8#101462F1904C4330", "7E8#2134"])];
    bus.run(20 * SECOND);
    assert!(bus.count("7DF#0322F190CCCCCCCC") > 0 && bus.count("7E0#300000CCCCCCCCCC") > 0);
}

#[test]
fn when_all_units_fall_silent_asking_pauses_for_a_minute() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    bus.run(8 * SECOND);
    bus.answers.clear();
    bus.run(10 * SECOND);
    assert_eq!(bus.standing(), Standing::NoAnswer);
    let sent = bus.sent.len();
    bus.run(45 * SECOND);
    assert_eq!(bus.sent.len(), sent);
}

#[test]
fn answers_to_us_do_not_keep_a_bus_awake() {
    let mut bus = Bus::car(&wanted(&[SPEED], false));
    bus.run(8 * SECOND);
    bus.talk = None;
    bus.run(AWAKE_MICROS + 100 * MS);
    let sent = bus.sent.len();
    assert_eq!(bus.run(60 * SECOND).sent.len(), sent);
    assert_eq!(bus.standing(), Standing::Asleep);
}

#[test]
fn with_the_key_off_nothing_is_asked() {
    let mut bus = Bus::new(&wanted(&[HOURS], false));
    // VEP1: 24.7 V at the battery, 0 V behind the keyswitch.
    bus.talk = Some("18FEF700#FFFFFFFFEE010000");
    assert_eq!(bus.run(20 * SECOND).requests(), [""; 0]);
    assert_eq!(bus.standing(), Standing::KeyOff);
    bus.talk = Some("18FEF700#FFFFFFFFEE01EE01");
    assert!(!bus.run(10 * SECOND).sent.is_empty());
}

#[test]
fn of_a_truck_what_it_does_not_say_by_itself_is_asked_by_group() {
    let mut bus = Bus::new(&wanted(&[HOURS, SPEED], false));
    bus.talk = Some("18FEF100#FF0050CCFF0000F0");
    bus.answers = vec![("18EAFFF9#E5FE00", vec!["18FEE500#20110000FFFFFFFF"])];
    bus.run(100 * SECOND);
    assert_eq!(bus.requests(), ["18EAFFF9#E5FE00"; 2], "hours each minute; its speed it says itself");
}

#[test]
fn a_long_j1939_answer_to_us_alone_is_called_for_and_acknowledged() {
    let mut bus = Bus::new(&wanted(&[], true));
    bus.talk = Some("18FEF100#FF0050CCFF0000F0");
    bus.hear("1CECF900#101200030BECFE00");
    assert_eq!(bus.sent.len(), 0, "nobody asked");
    bus.answers = vec![("18EAFFF9#ECFE00", vec!["1CECF900#1012000302ECFE00"])];
    while bus.sent.len() < 2 {
        bus.run(10 * MS);
    }
    bus.answers.clear();
    for packet in ["1CEBF900#0157444239363334", "1CEBF900#023033314C373338", "1CEBF900#033030312AFFFFFF"] {
        bus.hear(packet);
    }
    assert_eq!(
        bus.requests(),
        [
            "18EAFFF9#ECFE00",
            "1CEC00F9#110201FFFFECFE00",
            "1CEC00F9#110103FFFFECFE00",
            "1CEC00F9#13120003FFECFE00"
        ]
    );
    assert_eq!(bus.asker.counts().answered, 1);
}

#[test]
fn a_j1939_session_that_stops_is_aborted_once() {
    let mut bus = Bus::new(&wanted(&[], true));
    bus.talk = Some("18FEF100#FF0050CCFF0000F0");
    bus.answers = vec![("18EAFFF9#ECFE00", vec!["1CECF900#10120003FFECFE00"])];
    bus.run(LISTEN_MICROS + SECOND);
    bus.answers.clear();
    bus.run(10 * SECOND);
    assert_eq!(bus.count("1CEC00F9#FF03FFFFFFECFE00"), 1);
}

#[test]
fn a_group_that_nobody_tells_is_given_up_in_this_visit() {
    let mut bus = Bus::new(&wanted(&[HOURS], false));
    bus.talk = Some("18FEF100#FF0050CCFF0000F0");
    assert_eq!(bus.run(600 * SECOND).sent.len(), 3);
    bus.asker.visit_ended();
    assert_eq!(bus.run(600 * SECOND).sent.len(), 6);
}

#[test]
fn configured_identifiers_are_asked_of_their_unit() {
    let rule = Rule {
        did: 0x2203,
        unit: Unit::Standard(1),
        path: ODOMETER.into(),
        first_byte: 0,
        bytes: 4,
        scale: 100.0,
        offset: 0.0,
        signed: false,
    };
    let dids = Dids::new(catalogue(), vec![rule]).expect("one");
    let mut bus = Bus::new(&wanted(&[], false));
    bus.asker = Asker::new(catalogue(), &dids, Config::default());
    bus.asker.want(&wanted(&[ODOMETER], false));
    bus.answers = vec![("7E1#03222203CCCCCCCC", vec!["7E9#07622203001E8480"])];
    bus.run(30 * SECOND);
    assert_eq!(bus.count("7E1#03222203CCCCCCCC"), 3);
}

#[test]
fn a_unit_is_named_by_the_identifier_of_its_requests() {
    assert_eq!("7E0".parse(), Ok(Unit::Standard(0)));
    assert_eq!("7e7".parse(), Ok(Unit::Standard(7)));
    assert_eq!("18DA10F1".parse(), Ok(Unit::Extended(0x10)));
    for wrong in ["", "7DF", "7E8", "07E0", "6F1", "18DAF110", "18DA10F2", "+7E", "18DB33F1", "FFFFFFFF0"] {
        assert_eq!(wrong.parse::<Unit>(), Err(UnitError), "{wrong}");
    }
}
