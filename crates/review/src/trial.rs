//! Trials of a bundle: a world, and what is expected of it.
//!
//! A trial is a world file ([`vernport_registry::world`]) with these beside:
//!
//! ```toml
//! clause = "CARS-4.14"
//! says = "A withdrawn consent stops the reminder at once, and nothing else."
//! now = 2026-05-01T10:00:00Z      # what "-2h" and "+30m" mean; this without it
//! without_keys = ["cars"]         # recipients that have activated no key; all others have
//!
//! [[expect]]
//! time = "+1d"
//! asset = "car"
//! signal = "Vehicle.TraveledDistance"
//! value = 158910605               # any value without it
//! by = "bus-vin"                  # how it was recognised: pinned | tool | asserted | bus-vin
//! from = "vehicle"                # vehicle | tool | manual
//! station = "main/bay-1"          # where an order is open, else this, without it
//! head = "now"                    # when the gateway heard from central last; at `time` without it
//! before = ["+1h"]                # when the same was read before
//! flow = "service-reminder"       # without it: no flow may name the signal
//! released = 158911000            # or: withheld = "consent-withdrawn"
//! clause = "CARS-4.14"            # one of those that `vernport explain` names
//! latest_due = "P3Y"              # after the reading
//! stamped = 2026-05-01T10:00:00Z  # the time that the release bears
//! deliver = ["store", "plain"]    # where it goes: store, and a topic plain or sealed
//! ```
//!
//! Values are integers, floats, `true`, texts (a trouble code as `"P0126"`), `{ lat, lon }`,
//! `{ spn, fmi }`, `{ none = true }` for "asked, none"; released ones also `"present"`,
//! `{ from, to }` and `{ h3 = "861f1d4efffffff" }`.
//!
//! Whether a batch may be sent, whose flow was open at an earlier time (invariant 2):
//!
//! ```toml
//! [[expect]]
//! time = "+2d"
//! batch = { asset = "car", flow = "service-reminder", opened = "+1h" }
//! sent = "destroy:consent-withdrawn"    # send | park:<reason> | destroy:<reason>
//! ```
//!
//! When something that is kept has to go, by what is known at `time`, or whether a hold, an
//! exception or a restriction keeps it beyond that (invariant 12):
//!
//! ```toml
//! [[expect]]
//! time = "+2d"
//! due = { asset = "car", flow = "service-reminder", read = "+1h" }
//! at = 2029-05-01T11:00:00Z             # or: held = true
//! ```
//!
//! Whether a message of a class of the bundle may be sent to a person:
//!
//! ```toml
//! [[expect]]
//! time = "+2d"
//! message = "newsletter"
//! subject = "kari"
//! similar = false                       # not about goods like those bought; true without it
//! allowed = true                        # or: withheld = "consent-missing"
//! ```
//!
//! What the bundle says, whatever happens; so without a time:
//!
//! ```toml
//! [[expect]]
//! category = "preference"               # also one that no signal has
//! used = ["message.newsletter"]         # or: withheld = "category-not-in-notice"
//!
//! [[expect]]
//! flow = "customer-report"
//! purpose = "service-delivery"
//! to = "nordic-haulage"
//! signals = ["Vehicle.TraveledDistance"] # all that it names
//! offline = true                        # false without it
//!
//! [[expect]]
//! purpose = "tailored-offers"
//! basis = "A6-1-f"
//! marketing = true                      # false without it; as well `profiling`
//!
//! [[expect]]
//! message = "similar-goods"
//! class = "marketing"
//! purpose = "marketing"
//! similar_goods = true                  # false without it
//!
//! [[expect]]
//! regions = ["EEA"]                     # where recipients may be
//! elsewhere = "never"
//! ```
//!
//! Promise: nothing is decided here. What a trial expects is held against what
//! [`crate::ask`] answers.

mod batches;
mod dues;
mod messages;
mod raw;
mod readings;
mod said;
mod values;

