//! Minimisers: how a value is made coarser before it is released.
//!
//! Arithmetic on copy types; nothing here allocates. Written form (frozen, it
//! stands in bundles, records and messages): `exact`, `round-<step>`,
//! `bucket-<width>`, `cell-<resolution>`, `presence`, `drop`.

use h3o::{LatLng, Resolution};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_types::{Cell, Number, Position, Value, ValueKind};

/// Why a text is not a minimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a minimiser: expected exact, round-<step>, bucket-<width>, cell-<0..15>, presence or drop, \
     with step and width from 1 to 1000000000 in the unit of the signal"
)]
pub struct MinimiserError;

/// What is done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Minimiser {
    /// As it is.
    Exact,
    /// To the nearest multiple of the step, halves upwards. In the unit of the signal.
    Round(u32),
    /// To the half-open range of this width that it lies in. In the unit of the signal.
    Bucket(u32),
    /// To the H3 cell of this resolution.
    Cell(u8),
    /// To the fact that there was a value.
    Presence,
    /// To nothing: withheld on purpose.
    Drop,
}

/// The largest step or width.
const MAX_STEP: u32 = 1_000_000_000;
/// The finest H3 resolution.
const MAX_RESOLUTION: u8 = 15;

impl Minimiser {
    /// Whether values of this kind can be minimised so.
    pub const fn fits(self, kind: ValueKind) -> bool {
        match self {
            Self::Exact | Self::Presence | Self::Drop => true,
            Self::Round(_) | Self::Bucket(_) => matches!(kind, ValueKind::Integer | ValueKind::Number),
            Self::Cell(_) => matches!(kind, ValueKind::Position),
        }
    }

    /// The value, minimised; `None` where it is dropped or does not fit.
    /// "Asked, none" says nothing that could be coarsened, and stays what it is.
    pub fn apply(self, mut value: Value) -> Option<Value> {
        self.apply_in(&mut value).then_some(value)
    }

    /// Minimises a value where it stands: a value is large, and copying it again costs more than
    /// all the arithmetic. False where it is dropped or does not fit; then it must not be used.
    #[must_use]
    #[inline]
    pub(crate) fn apply_in(self, value: &mut Value) -> bool {
        *value = match (self, &*value) {
            (Self::Exact, _) => return true,
            (Self::Drop, _) => return false,
            (_, Value::Nothing) => return true,
            (Self::Presence, _) => Value::Present,
            (Self::Round(step), Value::Integer(n)) => Value::Integer(round(*n, i64::from(step))),
            (Self::Round(step), Value::Number(n)) => {
                let step = f64::from(step);
                match Number::new((n.get() / step + 0.5).floor() * step) {
                    Ok(rounded) => Value::Number(rounded),
                    Err(_) => return false,
                }
            }
            (Self::Bucket(width), Value::Integer(n)) => bucket(*n, i64::from(width)),
            #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
            (Self::Bucket(width), Value::Number(n)) => bucket(n.get().floor() as i64, i64::from(width)),
            (Self::Cell(resolution), Value::Position(position)) => match cell(*position, resolution) {
                Some(cell) => Value::Cell(cell),
                None => return false,
            },
            _ => return false,
        };
        true
    }
}

fn cell(position: Position, resolution: u8) -> Option<Cell> {
    let (latitude, longitude) = position.degrees();
    let cell = LatLng::new(latitude, longitude).ok()?.to_cell(Resolution::try_from(resolution).ok()?);
    Some(Cell(u64::from(cell)))
}

/// The nearest multiple, halves upwards; at the ends of the range the nearest that fits.
#[inline]
fn round(n: i64, step: i64) -> i64 {
    let over = n.rem_euclid(step);
    let up = over * 2 >= step;
    let nearest = if up { n.checked_add(step - over) } else { n.checked_sub(over) };
    nearest.unwrap_or_else(|| round_at_an_end(n, step, over))
}

/// Where the nearest multiple is out of range, the one on the other side of the value is not.
#[cold]
fn round_at_an_end(n: i64, step: i64, over: i64) -> i64 {
    n.checked_sub(over).or(n.checked_add(step - over)).unwrap_or(0)
}

fn bucket(n: i64, width: i64) -> Value {
    let from = n.saturating_sub(n.rem_euclid(width));
    Value::Bucket(from, from.saturating_add(width))
}

impl fmt::Display for Minimiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Round(step) => write!(f, "round-{step}"),
            Self::Bucket(width) => write!(f, "bucket-{width}"),
            Self::Cell(resolution) => write!(f, "cell-{resolution}"),
            Self::Presence => f.write_str("presence"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

impl FromStr for Minimiser {
    type Err = MinimiserError;

    fn from_str(text: &str) -> Result<Self, MinimiserError> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| MinimiserError);
        let read = match text.split_once('-') {
            None => match text {
                "exact" => Self::Exact,
                "presence" => Self::Presence,
                "drop" => Self::Drop,
                _ => return Err(MinimiserError),
            },
            Some(("round", step)) => Self::Round(number(step)?),
            Some(("bucket", width)) => Self::Bucket(number(width)?),
            Some(("cell", resolution)) => {
                Self::Cell(u8::try_from(number(resolution)?).map_err(|_| MinimiserError)?)
            }
            Some(_) => return Err(MinimiserError),
        };
        let bounded = match read {
            Self::Round(step) | Self::Bucket(step) => (1..=MAX_STEP).contains(&step),
            Self::Cell(resolution) => resolution <= MAX_RESOLUTION,
            _ => true,
        };
        // One written form only: what does not print back is not a minimiser.
        if bounded && read.to_string() == text { Ok(read) } else { Err(MinimiserError) }
    }
}

