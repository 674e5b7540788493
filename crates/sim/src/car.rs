//! The simulated passenger car: an engine and a transmission that speak OBD-II
//! and UDS with 11 bits, an old body unit, instruments with extended
//! addressing, and raw broadcasts as `config/dbc/sim-car.dbc` describes them.

use crate::{
    drive::Drive,
    dtc::Dtc,
    fault::{Conduct, Fault},
    obd::{Knowledge, Obd},
    schedule::{Entry, Schedule},
    uds::{Item, Uds},
    unit::{Answering, Plan, Unit},
    vehicle::Vehicle,
};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind, Vin};

/// What the car is like when it starts.
#[derive(Clone)]
pub struct CarConfig {
    /// Its identification number.
    pub vin: Vin,
    /// Total distance, in metres.
    pub odometer_m: u64,
    /// Speed from start to end, in km/h; the odometer advances with it.
    pub speed_km_per_h: u8,
    /// Fuel level, in percent; does not fall.
    pub fuel_percent: u8,
    /// Battery while the engine runs, in millivolts.
    pub battery_mv: u16,
    /// Distance since trouble codes were cleared, in km: not an odometer.
    pub since_clear_km: u16,
    /// Trouble codes of the engine.
    pub engine_codes: Vec<Dtc>,
    /// Trouble codes of the transmission.
    pub transmission_codes: Vec<Dtc>,
    /// In which frames engine and transmission answer.
    pub answering: Answering,
    /// Whether there is a broadcast in CAN FD besides.
    pub fd_broadcast: bool,
}

const FUNCTIONAL: Option<CanId> = Some(CanId::Standard(0x7DF));
/// Where data by identifier is found: VIN (ISO 14229-1, annex C), the
/// manufacturer's odometer, and PIDs (SAE J1979-2).
const ITEMS: [(u16, Item); 4] =
    [(0xF190, Item::Vin), (0xDD01, Item::OdometerKm), (0xF40D, Item::Pid(0x0D)), (0xF4A6, Item::Pid(0xA6))];
const ENGINE_OBD: Obd =
    Obd { pids: &[0x01, 0x0D, 0x2F, 0x31, 0x42, 0xA6], information: &[0x02, 0x04], most_pids: 6 };
const TRANSMISSION_OBD: Obd = Obd { pids: &[0x01, 0x0D], information: &[0x04], most_pids: 6 };
/// It takes one PID a request.
const BODY_OBD: Obd = Obd { pids: &[0x0D, 0x42], information: &[], most_pids: 1 };

const ENGINE: usize = 0;
const TRANSMISSION: usize = 1;
const INSTRUMENTS: usize = 3;

const PLANS: [Plan; 4] = [
    Plan {
        functional: FUNCTIONAL,
        physical: CanId::Standard(0x7E0),
        answers: CanId::Standard(0x7E8),
        extension: None,
        answering: Answering::Classic,
        obd: Some(ENGINE_OBD),
        uds: Some(Uds { items: &ITEMS, obd: ENGINE_OBD }),
    },
    Plan {
        functional: FUNCTIONAL,
        physical: CanId::Standard(0x7E1),
        answers: CanId::Standard(0x7E9),
        extension: None,
        answering: Answering::Classic,
        obd: Some(TRANSMISSION_OBD),
        uds: Some(Uds { items: &[(0xF190, Item::Vin)], obd: TRANSMISSION_OBD }),
    },
    Plan {
        functional: FUNCTIONAL,
        physical: CanId::Standard(0x7E2),
        answers: CanId::Standard(0x7EA),
        extension: None,
        answering: Answering::Classic,
        obd: Some(BODY_OBD),
        uds: None,
    },
    Plan {
        functional: None,
        physical: CanId::Standard(0x6F1),
        answers: CanId::Standard(0x660),
        extension: Some((0x60, 0xF1)),
        answering: Answering::Classic,
        obd: None,
        uds: Some(Uds { items: &[(0xDD01, Item::OdometerKm)], obd: BODY_OBD }),
    },
];

/// What the car says by itself.
const SCHEDULE: [Entry<Message>; 3] = [
    (Message::Motion, 100_000, 0),
    (Message::Odometer, 1_000_000, 10_000),
    (Message::Supply, 1_000_000, 20_000),
];
const FD_ENTRY: Entry<Message> = (Message::Summary, 1_000_000, 30_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Motion,
    Odometer,
    Supply,
    /// In CAN FD.
    Summary,
}

