//! One signal of a mapping file, held against the catalogue.

use super::{Checked, MAX_ENTRIES, Wrong, at, clocks};
use crate::{
    mapping::{
        dtc::{Codes, States},
        file::{Dtc, OneOrMany, Order, Signal, Word},
        path::Path,
        rules::{Group, Rule, What},
        value::{Degrees, Halves, Meant, Scalar},
    },
    units,
};
use std::{collections::BTreeMap, ops::Range};
use vernport_types::{Catalogue, FaultState, Label, Signal as Entry, ValueKind};

/// How far apart the rows of one position may be, where the file says nothing.
const DEFAULT_WITHIN_MS: u32 = 1000;
/// And what it may say.
const MAX_WITHIN_MS: u32 = 60_000;

/// A name, and whether it is that of a latitude, a longitude, or of a whole value.
type Name = (Box<str>, Option<bool>);

/// A rule, and the names that choose it.
pub(super) struct Built {
    pub(super) rule: Rule,
    pub(super) chosen: Vec<Name>,
}

pub(super) fn build(
    place: &Range<usize>,
    line: usize,
    signal: Signal,
    group: &Group,
    catalogue: &Catalogue,
) -> Checked<Built> {
    let Some(id) = catalogue.find(signal.path.get_ref()) else {
        let what = format!("the signal catalogue has no {}; see config/signals", signal.path.get_ref());
        return Err(Wrong(signal.path.span(), what));
    };
    let entry = catalogue.signal(id).clone();
    at(place, checked(id, entry, (line, signal), group))
}

fn checked(
    id: vernport_types::SignalId,
    entry: Entry,
    (line, signal): (usize, Signal),
    group: &Group,
) -> Result<Built, String> {
    let fits = Fits { kind: entry.kind };
    fits.keys(&signal)?;
    let chosen = names(&signal, group)?;
    let at = signal.at.as_deref().map(Path::to_one).transpose()?;
    if at.is_some() && !chosen.is_empty() {
        return Err("name chooses a row and at a field; keep one".into());
    }
    let what = match entry.kind {
        ValueKind::Position => What::Position(degrees(&signal)?),
        ValueKind::TroubleCode => What::Codes(Box::new(codes(&signal)?)),
        _ => What::Scalar,
    };
    let own_fields = match &what {
        What::Scalar => false,
        What::Position(_) => true,
        What::Codes(codes) => codes.j1939.is_some(),
    };
    if at.is_none() && chosen.is_empty() && !own_fields {
        return Err("say where its value stands: at = \"path\", or name in rows with a name".into());
    }
    if at.is_some() && own_fields {
        return Err("at is for one value; what has several fields names each of them".into());
    }
    let scalar = scalar(&entry, &signal, group)?;
    let unit_at = signal.unit_at.as_deref().map(Path::to_one).transpose()?;
    let clocks = signal.time.map(clocks).transpose()?;
    let rule = Rule { line, signal: id, entry, at, what, unit_at, scalar, clocks };
    Ok(Built { rule, chosen })
}

/// Which keys a kind of signal may have.
struct Fits {
    kind: ValueKind,
}

impl Fits {
    fn keys(&self, signal: &Signal) -> Result<(), String> {
        let position = signal.latitude.is_some()
            || signal.longitude.is_some()
            || signal.latitude_name.is_some()
            || signal.longitude_name.is_some()
            || signal.both.is_some()
            || signal.order.is_some()
            || signal.within_ms.is_some();
        let codes = signal.dtc.is_some()
            || signal.state.is_some()
            || signal.state_at.is_some()
            || signal.status_at.is_some()
            || signal.split.is_some()
            || signal.none_if_empty
            || !signal.none.is_empty()
            || !signal.states.is_empty()
            || signal.spn.is_some()
            || signal.fmi.is_some()
            || signal.occurrence.is_some();
        let numbers = signal.scale.is_some()
            || signal.offset.is_some()
            || signal.hex
            || signal.decimal_comma
            || signal.suffix.is_some()
            || signal.thousands.is_some();
        let is_number = matches!(self.kind, ValueKind::Integer | ValueKind::Number);
        let is_position = self.kind == ValueKind::Position;
        let is_flag = self.kind == ValueKind::Flag;
        let is_code = self.kind == ValueKind::TroubleCode;
        if position && !is_position {
            return Err("latitude, longitude, both, order and within_ms are for a position".into());
        }
        if codes && !is_code {
            return Err("dtc, state, split, none and their like are for trouble codes".into());
        }
        let takes_numbers = is_number || is_position || is_flag && signal.bit.is_some();
        if numbers && !takes_numbers {
            return Err("scale, offset, hex, decimal_comma, thousands and suffix are for numbers".into());
        }
        if signal.bit.is_some_and(|bit| !is_flag || bit > 52 || !signal.values.is_empty()) {
            return Err("bit is for a flag without values: 0 to 52".into());
        }
        if signal.unit_at.is_some() && !is_number {
            return Err("unit_at is for numbers".into());
        }
        if !signal.values.is_empty() && (is_position || is_code) {
            return Err("values is for numbers, flags and labels".into());
        }
        if numbers && !signal.values.is_empty() {
            return Err("values says what each word means; take scale and its like out".into());
        }
        Ok(())
    }
}

