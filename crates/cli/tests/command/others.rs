//! The other commands, as a person types them.

use crate::program::{stderr, stdout, vernport};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
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
    fs::write(&key, "07".repeat(32)).expect("a file");
    let (file, key) = (file.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let output = vernport(&["unseal", file, "--key", key]);
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("no envelope") && !stderr(&output).contains("YV2RT"),
        "{}",
        stderr(&output)
    );
}
