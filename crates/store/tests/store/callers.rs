//! What callers rely on: keyed requests, entries by reference, entries behind a position.

use crate::bed::{Bed, NOW, controller, on_all, slug};
use vernport_crypto::random;
use vernport_store::{Answered, Begun, Change, KEPT_SECONDS, Keyed, NewEntry, RecordError, Revision, Store};
use vernport_types::{EntryHash, UtcMicros};

on_all! {
    an_attempt_has_its_key_to_itself_until_it_answers_gives_up_or_its_time_is_over,
    an_answer_is_recorded_with_its_change_or_neither_is,
    answers_are_kept_for_a_day_and_then_forgotten,
    of_attempts_at_once_one_begins,
    entries_are_found_by_their_reference_and_follow_each_other_by_position,
    under_another_master_key_answers_are_forgotten_and_entries_are_found,
    ;
    sql: neither_callers_nor_answers_are_in_any_file,
}

const REQUEST: [u8; 32] = [0x52; 32];

fn keyed(store: &Store, key: &str) -> Keyed {
    store.keyed(&controller(), "registrar dms", key, random())
}

async fn begin(store: &Store, keyed: &Keyed, now: UtcMicros) -> Begun {
    store.begin_keyed(&controller(), keyed, now, now.plus_seconds(60)).await.expect("asked")
}

fn answered(store: &Store, keyed: Keyed, answer: &[u8]) -> Answered {
    store.answered(&controller(), keyed, REQUEST, answer)
}

fn known(answer: &[u8]) -> Begun {
    Begun::Answered { request: REQUEST, answer: answer.to_vec() }
}

fn entry(n: u8) -> NewEntry {
    NewEntry {
        entry: EntryHash::from_bytes([n; 32]),
        kind: "order-closed".into(),
        source: slug("dms"),
        external_ref: format!("ref-{n}"),
        recorded_at: NOW.plus_seconds(n.into()),
        json: format!("{{\"external_ref\":\"ref-{n}\"}}").into_bytes(),
        voids: None,
    }
}

async fn record(store: &Store, change: &Change) -> Result<Revision, RecordError> {
    let current = store.current(&controller()).await.expect("is there").revision;
    store.record(&controller(), current, change, NOW).await
}

async fn opened(bed: &Bed) -> Store {
    let store = bed.open().await;
    store.add_controller(&controller()).await.expect("added");
    store
}

async fn an_attempt_has_its_key_to_itself_until_it_answers_gives_up_or_its_time_is_over(bed: Bed) {
    let (store, other) = (opened(&bed).await, bed.open().await);
    let (first, second) = (keyed(&store, "k"), keyed(&other, "k"));
    assert_eq!(begin(&store, &first, NOW).await, Begun::Free);
    assert_eq!(begin(&other, &second, NOW.plus_seconds(59)).await, Begun::UnderWay);
    // Another key and another caller have nothing to do with it.
    assert_eq!(begin(&other, &keyed(&other, "k2"), NOW).await, Begun::Free);
    let stranger = other.keyed(&controller(), "registrar dms-2", "k", random());
    assert_eq!(begin(&other, &stranger, NOW).await, Begun::Free);

    store.give_up_keyed(&controller(), &first).await.expect("given up");
    assert_eq!(begin(&other, &second, NOW.plus_seconds(59)).await, Begun::Free);
    assert!(!store.hold_keyed(&controller(), &first, NOW).await.expect("asked"), "it is another's");
    // The time of the second is over: a third takes it over, and the second answers nothing.
    let third = keyed(&store, "k");
    assert_eq!(begin(&store, &third, NOW.plus_seconds(119)).await, Begun::Free);
    let late = other.answer_keyed(&controller(), &answered(&other, second, b"late")).await;
    assert!(matches!(late, Err(RecordError::Overtaken)));
    store.answer_keyed(&controller(), &answered(&store, third, b"done")).await.expect("kept");
    for store in [&store, &other] {
        assert_eq!(begin(store, &keyed(store, "k"), NOW.plus_seconds(119)).await, known(b"done"));
        // Who was answered cannot be given up.
        store.give_up_keyed(&controller(), &third).await.expect("asked");
    }
}

async fn neither_callers_nor_answers_are_in_any_file(bed: Bed) {
    let store = opened(&bed).await;
    let first = keyed(&store, "a key that names somebody");
    assert_eq!(begin(&store, &first, NOW).await, Begun::Free);
    let answer = b"an answer that nobody else may read";
    store.answer_keyed(&controller(), &answered(&store, first, answer)).await.expect("kept");
    for secret in [&b"registrar dms"[..], b"names somebody", answer] {
        assert!(!bed.any_file_holds(secret).await);
    }
}

