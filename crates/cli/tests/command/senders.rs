//! `vernport mqtt try` as the developer of a mapping types it; and the commands of `config/tools/README.md` as they
//! stand there.

use crate::program::{done, program, refused, stderr, stdout};
use serde_json::Value as Json;
use std::{fs, process::Output};
use tempfile::TempDir;
use vernport_mqtt::tool_postcard;

const README: &str = include_str!("../../../../config/tools/README.md");
const AT: [&str; 2] = ["--at", "2026-11-20T09:00:00Z"];

/// A folder with the mapping and the payload of the README, and one that is wrong.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        let first = README.split("## A first one").nth(1).expect("the README begins with one");
        let payload = first.split('`').nth(1).expect("a payload in the text");
        let mapping = first.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        desk.put("reading.json", payload);
        desk.put("miles.json", payload.replace("158910.6", "98741 mi"));
        desk.put("obd-reader.toml", mapping.expect("a mapping"));
        desk
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn typed(&self, words: &[&str]) -> Output {
        program().current_dir(self.0.path()).args(words).output().expect("the program starts")
    }

    fn tried(&self, words: &[&str]) -> Output {
        self.typed(&[&["mqtt", "try"], &AT[..], words].concat())
    }
}

/// The command behind a mark of the README, and what is shown below it.
fn shown(mark: &str) -> (Vec<&'static str>, &'static str) {
    let after = README.split(&format!("<!-- {mark}: a test runs this -->")).nth(1).expect("a mark");
    let mut blocks = after.split("```");
    let command = blocks.nth(1).expect("a command").strip_prefix("sh\nvernport ").expect("of the shell");
    (command.split_whitespace().collect(), blocks.nth(1).expect("an output"))
}

#[test]
fn the_page_on_mappings_shows_what_the_commands_print() {
    let desk = Desk::new();
    let (command, output) = shown("try");
    assert_eq!(done(&desk.typed(&command)), output.trim_start());
    let (command, output) = shown("try-refused");
    let told = desk.typed(&command);
    assert_eq!((stdout(&told).as_str(), told.status.code()), (output.trim_start(), Some(1)));
    assert!(stderr(&told).contains("1 of 2 payloads would be refused"), "{}", stderr(&told));
}

