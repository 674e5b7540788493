//! An adapter on a serial line: the firmware's engine behind a real pseudo
//! terminal, vehicles on virtual buses.
#![cfg(unix)]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use vernport_canbus::{
    Bus, Garble, LostError, OpenError, OpenOptions, ReadError, SendRefused, SerialFrame, SerialOptions,
    SerialSource, SimulatedAdapter, SimulatedOptions, SourceUrl, Versions, VirtualBuses, VirtualNode, open,
};
use vernport_types::{
    BootMicros, CanFilter, CanFrame, CanId, Clock, FrameKind, Slug, Stamp, TimeQuality, UtcMicros,
};

const WALL_MICROS: i64 = 1_700_000_000_000_000;

/// The time since the test began, and a start of its own for the boot clock.
#[derive(Clone)]
struct Since {
    began: Instant,
    boot: Arc<AtomicU64>,
}

impl Since {
    fn boot(&self) -> u64 {
        self.boot.load(Ordering::Relaxed) + u64::try_from(self.began.elapsed().as_micros()).expect("short")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        let since = self.clone();
        Arc::new(move || {
            let boot = since.boot();
            let wall = UtcMicros(WALL_MICROS + i64::try_from(boot).expect("small"));
            Stamp { wall, boot: BootMicros(boot), quality: TimeQuality::Synced }
        })
    }
}

/// A workshop with two buses and a vehicle on each.
struct Bench {
    folder: tempfile::TempDir,
    buses: VirtualBuses,
    vehicles: [VirtualNode; 2],
    host: Since,
    adapter: Since,
}

impl Bench {
    fn new() -> Self {
        let began = Instant::now();
        let since = |boot| Since { began, boot: Arc::new(AtomicU64::new(boot)) };
        let (host, adapter) = (since(50_000_000), since(9_000_000_000));
        let buses = VirtualBuses::default();
        let vehicles = Self::names().map(|name| buses.attach(&name, host.clock()).expect("room"));
        Self { folder: tempfile::tempdir().expect("a folder"), buses, vehicles, host, adapter }
    }

    fn names() -> [Slug; 2] {
        ["bay-1", "bay-2"].map(|name| name.parse().expect("a slug"))
    }

    fn link(&self) -> PathBuf {
        self.folder.path().join("adapter")
    }

    fn options(&self) -> SimulatedOptions {
        SimulatedOptions::new(self.adapter.clock())
    }

    fn plug_in(&self, options: SimulatedOptions) -> SimulatedAdapter {
        SimulatedAdapter::plug_in(&self.link(), &self.buses, &Self::names(), options).expect("plugged in")
    }

    fn open(&self, options: SerialOptions) -> SerialSource {
        SerialSource::open(&self.link(), options).expect("opens")
    }

    fn source(&self) -> SerialSource {
        self.open(SerialOptions::new(self.host.clock()))
    }

    /// A vehicle sends; its number is its data.
    fn send(&self, bus: usize, id: u16, number: u32) {
        let frame = CanFrame::data_frame(CanId::Standard(id), &number.to_be_bytes()).expect("short");
        self.vehicles[bus].sender().send(&frame);
    }
}

/// Waits for a state, for as long as a slow machine may need.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Modes and filters of both buses have come in.
async fn set_up(adapter: &SimulatedAdapter) {
    until("the adapter has its settings", || adapter.counters().settings >= 4).await;
}

async fn frame(source: &mut SerialSource) -> SerialFrame {
    tokio::time::timeout(Duration::from_secs(60), source.next()).await.expect("in time").expect("not lost")
}

async fn lost(source: &mut SerialSource) -> LostError {
    loop {
        match tokio::time::timeout(Duration::from_secs(60), source.next()).await.expect("in time") {
            Ok(_) => {}
            Err(lost) => return lost,
        }
    }
}

fn number(frame: &SerialFrame) -> u32 {
    u32::from_be_bytes(frame.frame.data().try_into().expect("four bytes"))
}

