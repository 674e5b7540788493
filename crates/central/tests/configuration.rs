//! The configuration file: the samples are read, and a wrong file says where
//! and how to mend it.

use std::{path::Path, process::Command};
use vernport_central::{Config, ConfigError, Deps};
use vernport_crypto::SigningKey;

const BASIC: &str = include_str!("../../../config/central.basic.toml");
const UNIT: &str = include_str!("../../../config/systemd/vernport-central.service");
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
    assert!(basic.enrolment.is_none());
    let least = "[enrolment]\naddress = \"0.0.0.0:8444\"\nauthority_certificate = \"tls/ca.pem\"\n\
                 authority_key = \"keys/ca.key\"\ncentral_url = \"https://central.example.net:8443\"\n[store]";
    let least = read(&BASIC.replace("[store]", least)).expect("good");
    assert_eq!(format!("{:?}", least.enrolment), format!("{:?}", full.enrolment));
}

#[test]
fn paths_begin_at_the_file_and_absolute_ones_stay() {
    let relative = BASIC.replace("sqlite:///var/lib/vernport-central/central.db", "sqlite://data/central.db");
    let config = read(&relative).expect("good");
    assert_eq!(config.tls.certificate, Path::new("/etc/vernport/tls/central.pem"));
    assert_eq!(config.controllers[0].bundle, Path::new("/etc/vernport/bundles/example-fleet"));
    assert_eq!(config.store.main, "sqlite:///etc/vernport/data/central.db");
    assert_eq!(config.store.erasure, "sqlite:///var/lib/vernport-erasure/keys.db");
}

/// All else is read-only to it.
#[test]
fn what_the_samples_have_central_write_lies_where_the_shipped_unit_lets_it() {
    let folders = UNIT.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("it has some");
    let folders: Vec<_> = folders.split(' ').map(|name| Path::new("/var/lib").join(name)).collect();
    assert!(UNIT.lines().any(|line| line == "ProtectSystem=strict"));
    for sample in [BASIC, FULL] {
        let config = read(sample).expect("good");
        let databases = [&config.store.main, &config.store.erasure];
        let databases = databases.map(|url| Path::new(url.strip_prefix("sqlite://").expect("a file")));
        for path in databases.into_iter().chain(config.journal.as_deref()) {
            assert!(folders.iter().any(|folder| path.parent() == Some(folder)), "{}", path.display());
        }
    }
}

#[test]
fn a_wrong_file_says_which_line_or_key_and_what_is_expected() {
    let cases = [
        (BASIC.replace("[store]", "[store]\nmian = 1"), "central.toml:14: unknown field `mian`"),
        (
            FULL.replace("certificate_days = 30", "certificate_days = 91"),
            "central.toml: enrolment.certificate_days: give 1 to 90",
        ),
        (
            FULL.replace("of_address = 6", "of_address = 0"),
            "central.toml: enrolment.attempts_per_minute: give 1 to",
        ),
        (
            FULL.replace("timeout_ms = 10000", "timeout_ms = 10"),
            "central.toml: enrolment.connection_timeout_ms: give",
        ),
        (
            FULL.replace("central_url = \"https", "central_url = \"http"),
            "central.toml: enrolment.central_url: write https://host:port",
        ),
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
                "sqlite:///var/lib/vernport-central/central.db",
            ),
            "central.toml: store.erasure: give the erasure keys a database of their own",
        ),
        (
            BASIC.replace("/var/lib/vernport-journal/central", "/var/lib/./vernport-central/x/../central.db"),
            "central.toml: journal.path: give the journal a file of its own",
        ),
        (
            FULL.replace("DK-10628334", "NO-999999999"),
            "central.toml: controller.id: list each controller once",
        ),
        (BASIC.replace("NO-999999999", "999999999"), "central.toml:25: a controller is written"),
        (BASIC.replace("8520f0", "zz20f0"), "central.toml:29: "),
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

/// A bundle of others was accepted unsigned where no key was set (GHSA-g2pf-6v5v-qcc8). Here a key has to
/// be set, and what it did not sign is refused with the remedy.
#[test]
fn an_unset_bundle_key_never_means_that_unsigned_is_fine() {
    let unset = BASIC.lines().filter(|line| !line.starts_with("bundle_key")).collect::<Vec<_>>().join("\n");
    let error = read(&unset).expect_err("no key").to_string();
    assert!(error.contains("missing field `bundle_key`"), "{error}");
    for none in ["", "00"] {
        let text = BASIC.replace("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", none);
        assert!(read(&text).is_err(), "`{none}` is no key");
    }
}

#[test]
fn a_bundle_that_the_controller_did_not_sign_stops_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = folder.path().join("bundles/example-fleet");
    for made in [&bundle, &folder.path().join("signals")] {
        std::fs::create_dir_all(made).expect("writable");
    }
    let signals = include_str!("../../../config/signals/vehicle.toml");
    std::fs::write(folder.path().join("signals/vehicle.toml"), signals).expect("writable");
    let text = include_str!("../../../config/bundles/example-fleet/bundle.toml");
    std::fs::write(bundle.join("bundle.toml"), text).expect("writable");
    let key = SigningKey::generate();
    let hex = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let config = BASIC.replace(hex, &key.verifying_key().to_string());
    let config = Config::from_toml("central.toml", &config, folder.path()).expect("good");
    let told = || {
        let error = Deps::load(&config).err().expect("keys and certificates are not there");
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    };
    let sign = |key: &SigningKey, text: &str| {
        let signature = format!("{}\n", vernport_policy::sign_bundle(key, text));
        std::fs::write(bundle.join("bundle.sig"), signature).expect("writable");
    };
    let unsigned = told();
    assert!(
        unsigned.contains("bundle.sig") && unsigned.contains("the bundle is not signed; sign it"),
        "{unsigned}"
    );
    sign(&SigningKey::generate(), text);
    assert!(told().contains("not signed by the controller's bundle key"), "{}", told());
    sign(&key, &format!("{text}\n"));
    assert!(told().contains("or changed since; sign it anew: vernport bundle sign"), "{}", told());
    // Signed, the next thing that is missing is named.
    sign(&key, text);
    assert!(told().contains("example-fleet.identity.key"), "{}", told());
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