/// A car on a bus.
pub struct Car {
    config: CarConfig,
    drive: Drive,
    schedule: Schedule<Message>,
    /// Counts the motion frames, 4 bits.
    counter: u8,
    units: [Unit; 4],
}

impl Car {
    /// Switches the ignition on.
    pub fn new(config: CarConfig, faults: &[Fault], now: BootMicros) -> Self {
        let conduct = Conduct::of(faults);
        let mut schedule = Schedule::new(&SCHEDULE, now);
        if config.fd_broadcast {
            schedule.add(FD_ENTRY, now);
        }
        let mut plans = PLANS;
        plans[ENGINE].answering = config.answering;
        plans[TRANSMISSION].answering = config.answering;
        Self {
            schedule,
            counter: 0,
            units: plans.map(|plan| Unit::new(plan, &conduct)),
            drive: Drive::new(config.vin, config.odometer_m, config.speed_km_per_h, conduct, now),
            config,
        }
    }

    fn say(&mut self, message: Message, now: BootMicros) -> CanFrame {
        let drive = &self.drive;
        let [speed_low, speed_high] = (u16::from(drive.speed_km_per_h(now)) * 100).to_le_bytes();
        let odometer = u32::try_from(drive.instrument_m(now) / 100).unwrap_or(u32::MAX);
        let fuel = self.config.fuel_percent.min(100) * 2;
        let battery = u8::try_from(drive.battery_mv(self.config.battery_mv, now) / 100).unwrap_or(u8::MAX);
        let (id, kind, bytes) = match message {
            Message::Motion => {
                self.counter = (self.counter + 1) % 16;
                (0x1A0, FrameKind::Data, vec![speed_low, speed_high, 0, 0, 0, 0, 0, self.counter])
            }
            Message::Odometer => (0x430, FrameKind::Data, [odometer.to_be_bytes(), [0; 4]].concat()),
            Message::Supply => {
                (0x4A0, FrameKind::Data, vec![fuel, battery, u8::from(drive.is_on(now)), 0, 0, 0, 0, 0])
            }
            Message::Summary => {
                let [a, b, c, d] = odometer.to_le_bytes();
                let mut bytes = vec![a, b, c, d, speed_low, speed_high, fuel, battery];
                bytes.resize(CanFrame::MAX_BYTES, 0);
                (0x5A0, FrameKind::FdData, bytes)
            }
        };
        CanFrame::new(CanId::Standard(id), kind, &bytes).expect("as long as its kind allows")
    }

    /// Units with what each knows.
    fn units(&mut self, now: BootMicros) -> impl Iterator<Item = (&mut Unit, Knowledge<'_>)> {
        let (config, drive) = (&self.config, &self.drive);
        self.units.iter_mut().enumerate().map(move |(unit, asked)| {
            let known = Knowledge {
                vin: drive.vin(now),
                odometer_m: if unit == INSTRUMENTS { drive.instrument_m(now) } else { drive.said_m(now) },
                speed_km_per_h: drive.speed_km_per_h(now),
                fuel_percent: config.fuel_percent,
                charge_percent: 0,
                module_mv: drive.battery_mv(config.battery_mv, now),
                since_clear_km: config.since_clear_km,
                codes: match unit {
                    ENGINE => &config.engine_codes,
                    TRANSMISSION => &config.transmission_codes,
                    _ => &[],
                },
            };
            (asked, known)
        })
    }
}

impl Vehicle for Car {
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        self.units(now).filter_map(|(unit, known)| unit.on_frame(frame, now, &known)).collect()
    }

    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let mut out = Vec::new();
        for message in self.schedule.due(now) {
            out.push(self.say(message, now));
        }
        out.extend(self.units(now).filter_map(|(unit, known)| unit.on_tick(now, &known)));
        out
    }

    fn next_due(&self) -> BootMicros {
        self.units.iter().map(Unit::next_due).fold(self.schedule.next_due(), BootMicros::min)
    }

    fn odometer_m(&self, now: BootMicros) -> u64 {
        self.drive.odometer_m(now)
    }
}
