//! The configuration file: the samples are read, and a wrong file says where
//! and how to mend it.

use std::{path::Path, process::Command};
use vernport_central::{Config, ConfigError, Deps};

const BASIC: &str = include_str!("../../../config/central.basic.toml");
const FULL: &str = include_str!("../../../config/central.full.toml");

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml("central.toml", text, Path::new("/etc/vernport"))
}

#[test]
fn both_samples_are_read_and_the_defaults_in_the_full_one_are_true() {
    let (basic, full) = (read(BASIC).expect("basic"), read(FULL).expect("full"));
    assert_eq!(format!("{:?}", basic.listen), format!("{:?}", full.listen));
    assert_eq!((basic.controllers.len(), full.controllers.len()), (1, 2));
    assert_eq!(full.controllers[0].gateways.len(), 1);
}

#[test]
fn paths_begin_at_the_file_and_absolute_ones_stay() {
    let relative = BASIC.replace("sqlite:///var/lib/vernport/central.db", "sqlite://data/central.db");
    let config = read(&relative).expect("good");
    assert_eq!(config.tls.certificate, Path::new("/etc/vernport/tls/central.pem"));
    assert_eq!(config.controllers[0].bundle, Path::new("/etc/vernport/bundles/example-fleet"));
    assert_eq!(config.store.main, "sqlite:///etc/vernport/data/central.db");
    assert_eq!(config.store.erasure, "sqlite:///var/lib/vernport-erasure/keys.db");
}

#[test]
fn a_wrong_file_says_which_line_or_key_and_what_is_expected() {
    let cases = [
        (BASIC.replace("[store]", "[store]\nmian = 1"), "central.toml:14: unknown field `mian`"),
        (BASIC.replace("format = 1", "format = 2"), "central.toml: format: this program reads format 1"),
        (
            BASIC.replace("8443\"", "8443\"\nmax_connections = 0"),
            "central.toml: listen.max_connections: give 1 to",
        ),
        (
            BASIC.replace("8443\"", "8443\"\nrequest_timeout_ms = 5"),
            "central.toml: listen.request_timeout_ms",
        ),
        (
            BASIC.replace("8443\"", "8443\"\nhandshake_timeout_ms = 5"),
            "central.toml: listen.handshake_timeout_ms",
        ),
        (
            BASIC.replace(
                "sqlite:///var/lib/vernport-erasure/keys.db",
                "sqlite:///var/lib/vernport/central.db",
            ),
            "central.toml: store.erasure: give the erasure keys a database of their own",
        ),
        (
            FULL.replace("DK-10628334", "NO-999999999"),
            "central.toml: controller.id: list each controller once",
        ),
        (BASIC.replace("NO-999999999", "999999999"), "central.toml:22: a controller is written"),
        (BASIC.replace("8520f0", "zz20f0"), "central.toml:25: "),
    ];
    for (text, expected) in cases {
        let error = read(&text).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
}

#[test]
fn what_a_file_names_and_is_not_there_is_named() {
    let error = Deps::load(&read(BASIC).expect("good")).err().expect("nothing is there");
    assert!(error.to_string().starts_with("/etc/vernport/signals: cannot be read"), "{error}");
}

#[test]
fn check_config_ends_with_an_error_for_a_wrong_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("central.toml");
    std::fs::write(&file, BASIC.replace("[store]", "[store]\nmian = 1")).expect("writable");
    let output = Command::new(env!("CARGO_BIN_EXE_vernport-central"))
        .args(["check-config", "--config"])
        .arg(&file)
        .output()
        .expect("runs");
    assert!(!output.status.success() && output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(told.contains("central.toml:14: unknown field `mian`"), "{told}");
}
