//! `vernport bundle test`, as a person types it.

use crate::program::{BUNDLE, WORLD, program, stderr, stdout};
use serde_json::Value as Json;
use std::{fs, process::Output};

/// Of the shipped catalogue, as the bundle of the tests names it.
const MET: &str = r#"
[[expect]]
time = 2026-05-01T10:00:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "odometer"
released = 158910605
"#;

fn folder(trials: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("bundle.toml"), BUNDLE).expect("a file");
    fs::create_dir(folder.path().join("tests")).expect("a folder");
    for (name, expects) in trials {
        let text = format!("clause = \"T-3\"\nsays = \"The distance goes on.\"\n{WORLD}{expects}");
        fs::write(folder.path().join("tests").join(name), text).expect("a file");
    }
    folder
}

fn test(folders: &[&tempfile::TempDir], json: bool) -> Output {
    let mut command = program();
    command.args(["bundle", "test"]).args(json.then_some("--json"));
    command.args(folders.iter().map(|folder| folder.path())).output().expect("the program starts")
}

#[test]
fn met_expectations_are_counted_and_end_with_0() {
    let folder = folder(&[("T-3.toml", &MET.repeat(2)), ("T-4.toml", MET), ("notes.md", "")]);
    let output = test(&[&folder], false);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("2 trials, 3 expectations, 0 not met, 0 files cannot be read"), "{said}");
}

#[test]
fn what_is_not_met_is_named_with_file_and_line_and_ends_with_1() {
    let unmet = MET.replace("released = 158910605", "released = 158910606");
    let folder = folder(&[("T-3.toml", &format!("{MET}{unmet}"))]);
    let output = test(&[&folder], false);
    assert_eq!(output.status.code(), Some(1));
    let head = format!("clause = \"T-3\"\nsays = \"The distance goes on.\"\n{WORLD}{MET}\n");
    let line = head.matches('\n').count() + 1;
    let said = stdout(&output);
    let expected = format!("T-3.toml:{line}: T-3: expected released 158910606; came released 158910605");
    assert!(said.contains(&expected), "{expected}\n{said}");
    assert!(stderr(&output).contains("1 of 2 expectations are not met"));
}

#[test]
fn what_cannot_be_read_is_named_with_file_and_line_and_ends_with_2() {
    let unmet = MET.replace("released = 158910605", "withheld = \"order-not-open\"");
    let folder = folder(&[("T-3.toml", &unmet), ("T-4.toml", "colour = 1"), ("T-5.toml", MET)]);
    let output = test(&[&folder], false);
    assert_eq!(output.status.code(), Some(2), "what cannot be read counts for more than what is not met");
    assert!(stderr(&output).contains("T-4.toml:"), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 trials, 2 expectations, 1 not met, 1 files cannot be read"));

    let empty = self::folder(&[]);
    assert_eq!(test(&[&empty], false).status.code(), Some(2), "a bundle without trials shows nothing");
    fs::write(empty.path().join("bundle.toml"), "format = 1").expect("a file");
    let output = test(&[&empty], false);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("bundle.toml:1"), "{}", stderr(&output));
}

#[test]
fn json_stands_alone_and_holds_every_bundle() {
    let (good, bad) = (folder(&[("T-3.toml", MET)]), folder(&[("T-3.toml", &MET.replace("car", "van"))]));
    let output = test(&[&good, &bad], true);
    assert_eq!(output.status.code(), Some(1));
    let json: Json = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!((&json[0]["trials"], &json[0]["expectations"]), (&1.into(), &1.into()));
    assert_eq!(json[0]["failures"], serde_json::json!([]));
    let failure = &json[1]["failures"][0];
    assert_eq!((&failure["clause"], &failure["came"]), (&"T-3".into(), &"withheld no-grant".into()));
    assert!(failure["line"].as_u64() > Some(40) && json[1]["unreadable"] == serde_json::json!([]));
}