fn names(signal: &Signal, group: &Group) -> Result<Vec<Name>, String> {
    let whole = match &signal.name {
        None => Vec::new(),
        Some(OneOrMany::One(name)) => vec![(name.text(), None)],
        Some(OneOrMany::Many(names)) => names.iter().map(|name| (name.text(), None)).collect(),
    };
    let halves = match (&signal.latitude_name, &signal.longitude_name) {
        (None, None) => Vec::new(),
        (Some(latitude), Some(longitude)) => {
            vec![(latitude.text(), Some(true)), (longitude.text(), Some(false))]
        }
        _ => return Err("latitude_name and longitude_name belong together".into()),
    };
    if !whole.is_empty() && !halves.is_empty() {
        return Err("a position has one name, or latitude_name and longitude_name".into());
    }
    if whole.len() > MAX_ENTRIES {
        return Err(format!("name: at most {MAX_ENTRIES}"));
    }
    let chosen = if halves.is_empty() { whole } else { halves };
    if !chosen.is_empty() && group.name.is_none() {
        return Err("its [[readings]] does not say where the name of a row stands: add name and value".into());
    }
    Ok(chosen)
}

fn degrees(signal: &Signal) -> Result<Degrees, String> {
    let by_rows = signal.latitude_name.is_some();
    let within_ms = signal.within_ms.unwrap_or(DEFAULT_WITHIN_MS);
    if signal.within_ms.is_some() && !by_rows {
        return Err("within_ms is for latitude_name and longitude_name".into());
    }
    if !(1..=MAX_WITHIN_MS).contains(&within_ms) {
        return Err(format!("within_ms: choose 1 to {MAX_WITHIN_MS} milliseconds"));
    }
    match (&signal.latitude, &signal.longitude, &signal.both, signal.order, by_rows) {
        (Some(latitude), Some(longitude), None, None, false) => {
            Ok(Degrees::Fields { latitude: Path::to_one(latitude)?, longitude: Path::to_one(longitude)? })
        }
        (None, None, Some(both), Some(order), false) => {
            Ok(Degrees::Both { at: Path::to_one(both)?, longitude_first: order == Order::LongitudeLatitude })
        }
        (None, None, None, None, true) => {
            Ok(Degrees::Rows(Halves { within_micros: i64::from(within_ms) * 1000 }))
        }
        _ => Err("a position is latitude and longitude (paths), latitude_name and longitude_name (rows), \
                  or both (one path) with order = \"latitude-longitude\" or \"longitude-latitude\""
            .into()),
    }
}

