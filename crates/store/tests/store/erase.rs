//! Erasing and deleting in steps: broken off after any of them and begun again, it comes to the
//! same end.

use crate::bed::{Bed, KEY, NOW, Paper, batch, commit, controller, on_all, read, read_behind, record, slug};
use std::collections::HashSet;
use vernport_api::Answer;
use vernport_crypto::MasterKey;
use vernport_store::{
    CertificateRow, Change, Erased, Fence, Incoming, Journal, JournalError, NewEntry, Revision, Row, RowKind,
    Store,
};
use vernport_types::{EntryHash, EpochId, GrantId, Reason};

const ORDER: EntryHash = EntryHash::from_bytes([0xE0; 32]);

on_all! {
    an_erasure_broken_off_after_any_step_comes_to_the_same_end,
    a_certificate_that_comes_second_under_its_number_ends_nothing,
    whoever_read_of_an_epoch_is_ordered_to_delete_once,
    whoever_read_from_behind_a_batch_is_not_ordered_to_delete_that,
    a_journaled_fence_takes_a_key_that_a_restore_brought_back,
    what_others_recorded_goes_into_the_journal_when_it_is_loaded_and_once,
    what_is_due_goes_and_is_counted_and_an_ended_epoch_loses_its_key,
    one_process_has_a_duty_until_it_leaves_it_or_its_time_is_over,
    a_clock_is_believed_up_to_its_bound,
    an_era_begins_once_and_is_in_the_journal,
    ; sql:
    a_partition_goes_when_its_month_is_over_and_it_is_empty,
}

/// The entry that orders an erasure, as the ledger records it.
async fn ordered(store: &Store, grant: GrantId) {
    let entry = NewEntry {
        entry: ORDER,
        kind: "erasure-ordered".into(),
        source: slug("dms"),
        external_ref: "ref-1".into(),
        recorded_at: NOW,
        json: b"{\"subject\":\"somebody\"}".to_vec(),
        voids: None,
    };
    let change = Change { entries: vec![entry], closed: vec![(grant, Reason::Erased)], ..Change::default() };
    record(store, &change).await.expect("recorded");
}

fn fence(epoch: EpochId) -> Fence {
    Fence { epoch, recipient: slug("workshop"), purpose: slug("service") }
}

/// Does the next step of an erasure, by what the store says; false when there is none.
async fn step(store: &Store, grant: GrantId) -> bool {
    let of = controller();
    if store.open_erasures(&of).await.expect("read").is_empty() {
        return false;
    }
    if let Some((epoch, _)) = store.live_epochs(&of, grant).await.expect("read").first() {
        store.fence(&of, &ORDER, &[fence(*epoch)], NOW.plus_seconds(9), NOW).await.expect("fenced");
        return true;
    }
    if let Some((epoch, entry)) = store.fenced(&of, 1).await.expect("read").first() {
        if !store.with_keys(&of, &[*epoch]).await.expect("read").is_empty() {
            store.journal_fences(&of, *entry, &[*epoch], NOW).await.expect("journaled");
            store.erase_keys(&of, &[*epoch], NOW).await.expect("erased");
        } else {
            store.delete_fenced(&of, *epoch, NOW).await.expect("deleted");
        }
        return true;
    }
    let row = CertificateRow { number: 1, issued_at: NOW, certificate: "{}".into(), signature: vec![7] };
    store.certify(&of, &ORDER, &row, true).await.expect("certified");
    true
}

