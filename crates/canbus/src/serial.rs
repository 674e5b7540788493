//! Frames of a CAN adapter on a serial line, by the wire of `firmware-bridge`.
//!
//! A task of its own holds the session, so that heartbeats and credit do not
//! wait for whoever reads the frames. When the adapter is lost, its terminal
//! is given back and [`SerialSource::next`] says so once: what comes back may
//! hang on another vehicle. Asked again, it waits for the adapter.
//!
//! Promises:
//! - At most [`WINDOW_FRAMES`] frames are on the way or wait here. What does not
//!   fit stays with the adapter, which counts what it loses.
//! - A session begins with the filters; nothing comes that they do not ask for.
//! - Reopening pauses from a quarter second to four.

mod drive;
mod line;
mod tty;

use crate::{errors::OpenError, filter::widened};
use drive::{Drive, Item, Lost};
use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::BuildHasher as _,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tty::Tty;
use vernport_types::{CanFilter, CanFrame, CanId, Clock, FrameKind, Stamp};
use vernport_wire::{
    Filter, Host, HostConfig, HostCounters, MAX_BUSES, MAX_FILTERS, NoVersion, SendRefused, Versions,
};

pub(crate) use line::Line;
pub(crate) use tty::make_raw;

/// The most frames on the way and waiting here together.
pub(crate) const WINDOW_FRAMES: usize = 1024;
/// The line's speed if none is given. A USB adapter does not look at it.
pub(crate) const DEFAULT_BAUD: u32 = 115_200;

/// How to open an adapter.
#[derive(Clone)]
pub struct SerialOptions {
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The line's speed, in bits per second.
    pub baud: u32,
    /// No bus of the adapter is ever sent on; the adapter keeps to it too.
    pub listen_only: bool,
    /// What the host speaks.
    pub versions: Versions,
}

impl SerialOptions {
    /// At 115 200 baud, listening only, with the versions of this build.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, baud: DEFAULT_BAUD, listen_only: true, versions: Versions::OURS }
    }
}

impl fmt::Debug for SerialOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialOptions")
            .field("baud", &self.baud)
            .field("listen_only", &self.listen_only)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Why an adapter was lost. It may be asked again.
#[derive(Debug, Error)]
pub enum LostError {
    /// The line gave an error or ended.
    #[error("the adapter at {path} is gone; plug it in again")]
    Gone {
        /// The terminal.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It said nothing for three seconds.
    #[error("the adapter at {path} has been silent for three seconds; see that it has power")]
    Silent {
        /// The terminal.
        path: PathBuf,
    },
    /// There is no version in common.
    #[error("the adapter at {path} cannot be understood")]
    Version {
        /// The terminal.
        path: PathBuf,
        /// What each speaks.
        source: NoVersion,
    },
}

/// A frame of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SerialFrame {
    /// The frame.
    pub frame: CanFrame,
    /// When the adapter heard it, in this machine's time.
    pub at: Stamp,
    /// The adapter's bus.
    pub bus: u8,
}

/// What source, sink and task share.
struct Shared {
    path: PathBuf,
    host: Mutex<Host>,
    /// There is something to do for the task: room, filters, a frame to send.
    wake: Notify,
    /// A lost adapter is wanted again.
    asked: Notify,
}

impl Shared {
    /// No holder can leave the host half changed.
    fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The frames of one adapter, in the order in which it sent them.
pub struct SerialSource {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    items: mpsc::Receiver<Item>,
    task: JoinHandle<()>,
    lost: bool,
    /// Frames passed on that the host was not told of.
    taken: u32,
}

impl SerialSource {
    /// Opens an adapter's terminal. Must be called inside a tokio runtime; the
    /// session itself may come later, as when the adapter does. Until filters
    /// are set, all frames pass.
    ///
    /// # Errors
    /// [`OpenError::Serial`] when the terminal cannot be had for this alone.
    pub fn open(path: &Path, options: SerialOptions) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Serial { path: path.to_owned(), source };
        let tty = Tty::open(path, options.baud).map_err(failed)?;
        let mut host = Host::new(HostConfig {
            versions: options.versions,
            window_frames: u32::try_from(WINDOW_FRAMES).unwrap_or(u32::MAX),
            session_seed: seed(),
        });
        for bus in buses() {
            // Each number below MAX_BUSES is a bus.
            let _ = host.set_listen_only(bus, options.listen_only);
        }
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            host: Mutex::new(host),
            wake: Notify::new(),
            asked: Notify::new(),
        });
        // One place more, for the word that the adapter is lost.
        let (queue, items) = mpsc::channel(WINDOW_FRAMES + 1);
        let clock = options.clock;
        let drive = Drive::new(Arc::clone(&shared), queue, Arc::clone(&clock), options.baud);
        let task = tokio::spawn(drive.run(tty));
        let source = Self { shared, clock, items, task, lost: false, taken: 0 };
        source.set_filters(&CanFilter::ALL);
        Ok(source)
    }

    /// The next frame; waits as long as there is none. Losing the future loses
    /// no frame.
    ///
    /// # Errors
    /// [`LostError`] once for each time that the adapter is lost, after the
    /// frames that came before. Asked again, this waits until it is back.
    pub async fn next(&mut self) -> Result<SerialFrame, LostError> {
        if std::mem::take(&mut self.lost) {
            self.shared.asked.notify_one();
        }
        match self.items.recv().await {
            Some(Item::Frame(frame)) => {
                self.pass_on();
                Ok(frame)
            }
            Some(Item::Lost(lost)) => {
                self.lost = true;
                Err(self.told(lost))
            }
            // The task ends only with us.
            None => std::future::pending().await,
        }
    }

    /// What to pass on from all buses of the adapter, from now on and in later
    /// sessions; an empty list passes nothing. More than 32 filters are
    /// widened ([`widened`]). Frames that are on the way already still come.
    pub fn set_filters(&self, filters: &[CanFilter]) {
        let filters: Vec<Filter> = widened(filters, MAX_FILTERS)
            .into_iter()
            .map(|filter| Filter { id: to_wire(filter.id), mask: filter.mask })
            .collect();
        let mut host = self.shared.host();
        for bus in buses() {
            if let Err(refused) = host.set_filters(bus, &filters) {
                tracing::error!(?refused, bus, "the adapter's filters were not set");
            }
        }
        drop(host);
        self.shared.wake.notify_one();
    }

    /// The hand that sends on this adapter's buses.
    pub fn sink(&self) -> SerialSink {
        SerialSink { shared: Arc::clone(&self.shared) }
    }

    /// Whether an adapter is there and understood.
    pub fn in_session(&self) -> bool {
        self.shared.host().in_session()
    }

    /// How far a frame's time may be off now; `None` while frames have the time
    /// at which they come in.
    pub fn clock_bound(&self) -> Option<Duration> {
        let now = self.clock.now().boot.0;
        self.shared.host().clock_bound_micros(now).map(Duration::from_micros)
    }

    /// What was counted so far, over all sessions.
    pub fn counters(&self) -> HostCounters {
        self.shared.host().counters()
    }

    /// Tells the host of room, a quarter of the window at a time.
    fn pass_on(&mut self) {
        self.taken += 1;
        if self.taken as usize >= WINDOW_FRAMES / 4 {
            self.shared.host().taken(std::mem::take(&mut self.taken));
            self.shared.wake.notify_one();
        }
    }

    fn told(&self, lost: Lost) -> LostError {
        let path = self.shared.path.clone();
        match lost {
            Lost::Gone(source) => LostError::Gone { path, source },
            Lost::Silent => LostError::Silent { path },
            Lost::Version(source) => LostError::Version { path, source },
        }
    }
}

