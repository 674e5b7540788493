//! The written form of the ledger. One file per kind of event, with the hash
//! that names the entry.
//!
//! If a test fails here, mend the code and never the file: such entries are in
//! ledgers. What needs another member becomes another kind (decision note 0005).

mod samples;

use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};
use vernport_registry::{Entry, Event};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn golden(kind: &str) -> Value {
    let path = folder().join(format!("{kind}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_kind_has_its_golden_file_and_is_written_and_named_as_it_says() {
    let entries = samples::entries();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, Event::KINDS);
    for entry in &entries {
        let golden = golden(entry.event.kind());
        assert_eq!(serde_json::to_value(entry).expect("writes"), golden["entry"], "{}", entry.event.kind());
        assert_eq!(entry.hash().to_string(), golden["hash"], "{}", entry.event.kind());
    }
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, Event::KINDS.iter().map(|kind| format!("{kind}.json")).collect());
}

#[test]
fn every_golden_entry_is_read_back_equal() {
    for entry in samples::entries() {
        let text = golden(entry.event.kind())["entry"].to_string();
        assert_eq!(Entry::from_json(&text), Ok(entry));
    }
}

#[test]
fn the_canonical_text_is_sorted_and_has_no_white_space() {
    let entries = samples::entries();
    let closed = entries.iter().find(|entry| entry.event.kind() == "order-closed").expect("a sample");
    assert_eq!(
        closed.canonical(),
        "{\"actor\":{\"id\":\"counter-2\",\"role\":\"staff\"},\"controller\":\"NO-999999999\",\
         \"event\":{\"kind\":\"order-closed\",\"order\":\"b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\"},\
         \"external_ref\":\"WS-2026/11\",\"format\":1,\"occurred_at\":1795161600000000,\
         \"recorded_at\":1795161605000000,\"source\":\"workshop\"}"
    );
}

#[test]
fn a_member_that_is_not_known_is_refused_wherever_it_stands() {
    for entry in samples::entries() {
        let written = golden(entry.event.kind())["entry"].clone();
        let mut places: Vec<String> = Vec::new();
        objects(&written, String::new(), &mut places);
        assert!(places.len() >= 3, "entry, event and actor");
        for place in places {
            let mut wrong = written.clone();
            wrong.pointer_mut(&place).expect("an object")["extra"] = json!(1);
            let refused = Entry::from_json(&wrong.to_string());
            assert!(refused.is_err(), "{} took an unknown member at {place:?}", entry.event.kind());
        }
    }
}

fn objects(value: &Value, place: String, found: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            objects(member, format!("{place}/{name}"), found);
        }
        found.push(place);
    }
}

#[test]
fn a_member_that_is_missing_is_refused_unless_it_only_narrows_or_proves() {
    let optional = [
        "subject",
        "evidence",
        "recorded_by",
        "purpose",
        "recipient",
        "categories",
        "until",
        "pinned",
        "approver",
        "receipt",
    ];
    let mut left_out = BTreeSet::new();
    for entry in samples::entries() {
        let written = golden(entry.event.kind())["entry"].clone();
        for name in written["event"].as_object().expect("an object").keys() {
            let mut short = written.clone();
            short["event"].as_object_mut().expect("an object").remove(name);
            if Entry::from_json(&short.to_string()).is_ok() {
                assert!(optional.contains(&name.as_str()), "{}: {name}", entry.event.kind());
                left_out.insert((entry.event.kind().to_owned(), name.clone()));
            }
        }
    }
    let expected = [
        ("consent-given", "evidence"),
        ("consent-withdrawn", "recorded_by"),
        ("erasure-ordered", "purpose"),
        ("gateway-enrolled", "pinned"),
        ("linked", "until"),
        ("notice-served", "evidence"),
        ("notice-served", "subject"),
        ("objection-raised", "recorded_by"),
        ("restriction-excepted", "approver"),
        ("restriction-excepted", "receipt"),
        ("restriction-set", "purpose"),
    ];
    assert_eq!(left_out, expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())).into());
}

#[test]
fn a_member_written_twice_is_refused() {
    let text = "{\"kind\":\"order-closed\",\"order\":\"b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1\",\
                \"order\":\"b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\"}";
    let refused = serde_json::from_str::<Event>(text).expect_err("two orders");
    assert!(refused.to_string().contains("twice"), "{refused}");
}

#[test]
fn an_event_of_a_newer_version_keeps_its_name_and_its_content() {
    let mut newer = golden("order-closed")["entry"].clone();
    newer["event"] =
        json!({"kind": "vehicle-scrapped", "closes": true, "asset": samples::asset(1), "by": ["x"]});
    let entry = Entry::from_json(&newer.to_string()).expect("readable");
    let Event::Unknown(unknown) = &entry.event else { panic!("{:?}", entry.event) };
    assert_eq!((unknown.closes(), unknown.asset()), (true, Some(samples::asset(1))));
    assert_eq!(serde_json::to_value(&entry).expect("writes"), newer);
}

#[test]
fn no_error_repeats_what_stood_in_the_entry() {
    let secret = "010190 12345 anna";
    for entry in samples::entries() {
        let written = golden(entry.event.kind())["entry"].clone();
        for name in written["event"].as_object().expect("an object").keys() {
            for wrong in [json!(secret), json!([secret]), json!({ "x": secret }), json!(10_190_123_450_i64)] {
                let mut entry = written.clone();
                entry["event"][name] = wrong;
                if let Err(e) = Entry::from_json(&entry.to_string()) {
                    let shown = format!("{e} {e:?}");
                    assert!(!shown.contains("anna") && !shown.contains("1019012345"), "{shown}");
                }
            }
        }
    }
}

#[test]
fn hostile_text_is_refused_without_a_panic() {
    let whole = golden("consent-given")["entry"].to_string();
    for cut in 0..whole.len() {
        assert!(Entry::from_json(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for text in ["", "[]", "null", "{}", "{\"event\":{}}", "{\"event\":[]}", &"[".repeat(10_000)] {
        assert!(Entry::from_json(text).is_err());
    }
}
