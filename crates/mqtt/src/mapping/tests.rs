//! Mappings that cannot work are refused with their line and what to mend; bounds hold for those that can.

use super::*;
use crate::{ResultCode, VehicleRef, tool_message::MAX_PAYLOAD_BYTES};
use proptest::prelude::*;
use vernport_types::{Identifier, Plate, Value};

const CATALOGUE: &str = include_str!("../../../../config/signals/vehicle.toml");
/// 2026-11-20T09:00:00Z.
const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);

const HEAD: &str = "format = 1\nid = \"payload\"\ntime = \"arrival\"\n";

fn catalogue() -> Catalogue {
    Catalogue::from_toml([("vehicle.toml", CATALOGUE)]).expect("the shipped catalogue")
}

fn key() -> IdentityKey {
    IdentityKey::from_bytes([7; 32])
}

fn load(text: &str) -> Result<Mapping, MappingError> {
    Mapping::from_toml("x.toml", text, &catalogue())
}

/// A mapping of one group with these lines in it.
fn with(lines: &str) -> Mapping {
    load(&format!("{HEAD}[[readings]]\n{lines}")).expect("a mapping")
}

fn read(mapping: &Mapping, payload: &str) -> Result<Said, ResultCode> {
    mapping.read(payload.as_bytes(), NOW, None, &key()).map_err(|refused| refused.code)
}

#[test]
fn what_cannot_work_is_refused_with_its_line_and_what_to_mend() {
    let odometer = r#"path = "Vehicle.TraveledDistance""#;
    let code = r#"path = "Vehicle.Diagnostics.DTCList""#;
    let place = r#"path = "Vehicle.CurrentLocation""#;
    let named = "name = \"n\"\nvalue = \"v\"";
    for (lines, line, told) in [
        ("", 4, "no signal"),
        (&format!("signal = [{{ at = \"a\", unit = \"furlong\", {odometer} }}]"), 5, "it takes m, km, mi"),
        (&format!("signal = [{{ at = \"a\", {odometer} }}]"), 5, "the sender's unit"),
        ("signal = [{ at = \"a\", path = \"Vehicle.Nowhere\" }]", 5, "no Vehicle.Nowhere"),
        (&format!("signal = [{{ at = \"a.\", unit = \"m\", {odometer} }}]"), 5, "is no path"),
        (&format!("signal = [{{ at = \"a[*]\", unit = \"m\", {odometer} }}]"), 5, "belongs into `each`"),
        (&format!("signal = [{{ name = \"a\", unit = \"m\", {odometer} }}]"), 5, "add name and value"),
        (&format!("signal = [{{ unit = \"m\", {odometer} }}]"), 5, "where its value stands"),
        (
            &format!("{named}\nsignal = [{{ name = \"a\", at = \"b\", unit = \"m\", {odometer} }}]"),
            7,
            "keep one",
        ),
        (
            &format!(
                "{named}\nsignal = [\n{{ name = \"a\", unit = \"m\", {odometer} }},\n{{ name = [\"b\", \"a\"], unit = \"m\", {odometer} }}]"
            ),
            9,
            "two rules for the name 'a'; the first is in line 8",
        ),
        (
            &format!(
                "signal = [{{ at = \"a\", unit = \"m\", {odometer} }},\n{{ at = \"a\", unit = \"km\", {odometer} }}]"
            ),
            6,
            "twice",
        ),
        (&format!("signal = [{{ at = \"a\", unit = \"m\", scale = 0, {odometer} }}]"), 5, "scale is not 0"),
        (
            &format!("signal = [{{ at = \"a\", unit = \"m\", dtc = \"sae\", {odometer} }}]"),
            5,
            "for trouble codes",
        ),
        (
            &format!("signal = [{{ at = \"a\", unit = \"m\", latitude = \"b\", {odometer} }}]"),
            5,
            "for a position",
        ),
        (
            &format!("signal = [{{ at = \"a\", unit = \"m\", values = {{ x = true }}, {odometer} }}]"),
            5,
            "another kind",
        ),
        (&format!("signal = [{{ at = \"a\", {code} }}]"), 5, "how its codes are written"),
        (&format!("signal = [{{ at = \"a\", dtc = \"sae\", {code} }}]"), 5, "state = "),
        (&format!("signal = [{{ at = \"a\", dtc = \"sae\", state = \"x\", {code} }}]"), 5, "'x' is no state"),
        (&format!("signal = [{{ dtc = \"j1939\", state = \"stored\", {code} }}]"), 5, "spn and fmi"),
        (&format!("signal = [{{ latitude = \"a\", {place} }}]"), 5, "a position is"),
        (&format!("signal = [{{ both = \"a\", {place} }}]"), 5, "a position is"),
        (&format!("{named}\nsignal = [{{ latitude_name = \"a\", {place} }}]"), 7, "belong together"),
        (
            &format!("name = \"n\"\nsignal = [{{ name = \"a\", unit = \"m\", {odometer} }}]"),
            4,
            "name needs value",
        ),
        (
            &format!("unlisted = \"refuse\"\nsignal = [{{ at = \"a\", unit = \"m\", {odometer} }}]"),
            4,
            "unlisted",
        ),
        (
            &format!("when = [{{ at = \"a\" }}]\nsignal = [{{ at = \"a\", unit = \"m\", {odometer} }}]"),
            4,
            "condition",
        ),
        (
            &format!("time = \"later\"\nsignal = [{{ at = \"a\", unit = \"m\", {odometer} }}]"),
            4,
            "\"arrival\"",
        ),
    ] {
        let error = load(&format!("{HEAD}[[readings]]\n{lines}")).expect_err(lines);
        let MappingError::Rule { line: found, what, .. } = &error else { panic!("{lines}: {error}") };
        assert_eq!(*found, line, "{lines}: {error}");
        assert!(what.contains(told), "{lines}: {error}");
    }
}

