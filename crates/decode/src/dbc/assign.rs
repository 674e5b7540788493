//! The rules of a mapping, applied to a database: which signal is which of the catalogue.
//!
//! A path comes from the first rule, and of that from the first name, that fits
//! anything. What is ambiguous is not taken: two names that fit one pattern, a
//! unit that is not one of the catalogue's, a distance too short for an odometer, a
//! name that many messages share.

use super::{
    database::{Database, Message, Shape, Signal},
    mapping::{Mapping, Pattern, Rule, Verdict, plain},
    unit::{self, Conversion},
};
use std::collections::BTreeMap;
use vernport_types::{Catalogue, SignalId, ValueKind};

/// In how many messages one quantity of a vehicle may be: copies for another bus, not the objects of a radar.
const MOST_MESSAGES: usize = 3;

/// A signal of a database and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taken {
    pub(super) message: usize,
    /// For a position, the latitude.
    pub(super) signal: usize,
    pub(super) longitude: Option<usize>,
    pub(super) path: SignalId,
    pub(super) kind: ValueKind,
    /// From the unit of the file to that of the catalogue.
    pub(super) conversion: Conversion,
    /// What the file says it is at most, in the unit of the catalogue.
    pub(super) most: f64,
    pub(super) on: u64,
    pub(super) off: u64,
    /// The signal that says whether this one holds, and its raw value when it does.
    pub(super) valid: Option<(usize, u64)>,
}

/// A signal with a name that a rule knows, and why it was not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Passed {
    pub(super) message: usize,
    pub(super) signal: usize,
    pub(super) why: String,
}

/// What became of the signals of one database.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    /// In the order of the file.
    pub(super) taken: Vec<Taken>,
    /// In the order of the file.
    pub(super) passed: Vec<Passed>,
}

/// Applies the rules.
pub(super) fn assign(mapping: &Mapping, database: &Database, catalogue: &Catalogue) -> Assignment {
    let names = Names::new(database);
    let mut settled: Vec<Vec<bool>> =
        database.messages.iter().map(|m| vec![false; m.signals.len()]).collect();
    let mut paths: BTreeMap<SignalId, bool> = BTreeMap::new();
    let mut assignment = Assignment::default();
    for rule in &mapping.rules {
        let fitting = names.fitting(rule, database, &settled);
        let path = match &rule.verdict {
            Verdict::Ignore(why) => {
                for place in fitting {
                    settled[place.message][place.signal] = true;
                    if mapping.rules.iter().any(|rule| rule.is_hinted_at_by(names.signal(place))) {
                        assignment.passed.push(place.passed(format!("ignored: {why}")));
                    }
                }
                continue;
            }
            Verdict::Path(path) => path,
        };
        let Some(id) = catalogue.find(path) else { continue };
        let mut good = Vec::new();
        for place in fitting {
            match taken(rule, &names, database, place, id, catalogue) {
                Ok(taken) => good.push((place, taken)),
                Err(why) => assignment.passed.push(place.passed(format!("{path}: {why}"))),
            }
        }
        let closed = paths.get(&id).is_some_and(|by_exact_rule| !(*by_exact_rule && rule.is_exact()));
        let best = good.iter().map(|(place, _)| place.rank).min();
        let mut first_name: Option<&[char]> = None;
        let several = good
            .iter()
            .filter(|(place, _)| Some(place.rank) == best)
            .any(|(place, _)| *first_name.get_or_insert(names.signal(*place)) != names.signal(*place));
        // An SPN has the first rank: it says what the signal is, however many control units send it.
        let of_best = good.iter().filter(|(place, _)| place.rank > 0 && Some(place.rank) == best).count();
        let many = rule.message.is_none() && of_best > MOST_MESSAGES;
        for (place, taken) in good {
            let why = if closed {
                "the path comes from another signal already"
            } else if Some(place.rank) != best {
                "another name of the same rule comes first"
            } else if several {
                "several names fit; name one in a mapping"
            } else if many {
                "it is in so many messages that it is something else; name one in a mapping"
            } else {
                settled[place.message][place.signal] = true;
                paths.insert(id, rule.is_exact());
                assignment.taken.push(taken);
                continue;
            };
            assignment.passed.push(place.passed(format!("{path}: {why}")));
        }
    }
    assignment.taken.sort_by_key(|taken| (taken.message, taken.signal));
    assignment.passed.retain(|passed| !settled_by_path(&assignment.taken, passed));
    assignment.passed.sort();
    assignment.passed.dedup_by_key(|passed| (passed.message, passed.signal));
    assignment
}

fn settled_by_path(taken: &[Taken], passed: &Passed) -> bool {
    taken
        .binary_search_by_key(&(passed.message, passed.signal), |taken| (taken.message, taken.signal))
        .is_ok()
}

/// A signal that a rule fits.
#[derive(Debug, Clone, Copy)]
struct Place {
    message: usize,
    signal: usize,
    /// Which of the rule's names it has; the first is best.
    rank: usize,
}

impl Place {
    fn passed(self, why: String) -> Passed {
        Passed { message: self.message, signal: self.signal, why }
    }
}

/// The names of a database as rules compare them.
struct Names {
    messages: Vec<Vec<char>>,
    signals: Vec<Vec<Vec<char>>>,
}

impl Names {
    fn new(database: &Database) -> Self {
        Self {
            messages: database.messages.iter().map(|message| plain(&message.name)).collect(),
            signals: database
                .messages
                .iter()
                .map(|message| message.signals.iter().map(|signal| plain(&signal.name)).collect())
                .collect(),
        }
    }

