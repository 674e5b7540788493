//! From what a file says to what can be decoded: everything that does not fit becomes a finding.

use super::{
    database::{ByteOrder, Database, Message, Shape, Signal, Switch},
    file::{FileText, MessageText, SignalText, SwitchText, shown},
    finding::Findings,
    overlap,
};
use crate::j1939;
use std::collections::HashMap;
use vernport_types::CanId;

/// The message that editors keep unused signals in; it is never sent.
const UNUSED: u64 = 0xC000_0000;
/// Its name, which some writers give another number.
const UNUSED_NAME: &str = "VECTOR__INDEPENDENT_SIG_MSG";
/// Set in a number of a message with 29 bits.
const IS_EXTENDED: u64 = 0x8000_0000;
/// Lengths of more than 8 bytes that a CAN FD frame can have (ISO 11898-1).
const FD_LENGTHS: [u16; 7] = [12, 16, 20, 24, 32, 48, 64];
/// The null address (SAE J1939-81): nobody sends data from it, so as a source it stands for any.
const ANY_SOURCE: u32 = 0xFE;

/// The database of a file.
pub(super) fn check(file: FileText, findings: &mut Findings) -> Database {
    let protocol = file.protocol.as_deref().unwrap_or_default().to_ascii_uppercase();
    let j1939 = J1939 {
        by_default: file.default_frame_format.as_deref() == Some("J1939PG"),
        by_protocol: protocol.starts_with("J1939"),
    };
    let mut ids = HashMap::new();
    let mut names = HashMap::new();
    let mut groups = HashMap::new();
    let mut database = Database::default();
    let mut overlaps = overlap::Search::default();
    for text in file.messages {
        let line = text.line;
        let Some(message) = message(text, &j1939, findings) else { continue };
        let shown_name = shown(&message.name);
        if let Some(first) = ids.insert(message.id, line) {
            let what =
                format!("{shown_name} has the identifier of the message in line {first}; it is not used");
            findings.error(line, what, "give each message its own identifier");
            ids.insert(message.id, first);
            continue;
        }
        if let Some(first) = names.insert(message.name.clone(), line) {
            let what = format!("{shown_name} has the name of the message in line {first}");
            findings.warning(line, what, "give each message its own name");
        }
        if let Some(id) = j1939::Id::from_can(message.id).filter(|_| message.is_j1939) {
            if let Some(first) = groups.insert((id.pgn, id.source), line) {
                let what = format!(
                    "{shown_name} is the same parameter group of the same source as the message in line {first}; \
                     only frames of exactly its identifier are taken for it"
                );
                findings.warning(line, what, "keep one message for each group and source");
            }
            if id.destination.is_some_and(|to| to != j1939::Id::GLOBAL && u32::from(to) != ANY_SOURCE) {
                let what = format!("{shown_name} names a destination, which does not count in SAE J1939");
                findings.warning(line, what, "nothing to do if it holds for every destination");
            }
        }
        overlaps.search(&message, findings);
        database.messages.push(message);
    }
    database
}

/// What the file says of J1939 as a whole.
struct J1939 {
    by_default: bool,
    by_protocol: bool,
}

impl J1939 {
    fn holds(&self, id: CanId, frame_format: Option<&str>) -> bool {
        let CanId::Extended(raw) = id else { return false };
        let format = raw >> 16 & 0xFF;
        // ISO 15765-2: normal fixed addressing, carried by groups but no parameters.
        if matches!(format, 0xDA | 0xDB | 0xCD | 0xCE) {
            return false;
        }
        let any_source = format >= 240 && raw & 0xFF == ANY_SOURCE;
        match frame_format {
            Some("J1939PG") => true,
            Some(_) => any_source,
            None => any_source || self.by_default || self.by_protocol,
        }
    }
}

fn message(text: MessageText, j1939: &J1939, findings: &mut Findings) -> Option<Message> {
    if text.id == UNUSED || text.name == UNUSED_NAME {
        return None;
    }
    let name = text.long_name.filter(|name| !name.is_empty()).unwrap_or(text.name);
    let shown_name = shown(&name);
    let Some(id) = identifier(text.id) else {
        let what = format!("{shown_name}: {} is no identifier; the message is not used", text.id);
        findings.error(text.line, what, "11 bits, or 29 bits plus 2147483648");
        return None;
    };
    if text.id & IS_EXTENDED == 0 && matches!(id, CanId::Extended(_)) {
        let what = format!("{shown_name}: {} has over 11 bits and is taken for one of 29", text.id);
        findings.warning(text.line, what, "add 2147483648 to it");
    }
    let Some(len_bytes) =
        u16::try_from(text.len_bytes).ok().filter(|len| *len <= Database::MAX_MESSAGE_BYTES)
    else {
        let what = format!("{shown_name} has {} bytes; the message is not used", text.len_bytes);
        findings.error(text.line, what, "at most 64, or 1785 where a transport protocol carries it");
        return None;
    };
    let is_j1939 = j1939.holds(id, text.frame_format.as_deref());
    if len_bytes > 8 && !FD_LENGTHS.contains(&len_bytes) && !is_j1939 {
        let what = format!(
            "{shown_name} has {len_bytes} bytes, which no frame has; it is taken for a payload of ISO-TP"
        );
        findings.warning(text.line, what, "nothing to do if it is one; else mend the length");
    }
    let signals = signals(text.signals, len_bytes, findings);
    Some(Message { line: text.line, name: name.into(), id, is_j1939, len_bytes, signals })
}

