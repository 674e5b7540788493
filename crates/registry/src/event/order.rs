//! Work orders: the window between hand-in and hand-back. It always ends: by
//! being closed, or by itself.

use super::StationRef;
use serde::{Deserialize, Serialize};
use vernport_types::{AssetId, OrderId, UtcMicros};

/// How long an order stays open if nobody says otherwise: 72 hours.
pub const ORDER_SECONDS: i64 = 72 * 3_600;

/// The longest order that is accepted: 92 days, for work on bodies.
pub const MAX_ORDER_SECONDS: i64 = 92 * 86_400;

/// `order-opened`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderOpened {
    /// The order.
    pub order: OrderId,
    /// What was handed in, 1 to 8: vehicle, body, trailer.
    pub assets: Vec<AssetId>,
    /// Where.
    pub station: StationRef,
    /// When it ends by itself: the first moment at which it is over.
    pub expires_at: UtcMicros,
}

impl OrderOpened {
    /// An order for one asset that ends [`ORDER_SECONDS`] after it was opened.
    pub fn new(order: OrderId, asset: AssetId, station: StationRef, opened_at: UtcMicros) -> Self {
        Self { order, assets: vec![asset], station, expires_at: opened_at.plus_seconds(ORDER_SECONDS) }
    }
}

/// `order-closed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderClosed {
    /// The order.
    pub order: OrderId,
}
