//! The model when something breaks: what an error leaves, what a lost answer leaves, who waits for
//! whom, and databases that come back from a backup.

use crate::bed::{Bed, NOW, batch, commit, controller, grant, read, record, slug};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;
use vernport_api::Answer;
use vernport_crypto::MasterKey;
use vernport_store::{
    Change, CommitError, Heard, RecordError, Revision, RowKind, StoreError,
    model::{Call, Database, Model, Outcome, Tape, When},
};
use vernport_types::{GrantId, Reason};

fn model(bed: &Bed) -> &Model {
    let Bed::Model(model) = bed else { panic!("this is about the model") };
    model
}

/// From now on, calls of this operation at this moment go so; all others well.
fn break_at(bed: &Bed, operation: &'static str, when: When, outcome: Outcome) {
    model(bed).on_call(move |call| {
        if (call.operation, call.when) == (operation, when) { outcome } else { Outcome::GoOn }
    });
}

fn mend(bed: &Bed) {
    model(bed).on_call(|_| Outcome::GoOn);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_before_its_commit_leaves_nothing_and_says_what_broke() {
    let bed = Bed::model();
    let (store, id) = bed.with_grant().await;
    for (when, outcome) in [
        (When::Begin, Outcome::Gone),
        (When::Begin, Outcome::AnswerLost),
        (When::Begin, Outcome::Full),
        (When::Commit, Outcome::Gone),
        (When::Commit, Outcome::Full),
    ] {
        for operation in ["commit", "keep_wrapped_key"] {
            break_at(&bed, operation, when, outcome);
            let Err(CommitError::Store(error)) = commit(&store, &[batch(id)]).await else {
                panic!("{operation} was to break")
            };
            assert_eq!(error.is_unavailable(), outcome != Outcome::Full);
            assert!(matches!(error, StoreError::Statement(_)) && !error.is_busy());
        }
        mend(&bed);
        assert_eq!(store.count_batches(&controller()).await.expect("counted"), 0);
        let mut look = model(&bed).look(controller());
        assert!(look.leaves(0).await.expect("reads").is_empty());
    }
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::Committed]);
}

