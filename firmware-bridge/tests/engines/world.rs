//! A host, an adapter and the line between them, step by step.

use heapless::Vec as Fixed;
use std::collections::VecDeque;
use vernport_wire::{
    Adapter, CanFrame, CanId, Decoder, Filter, FrameKind, Heard, Host, HostConfig, HostEvent, LINE_BYTES,
    Message, SessionEnd, Versions,
};

pub(crate) const MILLISECOND: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;
/// The host's clock when a world begins.
pub(crate) const START: u64 = 100 * SECOND;
pub(crate) const WINDOW: u32 = 16;
pub(crate) const QUEUE: usize = 32;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToAdapter,
    ToHost,
}

/// What a line does to the bytes of one packet.
pub(crate) type Noise = Box<dyn FnMut(Way, &mut Vec<u8>)>;

pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) adapter: Adapter<2, QUEUE>,
    pub(crate) now: u64,
    /// The adapter's clock as a function of the host's.
    pub(crate) adapter_clock: fn(u64) -> u64,
    pub(crate) latency: u64,
    pub(crate) noise: Noise,
    /// The consumer takes frames as they come.
    pub(crate) takes: bool,
    pub(crate) frames: Vec<CanFrame>,
    pub(crate) events: Vec<HostEvent>,
    pub(crate) on_bus: Vec<CanFrame>,
    /// What each end wrote, before noise.
    pub(crate) said: Vec<(Way, Message)>,
    line: VecDeque<(u64, Way, Vec<u8>)>,
    decoders: [Decoder; 2],
}

impl World {
    pub(crate) fn new() -> Self {
        let config = HostConfig { versions: Versions::OURS, window_frames: WINDOW, session_seed: 7 };
        Self {
            host: Host::new(config),
            adapter: Adapter::new("test 1.0"),
            now: START,
            adapter_clock: |now| now - 90 * SECOND,
            latency: 200,
            noise: Box::new(|_, _| {}),
            takes: true,
            frames: Vec::new(),
            events: Vec::new(),
            on_bus: Vec::new(),
            said: Vec::new(),
            line: VecDeque::new(),
            decoders: [Decoder::default(), Decoder::default()],
        }
    }

    /// With everything wanted of bus 0 and a session that has settled.
    pub(crate) fn open() -> Self {
        let mut world = Self::new();
        world.want_all(0);
        world.host.line_up(world.now);
        world.run(SECOND);
        assert!(world.host.in_session());
        world
    }

    pub(crate) fn want_all(&mut self, bus: u8) {
        let all = [CanId::Standard(0), CanId::Extended(0)].map(|id| Filter { id, mask: 0 });
        self.host.set_filters(bus, &all).expect("taken");
    }

    pub(crate) fn adapter_now(&self) -> u64 {
        (self.adapter_clock)(self.now)
    }

    /// A frame on a bus of the adapter; its number is its data.
    pub(crate) fn hear(&mut self, bus: u8, id: u16, number: u32) -> Heard {
        let at = self.adapter_now();
        let heard = self.adapter.heard(at, frame(bus, at, id, &number.to_be_bytes()));
        self.settle();
        heard
    }

    /// Lets time pass, a millisecond at a time.
    pub(crate) fn run(&mut self, micros: u64) {
        let end = self.now + micros;
        while self.now < end {
            self.settle();
            self.now += MILLISECOND.min(end - self.now);
        }
        self.settle();
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.frames.iter().map(number).collect()
    }

    pub(crate) fn ends(&self) -> Vec<SessionEnd> {
        let end = |event: &HostEvent| match event {
            HostEvent::Ended(end) => Some(*end),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// Puts bytes of nobody on the line.
    pub(crate) fn inject(&mut self, way: Way, bytes: Vec<u8>) {
        self.line.push_back((self.now, way, bytes));
    }

    /// Does all that is due now.
    fn settle(&mut self) {
        loop {
            let due = self.line.iter().position(|(at, _, _)| *at <= self.now);
            if let Some((_, way, bytes)) = due.and_then(|at| self.line.remove(at)) {
                self.deliver(way, &bytes);
            } else if !self.write() {
                return;
            }
        }
    }

    fn deliver(&mut self, way: Way, mut bytes: &[u8]) {
        let adapter_now = self.adapter_now();
        match way {
            Way::ToAdapter => {
                while let Some(frame) = self.adapter.receive(adapter_now, &mut bytes) {
                    self.on_bus.push(frame);
                }
            }
            Way::ToHost => {
                while let Some(event) = self.host.receive(self.now, &mut bytes) {
                    match event {
                        HostEvent::Frame(frame) => {
                            self.frames.push(frame);
                            self.host.taken(u32::from(self.takes));
                        }
                        other => self.events.push(other),
                    }
                }
            }
        }
        assert!(bytes.is_empty(), "an engine takes all bytes");
    }

    /// Writes what is due; whether anything was.
    fn write(&mut self) -> bool {
        let adapter_now = self.adapter_now();
        self.events.extend(self.host.tick(self.now));
        let mut out = [0; LINE_BYTES];
        let mut wrote = false;
        while let Some(packet) = self.host.poll(self.now, &mut out) {
            let packet = packet.to_vec();
            self.send(Way::ToAdapter, packet);
            wrote = true;
        }
        while let Some(packet) = self.adapter.poll(adapter_now, &mut out) {
            let packet = packet.to_vec();
            self.send(Way::ToHost, packet);
            wrote = true;
        }
        assert!(self.host.wake_micros().is_none_or(|at| at > self.now), "nothing is left undone");
        assert!(self.adapter.wake_micros().is_none_or(|at| at > adapter_now), "nothing is left undone");
        wrote
    }

    fn send(&mut self, way: Way, mut packet: Vec<u8>) {
        for byte in &packet {
            if let Some(message) = self.decoders[way as usize].push(*byte) {
                self.said.push((way, message.expect("an engine writes what can be read")));
            }
        }
        (self.noise)(way, &mut packet);
        self.line.push_back((self.now + self.latency, way, packet));
    }
}

pub(crate) fn frame(bus: u8, at_micros: u64, id: u16, data: &[u8]) -> CanFrame {
    let data = Fixed::from_slice(data).expect("short");
    CanFrame { bus, at_micros, id: CanId::Standard(id), kind: FrameKind::Data, data }
}

pub(crate) fn number(frame: &CanFrame) -> u32 {
    u32::from_be_bytes(frame.data.as_slice().try_into().expect("a frame of this world has four bytes"))
}

/// Loses each packet of this way that `lose` picks.
pub(crate) fn losing(way: Way, mut lose: impl FnMut(&Message) -> bool + 'static) -> Noise {
    Box::new(move |on, packet| {
        let mut decoder = Decoder::default();
        let message = packet.iter().find_map(|byte| decoder.push(*byte));
        if on == way && message.is_some_and(|message| message.is_ok_and(|message| lose(&message))) {
            packet.clear();
        }
    })
}
