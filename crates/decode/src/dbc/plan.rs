//! Frames to values of catalogue signals, by DBC files: made once, then no name is looked up any more.
//!
//! A message is found by its exact identifier, or, for a parameter group of SAE
//! J1939, by its group: priority and destination do not count, and the source
//! only where the file has one message for each. Several files: the first that
//! has an identifier or group owns it.

use super::{
    assign::{Taken, assign},
    database::{Database, Message, Shape},
    mapping::Mapping,
    program::{Bounded, Entry, Program, Take, Wanted},
    reading::{Kind, Read, Reading, Target, position},
    table::{Direct, Sparse},
    unit::Conversion,
};
use crate::{RejectCode, j1939};
use std::collections::{HashMap, HashSet};
use thiserror::Error;
use vernport_types::{CanFilter, CanId, Catalogue, Number, SignalId, ValueKind};

/// Why a plan cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// More signals than a source can name.
    #[error("more than 65535 DBC signals are wanted; use fewer files")]
    TooManySignals,
    /// More messages than the table holds.
    #[error("more than 65534 DBC messages on one bus; use fewer files")]
    TooManyMessages,
}

/// The DBC files of one bus, ready.
#[derive(Debug, Clone)]
pub struct Plan {
    program: Program,
    targets: Vec<Target>,
    /// The identifier of each entry of the program, and whether it is a parameter group.
    ids: Vec<(CanId, bool)>,
    standard: Direct,
    /// 29 bits, exact.
    extended: Sparse,
    /// Group and source address, where a file has one message for each source.
    by_source: Sparse,
    by_group: Sparse,
}

impl Plan {
    /// A plan of what `mapping` finds in the databases of one bus.
    ///
    /// # Errors
    /// [`PlanError`] past its bounds.
    pub fn new(databases: &[Database], mapping: &Mapping, catalogue: &Catalogue) -> Result<Self, PlanError> {
        let taken: Vec<Vec<Taken>> =
            databases.iter().map(|database| assign(mapping, database, catalogue).taken).collect();
        Self::build(databases, |database, message, targets| {
            let of = &databases[database].messages[message];
            let first = taken[database].partition_point(|taken| taken.message < message);
            let own = taken[database][first..].iter().take_while(|taken| taken.message == message);
            own.flat_map(|taken| wanted(taken, of, catalogue, targets)).collect()
        })
    }

    /// A plan of every signal of the databases, each a number without bounds or ranges that mean
    /// "none"; a signal's id is its place in the plan. For tools and tests.
    ///
    /// # Errors
    /// [`PlanError`] past its bounds.
    pub fn everything(databases: &[Database]) -> Result<Self, PlanError> {
        Self::build(databases, |database, message, targets| {
            let of = &databases[database].messages[message];
            (0..of.signals.len())
                .map(|signal| {
                    let index = u16::try_from(targets.len()).unwrap_or(u16::MAX);
                    let (min, max) = (f64::NEG_INFINITY, f64::INFINITY);
                    let name = name(of, signal);
                    let number = Some(Bounded { signal: SignalId(index), min, max });
                    targets.push(Target { signal: SignalId(index), kind: Kind::Number, min, max, name });
                    Wanted {
                        signal,
                        index,
                        conversion: Conversion { factor: 1.0, offset: 0.0 },
                        is_raw: false,
                        absent: Vec::new(),
                        valid: None,
                        by_j1939: false,
                        number,
                    }
                })
                .collect()
        })
    }

