//! A mapping file made into rules; what cannot work is refused with its line.

mod signal;

use super::{
    MappingError,
    clock::{Clock, Form},
    file::{self, File, OneOrMany, Otherwise},
    path::Path,
    rules::{Chosen, Condition, Country, Group, IdRule, Lined, Rules, VehicleRule},
};
use crate::units;
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};
use vernport_types::Catalogue;

/// Largest file, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 256 * 1024;
/// Most `[[readings]]`.
const MAX_GROUPS: usize = 32;
/// Most signals of one of them.
const MAX_SIGNALS: usize = 512;
/// Most entries of any other list.
const MAX_ENTRIES: usize = 512;
/// Readings of one message, where the file says nothing.
const DEFAULT_READINGS: usize = 512;
/// And what it may say.
const MAX_READINGS: usize = 4096;

/// What is wrong, and where in the file.
struct Wrong(Range<usize>, String);

type Checked<T> = Result<T, Wrong>;

/// Reads and checks a file.
pub(super) fn build(name: &str, text: &str, catalogue: &Catalogue) -> Result<Rules, MappingError> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("more than {MAX_FILE_BYTES} bytes");
        return Err(MappingError::Syntax { file: name.into(), message });
    }
    let file: File = toml::from_str(text)
        .map_err(|error| MappingError::Syntax { file: name.into(), message: error.to_string() })?;
    if file.format != 1 {
        return Err(MappingError::Format { file: name.into(), format: file.format });
    }
    rules(file, text, catalogue).map_err(|Wrong(place, what)| MappingError::Rule {
        file: name.into(),
        line: line(text, place.start),
        what,
    })
}

fn line(text: &str, place: usize) -> usize {
    let before = text.as_bytes().get(..place).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// What a check says about this place of the file.
fn at<T>(place: &Range<usize>, checked: Result<T, String>) -> Checked<T> {
    checked.map_err(|what| Wrong(place.clone(), what))
}

fn wrong<T>(place: &Range<usize>, what: impl Into<String>) -> Checked<T> {
    Err(Wrong(place.clone(), what.into()))
}

fn rules(file: File, text: &str, catalogue: &Catalogue) -> Checked<Rules> {
    let max_readings = file.max_readings.as_ref().map_or(DEFAULT_READINGS, |max| *max.get_ref());
    if let Some(max) = file.max_readings.filter(|max| !(1..=MAX_READINGS).contains(max.get_ref())) {
        return wrong(&max.span(), format!("max_readings: choose 1 to {MAX_READINGS}"));
    }
    let lined = |place: &Range<usize>| line(text, place.start);
    let id = Lined { line: lined(&file.id.span()), of: at(&file.id.span(), id(file.id.into_inner()))? };
    let vehicle = match file.vehicle {
        None => Lined { line: 1, of: vec![VehicleRule::Visit] },
        Some(vehicle) => {
            Lined { line: lined(&vehicle.span()), of: at(&vehicle.span(), vehicles(vehicle.into_inner()))? }
        }
    };
    let messages = match file.messages {
        None => None,
        Some(path) => {
            Some(Lined { line: lined(&path.span()), of: at(&path.span(), Path::to_many(path.get_ref()))? })
        }
    };
    let clocks = match file.time {
        None => Vec::new(),
        Some(time) => at(&time.span(), clocks(time.into_inner()))?,
    };
    let mut embedded = Vec::new();
    for one in file.embedded {
        embedded.push(Lined { line: lined(&one.span()), of: at(&one.span(), Path::to_many(one.get_ref()))? });
    }
    let mut require = Vec::new();
    for one in file.require {
        require.push(Lined { line: lined(&one.span()), of: at(&one.span(), condition(one.into_inner()))? });
    }
    let mut known = BTreeMap::new();
    for (theirs, ours) in file.units {
        if !units::is_known(ours.get_ref()) {
            return wrong(&ours.span(), format!("'{}' is no unit that can be converted", ours.get_ref()));
        }
        known.insert(theirs.into(), ours.into_inner().into());
    }
    let whole = 0..text.len();
    if file.readings.is_empty() {
        return wrong(&(text.len()..text.len()), "there is no [[readings]]: nothing would be read");
    }
    for (what, count) in [("require", require.len()), ("units", known.len()), ("embedded", embedded.len())] {
        if count > MAX_ENTRIES {
            return wrong(&whole, format!("{what}: at most {MAX_ENTRIES}"));
        }
    }
    if file.readings.len() > MAX_GROUPS {
        return wrong(&file.readings[MAX_GROUPS].span(), format!("at most {MAX_GROUPS} [[readings]]"));
    }
    let mut groups = Vec::new();
    for one in file.readings {
        let place = one.span();
        groups.push(group(&place, one.into_inner(), (text, catalogue), !clocks.is_empty())?);
    }
    let input = file.input;
    Ok(Rules { input, max_readings, id, vehicle, clocks, messages, embedded, require, units: known, groups })
}

fn id(id: file::Id) -> Result<IdRule, String> {
    match id {
        file::Id::Word(word) if word == "payload" => Ok(IdRule::Payload),
        file::Id::Word(word) => {
            Err(format!("id: write \"payload\" or {{ at = \"{word}\" }}, if that is the path of a field"))
        }
        file::Id::Field(place) => {
            let paths = place.at.into_vec();
            if paths.is_empty() {
                return Err("id: name at least one field in `at`".into());
            }
            paths.iter().map(|path| Path::to_words(path)).collect::<Result<_, _>>().map(IdRule::Fields)
        }
    }
}

fn vehicles(all: OneOrMany<file::Vehicle>) -> Result<Vec<VehicleRule>, String> {
    let all = all.into_vec();
    if all.is_empty() {
        return Err("vehicle: say at least one way, or \"visit\"".into());
    }
    let one = |vehicle: file::Vehicle| -> Result<VehicleRule, String> {
        match vehicle {
            file::Vehicle::Word(word) if word == "visit" => Ok(VehicleRule::Visit),
            file::Vehicle::Word(word) => {
                Err(format!("vehicle: \"{word}\" is none; write \"visit\" or a field"))
            }
            file::Vehicle::Field(field) => match (field.vin, field.plate, field.order) {
                (Some(vin), None, None) => Path::to_many(&vin).map(VehicleRule::Vin),
                (None, None, Some(order)) => Path::to_many(&order).map(VehicleRule::Order),
                (None, Some(plate), None) => {
                    let country = match (field.country, field.country_at) {
                        (Some(code), None)
                            if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) =>
                        {
                            Country::Fixed(code.into())
                        }
                        (None, Some(path)) => Country::At(Path::to_many(&path)?),
                        _ => {
                            return Err(
                                "vehicle: a plate needs country = \"NO\" or country_at = \"path\"".into()
                            );
                        }
                    };
                    Ok(VehicleRule::Plate(Path::to_many(&plate)?, country))
                }
                _ => Err("vehicle: name one of vin, plate and order".into()),
            },
        }
    };
    all.into_iter().map(one).collect()
}

