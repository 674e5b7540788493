//! What is recorded: whole, sealed, and numbers that are given once.

use crate::bed::{Bed, NOW, controller, grant, on_both, record, slug};
use std::sync::Arc;
use tokio::task::JoinSet;
use vernport_crypto::MasterKey;
use vernport_store::{Change, NewEntry, RecordError, Revision, Store, StoreError};
use vernport_types::{EntryHash, Reason};

on_both! {
    no_head_sequence_is_given_twice_also_after_a_restart,
    a_change_is_recorded_whole_or_not_at_all_and_its_entries_are_sealed,
}

async fn no_head_sequence_is_given_twice_also_after_a_restart(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let gateway = slug("bay-1");
    let store = Arc::new(store);
    let mut takers = JoinSet::new();
    for _ in 0..8 {
        let (store, gateway) = (Arc::clone(&store), gateway.clone());
        takers.spawn(async move {
            store.take_head_sequences(&controller(), &gateway, 10, NOW).await.expect("taken")
        });
    }
    let mut firsts = takers.join_all().await;
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 10, 20, 30, 40, 50, 60, 70]);
    store.close().await;
    let again = bed.open().await;
    assert_eq!(again.take_head_sequences(&controller(), &gateway, 1, NOW).await.expect("taken"), 80);
    assert!(again.take_head_sequences(&controller(), &slug("nobody"), 1, NOW).await.is_err());
}

pub(crate) fn entry(byte: u8, external_ref: &str) -> NewEntry {
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
    record(&store, &good).await.expect("recorded");
    let bad = Change {
        entries: vec![entry(2, "another"), entry(3, "order of AB12345")],
        closed: vec![(id, Reason::OrderNotOpen)],
        ..Change::default()
    };
    let refused = record(&store, &bad).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 1 })));

    let loaded = store.load(&controller(), Revision::NONE).await.expect("loaded");
    let texts: Vec<&[u8]> = loaded.entries.iter().map(|entry| &entry.json[..]).collect();
    assert_eq!(texts, [b"{\"about\":\"order of AB12345\"}"]);
    assert_eq!(loaded.grants, [grant(id)]);
    store.close().await;
    assert!(!bed.any_file_holds(b"AB12345").await);
    assert!(bed.any_file_holds(b"order-closed").await, "the search finds what is there");
    let stranger = bed.open_as([8; 32]).await;
    assert!(matches!(
        stranger.load(&controller(), Revision::NONE).await,
        Err(StoreError::Row { table: "entry" })
    ));
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
