//! Units of DBC files, as people write them, to units of the catalogue: a closed list.
//!
//! What is not listed fits nothing: a signal with an unknown unit is not taken.

/// How a number in one unit becomes one in another: times the first, plus the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Conversion {
    pub(super) factor: f64,
    pub(super) offset: f64,
}

/// A unit of the catalogue, how it is written elsewhere, and what one of those is in it.
type Row = (&'static str, &'static [&'static str], f64, f64);

/// International foot and pound (1959), pound-force on square inch, and the decimal prefixes.
const ROWS: &[Row] = &[
    ("m", METRE, 1.0, 0.0),
    ("m", KILOMETRE, 1_000.0, 0.0),
    ("m", MILE, 1_609.344, 0.0),
    ("km", KILOMETRE, 1.0, 0.0),
    ("km", METRE, 0.001, 0.0),
    ("km", MILE, 1.609_344, 0.0),
    ("km/h", &["km/h", "kph", "kmh", "kmph", "km/hr", "kilometerperhour", "kilometersperhour"], 1.0, 0.0),
    ("km/h", &["mph", "mi/h", "mileperhour", "milesperhour"], 1.609_344, 0.0),
    ("km/h", &["m/s", "meterpersecond", "meterspersecond", "meter/sec", "m/sec"], 3.6, 0.0),
    ("percent", &["%", "percent", "percentage", "pct"], 1.0, 0.0),
    ("V", &["v", "volt", "volts"], 1.0, 0.0),
    ("V", &["mv", "millivolt", "millivolts"], 0.001, 0.0),
    ("h", &["h", "hr", "hrs", "hour", "hours"], 1.0, 0.0),
    ("h", &["min", "minute", "minutes", "minut"], 1.0 / 60.0, 0.0),
    ("h", &["s", "sec", "second", "seconds", "secon"], 1.0 / 3_600.0, 0.0),
    ("kPa", &["kpa", "kpag", "kilopascal", "kilopascals"], 1.0, 0.0),
    ("kPa", &["hpa", "mbar", "millibar"], 0.1, 0.0),
    ("kPa", &["bar"], 100.0, 0.0),
    ("kPa", &["psi"], 6.894_757_293_168, 0.0),
    ("kPa", &["pa", "pascal"], 0.001, 0.0),
    ("Celsius", CELSIUS, 1.0, 0.0),
    ("Celsius", &["f", "degf", "°f", "ºf", "degreef", "degreesf", "fahrenheit"], 5.0 / 9.0, -160.0 / 9.0),
    ("Celsius", &["k", "kelvin"], 1.0, -273.15),
    ("kg", &["kg", "kilogram", "kilograms"], 1.0, 0.0),
    ("kg", &["lb", "lbs"], 0.453_592_37, 0.0),
    ("l", &["l", "liter", "litre", "liters", "litres"], 1.0, 0.0),
    ("l", &["ml", "milliliter", "millilitre"], 0.001, 0.0),
    ("degrees", &["deg", "degree", "degrees", "°", "º", "degreofarc"], 1.0, 0.0),
    ("degrees", &["mas", "milliarcsecond", "milliarcseconds"], 1.0 / 3_600_000.0, 0.0),
];
const METRE: &[&str] = &["m", "meter", "metre", "meters", "metres"];
const KILOMETRE: &[&str] = &["km", "kms", "kilometer", "kilometre", "kilometers", "kilometres"];
const MILE: &[&str] = &["mi", "mile", "miles"];
const CELSIUS: &[&str] = &[
    "c",
    "degc",
    "°c",
    "ºc",
    "â°c",
    "celsius",
    "degcelsius",
    "degreec",
    "degreesc",
    "degreecelsius",
    "degreescelsius",
    "degrecelsi",
];

/// From a unit of a DBC file to one of the catalogue.
pub(super) fn conversion(from: &str, to: &str) -> Option<Conversion> {
    let from = plain(from)?;
    ROWS.iter()
        .find(|(unit, written, ..)| *unit == to && written.contains(&from.as_str()))
        .map(|(_, _, factor, offset)| Conversion { factor: *factor, offset: *offset })
}

/// Whether it is a unit of the catalogue that numbers of a file are converted to.
#[cfg(test)]
pub(super) fn is_target(unit: &str) -> bool {
    ROWS.iter().any(|(to, ..)| *to == unit)
}

/// Whether a unit measures something, so that its signal is no flag.
pub(super) fn is_measure(unit: &str) -> bool {
    plain(unit).is_some_and(|unit| ROWS.iter().any(|(_, written, ..)| written.contains(&unit.as_str())))
}

/// Without case, space, dots and the prefix `Unit_`; none where the case makes the difference.
fn plain(unit: &str) -> Option<String> {
    // Megavolt, megapascal: not what is meant by their small twins.
    if matches!(unit, "MV" | "Mbar" | "ML" | "PA" | "S") {
        return None;
    }
    let unit = unit.strip_prefix("Unit_").unwrap_or(unit);
    Some(unit.to_lowercase().chars().filter(|letter| !matches!(letter, ' ' | '.' | '_')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_real_files_become_those_of_the_catalogue() {
        let to = |value: f64, from: &str, to: &str| {
            conversion(from, to).map(|c| (value * c.factor + c.offset) * 1e6).map(|micro| micro.round() / 1e6)
        };
        assert_eq!(to(65_625.0, "km", "m"), Some(65_625_000.0));
        assert_eq!(to(100.0, "Unit_KiloMeter", "m"), Some(100_000.0));
        assert_eq!(to(1.0, "miles", "m"), Some(1_609.344));
        assert_eq!(to(100.0, "MPH", "km/h"), Some(160.934_4));
        assert_eq!(to(10.0, "km / h", "km/h"), Some(10.0));
        assert_eq!(to(32.0, "PSI", "kPa"), Some(220.632_233));
        assert_eq!(to(2.5, "bar", "kPa"), Some(250.0));
        assert_eq!(to(212.0, "degF", "Celsius"), Some(100.0));
        assert_eq!(to(20.0, "°C", "Celsius"), Some(20.0));
        assert_eq!(to(12_600.0, "mV", "V"), Some(12.6));
        assert_eq!(to(90.0, "min", "h"), Some(1.5));
        assert_eq!(to(77.0, "Unit_PerCent", "percent"), Some(77.0));
    }

    #[test]
    fn what_does_not_fit_fits_nothing() {
        for (from, to) in
            [("", "m"), ("km/mile", "m"), ("SED", "percent"), ("km", "V"), ("MV", "V"), ("m", "h")]
        {
            assert_eq!(conversion(from, to), None, "{from} to {to}");
        }
        assert!(is_measure("km") && !is_measure("SED") && !is_measure(""));
    }
}
