//! A full bus: nothing is lost where the reader keeps up, and nothing silently where it does not.

use crate::bus::{Ours, Vcan, extended, options, say};
use std::{
    process::Command,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Builder,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use vernport_canbus::{OpenOptions, SourceUrl, open};
use vernport_types::{CanFrame, CanId};

/// What a bus of 500 kbit/s carries, about.
const FRAMES_PER_SECOND: u64 = 4000;
const DURATION: Duration = Duration::from_secs(5);
/// What a sender that was held up makes up for at once; the rest it lets be.
const MOST_AT_ONCE: u64 = 200;
/// The frame after the last one.
const END: u32 = 0x1FFF_FFFF;

fn numbered(number: u64) -> CanFrame {
    extended(0x18FE_F100, &number.to_be_bytes())
}

/// Sends numbered frames at the pace of a full bus, from one processor; how many.
///
/// A sender that moves between processors is passed on by both, and not always in order.
fn send_from(cpu: usize, url: &SourceUrl) -> u64 {
    let thread = std::fs::read_link("/proc/thread-self").expect("a thread of Linux");
    let id = thread.file_name().expect("its number");
    let pinned = Command::new("taskset").args(["-cp", &cpu.to_string()]).arg(id).output();
    assert!(pinned.expect("util-linux is installed").status.success(), "processor {cpu}");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let bus = open(url, options()).await.expect("opens");
        send_paced(&Ours { source: bus.source, sink: bus.sink.expect("can be sent to") }).await
    })
}

async fn send_paced(ours: &Ours) -> u64 {
    let (begun, mut due, mut sent) = (Instant::now(), 0, 0);
    let mut millis = interval(Duration::from_millis(1));
    millis.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while begun.elapsed() < DURATION {
        millis.tick().await;
        let due_before = due;
        due = u64::try_from(begun.elapsed().as_micros()).expect("seconds") * FRAMES_PER_SECOND / 1_000_000;
        for _ in 0..(due - due_before).min(MOST_AT_ONCE) {
            ours.send(&numbered(sent)).await;
            sent += 1;
        }
    }
    ours.send(&extended(END, &[])).await;
    sent
}

/// Reads up to the last frame; how many there were.
async fn receive_in_order(mut ours: Ours) -> u64 {
    for number in 0.. {
        let heard = ours.next().await.frame;
        if heard.id() == CanId::Extended(END) {
            return number;
        }
        let dropped = ours.source.counters().dropped;
        assert!(heard == numbered(number), "frame {number} is missing; the socket dropped {dropped}");
    }
    0
}

/// Frames that the kernel lost on their way to any socket, for want of time to pass them on.
fn lost_on_the_way() -> u64 {
    let text = std::fs::read_to_string("/proc/net/softnet_stat").expect("a kernel with a network");
    let dropped = text.lines().filter_map(|line| line.split(' ').nth(1));
    dropped.map(|count| u64::from_str_radix(count, 16).expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_full_buses_are_heard_whole_and_in_order() {
    let Some(first) = Vcan::make("load-1") else { return };
    let Some(second) = Vcan::make("load-2") else { return };
    let before = lost_on_the_way();
    let cpus = std::thread::available_parallelism().expect("a processor").get();
    let (mut hearing, mut speaking) = (Vec::new(), Vec::new());
    for (vcan, cpu) in [&first, &second].into_iter().zip(0..) {
        // Who listens is there before who speaks.
        hearing.push(tokio::spawn(receive_in_order(vcan.open().await)));
        let url = vcan.url();
        speaking.push(spawn_blocking(move || send_from(cpu % cpus, &url)));
    }
    for (hearing, speaking) in hearing.into_iter().zip(speaking) {
        let sent = speaking.await.expect("sends");
        let heard = hearing.await;
        let lost = lost_on_the_way() - before;
        let heard = heard.unwrap_or_else(|error| panic!("{error}; {lost} lost before any socket"));
        say(&format!("{heard} of {sent} frames, {} a second", sent / DURATION.as_secs()));
        assert_eq!(heard, sent);
    }
}

#[tokio::test]
async fn what_a_small_buffer_loses_is_counted() {
    const COUNT: u64 = 500;
    let Some(vcan) = Vcan::make("load-small") else { return };
    let mut small = vcan.open_with(OpenOptions { receive_buffer_bytes: 4096, ..options() }).await;
    let mut large = vcan.open().await;
    let sender = vcan.open().await;
    for number in 0..COUNT {
        sender.send(&extended(0x18FE_F100, &number.to_be_bytes())).await;
    }
    // All of it was lost behind the last frame that waits.
    let lost = small.source.counters().dropped;
    let heard = small.rest().await.len() as u64;
    assert!(lost > 0 && heard > 0, "{lost} lost, {heard} heard");
    assert_eq!(heard + lost, COUNT);
    sender.send(&extended(0x18FE_F100, &[])).await;
    small.next().await;
    assert_eq!(small.source.counters().dropped, lost, "counted once");
    assert_eq!(large.rest().await.len() as u64, COUNT + 1, "a large buffer holds them");
    assert_eq!(large.source.counters().dropped, 0);
}
