//! A payload through a mapping: whole, or refused with one code.

use super::{
    PassedOver,
    clock::{When, when},
    document::Node,
    file::Otherwise,
    identify::{Part, Payload, parts},
    input::documents,
    path::{Each, Path, Row},
    rules::{Chosen, Group, Rule, Rules, What},
    trouble::{Step, Trouble},
    value::{Degrees, Waiting, position},
};
use crate::{
    Said, ToolMessage, ToolReading,
    tool_message::{MAX_AHEAD_SECONDS, MAX_PAYLOAD_BYTES},
    tool_result::ResultCode,
};
use jiff::tz::TimeZone;
use std::collections::HashSet;
use vernport_crypto::IdentityKey;
use vernport_types::{UtcMicros, Value};

/// Most rows and fields that are looked at in one payload.
const MAX_WORK: usize = 200_000;

/// Reads a payload.
pub(super) fn read(
    rules: &Rules,
    payload: &[u8],
    now: UtcMicros,
    zone: Option<&TimeZone>,
    key: &IdentityKey,
) -> Result<Said, Trouble> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Trouble::new(ResultCode::TooLarge, Step::Payload));
    }
    let documents = documents(rules.input, payload);
    let documents = documents.ok_or_else(|| Trouble::new(ResultCode::Malformed, Step::Payload))?;
    let documents = opened(rules, documents)?;
    let whole = Payload { bytes: payload, key };
    let parts = parts(rules, &documents)?;
    let said: Vec<_> = parts.iter().map(|part| part.said_id(&rules.id, whole)).collect::<Result<_, _>>()?;
    // What stands in one message is answered by its id, what stands in several by one of the whole.
    let id = match (&rules.messages, said.first()) {
        (None, Some(said)) => said.clone(),
        _ => Some(whole.derived(None, None)),
    };
    let with_id = |trouble: Trouble| trouble.of(id.as_ref());
    required(rules, &documents).map_err(with_id)?;
    let mut reading = Reading::new(rules, now, zone);
    let (mut messages, mut ids) = (Vec::new(), HashSet::new());
    for (part, said) in parts.iter().zip(said) {
        let within = |trouble: Trouble| with_id(trouble.within(part.shown(rules)));
        let vehicle = part.vehicle(&rules.vehicle).map_err(within)?;
        let (readings, on_arrival) = reading.part(part).map_err(within)?;
        // The same words at another time are another message, where the time is not among the words.
        let id = said.unwrap_or_else(|| whole.derived(part.number, on_arrival.then_some(now)));
        if !ids.insert(id.clone()) {
            let twice = Trouble::new(ResultCode::Malformed, Step::Id).in_line(rules.id.line);
            return Err(within(twice));
        }
        messages.push(ToolMessage { id, vehicle, readings });
    }
    let id = match (id, &messages[..]) {
        (None, [message]) => message.id.clone(),
        (id, _) => id.unwrap_or_else(|| whole.derived(None, None)),
    };
    Ok(Said { id, messages, passed_over: reading.passed_over })
}

/// Whether every document is what it has to be.
fn required(rules: &Rules, documents: &[Node]) -> Result<(), Trouble> {
    for node in documents {
        let row = Row::document(node);
        if let Some(failed) = rules.require.iter().find(|condition| !condition.of.holds(&row)) {
            return Err(Trouble::new(ResultCode::Malformed, Step::Require).in_line(failed.line));
        }
    }
    Ok(())
}

/// The documents with those in place that stand as texts within them.
fn opened(rules: &Rules, mut documents: Vec<Node>) -> Result<Vec<Node>, Trouble> {
    for path in &rules.embedded {
        let mut whole = true;
        for document in &mut documents {
            path.of.change(document, &mut |node| {
                if let Node::Text(text) = node {
                    match Node::from_json(text.as_bytes()) {
                        Some(inner) => *node = inner,
                        None => whole = false,
                    }
                }
            });
        }
        if !whole {
            return Err(Trouble::new(ResultCode::Malformed, Step::Embedded).in_line(path.line));
        }
    }
    Ok(documents)
}

