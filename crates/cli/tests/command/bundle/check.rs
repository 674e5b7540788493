//! What is wrong with a bundle, what it says, and what a new version permits.

use super::*;

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