fn identifier(number: u64) -> Option<CanId> {
    if number <= 0x7FF {
        return u16::try_from(number).ok().and_then(CanId::standard);
    }
    // Many real files lack the bit for 29-bit identifiers.
    u32::try_from(number & !IS_EXTENDED).ok().and_then(CanId::extended)
}

/// The signals that can be decoded, switches before what they switch.
fn signals(texts: Vec<SignalText>, len_bytes: u16, findings: &mut Findings) -> Vec<Signal> {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut usable: Vec<(SignalText, Signal)> = Vec::new();
    for text in texts {
        if let Some(first) = by_name.get(&text.name) {
            let line = usable[*first].0.line;
            let what = format!(
                "{} is in the message twice, first in line {line}; it is not used",
                shown(&text.name)
            );
            findings.error(text.line, what, "give each signal of a message its own name");
            continue;
        }
        if let Some(signal) = signal(&text, len_bytes, findings) {
            by_name.insert(text.name.clone(), usable.len());
            usable.push((text, signal));
        }
    }
    let parents: Vec<Parent> = parents(&usable, &by_name, findings);
    in_order(usable, &parents, findings)
}

/// What a signal depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    None,
    Switch(usize),
    /// There is an error: it cannot be used.
    Lost,
}

fn parents(
    usable: &[(SignalText, Signal)],
    by_name: &HashMap<String, usize>,
    findings: &mut Findings,
) -> Vec<Parent> {
    let roots: Vec<usize> = (0..usable.len())
        .filter(|place| {
            usable[*place].0.multiplexing == super::file::Multiplexing { is_switch: true, at: None }
        })
        .collect();
    let mut parents = Vec::with_capacity(usable.len());
    for (place, (text, _)) in usable.iter().enumerate() {
        parents.push(match (&text.switched_by, text.multiplexing.at) {
            (None, None) => Parent::None,
            (Some(SwitchText { switch, ranges, line }), _) => match by_name.get(switch) {
                Some(switch) if *switch != place && !ranges.is_empty() => {
                    let all = ranges.iter().copied();
                    reachable(text, &usable[*switch].1, all, *line, findings).then_some(*switch)
                }
                _ => {
                    let what =
                        format!("{} depends on a switch that the message does not have", shown(&text.name));
                    findings.error(*line, what, "name a signal with M in the same message");
                    None
                }
            }
            .map_or(Parent::Lost, Parent::Switch),
            (None, Some(at)) => match roots.as_slice() {
                [root] if *root != place => {
                    let all = [(at, at)].into_iter();
                    reachable(text, &usable[*root].1, all, text.line, findings).then_some(*root)
                }
                others => {
                    let what = format!(
                        "{} is multiplexed, and its message has {} signals with M",
                        shown(&text.name),
                        others.len()
                    );
                    findings.error(text.line, what, "name one, or say by SG_MUL_VAL_ which one it is");
                    None
                }
            }
            .map_or(Parent::Lost, Parent::Switch),
        });
    }
    parents
}

/// Whether the switch can have any of the values.
fn reachable(
    text: &SignalText,
    switch: &Signal,
    ranges: impl Iterator<Item = (u64, u64)>,
    line: u32,
    findings: &mut Findings,
) -> bool {
    let largest = u64::MAX >> (64 - switch.len_bits);
    let mut any = false;
    for (from, to) in ranges {
        if from > to || to > largest {
            let what = format!(
                "{} is there at {from} to {to}, and its switch goes from 0 to {largest}",
                shown(&text.name)
            );
            findings.error(line, what, "mend the value, or the length of the switch");
        }
        any |= from <= to && from <= largest;
    }
    any
}

