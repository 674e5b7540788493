//! The adapter to Linux's SocketCAN: classic and FD frames of one interface.
//!
//! Promises:
//! - Each frame is stamped with when the kernel or the adapter saw it; the boot clock of the
//!   stamps never goes back ([`stamp`]).
//! - What the kernel drops is counted. The receive buffer is as large as was asked for, as far as
//!   the process may.
//! - An interface that goes down or away is one error; frames that came before it come first. Whoever asks again
//!   waits until it is back. One that is down keeps its socket and so loses no frame when it comes up;
//!   for one that is gone there is a look each [`RETRY`], and no more.
//! - Sending waits [`SEND_WAIT`] at most.
//! - What is sent here is not heard here.

mod layout;
mod socket;
mod stamp;

use crate::{
    bus_errors::ErrorGate,
    errors::{FilterError, OpenError, ReadError, SendError},
    filter::widened,
    interface::{CanInterface, interface_is_up},
    source::{Counters, OpenOptions},
};
use nix::errno::Errno;
use socket::{MAX_FILTERS, Socket, errno};
use stamp::Stamper;
use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep_until, timeout};
use vernport_types::{CanFilter, CanFrame, FrameKind, Stamp};

/// Between two looks at an interface that is away.
const RETRY: Duration = Duration::from_millis(250);
/// The longest wait for room to send.
const SEND_WAIT: Duration = Duration::from_millis(100);
/// Frames that are still taken from the socket of an interface that is lost, as
/// many as a large buffer holds.
const MOST_LEFT: u32 = 65_536;

/// One interface that is read.
pub(crate) struct Interface {
    selector: CanInterface,
    sysfs: PathBuf,
    receive_buffer_bytes: usize,
    /// Its name, as it was last found.
    name: String,
    socket: Current,
    state: State,
    filters: Option<Vec<CanFilter>>,
    stamper: Stamper,
    errors: ErrorGate,
    invalid: u64,
    /// Frames lost by sockets before this one, and by this one.
    dropped: (u64, u32),
}

/// What becomes of the next read.
enum State {
    Up,
    /// The interface is lost, which is not told yet: so many frames may still wait in its socket.
    Draining {
        error: io::Error,
        gone: bool,
        left: u32,
    },
    /// Its loss was told; the socket is still its.
    Down,
    /// Its loss was told; it needs a new socket, which is tried for at this time. Kept here, so that
    /// a wait that is cut short again and again comes to its end too.
    Gone {
        retry: Instant,
    },
}

impl State {
    fn gone() -> Self {
        Self::Gone { retry: Instant::now() + RETRY }
    }

    fn lost(gone: bool) -> Self {
        if gone { Self::gone() } else { Self::Down }
    }
}

/// The socket that is open now; who sends shares it, so that own frames are not heard.
#[derive(Clone)]
struct Current(Arc<Mutex<Arc<Socket>>>);

impl Current {
    fn get(&self) -> Arc<Socket> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, socket: Socket) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(socket);
    }
}

impl Interface {
    pub(crate) fn open(selector: &CanInterface, options: OpenOptions) -> Result<Self, OpenError> {
        let name = selector.resolve(&options.sysfs)?;
        let failed = |source| OpenError::Interface { interface: selector.to_string(), source };
        let socket = Socket::open(&name, options.receive_buffer_bytes).map_err(failed)?;
        Ok(Self {
            selector: selector.clone(),
            sysfs: options.sysfs,
            receive_buffer_bytes: options.receive_buffer_bytes,
            name,
            socket: Current(Arc::new(Mutex::new(Arc::new(socket)))),
            state: State::Up,
            filters: None,
            stamper: Stamper::new(options.clock),
            errors: ErrorGate::default(),
            invalid: 0,
            dropped: (0, 0),
        })
    }

    /// The hand that sends on this interface.
    pub(crate) fn sender(&self) -> Sender {
        Sender { interface: self.selector.to_string().into(), socket: self.socket.clone() }
    }

    /// The next frame. Losing the future loses no frame.
    pub(crate) async fn next(&mut self) -> Result<(CanFrame, Stamp), ReadError> {
        loop {
            let socket = self.socket.get();
            let read = match &mut self.state {
                State::Up | State::Down => socket.receive().await,
                State::Draining { left: 0, .. } => Err(io::ErrorKind::WouldBlock.into()),
                State::Draining { left, .. } => {
                    *left -= 1;
                    socket.receive_now()
                }
                State::Gone { retry } => {
                    sleep_until(*retry).await;
                    self.look();
                    continue;
                }
            };
            match read {
                Ok(heard) => {
                    if matches!(self.state, State::Down) {
                        self.is_back();
                    }
                    self.dropped.1 = heard.dropped.unwrap_or(self.dropped.1);
                    let Some(frame) = heard.frame else {
                        self.invalid += 1;
                        continue;
                    };
                    let system_now =
                        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                    let stamp = self.stamper.stamp(heard.time, system_now);
                    if frame.kind() != FrameKind::Error
                        || self.errors.report(frame.id().raw(), frame.data(), stamp.boot)
                    {
                        return Ok((frame, stamp));
                    }
                }
                Err(error) => self.failed(error)?,
            }
        }
    }