    fn build(
        databases: &[Database],
        mut choose: impl FnMut(usize, usize, &mut Vec<Target>) -> Vec<Wanted>,
    ) -> Result<Self, PlanError> {
        let mut program = Program::default();
        let mut targets = Vec::new();
        let mut ids = Vec::new();
        let mut owners = Owners::default();
        for (number, database) in databases.iter().enumerate() {
            owners.next_file(database);
            for (place, message) in database.messages.iter().enumerate() {
                if !owners.takes(message) {
                    continue;
                }
                let wanted = choose(number, place, &mut targets);
                if targets.len() > usize::from(u16::MAX) {
                    return Err(PlanError::TooManySignals);
                }
                let entry = program.add(message, &wanted).ok_or(PlanError::TooManyMessages)?;
                ids.push((message.id, message.is_j1939));
                owners.enter(message, entry);
            }
        }
        let mut standard = Direct::new(owners.standard.iter().copied());
        standard.retain(|number| program.wants(number));
        let sparse = |entries: &[(u32, u16)]| Sparse::new(entries.iter().copied());
        let (extended, by_source, by_group) =
            (sparse(&owners.extended), sparse(&owners.by_source), sparse(&owners.by_group));
        Ok(Self { program, targets, ids, standard, extended, by_source, by_group })
    }

    /// How many signals are read.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// `<message>.<signal>` of a place in the plan; a position has the name of its latitude.
    pub fn name(&self, index: u16) -> Option<&str> {
        self.targets.get(usize::from(index)).map(|target| &*target.name)
    }

    /// Leaves out what somebody else reads from the same messages: the identifier and the signal are asked for.
    #[must_use]
    pub fn without(mut self, read_elsewhere: impl Fn(CanId, SignalId) -> bool) -> Self {
        let (program, targets, ids) = (&mut self.program, &self.targets, &self.ids);
        program.retain(|entry, index| !read_elsewhere(ids[entry].0, targets[usize::from(index)].signal));
        self.standard.retain(|number| program.wants(number));
        self
    }

    /// The filters that let through the messages of the signals that `wanted` names.
    pub fn interest(&self, wanted: impl Fn(SignalId) -> bool) -> Vec<CanFilter> {
        let mut filters: Vec<CanFilter> = self
            .program
            .entries()
            .iter()
            .zip(&self.ids)
            .filter(|(entry, _)| {
                self.program.indices(entry).any(|index| wanted(self.targets[usize::from(index)].signal))
            })
            .map(|(_, (id, is_j1939))| if *is_j1939 { group_filter(*id) } else { CanFilter::exactly(*id) })
            .collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Reads a frame. On a classic frame a message of more than 8 bytes is not read: there it is
    /// what a transport protocol carries ([`Self::answer`], [`Self::group`]).
    #[inline]
    pub fn frame(&self, id: CanId, is_fd: bool, data: &[u8], give: &mut impl FnMut(Read)) {
        let Some(entry) = self.find(id).and_then(|number| self.program.entry(number)) else { return };
        if entry.is_empty() || entry.len_bytes > 8 && !is_fd {
            return;
        }
        self.run(entry, data, give);
    }

    /// Reads a whole ISO-TP message of the sender: in the DBC files of loggers its length stands
    /// in front of it, in one byte.
    pub fn answer(&self, sender: CanId, message: &[u8], give: &mut impl FnMut(Read)) {
        let Some(entry) = self.find(sender).and_then(|number| self.program.entry(number)) else { return };
        if entry.is_empty() {
            return;
        }
        let mut data = [0; Database::MAX_MESSAGE_BYTES as usize];
        let len = message.len().min(data.len() - 1);
        data[0] = u8::try_from(message.len()).unwrap_or(u8::MAX);
        data[1..=len].copy_from_slice(&message[..len]);
        self.run(entry, &data[..=len], give);
    }

    /// Whether signals are read from a parameter group of SAE J1939.
    pub fn wants_group(&self, pgn: u32) -> bool {
        let wants = |number| self.program.wants(number);
        self.by_group.get(pgn).is_some_and(wants)
            || (0..=u8::MAX).any(|source| self.by_source.get(pgn << 8 | u32::from(source)).is_some_and(wants))
    }

    /// Reads a whole parameter group of SAE J1939, as a transport protocol carried it.
    pub fn group(&self, pgn: u32, source: u8, data: &[u8], give: &mut impl FnMut(Read)) {
        let number = self.by_source.get(pgn << 8 | u32::from(source)).or_else(|| self.by_group.get(pgn));
        if let Some(entry) = number.and_then(|number| self.program.entry(number)) {
            self.run(entry, data, give);
        }
    }

    #[inline]
    fn find(&self, id: CanId) -> Option<u16> {
        match id {
            CanId::Standard(id) => self.standard.get(id),
            CanId::Extended(raw) => self.extended.get(raw).or_else(|| {
                let group = j1939::Id::from_can(id)?;
                let of_source = self.by_source.get(group.pgn << 8 | raw & 0xFF);
                of_source.or_else(|| self.by_group.get(group.pgn))
            }),
        }
    }

    #[inline(always)]
    fn run(&self, entry: &Entry, data: &[u8], give: &mut impl FnMut(Read)) {
        self.program.run(entry, data, &mut Giving { targets: &self.targets, latitude: None, give });
    }
}

/// What is read from one message, on its way to the caller.
struct Giving<'p, F> {
    targets: &'p [Target],
    /// The first half of a position.
    latitude: Option<Result<f64, RejectCode>>,
    give: &'p mut F,
}

