//! A payload through a mapping: whole, or refused with one code.

use super::{
    PassedOver,
    clock::{When, when},
    document::Node,
    file::Otherwise,
    input::documents,
    path::{Each, Path, Row},
    rules::{Chosen, Country, Group, IdRule, Rule, Rules, VehicleRule, What},
    value::{Degrees, Waiting, position},
};
use crate::{
    MessageKey, Said, ToolMessage, ToolReading, VehicleRef,
    tool_message::{MAX_AHEAD_SECONDS, MAX_PAYLOAD_BYTES},
    tool_result::{Refused, ResultCode},
};
use jiff::tz::TimeZone;
use vernport_crypto::IdentityKey;
use vernport_types::{Identifier, Plate, UtcMicros, Value};

/// Most rows and fields that are looked at in one message.
const MAX_WORK: usize = 200_000;

/// Reads a payload.
pub(super) fn read(
    rules: &Rules,
    payload: &[u8],
    now: UtcMicros,
    zone: Option<&TimeZone>,
    key: &IdentityKey,
) -> Result<Said, Refused> {
    let refused = |id: Option<&MessageKey>, code| Refused { id: id.cloned(), code };
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(refused(None, ResultCode::TooLarge));
    }
    let documents = documents(rules.input, payload).and_then(|documents| opened(rules, documents));
    let documents = documents.ok_or_else(|| refused(None, ResultCode::Malformed))?;
    let said = said_id(&rules.id, &documents, payload, key).map_err(|code| refused(None, code))?;
    let with_id = |code| refused(said.as_ref(), code);
    if !documents.iter().all(|node| rules.require.iter().all(|c| c.holds(&Row::document(node)))) {
        return Err(with_id(ResultCode::Malformed));
    }
    let vehicle = vehicle(&rules.vehicle, &documents).ok_or_else(|| with_id(ResultCode::Vehicle))?;
    let mut reading = Reading {
        rules,
        now,
        zone,
        readings: Vec::new(),
        passed_over: PassedOver::default(),
        waiting: Waiting::default(),
        on_arrival: false,
        work: MAX_WORK,
    };
    for document in &documents {
        reading.document(&Row::document(document)).map_err(with_id)?;
    }
    reading.passed_over.halves = reading.waiting.len();
    let Reading { readings, passed_over, on_arrival, .. } = reading;
    // The same words at another time are another message, where the time is not among the words.
    let id = said.unwrap_or_else(|| derived(key, payload, on_arrival.then_some(now)));
    Ok(Said { message: ToolMessage { id, vehicle, readings }, passed_over })
}

/// The documents with those in place that stand as texts within them.
fn opened(rules: &Rules, mut documents: Vec<Node>) -> Option<Vec<Node>> {
    let mut whole = true;
    for document in &mut documents {
        for path in &rules.embedded {
            path.change(document, &mut |node| {
                if let Node::Text(text) = node {
                    match Node::from_json(text.as_bytes()) {
                        Some(inner) => *node = inner,
                        None => whole = false,
                    }
                }
            });
        }
    }
    whole.then_some(documents)
}

/// An id out of the bytes. Keyed, since a short payload could be guessed from its hash.
fn derived(key: &IdentityKey, payload: &[u8], arrived: Option<UtcMicros>) -> MessageKey {
    // No id of a tool begins so: in it a slug stands before a '/'.
    let mut bytes = b"\0payload\0".to_vec();
    bytes.extend(arrived.map_or(0, |at| at.0).to_le_bytes());
    bytes.extend_from_slice(payload);
    let hash = key.message(&bytes);
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    MessageKey::new(&hex).expect("hexadecimal digits")
}

/// The id that the sender gave; none where it is to be derived. One that is no
/// key of ours stands for itself as a hash; documents with several share one of the whole.
fn said_id(
    rule: &IdRule,
    documents: &[Node],
    payload: &[u8],
    key: &IdentityKey,
) -> Result<Option<MessageKey>, ResultCode> {
    let IdRule::Fields(paths) = rule else { return Ok(None) };
    let mut said = Vec::new();
    for path in paths {
        let words = all_words(path, documents).ok_or(ResultCode::Malformed)?;
        if words.iter().any(|word| *word != words[0]) {
            return Ok(Some(derived(key, payload, None)));
        }
        said.push(words[0].clone());
    }
    let said = said.join(":");
    Ok(Some(MessageKey::new(&said).unwrap_or_else(|| derived(key, said.as_bytes(), None))))
}

