//! What a control unit answers to UDS (ISO 14229-1): sessions (10), tester
//! present (3E), data by identifier (22) and trouble codes (19). Nothing can be
//! written, cleared or unlocked.

use crate::{
    dtc::Dtc,
    obd::{Answer, Knowledge, Obd, POSITIVE, SUB_FUNCTION_NOT_SUPPORTED},
};

const SESSION_CONTROL: u8 = 0x10;
const READ_CODES: u8 = 0x19;
const READ_DATA: u8 = 0x22;
const TESTER_PRESENT: u8 = 0x3E;
/// The bit of a sub-function by which no positive answer is wanted.
const SUPPRESS: u8 = 0x80;
const WRONG_LENGTH: u8 = 0x13;
const CONDITIONS_NOT_CORRECT: u8 = 0x22;
const OUT_OF_RANGE: u8 = 0x31;
/// Service not supported in the active session.
const NOT_IN_SESSION: u8 = 0x7F;
/// P2 and P2* of a session's answer: 50 ms, and 5 s in tens of ms.
const SESSION_TIMES: [u8; 4] = [0x00, 0x32, 0x01, 0xF4];
/// Which status bits are kept at all.
const AVAILABLE: u8 = 0xFF;
/// The only record of each snapshot and of each extended data.
const RECORD: u8 = 1;
/// The identifiers of one request of service 22.
const MOST_IDENTIFIERS: usize = 16;
/// The charge record of a traction battery: as many cells as this simulation has.
const CELLS: u16 = 96;

/// What stands behind an identifier of service 22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// The VIN, 17 characters.
    Vin,
    /// The odometer, 1 km a bit, 3 bytes.
    OdometerKm,
    /// What the PID of this number says (SAE J1979-2: F4xx).
    Pid(u8),
    /// The traction battery: charge at 0.5 % a bit, then each cell at 1 mV a bit, 2 bytes.
    Cells,
}

/// What a unit knows of UDS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uds {
    pub(crate) items: &'static [(u16, Item)],
    /// The PIDs behind [`Item::Pid`].
    pub(crate) obd: Obd,
}

/// The session a unit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Active {
    #[default]
    Default,
    Programming,
    Extended,
}

impl Uds {
    /// The answer to one request, which may change the session.
    pub(crate) fn answer(&self, request: &[u8], active: &mut Active, known: &Knowledge<'_>) -> Answer {
        match (request, *active) {
            ([SESSION_CONTROL, rest @ ..], _) => sub_function(rest, |session, rest| {
                let session_asked = match session {
                    1 => Active::Default,
                    2 => Active::Programming,
                    3 => Active::Extended,
                    _ => return Answer::Negative(SUB_FUNCTION_NOT_SUPPORTED),
                };
                if !rest.is_empty() {
                    return Answer::Negative(WRONG_LENGTH);
                }
                if session_asked == Active::Programming && known.speed_km_per_h > 0 {
                    return Answer::Negative(CONDITIONS_NOT_CORRECT);
                }
                *active = session_asked;
                positive(SESSION_CONTROL, &[&[session], &SESSION_TIMES])
            }),
            ([TESTER_PRESENT, rest @ ..], _) => sub_function(rest, |kind, rest| match (kind, rest) {
                (0, []) => positive(TESTER_PRESENT, &[&[0]]),
                (0, _) => Answer::Negative(WRONG_LENGTH),
                _ => Answer::Negative(SUB_FUNCTION_NOT_SUPPORTED),
            }),
            ([READ_DATA | READ_CODES, ..], Active::Programming) => Answer::Negative(NOT_IN_SESSION),
            ([READ_DATA, identifiers @ ..], _) => self.data(identifiers, known),
            ([READ_CODES, rest @ ..], _) => {
                sub_function(rest, |report, rest| codes(report, rest, known.codes))
            }
            _ => Answer::Unknown,
        }
    }

    /// Service 22: each identifier that is known with its data; none known is out of range.
    fn data(&self, identifiers: &[u8], known: &Knowledge<'_>) -> Answer {
        let (identifiers, []) = identifiers.as_chunks::<2>() else { return Answer::Negative(WRONG_LENGTH) };
        if identifiers.is_empty() || identifiers.len() > MOST_IDENTIFIERS {
            return Answer::Negative(WRONG_LENGTH);
        }
        let mut bytes = vec![READ_DATA | POSITIVE];
        for identifier in identifiers {
            let wanted = u16::from_be_bytes(*identifier);
            let item = self.items.iter().find(|(number, _)| *number == wanted).map(|(_, item)| *item);
            if let Some(data) = item.and_then(|item| self.item(item, known)) {
                bytes.extend(identifier);
                bytes.extend(data);
            }
        }
        if bytes.len() > 1 { Answer::Positive(bytes) } else { Answer::Negative(OUT_OF_RANGE) }
    }

