//! What `vernport subscribe` prints: a line for each value, or JSON. The
//! operator who has the keys answers for where that goes.

use super::vehicles::{Entry, Vehicles, short};
use crate::{link::Unusable, show, unseal};
use anyhow::Result;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use vernport_crypto::{OpeningKey, VerifyingKey};
use vernport_gateway::secrets::read_key;
use vernport_mqtt::{
    Cause, Delivery, FleetMessage, Heard, News, Noted, Numbered, Stream, Subscription, ToDelete,
    fleet_message::SealedMessage,
};
use vernport_seal::{Body, ReceivedEnvelope};
use vernport_status::output::{self, OutputError};
use vernport_types::{FleetNumber, UtcMicros, chain};

/// What sealed messages are opened and verified with.
pub(super) struct Keys {
    opening: Vec<OpeningKey>,
    signers: Vec<VerifyingKey>,
}

impl Keys {
    pub(super) fn read(files: &[PathBuf], signers: &[VerifyingKey]) -> Result<Self, Unusable> {
        let open = |path: &PathBuf| {
            let key = read_key(path).map_err(|error| Unusable::from_error(&error))?;
            Ok(OpeningKey::from_bytes(*key))
        };
        Ok(Self { opening: files.iter().map(open).collect::<Result<_, _>>()?, signers: signers.to_vec() })
    }

    /// The keys that open something.
    pub(super) fn opening(&self) -> &[OpeningKey] {
        &self.opening
    }

    /// The content, or why it stays closed; nothing where there is no key at all.
    fn open(&self, sealed: &SealedMessage) -> Option<Result<Body, String>> {
        (!self.opening.is_empty()).then(|| self.opened(&sealed.envelope.0))
    }

    fn opened(&self, envelope: &[u8]) -> Result<Body, String> {
        let envelope = ReceivedEnvelope::parse(envelope).map_err(|error| chain(&error).to_string())?;
        if !self.signers.is_empty() && !self.signers.iter().any(|signer| envelope.verify(signer).is_ok()) {
            return Err("signed by no gateway of --signed-by".to_owned());
        }
        let recipients: Vec<_> = envelope.recipients().collect();
        let key = self.opening.iter().find(|key| recipients.contains(&key.wrapping_key().key_id()));
        let key = key.ok_or("sealed to none of the keys of --key")?;
        envelope.open(key).map_err(|error| chain(&error).to_string())
    }
}

/// Prints.
pub(super) struct Teller {
    json: bool,
    keys: Keys,
    vehicles: Vehicles,
    headed: bool,
    was_up: bool,
}

impl Teller {
    pub(super) fn new(json: bool, keys: Keys, vehicles: Vehicles) -> Self {
        Self { json, keys, vehicles, headed: false, was_up: false }
    }

    pub(super) fn never_up(&self) -> bool {
        !self.was_up
    }

    pub(super) fn up(&mut self) {
        aside("subscribed");
        self.was_up = true;
    }

    pub(super) fn down(&self, cause: &Cause) {
        aside(&format!("no line to the broker, trying again: {cause}"));
    }

    /// Prints what was heard. Repeated messages are counted, and not shown again; notices are shown each time.
    ///
    /// # Errors
    /// If nobody reads what is printed: then it is not acknowledged either.
    pub(super) fn heard(&mut self, heard: &[Heard]) -> Result<(), OutputError> {
        let mut out = String::new();
        for one in heard {
            let lines = match (one, self.json) {
                (Heard::Message(delivery), _) if delivery.noted.news == News::Repeated => continue,
                (Heard::Message(delivery), true) => objects_as_lines(self.objects(delivery)),
                (Heard::Message(delivery), false) => self.rows(delivery).collect(),
                (Heard::Delete(to_delete), true) => objects_as_lines(vec![notice_object(to_delete)]),
                (Heard::Delete(to_delete), false) => self.notice_row(to_delete),
                (Heard::Roster(listed), _) => {
                    match self.vehicles.learn(&listed.roster, self.keys.opening()) {
                        Ok(entries) if self.json => objects_as_lines(self.entry_objects(&entries)),
                        Ok(entries) => {
                            entries.iter().map(|entry| entry_row(listed.roster.at.0, entry)).collect()
                        }
                        Err(_) => {
                            aside("a roster that no central of --central signed was passed over");
                            continue;
                        }
                    }
                }
            };
            if !self.json && !std::mem::replace(&mut self.headed, true) {
                out += &row(["time", "purpose", "vehicle", "signal", "value", "number"]);
            }
            out += &lines;
        }
        output::print(&out)
    }