use crate::ask::ask;
use batches::Batch;
use dues::Due;
use messages::Message;
use raw::{Place, RawTrial};
use readings::Reading;
use said::Said;
use std::{collections::BTreeSet, fmt, sync::Arc};
use thiserror::Error;
use toml::Table;
use vernport_crypto::{IdentityKey, OpeningKey};
use vernport_policy::Rules;
use vernport_registry::{
    Actor, ActorRole, ENTRY_FORMAT, Entry, Event, Facts, RecipientKeyActivated, Refused,
    world::{World, WorldError},
};
use vernport_types::{Catalogue, ControllerId, Slug, UtcMicros};

/// `now` of a trial that says none: 2026-05-01T10:00:00Z.
pub const NOW: UtcMicros = UtcMicros(1_777_629_600_000_000);

/// What a trial file has beside its world.
const KEYS: &[&str] = &["clause", "says", "now", "without_keys", "expect"];

/// Why a file is no trial: file, line, what is wrong and how to mend it.
pub type TrialError = WorldError;

/// A world and what is expected of it.
#[derive(Debug, Clone)]
pub struct Trial {
    file: String,
    clause: String,
    says: String,
    now: UtcMicros,
    world: World,
    without_keys: BTreeSet<Slug>,
    expects: Vec<(usize, Expect)>,
}

#[derive(Debug, Clone)]
enum Expect {
    Reading(Box<Reading>),
    Batch(Batch),
    Due(Due),
    Message(Message),
    Said(Said),
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: expected {expected}; came {came}")]
pub struct Failure {
    /// Which file.
    pub file: String,
    /// The line of the expectation, from 1.
    pub line: usize,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub came: String,
}

/// What was expected and what came.
#[derive(Debug)]
struct Unmet {
    expected: String,
    came: String,
}

impl Unmet {
    fn new(expected: impl fmt::Display, came: impl fmt::Display) -> Self {
        Self { expected: expected.to_string(), came: came.to_string() }
    }
}

/// What an expectation is held against.
struct Stage<'a> {
    rules: &'a Arc<Rules>,
    catalogue: &'a Catalogue,
    facts: &'a Facts,
    /// When something happened or was recorded, in order, each time once.
    moments: &'a [UtcMicros],
}

impl Trial {
    /// Reads a trial file. `file` is the name that errors and failures tell.
    ///
    /// # Errors
    /// [`TrialError`] with file, line and what to mend.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, TrialError> {
        let (world, raw): (World, RawTrial) = World::beside(file, text, KEYS)?;
        let now = match &raw.now {
            Some(now) => world.time(1, "now", now, NOW)?,
            None => NOW,
        };
        if raw.expect.is_empty() {
            let message = "a trial expects something; add an [[expect]]".into();
            return Err(TrialError { file: file.into(), line: 1, message });
        }
        let mut expects = Vec::new();
        for expect in raw.expect {
            let start = expect.span().start.min(text.len());
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            let place = Place { file, line, world: &world, now };
            expects.push((line, Expect::read(expect.into_inner(), &place)?));
        }
        let trial = Self {
            file: file.into(),
            clause: raw.clause,
            says: raw.says,
            now,
            world,
            without_keys: raw.without_keys.into_iter().collect(),
            expects,
        };
        // What the ledger of any controller refuses is wrong in the file.
        trial.world.facts(&nobody(), &identity(), now)?;
        Ok(trial)
    }

    /// The clause that it shows.
    pub fn clause(&self) -> &str {
        &self.clause
    }

    /// What it shows, in a sentence.
    pub fn says(&self) -> &str {
        &self.says
    }

    /// How many expectations it has.
    pub fn len(&self) -> usize {
        self.expects.len()
    }

    /// Whether it expects nothing; no file that was read does.
    pub fn is_empty(&self) -> bool {
        self.expects.is_empty()
    }

    /// Holds every expectation against the rules. Empty if all are met.
    pub fn run(&self, rules: &Rules, catalogue: &Catalogue) -> Vec<Failure> {
        let failure =
            |line, Unmet { expected, came }| Failure { file: self.file.clone(), line, expected, came };
        let (facts, moments) = match self.facts(rules) {
            Ok(facts) => facts,
            Err(WorldError { line, message, .. }) => {
                return vec![failure(line, Unmet::new("a ledger that takes this", message))];
            }
        };
        let rules = Arc::new(rules.clone());
        let stage = Stage { rules: &rules, catalogue, facts: &facts, moments: &moments };
        let failed =
            |(line, expect): &(usize, Expect)| expect.met(&stage).err().map(|unmet| failure(*line, unmet));
        self.expects.iter().filter_map(failed).collect()
    }

    /// The facts of the controller of the rules in this world, and when they change. Its
    /// recipients have keys.
    fn facts(&self, rules: &Rules) -> Result<(Facts, Vec<UtcMicros>), WorldError> {
        let mut facts = self.world.facts(rules.controller(), &identity(), self.now)?;
        let named = self.world.entries(rules.controller(), &identity(), self.now)?;
        let own = |recipient: &Slug| {
            named.iter().any(|entry| {
                matches!(&entry.event, Event::RecipientKeyActivated(key) if key.recipient == *recipient)
            })
        };
        let without = |recipient: &Slug| self.without_keys.contains(recipient) || own(recipient);
        give_keys(&mut facts, rules, without).map_err(|refused| WorldError {
            file: self.file.clone(),
            line: 1,
            message: refused.to_string(),
        })?;
        let moments: BTreeSet<_> =
            named.iter().flat_map(|entry| [entry.occurred_at, entry.recorded_at]).collect();
        Ok((facts, moments.into_iter().collect()))
    }
}

