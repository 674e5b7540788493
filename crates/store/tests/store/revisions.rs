//! Several processes that hold a controller's state in memory.

use crate::{
    bed::{Bed, KEY, NOW, controller, grant, on_all, record, slug},
    records::entry,
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};
use vernport_store::{AliasRow, Change, GrantRow, Heard, LinkRow, RecordError, Revision};
use vernport_types::{AssetId, EntryHash, GrantId, LinkHash, Reason, SegmentId, VehicleAlias};

on_all! {
    of_changes_computed_from_one_state_one_is_recorded_and_nothing_of_the_others,
    whoever_has_the_turn_is_not_overtaken,
    what_is_loaded_behind_a_revision_is_what_was_recorded_since,
    what_a_gateway_was_told_and_has_told_is_known_to_every_process,
    another_process_hears_of_what_is_recorded,
    the_rules_that_were_claimed_last_are_known_to_every_process,
}

async fn of_changes_computed_from_one_state_one_is_recorded_and_nothing_of_the_others(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let stores = [Arc::new(store), Arc::new(bed.open().await)];
    let base = stores[0].current(&controller()).await.expect("is there").revision;
    let mut records = JoinSet::new();
    for n in 0..8_u8 {
        let store = Arc::clone(&stores[usize::from(n % 2)]);
        records.spawn(async move {
            let change = Change {
                entries: vec![entry(n, &format!("ref-{n}"))],
                opened: vec![grant(GrantId::from_bytes([n; 16]))],
                closed: vec![(id, Reason::OrderNotOpen)],
                ..Change::default()
            };
            (n, store.record(&controller(), base, &change, NOW).await)
        });
    }
    let (mut recorded, mut stale) = (Vec::new(), 0);
    for (n, outcome) in records.join_all().await {
        match outcome {
            Ok(revision) => recorded.push((n, revision)),
            Err(RecordError::Stale) => stale += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((recorded.len(), stale), (1, 7));
    let (winner, revision) = recorded[0];
    let loaded = stores[1].load(&controller(), base).await.expect("loaded");
    assert!(revision > base && loaded.revision == revision);
    let entries: Vec<_> = loaded.entries.iter().map(|entry| entry.entry).collect();
    assert_eq!(entries, [EntryHash::from_bytes([winner; 32])]);
    let mut grants: Vec<_> = loaded.grants.iter().map(|grant| grant.id).collect();
    grants.sort_unstable();
    let mut expected = [GrantId::from_bytes([winner; 16]), id];
    expected.sort_unstable();
    assert_eq!(grants, expected);
}

async fn whoever_has_the_turn_is_not_overtaken(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let other = Arc::new(bed.open().await);
    let turn = store.turn(&controller()).await.expect("free");
    let based_on = turn.revision;
    let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
    let begun = tokio::spawn({
        let (other, closing) = (Arc::clone(&other), closing.clone());
        async move { other.record(&controller(), based_on, &closing, NOW).await }
    });
    // Batches are committed meanwhile.
    crate::bed::commit(&other, &[crate::bed::batch(id)]).await.expect("no failure");
    if let Bed::Postgres { .. } | Bed::Model(_) = bed {
        assert!(!begun.is_finished(), "it waits for its turn");
        store.record_in(turn, &controller(), based_on, &closing, NOW).await.expect("not overtaken");
        assert!(matches!(begun.await.expect("no panic"), Err(RecordError::Stale)));
    } else {
        // SQLite has no turns among processes, and still nothing is recorded on an old state.
        begun.await.expect("no panic").expect("recorded");
        let late = store.record_in(turn, &controller(), based_on, &closing, NOW).await;
        assert!(matches!(late, Err(RecordError::Stale)));
    }
}

async fn what_is_loaded_behind_a_revision_is_what_was_recorded_since(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let other = bed.open().await;
    let first = Change { entries: vec![entry(1, "one")], ..Change::default() };
    let before = record(&store, &first).await.expect("recorded");
    let nothing = other.load(&controller(), before).await.expect("loaded");
    assert!(nothing.entries.is_empty() && nothing.grants.is_empty() && nothing.tips.is_empty());
    assert_eq!((nothing.revision, nothing.keys.len()), (before, 1));

    let asset = AssetId::from_bytes([1; 16]);
    let alias = AliasRow {
        asset,
        recipient: slug("workshop"),
        purpose: slug("service"),
        year: 2026,
        alias: VehicleAlias::from_bytes([3; 16]),
    };
    let link = LinkRow {
        gateway: slug("bay-1"),
        segment: SegmentId::from_bytes([4; 16]),
        sequence: 1,
        link: LinkHash::from_bytes([5; 32]),
        entry: Some(EntryHash::from_bytes([2; 32])),
        refused: None,
    };
    let second = Change {
        entries: vec![entry(2, "two"), entry(3, "three")],
        opened: vec![grant(GrantId::from_bytes([9; 16]))],
        closed: vec![(id, Reason::Restricted)],
        aliases: vec![alias.clone()],
        revoked_keys: vec![KEY],
        links: vec![link.clone()],
        ..Change::default()
    };
    let after = record(&store, &second).await.expect("recorded");
    let new = other.load(&controller(), before).await.expect("loaded");
    let texts: Vec<&[u8]> = new.entries.iter().map(|entry| &entry.json[..]).collect();
    assert_eq!(texts, [&b"{\"about\":\"two\"}"[..], b"{\"about\":\"three\"}"]);
    let closed = GrantRow { closed: Some((NOW, Reason::Restricted)), ..grant(id) };
    let opened = grant(GrantId::from_bytes([9; 16]));
    assert!(new.grants.len() == 2 && new.grants.contains(&closed) && new.grants.contains(&opened));
    assert_eq!((new.aliases, new.tips, new.keys), (vec![alias], vec![link], Vec::new()));

    // Open again: it is new again, with all whom it is about and who were told.
    record(&store, &Change { opened: vec![grant(id)], ..Change::default() }).await.expect("recorded");
    let new = other.load(&controller(), after).await.expect("loaded");
    assert_eq!((new.entries.len(), new.grants), (0, vec![grant(id)]));
    let all = other.load(&controller(), Revision::NONE).await.expect("loaded");
    assert_eq!((all.entries.len(), all.grants.len(), all.aliases.len(), all.tips.len()), (3, 2, 1, 1));
}

async fn what_a_gateway_was_told_and_has_told_is_known_to_every_process(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let (other, gateway) = (bed.open().await, slug("bay-1"));
    let told = other.told(&controller(), &gateway).await.expect("read").expect("is there");
    assert_eq!((told.head_sequence, told.head_until, told.applied), (0, None, None));
    assert_eq!(told.revision, store.current(&controller()).await.expect("is there").revision);

    store.take_head_sequences(&controller(), &gateway, 10, NOW.plus_seconds(30)).await.expect("taken");
    // Somebody whose clock is behind does not take back what was promised.
    other.take_head_sequences(&controller(), &gateway, 10, NOW).await.expect("taken");
    store.note_applied(&controller(), &gateway, told.revision, NOW).await.expect("noted");
    other.note_applied(&controller(), &gateway, Revision::NONE, NOW.plus_seconds(1)).await.expect("nothing");
    let told = other.told(&controller(), &gateway).await.expect("read").expect("is there");
    assert_eq!((told.head_sequence, told.head_until), (20, Some(NOW.plus_seconds(30))));
    assert_eq!(told.applied, Some((told.revision, NOW)));
    assert_eq!(other.told(&controller(), &slug("nobody")).await.expect("read"), None);
}

async fn another_process_hears_of_what_is_recorded(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let other = bed.open().await;
    let Some(mut listener) = other.listen().await.expect("listens") else {
        assert!(matches!(bed, Bed::Sqlite(_)));
        return;
    };
    let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
    let revision = record(&store, &closing).await.expect("recorded");
    store.note_applied(&controller(), &slug("bay-1"), revision, NOW).await.expect("noted");
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.push(timeout(Duration::from_secs(10), listener.next()).await.expect("heard").expect("listens"));
    }
    assert_eq!(heard, [Heard::Recorded(controller()), Heard::Applied(controller())]);
}

async fn the_rules_that_were_claimed_last_are_known_to_every_process(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let other = bed.open().await;
    assert_eq!(other.current(&controller()).await.expect("is there").rules, None);
    store.claim_rules(&controller(), &[1; 32]).await.expect("claimed");
    other.claim_rules(&controller(), &[2; 32]).await.expect("claimed");
    assert_eq!(store.current(&controller()).await.expect("is there").rules, Some([2; 32]));
    assert_eq!(store.load(&controller(), Revision::NONE).await.expect("loaded").rules, Some([2; 32]));
}
