//! Milestones: what a period of storage runs from, and whether a person has an
//! account. What the ledger knows from other events (a consent that ended, an
//! order that closed) is no milestone.

use super::Whom;
use serde::{Deserialize, Serialize};

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// The person, or the customer to whom the asset belongs, was in touch.
    Interaction,
    /// The relationship with the person, or with the customer to whom the asset belongs, ended.
    RelationshipEnded,
    /// The warranty of the asset ended.
    WarrantyEnded,
    /// The asset was scrapped or left for good.
    VehicleEnded,
    /// The person opened an account.
    AccountOpened,
    /// And closed it.
    AccountClosed,
}

/// `milestone-reached`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MilestoneReached {
    /// Who or what reached it: accounts are of persons, warranties and the end
    /// of a vehicle of assets.
    pub whom: Whom,
    /// What was reached.
    pub milestone: Milestone,
}
