//! OBD-II (SAE J1979 / ISO 15031-5) on CAN: answers of services 01, 02, 03, 07, 09 and 0A.
//!
//! ```text
//! 41 PID data [PID data …]         current data, up to six PIDs
//! 42 PID frame data [PID frame …]  freeze frame, up to three PIDs
//! 43 n code(2)…                    confirmed trouble codes
//! 47 n code(2)…                    pending trouble codes
//! 49 …                             vehicle information
//! 4A n code(2)…                    permanent trouble codes
//! ```
//!
//! Negative answers (7F) are those of UDS: [`crate::uds::Negative`].

mod code;
mod information;
mod pid;
mod supported;

pub use code::{Code, CodeError, UdsCode};
pub use information::{Information, information};
pub use pid::data_bytes;
pub use supported::Supported;

use crate::RejectCode;
use vernport_types::{Fault, FaultState, TroubleCode, Vin};

/// Malfunction indicator, and how many trouble codes are confirmed.
pub const STATUS: u8 = 0x01;
/// In a freeze frame: the trouble code that it was kept for.
pub const FREEZE_FRAME_CODE: u8 = 0x02;
/// Vehicle speed, km/h.
pub const SPEED: u8 = 0x0D;
/// Auxiliary input: bit 0 power take-off active.
pub const AUXILIARY_INPUT: u8 = 0x1E;
/// Fuel level, 100/255 percent a bit.
pub const FUEL_LEVEL: u8 = 0x2F;
/// Control module voltage, mV a bit.
pub const MODULE_VOLTAGE: u8 = 0x42;
/// Remaining charge of a hybrid's or electric vehicle's battery pack, 100/255 percent a bit.
/// Older editions name it remaining life, and mean the same: charge, not health (that is B2).
pub const BATTERY_CHARGE: u8 = 0x5B;
/// Engine oil temperature, 1 °C a bit from -40 on.
pub const OIL_TEMPERATURE: u8 = 0x5C;
/// Auxiliary inputs and outputs: which are supported, and their state; bit 0 power take-off.
pub const AUXILIARY_INPUTS_OUTPUTS: u8 = 0x65;
/// Engine run time over the life of the engine, s a bit: total, idle, with power take-off.
pub const ENGINE_RUN_TIME: u8 = 0x7F;
/// NOx control system; its reagent is the diesel exhaust fluid, 100/255 percent a bit.
pub const NOX_CONTROL: u8 = 0x85;
/// Odometer, 100 m a bit.
pub const ODOMETER: u8 = 0xA6;

/// What an answer says that we read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// PID 01: whether this unit wants the malfunction indicator on, and how many confirmed codes it has.
    Status {
        /// The indicator.
        lamp_on: bool,
        /// The codes.
        trouble_codes: u8,
    },
    /// PID 0D, km/h.
    SpeedKmPerH(f64),
    /// PID 1E or 65.
    PowerTakeOff(bool),
    /// PID 2F, percent.
    FuelPercent(f64),
    /// PID 42, volts.
    ModuleVolts(f64),
    /// PID 5B, percent.
    BatteryPercent(f64),
    /// PID 5C, °C.
    OilCelsius(f64),
    /// PID 7F, hours in the life of the engine.
    EngineHours(f64),
    /// PID 85, percent.
    ExhaustFluidPercent(f64),
    /// PID A6, metres.
    OdometerMetres(i64),
    /// Services 02 (PID 02), 03, 07 and 0A: one trouble code.
    TroubleCode(TroubleCode),
    /// Services 03, 07 and 0A: asked, none.
    NoTroubleCode(FaultState),
}

/// An answer with what it answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// The service, 01 to 0A.
    pub service: u8,
    /// The PID; 0 where the service has none.
    pub pid: u8,
    /// What was said.
    pub answer: Answer,
}

/// The VIN of an answer to 09 02; none if the message is another one.
pub fn vin(message: &[u8]) -> Option<Result<Vin, RejectCode>> {
    match information(message)? {
        Ok(Information::Vin(vin)) => Some(Ok(vin)),
        Err(code) if message.get(1) == Some(&2) => Some(Err(code)),
        _ => None,
    }
}

/// Reads one message of a control unit; what is not an answer that we know gives nothing.
pub fn read(message: &[u8], mut sink: impl FnMut(Result<Told, RejectCode>)) {
    match message {
        [0x41, data @ ..] => current_data(data, &mut sink),
        [0x42, data @ ..] => freeze_frames(data, &mut sink),
        [0x43, codes @ ..] => trouble_codes(codes, 3, FaultState::Present, &mut sink),
        [0x47, codes @ ..] => trouble_codes(codes, 7, FaultState::Pending, &mut sink),
        // A unit keeps these until it saw for itself that the fault is gone, also where 03 has them no more.
        [0x4A, codes @ ..] => trouble_codes(codes, 0x0A, FaultState::Stored, &mut sink),
        _ => {}
    }
}

