//! What becomes of what waits: delivered, parked, resumed, destroyed, overdue, damaged.

use crate::support::*;
use vernport_policy::{Sample, SampleKey, Standing};
use vernport_spool::{HeldGrant, Item, Page, Settlement, Spool, ToolMessage, Unit};
use vernport_types::{BatchId, MessageId, Reason};

fn a_batch(number: u32) -> Item {
    Item::Batch(BatchId::from_bytes(id(number)))
}

fn a_topic(number: u32) -> Item {
    Item::Topic(MessageId::from_bytes(id(number)))
}

async fn settle(spool: &Spool, item: Item, settlement: Settlement) -> u64 {
    spool.settle(vec![(item, settlement)], NOW).await.expect("settles")
}

async fn reasons(spool: &Spool) -> Vec<(Item, Reason)> {
    spool.notes(0, 1000).await.expect("reads").iter().map(|note| (note.item, note.reason)).collect()
}

#[tokio::test]
async fn delivered_is_gone_without_a_note_and_settling_twice_is_harmless() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1), batch(2, 1)], vec![topic(1, 1, 1)])).await.expect("fits");
    assert_eq!(settle(&spool, a_batch(1), Settlement::Delivered).await, 1);
    assert_eq!(settle(&spool, a_batch(1), Settlement::Delivered).await, 0);
    assert_eq!(settle(&spool, a_topic(1), Settlement::Delivered).await, 1);
    assert_eq!(ready(&spool).await, [2]);
    assert!(ready_topics(&spool).await.is_empty());
    assert!(reasons(&spool).await.is_empty());
    settle(&spool, a_batch(2), Settlement::Delivered).await;
    assert_eq!(spool.status().await.expect("reads").used_bytes, 0);
}

#[tokio::test]
async fn destroyed_leaves_a_note_with_its_reason() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 7)], vec![topic(1, 8, 1)])).await.expect("fits");
    settle(&spool, a_batch(1), Settlement::Destroyed(Reason::ConsentWithdrawn)).await;
    settle(&spool, a_topic(1), Settlement::Destroyed(Reason::EntryVoided)).await;
    settle(&spool, a_topic(1), Settlement::Destroyed(Reason::Erased)).await;
    let notes = spool.notes(0, 10).await.expect("reads");
    assert_eq!(notes.len(), 2, "what is not there leaves no note");
    assert_eq!(
        (notes[0].item, notes[0].reason, notes[0].grant),
        (a_batch(1), Reason::ConsentWithdrawn, grant(7))
    );
    assert_eq!((notes[1].item, notes[1].reason, notes[1].at), (a_topic(1), Reason::EntryVoided, NOW));
    assert_eq!(spool.notes(notes[0].row, 10).await.expect("reads"), notes[1..]);
}

#[tokio::test]
async fn destroyed_bytes_are_on_the_disk_no_more() {
    let place = Place::new();
    let spool = place.open().await;
    let sealed = envelope(1, DUE, 20_000);
    let needle = sealed.as_bytes()[500..600].to_vec();
    let queued =
        vernport_spool::QueuedBatch { grant: grant(1), when_full: vernport_spool::WhenFull::Wait, sealed };
    spool.queue(unit(vec![queued], vec![])).await.expect("fits");
    let found = || {
        ["spool.db", "spool.db-wal"].iter().any(|file| {
            let bytes = std::fs::read(place.folder.path().join(file)).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(found(), "it is there before");
    settle(&spool, a_batch(1), Settlement::Destroyed(Reason::ConsentWithdrawn)).await;
    assert!(!found());
}

#[tokio::test]
async fn parked_waits_through_a_new_opening_and_resumes_with_its_grant() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1), batch(2, 2), batch(3, 1)], vec![topic(1, 1, 1)])).await.expect("fits");
    let used = spool.status().await.expect("reads").used_bytes;
    settle(&spool, a_batch(1), Settlement::Parked(Reason::Restricted)).await;
    assert_eq!(ready(&spool).await, [2, 3]);
    assert_eq!(spool.apply(grant(1), Standing::Park(Reason::Restricted), NOW).await.expect("settles"), 2);
    assert_eq!(spool.apply(grant(1), Standing::Park(Reason::Restricted), NOW).await.expect("settles"), 0);
    spool.close().await;
    let spool = place.open().await;
    assert_eq!(ready(&spool).await, [2]);
    assert!(ready_topics(&spool).await.is_empty());
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_parked, status.topics_parked), (2, 1));
    assert_eq!(status.used_bytes, used, "parked bytes count");
    assert_eq!(
        spool.grants().await.expect("reads"),
        [
            HeldGrant { grant: grant(1), queued: 0, parked: 3, parked_for: Some(Reason::Restricted) },
            HeldGrant { grant: grant(2), queued: 1, parked: 0, parked_for: None }
        ]
    );
    assert_eq!(spool.apply(grant(1), Standing::Send, NOW).await.expect("settles"), 3);
    assert_eq!(ready(&spool).await, [1, 2, 3]);
    assert!(reasons(&spool).await.is_empty());
}