#[test]
fn a_head_that_cannot_work_is_refused_with_its_line() {
    let body = "[[readings]]\nsignal = [{ at = \"a\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]\n";
    for (head, told) in [
        ("format = 2\nid = \"payload\"\n", "reads format 1"),
        ("format = 1\n", "missing field `id`"),
        ("format = 1\nid = \"payload\"\n", "nobody says when"),
        ("format = 1\nid = \"x\"\ntime = \"arrival\"\n", "line 2: id: write"),
        (
            "format = 1\nid = \"payload\"\ntime = { at = \"t\", unit = \"h\" }\n",
            "line 3: time: 'h' is no unit",
        ),
        ("format = 1\nid = \"payload\"\ntime = { at = \"t\", zone = \"Oslo\" }\n", "no time zone 'Oslo'"),
        ("format = 1\nid = \"payload\"\ntime = { at = \"t\", pattern = \"%Q%\" }\n", "is no pattern"),
        (
            "format = 1\nid = \"payload\"\ntime = { at = \"t\", unit = \"s\", zone = \"UTC\" }\n",
            "take zone out",
        ),
        ("format = 1\nid = \"payload\"\ntime = { unti = \"s\" }\n", "expected \"arrival\" or"),
        ("format = 1\nid = \"payload\"\ntime = \"arrival\"\nvehicle = { plate = \"p\" }\n", "needs country"),
        ("format = 1\nid = \"payload\"\ntime = \"arrival\"\nvehicle = \"mine\"\n", "\"mine\" is none"),
        ("format = 1\nid = \"payload\"\ntime = \"arrival\"\nmax_readings = 0\n", "choose 1 to 4096"),
        ("format = 1\nid = \"payload\"\ntime = \"arrival\"\ninput = \"xml\"\n", "unknown variant `xml`"),
        ("format = 1\nid = \"payload\"\ntime = \"arrival\"\nunit = 1\n", "unknown field `unit`"),
        (
            "format = 1\nid = \"payload\"\ntime = \"arrival\"\nunits = { Kilometer = \"kilometre\" }\n",
            "line 4: 'kilometre' is no unit",
        ),
    ] {
        let error = load(&format!("{head}{body}")).expect_err(head).to_string();
        assert!(error.starts_with("x.toml") && error.contains(told), "{head}: {error}");
    }
    assert!(load(HEAD).expect_err("empty").to_string().contains("no [[readings]]"));
    let long = format!("{HEAD}{body}#{}", "x".repeat(Mapping::MAX_FILE_BYTES));
    assert!(load(&long).is_err());
}

