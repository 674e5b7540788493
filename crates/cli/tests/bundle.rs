//! `vernport bundle …`, as a person types it: answers, errors and how it ends.

use serde_json::Value as Json;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use vernport_crypto::SigningKey;

/// A bundle with one flow, and a list of its clauses in which nothing is open.
const BUNDLE: &str = r#"format = 1
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
const CLAUSES: &str = r#"
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
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("bundle.toml", BUNDLE);
        folder.write("clauses.toml", CLAUSES);
        fs::create_dir(folder.0.path().join("tests")).expect("a folder");
        folder.write("tests/S-2.toml", "");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("a file");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }

    /// Writes the bundle with changes.
    fn change(&self, changes: &[(&str, &str)]) -> &Self {
        let changed = changes.iter().fold(BUNDLE.to_owned(), |text, (old, new)| {
            assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
            text.replace(old, new)
        });
        self.write("bundle.toml", &changed);
        self
    }
}

fn bundle(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vernport"))
        .arg("bundle")
        .args(args)
        .env_remove("VERNPORT_LOG")
        .output()
        .expect("the program starts")
}

/// How it ended, what it answered, what it complained about.
fn ran(args: &[&str]) -> (i32, String, String) {
    let output = bundle(args);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("an end"), text(&output.stdout), text(&output.stderr))
}

fn check(folder: &Folder) -> (i32, String, String) {
    ran(&["check", folder.path(), "--at", "2026-06-01"])
}

fn as_json(args: &[&str]) -> (i32, Json) {
    let (code, out, _) = ran(args);
    (code, serde_json::from_str(&out).expect("JSON alone on standard output"))
}

/// A bundle key, as the controller keeps it.
fn key(folder: &Folder, seed: u8) -> (String, String) {
    let file = folder.file(&format!("bundle-{seed}.key"));
    fs::write(&file, hex::encode([seed; 32]) + "\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("closed to others");
    let public = SigningKey::from_seed([seed; 32]).verifying_key().to_string();
    (file.to_str().expect("UTF-8").to_owned(), public)
}

#[test]
fn a_bundle_without_findings_ends_with_0_and_counts_its_clauses() {
    let folder = Folder::new();
    let (code, out, err) = check(&folder);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("2 flows, 2 of 35 signals named by a flow"), "{out}");
    assert!(out.contains("5 clauses; of 3 that rules have to keep: 2 covered, 1 due later, 0 open"), "{out}");
    assert!(out.contains("1 supported, 1 organisational"), "{out}");
}

#[test]
fn a_finding_ends_with_1_until_the_bundle_acknowledges_it() {
    let folder = Folder::new();
    let (_, out, _) = check(
        folder
            .change(&[("clauses = [\"S-4\"]\n[[right]]", "clauses = [\"S-4\"]\nassumed = true\n[[right]]")]),
    );
    assert!(out.contains("new    F-5: ") && out.contains("bundle.toml:37: "), "{out}");
    let (code, _, err) = check(&folder);
    assert_eq!(code, 1);
    assert!(err.contains("1 findings that no bundle acknowledges"), "{err}");
    let known = "assumed = true\n[[acknowledged]]\nfinding = \"F-5\"\nrule = \"retention.year\"\nreason = \"Asked.\"\n";
    folder.change(&[("clauses = [\"S-4\"]\n[[right]]", &format!("clauses = [\"S-4\"]\n{known}[[right]]"))]);
    let (code, out, _) = check(&folder);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("known  F-5: ") && out.contains("(Asked.)"), "{out}");
}