/// One payload on its way, message by message.
struct Reading<'r> {
    rules: &'r Rules,
    now: UtcMicros,
    zone: Option<&'r TimeZone>,
    /// How many readings more the payload may have.
    room: usize,
    readings: Vec<ToolReading>,
    passed_over: PassedOver,
    waiting: Waiting,
    on_arrival: bool,
    work: usize,
    /// Where it went wrong.
    stopped: Option<Trouble>,
}

impl<'r> Reading<'r> {
    fn new(rules: &'r Rules, now: UtcMicros, zone: Option<&'r TimeZone>) -> Self {
        Self {
            rules,
            now,
            zone,
            room: rules.max_readings,
            readings: Vec::new(),
            passed_over: PassedOver::default(),
            waiting: Waiting::default(),
            on_arrival: false,
            work: MAX_WORK,
            stopped: None,
        }
    }

    /// The readings of one message, and whether one of them has only its arrival for a time.
    fn part(&mut self, part: &Part<'_>) -> Result<(Vec<ToolReading>, bool), Trouble> {
        (self.on_arrival, self.waiting) = (false, Waiting::default());
        for row in &part.rows {
            self.document(row).map_err(|code| {
                let place = self.stopped.take();
                place.unwrap_or_else(|| Trouble::new(code, Step::Reading))
            })?;
        }
        self.passed_over.halves += self.waiting.len();
        Ok((std::mem::take(&mut self.readings), self.on_arrival))
    }

    fn document(&mut self, document: &Row<'_>) -> Result<(), ResultCode> {
        let rules = self.rules;
        for group in &rules.groups {
            let Some(each) = &group.each else {
                self.row(group, document)?;
                continue;
            };
            let mut outcome = Ok(());
            each.each(document, &mut |each| {
                outcome = match each {
                    Each::Row(row) => self.row(group, &row),
                    Each::Empty(row) => self.empty(group, &row),
                };
                outcome.is_ok()
            });
            outcome?;
        }
        Ok(())
    }

    /// Keeps where it went wrong, for who asks.
    fn stop(&mut self, code: ResultCode, group: &Group, rule: Option<&Rule>, row: &Row<'_>) -> ResultCode {
        let trouble = Trouble::new(code, Step::Reading).in_row(group.each.as_ref(), row);
        let trouble = trouble.in_line(rule.map_or(group.line, |rule| rule.line));
        let signal = rule.map(|rule| rule.entry.path.clone());
        self.stopped = Some(Trouble { signal, ..trouble });
        code
    }

    fn works(&mut self) -> Result<(), ResultCode> {
        self.work = self.work.checked_sub(1).ok_or(ResultCode::TooLarge)?;
        Ok(())
    }

    fn row(&mut self, group: &Group, row: &Row<'_>) -> Result<(), ResultCode> {
        self.works()?;
        if !group.when.iter().all(|condition| condition.holds(row)) {
            return Ok(());
        }
        for place in &group.fixed {
            self.works()?;
            let rule = &group.rules[*place];
            let node = rule.at.as_ref().and_then(|at| at.find(row));
            self.taken(group, rule, row, |this| this.whole(group, rule, node.as_deref(), row))?;
        }
        let Some(name) = &group.name else { return Ok(()) };
        let node = name.find(row);
        let chosen = node.as_deref().and_then(Node::word).and_then(|word| group.by_name.get(&*word).copied());
        let Some(chosen) = chosen else {
            self.passed_over.unlisted += 1;
            if group.unlisted == Otherwise::Skip {
                return Ok(());
            }
            return Err(self.stop(ResultCode::UnknownSignal, group, None, row));
        };
        let value = group.value.find(row);
        let (Chosen::Whole(place) | Chosen::Latitude(place) | Chosen::Longitude(place)) = chosen;
        let rule = &group.rules[place];
        self.taken(group, rule, row, |this| match chosen {
            Chosen::Whole(_) => this.whole(group, rule, value.as_deref(), row),
            Chosen::Latitude(_) => this.half(group, rule, true, value.as_deref(), row),
            Chosen::Longitude(_) => this.half(group, rule, false, value.as_deref(), row),
        })
    }

