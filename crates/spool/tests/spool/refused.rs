//! Refused messages of tools: remembered by hash, counted, bounded, and there after a restart.

use crate::support::{NOW, Place, id, slug};
use vernport_spool::{Inspect, MAX_REFUSED_TOOL_MESSAGES, RefusedToolMessage, Unit};

fn refused(number: u32, code: &str, seconds: i64) -> RefusedToolMessage {
    let (tool, last_at) = (slug("scanner"), NOW.plus_seconds(seconds));
    let (code, first_at) = (code.to_owned(), last_at);
    RefusedToolMessage { tool, digest: id(number), code, count: 1, first_at, last_at }
}

fn unit(refused: Vec<RefusedToolMessage>) -> Unit {
    Unit { refused, ..Unit::new(NOW) }
}

#[tokio::test]
async fn the_same_message_is_one_row_that_counts_and_stays() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![refused(1, "value", 0), refused(2, "malformed", 1)])).await.expect("room");
    spool.queue(unit(vec![refused(1, "vehicle", 2)])).await.expect("room");
    spool.close().await;
    let spool = place.open().await;
    let found = spool.refused_tool_messages(10).await.expect("reads");
    let again = RefusedToolMessage { count: 2, first_at: NOW, ..refused(1, "vehicle", 2) };
    assert_eq!(found, [again, refused(2, "malformed", 1)]);
    // Whoever looks from outside, beside the running gateway, sees the same.
    let mut outside = Inspect::open(&place.path()).await.expect("opens");
    assert_eq!(outside.refused_tool_messages(1).await.expect("reads"), found[..1]);
    outside.close().await;
    assert_eq!(spool.status().await.expect("reads").refused_tool_messages, 2);
}

#[tokio::test]
async fn a_flood_of_them_is_bounded_and_the_newest_stay() {
    let place = Place::new();
    let spool = place.open().await;
    let many = MAX_REFUSED_TOOL_MESSAGES + 50;
    let all = (0..many).map(|n| refused(n, "malformed", n.into())).collect();
    spool.queue(unit(all)).await.expect("room");
    let found = spool.refused_tool_messages(u32::MAX).await.expect("reads");
    let numbers: Vec<_> = found.iter().map(|message| message.digest).collect();
    assert_eq!(numbers, (50..many).rev().map(id).collect::<Vec<[u8; 16]>>());
}
