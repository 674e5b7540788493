//! A reading: one value of one signal of one asset at one time, with its source.

use crate::{AssetId, SignalId, Source, Stamp, Value};
use serde::{Deserialize, Serialize};

/// How an asset was recognised, weakest first: a flow names the weakest that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identification {
    /// The gateway is mounted in the vehicle and configured for it.
    Pinned,
    /// A workshop tool named the vehicle.
    Tool,
    /// A technician said which vehicle stands there (an order at the station).
    Asserted,
    /// The vehicle said its own VIN on the bus.
    BusVin,
}

/// One value of one signal of one asset at one time.
///
/// `Debug` shows signal and source, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whose reading.
    pub asset: AssetId,
    /// Which signal of the catalogue.
    pub signal: SignalId,
    /// The value, in the unit of the catalogue.
    pub value: Value,
    /// When it was read.
    pub at: Stamp,
    /// From where.
    pub source: Source,
    /// How the asset was recognised.
    pub identified_by: Identification,
}
