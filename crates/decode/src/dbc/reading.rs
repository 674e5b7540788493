//! What a signal of a DBC file says, as one of the kinds that the catalogue has for it.

use crate::RejectCode;
use std::fmt;
use vernport_types::{Number, Position, SignalId, Value};

/// One value, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The place in the plan, as a [`Source`](vernport_types::Source) names it.
    pub index: u16,
    /// The signal of the catalogue.
    pub signal: SignalId,
    /// The value, in the unit of the catalogue.
    pub value: Result<Reading, RejectCode>,
}

/// A value that a DBC file can give: the slim part of [`Value`], since every signal of a frame is
/// written as one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A finite number, in the unit of the catalogue.
    Number(Number),
    /// A whole number, in the unit of the catalogue.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// An exact position.
    Position(Position),
}

impl Reading {
    /// The number, for those that are one.
    #[inline]
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.get()),
            other => Value::from(other).as_f64(),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::from(*self).fmt(f)
    }
}

impl From<Reading> for Value {
    #[inline]
    fn from(reading: Reading) -> Self {
        match reading {
            Reading::Number(number) => Self::Number(number),
            Reading::Integer(whole) => Self::Integer(whole),
            Reading::Flag(is) => Self::Flag(is),
            Reading::Position(position) => Self::Position(position),
        }
    }
}

/// What the catalogue makes of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Number,
    Integer,
    /// Raw values, one bit for each.
    Flag {
        on: u64,
        off: u64,
    },
    Latitude,
    Longitude,
}

/// Where a signal goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) signal: SignalId,
    pub(super) kind: Kind,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) name: Box<str>,
}

impl Target {
    #[inline(never)]
    pub(super) fn value(&self, number: f64) -> Result<Reading, RejectCode> {
        // A NaN is not within bounds either.
        let believed = number >= self.min && number <= self.max;
        match self.kind {
            _ if !believed => Err(RejectCode::OutOfRange),
            Kind::Integer => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a cast from f64 stops at the bounds of i64"
                )]
                let whole = number.round() as i64;
                Ok(Reading::Integer(whole))
            }
            Kind::Flag { on, off } => flag(number, on, off),
            _ => Number::new(number).map(Reading::Number).map_err(|_| RejectCode::OutOfRange),
        }
    }
}

fn flag(raw: f64, on: u64, off: u64) -> Result<Reading, RejectCode> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a raw value of at most 8 bits"
    )]
    let bit = 1_u64.checked_shl(raw as u32).unwrap_or(0);
    match (on & bit != 0, off & bit != 0) {
        (true, _) => Ok(Reading::Flag(true)),
        (_, true) => Ok(Reading::Flag(false)),
        _ => Err(RejectCode::ReservedValue),
    }
}

#[inline(never)]
pub(super) fn position(
    latitude: Result<f64, RejectCode>,
    longitude: Result<f64, RejectCode>,
) -> Result<Reading, RejectCode> {
    Position::from_degrees(latitude?, longitude?).map(Reading::Position).map_err(|_| RejectCode::OutOfRange)
}
