//! Payloads of several vehicles: each has a message of its own, with an id of its own, or the whole is refused.

use crate::read_closely;
use proptest::prelude::*;
use std::collections::HashSet;
use vernport_mqtt::{ResultCode, Step, VehicleRef};
use vernport_types::Identifier;

const FLEET: &str = r#"
    format = 1
    id = { at = ["$.batch", "@index"] }
    messages = "vehicles[*]"
    vehicle = { vin = "vin" }
    time = { at = "$.sent" }
    [[readings]]
    each = "values.*"
    name = "@key"
    value = "."
    signal = [
        { name = "odo", unit = "km", path = "Vehicle.TraveledDistance" },
        { name = "fuel", unit = "percent", path = "Vehicle.Powertrain.FuelSystem.RelativeLevel" },
    ]"#;
const TWO: &str = r#"{"batch":"b-7","sent":"2026-11-20T08:59:00Z","vehicles":[
    {"vin":"WDB9634031L738001","values":{"odo":158910.6,"fuel":53}},
    {"vin":"YV2RT40A8KB123456","values":{"odo":12,"rpm":800}}]}"#;

fn code(mapping: &str, payload: &str) -> Option<ResultCode> {
    read_closely(mapping, payload).err().map(|trouble| trouble.refused.code)
}

fn ids(mapping: &str, payload: &str) -> Vec<String> {
    let said = read_closely(mapping, payload).unwrap_or_else(|trouble| panic!("{trouble:?}"));
    said.messages.iter().map(|message| message.id.as_str().to_owned()).collect()
}

