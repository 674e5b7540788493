//! World files: a ledger in readable form, for tests and replays.
//!
//! ```toml
//! format = 1
//!
//! [[asset]]
//! name = "truck"
//! since = "-30d"
//! vin = "WDB9634031L738001"
//! plate = { country = "NO", number = "AB12345" }
//!
//! [[subject]]
//! name = "anna"
//!
//! [[event]]
//! time = "-30d"
//! kind = "linked"
//! asset = "truck"
//! subject = "anna"
//! role = "owner"
//!
//! [[event]]
//! time = "-2h"
//! kind = "order-opened"
//! order = "1017"
//! assets = ["truck"]
//! station = "oslo/bay-1"
//! ```
//!
//! An event has the members of its written form (decision note 0005), with
//! these reliefs:
//! - names of `[[asset]]` and `[[subject]]` stand for their ids, any word for
//!   an order or a receipt, `site/station` for a station; ids are made from
//!   names and so are the same on every run;
//! - a time is `"-2h"`, `"+30m"`, `"now"` (s, m, h, d, w; against the given now) or
//!   RFC 3339 with an offset, quoted or not;
//! - what only proves something (`text_hash`, `form`, `method`, `evidence`, …) may
//!   be left out, `receipt` too; an order ends after 72 hours if it does not say otherwise;
//! - `identifier = { plate = … }` stands for the blind index;
//! - an event with `name` can be referred to by it further down, and a consent
//!   that has no `receipt` by its name as the receipt.
//!
//! Beside these an event may have `recorded` (when it was written down; else
//! `time`), `actor`, and `controller` (else it is in every controller's ledger).

mod build;
mod names;
mod time;

use crate::{Entry, Facts, quiet::quiet};
use build::Event;
use names::Names;
use serde::{Deserialize, de::DeserializeOwned};
use std::{error::Error as _, ops::Range};
use thiserror::Error;
use time::When;
use toml::{
    Deserializer, Spanned, Table,
    de::{DeTable, Error},
};
use vernport_crypto::IdentityKey;
use vernport_types::{
    AssetId, ControllerId, Identifier, IdentifierError, OrderId, Plate, SubjectId, UtcMicros,
};

/// The format that this version reads.
const FORMAT: u32 = 1;

