//! What is looked over, and what is told of it.

use crate::{assert_shows_none, ok, refused, said, set, text, vernport};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};
use vernport::dev::Dev;

#[test]
fn check_says_what_is_wrong_where_and_how_to_mend_it() {
    type Harm = fn(&Path);
    let cases: [(&str, Harm, &str); 12] = [
        ("westrum/keys/storage.key", |file| mode(file, 0o640), "chmod 600"),
        (
            "westrum/keys/device.key",
            |file| fs::write(file, "device").expect("written"),
            "64 hexadecimal digits",
        ),
        ("central/master.key", |file| fs::remove_file(file).expect("removed"), "cannot be read"),
        ("central/head.key", other, "is not the head key that gateway westrum-box"),
        ("westrum/keys/device.key", other, "is not the device key that central enrols westrum-box with"),
        ("westrum/bundle/bundle.toml", |file| append(file, "\n"), "sign it: `vernport bundle sign`"),
        (
            "westrum/keys/storage.key",
            |file| fs::write(file, "00".repeat(32)).expect("written"),
            "zeros alone, as a key that was wiped",
        ),
        (
            "westrum/keys/storage.key",
            |file| fs::write(file, "4c".repeat(32)).expect("written"),
            "not drawn at random",
        ),
        ("westrum/tls/gateway.key", |file| mode(file, 0o640), "others can read it; run `chmod 600`"),
        (
            "westrum/tls/gateway.key",
            |file| drop(fs::copy(file.with_file_name("registrar.key"), file)),
            "does not belong to the certificate",
        ),
        ("central", |folder| mode(folder, 0o777), "others may replace it"),
        (
            "central/head.key",
            |file| drop(fs::copy(file.with_file_name("master.key"), file)),
            "is the same key as",
        ),
    ];
    for (name, harm, expected) in cases {
        let (_folder, dev, controller) = set();
        let (gateway, central) = (dev.gateway_config(&controller), dev.central_config());
        let args = ["keys", "check", "--gateway", text(&gateway), "--central", text(&central)];
        let told = ok(&args);
        assert!(!told.contains("error"), "{told}");
        assert_shows_none(&told, &dev.dir);
        harm(&dev.dir.join(name));
        let told = refused(&args);
        let line = told.lines().find(|line| line.contains(expected));
        assert!(line.is_some_and(|line| line.starts_with("error: ")), "{name}, {expected}: {told}");
    }
}

#[test]
fn check_tells_two_controllers_of_one_identity_and_a_gateway_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    ok(&["init", "--dev", text(&folder.path().join("set"))]);
    let dev = Dev::load(&folder.path().join("set")).expect("a set");
    let identity = |name: &str| dev.dir.join(name).join("keys/identity.key");
    let central = dev.central_config();
    let gateway = dev.dir.join("westrum/gateway.toml");
    let args = ["keys", "check", "--gateway", text(&gateway), "--central", text(&central), "--json"];
    let json = |output: &Output| serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON");
    let output = vernport(&args);
    assert!(output.status.success(), "{}", said(&output));
    let told = json(&output);
    assert_eq!(told["findings"], serde_json::json!([]));
    assert_eq!(
        told["keys"].as_array().map(Vec::len),
        Some(3 + 2 + 3),
        "its own, central's, other controllers'"
    );
    fs::copy(identity("westrum"), identity("car-special")).expect("copied");
    let told = json(&vernport(&args));
    assert!(
        told["findings"][0]["problem"].as_str().is_some_and(|text| text.contains("one identity key")),
        "{told}"
    );
    assert_eq!(told["findings"][0]["severity"], "error");
    // The gateway has a copy of its own, of another controller's key.
    let copy = dev.dir.join("westrum/keys/other.key");
    fs::copy(identity("example-fleet"), &copy).expect("copied");
    let config = fs::read_to_string(&gateway).expect("a configuration");
    fs::write(&gateway, config.replace("keys/identity.key", "keys/other.key")).expect("written");
    let told = said(&vernport(&args));
    assert!(told.contains("is not the identity key of"), "{told}");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

fn other(file: &Path) {
    fs::write(file, "4c".repeat(31) + "00\n").expect("written");
}

fn append(file: &Path, end: &str) {
    let text = fs::read_to_string(file).expect("a file");
    fs::write(file, text + end).expect("written");
}