    /// Runs a rule; what it refuses is passed over where the group says so.
    fn taken(
        &mut self,
        group: &Group,
        rule: &Rule,
        row: &Row<'_>,
        run: impl FnOnce(&mut Self) -> Result<(), ResultCode>,
    ) -> Result<(), ResultCode> {
        let (before, room) = (self.readings.len(), self.room);
        match run(self) {
            Err(ResultCode::Value | ResultCode::Unit | ResultCode::Time)
                if group.bad_values == Otherwise::Skip =>
            {
                self.readings.truncate(before);
                self.room = room;
                self.passed_over.bad += 1;
                Ok(())
            }
            outcome => outcome.map_err(|code| self.stop(code, group, Some(rule), row)),
        }
    }

    /// A list that is there and has nothing in it: for trouble codes that may say "none".
    fn empty(&mut self, group: &Group, row: &Row<'_>) -> Result<(), ResultCode> {
        if !group.when.iter().all(|condition| condition.holds(row)) {
            return Ok(());
        }
        for place in &group.fixed {
            let rule = &group.rules[*place];
            if let What::Codes(codes) = &rule.what
                && codes.none_if_empty
            {
                self.taken(group, rule, row, |this| {
                    let at = this.at(group, rule, row)?;
                    this.push(rule, Value::Nothing, at)
                })?;
            }
        }
        Ok(())
    }

    fn whole(
        &mut self,
        group: &Group,
        rule: &Rule,
        node: Option<&Node>,
        row: &Row<'_>,
    ) -> Result<(), ResultCode> {
        let values = match &rule.what {
            What::Scalar => match node {
                None => return Ok(()),
                Some(node) if rule.scalar.is_missing(node) => Vec::new(),
                Some(node) => {
                    let unit = self.unit(rule.unit_at.as_ref().or(group.unit_at.as_ref()), row);
                    vec![rule.scalar.value(node, unit.as_deref(), &rule.entry)?]
                }
            },
            What::Position(degrees) => degrees.read(row, &rule.scalar)?.into_iter().collect(),
            What::Codes(codes) => codes.read(node, row, &rule.scalar)?,
        };
        if values.is_empty() {
            self.passed_over.unavailable += u32::from(node.is_some());
            return Ok(());
        }
        let at = self.at(group, rule, row)?;
        for value in values {
            self.push(rule, value, at)?;
        }
        Ok(())
    }

    fn half(
        &mut self,
        group: &Group,
        rule: &Rule,
        is_latitude: bool,
        node: Option<&Node>,
        row: &Row<'_>,
    ) -> Result<(), ResultCode> {
        let What::Position(Degrees::Rows(halves)) = &rule.what else { return Ok(()) };
        let Some(node) = node.filter(|node| !rule.scalar.is_missing(node)) else {
            self.passed_over.unavailable += 1;
            return Ok(());
        };
        let degrees = rule.scalar.degrees(node)?;
        let at = self.at(group, rule, row)?;
        if let Some((latitude, longitude)) =
            self.waiting.take(rule.signal, is_latitude, degrees, at.0, halves)
            && let Some(value) = position(latitude, longitude)?
        {
            self.push(rule, value, at)?;
        }
        Ok(())
    }

    /// The unit that a row names, in our words.
    fn unit(&self, at: Option<&Path>, row: &Row<'_>) -> Option<String> {
        let node = at?.find(row)?;
        let word = node.word()?;
        let word = word.trim();
        let known = self.rules.units.get(word).map_or(word, |unit| unit);
        (!known.is_empty()).then(|| known.to_owned())
    }

    fn at(&mut self, group: &Group, rule: &Rule, row: &Row<'_>) -> Result<UtcMicros, ResultCode> {
        let clocks = rule.clocks.as_ref().or(group.clocks.as_ref()).unwrap_or(&self.rules.clocks);
        match when(clocks, row, self.zone)? {
            When::Arrival => {
                self.on_arrival = true;
                Ok(self.now)
            }
            When::Said(at) if at > self.now.plus_seconds(MAX_AHEAD_SECONDS) => Err(ResultCode::Time),
            When::Said(at) => Ok(at),
        }
    }

    fn push(&mut self, rule: &Rule, value: Value, at: UtcMicros) -> Result<(), ResultCode> {
        self.room = self.room.checked_sub(1).ok_or(ResultCode::TooLarge)?;
        self.readings.push(ToolReading { signal: rule.signal, value, at });
        Ok(())
    }
}
