//! The frames that may be sent to a vehicle.
//!
//! There is no constructor from bytes: a service that is not in [`Request`], and a
//! parameter group that is not in [`Group`], cannot be written. That matters for
//! J1939 too, where asking for DM3 or DM11 erases trouble codes (SAE J1939-73).
//! What is sent while a long answer comes is [`flow_control`], and on J1939 what
//! [`Responder`](crate::j1939::responder::Responder) gives.

use crate::{
    isotp,
    j1939::{Id, pgn},
};
use std::str::FromStr;
use thiserror::Error;
use vernport_types::{CanFrame, CanId};

/// Our address in 29-bit diagnostics (ISO 15765-4: external test equipment).
const OUR_TESTER_ADDRESS: u32 = 0xF1;
/// Which trouble codes service 19 02 tells: failed now or in this cycle, pending, confirmed
/// (ISO 14229-1, annex D.2).
const STATUS_MASK: u8 = 0x0F;

/// One to six PIDs of service 01, as many as one request may hold (SAE J1979).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids {
    pids: [u8; 6],
    len: usize,
}

impl Pids {
    /// Takes one to six PIDs.
    pub fn new(list: &[u8]) -> Option<Self> {
        let mut pids = [0; 6];
        pids.get_mut(..list.len()).filter(|place| !place.is_empty())?.copy_from_slice(list);
        Some(Self { pids, len: list.len() })
    }

    /// The PIDs.
    pub fn list(&self) -> &[u8] {
        &self.pids[..self.len]
    }
}

/// A data identifier of UDS service 22.
pub type Did = u16;

/// A parameter group of J1939 that may be asked for. All of them only tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// VI.
    VehicleIdentification,
    /// VDHR.
    DistanceHighResolution,
    /// VD.
    Distance,
    /// VP.
    Position,
    /// CCVS1.
    Speed,
    /// DD1.
    DashDisplay,
    /// VEP1.
    ElectricalPower,
    /// HOURS.
    EngineHours,
    /// LFC.
    FuelConsumption,
    /// ET1.
    EngineTemperature,
    /// EFLP1.
    EngineFluids,
    /// AT1T1I.
    ExhaustFluid,
    /// VW.
    VehicleWeight,
    /// TIRE.
    Tire,
    /// SERV.
    Service,
    /// PTO.
    Pto,
    /// PTODE.
    PtoDrive,
    /// DM1.
    ActiveTroubleCodes,
    /// DM2.
    PreviousTroubleCodes,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::VehicleIdentification,
        Self::DistanceHighResolution,
        Self::Distance,
        Self::Position,
        Self::Speed,
        Self::DashDisplay,
        Self::ElectricalPower,
        Self::EngineHours,
        Self::FuelConsumption,
        Self::EngineTemperature,
        Self::EngineFluids,
        Self::ExhaustFluid,
        Self::VehicleWeight,
        Self::Tire,
        Self::Service,
        Self::Pto,
        Self::PtoDrive,
        Self::ActiveTroubleCodes,
        Self::PreviousTroubleCodes,
    ];

    /// Its number.
    pub const fn number(self) -> u32 {
        match self {
            Self::VehicleIdentification => pgn::VEHICLE_IDENTIFICATION,
            Self::DistanceHighResolution => pgn::DISTANCE_HIGH_RESOLUTION,
            Self::Distance => pgn::DISTANCE,
            Self::Position => pgn::POSITION,
            Self::Speed => pgn::SPEED,
            Self::DashDisplay => pgn::DASH_DISPLAY,
            Self::ElectricalPower => pgn::ELECTRICAL_POWER,
            Self::EngineHours => pgn::ENGINE_HOURS,
            Self::FuelConsumption => pgn::FUEL_CONSUMPTION,
            Self::EngineTemperature => pgn::ENGINE_TEMPERATURE,
            Self::EngineFluids => pgn::ENGINE_FLUIDS,
            Self::ExhaustFluid => pgn::EXHAUST_FLUID,
            Self::VehicleWeight => pgn::VEHICLE_WEIGHT,
            Self::Tire => pgn::TIRE,
            Self::Service => pgn::SERVICE,
            Self::Pto => pgn::PTO,
            Self::PtoDrive => pgn::PTO_DRIVE,
            Self::ActiveTroubleCodes => pgn::ACTIVE_TROUBLE_CODES,
            Self::PreviousTroubleCodes => pgn::PREVIOUS_TROUBLE_CODES,
        }
    }
}

/// A request for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// OBD-II service 01.
    CurrentData(Pids),
    /// OBD-II service 03.
    ConfirmedTroubleCodes,
    /// OBD-II service 07.
    PendingTroubleCodes,
    /// OBD-II service 0A.
    PermanentTroubleCodes,
    /// OBD-II service 09, information type 02.
    Vin,
    /// UDS service 22.
    DataByIdentifier(Did),
    /// UDS service 19, report 02: trouble codes by status.
    TroubleCodesByStatus,
    /// J1939 request for a group, to everybody.
    J1939(Group),
}

/// How the control units of a bus are addressed for OBD-II (ISO 15765-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// 11 bits: to 7DF, answers from 7E8 to 7EF.
    Standard,
    /// 29 bits: to 18DB33F1, answers from 18DAF1xx.
    Extended,
}

