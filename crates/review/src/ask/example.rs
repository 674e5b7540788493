//! An example of what a signal may say: enough to show what a minimiser leaves of it.

use vernport_types::{Fault, FaultState, Label, Number, Position, Signal, TroubleCode, Value, ValueKind};

/// A value of a signal's kind, within the bounds of the catalogue. Always the same.
///
/// # Panics
/// Never: the values are constants, or lie between bounds.
pub fn example(signal: &Signal) -> Value {
    match signal.kind {
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        ValueKind::Integer => Value::Integer(within(signal, 158_910_605.0) as i64),
        ValueKind::Number => Value::Number(Number::new(within(signal, 53.7)).expect("finite")),
        ValueKind::Flag => Value::Flag(true),
        ValueKind::Label => Value::Label(Label::new("example").expect("short")),
        ValueKind::Position => {
            Value::Position(Position::from_degrees(59.9127, 10.7461).expect("on the globe"))
        }
        // P0420: the catalyst's efficiency is below its threshold (SAE J2012).
        ValueKind::TroubleCode => {
            Value::TroubleCode(TroubleCode { fault: Fault::Obd(0x0420), state: FaultState::Present })
        }
    }
}

/// The number, or the middle of the bounds where it lies outside of them.
fn within(signal: &Signal, number: f64) -> f64 {
    let (min, max) = (signal.min.unwrap_or(f64::MIN), signal.max.unwrap_or(f64::MAX));
    if (min..=max).contains(&number) { number } else { f64::midpoint(min, max) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::Catalogue;

    #[test]
    fn every_example_is_within_the_bounds_of_its_signal() {
        let text = include_str!("../../../../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
        for (_, signal) in catalogue.iter() {
            let Some(number) = example(signal).as_f64() else { continue };
            assert!(signal.min.is_none_or(|min| min <= number), "{}", signal.path);
            assert!(signal.max.is_none_or(|max| number <= max), "{}", signal.path);
        }
    }
}
