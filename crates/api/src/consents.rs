//! Consents as the counter asks for them: by the receipt that a person has, or
//! by the vehicle. In a body: neither ever stands in a URL, and no answer repeats it.

use serde::{Deserialize, Serialize};
use vernport_registry::{ReceiptCode, Role};
use vernport_types::{AssetId, Category, EntryHash, Identifier, Slug, SubjectId, UtcMicros};

/// Whose consents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConsentsRequest {
    /// The one of this receipt.
    Receipt(ReceiptCode),
    /// Those of everybody linked to the vehicle that bears this identifier now.
    Vehicle(Identifier),
}

/// What stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentsAnswer {
    /// The vehicle; none if the question named none, or no asset bears the identifier.
    pub asset: Option<AssetId>,
    /// Everybody linked to it now, with their roles.
    pub people: Vec<Person>,
    /// Oldest first. Empty if nobody has the receipt.
    pub consents: Vec<Consented>,
}

/// Somebody with a role towards a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Who.
    pub subject: SubjectId,
    /// As what.
    pub role: Role,
}

/// One consent, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consented {
    /// The entry by which it was given.
    pub entry: EntryHash,
    /// Who gave it.
    pub subject: SubjectId,
    /// In which role.
    pub role: Role,
    /// For which purpose.
    pub purpose: Slug,
    /// Towards whom.
    pub recipient: Slug,
    /// The form that was used.
    pub form: Slug,
    /// To what it was given.
    pub categories: Vec<Category>,
    /// What of that still holds: empty when it was withdrawn, ran out or was followed by another one.
    pub in_force: Vec<Category>,
    /// When it was given.
    pub given_at: UtcMicros,
    /// The first moment at which it is no longer valid by itself.
    pub valid_until: UtcMicros,
    /// When any of it was withdrawn last.
    pub withdrawn_at: Option<UtcMicros>,
}