#[test]
fn a_bundle_that_cannot_be_used_ends_with_2_and_the_others_are_checked() {
    let (folder, good) = (Folder::new(), Folder::new());
    folder.change(&[(
        "retention = \"year\"\ndeliver = { store = true }",
        "retention = \"yaer\"\ndeliver = { store = true }",
    )]);
    let (code, out, err) = ran(&["check", folder.path(), good.path(), "--at", "2026-06-01"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("bundle.toml:51:") && err.contains("there is no retention `yaer`; add `[[retention]]`"),
        "{err}"
    );
    assert!(out.contains("in order") && !out.contains("yaer"), "{out}");
    let (code, json) = as_json(&["check", "--json", folder.path(), good.path(), "--at", "2026-06-01"]);
    assert_eq!(
        (code, &json["bundles"][0]["valid"], &json["bundles"][1]["valid"]),
        (2, &false.into(), &true.into())
    );
    let broken = Folder::new();
    broken.write("clauses.toml", "[[clause]]\nid = \"S-1\"\nclass = \"E\"\n");
    let (code, _, err) = check(&broken);
    assert_eq!(code, 2);
    assert!(err.contains("clauses.toml:1: missing field `status`; write [[clause]]"), "{err}");
    assert_eq!(ran(&["check", "no/such/folder"]).0, 2);
}

#[test]
fn what_json_says_is_what_its_schema_describes() {
    let schema: Json = serde_json::from_str(vernport::bundle::CHECK_SCHEMA).expect("JSON");
    let (good, bad, broken) = (Folder::new(), Folder::new(), Folder::new());
    bad.change(&[("review_by = 2027-01-01", "review_by = 2026-01-01\nassumed = true")]);
    broken.write("bundle.toml", "format = 2\n");
    let (code, json) =
        as_json(&["check", "--json", "--at", "2026-06-01", good.path(), bad.path(), broken.path()]);
    assert_eq!(code, 2);
    assert!(jsonschema::is_valid(&schema, &json), "{json:#}");
    let ids = |place: usize| -> Vec<&str> {
        let findings = json["bundles"][place]["findings"].as_array().expect("a list");
        findings.iter().map(|finding| finding["id"].as_str().expect("a name")).collect()
    };
    assert_eq!((ids(0), ids(1)), (vec![], vec!["F-7", "review-overdue"]));
    assert_eq!(json["bundles"][0]["counts"]["open"], 0);
    assert_eq!(json["bundles"][1]["new_findings"], 2);
    // The schema is not satisfied by just anything.
    let mut wrong = json.clone();
    wrong["bundles"][0]["counts"]["open"] = (-1).into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
}

#[test]
fn tests_that_are_not_there_and_dates_that_pass_are_found() {
    let folder = Folder::new();
    fs::remove_file(folder.file("tests/S-2.toml")).expect("it was there");
    let (code, out, _) = check(&folder);
    assert_eq!(code, 1);
    assert!(out.contains("0 covered, 1 due later, 2 open"), "{out}");
    assert!(out.contains("test-missing") && out.contains("there is no test `tests/S-2.toml`"), "{out}");
    folder.write("tests/S-2.toml", "");
    for (at, expected) in [
        ("2026-11-01", None),
        ("2027-11-01", Some("agreement-ends-soon")),
        ("2028-02-01", Some("agreement-ended")),
    ] {
        let (_, out, _) = ran(&["check", folder.path(), "--at", at]);
        assert_eq!(out.contains("agreement-en"), expected.is_some(), "{out}");
        assert!(out.contains(expected.unwrap_or("in order")), "{out}");
    }
    let (code, _, err) = ran(&["check", folder.path(), "--at", "tomorrow"]);
    assert!(code == 1 && err.contains("--at tomorrow: not a day such as 2027-01-31"), "{err}");
}

#[test]
fn a_rust_test_is_looked_up_by_its_function_inside_of_the_repository() {
    let repository = tempfile::tempdir().expect("a folder");
    let at = |path: &str| repository.path().join(path);
    for folder in ["crates/policy/tests/decide", "tests/rules/clauses", "config/small"] {
        fs::create_dir_all(at(folder)).expect("a folder");
    }
    fs::write(at("Cargo.toml"), "[workspace]\n").expect("a file");
    fs::write(at("config/small/bundle.toml"), BUNDLE).expect("a file");
    fs::write(at("tests/rules/clauses/small.rs"), "#[test]\nfn s_2_holds() {}\n").expect("a file");
    fs::write(at("crates/policy/tests/decide/cases.rs"), "#[test]\nfn deny() {}\n").expect("a file");
    let found = |test: &str| {
        let clauses = CLAUSES.replace("tests/S-2.toml", test);
        fs::write(at("config/small/clauses.toml"), clauses).expect("a file");
        let folder = at("config/small");
        ran(&["check", folder.to_str().expect("UTF-8"), "--at", "2026-06-01"]).0 == 0
    };
    assert!(found("rules::clauses::small::s_2_holds"));
    assert!(found("policy::cases::deny"));
    assert!(!found("rules::clauses::small::s_2_hold"));
    assert!(!found("policy::other::deny"));
    assert!(!found("nobody::s_2_holds"));
}

#[test]
fn a_rendering_says_everything_in_words_and_names_the_bundle() {
    let folder = Folder::new();
    let (code, out, err) = ran(&["render", folder.path()]);
    assert_eq!((code, err.as_str()), (0, ""));
    for said in [
        "# What Small AS does with data of vehicles",
        "the value to the nearest 10 000 m",
        "state of components",
        "| `year` | one year after the reading | one year after the reading | service |",
        "| The maker (`maker`) | customer | SE | a-1 (from 2026-01-01 until 2028-01-01) |",
        "to have it erased",
        "Nothing: every rule stands in the notice.",
    ] {
        assert!(out.contains(said), "{said}\n{out}");
    }
    let hash = hex::encode(vernport_crypto::sha256(BUNDLE.as_bytes()));
    assert!(out.ends_with(&format!("SHA-256 `{hash}`.\n")), "{out}");
    folder.change(&[("format = 1", "format = 9")]);
    let (code, out, err) = ran(&["render", folder.path()]);
    assert!(code == 2 && out.is_empty() && err.contains("bundle.toml:1:10: format 9"), "{err}");
}

#[test]
fn only_a_bundle_that_can_be_used_is_signed() {
    let folder = Folder::new();
    let (key_file, public) = key(&folder, 1);
    let (code, out, err) = ran(&["sign", folder.path(), "--key", &key_file]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&public), "{out}");
    let signature = fs::read_to_string(folder.file("bundle.sig")).expect("signed");
    vernport_policy::verify_bundle(&public.parse().expect("a key"), BUNDLE, Some(&signature))
        .expect("its own");
    fs::remove_file(folder.file("bundle.sig")).expect("it was there");
    folder.change(&[("\"P1Y\"\nat_most", "\"P2Y\"\nat_most")]);
    let (code, _, err) = ran(&["sign", folder.path(), "--key", &key_file]);
    assert!(code == 2 && err.contains("the period is longer than its cap"), "{err}");
    assert!(!folder.file("bundle.sig").exists());
    // A key that others may read is none.
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o644)).expect("opened");
    let (code, _, err) = ran(&["sign", folder.change(&[]).path(), "--key", &key_file]);
    assert!(code == 1 && err.contains("chmod 600"), "{err}");
}

