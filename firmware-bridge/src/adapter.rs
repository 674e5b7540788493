//! What firmware runs: the adapter's end of a session, without its UART,
//! controllers and clock.
//!
//! Bytes of the line and frames of the buses go in; packets and the host's
//! frames come out. Times are the adapter's own clock in microseconds, which
//! should not go back.
//!
//! Promises:
//! - No frame goes out without a session, credit, and a filter that asks for it.
//! - No frame of the host gets to a bus that the host has not opened in this session.
//! - At most `QUEUE` frames wait; what finds no room is counted. Frames go out in
//!   the order in which they came in.

use crate::{
    message::{
        BusMode, CanFrame, ClockReply, Filter, FilterSet, FrameKind, Heartbeat, Hello, HelloAck, MAX_FILTERS,
        MAX_FIRMWARE_BYTES, Message, Report, Versions,
    },
    packet::Decoder,
    session::{BadPackets, HEARTBEAT_MICROS, LINE_BYTES, SILENCE_MICROS, next, written},
};
use heapless::{Deque, String, Vec};

/// What became of a frame that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It waits to be sent.
    Queued,
    /// Nobody asked for it.
    Unwanted,
    /// It was wanted, but the queue is full.
    Dropped,
}

/// What an adapter has counted since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdapterCounters {
    /// Sessions that began.
    pub sessions: u64,
    /// Filters and modes that were taken.
    pub settings: u64,
    /// Frames sent to the host.
    pub sent: u64,
    /// Frames that nobody asked for.
    pub unwanted: u64,
    /// Wanted frames for which the queue had no room, or which waited when their session ended.
    pub dropped: u64,
    /// The host's frames that did not get onto their bus.
    pub refused: u64,
    /// Packets passed over.
    pub bad: BadPackets,
}

/// An adapter with `BUSES` buses (at most 255) that holds back up to `QUEUE`
/// frames, a hundred bytes each.
#[derive(Debug)]
pub struct Adapter<const BUSES: usize, const QUEUE: usize> {
    firmware: String<MAX_FIRMWARE_BYTES>,
    versions: Versions,
    decoder: Decoder,
    answer: Option<Answer>,
    session: Option<Session<BUSES>>,
    queue: Deque<CanFrame, QUEUE>,
    counters: AdapterCounters,
}

/// What is still to be said to a [`Hello`].
#[derive(Debug)]
struct Answer {
    session: u32,
    version: Option<u8>,
    versions_told: bool,
}

#[derive(Debug)]
struct Session<const BUSES: usize> {
    buses: [Bus; BUSES],
    credit: u32,
    host_heard_micros: u64,
    heartbeat_micros: u64,
    sequence: u32,
    dropped: u32,
    report: Report,
    report_due: bool,
    /// The host's time and ours when its request came in.
    clock_request: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Bus {
    filters: Vec<Filter, MAX_FILTERS>,
    listen_only: bool,
}

impl Bus {
    /// Error frames are the controller's word and pass any filter.
    fn wants(&self, frame: &CanFrame) -> bool {
        match frame.kind {
            FrameKind::Error => !self.filters.is_empty(),
            _ => self.filters.iter().any(|filter| filter.passes(frame.id)),
        }
    }
}

impl<const BUSES: usize> Session<BUSES> {
    fn new(now_micros: u64) -> Self {
        Self {
            buses: core::array::from_fn(|_| Bus { filters: Vec::new(), listen_only: true }),
            credit: 0,
            host_heard_micros: now_micros,
            heartbeat_micros: now_micros,
            sequence: 0,
            dropped: 0,
            report: Report { sent_frames: 0, credit_frames: 0, settings: 0, refused_frames: 0 },
            report_due: false,
            clock_request: None,
        }
    }

    fn wants(&self, frame: &CanFrame) -> bool {
        self.buses.get(usize::from(frame.bus)).is_some_and(|bus| bus.wants(frame))
    }

    /// Whether there is such a bus.
    fn filter(&mut self, set: FilterSet) -> bool {
        let bus = self.buses.get_mut(usize::from(set.bus));
        bus.map(|bus| bus.filters = set.filters).is_some()
    }

