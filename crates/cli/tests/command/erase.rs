//! An erasure at the counter and what comes of it, as typed.

use crate::program::{at_westrum, done, refused, vernport};
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_ordered_by_plate_and_its_certificate_is_shown_again() {
    let told = at_westrum(|typed| {
        let about = ["--plate", "no", "ab 123-45", "--ground", "unlawful", "--case", "case 7"];
        let erased = done(&typed(&["erase"], &about));
        let entry = erased.split("entry ").nth(1).and_then(|rest| rest.split('\n').next());
        let entry = entry.expect("names the entry").to_owned();
        let shown = done(&typed(&["erasure"], &[&entry]));
        let json = done(&typed(&["erasure"], &["--json", &entry]));
        let nobody =
            refused(&typed(&["erase"], &["--plate", "no", "zz 1", "--ground", "unlawful", "--case", "c"]));
        let list = done(&typed(&["deletions", "list"], &["--recipient", "westrum-workshop"]));
        let confirm = refused(&typed(&["deletions", "confirm"], &["--recipient", "westrum-workshop", "12"]));
        let clock = done(&typed(&["registry", "clock"], &[]));
        (erased, shown, json, nobody, list, confirm, clock)
    });
    let (erased, shown, json, nobody, list, confirm, clock) = told.await;
    let certificate = "certificate 1 of";
    assert!(erased.contains(certificate) && erased.contains("nothing of it is left here"), "{erased}");
    assert!(shown.contains(certificate) && shown.contains("not reached: backups-of-erasure-keys"), "{shown}");
    let signed: vernport_api::SignedCertificate = serde_json::from_str(&json).expect("JSON alone");
    assert_eq!(signed.signature.as_bytes().len(), 64);
    assert!(nobody.contains("no vehicle here bears that now"), "{nobody}");
    assert!(list.contains("nothing has to be deleted"), "{list}");
    assert!(confirm.contains("not ordered to this recipient"), "{confirm}");
    assert!(clock.contains("confirmed"), "{clock}");
}

#[test]
fn a_registry_begins_an_era_with_its_own_controller_s_key_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    done(&vernport(&["init", "--dev", dir.to_str().expect("UTF-8")]));
    let config = dir.join("central.toml");
    let text = std::fs::read_to_string(&config).expect("there");
    let first = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a controller");
        line.trim_matches(['"', ' ', '=']).to_owned()
    };
    let (id, bundle) = (first("id"), first("bundle "));
    let typed = |key: &Path| {
        let (config, key) = (config.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
        vernport(&["registry", "restored", "--config", config, "--controller", &id, "--bundle-key", key])
    };
    let other = refused(&typed(&dir.join("central/head.key")));
    assert!(other.contains("not the bundle key of"), "{other}");
    let key = dir.join(bundle).join("../keys/bundle.key");
    let begun = done(&typed(&key));
    assert!(begun.contains("0 entries came back") && begun.contains("era 2 begins"), "{begun}");
    assert!(done(&typed(&key)).contains("era 3 begins"), "each number once");
}