#[test]
fn a_diff_names_what_is_newly_permitted_and_ends_with_1() {
    let (old, new) = (Folder::new(), Folder::new());
    let (code, out, _) = ran(&["diff", old.path(), new.path()]);
    assert_eq!((code, out.as_str()), (0, "no difference\n"));
    new.change(&[("\"round-10000\"", "\"round-1000\""), ("until = 2028-01-01", "until = 2027-01-01")]);
    let (code, out, err) = ran(&["diff", old.path(), new.path()]);
    assert_eq!(code, 1);
    assert!(
        out.contains("wider     flow.workshop.signals.Vehicle.TraveledDistance: round-10000 → round-1000"),
        "{out}"
    );
    assert!(out.contains("narrower  recipient.maker: agreement: "), "{out}");
    assert!(err.contains("permits 1 things"), "{err}");
    let (code, json) = as_json(&["diff", "--json", new.path(), old.path()]);
    assert_eq!(
        (code, &json["widens"], &json["narrows"], &json["equal"]),
        (1, &true.into(), &true.into(), &false.into())
    );
    assert_eq!(json["changes"][0]["effect"], "denies");
    new.change(&[("\"round-10000\"", "\"round-20000\"")]);
    assert_eq!(ran(&["diff", old.path(), new.path()]).0, 0);
    assert_eq!(ran(&["diff", old.path(), "no/such/folder"]).0, 2);
    // Shipped bundles by name, of two controllers: everything differs.
    let (code, out, _) = ran(&["diff", "westrum", "car-special"]);
    assert!(code == 1 && out.contains("controller: id: NO-900000001 → DK-10628334"), "{out}");
}

