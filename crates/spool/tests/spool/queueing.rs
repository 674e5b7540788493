//! A unit is durable, whole, and once.

use crate::support::*;
use vernport_policy::{Sample, SampleKey};
use vernport_spool::{
    Cursor, Page, QueueError, Queued, ReadError, SettleError, Spool, ToolMessage, Unit, Withheld,
};
use vernport_types::Reason;

fn full_unit() -> Unit {
    Unit {
        batches: vec![batch(1, 1), batch(2, 2)],
        topics: vec![topic(1, 1, 1)],
        cursors: vec![Cursor { source: "can0".into(), position: 77 }],
        tool_messages: vec![ToolMessage { tool: slug("scanner"), id: id(1) }],
        samples: vec![Sample { key: SampleKey([4; 32]), until: NOW }],
        withheld: vec![Withheld {
            controller: controller(),
            flow: None,
            reason: Reason::NoPurpose,
            count: 5,
        }],
        ..Unit::new(NOW)
    }
}

#[tokio::test]
async fn everything_of_a_unit_is_there_after_the_answer_and_after_a_new_opening() {
    let place = Place::new();
    let spool = place.open().await;
    let queued = spool.queue(full_unit()).await.expect("fits");
    all_is_there(&spool, queued).await;
    spool.close().await;
    all_is_there(&place.open().await, queued).await;
}

async fn all_is_there(spool: &Spool, queued: Queued) {
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_queued, status.topics_queued, status.leaves, status.withheld), (2, 1, 3, 5));
    assert_eq!((status.used_bytes, status.oldest_at), (queued.used_bytes, Some(NOW)));
    assert_eq!(ready(spool).await, [1, 2]);
    assert_eq!(ready_topics(spool).await, [(1, 1, 0)]);
    assert_eq!(spool.cursor("can0").await.expect("reads"), 77);
    assert_eq!(spool.cursor("can1").await.expect("reads"), 0);
    assert!(spool.seen_tool_message(&slug("scanner"), &id(1)).await.expect("reads"));
    assert!(!spool.seen_tool_message(&slug("other"), &id(1)).await.expect("reads"));
    assert_eq!(spool.samples().await.expect("reads"), [Sample { key: SampleKey([4; 32]), until: NOW }]);
}

#[tokio::test]
async fn what_comes_out_is_what_went_in() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(full_unit()).await.expect("fits");
    let batches = spool.next_batches(ALL).await.expect("reads");
    assert_eq!(batches[0].sealed, envelope(1, DUE, 100));
    assert_eq!((batches[1].grant, batches[1].queued_at), (grant(2), NOW));
    let topics = spool.next_topics(&slug("operator"), ALL).await.expect("reads");
    assert_eq!((&topics[0].sealed, topics[0].grant, topics[0].expiry), (&message(1), grant(1), DUE));
    assert!(spool.next_topics(&slug("other"), ALL).await.expect("reads").is_empty());
}

#[tokio::test]
async fn cursors_and_samples_move_and_withheld_counts_add_up() {
    let place = Place::new();
    let spool = place.open().await;
    for step in 1..=3 {
        let unit = Unit {
            cursors: vec![Cursor { source: "can0".into(), position: step * 10 }],
            samples: vec![Sample {
                key: SampleKey([4; 32]),
                until: NOW.plus_seconds(i64::try_from(step).expect("small")),
            }],
            withheld: vec![
                Withheld {
                    controller: controller(),
                    flow: Some(slug("a")),
                    reason: Reason::NoGrant,
                    count: step,
                },
                Withheld { controller: controller(), flow: None, reason: Reason::NoGrant, count: 100 },
            ],
            ..Unit::new(NOW)
        };
        spool.queue(unit).await.expect("fits");
    }
    assert_eq!(spool.cursor("can0").await.expect("reads"), 30);
    assert_eq!(
        spool.samples().await.expect("reads"),
        [Sample { key: SampleKey([4; 32]), until: NOW.plus_seconds(3) }]
    );
    assert_eq!(spool.status().await.expect("reads").withheld, 6 + 300);
}

