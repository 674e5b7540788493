//! `vernport dbc check`, as a person types it.

use crate::program::{program, stderr, stdout};
use serde_json::Value as Json;
use std::{fs, process::Output};

const GOOD: &str = "VERSION \"\"\nBU_: A\n\nBO_ 1072 Cluster: 8 A\n SG_ Odometer : 15|24@0+ (1,0) [0|0] \"km\" A\n \
                    SG_ OdoTrip : 39|24@0+ (1,0) [0|0] \"km\" A\n";

fn check(files: &[(&str, &str)], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    program()
        .current_dir(folder.path())
        .args(["dbc", "check"])
        .args(files.iter().map(|(name, _)| name).filter(|name| name.ends_with(".dbc")))
        .args(more)
        .output()
        .expect("the program starts")
}

#[test]
fn a_file_in_order_ends_with_0_and_says_what_is_read() {
    let output = check(&[("car.dbc", GOOD)], &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("car.dbc: 1 messages, 2 signals; 0 errors, 0 warnings"), "{text}");
    assert!(
        text.lines()
            .any(|line| line.contains("Cluster.Odometer") && line.contains("Vehicle.TraveledDistance"))
    );
    assert!(
        text.lines().any(|line| line.contains("Cluster.OdoTrip") && line.contains("a trip, not the total"))
    );
}

#[test]
fn an_error_ends_with_1_and_has_its_line() {
    let output = check(&[("car.dbc", &GOOD.replace("15|24", "63|24"))], &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Json = serde_json::from_str(&stdout(&output)).expect("JSON alone");
    assert_eq!(json[0]["findings"][0]["line"], 5);
    assert_eq!(json[0]["findings"][0]["severity"], "error");
    assert_eq!((&json[0]["errors"], &json[0]["signals"]), (&Json::from(1), &Json::from(1)));
}

#[test]
fn a_file_that_is_none_ends_with_2_and_the_others_are_checked() {
    let output = check(&[("a.dbc", "\x7FELF"), ("car.dbc", GOOD)], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a.dbc: no statement of a DBC file is in it"));
    assert!(stdout(&output).contains("Vehicle.TraveledDistance"));
}

#[test]
fn a_mapping_of_ones_own_comes_first_and_its_paths_have_to_be() {
    let map = |path: &str| {
        format!("format = 1\n[[rule]]\npath = \"{path}\"\nmessage = \"Cluster\"\nsignal = [\"OdoTrip\"]\n")
    };
    let output =
        check(&[("car.dbc", GOOD), ("own.toml", &map("Vehicle.TraveledDistance"))], &["--map", "own.toml"]);
    let text = stdout(&output);
    assert!(
        text.lines()
            .any(|line| line.contains("Cluster.OdoTrip") && line.contains("Vehicle.TraveledDistance"))
    );
    assert!(text.contains("the path comes from another signal already"), "{text}");
    let output = check(&[("car.dbc", GOOD), ("own.toml", &map("Vehicle.Nowhere"))], &["--map", "own.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Vehicle.Nowhere is not in the signal catalogue"));
}
