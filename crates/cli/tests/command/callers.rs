//! What a workshop's own system does, as typed: imports, events, references, processors.

use crate::program::{at_westrum, done, refused, stdout};
use serde_json::{Value, json};
use std::process::Output;

type Typed<'a> = &'a dyn Fn(&[&str], &[&str]) -> Output;

/// What `ledger events` printed: the events, and where it ended.
fn events(typed: Typed<'_>, after: &[&str]) -> (Vec<Value>, String) {
    let said = done(&typed(&["ledger", "events"], after));
    let mut lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let next = lines.pop().expect("the last line says where it ended");
    (lines, next["next"].as_str().expect("there are entries").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_tried_imported_followed_and_found_again() {
    let checks = at_westrum(|typed| {
        let folder = tempfile::tempdir().expect("a folder");
        let (before, cursor) = events(typed, &[]);
        let statement = before.last().expect("there are entries")["entry"]["statement"].clone();
        let entry = |event: Value, reference: &str| {
            let mut entry = statement.clone();
            entry["event"] = event;
            entry["source"] = json!("dms");
            entry["external_ref"] = json!(reference);
            json!({"entry": entry}).to_string()
        };
        let linked =
            json!({"kind": "linked", "asset": "a1".repeat(16), "subject": "5".repeat(32), "role": "owner"});
        let closed = json!({"kind": "order-closed", "order": "00".repeat(16)});
        let file = folder.path().join("entries.ndjson");
        let lines = [entry(linked.clone(), "one"), entry(closed, "two"), entry(linked, "three")].join("\n");
        std::fs::write(&file, lines).expect("a file");
        let file = file.to_str().expect("UTF-8");

        let dry = typed(&["ledger", "import"], &[file, "--dry-run", "--keep-going"]);
        assert_eq!(dry.status.code(), Some(1), "a line would be refused");
        assert!(
            stdout(&dry).contains("would be: 2 recorded, 0 already there, 1 refused"),
            "{}",
            stdout(&dry)
        );
        assert_eq!(events(typed, &["--after", &cursor]).0, [] as [Value; 0]);

        let stopped = typed(&["ledger", "import"], &[file]);
        assert!(refused(&stopped).contains("stopped at line 2: entry-refused"));
        assert!(stdout(&stopped).contains("1 recorded, 0 already there, 1 refused"));
        let on = typed(&["ledger", "import"], &[file, "--keep-going", "--json", "--key", "import-1"]);
        let on: Value = serde_json::from_str(&stdout(&on)).expect("JSON alone");
        assert_eq!((&on["recorded"], &on["already"], &on["refused"]), (&json!(1), &json!(1), &json!(1)));

        let (new, _) = events(typed, &["--after", &cursor]);
        assert_eq!(new.len(), 2);
        let found = done(&typed(&["ledger", "find"], &["--external-ref", "three", "--source", "dms"]));
        let hash = new[1]["entry"]["hash"].as_str().expect("a hash");
        assert!(found.contains(hash) && found.contains("in force"), "{found}");
        refused(&typed(&["ledger", "find"], &["--external-ref", "two", "--source", "dms"]));

        let missing = typed(&["ledger", "import"], &["no-such-file"]);
        assert_eq!(missing.status.code(), Some(2));
        assert_eq!(typed(&["ledger", "events"], &["--after", "7"]).status.code(), Some(2));
        true
    });
    assert!(checks.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_made_listed_and_ended() {
    let told = at_westrum(|typed| {
        let none = done(&typed(&["processor", "list"], &[]));
        assert!(none.contains("nobody records"), "{none}");
        let firm = [
            "--processor",
            "NO-912345678",
            "--name",
            "dealer-system",
            "--contract",
            "DPA 7",
            "--days",
            "365",
        ];
        let half = typed(&["processor", "agree"], &[&firm[..], &["--kind", "order-opened"]].concat());
        assert!(refused(&half).contains("needs order-closed"), "who opens has to be able to close");
        let kinds = ["--kind", "order-opened", "--kind", "order-closed"];
        let agreed = done(&typed(&["processor", "agree"], &[&firm[..], &kinds].concat()));
        let entry = agreed.trim_end().rsplit(' ').next().expect("names the entry").to_owned();
        let listed = done(&typed(&["processor", "list"], &[]));
        done(&typed(&["processor", "end"], &[&entry]));
        (listed, done(&typed(&["processor", "list"], &[])))
    });
    let (listed, ended) = told.await;
    assert!(listed.contains("in force") && listed.contains("order-closed order-opened"), "{listed}");
    assert!(ended.contains("over") && !ended.contains("in force"), "{ended}");
}
