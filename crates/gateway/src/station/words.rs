//! What is asked at the station's socket and what is answered: one line of JSON each.

use serde::{Deserialize, Serialize};
use vernport_registry::ReceiptCode;
use vernport_types::{Identifier, LegalBasis, OrderId, Reason, Slug, UtcMicros};

/// What a technician says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Said {
    /// A vehicle was handed in.
    OrderOpen {
        /// Which.
        vehicle: Identifier,
        /// When the order ends by itself, in hours from now.
        hours: u32,
    },
    /// It was handed back.
    OrderClose {
        /// Which.
        vehicle: Identifier,
    },
    /// The driver switched to private, or back.
    Private {
        /// Whether to private.
        on: bool,
        /// Which vehicle; none: the one that stands here.
        vehicle: Option<Identifier>,
    },
    /// Somebody withdraws consent: by a vehicle or by the code of a receipt.
    Withdraw {
        /// For which vehicle.
        vehicle: Option<Identifier>,
        /// By which receipt.
        receipt: Option<ReceiptCode>,
    },
    /// Of several vehicles with an order, this one stands here.
    Assert {
        /// Which.
        vehicle: Identifier,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answered {
    /// It is durable and in effect here.
    Done(Done),
    /// It is not, and nothing was changed.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// What took effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The order that was opened or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMicros>,
    /// Flows that are open now.
    pub opened: Vec<Slug>,
    /// Flows that stopped, and why.
    pub stopped: Vec<(Slug, Reason)>,
    /// What goes on for the same vehicle, and on which basis.
    pub goes_on: Vec<(Slug, LegalBasis)>,
    /// What only central can do, when the line is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<String>,
}
