//! Commits: once, and never behind a withdrawal.

use crate::bed::{Bed, NOW, batch, commit, controller, grant, on_all, read, read_behind, record};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::task::JoinSet;
use vernport_api::Answer;
use vernport_store::{Change, CommitError, Incoming, RecordError, Store};
use vernport_types::{GrantId, Reason, UtcMicros};

on_all! {
    no_commit_succeeds_once_a_withdrawal_is_recorded,
    one_batch_sent_from_many_sides_at_once_is_stored_once,
    one_id_for_two_bodies_sent_at_once_is_one_batch_and_one_refusal,
    while_another_process_writes_for_long_the_gateway_is_asked_to_come_again,
    a_request_with_one_refused_item_leaves_nothing_but_an_unused_erasure_key,
    a_grant_that_waits_opens_again_under_its_id,
    a_batch_that_was_deleted_is_known_for_ever,
    an_epoch_is_of_one_grant_and_one_gateway_and_an_unknown_grant_may_come_to_be_known,
    batches_of_many_months_come_from_two_processes_at_once,
    a_reader_that_goes_on_behind_its_last_position_misses_nothing_that_is_committed_meanwhile,
    ; sql:
    a_month_whose_partition_was_dropped_gets_another_one,
}

/// Two processes that share their databases, and one open grant.
async fn two(bed: &Bed) -> ([Arc<Store>; 2], GrantId) {
    let (store, id) = bed.with_grant().await;
    ([Arc::new(store), Arc::new(bed.open().await)], id)
}

/// So often is sent what has to have its turn then. SQLite gives its lock to whoever asks at the right moment, so
/// that one of many may wait for too long; the others give turns, and once is enough.
fn tries(bed: &Bed) -> u32 {
    if matches!(bed, Bed::Sqlite(_)) { 30 } else { 1 }
}

/// Sends as a gateway does that is asked to come again.
async fn send(tries: u32, store: &Store, items: &[Incoming]) -> Result<Vec<Answer>, CommitError> {
    let mut answers = commit(store, items).await?;
    for _ in 1..tries {
        if !answers.contains(&Answer::Retry) {
            break;
        }
        answers = commit(store, items).await?;
    }
    Ok(answers)
}

/// Records in the same way.
async fn record_in_turn(tries: u32, store: &Store, change: &Change) {
    let mut recorded = record(store, change).await;
    for _ in 1..tries {
        if !matches!(&recorded, Err(RecordError::Store(error)) if error.is_busy()) {
            break;
        }
        recorded = record(store, change).await;
    }
    recorded.expect("recorded");
}

async fn count(store: &Store) -> u64 {
    store.count_batches(&controller()).await.expect("counted")
}

async fn no_commit_succeeds_once_a_withdrawal_is_recorded(bed: Bed) {
    let (stores, _) = two(&bed).await;
    let tries = tries(&bed);
    let mut before = 0;
    for round in 0..10_u8 {
        let id = GrantId::from_bytes([round; 16]);
        let opening = Change { opened: vec![grant(id)], ..Change::default() };
        record(&stores[0], &opening).await.expect("recorded");
        let withdrawn = Arc::new(AtomicBool::new(false));
        let mut commits = JoinSet::new();
        for n in 0..16 {
            let (store, withdrawn) = (Arc::clone(&stores[n % 2]), Arc::clone(&withdrawn));
            commits.spawn(async move {
                let after = withdrawn.load(Ordering::SeqCst);
                let answers = send(tries, &store, &[batch(id)]).await.expect("no failure");
                (after, answers[0])
            });
        }
        let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
        record_in_turn(tries, &stores[0], &closing).await;
        withdrawn.store(true, Ordering::SeqCst);
        let at_withdrawal = count(&stores[1]).await;
        assert_eq!(
            send(tries, &stores[1], &[batch(id)]).await.expect("no failure"),
            [Answer::RefusedWithdrawn]
        );

        let mut committed = 0;
        while let Some(outcome) = commits.join_next().await {
            let (after, answer) = outcome.expect("no panic");
            assert!(!(after && answer == Answer::Committed), "committed on a withdrawn basis");
            committed += u64::from(answer == Answer::Committed);
        }
        assert_eq!(count(&stores[1]).await, at_withdrawal, "a commit came behind the withdrawal");
        assert_eq!(at_withdrawal - before, committed);
        before = at_withdrawal;
    }
}