/// Puts switches before what they switch. What depends on itself, or on what is lost, is left out.
fn in_order(usable: Vec<(SignalText, Signal)>, parents: &[Parent], findings: &mut Findings) -> Vec<Signal> {
    let mut rank: Vec<Option<usize>> = vec![None; usable.len()];
    let mut order = Vec::with_capacity(usable.len());
    for (place, (text, _)) in usable.iter().enumerate() {
        // Up to the root or to what is placed already; longer than the list means a ring.
        let mut chain = Vec::new();
        let mut at = place;
        let whole = loop {
            if rank[at].is_some() {
                break true;
            }
            chain.push(at);
            match parents[at] {
                Parent::None => break true,
                Parent::Switch(parent) if chain.len() <= MAX_NESTING => at = parent,
                Parent::Switch(_) => {
                    let what = format!("{} depends on itself, or on too many switches", shown(&text.name));
                    findings.error(text.line, what, "mend SG_MUL_VAL_; at most 8 switches in a row");
                    break false;
                }
                Parent::Lost => break false,
            }
        };
        if whole {
            for at in chain.into_iter().rev() {
                rank[at] = Some(order.len());
                order.push(at);
            }
        }
    }
    let mut signals: Vec<Option<(SignalText, Signal)>> = usable.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|at| {
            let (text, mut signal) = signals[at].take()?;
            if let Parent::Switch(parent) = parents[at] {
                let ranges = match (text.switched_by, text.multiplexing.at) {
                    (Some(by), _) => by.ranges,
                    (None, Some(at)) => vec![(at, at)],
                    (None, None) => return None,
                };
                signal.switch = Some(Switch { signal: rank[parent]?, ranges });
            }
            Some(signal)
        })
        .collect()
}

/// How deep switches may stand below one another.
const MAX_NESTING: usize = 8;

fn signal(text: &SignalText, len_bytes: u16, findings: &mut Findings) -> Option<Signal> {
    let name = text.long_name.as_ref().filter(|name| !name.is_empty()).unwrap_or(&text.name);
    let shown_name = shown(name);
    let mut fail = |line: u32, what: String, mend: &'static str| {
        findings.error(line, format!("{shown_name} {what}; it is not used"), mend);
        None
    };
    let len_bits = match text.len_bits {
        0 => return fail(text.line, "has no bits".into(), "give it 1 to 64 bits"),
        len @ 1..=64 => u8::try_from(len).ok()?,
        len => return fail(text.line, format!("has {len} bits"), "give it 1 to 64 bits"),
    };
    let order = if text.is_intel { ByteOrder::Intel } else { ByteOrder::Motorola };
    let shape = match (text.float, text.is_signed, len_bits) {
        (None | Some((0, _)), false, _) => Shape::Unsigned,
        (None | Some((0, _)), true, _) => Shape::Signed,
        (Some((1, _)), _, 32) => Shape::Float,
        (Some((2, _)), _, 64) => Shape::Double,
        (Some((1, line)), ..) => {
            return fail(line, format!("is a float of {len_bits} bits"), "a float has 32 bits");
        }
        (Some((2, line)), ..) => {
            return fail(line, format!("is a double of {len_bits} bits"), "a double has 64 bits");
        }
        (Some((_, line)), ..) => {
            return fail(line, "is of an unknown kind".into(), "0 to 2 may stand in SIG_VALTYPE_");
        }
    };
    if !(text.factor.is_finite() && text.offset.is_finite() && text.factor != 0.0) {
        return fail(
            text.line,
            "has a factor of zero or one that is no number".into(),
            "mend factor and offset",
        );
    }
    let beyond = "ends beyond its message";
    let start_bit = match u16::try_from(text.start_bit) {
        Ok(start) if start < len_bytes.saturating_mul(8) => start,
        _ => {
            return fail(
                text.line,
                "begins beyond its message".into(),
                "mend start, or the length of the message",
            );
        }
    };
    let words = text.words.iter().map(|(raw, word)| (*raw, word.as_str().into())).collect();
    let signal = Signal {
        line: text.line,
        name: name.as_str().into(),
        start_bit,
        len_bits,
        order,
        shape,
        factor: text.factor,
        offset: text.offset,
        largest: Some(text.max).filter(|max| max.is_finite() && *max > text.min),
        unit: text.unit.as_str().into(),
        switch: None,
        words,
        spn: text.spn,
    };
    if signal.needs_bytes() > usize::from(len_bytes) {
        return fail(text.line, beyond.into(), "mend start and length, or the length of the message");
    }
    doubtful(text, &signal, &shown_name, findings);
    Some(signal)
}

/// What does not keep a signal from being decoded.
fn doubtful(text: &SignalText, signal: &Signal, shown_name: &str, findings: &mut Findings) {
    if text.min > text.max {
        let what = format!("{shown_name} has a smallest value above its largest");
        findings.warning(text.line, what, "exchange them; they are not used here");
    }
    let (lowest, highest) = match signal.shape {
        Shape::Unsigned => (0, i128::from(u64::MAX >> (64 - signal.len_bits))),
        Shape::Signed => (-(1 << (signal.len_bits - 1)), (1 << (signal.len_bits - 1)) - 1),
        Shape::Float | Shape::Double => return,
    };
    let outside =
        signal.words.iter().filter(|(raw, _)| !(lowest..=highest).contains(&i128::from(*raw))).count();
    if outside > 0 {
        let what = format!("{shown_name} has {outside} words for values that it cannot have");
        findings.warning(text.words_line, what, "take them out, or mend the length");
    }
}
