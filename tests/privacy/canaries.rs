//! Invariant 8: no plaintext at rest, none in logs.
//!
//! Needles of four raw bytes are met in megabytes of ciphertext by chance now and
//! then. So what is found is looked for in a second visit, with all keys drawn anew:
//! what leaks is found again, what was chance is not.

use crate::{
    evidence::{Batch, Evidence, Holder, evidence, gather, read_files},
    planted::FLEET_NUMBER,
};
use std::fs;
use vernport_mqtt::Roster;
use vernport_testkit::{
    canary::{Canaries, Found},
    logs::Logs,
};

/// Where something was found: `log`, or the file without the moment.
type Place = (String, &'static str, &'static str);

fn places(name: &str, found: Vec<Found>) -> impl Iterator<Item = Place> {
    let name = name.split_once('/').map_or(name, |(_, path)| path).to_owned();
    found.into_iter().map(move |found| (name.clone(), found.canary, found.form))
}

/// Everywhere where a canary is.
fn search(evidence: &Evidence, canaries: &Canaries) -> Vec<Place> {
    let mut found: Vec<Place> = places("log", canaries.search(&evidence.logs)).collect();
    for file in &evidence.files {
        found.extend(places(&file.path, canaries.search(file.path.as_bytes())));
        found.extend(places(&file.path, canaries.search(&file.bytes)));
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn invariant_8_what_was_planted_is_in_no_file_of_edge_or_central_and_in_no_log() {
    let mut found = search(evidence(), &evidence().canaries);
    if !found.is_empty() {
        let again = gather().expect("a second visit goes through as the first one did");
        let found_again = search(&again, &again.canaries);
        found.retain(|place| found_again.contains(place));
    }
    assert!(found.is_empty(), "planted values got away: {found:#?}");
}

#[test]
fn invariant_8_persons_are_known_to_central_s_ledger_and_to_nobody_else() {
    let found = search(evidence(), &evidence().persons);
    let central = |place: &&Place| place.0.starts_with("central/main.db");
    assert!(found.iter().any(|place| central(&place)), "the ledger names persons by their ids");
    let elsewhere: Vec<_> = found.iter().filter(|place| !central(place)).collect();
    assert!(elsewhere.is_empty(), "persons are known elsewhere: {elsewhere:#?}");
}

/// Without this the search above could pass by looking at nothing.
#[test]
fn the_search_looks_at_every_spool_and_both_databases_while_they_hold_something() {
    let evidence = evidence();
    for (name, rules) in &evidence.rules {
        let path = format!("running/{name}/data/spool.db");
        let parts: Vec<_> = evidence.files.iter().filter(|file| file.path.starts_with(&path)).collect();
        assert!(parts.len() > 1, "a spool and its log are there: {name}");
        // Whatever went and was wiped: whose readings were withheld, and how many, stays in the clear.
        let path = format!("all stopped/{name}/data/spool.db");
        let controller = rules.controller().as_str().as_bytes();
        let counts = evidence.files.iter().any(|file| file.path == path && holds(&file.bytes, controller));
        assert!(counts, "the spool of {name} holds its counts");
    }
    for database in ["main", "erasure"] {
        let path = format!("all stopped/central/{database}.db");
        assert!(evidence.files.iter().any(|file| file.path == path && file.bytes.len() > 4096), "{path}");
    }
    let log = String::from_utf8_lossy(&evidence.logs);
    assert!(log.contains("TRACE") && log.contains("a vehicle was recognised"), "the log is of the visit");
}

/// And without this by planting nothing: what is sealed does hold it.
#[test]
fn what_was_planted_arrives_at_those_it_is_for() {
    let evidence = evidence();
    let bodies: Vec<u8> = evidence
        .batches
        .iter()
        .flat_map(|batch| format!("{:?}", values(batch)).into_bytes())
        .chain(evidence.received.iter().flat_map(|message| message.payload.clone()))
        .collect();
    let mut arrived: Vec<&str> =
        evidence.canaries.search(&bodies).into_iter().map(|found| found.canary).collect();
    arrived.sort_unstable();
    arrived.dedup();
    let expected =
        ["cell", "odometer", "odometer of the tool", "odometer, coarse message", "odometer, rounded to 1 km"];
    assert_eq!(arrived, expected);
}

/// An operator's own number of the truck: nobody but the operator reads it, not even on its way.
#[test]
fn invariant_8_a_fleet_number_opens_at_its_operator_and_is_nowhere_else() {
    let evidence = evidence();
    let mut opened = 0;
    for message in &evidence.rosters {
        assert!(evidence.canaries.search(&message.payload).is_empty(), "{}", message.topic);
        let roster = Roster::from_json(&message.payload).expect("a roster");
        for vehicle in roster.vehicles() {
            for key in &evidence.keys {
                let number =
                    vehicle.number().open(&key.key, &roster.controller, &message.operator, &vehicle.purpose);
                let Ok(number) = number else { continue };
                assert_eq!(number.expose(), FLEET_NUMBER);
                let holder = Holder::Recipient {
                    controller: roster.controller.clone(),
                    recipient: message.operator.clone(),
                    purpose: vehicle.purpose.clone(),
                };
                assert_eq!(key.holder, holder);
                opened += 1;
            }
        }
    }
    assert!(opened > 1, "both operators were told");
}

fn values(batch: &Batch) -> Vec<serde_json::Value> {
    batch.body.records.iter().map(|record| serde_json::to_value(record.value).expect("a value")).collect()
}

#[test]
fn a_canary_in_a_file_or_in_the_log_is_found() {
    let planted = "XKCANARY4711";
    let canaries = Canaries::default().text("planted", planted);
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    fs::write(folder.path().join("data/spool.db-wal"), format!("….{}.…", hex::encode(planted)))
        .expect("a file");
    let logs = Logs::of_this_process();
    let before = logs.bytes().len();
    tracing::trace!(plate = planted, "planted");
    let mut files = Vec::new();
    read_files("running", folder.path(), &mut files).expect("a folder");
    let found: Vec<_> =
        files.iter().flat_map(|file| places(&file.path, canaries.search(&file.bytes))).collect();
    assert_eq!(found, [("data/spool.db-wal".to_owned(), "planted", "hexadecimal")]);
    let logged = logs.bytes().split_off(before);
    assert_eq!(canaries.search(&logged).len(), 1);
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
