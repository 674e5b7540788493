//! Units that tools may send, and how each becomes the catalogue's. A closed
//! list: what is not here is refused, never guessed.

/// `(sent, catalogue, factor, offset)`: catalogue value = sent value × factor + offset.
/// Names are those of VSS 6.0 `units.yaml`, and a few that workshop tools use.
const CONVERSIONS: &[(&str, &str, f64, f64)] = &[
    ("km", "m", 1000.0, 0.0),
    ("mi", "m", 1609.344, 0.0),
    ("m", "km", 0.001, 0.0),
    ("mi", "km", 1.609_344, 0.0),
    ("cm", "m", 0.01, 0.0),
    ("mm", "m", 0.001, 0.0),
    ("m/s", "km/h", 3.6, 0.0),
    ("mph", "km/h", 1.609_344, 0.0),
    ("km/h", "m/s", 1.0 / 3.6, 0.0),
    ("celsius", "Celsius", 1.0, 0.0),
    ("Fahrenheit", "Celsius", 5.0 / 9.0, -160.0 / 9.0),
    ("fahrenheit", "Celsius", 5.0 / 9.0, -160.0 / 9.0),
    ("K", "Celsius", 1.0, -273.15),
    ("mV", "V", 0.001, 0.0),
    ("mA", "A", 0.001, 0.0),
    ("bar", "kPa", 100.0, 0.0),
    ("mbar", "kPa", 0.1, 0.0),
    ("Pa", "kPa", 0.001, 0.0),
    ("psi", "kPa", 6.894_757_293_168, 0.0),
    ("min", "s", 60.0, 0.0),
    ("h", "s", 3600.0, 0.0),
    ("s", "h", 1.0 / 3600.0, 0.0),
    ("min", "h", 1.0 / 60.0, 0.0),
    ("ms", "s", 0.001, 0.0),
    ("ml", "l", 0.001, 0.0),
    ("g", "kg", 0.001, 0.0),
    ("t", "kg", 1000.0, 0.0),
    ("ratio", "percent", 100.0, 0.0),
    ("kn", "km/h", 1.852, 0.0),
    ("lb", "kg", 0.453_592_37, 0.0),
    ("gal", "l", 3.785_411_784, 0.0),
];

/// Whether anything is said about this unit.
pub(crate) fn is_known(unit: &str) -> bool {
    CONVERSIONS.iter().any(|c| c.0 == unit || c.1 == unit) || ["percent", "degrees"].contains(&unit)
}

/// What becomes this unit: itself first.
pub(crate) fn into(wanted: &str) -> impl Iterator<Item = &str> {
    std::iter::once(wanted).chain(CONVERSIONS.iter().filter(move |c| c.1 == wanted).map(|c| c.0))
}

/// The value in the catalogue's unit; `None` if nobody said how to get there.
/// The result may be infinite; the caller checks.
pub(crate) fn convert(value: f64, sent: &str, wanted: &str) -> Option<f64> {
    if sent == wanted {
        return Some(value);
    }
    let (_, _, factor, offset) = CONVERSIONS.iter().find(|c| c.0 == sent && c.1 == wanted)?;
    Some(value * factor + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_come_out() {
        for (value, sent, wanted, expected) in [
            (158_910.6, "km", "m", 158_910_600.0),
            (100.0, "mi", "m", 160_934.4),
            (212.0, "fahrenheit", "Celsius", 100.0),
            (0.0, "K", "Celsius", -273.15),
            (10.0, "m/s", "km/h", 36.0),
            (2.5, "bar", "kPa", 250.0),
            (90.0, "min", "h", 1.5),
        ] {
            let got = convert(value, sent, wanted).expect("listed");
            assert!((got - expected).abs() < 1e-6, "{value} {sent} is {got} {wanted}");
        }
    }

    #[test]
    fn what_becomes_a_unit_is_told() {
        assert_eq!(into("V").collect::<Vec<_>>(), ["V", "mV"]);
        assert!(is_known("mi") && is_known("km/h") && is_known("percent") && !is_known("furlong"));
    }

    #[test]
    fn what_is_not_listed_is_refused_and_no_pair_is_listed_twice() {
        assert_eq!(convert(1.0, "furlong", "m"), None);
        assert_eq!(convert(1.0, "m", "Celsius"), None);
        for (n, a) in CONVERSIONS.iter().enumerate() {
            assert!(CONVERSIONS[n + 1..].iter().all(|b| (a.0, a.1) != (b.0, b.1)), "{} {}", a.0, a.1);
        }
    }

    #[test]
    fn a_way_there_and_a_way_back_cancel() {
        for (sent, wanted, ..) in CONVERSIONS {
            if let Some(back) = convert(7.0, sent, wanted).and_then(|there| convert(there, wanted, sent)) {
                assert!((back - 7.0).abs() < 1e-9, "{sent} {wanted}");
            }
        }
    }
}
