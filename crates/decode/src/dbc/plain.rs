//! The plain case, which nearly every signal of a file is: a whole number in a message of up to
//! 8 bytes, times a factor, plus an offset, within bounds.
//!
//! What is believed is a range of the whole number: the scale rises or falls throughout, so the
//! bounds of the value, and the ranges of SAE J1939-71 that mean "none", become one comparison.

use super::{
    database::{ByteOrder, Shape, Signal},
    field::Data,
    program::Wanted,
    unit::Conversion,
};
use crate::RejectCode;
use vernport_types::{Number, SignalId};

/// One plain signal.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    factor: f64,
    offset: f64,
    /// The bits, moved to the low end.
    mask: u64,
    /// The sign bit; 0 for none.
    sign: u64,
    /// The least whole number that is believed, and by how much the greatest is above it.
    least: u64,
    span: u64,
    /// What the caller knows it by.
    pub(super) index: u16,
    pub(super) signal: SignalId,
    /// 0 for a word that is read from its low end (Intel), 1 from its high one (Motorola).
    end: u8,
    /// By how much the word is moved down.
    down: u8,
    /// The ranges of SAE J1939-71 hold.
    by_j1939: bool,
}

impl Plain {
    /// None for a signal that is not plain.
    pub(super) fn new(signal: &Signal, wanted: &Wanted, scale: Conversion) -> Option<Self> {
        let number = wanted.number.as_ref()?;
        let len = u32::from(signal.len_bits);
        let by_j1939 = wanted.by_j1939 && signal.shape == Shape::Unsigned && len > 1;
        let mask = u64::MAX.checked_shr(64 - len)?;
        let (sign, least, most) = match signal.shape {
            Shape::Unsigned if by_j1939 && len < 64 => (0, 0, i64::try_from(greatest(len)).ok()?),
            Shape::Unsigned if len < 64 => (0, 0, mask.cast_signed()),
            Shape::Signed => (1 << (len - 1), i64::MIN >> (64 - len), i64::MAX >> (64 - len)),
            _ => return None,
        };
        let is_scaled = scale.factor.is_finite() && scale.offset.is_finite();
        if !is_scaled || !by_j1939 && !wanted.absent.is_empty() {
            return None;
        }
        let (least, most) = believed((least, most), scale, (number.min, number.max))?;
        let down = match signal.order {
            ByteOrder::Intel => u32::from(signal.start_bit),
            ByteOrder::Motorola => 64_u32.checked_sub(signal.top_distance() + len)?,
        };
        Some(Self {
            factor: scale.factor,
            offset: scale.offset,
            mask,
            sign,
            least: least.cast_unsigned(),
            span: most.wrapping_sub(least).cast_unsigned(),
            index: wanted.index,
            signal: number.signal,
            end: u8::from(signal.order == ByteOrder::Motorola),
            down: u8::try_from(down).ok().filter(|down| *down < 64)?,
            by_j1939,
        })
    }

    /// How many bytes there have to be.
    pub(super) fn needs_bytes(&self) -> u16 {
        let down = u16::from(self.down);
        let bits = u16::try_from(self.mask.count_ones()).unwrap_or(64);
        if self.end == 0 { (down + bits).div_ceil(8) } else { 8 - down / 8 }
    }

    /// What the bits are worth, or why that is no value; the data is long enough.
    #[inline(always)]
    pub(super) fn read(&self, data: &Data<'_>) -> Result<Number, RejectCode> {
        let raw = data.words[usize::from(self.end & 1)] >> (self.down & 63) & self.mask;
        let whole = (raw ^ self.sign).wrapping_sub(self.sign);
        if whole.wrapping_sub(self.least) > self.span {
            return Err(self.refusal(raw));
        }
        Number::new(scaled(whole.cast_signed(), self.factor, self.offset)).map_err(|_| RejectCode::OutOfRange)
    }

    #[cold]
    fn refusal(&self, raw: u64) -> RejectCode {
        let by_j1939 = if self.by_j1939 { available(raw, self.mask.count_ones()) } else { Ok(()) };
        by_j1939.err().unwrap_or(RejectCode::OutOfRange)
    }
}

