//! The signals that are wanted, as shifts and masks: what a frame goes through.
//!
//! ```text
//! identifier ─► table ─► entry: steps, then branches (guards ─► steps)
//! data ─► one word, read from either end ─► shift up, shift down ─► number × factor + offset
//! ```
//!
//! Nothing is allocated and nothing is looked up by name once it is made.

use super::{
    database::{ByteOrder, Message, Shape, Signal},
    unit::Conversion,
};
use crate::RejectCode;
use std::ops::Range;

/// Where the bits of a signal stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// The byte that the word begins with; 0 in messages of up to 8 bytes.
    at: u16,
    /// How many bytes there have to be.
    needs: u16,
    /// 0 for a word that is read from its low end (Intel), 1 from its high one (Motorola).
    end: u8,
    /// By how much a 64-bit word is moved up, and a 128-bit one; then down.
    up: u8,
    down: u8,
}

impl Field {
    fn new(signal: &Signal, is_short: bool) -> Self {
        let byte = if is_short { 0 } else { signal.start_bit / 8 };
        let width = if is_short { 64 } else { 128 };
        let len = u32::from(signal.len_bits);
        let (end, up) = match signal.order {
            ByteOrder::Intel => (0, width - (u32::from(signal.start_bit - byte * 8) + len)),
            ByteOrder::Motorola => (1, signal.top_distance() - u32::from(byte) * 8),
        };
        let narrow = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let needs = u16::try_from(signal.needs_bytes()).unwrap_or(u16::MAX);
        Self { at: byte, needs, end, up: narrow(up), down: narrow(width - len) }
    }

    /// From the data of a message of up to 8 bytes, as the word of [`words`].
    fn of_word(self, words: [u64; 2]) -> u64 {
        words[usize::from(self.end & 1)] << (self.up & 63) >> (self.down & 63)
    }

    /// From the data of a longer message.
    fn of_bytes(self, data: &[u8]) -> u64 {
        let mut window = [0; 16];
        let rest = data.get(usize::from(self.at)..).unwrap_or_default();
        let len = rest.len().min(16);
        window[..len].copy_from_slice(&rest[..len]);
        let word = if self.end == 0 { u128::from_le_bytes(window) } else { u128::from_be_bytes(window) };
        #[expect(clippy::cast_possible_truncation, reason = "a signal has at most 64 bits")]
        let raw = (word << (self.up & 127) >> (self.down & 127)) as u64;
        raw
    }
}

/// What is special about a signal, beyond a whole number and its scale.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Special {
    /// Nothing, and unsigned numbers of 64 bits have the sign bit clear by `wide`.
    None,
    /// 64 bits without a sign.
    Wide,
    /// IEEE 754.
    Float,
    Double,
    /// A value of SAE J1939-71, with its bits.
    J1939(u8),
    /// Raw values that mean "none".
    Absent(Range<u32>),
}

/// One signal.
#[derive(Debug, Clone)]
struct Step {
    factor: f64,
    offset: f64,
    /// The sign bit; 0 for none.
    sign: u64,
    field: Field,
    /// What the caller knows it by.
    index: u16,
    special: Special,
}

/// A condition: a switch has to have one of the values.
#[derive(Debug, Clone)]
struct Guard {
    field: Field,
    ranges: Range<u32>,
}

/// Steps that share their conditions.
#[derive(Debug, Clone)]
struct Branch {
    guards: Range<u32>,
    steps: Range<u32>,
    /// The last condition is one that the sender tells by: unless it holds, the values are "not available".
    told: bool,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    steps: Range<u32>,
    branches: Range<u32>,
    pub(super) len_bytes: u16,
}

impl Entry {
    /// Nothing of it is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.branches.is_empty()
    }
}

/// A signal that is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Its place in the message.
    pub(super) signal: usize,
    /// What the caller knows it by.
    pub(super) index: u16,
    /// After the scale of the file.
    pub(super) conversion: Conversion,
    /// Raw, without any scale: for flags.
    pub(super) is_raw: bool,
    /// Raw values that mean "none".
    pub(super) absent: Vec<u64>,
    /// The signal that says whether it holds, and its raw value then.
    pub(super) valid: Option<(usize, u64)>,
    /// The ranges of SAE J1939-71 hold.
    pub(super) by_j1939: bool,
}

/// All messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    entries: Vec<Entry>,
    steps: Vec<Step>,
    branches: Vec<Branch>,
    guards: Vec<Guard>,
    ranges: Vec<(u64, u64)>,
    absent: Vec<u64>,
}

