//! `vernport bundle …`, as a person types it: answers, errors and how it ends.

mod activate;
mod check;

use crate::program::{program, stderr, stdout};
use serde_json::Value as Json;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};
use vernport_crypto::SigningKey;

/// A bundle with one flow, and a list of its clauses in which nothing is open.
pub(crate) const BUNDLE: &str = r#"format = 1
name = "small"
[controller]
id = "NO-999999999"
name = "Small AS"
role = "controller"
jurisdiction = "NO"
time_zone = "Europe/Oslo"
regions = ["EEA"]
review_by = 2027-01-01
clauses = ["S-1"]
[[notice]]
version = "small-1"
served_when = "recorded"
categories = ["odometer", "component-status"]
clauses = ["S-2"]
[[purpose]]
id = "service"
iri = "https://w3id.org/dpv#ServiceProvision"
basis = "A6-1-b"
necessity = "The work needs the distance."
clauses = ["S-3"]
[[recipient]]
id = "workshop"
name = "The workshop"
role = "controller"
region = "NO"
clauses = ["S-1"]
[[recipient]]
id = "maker"
name = "The maker"
role = "customer"
region = "SE"
agreement = { id = "a-1", from = 2026-01-01, until = 2028-01-01 }
clauses = ["S-1"]
[[retention]]
id = "year"
start = "reading"
period = "P1Y"
at_most = "P1Y"
clauses = ["S-4"]
[[right]]
right = "erasure"
deadline = "P1M"
identity = "known"
clauses = ["S-4"]
[[flow]]
id = "workshop"
purpose = "service"
recipient = "workshop"
retention = "year"
deliver = { store = true }
weakest = "tool"
roles = ["driver"]
clauses = ["S-3"]
[flow.signals]
"Vehicle.TraveledDistance" = "round-10000"
"Vehicle.Diagnostics.DTCList" = "exact"
[[flow]]
id = "maker"
purpose = "service"
recipient = "maker"
retention = "year"
deliver = { store = true, topic = "sealed" }
weakest = "tool"
clauses = ["S-3"]
[flow.signals]
"Vehicle.TraveledDistance" = "exact"
"#;
pub(crate) const CLAUSES: &str = r#"
[[clause]]
id = "S-1"
class = "S"
status = "supported"
rules = ["controller", "recipient.workshop", "recipient.maker"]
[[clause]]
id = "S-2"
class = "E"
status = "covered"
rules = ["notice.small-1"]
tests = ["tests/S-2.toml"]
[[clause]]
id = "S-3"
class = "E/S"
status = "covered"
rules = ["purpose.service", "flow.workshop", "flow.maker"]
tests = ["tests/S-2.toml"]
[[clause]]
id = "S-4"
class = "E"
status = "due-later"
rules = ["retention.year", "right.erasure"]
[[clause]]
id = "S-5"
class = "O"
status = "organisational"
"#;

/// A folder with a bundle, its clauses and a trial.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("bundle.toml", BUNDLE);
        folder.write("clauses.toml", CLAUSES);
        fs::create_dir(folder.0.path().join("tests")).expect("a folder");
        folder.write("tests/S-2.toml", "");
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("a file");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }

    /// Writes the bundle with changes.
    pub(crate) fn change(&self, changes: &[(&str, &str)]) -> &Self {
        let changed = changes.iter().fold(BUNDLE.to_owned(), |text, (old, new)| {
            assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
            text.replace(old, new)
        });
        self.write("bundle.toml", &changed);
        self
    }
}

pub(crate) fn bundle(args: &[&str]) -> Output {
    program().arg("bundle").args(args).output().expect("the program starts")
}

/// How it ended, what it answered, what it complained about.
pub(crate) fn ran(args: &[&str]) -> (i32, String, String) {
    let output = bundle(args);
    (output.status.code().expect("an end"), stdout(&output), stderr(&output))
}

pub(crate) fn check(folder: &Folder) -> (i32, String, String) {
    ran(&["check", folder.path(), "--at", "2026-06-01"])
}

pub(crate) fn as_json(args: &[&str]) -> (i32, Json) {
    let (code, out, _) = ran(args);
    (code, serde_json::from_str(&out).expect("JSON alone on standard output"))
}

/// A bundle key, as the controller keeps it.
pub(crate) fn key(folder: &Folder, seed: u8) -> (String, String) {
    let file = folder.file(&format!("bundle-{seed}.key"));
    fs::write(&file, hex::encode([seed; 32]) + "\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("closed to others");
    let public = SigningKey::from_seed([seed; 32]).verifying_key().to_string();
    (file.to_str().expect("UTF-8").to_owned(), public)
}