#[test]
fn what_would_be_taken_is_told_for_programs_too() {
    let desk = Desk::new();
    let json = |words: &[&str]| -> Vec<Json> {
        let told = desk.tried(&[&["--format", "json"], words].concat());
        stdout(&told).lines().map(|line| serde_json::from_str(line).expect("JSON alone")).collect()
    };
    let told = json(&["--mapping", "obd-reader.toml", "reading.json", "miles.json"]);
    assert_eq!((told.len(), &told[0]["taken"], &told[1]["taken"]), (2, &true.into(), &false.into()));
    let message = &told[0]["messages"][0];
    assert_eq!((&message["id"], &message["vehicle"]), (&"a1:7".into(), &"visit".into()));
    let odometer = &message["readings"][0];
    assert_eq!(
        (&odometer["path"], &odometer["value"]),
        (&"Vehicle.TraveledDistance".into(), &158_910_600.into())
    );
    assert_eq!((&odometer["unit"], &odometer["time"]), (&"m".into(), &"2026-11-20T08:59:59Z".into()));
    assert_eq!((&told[1]["code"], &told[1]["file"]), (&"value".into(), &"miles.json".into()));
    let place = told[1]["where"].as_str().expect("a text");
    assert!(
        place.starts_with("obd-reader.toml, line ") && place.contains("Vehicle.TraveledDistance"),
        "{place}"
    );

    // Several vehicles, and an id that only the box can make.
    desk.put(
        "fleet.toml",
        "format = 1\nid = \"payload\"\nmessages = \"[*]\"\nvehicle = { vin = \"vin\" }\ntime = \"arrival\"\n\
         [[readings]]\nsignal = [{ at = \"km\", unit = \"km\", path = \"Vehicle.TraveledDistance\" }]\n",
    );
    desk.put("fleet.json", r#"[{"vin":"WDB9634031L738001","km":1},{"vin":"YV2RT40A8KB123456"}]"#);
    let told = json(&["--mapping", "fleet.toml", "fleet.json"]);
    let messages = told[0]["messages"].as_array().expect("a list");
    let of: Vec<_> =
        messages.iter().map(|one| (one["id"].is_null(), one["vehicle"]["vin"].clone())).collect();
    assert_eq!(of, [(true, "WDB9634031L738001".into()), (true, "YV2RT40A8KB123456".into())]);
    let text = done(&desk.tried(&["--mapping", "fleet.toml", "fleet.json"]));
    assert!(text.contains("an id that the box makes") && text.contains("nothing in it is for us"), "{text}");
}

#[test]
fn a_refusal_says_what_is_wrong_where_and_how_to_mend_it() {
    let desk = Desk::new();
    let mapping = ["--mapping", "obd-reader.toml", "wrong.json"];
    for (payload, told) in [
        (r#"{"dev":"a1""#, "wrong.json: refused: malformed"),
        (r#"{"dev":"a1""#, "payload, line 1, column 11"),
        (r#"{"dev":"a1","ts":1795165199}"#, "obd-reader.toml, line 2"),
        (r#"{"dev":"a1","seq":7,"fuel":53}"#, "Vehicle.Powertrain.FuelSystem.RelativeLevel"),
        (
            r#"{"dev":"a1","seq":7,"fuel":53,"ts":1795165199000}"#,
            "look at the unit, pattern and path of time",
        ),
        (r#"{"dev":"a1","seq":7,"fuel":153,"ts":1795165199}"#, "out of its range"),
    ] {
        desk.put("wrong.json", payload);
        let output = desk.tried(&mapping);
        assert_eq!(output.status.code(), Some(1), "{payload}");
        assert!(stdout(&output).contains(told), "{told} in {}", stdout(&output));
    }
    // What was typed, or cannot work, is told apart.
    desk.put("broken.toml", "format = 1\nid = \"payload\"\n");
    for (words, told) in [
        (&["--mapping", "broken.toml", "reading.json"][..], "there is no [[readings]]"),
        (&["--mapping", "nowhere.toml", "reading.json"], "nowhere.toml: cannot be read"),
        (&["--mapping", "obd-reader.toml", "nowhere.json"], "nowhere.json: cannot be read"),
        (&["--mapping", "obd-reader.toml", "--time-zone", "Bay One", "reading.json"], "Europe/Oslo"),
        (&["--mapping", "obd-reader.toml", "--topic", "obd/1", "reading.json"], "not where a tool publishes"),
        (&["reading.json"], "--mapping"),
    ] {
        let output = desk.tried(words);
        assert!(refused(&output).contains(told), "{told} in {}", stderr(&output));
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn our_own_contract_is_tried_in_both_forms() {
    let desk = Desk::new();
    let reading = r#"{"path":"Vehicle.TraveledDistance","value":158910.6,"unit":"km","time":"2026-11-20T09:30:00+01:00"}"#;
    desk.put("good.json", format!(r#"{{"id":"k-7","readings":[{reading}]}}"#));
    desk.put("local.json", format!(r#"{{"id":"k-7","readings":[{}]}}"#, reading.replace("+01:00", "")));
    let good = done(&desk.tried(&["--contract", "good.json"]));
    assert!(
        good.contains("id k-7") && good.contains("158910600 m") && good.contains("2026-11-20T08:30:00Z"),
        "{good}"
    );
    let local = desk.tried(&["--contract", "local.json"]);
    assert!(!local.status.success() && stdout(&local).contains("readings[0].time"), "{}", stdout(&local));
    assert_eq!(
        done(&desk.tried(&["--contract", "--time-zone", "Europe/Oslo", "local.json"])),
        good.replace("good", "local")
    );

    let topic = ["--contract", "--topic", "vernport/v1/tool/main/bay-1/reader/reading.postcard"];
    let value = tool_postcard::Value::Number(158_910.6);
    let time = 1_795_163_400_000_000;
    let reading = |path| tool_postcard::Reading { path, value: value.clone(), unit: Some("km"), time };
    for (path, code) in [("Vehicle.TraveledDistance", 0), ("Vehicle.Nowhere", 1)] {
        let vehicle = tool_postcard::Vehicle::Visit;
        let message = tool_postcard::Message { id: "k-7", vehicle, readings: vec![reading(path)] };
        desk.put("reading.postcard", message.to_bytes());
        let output = desk.tried(&[&topic[..], &["reading.postcard"]].concat());
        assert_eq!(output.status.code(), Some(code), "{}", stdout(&output));
        assert!(
            stdout(&output).contains(["158910600 m", "unknown-signal"][code as usize]),
            "{}",
            stdout(&output)
        );
    }
}
