//! The simulated truck: what it is like, when it speaks, what it answers.

use crate::{
    drive::Drive,
    dtc::Dtc,
    fault::{Conduct, Fault},
    j1939::{self, J1939Fault, Node},
    obd::{Knowledge, Obd},
    schedule::{Entry, Schedule},
    unit::{Answering, Plan, Unit},
    vehicle::Vehicle,
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

/// What a truck can have besides; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TruckEquipment {
    /// Its units claim their addresses at the start (SAE J1939-81).
    pub claims_addresses: bool,
    /// It says its VIN once at the start, unasked.
    pub vin_at_start: bool,
    /// A power take-off, and whether it is engaged.
    pub pto_engaged: Option<bool>,
    /// Sensors in its six tyres, and their pressure in kPa.
    pub tyres_kpa: Option<u16>,
    /// A sensor on each of its two axles, and the weight in kg.
    pub axles_kg: Option<u16>,
    /// A trouble code that was active before (DM2).
    pub previous_fault: Option<J1939Fault>,
}

impl TruckEquipment {
    /// Everything there is.
    pub const FULL: Self = Self {
        claims_addresses: true,
        vin_at_start: true,
        pto_engaged: Some(false),
        tyres_kpa: Some(850),
        axles_kg: Some(7_200),
        previous_fault: Some(J1939Fault { spn: 111, fmi: 1, occurrences: 2 }),
    };
}

/// What the truck says by itself: message, period, and how long after the
/// start first, so that not everything comes at once.
const SCHEDULE: [Entry<Message>; 8] = [
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
const PTO_MICROS: (u64, u64) = (1_000_000, 85_000);
const AXLE_MICROS: (u64, u64) = (1_000_000, 90_000);
const TYRE_MICROS: (u64, u64) = (10_000_000, 95_000);
/// Tyres by axle and place: two in front, four behind.
const TYRES: [(u8, u8); 6] = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)];
const AXLES: u8 = 2;
const TYRE_CELSIUS: u8 = 35;
/// Nodes and their functions (SAE J1939, table B11): engine, instruments.
const CLAIMS: [(u8, u8); 2] = [(j1939::ENGINE, 0), (j1939::CLUSTER, 19)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Ccvs1,
    Vd,
    Vdhr,
    Dm1,
    Dm2,
    Dd,
    Vep1,
    Hours,
    Vp,
    Vi,
    Pto,
    /// By its place in [`TYRES`].
    Tyre(u8),
    Axle(u8),
}

/// OBD-II of the engine, in both address forms (ISO 15765-4).
const OBD: Obd = Obd { pids: &[0x01, 0x0D, 0x2F, 0x42, 0xA6], information: &[0x02], most_pids: 6 };
const UNITS: [Plan; 2] = [
    unit(CanId::Standard(0x7DF), CanId::Standard(0x7E0), CanId::Standard(0x7E8)),
    unit(CanId::Extended(0x18DB_33F1), CanId::Extended(0x18DA_00F1), CanId::Extended(0x18DA_F100)),
];

const fn unit(functional: CanId, physical: CanId, answers: CanId) -> Plan {
    let functional = Some(functional);
    let answering = Answering::Classic;
    Plan { functional, physical, answers, extension: None, answering, obd: Some(OBD), uds: None }
}

/// A truck on a bus. Give it each frame of the others by [`Truck::on_frame`]
/// and the time by [`Truck::on_tick`], and send what it returns, in order.
pub struct Truck {
    config: TruckConfig,
    equipment: TruckEquipment,
    drive: Drive,
    obd_codes: Vec<Dtc>,
    /// What is sent once, at the first tick.
    claims: Vec<CanFrame>,
    vin_is_due: bool,
    schedule: Schedule<Message>,
    engine: Node,
    units: [Unit; 2],
}

impl Truck {
    /// Switches the ignition on.
    pub fn new(config: TruckConfig, now: BootMicros) -> Self {
        Self::equipped(config, TruckEquipment::default(), &[], now)
    }

