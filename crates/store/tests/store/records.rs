//! What is recorded: whole, sealed, and numbers that are given once.

use crate::bed::{Bed, NOW, WRAPS, batch, commit, controller, grant, on_both, read, slug};
use std::sync::Arc;
use tokio::task::JoinSet;
use vernport_api::Answer;
use vernport_crypto::{MasterKey, Zeroizing};
use vernport_store::{Change, NewEntry, RecordError, Rewrapped, Store, StoreError};
use vernport_types::{EntryHash, Reason};

on_both! {
    no_head_sequence_is_given_twice_also_after_a_restart,
    a_change_is_recorded_whole_or_not_at_all_and_its_entries_are_sealed,
    under_another_master_key_everything_is_as_before_and_under_the_one_before_nothing_opens,
}

async fn no_head_sequence_is_given_twice_also_after_a_restart(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let gateway = slug("bay-1");
    let store = Arc::new(store);
    let mut takers = JoinSet::new();
    for _ in 0..8 {
        let (store, gateway) = (Arc::clone(&store), gateway.clone());
        takers.spawn(
            async move { store.take_head_sequences(&controller(), &gateway, 10).await.expect("taken") },
        );
    }
    let mut firsts = takers.join_all().await;
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 10, 20, 30, 40, 50, 60, 70]);
    store.close().await;
    let again = bed.open().await;
    assert_eq!(again.take_head_sequences(&controller(), &gateway, 1).await.expect("taken"), 80);
    assert!(again.take_head_sequences(&controller(), &slug("nobody"), 1).await.is_err());
}

fn entry(byte: u8, external_ref: &str) -> NewEntry {
    NewEntry {
        entry: EntryHash::from_bytes([byte; 32]),
        kind: "order-closed".into(),
        source: slug("dms"),
        external_ref: external_ref.into(),
        recorded_at: NOW,
        json: format!("{{\"about\":\"{external_ref}\"}}").into_bytes(),
        voids: None,
    }
}

async fn a_change_is_recorded_whole_or_not_at_all_and_its_entries_are_sealed(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let good = Change { entries: vec![entry(1, "order of AB12345")], ..Change::default() };
    store.record(&controller(), &good, NOW).await.expect("recorded");
    let bad = Change {
        entries: vec![entry(2, "another"), entry(3, "order of AB12345")],
        closed: vec![(id, Reason::OrderNotOpen)],
        ..Change::default()
    };
    let refused = store.record(&controller(), &bad, NOW).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 1 })));

    let loaded = store.load(&controller()).await.expect("loaded");
    let texts: Vec<&[u8]> = loaded.entries.iter().map(|entry| &entry.json[..]).collect();
    assert_eq!(texts, [b"{\"about\":\"order of AB12345\"}"]);
    assert_eq!(loaded.grants, [grant(id)]);
    store.close().await;
    assert!(!bed.any_file_holds(b"AB12345").await);
    assert!(bed.any_file_holds(b"order-closed").await, "the search finds what is there");
    let stranger = bed.open_as([8; 32]).await;
    assert!(matches!(stranger.load(&controller()).await, Err(StoreError::Row { table: "entry" })));
}

async fn under_another_master_key_everything_is_as_before_and_under_the_one_before_nothing_opens(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let made = |n: usize| {
        let mut new = entry(0, &format!("order-{n}"));
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        new.entry = EntryHash::from_bytes(hash);
        new.json = format!("order-{n}").into_bytes();
        new
    };
    // More than one page of them.
    let change = Change { entries: (0..316).map(made).collect(), ..Change::default() };
    store.record(&controller(), &change, NOW).await.expect("recorded");
    assert_eq!(commit(&store, &[batch(id), batch(id)]).await.expect("commits"), [Answer::Committed; 2]);
    let before = store.load(&controller()).await.expect("loads");

    let new = MasterKey::from_bytes([8; 32]);
    let plain_reference = |json: &[u8]| String::from_utf8(json.to_vec()).ok().map(Into::into);
    // Interrupted: an entry that does not give its reference away stops it in the second page.
    let stops = |json: &[u8]| plain_reference(json).filter(|text: &Zeroizing<String>| **text != "order-300");
    assert!(matches!(store.rewrap(&new, stops).await, Err(StoreError::Row { table: "entry" })));
    let rewrapped = store.rewrap(&new, plain_reference).await.expect("and done again");
    assert_eq!((rewrapped.entries, rewrapped.erasure_keys), (60, 2), "the first page was done");
    assert_eq!(store.rewrap(&new, plain_reference).await.expect("nothing is left"), Rewrapped::default());
    store.close().await;

    let old = bed.open().await;
    assert!(matches!(old.load(&controller()).await, Err(StoreError::Row { table: "entry" })));
    old.close().await;
    let store = bed.open_as([8; 32]).await;
    let after = store.load(&controller()).await.expect("loads");
    let json = |loaded: &vernport_store::Loaded| {
        loaded.entries.iter().map(|entry| (entry.entry, entry.json.clone())).collect::<Vec<_>>()
    };
    assert_eq!(json(&after), json(&before));
    let page = read(&store).await.expect("reads").expect("the workshop's key");
    assert_eq!(page.batches.len(), 2);
    assert!(page.batches.iter().all(|batch| batch.wraps == WRAPS));
    let again = Change { entries: vec![made(7)], ..Change::default() };
    let refused = store.record(&controller(), &again, NOW).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 0 })), "references count as before");
}

#[tokio::test]
async fn a_url_or_folder_that_cannot_be_used_is_named() {
    let open = |main: &'static str| Store::open(main, "sqlite::memory:", MasterKey::generate());
    let error = open("mysql://somewhere").await.expect_err("not known").to_string();
    assert!(error.starts_with("the database URL of the main database"), "{error}");
    let error = open("sqlite:///no/such/folder/x.db").await.expect_err("no folder").to_string();
    assert!(error.starts_with("the main database cannot be opened"), "{error}");
    let nobody = "postgres://central@localhost/main?host=/no/such/folder";
    let error = open(nobody).await.expect_err("no server");
    assert!(error.is_unavailable() && error.to_string().starts_with("the main database cannot be opened"));
    let one = Store::open(nobody, nobody, MasterKey::generate()).await;
    assert!(matches!(one, Err(StoreError::SameDatabase)));
}
