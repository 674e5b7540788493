//! A central whose keys are credentials of systemd: there while it runs alone, and of a mode of their own.

use crate::{key, ok, refused, set, text};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use vernport::dev::Dev;

const MASTER: &str = "/run/credentials/vernport-central.service/master";

/// Central's configuration, with its master key a credential of a service that does not run.
fn stopped(dev: &Dev) -> PathBuf {
    let config = dev.central_config();
    let text = fs::read_to_string(&config).expect("a configuration");
    let changed = text.replace("central/master.key", MASTER);
    assert_ne!(changed, text);
    fs::write(&config, changed).expect("written");
    config
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

#[test]
fn keys_of_a_central_that_runs_are_in_order_as_systemd_hands_them_over() {
    let (_folder, dev, _) = set();
    let config = dev.central_config();
    let check = ["keys", "check", "--central", text(&config)];
    let (head, master) = (dev.dir.join("central/head.key"), dev.dir.join("central/master.key"));
    for path in [&head, &master] {
        mode(path, 0o440);
    }
    let told = ok(&check);
    assert!(!told.contains("error"), "{told}");
    for path in [&head, &master] {
        mode(path, 0o444);
        assert!(refused(&check).contains("others can read it"));
        mode(path, 0o440);
    }
}

#[test]
fn a_master_key_that_is_a_credential_is_changed_in_a_file_and_encrypted_anew() {
    let (_folder, dev, _) = set();
    let config = stopped(&dev);
    let master = dev.dir.join("central/master.key");
    let before = key(&master);
    let args = ["keys", "rotate", "master", "--central", text(&config)];
    let told = refused(&args);
    assert!(told.contains("systemd-creds decrypt --name=master") && told.contains("--master-key"), "{told}");
    let told = ok(&[&args[..], &["--master-key", text(&master)]].concat());
    assert!(told.contains(&format!("systemd-creds encrypt --name=master {}", master.display())), "{told}");
    assert_ne!(key(&master), before);
    assert_eq!(key(&master.with_file_name("master.key.before")), before);
}

#[test]
fn a_registry_is_brought_back_with_a_master_key_that_was_decrypted_for_it() {
    let (_folder, dev, controller) = set();
    let config = stopped(&dev);
    let (master, bundle) =
        (dev.dir.join("central/master.key"), dev.folder(&controller).join("keys/bundle.key"));
    mode(&master, 0o440);
    let id = controller.id.to_string();
    let args = ["--config", text(&config), "--controller", &id, "--bundle-key", text(&bundle)];
    let args = [&["registry", "restored"], &args[..]].concat();
    assert!(refused(&args).contains("name that file with --master-key"));
    let told = ok(&[&args[..], &["--master-key", text(&master)]].concat());
    assert!(told.contains("era 2 begins"), "{told}");
}
