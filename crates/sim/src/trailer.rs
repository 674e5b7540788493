//! The simulated trailer: brakes that know the distance and the VIN, and a unit
//! that watches tyres and axles. Both speak SAE J1939 on the trailer's bus.

use crate::{
    drive::Drive,
    fault::{Conduct, Fault},
    j1939::{self, J1939Fault, Node},
    schedule::{Entry, Schedule},
    vehicle::Vehicle,
};
use vernport_types::{BootMicros, CanFrame, FrameKind, Vin};

/// What the trailer is like when it starts.
#[derive(Clone)]
pub struct TrailerConfig {
    /// Its own identification number.
    pub vin: Vin,
    /// Distance of its own axles, in metres.
    pub odometer_m: u64,
    /// Speed from start to end, in km/h; the odometer advances with it.
    pub speed_km_per_h: u8,
    /// Pressure in kPa, axle by axle, left before right.
    pub tyres_kpa: [u16; 6],
    /// Weight on each axle, in kg.
    pub axles_kg: [u16; 3],
    /// Active trouble codes of its brakes.
    pub faults: Vec<J1939Fault>,
    /// Broadcast the VIN every so many microseconds, unasked; `None`: only on request.
    pub announce_vin_every_micros: Option<u64>,
}

const SCHEDULE: [Entry<Message>; 12] = [
    (Message::Vdhr, 1_000_000, 0),
    (Message::Vd, 1_000_000, 20_000),
    (Message::Dm1, 1_000_000, 40_000),
    (Message::Axle(0), 1_000_000, 60_000),
    (Message::Axle(1), 1_000_000, 80_000),
    (Message::Axle(2), 1_000_000, 100_000),
    (Message::Tyre(0), 10_000_000, 120_000),
    (Message::Tyre(1), 10_000_000, 140_000),
    (Message::Tyre(2), 10_000_000, 160_000),
    (Message::Tyre(3), 10_000_000, 180_000),
    (Message::Tyre(4), 10_000_000, 200_000),
    (Message::Tyre(5), 10_000_000, 220_000),
];
const FIRST_VIN_MICROS: u64 = 240_000;
const TYRE_CELSIUS: u8 = 30;
/// The function "brakes, system controller" (SAE J1939, table B11).
const BRAKES_FUNCTION: u8 = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Vdhr,
    Vd,
    Dm1,
    Vi,
    Axle(u8),
    Tyre(u8),
}

/// A trailer on a bus.
pub struct Trailer {
    config: TrailerConfig,
    drive: Drive,
    schedule: Schedule<Message>,
    brakes: Node,
    axles: Node,
}

impl Trailer {
    /// Gives it power.
    pub fn new(config: TrailerConfig, faults: &[Fault], now: BootMicros) -> Self {
        let mut schedule = Schedule::new(&SCHEDULE, now);
        if let Some(period) = config.announce_vin_every_micros {
            schedule.add((Message::Vi, period, FIRST_VIN_MICROS), now);
        }
        let conduct = Conduct::of(faults);
        Self {
            drive: Drive::new(config.vin, config.odometer_m, config.speed_km_per_h, conduct, now),
            schedule,
            brakes: Node::new(j1939::TRAILER_BRAKES),
            axles: Node::new(j1939::TRAILER_AXLES),
            config,
        }
    }

    /// Group and data of a message.
    fn compose(&self, message: Message, now: BootMicros) -> (u32, Vec<u8>) {
        let (config, drive) = (&self.config, &self.drive);
        match message {
            Message::Vdhr => (j1939::VDHR, j1939::vdhr(drive.said_m(now)).to_vec()),
            Message::Vd => (j1939::VD, j1939::vd(drive.instrument_m(now)).to_vec()),
            Message::Dm1 => (j1939::DM1, j1939::trouble_codes(&config.faults)),
            Message::Vi => (j1939::VI, j1939::vi(drive.vin(now))),
            Message::Axle(axle) => {
                let kg = config.axles_kg.get(usize::from(axle)).copied().unwrap_or_default();
                (j1939::VW, j1939::vw(axle, kg).to_vec())
            }
            Message::Tyre(tyre) => {
                let kpa = config.tyres_kpa.get(usize::from(tyre)).copied().unwrap_or_default();
                (j1939::TIRE, j1939::tire(tyre / 2, tyre % 2, kpa, TYRE_CELSIUS).to_vec())
            }
        }
    }

    fn say(&mut self, message: Message, now: BootMicros) -> Option<CanFrame> {
        let (pgn, bytes) = self.compose(message, now);
        let node = match message {
            Message::Vd | Message::Axle(_) | Message::Tyre(_) => &mut self.axles,
            Message::Vdhr | Message::Dm1 | Message::Vi => &mut self.brakes,
        };
        node.say(pgn, bytes, now)
    }

    /// Requests are for the brakes; the other unit knows nothing that it does not say by itself.
    fn on_request(&mut self, request: j1939::Request, now: BootMicros) -> Option<CanFrame> {
        let message = match request.pgn {
            j1939::VI => Message::Vi,
            j1939::VDHR => Message::Vdhr,
            j1939::DM1 => Message::Dm1,
            j1939::ADDRESS_CLAIMED => {
                return Some(j1939::address_claim(j1939::TRAILER_BRAKES, BRAKES_FUNCTION));
            }
            _ if request.of_all => return None,
            pgn => {
                let brakes = j1939::TRAILER_BRAKES;
                return Some(j1939::acknowledgement(j1939::REFUSED, brakes, request.asker, pgn));
            }
        };
        let (_, bytes) = self.compose(message, now);
        self.brakes.answer(request, bytes, now)
    }
}

impl Vehicle for Trailer {
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        if frame.kind() != FrameKind::Data {
            return Vec::new();
        }
        match self.brakes.request(frame) {
            Some(request) => self.on_request(request, now).into_iter().collect(),
            None => self.brakes.on_frame(frame, now).into_iter().collect(),
        }
    }

    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let mut out = Vec::new();
        for message in self.schedule.due(now) {
            out.extend(self.say(message, now));
        }
        out.extend(self.brakes.on_tick(now));
        out.extend(self.axles.on_tick(now));
        out
    }

    fn next_due(&self) -> BootMicros {
        self.schedule.next_due().min(self.brakes.next_due()).min(self.axles.next_due())
    }

    fn odometer_m(&self, now: BootMicros) -> u64 {
        self.drive.odometer_m(now)
    }
}