fn codes(signal: &Signal) -> Result<Codes, String> {
    let Some(form) = signal.dtc else {
        return Err(
            "say how its codes are written: dtc = \"sae\", \"hex2\", \"hex3\", \"number\" or \"j1939\""
                .into(),
        );
    };
    let state = |word: &str| match word {
        "present" => Ok(FaultState::Present),
        "stored" => Ok(FaultState::Stored),
        "pending" => Ok(FaultState::Pending),
        _ => Err(format!("'{word}' is no state; write present, stored or pending")),
    };
    let states = match (&signal.state, &signal.state_at) {
        (Some(word), None) if signal.states.is_empty() => States::All(state(word)?),
        (None, Some(path)) if !signal.states.is_empty() => {
            let mut words = BTreeMap::new();
            for (word, meant) in &signal.states {
                words.insert(word.as_str().into(), state(meant)?);
            }
            States::Table { at: Path::to_one(path)?, words }
        }
        _ => {
            return Err("say state = \"present\", \"stored\" or \"pending\" for all, \
                        or state_at with states for each"
                .into());
        }
    };
    let j1939 = match (form, &signal.spn, &signal.fmi) {
        (Dtc::J1939, Some(spn), Some(fmi)) => {
            let occurrence = signal.occurrence.as_deref().map(Path::to_one).transpose()?;
            Some((Path::to_one(spn)?, Path::to_one(fmi)?, occurrence))
        }
        (Dtc::J1939, ..) => return Err("dtc = \"j1939\" needs the paths spn and fmi".into()),
        (_, None, None) if signal.occurrence.is_none() => None,
        _ => return Err("spn, fmi and occurrence are for dtc = \"j1939\"".into()),
    };
    if signal.split.as_deref().is_some_and(str::is_empty) {
        return Err("split: name the sign between two codes".into());
    }
    if signal.status_at.is_some() && !matches!(form, Dtc::Hex3 | Dtc::Sae) {
        return Err("status_at is for codes of ISO 14229-1: dtc = \"hex3\" or \"sae\"".into());
    }
    Ok(Codes {
        form,
        states,
        status: signal.status_at.as_deref().map(Path::to_one).transpose()?,
        split: signal.split.as_deref().map(Into::into),
        none: signal.none.iter().map(Word::text).collect(),
        none_if_empty: signal.none_if_empty,
        j1939,
    })
}

fn scalar(entry: &Entry, signal: &Signal, group: &Group) -> Result<Scalar, String> {
    let is_number = matches!(entry.kind, ValueKind::Integer | ValueKind::Number);
    let unit = signal.unit.as_deref();
    if let Some(unit) = unit.filter(|unit| is_number && units::convert(1.0, unit, &entry.unit).is_none()) {
        let ways = units::into(&entry.unit).collect::<Vec<_>>().join(", ");
        return Err(format!("nobody said how {unit} becomes {}: it takes {ways}", entry.unit));
    }
    if unit.is_some_and(|unit| !is_number && *unit != *entry.unit) {
        return Err("there is nothing to convert: take unit out".into());
    }
    let names_unit = signal.unit_at.is_some() || group.unit_at.is_some();
    if is_number && unit.is_none() && !names_unit && !entry.unit.is_empty() {
        return Err(format!("say the sender's unit; the catalogue has {}", entry.unit));
    }
    let (scale, offset) = (signal.scale.unwrap_or(1.0), signal.offset.unwrap_or(0.0));
    if !scale.is_finite() || scale == 0.0 || !offset.is_finite() {
        return Err("scale and offset are finite numbers, and scale is not 0".into());
    }
    if signal.values.len().max(signal.missing.len()) > MAX_ENTRIES {
        return Err(format!("values and missing: at most {MAX_ENTRIES} each"));
    }
    let meant = |(word, meant): (&String, &Word)| -> Result<(Box<str>, Meant), String> {
        let meant = match (entry.kind, meant) {
            (ValueKind::Flag, Word::Flag(flag)) => Meant::Flag(*flag),
            #[expect(clippy::cast_precision_loss, reason = "a number that a person wrote")]
            (ValueKind::Integer | ValueKind::Number, Word::Integer(number)) => Meant::Number(*number as f64),
            (ValueKind::Integer | ValueKind::Number, Word::Number(number)) => Meant::Number(*number),
            (ValueKind::Label, Word::Text(text)) => {
                let label = Label::new(text).map_err(|error| format!("values: '{word}': {error}"))?;
                Meant::Label(label)
            }
            _ => {
                return Err(format!("values: '{word}' stands for a value of another kind than the signal's"));
            }
        };
        Ok((word.as_str().into(), meant))
    };
    Ok(Scalar {
        unit: unit.map(Into::into),
        scale,
        offset,
        hex: signal.hex,
        decimal_comma: signal.decimal_comma,
        suffix: signal.suffix.as_deref().map(Into::into),
        thousands: signal.thousands,
        bit: signal.bit,
        values: signal.values.iter().map(meant).collect::<Result<_, String>>()?,
        missing: signal.missing.iter().map(Word::text).collect(),
    })
}