impl Serialize for Minimiser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minimiser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vernport_types::Label;

    fn integer(minimiser: Minimiser, n: i64) -> Option<Value> {
        minimiser.apply(Value::Integer(n))
    }

    #[test]
    fn a_minimiser_is_written_one_way_and_read_back() {
        for text in ["exact", "round-1000", "bucket-5000000", "cell-6", "presence", "drop"] {
            assert_eq!(text.parse::<Minimiser>().expect(text).to_string(), text);
        }
        for bad in
            ["", "Exact", "round", "round-0", "round-01", "round--5", "cell-16", "cell-+6", "hash", "drop-1"]
        {
            assert_eq!(bad.parse::<Minimiser>(), Err(MinimiserError), "{bad}");
        }
    }

    #[test]
    fn rounding_goes_to_the_nearest_step_and_halves_go_up() {
        let round = Minimiser::Round(1000);
        assert_eq!(integer(round, 158_910_600), Some(Value::Integer(158_911_000)));
        assert_eq!(integer(round, 158_910_499), Some(Value::Integer(158_910_000)));
        assert_eq!(integer(round, 500), Some(Value::Integer(1000)));
        assert_eq!(integer(round, -500), Some(Value::Integer(0)));
        let level = Value::Number(Number::new(81.6).expect("finite"));
        assert_eq!(
            Minimiser::Round(10).apply(level),
            Some(Value::Number(Number::new(80.0).expect("finite")))
        );
    }

    #[test]
    fn a_position_becomes_the_cell_it_lies_in() {
        let position = Position::from_degrees(59.91, 10.75).expect("on the globe");
        let Some(Value::Cell(cell)) = Minimiser::Cell(6).apply(Value::Position(position)) else {
            panic!("a position becomes a cell");
        };
        assert_eq!(cell.resolution(), 6);
        let near = Position::from_degrees(59.9101, 10.7501).expect("on the globe");
        assert_eq!(Minimiser::Cell(6).apply(Value::Position(near)), Some(Value::Cell(cell)));
    }

    #[test]
    fn what_does_not_fit_passes_in_no_form() {
        let label = Value::Label(Label::new("M").expect("short"));
        assert_eq!(Minimiser::Round(10).apply(label), None);
        assert_eq!(Minimiser::Cell(6).apply(Value::Integer(1)), None);
        assert_eq!(Minimiser::Drop.apply(Value::Nothing), None);
        assert_eq!(Minimiser::Presence.apply(label), Some(Value::Present));
        assert_eq!(Minimiser::Presence.apply(Value::Nothing), Some(Value::Nothing));
    }

    #[test]
    fn at_the_ends_of_the_range_a_rounded_value_is_a_multiple_still() {
        for n in [i64::MAX, i64::MAX - 3, i64::MIN, i64::MIN + 3] {
            let Some(Value::Integer(rounded)) = integer(Minimiser::Round(1_000), n) else { panic!("fits") };
            assert_eq!((rounded % 1_000, rounded.abs_diff(n) < 1_000), (0, true));
        }
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value_and_starts_at_a_multiple(n in -1_i64 << 60..1 << 60, width in 1..=MAX_STEP) {
            let Some(Value::Bucket(from, to)) = integer(Minimiser::Bucket(width), n) else { panic!("fits") };
            prop_assert!(from <= n && n < to);
            prop_assert_eq!(to - from, i64::from(width));
            prop_assert_eq!(from.rem_euclid(i64::from(width)), 0);
        }

        #[test]
        fn rounding_moves_a_value_by_half_a_step_at_most(n in -1_i64 << 60..1 << 60, step in 1..=MAX_STEP) {
            let Some(Value::Integer(rounded)) = integer(Minimiser::Round(step), n) else { panic!("fits") };
            prop_assert_eq!(rounded.rem_euclid(i64::from(step)), 0);
            prop_assert!((rounded - n).abs() * 2 <= i64::from(step));
        }

        #[test]
        fn no_value_makes_a_minimiser_panic(n: i64, x: f64, step in 1..=MAX_STEP) {
            for value in [Some(Value::Integer(n)), Number::new(x).ok().map(Value::Number)].into_iter().flatten() {
                for minimiser in [Minimiser::Round(step), Minimiser::Bucket(step), Minimiser::Cell(6)] {
                    let _ = minimiser.apply(value);
                }
            }
        }
    }
}
