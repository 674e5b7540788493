//! Reports of a controller: told apart, counted by class, few of many.

use crate::{
    bus::Vcan,
    peer::{Candump, cansend},
};
use vernport_canbus::ControllerState;
use vernport_types::FrameKind;

#[tokio::test]
async fn reports_are_counted_by_class_and_handed_out_once_a_second_each() {
    let Some(vcan) = Vcan::make("errors") else { return };
    let mut ours = vcan.open().await;
    // A passive controller, fifty bits that went wrong, bus off; then an ordinary frame.
    cansend(&vcan, "20000004#0030000000000000");
    let candump = Candump::start(&vcan, 52);
    for _ in 0..50 {
        cansend(&vcan, "20000088#0000000000000000");
    }
    cansend(&vcan, "20000040#0000000000000000");
    cansend(&vcan, "123#01");
    assert_eq!(candump.frames().len(), 52, "the kernel passed them all on");

    let frames = ours.rest().await;
    let (last, reports) = frames.split_last().expect("something came");
    assert_eq!(last.frame.kind(), FrameKind::Data);
    assert!(reports.iter().all(|report| report.frame.kind() == FrameKind::Error));
    let seconds = (last.at.boot.0 - reports[0].at.boot.0) / 1_000_000;
    let told = reports.len() as u64;
    assert!((3..=3 + seconds).contains(&told), "{told} reports in {seconds} s");

    let counted = ours.source.counters().bus_errors;
    assert_eq!((counted.reports, counted.controller, counted.bus_off), (52, 1, 1));
    assert_eq!((counted.protocol, counted.bus_error, counted.no_acknowledge), (50, 50, 0));
    assert_eq!(counted.state, ControllerState::BusOff);
    cansend(&vcan, "20000100#0000000000000000");
    assert_eq!(ours.next().await.frame.kind(), FrameKind::Error);
    assert_eq!(ours.source.counters().bus_errors.state, ControllerState::Active, "it came back");
}

/// Set down and up is how a controller that is off the bus is mostly helped; the kernel reports nothing then.
#[tokio::test]
async fn an_interface_that_was_down_is_no_longer_told_as_off_the_bus() {
    let Some(vcan) = Vcan::make("errors-down") else { return };
    let mut ours = vcan.open().await;
    cansend(&vcan, "20000040#0000000000000000");
    assert_eq!(ours.next().await.frame.kind(), FrameKind::Error);
    vcan.set(&["down"]);
    ours.result().await.expect_err("it is down");
    assert_eq!(ours.source.counters().bus_errors.state, ControllerState::BusOff, "as it last reported");
    vcan.set(&["up"]);
    cansend(&vcan, "123#01");
    assert_eq!(ours.next().await.frame.kind(), FrameKind::Data);
    let counted = ours.source.counters().bus_errors;
    assert_eq!((counted.state, counted.bus_off), (ControllerState::Active, 1));
}