/// The words at a path in all documents, at least one; `None` where a document has none.
fn all_words(path: &Path, documents: &[Node]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for document in documents {
        let before = words.len();
        let whole = path.each(&Row::document(document), &mut |each| {
            let Each::Row(row) = each else { return true };
            let found = Path::row().find(&row);
            let word = found.as_deref().and_then(|node| node.word().map(|word| word.trim().to_owned()));
            let has = word.as_ref().is_some_and(|word| !word.is_empty());
            words.extend(word);
            has
        });
        let found = words.len() - before;
        if !whole || found == 0 || found != path.places(&Row::document(document)) {
            return None;
        }
    }
    Some(words)
}

/// The first rule that finds something in every document, where all of it is the same.
fn vehicle(rules: &[VehicleRule], documents: &[Node]) -> Option<VehicleRef> {
    let the_same = |path: &Path| {
        let words = all_words(path, documents)?;
        let same = words.iter().all(|word| *word == words[0]);
        Some(same.then(|| words[0].clone()))
    };
    let is_said = |path: &Path| {
        documents.iter().any(|document| {
            let mut found = false;
            path.each(&Row::document(document), &mut |each| {
                let Each::Row(row) = each else { return true };
                let node = Path::row().find(&row);
                found |= node.as_deref().is_some_and(|node| {
                    !matches!(node, Node::Null) && node.word().is_none_or(|word| !word.trim().is_empty())
                });
                true
            });
            found
        })
    };
    for rule in rules {
        let path = match rule {
            VehicleRule::Visit => return Some(VehicleRef::Visit),
            VehicleRule::Vin(path) | VehicleRule::Order(path) | VehicleRule::Plate(path, _) => path,
        };
        if !is_said(path) {
            continue;
        }
        // Said in part, or of two vehicles: that is nobody's.
        let word = the_same(path)??;
        return match rule {
            VehicleRule::Visit => Some(VehicleRef::Visit),
            VehicleRule::Vin(_) => Some(VehicleRef::Identifier(Identifier::Vin(word.parse().ok()?))),
            VehicleRule::Order(_) => Some(VehicleRef::Order(word.parse().ok()?)),
            VehicleRule::Plate(_, country) => {
                let country = match country {
                    Country::Fixed(country) => country.to_string(),
                    Country::At(path) => the_same(path)??,
                };
                Some(VehicleRef::Identifier(Identifier::Plate(Plate::new(&country, &word).ok()?)))
            }
        };
    }
    None
}

/// One message on its way.
struct Reading<'r> {
    rules: &'r Rules,
    now: UtcMicros,
    zone: Option<&'r TimeZone>,
    readings: Vec<ToolReading>,
    passed_over: PassedOver,
    waiting: Waiting,
    on_arrival: bool,
    work: usize,
}

impl Reading<'_> {
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
            self.taken(group, |this| this.whole(group, rule, node.as_deref(), row))?;
        }
        let Some(name) = &group.name else { return Ok(()) };
        let node = name.find(row);
        let chosen = node.as_deref().and_then(Node::word).and_then(|word| group.by_name.get(&*word).copied());
        let Some(chosen) = chosen else {
            self.passed_over.unlisted += 1;
            return if group.unlisted == Otherwise::Refuse { Err(ResultCode::UnknownSignal) } else { Ok(()) };
        };
        let value = group.value.find(row);
        self.taken(group, |this| match chosen {
            Chosen::Whole(place) => this.whole(group, &group.rules[place], value.as_deref(), row),
            Chosen::Latitude(place) => this.half(group, &group.rules[place], true, value.as_deref(), row),
            Chosen::Longitude(place) => this.half(group, &group.rules[place], false, value.as_deref(), row),
        })
    }

    /// Runs a rule; what it refuses is passed over where the group says so.
    fn taken(
        &mut self,
        group: &Group,
        run: impl FnOnce(&mut Self) -> Result<(), ResultCode>,
    ) -> Result<(), ResultCode> {
        let before = self.readings.len();
        match run(self) {
            Err(ResultCode::Value | ResultCode::Unit | ResultCode::Time)
                if group.bad_values == Otherwise::Skip =>
            {
                self.readings.truncate(before);
                self.passed_over.bad += 1;
                Ok(())
            }
            outcome => outcome,
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
                self.taken(group, |this| {
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
        if self.readings.len() >= self.rules.max_readings {
            return Err(ResultCode::TooLarge);
        }
        self.readings.push(ToolReading { signal: rule.signal, value, at });
        Ok(())
    }
}
