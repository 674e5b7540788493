//! Dates that stand in headers, as microseconds since 1970. No file says its
//! time zone: all of them are taken as UTC.

/// 1899-12-30, from where PEAK counts days, in days before 1970-01-01.
const OLE_EPOCH_DAYS: i64 = 25_569;
const DAY_MICROS: i64 = 86_400_000_000;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Microseconds at the beginning of a day of the Gregorian calendar.
pub(super) fn date(year: u32, month: u32, day: u32) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that a leap day is the last day of one.
    let (year, month) = (i64::from(year) - i64::from(month <= 2), (i64::from(month) + 9) % 12);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * DAY_MICROS)
}

/// Microseconds since midnight of `hh:mm:ss` and a fraction after `.` or `:`.
pub(super) fn time_of_day(word: &str) -> Option<i64> {
    let mut parts = word.splitn(3, ':');
    let mut number = |below: u32| super::fields::decimal(parts.next()?).filter(|n| *n < below).map(i64::from);
    let (hours, minutes) = (number(24)?, number(60)?);
    let seconds = parts.next()?;
    let seconds = match seconds.split_once([':', '.']) {
        Some((whole, fraction)) => super::fields::scaled(whole, 6)?
            .checked_add(super::fields::scaled(&("0.".to_owned() + fraction), 6)?)?,
        None => super::fields::scaled(seconds, 6)?,
    };
    (seconds < 61_000_000).then_some((hours * 60 + minutes) * 60_000_000 + seconds)
}

/// `Fri Feb 14 08:51:20.000 am 2020`, with or without `am` and `pm`.
pub(super) fn english(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().take(7).collect();
    let (month, day, time, half, year) = match words[..] {
        [_, month, day, time, year] => (month, day, time, None, year),
        [_, month, day, time, half, year] => (month, day, time, Some(half), year),
        _ => return None,
    };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| month.eq_ignore_ascii_case(name))?.1;
    let day = date(super::fields::decimal(year)?, month, super::fields::decimal(day)?)?;
    let (time, noon) = (time_of_day(time)?, DAY_MICROS / 2);
    let time = match half {
        None => time,
        Some("am" | "AM") if time >= noon => time - noon,
        Some("pm" | "PM") if time < noon => time + noon,
        Some("am" | "AM" | "pm" | "PM") => time,
        Some(_) => return None,
    };
    Some(day + time)
}

/// Days since 1899-12-30 with a fraction, as in a `$STARTTIME` of PEAK.
pub(super) fn ole_days(word: &str) -> Option<i64> {
    let word = word.trim_end_matches(';');
    let days = super::fields::scaled(word, 0)?;
    let fraction = word.split_once('.').map_or("0", |(_, fraction)| fraction);
    // Twelve digits of a day are a tenth of a microsecond.
    let fraction = super::fields::scaled(&("0.".to_owned() + fraction), 12)?;
    let micros = i128::from(fraction) * i128::from(DAY_MICROS) / 1_000_000_000_000;
    days.checked_sub(OLE_EPOCH_DAYS)?.checked_mul(DAY_MICROS)?.checked_add(i64::try_from(micros).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(1970, 1, 1), Some(0));
        assert_eq!(date(2026, 11, 20), Some(1_795_132_800_000_000));
        assert_eq!(date(2024, 3, 1).zip(date(2024, 2, 29)).map(|(a, b)| a - b), Some(DAY_MICROS));
        assert_eq!((date(0, 1, 1), date(2026, 13, 1), date(2026, 1, 32)), (None, None, None));
    }

    #[test]
    fn times_of_headers_are_read_in_every_form() {
        assert_eq!(time_of_day("22:20:14:992"), Some(80_414_992_000));
        assert_eq!(time_of_day("12:22:43.1281"), Some(44_563_128_100));
        assert_eq!((time_of_day("24:00:00"), time_of_day("1:2"), time_of_day("")), (None, None, None));
        let plain = english("Thu Jan 01 00:13:40.298 1970");
        assert_eq!(plain, Some(820_298_000));
        assert_eq!(english("Fri Feb 14 08:51:20 am 2020"), Some(1_581_670_280_000_000));
        assert_eq!(english("Fri Feb 14 12:51:20 am 2020"), Some(1_581_641_480_000_000));
        assert_eq!(english("Fri Feb 14 08:51:20 pm 2020"), Some(1_581_713_480_000_000));
        assert_eq!((english("Fre Mrz 14 08:51:20 2020"), english("")), (None, None));
    }

    #[test]
    fn days_of_peak_are_read() {
        assert_eq!(ole_days("25569.009494189813"), Some(820_297_999));
        assert_eq!(ole_days("25569"), Some(0));
        assert_eq!((ole_days("x"), ole_days("99999999999999")), (None, None));
    }
}
