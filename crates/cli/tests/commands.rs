//! The other commands, as a person types them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn vernport(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vernport"))
        .args(args)
        .env_remove("VERNPORT_LOG")
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

const WORLD: &str = r#"
format = 1

[[asset]]
name = "truck"
since = "-30d"
vin = "YV2RT40A8KB123456"

[[event]]
time = "-10d"
kind = "notice-served"
notice = "westrum-1"
language = "nb"

[[event]]
time = "-1h"
kind = "order-opened"
order = "1017"
assets = ["truck"]
station = "main/bay-1"
"#;

fn world(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    fs::write(&file, text).expect("a file");
    let name = file.to_str().expect("a path in UTF-8").to_owned();
    (folder, name)
}

#[test]
fn the_shipped_bundles_are_in_order() {
    let bundles = config().join("bundles");
    for (name, _) in vernport::shipped::BUNDLES {
        let output = vernport(&["bundle", "check", bundles.join(name).to_str().expect("UTF-8")]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output).contains("in order"), "{}", stdout(&output));
    }
}

#[test]
fn a_broken_bundle_is_named_with_file_line_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, text) = vernport::shipped::BUNDLES.iter().find(|(name, _)| *name == "westrum").expect("shipped");
    let broken = text.replace("Vehicle.TraveledDistance", "Vehicle.TravelledDistance");
    fs::write(folder.path().join("bundle.toml"), &broken).expect("a file");
    let output = vernport(&["bundle", "check", folder.path().to_str().expect("UTF-8")]);
    assert!(!output.status.success());
    let line = 1 + broken[..broken.find("TravelledDistance").expect("changed")].matches('\n').count();
    let said = stderr(&output);
    assert!(said.contains("bundle.toml") && said.contains(&format!(":{line}:")), "{said}");
    assert!(said.contains("TravelledDistance"), "{said}");
}

#[test]
fn explain_names_rule_clause_and_what_can_be_done() {
    let (_folder, file) = world(WORLD);
    let open = vernport(&[
        "explain",
        "--bundle",
        "westrum",
        "--world",
        &file,
        "--signal",
        "Vehicle.TraveledDistance",
    ]);
    assert!(open.status.success(), "{}", stderr(&open));
    let said = stdout(&open);
    assert!(said.contains("released, exact") && said.contains("WEST-"), "{said}");
    assert!(said.contains("withheld, role-missing"), "{said}");

    let location = vernport(&[
        "explain",
        "--bundle",
        "westrum",
        "--world",
        &file,
        "--signal",
        "Vehicle.CurrentLocation",
    ]);
    assert!(stdout(&location).contains("category-not-in-notice"), "{}", stdout(&location));

    let late =
        vernport(&["explain", "--bundle", "westrum", "--world", &file, "--at", "2020-01-01T00:00:00Z"]);
    assert!(late.status.success(), "{}", stderr(&late));
}

#[test]
fn explain_refuses_what_is_not_there_and_says_what_there_is() {
    let (_folder, file) = world(WORLD);
    let signal =
        vernport(&["explain", "--bundle", "westrum", "--world", &file, "--signal", "Vehicle.Nothing"]);
    assert!(!signal.status.success() && stderr(&signal).contains("catalogue"), "{}", stderr(&signal));
    let bundle = vernport(&["explain", "--bundle", "wostrum", "--world", &file]);
    assert!(!bundle.status.success() && stderr(&bundle).contains("westrum"), "{}", stderr(&bundle));
    let (_folder, broken) = world("format = 1\n[[event]]\ntime = \"-1h\"\nkind = \"order-opened\"\n");
    let world = vernport(&["explain", "--bundle", "westrum", "--world", &broken]);
    assert!(!world.status.success() && stderr(&world).contains("world.toml:2"), "{}", stderr(&world));
}

/// One second of a truck at rest: VDHR and DD of the cluster, with a torn line between them.
const LOG: &str = "(1700000000.000000) can0 18FEC117#40420F0040420F00\n\
                   (1700000000.100000) can0 18FEFC17#FFA0FFFFFFFF\n\
                   (1700000000.2\n\
                   (1700000003.000000) can0 18FEFC17#FFA0FFFFFFFFFFFF\n\
                   (1700000003.500000) can0 18FEFC17#FFA0FFFFFFFFFFFF\n";

#[test]
fn replay_says_what_it_assumed_and_a_torn_line_costs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("torn.log");
    fs::write(&file, LOG).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let output = vernport(&["replay", file, "--bundle", "westrum", "--order", "open", "--time", "file"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("one work order is open for it"), "{said}");
    assert!(said.contains("4 frames"), "{said}");
    assert!(said.contains("64.0 percent (j1939:65276:sa=17)"), "{said}");

    let nobody = vernport(&["replay", file, "--bundle", "westrum"]);
    assert!(stdout(&nobody).contains("nothing at all"), "{}", stdout(&nobody));
    let missing = vernport(&["replay", "no-such.log", "--bundle", "westrum"]);
    assert!(!missing.status.success() && stderr(&missing).contains("no-such.log"), "{}", stderr(&missing));
}

#[test]
fn init_makes_a_set_that_the_daemons_accept_and_no_second_one_over_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    let dir_text = dir.to_str().expect("UTF-8");
    let output = vernport(&["init", "--dev", dir_text]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("vernport-central run"), "{}", stdout(&output));

    let central = vernport_central::Config::read(&dir.join("central.toml")).expect("a configuration");
    vernport_central::Deps::load(&central).expect("files that fit together");
    let dev = vernport::dev::Dev::load(&dir).expect("a set");
    for controller in &dev.controller {
        let config =
            vernport_gateway::Config::load(&dev.gateway_config(controller)).expect("a configuration");
        vernport_gateway::secrets::Secrets::load(&config.keys).expect("keys closed to others");
    }
    let again = vernport(&["init", "--dev", dir_text]);
    assert!(!again.status.success() && stderr(&again).contains("holds a set already"), "{}", stderr(&again));
}

#[test]
fn unseal_refuses_what_is_no_envelope_without_showing_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, key) = (folder.path().join("batch.bin"), folder.path().join("a.key"));
    fs::write(&file, b"not an envelope: YV2RT40A8KB123456").expect("a file");
    fs::write(&key, "00".repeat(32)).expect("a file");
    let (file, key) = (file.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let output = vernport(&["unseal", file, "--key", key]);
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("no envelope") && !stderr(&output).contains("YV2RT"),
        "{}",
        stderr(&output)
    );
}