#[tokio::test]
async fn frames_of_all_buses_come_with_the_time_at_which_they_were_heard() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source = bench.source();
    set_up(&adapter).await;
    until("the clocks are known", || source.clock_bound().is_some()).await;
    let bound =
        |source: &SerialSource| source.clock_bound().expect("known").as_micros().try_into().expect("short");
    let (mut last, mut compared) = (0, 0);
    for count in 0..200 {
        let bus = usize::from(count % 3 == 0);
        let bound_before: u64 = bound(&source);
        let before = bench.host.boot();
        bench.send(bus, 0x100, count);
        let after = bench.host.boot();
        let heard = frame(&mut source).await;
        assert_eq!((number(&heard), usize::from(heard.bus)), (count, bus));
        let boot = heard.at.boot.0;
        // A better answer about the time may have come in between; then the bound is not this frame's.
        let bound_after: u64 = bound(&source);
        if bound_after.abs_diff(bound_before) < 200 {
            compared += 1;
            let (earliest, latest) = (before.saturating_sub(bound_after + 200), after + bound_after + 200);
            assert!((earliest..=latest).contains(&boot), "{boot}: {earliest} to {latest}");
        }
        assert_eq!(heard.at.wall.0 - WALL_MICROS, i64::try_from(boot).expect("small"), "both clocks agree");
        assert!(boot >= last && boot <= bench.host.boot());
        last = boot;
    }
    assert!(compared > 100, "{compared}");
}

#[tokio::test]
async fn every_kind_of_frame_goes_both_ways_on_its_own_bus() {
    let mut bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source =
        bench.open(SerialOptions { listen_only: false, ..SerialOptions::new(bench.host.clock()) });
    set_up(&adapter).await;
    let frames = [
        CanFrame::new(CanId::Standard(0x7DF), FrameKind::Data, &[2, 1, 0xA6]),
        CanFrame::new(CanId::Extended(0x18DA_10F1), FrameKind::FdData, &[7; 64]),
        CanFrame::new(CanId::Extended(0x18EA_FFF9), FrameKind::Remote, &[]),
    ]
    .map(|frame| frame.expect("fits"));
    for (bus, sent) in [(0, frames[0]), (1, frames[1]), (1, frames[2])] {
        bench.vehicles[usize::from(bus)].sender().send(&sent);
        let heard = frame(&mut source).await;
        assert_eq!((heard.bus, heard.frame), (bus, sent));
        source.sink().send(bus, &sent).expect("taken");
        let (on_bus, _) = bench.vehicles[usize::from(bus)].next().await.expect("alive");
        assert_eq!(on_bus, sent);
    }
    let error = CanFrame::new(CanId::Extended(0x20), FrameKind::Error, &[0; 8]).expect("fits");
    let refused = source.sink().send(0, &error).expect_err("no node sends one");
    assert_eq!(refused.refused, SendRefused::Malformed);
    let refused = source.sink().send(2, &frames[0]).expect_err("two buses");
    assert!(refused.to_string().contains("bus 2 of the adapter"), "{refused}");
}

#[tokio::test]
async fn an_adapter_is_opened_by_url_and_listens_only_if_so_asked() {
    let mut bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let url: SourceUrl =
        format!("serial:{}?baud=921600", bench.link().display()).parse().expect("a source URL");
    let options = OpenOptions { listen_only: true, ..OpenOptions::new(bench.host.clock()) };
    let Bus { source, sink } = open(&url, options).await.expect("opens");
    assert!(sink.is_none());
    drop(source);

    let Bus { mut source, sink } = loop {
        // The task that holds the terminal ends soon after its source.
        match open(&url, OpenOptions::new(bench.host.clock())).await {
            Ok(bus) => break bus,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    set_up(&adapter).await;
    until("the second session", || adapter.counters().sessions >= 1 && adapter.in_session()).await;
    let sent = CanFrame::data_frame(CanId::Standard(0x7DF), &[1]).expect("short");
    let sink = sink.expect("may send");
    until("the session is open", || source.is_up()).await;
    sink.send_on(1, &sent).await.expect("taken");
    assert_eq!(bench.vehicles[1].next().await.map(|(frame, _)| frame), Some(sent));
    bench.send(1, 0x7E8, 5);
    let heard = source.next().await.expect("there").expect("no end");
    assert_eq!((heard.bus, heard.index, heard.frame.id()), (1, 0, CanId::Standard(0x7E8)));
    assert_eq!(source.counters().frames, 1);
    adapter.unplug().await;
    let error = source.next().await.expect_err("gone");
    assert!(matches!(error, ReadError::Serial(LostError::Gone { .. })), "{error}");
    assert!(
        sink.send(&sent).await.expect_err("nobody there").to_string().contains("see that it is plugged in")
    );
}

#[tokio::test]
async fn nothing_gets_onto_a_bus_that_listens_only() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let source = bench.source();
    set_up(&adapter).await;
    let frame = CanFrame::data_frame(CanId::Standard(0x7DF), &[1]).expect("short");
    let refused = source.sink().send(0, &frame).expect_err("listening");
    assert_eq!(refused.refused, SendRefused::ListenOnly);
}

#[tokio::test]
async fn a_peer_of_another_version_is_understood_or_named() {
    let versions = |lowest, highest| Versions { lowest, highest };
    for (theirs, ours) in [((1, 3), (1, 1)), ((1, 1), (1, 4)), ((2, 3), (1, 2))] {
        let bench = Bench::new();
        let options = SimulatedOptions { versions: versions(theirs.0, theirs.1), ..bench.options() };
        let adapter = bench.plug_in(options);
        let ours = versions(ours.0, ours.1);
        let mut source =
            bench.open(SerialOptions { versions: ours, ..SerialOptions::new(bench.host.clock()) });
        set_up(&adapter).await;
        bench.send(0, 1, 7);
        assert_eq!(number(&frame(&mut source).await), 7);
    }
    for (theirs, update) in [((2, 3), "update the gateway"), ((0, 0), "update the adapter's firmware")] {
        let bench = Bench::new();
        let _adapter =
            bench.plug_in(SimulatedOptions { versions: versions(theirs.0, theirs.1), ..bench.options() });
        let mut source = bench.source();
        let error = lost(&mut source).await;
        let cause = std::error::Error::source(&error).expect("says why").to_string();
        assert!(cause.ends_with(update), "{error}: {cause}");
        assert!(!source.in_session());
    }
}

/// One frame of five is cut, flipped or followed by garbage, in an order that
/// is the same in each run. Heartbeats are shorter, and get through.
fn noise(on: Arc<AtomicBool>) -> Garble {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    Box::new(move |packet| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 40).expect("24 bits") % packet.len();
        if packet.len() < 20 || !on.load(Ordering::Relaxed) {
            return;
        }
        match state >> 33 & 15 {
            0 => packet.truncate(at),
            1 => packet[at] ^= 1 << (state >> 60 & 7),
            2 => packet.extend_from_slice(&state.to_le_bytes()),
            _ => {}
        }
    })
}

