//! `vernport explain`, as a person types it: by a world file, and at central.

use crate::program::{BUNDLE, WORLD, at_westrum, done, refused, vernport};
use serde_json::Value as Json;
use std::{fs, process::Output};
use vernport_types::Reason;

const SPEED: &str = "Vehicle.Speed";
const OPEN: &str = "2026-05-01T09:00:00Z";
const WITHDRAWN: &str = "2026-05-01T09:30:00Z";

/// A bundle and a world in a folder of their own.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(world: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("bundle.toml"), BUNDLE).expect("a file");
        fs::write(folder.path().join("world.toml"), world).expect("a file");
        Self { folder }
    }

    fn explain(&self, more: &[&str]) -> Output {
        let bundle = self.folder.path().to_str().expect("UTF-8");
        let world = self.folder.path().join("world.toml");
        let first = ["explain", "--bundle", bundle, "--world", world.to_str().expect("UTF-8")];
        vernport(&[&first[..], &["--asset", "car"], more].concat())
    }

    /// The text of a signal at a time.
    fn text(&self, more: &[&str]) -> String {
        done(&self.explain(more))
    }

    fn json(&self, more: &[&str]) -> Json {
        let text = self.text(&[more, &["--json"]].concat());
        let json: Json = serde_json::from_str(&text).expect("JSON alone");
        let schema: Json = serde_json::from_str(vernport::explain::SCHEMA).expect("JSON");
        assert!(jsonschema::is_valid(&schema, &json), "{json}");
        json
    }
}

