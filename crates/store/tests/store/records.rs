//! What is recorded: whole, sealed, and numbers that are given once.

use crate::bed::{Bed, NOW, WRAPS, batch, commit, controller, grant, on_all, read, record, slug};
use std::sync::Arc;
use tokio::task::JoinSet;
use vernport_api::Answer;
use vernport_crypto::{MasterKey, Zeroizing};
use vernport_store::{
    Change, LinkRow, NewEntry, RecordError, Revision, Rewrapped, Store, StoreError, stand_in_ref,
};
use vernport_types::{EntryHash, LinkHash, Reason, SegmentId};

on_all! {
    no_head_sequence_is_given_twice_also_after_a_restart,
    a_change_is_recorded_whole_or_not_at_all_and_its_entries_are_sealed,
    under_another_master_key_everything_is_as_before_and_under_the_one_before_nothing_opens,
    under_another_master_key_what_was_said_again_after_a_restore_keeps_its_stand_in,
    a_place_of_a_chain_is_entered_once_and_the_last_one_is_known,
    refusals_of_links_are_counted_by_gateway_and_code,
    ; sql:
    no_file_holds_what_an_entry_says,
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
    assert_eq!(count_of_leaves(&bed).await, 1, "what was refused left no evidence");
    store.close().await;
    let stranger = bed.open_as([8; 32]).await;
    assert!(matches!(
        stranger.load(&controller(), Revision::NONE).await,
        Err(StoreError::Row { table: "entry" })
    ));
}

async fn no_file_holds_what_an_entry_says(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let change = Change { entries: vec![entry(1, "order of AB12345")], ..Change::default() };
    record(&store, &change).await.expect("recorded");
    store.close().await;
    assert!(!bed.any_file_holds(b"AB12345").await);
    assert!(bed.any_file_holds(b"order-closed").await, "the search finds what is there");
}

async fn count_of_leaves(bed: &Bed) -> usize {
    let mut look = bed.look_at_log().await;
    let leaves = look.leaves(0).await.expect("reads").len();
    look.close().await;
    leaves
}

async fn a_place_of_a_chain_is_entered_once_and_the_last_one_is_known(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let segment = SegmentId::from_bytes([4; 16]);
    let row = |sequence: u64, hash: u8| LinkRow {
        gateway: slug("bay-1"),
        segment,
        sequence,
        link: LinkHash::from_bytes([hash; 32]),
        entry: None,
        refused: Some("the order is not open".into()),
    };
    let both = Change { links: vec![row(1, 1), row(2, 2)], ..Change::default() };
    record(&store, &both).await.expect("recorded");
    let again = Change { entries: vec![entry(1, "a")], links: vec![row(2, 9)], ..Change::default() };
    assert!(matches!(record(&store, &again).await, Err(RecordError::Store(StoreError::Statement(_)))));
    let stranger = LinkRow { gateway: slug("nobody"), ..row(3, 3) };
    record(&store, &Change { links: vec![stranger], ..Change::default() }).await.expect_err("no gateway");

    let link =
        async |sequence| store.link(&controller(), &slug("bay-1"), segment, sequence).await.expect("read");
    assert_eq!((link(Some(1)).await, link(None).await), (Some(row(1, 1)), Some(row(2, 2))));
    assert_eq!(link(Some(3)).await, None);
    let loaded = store.load(&controller(), Revision::NONE).await.expect("loads");
    assert_eq!((loaded.tips, loaded.entries.len()), (vec![row(2, 2)], 0), "nothing of what was refused");
}

async fn refusals_of_links_are_counted_by_gateway_and_code(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    for (gateway, code) in [("bay-1", "forged"), ("bay-1", "fork"), ("bay-2", "fork"), ("bay-1", "fork")] {
        store.count_link_refusal(&controller(), &slug(gateway), code).await.expect("counted");
    }
    let refusals = store.link_refusals(&controller(), &slug("bay-1")).await.expect("read");
    assert_eq!(refusals, [("forged".to_owned(), 1), ("fork".to_owned(), 2)]);
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
    record(&store, &change).await.expect("recorded");
    assert_eq!(commit(&store, &[batch(id), batch(id)]).await.expect("commits"), [Answer::Committed; 2]);
    let before = store.load(&controller(), Revision::NONE).await.expect("loads");

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
    assert!(matches!(old.load(&controller(), Revision::NONE).await, Err(StoreError::Row { table: "entry" })));
    old.close().await;
    let store = bed.open_as([8; 32]).await;
    let after = store.load(&controller(), Revision::NONE).await.expect("loads");
    let json = |loaded: &vernport_store::Loaded| {
        loaded.entries.iter().map(|entry| (entry.entry, entry.json.clone())).collect::<Vec<_>>()
    };
    assert_eq!(json(&after), json(&before));
    let page = read(&store).await.expect("reads").expect("the workshop's key");
    assert_eq!(page.batches.len(), 2);
    assert!(page.batches.iter().all(|batch| batch.wraps == WRAPS));
    let again = Change { entries: vec![made(7)], ..Change::default() };
    let refused = record(&store, &again).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 0 })), "references count as before");
}

async fn under_another_master_key_what_was_said_again_after_a_restore_keeps_its_stand_in(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let json = |byte: u8| format!("order-1 {byte}").into_bytes();
    let said = |byte: u8, external_ref: &str| NewEntry { json: json(byte), ..entry(byte, external_ref) };
    let stand_in = stand_in_ref(EntryHash::from_bytes([2; 32]));
    let both = Change { entries: vec![said(1, "order-1"), said(2, &stand_in)], ..Change::default() };
    record(&store, &both).await.expect("recorded");
    store.close().await;

    let own = |_: &[u8]| Some(Zeroizing::new("order-1".to_owned()));
    // Twice: what the first change wrote is what the second one reads.
    for (old, new) in [(7, 8), (8, 9)] {
        let store = bed.open_as([old; 32]).await;
        let done = store.rewrap(&MasterKey::from_bytes([new; 32]), own).await.expect("sealed anew");
        assert_eq!(done.entries, 2);
        store.close().await;
        let store = bed.open_as([new; 32]).await;
        for (byte, external_ref) in [(1, "order-1"), (2, &stand_in)] {
            let found = store.find_entry(&controller(), &slug("dms"), external_ref).await.expect("asked");
            assert_eq!(found.map(|row| row.entry), Some(EntryHash::from_bytes([byte; 32])));
        }
        let loaded = store.load(&controller(), Revision::NONE).await.expect("loads");
        let texts: Vec<Vec<u8>> = loaded.entries.into_iter().map(|entry| entry.json).collect();
        assert_eq!(texts, [json(1), json(2)]);
        store.close().await;
    }
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