async fn one_batch_sent_from_many_sides_at_once_is_stored_once(bed: Bed) {
    let (stores, id) = two(&bed).await;
    let tries = tries(&bed);
    let item = batch(id);
    let mut commits = JoinSet::new();
    for n in 0..20 {
        let (store, item) = (Arc::clone(&stores[n % 2]), item.clone());
        commits.spawn(async move { send(tries, &store, &[item]).await.expect("no failure")[0] });
    }
    let answers = commits.join_all().await;
    let count_of = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count_of(Answer::Committed), count_of(Answer::Duplicate)), (1, 19));
    assert_eq!(count(&stores[1]).await, 1);
}

async fn one_id_for_two_bodies_sent_at_once_is_one_batch_and_one_refusal(bed: Bed) {
    let (stores, id) = two(&bed).await;
    let tries = tries(&bed);
    for _ in 0..5 {
        let one = batch(id);
        let other = Incoming { envelope_hash: [0; 32], ..one.clone() };
        let (one, other) = ([one], [other]);
        let (first, second) = tokio::join!(send(tries, &stores[0], &one), send(tries, &stores[1], &other));
        let (taken, refused) = if first.is_ok() { (first, second) } else { (second, first) };
        assert_eq!(taken.expect("one of them"), [Answer::Committed]);
        assert!(matches!(refused, Err(CommitError::IdReused { item: 0 })));
    }
    assert_eq!(count(&stores[0]).await, 5);
}

async fn while_another_process_writes_for_long_the_gateway_is_asked_to_come_again(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let item = batch(id);
    // Its month has its partition, so that only the commit waits.
    commit(&store, &[batch(id)]).await.expect("no failure");
    let other = bed.write_for_long().await;
    assert_eq!(commit(&store, std::slice::from_ref(&item)).await.expect("no failure"), [Answer::Retry]);
    other.end().await;
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Committed]);
}

async fn a_request_with_one_refused_item_leaves_nothing_but_an_unused_erasure_key(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let first = batch(id);
    let forged = Incoming { envelope_hash: [0; 32], ..first.clone() };
    commit(&store, &[first]).await.expect("no failure");
    let fresh = batch(id);
    let refused = commit(&store, &[fresh.clone(), forged]).await;
    assert!(matches!(refused, Err(CommitError::IdReused { item: 1 })));
    assert_eq!(count(&store).await, 1);
    // The key that was made for it serves when it comes again.
    assert_eq!(commit(&store, &[fresh]).await.expect("no failure"), [Answer::Committed]);
    assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 2);
}

async fn a_grant_that_waits_opens_again_under_its_id(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let item = batch(id);
    let close = |reason| Change { closed: vec![(id, reason)], ..Change::default() };
    record(&store, &close(Reason::Restricted)).await.expect("recorded");
    assert_eq!(
        commit(&store, std::slice::from_ref(&item)).await.expect("no failure"),
        [Answer::ParkedRestricted]
    );
    let open = Change { opened: vec![grant(id)], ..Change::default() };
    record(&store, &open).await.expect("recorded");
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Committed]);
    record(&store, &close(Reason::OrderNotOpen)).await.expect("recorded");
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::Committed]);
}

async fn a_batch_that_was_deleted_is_known_for_ever(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let item = batch(id);
    commit(&store, std::slice::from_ref(&item)).await.expect("no failure");
    let kept = store.kept_batches(&controller(), item.epoch, i64::MIN, 8).await.expect("read");
    store.sweep(&controller(), item.epoch, &kept).await.expect("swept");
    assert_eq!(count(&store).await, 0);
    let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
    record(&store, &closing).await.expect("recorded");
    let other = Incoming { envelope_hash: [0; 32], ..item.clone() };
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Duplicate]);
    assert!(matches!(commit(&store, &[other]).await, Err(CommitError::IdReused { item: 0 })));
    assert_eq!(count(&store).await, 0);
}

