//! The simulated truck: what it is like, when it speaks, what it answers.

use crate::{
    isotp::{Answerer, single_frame_payload},
    j1939::{self, Broadcasts, J1939Fault, now_plus},
    obd,
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind, Position, Vin};

/// What the truck is like when it starts.
#[derive(Clone)]
pub struct TruckConfig {
    /// Its identification number.
    pub vin: Vin,
    /// Total distance, in metres.
    pub odometer_m: u64,
    /// Speed from start to end, in km/h; the odometer advances with it.
    pub speed_km_per_h: u8,
    /// Where it stands; driving, it goes due north.
    pub position: Position,
    /// Fuel level, in percent; does not fall.
    pub fuel_percent: u8,
    /// Battery, in millivolts.
    pub battery_mv: u16,
    /// Total engine running time, in seconds; the engine runs from the start.
    pub engine_s: u64,
    /// Active trouble codes of J1939.
    pub faults: Vec<J1939Fault>,
    /// Confirmed trouble codes of OBD-II, as two bytes each (SAE J2012).
    pub obd_trouble_codes: Vec<[u8; 2]>,
    /// Broadcast the VIN every so many microseconds, unasked; `None`: only on request.
    pub announce_vin_every_micros: Option<u64>,
}

/// What the truck says by itself: message, period, and how long after the
/// start first, so that not everything comes at once.
const SCHEDULE: [(Message, u64, u64); 8] = [
    (Message::Ccvs1, 100_000, 0),
    (Message::Vd, 100_000, 10_000),
    (Message::Vdhr, 1_000_000, 20_000),
    (Message::Dm1, 1_000_000, 30_000),
    (Message::Dd, 1_000_000, 40_000),
    (Message::Vep1, 1_000_000, 50_000),
    (Message::Hours, 1_000_000, 60_000),
    (Message::Vp, 5_000_000, 70_000),
];
/// How long after the start a VIN is announced first.
const FIRST_VIN_MICROS: u64 = 80_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Ccvs1,
    Vd,
    Vdhr,
    Dm1,
    Dd,
    Vep1,
    Hours,
    Vp,
    Vi,
}

struct Job {
    message: Message,
    period_micros: u64,
    due: BootMicros,
}

/// Answers of OBD-II in 11-bit form come from here (ISO 15765-4).
const ANSWER_11: CanId = CanId::Standard(0x7E8);
/// And in 29-bit form, to the tester F1.
const ANSWER_29: CanId = CanId::Extended(0x18DA_F100);

/// A truck on a bus. Give it each frame of the others by [`Truck::on_frame`]
/// and the time by [`Truck::on_tick`], and send what it returns, in order.
pub struct Truck {
    config: TruckConfig,
    started: BootMicros,
    jobs: Vec<Job>,
    engine: Broadcasts,
    answerers: [Answerer; 2],
}

impl Truck {
    /// Switches the ignition on.
    pub fn new(config: TruckConfig, now: BootMicros) -> Self {
        let job = |message, period_micros, delay| Job { message, period_micros, due: now_plus(now, delay) };
        let mut jobs: Vec<Job> =
            SCHEDULE.iter().map(|(message, period, delay)| job(*message, *period, *delay)).collect();
        if let Some(period) = config.announce_vin_every_micros {
            jobs.push(job(Message::Vi, period.max(1), FIRST_VIN_MICROS));
        }
        let answerers = [Answerer::new(ANSWER_11), Answerer::new(ANSWER_29)];
        Self { config, started: now, jobs, engine: Broadcasts::default(), answerers }
    }