    /// What came of each stream.
    ///
    /// # Errors
    /// If nobody reads what is printed.
    pub(super) fn end(&self, subscription: &Subscription) -> Result<(), OutputError> {
        let (total, foreign) = (subscription.streams().total(), subscription.foreign());
        let text = if self.json {
            json!({"kind": "end", "messages": total.messages, "repeated": total.repeated,
                   "skipped": total.skipped, "missing": total.missing, "foreign": foreign})
            .to_string()
                + "\n"
        } else {
            let mut rows: Vec<_> = subscription
                .streams()
                .counts()
                .map(|(stream, counts)| {
                    let numbers = [counts.messages, counts.repeated, counts.skipped, counts.missing];
                    let mut row = vec![stream.purpose.to_string(), self.vehicles.name(stream.vehicle)];
                    row.extend(numbers.map(|number| number.to_string()));
                    row
                })
                .collect();
            rows.sort();
            let table =
                show::table(&["purpose", "vehicle", "messages", "repeated", "skipped", "missing"], rows);
            let foreign = match foreign {
                0 => String::new(),
                n => format!("{n} message(s) were none of vernport's, or not what their topic says\n"),
            };
            format!("\n{table}{foreign}")
        };
        output::print(&text)
    }

    fn objects(&self, delivery: &Delivery) -> Vec<Json> {
        let stream = &delivery.stream;
        let mut lines = Vec::new();
        if let Some(told) = gap(delivery.noted) {
            let mut line =
                json!({"operator": stream.operator, "purpose": stream.purpose, "vehicle": stream.vehicle});
            match told {
                Gap::Missing(Numbered { first, last }) => {
                    line["kind"] = "missing".into();
                    (line["first"], line["last"]) = (first.into(), last.into());
                }
                Gap::BeganAnew => line["kind"] = "began-anew".into(),
            }
            lines.push(line);
        }
        let payload: Json = serde_json::from_slice(&delivery.payload).unwrap_or_default();
        let mut line = json!({"operator": stream.operator, "message": payload});
        line["kind"] = match &delivery.message {
            FleetMessage::Value(_) => "value".into(),
            FleetMessage::Skipped(_) => "skipped".into(),
            FleetMessage::Sealed(sealed) => {
                match self.keys.open(sealed) {
                    Some(Ok(body)) => line["opened"] = unseal::to_json(&body),
                    Some(Err(why)) => line["closed"] = why.into(),
                    None => {}
                }
                "sealed".into()
            }
        };
        if delivery.noted.news == News::Late {
            line["out_of_order"] = true.into();
        }
        lines.push(line);
        lines
    }