#[test]
fn exports_bear_what_a_record_and_a_purpose_list_have_to() {
    let folder = Folder::new();
    let (code, record) = as_json(&["export", folder.path(), "--format", "dpv"]);
    assert_eq!(code, 0);
    let graph = record["@graph"].as_array().expect("a graph");
    let named =
        |id: &str| graph.iter().find(|node| node["@id"] == id).unwrap_or_else(|| panic!("{id}\n{record:#}"));
    let flow = named("vernport:NO-999999999:flow:workshop");
    assert_eq!(flow["dpv:hasPurpose"]["@id"], "https://w3id.org/dpv#ServiceProvision");
    assert_eq!(flow["dpv:hasLegalBasis"]["@id"], "eu-gdpr:A6-1-b");
    assert_eq!(flow["dpv:hasStorageCondition"]["dpv:hasDuration"]["dct:extent"]["@value"], "P1Y");
    assert_eq!(named("vernport:NO-999999999:recipient:maker")["dpv:hasLocation"]["@id"], "loc:SE");
    let hash = hex::encode(vernport_crypto::sha256(BUNDLE.as_bytes()));
    assert_eq!(named("vernport:NO-999999999:ropa:small")["dct:source"], format!("sha256:{hash}"));
    // A purpose list cannot say "rounded": what is rounded is not on it, and is said so.
    let (code, out, err) = ran(&["export", folder.path(), "--format", "viss"]);
    assert_eq!(code, 0);
    let list: Json = serde_json::from_str(&out).expect("JSON alone");
    let read = |path: &str| serde_json::json!([{ "path": path, "access_permission": "read-only" }]);
    assert_eq!(list["purposes"][0]["short"], "service-independent");
    assert_eq!(list["purposes"][0]["signal_access"], read("Vehicle.Diagnostics.DTCList"));
    assert_eq!(list["purposes"][1]["short"], "service-owner");
    assert_eq!(list["purposes"][1]["signal_access"], read("Vehicle.TraveledDistance"));
    assert!(
        err.contains(
            "left out: flow.workshop.signals.Vehicle.TraveledDistance: passed on as round-10000 only"
        ),
        "{err}"
    );
}

/// A controller's folder of active rules, and the key that signs for it.
struct Active {
    bundle: Folder,
    into: tempfile::TempDir,
    key: String,
    public: String,
}

impl Active {
    fn new() -> Self {
        let bundle = Folder::new();
        let (key, public) = key(&bundle, 1);
        Self { bundle, into: tempfile::tempdir().expect("a folder"), key, public }
    }

    fn dir(&self) -> &str {
        self.into.path().to_str().expect("UTF-8")
    }

    fn sign(&self) {
        assert_eq!(ran(&["sign", self.bundle.path(), "--key", &self.key]).0, 0);
    }

    fn activate(&self) -> (i32, String, String) {
        ran(&["activate", self.bundle.path(), "--into", self.dir(), "--signed-by", &self.public])
    }

    fn history(&self) -> (i32, String, String) {
        ran(&["history", self.dir()])
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.into.path().join(name)).expect(name)
    }
}

#[test]
fn what_is_activated_is_signed_and_written_with_its_signature_and_its_history() {
    let active = Active::new();
    let (code, _, err) = active.activate();
    assert!(code == 1 && err.contains("bundle.sig: the bundle is not signed; sign it"), "{err}");
    active.sign();
    let (code, out, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("active as number 1"), "{out}");
    assert_eq!(active.read("bundle.toml"), BUNDLE);
    let key = active.public.parse().expect("a key");
    vernport_policy::verify_bundle(&key, BUNDLE, Some(&active.read("bundle.sig"))).expect("the pair fits");
    // Again: nothing to do.
    let (code, out, _) = active.activate();
    assert!(code == 0 && out.contains("active already, as number 1"), "{out}");
    // Narrower: no notice has to tell of it.
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    assert!(active.read("bundle.toml").contains("round-20000"));
    let (code, out, err) = active.history();
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("narrower  flow.workshop.signals.Vehicle.TraveledDistance: round-10000 → round-20000"),
        "{out}"
    );
    assert!(out.contains("the chain holds"), "{out}");
    // Somebody else's signature is none.
    let (_, other) = key_of_another(&active.bundle);
    let (code, _, err) =
        ran(&["activate", active.bundle.path(), "--into", active.dir(), "--signed-by", &other]);
    assert!(code == 1 && err.contains("not signed by the controller's bundle key"), "{err}");
}

fn key_of_another(folder: &Folder) -> (String, String) {
    key(folder, 2)
}