#[tokio::test]
async fn a_grant_tells_what_all_that_rests_on_it_waits_for_in_quarantine_too() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1), batch(2, 1)], vec![topic(1, 1, 1)])).await.expect("fits");
    let waits_for = async || {
        let held = spool.grants().await.expect("reads");
        (held[0].queued, held[0].parked, held[0].parked_for)
    };
    let park = async |reason| {
        spool.apply(grant(1), Standing::Park(reason), NOW).await.expect("settles");
    };
    assert_eq!(waits_for().await, (3, 0, None));
    park(Reason::GrantStale).await;
    assert_eq!(waits_for().await, (0, 3, Some(Reason::GrantStale)));
    settle(&spool, a_batch(1), Settlement::Parked(Reason::Restricted)).await;
    assert_eq!(waits_for().await, (0, 3, None), "for two things");
    park(Reason::Restricted).await;
    settle(&spool, a_batch(2), Settlement::Quarantined).await;
    assert_eq!(waits_for().await, (0, 3, Some(Reason::Restricted)));
    settle(&spool, a_batch(1), Settlement::Delivered).await;
    settle(&spool, a_topic(1), Settlement::Delivered).await;
    assert_eq!(waits_for().await, (0, 1, Some(Reason::Restricted)));
    spool.apply(grant(1), Standing::Send, NOW).await.expect("settles");
    assert_eq!(waits_for().await, (0, 0, None), "in quarantine, and for its due time");
}

#[tokio::test]
async fn a_withdrawal_destroys_what_is_queued_and_what_is_parked_of_its_grant_only() {
    let place = Place::new();
    let spool = place.open().await;
    let many = (1..=200).map(|number| batch(number, 1 + number % 2)).collect();
    spool.queue(unit(many, vec![topic(1, 1, 1), topic(2, 2, 1)])).await.expect("fits");
    settle(&spool, a_batch(2), Settlement::Parked(Reason::Restricted)).await;
    let destroyed =
        spool.apply(grant(1), Standing::Destroy(Reason::ConsentWithdrawn), NOW).await.expect("settles");
    assert_eq!(destroyed, 101);
    assert_eq!(ready(&spool).await, (1..=200).filter(|number| number % 2 == 1).collect::<Vec<_>>());
    let notes = reasons(&spool).await;
    assert_eq!(notes.len(), 101);
    assert!(notes.iter().all(|(_, reason)| *reason == Reason::ConsentWithdrawn));
    assert!(notes.contains(&(a_batch(2), Reason::ConsentWithdrawn)));
}