impl Program {
    /// Adds a message; none past 65535 of them.
    pub(super) fn add(&mut self, message: &Message, wanted: &[Wanted]) -> Option<u16> {
        let number = u16::try_from(self.entries.len()).ok().filter(|number| *number < u16::MAX)?;
        let is_short = message.len_bytes <= 8;
        let key = |wanted: &Wanted| (conditions(message, wanted.signal), wanted.valid);
        let mut sorted: Vec<_> = wanted.iter().map(|wanted| (key(wanted), wanted)).collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        let free = |(key, _): &&(Key, &Wanted)| key.0.is_empty() && key.1.is_none();
        let first_step = end(&self.steps);
        for (_, wanted) in sorted.iter().filter(free) {
            self.step(message, wanted, is_short);
        }
        let steps = first_step..end(&self.steps);
        let first_branch = end(&self.branches);
        let bound = sorted.len() - sorted.iter().filter(free).count();
        let bound = &sorted[sorted.len() - bound..];
        for group in bound.chunk_by(|one, other| one.0 == other.0) {
            self.branch(message, group, is_short);
        }
        self.entries.push(Entry {
            steps,
            branches: first_branch..end(&self.branches),
            len_bytes: message.len_bytes,
        });
        Some(number)
    }

    fn branch(&mut self, message: &Message, group: &[(Key, &Wanted)], is_short: bool) {
        let Some(((switches, valid), _)) = group.first() else { return };
        let first_guard = end(&self.guards);
        for (switch, by) in switches {
            let ranges = message.signals[*by]
                .switch
                .as_ref()
                .map(|switch| switch.ranges.as_slice())
                .unwrap_or_default();
            self.guard(&message.signals[*switch], ranges, is_short);
        }
        if let Some((signal, is)) = valid {
            self.guard(&message.signals[*signal], &[(*is, *is)], is_short);
        }
        let first_step = end(&self.steps);
        for (_, wanted) in group {
            self.step(message, wanted, is_short);
        }
        self.branches.push(Branch {
            guards: first_guard..end(&self.guards),
            steps: first_step..end(&self.steps),
            told: valid.is_some(),
        });
    }

    fn guard(&mut self, signal: &Signal, ranges: &[(u64, u64)], is_short: bool) {
        let first = end(&self.ranges);
        self.ranges.extend_from_slice(ranges);
        self.guards.push(Guard { field: Field::new(signal, is_short), ranges: first..end(&self.ranges) });
    }

    fn step(&mut self, message: &Message, wanted: &Wanted, is_short: bool) {
        let signal = &message.signals[wanted.signal];
        let special = match signal.shape {
            Shape::Float => Special::Float,
            Shape::Double => Special::Double,
            Shape::Unsigned if wanted.by_j1939 && signal.len_bits > 1 => Special::J1939(signal.len_bits),
            _ if !wanted.absent.is_empty() => {
                let first = end(&self.absent);
                self.absent.extend_from_slice(&wanted.absent);
                Special::Absent(first..end(&self.absent))
            }
            Shape::Unsigned if signal.len_bits == 64 => Special::Wide,
            Shape::Unsigned | Shape::Signed => Special::None,
        };
        let Conversion { factor, offset } = wanted.conversion;
        let (factor, offset) = if wanted.is_raw {
            (1.0, 0.0)
        } else {
            (signal.factor * factor, signal.offset * factor + offset)
        };
        let sign = if signal.shape == Shape::Signed { 1 << (signal.len_bits - 1) } else { 0 };
        let field = Field::new(signal, is_short);
        self.steps.push(Step { factor, offset, sign, field, index: wanted.index, special });
    }

