//! A vcan interface for one test, and our adapter on it.

use rustix::time::{ClockId, clock_gettime};
use std::{
    fs,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;
use vernport_canbus::{Bus, FrameSink, FrameSource, OpenOptions, ReadError, SourceUrl, TimedFrame, open};
use vernport_types::{BootMicros, CanFrame, CanId, Clock, FrameKind, Stamp, TimeQuality, UtcMicros};

/// Longer than anything takes that comes at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing must come before nothing is believed to come.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// A vcan interface; goes with the value.
pub(crate) struct Vcan {
    name: &'static str,
}

impl Vcan {
    /// Makes an interface that takes FD frames and is up, or says SKIPPED where no kernel has CAN.
    pub(crate) fn make(name: &'static str) -> Option<Self> {
        if std::env::var_os("VERNPORT_VCAN").is_none() {
            let why = std::env::var("VERNPORT_VCAN_MISSING");
            let why = why.unwrap_or_else(|_| "run it with cargo xtask vcan".into());
            say(&format!("SKIPPED vcan: {why}"));
            return None;
        }
        let vcan = Self { name };
        vcan.create();
        Some(vcan)
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Makes it anew after [`Vcan::delete`].
    pub(crate) fn create(&self) {
        ip(&["link", "add", "dev", self.name, "type", "vcan"]);
        self.set(&["mtu", "72", "up"]);
    }

    pub(crate) fn delete(&self) {
        ip(&["link", "del", self.name]);
    }

    /// `ip link set` with these words.
    pub(crate) fn set(&self, words: &[&str]) {
        ip(&[&["link", "set", self.name], words].concat());
    }

    pub(crate) fn url(&self) -> SourceUrl {
        format!("can:{}", self.name).parse().expect("a source URL")
    }

    /// Our adapter on this interface.
    pub(crate) async fn open(&self) -> Ours {
        self.open_with(options()).await
    }

    pub(crate) async fn open_with(&self, options: OpenOptions) -> Ours {
        let Bus { source, sink } = open(&self.url(), options).await.expect("opens");
        Ours { source, sink: sink.expect("can be sent to") }
    }

    /// The kernel's receivers on this interface: identifier, mask and how many frames each matched.
    pub(crate) fn receivers(&self) -> Vec<(String, String, u64)> {
        let lists =
            ["all", "fil", "inv", "sff", "eff", "err"].map(|list| format!("/proc/net/can/rcvlist_{list}"));
        let mut receivers = Vec::new();
        for list in lists {
            let text = fs::read_to_string(&list).expect("the kernel has CAN");
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                // device, identifier, mask, function, data, matches, kind of socket
                if let [device, id, mask, _, _, matches, _] = words[..]
                    && device == self.name
                {
                    receivers.push((id.into(), mask.into(), matches.parse().expect("a number")));
                }
            }
        }
        receivers
    }
}

impl Drop for Vcan {
    fn drop(&mut self) {
        // Gone already where the test took it away.
        let _ = Command::new("ip").args(["link", "del", self.name]).stderr(Stdio::null()).status();
    }
}

/// Both ends of our adapter.
pub(crate) struct Ours {
    pub(crate) source: FrameSource,
    pub(crate) sink: FrameSink,
}

impl Ours {
    /// The next frame, which must come.
    pub(crate) async fn next(&mut self) -> TimedFrame {
        self.result().await.expect("readable")
    }

    /// The next frame or error, which must come.
    pub(crate) async fn result(&mut self) -> Result<TimedFrame, ReadError> {
        let next = timeout(PATIENCE, self.source.next()).await.expect("something comes");
        next.map(|frame| frame.expect("a live bus has no end"))
    }

    /// The next frames, of which so many must come.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<CanFrame> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.next().await.frame);
        }
        frames
    }

    /// Whatever still comes.
    pub(crate) async fn rest(&mut self) -> Vec<TimedFrame> {
        let mut frames = Vec::new();
        while let Ok(next) = timeout(QUIET, self.source.next()).await {
            frames.push(next.expect("readable").expect("a live bus has no end"));
        }
        frames
    }

    pub(crate) async fn send(&self, frame: &CanFrame) {
        self.sink.send(frame).await.expect("sent");
    }
}

/// This machine's clock, and all else as it is.
pub(crate) fn options() -> OpenOptions {
    let clock: Arc<dyn Clock> = Arc::new(now);
    OpenOptions::new(clock)
}

/// What this machine's clock shows.
pub(crate) fn now() -> Stamp {
    let micros = |id| {
        let time = clock_gettime(id);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    };
    Stamp {
        wall: UtcMicros(micros(ClockId::Realtime)),
        boot: BootMicros(micros(ClockId::Boottime).unsigned_abs()),
        quality: TimeQuality::Bounded,
    }
}

pub(crate) fn standard(id: u16, bytes: &[u8]) -> CanFrame {
    CanFrame::data_frame(CanId::standard(id).expect("11 bits"), bytes).expect("at most 8 bytes")
}

pub(crate) fn extended(id: u32, bytes: &[u8]) -> CanFrame {
    CanFrame::data_frame(CanId::extended(id).expect("29 bits"), bytes).expect("at most 8 bytes")
}

pub(crate) fn fd(id: CanId, bytes: &[u8]) -> CanFrame {
    CanFrame::new(id, FrameKind::FdData, bytes).expect("at most 64 bytes")
}

/// A line for whoever reads the output of the suite.
#[expect(clippy::print_stderr, reason = "`cargo xtask test` reads it from the output of the test")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("iproute2 is installed");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {why}", words.join(" "));
}