/// The part of a range of whole numbers whose values are within bounds; none if that is nothing.
fn believed((least, most): (i64, i64), scale: Conversion, (min, max): (f64, f64)) -> Option<(i64, i64)> {
    if min.is_nan() || max.is_nan() {
        return None;
    }
    let value = |whole| scaled(whole, scale.factor, scale.offset);
    let (least, most) = if scale.factor > 0.0 {
        (
            first((least, most), |whole| value(whole) >= min),
            first((least, most), |whole| value(whole) > max) - 1,
        )
    } else {
        (
            first((least, most), |whole| value(whole) <= max),
            first((least, most), |whole| value(whole) < min) - 1,
        )
    };
    (least <= most).then_some((i64::try_from(least).ok()?, i64::try_from(most).ok()?))
}

/// The first of a range for which it holds, as it does for all after it; the one after the range for none.
fn first((least, most): (i64, i64), holds: impl Fn(i64) -> bool) -> i128 {
    let (mut from, mut to) = (i128::from(least), i128::from(most) + 1);
    while from < to {
        let middle = (from + to).div_euclid(2);
        if i64::try_from(middle).is_ok_and(&holds) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

#[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
#[inline(always)]
fn scaled(whole: i64, factor: f64, offset: f64) -> f64 {
    whole as f64 * factor + offset
}

/// The greatest raw value of SAE J1939-71 that is a value, of 2 bits or more.
fn greatest(bits: u32) -> u64 {
    if bits < 8 { (1 << bits) - 3 } else { (0xFB << (bits - 8)) - 1 }
}

/// SAE J1939-71: the upper ranges mean reserved, error and "not available"; the top 8 bits of a number
/// tell, or all bits of a shorter one.
pub(super) fn available(raw: u64, bits: u32) -> Result<(), RejectCode> {
    if bits < 8 {
        return match (1_u64 << bits) - 1 - raw {
            0 => Err(RejectCode::NotAvailable),
            1 => Err(RejectCode::SensorError),
            _ => Ok(()),
        };
    }
    match raw >> (bits - 8) {
        0xFF => Err(RejectCode::NotAvailable),
        0xFE => Err(RejectCode::SensorError),
        0xFB..=0xFD => Err(RejectCode::ReservedValue),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_range_of_whole_numbers_says_what_the_bounds_of_the_value_say(
            bits in 1_u32..=64,
            whole in any::<i64>(),
            factor in prop_oneof![-3.0..3.0_f64, Just(0.1), Just(-1e300), Just(1e308), Just(5e-324)],
            offset in prop_oneof![-1e3..1e3_f64, Just(0.0), Just(-1e308)],
            bounds in (-1e4..1e4_f64, prop_oneof![0.0..1e4_f64, Just(f64::INFINITY)]),
        ) {
            prop_assume!(factor != 0.0);
            let all = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
            let (min, max) = (bounds.0, bounds.0 + bounds.1);
            let found = believed(all, Conversion { factor, offset }, (min, max));
            let near = found.iter().flat_map(|(least, most)| [least, most]).flat_map(|edge| {
                [edge.saturating_sub(1), *edge, edge.saturating_add(1)]
            });
            for whole in near.chain([whole >> (64 - bits), all.0, all.1, 0]).filter(|n| (all.0..=all.1).contains(n)) {
                let value = scaled(whole, factor, offset);
                let is_inside = found.is_some_and(|(least, most)| (least..=most).contains(&whole));
                prop_assert_eq!(is_inside, value >= min && value <= max, "{} is {}", whole, value);
            }
        }

        #[test]
        fn the_greatest_value_of_j1939_is_the_last_that_is_available(bits in 2_u32..=63, raw in any::<u64>()) {
            let raw = raw >> (64 - bits);
            for raw in [raw, greatest(bits), greatest(bits) + 1] {
                prop_assert_eq!(available(raw, bits).is_ok(), raw <= greatest(bits));
            }
        }
    }
}
