//! One way to open and read every kind of bus.

#[cfg(unix)]
use crate::serial::{SerialFrame, SerialOptions, SerialSink, SerialSource};
use crate::{
    bus_errors::BusErrors,
    candump::Replay,
    clock::{Pace, Time},
    errors::{FilterError, OpenError, ReadError, SendError},
    filter::FilterSet,
    url::SourceUrl,
    virtual_bus::{VirtualBuses, VirtualNode, VirtualSender},
};
use std::{fmt, path::PathBuf, sync::Arc};
use vernport_types::{CanFilter, CanFrame, Clock, FrameKind, Stamp};
use vernport_wire::HostCounters;

/// A frame, when and where it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedFrame {
    /// The frame.
    pub frame: CanFrame,
    /// When it was heard.
    pub at: Stamp,
    /// The bus: 0, or for a log its channels in the order of their appearance.
    pub bus: u8,
    /// The place of this frame in its source, from 0. For a log it is the same
    /// in every replay and so can be kept as a cursor.
    pub index: u64,
}

/// What a source has counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames handed out.
    pub frames: u64,
    /// Lines of a log that were no frames.
    pub skipped_lines: u64,
    /// Frames lost because a queue was full, the kernel's too.
    pub dropped: u64,
    /// Frames that came, but that no filter lets through.
    pub filtered: u64,
    /// What came from the kernel and is no frame.
    pub invalid: u64,
    /// Frames of a live bus with the time of reading, for want of a better one.
    pub stamped_by_clock: u64,
    /// What the controller reports of its bus.
    pub bus_errors: BusErrors,
}

/// How to open a source.
#[derive(Clone)]
pub struct OpenOptions {
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Which time the frames of a log get.
    pub time: Time,
    /// How fast a log is played.
    pub pace: Pace,
    /// How many frames of a log to pass over: the cursor of an earlier replay.
    pub skip_frames: u64,
    /// The virtual buses of this process.
    pub buses: VirtualBuses,
    /// What the kernel keeps for a reader that is late, in bytes; a classic
    /// frame takes less than 1000 of them. [`OpenOptions::RECEIVE_BUFFER_BYTES`] unless said.
    pub receive_buffer_bytes: usize,
    /// Where the system lists its interfaces, `/sys` unless said.
    pub sysfs: PathBuf,
    /// Nothing is sent on an adapter's buses, and the adapter keeps to it too.
    pub listen_only: bool,
}

impl OpenOptions {
    /// 4 MiB: a second of a busy bus at the least.
    pub const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

    /// A log from its first frame, unpaced, in the clock's time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            time: Time::default(),
            pace: Pace::default(),
            skip_frames: 0,
            buses: VirtualBuses::default(),
            receive_buffer_bytes: Self::RECEIVE_BUFFER_BYTES,
            sysfs: "/sys".into(),
            listen_only: false,
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("time", &self.time)
            .field("pace", &self.pace)
            .field("skip_frames", &self.skip_frames)
            .field("buses", &self.buses)
            .field("receive_buffer_bytes", &self.receive_buffer_bytes)
            .field("sysfs", &self.sysfs)
            .field("listen_only", &self.listen_only)
            .finish_non_exhaustive()
    }
}

/// An open source and, where frames can be sent, the hand that sends them.
#[derive(Debug)]
pub struct Bus {
    /// Where frames come from.
    pub source: FrameSource,
    /// Where they go; a log takes none.
    pub sink: Option<FrameSink>,
}

/// Opens a source. Must be called inside a tokio runtime.
///
/// # Errors
/// [`OpenError`] when the log, bus or interface cannot be had.
pub async fn open(url: &SourceUrl, options: OpenOptions) -> Result<Bus, OpenError> {
    match url {
        SourceUrl::Candump(path) => {
            let replay = Replay::open(path, options).await?;
            Ok(Bus { source: FrameSource::from(Inner::Candump(Box::new(replay))), sink: None })
        }
        SourceUrl::Virtual(name) => {
            let node = options.buses.attach(name, options.clock)?;
            let sink = Some(FrameSink(Sink::Virtual(node.sender())));
            Ok(Bus { source: FrameSource::from(Inner::Virtual(node)), sink })
        }
        #[cfg(target_os = "linux")]
        SourceUrl::Can(interface) => {
            let interface = crate::socketcan::Interface::open(interface, options)?;
            let sink = Some(FrameSink(Sink::Can(interface.sender())));
            Ok(Bus { source: FrameSource::from(Inner::Can(Box::new(interface))), sink })
        }
        #[cfg(not(target_os = "linux"))]
        SourceUrl::Can(interface) => Err(OpenError::NotLinux { interface: interface.to_string() }),
        #[cfg(unix)]
        SourceUrl::Serial { path, baud } => {
            let defaults = SerialOptions::new(options.clock);
            let serial_options = SerialOptions {
                baud: baud.unwrap_or(defaults.baud),
                listen_only: options.listen_only,
                ..defaults
            };
            let serial = SerialSource::open(path, serial_options)?;
            let sink = (!options.listen_only).then(|| FrameSink(Sink::Serial(serial.sink())));
            Ok(Bus { source: FrameSource::from(Inner::Serial(serial)), sink })
        }
        #[cfg(not(unix))]
        SourceUrl::Serial { path, .. } => {
            Err(OpenError::Serial { path: path.clone(), source: std::io::ErrorKind::Unsupported.into() })
        }
    }
}

/// Gives the frames of one source, in order.
#[derive(Debug)]
pub struct FrameSource {
    inner: Inner,
    frames: u64,
    filters: Option<FilterSet>,
    filtered: u64,
}