impl<F: FnMut(Read)> Take for Giving<'_, F> {
    #[inline(always)]
    fn number(&mut self, index: u16, signal: SignalId, number: Result<Number, RejectCode>) {
        (self.give)(Read { index, signal, value: number.map(Reading::Number) });
    }

    #[inline(always)]
    fn other(&mut self, index: u16, number: Result<f64, RejectCode>) {
        let Some(target) = self.targets.get(usize::from(index)) else { return };
        let value = match target.kind {
            Kind::Latitude => {
                self.latitude = Some(number);
                return;
            }
            Kind::Longitude => match self.latitude.take() {
                Some(latitude) => position(latitude, number),
                None => return,
            },
            _ => number.and_then(|number| target.value(number)),
        };
        (self.give)(Read { index, signal: target.signal, value });
    }
}

fn name(message: &Message, signal: usize) -> Box<str> {
    format!("{}.{}", message.name, message.signals[signal].name).into()
}

/// What the program needs for a signal that is taken: one signal, or both halves of a position.
fn wanted(taken: &Taken, message: &Message, catalogue: &Catalogue, targets: &mut Vec<Target>) -> Vec<Wanted> {
    let entry = catalogue.signal(taken.path);
    let (min, max) = (entry.min.unwrap_or(f64::NEG_INFINITY), entry.max.unwrap_or(f64::INFINITY));
    let kinds = match (taken.kind, taken.longitude) {
        (ValueKind::Flag, _) => vec![(Kind::Flag { on: taken.on, off: taken.off }, taken.signal)],
        (ValueKind::Integer, _) => vec![(Kind::Integer, taken.signal)],
        (_, Some(longitude)) => vec![(Kind::Latitude, taken.signal), (Kind::Longitude, longitude)],
        _ => vec![(Kind::Number, taken.signal)],
    };
    kinds
        .into_iter()
        .map(|(kind, signal)| {
            let index = u16::try_from(targets.len()).unwrap_or(u16::MAX);
            let max = max.min(taken.most);
            targets.push(Target { signal: taken.path, kind, min, max, name: name(message, taken.signal) });
            let is_raw = matches!(kind, Kind::Flag { .. });
            Wanted {
                signal,
                index,
                conversion: taken.conversion,
                is_raw,
                // What is a word of a flag is said by the rule, not guessed from the word.
                absent: if is_raw { Vec::new() } else { absent(message, signal) },
                valid: taken.valid,
                by_j1939: message.is_j1939,
                number: (kind == Kind::Number).then_some(Bounded { signal: taken.path, min, max }),
            }
        })
        .collect()
}

