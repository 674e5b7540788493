//! Data identifiers of UDS service 22 (ISO 14229-1) that give catalogue signals by configuration.
//!
//! Makers give their identifiers no public meaning: an older car may tell its odometer
//! only there. So whoever knows a vehicle says which bytes of which answer are which signal:
//!
//! ```text
//! 62 DID(2) byte 0 … first_byte … first_byte + bytes - 1 …      big-endian
//!                    └──────── raw ────────┘  raw × scale + offset, in the catalogue's unit
//! ```
//!
//! Promises: only numbers, integers and flags; a rule that cannot give a believed value is
//! refused when it is made; a value that the catalogue does not believe is rejected, and an
//! odometer is judged like any other ([`crate::odometer`]). The VIN has its own identifier
//! and cannot be configured.

use crate::{
    RejectCode,
    plan::Wanted,
    poll::{Did, Unit},
    uds,
};
use thiserror::Error;
use vernport_types::{Catalogue, Number, SignalId, Value, ValueKind};

/// Which bytes of an answer are which signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The identifier.
    pub did: Did,
    /// The unit that is asked, by its normal diagnostic address.
    pub unit: Unit,
    /// The signal, by its path in the catalogue.
    pub path: String,
    /// The first byte behind the identifier is 0; at most [`Rule::FIRST_BYTE_MAX`].
    pub first_byte: u16,
    /// How many bytes: 1 to [`Rule::BYTES_MAX`].
    pub bytes: u8,
    /// What one step of the raw value is, in the catalogue's unit; for a flag 1 or -1.
    pub scale: f64,
    /// What a raw value of 0 is, in the catalogue's unit.
    pub offset: f64,
    /// Whether the raw value is of two's complement.
    pub signed: bool,
}

impl Rule {
    /// The longest raw value: every one of it is exact as a 64-bit float.
    pub const BYTES_MAX: u8 = 6;
    /// The furthest place in an answer.
    pub const FIRST_BYTE_MAX: u16 = 1023;
}

/// A rule that cannot be used. Says which one and how to mend it.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("data identifier {did:04X} as {path}: {why}")]
pub struct DidError {
    /// The identifier.
    pub did: Did,
    /// The signal.
    pub path: String,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum Why {
    /// The catalogue has no such signal.
    #[error("the signal catalogue has no such path; mend it, or list the signal")]
    UnknownSignal,
    /// Texts, positions and trouble codes are no numbers.
    #[error("the signal is a {0:?}; only numbers, integers and flags can be read so")]
    Kind(ValueKind),
    /// The place is none.
    #[error("choose a first_byte of 0 to {}, and 1 to {} bytes", Rule::FIRST_BYTE_MAX, Rule::BYTES_MAX)]
    Place,
    /// Scale or offset is no number, or the scale is 0.
    #[error("scale and offset have to be finite, and scale not 0")]
    Scale,
    /// All that the bytes can say lies outside the catalogue's bounds, or is no flag.
    #[error("no value of it is within what the catalogue believes; mend scale and offset")]
    NeverBelieved,
    /// The VIN is read without a rule, and with care for whom it identifies.
    #[error("F190 is the VIN, which is read without a rule; take it out")]
    Vin,
    /// The same signal of the same answer twice.
    #[error("it is listed twice for this unit; keep one entry")]
    Twice,
    /// Too many on one bus.
    #[error("more than {} on one bus; keep those that are needed", Dids::COUNT_MAX)]
    TooMany,
}

#[derive(Debug, Clone)]
struct Entry {
    rule: Rule,
    kind: ValueKind,
    wanted: Wanted,
}

/// The data identifiers of one bus that are asked for and read.
#[derive(Debug, Clone, Default)]
pub struct Dids {
    entries: Vec<Entry>,
}

impl Dids {
    /// Most of them on one bus.
    pub const COUNT_MAX: usize = 32;

    /// Checks rules against the catalogue.
    ///
    /// # Errors
    /// [`DidError`] for the first rule that cannot be used.
    pub fn new(catalogue: &Catalogue, rules: Vec<Rule>) -> Result<Self, DidError> {
        let mut entries: Vec<Entry> = Vec::new();
        for rule in rules {
            let twice = |known: &Entry| {
                (known.rule.did, known.rule.unit, &known.rule.path) == (rule.did, rule.unit, &rule.path)
            };
            let why = match () {
                () if entries.len() == Self::COUNT_MAX => Err(Why::TooMany),
                () if entries.iter().any(twice) => Err(Why::Twice),
                () => check(catalogue, &rule),
            };
            match why {
                Ok((kind, wanted)) => entries.push(Entry { rule, kind, wanted }),
                Err(why) => return Err(DidError { did: rule.did, path: rule.path, why }),
            }
        }
        Ok(Self { entries })
    }