#[tokio::test]
async fn noise_on_the_line_costs_frames_and_invents_none() {
    let bench = Bench::new();
    let on = Arc::new(AtomicBool::new(true));
    let adapter = bench.plug_in(SimulatedOptions { garble: Some(noise(Arc::clone(&on))), ..bench.options() });
    let mut source = bench.source();
    set_up(&adapter).await;
    let mut heard = Vec::new();
    for round in 0..20 {
        for number in 0..100 {
            bench.send(0, 0x100, round * 100 + number);
        }
        until("the adapter has sent them", || adapter.counters().sent >= u64::from(round + 1) * 100).await;
        while let Ok(next) = tokio::time::timeout(Duration::ZERO, source.next()).await {
            heard.push(number(&next.expect("not lost")));
        }
    }
    on.store(false, Ordering::Relaxed);
    // A torn packet takes the next one with it, so one good frame may be lost still.
    for _ in 0..2 {
        bench.send(0, 0x100, u32::MAX);
    }
    loop {
        match number(&frame(&mut source).await) {
            u32::MAX => break,
            number => heard.push(number),
        }
    }
    assert!(heard.is_sorted_by(|one, next| one < next), "in order, none twice");
    assert!(heard.len() > 1_000 && heard.len() < 2_000, "{}", heard.len());
    assert!(heard.iter().all(|number| *number < 2_000));
    let bad = source.counters().bad;
    assert!(bad.torn > 0 && bad.checksum > 0, "{bad:?}");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_never_overrun() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source = bench.source();
    set_up(&adapter).await;
    let (window, queue, beyond) = (1024u32, 256u32, 50u32);
    for count in 0..window {
        bench.send(0, 1, count);
        if count % 64 == 63 {
            until("the line has them", || adapter.counters().sent > u64::from(count)).await;
        }
    }
    for count in window..window + queue + beyond {
        bench.send(0, 1, count);
    }
    until("the adapter drops", || adapter.counters().dropped == u64::from(beyond)).await;
    assert_eq!(adapter.counters().sent, u64::from(window), "no frame beyond the window");
    for count in 0..window + queue {
        assert_eq!(number(&frame(&mut source).await), count);
    }
    until("the adapter tells", || source.counters().dropped_by_adapter == u64::from(beyond)).await;
    bench.send(0, 1, 9_999);
    assert_eq!(number(&frame(&mut source).await), 9_999, "credit is there again");
    assert_eq!((source.counters().beyond_credit, source.counters().repairs), (0, 0));
}