#[test]
fn an_unlisted_name_is_passed_over_or_refuses_the_message() {
    let lines = |more: &str| {
        format!(
            "each = \"[*]\"\nname = \"n\"\nvalue = \"v\"\n{more}\nsignal = [{{ name = \"odo\", unit = \"km\", path = \"Vehicle.TraveledDistance\" }}]"
        )
    };
    let payload = r#"[{"n":"odo","v":1},{"n":"rpm","v":800},{"v":3},{"n":"odo","v":null},{"n":"odo"}]"#;
    let read_with = |more: &str, payload: &str| read(&with(&lines(more)), payload);
    let mapped = read_with("", payload).expect("listed ones are taken");
    assert_eq!(mapped.messages[0].readings.len(), 1);
    assert_eq!(mapped.passed_over, PassedOver { unlisted: 2, unavailable: 1, ..PassedOver::default() });
    assert_eq!(read_with("unlisted = \"refuse\"", payload).map(|_| ()), Err(ResultCode::UnknownSignal));
    let bad = r#"[{"n":"odo","v":1},{"n":"odo","v":"far"},{"n":"odo","v":-2}]"#;
    assert_eq!(read_with("", bad).map(|_| ()), Err(ResultCode::Value));
    let skipped = read_with("bad_values = \"skip\"", bad).expect("the good one is taken");
    assert_eq!((skipped.messages[0].readings.len(), skipped.passed_over.bad), (1, 2));
    assert_eq!(read_with("", "[]").map(|mapped| mapped.messages[0].readings.clone()), Ok(vec![]));
    assert_eq!(read_with("", "[").map(|_| ()), Err(ResultCode::Malformed));
}

