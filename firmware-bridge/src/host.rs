//! What the gateway runs: the host's end of a session, without the line and
//! the clock.
//!
//! Bytes of the line go in; frames in the host's time, events and packets come
//! out. Times are the host's boot clock in microseconds. One turn of a caller:
//! [`Host::receive`] until it gives nothing, [`Host::tick`], then
//! [`Host::poll`] until it gives nothing, and again at [`Host::wake_micros`].
//!
//! Promises:
//! - Frames come out in the order in which the adapter sent them, and times never go back.
//! - Credit and frames that the caller still holds are together at most the window.
//! - A session begins with modes and filters; only then is there credit.
//! - What noise takes of settings or credit is found by the adapter's report,
//!   and mended by a new session.

mod session;

use crate::{
    clock::ClockMap,
    message::{
        BusMode, CanFrame, Credit, Filter, FilterSet, Hello, HelloAck, MAX_FILTERS, Message, Versions,
    },
    packet::Decoder,
    session::{HELLO_MICROS, HostCounters, LINE_BYTES, MAX_BUSES, SessionInfo, written},
};
use core::fmt;
use heapless::{Deque, Vec};
use session::Session;

/// Frames for a bus that may wait for the line.
pub const MAX_UNSENT: usize = 32;
/// Pause before an adapter that speaks no version of ours is asked again.
const NO_VERSION_MICROS: u64 = 10_000_000;
/// Session numbers lie far apart, so that a stale one is never the next.
const SESSION_STEP: u32 = 0x9E37_79B9;

/// How a host is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostConfig {
    /// What it speaks.
    pub versions: Versions,
    /// The most frames on the way and held by the caller together.
    pub window_frames: u32,
    /// Where session numbers begin; best drawn at random.
    pub session_seed: u32,
}

/// No version in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVersion {
    /// What the host speaks.
    pub host: Versions,
    /// What the adapter speaks, if it told.
    pub adapter: Option<Versions>,
}

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Versions { lowest, highest } = self.host;
        write!(f, "the host speaks versions {lowest} to {highest} of the wire, ")?;
        match self.adapter {
            Some(theirs) => {
                let end = if theirs.lowest > highest { "gateway" } else { "adapter's firmware" };
                write!(f, "the adapter {} to {}; update the {end}", theirs.lowest, theirs.highest)
            }
            None => f.write_str("the adapter none of them; update its firmware"),
        }
    }
}

impl core::error::Error for NoVersion {}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// No heartbeat for three seconds: the adapter may have been taken away.
    Silence,
    /// Noise took a setting or credit; the next session gives it again.
    Repair,
}

/// What a host has to tell.
// A frame is nine events of ten; boxing it needs an allocator.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEvent {
    /// A session began.
    Began(SessionInfo),
    /// A frame; its time is the host's clock.
    Frame(CanFrame),
    /// The session ended; the next one is being asked for.
    Ended(SessionEnd),
    /// The adapter is there but cannot be understood.
    NoVersion(NoVersion),
}

/// Why a setting was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingRefused {
    /// Buses are numbered below [`MAX_BUSES`].
    Bus,
    /// More than [`MAX_FILTERS`]; widen them.
    TooMany,
    /// An identifier is too large for its format.
    Malformed,
}

/// Why a frame was not taken for a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendRefused {
    /// No adapter is there.
    NoSession,
    /// The adapter has no such bus.
    Bus,
    /// The bus is set to listen only.
    ListenOnly,
    /// The frame contradicts itself, or is an error frame.
    Malformed,
    /// [`MAX_UNSENT`] frames wait already.
    Full,
}

/// What is wanted of one bus, in this session and the next.
#[derive(Debug, Clone)]
struct Wanted {
    filters: Vec<Filter, MAX_FILTERS>,
    listen_only: bool,
}

#[derive(Debug)]
enum State {
    /// There is no line.
    Down,
    /// Hello was said, or is due.
    Seeking { session: u32, hello_micros: u64, versions: Option<Versions> },
    /// An adapter is there.
    Open(Session),
}

/// The host's end.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    decoder: Decoder,
    state: State,
    last_session: u32,
    wanted: [Wanted; MAX_BUSES],
    unsent: Deque<CanFrame, MAX_UNSENT>,
    /// Frames that the caller still holds.
    held: u32,
    clock: ClockMap,
    counters: HostCounters,
}

