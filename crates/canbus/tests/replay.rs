//! Replay of candump logs, through the same door as every other source.

use proptest::prelude::*;
use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;
use vernport_canbus::{Bus, FrameSource, OpenOptions, Pace, SourceUrl, Time, TimedFrame, open};
use vernport_types::{BootMicros, Clock, Stamp, TimeQuality, UtcMicros};

/// A clock that stands still.
fn clock() -> Arc<dyn Clock> {
    Arc::new(|| Stamp { wall: UtcMicros(42), boot: BootMicros(7), quality: TimeQuality::Bounded })
}

fn file_time() -> OpenOptions {
    OpenOptions { time: Time::File { quality: TimeQuality::Synced }, ..OpenOptions::new(clock()) }
}

/// What this thread logs, until the guard is dropped.
fn logs_of_this_thread() -> (Logs, DefaultGuard) {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    (logs, tracing::subscriber::set_default(subscriber.finish()))
}

fn text_of(logs: &Logs) -> String {
    String::from_utf8_lossy(&logs.0.lock().expect("no writer panics")).into_owned()
}

#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log {
    file: tempfile::NamedTempFile,
}

impl Log {
    fn of(text: impl AsRef<[u8]>) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        Self { file }
    }

    async fn open(&self, options: OpenOptions) -> FrameSource {
        let Bus { source, sink } =
            open(&SourceUrl::Candump(self.file.path().to_owned()), options).await.expect("opens");
        assert!(sink.is_none(), "nothing can be sent into a log");
        source
    }
}

async fn rest(source: &mut FrameSource) -> Vec<TimedFrame> {
    let mut frames = Vec::new();
    while let Some(frame) = source.next().await.expect("readable") {
        frames.push(frame);
    }
    frames
}

const THREE: &str = "(1700000000.000100) can0 123#01\n(1700000000.000300) can1 18FEF100#0102\n(1700000000.000200) can0 7DF#\n";