fn current_data(mut data: &[u8], sink: &mut impl FnMut(Result<Told, RejectCode>)) {
    while let [pid, rest @ ..] = data {
        // Without the length of a PID, what follows it cannot be told apart.
        let Some(length) = data_bytes(*pid) else { return };
        let Some((value, rest)) = rest.split_at_checked(length) else {
            return sink(Err(RejectCode::WrongLength));
        };
        if let Some(answer) = current_value(*pid, value) {
            sink(Ok(Told { service: 1, pid: *pid, answer }));
        }
        data = rest;
    }
}

fn current_value(pid: u8, data: &[u8]) -> Option<Answer> {
    Some(match (pid, data) {
        (STATUS, [a, _, _, _]) => Answer::Status { lamp_on: a & 0x80 != 0, trouble_codes: a & 0x7F },
        (SPEED, [a]) => Answer::SpeedKmPerH(f64::from(*a)),
        (AUXILIARY_INPUT, [a]) => Answer::PowerTakeOff(a & 1 != 0),
        (FUEL_LEVEL, [a]) => Answer::FuelPercent(percent(*a)),
        (MODULE_VOLTAGE, [a, b]) => Answer::ModuleVolts(f64::from(u16::from_be_bytes([*a, *b])) / 1000.0),
        (BATTERY_CHARGE, [a]) => Answer::BatteryPercent(percent(*a)),
        (OIL_TEMPERATURE, [a]) => Answer::OilCelsius(f64::from(*a) - 40.0),
        // The first byte of these says what is supported.
        (AUXILIARY_INPUTS_OUTPUTS, [supported, a]) if supported & 1 != 0 => Answer::PowerTakeOff(a & 1 != 0),
        (ENGINE_RUN_TIME, [supported, a, b, c, d, ..]) if supported & 1 != 0 => {
            Answer::EngineHours(f64::from(u32::from_be_bytes([*a, *b, *c, *d])) / 3600.0)
        }
        (NOX_CONTROL, [supported, _, _, _, _, level, ..]) if supported & 4 != 0 => {
            Answer::ExhaustFluidPercent(percent(*level))
        }
        (ODOMETER, [a, b, c, d]) => {
            Answer::OdometerMetres(i64::from(u32::from_be_bytes([*a, *b, *c, *d])) * 100)
        }
        _ => return None,
    })
}

fn percent(byte: u8) -> f64 {
    f64::from(byte) * 100.0 / 255.0
}

/// Reads only which code a frame was kept for: the other values in it were true once and are not now.
fn freeze_frames(mut data: &[u8], sink: &mut impl FnMut(Result<Told, RejectCode>)) {
    while let [pid, rest @ ..] = data {
        let Some(length) = data_bytes(*pid) else { return };
        let Some((value, rest)) = rest.split_at_checked(1 + length) else {
            return sink(Err(RejectCode::WrongLength));
        };
        // Zero: there is no such frame.
        if let (FREEZE_FRAME_CODE, [_, a, b]) = (*pid, value)
            && (*a, *b) != (0, 0)
        {
            let fault = Fault::Obd(u16::from_be_bytes([*a, *b]));
            let answer = Answer::TroubleCode(TroubleCode { fault, state: FaultState::Stored });
            sink(Ok(Told { service: 2, pid: *pid, answer }));
        }
        data = rest;
    }
}

fn trouble_codes(
    codes: &[u8],
    service: u8,
    state: FaultState,
    sink: &mut impl FnMut(Result<Told, RejectCode>),
) {
    let [count, codes @ ..] = codes else { return sink(Err(RejectCode::WrongLength)) };
    let codes = match codes.as_chunks() {
        (codes, []) if codes.len() == usize::from(*count) => codes,
        _ => return sink(Err(RejectCode::WrongLength)),
    };
    let mut none = true;
    let mut told = |answer| sink(Ok(Told { service, pid: 0, answer }));
    for code in codes.iter().map(|code| u16::from_be_bytes(*code)).filter(|code| *code != 0) {
        none = false;
        told(Answer::TroubleCode(TroubleCode { fault: Fault::Obd(code), state }));
    }
    if none {
        told(Answer::NoTroubleCode(state));
    }
}

#[cfg(test)]
mod tests;