    /// Keeps the list for every socket to come, and gives the kernel one that fits.
    pub(crate) fn set_filters(&mut self, filters: &[CanFilter]) -> Result<(), FilterError> {
        let list = self.filters.insert(widened(filters, MAX_FILTERS));
        if matches!(self.state, State::Gone { .. }) {
            return Ok(());
        }
        match self.socket.get().set_filters(list) {
            // Gone, which the next read tells.
            Err(error) if errno(&error) == Some(Errno::ENODEV) => Ok(()),
            Err(source) => Err(FilterError::Interface { interface: self.selector.to_string(), source }),
            Ok(()) => Ok(()),
        }
    }

    /// Whether the interface is there and up. One that was down and comes up says nothing, so the system is asked.
    pub(crate) fn is_up(&self) -> bool {
        match self.state {
            State::Up => true,
            State::Down => interface_is_up(&self.sysfs, &self.name),
            State::Draining { .. } | State::Gone { .. } => false,
        }
    }

    /// What the interface counts; frames handed out are counted above.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            dropped: self.dropped.0 + u64::from(self.dropped_here()),
            invalid: self.invalid,
            stamped_by_clock: self.stamper.by_clock(),
            bus_errors: self.errors.counted(),
            ..Counters::default()
        }
    }

    fn dropped_here(&self) -> u32 {
        self.socket.get().dropped().unwrap_or(0).max(self.dropped.1)
    }

    /// Tells a failure, once, and when nothing waits any more that came before it.
    fn failed(&mut self, error: io::Error) -> Result<(), ReadError> {
        let (lost, gone) = match errno(&error) {
            Some(Errno::ENETDOWN) => (true, false),
            Some(Errno::ENODEV | Errno::ENXIO) => (true, true),
            _ => (false, false),
        };
        let told = match std::mem::replace(&mut self.state, State::gone()) {
            State::Up if lost => {
                self.state = State::Draining { error, gone, left: MOST_LEFT };
                return Ok(());
            }
            // It went away after it went down: the same loss.
            State::Draining { error, gone: before, left } if lost => {
                self.state = State::Draining { error, gone: gone || before, left };
                return Ok(());
            }
            State::Down if lost => {
                self.state = State::lost(gone);
                return Ok(());
            }
            State::Draining { error, gone, .. } => {
                self.state = State::lost(gone);
                error
            }
            // What we do not know may heal with a new socket.
            State::Up | State::Down | State::Gone { .. } => error,
        };
        Err(ReadError::Interface { interface: self.selector.to_string(), source: told })
    }

    fn is_back(&mut self) {
        tracing::info!(interface = %self.selector, "the interface is back");
        self.errors.started_anew();
        self.state = State::Up;
    }

    /// Opens the interface if it is there and up, else asks for a look after a pause: one that
    /// fails again and again keeps nobody busy.
    fn look(&mut self) {
        match self.reopen() {
            Ok(()) => self.is_back(),
            Err(error) => {
                self.state = State::gone();
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::debug!(%error, cause, "the interface is still away");
            }
        }
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        let failed = |source| OpenError::Interface { interface: self.selector.to_string(), source };
        let name = self.selector.resolve(&self.sysfs)?;
        let socket = Socket::open(&name, self.receive_buffer_bytes).map_err(failed)?;
        if let Some(filters) = &self.filters {
            socket.set_filters(filters).map_err(failed)?;
        }
        socket.take_error().map_err(failed)?;
        self.stamper.new_adapter();
        self.dropped = (self.dropped.0 + u64::from(self.dropped_here()), 0);
        self.socket.set(socket);
        self.name = name;
        Ok(())
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interface({} as {})", self.selector, self.name)
    }
}

/// Sends on one interface; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sender {
    interface: Arc<str>,
    socket: Current,
}

impl Sender {
    pub(crate) async fn send(&self, frame: &CanFrame) -> Result<(), SendError> {
        let interface = || self.interface.to_string();
        let (bytes, len) =
            layout::write(frame).ok_or_else(|| SendError::ErrorFrame { interface: interface() })?;
        let socket = self.socket.get();
        let Ok(sent) = timeout(SEND_WAIT, socket.send(&bytes[..len])).await else {
            return Err(SendError::Full { interface: interface() });
        };
        sent.map_err(|source| match errno(&source) {
            Some(Errno::ENOBUFS) => SendError::Full { interface: interface() },
            Some(Errno::EINVAL | Errno::EMSGSIZE) if frame.kind() == FrameKind::FdData => {
                SendError::NotFd { interface: interface() }
            }
            _ => SendError::Interface { interface: interface(), source },
        })
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_interface_is_refused_by_name() {
        let selector = CanInterface::Name("none-such0".into());
        let options = OpenOptions::new(crate::testing::ticking_clock());
        let error = Interface::open(&selector, options).expect_err("no such one");
        assert!(error.to_string().contains("'none-such0'"), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "the system's answer is the cause");
    }

    #[tokio::test]
    async fn a_missing_adapter_is_refused_by_its_selector() {
        let sysfs = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(sysfs.path().join("class/net")).expect("a folder");
        let selector: CanInterface = "serial=0042".parse().expect("a selector");
        let options = OpenOptions {
            sysfs: sysfs.path().to_owned(),
            ..OpenOptions::new(crate::testing::ticking_clock())
        };
        let error = Interface::open(&selector, options).expect_err("no such one").to_string();
        assert!(error.contains("no CAN adapter with serial=0042"), "{error}");
    }
}
