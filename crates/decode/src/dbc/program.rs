//! The signals that are wanted, as shifts and masks: what a frame goes through.
//!
//! ```text
//! identifier ─► table ─► entry: block, then branches (guards ─► block)
//! block: plain steps (one word ─► shift, mask ─► range ─► number × factor + offset), then all others
//! ```
//!
//! Nothing is allocated and nothing is looked up by name once it is made.

use super::{
    database::{Message, Shape, Signal},
    field::{Data, Field},
    plain::{Plain, available},
    unit::Conversion,
};
use crate::RejectCode;
use std::ops::Range;
use vernport_types::{Number, SignalId};

/// What is special about a signal, beyond a whole number and its scale.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Special {
    /// Nothing; unsigned numbers have less than 64 bits.
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

/// One signal that is not plain.
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
struct Block {
    plain: Range<u32>,
    others: Range<u32>,
    /// How many bytes there have to be for every plain one.
    needs: u16,
}

impl Block {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.others.is_empty()
    }
}

/// A block with conditions.
#[derive(Debug, Clone)]
struct Branch {
    guards: Range<u32>,
    block: Block,
    /// The last condition is one that the sender tells by: unless it holds, the values are "not available".
    told: bool,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    free: Block,
    branches: Range<u32>,
    pub(super) len_bytes: u16,
}

impl Entry {
    /// Nothing of it is wanted.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty() && self.branches.is_empty()
    }
}

/// A number of the catalogue, and what is believed of it.
#[derive(Debug, Clone)]
pub(super) struct Bounded {
    pub(super) signal: SignalId,
    pub(super) min: f64,
    pub(super) max: f64,
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
    /// For a bare number; none for what the caller makes something else of.
    pub(super) number: Option<Bounded>,
}

/// Takes what a program reads.
pub(super) trait Take {
    /// A bare number, checked.
    fn number(&mut self, index: u16, signal: SignalId, number: Result<Number, RejectCode>);

    /// What the bits are worth, not checked.
    fn other(&mut self, index: u16, number: Result<f64, RejectCode>);
}

