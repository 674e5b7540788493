//! A truck, two people, and what is told of them.

use crate::samples::{self, EIGHT, slug};
use vernport_crypto::IdentityKey;
use vernport_registry::{world::World, *};
use vernport_types::*;

pub(crate) const TRUCK: &str = r#"
format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "WDB9634031L738001"
plate = { country = "NO", number = "AB12345" }
[[asset]]
name = "stranger"
since = "-1h"
[[subject]]
name = "anna"
[[subject]]
name = "bo"
[[subject]]
name = "bo-again"
"#;

/// A truck, two people, and a ledger.
pub(crate) struct Told {
    pub(crate) world: World,
    pub(crate) facts: Facts,
}

pub(crate) fn identity() -> IdentityKey {
    IdentityKey::from_bytes([0x2A; 32])
}

pub(crate) fn told(events: &str) -> Told {
    let text = format!("{TRUCK}{events}");
    let world = World::from_toml("test.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let facts = world.facts(&samples::controller(), &identity(), EIGHT).unwrap_or_else(|e| panic!("{e}"));
    Told { world, facts }
}

impl Told {
    pub(crate) fn truck(&self) -> AssetId {
        self.world.asset("truck").expect("declared")
    }

    pub(crate) fn subject(&self, name: &str) -> SubjectId {
        self.world.subject(name).expect("declared")
    }

    /// The consent of a driver to the service of the fleet, in one word.
    pub(crate) fn consent(&self, name: &str, category: Category, now: UtcMicros) -> &'static str {
        let asked = ConsentQuestion {
            asset: self.truck(),
            subject: self.subject(name),
            role: Role::Driver,
            purpose: &slug("service"),
            category,
            recipient: &slug("fleet"),
        };
        match self.facts.consent(&asked, now) {
            ConsentState::Given { .. } => "given",
            ConsentState::Withdrawn { .. } => "withdrawn",
            ConsentState::Expired { .. } => "expired",
            ConsentState::Missing => "missing",
        }
    }

    pub(crate) fn linked(&self, role: Role, now: UtcMicros) -> Vec<SubjectId> {
        self.facts.subjects(self.truck(), role, now).into_iter().map(|linked| linked.subject).collect()
    }
}

pub(crate) fn hours(n: i64) -> UtcMicros {
    EIGHT.plus_seconds(3_600 * n)
}

/// `consent-given` of somebody, with the times that are given.
pub(crate) fn gives(name: &str, lines: &str) -> String {
    format!(
        "[[event]]\nkind = \"consent-given\"\nsubject = \"{name}\"\nrole = \"driver\"\npurpose = \"service\"\n\
         recipient = \"fleet\"\ncategories = [\"odometer\"]\nvalid_until = \"+10h\"\n{lines}\n"
    )
}
