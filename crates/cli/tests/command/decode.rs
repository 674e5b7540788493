//! `vernport decode`, as a person types it.

use crate::program::{program, stderr, stdout};
use serde_json::Value as Json;
use std::{fs, process::Output};
use tempfile::TempDir;

/// A truck: 57 088 920 m, 81.6 % fuel, one trouble code; on another bus a car without odometer.
const LOG: &str = "\
(1619180563.128100) can0 18FEC100#B838AE00FFFFFFFF
(1619180563.228100) can0 18FEFC17#FFCCFFFFFFFFFFFF
(1619180563.328100) can0 18FECA00#40FF5B000301FFFF
(1619180563.428100) can1 7E8#03410D32
";

fn decode(args: &[&str]) -> Output {
    program().arg("decode").args(args).output().expect("the program starts")
}

fn files(files: &[(&str, &str)]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |(name, content): &(&str, &str)| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let names = files.iter().map(write).collect();
    (folder, names)
}

#[test]
fn a_capture_is_shown_as_tables_and_as_json() {
    let (_folder, names) = files(&[("a.log", LOG)]);
    let output = decode(&[&names[0]]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = stdout(&output);
    for part in
        ["candump log, 4 frames, 4 ids, 2 channels", "Vehicle.TraveledDistance", "57088920", "SPN 91 FMI 3"]
    {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let output = decode(&[&names[0], "--json"]);
    let json: Json = serde_json::from_slice(&output.stdout).expect("one object");
    let schema: Json = serde_json::from_str(vernport::decode::SCHEMA).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &json), "{json}");
    assert_eq!(json.get("file"), None);
    let values: Vec<(&str, &Json)> = json["signals"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["source"].as_str().expect("text"), &row["last"]))
        .collect();
    assert!(values.contains(&("j1939:65217:sa=00", &57_088_920.into())), "{values:?}");
    assert!(values.contains(&("obd:01:0D:7E8", &50.0.into())), "{values:?}");
    assert_eq!(
        json["dtcs"],
        serde_json::json!([{"source": "j1939:65226:sa=00", "spn": 91, "fmi": 3, "oc": 1}])
    );
}

#[test]
fn several_files_give_a_line_each_with_their_names() {
    let (_folder, names) = files(&[("a.log", LOG), ("b.csv", "ID,Data Bytes\n7E8,03 41 0D 32\n")]);
    let output = decode(&[&names[0], &names[1], "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<Json> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["file"].as_str(), lines[1]["file"].as_str()), (Some(&*names[0]), Some(&*names[1])));
    assert_eq!((&lines[0]["frames"], &lines[1]["frames"]), (&4.into(), &1.into()));
}

#[test]
fn what_cannot_be_read_is_told_and_costs_nothing_else() {
    let torn = LOG.replace("#03410D32", "#03410D3");
    let (_folder, names) = files(&[("torn.log", &torn), ("no.log", "hello\n"), ("empty.log", "")]);
    let output = decode(&[&names[0], "--json"]);
    assert!(output.status.success());
    let json: Json = serde_json::from_slice(&output.stdout).expect("one object alone");
    assert_eq!(json["frames"], 3);
    let said = stderr(&output);
    assert!(said.contains("torn.log: line 4: column") && !said.contains("0D3"), "{said}");

    let output = decode(&[&names[1], &names[0], &names[2]]);
    assert!(output.status.success(), "one of them was read");
    let said = stderr(&output);
    assert!(said.contains("no.log") && said.contains("Vector ASC") && said.contains("candump -l"), "{said}");
    assert!(said.contains("empty.log: the file is empty"), "{said}");

    for args in [&[&*names[1]][..], &[&names[2], "--json"], &["does-not-exist.log"], &[&names[1], &names[2]]]
    {
        let output = decode(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}");
        assert!(stderr(&output).starts_with("vernport: "), "{}", stderr(&output));
    }
    assert_eq!(decode(&[]).status.code(), Some(2), "no file is a wrong use");
}

#[test]
fn help_says_that_values_and_vins_are_printed() {
    let help = stdout(&decode(&["--help"]));
    assert!(help.contains("VIN") && help.contains("--json") && help.contains("of your own"), "{help}");
}

#[test]
fn a_dbc_file_adds_its_signals_by_their_names_there() {
    let dbc = "VERSION \"\"\nBU_: A\nBO_ 1072 Cluster: 8 A\n SG_ OdometerMasterValue : 7|24@0+ (1,0) [0|16777214] \"km\" A\n";
    let log = "(1.0) can0 430#0100590000000000\n";
    let (_folder, names) = files(&[("a.log", log), ("a.dbc", dbc), ("b.dbc", "hello\n")]);
    let output = decode(&[&names[0], "--dbc", &names[1], "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let json: Json = serde_json::from_slice(&output.stdout).expect("one object");
    let expected = serde_json::json!([{
        "path": "Vehicle.TraveledDistance", "source": "dbc:Cluster.OdometerMasterValue", "unit": "m", "n": 1,
        "first": 65_625_000, "last": 65_625_000
    }]);
    assert_eq!(json["signals"], expected);
    let output = decode(&[&names[0], "--dbc", &names[2]]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(stderr(&output).contains("b.dbc"), "{}", stderr(&output));
}