impl Expect {
    fn read(table: Table, place: &Place<'_>) -> Result<Self, TrialError> {
        Ok(if table.contains_key("batch") {
            Self::Batch(Batch::read(place.members(table)?, place)?)
        } else if table.contains_key("due") {
            Self::Due(Due::read(place.members(table)?, place)?)
        } else if table.contains_key("class") {
            Self::Said(Said::Class(place.members(table)?))
        } else if table.contains_key("message") {
            Self::Message(Message::read(place.members(table)?, place)?)
        } else if table.contains_key("category") {
            Self::Said(Said::category(place.members(table)?, place)?)
        } else if table.contains_key("signals") {
            Self::Said(Said::Flow(place.members(table)?))
        } else if table.contains_key("purpose") {
            Self::Said(Said::Purpose(place.members(table)?))
        } else if table.contains_key("regions") {
            Self::Said(Said::regions(place.members(table)?, place)?)
        } else {
            Self::Reading(Box::new(Reading::read(place.members(table)?, place)?))
        })
    }

    fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        match self {
            Self::Reading(reading) => reading.met(stage),
            Self::Batch(batch) => batch.met(stage),
            Self::Due(due) => due.met(stage),
            Self::Message(message) => message.met(stage),
            Self::Said(said) => said.met(stage),
        }
    }
}

/// Activates a key of every recipient of the rules for each of its purposes, since ever,
/// but for those that `without` names: a world file seldom speaks of keys.
///
/// # Errors
/// If the ledger refuses it.
pub fn give_keys(facts: &mut Facts, rules: &Rules, without: impl Fn(&Slug) -> bool) -> Result<(), Refused> {
    let pairs: BTreeSet<_> = rules.flows().iter().map(|flow| (&flow.recipient, &flow.purpose)).collect();
    for (n, (recipient, purpose)) in pairs.into_iter().enumerate().filter(|(_, (r, _))| !without(r)) {
        let event = Event::RecipientKeyActivated(RecipientKeyActivated {
            recipient: recipient.clone(),
            purpose: purpose.clone(),
            key: OpeningKey::from_bytes([2; 32]).wrapping_key(),
        });
        let slug = |text: &str| text.parse::<Slug>().expect("a slug");
        facts.apply(&Entry {
            format: ENTRY_FORMAT,
            controller: rules.controller().clone(),
            event,
            actor: Actor { role: ActorRole::System, id: slug("assumed") },
            occurred_at: UtcMicros(0),
            recorded_at: UtcMicros(0),
            source: slug("assumed"),
            external_ref: format!("key-{n}").parse().expect("a short text"),
        })?;
    }
    Ok(())
}

/// Identifiers of a world are seen by nobody else.
fn identity() -> IdentityKey {
    IdentityKey::from_bytes([0; 32])
}

fn nobody() -> ControllerId {
    "NO-000000000".parse().expect("a controller id")
}
