//! Events of a world file become entries: names are replaced, times set, and
//! what may be left out is filled in.

use super::{
    Fault,
    names::{self, Names},
    time::When,
};
use crate::{Actor, ActorRole, ENTRY_FORMAT, Entry, ORDER_SECONDS, TextHash, quiet::quiet};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use vernport_crypto::{IdentityKey, sha256};
use vernport_types::{ControllerId, EntryHash, Identifier, Slug, UtcMicros};

/// One `[[event]]`.
#[derive(Debug, Clone)]
pub(super) struct Event {
    kind: String,
    time: When,
    recorded: Option<When>,
    controller: Option<ControllerId>,
    name: Option<String>,
    actor: Option<Actor>,
    members: toml::Table,
}

/// The controllers that a world speaks of, and one that it does not.
pub(super) fn controllers(events: &[(usize, Event)]) -> BTreeSet<ControllerId> {
    let other = "NO-000000000".parse().expect("a controller id");
    events.iter().filter_map(|(_, event)| event.controller.clone()).chain([other]).collect()
}

impl Event {
    pub(super) fn from_toml(mut table: toml::Table) -> Result<Self, Fault> {
        let time = table.remove("time").ok_or_else(|| Fault("an event needs `time`".into()))?;
        let recorded =
            table.remove("recorded").map(|value| When::from_toml("recorded", &value)).transpose()?;
        let kind = text(&mut table, "kind")?.ok_or_else(|| Fault("an event needs `kind`".into()))?;
        if !crate::Event::KINDS.contains(&kind.as_str()) {
            let known = crate::Event::KINDS.join(", ");
            return Err(Fault(format!("`{kind}` is no kind of event; known are {known}")));
        }
        let controller = match text(&mut table, "controller")? {
            Some(id) => Some(id.parse().map_err(|e| Fault(format!("`controller`: {e}")))?),
            None => None,
        };
        let name = text(&mut table, "name")?;
        let actor = match table.remove("actor") {
            Some(actor) => Some(actor.try_into().map_err(|e: toml::de::Error| {
                Fault(format!("`actor` is {{ role, id }}: {}", quiet(e.message())))
            })?),
            None => None,
        };
        Ok(Self {
            kind,
            time: When::from_toml("time", &time)?,
            recorded,
            controller,
            name,
            actor,
            members: table,
        })
    }

    /// An identifier that an `[[asset]]` has.
    pub(super) fn identified(asset: &str, since: When, identifier: Identifier) -> Self {
        let identifier = toml::Value::try_from(identifier).expect("an identifier is a table of texts");
        let members = toml::Table::from_iter([
            ("asset".to_owned(), asset.into()),
            ("identifier".to_owned(), identifier),
        ]);
        let kind = "asset-identified".into();
        Self { kind, time: since, recorded: None, controller: None, name: None, actor: None, members }
    }
}

fn text(table: &mut toml::Table, member: &str) -> Result<Option<String>, Fault> {
    match table.remove(member) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Fault(format!("`{member}` is a text"))),
    }
}