async fn an_answer_is_recorded_with_its_change_or_neither_is(bed: Bed) {
    let store = opened(&bed).await;
    let (gone, keyed_now) = (keyed(&store, "k"), keyed(&store, "k"));
    assert_eq!(begin(&store, &keyed_now, NOW).await, Begun::Free);
    let change = |keyed| Change {
        entries: vec![entry(1)],
        answered: Some(answered(&store, keyed, b"an answer that nobody else may read")),
        ..Change::default()
    };
    assert!(matches!(record(&store, &change(gone)).await, Err(RecordError::Overtaken)));
    let found = store.find_entry(&controller(), &slug("dms"), "ref-1").await.expect("asked");
    assert_eq!(found, None, "nothing of it was recorded");
    record(&store, &change(keyed_now)).await.expect("recorded");
    // It may still say more in the end; where nobody lives to say it, it counts as it is.
    assert_eq!(begin(&store, &keyed(&store, "k"), NOW).await, Begun::UnderWay);
    let later = begin(&store, &keyed(&store, "k"), NOW.plus_seconds(60)).await;
    assert_eq!(later, known(b"an answer that nobody else may read"));
    // A caller that hung up after it was recorded leaves the answer behind.
    store.give_up_keyed(&controller(), &keyed_now).await.expect("asked");
    assert!(matches!(begin(&store, &keyed(&store, "k"), NOW).await, Begun::Answered { .. }));
}

async fn answers_are_kept_for_a_day_and_then_forgotten(bed: Bed) {
    let store = opened(&bed).await;
    let first = keyed(&store, "k");
    begin(&store, &first, NOW).await;
    store.answer_keyed(&controller(), &answered(&store, first, b"done")).await.expect("kept");
    let kept_until = NOW.plus_seconds(KEPT_SECONDS);
    assert_eq!(begin(&store, &keyed(&store, "k"), kept_until.plus_seconds(-1)).await, known(b"done"));
    assert_eq!(begin(&store, &keyed(&store, "k"), kept_until).await, Begun::Free);
}

async fn of_attempts_at_once_one_begins(bed: Bed) {
    let (store, other) = (opened(&bed).await, bed.open().await);
    let attempt = async |store: &Store| begin(store, &keyed(store, "k"), NOW).await;
    let (a, b, c, d) = tokio::join!(attempt(&store), attempt(&other), attempt(&store), attempt(&other));
    let begun = [a, b, c, d];
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::Free).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::UnderWay).count(), 3);
}

async fn entries_are_found_by_their_reference_and_follow_each_other_by_position(bed: Bed) {
    let store = opened(&bed).await;
    for n in 1..=5 {
        record(&store, &Change { entries: vec![entry(n)], ..Change::default() }).await.expect("recorded");
    }
    let found = store.find_entry(&controller(), &slug("dms"), "ref-3").await.expect("asked").expect("there");
    assert_eq!((found.entry, found.recorded_at), (EntryHash::from_bytes([3; 32]), NOW.plus_seconds(3)));
    assert_eq!(store.find_entry(&controller(), &slug("other"), "ref-3").await.expect("asked"), None);
    assert_eq!(store.entry_at(&controller(), found.position).await.expect("asked"), Some(found.entry));
    assert_eq!(store.entry_at(&controller(), 4_711).await.expect("asked"), None);
    let (mut read, mut after) = (Vec::new(), -1);
    loop {
        let page = store.entries_after(&controller(), after, 2).await.expect("read");
        let Some((last, _)) = page.last() else { break };
        after = last.position;
        assert!(page.len() <= 2);
        read.extend(page);
    }
    let hashes: Vec<u8> = read.iter().map(|(row, _)| row.entry.as_bytes()[0]).collect();
    assert_eq!(hashes, [1, 2, 3, 4, 5]);
    assert_eq!(read[2].1, entry(3).json);
}

async fn under_another_master_key_answers_are_forgotten_and_entries_are_found(bed: Bed) {
    let store = opened(&bed).await;
    let first = keyed(&store, "k");
    begin(&store, &first, NOW).await;
    store.answer_keyed(&controller(), &answered(&store, first, b"done")).await.expect("kept");
    record(&store, &Change { entries: vec![entry(1)], ..Change::default() }).await.expect("recorded");
    let new = vernport_crypto::MasterKey::from_bytes([8; 32]);
    let reference = |_: &[u8]| Some(vernport_crypto::Zeroizing::new("ref-1".to_owned()));
    store.rewrap(&new, reference).await.expect("sealed anew");
    store.close().await;
    let store = bed.open_as([8; 32]).await;
    assert_eq!(begin(&store, &keyed(&store, "k"), NOW).await, Begun::Free);
    assert!(store.find_entry(&controller(), &slug("dms"), "ref-1").await.expect("asked").is_some());
}