    fn rows(&self, delivery: &Delivery) -> impl Iterator<Item = String> {
        let stream = &delivery.stream;
        let seq = delivery.message.seq();
        let vehicle = self.vehicles.name(stream.vehicle);
        let gap = gap(delivery.noted).map(|gap| gap.line(stream, &vehicle));
        let mut lines: Vec<String> = gap.into_iter().collect();
        let late = if delivery.noted.news == News::Late { " out of order" } else { "" };
        let mut line = |time: &str, what: &str, value: &str| {
            let number = format!("{seq}{late}");
            lines.push(row([time, stream.purpose.as_str(), &vehicle, what, value, &number]));
        };
        match &delivery.message {
            FleetMessage::Value(value) => {
                line(&show::time(value.time.0), &value.path, &show::value(value.value.0, &value.unit));
            }
            FleetMessage::Skipped(skipped) => {
                line("", "skipped", &format!("{} number(s) never come", skipped.skipped));
            }
            FleetMessage::Sealed(sealed) => match self.keys.open(sealed) {
                Some(Ok(body)) => {
                    for record in &body.records {
                        let signal = &body.head.signals[usize::from(record.signal)];
                        let value = show::value(record.value, &signal.unit);
                        line(&show::time(record.at.wall), &signal.path, &value);
                    }
                }
                Some(Err(why)) => line("", "sealed", &why),
                None => line("", "sealed", &format!("{} bytes; --key opens it", sealed.envelope.0.len())),
            },
        }
        lines.into_iter()
    }

    fn notice_row(&self, to_delete: &ToDelete) -> String {
        let (stream, notice) = (&to_delete.stream, &to_delete.notice);
        let what = format!("delete {} from here to {}", notice.flow, show::time(notice.until.0));
        let by = format!("by {}", show::time(notice.confirm_by.0));
        row([
            &show::time(notice.from.0),
            stream.purpose.as_str(),
            &self.vehicles.name(stream.vehicle),
            &what,
            &by,
            &notice.id.to_string(),
        ])
    }

    fn entry_objects(&self, entries: &[Entry]) -> Vec<Json> {
        let operator = self.vehicles.operator();
        let object = |entry: &Entry| {
            let mut line = json!({"kind": "roster", "operator": operator, "purpose": entry.purpose,
                                  "vehicle": entry.vehicle});
            match &entry.number {
                Ok(number) => line["number"] = number.expose().into(),
                Err(why) => line["closed"] = (*why).into(),
            }
            line
        };
        entries.iter().map(object).collect()
    }
}

fn objects_as_lines(objects: Vec<Json>) -> String {
    objects.into_iter().map(|line| line.to_string() + "\n").collect()
}

fn notice_object(to_delete: &ToDelete) -> Json {
    let payload: Json = serde_json::from_slice(&to_delete.payload).unwrap_or_default();
    json!({"kind": "delete", "operator": to_delete.stream.operator, "message": payload})
}

fn entry_row(at: UtcMicros, entry: &Entry) -> String {
    let value = entry.number.as_ref().map_or_else(|why| *why, FleetNumber::expose);
    row([&show::time(at), entry.purpose.as_str(), &short(entry.vehicle), "own number", value, ""])
}

/// What a delivery says about those before it.
enum Gap {
    Missing(Numbered),
    BeganAnew,
}

fn gap(noted: Noted) -> Option<Gap> {
    match (noted.missing, noted.news) {
        (Some(missing), _) => Some(Gap::Missing(missing)),
        (None, News::BeganAnew) => Some(Gap::BeganAnew),
        _ => None,
    }
}

impl Gap {
    fn line(&self, stream: &Stream, vehicle: &str) -> String {
        let (what, value, number) = match self {
            Self::Missing(Numbered { first, last }) => {
                let number = if first == last { first.to_string() } else { format!("{first}-{last}") };
                ("missing", "lost at the broker (expired?)", number)
            }
            Self::BeganAnew => {
                ("anew", "the gateway counts anew; what is missing is not known", String::new())
            }
        };
        row(["", stream.purpose.as_str(), vehicle, what, value, &number])
    }
}

/// A line of the table. It goes on growing, so its columns have a width from the start.
fn row([time, purpose, vehicle, signal, value, number]: [&str; 6]) -> String {
    let line = format!("{time:<20}  {purpose:<18}  {vehicle:<9}  {signal:<44}  {value:<26}  {number}");
    line.trim_end().to_owned() + "\n"
}

/// Beside what was asked for: not among the values.
fn aside(text: &str) {
    output::remark(text);
}