#[test]
fn a_release_is_told_with_example_rule_clause_entries_and_ends() {
    let text = Files::new(WORLD).text(&["--signal", SPEED, "--at", OPEN]);
    for part in [
        "released, bucket-20",
        "53.7 km/h becomes { from = 40, to = 60 } km/h",
        "flow.speed.signals.Vehicle.Speed",
        "T-4",
        "consent-given, recorded 2026-05-01T08:30:00Z",
        "order-opened, recorded 2026-05-01T08:00:00Z",
        "until 2026-05-01T18:00:00Z, then order-not-open, 300 s at most after central was heard",
        "P7D after reading (rule short), until 2026-05-31T09:00:00Z at the latest",
        "station main/bay-2",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_refusal_is_told_with_remedy_rule_clause_and_the_entry_behind_it() {
    let files = Files::new(WORLD);
    let text = files.text(&["--signal", SPEED, "--at", WITHDRAWN]);
    for part in [
        "withheld, consent-withdrawn: nothing to mend",
        "refusal.consent-withdrawn",
        "T-9",
        "consent-withdrawn, recorded 2026-05-01T09:30:00Z",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let unnamed = files.text(&["--signal", "Vehicle.CurrentLocation", "--flow", "speed", "--at", OPEN]);
    assert!(!unnamed.contains("outcome"), "a flow that does not name it says nothing: {unnamed}");
    let before = files.text(&["--signal", SPEED, "--at", "2020-01-01T00:00:00Z"]);
    assert!(before.contains("no-grant"), "{before}");
}

#[test]
fn flow_recognition_source_and_station_are_asked_for() {
    let files = Files::new(WORLD);
    let odometer = ["--signal", "Vehicle.TraveledDistance", "--at", OPEN];
    let with = |more: &[&str]| files.json(&[&odometer[..], more].concat());
    let flows = |json: &Json| -> Vec<String> {
        let answers = json["answers"].as_array().expect("answers");
        answers.iter().map(|answer| answer["flow"].as_str().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!(flows(&with(&[])), ["odometer", "near"]);
    let near = with(&["--flow", "near"]);
    assert_eq!(flows(&near), ["near"]);
    assert!(near["answers"][0]["released"].is_object());
    let weak = with(&["--flow", "near", "--by", "tool", "--from", "manual"]);
    assert_eq!(weak["answers"][0]["withheld"], "identification-too-weak");
    assert_eq!((&weak["by"], &weak["from"]), (&"tool".into(), &"manual".into()));
    let elsewhere = with(&["--station", "main/bay-1"]);
    assert_eq!(elsewhere["answers"][0]["withheld"], "no-grant");
    assert_eq!(elsewhere["station"]["station"], "bay-1");
}

#[test]
fn json_fits_its_schema_in_every_outcome_and_for_every_shipped_bundle() {
    let files = Files::new(WORLD);
    for at in [OPEN, WITHDRAWN, "2026-05-01T08:10:00Z", "2026-05-02T09:00:00Z", "2030-01-01T00:00:00Z"] {
        files.json(&["--at", at]);
        files.json(&["--at", at, "--audience", "recipient"]);
    }
    let world = files.folder.path().join("world.toml");
    let schema: Json = serde_json::from_str(vernport::explain::SCHEMA).expect("JSON");
    for (bundle, _) in vernport::shipped::BUNDLES {
        let world = world.to_str().expect("UTF-8");
        let output = vernport(&[
            "explain", "--bundle", bundle, "--world", world, "--asset", "car", "--at", OPEN, "--json",
        ]);
        let json: Json = serde_json::from_str(&done(&output)).expect("JSON alone");
        assert!(jsonschema::is_valid(&schema, &json), "{bundle}");
    }
    let mut broken = files.json(&["--at", OPEN]);
    broken["answers"][0]["plate"] = "AB12345".into();
    assert!(!jsonschema::is_valid(&schema, &broken), "the schema is closed");
}

#[test]
fn a_recipient_is_told_one_word_and_no_reason_clause_or_entry() {
    let restricted = format!(
        "{WORLD}\n[[event]]\ntime = 2026-05-01T09:10:00Z\nkind = \"restriction-set\"\nwhom = {{ asset = \"car\" }}\n\
         ground = \"accuracy-disputed\"\npurpose = \"service\"\n"
    );
    let files = Files::new(&restricted);
    let mut words = std::collections::BTreeSet::new();
    for at in [OPEN, "2026-05-01T09:20:00Z", WITHDRAWN, "2030-01-01T00:00:00Z"] {
        for form in [&["--audience", "recipient"][..], &["--audience", "recipient", "--json"]] {
            let told = files.text(&[&["--at", at][..], form].concat());
            for reason in Reason::ALL {
                assert!(!told.contains(reason.code()), "{reason} in\n{told}");
                assert!(!told.contains(reason.remedy()), "{reason} in\n{told}");
            }
            for never in
                ["T-", "flow.", "refusal", "consent", "order-", "clause", "entry", "recorded", "bay-"]
            {
                assert!(!told.contains(never), "{never} in\n{told}");
            }
            let words = told.split(|c: char| !c.is_ascii_hexdigit());
            // A time is digits alone.
            let hash = |word: &&str| word.len() >= 12 && !word.bytes().all(|b| b.is_ascii_digit());
            assert_eq!(words.filter(hash).count(), 0, "no hash: {told}");
        }
        let json = files.json(&["--at", at, "--audience", "recipient"]);
        let answers = json["answers"].as_array().expect("answers");
        words.extend(answers.iter().map(|answer| answer["status"].as_str().expect("a word").to_owned()));
    }
    assert_eq!(Vec::from_iter(words), ["closed", "open", "paused"]);
}

#[test]
fn what_is_not_there_is_refused_with_what_there_is() {
    let files = Files::new(WORLD);
    for (more, part) in [
        (&["--signal", "Vehicle.Nothing"][..], "catalogue"),
        (&["--flow", "nothing"], "its flows are odometer, speed, near"),
        (&["--at", "yesterday"], "write 2026-11-20T09:30:00Z"),
        (&["--station", "bay-1"], "write site/station"),
        (&["--by", "guess"], "bus-vin"),
        (&["--controller", "westrum"], "cannot be used with"),
        (&["--vin", "YV2RT40A8KB123456"], "--vin"),
    ] {
        let said = refused(&files.explain(more));
        assert!(said.contains(part), "{more:?}: {said}");
    }
    let broken = Files::new("format = 1\n[[event]]\ntime = \"-1h\"\nkind = \"order-opened\"\n");
    assert!(refused(&broken.explain(&[])).contains("world.toml:2"));
    let world = files.folder.path().join("world.toml");
    let world = world.to_str().expect("UTF-8");
    assert!(refused(&vernport(&["explain", "--bundle", "wostrum", "--world", world])).contains("westrum"));
    let several = files.folder.path().to_str().expect("UTF-8");
    assert!(refused(&vernport(&["explain", "--bundle", several, "--world", world])).contains("--asset"));
    assert!(refused(&vernport(&["explain"])).contains("--world"));
    assert!(refused(&vernport(&["explain", "--world", world])).contains("--bundle"));
}

#[tokio::test(flavor = "multi_thread")]
async fn central_is_asked_by_plate_and_answers_without_it() {
    let told = at_westrum(|typed| {
        let order = ["--plate", "NO", "AB12345", "--station", "bay-1", "--reference", "1017"];
        done(&typed(&["order", "open"], &order));
        let asked = ["--plate", "no", "ab 123-45", "--signal", "Vehicle.TraveledDistance"];
        let text = done(&typed(&["explain"], &asked));
        let json = done(&typed(&["explain"], &[&asked[..], &["--json"]].concat()));
        let recipient = done(&typed(&["explain"], &[&asked[..], &["--audience", "recipient"]].concat()));
        let unknown = refused(&typed(&["explain"], &["--plate", "NO", "ZZ99999"]));
        let unnamed = refused(&typed(&["explain"], &[]));
        (text, json, recipient, unknown, unnamed)
    });
    let (text, json, recipient, unknown, unnamed) = told.await;
    assert!(text.contains("released,") && text.contains("order-opened, recorded"), "{text}");
    let schema: Json = serde_json::from_str(vernport::explain::SCHEMA).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &serde_json::from_str(&json).expect("JSON")), "{json}");
    assert!(recipient.contains("open") && !recipient.contains("order"), "{recipient}");
    for said in [&text, &json, &recipient, &unknown] {
        assert!(!said.contains("12345") && !said.contains("99999"), "{said}");
    }
    assert!(unknown.contains("no vehicle of this controller's registry"), "{unknown}");
    assert!(unnamed.contains("name the vehicle"), "{unnamed}");
}