    /// Switches the ignition on of a truck with more in it, and with faults.
    pub fn equipped(
        config: TruckConfig,
        equipment: TruckEquipment,
        faults: &[Fault],
        now: BootMicros,
    ) -> Self {
        let conduct = Conduct::of(faults);
        let mut schedule = Schedule::new(&SCHEDULE, now);
        if let Some(period) = config.announce_vin_every_micros {
            schedule.add((Message::Vi, period, FIRST_VIN_MICROS), now);
        }
        if equipment.pto_engaged.is_some() {
            schedule.add((Message::Pto, PTO_MICROS.0, PTO_MICROS.1), now);
        }
        if equipment.axles_kg.is_some() {
            (0..AXLES)
                .for_each(|axle| schedule.add((Message::Axle(axle), AXLE_MICROS.0, AXLE_MICROS.1), now));
        }
        if equipment.tyres_kpa.is_some() {
            (0..6).for_each(|tyre| schedule.add((Message::Tyre(tyre), TYRE_MICROS.0, TYRE_MICROS.1), now));
        }
        let claims = CLAIMS.map(|(address, function)| j1939::address_claim(address, function));
        Self {
            equipment,
            obd_codes: config.obd_trouble_codes.iter().map(|[a, b]| Dtc::confirmed([*a, *b, 0])).collect(),
            claims: if equipment.claims_addresses { claims.to_vec() } else { Vec::new() },
            vin_is_due: equipment.vin_at_start,
            schedule,
            engine: Node::new(j1939::ENGINE),
            units: UNITS.map(|plan| Unit::new(plan, &conduct)),
            drive: Drive::new(config.vin, config.odometer_m, config.speed_km_per_h, conduct, now),
            config,
        }
    }