#[tokio::test]
async fn numbers_are_gapless_and_skipped_says_what_was_destroyed_or_parked_before() {
    let place = Place::new();
    let spool = place.open().await;
    let topics = (1..=6).map(|number| topic(number, number, 1)).chain([topic(100, 9, 2)]).collect();
    spool.queue(unit(vec![], topics)).await.expect("fits");
    assert_eq!(
        ready_topics(&spool).await,
        [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0), (5, 5, 0), (6, 6, 0), (100, 1, 0)]
    );
    settle(&spool, a_topic(1), Settlement::Delivered).await;
    settle(&spool, a_topic(2), Settlement::Destroyed(Reason::ConsentWithdrawn)).await;
    settle(&spool, a_topic(3), Settlement::Destroyed(Reason::ConsentWithdrawn)).await;
    settle(&spool, a_topic(5), Settlement::Parked(Reason::Restricted)).await;
    assert_eq!(ready_topics(&spool).await, [(4, 4, 2), (6, 6, 1), (100, 1, 0)]);
    // Acknowledged out of order: what waits in front keeps its number and its count.
    settle(&spool, a_topic(6), Settlement::Delivered).await;
    assert_eq!(ready_topics(&spool).await, [(4, 4, 0), (100, 1, 0)]);
    // Resumed goes to the end with a new number; nothing is skipped by that.
    spool.apply(grant(5), Standing::Send, NOW).await.expect("settles");
    spool.queue(unit(vec![], vec![topic(7, 7, 1)])).await.expect("fits");
    settle(&spool, a_topic(4), Settlement::Delivered).await;
    assert_eq!(ready_topics(&spool).await, [(100, 1, 0), (5, 7, 0), (7, 8, 0)]);
}

#[tokio::test]
async fn numbers_go_on_when_all_was_delivered_and_after_a_new_opening() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![], vec![topic(1, 1, 1), topic(2, 1, 1)])).await.expect("fits");
    settle(&spool, a_topic(1), Settlement::Delivered).await;
    settle(&spool, a_topic(2), Settlement::Destroyed(Reason::Overdue)).await;
    spool.close().await;
    let spool = place.open().await;
    spool.queue(unit(vec![], vec![topic(3, 1, 1)])).await.expect("fits");
    assert_eq!(ready_topics(&spool).await, [(3, 3, 1)]);
}

#[tokio::test]
async fn what_is_overdue_is_destroyed_but_for_what_a_restriction_keeps() {
    let place = Place::new();
    let spool = place.open().await;
    spool
        .queue(unit(
            (1..=4).map(|number| batch(number, number)).collect(),
            vec![topic(1, 1, 1), topic(2, 2, 1)],
        ))
        .await
        .expect("fits");
    settle(&spool, a_batch(2), Settlement::Parked(Reason::Restricted)).await;
    settle(&spool, a_topic(2), Settlement::Parked(Reason::Restricted)).await;
    settle(&spool, a_batch(3), Settlement::Parked(Reason::GrantStale)).await;
    assert_eq!(spool.sweep(DUE).await.expect("sweeps"), 0, "due is the last moment that is allowed");
    assert_eq!(spool.sweep(DUE.plus_micros(1)).await.expect("sweeps"), 4);
    let notes = reasons(&spool).await;
    assert!(notes.iter().all(|(_, reason)| *reason == Reason::Overdue));
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_queued, status.batches_parked), (0, 1));
    assert_eq!((status.topics_queued, status.topics_parked), (0, 1));
}

#[tokio::test]
async fn old_marks_are_forgotten_and_young_ones_are_not() {
    let place = Place::new();
    let spool = place.open().await;
    let after = |days: i64| NOW.plus_seconds(days * 86_400);
    for (number, days) in [(1, 0), (2, 25)] {
        let unit = Unit {
            tool_messages: vec![ToolMessage { tool: slug("scanner"), id: id(number) }],
            samples: vec![Sample { key: SampleKey(id(number)), until: after(days + 7) }],
            ..Unit::new(after(days))
        };
        spool.queue(unit).await.expect("fits");
    }
    spool.sweep(after(31)).await.expect("sweeps");
    assert!(!spool.seen_tool_message(&slug("scanner"), &id(1)).await.expect("reads"));
    assert!(spool.seen_tool_message(&slug("scanner"), &id(2)).await.expect("reads"));
    let samples = spool.samples().await.expect("reads");
    assert_eq!(samples, [Sample { key: SampleKey(id(2)), until: after(32) }]);
}