/// Builds the ledger of one controller, in the order of the file.
pub(super) struct Ledger<'a> {
    names: &'a Names,
    controller: &'a ControllerId,
    identity: &'a IdentityKey,
    now: UtcMicros,
    named: HashMap<String, EntryHash>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        names: &'a Names,
        controller: &'a ControllerId,
        identity: &'a IdentityKey,
        now: UtcMicros,
    ) -> Self {
        Self { names, controller, identity, now, named: HashMap::new() }
    }

    /// The entry of an event; none if it is in another controller's ledger.
    pub(super) fn entry(&mut self, number: usize, event: &Event) -> Result<Option<Entry>, Fault> {
        if event.controller.as_ref().is_some_and(|controller| controller != self.controller) {
            return Ok(None);
        }
        let occurred_at = event.time.at(self.now);
        let mut members = self.members(event, &event.members)?;
        let name = event.name.clone().unwrap_or_else(|| format!("event-{number}"));
        fill_in(&event.kind, &mut members, occurred_at, &name);
        members.insert("kind".into(), event.kind.as_str().into());
        let read =
            serde_json::from_value(Value::Object(members)).map_err(|e| Fault(quiet(&e.to_string())))?;
        let slug = |text: &str| text.parse::<Slug>().expect("a slug");
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: self.controller.clone(),
            event: read,
            actor: event
                .actor
                .clone()
                .unwrap_or_else(|| Actor { role: ActorRole::System, id: slug("world") }),
            occurred_at,
            recorded_at: event.recorded.unwrap_or(event.time).at(self.now),
            source: slug("world"),
            external_ref: format!("event-{number}").parse().expect("a short text"),
        };
        if let Some(name) = &event.name
            && self.named.insert(name.clone(), entry.hash()).is_some()
        {
            return Err(Fault(format!("two events are named `{name}`; rename one")));
        }
        Ok(Some(entry))
    }

    fn members(&self, event: &Event, table: &toml::Table) -> Result<Map<String, Value>, Fault> {
        let mut members = Map::new();
        for (member, value) in table {
            if member == "identifier" {
                let identifier: Identifier = value
                    .clone()
                    .try_into()
                    .map_err(|e: toml::de::Error| Fault(format!("`identifier`: {}", quiet(e.message()))))?;
                members.insert("index".into(), json!(self.identity.index(&identifier)));
                if event.kind == "asset-identified" {
                    members.insert("identifier_kind".into(), json!(identifier.kind()));
                }
            } else {
                members.insert(member.clone(), self.value(event, member, value)?);
            }
        }
        Ok(members)
    }

    fn value(&self, event: &Event, member: &str, value: &toml::Value) -> Result<Value, Fault> {
        Ok(match (member, value) {
            ("until" | "valid_until" | "expires_at", time) => {
                json!(When::from_toml(member, time)?.at(self.now))
            }
            (_, toml::Value::Table(table)) => Value::Object(self.members(event, table)?),
            (_, toml::Value::Array(items)) => {
                items.iter().map(|item| self.value(event, member, item)).collect::<Result<_, _>>()?
            }
            (_, toml::Value::String(text)) => self.text(event, member, text)?,
            (_, toml::Value::Integer(number)) => json!(number),
            (_, toml::Value::Boolean(flag)) => json!(flag),
            (_, toml::Value::Float(_) | toml::Value::Datetime(_)) => {
                return Err(Fault(format!("`{member}` is neither a time nor a fraction")));
            }
        })
    }

    fn text(&self, event: &Event, member: &str, text: &str) -> Result<Value, Fault> {
        Ok(match member {
            "asset" | "assets" | "pinned" => json!(self.names.asset(text)?),
            "subject" | "owners" => json!(self.names.subject(text)?),
            "from" | "into" if event.kind == "asset-merged" => json!(self.names.asset(text)?),
            "from" | "into" => json!(self.names.subject(text)?),
            "order" => json!(names::order(text)),
            "receipt" => json!(names::receipt(text)),
            // Where a disclosure is approved, the word is its name at the controller.
            "disclosure" if event.kind == "disclosure-approved" => json!(text),
            "renews" | "objection" | "restriction" | "hold" | "disclosure" | "erasure" | "agreement"
            | "pause" | "entry" => {
                json!(self.named.get(text).ok_or_else(|| Fault(format!(
                    "`{member}`: no event further up is named `{text}`; give it `name = \"{text}\"`"
                )))?)
            }
            "station" if text.contains('/') => {
                let (site, station) = text.split_once('/').unwrap_or_default();
                json!({ "site": site, "station": station })
            }
            _ => json!(text),
        })
    }
}

/// Fills in what may be left out of a world file.
fn fill_in(kind: &str, members: &mut Map<String, Value>, occurred_at: UtcMicros, name: &str) {
    let hash = TextHash(sha256(b"world"));
    let defaults = match kind {
        "notice-served" => json!({ "text_hash": hash, "language": "en", "method": "web" }),
        "consent-given" => json!({
            "processing": "as the form says", "form": "world", "text_hash": hash, "language": "en",
            "method": "paper", "recorded_by": "world", "receipt": names::receipt(name),
        }),
        "consent-renewed" => {
            if let Some(Value::Object(consent)) = members.get_mut("consent") {
                fill_in("consent-given", consent, occurred_at, name);
            }
            return;
        }
        "consent-withdrawn" | "objection-raised" => json!({ "method": "spoken" }),
        "objection-weighed" | "objection-upheld" => json!({ "reasons": "world", "decided_by": "world" }),
        "restriction-set" | "erasure-ordered" => json!({ "case": "world" }),
        "restriction-lifting-announced" => json!({ "method": "message", "evidence": "world" }),
        "order-opened" => json!({ "expires_at": occurred_at.plus_seconds(ORDER_SECONDS) }),
        "gateway-enrolled" => json!({ "device_key": hash }),
        "hold-set" => json!({ "citation": "world" }),
        "disclosure-approved" => json!({ "reference": "world", "approvers": ["world-1", "world-2"] }),
        "restriction-excepted" => json!({ "case": "world", "approver": "world" }),
        "erasure-excepted" => json!({ "reason": "world", "approver": "world" }),
        "processor-agreed" => json!({ "name": "world", "contract": "world" }),
        "recipient-paused" => json!({ "ground": "deletion-unconfirmed" }),
        "voided" => json!({ "reason": "mistake" }),
        _ => return,
    };
    if let Value::Object(defaults) = defaults {
        for (member, value) in defaults {
            members.entry(member).or_insert(value);
        }
    }
}
