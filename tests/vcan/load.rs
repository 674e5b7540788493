//! A full bus: nothing is lost where the reader keeps up, and nothing silently where it does not.

use crate::bus::{Ours, Vcan, extended, options, say};
use std::{
    hint::black_box,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Builder,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use vernport_canbus::{Counters, OpenOptions, SourceUrl, open};
use vernport_types::{CanFrame, CanId};

/// What a bus of 500 kbit/s carries, about: so much has to be heard of each.
const NEEDED_PER_SECOND: f64 = 4000.0;
/// What is sent, as far as there is time.
const SENT_PER_SECOND: u64 = 4400;
/// Five seconds of it.
const FRAMES: u64 = 5 * SENT_PER_SECOND;
/// What a sender that was held up makes up for in one millisecond; the rest in the next ones.
const MOST_AT_ONCE: u64 = 200;
/// Room for all of it: a reader that is held up loses nothing.
const BUFFER_BYTES: usize = 32 << 20;
/// The frame after the last one.
const END: u32 = 0x1FFF_FFFF;
/// The share of each processor below which the rate says nothing of us; a third of one is enough.
const ENOUGH: f64 = 0.5;

fn numbered(number: u64) -> CanFrame {
    extended(0x18FE_F100, &number.to_be_bytes())
}

/// Sends numbered frames at the pace of a full bus, from one processor; when it began.
///
/// A sender that moves between processors is passed on by both, and not always in order.
fn send_from(cpu: usize, url: &SourceUrl) -> Instant {
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

/// All that is due each millisecond, and what could not be sent in time as soon as it can.
async fn send_paced(ours: &Ours) -> Instant {
    let (begun, mut sent) = (Instant::now(), 0);
    let mut millis = interval(Duration::from_millis(1));
    millis.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while sent < FRAMES {
        millis.tick().await;
        let micros = u64::try_from(begun.elapsed().as_micros()).expect("seconds");
        let due = (micros * SENT_PER_SECOND / 1_000_000).min(FRAMES);
        let until = due.min(sent + MOST_AT_ONCE);
        for number in sent..until {
            ours.send(&numbered(number)).await;
        }
        sent = until;
    }
    ours.send(&extended(END, &[])).await;
    begun
}

/// Reads all frames up to the last one; when that came, and what was counted.
async fn receive_in_order(mut ours: Ours) -> (Instant, Counters) {
    for number in 0..FRAMES {
        let heard = ours.next().await.frame;
        assert!(
            heard == numbered(number),
            "frame {number} is missing; the socket dropped {}",
            ours.source.counters().dropped
        );
    }
    assert_eq!(ours.next().await.frame.id(), CanId::Extended(END));
    (Instant::now(), ours.source.counters())
}

/// How much we get of each processor: of many equal pieces of work the quickest one had it to itself.
fn share_of_processors() -> f64 {
    const PIECES: u32 = 100;
    let work = || {
        let took = (0..PIECES).map(|_| {
            let begun = Instant::now();
            black_box((0..20_000_u64).fold(0, |sum: u64, it| black_box(sum.wrapping_mul(31) ^ it)));
            begun.elapsed()
        });
        let took: Vec<Duration> = took.collect();
        let quickest = took.iter().min().expect("pieces") as &Duration;
        (*quickest * PIECES).div_duration_f64(took.iter().sum())
    };
    let threads: Vec<_> = (0..processors()).map(|_| thread::spawn(work)).collect();
    threads.into_iter().map(|thread| thread.join().expect("works")).fold(1.0, f64::min)
}

fn processors() -> usize {
    thread::available_parallelism().expect("a processor").get()
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
    let lost_before = lost_on_the_way();
    let share_before = share_of_processors();
    let (mut hearing, mut speaking) = (Vec::new(), Vec::new());
    for (vcan, cpu) in [&first, &second].into_iter().zip(0..) {
        // Who listens is there before who speaks.
        let options = OpenOptions { receive_buffer_bytes: BUFFER_BYTES, ..options() };
        hearing.push(tokio::spawn(receive_in_order(vcan.open_with(options).await)));
        let url = vcan.url();
        speaking.push(spawn_blocking(move || send_from(cpu % processors(), &url)));
    }
    let mut slowest = f64::INFINITY;
    for (hearing, speaking) in hearing.into_iter().zip(speaking) {
        let begun = speaking.await.expect("sends");
        let heard = hearing.await;
        let lost = lost_on_the_way() - lost_before;
        let (ended, counters) =
            heard.unwrap_or_else(|error| panic!("{error}; {lost} lost before any socket"));
        let rate = FRAMES as f64 / (ended - begun).as_secs_f64();
        say(&format!("MEASURED load: {FRAMES} frames, {rate:.0} a second, {} dropped", counters.dropped));
        assert_eq!((counters.frames, counters.dropped, counters.invalid), (FRAMES + 1, 0, 0));
        slowest = slowest.min(rate);
    }
    let share = share_before.min(share_of_processors());
    say(&format!("MEASURED load: {share:.2} of each processor was ours"));
    assert!(share < ENOUGH || slowest >= NEEDED_PER_SECOND, "{slowest:.0} a second");
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
