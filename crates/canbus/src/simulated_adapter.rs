//! A CAN adapter without hardware: the firmware's engine behind a pseudo
//! terminal, its buses the virtual buses of this process.
//!
//! For tests and developers. A simulated vehicle on the same virtual bus is
//! then read over a serial line, as `serial:` reads a real one:
//!
//! ```
//! # use std::sync::Arc;
//! # use vernport_canbus::{SimulatedAdapter, SimulatedOptions, VirtualBuses};
//! # use vernport_types::{BootMicros, Stamp, TimeQuality, UtcMicros};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let clock = Arc::new(|| Stamp { wall: UtcMicros(0), boot: BootMicros(0), quality: TimeQuality::Synced });
//! # let folder = tempfile::tempdir()?;
//! let buses = VirtualBuses::default();
//! let link = folder.path().join("adapter");
//! let options = SimulatedOptions::new(clock);
//! let adapter = SimulatedAdapter::plug_in(&link, &buses, &["bay-1".parse()?], options)?;
//! // … open serial:<link> here …
//! assert!(!adapter.in_session());
//! adapter.unplug().await;
//! assert!(!link.exists());
//! # Ok(())
//! # }
//! ```
//!
//! The link to the terminal is to it what `/dev/serial/by-id` is to a real
//! adapter: it is there while the adapter is.

use crate::{
    errors::OpenError,
    serial::{DEFAULT_BAUD, Line, frame_from_wire, frame_to_wire, make_raw},
    virtual_bus::{VirtualBuses, VirtualNode},
};
use rustix::{
    fs::{Mode, OFlags, fcntl_setfl},
    io::{FdFlags, fcntl_setfd},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use std::{
    ffi::OsStr,
    fmt, fs, io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, fs::symlink},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};
use vernport_types::{CanFrame, Clock, Slug, Stamp};
use vernport_wire::{Adapter, AdapterCounters, LINE_BYTES, Versions};

/// Frames that wait for credit.
const QUEUE_FRAMES: usize = 256;
/// Read from the line at once.
const READ_BYTES: usize = 1024;
/// Packets written at once hold about this many bytes.
const WRITE_BYTES: usize = 1024;
/// The longest wait, with nothing due.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest, should the clock stand still.
const SHORTEST: Duration = Duration::from_millis(1);

/// What a bad line does to bytes that the adapter writes.
pub type Garble = Box<dyn FnMut(&mut Vec<u8>) + Send>;

/// How a simulated adapter is made.
pub struct SimulatedOptions {
    /// The adapter's clock, of which only the boot time counts. It need not be
    /// this machine's.
    pub clock: Arc<dyn Clock>,
    /// Name and version of its firmware.
    pub firmware: String,
    /// What it says it speaks.
    pub versions: Versions,
    /// A bad line, to test with.
    pub garble: Option<Garble>,
}

impl SimulatedOptions {
    /// An adapter that speaks what this build speaks, on a good line.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, firmware: "simulated".into(), versions: Versions::OURS, garble: None }
    }
}

impl fmt::Debug for SimulatedOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedOptions")
            .field("firmware", &self.firmware)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// What can be seen of the engine from outside.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    counters: AdapterCounters,
    in_session: bool,
}