#[test]
fn what_is_wider_waits_for_a_newer_notice() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    let finer = ("\"round-10000\"", "\"round-1000\"");
    active.bundle.change(&[finer]);
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 1);
    assert!(err.contains("flow.workshop.signals.Vehicle.TraveledDistance is wider"), "{err}");
    assert!(err.contains("bundle.toml:") && err.contains("add a [[notice]]"), "{err}");
    assert_eq!(active.read("bundle.toml"), BUNDLE, "nothing was changed");
    // A notice alone is not enough: the flow has to wait for it.
    let notice = (
        "[[purpose]]",
        "[[notice]]\nversion = \"small-2\"\nserved_when = \"told\"\ncategories = [\"odometer\", \"component-status\"]\nclauses = [\"S-2\"]\n[[purpose]]",
    );
    active.bundle.change(&[finer, notice]);
    active.sign();
    assert_eq!(active.activate().0, 1);
    let waits = ("roles = [\"driver\"]", "roles = [\"driver\"]\nnotice = \"small-2\"");
    active.bundle.change(&[finer, notice, waits]);
    active.sign();
    let (code, out, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("active as number 2"), "{out}");
    let (code, out, _) = active.history();
    assert!(code == 0 && out.contains("notices small-1, small-2"), "{out}");
    // A renewed agreement needs none.
    active.bundle.change(&[finer, notice, waits, ("until = 2028-01-01", "until = 2029-01-01")]);
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_history_that_somebody_changed_is_seen() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    let file = active.into.path().join("history.jsonl");
    let good = fs::read_to_string(&file).expect("a history");
    fs::write(&file, good.replacen("\"notices\":[\"small-1\"]", "\"notices\":[\"small-9\"]", 1))
        .expect("a file");
    let (code, _, err) = active.history();
    assert!(code == 1 && err.contains("history.jsonl:2: the chain is broken"), "{err}");
    assert_eq!(active.activate().0, 1, "nothing is added to a broken chain");
    // The bundle in force is that of the last line.
    fs::write(&file, &good[..=good.find('\n').expect("two lines")]).expect("a file");
    let (code, _, err) = active.history();
    assert!(code == 1 && err.contains("not the one that was activated last"), "{err}");
    fs::write(&file, &good).expect("a file");
    assert_eq!(active.history().0, 0);
    let (code, _, err) = ran(&["history", "no/such/folder"]);
    assert!(code == 1 && err.contains("nothing was activated here"), "{err}");
}

#[test]
fn an_activation_that_was_cut_off_is_ended_by_the_next() {
    let active = Active::new();
    active.sign();
    assert_eq!(active.activate().0, 0);
    active.bundle.change(&[("\"round-10000\"", "\"round-20000\"")]);
    active.sign();
    assert_eq!(active.activate().0, 0);
    // As if the power had failed after the line was written, before the link was moved.
    let link = active.into.path().join("active");
    fs::remove_file(&link).expect("a link");
    std::os::unix::fs::symlink("versions/0001", &link).expect("a link");
    assert_eq!(active.history().0, 1);
    let (code, out, _) = active.activate();
    assert!(code == 0 && out.contains("active already, as number 2"), "{out}");
    assert_eq!(active.history().0, 0);
    assert!(active.read("bundle.toml").contains("round-20000"));
}

#[test]
fn what_nobody_activated_is_not_overwritten() {
    let active = Active::new();
    active.sign();
    fs::write(active.into.path().join("bundle.toml"), "mine").expect("a file");
    let (code, _, err) = active.activate();
    assert!(code == 1 && err.contains("no activation made it; move it away"), "{err}");
    assert_eq!(active.read("bundle.toml"), "mine");
}

#[test]
fn a_bundle_takes_its_base_with_it() {
    let active = Active::new();
    let hash = hex::encode(vernport_crypto::sha256(BUNDLE.as_bytes()));
    active.bundle.write("small.toml", BUNDLE);
    let text =
        format!("format = 1\nname = \"smaller\"\nextends = {{ bundle = \"small\", hash = \"{hash}\" }}\n");
    let own =
        BUNDLE.lines().skip(2).take_while(|line| !line.starts_with("[[")).collect::<Vec<_>>().join("\n");
    active.bundle.write("bundle.toml", &format!("{text}{own}\n"));
    active.sign();
    let (code, _, err) = active.activate();
    assert_eq!(code, 0, "{err}");
    assert_eq!(active.read("small.toml"), BUNDLE);
    assert!(Path::new(active.dir()).join("versions/0001/small.toml").is_file());
    let (code, out, _) = ran(&["diff", active.dir(), active.bundle.path()]);
    assert_eq!((code, out.as_str()), (0, "no difference\n"));
}
