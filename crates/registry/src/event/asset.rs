//! Assets and the people linked to them.

use serde::{Deserialize, Serialize};
use std::fmt;
use vernport_crypto::BlindIndex;
use vernport_types::{AssetId, IdentifierKind, SubjectId, UtcMicros};

/// What a person is towards an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Owns it.
    Owner,
    /// Drives it.
    Driver,
    /// Handed it in.
    Deliverer,
    /// Ordered the work.
    Orderer,
}

impl Role {
    /// All roles.
    pub const ALL: &[Self] = &[Self::Owner, Self::Driver, Self::Deliverer, Self::Orderer];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Driver => "driver",
            Self::Deliverer => "deliverer",
            Self::Orderer => "orderer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `asset-identified`. The ledger holds the blind index only; the identifier
/// itself is kept beside it, sealed to the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetIdentified {
    /// What is identified.
    pub asset: AssetId,
    /// VIN, plate or serial number.
    pub identifier_kind: IdentifierKind,
    /// Its blind index under the controller's identity key.
    pub index: BlindIndex,
}

/// `identifier-ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifierEnded {
    /// What has the identifier no longer.
    pub asset: AssetId,
    /// Which identifier.
    pub index: BlindIndex,
}

/// `linked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// To what.
    pub asset: AssetId,
    /// Who.
    pub subject: SubjectId,
    /// As what.
    pub role: Role,
    /// Until when at the latest: the first moment at which the link is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMicros>,
}

/// `unlinked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlink {
    /// From what.
    pub asset: AssetId,
    /// Who.
    pub subject: SubjectId,
    /// As what.
    pub role: Role,
}

/// `owner-changed`. Every link to the asset from before ends, drivers'
/// included: they drove it for the former owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerChanged {
    /// What was sold.
    pub asset: AssetId,
    /// Its owners from now on, 1 to 8.
    pub owners: Vec<SubjectId>,
}

/// `asset-merged`, `subject-merged`: two ids of one thing. It was always one
/// thing, so a merge has no time: it holds for every question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge<Id> {
    /// The id that is given up.
    pub from: Id,
    /// The id that stays.
    pub into: Id,
}

/// `private-mode-started`, `private-mode-ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateMode {
    /// Which vehicle.
    pub asset: AssetId,
}