    fn item(&self, item: Item, known: &Knowledge<'_>) -> Option<Vec<u8>> {
        Some(match item {
            Item::Vin => known.vin.expose().as_bytes().to_vec(),
            Item::OdometerKm => km_3_bytes(known.odometer_m).to_vec(),
            Item::Pid(pid) => return self.obd.current_data(pid, known),
            Item::Cells => {
                let mut bytes = vec![known.charge_percent.min(100) * 2];
                // Cells differ by some mV around a voltage that follows the charge.
                let middle_mv = 3_300 + u16::from(known.charge_percent.min(100)) * 8;
                bytes.extend((0..CELLS).flat_map(|cell| (middle_mv + cell % 5).to_be_bytes()));
                bytes
            }
        })
    }
}

/// Service 19.
fn codes(report: u8, rest: &[u8], known: &[Dtc]) -> Answer {
    let list = |wanted: &dyn Fn(&Dtc) -> bool| {
        let each = |dtc: &Dtc| [dtc.code[0], dtc.code[1], dtc.code[2], dtc.status];
        let codes: Vec<u8> = known.iter().filter(|dtc| wanted(dtc)).flat_map(each).collect();
        positive(READ_CODES, &[&[report, AVAILABLE], &codes])
    };
    match (report, rest) {
        // How many codes have one of these bits; format 1 is that of ISO 14229-1.
        (0x01, [mask]) => {
            let count = known.iter().filter(|dtc| dtc.status & mask != 0).count();
            let count = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
            positive(READ_CODES, &[&[report, AVAILABLE, 1], &count])
        }
        (0x02, [mask]) => list(&|dtc| dtc.status & mask != 0),
        (0x0A, []) => list(&|_| true),
        (0x04 | 0x06, [a, b, c, record]) => {
            let Some(dtc) = known.iter().find(|dtc| dtc.code == [*a, *b, *c]) else {
                return Answer::Negative(OUT_OF_RANGE);
            };
            let all = [0xFF, if report == 0x06 { 0xFE } else { 0xFF }];
            if *record != RECORD && !all.contains(record) {
                return Answer::Negative(OUT_OF_RANGE);
            }
            let head = [report, *a, *b, *c, dtc.status, RECORD];
            if report == 0x06 {
                return positive(READ_CODES, &[&head, &[dtc.occurrences]]);
            }
            // Two identifiers: odometer (as service 22 has it here) and speed.
            let odometer = km_3_bytes(dtc.odometer_m);
            let snapshot = [&[2, 0xDD, 0x01][..], &odometer, &[0xF4, 0x0D, dtc.speed_km_per_h]].concat();
            positive(READ_CODES, &[&head, &snapshot])
        }
        (0x01 | 0x02 | 0x04 | 0x06 | 0x0A, _) => Answer::Negative(WRONG_LENGTH),
        _ => Answer::Negative(SUB_FUNCTION_NOT_SUPPORTED),
    }
}

/// The answer of a service with a sub-function, kept back where that is wanted.
fn sub_function(rest: &[u8], answer: impl FnOnce(u8, &[u8]) -> Answer) -> Answer {
    let Some((number, rest)) = rest.split_first() else { return Answer::Negative(WRONG_LENGTH) };
    match answer(number & !SUPPRESS, rest) {
        Answer::Positive(_) if number & SUPPRESS != 0 => Answer::Silence,
        answer => answer,
    }
}

fn positive(service: u8, parts: &[&[u8]]) -> Answer {
    Answer::Positive([&[service | POSITIVE], &*parts.concat()].concat())
}

fn km_3_bytes(odometer_m: u64) -> [u8; 3] {
    let km = u32::try_from(odometer_m / 1000).unwrap_or(u32::MAX).min(0xFF_FFFF);
    let [_, high, middle, low] = km.to_be_bytes();
    [high, middle, low]
}

#[cfg(test)]
mod tests;
