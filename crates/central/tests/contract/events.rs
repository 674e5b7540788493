//! Following the ledger, and asking what became of an entry.

use crate::{
    common::{ASSET, CONTROLLER, Central, ORDER, World, refused, taken, with_visit},
    processors::{self, OWN, ask, processor},
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::time::{Duration, Instant};
use vernport_api::{
    Code, Cursor, EventsAnswer, FindEntryAnswer, LedgerAnswer, PATH_EVENTS, PATH_FIND_ENTRY, PATH_LEDGER,
};
use vernport_registry::EntryState;

async fn follow(central: &Central, after: Option<Cursor>, limit: u16, wait_ms: u32) -> EventsAnswer {
    let asked = json!({"after": after, "limit": limit, "wait_ms": wait_ms});
    taken(central.post(&central.registrar(), PATH_EVENTS, &asked).await).await
}

/// All there is, page by page.
async fn all(central: &Central, limit: u16) -> EventsAnswer {
    let mut read = EventsAnswer { events: Vec::new(), next: None };
    loop {
        let page = follow(central, read.next, limit, 0).await;
        if page.events.is_empty() {
            assert_eq!(page.next, read.next);
            return read;
        }
        assert!(page.events.len() <= usize::from(limit));
        read.events.extend(page.events);
        read.next = page.next;
    }
}

#[tokio::test]
async fn every_entry_comes_once_in_the_order_of_recording_with_its_name_whatever_the_page() {
    let central = with_visit().await;
    let batch = central.world.batch("odometer");
    let grant = central.grant("odometer").await;
    central.deliver(&[(grant, &batch)]).await;
    let closed = central.say(json!({"kind": "order-closed", "order": ORDER})).await;
    let whole = all(&central, 500).await;
    let kinds: Vec<&str> = whole.events.iter().map(|event| &*event.kind).collect();
    let mut expected: Vec<String> = central
        .world
        .visit()
        .iter()
        .map(|entry| entry["event"]["kind"].as_str().expect("a kind").to_owned())
        .collect();
    expected.push("order-closed".into());
    assert_eq!(kinds, expected);
    assert!(whole.events.is_sorted_by(|one, next| one.position < next.position));
    for event in &whole.events {
        let entry = event.entry.as_ref().expect("the controller sees its own ledger");
        assert_eq!((entry.hash, entry.statement.event.kind()), (entry.statement.hash(), &*event.kind));
    }
    assert_eq!(
        whole.events.last().and_then(|last| last.entry.as_ref()).map(|last| last.hash),
        Some(closed.results[0].entry)
    );
    for limit in [1, 3, 10] {
        assert_eq!(all(&central, limit).await, whole, "{limit}");
    }
    let central = central.restart().await;
    assert_eq!(
        follow(&central, whole.next, 500, 0).await,
        EventsAnswer { events: Vec::new(), next: whole.next }
    );
    for limit in [0, 501] {
        let response =
            central.post(&central.registrar(), PATH_EVENTS, &json!({"after": null, "limit": limit})).await;
        refused(response, Code::BadRequest).await;
    }
    refused(
        central.post(&central.gateway(), PATH_EVENTS, &json!({"after": null, "limit": 1})).await,
        Code::RoleNotAllowed,
    )
    .await;
}

#[tokio::test]
async fn an_empty_ledger_has_no_cursor_yet() {
    let central = World::new().start().await;
    assert_eq!(follow(&central, None, 500, 0).await, EventsAnswer { events: Vec::new(), next: None });
}

#[tokio::test]
async fn who_waits_hears_of_an_entry_of_the_other_process_at_once() {
    let name = "who_waits_hears_of_an_entry_of_the_other_process_at_once";
    let Some(cluster) = vernport_testkit::postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    let seen = all(&other, 500).await.next;
    for recording in [&one, &other] {
        let seen = all(&other, 500).await.next.or(seen);
        let begun = Instant::now();
        let event = json!({"kind": "linked", "asset": ASSET, "subject": format!("{:032x}", begun.elapsed().as_nanos()), "role": "owner"});
        let (heard, said) = tokio::join!(follow(&other, seen, 500, 5_000), recording.say(event));
        assert!(begun.elapsed() < Duration::from_secs(4), "nobody waited for the end of a poll");
        let hashes: Vec<_> =
            heard.events.iter().filter_map(|event| event.entry.as_ref()).map(|entry| entry.hash).collect();
        assert_eq!(hashes, [said.results[0].entry]);
    }
}

#[tokio::test]
async fn a_cursor_of_a_registry_that_was_rolled_back_is_refused_and_says_what_to_do() {
    let central = with_visit().await;
    let seen = all(&central, 500).await.next.expect("there are entries");
    central.say(json!({"kind": "order-closed", "order": ORDER})).await;
    let later = all(&central, 500).await.next.expect("there are entries");
    // The last entry is lost with a restore, and another one takes its place.
    let world = central.stop().await;
    let file = SqliteConnectOptions::new().filename(world.folder.path().join("main.db"));
    let mut look = file.connect().await.expect("connects");
    let lose = "DELETE FROM entry WHERE position = (SELECT MAX(position) FROM entry)";
    sqlx::query(lose).execute(&mut look).await.expect("our own table");
    look.close().await.expect("closes");
    let central = world.start().await;
    assert_eq!(follow(&central, Some(seen), 500, 0).await.events, []);
    let outdated = async |cursor: &str| {
        let asked = json!({"after": cursor, "limit": 1});
        refused(central.post(&central.registrar(), PATH_EVENTS, &asked).await, Code::CursorOutdated).await
    };
    assert!(outdated(&later.to_string()).await.detail.contains("begin again"));
    outdated(&seen.to_string().replacen("1.1.", "1.2.", 1)).await;
    for wrong in ["", "7", "2.1.3.00"] {
        let asked = json!({"after": wrong, "limit": 1});
        refused(central.post(&central.registrar(), PATH_EVENTS, &asked).await, Code::BadRequest).await;
    }
}

#[tokio::test]
async fn a_processor_sees_what_its_agreement_covers_and_of_the_rest_that_it_is_there() {
    let central = with_visit().await;
    processors::agree(&central).await;
    let system = processor(&central);
    let asked = json!({"after": null, "limit": 500});
    let told: EventsAnswer = taken(ask(&central, &system, CONTROLLER, PATH_EVENTS, &asked).await).await;
    let whole = all(&central, 500).await;
    assert_eq!((told.events.len(), told.next), (whole.events.len(), whole.next));
    for (shown, event) in told.events.iter().zip(&whole.events) {
        assert_eq!((shown.position, &shown.kind), (event.position, &event.kind));
        let covered = ["order-opened", "linked", "consent-given"].contains(&&*shown.kind);
        assert_eq!(shown.entry.is_some(), covered, "{}", shown.kind);
    }
    let json = serde_json::to_value(&told.events[0]).expect("plain data");
    assert_eq!(
        json.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["kind".to_owned(), "position".to_owned()])
    );
}

