//! What was said at a station is remembered before it counts: over restarts, and
//! where there is no room for anything else.

use crate::support::{NOW, Place, batch, unit};
use vernport_spool::{Config, QueueError, Spool};

#[tokio::test]
async fn links_and_the_end_of_their_chain_outlive_a_restart_and_go_when_they_are_known() {
    let place = Place::new();
    let spool = place.open().await;
    assert_eq!(spool.station_tip().await.expect("reads"), None);
    for number in 1..=3_u8 {
        spool.append_link(number.into(), vec![number; 9], vec![number]).await.expect("remembered");
    }
    spool.append_link(3, b"another".to_vec(), vec![9]).await.expect_err("a place is taken once");
    spool.close().await;
    let spool = place.open().await;
    assert_eq!(spool.links().await.expect("reads"), [vec![1; 9], vec![2; 9], vec![3; 9]]);
    assert_eq!(spool.forget_links(2).await.expect("forgets"), 2);
    assert_eq!(spool.forget_links(2).await.expect("forgets"), 0);
    assert_eq!(spool.links().await.expect("reads"), [vec![3; 9]]);
    assert_eq!(spool.forget_links(u64::MAX).await.expect("forgets"), 1);
    assert_eq!(spool.station_tip().await.expect("reads"), Some(vec![3]), "the chain goes on behind it");
}

#[tokio::test]
async fn a_single_value_is_kept_replaced_and_taken_away() {
    let place = Place::new();
    let spool = place.open().await;
    assert_eq!(spool.kept("snapshot").await.expect("reads"), None);
    for bytes in [vec![1; 100], vec![2; 100_000]] {
        spool.keep("snapshot", Some(bytes.clone())).await.expect("keeps");
        assert_eq!(spool.kept("snapshot").await.expect("reads"), Some(bytes));
    }
    spool.keep("snapshot", None).await.expect("takes away");
    assert_eq!(spool.kept("snapshot").await.expect("reads"), None);
}

/// SQLite meets its page limit (`SQLITE_FULL`) as it meets the end of a disk.
#[tokio::test]
async fn on_a_full_file_a_station_is_still_heard() {
    let place = Place::new();
    let config = Config { max_file_bytes: 1 << 20, ..place.config() };
    let spool = Spool::open(config.clone()).await.expect("opens");
    let mut accepted = 0;
    let error = loop {
        match spool.queue(unit(vec![batch(accepted + 1, 1)], vec![])).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, QueueError::Disk { .. }), "{error}");
    for number in 1..=200_u64 {
        spool.append_link(number, vec![7; 2_000], b"tip".to_vec()).await.expect("out of the reserve");
    }
    spool.keep("snapshot", Some(vec![5; 50_000])).await.expect("out of the reserve");
    spool.close().await;
    let spool = Spool::open(config).await.expect("opens");
    assert_eq!(spool.links().await.expect("reads").len(), 200);
    let status = spool.status().await.expect("reads");
    assert_eq!(status.batches_queued, u64::from(accepted), "nothing gave way");
    assert_eq!(spool.sweep(NOW).await.expect("sweeps"), 0);
}