/// Words that tell of no value. "Not used" is none of them: it says that the sender never sends it.
const NO_VALUE: [&str; 22] = [
    "invalid",
    "sna",
    "signalnotavailable",
    "notavailable",
    "na",
    "novalue",
    "nodata",
    "nodataexists",
    "unknown",
    "fault",
    "faulty",
    "error",
    "failure",
    "notsupported",
    "undefined",
    "init",
    "initialvalue",
    "notvalid",
    "unavailable",
    "ungueltig",
    "ungültig",
    "fehler",
];

/// From how many bits on all of them set are no value: no meter of so many stands at its end.
const WIDE_BITS: u8 = 16;

/// Raw values of a signal that are no value: by their words, or with all bits of a wide one set.
fn absent(message: &Message, signal: usize) -> Vec<u64> {
    let signal = &message.signals[signal];
    let mask = u64::MAX >> (64 - signal.len_bits);
    let all_set = (signal.shape == Shape::Unsigned && signal.len_bits >= WIDE_BITS).then_some(mask);
    let means_none = |word: &str| {
        let plain: String =
            word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        NO_VALUE.contains(&plain.as_str())
    };
    signal
        .words
        .iter()
        .filter(|(_, word)| means_none(word))
        .map(|(raw, _)| raw.cast_unsigned() & mask)
        .chain(all_set)
        .collect()
}

/// Format and group number; priority, source and, for PDU1, the destination do not count.
fn group_filter(id: CanId) -> CanFilter {
    let has_destination = j1939::Id::from_can(id).is_some_and(|id| id.destination.is_some());
    let mask = if has_destination { 0x03FF_0000 } else { 0x03FF_FF00 };
    CanFilter { id: CanId::Extended(id.raw() & mask), mask }
}

/// Which messages answer to which identifiers, while the files are gone through.
#[derive(Default)]
struct Owners {
    standard: Vec<(u16, u16)>,
    extended: Vec<(u32, u16)>,
    by_source: Vec<(u32, u16)>,
    by_group: Vec<(u32, u16)>,
    /// Those of earlier files.
    ids: HashSet<CanId>,
    groups: HashSet<u32>,
    /// Those of this file.
    new_ids: HashSet<CanId>,
    new_groups: HashSet<u32>,
    /// How many messages of this file are of a group, and of a group and source.
    of_group: HashMap<u32, usize>,
    of_source: HashMap<u32, usize>,
}

impl Owners {
    fn next_file(&mut self, database: &Database) {
        self.ids.extend(self.new_ids.drain());
        self.groups.extend(self.new_groups.drain());
        self.of_group.clear();
        self.of_source.clear();
        for id in database.messages.iter().filter_map(group_of) {
            *self.of_group.entry(id.pgn).or_default() += 1;
            *self.of_source.entry(id.pgn << 8 | u32::from(id.source)).or_default() += 1;
        }
    }

    fn takes(&self, message: &Message) -> bool {
        match group_of(message) {
            Some(id) => !self.groups.contains(&id.pgn),
            None => !self.ids.contains(&message.id),
        }
    }

    fn enter(&mut self, message: &Message, entry: u16) {
        let Some(id) = group_of(message) else {
            self.new_ids.insert(message.id);
            match message.id {
                CanId::Standard(id) => self.standard.push((id, entry)),
                CanId::Extended(id) => self.extended.push((id, entry)),
            }
            return;
        };
        let of_source = id.pgn << 8 | u32::from(id.source);
        if self.of_source.get(&of_source).is_some_and(|count| *count > 1) {
            self.extended.push((message.id.raw(), entry));
        }
        if self.of_group.get(&id.pgn).is_some_and(|count| *count > 1) {
            // Of one source twice, the table keeps the first.
            self.by_source.push((of_source, entry));
        }
        if self.new_groups.insert(id.pgn) {
            self.by_group.push((id.pgn, entry));
        }
    }
}

fn group_of(message: &Message) -> Option<j1939::Id> {
    j1939::Id::from_can(message.id).filter(|_| message.is_j1939)
}