    fn signal(&self, place: Place) -> &[char] {
        &self.signals[place.message][place.signal]
    }

    fn fitting(&self, rule: &Rule, database: &Database, settled: &[Vec<bool>]) -> Vec<Place> {
        let mut places = Vec::new();
        for (message, of) in database.messages.iter().enumerate() {
            if !rule.message.as_ref().is_none_or(|pattern| pattern.fits(&self.messages[message])) {
                continue;
            }
            for (signal, name) in self.signals[message].iter().enumerate() {
                if settled[message][signal] {
                    continue;
                }
                let by_spn = rule.spn.is_some() && of.signals[signal].spn == rule.spn;
                let by_name = rule.signal.iter().position(|pattern| pattern.fits(name));
                let rank = if by_spn { Some(0) } else { by_name.map(|rank| rank + 1) };
                places.extend(rank.map(|rank| Place { message, signal, rank }));
            }
        }
        places
    }

    /// The one signal of a message that one of the patterns fits, best pattern first, and that is
    /// there whenever another one is.
    fn beside(&self, patterns: &[Pattern], message: usize, of: &Message, signal: usize) -> Option<usize> {
        patterns.iter().find_map(|pattern| {
            let mut fitting = (0..of.signals.len()).filter(|other| {
                let switch = &of.signals[*other].switch;
                *other != signal
                    && pattern.fits(&self.signals[message][*other])
                    && (switch.is_none() || *switch == of.signals[signal].switch)
            });
            fitting.next().filter(|_| fitting.next().is_none())
        })
    }
}

fn taken(
    rule: &Rule,
    names: &Names,
    database: &Database,
    place: Place,
    path: SignalId,
    catalogue: &Catalogue,
) -> Result<Taken, String> {
    let entry = catalogue.signal(path);
    let message = &database.messages[place.message];
    let signal = &message.signals[place.signal];
    let conversion = match entry.kind {
        ValueKind::Flag => flag(signal)?,
        ValueKind::Integer | ValueKind::Number | ValueKind::Position => {
            let conversion = converted(rule, signal, &entry.unit)?;
            big_and_fine_enough(rule, signal, conversion)?;
            conversion
        }
        ValueKind::Label | ValueKind::TroubleCode => return Err("is not read from a DBC file".into()),
    };
    let longitude = match entry.kind {
        ValueKind::Position => {
            let other = names.beside(&rule.longitude, place.message, message, place.signal);
            let other = other.filter(|other| message.signals[*other].switch == signal.switch);
            let other = other.ok_or("its message has no longitude, or several")?;
            big_and_fine_enough(
                rule,
                &message.signals[other],
                converted(rule, &message.signals[other], &entry.unit)?,
            )?;
            Some(other)
        }
        _ => None,
    };
    let valid = rule.valid.as_ref().and_then(|valid| {
        Some((names.beside(&valid.signal, place.message, message, place.signal)?, valid.is))
    });
    Ok(Taken {
        message: place.message,
        signal: place.signal,
        longitude,
        path,
        kind: entry.kind,
        conversion,
        most: most(rule, signal, conversion),
        on: rule.on,
        off: rule.off,
        valid,
    })
}

fn converted(rule: &Rule, signal: &Signal, to: &str) -> Result<Conversion, String> {
    let written = match &rule.assume_unit {
        Some(assumed) if signal.unit.is_empty() => assumed,
        _ => &signal.unit,
    };
    unit::conversion(written, to)
        .ok_or_else(|| format!("unit \"{}\" is none that becomes \"{to}\"", signal.unit))
}

fn flag(signal: &Signal) -> Result<Conversion, String> {
    let whole = matches!(signal.shape, Shape::Unsigned) && signal.len_bits <= 8;
    if !whole || unit::is_measure(&signal.unit) {
        return Err("is no flag: it has a unit or over 8 bits".into());
    }
    Ok(Conversion { factor: 1.0, offset: 0.0 })
}

/// The largest value as declared, and half a bit for its digits: in many files what is above it means
/// "none", without a word on it. A range that is narrower than the rule expects is not believed.
fn most(rule: &Rule, signal: &Signal, conversion: Conversion) -> f64 {
    let half_a_bit = (signal.factor * conversion.factor).abs() / 2.0;
    let declared = signal.largest.map(|most| most * conversion.factor + conversion.offset);
    let declared = declared.filter(|most| rule.reaches.is_some_and(|least| *most >= least));
    declared.map_or(f64::INFINITY, |most| most + half_a_bit)
}

fn big_and_fine_enough(rule: &Rule, signal: &Signal, conversion: Conversion) -> Result<(), String> {
    let bit = (signal.factor * conversion.factor).abs();
    if rule.finer_than.is_some_and(|most| bit >= most) {
        return Err("a bit of it is worth too much".into());
    }
    let all = u64::MAX >> (64 - signal.len_bits);
    let raw = if signal.shape == Shape::Signed { all >> 1 } else { all };
    let largest = signal.physical(raw).abs() * conversion.factor + conversion.offset;
    let is_float = matches!(signal.shape, Shape::Float | Shape::Double);
    if !is_float && rule.reaches.is_some_and(|least| largest < least) {
        return Err("its bits do not reach far enough".into());
    }
    if !is_float && rule.reaches_at_most.is_some_and(|most| largest > most) {
        return Err("its bits reach too far".into());
    }
    Ok(())
}
