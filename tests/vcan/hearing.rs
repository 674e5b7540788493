//! What others send is heard whole, and what we send they hear as it was.

use crate::{
    bus::{Vcan, extended, fd, standard},
    peer::{Candump, cangen},
};
use vernport_types::{CanFrame, CanId, FrameKind};

/// What cangen sends is what candump and we hear, frame by frame.
async fn hears(name: &'static str, options: &[&str], kinds: &[FrameKind]) {
    const COUNT: usize = 1000;
    let Some(vcan) = Vcan::make(name) else { return };
    let mut ours = vcan.open().await;
    let candump = Candump::start(&vcan, COUNT);
    cangen(
        &vcan,
        &[&["-n", &COUNT.to_string(), "-g", "0.1", "-I", "r", "-L", "r", "-D", "r"], options].concat(),
    );
    let frames = ours.take(COUNT).await;
    assert_eq!(frames, candump.frames());
    for kind in kinds {
        assert!(frames.iter().any(|frame| frame.kind() == *kind), "{kind:?}");
    }
    assert!(frames.iter().all(|frame| kinds.contains(&frame.kind())));
    let counters = ours.source.counters();
    assert_eq!((counters.frames, counters.dropped, counters.invalid), (COUNT as u64, 0, 0));
}

#[tokio::test]
async fn classic_frames_are_heard_whole() {
    hears("hear-classic", &[], &[FrameKind::Data]).await;
}

#[tokio::test]
async fn frames_of_29_bits_are_heard_whole() {
    hears("hear-extended", &["-e"], &[FrameKind::Data]).await;
}

#[tokio::test]
async fn fd_frames_are_heard_whole() {
    hears("hear-fd", &["-f"], &[FrameKind::FdData]).await;
}

#[tokio::test]
async fn requests_are_heard_as_requests() {
    hears("hear-remote", &["-R"], &[FrameKind::Remote]).await;
}

#[tokio::test]
async fn a_bus_of_all_kinds_is_heard_whole() {
    hears("hear-all", &["-m"], &[FrameKind::Data, FrameKind::FdData, FrameKind::Remote]).await;
}

#[tokio::test]
async fn what_we_send_others_hear_byte_for_byte() {
    let Some(vcan) = Vcan::make("speak") else { return };
    let mut frames: Vec<(CanFrame, String)> = vec![
        (standard(0, &[]), "000#".into()),
        (standard(0x7FF, &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]), "7FF#1122334455667788".into()),
        (extended(0x18FE_F100, &[0xFF, 0]), "18FEF100#FF00".into()),
        (extended(0x123, &[1]), "00000123#01".into()),
        (CanFrame::new(CanId::Standard(0x7E0), FrameKind::Remote, &[]).expect("short"), "7E0#R".into()),
        (CanFrame::new(CanId::Extended(0), FrameKind::Remote, &[]).expect("short"), "00000000#R".into()),
    ];
    for len in [0, 1, 8, 12, 16, 20, 24, 32, 48, 64] {
        let bytes: Vec<u8> = (0..len).map(|byte| byte * 3).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        frames.push((fd(CanId::Standard(0x123), &bytes), format!("123##{hex}")));
    }
    let candump = Candump::start(&vcan, frames.len());
    let ours = vcan.open().await;
    for (frame, _) in &frames {
        ours.send(frame).await;
    }
    let lines = candump.lines();
    // Behind ## stands one digit of flags: no bit-rate switch, and 4 where the kernel marks FD.
    let plain = |frame: &str| match frame.split_once("##") {
        Some((id, rest)) => format!("{id}##{}", rest.strip_prefix(['0', '4']).expect("flags")),
        None => frame.to_owned(),
    };
    let sent: Vec<String> = lines.iter().filter_map(|line| line.split(' ').nth(2).map(plain)).collect();
    let expected: Vec<String> = frames.into_iter().map(|(_, line)| line).collect();
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn own_frames_are_not_heard_back_and_those_of_another_part_of_us_are() {
    let Some(vcan) = Vcan::make("own") else { return };
    let (mut one, mut other) = (vcan.open().await, vcan.open().await);
    one.send(&standard(1, &[])).await;
    other.send(&standard(2, &[])).await;
    assert_eq!(one.take(1).await, [standard(2, &[])]);
    assert_eq!(other.take(1).await, [standard(1, &[])]);
    assert_eq!((one.rest().await, other.rest().await), (vec![], vec![]));
}