    /// A frame of another node: answers requests for a PGN and OBD-II.
    pub fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        let known = knowledge(&self.config, &self.drive, &self.obd_codes, now);
        let answer = self.units.iter_mut().find_map(|unit| unit.on_frame(frame, now, &known));
        if answer.is_some() || frame.kind() != FrameKind::Data {
            return answer.into_iter().collect();
        }
        match self.engine.request(frame) {
            Some(request) => self.on_request(request, now).into_iter().collect(),
            None => self.engine.on_frame(frame, now).into_iter().collect(),
        }
    }

    /// What is due by now. A message that was due several times is sent once.
    pub fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        let mut out = std::mem::take(&mut self.claims);
        if std::mem::take(&mut self.vin_is_due) {
            out.extend(self.say(Message::Vi, now));
        }
        for message in self.schedule.due(now) {
            out.extend(self.say(message, now));
        }
        out.extend(self.engine.on_tick(now));
        let known = knowledge(&self.config, &self.drive, &self.obd_codes, now);
        out.extend(self.units.iter_mut().filter_map(|unit| unit.on_tick(now, &known)));
        out
    }

    /// When [`Truck::on_tick`] has something to do next.
    pub fn next_due(&self) -> BootMicros {
        let units = self.units.iter().map(Unit::next_due);
        let start = if self.claims.is_empty() && !self.vin_is_due { None } else { Some(self.drive.after(0)) };
        let others = [self.schedule.next_due(), self.engine.next_due()];
        units.chain(start).chain(others).min().unwrap_or(crate::NEVER)
    }

    /// Total distance now, in metres.
    pub fn odometer_m(&self, now: BootMicros) -> u64 {
        self.drive.odometer_m(now)
    }

    /// One degree of latitude is 111 320 m; the pole is the end of the road.
    fn position(&self, now: BootMicros) -> Position {
        let start = self.config.position;
        let north_e7 = self.drive.driven_m(now).saturating_mul(10_000_000) / 111_320;
        let latitude_e7 = i64::from(start.latitude_e7()).saturating_add_unsigned(north_e7).min(900_000_000);
        i32::try_from(latitude_e7)
            .ok()
            .and_then(|latitude_e7| Position::from_e7(latitude_e7, start.longitude_e7()).ok())
            .unwrap_or(start)
    }

    fn say(&mut self, message: Message, now: BootMicros) -> Option<CanFrame> {
        let (pgn, source, bytes) = self.compose(message, now);
        if source == j1939::ENGINE {
            return self.engine.say(pgn, bytes, now);
        }
        // Only the engine's messages can be longer than a frame.
        Some(j1939::message(pgn, source, bytes.try_into().ok()?))
    }

    /// Group, source address and data of a message.
    fn compose(&self, message: Message, now: BootMicros) -> (u32, u8, Vec<u8>) {
        let (config, drive) = (&self.config, &self.drive);
        let speed = drive.speed_km_per_h(now);
        let engine_s = config.engine_s.saturating_add(drive.running_micros(now) / 1_000_000);
        let previous: Vec<J1939Fault> = self.equipment.previous_fault.into_iter().collect();
        let (pgn, source, data) = match message {
            Message::Ccvs1 => (j1939::CCVS1, j1939::ENGINE, j1939::ccvs1(speed)),
            Message::Vd => (j1939::VD, j1939::ENGINE, j1939::vd(drive.said_m(now))),
            Message::Vdhr => (j1939::VDHR, j1939::CLUSTER, j1939::vdhr(drive.instrument_m(now))),
            Message::Dd => (j1939::DD, j1939::CLUSTER, j1939::dd(config.fuel_percent)),
            Message::Vep1 => {
                (j1939::VEP1, j1939::ENGINE, j1939::vep1(drive.battery_mv(config.battery_mv, now)))
            }
            Message::Hours => (j1939::HOURS, j1939::ENGINE, j1939::hours(engine_s)),
            Message::Vp => (j1939::VP, j1939::TELEMATICS, j1939::vp(self.position(now))),
            Message::Pto => {
                (j1939::PTODE, j1939::ENGINE, j1939::ptode(self.equipment.pto_engaged == Some(true)))
            }
            Message::Tyre(tyre) => {
                let (axle, place) = TYRES.get(usize::from(tyre)).copied().unwrap_or_default();
                let kpa = self.equipment.tyres_kpa.unwrap_or_default();
                (j1939::TIRE, j1939::CLUSTER, j1939::tire(axle, place, kpa, TYRE_CELSIUS))
            }
            Message::Axle(axle) => {
                (j1939::VW, j1939::CLUSTER, j1939::vw(axle, self.equipment.axles_kg.unwrap_or_default()))
            }
            Message::Dm1 => return (j1939::DM1, j1939::ENGINE, j1939::trouble_codes(&config.faults)),
            Message::Dm2 => return (j1939::DM2, j1939::ENGINE, j1939::trouble_codes(&previous)),
            Message::Vi => return (j1939::VI, j1939::ENGINE, j1939::vi(drive.vin(now))),
        };
        (pgn, source, data.to_vec())
    }

    /// Request PGN (SAE J1939-21): answered to all or to the one who asked, or
    /// refused when asked of the engine alone.
    fn on_request(&mut self, request: j1939::Request, now: BootMicros) -> Option<CanFrame> {
        let message = match request.pgn {
            j1939::VI => Message::Vi,
            j1939::HOURS => Message::Hours,
            j1939::VD => Message::Vd,
            j1939::DM1 => Message::Dm1,
            j1939::DM2 => Message::Dm2,
            j1939::ADDRESS_CLAIMED if self.equipment.claims_addresses => {
                return Some(j1939::address_claim(j1939::ENGINE, 0));
            }
            _ if request.of_all => return None,
            pgn => {
                return Some(j1939::acknowledgement(j1939::REFUSED, j1939::ENGINE, request.asker, pgn));
            }
        };
        let (_, _, bytes) = self.compose(message, now);
        self.engine.answer(request, bytes, now)
    }
}

impl Vehicle for Truck {
    fn on_frame(&mut self, frame: &CanFrame, now: BootMicros) -> Vec<CanFrame> {
        self.on_frame(frame, now)
    }

    fn on_tick(&mut self, now: BootMicros) -> Vec<CanFrame> {
        self.on_tick(now)
    }

    fn next_due(&self) -> BootMicros {
        self.next_due()
    }

    fn odometer_m(&self, now: BootMicros) -> u64 {
        self.odometer_m(now)
    }
}

fn knowledge<'a>(config: &TruckConfig, drive: &Drive, codes: &'a [Dtc], now: BootMicros) -> Knowledge<'a> {
    Knowledge {
        vin: drive.vin(now),
        odometer_m: drive.said_m(now),
        speed_km_per_h: drive.speed_km_per_h(now),
        fuel_percent: config.fuel_percent,
        charge_percent: 0,
        module_mv: drive.battery_mv(config.battery_mv, now),
        since_clear_km: 0,
        codes,
    }
}