/// The places where a time may stand, first to last.
fn clocks(all: OneOrMany<file::Time>) -> Result<Vec<Clock>, String> {
    let all = all.into_vec();
    if all.is_empty() {
        return Err("time: say at least one place, or \"arrival\"".into());
    }
    all.into_iter().map(clock).collect()
}

fn clock(time: file::Time) -> Result<Clock, String> {
    let field = match time {
        file::Time::Word(word) if word == "arrival" => return Ok(Clock::Arrival),
        file::Time::Word(word) => {
            return Err(format!("time: \"{word}\" is none; write \"arrival\" or {{ at = \"{word}\", … }}"));
        }
        file::Time::Field(field) => field,
    };
    let at: Vec<Path> = field.at.into_vec().iter().map(|at| Path::to_one(at)).collect::<Result<_, _>>()?;
    let zone = match &field.zone {
        None => None,
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            format!("time: there is no time zone '{name}'; write one of IANA's, such as \"Europe/Oslo\"")
        })?),
    };
    let form = match (field.unit, field.pattern) {
        (Some(_), Some(_)) => return Err("time: unit is for numbers and pattern for texts; keep one".into()),
        (Some(unit), None) => {
            let nanos = match unit.as_str() {
                "s" => 1_000_000_000,
                "ms" => 1_000_000,
                "us" => 1_000,
                "ns" => 1,
                _ => return Err(format!("time: '{unit}' is no unit; write s, ms, us or ns since 1970")),
            };
            if zone.is_some() {
                return Err("time: a number counts from 1970 in UTC; take zone out".into());
            }
            let base = field.base.as_deref().map(Path::to_one).transpose()?;
            Form::Number { nanos, base }
        }
        (None, _) if field.base.is_some() => return Err("time: base is for numbers; add unit".into()),
        (None, Some(pattern)) => {
            let example = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            strtime::format(pattern.as_bytes(), &example).map_err(|_| {
                format!("time: '{pattern}' is no pattern; it is written like \"%d.%m.%Y %H:%M:%S\"")
            })?;
            Form::Pattern(pattern.into())
        }
        (None, None) => Form::Text,
    };
    let one_field = matches!(form, Form::Number { .. });
    if at.is_empty() || (one_field && at.len() > 1) {
        return Err("time: name one field in `at`; only a text may stand in several".into());
    }
    Ok(Clock::Field { at, form, zone })
}