    /// What has to be asked of whom for which signal.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (SignalId, Unit, Did)> + '_ {
        self.entries.iter().map(|entry| (entry.wanted.id, entry.rule.unit, entry.rule.did))
    }

    /// Whether a signal comes from here.
    pub(crate) fn gives(&self, signal: SignalId) -> bool {
        self.entries.iter().any(|entry| entry.wanted.id == signal)
    }

    /// The signals of a unit's answer to one identifier, from what follows that. The values are not
    /// yet held against the catalogue's bounds.
    pub(crate) fn read<'a>(
        &'a self,
        unit: Unit,
        did: Did,
        data: &'a [u8],
    ) -> impl Iterator<Item = (Wanted, Result<Value, RejectCode>)> + 'a {
        let fits = move |entry: &&Entry| (entry.rule.unit, entry.rule.did) == (unit, did);
        self.entries.iter().filter(fits).map(|entry| (entry.wanted, entry.value(data)))
    }
}

fn check(catalogue: &Catalogue, rule: &Rule) -> Result<(ValueKind, Wanted), Why> {
    if rule.did == uds::VIN {
        return Err(Why::Vin);
    }
    let signal = catalogue.find(&rule.path).ok_or(Why::UnknownSignal)?;
    let kind = catalogue.signal(signal).kind;
    if !matches!(kind, ValueKind::Number | ValueKind::Integer | ValueKind::Flag) {
        return Err(Why::Kind(kind));
    }
    if !(1..=Rule::BYTES_MAX).contains(&rule.bytes) || rule.first_byte > Rule::FIRST_BYTE_MAX {
        return Err(Why::Place);
    }
    if !rule.scale.is_finite() || !rule.offset.is_finite() || rule.scale == 0.0 {
        return Err(Why::Scale);
    }
    let wanted = Wanted::new(catalogue, signal);
    let all = (1_i64 << (8 * rule.bytes)) - 1;
    let (low, high) = if rule.signed { (-(all / 2) - 1, all / 2) } else { (0, all) };
    let (one, other) = (rule.number(low), rule.number(high));
    let (least, most) = (one.min(other), one.max(other));
    let possible = match kind {
        ValueKind::Flag => (rule.scale == 1.0 || rule.scale == -1.0) && least <= 0.0 && most >= 1.0,
        _ => wanted.overlaps(least, most),
    };
    if possible { Ok((kind, wanted)) } else { Err(Why::NeverBelieved) }
}

impl Rule {
    #[expect(clippy::cast_precision_loss, reason = "6 bytes are exact")]
    fn number(&self, raw: i64) -> f64 {
        raw as f64 * self.scale + self.offset
    }
}

impl Entry {
    fn value(&self, data: &[u8]) -> Result<Value, RejectCode> {
        let Rule { first_byte, bytes, signed, .. } = self.rule;
        let data = data.get(usize::from(first_byte)..).and_then(|data| data.get(..usize::from(bytes)));
        let data = data.ok_or(RejectCode::WrongLength)?;
        let raw = data.iter().fold(0_i64, |raw, byte| raw << 8 | i64::from(*byte));
        let unused = 64 - 8 * u32::from(bytes);
        let number = self.rule.number(if signed { raw << unused >> unused } else { raw });
        match self.kind {
            ValueKind::Integer => integer(number).map(Value::Integer),
            ValueKind::Flag if number == 0.0 || number == 1.0 => Ok(Value::Flag(number == 1.0)),
            ValueKind::Flag => Err(RejectCode::OutOfRange),
            _ => Number::new(number).map(Value::Number).map_err(|_| RejectCode::OutOfRange),
        }
    }
}

/// The nearest whole number, where it is exact.
fn integer(number: f64) -> Result<i64, RejectCode> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.round();
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within its bounds")]
    let exact = (whole.abs() <= EXACT).then_some(whole as i64);
    exact.ok_or(RejectCode::OutOfRange)
}

#[cfg(test)]
mod tests;
