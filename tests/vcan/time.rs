//! The kernel's time of a frame, as a stamp.

use crate::{
    bus::{Vcan, options, standard},
    peer::cangen,
};
use std::time::Duration;
use tokio::time::sleep;

/// Two clocks are read one after the other, and a late test is late for both.
const SLACK_MICROS: u64 = 2_000;

#[tokio::test]
async fn a_frame_has_the_time_at_which_the_kernel_saw_it_however_late_it_is_read() {
    let Some(vcan) = Vcan::make("time-late") else { return };
    let clock = options().clock;
    let (mut ours, sender) = (vcan.open().await, vcan.open().await);
    // The kernel begins to stamp a moment after it was first asked to.
    while {
        let before = ours.source.counters().stamped_by_clock;
        sender.send(&standard(1, &[])).await;
        ours.next().await;
        ours.source.counters().stamped_by_clock > before
    } {
        sleep(Duration::from_millis(5)).await;
    }
    let by_clock = ours.source.counters().stamped_by_clock;

    let mut sent = Vec::new();
    for _ in 0..20 {
        let before = clock.now();
        sender.send(&standard(1, &[])).await;
        sent.push((before, clock.now()));
        sleep(Duration::from_millis(3)).await;
    }
    sleep(Duration::from_millis(500)).await;
    for (before, after) in sent {
        let at = ours.next().await.at;
        let (from, to) = (before.boot.0 - SLACK_MICROS, after.boot.0 + SLACK_MICROS);
        assert!((from..=to).contains(&at.boot.0), "{} is not in {from}..={to}", at.boot.0);
        assert_eq!(at.wall.0.abs_diff(before.wall.0) / 1_000_000, 0, "the wall clock goes with it");
        assert_eq!(at.quality, before.quality);
    }
    assert_eq!(ours.source.counters().stamped_by_clock, by_clock, "each by the kernel");
}

#[tokio::test]
async fn stamps_never_go_back_nor_ahead_of_the_clock() {
    let Some(vcan) = Vcan::make("time-order") else { return };
    let clock = options().clock;
    let mut ours = vcan.open().await;
    let begun = clock.now().boot;
    cangen(&vcan, &["-n", "2000", "-g", "0.1"]);
    let mut last = begun;
    for _ in 0..2000 {
        let at = ours.next().await.at.boot;
        assert!(last <= at && at <= clock.now().boot);
        last = at;
    }
}
