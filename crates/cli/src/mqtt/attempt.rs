//! `vernport mqtt try`: what a mapping, or our own contract, makes of payloads that a developer has.
//!
//! Read as the gateway would read them, and said to nobody. It prints values and vehicles, so it is for
//! payloads of one's own; no error and no log repeats anything of them.

mod told;

use crate::{args, link::Unusable, publish, show};
use anyhow::Result;
use args::TryFormat;
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use told::Wrong;
use vernport_crypto::IdentityKey;
use vernport_gateway::SystemClock;
use vernport_mqtt::{Dialect, FleetValue, Mapping, PayloadForm, Said, ToolAddress, ToolReading, VehicleRef};
use vernport_types::{Catalogue, Clock as _, Identifier, UtcMicros};

/// Some payloads are refused; why was printed.
#[derive(Debug, Error)]
#[error("{refused} of {all} payloads would be refused")]
struct Refused {
    refused: usize,
    all: usize,
}

/// Tries each payload and prints what comes of it.
///
/// # Errors
/// [`Unusable`] for what was typed and for files that cannot be read; another one if a payload would be refused.
pub(super) fn run(args: &args::MqttTry) -> Result<()> {
    let reader = Reader::of(args)?;
    let payloads = args.files.iter().map(|file| Ok((file, publish::read(file)?)));
    let payloads: Vec<(&PathBuf, Vec<u8>)> = payloads.collect::<Result<_, Unusable>>()?;
    let mut refused = 0;
    for (file, payload) in &payloads {
        let outcome = reader.read(payload);
        refused += usize::from(outcome.is_err());
        super::print(&match args.format {
            TryFormat::Json => reader.json(file, &outcome).to_string(),
            TryFormat::Table => reader.text(file, &outcome),
        });
    }
    let all = payloads.len();
    if refused > 0 { Err(Refused { refused, all }.into()) } else { Ok(()) }
}

/// How payloads are read, as the gateway's configuration would have it.
struct Reader {
    catalogue: Catalogue,
    mapping: Option<(String, Arc<Mapping>)>,
    zone: Option<jiff::tz::TimeZone>,
    dialect: Dialect,
    form: PayloadForm,
    now: UtcMicros,
    /// Two keys that no box has: what is made with a key differs between them.
    keys: [IdentityKey; 2],
}

impl Reader {
    fn of(args: &args::MqttTry) -> Result<Self, Unusable> {
        let catalogue = publish::catalogue(args.signals.as_deref())?;
        let mapping = match &args.mapping {
            None => None,
            Some(file) => {
                let mapping = vernport_gateway::dialects::mapping(file, &catalogue);
                let mapping = mapping.map_err(|error| Unusable::from_error(&error))?;
                Some((file.display().to_string(), Arc::new(mapping)))
            }
        };
        let form = args.topic.as_deref().map_or(Ok(PayloadForm::Text), form)?;
        if form == PayloadForm::Postcard && mapping.is_some() {
            return Err(Unusable(
                "a tool with a mapping does not speak postcard: name its …/reading topic".into(),
            ));
        }
        let read = Dialect::new(mapping.as_ref().map(|of| Arc::clone(&of.1)), args.time_zone.as_deref());
        let dialect = read.map_err(|error| Unusable(format!("--time-zone: {error}")))?;
        let zone = args.time_zone.as_deref().and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
        let now = args.at.map_or_else(|| SystemClock.now().wall, |at| UtcMicros(at.as_microsecond()));
        let keys = [IdentityKey::generate(), IdentityKey::generate()];
        Ok(Self { catalogue, mapping, zone, dialect, form, now, keys })
    }

    /// What comes of a payload.
    fn read(&self, payload: &[u8]) -> Result<Read, Wrong> {
        let [first, second] = self.keys.each_ref().map(|key| self.read_with(payload, key));
        let (first, second) = (first?, second?);
        let ids = first.messages.iter().zip(&second.messages);
        let ids = ids.map(|(one, other)| (one.id == other.id).then(|| one.id.as_str().to_owned())).collect();
        Ok(Read { ids, said: first })
    }

    fn read_with(&self, payload: &[u8], key: &IdentityKey) -> Result<Said, Wrong> {
        match &self.mapping {
            Some((file, mapping)) => mapping
                .read_closely(payload, self.now, self.zone.as_ref(), key)
                .map_err(|trouble| Wrong::of_mapping(file, &trouble, payload)),
            None => {
                self.dialect.read(self.form, payload, &self.catalogue, self.now, key).map_err(|refused| {
                    Wrong::of_contract(refused.code, self.form, payload, &self.catalogue, self.now)
                })
            }
        }
    }