    pub(super) fn entry(&self, number: u16) -> Option<&Entry> {
        self.entries.get(usize::from(number))
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keeps the signals for which `keeps` says so, given the number of their entry and their index.
    pub(super) fn retain(&mut self, keeps: impl Fn(usize, u16) -> bool) {
        let (old_steps, old_branches) = (std::mem::take(&mut self.steps), std::mem::take(&mut self.branches));
        let (mut steps, mut branches) = (Vec::new(), Vec::new());
        for (number, entry) in self.entries.iter_mut().enumerate() {
            let mut kept = |range: &Range<u32>| {
                let first = end(&steps);
                let of = slice(&old_steps, range).iter();
                steps.extend(of.filter(|step| keeps(number, step.index)).cloned());
                first..end(&steps)
            };
            entry.steps = kept(&entry.steps);
            let first = end(&branches);
            for branch in slice(&old_branches, &entry.branches) {
                let steps = kept(&branch.steps);
                if !steps.is_empty() {
                    branches.push(Branch { steps, ..branch.clone() });
                }
            }
            entry.branches = first..end(&branches);
        }
        (self.steps, self.branches) = (steps, branches);
    }

    /// What callers know the signals of an entry by.
    pub(super) fn indices<'p>(&'p self, entry: &'p Entry) -> impl Iterator<Item = u16> + 'p {
        let branches = slice(&self.branches, &entry.branches).iter().map(|branch| &branch.steps);
        std::iter::once(&entry.steps)
            .chain(branches)
            .flat_map(|steps| slice(&self.steps, steps))
            .map(|step| step.index)
    }

    /// Gives every wanted signal that is there: what its bits are worth, or why that is no value.
    pub(super) fn run(
        &self,
        entry: &Entry,
        data: &[u8],
        give: &mut impl FnMut(u16, Result<f64, RejectCode>),
    ) {
        if entry.len_bytes <= 8 {
            let words = words(data);
            self.run_with(entry, data.len(), |field| field.of_word(words), give);
        } else {
            self.run_with(entry, data.len(), |field| field.of_bytes(data), give);
        }
    }

    #[inline(always)]
    fn run_with(
        &self,
        entry: &Entry,
        len: usize,
        raw: impl Fn(Field) -> u64,
        give: &mut impl FnMut(u16, Result<f64, RejectCode>),
    ) {
        for step in slice(&self.steps, &entry.steps) {
            give(step.index, self.value(step, len, &raw));
        }
        'branches: for branch in slice(&self.branches, &entry.branches) {
            let guards = slice(&self.guards, &branch.guards);
            for (place, guard) in guards.iter().enumerate() {
                let is = raw(guard.field);
                let holds = usize::from(guard.field.needs) <= len
                    && slice(&self.ranges, &guard.ranges)
                        .iter()
                        .any(|(from, to)| (*from..=*to).contains(&is));
                if !holds {
                    if branch.told && place + 1 == guards.len() {
                        for step in slice(&self.steps, &branch.steps) {
                            give(step.index, Err(RejectCode::NotAvailable));
                        }
                    }
                    continue 'branches;
                }
            }
            for step in slice(&self.steps, &branch.steps) {
                give(step.index, self.value(step, len, &raw));
            }
        }
    }

    #[inline(always)]
    fn value(&self, step: &Step, len: usize, raw: impl Fn(Field) -> u64) -> Result<f64, RejectCode> {
        if usize::from(step.field.needs) > len {
            return Err(RejectCode::WrongLength);
        }
        let raw = raw(step.field);
        let number = match &step.special {
            Special::None => whole(raw, step.sign),
            special => self.special(special, raw, step.sign)?,
        };
        Ok(number * step.factor + step.offset)
    }

    #[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
    fn special(&self, special: &Special, raw: u64, sign: u64) -> Result<f64, RejectCode> {
        match special {
            Special::None => Ok(whole(raw, sign)),
            Special::Wide => Ok(raw as f64),
            Special::Float => Ok(u32::try_from(raw).map_or(f64::NAN, |bits| f64::from(f32::from_bits(bits)))),
            Special::Double => Ok(f64::from_bits(raw)),
            Special::J1939(bits) => available(raw, *bits).map(|()| raw as f64),
            Special::Absent(absent) => {
                if slice(&self.absent, absent).contains(&raw) {
                    return Err(RejectCode::NotAvailable);
                }
                Ok(if sign == 0 { raw as f64 } else { whole(raw, sign) })
            }
        }
    }
}

/// Switch conditions from the root on, each as switch and the signal that it holds for; and the one told by the sender.
type Key = (Vec<(usize, usize)>, Option<(usize, u64)>);

fn conditions(message: &Message, signal: usize) -> Vec<(usize, usize)> {
    let mut conditions = Vec::new();
    let mut at = signal;
    while let Some(switch) = &message.signals[at].switch {
        // One representative for all signals with the same ranges, so that they share a branch.
        let same = message.signals.iter().position(|other| other.switch.as_ref() == Some(switch));
        conditions.push((switch.signal, same.unwrap_or(at)));
        at = switch.signal;
    }
    conditions.reverse();
    conditions
}

/// The data as a number read from its low end and from its high end.
fn words(data: &[u8]) -> [u64; 2] {
    let bytes = match data.first_chunk::<8>() {
        Some(bytes) => *bytes,
        None => {
            let mut bytes = [0; 8];
            bytes[..data.len()].copy_from_slice(data);
            bytes
        }
    };
    [u64::from_le_bytes(bytes), u64::from_be_bytes(bytes)]
}

#[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
fn whole(raw: u64, sign: u64) -> f64 {
    (raw ^ sign).wrapping_sub(sign).cast_signed() as f64
}

/// SAE J1939-71: the upper ranges mean reserved, error and "not available"; the top 8 bits of a number
/// tell, or all bits of a shorter one.
fn available(raw: u64, bits: u8) -> Result<(), RejectCode> {
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

fn end<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn slice<'p, T>(list: &'p [T], range: &Range<u32>) -> &'p [T] {
    list.get(range.start as usize..range.end as usize).unwrap_or_default()
}