#[tokio::test]
async fn a_unit_that_is_refused_leaves_nothing_and_takes_no_other_with_it() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(full_unit()).await.expect("fits");
    let seen = Unit {
        batches: vec![batch(3, 1)],
        cursors: vec![Cursor { source: "can0".into(), position: 99 }],
        tool_messages: vec![
            ToolMessage { tool: slug("scanner"), id: id(2) },
            ToolMessage { tool: slug("scanner"), id: id(1) },
        ],
        ..Unit::new(NOW)
    };
    // All asked at once, so that they share a transaction.
    let (seen, same_batch, same_message, good) = tokio::join!(
        spool.queue(seen),
        spool.queue(unit(vec![batch(4, 1), batch(1, 1)], vec![])),
        spool.queue(unit(vec![batch(5, 1)], vec![topic(2, 1, 1), topic(1, 1, 1)])),
        spool.queue(unit(vec![batch(6, 1)], vec![topic(3, 1, 1)])),
    );
    assert!(matches!(seen, Err(QueueError::Seen { tool }) if tool == slug("scanner")));
    assert!(
        matches!(same_batch, Err(QueueError::DuplicateBatch { id: found }) if *found.as_bytes() == id(1))
    );
    assert!(
        matches!(same_message, Err(QueueError::DuplicateMessage { id: found }) if *found.as_bytes() == id(1))
    );
    good.expect("it is not its fault");
    assert_eq!(ready(&spool).await, [1, 2, 6]);
    // A number that a refused unit took is given back: the stream has no hole.
    assert_eq!(ready_topics(&spool).await, [(1, 1, 0), (3, 2, 0)]);
    assert_eq!(spool.cursor("can0").await.expect("reads"), 77);
    assert!(!spool.seen_tool_message(&slug("scanner"), &id(2)).await.expect("reads"));
    assert_eq!(spool.status().await.expect("reads").refused_units, 3);
}

#[tokio::test]
async fn the_same_tool_message_in_two_units_at_once_is_taken_once() {
    let place = Place::new();
    let spool = place.open().await;
    let copy = |number| Unit {
        batches: vec![batch(number, 1)],
        tool_messages: vec![ToolMessage { tool: slug("scanner"), id: id(7) }],
        ..Unit::new(NOW)
    };
    let (one, other) = tokio::join!(spool.queue(copy(1)), spool.queue(copy(2)));
    assert!(one.is_ok());
    assert!(matches!(other, Err(QueueError::Seen { .. })));
    assert_eq!(ready(&spool).await, [1]);
}

#[tokio::test]
async fn a_page_is_bounded_by_items_and_bytes_and_goes_on_behind_a_row() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit((1..=5).map(|n| batch(n, 1)).collect(), vec![])).await.expect("fits");
    let one = envelope(1, DUE, 100).as_bytes().len() as u64;
    let page = |after, max_items, max_bytes| {
        let spool = spool.clone();
        async move {
            let found = spool.next_batches(Page { after, max_items, max_bytes }).await.expect("reads");
            found.iter().map(|stored| (number(*stored.batch.as_bytes()), stored.row)).collect::<Vec<_>>()
        }
    };
    let first = page(0, 2, u64::MAX).await;
    assert_eq!(first.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    let rest = page(first[1].1, 10, 2 * one).await;
    assert_eq!(rest.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(page(0, 10, 0).await.len(), 1, "the first comes however long it is");
    assert!(page(i64::MAX, 10, u64::MAX).await.is_empty());
}

#[tokio::test]
async fn calls_after_closing_are_answered_and_not_lost_in_silence() {
    let place = Place::new();
    let spool = place.open().await;
    spool.clone().close().await;
    assert!(matches!(spool.queue(unit(vec![batch(1, 1)], vec![])).await, Err(QueueError::Closed)));
    assert!(matches!(spool.cursor("can0").await, Err(ReadError::Closed)));
    assert!(matches!(spool.sweep(NOW).await, Err(SettleError::Closed)));
    spool.close().await;
}

#[test]
fn a_spool_can_be_used_from_any_task() {
    fn any_task(_: impl Send) {}
    async fn use_it(spool: Spool) {
        spool.queue(Unit::new(NOW)).await.expect("fits");
        spool.next_batches(ALL).await.expect("reads");
        spool.next_topics(&slug("operator"), ALL).await.expect("reads");
        spool.status().await.expect("reads");
        spool.close().await;
    }
    let _ = |spool| any_task(use_it(spool));
}