#[derive(Debug)]
enum Inner {
    Candump(Box<Replay>),
    Virtual(VirtualNode),
    #[cfg(target_os = "linux")]
    Can(Box<crate::socketcan::Interface>),
    #[cfg(unix)]
    Serial(SerialSource),
}

impl From<Inner> for FrameSource {
    fn from(inner: Inner) -> Self {
        Self { inner, frames: 0, filters: None, filtered: 0 }
    }
}

impl FrameSource {
    /// The next frame; `None` at the end of a log. A live bus has no end.
    /// Losing the future loses no frame.
    ///
    /// # Errors
    /// [`ReadError`] when the source fails, once for each failure. A live bus may be asked again: then this
    /// waits until the bus is back, without a limit and without being busy.
    pub async fn next(&mut self) -> Result<Option<TimedFrame>, ReadError> {
        loop {
            let next = self.unfiltered().await?;
            let wanted = |timed: &TimedFrame| match &self.filters {
                Some(filters) if timed.frame.kind() != FrameKind::Error => filters.passes(timed.frame.id()),
                _ => true,
            };
            if next.as_ref().is_none_or(wanted) {
                self.frames += u64::from(next.is_some());
                return Ok(next);
            }
            self.filtered += 1;
        }
    }

    /// From now on hands out only frames that one of these filters passes, by identifier and format, and
    /// reports of errors; with an empty list nothing but these. What the source itself
    /// can hold back, it does: a kernel or an adapter gets the list, widened where it has
    /// no room for it. Frames that came and are not handed out are counted
    /// ([`Counters::filtered`]). A source begins without filters.
    ///
    /// # Errors
    /// [`FilterError`] when the interface takes no filters. They hold nevertheless.
    pub fn set_filters(&mut self, filters: &[CanFilter]) -> Result<(), FilterError> {
        self.filters = Some(FilterSet::new(filters));
        match &mut self.inner {
            #[cfg(target_os = "linux")]
            Inner::Can(interface) => interface.set_filters(filters),
            #[cfg(unix)]
            Inner::Serial(serial) => {
                serial.set_filters(filters);
                Ok(())
            }
            Inner::Candump(_) | Inner::Virtual(_) => Ok(()),
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let of_source = match &self.inner {
            Inner::Candump(replay) => {
                Counters { skipped_lines: replay.skipped_lines(), ..Counters::default() }
            }
            Inner::Virtual(node) => Counters { dropped: node.dropped(), ..Counters::default() },
            #[cfg(target_os = "linux")]
            Inner::Can(interface) => interface.counters(),
            #[cfg(unix)]
            Inner::Serial(serial) => {
                let HostCounters { dropped_by_adapter, lost_on_line, beyond_credit, .. } = serial.counters();
                Counters { dropped: dropped_by_adapter + lost_on_line + beyond_credit, ..Counters::default() }
            }
        };
        Counters { frames: self.frames, filtered: self.filtered, ..of_source }
    }

    /// Whether frames can come: the interface is there and up, the adapter answers. A log and a
    /// virtual bus are always there.
    pub fn is_up(&self) -> bool {
        match &self.inner {
            Inner::Candump(_) | Inner::Virtual(_) => true,
            #[cfg(target_os = "linux")]
            Inner::Can(interface) => interface.is_up(),
            #[cfg(unix)]
            Inner::Serial(serial) => serial.in_session(),
        }
    }

    /// The buses of a log so far, by number: its channels. Empty for a live bus.
    pub fn channels(&self) -> &[String] {
        match &self.inner {
            Inner::Candump(replay) => replay.channels(),
            _ => &[],
        }
    }

    async fn unfiltered(&mut self) -> Result<Option<TimedFrame>, ReadError> {
        let live =
            |heard: (CanFrame, Stamp)| TimedFrame { frame: heard.0, at: heard.1, bus: 0, index: self.frames };
        Ok(match &mut self.inner {
            Inner::Candump(replay) => replay.next().await?,
            Inner::Virtual(node) => node.next().await.map(live),
            #[cfg(target_os = "linux")]
            Inner::Can(interface) => Some(live(interface.next().await?)),
            #[cfg(unix)]
            Inner::Serial(serial) => {
                let SerialFrame { frame, at, bus } = serial.next().await?;
                Some(TimedFrame { frame, at, bus, index: self.frames })
            }
        })
    }
}

/// Sends frames onto a bus; cheap to clone.
#[derive(Debug, Clone)]
pub struct FrameSink(Sink);

#[derive(Debug, Clone)]
enum Sink {
    Virtual(VirtualSender),
    #[cfg(target_os = "linux")]
    Can(crate::socketcan::Sender),
    #[cfg(unix)]
    Serial(SerialSink),
}

impl FrameSink {
    /// Sends one frame, on bus 0 of an adapter with several.
    ///
    /// # Errors
    /// [`SendError`] when the interface does not take it. A virtual bus takes
    /// every frame.
    pub async fn send(&self, frame: &CanFrame) -> Result<(), SendError> {
        self.send_on(0, frame).await
    }

    /// Sends one frame on a bus, numbered as in [`TimedFrame::bus`].
    ///
    /// # Errors
    /// As [`FrameSink::send`], and [`SendError::NoBus`].
    pub async fn send_on(&self, bus: u8, frame: &CanFrame) -> Result<(), SendError> {
        match &self.0 {
            #[cfg(unix)]
            Sink::Serial(adapter) => Ok(adapter.send(bus, frame)?),
            _ if bus != 0 => Err(SendError::NoBus { bus }),
            Sink::Virtual(sender) => {
                sender.send(frame);
                Ok(())
            }
            #[cfg(target_os = "linux")]
            Sink::Can(sender) => sender.send(frame).await,
        }
    }
}
