//! What a fleet operator calls a vehicle: its registrar at the workshop says it once, central seals it to the
//! operator at once, and the operator finds it in its roster under every alias (decision note 0025).

use serde::{Deserialize, Serialize};
use vernport_types::{AssetId, FleetNumber, Slug};

/// An operator's own number of a vehicle. `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetNumberRequest {
    /// Which vehicle.
    pub asset: AssetId,
    /// Who calls it so: a recipient to whom something is published.
    pub operator: Slug,
    /// What it is called, in the place of what it was called before; none: nothing any more.
    pub number: Option<FleetNumber>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetNumberAnswer {
    /// For which purposes the operator will be told: those that something is published to it for, and that it has
    /// a key for. Sorted.
    pub purposes: Vec<Slug>,
    /// For which it has no key yet: say the number again when it has. Sorted.
    pub without_key: Vec<Slug>,
}