impl Drop for SerialSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for SerialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialSource({})", self.shared.path.display())
    }
}

/// Sends frames onto the buses of one adapter; cheap to clone.
#[derive(Clone)]
pub struct SerialSink {
    shared: Arc<Shared>,
}

impl SerialSink {
    /// Hands a frame to the line. It is lost if the adapter is lost first.
    ///
    /// # Errors
    /// [`SerialSendError`]. Never waits.
    pub fn send(&self, bus: u8, frame: &CanFrame) -> Result<(), SerialSendError> {
        let failed = |refused| SerialSendError { path: self.shared.path.clone(), bus, refused };
        let frame = frame_to_wire(bus, frame).ok_or_else(|| failed(SendRefused::Malformed))?;
        self.shared.host().send(frame).map_err(failed)?;
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl fmt::Debug for SerialSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialSink({})", self.shared.path.display())
    }
}

/// Why an adapter does not send a frame.
#[derive(Debug, Error)]
#[error("cannot send on bus {bus} of the adapter at {path}: {}", because(*refused))]
pub struct SerialSendError {
    /// The terminal.
    pub path: PathBuf,
    /// The adapter's bus.
    pub bus: u8,
    /// Why.
    pub refused: SendRefused,
}

const fn because(refused: SendRefused) -> &'static str {
    match refused {
        SendRefused::NoSession => "no adapter answers; see that it is plugged in",
        SendRefused::Bus => "it has no such bus",
        SendRefused::ListenOnly => "the bus is set to listen only",
        SendRefused::Malformed => "it is no frame that a node may send",
        SendRefused::Full => "the line is slower than what is sent; send less",
    }
}

fn buses() -> impl Iterator<Item = u8> {
    (0..MAX_BUSES).filter_map(|bus| u8::try_from(bus).ok())
}

/// Where session numbers begin: the standard library's random keys.
fn seed() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

const fn to_wire(id: CanId) -> vernport_wire::CanId {
    match id {
        CanId::Standard(id) => vernport_wire::CanId::Standard(id),
        CanId::Extended(id) => vernport_wire::CanId::Extended(id),
    }
}

/// One of our frames in the wire's words; `None` for what the wire has no room for.
pub(crate) fn frame_to_wire(bus: u8, frame: &CanFrame) -> Option<vernport_wire::CanFrame> {
    let kind = match frame.kind() {
        FrameKind::Data => vernport_wire::FrameKind::Data,
        FrameKind::FdData => vernport_wire::FrameKind::FdData,
        FrameKind::Remote => vernport_wire::FrameKind::Remote,
        FrameKind::Error => vernport_wire::FrameKind::Error,
    };
    // A remote frame asks for data and carries none.
    let data = if kind == vernport_wire::FrameKind::Remote { &[][..] } else { frame.data() };
    let data = data.try_into().ok()?;
    Some(vernport_wire::CanFrame { bus, at_micros: 0, id: to_wire(frame.id()), kind, data })
}

/// A frame of the wire in our words.
pub(crate) fn frame_from_wire(frame: &vernport_wire::CanFrame) -> Option<CanFrame> {
    let id = match frame.id {
        vernport_wire::CanId::Standard(id) => CanId::standard(id)?,
        vernport_wire::CanId::Extended(id) => CanId::extended(id)?,
    };
    let kind = match frame.kind {
        vernport_wire::FrameKind::Data => FrameKind::Data,
        vernport_wire::FrameKind::FdData => FrameKind::FdData,
        vernport_wire::FrameKind::Remote => FrameKind::Remote,
        vernport_wire::FrameKind::Error => FrameKind::Error,
    };
    CanFrame::new(id, kind, &frame.data)
}
