//! Evidence: a leaf in the transaction of each thing, numbers without gaps, a tree
//! that only grows, and whoever takes a row out or puts one in is named.

use crate::bed::{Bed, NOW, batch, commit, controller, on_all, read, slug};
use vernport_audit::{Edge, Leaf, LeafKind, consistency};
use vernport_store::{Change, Look, NewEntry, Store, Things};
use vernport_types::EntryHash;

on_all! {
    each_entry_commit_and_read_has_its_leaf_and_what_was_refused_has_none,
    the_tree_of_two_processes_is_one_and_only_grows,
    what_was_seen_of_a_gateways_log_is_changed_by_one_at_a_time,
    ; sql:
    a_thing_without_evidence_and_evidence_without_its_thing_are_named,
}

fn entry(byte: u8, external_ref: &str) -> NewEntry {
    NewEntry {
        entry: EntryHash::from_bytes([byte; 32]),
        kind: "order-closed".into(),
        source: slug("dms"),
        external_ref: external_ref.into(),
        recorded_at: NOW,
        json: b"{}".to_vec(),
        voids: None,
    }
}

async fn record(store: &Store, entries: Vec<NewEntry>) -> bool {
    crate::bed::record(store, &Change { entries, ..Change::default() }).await.is_ok()
}

async fn kinds(look: &mut Look) -> Vec<LeafKind> {
    let leaves = look.leaves(0).await.expect("reads");
    let numbers: Vec<u64> = leaves.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..leaves.len() as u64).collect::<Vec<_>>(), "numbers have no gap");
    leaves.iter().map(|(_, leaf)| Leaf::from_bytes(leaf).expect("a leaf").kind()).collect()
}

/// How many things there are, and which of them have no evidence.
async fn without(look: &mut Look) -> (usize, Vec<String>) {
    let (mut count, mut names) = (0, Vec::new());
    for things in [Things::Entries, Things::Batches, Things::Reads] {
        let recorded = look.recorded(things, 0).await.expect("reads");
        count += recorded.len();
        names.extend(recorded.into_iter().filter(|thing| !thing.has_evidence).map(|thing| thing.name));
    }
    (count, names)
}

async fn each_entry_commit_and_read_has_its_leaf_and_what_was_refused_has_none(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let name = store.log_head(&controller()).await.expect("reads").name;
    assert!(record(&store, vec![entry(1, "a"), entry(2, "b")]).await);
    assert!(!record(&store, vec![entry(3, "c"), entry(4, "a")]).await, "the reference was used");
    let item = batch(id);
    commit(&store, &[item.clone(), batch(id)]).await.expect("no failure");
    commit(&store, &[item]).await.expect("a duplicate");
    read(&store).await.expect("read").expect("active");
    let mut look = bed.look_at_log().await;
    use LeafKind::{Commit, Entry, Read};
    assert_eq!(kinds(&mut look).await, [Entry, Entry, Commit, Commit, Read]);
    assert_eq!(without(&mut look).await, (5, vec![]));
    assert_eq!(look.orphans(-1).await.expect("reads"), []);
    look.close().await;
    let mut edge = Edge::default();
    let mut look = bed.look_at_log().await;
    for (_, leaf) in look.leaves(0).await.expect("reads") {
        edge.push(vernport_audit::leaf_hash(&leaf), |_, _| ());
    }
    let head = store.log_head(&controller()).await.expect("reads");
    assert_eq!((head.name, head.size, head.root), (name, 5, edge.root()));
    look.close().await;
}

async fn the_tree_of_two_processes_is_one_and_only_grows(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let other = bed.open().await;
    let mut heads = Vec::new();
    for _ in 0..5 {
        let (ours, theirs): (Vec<_>, Vec<_>) = ((0..64).map(|_| batch(id)).collect(), vec![batch(id)]);
        let (one, two) = tokio::join!(commit(&store, &ours), commit(&other, &theirs));
        one.expect("no failure");
        two.expect("no failure");
        let firm = controller();
        let (a, b) = tokio::join!(store.log_head(&firm), other.log_head(&firm));
        let head = a.expect("reads");
        assert_eq!(b.expect("reads"), head);
        heads.push(head);
    }
    let now = heads[4];
    assert_eq!(now.size, 5 * 65);
    for head in &heads {
        let proof = store.ask_log(&controller(), |tiles| consistency(head.size, now.size, tiles)).await;
        let proof = proof.expect("reads");
        assert_eq!(proof.extends((head.size, &head.root), (now.size, &now.root)), Ok(()));
        store.keep_log_checkpoint(&controller(), head.size, "note").await.expect("kept");
    }
    let mut look = bed.look_at_log().await;
    assert_eq!(look.kept_tiles().await.expect("reads"), 1);
    assert_eq!(look.tile(0, 0).await.expect("reads").map(|tile| tile.len()), Some(8192));
    assert_eq!(look.checkpoints().await.expect("reads").len(), 5);
    look.close().await;
}

async fn a_thing_without_evidence_and_evidence_without_its_thing_are_named(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    assert!(record(&store, vec![entry(1, "a")]).await);
    let item = batch(id);
    commit(&store, &[batch(id), item.clone()]).await.expect("no failure");
    read(&store).await.expect("read").expect("active");
    let mut hand = bed.look().await;
    hand.run("UPDATE read_log SET batches = 99").await;
    hand.run("UPDATE evidence_leaf SET position = 77 WHERE number = 2").await;
    hand.run("DELETE FROM entry").await;
    let mut look = bed.look_at_log().await;
    let (count, names) = without(&mut look).await;
    assert_eq!((count, names.len()), (3, 2), "{names:?}");
    assert!(names[0] == format!("batch {}", item.batch) && names[1].starts_with("read at "), "{names:?}");
    let orphans = look.orphans(-1).await.expect("reads");
    assert_eq!(orphans, [(0, LeafKind::Entry), (2, LeafKind::Commit)]);
    look.close().await;
}

async fn what_was_seen_of_a_gateways_log_is_changed_by_one_at_a_time(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let other = bed.open().await;
    for _ in 0..5 {
        tokio::join!(one_more(&store), one_more(&other));
    }
    assert_eq!(store.log_alarms(&controller()).await.expect("reads"), (10, 1));
    let note = store.witness(&controller(), &slug("bay-1"), NOW, |known| known.note.clone()).await;
    assert_eq!(note.expect("reads"), "10 alarms");
    let mut look = bed.look_at_log().await;
    let standing = vec![("bay-1".to_owned(), Some("shrunk".to_owned()), None)];
    assert_eq!(look.alarms().await.expect("reads"), standing);
    look.close().await;
}

async fn one_more(store: &Store) {
    let count = |known: &mut vernport_store::Witnessed| {
        known.alarms += 1;
        known.note = format!("{} alarms", known.alarms);
        known.alarm = Some("shrunk".into());
    };
    store.witness(&controller(), &slug("bay-1"), NOW, count).await.expect("kept");
}