async fn an_epoch_is_of_one_grant_and_one_gateway_and_an_unknown_grant_may_come_to_be_known(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let other = GrantId::from_bytes([9; 16]);
    let item = Incoming { grant: other, ..batch(id) };
    assert_eq!(commit(&store, std::slice::from_ref(&item)).await.expect("no failure"), [Answer::Retry]);
    record(&store, &Change { opened: vec![grant(other)], ..Change::default() }).await.expect("recorded");
    assert_eq!(commit(&store, std::slice::from_ref(&item)).await.expect("no failure"), [Answer::Committed]);

    let of_another_grant = Incoming { epoch: item.epoch, ..batch(id) };
    let of_another_flow = Incoming { flow: "fuel".parse().expect("a slug"), ..batch(id) };
    for refused in [of_another_grant, of_another_flow] {
        let answer = commit(&store, &[batch(id), refused]).await;
        assert!(matches!(answer, Err(CommitError::NotOfGrant { item: 1 })), "{answer:?}");
    }
    let (gateway, same_epoch) =
        ("bay-2".parse().expect("a slug"), Incoming { epoch: item.epoch, ..batch(other) });
    let answer = store.commit(&controller(), &gateway, &[same_epoch], NOW).await;
    assert!(matches!(answer, Err(CommitError::NotOfGrant { item: 0 })), "{answer:?}");
    assert_eq!(count(&store).await, 1);
}

async fn batches_of_many_months_come_from_two_processes_at_once(bed: Bed) {
    const MONTH_SECONDS: i64 = 31 * 86_400;
    let (stores, id) = two(&bed).await;
    let tries = tries(&bed);
    let mut commits = JoinSet::new();
    for n in 0..24 {
        let store = Arc::clone(&stores[n % 2]);
        let latest_due = NOW.plus_seconds(1 + i64::try_from(n / 2).expect("small") * MONTH_SECONDS);
        commits.spawn(async move {
            send(tries, &store, &[Incoming { latest_due, ..batch(id) }]).await.expect("no failure")
        });
    }
    // However far ahead a time is, there is one partition for all that is too far.
    for n in 0..4 {
        let store = Arc::clone(&stores[n % 2]);
        let latest_due = UtcMicros(i64::MAX - i64::try_from(n).expect("small") * MONTH_SECONDS * 1_000_000);
        commits.spawn(async move {
            send(tries, &store, &[Incoming { latest_due, ..batch(id) }]).await.expect("no failure")
        });
    }
    assert!(commits.join_all().await.iter().all(|answers| *answers == [Answer::Committed]));
    let page = read(&stores[0]).await.expect("read").expect("active");
    assert_eq!((page.batches.len(), count(&stores[0]).await), (28, 28));
    if let Bed::Postgres { .. } = bed {
        let inherited = "SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'batch'::regclass";
        let (partitions,): (i64,) = bed.look().await.one(inherited).await;
        assert_eq!(partitions, 13);
    }
}

async fn a_month_whose_partition_was_dropped_gets_another_one(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::Committed]);
    let item = batch(id);
    if let Bed::Postgres { .. } = bed {
        bed.look().await.run("DROP TABLE batch_202611").await;
        let answers = commit(&store, std::slice::from_ref(&item)).await.expect("no failure");
        assert_eq!(answers, [Answer::Retry]);
    }
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Committed]);
}

async fn a_reader_that_goes_on_behind_its_last_position_misses_nothing_that_is_committed_meanwhile(bed: Bed) {
    let (stores, id) = two(&bed).await;
    let tries = tries(&bed);
    let mut commits = JoinSet::new();
    for n in 0..40 {
        let store = Arc::clone(&stores[n % 2]);
        let items = [batch(id), batch(id)];
        commits.spawn(async move { send(tries, &store, &items).await.expect("no failure") });
    }
    let (mut after, mut seen) = (0, 0);
    let mut pending = 40;
    loop {
        let page = read_behind(&stores[0], after).await.expect("read").expect("active");
        seen += page.batches.len();
        after = page.last.unwrap_or(after);
        match commits.try_join_next() {
            Some(answers) => {
                assert_eq!(answers.expect("no panic"), [Answer::Committed; 2]);
                pending -= 1;
            }
            None if pending == 0 && page.last.is_none() => break,
            None => tokio::task::yield_now().await,
        }
    }
    assert_eq!(seen, 80);
}