fn condition(condition: file::Condition) -> Result<Condition, String> {
    let words = |words: Option<OneOrMany<file::Word>>| -> Vec<Box<str>> {
        words.map(OneOrMany::into_vec).unwrap_or_default().iter().map(file::Word::text).collect()
    };
    let (is, is_not) = (words(condition.is), words(condition.is_not));
    if is.is_empty() && is_not.is_empty() && condition.present.is_none() {
        return Err("a condition says one of is, is_not and present".into());
    }
    Ok(Condition { at: Path::to_one(&condition.at)?, is, is_not, present: condition.present })
}

fn group(
    place: &Range<usize>,
    group: file::Group,
    (text, catalogue): (&str, &Catalogue),
    has_clock: bool,
) -> Checked<Group> {
    let path = |text: &Option<String>| at(place, text.as_deref().map(Path::to_one).transpose());
    let each = at(place, group.each.as_deref().map(Path::to_many).transpose())?;
    let name = path(&group.name)?;
    let unit_at = path(&group.unit_at)?;
    let value = match (&name, path(&group.value)?) {
        (Some(_), Some(value)) => value,
        (None, None) => Path::row(),
        (Some(_), None) => return wrong(place, "name needs value: where the value of a named row stands"),
        (None, Some(_)) => {
            return wrong(place, "value needs name; a signal says by at where its value stands");
        }
    };
    if name.is_none() && group.unlisted.is_some() {
        return wrong(place, "unlisted is about rows with a name; name says where that stands");
    }
    let when = group.when.into_iter().map(condition).collect::<Result<Vec<_>, _>>();
    let when = at(place, when)?;
    let own = at(place, group.time.map(clocks).transpose())?;
    if group.signal.is_empty() {
        return wrong(place, "there is no signal; say which names or fields are which paths");
    }
    if group.signal.len() > MAX_SIGNALS {
        return wrong(
            &group.signal[MAX_SIGNALS].span(),
            format!("at most {MAX_SIGNALS} signals; split the group"),
        );
    }
    let mut built = Group {
        line: line(text, place.start),
        each,
        when,
        name,
        value,
        unit_at,
        clocks: own,
        unlisted: group.unlisted.unwrap_or(Otherwise::Skip),
        bad_values: group.bad_values,
        rules: Vec::new(),
        fixed: Vec::new(),
        by_name: HashMap::new(),
    };
    let has_clock = has_clock || built.clocks.is_some();
    let mut lines: HashMap<Box<str>, usize> = HashMap::new();
    for one in group.signal {
        let span = one.span();
        let here = line(text, span.start);
        let signal::Built { rule, chosen } = signal::build(&span, here, one.into_inner(), &built, catalogue)?;
        if !has_clock && rule.clocks.is_none() {
            return wrong(&span, "nobody says when: add time to the file, to its [[readings]] or here");
        }
        let place = built.rules.len();
        if chosen.is_empty() {
            let taken = built.fixed.iter().map(|other| &built.rules[*other]);
            let mut same = taken.filter(|other| other.at.is_some() && other.at == rule.at);
            if same.any(|other| other.signal == rule.signal) {
                return wrong(&span, format!("{} is read from this field twice; keep one", rule.entry.path));
            }
            built.fixed.push(place);
        }
        for (name, half) in chosen {
            if let Some(first) = lines.insert(name.clone(), here) {
                return wrong(
                    &span,
                    format!("two rules for the name '{name}'; the first is in line {first}"),
                );
            }
            built.by_name.insert(
                name,
                match half {
                    None => Chosen::Whole(place),
                    Some(true) => Chosen::Latitude(place),
                    Some(false) => Chosen::Longitude(place),
                },
            );
        }
        built.rules.push(rule);
    }
    Ok(built)
}
