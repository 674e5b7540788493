//! A change of a key that was broken off between any two steps: `KEY.new` is written, the old key gets a second
//! name, the new one takes its place, the old one is wiped and removed.

use crate::{key, ok, refused, set, text};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use vernport_crypto::OpeningKey;

fn with(path: &Path, ending: &str) -> PathBuf {
    format!("{}{ending}", path.display()).into()
}

fn write(path: &Path, byte: &str) {
    fs::write(path, format!("{}\n", byte.repeat(32))).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("own file");
}

/// The first `steps` steps of a change from this key to `5a…`, as an interrupted run leaves them.
fn broken_off(path: &Path, kept: &Path, steps: usize) {
    if steps > 0 {
        write(&with(path, ".new"), "5a");
    }
    if steps > 1 {
        fs::hard_link(path, kept).expect("linked");
    }
}

#[test]
fn a_storage_key_that_was_half_changed_is_changed_by_the_next_run_and_never_wiped() {
    for steps in 0..=2 {
        let (_folder, dev, controller) = set();
        let config = dev.gateway_config(&controller);
        let storage = dev.folder(&controller).join("keys/storage.key");
        let (before, kept) = (key(&storage), with(&storage, ".before"));
        broken_off(&storage, &kept, steps);
        let rotate = ["keys", "rotate", "storage", "--gateway", text(&config)];
        let finish = [&rotate[..], &["--finish"]].concat();
        let told = refused(&finish);
        let says = if steps < 2 { "the change is finished" } else { "run this without --finish first" };
        assert!(told.contains(says), "{steps}: {told}");
        assert_eq!(key(&storage), before, "{steps}");

        ok(&rotate);
        assert_eq!(key(&kept), before, "{steps}");
        assert_eq!(key(&storage) == [0x5A; 32], steps > 0, "{steps}: with the key it had begun with");
        assert!(!with(&storage, ".new").exists());
        let now = key(&storage);
        assert!(refused(&rotate).contains("still here"));
        // Wiped, and broken off before it was removed.
        if steps == 2 {
            write(&kept, "00");
        }
        ok(&finish);
        assert!(!kept.exists());
        assert_eq!(key(&storage), now, "{steps}");
    }
}

#[test]
fn a_new_key_that_was_half_written_is_written_anew() {
    let (_folder, dev, controller) = set();
    let storage = dev.folder(&controller).join("keys/storage.key");
    let part = with(&storage, ".new.part");
    fs::write(&part, "5a5a").expect("written");
    let now = key(&storage);
    ok(&["keys", "rotate", "storage", "--gateway", text(&dev.gateway_config(&controller))]);
    assert_ne!(key(&storage), now);
    assert!(!part.exists() && !with(&storage, ".new").exists());
}

#[test]
fn a_key_that_has_another_name_is_taken_away_without_being_wiped() {
    let (folder, dev, controller) = set();
    let config = dev.gateway_config(&controller);
    let rotate = ["keys", "rotate", "storage", "--gateway", text(&config)];
    ok(&rotate);
    let kept = dev.folder(&controller).join("keys/storage.key.before");
    let (before, copy) = (key(&kept), folder.path().join("copy.key"));
    fs::hard_link(&kept, &copy).expect("linked");
    let told = ok(&[&rotate[..], &["--finish"]].concat());
    assert!(told.contains("it was not wiped"), "{told}");
    assert!(!kept.exists());
    assert_eq!(key(&copy), before);
}

#[test]
fn a_master_key_that_was_half_changed_is_changed_by_the_next_run() {
    for steps in 0..=2 {
        let (_folder, dev, _) = set();
        let master = dev.dir.join("central/master.key");
        let (before, kept) = (key(&master), with(&master, ".before"));
        broken_off(&master, &kept, steps);
        let rotate =
            ["keys", "rotate", "master", "--central", text(&dev.central_config())].map(str::to_owned);
        let rotate: Vec<&str> = rotate.iter().map(String::as_str).collect();
        ok(&rotate);
        assert_eq!((key(&kept), key(&master) == [0x5A; 32]), (before, steps > 0), "{steps}");
        assert!(refused(&rotate).contains("the key before is still here"));
    }
}

#[test]
fn a_recipient_s_key_that_was_half_changed_is_changed_by_the_next_run() {
    for steps in 0..=2 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("workshop.service.key");
        write(&path, "3b");
        let id = OpeningKey::from_bytes([0x3B; 32]).wrapping_key().key_id();
        let kept = folder.path().join(format!("workshop.service.{id}.key"));
        broken_off(&path, &kept, steps);
        let args = ["--key", text(&path), "--recipient", "workshop", "--purpose", "service"];
        ok(&[&["keys", "rotate", "recipient"], &args[..]].concat());
        assert_eq!((key(&kept), key(&path) == [0x5A; 32]), ([0x3B; 32], steps > 0), "{steps}");
    }
}