#[tokio::test(start_paused = true)]
async fn what_was_committed_and_not_answered_is_there_when_it_is_asked_again() {
    let bed = Bed::model();
    let (store, id) = bed.with_grant().await;
    let item = batch(id);
    break_at(&bed, "commit", When::Commit, Outcome::AnswerLost);
    let Err(CommitError::Store(error)) = commit(&store, std::slice::from_ref(&item)).await else {
        panic!("its answer was to be lost")
    };
    assert!(error.is_unavailable());
    mend(&bed);
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Duplicate]);

    let base = store.current(&controller()).await.expect("is there").revision;
    let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
    break_at(&bed, "record", When::Commit, Outcome::AnswerLost);
    store.record(&controller(), base, &closing, NOW).await.expect_err("its answer is lost");
    mend(&bed);
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
    let again = store.record(&controller(), base, &closing, NOW).await;
    assert!(matches!(again, Err(RecordError::Stale)), "the revision tells");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_waits_for_a_commit_that_began_before_and_no_longer_than_its_bound() {
    let bed = Bed::model();
    let (store, id) = bed.with_grant().await;
    let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
    for (takes_s, is_in_time) in [(3600, false), (1, true)] {
        break_at(&bed, "commit", When::Commit, Outcome::Wait(Duration::from_secs(takes_s)));
        let slow = bed.open().await;
        let committing = tokio::spawn(async move { commit(&slow, &[batch(id)]).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        let recorded = record(&store, &closing).await;
        if is_in_time {
            recorded.expect("recorded");
            let answers = committing.await.expect("no panic").expect("no failure");
            assert_eq!(answers, [Answer::Committed]);
            assert!((900..1_100).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        } else {
            let Err(RecordError::Store(error)) = recorded else { panic!("it was to wait in vain") };
            assert!(error.is_busy());
            assert!((2_000..2_100).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
            committing.abort();
            committing.await.expect_err("the process was killed");
        }
    }
    mend(&bed);
    assert_eq!(store.count_batches(&controller()).await.expect("counted"), 1, "what was killed left nothing");
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
}

#[tokio::test(start_paused = true)]
async fn every_transaction_asks_at_its_begin_and_those_that_write_at_their_commit() {
    let bed = Bed::model();
    let (store, id) = bed.with_grant().await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    model(&bed).on_call(move |Call { database, operation, when }| {
        seen.lock().expect("whole").push((database, operation, when));
        Outcome::GoOn
    });
    commit(&store, &[batch(id)]).await.expect("no failure");
    let (main, erasure) = (Database::Main, Database::Erasure);
    let expected = [
        (erasure, "wrapped_key", When::Begin),
        (erasure, "keep_wrapped_key", When::Begin),
        (erasure, "keep_wrapped_key", When::Commit),
        (erasure, "wrapped_key", When::Begin),
        (main, "commit", When::Begin),
        (main, "commit", When::Commit),
    ];
    assert_eq!(*calls.lock().expect("whole"), expected);
    break_at(&bed, "open", When::Begin, Outcome::Gone);
    let refused = model(&bed).open(MasterKey::generate()).await.expect_err("nobody answers");
    assert!(matches!(refused, StoreError::Open { database: "main", .. }) && refused.is_unavailable());
    store.close().await;
    assert!(read(&store).await.expect_err("it is closed").is_unavailable());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_far_behind_or_cut_off_is_told_that_anything_may_have_happened() {
    let bed = Bed::model();
    let (store, _) = bed.with_grant().await;
    let mut listener = store.listen().await.expect("listens").expect("as PostgreSQL");
    for _ in 0..100 {
        store.claim_rules(&controller(), &[1; 32]).await.expect("claimed");
    }
    assert_eq!(listener.next().await.expect("listens"), Heard::Anything);
    break_at(&bed, "next", When::Begin, Outcome::Gone);
    assert!(listener.next().await.expect_err("cut off").is_unavailable());
}

#[tokio::test(start_paused = true)]
async fn a_backup_brings_back_what_was_and_each_database_comes_back_alone() {
    let bed = Bed::model();
    let (store, id) = bed.with_grant().await;
    let (old, new) = (batch(id), batch(id));
    commit(&store, &[old.clone(), new.clone()]).await.expect("no failure");
    let before = model(&bed).backup();
    let closing = Change { closed: vec![(id, Reason::Erased)], ..Change::default() };
    record(&store, &closing).await.expect("recorded");
    store.erase_keys(&controller(), &[old.epoch], NOW).await.expect("erased");
    let after = model(&bed).backup();
    drop(store);

    // The withdrawal is forgotten, the erasure is not.
    let restored = Bed::Model(Model::restored(&before, &after));
    let store = restored.open().await;
    let page = read(&store).await.expect("read").expect("active");
    assert_eq!(page.batches.len(), 1, "a key that was erased stays so over a backup of the main database");
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::Committed]);
    assert_eq!(commit(&store, &[old]).await.expect("no failure"), [Answer::Duplicate]);
    // And the other way round.
    let restored = Bed::Model(Model::restored(&after, &before));
    let store = restored.open().await;
    let page = read(&store).await.expect("read").expect("active");
    assert_eq!(page.batches.len(), 2, "the key is there again: the journal's fences are for that");
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
    let untouched = bed.open().await.count_batches(&controller()).await.expect("counted");
    assert_eq!(untouched, 2, "what happened to the restored ones is not seen before");
}

#[tokio::test(start_paused = true)]
async fn what_a_tape_did_not_take_is_written_before_anything_else_is_recorded() {
    let bed = Bed::model();
    let (store, _) = bed.with_grant().await;
    let tape = Tape::new();
    let store = store.with_journal(tape.open(|_| panic!("it is new")).expect("opens"), HashSet::new());
    let entries = |n: u8| vec![crate::records::entry(n, &format!("ref-{n}"))];
    let rows = || {
        let mut rows = Vec::new();
        tape.read(|row| rows.push((row.kind, row.entry.as_bytes()[0]))).expect("read");
        rows
    };
    for (n, outcome, written) in [(1, Outcome::Full, 0), (2, Outcome::Gone, 0), (3, Outcome::AnswerLost, 1)] {
        tape.on_call(move |call| if call.when == When::Commit { outcome } else { Outcome::GoOn });
        let change = Change { entries: entries(n), ..Change::default() };
        let recorded = record(&store, &change).await;
        assert!(matches!(recorded, Err(RecordError::Store(StoreError::Journal(_)))));
        // Nothing is recorded before what waits is written, whether it was or not.
        let loaded = store.load(&controller(), Revision::NONE).await.expect("loads");
        assert_eq!((loaded.entries.len(), rows().len()), (1, written), "{n}");
    }
    tape.on_call(|_| Outcome::GoOn);
    store.settle_journal().await.expect("written");
    assert_eq!(rows(), [(RowKind::Entry, 1)], "once");
    let copy = tape.copy();
    store.begin_era(&controller(), 2, b"document", NOW).await.expect("begun");
    let mut copied = 0;
    copy.read(|_| copied += 1).expect("read");
    assert_eq!((copied, rows().len()), (1, 2), "a copy is a tape of its own");
    drop(store);
    tape.open(|_| {}).expect("nobody has it any more");
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_one_story_give_the_same_answers_in_the_same_order() {
    async fn story() -> Vec<String> {
        let bed = Bed::model();
        let (store, _) = bed.with_grant().await;
        let id = GrantId::from_bytes([5; 16]);
        record(&store, &Change { opened: vec![grant(id)], ..Change::default() }).await.expect("recorded");
        let told = Arc::new(Mutex::new(Vec::new()));
        let calls = Arc::clone(&told);
        model(&bed).on_call(move |call| {
            let mut calls = calls.lock().expect("whole");
            calls.push(format!("{call:?}"));
            match calls.len() % 13 {
                0 => Outcome::Wait(Duration::from_millis(3)),
                3 => Outcome::Gone,
                5 => Outcome::AnswerLost,
                _ => Outcome::GoOn,
            }
        });
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..12_u8 {
            let (store, told) = (model(&bed).open(MasterKey::from_bytes([7; 32])).await, Arc::clone(&told));
            tasks.spawn(async move {
                let Ok(store) = store else { return };
                let answer = if n % 4 == 0 {
                    let change = Change { closed: vec![(id, Reason::Restricted)], ..Change::default() };
                    let current = store.current(&controller()).await.map(|current| current.revision);
                    let base = current.unwrap_or(Revision::NONE);
                    format!("{:?}", store.record(&controller(), base, &change, NOW).await)
                } else {
                    let gateway = slug("bay-1");
                    format!("{:?}", store.commit(&controller(), &gateway, &[batch(id)], NOW).await)
                };
                told.lock().expect("whole").push(format!("{n}: {answer}"));
            });
        }
        tasks.join_all().await;
        let told = told.lock().expect("whole");
        told.clone()
    }
    let first = story().await;
    assert!(first.len() > 50, "{} steps", first.len());
    assert_eq!(first, story().await);
}