    /// Whether there is such a bus.
    fn mode(&mut self, mode: BusMode) -> bool {
        let bus = self.buses.get_mut(usize::from(mode.bus));
        bus.map(|bus| bus.listen_only = mode.listen_only).is_some()
    }
}

impl<const BUSES: usize, const QUEUE: usize> Adapter<BUSES, QUEUE> {
    /// An adapter that speaks the versions of this crate and tells this name
    /// and version of its firmware, cut after 32 bytes.
    pub fn new(firmware: &str) -> Self {
        Self::speaking(Versions::OURS, firmware)
    }

    /// An adapter that says it speaks other versions: for firmware that holds
    /// back a version, and for tests.
    pub fn speaking(versions: Versions, firmware: &str) -> Self {
        let mut name = String::new();
        // The first character without room ends the name.
        let _ = firmware.chars().try_for_each(|character| name.push(character));
        Self {
            firmware: name,
            versions,
            decoder: Decoder::default(),
            answer: None,
            session: None,
            queue: Deque::new(),
            counters: AdapterCounters::default(),
        }
    }

    /// Takes bytes of the line up to a frame that the host wants on a bus, and
    /// gives it; call it again until nothing comes. A frame that the controller
    /// does not take is to be told by [`Adapter::refuse`].
    pub fn receive(&mut self, now_micros: u64, bytes: &mut &[u8]) -> Option<CanFrame> {
        self.give_up(now_micros);
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            match self.decoder.push(*byte) {
                None => {}
                Some(Err(error)) => self.counters.bad.count(error),
                Some(Ok(message)) => {
                    if let Some(frame) = self.take(message, now_micros) {
                        return Some(frame);
                    }
                }
            }
        }
        None
    }

    /// Takes a frame that was heard on a bus; its time is the adapter's clock.
    /// One that contradicts itself is unwanted.
    pub fn heard(&mut self, now_micros: u64, frame: CanFrame) -> Heard {
        self.give_up(now_micros);
        let session = self.session.as_mut().filter(|it| frame.is_well_formed() && it.wants(&frame));
        let Some(session) = session else {
            self.counters.unwanted += 1;
            return Heard::Unwanted;
        };
        if self.queue.push_back(frame).is_err() {
            self.counters.dropped += 1;
            next(&mut session.dropped);
            return Heard::Dropped;
        }
        Heard::Queued
    }

    /// The host's frame that [`Adapter::receive`] gave last did not get onto its bus.
    pub fn refuse(&mut self) {
        self.counters.refused += 1;
        if let Some(session) = &mut self.session {
            next(&mut session.report.refused_frames);
        }
    }