#[tokio::test]
async fn an_entry_is_found_by_its_reference_with_what_became_of_it() {
    let central = with_visit().await;
    let find = async |source: &str, reference: &Value| -> FindEntryAnswer {
        let asked = json!({"source": source, "external_ref": reference});
        taken(central.post(&central.registrar(), PATH_FIND_ENTRY, &asked).await).await
    };
    let linked = central
        .world
        .entry(json!({"kind": "linked", "asset": ASSET, "subject": "6".repeat(32), "role": "owner"}));
    let reference = linked["external_ref"].clone();
    assert_eq!(find("dms", &reference).await.found, None);
    let recorded = central.ledger(vec![linked]).await.results[0].entry;
    let found = find("dms", &reference).await.found.expect("it was recorded");
    assert_eq!(
        (found.entry, &*found.kind, found.recorded_at, found.state),
        (recorded, "linked", central.world.now(), EntryState::InForce)
    );
    assert_eq!(find("other", &reference).await.found, None, "a reference is of its source");
    central.say(json!({"kind": "voided", "entry": recorded, "reason": "mistake"})).await;
    assert_eq!(find("dms", &reference).await.found.map(|found| found.state), Some(EntryState::Voided));
}

#[tokio::test]
async fn a_processor_finds_its_own_entries_only() {
    let central = with_visit().await;
    processors::agree(&central).await;
    let system = processor(&central);
    let own = processors::entry(&central, json!({"kind": "order-closed", "order": ORDER}));
    let _: LedgerAnswer =
        taken(ask(&central, &system, CONTROLLER, PATH_LEDGER, &json!({"entries": [own]})).await).await;
    let asked = json!({"source": OWN, "external_ref": own["external_ref"]});
    let answer: FindEntryAnswer =
        taken(ask(&central, &system, CONTROLLER, PATH_FIND_ENTRY, &asked).await).await;
    assert_eq!(answer.found.map(|found| found.kind).as_deref(), Some("order-closed"));
    let asked = json!({"source": "dms", "external_ref": "ref-1"});
    refused(ask(&central, &system, CONTROLLER, PATH_FIND_ENTRY, &asked).await, Code::OutOfScope).await;
}