async fn an_erasure_broken_off_after_any_step_comes_to_the_same_end(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let epochs = [EpochId::from_bytes([1; 16]), EpochId::from_bytes([2; 16])];
    let long: Vec<Incoming> = (0..300).map(|_| Incoming { epoch: epochs[0], ..batch(grant) }).collect();
    for part in long.chunks(100) {
        commit(&store, part).await.expect("no failure");
    }
    commit(&store, &[Incoming { epoch: epochs[1], ..batch(grant) }]).await.expect("no failure");
    ordered(&store, grant).await;
    let (mut steps, mut store) = (0, store);
    // Another process takes over after each step.
    while step(&store, grant).await {
        steps += 1;
        assert!(steps < 20, "it comes to no end");
        let late = Incoming { epoch: epochs[0], ..batch(grant) };
        assert_eq!(commit(&store, &[late]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
        store.close().await;
        store = bed.open().await;
    }
    assert_eq!(steps, 8, "two fences, two keys, three deletions, one certificate");
    let erased = store.erased_by(&controller(), &ORDER).await.expect("read");
    assert_eq!(erased, Erased { epochs: epochs.to_vec(), batches: 301 });
    assert_eq!(store.count_batches(&controller()).await.expect("counted"), 0);
    assert_eq!(store.certificates(&controller(), &ORDER).await.expect("read").len(), 1);
    assert_eq!(store.erasure_order(&controller(), &ORDER).await.expect("read"), Some(Some(NOW)));
}

/// Two processes look at an order, one before the end of a hold and one after it.
async fn a_certificate_that_comes_second_under_its_number_ends_nothing(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    ordered(&store, grant).await;
    let of = controller();
    for (certificate, completes) in [("kept", false), ("complete", true)] {
        let certificate = certificate.into();
        let row = CertificateRow { number: 1, issued_at: NOW, certificate, signature: vec![7] };
        store.certify(&of, &ORDER, &row, completes).await.expect("taken");
    }
    let certificates = store.certificates(&of, &ORDER).await.expect("read");
    assert_eq!(certificates.iter().map(|row| &row.certificate[..]).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(store.erasure_order(&of, &ORDER).await.expect("read"), Some(None));
    for at in [NOW, NOW.plus_seconds(1)] {
        store.end_erasure(&of, &ORDER, at).await.expect("ended");
        assert_eq!(store.erasure_order(&of, &ORDER).await.expect("read"), Some(Some(NOW)));
    }
}

async fn whoever_read_of_an_epoch_is_ordered_to_delete_once(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let (seen, unseen) = (batch(grant), batch(grant));
    commit(&store, std::slice::from_ref(&seen)).await.expect("no failure");
    for _ in 0..2 {
        assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 1);
    }
    commit(&store, std::slice::from_ref(&unseen)).await.expect("no failure");
    let fences = [fence(seen.epoch), fence(unseen.epoch)];
    for _ in 0..2 {
        store.fence(&controller(), &ORDER, &fences, NOW.plus_seconds(9), NOW).await.expect("fenced");
    }
    let orders = store.deletions_of(&controller(), &ORDER).await.expect("read");
    assert_eq!(orders.iter().map(|row| (row.epoch, row.batches)).collect::<Vec<_>>(), [(seen.epoch, 1)]);
    let unfetched = [orders[0].position];
    let early = store.confirm_deletions(&controller(), &slug("workshop"), &unfetched, NOW).await;
    assert_eq!(early.expect("noted"), 0, "what it was not told it cannot confirm");
    let fetched = store.fetch_deletions(&controller(), &slug("workshop"), 0, 10, NOW).await.expect("read");
    assert_eq!(fetched.len(), 1);
    let id = fetched[0].position;
    let further = store.fetch_deletions(&controller(), &slug("workshop"), id, 10, NOW).await.expect("read");
    assert!(further.is_empty(), "nothing is behind it");
    let confirm =
        async |who| store.confirm_deletions(&controller(), &slug(who), &[id], NOW).await.expect("noted");
    assert_eq!((confirm("coach").await, confirm("workshop").await, confirm("workshop").await), (0, 1, 1));
    assert!(
        store.fetch_deletions(&controller(), &slug("workshop"), 0, 10, NOW).await.expect("read").is_empty()
    );
    assert_eq!(KEY.as_bytes().len(), 16);
}

async fn whoever_read_from_behind_a_batch_is_not_ordered_to_delete_that(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let items = [batch(grant), batch(grant), batch(grant)];
    commit(&store, &items).await.expect("no failure");
    let kept = store.kept_batches(&controller(), items[0].epoch, i64::MIN, 8).await.expect("read");
    let page = read_behind(&store, kept[0].position).await.expect("read").expect("active");
    assert_eq!(page.batches.len(), 2);
    let fences = items.each_ref().map(|item| fence(item.epoch));
    store.fence(&controller(), &ORDER, &fences, NOW.plus_seconds(9), NOW).await.expect("fenced");
    let orders = store.deletions_of(&controller(), &ORDER).await.expect("read");
    let ordered: Vec<_> = orders.iter().map(|row| (row.epoch, row.batches)).collect();
    assert_eq!(ordered, [(items[1].epoch, 1), (items[2].epoch, 1)]);
}

/// Or what was recorded here, where the answer to the commit was lost.
async fn what_others_recorded_goes_into_the_journal_when_it_is_loaded_and_once(bed: Bed) {
    let (other, grant) = bed.with_grant().await;
    let paper = Paper::of(&bed);
    let store = bed.open().await;
    let store = store.with_journal(paper.open(|_| panic!("it is new")).expect("made"), HashSet::new());
    ordered(&other, grant).await;
    let journaled = || {
        let mut entries = Vec::new();
        paper.read(|row| entries.push((row.kind, row.entry, store.journaled_entry(&row).expect("an entry"))));
        entries
    };
    assert_eq!(journaled(), []);
    for _ in 0..2 {
        let loaded = store.load(&controller(), Revision::NONE).await.expect("loaded");
        let entries = loaded.entries.iter().map(|of| (RowKind::Entry, of.entry, of.json.clone()));
        assert_eq!(journaled(), entries.collect::<Vec<_>>());
    }
    assert!(journaled().iter().any(|(_, entry, _)| *entry == ORDER));
    assert_eq!(store.catch_up_journal(&controller(), NOW).await.expect("caught up"), 0);
}

async fn a_journaled_fence_takes_a_key_that_a_restore_brought_back(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let paper = Paper::of(&bed);
    let store = store.with_journal(paper.open(|_| panic!("it is new")).expect("made"), HashSet::new());
    let item = batch(grant);
    commit(&store, std::slice::from_ref(&item)).await.expect("no failure");
    ordered(&store, grant).await;
    store.journal_fences(&controller(), ORDER, &[item.epoch], NOW).await.expect("journaled");

    let mut rows: Vec<Row> = Vec::new();
    paper.read(|row| rows.push(row));
    let [entry, fences] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!((entry.kind, entry.entry), (RowKind::Entry, ORDER));
    assert_eq!(store.journaled_entry(entry).expect("sealed here"), b"{\"subject\":\"somebody\"}");
    assert_eq!(store.journaled_fences(fences).expect("sealed here"), [item.epoch]);
    assert!(store.journaled_fences(entry).is_err() && store.journaled_era(fences).is_err());
    assert!(bed.open_as([8; 32]).await.journaled_entry(entry).is_err(), "another master key");
    if let Paper::File(folder) = &paper {
        let bytes = std::fs::read(folder.path().join("journal")).expect("readable");
        assert!(!bytes.windows(8).any(|window| window == b"somebody"));
    }
    assert!(matches!(paper.open(|_| {}), Err(JournalError::Taken { .. })), "one writes it");

    let found = store.with_keys(&controller(), &[item.epoch]).await.expect("read");
    assert_eq!(found, [item.epoch]);
    store.erase_keys(&controller(), &found, NOW).await.expect("erased");
    assert!(store.with_keys(&controller(), &found).await.expect("read").is_empty());
    assert!(read(&store).await.expect("read").expect("active").batches.is_empty());
}

async fn what_is_due_goes_and_is_counted_and_an_ended_epoch_loses_its_key(bed: Bed) {
    let (store, grant) = bed.with_grant().await;
    let epoch = EpochId::from_bytes([1; 16]);
    let items: Vec<_> = (0..3).map(|_| Incoming { epoch, ..batch(grant) }).collect();
    commit(&store, &items).await.expect("no failure");
    let look = store.to_look_at(&controller(), NOW, 8).await.expect("read");
    assert_eq!((look.len(), look[0].epoch, look[0].grant), (1, epoch, grant));
    let kept = store.kept_batches(&controller(), epoch, i64::MIN, 8).await.expect("read");
    store.sweep(&controller(), epoch, &kept[..2]).await.expect("swept");
    store.sweep(&controller(), epoch, &kept[..2]).await.expect("nothing left of it");
    assert_eq!(store.swept(&controller()).await.expect("read").get(&slug("short")), Some(&2));
    store.look_again(&controller(), &[(epoch, NOW.plus_seconds(5))]).await.expect("noted");
    assert!(store.to_look_at(&controller(), NOW, 8).await.expect("read").is_empty());
    assert_eq!(store.to_look_at(&controller(), NOW.plus_seconds(5), 8).await.expect("read").len(), 1);
    store.sweep(&controller(), epoch, &kept).await.expect("swept");
    store.end_epoch(&controller(), epoch, NOW).await.expect("ended");
    assert!(store.to_look_at(&controller(), NOW.plus_seconds(5), 8).await.expect("read").is_empty());
    assert!(store.with_keys(&controller(), &[epoch]).await.expect("read").is_empty());
    let late = Incoming { epoch, ..batch(grant) };
    assert_eq!(commit(&store, &[late]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
}

async fn one_process_has_a_duty_until_it_leaves_it_or_its_time_is_over(bed: Bed) {
    let (first, _) = bed.with_grant().await;
    let second = bed.open().await;
    let take = async |store: &Store, holder: u8, now: i64| {
        let now = NOW.plus_seconds(now);
        store.take_duty(&controller(), "x", &[holder; 16], now.plus_seconds(10), now).await.expect("asked")
    };
    assert!(take(&first, 1, 0).await && !take(&second, 2, 9).await);
    assert!(take(&first, 1, 9).await, "it goes on");
    assert!(!take(&second, 2, 18).await && take(&second, 2, 19).await, "nobody said another word");
    assert!(!take(&first, 1, 20).await);
    second.leave_duty(&controller(), "x", &[2; 16]).await.expect("left");
    assert!(take(&first, 1, 21).await);
    second.leave_duty(&controller(), "x", &[2; 16]).await.expect("not its own");
    assert!(!take(&second, 2, 22).await);
}

async fn a_clock_is_believed_up_to_its_bound(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let believe = async |seconds: i64, ahead: i64| {
        let at = store.believe_clock(&controller(), NOW.plus_seconds(seconds), ahead).await.expect("asked");
        (at.0 - NOW.0) / 1_000_000
    };
    assert_eq!((believe(0, 10).await, believe(0, 10_000_000).await), (0, 0));
    assert_eq!(believe(10, 10_000_000).await, 10);
    assert_eq!(believe(21, 10_000_000).await, 10, "too far");
    assert_eq!(believe(5, 10_000_000).await, 10, "it never goes back");
    assert_eq!(believe(21, 11_000_000).await, 21);
}

async fn an_era_begins_once_and_is_in_the_journal(bed: Bed) {
    let (store, _) = bed.with_grant().await;
    let paper = Paper::of(&bed);
    let store = store.with_journal(paper.open(|_| {}).expect("made"), HashSet::new());
    assert_eq!(store.era(&controller()).await.expect("read"), None);
    store.begin_era(&controller(), 2, b"document", NOW).await.expect("begun");
    store.begin_era(&controller(), 2, b"other", NOW).await.expect_err("its number is used once");
    assert_eq!(store.era(&controller()).await.expect("read"), Some((2, b"document".to_vec())));
    let mut eras = Vec::new();
    paper.read(|row| eras.push(store.journaled_era(&row).expect("an era")));
    assert_eq!(eras, [2, 2], "rather twice than never");
}

async fn a_partition_goes_when_its_month_is_over_and_it_is_empty(bed: Bed) {
    const MONTH_SECONDS: i64 = 31 * 86_400;
    let (store, grant) = bed.with_grant().await;
    let due = |months: i64| NOW.plus_seconds(1 + months * MONTH_SECONDS);
    let items = [0, 1, 2].map(|months| Incoming { latest_due: due(months), ..batch(grant) });
    commit(&store, &items).await.expect("no failure");
    let is_postgres = matches!(bed, Bed::Postgres { .. });
    assert_eq!(store.drop_partitions(due(2)).await.expect("looked"), 0, "none is empty");
    for item in &items[..2] {
        let kept = store.kept_batches(&controller(), item.epoch, i64::MIN, 8).await.expect("read");
        store.sweep(&controller(), item.epoch, &kept).await.expect("swept");
    }
    let expected = usize::from(is_postgres);
    assert_eq!(store.drop_partitions(due(1)).await.expect("looked"), expected, "the month is not over");
    assert_eq!(store.drop_partitions(due(2)).await.expect("looked"), expected);
    assert_eq!(store.count_batches(&controller()).await.expect("counted"), 1);
}

#[tokio::test]
async fn a_journal_under_another_master_key_says_what_it_said_and_nothing_is_under_the_one_before() {
    let (bed, folder) = (Bed::sqlite("").expect("always"), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("journal");
    let (store, grant) = bed.with_grant().await;
    let store =
        store.with_journal(Journal::open(&path, |_| panic!("it is new")).expect("made"), HashSet::new());
    let item = batch(grant);
    ordered(&store, grant).await;
    store.journal_fences(&controller(), ORDER, &[item.epoch], NOW).await.expect("journaled");
    store.begin_era(&controller(), 2, b"document", NOW).await.expect("begun");
    let [old, new, other] = [7, 8, 9].map(|byte| MasterKey::from_bytes([byte; 32]));
    assert!(matches!(Journal::reseal(&path, &old, &new), Err(JournalError::Taken { .. })), "central runs");
    drop(store);

    let before = std::fs::read(&path).expect("readable");
    assert!(matches!(Journal::reseal(&path, &other, &new), Err(JournalError::Sealed { .. })));
    assert_eq!(std::fs::read(&path).expect("readable"), before, "nothing was changed");
    // What an interrupted run left is no part of it.
    std::fs::write(folder.path().join("journal.new"), b"half a row").expect("written");
    assert_eq!(Journal::reseal(&path, &old, &new).expect("sealed anew"), 3);
    assert_eq!(Journal::reseal(&path, &old, &new).expect("done again"), 0);

    let (under_old, under_new) = (bed.open_as([7; 32]).await, bed.open_as([8; 32]).await);
    let (mut said, mut rows) = (Vec::new(), Vec::new());
    Journal::read(&path, |row| rows.push(row)).expect("read");
    for row in &rows {
        assert!(under_old.journaled_entry(row).is_err() && under_old.journaled_fences(row).is_err());
        assert!(under_old.journaled_era(row).is_err());
        match row.kind {
            RowKind::Entry => said.push(under_new.journaled_entry(row).expect("an entry").len()),
            RowKind::Fences => assert_eq!(under_new.journaled_fences(row).expect("fences"), [item.epoch]),
            RowKind::Era => said.push(under_new.journaled_era(row).expect("an era") as usize),
        }
    }
    assert_eq!((said.len(), rows.len()), (2, 3));
    drop(Journal::open(&path, |_| {}).expect("it goes on"));
}

#[test]
fn no_bytes_make_a_journal_panic_and_only_a_torn_end_is_forgiven() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    for bytes in [&b""[..], b"vern", b"vernport journal v1\n"] {
        std::fs::write(&path, bytes).expect("written");
        drop(Journal::open(&path, |_| panic!("no rows")).expect("begun anew"));
    }
    let magic = b"vernport journal v1\n";
    for (tail, is_torn) in [
        (vec![0; 35], true),
        (vec![0; 36], true),
        (vec![0; 5_000], true),
        ([&[0, 0, 0, 200][..], &[7; 40]].concat(), true),
        ([&[0, 0, 0, 4][..], &[7; 36]].concat(), true),
        ([&[0, 0, 0, 4][..], &[7; 37]].concat(), false),
        (vec![255; 2_000_000], false),
    ] {
        std::fs::write(&path, [&magic[..], &tail].concat()).expect("written");
        let read = Journal::open(&path, |_| panic!("no rows"));
        assert_eq!(read.is_ok(), is_torn, "{} bytes", tail.len());
        if let Err(error) = read {
            assert!(matches!(error, JournalError::Broken { offset: 20, .. }), "{error}");
        }
    }
    std::fs::write(&path, b"something else of twenty bytes").expect("written");
    assert!(matches!(Journal::open(&path, |_| {}), Err(JournalError::Broken { offset: 0, .. })));
}