    /// The next packet for the line, if one is due. What is given must be
    /// written whole before this is called again.
    pub fn poll<'a>(&mut self, now_micros: u64, out: &'a mut [u8; LINE_BYTES]) -> Option<&'a [u8]> {
        self.give_up(now_micros);
        if let Some(answer) = &mut self.answer {
            if !answer.versions_told {
                answer.versions_told = true;
                return written(&Message::Versions(self.versions), true, out);
            }
            let ack = HelloAck {
                version: answer.version.unwrap_or(0),
                session: answer.session,
                buses: u8::try_from(BUSES).unwrap_or(u8::MAX),
                queue_frames: u16::try_from(QUEUE).unwrap_or(u16::MAX),
                firmware: self.firmware.clone(),
            };
            self.answer = None;
            return written(&Message::HelloAck(ack), false, out);
        }
        let message = self.due(now_micros)?;
        written(&message, false, out)
    }

    /// When [`Adapter::poll`] is to be called at the latest if nothing comes
    /// in: 0 for at once, `None` for never.
    pub fn wake_micros(&self) -> Option<u64> {
        if self.answer.is_some() {
            return Some(0);
        }
        let session = self.session.as_ref()?;
        let at_once = session.report_due
            || session.clock_request.is_some()
            || (session.credit > 0 && !self.queue.is_empty());
        let silent = session.host_heard_micros.saturating_add(SILENCE_MICROS);
        Some(if at_once { 0 } else { session.heartbeat_micros.min(silent) })
    }

    /// Whether a host is there.
    pub const fn in_session(&self) -> bool {
        self.session.is_some()
    }

    /// Whether nothing may be sent on this bus; so it is without a session and
    /// until the host opens the bus.
    pub fn is_listen_only(&self, bus: u8) -> bool {
        let session = self.session.as_ref();
        session.and_then(|it| it.buses.get(usize::from(bus))).is_none_or(|bus| bus.listen_only)
    }

    /// Frames that wait for credit or the line.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What was counted so far.
    pub const fn counters(&self) -> AdapterCounters {
        self.counters
    }

    fn due(&mut self, now_micros: u64) -> Option<Message> {
        let session = self.session.as_mut()?;
        if let Some((host_micros, received_micros)) = session.clock_request.take() {
            let sent_micros = now_micros.max(received_micros);
            return Some(Message::ClockReply(ClockReply { host_micros, received_micros, sent_micros }));
        }
        if now_micros >= session.heartbeat_micros {
            session.heartbeat_micros = now_micros.saturating_add(HEARTBEAT_MICROS);
            session.report_due = true;
            let sequence = next(&mut session.sequence);
            return Some(Message::Heartbeat(Heartbeat { sequence, dropped_frames: session.dropped }));
        }
        if session.report_due {
            session.report_due = false;
            return Some(Message::Report(session.report));
        }
        while session.credit > 0 {
            let frame = self.queue.pop_front()?;
            // The filters may be others than when it was heard.
            if !session.wants(&frame) {
                self.counters.unwanted += 1;
                continue;
            }
            session.credit -= 1;
            next(&mut session.report.sent_frames);
            self.counters.sent += 1;
            return Some(Message::CanFrame(frame));
        }
        None
    }

    fn take(&mut self, message: Message, now_micros: u64) -> Option<CanFrame> {
        if let Message::Hello(hello) = message {
            self.begin(&hello, now_micros);
            return None;
        }
        let session = self.session.as_mut()?;
        match message {
            Message::Heartbeat(_) => session.host_heard_micros = now_micros,
            Message::Credit(credit) => {
                session.credit = session.credit.saturating_add(credit.frames);
                session.report.credit_frames = session.report.credit_frames.wrapping_add(credit.frames);
            }
            Message::FilterSet(set) => {
                let taken = session.filter(set);
                self.set(taken);
            }
            Message::BusMode(mode) => {
                let taken = session.mode(mode);
                self.set(taken);
            }
            Message::ClockRequest(request) => session.clock_request = Some((request.host_micros, now_micros)),
            Message::CanFrame(frame) => {
                // No node sends an error frame.
                if frame.kind != FrameKind::Error && !self.is_listen_only(frame.bus) {
                    return Some(frame);
                }
                self.refuse();
            }
            // Said by adapters only.
            Message::Hello(_)
            | Message::HelloAck(_)
            | Message::ClockReply(_)
            | Message::Versions(_)
            | Message::Report(_) => {}
        }
        None
    }

    fn set(&mut self, taken: bool) {
        if let Some(session) = self.session.as_mut().filter(|_| taken) {
            next(&mut session.report.settings);
            self.counters.settings += 1;
        }
    }

    fn begin(&mut self, hello: &Hello, now_micros: u64) {
        self.end();
        let version = self.versions.agree(hello);
        self.answer = Some(Answer { session: hello.session, version, versions_told: false });
        if version.is_some() {
            self.session = Some(Session::new(now_micros));
            self.counters.sessions += 1;
        }
    }

    fn give_up(&mut self, now_micros: u64) {
        let silent =
            |session: &Session<BUSES>| now_micros.saturating_sub(session.host_heard_micros) >= SILENCE_MICROS;
        if self.session.as_ref().is_some_and(silent) {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.session.take().is_some() {
            self.counters.dropped += u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        }
        self.queue.clear();
    }
}