    fn json(&self, file: &Path, outcome: &Result<Read, Wrong>) -> Json {
        match outcome {
            Ok(Read { ids, said }) => {
                let messages: Vec<Json> = said
                    .messages
                    .iter()
                    .zip(ids)
                    .map(|(message, id)| {
                        let readings: Vec<Json> =
                            message.readings.iter().map(|reading| self.reading(reading)).collect();
                        json!({"id": id, "vehicle": vehicle(&message.vehicle), "readings": readings})
                    })
                    .collect();
                let passed_over: serde_json::Map<String, Json> = said
                    .passed_over
                    .by_why()
                    .map(|(why, count)| (why.to_owned(), count.into()))
                    .into_iter()
                    .collect();
                json!({"v": 1, "file": file, "taken": true, "messages": messages, "passed_over": passed_over})
            }
            Err(wrong) => json!({
                "v": 1, "file": file, "taken": false,
                "code": wrong.code.as_str(), "where": wrong.place, "what": wrong.what,
            }),
        }
    }

    fn reading(&self, reading: &ToolReading) -> Json {
        let signal = self.catalogue.signal(reading.signal);
        let time = jiff::Timestamp::from_microsecond(reading.at.0).map(|at| at.to_string()).ok();
        json!({"path": signal.path, "value": FleetValue(reading.value), "unit": signal.unit, "time": time})
    }

    fn text(&self, file: &Path, outcome: &Result<Read, Wrong>) -> String {
        let file = file.display();
        let Read { ids, said } = match outcome {
            Ok(read) => read,
            Err(wrong) => {
                return format!(
                    "{file}: refused: {}\n  {}\n  {}",
                    wrong.code.as_str(),
                    wrong.place,
                    wrong.what
                );
            }
        };
        let mut text = String::new();
        for (message, id) in said.messages.iter().zip(ids) {
            let id =
                id.as_deref().map_or_else(|| "an id that the box makes".to_owned(), |id| format!("id {id}"));
            text += &format!("{file}: {id}, {}\n", vehicle_text(&message.vehicle));
            let rows = message.readings.iter().map(|reading| {
                let signal = self.catalogue.signal(reading.signal);
                [signal.path.to_string(), show::value(reading.value, &signal.unit), show::time(reading.at)]
            });
            if message.readings.is_empty() {
                text += "  nothing in it is for us: taken, and nothing is kept\n";
            } else {
                text += &show::table(&["path", "value", "time"], rows);
            }
        }
        if said.messages.is_empty() {
            text += &format!("{file}: no message in it: taken, and nothing is kept\n");
        }
        for (why, count) in said.passed_over.by_why().into_iter().filter(|(_, count)| *count > 0) {
            text += &format!("passed over: {count} {why}\n");
        }
        text.trim_end().to_owned()
    }
}

/// A payload that is taken.
struct Read {
    /// The id that each message has of itself; none where the box makes it.
    ids: Vec<Option<String>>,
    said: Said,
}

/// How a tool on this topic speaks.
fn form(topic: &str) -> Result<PayloadForm, Unusable> {
    ToolAddress::from_readings_topic(topic).map(|(_, form)| form).ok_or_else(|| {
        let written = "vernport/v1/tool/SITE/STATION/TOOL/reading, or …/reading.postcard";
        Unusable(format!(
            "--topic: not where a tool publishes; write {written}, each level of a-z, 0-9 and '-'"
        ))
    })
}

fn vehicle(of: &VehicleRef) -> Json {
    match of {
        VehicleRef::Visit => "visit".into(),
        VehicleRef::Identifier(identifier) => json!(identifier),
        VehicleRef::Order(order) => json!({"order": order}),
    }
}

fn vehicle_text(of: &VehicleRef) -> String {
    match of {
        VehicleRef::Visit => "of the vehicle that stands at the station".to_owned(),
        VehicleRef::Identifier(Identifier::Vin(vin)) => format!("of the vehicle with VIN {}", vin.expose()),
        VehicleRef::Identifier(Identifier::Plate(plate)) => {
            format!("of the vehicle with plate {}", plate.expose())
        }
        VehicleRef::Identifier(Identifier::Serial(serial)) => format!("of the vehicle with serial {serial}"),
        VehicleRef::Order(order) => format!("of the vehicle of order {order}"),
    }
}