#[tokio::test]
async fn filters_are_pushed_down_and_again_before_any_frame_when_the_adapter_is_back() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source = bench.source();
    set_up(&adapter).await;
    source.set_filters(&[CanFilter { id: CanId::Standard(0x7E8), mask: 0x7F8 }]);
    until("the filters are there", || adapter.counters().settings == 6).await;
    for (number, id) in (0..).zip([0x100, 0x7E8, 0x200, 0x7EF]) {
        bench.send(0, id, number);
    }
    assert_eq!(number(&frame(&mut source).await), 1);
    assert_eq!(number(&frame(&mut source).await), 3);
    assert_eq!((adapter.counters().sent, adapter.counters().unwanted), (2, 2));

    adapter.unplug().await;
    assert!(matches!(lost(&mut source).await, LostError::Gone { .. }));
    assert!(!source.in_session());
    let adapter = bench.plug_in(bench.options());
    tokio::select! {
        early = source.next() => panic!("nothing was sent: {early:?}"),
        () = set_up(&adapter) => {}
    }
    bench.send(0, 0x100, 4);
    bench.send(0, 0x7E9, 5);
    assert_eq!(number(&frame(&mut source).await), 5);
    assert_eq!((adapter.counters().sent, adapter.counters().unwanted), (1, 1));
    assert_eq!(source.counters().sessions, 2);
}

#[tokio::test]
async fn a_silent_adapter_is_told_once_and_found_again() {
    let bench = Bench::new();
    let mute = Arc::new(AtomicBool::new(false));
    let muted = Arc::clone(&mute);
    let garble: Garble = Box::new(move |packet| {
        if muted.load(Ordering::Relaxed) {
            packet.clear();
        }
    });
    let adapter = bench.plug_in(SimulatedOptions { garble: Some(garble), ..bench.options() });
    let mut source = bench.source();
    set_up(&adapter).await;
    bench.send(0, 1, 1);
    assert_eq!(number(&frame(&mut source).await), 1);
    mute.store(true, Ordering::Relaxed);
    assert!(matches!(lost(&mut source).await, LostError::Silent { .. }));
    until("the adapter gives up too", || !adapter.in_session()).await;
    mute.store(false, Ordering::Relaxed);
    tokio::select! {
        early = source.next() => panic!("nothing was sent: {early:?}"),
        () = until("the settings are there again", || adapter.counters().settings >= 8) => {}
    }
    bench.send(0, 1, 2);
    assert_eq!(number(&frame(&mut source).await), 2);
}

#[tokio::test]
async fn a_terminal_is_held_by_one_and_given_back_when_the_adapter_is_lost() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let open = || SerialSource::open(&bench.link(), SerialOptions::new(bench.host.clock()));
    let first = open().expect("opens");
    let held = open().expect_err("held");
    assert!(held.to_string().contains("no other program holds it"), "{held}");
    drop(first);
    let mut second = None;
    until("it is free again", || {
        second = open().ok();
        second.is_some()
    })
    .await;
    let mut second = second.expect("opened");
    adapter.unplug().await;
    assert!(matches!(lost(&mut second).await, LostError::Gone { .. }));
    // Whoever was told may open it anew without asking the old one again.
    let _adapter = bench.plug_in(bench.options());
    assert!(open().is_ok());
}

#[tokio::test]
async fn what_is_no_terminal_is_refused_by_name() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for path in [file.path().to_owned(), file.path().with_extension("none")] {
        let options = SerialOptions::new(Bench::new().host.clock());
        let error = SerialSource::open(&path, options).expect_err("no terminal");
        assert!(matches!(error, OpenError::Serial { .. }));
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "the system's answer is the cause");
    }
}

#[tokio::test]
async fn a_clock_of_the_adapter_that_is_set_moves_no_frame_back() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source = bench.source();
    set_up(&adapter).await;
    let mut last = 0;
    for (round, boot) in [9_000_000_000, 9_000_500_000, 8_999_000_000, 9_001_000_000].into_iter().enumerate()
    {
        bench.adapter.boot.store(boot, Ordering::Relaxed);
        for count in 0..50 {
            bench.send(0, 1, u32::try_from(round * 50 + count).expect("few"));
            let heard = frame(&mut source).await;
            assert_eq!(number(&heard), u32::try_from(round * 50 + count).expect("few"));
            assert!(heard.at.boot.0 >= last && heard.at.boot.0 <= bench.host.boot());
            last = heard.at.boot.0;
        }
    }
}

#[tokio::test]
async fn a_lost_future_loses_no_frame() {
    let bench = Bench::new();
    let adapter = bench.plug_in(bench.options());
    let mut source = bench.source();
    set_up(&adapter).await;
    let mut lost = 0;
    for count in 0..100 {
        while tokio::time::timeout(Duration::ZERO, source.next()).await.is_err() && lost % 3 != 2 {
            lost += 1;
        }
        lost += 1;
        bench.send(0, 1, count);
        assert_eq!(number(&frame(&mut source).await), count);
    }
}