impl Host {
    /// A host without a line. Nothing is wanted of any bus, and nothing may be sent.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            decoder: Decoder::default(),
            state: State::Down,
            last_session: config.session_seed,
            wanted: core::array::from_fn(|_| Wanted { filters: Vec::new(), listen_only: true }),
            unsent: Deque::new(),
            held: 0,
            clock: ClockMap::default(),
            counters: HostCounters::default(),
        }
    }

    /// There is a line now; an adapter is asked for at once.
    pub fn line_up(&mut self, now_micros: u64) {
        self.decoder = Decoder::default();
        self.seek(now_micros);
    }

    /// The line is gone, and the session with it.
    pub fn line_down(&mut self) {
        self.drop_unsent();
        self.state = State::Down;
    }

    /// Takes bytes of the line up to the next event, and gives it; call it
    /// again until nothing comes.
    pub fn receive(&mut self, now_micros: u64, bytes: &mut &[u8]) -> Option<HostEvent> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            match self.decoder.push(*byte) {
                None => {}
                Some(Err(error)) => self.counters.bad.count(error),
                Some(Ok(message)) => {
                    if let Some(event) = self.take(message, now_micros) {
                        return Some(event);
                    }
                }
            }
        }
        None
    }

    /// What the time alone has brought about.
    pub fn tick(&mut self, now_micros: u64) -> Option<HostEvent> {
        let State::Open(session) = &self.state else { return None };
        session.is_silent(now_micros).then(|| self.end(SessionEnd::Silence, now_micros))
    }

    /// The next packet for the line, if one is due. What is given must be
    /// written whole before this is called again.
    pub fn poll<'a>(&mut self, now_micros: u64, out: &'a mut [u8; LINE_BYTES]) -> Option<&'a [u8]> {
        if let State::Seeking { session, hello_micros, versions } = &mut self.state {
            if now_micros < *hello_micros {
                return None;
            }
            self.last_session = self.last_session.wrapping_add(SESSION_STEP);
            (*session, *hello_micros, *versions) =
                (self.last_session, now_micros.saturating_add(HELLO_MICROS), None);
            let Versions { lowest, highest } = self.config.versions;
            return written(&Message::Hello(Hello { lowest, highest, session: *session }), true, out);
        }
        written(&self.due(now_micros)?, false, out)
    }

    /// When [`Host::tick`] and [`Host::poll`] are to be called at the latest if
    /// nothing comes in: 0 for at once, `None` for never.
    pub fn wake_micros(&self) -> Option<u64> {
        match &self.state {
            State::Down => None,
            State::Seeking { hello_micros, .. } => Some(*hello_micros),
            State::Open(session) => {
                let at_once = session.has_settings()
                    || session.credit_due(self.config.window_frames, self.held).is_some()
                    || !self.unsent.is_empty();
                Some(if at_once { 0 } else { session.wake_micros() })
            }
        }
    }

    /// The caller has passed on this many frames and has room for others.
    pub fn taken(&mut self, frames: u32) {
        self.held = self.held.saturating_sub(frames);
    }

    /// What to pass on from a bus, in this session and all others. Until it is
    /// set, nothing passes.
    ///
    /// # Errors
    /// [`SettingRefused`]; then it stays as it was.
    pub fn set_filters(&mut self, bus: u8, filters: &[Filter]) -> Result<(), SettingRefused> {
        let wanted = self.wanted.get_mut(usize::from(bus)).ok_or(SettingRefused::Bus)?;
        if !filters.iter().all(|filter| filter.id.is_well_formed()) {
            return Err(SettingRefused::Malformed);
        }
        let filters = Vec::from_slice(filters).map_err(|_| SettingRefused::TooMany)?;
        if wanted.filters != filters {
            wanted.filters = filters;
            if let State::Open(session) = &mut self.state {
                session.renew_filters(bus);
            }
        }
        Ok(())
    }

    /// Whether anything may be sent on a bus, in this session and all others.
    /// Until it is set, nothing may.
    ///
    /// # Errors
    /// [`SettingRefused::Bus`].
    pub fn set_listen_only(&mut self, bus: u8, listen_only: bool) -> Result<(), SettingRefused> {
        let wanted = self.wanted.get_mut(usize::from(bus)).ok_or(SettingRefused::Bus)?;
        if wanted.listen_only != listen_only {
            wanted.listen_only = listen_only;
            if let State::Open(session) = &mut self.state {
                session.renew_mode(bus);
            }
        }
        Ok(())
    }

    /// Takes a frame for a bus; its time does not matter. It is lost when the
    /// session ends before the line took it: what was asked of one vehicle is
    /// not asked of the next.
    ///
    /// # Errors
    /// [`SendRefused`].
    pub fn send(&mut self, frame: CanFrame) -> Result<(), SendRefused> {
        let State::Open(session) = &self.state else { return Err(SendRefused::NoSession) };
        let bus = usize::from(frame.bus);
        let wanted = self.wanted.get(bus).filter(|_| bus < session.buses()).ok_or(SendRefused::Bus)?;
        if !frame.is_well_formed() || frame.kind == crate::FrameKind::Error {
            return Err(SendRefused::Malformed);
        }
        if wanted.listen_only {
            return Err(SendRefused::ListenOnly);
        }
        let frame = CanFrame { at_micros: 0, ..frame };
        self.unsent.push_back(frame).map_err(|_| SendRefused::Full)
    }

    /// Whether [`Host::send`] has room.
    pub fn can_send(&self) -> bool {
        matches!(self.state, State::Open(_)) && !self.unsent.is_full()
    }

    /// Whether an adapter is there.
    pub const fn in_session(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The largest error of a frame's time now, in microseconds; `None` while
    /// it is the time of coming in.
    pub fn clock_bound_micros(&self, now_micros: u64) -> Option<u64> {
        self.clock.bound_micros(now_micros)
    }

    /// What was counted so far.
    pub const fn counters(&self) -> HostCounters {
        self.counters
    }

    fn due(&mut self, now_micros: u64) -> Option<Message> {
        let State::Open(session) = &mut self.state else { return None };
        if let Some(heartbeat) = session.heartbeat(now_micros) {
            return Some(Message::Heartbeat(heartbeat));
        }
        if let Some(bus) = session.next_mode() {
            let listen_only = self.wanted.get(usize::from(bus)).is_none_or(|it| it.listen_only);
            return Some(Message::BusMode(BusMode { bus, listen_only }));
        }
        if let Some(bus) = session.next_filters() {
            let filters = self.wanted.get(usize::from(bus)).map(|it| it.filters.clone());
            return Some(Message::FilterSet(FilterSet { bus, filters: filters.unwrap_or_default() }));
        }
        if let Some(request) = session.clock_request(now_micros, self.clock.samples()) {
            return Some(Message::ClockRequest(request));
        }
        if let Some(frames) = session.credit_due(self.config.window_frames, self.held) {
            session.grant(frames);
            return Some(Message::Credit(Credit { frames }));
        }
        self.unsent.pop_front().map(Message::CanFrame)
    }

    fn take(&mut self, message: Message, now_micros: u64) -> Option<HostEvent> {
        match (message, &mut self.state) {
            (Message::Versions(told), State::Seeking { versions, .. }) => *versions = Some(told),
            (Message::HelloAck(ack), State::Seeking { session, versions, .. }) if ack.session == *session => {
                let adapter = *versions;
                return Some(self.begin(ack, adapter, now_micros));
            }
            (Message::CanFrame(frame), State::Open(_)) => return self.frame(frame, now_micros),
            (Message::Heartbeat(heartbeat), State::Open(session)) => {
                self.counters.dropped_by_adapter += session.heard(heartbeat, now_micros);
            }
            (Message::ClockReply(reply), State::Open(session)) => {
                let heeded = session.asked(&reply) && self.clock.reply(&reply, now_micros);
                session.open_credit_if(heeded);
            }
            (Message::Report(report), State::Open(session)) => match session.report(&report, now_micros) {
                Some(found) => {
                    self.counters.lost_on_line += u64::from(found.lost);
                    self.counters.refused_by_adapter += u64::from(found.refused);
                }
                None => return Some(self.end(SessionEnd::Repair, now_micros)),
            },
            // Of an earlier session, or said by hosts only.
            _ => {}
        }
        None
    }

    fn frame(&mut self, mut frame: CanFrame, now_micros: u64) -> Option<HostEvent> {
        let State::Open(session) = &mut self.state else { return None };
        if !session.spend() {
            self.counters.beyond_credit += 1;
            return None;
        }
        let wanted = self.wanted.get(usize::from(frame.bus));
        let asked_for = wanted.is_some_and(|bus| match frame.kind {
            crate::FrameKind::Error => !bus.filters.is_empty(),
            _ => bus.filters.iter().any(|filter| filter.passes(frame.id)),
        });
        if usize::from(frame.bus) >= session.buses() || !asked_for {
            self.counters.unwanted += 1;
            return None;
        }
        frame.at_micros = self.clock.to_host(frame.at_micros, now_micros);
        self.held = self.held.saturating_add(1);
        self.counters.frames += 1;
        Some(HostEvent::Frame(frame))
    }

    fn begin(&mut self, ack: HelloAck, adapter: Option<Versions>, now_micros: u64) -> HostEvent {
        let host = self.config.versions;
        if ack.version == 0 || !(host.lowest..=host.highest).contains(&ack.version) {
            if let State::Seeking { hello_micros, .. } = &mut self.state {
                *hello_micros = now_micros.saturating_add(NO_VERSION_MICROS);
            }
            return HostEvent::NoVersion(NoVersion { host, adapter });
        }
        self.clock.begin(now_micros);
        self.state = State::Open(Session::new(ack.buses, now_micros));
        self.counters.sessions += 1;
        HostEvent::Began(SessionInfo {
            version: ack.version,
            buses: ack.buses,
            queue_frames: ack.queue_frames,
            firmware: ack.firmware,
        })
    }

    fn end(&mut self, end: SessionEnd, now_micros: u64) -> HostEvent {
        self.counters.repairs += u64::from(end == SessionEnd::Repair);
        self.seek(now_micros);
        HostEvent::Ended(end)
    }

    fn seek(&mut self, now_micros: u64) {
        self.drop_unsent();
        self.state = State::Seeking { session: 0, hello_micros: now_micros, versions: None };
    }

    fn drop_unsent(&mut self) {
        self.counters.unsent += u64::try_from(self.unsent.len()).unwrap_or(u64::MAX);
        self.unsent.clear();
    }
}
