//! What cannot be sent is a clear error, at once.

use crate::bus::{Vcan, fd, standard};
use std::time::{Duration, Instant};
use vernport_canbus::SendError;
use vernport_types::{CanFrame, CanId, FrameKind};

#[tokio::test]
async fn a_down_or_missing_interface_refuses_and_one_that_is_back_takes() {
    let Some(vcan) = Vcan::make("send-down") else { return };
    let mut ours = vcan.open().await;
    let frame = standard(1, &[]);
    let begun = Instant::now();
    vcan.set(&["down"]);
    for lose in [|_: &Vcan| (), |vcan: &Vcan| vcan.delete()] {
        lose(&vcan);
        let error = ours.sink.send(&frame).await.expect_err("it is down");
        assert!(matches!(error, SendError::Interface { .. }), "{error}");
        assert!(error.to_string().contains("'send-down'"), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "the system's answer is the cause");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "nothing was waited for");
    vcan.create();
    // Who reads opens it again, and who sends goes on with that.
    ours.result().await.expect_err("it was lost");
    let mut other = vcan.open().await;
    let sink = ours.sink.clone();
    let sends = async {
        while sink.send(&frame).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.next().await.frame
    };
    tokio::select! {
        _ = ours.next() => panic!("own frames are not heard"),
        heard = sends => assert_eq!(heard, frame),
    }
}

#[tokio::test]
async fn a_classic_interface_takes_no_fd_frame() {
    let Some(vcan) = Vcan::make("send-classic") else { return };
    vcan.set(&["down"]);
    vcan.set(&["mtu", "16", "up"]);
    let ours = vcan.open().await;
    let error = ours.sink.send(&fd(CanId::Standard(1), &[0; 12])).await.expect_err("not FD");
    assert!(matches!(error, SendError::NotFd { .. }), "{error}");
    ours.send(&standard(1, &[])).await;
}

#[tokio::test]
async fn nobody_sends_a_report_of_errors() {
    let Some(vcan) = Vcan::make("send-error") else { return };
    let ours = vcan.open().await;
    let report = CanFrame::new(CanId::Extended(0x40), FrameKind::Error, &[0; 8]).expect("short");
    let error = ours.sink.send(&report).await.expect_err("no node can");
    assert!(matches!(error, SendError::ErrorFrame { .. }), "{error}");
}