/// Why a world file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {message}")]
pub struct WorldError {
    /// Which file.
    pub file: String,
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl WorldError {
    fn syntax(file: &str, text: &str, error: &Error) -> Self {
        let line = error.span().map_or(1, |span| line(text, &span));
        Self { file: file.into(), line, message: quiet(error.message()) }
    }
}

/// The line of a place in a text, from 1.
fn line(text: &str, span: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What is wrong with one table of a world file; the line is known outside.
#[derive(Debug, Error)]
#[error("{0}")]
struct Fault(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    asset: Vec<Spanned<RawAsset>>,
    #[serde(default)]
    subject: Vec<Spanned<RawSubject>>,
    #[serde(default)]
    event: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAsset {
    name: String,
    since: toml::Value,
    vin: Option<String>,
    plate: Option<RawPlate>,
    serial: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlate {
    country: String,
    number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubject {
    name: String,
}

/// A world: the ledgers of one or several controllers, relative to a `now`.
#[derive(Debug, Clone)]
pub struct World {
    file: String,
    names: Names,
    events: Vec<(usize, Event)>,
}

impl World {
    /// Reads a world file. `file` is the name that errors tell.
    ///
    /// # Errors
    /// [`WorldError`] with file, line and what to mend.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, WorldError> {
        let raw = toml::from_str(text).map_err(|e| WorldError::syntax(file, text, &e))?;
        Self::read(file, text, raw)
    }

    /// Reads a file that holds a world and, under `keys`, something of the caller's own, whose
    /// places in the text stay known ([`Spanned`]). Keys of neither are refused.
    ///
    /// # Errors
    /// As [`Self::from_toml`], for both parts.
    pub fn beside<T: DeserializeOwned>(
        file: &str,
        text: &str,
        keys: &[&str],
    ) -> Result<(Self, T), WorldError> {
        let syntax = |e: Error| WorldError::syntax(file, text, &e);
        let root = DeTable::parse(text).map_err(syntax)?;
        let span = root.span();
        let mut world = root.into_inner();
        let mut own = DeTable::new();
        for key in keys {
            if let Some((key, value)) = world.remove_entry(*key) {
                own.insert(key, value);
            }
        }
        let part = |table| Deserializer::from(Spanned::new(span.clone(), table));
        let raw = File::deserialize(part(world)).map_err(syntax)?;
        let own = T::deserialize(part(own)).map_err(syntax)?;
        Ok((Self::read(file, text, raw)?, own))
    }

    fn read(file: &str, text: &str, raw: File) -> Result<Self, WorldError> {
        let line = |span: &Range<usize>| line(text, span);
        let error = |line, message| WorldError { file: file.into(), line, message };
        if raw.format != FORMAT {
            let message =
                format!("format {} is not known here; this version reads format {FORMAT}", raw.format);
            return Err(error(1, message));
        }
        let mut names = Names::default();
        let mut events = Vec::new();
        for asset in &raw.asset {
            let line = line(&asset.span());
            let asset = asset.get_ref();
            let at_line = |Fault(message)| error(line, message);
            names.add_asset(&asset.name).map_err(at_line)?;
            let since = When::from_toml("since", &asset.since).map_err(at_line)?;
            for identifier in asset.identifiers().map_err(|e| error(line, e.to_string()))? {
                events.push((line, Event::identified(&asset.name, since, identifier)));
            }
        }
        for subject in &raw.subject {
            let line = line(&subject.span());
            names.add_subject(&subject.get_ref().name).map_err(|Fault(message)| error(line, message))?;
        }
        for event in raw.event {
            let line = line(&event.span());
            let event =
                Event::from_toml(event.into_inner()).map_err(|Fault(message)| error(line, message))?;
            events.push((line, event));
        }
        let world = Self { file: file.into(), names, events };
        // Everything but the times is the same for every `now` and controller: what
        // builds once builds always.
        for controller in build::controllers(&world.events) {
            world.build(&controller, &IdentityKey::from_bytes([0; 32]), UtcMicros(0))?;
        }
        Ok(world)
    }

    /// The ledger of one controller in this world, in the order of recording.
    ///
    /// # Errors
    /// [`WorldError`] if an event refers to one of another controller.
    pub fn entries(
        &self,
        controller: &ControllerId,
        identity: &IdentityKey,
        now: UtcMicros,
    ) -> Result<Vec<Entry>, WorldError> {
        Ok(self.build(controller, identity, now)?.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The facts of one controller in this world.
    ///
    /// # Errors
    /// [`WorldError`] with the line of an event that the ledger refuses.
    pub fn facts(
        &self,
        controller: &ControllerId,
        identity: &IdentityKey,
        now: UtcMicros,
    ) -> Result<Facts, WorldError> {
        let mut facts = Facts::new(controller.clone());
        for (line, entry) in self.build(controller, identity, now)? {
            facts.apply(&entry).map_err(|refused| {
                let cause = refused.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                self.error(line, format!("{refused}{cause}"))
            })?;
        }
        Ok(facts)
    }

    /// The id of an asset of this world.
    pub fn asset(&self, name: &str) -> Option<AssetId> {
        self.names.asset(name).ok()
    }

    /// The names of the assets of this world.
    pub fn asset_names(&self) -> impl Iterator<Item = &str> {
        self.names.asset_names()
    }

    /// A time as world files write them.
    ///
    /// # Errors
    /// [`WorldError`] at `line` if `value`, the member of that name, is none.
    pub fn time(
        &self,
        line: usize,
        member: &str,
        value: &toml::Value,
        now: UtcMicros,
    ) -> Result<UtcMicros, WorldError> {
        let when = When::from_toml(member, value).map_err(|Fault(message)| self.error(line, message))?;
        Ok(when.at(now))
    }

    /// The id of a person of this world.
    pub fn subject(&self, name: &str) -> Option<SubjectId> {
        self.names.subject(name).ok()
    }

    /// The id that this world gives an order of that name.
    pub fn order(&self, name: &str) -> OrderId {
        names::order(name)
    }

    fn build(
        &self,
        controller: &ControllerId,
        identity: &IdentityKey,
        now: UtcMicros,
    ) -> Result<Vec<(usize, Entry)>, WorldError> {
        let mut ledger = build::Ledger::new(&self.names, controller, identity, now);
        let mut entries = Vec::new();
        for (number, (line, event)) in self.events.iter().enumerate() {
            let built = ledger.entry(number, event).map_err(|Fault(message)| self.error(*line, message))?;
            entries.extend(built.map(|entry| (*line, entry)));
        }
        entries.sort_by_key(|(_, entry)| entry.recorded_at);
        Ok(entries)
    }

    fn error(&self, line: usize, message: String) -> WorldError {
        WorldError { file: self.file.clone(), line, message }
    }
}

impl RawAsset {
    fn identifiers(&self) -> Result<Vec<Identifier>, IdentifierError> {
        let vin = self.vin.as_ref().map(|vin| vin.parse().map(Identifier::Vin));
        let plate =
            self.plate.as_ref().map(|plate| Plate::new(&plate.country, &plate.number).map(Identifier::Plate));
        let serial = self.serial.as_ref().map(|serial| Identifier::serial(serial));
        [vin, plate, serial].into_iter().flatten().collect()
    }
}
