//! Reads: logged first, and nothing without the erasure key.

use crate::bed::{Bed, KEY, NOW, WRAPS, batch, commit, on_both, read, record};
use vernport_api::Answer;
use vernport_store::{Change, Incoming, StoreError};

on_both! {
    no_file_holds_the_wraps_as_they_came_and_without_the_erasure_key_they_are_gone,
    a_read_that_cannot_be_logged_releases_nothing,
    a_key_that_was_revoked_or_is_anothers_reads_nothing_and_leaves_no_log,
}

async fn no_file_holds_the_wraps_as_they_came_and_without_the_erasure_key_they_are_gone(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let (kept, erased) = (batch(id), batch(id));
    commit(&store, &[kept, erased.clone()]).await.expect("no failure");
    assert!(!bed.any_file_holds(WRAPS).await);
    assert!(bed.any_file_holds(b"envelope").await, "the search finds what is there");
    let page = read(&store).await.expect("read").expect("active");
    assert_eq!(page.batches.iter().map(|batch| &batch.wraps[..]).collect::<Vec<_>>(), [WRAPS, WRAPS]);

    bed.erase(erased.epoch).await;
    assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 1);
    // A fence: no new key is made for an epoch that was erased.
    let late = Incoming { epoch: erased.epoch, ..batch(id) };
    assert_eq!(commit(&store, &[late]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
}

async fn a_read_that_cannot_be_logged_releases_nothing(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let mut other = bed.look().await;
    read(&store).await.expect("read");
    type Row = (String, String, String, Vec<u8>, i64, i64);
    let logged: Row =
        other.one("SELECT recipient, task, purpose, key_id, read_at, batches FROM read_log").await;
    let expected =
        ("workshop".into(), "repair-1".into(), "service".into(), KEY.as_bytes().to_vec(), NOW.0, 1);
    assert_eq!(logged, expected);

    other.run("DROP TABLE read_log").await;
    assert!(matches!(read(&store).await, Err(StoreError::Statement(_))));
}

async fn a_key_that_was_revoked_or_is_anothers_reads_nothing_and_leaves_no_log(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let revoke = Change { revoked_keys: vec![KEY], ..Change::default() };
    record(&store, &revoke).await.expect("recorded");
    assert_eq!(read(&store).await.expect("no failure"), None);
}
