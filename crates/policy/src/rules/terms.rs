//! Why data is used, how long it is kept, and what the controller knows about its own bundle.

use crate::{Period, words::words};
use jiff::tz::TimeZone;
use thiserror::Error;
use vernport_registry::HoldGround;
use vernport_types::{Category, LegalBasis, Reason, SignalId, Slug, UtcMicros};

words! {
    /// The event that a retention period starts with.
    pub enum StartEvent {
        /// The reading itself.
        Reading = "reading",
        /// The work order was closed.
        OrderClosed = "order-closed",
        /// The last contact of the person and of the customer, the later of both.
        LastInteraction = "last-interaction",
        /// The customer relation ended.
        RelationshipEnd = "relationship-end",
        /// The warranty or complaint period ended.
        WarrantyEnd = "warranty-end",
        /// The vehicle is no more.
        VehicleEndOfLife = "vehicle-end-of-life",
        /// The consent was withdrawn or expired.
        ConsentEnd = "consent-end",
        /// The account was closed.
        AccountClosed = "account-closed",
    }
}

words! {
    /// Why something is kept.
    pub enum RetentionGround {
        /// A law demands it.
        Law = "law",
        /// The service needs it.
        Service = "service",
        /// What happened has to be traceable.
        Traceability = "traceability",
        /// Somebody consented to it.
        Consent = "consent",
    }
}

/// Why data is used. Path `purpose.<slug>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Its name in the bundle.
    pub slug: Slug,
    /// What DPV 2.3 calls it.
    pub iri: String,
    /// The legal basis.
    pub basis: LegalBasis,
    /// Why the purpose needs the data.
    pub necessity: String,
    /// The named statute: for `A6-1-c`.
    pub statute: Option<String>,
    /// The reference of the balancing test: for `A6-1-f`.
    pub balancing: Option<String>,
    /// Whether it is marketing: an objection against that is absolute.
    pub marketing: bool,
    /// Whether it is profiling: an objection against that is absolute.
    pub profiling: bool,
    /// Whether it is internal administration: what a group company may get.
    pub internal_administration: bool,
    /// Whether the contract cannot be kept without it.
    pub required_for_contract: bool,
    /// The data that it may use; none: what the notices list.
    pub categories: Option<Vec<Category>>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// How long something is kept. Path `retention.<slug>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Its name in the bundle.
    pub slug: Slug,
    /// The event that the period starts with.
    pub start: StartEvent,
    /// How long after that event.
    pub period: Period,
    /// The cap, after the reading.
    pub at_most: Period,
    /// Why it is kept.
    pub ground: RetentionGround,
    /// The data that it is about where no flow carries any.
    pub categories: Vec<Category>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// A kind of hold that may be set. Path `hold.<ground>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRule {
    /// On what ground.
    pub ground: HoldGround,
    /// For how long at the longest.
    pub at_most: Period,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
    pub(crate) zone: TimeZone,
}

impl HoldRule {
    /// The latest end of a hold that is set at a time.
    pub fn latest_end(&self, set_at: UtcMicros) -> UtcMicros {
        self.at_most.after(set_at, &self.zone)
    }
}

/// Why a hold may not be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HoldError {
    /// The bundle has no hold on that ground.
    #[error("the bundle allows no hold on the ground {ground}; name one of its [[hold]] tables")]
    Ground {
        /// The ground.
        ground: &'static str,
    },
    /// It would last longer than the bundle allows.
    #[error(
        "a hold on the ground {ground} ends by {latest} (hold.{ground}: {at_most}); set an earlier `until`"
    )]
    TooLong {
        /// The ground.
        ground: &'static str,
        /// The latest end, RFC 3339.
        latest: String,
        /// For how long the bundle allows it.
        at_most: Period,
    },
}

/// What recognises a vehicle: compared on the spot, released to nobody. Path `identify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identify {
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// The signals.
    pub signals: Vec<SignalId>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// The clause behind a refusal. Path `refusal.<reason>` or `refusal.<reason>.<category>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which refusal.
    pub reason: Reason,
    /// About which category; none: about any.
    pub category: Option<Category>,
    /// The clause.
    pub clause: String,
}

/// A value that the bundle names once: `$name` stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Slug,
    /// Its value, as the bundle writes it.
    pub value: String,
    /// The paths of the rules that use it, each once, in the order of the bundle.
    pub used_by: Vec<String>,
    /// The clauses that it follows.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}

/// A finding of a review that the controller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The finding's id.
    pub finding: String,
    /// The path of the rule that it is about; none: about the bundle.
    pub rule: Option<String>,
    /// Why it stays.
    pub reason: String,
}