#[test]
fn the_id_is_the_senders_or_made_of_the_bytes() {
    let body =
        "[[readings]]\nsignal = [{ at = \"odo\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]\n";
    let mapping = |id: &str, time: &str| load(&format!("format = 1\nid = {id}\ntime = {time}\n{body}"));
    let id = |mapping: &Mapping, payload: &str, now: UtcMicros| {
        let mapped = mapping.read(payload.as_bytes(), now, None, &key());
        mapped.map(|m| m.messages[0].id.as_str().to_owned()).map_err(|refused| refused.code)
    };
    let said = mapping("{ at = [\"dev\", \"seq\"] }", "\"arrival\"").expect("a mapping");
    assert_eq!(id(&said, r#"{"dev":"a1","seq":7,"odo":1}"#, NOW), Ok("a1:7".to_owned()));
    let hashed = id(&said, r#"{"dev":"a 1/æ","seq":7,"odo":1}"#, NOW).expect("hashed");
    assert!(hashed.len() == 32 && !hashed.contains('æ'), "{hashed}");
    assert_eq!(id(&said, r#"{"dev":"a1","odo":1}"#, NOW), Err(ResultCode::Malformed));

    let timed = mapping("\"payload\"", "{ at = \"t\", unit = \"s\" }").expect("a mapping");
    let one = r#"{"t":1795165200,"odo":1}"#;
    let first = id(&timed, one, NOW).expect("taken");
    assert_eq!(id(&timed, one, NOW.plus_seconds(9)).as_ref(), Ok(&first));
    assert_ne!(id(&timed, r#"{"t":1795165200,"odo":2}"#, NOW).as_ref(), Ok(&first));
    let other = timed.read(one.as_bytes(), NOW, None, &IdentityKey::generate()).expect("taken");
    assert_ne!(other.messages[0].id.as_str(), first);
    // The same odometer an hour later is another reading, where only the arrival tells them apart.
    let untimed = mapping("\"payload\"", "\"arrival\"").expect("a mapping");
    let at = |seconds| id(&untimed, r#"{"odo":1}"#, NOW.plus_seconds(seconds)).expect("taken");
    assert!(at(0) == at(0) && at(0) != at(3600));
}

#[test]
fn a_message_of_two_vehicles_is_nobodys() {
    let lines = "[[readings]]\neach = \"[*]\"\nsignal = [{ at = \"odo\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]\n";
    let ways = "[{ vin = \"[*].vin\" }, { plate = \"[*].plate\", country = \"NO\" }, \"visit\"]";
    let vehicle = |ways: &str, payload: &str| {
        let mapping = load(&format!("{HEAD}vehicle = {ways}\n{lines}")).expect("a mapping");
        read(&mapping, payload).map(|mapped| mapped.messages[0].vehicle.clone())
    };
    let vin = "WDB9634031L738001".parse().expect("a VIN");
    let plate = Plate::new("NO", "AB12345").expect("a plate");
    let one = r#"[{"vin":"WDB9634031L738001","odo":1},{"vin":"WDB9634031L738001","odo":2}]"#;
    assert_eq!(vehicle(ways, one), Ok(VehicleRef::Identifier(Identifier::Vin(vin))));
    let plated = r#"[{"vin":null,"plate":"AB 12345","odo":1}]"#;
    assert_eq!(vehicle(ways, plated), Ok(VehicleRef::Identifier(Identifier::Plate(plate))));
    assert_eq!(vehicle(ways, r#"[{"odo":1}]"#), Ok(VehicleRef::Visit));
    for nobody in [
        r#"[{"vin":"WDB9634031L738001","odo":1},{"vin":"WDB9634031L738002","odo":2}]"#,
        r#"[{"vin":"WDB9634031L738001","odo":1},{"odo":2}]"#,
        r#"[{"vin":"short","odo":1}]"#,
        r#"[{"vin":{"x":1},"odo":1}]"#,
    ] {
        assert_eq!(vehicle(ways, nobody), Err(ResultCode::Vehicle), "{nobody}");
    }
    assert_eq!(vehicle("{ vin = \"[*].vin\" }", r#"[{"odo":1}]"#), Err(ResultCode::Vehicle));
}

#[test]
fn what_a_message_must_have_is_required() {
    let text = format!(
        "{HEAD}require = [{{ at = \"type\", is = [\"status\", 2] }}, {{ at = \"error\", present = false }}]\n[[readings]]\nwhen = [{{ at = \"fix\", is_not = 0 }}]\nsignal = [{{ at = \"odo\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }}]"
    );
    let mapping = load(&text).expect("a mapping");
    let count = |payload: &str| read(&mapping, payload).map(|mapped| mapped.messages[0].readings.len());
    assert_eq!(count(r#"{"type":"status","fix":3,"odo":1}"#), Ok(1));
    assert_eq!(count(r#"{"type":2,"odo":1,"error":null}"#), Ok(1));
    assert_eq!(count(r#"{"type":2,"fix":0,"odo":1}"#), Ok(0));
    for foreign in [r#"{"odo":1}"#, r#"{"type":"gone","odo":1}"#, r#"{"type":2,"error":"x","odo":1}"#, "[]"] {
        assert_eq!(count(foreign), Err(ResultCode::Malformed), "{foreign}");
    }
}

#[test]
fn size_readings_and_work_are_bounded() {
    let lines =
        "each = \"[*]\"\nsignal = [{ at = \".\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]";
    let mapping = with(lines);
    let list = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    assert_eq!(read(&mapping, &list(512)).map(|mapped| mapped.messages[0].readings.len()), Ok(512));
    assert_eq!(read(&mapping, &list(513)).map(|_| ()), Err(ResultCode::TooLarge));
    assert_eq!(read(&mapping, &" ".repeat(MAX_PAYLOAD_BYTES + 1)).map(|_| ()), Err(ResultCode::TooLarge));
    let mut many = String::from("each = \"[*]\"\nsignal = [");
    for n in 0..64 {
        many += &format!("{{ at = \"f{n}\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }},\n");
    }
    assert_eq!(read(&with(&(many + "]")), &list(30_000)).map(|_| ()), Err(ResultCode::TooLarge));
}

#[test]
fn a_clock_ahead_is_refused_and_one_that_is_asked_for_nothing_is_not_looked_at() {
    let body =
        "[[readings]]\nsignal = [{ at = \"odo\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]\n";
    let text = format!("format = 1\nid = \"payload\"\ntime = {{ at = \"t\", unit = \"s\" }}\n{body}");
    let mapping = load(&text).expect("a mapping");
    let count = |payload: &str| read(&mapping, payload).map(|mapped| mapped.messages[0].readings.len());
    assert_eq!(count(r#"{"t":1795165500,"odo":1}"#), Ok(1));
    assert_eq!(count(r#"{"t":1795165501,"odo":1}"#), Err(ResultCode::Time));
    assert_eq!(count(r#"{"odo":1}"#), Err(ResultCode::Time));
    assert_eq!(count(r#"{"t":"never","rpm":1}"#), Ok(0));
}

#[test]
fn a_value_of_another_kind_of_a_label_or_flag_keeps_its_words() {
    let mapping = with(
        "signal = [{ at = \"brake\", values = { \"1\" = true, \"0\" = false }, missing = [3], path = \"Vehicle.Chassis.ParkingBrake.IsEngaged\" }]",
    );
    let value =
        |payload: &str| read(&mapping, payload).map(|m| m.messages[0].readings.first().map(|r| r.value));
    assert_eq!(value(r#"{"brake":1}"#), Ok(Some(Value::Flag(true))));
    assert_eq!(value(r#"{"brake":"0"}"#), Ok(Some(Value::Flag(false))));
    assert_eq!(value(r#"{"brake":3}"#), Ok(None));
    assert_eq!(value(r#"{"brake":2}"#), Err(ResultCode::Value));
}

#[test]
fn an_error_shows_nothing_of_a_payload_and_a_mapping_nothing_of_itself() {
    let mapping = with("signal = [{ at = \"odo\", unit = \"m\", path = \"Vehicle.TraveledDistance\" }]");
    let refused = mapping.read(br#"{"odo":"WDB9634031L738001"}"#, NOW, None, &key()).expect_err("no number");
    let shown = format!("{refused} {refused:?} {mapping:?}");
    assert!(!shown.contains("WDB") && !shown.contains("odo"), "{shown}");
}

/// Every shipped mapping, by what it is called.
const SHIPPED: [(&str, &str); 4] = [
    ("openxc.toml", include_str!("../../../../config/tools/openxc.toml")),
    ("autopi.toml", include_str!("../../../../config/tools/autopi.toml")),
    ("ruptela.toml", include_str!("../../../../config/tools/ruptela.toml")),
    ("fleetwise-dtc.toml", include_str!("../../../../config/tools/fleetwise-dtc.toml")),
];

proptest! {
    #[test]
    fn foreign_payloads_never_panic_and_what_is_read_is_the_catalogues(
        mapping in 0..SHIPPED.len(),
        payload in r#"\{"(name|data|ds|DetectedDTCs|time|timestamp|id)":("r/v0/s"|[\[\{]"?(vehicle|signals|pos|[a-z0-9]{1,4})"?[:,]?[0-9\[\]\{\}":,.]{0,40}|-?[0-9]{1,20}(\.[0-9]{1,3})?)[\}\]]{0,4}"#,
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (name, text) = SHIPPED[mapping];
        let mapping = Mapping::from_toml(name, text, &catalogue()).expect(name);
        for payload in [payload.as_bytes(), &bytes] {
            let Ok(mapped) = mapping.read(payload, NOW, None, &key()) else { continue };
            for reading in &mapped.messages[0].readings {
                let (catalogue, at) = (catalogue(), reading.at);
                let entry = catalogue.signal(reading.signal);
                let number = reading.value.as_f64();
                prop_assert!(number.is_none_or(|n| entry.min.is_none_or(|min| n >= min)));
                prop_assert!(number.is_none_or(|n| entry.max.is_none_or(|max| n <= max)));
                prop_assert!(at <= NOW.plus_seconds(300));
            }
        }
    }

    #[test]
    fn a_broken_mapping_is_refused_and_never_panics(
        shipped in 0..SHIPPED.len(),
        place in any::<prop::sample::Index>(),
        len in 0_usize..40,
        with in "[a-z\\[\\]{}=\"'.,0-9\n* ^$@-]{0,20}",
    ) {
        let text = SHIPPED[shipped].1;
        let mut bytes = text.as_bytes().to_vec();
        let at = place.index(bytes.len());
        bytes.splice(at..(at + len).min(text.len()), with.bytes());
        let _ = load(&String::from_utf8_lossy(&bytes));
    }
}