    /// A frame of another node: answers requests for a PGN and OBD-II.
    pub fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        if frame.kind() != FrameKind::Data {
            return Vec::new();
        }
        match frame.id() {
            CanId::Standard(0x7DF) => self.on_obd(0, true, frame, now),
            CanId::Standard(0x7E0) => self.on_obd(0, false, frame, now),
            CanId::Extended(0x18DB_33F1) => self.on_obd(1, true, frame, now),
            CanId::Extended(0x18DA_00F1) => self.on_obd(1, false, frame, now),
            CanId::Extended(id) if id >> 16 & 0x3FF == j1939::REQUEST >> 8 => self.on_request(id, frame, now),
            _ => Vec::new(),
        }
    }

    /// What is due by now. A message that was due several times is sent once.
    pub fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let mut out = Vec::new();
        for index in 0..self.jobs.len() {
            let job = &mut self.jobs[index];
            if job.due <= now {
                let missed = (now.0 - job.due.0) / job.period_micros;
                job.due = now_plus(job.due, job.period_micros.saturating_mul(missed + 1));
                let message = job.message;
                out.extend(self.say(message, now));
            }
        }
        out.extend(self.engine.on_tick(j1939::ENGINE, now));
        for answerer in &mut self.answerers {
            out.extend(answerer.on_tick(now));
        }
        out
    }

    /// When [`Truck::on_tick`] has something to do next.
    pub fn next_due(&self) -> BootMicros {
        let jobs = self.jobs.iter().map(|job| job.due);
        let answers = self.answerers.iter().filter_map(Answerer::next_due);
        jobs.chain(answers).chain(self.engine.next_due()).min().unwrap_or(BootMicros(u64::MAX))
    }

    /// Total distance now, in metres.
    pub fn odometer_m(&self, now: BootMicros) -> u64 {
        self.config.odometer_m.saturating_add(self.driven_m(now))
    }

    fn driven_m(&self, now: BootMicros) -> u64 {
        let micros = now.0.saturating_sub(self.started.0);
        // km/h × µs = 1 m / 3 600 000
        u64::from(self.config.speed_km_per_h).saturating_mul(micros) / 3_600_000
    }

    /// One degree of latitude is 111 320 m; the pole is the end of the road.
    fn position(&self, now: BootMicros) -> Position {
        let start = self.config.position;
        let north_e7 = self.driven_m(now).saturating_mul(10_000_000) / 111_320;
        let latitude_e7 = i64::from(start.latitude_e7()).saturating_add_unsigned(north_e7).min(900_000_000);
        i32::try_from(latitude_e7)
            .ok()
            .and_then(|latitude_e7| Position::from_e7(latitude_e7, start.longitude_e7()).ok())
            .unwrap_or(start)
    }

    fn say(&mut self, message: Message, now: BootMicros) -> Vec<CanFrame> {
        let config = &self.config;
        let engine_s = config.engine_s + (now.0.saturating_sub(self.started.0)) / 1_000_000;
        let (pgn, source, data) = match message {
            Message::Ccvs1 => (j1939::CCVS1, j1939::ENGINE, j1939::ccvs1(config.speed_km_per_h)),
            Message::Vd => (j1939::VD, j1939::ENGINE, j1939::vd(self.odometer_m(now))),
            Message::Vdhr => (j1939::VDHR, j1939::CLUSTER, j1939::vdhr(self.odometer_m(now))),
            Message::Dd => (j1939::DD, j1939::CLUSTER, j1939::dd(config.fuel_percent)),
            Message::Vep1 => (j1939::VEP1, j1939::ENGINE, j1939::vep1(config.battery_mv)),
            Message::Hours => (j1939::HOURS, j1939::ENGINE, j1939::hours(engine_s)),
            Message::Vp => (j1939::VP, j1939::TELEMATICS, j1939::vp(self.position(now))),
            Message::Dm1 => {
                let bytes = j1939::dm1(&config.faults);
                return self.engine.send(j1939::DM1, j1939::ENGINE, bytes, now);
            }
            Message::Vi => {
                let bytes = format!("{}*", config.vin.expose()).into_bytes();
                return self.engine.send(j1939::VI, j1939::ENGINE, bytes, now);
            }
        };
        vec![j1939::message(pgn, source, data)]
    }

    /// Request PGN (SAE J1939-21): answered by broadcast, or refused when
    /// asked of the engine alone.
    fn on_request(&mut self, id: u32, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        let [_, _, destination, asked_by] = id.to_be_bytes();
        let [low, middle, high, ..] = *frame.data() else { return Vec::new() };
        let asked = u32::from_le_bytes([low, middle, high, 0]);
        let message = match asked {
            j1939::VI => Some(Message::Vi),
            j1939::HOURS => Some(Message::Hours),
            j1939::VD => Some(Message::Vd),
            j1939::DM1 => Some(Message::Dm1),
            _ => None,
        };
        match (destination, message) {
            (j1939::ENGINE | j1939::GLOBAL, Some(message)) => self.say(message, now),
            (j1939::ENGINE, None) => vec![j1939::refusal(j1939::ENGINE, asked_by, asked)],
            _ => Vec::new(),
        }
    }

    fn on_obd(
        &mut self,
        form: usize,
        asked_of_all: bool,
        frame: &CanFrame,
        now: BootMicros,
    ) -> Vec<CanFrame> {
        let Some(request) = single_frame_payload(frame) else {
            return if asked_of_all { Vec::new() } else { self.answerers[form].on_frame(frame, now) };
        };
        let readings = obd::Readings {
            vin: self.config.vin.expose(),
            odometer_m: self.odometer_m(now),
            speed_km_per_h: self.config.speed_km_per_h,
            fuel_percent: self.config.fuel_percent,
            battery_mv: self.config.battery_mv,
            trouble_codes: &self.config.obd_trouble_codes,
        };
        let answer = obd::answer(request, asked_of_all, &readings);
        answer.and_then(|bytes| self.answerers[form].answer(&bytes, now)).into_iter().collect()
    }
}
