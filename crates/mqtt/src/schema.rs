//! The published JSON Schemas, and the proof that they say what the parsers do.

/// JSON Schema (2020-12) of what a tool sends.
pub const TOOL_READING: &str = include_str!("../schema/tool-reading-v1.json");
/// JSON Schema (2020-12) of what a tool is answered.
pub const TOOL_RESULT: &str = include_str!("../schema/tool-result-v1.json");
/// JSON Schema (2020-12) of what a fleet operator receives.
pub const FLEET_MESSAGE: &str = include_str!("../schema/fleet-message-v1.json");

/// JSON Schema (2020-12) of what a fleet operator is told to delete.
pub const DELETION_NOTICE: &str = include_str!("../schema/deletion-notice-v1.json");
/// JSON Schema (2020-12) of its answer.
pub const DELETION_CONFIRMED: &str = include_str!("../schema/deletion-confirmed-v1.json");
/// JSON Schema (2020-12) of a fleet operator's own numbers of its vehicles.
pub const ROSTER: &str = include_str!("../schema/roster-v1.json");

#[cfg(test)]
mod drawn;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DeletionConfirmed, DeletionNotice, FleetMessage, ResultCode, ToolResult, shape,
        tool_message::MessageKey,
    };
    use jsonschema::Validator;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::LazyLock;
    use vernport_types::Reason;

    static TOOL: LazyLock<Validator> = LazyLock::new(|| compile(TOOL_READING));
    static FLEET: LazyLock<Validator> = LazyLock::new(|| compile(FLEET_MESSAGE));
    static NOTICE: LazyLock<Validator> = LazyLock::new(|| compile(DELETION_NOTICE));
    static CONFIRMED: LazyLock<Validator> = LazyLock::new(|| compile(DELETION_CONFIRMED));
    static LISTED: LazyLock<Validator> = LazyLock::new(|| compile(ROSTER));

    fn compile(schema: &str) -> Validator {
        let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a schema")
    }

    fn tool_parser_takes(document: &Value) -> bool {
        let bytes = serde_json::to_vec(document).expect("encodes");
        shape::Message::from_json(&bytes).is_some_and(|m| shape::is_key(&m.id) && m.check(false).is_ok())
    }

    fn fleet_parser_takes(document: &Value) -> bool {
        FleetMessage::from_json(&serde_json::to_vec(document).expect("encodes")).is_ok()
    }

    fn readings() -> Vec<Value> {
        let with =
            |value: Value| json!({"path": "Vehicle.A_1", "value": value, "time": "2026-11-20T09:00:00Z"});
        let mut all: Vec<_> = values().into_iter().map(with).collect();
        all.push(
            json!({"path": "Vehicle.B", "value": 1.5, "unit": "km", "time": "2026-11-20T09:00:00.123+01:00"}),
        );
        all
    }

    fn tool_messages() -> Vec<Value> {
        let vehicles = [
            json!({"vin": "WDB9634031L738001"}),
            json!({"plate": {"country": "NO", "number": "ÆØ 123-45"}}),
            json!({"order": "0123456789abcdef0123456789abcdef"}),
        ];
        let mut all: Vec<_> = vehicles
            .iter()
            .map(|v| json!({"id": "a.b_c:d-1", "vehicle": v, "readings": readings()}))
            .collect();
        all.push(json!({"id": "1", "readings": [readings()[0]]}));
        all
    }

    fn values() -> Vec<Value> {
        vec![
            json!(null),
            json!(true),
            json!(-3),
            json!(81.6),
            json!("A 963"),
            json!({"latitude": 59.9, "longitude": -10.7}),
            json!({"dtc": "P0420", "state": "stored"}),
            json!({"spn": 629, "fmi": 12, "state": "present"}),
            json!({"spn": 524_287, "fmi": 31, "occurrence": 126, "state": "pending"}),
        ]
    }

    fn fleet_messages() -> Vec<Value> {
        let id = "0123456789abcdef0123456789abcdef";
        let mut all: Vec<_> = values()
            .into_iter()
            .chain([
                json!({"h3": "861f1d48fffffff", "resolution": 6}),
                json!({"at_least": -5, "less_than": 1000}),
                json!({"present": true}),
                json!({"uds": "01ABCD", "status": 47, "state": "stored"}),
            ])
            .map(|value| {
                json!({
                    "v": 1, "id": id, "seq": 12, "vehicle": id, "path": "Vehicle.A", "value": value, "unit": "m",
                    "time": "2026-11-20T08:30:00Z", "time_quality": "synced", "source": "j1939:65217:sa=00",
                    "minimised": "round-1000", "purpose": "service", "flow": "a-1", "bundle": "westrum",
                    "late": false, "delete_by": "2026-12-20T00:00:00Z",
                })
            })
            .collect();
        all.push(json!({
            "v": 1, "id": id, "seq": 13, "vehicle": id, "purpose": "service", "flow": "a-1", "bundle": "westrum",
            "late": true, "delete_by": "2026-12-20T00:00:00Z", "envelope": "VlBFMQ==",
        }));
        all.push(json!({"v": 1, "id": id, "seq": 17, "vehicle": id, "purpose": "service", "skipped": 4}));
        all
    }

    /// What a mutation puts somewhere: near misses of every field. No whole
    /// number is written with a fraction of zero, where the fleet parser is
    /// stricter than JSON Schema, and no date that only the calendar refuses.
    static POOL: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let mut pool: Vec<Value> = [
            "",
            "a",
            "A",
            "-",
            "a b",
            "a.b",
            "stored",
            "gone",
            "present",
            "synced",
            "NO",
            "no",
            "N1",
            "NOR",
            "P0420",
            "P4420",
            "p0420",
            "P042G",
            "WDB9634031L738001",
            "WDB9634031L73800O",
            "AB 12345",
            "ABCDEFGHIJKLM",
            "ß",
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdef",
            "2026-11-20T09:00:00",
            "2026-11-20T09:00:00Z",
            "2026-11-20 09:00:00Z",
            "2026-11-20T09:00:00.Z",
            "2026-11-20T09:00:00.1234567890Z",
            "2026-11-20T09:00:00+0100",
            "2026-11-20T09:00:00-02:30",
            "2026-11-20T09:00:00z",
            "x\n",
            "exact",
            "round-0",
            "round-10",
            "round-1000000001",
            "cell-15",
            "cell-16",
            "presence",
            "tool",
            "obd:01:A6:7E8",
            "obd:01:A6:07E8",
            "dbc:07",
            "VlBFMQ",
            "VlBF",
            "====",
            "01ABCD",
            "01abcd",
        ]
        .into_iter()
        .map(Value::from)
        .collect();
        for length in [32, 33, 40, 41, 64, 65, 128, 129] {
            pool.push("a".repeat(length).into());
        }
        for n in [-1, 0, 1, 2, 15, 16, 31, 32, 90, 91, 126, 127, 180, 181, 255, 256, 524_287, 524_288] {
            pool.push(n.into());
        }
        pool.extend([json!(0.5), json!(-90.5), json!(1e300), json!(u64::MAX), json!(i64::MIN)]);
        pool.extend([
            json!(null),
            json!(true),
            json!(false),
            json!([]),
            json!({}),
            json!([1]),
            json!(["a", 1]),
        ]);
        pool.extend([
            json!({"present": null}),
            json!({"vin": "WDB9634031L738001"}),
            json!(["NO", "AB12345"]),
        ]);
        pool.extend(values());
        pool.push(Value::Array(vec![readings()[0].clone(); 64]));
        pool.push(Value::Array(vec![readings()[0].clone(); 65]));
        pool
    });

    const NAMES: &[&str] = &["id", "unit", "vehicle", "vin", "occurrence", "state", "late", "skipped", "x"];

    /// One change at a place of the document.
    #[derive(Debug, Clone, Copy)]
    enum Change {
        Replace(prop::sample::Index),
        Remove,
        Add(prop::sample::Index, prop::sample::Index),
    }

    fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
        let index = any::<prop::sample::Index>;
        let change = prop_oneof![
            4 => index().prop_map(Change::Replace),
            1 => Just(Change::Remove),
            1 => (index(), index()).prop_map(|(name, value)| Change::Add(name, value)),
        ];
        (index(), change)
    }

    fn places(value: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_owned());
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| places(v, &format!("{at}/{k}"), out)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, v)| places(v, &format!("{at}/{n}"), out));
            }
            _ => {}
        }
    }

    fn apply(document: &mut Value, place: prop::sample::Index, change: Change) {
        let mut all = Vec::new();
        places(document, "", &mut all);
        let place = place.get(&all);
        match change {
            Change::Replace(with) => {
                if let Some(target) = document.pointer_mut(place) {
                    *target = with.get(&POOL).clone();
                }
            }
            Change::Remove => {
                let (parent, key) = place.rsplit_once('/').unwrap_or(("", ""));
                match document.pointer_mut(parent) {
                    Some(Value::Object(map)) => drop(map.remove(key)),
                    Some(Value::Array(items)) if !items.is_empty() => drop(items.pop()),
                    _ => {}
                }
            }
            Change::Add(name, with) => {
                if let Some(Value::Object(map)) = document.pointer_mut(place) {
                    map.insert((*name.get(NAMES)).to_owned(), with.get(&POOL).clone());
                }
            }
        }
    }

    fn changed(mut document: Value, changes: Vec<(prop::sample::Index, Change)>) -> Value {
        for (place, change) in changes {
            apply(&mut document, place, change);
        }
        document
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn schema_and_parser_of_tool_messages_agree(
            start in any::<prop::sample::Index>(),
            changes in prop::collection::vec(change(), 0..3),
        ) {
            let document = changed(start.get(&tool_messages()).clone(), changes);
            prop_assert_eq!(tool_parser_takes(&document), TOOL.is_valid(&document), "{}", document);
        }

        #[test]
        fn what_the_schema_of_tool_messages_describes_the_parser_takes_and_near_it_they_agree(
            drawn in drawn::document(&serde_json::from_str(TOOL_READING).expect("JSON")),
            changes in prop::collection::vec(change(), 1..3),
        ) {
            // A length beside a pattern is drawn over now and then.
            prop_assert_eq!(tool_parser_takes(&drawn), TOOL.is_valid(&drawn), "{}", drawn);
            let near = changed(drawn, changes);
            prop_assert_eq!(tool_parser_takes(&near), TOOL.is_valid(&near), "{}", near);
        }

        #[test]
        fn schema_and_parser_of_fleet_messages_agree(
            start in any::<prop::sample::Index>(),
            changes in prop::collection::vec(change(), 0..3),
        ) {
            let document = changed(start.get(&fleet_messages()).clone(), changes);
            // That the resolution is the one in the index, only the parser can tell.
            prop_assume!(!document["value"]["h3"].is_string() || document["value"]["resolution"] == 6);
            prop_assert_eq!(fleet_parser_takes(&document), FLEET.is_valid(&document), "{}", document);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..400) {
            let whole = serde_json::to_vec(&tool_messages()[0]).expect("encodes");
            let mut mangled = whole[..cut.min(whole.len())].to_vec();
            mangled.extend(&bytes);
            for payload in [&bytes, &mangled] {
                let _ = shape::Message::from_json(payload).map(|m| m.check(false));
                let _ = FleetMessage::from_json(payload);
            }
        }
    }

    #[test]
    fn every_example_is_taken_by_both() {
        for document in tool_messages() {
            assert!(TOOL.is_valid(&document) && tool_parser_takes(&document), "{document}");
        }
        for document in fleet_messages() {
            assert!(FLEET.is_valid(&document) && fleet_parser_takes(&document), "{document}");
        }
    }

    #[test]
    fn most_of_what_is_drawn_from_the_schema_is_valid() {
        let schema = serde_json::from_str(TOOL_READING).expect("JSON");
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let drawn = (0..200).map(|_| {
            let tree = drawn::document(&schema).new_tree(&mut runner).expect("it can be drawn");
            TOOL.is_valid(&proptest::strategy::ValueTree::current(&tree))
        });
        assert!(drawn.filter(|is_valid| *is_valid).count() > 150);
    }

    fn deletions() -> Vec<Value> {
        let (id, time) = ("0123456789abcdef0123456789abcdef", "2026-11-20T08:30:00Z");
        vec![
            json!({"v": 1, "id": id, "vehicle": id, "purpose": "service", "flow": "a-1", "from": time,
                   "until": time, "confirm_by": time}),
            json!({"v": 1, "id": id}),
        ]
    }

    fn rosters() -> Vec<Value> {
        let id = "0123456789abcdef0123456789abcdef";
        let number = "A".repeat(183) + "=";
        let vehicle = json!({"purpose": "service", "vehicle": id, "key": id, "number": number});
        let of = |vehicles: Vec<Value>| {
            json!({"v": 1, "controller": "NO-999999999", "at": "2026-11-22T08:00:00Z", "vehicles": vehicles,
                   "signature": id.repeat(4)})
        };
        let mut changed_number = vehicle.clone();
        changed_number["number"] = ("A".repeat(182) + "B=").into();
        vec![of(vec![vehicle.clone()]), of(vec![vehicle; 3]), of(vec![changed_number])]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn schema_and_parser_of_rosters_agree(
            start in any::<prop::sample::Index>(),
            changes in prop::collection::vec(change(), 0..3),
        ) {
            let document = changed(start.get(&rosters()).clone(), changes);
            let bytes = serde_json::to_vec(&document).expect("encodes");
            let is_one = crate::Roster::from_json(&bytes).is_ok();
            prop_assert_eq!(is_one, LISTED.is_valid(&document), "{}", document);
        }

        #[test]
        fn schemas_and_parsers_of_notices_and_their_answers_agree(
            start in any::<prop::sample::Index>(),
            changes in prop::collection::vec(change(), 0..3),
        ) {
            let document = changed(start.get(&deletions()).clone(), changes);
            let bytes = serde_json::to_vec(&document).expect("encodes");
            let (notice, answer) = (DeletionNotice::from_json(&bytes), DeletionConfirmed::from_json(&bytes));
            prop_assert_eq!(notice.is_ok(), NOTICE.is_valid(&document), "{}", document);
            prop_assert_eq!(answer.is_ok(), CONFIRMED.is_valid(&document), "{}", document);
        }
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        assert!(shape::Message::from_json(br#"{"id":"1","id":"2","readings":[]}"#).is_none());
        let inner = br#"{"id":"1","readings":[{"path":"a","value":{"latitude":1,"latitude":2,"longitude":3},"time":""}]}"#;
        assert!(shape::Message::from_json(inner).is_none());
    }

    #[test]
    fn every_answer_follows_its_schema_and_nothing_else_does() {
        let schema = compile(TOOL_RESULT);
        for code in ResultCode::ALL {
            for id in [None, MessageKey::new("k-7")] {
                let answer = ToolResult::new(id.as_ref(), *code);
                let mut document: Value = serde_json::from_slice(&answer.to_json()).expect("JSON");
                assert!(schema.is_valid(&document), "{document}");
                document["accepted"] = (!code.accepted()).into();
                assert!(!schema.is_valid(&document), "{document}");
            }
        }
        // No reason of a decision ever reaches a tool; that a signal does not exist is none.
        let reasons = Reason::ALL.iter().filter(|reason| **reason != Reason::UnknownSignal);
        for reason in reasons {
            assert!(!schema.is_valid(&json!({"accepted": false, "code": reason.code()})), "{reason}");
        }
    }
}
