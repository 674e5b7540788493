//! The task behind an adapter: holds the session, opens the terminal again.

use super::{SerialFrame, Shared, frame_from_wire, tty::Tty};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use vernport_types::{BootMicros, Clock, Stamp};
use vernport_wire::{CanFrame, HostEvent, LINE_BYTES, NoVersion, SessionEnd};

/// Read from the line at once.
const READ_BYTES: usize = 4096;
/// Pauses before a terminal is opened again: doubled until a session begins.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How long a terminal may be open without a session before that is told.
const UNANSWERED: Duration = Duration::from_secs(5);
/// The longest wait while the line takes no bytes, so that silence is noticed.
const STALLED: Duration = Duration::from_millis(100);
/// The shortest, should the clock stand still.
const SHORTEST: Duration = Duration::from_millis(1);

/// For whoever reads the frames.
pub(super) enum Item {
    Frame(SerialFrame),
    Lost(Lost),
}

/// Why an adapter was lost.
pub(super) enum Lost {
    Gone(io::Error),
    Silent,
    Version(NoVersion),
}

/// A packet that the line has not taken yet, or not all of it.
struct Unwritten {
    packet: [u8; LINE_BYTES],
    at: usize,
    length: usize,
}

impl Default for Unwritten {
    fn default() -> Self {
        Self { packet: [0; LINE_BYTES], at: 0, length: 0 }
    }
}

impl Unwritten {
    fn bytes(&self) -> &[u8] {
        &self.packet[self.at..self.length]
    }

    const fn is_empty(&self) -> bool {
        self.at >= self.length
    }
}

pub(super) struct Drive {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Item>,
    clock: Arc<dyn Clock>,
    baud: u32,
    pause: Duration,
    /// When to tell that nobody answers on the open terminal.
    unanswered: Option<Instant>,
}

impl Drive {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: mpsc::Sender<Item>,
        clock: Arc<dyn Clock>,
        baud: u32,
    ) -> Self {
        Self { shared, queue, clock, baud, pause: FIRST_PAUSE, unanswered: None }
    }

    /// Runs until the source is dropped.
    pub(super) async fn run(mut self, mut tty: Tty) {
        loop {
            let lost = self.hold(&tty).await;
            self.shared.host().line_down();
            // Given back: whoever is told may open it anew.
            drop(tty);
            if self.queue.send(Item::Lost(lost)).await.is_err() {
                return;
            }
            self.shared.asked.notified().await;
            tty = self.reopen().await;
        }
    }

    async fn reopen(&mut self) -> Tty {
        loop {
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            match Tty::open(&self.shared.path, self.baud) {
                Ok(tty) => return tty,
                Err(error) => {
                    tracing::debug!(path = %self.shared.path.display(), %error, "the adapter is still away");
                }
            }
        }
    }

    /// Holds sessions on an open terminal until it or the adapter is lost.
    async fn hold(&mut self, tty: &Tty) -> Lost {
        self.unanswered = Some(Instant::now() + UNANSWERED);
        self.shared.host().line_up(self.now().boot.0);
        let mut input = [0; READ_BYTES];
        let mut unwritten = Unwritten::default();
        loop {
            let pause = match self.turn(&mut unwritten) {
                Ok(pause) => pause,
                Err(lost) => return lost,
            };
            self.tell_unanswered();
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                read = tty.line().read(&mut input) => match read {
                    Ok(length) => if let Err(lost) = self.heard(&input[..length]) { return lost },
                    Err(error) => return Lost::Gone(error),
                },
                written = tty.line().write(unwritten.bytes()), if !unwritten.is_empty() => match written {
                    Ok(length) => unwritten.at += length,
                    Err(error) => return Lost::Gone(error),
                },
                () = shared.wake.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Does what is due; gives how long nothing else will be.
    fn turn(&mut self, unwritten: &mut Unwritten) -> Result<Duration, Lost> {
        let now = self.now();
        let mut host = self.shared.host();
        if let Some(event) = host.tick(now.boot.0) {
            drop(host);
            self.event(event, now)?;
            return Ok(SHORTEST);
        }
        if unwritten.is_empty() {
            let length = host.poll(now.boot.0, &mut unwritten.packet).map_or(0, <[u8]>::len);
            (unwritten.at, unwritten.length) = (0, length);
        }
        if !unwritten.is_empty() {
            return Ok(STALLED);
        }
        let wake =
            host.wake_micros().map_or(STALLED, |at| Duration::from_micros(at.saturating_sub(now.boot.0)));
        Ok(wake.max(SHORTEST))
    }

    fn heard(&mut self, mut bytes: &[u8]) -> Result<(), Lost> {
        let now = self.now();
        loop {
            let event = self.shared.host().receive(now.boot.0, &mut bytes);
            match event {
                Some(event) => self.event(event, now)?,
                None => return Ok(()),
            }
        }
    }

    fn event(&mut self, event: HostEvent, now: Stamp) -> Result<(), Lost> {
        let path = self.shared.path.display();
        match event {
            HostEvent::Frame(frame) => self.pass_on(&frame, now),
            HostEvent::Began(adapter) => {
                let (firmware, buses, version) = (adapter.firmware.as_str(), adapter.buses, adapter.version);
                tracing::info!(%path, firmware, buses, version, "a CAN adapter is there");
                (self.pause, self.unanswered) = (FIRST_PAUSE, None);
            }
            HostEvent::Ended(SessionEnd::Repair) => {
                tracing::warn!(%path, "noise on the line to the CAN adapter cost a setting; it is given again");
            }
            HostEvent::Ended(SessionEnd::Silence) => return Err(Lost::Silent),
            HostEvent::NoVersion(no_version) => return Err(Lost::Version(no_version)),
        }
        Ok(())
    }

    fn pass_on(&self, frame: &CanFrame, now: Stamp) {
        let (boot, bus) = (BootMicros(frame.at_micros), frame.bus);
        let ago = i64::try_from(now.boot.0.saturating_sub(boot.0)).unwrap_or(i64::MAX);
        let at = Stamp { wall: now.wall.plus_micros(-ago), boot, quality: now.quality };
        // The wire gives out only what is a frame, and the window keeps a place
        // for each: this fails only while the source is being dropped.
        let passed = frame_from_wire(frame)
            .and_then(|frame| self.queue.try_send(Item::Frame(SerialFrame { frame, at, bus })).ok());
        if passed.is_none() {
            self.shared.host().taken(1);
        }
    }

    fn tell_unanswered(&mut self) {
        if self.unanswered.is_some_and(|at| Instant::now() >= at) {
            self.unanswered = None;
            let path = self.shared.path.display();
            tracing::warn!(%path, "no CAN adapter answers on this line; see that it has power and its firmware");
        }
    }

    fn now(&self) -> Stamp {
        self.clock.now()
    }
}