/// A plugged-in adapter; unplugged when dropped.
#[derive(Debug)]
pub struct SimulatedAdapter {
    link: PathBuf,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl SimulatedAdapter {
    /// Plugs an adapter in: a pseudo terminal behind `link`, and a node on each
    /// of these virtual buses, which are the adapter's buses 0, 1 and so on.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError::Serial`] when the terminal cannot be made or the link is
    /// there already; [`OpenError::Virtual`] when a bus is full.
    pub fn plug_in<const BUSES: usize>(
        link: &Path,
        buses: &VirtualBuses,
        names: &[Slug; BUSES],
        options: SimulatedOptions,
    ) -> Result<Self, OpenError> {
        let mut nodes = Vec::with_capacity(BUSES);
        for name in names {
            nodes.push(buses.attach(name, Arc::clone(&options.clock))?);
        }
        let port = Port::open(link).map_err(|source| OpenError::Serial { path: link.to_owned(), source })?;
        let seen = Arc::default();
        let firmware = Firmware::<BUSES> {
            adapter: Adapter::speaking(options.versions, &options.firmware),
            nodes,
            clock: options.clock,
            garble: options.garble,
            seen: Arc::clone(&seen),
        };
        Ok(Self { link: link.to_owned(), seen, task: tokio::spawn(firmware.run(port)) })
    }

    /// Takes the adapter away: its host hears the line end.
    pub async fn unplug(mut self) {
        self.task.abort();
        // Aborted, or ended by a line that failed; either way it holds nothing more.
        let _ = (&mut self.task).await;
    }

    /// Whether a host is there.
    pub fn in_session(&self) -> bool {
        lock(&self.seen).in_session
    }

    /// What the engine has counted.
    pub fn counters(&self) -> AdapterCounters {
        lock(&self.seen).counters
    }
}

impl Drop for SimulatedAdapter {
    fn drop(&mut self) {
        self.task.abort();
        // A link that is gone already is as it should be.
        let _ = fs::remove_file(&self.link);
    }
}

/// Nothing can be left half written under this lock.
fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The adapter's side of a pseudo terminal.
struct Port {
    line: Line,
    /// Kept open: without it the line would end with the first host that leaves.
    _terminal: OwnedFd,
}

impl Port {
    fn open(link: &Path) -> io::Result<Self> {
        let fd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        fcntl_setfl(&fd, OFlags::NONBLOCK)?;
        grantpt(&fd)?;
        unlockpt(&fd)?;
        let name = ptsname(&fd, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
        // Or it would send back to the adapter what the adapter writes.
        make_raw(&terminal, DEFAULT_BAUD)?;
        let line = Line::new(fd)?;
        symlink(OsStr::from_bytes(name.to_bytes()), link)?;
        Ok(Self { line, _terminal: terminal })
    }
}

/// The engine and what firmware has around it.
struct Firmware<const BUSES: usize> {
    adapter: Adapter<BUSES, QUEUE_FRAMES>,
    nodes: Vec<VirtualNode>,
    clock: Arc<dyn Clock>,
    garble: Option<Garble>,
    seen: Arc<Mutex<Seen>>,
}

impl<const BUSES: usize> Firmware<BUSES> {
    async fn run(mut self, port: Port) {
        let mut input = [0; READ_BYTES];
        let mut unwritten = Vec::new();
        loop {
            let pause = self.turn(&mut unwritten);
            *lock(&self.seen) =
                Seen { counters: self.adapter.counters(), in_session: self.adapter.in_session() };
            tokio::select! {
                read = port.line.read(&mut input) => match read {
                    Ok(length) => self.received(&input[..length]),
                    Err(_) => return,
                },
                written = port.line.write(&unwritten), if !unwritten.is_empty() => match written {
                    Ok(length) => _ = unwritten.drain(..length),
                    Err(_) => return,
                },
                (bus, heard) = hear(&mut self.nodes) => self.heard(bus, &heard),
                () = sleep(pause) => {}
            }
        }
    }

    /// Fills what is to be written; gives how long nothing else will be due.
    fn turn(&mut self, unwritten: &mut Vec<u8>) -> Duration {
        let now = self.now_micros();
        let mut out = [0; LINE_BYTES];
        while unwritten.len() < WRITE_BYTES {
            let Some(packet) = self.adapter.poll(now, &mut out) else { break };
            match &mut self.garble {
                Some(garble) => {
                    let mut packet = packet.to_vec();
                    garble(&mut packet);
                    unwritten.append(&mut packet);
                }
                None => unwritten.extend_from_slice(packet),
            }
        }
        let wake = self.adapter.wake_micros().map(|at| Duration::from_micros(at.saturating_sub(now)));
        wake.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
    }

    fn received(&mut self, mut bytes: &[u8]) {
        let now = self.now_micros();
        while let Some(frame) = self.adapter.receive(now, &mut bytes) {
            match self.nodes.get(usize::from(frame.bus)).zip(frame_from_wire(&frame)) {
                Some((node, frame)) => node.sender().send(&frame),
                None => self.adapter.refuse(),
            }
        }
    }

    fn heard(&mut self, bus: u8, (frame, at): &(CanFrame, Stamp)) {
        if let Some(frame) = frame_to_wire(bus, frame) {
            // The engine counts what becomes of it.
            let _ = self
                .adapter
                .heard(self.now_micros(), vernport_wire::CanFrame { at_micros: at.boot.0, ..frame });
        }
    }

    fn now_micros(&self) -> u64 {
        self.clock.now().boot.0
    }
}

/// The next frame of any bus. Losing the future loses no frame.
async fn hear(nodes: &mut [VirtualNode]) -> (u8, (CanFrame, Stamp)) {
    std::future::poll_fn(|context| {
        for (bus, node) in (0..).zip(nodes.iter_mut()) {
            if let Poll::Ready(Some(heard)) = node.poll_next(context) {
                return Poll::Ready((bus, heard));
            }
        }
        Poll::Pending
    })
    .await
}
