//! Reads: logged first, and nothing without the erasure key.

use crate::bed::{Bed, KEY, NOW, WRAPS, batch, commit, controller, on_all, read, read_behind, record, slug};
use vernport_api::Answer;
use vernport_audit::{Leaf, LeafKind};
use vernport_store::{Change, Incoming, ReadQuery, RecipientKeyRow, StoreError};

on_all! {
    without_the_erasure_key_the_wraps_are_gone_and_no_key_is_made_again,
    a_read_is_in_the_log_with_all_its_words,
    a_read_that_cannot_be_logged_releases_nothing,
    a_key_that_was_revoked_or_is_anothers_reads_nothing_and_leaves_no_log,
    what_a_reader_may_not_have_is_passed_over_and_its_page_goes_on,
    ; sql:
    no_file_holds_the_wraps_as_they_came,
}

async fn no_file_holds_the_wraps_as_they_came(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    assert!(!bed.any_file_holds(WRAPS).await);
    assert!(bed.any_file_holds(b"envelope").await, "the search finds what is there");
}

async fn without_the_erasure_key_the_wraps_are_gone_and_no_key_is_made_again(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let (kept, erased) = (batch(id), batch(id));
    commit(&store, &[kept, erased.clone()]).await.expect("no failure");
    let page = read(&store).await.expect("read").expect("active");
    assert_eq!(page.batches.iter().map(|batch| &batch.wraps[..]).collect::<Vec<_>>(), [WRAPS, WRAPS]);

    bed.open().await.erase_keys(&controller(), &[erased.epoch], NOW).await.expect("erased");
    assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 1);
    // A fence: no new key is made for an epoch that was erased.
    let late = Incoming { epoch: erased.epoch, ..batch(id) };
    assert_eq!(commit(&store, &[late]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
}

async fn a_read_is_in_the_log_with_all_its_words(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let last = read(&store).await.expect("read").expect("active").last.expect("a batch");
    let mut look = bed.look_at_log().await;
    let leaves = look.leaves(0).await.expect("reads");
    let leaf = Leaf::from_bytes(&leaves[1].1).expect("a leaf");
    let numbers = [NOW.0, 0, last, 1].map(i64::to_be_bytes).concat();
    let said = [b"workshop\nrepair-1\nservice\n", &KEY.as_bytes()[..], &numbers].concat();
    assert!(leaf.kind() == LeafKind::Read && leaf.commits_to(&said));
    let logged = look.recorded(vernport_store::Things::Reads, 0).await.expect("reads");
    assert!(logged.len() == 1 && logged[0].has_evidence, "and the row says the same");
    look.close().await;
}

async fn a_read_that_cannot_be_logged_releases_nothing(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    bed.take_away_the_log_of_reads().await;
    assert!(matches!(read(&store).await, Err(StoreError::Statement(_))));
    let mut look = bed.look_at_log().await;
    assert_eq!(look.leaves(0).await.expect("reads").len(), 1, "and leaves no evidence of a read");
    look.close().await;
}

async fn a_key_that_was_revoked_or_is_anothers_reads_nothing_and_leaves_no_log(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let revoke = Change { revoked_keys: vec![KEY], ..Change::default() };
    record(&store, &revoke).await.expect("recorded");
    assert_eq!(read(&store).await.expect("no failure"), None);
    let key = RecipientKeyRow {
        key_id: KEY,
        recipient: slug("workshop"),
        purpose: slug("service"),
        active_from: NOW,
    };
    let again = Change { recipient_keys: vec![key], ..Change::default() };
    record(&store, &again).await.expect("recorded");
    let (of, purpose, flows) = (controller(), slug("service"), [slug("odometer")]);
    let (task, another) = (slug("repair-1"), slug("coach"));
    let query = ReadQuery {
        controller: &of,
        recipient: &another,
        task: &task,
        key_id: KEY,
        purpose: &purpose,
        flows: &flows,
        after: 0,
        limit: 64,
        now: NOW,
    };
    assert_eq!(store.read(&query, |_| true).await.expect("no failure"), None);
    let mut look = bed.look_at_log().await;
    assert_eq!(look.leaves(0).await.expect("reads").len(), 1, "the commit's");
    look.close().await;
    assert_eq!(read(&store).await.expect("no failure").expect("active again").batches.len(), 1);
}

async fn what_a_reader_may_not_have_is_passed_over_and_its_page_goes_on(bed: Bed) {
    let (store, id) = bed.with_grant().await;
    let mut other = crate::bed::grant(vernport_types::GrantId::from_bytes([9; 16]));
    other.flow = slug("fuel");
    record(&store, &Change { opened: vec![other.clone()], ..Change::default() }).await.expect("recorded");
    let soon_over = Incoming { latest_due: NOW.plus_seconds(1), ..batch(id) };
    let of_another_flow = Incoming { flow: slug("fuel"), ..batch(other.id) };
    let items = [soon_over, of_another_flow, batch(id)];
    assert_eq!(commit(&store, &items).await.expect("no failure"), [Answer::Committed; 3]);
    let (of, recipient, purpose) = (controller(), slug("workshop"), slug("service"));
    let (task, flows) = (slug("repair-1"), [slug("odometer")]);
    let query = ReadQuery {
        controller: &of,
        recipient: &recipient,
        task: &task,
        key_id: KEY,
        purpose: &purpose,
        flows: &flows,
        after: 0,
        limit: 64,
        now: NOW.plus_seconds(1),
    };
    let page = store.read(&query, |_| true).await.expect("read").expect("active");
    assert_eq!(page.batches.len(), 1, "one is overdue, one of another flow");
    let none = store.read(&query, |_| false).await.expect("read").expect("active");
    assert!(none.batches.is_empty() && none.last == page.last, "it goes on behind what it may not have");
    let last = page.last.expect("a batch");
    assert_eq!(read_behind(&store, last).await.expect("read").expect("active").last, None);
}