/// One control unit by its diagnostic address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// 11 bits: hears 7E0 and this number (0 to 7), answers 8 above.
    Standard(u8),
    /// 29 bits: hears 18DAxxF1, answers 18DAF1xx.
    Extended(u8),
}

/// Why a text names no unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a control unit that can be asked; write the id of its requests, 7E0 to 7E7 or 18DAxxF1")]
pub struct UnitError;

impl FromStr for Unit {
    type Err = UnitError;

    /// Reads the identifier of its requests, in 3 or 8 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let raw = u32::from_str_radix(text, 16).ok().filter(|_| digits).ok_or(UnitError)?;
        let id = match text.len() {
            3 => u16::try_from(raw).ok().and_then(CanId::standard),
            8 => CanId::extended(raw),
            _ => None,
        };
        id.and_then(Self::hearing).ok_or(UnitError)
    }
}

impl Unit {
    /// The unit that hears us on this identifier.
    pub fn hearing(id: CanId) -> Option<Self> {
        match id {
            CanId::Standard(id @ 0x7E0..=0x7E7) => Some(Self::Standard((id & 7) as u8)),
            CanId::Extended(raw) if raw & 0x1FFF_00FF == 0x18DA_0000 | OUR_TESTER_ADDRESS => {
                Some(Self::Extended((raw >> 8) as u8))
            }
            _ => None,
        }
    }

    /// The unit that answers us on this identifier.
    pub fn answering(id: CanId) -> Option<Self> {
        match id {
            CanId::Standard(id @ 0x7E8..=0x7EF) => Some(Self::Standard((id & 7) as u8)),
            CanId::Extended(raw) if raw & 0x1FFF_FF00 == 0x18DA_0000 | OUR_TESTER_ADDRESS << 8 => {
                Some(Self::Extended(raw as u8))
            }
            _ => None,
        }
    }

    fn id(self) -> CanId {
        match self {
            Self::Standard(number) => CanId::Standard(0x7E0 | u16::from(number & 7)),
            Self::Extended(address) => {
                CanId::Extended(0x18DA_0000 | u32::from(address) << 8 | OUR_TESTER_ADDRESS)
            }
        }
    }
}

/// To whom a diagnostic request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// All control units.
    All(Addressing),
    /// One.
    One(Unit),
}

impl To {
    fn id(self) -> CanId {
        match self {
            Self::All(Addressing::Standard) => CanId::Standard(0x7DF),
            Self::All(Addressing::Extended) => CanId::Extended(0x18DB_3300 | OUR_TESTER_ADDRESS),
            Self::One(unit) => unit.id(),
        }
    }
}

impl Request {
    /// The request as one frame. A J1939 request always goes to everybody.
    pub fn frame(&self, to: To) -> CanFrame {
        let (message, len) = match *self {
            Self::CurrentData(Pids { pids: [a, b, c, d, e, f], len }) => ([1, a, b, c, d, e, f], 1 + len),
            Self::ConfirmedTroubleCodes => ([3, 0, 0, 0, 0, 0, 0], 1),
            Self::PendingTroubleCodes => ([7, 0, 0, 0, 0, 0, 0], 1),
            Self::PermanentTroubleCodes => ([0x0A, 0, 0, 0, 0, 0, 0], 1),
            Self::Vin => ([9, 2, 0, 0, 0, 0, 0], 2),
            Self::DataByIdentifier(did) => ([0x22, (did >> 8) as u8, did as u8, 0, 0, 0, 0], 3),
            Self::TroubleCodesByStatus => ([0x19, 2, STATUS_MASK, 0, 0, 0, 0], 3),
            Self::J1939(group) => {
                let [low, mid, high, _] = group.number().to_le_bytes();
                let id = Id {
                    priority: 6,
                    pgn: pgn::REQUEST,
                    destination: Some(Id::GLOBAL),
                    source: Id::SERVICE_TOOL_1,
                };
                let id = id.to_can().expect("priority and group are within their bits");
                return CanFrame::data_frame(id, &[low, mid, high]).expect("3 bytes fit in a frame");
            }
        };
        let data = isotp::single_frame(&message[..len]).expect("a request has 1 to 7 bytes");
        CanFrame::data_frame(to.id(), &data).expect("8 bytes fit in a frame")
    }

    /// How an answer to it begins: service and, where it has one, the parameter.
    pub(super) fn answer_begins(&self) -> ([u8; 3], usize) {
        match *self {
            // With several PIDs a unit answers those that it has, in any order.
            Self::CurrentData(_) => ([0x41, 0, 0], 1),
            Self::ConfirmedTroubleCodes => ([0x43, 0, 0], 1),
            Self::PendingTroubleCodes => ([0x47, 0, 0], 1),
            Self::PermanentTroubleCodes => ([0x4A, 0, 0], 1),
            Self::Vin => ([0x49, 2, 0], 2),
            Self::DataByIdentifier(did) => ([0x62, (did >> 8) as u8, did as u8], 3),
            Self::TroubleCodesByStatus => ([0x59, 2, 0], 2),
            Self::J1939(_) => ([0; 3], 0),
        }
    }
}

/// ISO-TP flow control to a unit whose long answer to our request is under way: continue to send.
pub fn flow_control(unit: Unit) -> CanFrame {
    CanFrame::data_frame(unit.id(), &isotp::FLOW_CONTROL).expect("8 bytes fit in a frame")
}