/// All messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    entries: Vec<Entry>,
    plain: Vec<Plain>,
    others: Vec<Step>,
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
        // The empty key comes first.
        let free = sorted.partition_point(|(key, _)| key.0.is_empty() && key.1.is_none());
        let (free, bound) = sorted.split_at(free);
        let free = self.block(message, free, is_short);
        let first_branch = end(&self.branches);
        for group in bound.chunk_by(|one, other| one.0 == other.0) {
            self.branch(message, group, is_short);
        }
        let branches = first_branch..end(&self.branches);
        self.entries.push(Entry { free, branches, len_bytes: message.len_bytes });
        Some(number)
    }

    fn block(&mut self, message: &Message, group: &[(Key, &Wanted)], is_short: bool) -> Block {
        let (first_plain, first_other) = (end(&self.plain), end(&self.others));
        for (_, wanted) in group {
            self.step(message, wanted, is_short);
        }
        let (plain, others) = (first_plain..end(&self.plain), first_other..end(&self.others));
        let needs = slice(&self.plain, &plain).iter().map(Plain::needs_bytes).max().unwrap_or(0);
        Block { plain, others, needs }
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
        let guards = first_guard..end(&self.guards);
        let block = self.block(message, group, is_short);
        self.branches.push(Branch { guards, block, told: valid.is_some() });
    }

    fn guard(&mut self, signal: &Signal, ranges: &[(u64, u64)], is_short: bool) {
        let first = end(&self.ranges);
        self.ranges.extend_from_slice(ranges);
        self.guards.push(Guard { field: Field::new(signal, is_short), ranges: first..end(&self.ranges) });
    }

    fn step(&mut self, message: &Message, wanted: &Wanted, is_short: bool) {
        let signal = &message.signals[wanted.signal];
        let Conversion { factor, offset } = wanted.conversion;
        let (factor, offset) = if wanted.is_raw {
            (1.0, 0.0)
        } else {
            (signal.factor * factor, signal.offset * factor + offset)
        };
        if is_short && let Some(plain) = Plain::new(signal, wanted, Conversion { factor, offset }) {
            self.plain.push(plain);
            return;
        }
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
        let sign = if signal.shape == Shape::Signed { 1 << (signal.len_bits - 1) } else { 0 };
        let field = Field::new(signal, is_short);
        self.others.push(Step { factor, offset, sign, field, index: wanted.index, special });
    }

    #[inline]
    pub(super) fn entry(&self, number: u16) -> Option<&Entry> {
        self.entries.get(usize::from(number))
    }

    /// Whether anything of a message is wanted.
    pub(super) fn wants(&self, number: u16) -> bool {
        self.entry(number).is_some_and(|entry| !entry.is_empty())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keeps the signals for which `keeps` says so, given the number of their entry and their index.
    pub(super) fn retain(&mut self, keeps: impl Fn(usize, u16) -> bool) {
        let (old_plain, old_others) = (std::mem::take(&mut self.plain), std::mem::take(&mut self.others));
        let old_branches = std::mem::take(&mut self.branches);
        for number in 0..self.entries.len() {
            let mut kept = |block: &Block| {
                let (first_plain, first_other) = (end(&self.plain), end(&self.others));
                let plain = slice(&old_plain, &block.plain).iter();
                self.plain.extend(plain.filter(|step| keeps(number, step.index)).cloned());
                let others = slice(&old_others, &block.others).iter();
                self.others.extend(others.filter(|step| keeps(number, step.index)).cloned());
                let (plain, others) = (first_plain..end(&self.plain), first_other..end(&self.others));
                Block { plain, others, needs: block.needs }
            };
            let free = kept(&self.entries[number].free);
            let first = end(&self.branches);
            for branch in slice(&old_branches, &self.entries[number].branches) {
                let block = kept(&branch.block);
                if !block.is_empty() {
                    self.branches.push(Branch { block, ..branch.clone() });
                }
            }
            let branches = first..end(&self.branches);
            self.entries[number] = Entry { free, branches, ..self.entries[number] };
        }
    }

    /// What callers know the signals of an entry by.
    pub(super) fn indices<'p>(&'p self, entry: &'p Entry) -> impl Iterator<Item = u16> + 'p {
        let branches = slice(&self.branches, &entry.branches).iter().map(|branch| &branch.block);
        std::iter::once(&entry.free).chain(branches).flat_map(|block| {
            let plain = slice(&self.plain, &block.plain).iter().map(|step| step.index);
            plain.chain(slice(&self.others, &block.others).iter().map(|step| step.index))
        })
    }

    /// Gives every wanted signal that is there: what its bits are worth, or why that is no value.
    #[inline(always)]
    pub(super) fn run(&self, entry: &Entry, bytes: &[u8], take: &mut impl Take) {
        let data = Data::new(bytes);
        self.give(&entry.free, &data, false, take);
        for branch in slice(&self.branches, &entry.branches) {
            let holds = self.holds(branch, &data);
            if holds != Holds::No {
                self.give(&branch.block, &data, holds == Holds::AllButTold, take);
            }
        }
    }

    #[inline]
    fn holds(&self, branch: &Branch, data: &Data<'_>) -> Holds {
        let guards = slice(&self.guards, &branch.guards);
        for (place, guard) in guards.iter().enumerate() {
            let ranges = slice(&self.ranges, &guard.ranges);
            let is_one = |is| ranges.iter().any(|(from, to)| (*from..=*to).contains(&is));
            if !guard.field.raw(data).is_some_and(is_one) {
                let is_last = place + 1 == guards.len();
                return if branch.told && is_last { Holds::AllButTold } else { Holds::No };
            }
        }
        Holds::All
    }

    /// `is_told_none`: the sender says that there is nothing in it.
    // All in one: what is given is made in registers, and so may what the caller does with it be.
    #[inline(always)]
    fn give(&self, block: &Block, data: &Data<'_>, is_told_none: bool, take: &mut impl Take) {
        let is_sure = !is_told_none && usize::from(block.needs) <= data.bytes.len();
        for step in slice(&self.plain, &block.plain) {
            let number = if is_sure { step.read(data) } else { read_slowly(step, data, is_told_none) };
            take.number(step.index, step.signal, number);
        }
        for step in slice(&self.others, &block.others) {
            let number = if is_told_none { Err(RejectCode::NotAvailable) } else { self.value(step, data) };
            take.other(step.index, number);
        }
    }

    #[inline(never)]
    fn value(&self, step: &Step, data: &Data<'_>) -> Result<f64, RejectCode> {
        let raw = step.field.raw(data).ok_or(RejectCode::WrongLength)?;
        Ok(self.worth(&step.special, raw, step.sign)? * step.factor + step.offset)
    }

    #[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
    fn worth(&self, special: &Special, raw: u64, sign: u64) -> Result<f64, RejectCode> {
        match special {
            Special::None => Ok(whole(raw, sign)),
            Special::Wide => Ok(raw as f64),
            Special::Float => Ok(u32::try_from(raw).map_or(f64::NAN, |bits| f64::from(f32::from_bits(bits)))),
            Special::Double => Ok(f64::from_bits(raw)),
            Special::J1939(bits) => available(raw, u32::from(*bits)).map(|()| raw as f64),
            Special::Absent(absent) => {
                if slice(&self.absent, absent).contains(&raw) {
                    return Err(RejectCode::NotAvailable);
                }
                Ok(if sign == 0 { raw as f64 } else { whole(raw, sign) })
            }
        }
    }
}

/// As [`Plain::read`], for data that may end too early.
#[cold]
#[inline(never)]
fn read_slowly(step: &Plain, data: &Data<'_>, is_told_none: bool) -> Result<Number, RejectCode> {
    if is_told_none {
        Err(RejectCode::NotAvailable)
    } else if usize::from(step.needs_bytes()) > data.bytes.len() {
        Err(RejectCode::WrongLength)
    } else {
        step.read(data)
    }
}

/// Which of a branch's conditions hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    All,
    /// All but the last, by which the sender tells that there is no value.
    AllButTold,
    No,
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

#[expect(clippy::cast_precision_loss, reason = "a double is what every DBC tool gives")]
fn whole(raw: u64, sign: u64) -> f64 {
    (raw ^ sign).wrapping_sub(sign).cast_signed() as f64
}

fn end<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

#[inline(always)]
fn slice<'p, T>(list: &'p [T], range: &Range<u32>) -> &'p [T] {
    list.get(range.start as usize..range.end as usize).unwrap_or_default()
}