#[tokio::test]
async fn a_damaged_row_is_put_aside_counted_and_stops_nothing() {
    let place = Place::new();
    let spool = place.open().await;
    spool
        .queue(unit(vec![batch(1, 1), batch(2, 2), batch(3, 3)], vec![topic(1, 1, 1), topic(2, 1, 1)]))
        .await
        .expect("fits");
    let used = spool.status().await.expect("reads").used_bytes;
    spool.close().await;
    damage(&place, "UPDATE envelope SET sealed = zeroblob(length(sealed)) WHERE row = 2").await;
    damage(&place, "DELETE FROM envelope WHERE row = 3").await;
    damage(&place, "UPDATE topic SET digest = zeroblob(32) WHERE seq = 1").await;
    let spool = place.open().await;
    assert_eq!(ready(&spool).await, [1]);
    assert_eq!(ready_topics(&spool).await, [(2, 2, 0)], "read in the moment in which the damage was found");
    assert_eq!(ready_topics(&spool).await, [(2, 2, 1)]);
    let status = spool.status().await.expect("reads");
    assert_eq!((status.quarantined, status.batches_queued, status.topics_queued), (3, 1, 1));
    assert!(status.used_bytes > 0 && status.used_bytes < used, "what is left of them counts");
    // A withdrawal reaches it there too.
    assert_eq!(
        spool.apply(grant(2), Standing::Destroy(Reason::ConsentWithdrawn), NOW).await.expect("settles"),
        1
    );
    assert_eq!(spool.sweep(DUE.plus_micros(1)).await.expect("sweeps"), 4);
    assert_eq!(spool.status().await.expect("reads").used_bytes, 0);
}

#[tokio::test]
async fn messages_are_gone_through_whoever_they_are_for_parked_ones_too() {
    let place = Place::new();
    let spool = place.open().await;
    let topics = (1..=6).map(|number| topic(number, number, u8::try_from(number).expect("small"))).collect();
    spool.queue(unit(vec![batch(1, 1)], topics)).await.expect("fits");
    spool.apply(grant(2), Standing::Park(Reason::Restricted), NOW).await.expect("settles");
    assert_eq!(settle(&spool, a_topic(6), Settlement::Quarantined).await, 1);
    spool.close().await;
    damage(
        &place,
        "UPDATE topic SET digest = zeroblob(32) WHERE grant_id = (SELECT grant_id FROM topic WHERE row = 3)",
    )
    .await;
    let spool = place.open().await;
    let mut seen = Vec::new();
    // One at a time: the damaged one is alone on its page.
    let mut page = Page::front(1, 1 << 20);
    while let [message] = &spool.messages(page).await.expect("reads")[..] {
        seen.push(number(*message.message.as_bytes()));
        page.after = message.row;
    }
    assert_eq!(seen, [1, 2, 4, 5]);
    assert_eq!(spool.status().await.expect("reads").quarantined, 2);
}

async fn damage(place: &Place, statement: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut connection = options.connect().await.expect("opens");
    assert_eq!(sqlx::query(statement).execute(&mut connection).await.expect("runs").rows_affected(), 1);
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn what_central_cannot_read_is_put_aside_and_stops_nothing() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1), batch(2, 2)], vec![])).await.expect("fits");
    assert_eq!(settle(&spool, a_batch(1), Settlement::Quarantined).await, 1);
    assert_eq!(ready(&spool).await, [2]);
    // Its grant's standing does not bring it back.
    spool.apply(grant(1), Standing::Park(Reason::Restricted), NOW).await.expect("settles");
    spool.apply(grant(1), Standing::Send, NOW).await.expect("settles");
    assert_eq!(ready(&spool).await, [2]);
    assert_eq!(spool.status().await.expect("reads").quarantined, 1);
    assert_eq!(spool.sweep(DUE.plus_micros(1)).await.expect("sweeps"), 2);
}