#[test]
fn each_vehicle_has_its_own_message_and_the_whole_one_answer() {
    let said = read_closely(FLEET, TWO).expect("taken");
    let vin = |vin: &str| VehicleRef::Identifier(Identifier::Vin(vin.parse().expect("a VIN")));
    let of: Vec<_> = said.messages.iter().map(|one| (one.vehicle.clone(), one.readings.len())).collect();
    assert_eq!(of, [(vin("WDB9634031L738001"), 2), (vin("YV2RT40A8KB123456"), 1)]);
    assert_eq!(ids(FLEET, TWO), ["b-7:0", "b-7:1"]);
    assert_eq!(said.passed_over.unlisted, 1);
    assert!(said.messages.iter().all(|one| one.id != said.id), "the whole is none of its messages");
    let nobody =
        read_closely(FLEET, r#"{"batch":"b-8","sent":"x","vehicles":[]}"#).expect("nothing is wrong");
    assert!(nobody.messages.is_empty());
}

#[test]
fn one_that_cannot_be_read_refuses_the_whole_before_anything_is_decided() {
    for (from, to, expected, row) in [
        ("YV2RT40A8KB123456", "YV2", ResultCode::Vehicle, "vehicles[1]"),
        ("\"odo\":12,", "\"odo\":\"far\",", ResultCode::Value, "vehicles[1] at values.odo"),
        ("\"vin\":\"WDB", "\"van\":\"WDB", ResultCode::Vehicle, "vehicles[0]"),
    ] {
        let trouble = read_closely(FLEET, &TWO.replace(from, to)).expect_err(to);
        assert_eq!((trouble.refused.code, trouble.row.as_deref()), (expected, Some(row)), "{to}");
        let id = trouble.refused.id.expect("it is answered under the id of the whole");
        assert!(id.as_str() != "b-7:1", "{to}");
    }
    // The same without a place for each: a message of two vehicles is nobody's.
    let one =
        FLEET.replace("messages = \"vehicles[*]\"", "").replace("vin = \"vin\"", "vin = \"vehicles[*].vin\"");
    let one = one
        .replace("[\"$.batch\", \"@index\"]", "\"batch\"")
        .replace("\"values.*\"", "\"vehicles[*].values.*\"");
    assert_eq!(code(&one, TWO), Some(ResultCode::Vehicle));
}

#[test]
fn ids_tell_the_messages_apart_or_nothing_is_taken() {
    let shared = FLEET.replace("[\"$.batch\", \"@index\"]", "\"$.batch\"");
    let trouble = read_closely(&shared, TWO).expect_err("one id for two");
    assert_eq!((trouble.refused.code, trouble.step), (ResultCode::Malformed, Step::Id));
    let hashed = FLEET.replace("{ at = [\"$.batch\", \"@index\"] }", "\"payload\"");
    let (first, again) = (ids(&hashed, TWO), ids(&hashed, TWO));
    assert!(first == again && first[0] != first[1], "{first:?}");
    // Twins at different places are two, as they would be in two payloads.
    let twins = TWO.replace("YV2RT40A8KB123456", "WDB9634031L738001");
    assert_eq!(ids(&hashed, &twins).iter().collect::<HashSet<_>>().len(), 2);
}

#[test]
fn lines_may_be_messages_of_their_own() {
    let lines = r#"
        format = 1
        input = "json-lines"
        id = { at = "n" }
        messages = "."
        vehicle = { plate = "plate", country = "NO" }
        time = "arrival"
        [[readings]]
        signal = [{ at = "odo", unit = "km", path = "Vehicle.TraveledDistance" }]"#;
    let payload = "{\"n\":1,\"plate\":\"AB12345\",\"odo\":1}\n{\"n\":2,\"plate\":\"AB12346\",\"odo\":2}";
    assert_eq!(ids(lines, payload), ["1", "2"]);
    let by_line = lines.replace("at = \"n\"", "at = \"@index\"");
    assert_eq!(ids(&by_line, payload), ["0", "1"]);
    assert_eq!(code(lines, &payload.replace("AB12346", "- -")), Some(ResultCode::Vehicle));
    assert_eq!(code(lines, "{\"n\":1"), Some(ResultCode::Malformed));
}

#[test]
fn messages_and_their_readings_are_bounded() {
    let fleet = |count: usize, values: &str| {
        let vehicle = format!(r#"{{"vin":"WDB9634031L738001","values":{{{values}}}}}"#);
        format!(
            r#"{{"batch":1,"sent":"2026-11-20T08:59:00Z","vehicles":[{}]}}"#,
            vec![vehicle; count].join(",")
        )
    };
    assert_eq!(ids(FLEET, &fleet(256, "")).len(), 256);
    assert_eq!(code(FLEET, &fleet(257, "")), Some(ResultCode::TooLarge));
    let few = format!("max_readings = 10\n{FLEET}");
    assert_eq!(code(&few, &fleet(5, r#""odo":1,"fuel":2"#)), None);
    assert_eq!(code(&few, &fleet(6, r#""odo":1,"fuel":2"#)), Some(ResultCode::TooLarge));
}

proptest! {
    /// A vehicle's message says what it says alone, whoever stands beside it.
    #[test]
    fn what_stands_beside_a_message_changes_nothing_in_it(
        odometers in prop::collection::vec(0_u32..1_000_000, 1..8),
    ) {
        let vehicle = |odo: &u32| format!(r#"{{"vin":"WDB9634031L738001","values":{{"odo":{odo},"x":1}}}}"#);
        let whole = |vehicles: &[String]| {
            let list = vehicles.join(",");
            let text = format!(r#"{{"batch":1,"sent":"2026-11-20T08:59:00Z","vehicles":[{list}]}}"#);
            read_closely(FLEET, &text).expect("taken")
        };
        let vehicles: Vec<_> = odometers.iter().map(vehicle).collect();
        let together = whole(&vehicles);
        prop_assert_eq!(together.messages.len(), vehicles.len());
        prop_assert_eq!(together.passed_over.unlisted as usize, vehicles.len());
        for (message, vehicle) in together.messages.iter().zip(vehicles) {
            let alone = whole(&[vehicle]);
            prop_assert_eq!(&message.readings, &alone.messages[0].readings);
            prop_assert_eq!(&message.vehicle, &alone.messages[0].vehicle);
        }
    }
}
