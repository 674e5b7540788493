//! Filters reach the kernel: what nobody wants does not even come to the socket.

use crate::{
    bus::{Vcan, extended, standard},
    peer::{cangen, cansend},
};
use vernport_types::{CanFilter, CanFrame, CanId, FrameKind};

fn frames(ours: &[vernport_canbus::TimedFrame]) -> Vec<CanFrame> {
    ours.iter().map(|timed| timed.frame).collect()
}

#[tokio::test]
async fn the_kernel_holds_back_what_no_filter_passes_and_keeps_the_formats_apart() {
    let Some(vcan) = Vcan::make("filter") else { return };
    let (mut ours, mut all, sender) = (vcan.open().await, vcan.open().await, vcan.open().await);
    let group = CanFilter { id: CanId::Extended(0x00FE_F100), mask: 0x03FF_FF00 };
    ours.source.set_filters(&[CanFilter::exactly(CanId::Standard(0x123)), group]).expect("taken");

    let wanted = [standard(0x123, &[1]), extended(0x18FE_F117, &[2]), extended(0x0CFE_F100, &[3])];
    let others = [extended(0x123, &[4]), standard(0x124, &[5]), extended(0x18FE_F200, &[6])];
    for (wanted, other) in wanted.iter().zip(&others) {
        sender.send(other).await;
        sender.send(wanted).await;
    }
    cansend(&vcan, "123#R");
    cansend(&vcan, "20000040#0000000000000000");

    let heard = frames(&ours.rest().await);
    assert_eq!(heard[..3], wanted);
    let kinds: Vec<FrameKind> = heard[3..].iter().map(CanFrame::kind).collect();
    assert_eq!(kinds, [FrameKind::Remote, FrameKind::Error], "requests by their identifier, reports always");
    assert_eq!(all.rest().await.len(), 8, "a socket without filters hears everything");
    assert_eq!(ours.source.counters().filtered, 0, "nothing was left to take out");
    let receivers = vcan.receivers();
    let matched = |id: &str, mask: &str| {
        let found = receivers.iter().find(|receiver| receiver.0 == id && receiver.1 == mask);
        found.unwrap_or_else(|| panic!("no {id}/{mask} in {receivers:?}")).2
    };
    assert_eq!(matched("123", "800007ff"), 2, "the frame and the request");
    assert_eq!(matched("80fef100", "83ffff00"), 2);
}

#[tokio::test]
async fn an_empty_list_lets_no_data_through_and_can_be_opened_again() {
    let Some(vcan) = Vcan::make("filter-none") else { return };
    let (mut ours, mut all) = (vcan.open().await, vcan.open().await);
    ours.source.set_filters(&[]).expect("taken");
    cangen(&vcan, &["-n", "200", "-g", "0", "-m"]);
    cansend(&vcan, "20000100#0000000000000000");
    let heard = frames(&ours.rest().await);
    assert_eq!(heard.iter().map(CanFrame::kind).collect::<Vec<_>>(), [FrameKind::Error]);
    assert_eq!(ours.source.counters().filtered, 0);
    assert_eq!(all.rest().await.len(), 201);

    ours.source.set_filters(&CanFilter::ALL).expect("taken");
    cangen(&vcan, &["-n", "200", "-g", "0", "-m"]);
    assert_eq!(ours.take(200).await.len(), 200);
}

#[tokio::test]
async fn more_filters_than_the_kernel_takes_lose_nothing_and_let_nothing_else_out() {
    let Some(vcan) = Vcan::make("filter-many") else { return };
    let (mut ours, sender) = (vcan.open().await, vcan.open().await);
    // Each second identifier, and one format twice as many as fit.
    let wanted: Vec<CanFrame> = (0..1024).map(|id| extended(0x18F0_0000 + id * 2, &[])).collect();
    let filters: Vec<CanFilter> = wanted.iter().map(|frame| CanFilter::exactly(frame.id())).collect();
    let before = vcan.receivers().len();
    ours.source.set_filters(&filters).expect("taken");
    assert_eq!(vcan.receivers().len(), before - 1 + 512, "in the place of the one that let all through");
    for id in 0..2048 {
        sender.send(&extended(0x18F0_0000 + id, &[])).await;
    }
    assert_eq!(frames(&ours.rest().await), wanted);
}

#[tokio::test]
async fn filters_hold_after_the_interface_was_away() {
    let Some(vcan) = Vcan::make("filter-stay") else { return };
    let mut ours = vcan.open().await;
    ours.source.set_filters(&[CanFilter::exactly(CanId::Standard(2))]).expect("taken");
    vcan.delete();
    ours.result().await.expect_err("it is gone");
    vcan.create();
    let back = async {
        // Nobody listens before it is opened again.
        while vcan.receivers().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for id in 1..=3 {
            cansend(&vcan, &format!("00{id}#"));
        }
    };
    let (heard, ()) = tokio::join!(ours.next(), back);
    assert_eq!(heard.frame, standard(2, &[]));
    assert_eq!(ours.rest().await, []);
    assert_eq!(ours.source.counters().filtered, 0, "the kernel was told again");
}
