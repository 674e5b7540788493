//! Gateways, stations and the keys of recipients.

use serde::{Deserialize, Serialize};
use std::fmt;
use vernport_crypto::{VerifyingKey, WrappingKey};
use vernport_types::{AssetId, KeyId, Slug};

/// A station by its site: where a gateway stands and an order is worked on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationRef {
    /// The site.
    pub site: Slug,
    /// The station of the site: a bay, or `onboard`.
    pub station: Slug,
}

impl fmt::Display for StationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.station)
    }
}

/// `gateway-enrolled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayEnrolled {
    /// Which gateway.
    pub gateway: Slug,
    /// Where it stands.
    pub station: StationRef,
    /// The key it signs with.
    pub device_key: VerifyingKey,
    /// The asset it is mounted in, for a box on board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<AssetId>,
}

/// `enrolment-ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentEnded {
    /// Which gateway.
    pub gateway: Slug,
}

/// `gateway-revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRevoked {
    /// Which gateway: stolen, lost, or its key known to others.
    pub gateway: Slug,
}

/// `recipient-key-activated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientKeyActivated {
    /// Whose key.
    pub recipient: Slug,
    /// For which purpose alone.
    pub purpose: Slug,
    /// The key that batches are sealed to.
    pub key: WrappingKey,
}

/// `recipient-key-revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientKeyRevoked {
    /// Which key.
    pub key: KeyId,
}