#[tokio::test]
async fn frames_come_in_order_with_the_logs_time_and_a_number_for_each_channel() {
    let log = Log::of(THREE);
    let mut source = log.open(file_time()).await;
    let frames = rest(&mut source).await;

    let walls: Vec<_> = frames.iter().map(|frame| frame.at.wall.0 - 1_700_000_000_000_000).collect();
    assert_eq!(walls, [100, 300, 200], "as the log has it");
    let boots: Vec<_> = frames.iter().map(|frame| frame.at.boot.0).collect();
    assert_eq!(boots, [0, 200, 200], "from 0, and never back");
    assert!(frames.iter().all(|frame| frame.at.quality == TimeQuality::Synced));
    assert_eq!(frames.iter().map(|frame| frame.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(frames.iter().map(|frame| frame.bus).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(source.channels(), ["can0", "can1"]);
    assert_eq!(frames[1].frame.data(), [1, 2]);
    assert_eq!(source.counters().frames, 3);
    assert_eq!(source.next().await.expect("readable"), None, "the end stays the end");
}

#[tokio::test]
async fn by_default_a_log_is_heard_from_now_on_in_its_own_intervals() {
    let frames = rest(&mut Log::of(THREE).open(OpenOptions::new(clock())).await).await;
    let now = clock().now();
    let since = |frame: &TimedFrame| (frame.at.wall.0 - now.wall.0, frame.at.boot.0 - now.boot.0);
    assert_eq!(frames.iter().map(since).collect::<Vec<_>>(), [(0, 0), (200, 200), (200, 200)], "never back");
    assert!(frames.iter().all(|frame| frame.at.quality == now.quality));
}

#[tokio::test]
async fn a_line_that_is_no_frame_is_told_by_file_and_line_and_passed_over() {
    let (logs, _guard) = logs_of_this_thread();
    let long = "A".repeat(10_000);
    let text = format!(
        "(1.000000) can0 123#01\nnot a frame 5A5A5A5A\n\n(2.000000) can0 124#{long}\r\n(3.000000) can0 123#02\r\n(4.000000) can0 123#0"
    );
    let log = Log::of([text.as_bytes(), b"\n\xFF\xFE\n(5.000000) can0 123#03"].concat());
    let mut source = log.open(file_time()).await;
    let data: Vec<_> = rest(&mut source).await.iter().map(|frame| frame.frame.data().to_vec()).collect();

    assert_eq!(data, [[1], [2], [3]], "also the last line, which has no line end");
    assert_eq!(source.counters().skipped_lines, 4);
    let text = text_of(&logs);
    for line in ["line=2 ", "line=4 ", "line=6 ", "line=7 "] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(text.contains(&*log.file.path().to_string_lossy()), "{text}");
    assert!(text.contains("longer than 512 bytes") && text.contains("not text"), "{text}");
    assert!(!text.contains("5A5A") && !text.contains("AAAA"), "what a line holds is not told");
}

#[tokio::test]
async fn a_log_with_too_many_channels_loses_only_the_frames_of_the_last_ones() {
    let mut text = String::new();
    for channel in 0..18 {
        writeln!(text, "(1.000000) can{channel} 123#01").expect("a string takes all");
    }
    let mut source = Log::of(text + "(1.000000) can3 123#01\n").open(file_time()).await;
    let buses: Vec<_> = rest(&mut source).await.iter().map(|frame| frame.bus).collect();
    assert_eq!(buses, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3]);
    assert_eq!(source.counters().skipped_lines, 2);
}

#[tokio::test]
async fn a_file_of_another_format_does_not_flood_the_log() {
    let (logs, _guard) = logs_of_this_thread();
    let mut source = Log::of("time;id;data\n".repeat(1000)).open(file_time()).await;
    assert_eq!(rest(&mut source).await, []);
    assert_eq!(source.counters().skipped_lines, 1000);
    let text = text_of(&logs);
    assert_eq!(text.matches("skipped a line").count(), 20);
    assert_eq!(text.matches("only counted; is this a candump log?").count(), 1);
}

#[tokio::test]
async fn a_missing_log_is_told_by_name() {
    let url: SourceUrl = "candump:none/such.log".parse().expect("a source URL");
    let error = open(&url, OpenOptions::new(clock())).await.map(|_| ()).expect_err("not there");
    assert_eq!(error.to_string(), "cannot open the log none/such.log");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_paced_replay_keeps_the_pauses_of_the_log_from_its_first_frame_on() {
    let log = Log::of(
        "(10.000000) can0 001#\n(11.000000) can0 002#\n(11.250000) can0 003#\n(11.100000) can0 004#\n(12.000000) can0 005#\n",
    );
    for (skip_frames, expected_ms) in [(0, vec![0, 1000, 1250, 1250, 2000]), (2, vec![0, 0, 750])] {
        let started = Instant::now();
        let mut source = log.open(OpenOptions { pace: Pace::Recorded, skip_frames, ..file_time() }).await;
        let mut times_ms = Vec::new();
        while source.next().await.expect("readable").is_some() {
            times_ms.push(started.elapsed().as_millis());
        }
        assert_eq!(times_ms, expected_ms);
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_while_it_waits_loses_no_frame() {
    let text: String =
        (1..=50).fold(String::new(), |text, n| text + &format!("({n}.000000) can0 {n:03X}#\n"));
    let mut source = Log::of(text).open(OpenOptions { pace: Pace::Recorded, ..file_time() }).await;
    let drops = AtomicU64::new(0);
    let mut indexes = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(300), source.next()).await {
            Ok(next) => match next.expect("readable") {
                Some(frame) => indexes.push(frame.index),
                None => break,
            },
            Err(_) => _ = drops.fetch_add(1, Ordering::Relaxed),
        }
    }
    assert_eq!(indexes, (0..50).collect::<Vec<_>>());
    assert!(drops.into_inner() > 50, "the futures were dropped");
}

#[tokio::test]
async fn what_one_node_of_a_virtual_bus_sends_comes_out_of_the_other() {
    let options = OpenOptions::new(clock());
    let url: SourceUrl = "virtual:bay-1".parse().expect("a source URL");
    let Bus { source: _truck, sink } = open(&url, options.clone()).await.expect("opens");
    let mut gateway = open(&url, options).await.expect("opens").source;
    let mut log = Log::of(THREE).open(file_time()).await;
    for sent in rest(&mut log).await {
        sink.as_ref().expect("a bus can be sent on").send(&sent.frame).await.expect("takes all");
        let heard = gateway.next().await.expect("works").expect("a live bus has no end");
        assert_eq!((heard.frame, heard.bus, heard.index), (sent.frame, 0, sent.index));
        assert_eq!(heard.at, clock().now());
    }
    assert_eq!(gateway.counters().frames, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes between good lines: nothing panics, and a replay from any
    /// cursor gives exactly the rest of the whole replay.
    #[test]
    fn a_replay_from_a_cursor_is_the_rest_of_the_whole(
        lines in prop::collection::vec(
            prop_oneof![
                (0u32..4, 0u32..3, any::<u16>()).prop_map(|(second, channel, data)| {
                    format!("({second}.000000) can{channel} 123#{data:04X}").into_bytes()
                }),
                prop::collection::vec(any::<u8>(), 0..700),
            ],
            0..40,
        ),
        skip_frames in 0u64..40,
    ) {
        let log = Log::of(lines.join(&b'\n'));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (whole, part) = runtime.block_on(async {
            let whole = rest(&mut log.open(file_time()).await).await;
            (whole, rest(&mut log.open(OpenOptions { skip_frames, ..file_time() }).await).await)
        });
        let rest: Vec<_> = whole.into_iter().filter(|frame| frame.index >= skip_frames).collect();
        prop_assert_eq!(part, rest);
    }
}
