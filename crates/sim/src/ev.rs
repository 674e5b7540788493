//! The simulated electric car: a drive unit and a battery unit that speak
//! OBD-II and UDS with 29 bits (ISO 15765-4), long answers in CAN FD to who
//! asks so. It has no fuel and no engine hours, and says nothing unasked.

use crate::{
    drive::Drive,
    dtc::Dtc,
    fault::{Conduct, Fault},
    obd::{Knowledge, Obd},
    uds::{Item, Uds},
    unit::{Answering, Plan, Unit},
    vehicle::{NEVER, Vehicle},
};
use vernport_types::{BootMicros, CanFrame, CanId, Vin};

/// What the electric car is like when it starts.
#[derive(Clone)]
pub struct EvConfig {
    /// Its identification number.
    pub vin: Vin,
    /// Total distance, in metres.
    pub odometer_m: u64,
    /// Speed from start to end, in km/h; the odometer advances with it.
    pub speed_km_per_h: u8,
    /// Charge of the traction battery, in percent; does not fall.
    pub charge_percent: u8,
    /// The low-voltage battery, in millivolts.
    pub battery_mv: u16,
    /// Trouble codes of the drive unit.
    pub codes: Vec<Dtc>,
    /// In which frames it answers.
    pub answering: Answering,
}

const FUNCTIONAL: Option<CanId> = Some(CanId::Extended(0x18DB_33F1));
const DRIVE_OBD: Obd =
    Obd { pids: &[0x01, 0x0D, 0x42, 0x5B, 0xA6], information: &[0x02, 0x04], most_pids: 6 };
const BATTERY_OBD: Obd = Obd { pids: &[0x5B, 0xA6], information: &[], most_pids: 6 };
/// VIN (ISO 14229-1, annex C), PIDs (SAE J1979-2), and the manufacturer's odometer.
const DRIVE_ITEMS: [(u16, Item); 5] = [
    (0xF190, Item::Vin),
    (0xF40D, Item::Pid(0x0D)),
    (0xF45B, Item::Pid(0x5B)),
    (0xF4A6, Item::Pid(0xA6)),
    (0xDD01, Item::OdometerKm),
];
const BATTERY_ITEMS: [(u16, Item); 3] =
    [(0x0101, Item::Cells), (0xF45B, Item::Pid(0x5B)), (0xDD01, Item::OdometerKm)];
const BATTERY: usize = 1;

/// The addresses of the units are this simulation's own.
const PLANS: [Plan; 2] = [
    Plan {
        functional: FUNCTIONAL,
        physical: CanId::Extended(0x18DA_10F1),
        answers: CanId::Extended(0x18DA_F110),
        extension: None,
        answering: Answering::AsAsked,
        obd: Some(DRIVE_OBD),
        uds: Some(Uds { items: &DRIVE_ITEMS, obd: DRIVE_OBD }),
    },
    Plan {
        functional: None,
        physical: CanId::Extended(0x18DA_40F1),
        answers: CanId::Extended(0x18DA_F140),
        extension: None,
        answering: Answering::AsAsked,
        obd: None,
        uds: Some(Uds { items: &BATTERY_ITEMS, obd: BATTERY_OBD }),
    },
];

/// An electric car on a bus.
pub struct Ev {
    config: EvConfig,
    drive: Drive,
    units: [Unit; 2],
}

impl Ev {
    /// Switches it on.
    pub fn new(config: EvConfig, faults: &[Fault], now: BootMicros) -> Self {
        let conduct = Conduct::of(faults);
        let answering = config.answering;
        Self {
            units: PLANS.map(|plan| Unit::new(Plan { answering, ..plan }, &conduct)),
            drive: Drive::new(config.vin, config.odometer_m, config.speed_km_per_h, conduct, now),
            config,
        }
    }

    /// Units with what each knows.
    fn units(&mut self, now: BootMicros) -> impl Iterator<Item = (&mut Unit, Knowledge<'_>)> {
        let (config, drive) = (&self.config, &self.drive);
        self.units.iter_mut().enumerate().map(move |(unit, asked)| {
            let known = Knowledge {
                vin: drive.vin(now),
                odometer_m: if unit == BATTERY { drive.instrument_m(now) } else { drive.said_m(now) },
                speed_km_per_h: drive.speed_km_per_h(now),
                fuel_percent: 0,
                charge_percent: config.charge_percent,
                module_mv: drive.battery_mv(config.battery_mv, now),
                since_clear_km: 0,
                codes: if unit == BATTERY { &[] } else { &config.codes },
            };
            (asked, known)
        })
    }
}

impl Vehicle for Ev {
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        self.units(now).filter_map(|(unit, known)| unit.on_frame(frame, now, &known)).collect()
    }

    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        self.units(now).filter_map(|(unit, known)| unit.on_tick(now, &known)).collect()
    }

    fn next_due(&self) -> BootMicros {
        self.units.iter().map(Unit::next_due).fold(NEVER, BootMicros::min)
    }

    fn odometer_m(&self, now: BootMicros) -> u64 {
        self.drive.odometer_m(now)
    }
}
