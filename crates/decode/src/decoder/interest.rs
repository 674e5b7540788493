//! Which frames a bus has to deliver for what is wanted now, so that kernel and
//! adapter can keep the rest away.
//!
//! A broadcast that gives no wanted signal is not asked for. Always asked for are:
//!
//! - Frames of the transport protocols: what a long message holds shows only when
//!   it is whole, and then unwanted ones are dropped.
//! - Answers of control units, and the requests of other testers: 700 to 7FF,
//!   18DAxxFx, 18DBxxFx, and anything from J1939 addresses F9 and FA. Who asks must hear them to keep silent.
//! - J1939 acknowledgements and address claims: what refuses a request of ours, who
//!   is on the bus, and whether somebody else has our address.
//! - Groups of data page 1 from 1F000 on: they show a boat (see [`crate::j1939::marine`]).

use super::{Decoder, groups};
use crate::j1939::{Id, pgn, transport};
use vernport_types::{CanFilter, CanId, SignalId};

/// Format and group number of a PDU2 identifier; priority and source do not count.
const GROUP_MASK: u32 = 0x03FF_FF00;
/// As [`GROUP_MASK`], without the destination of a PDU1 identifier.
const ADDRESSED_GROUP_MASK: u32 = 0x03FF_0000;
/// The source address alone.
const SOURCE_MASK: u32 = 0xFF;

/// What is asked for whatever is wanted.
pub(crate) const ALWAYS_HEARD: &[CanFilter] = &[
    extended(transport::CONNECTION << 8, ADDRESSED_GROUP_MASK),
    extended(transport::DATA << 8, ADDRESSED_GROUP_MASK),
    extended(pgn::ACKNOWLEDGEMENT << 8, ADDRESSED_GROUP_MASK),
    extended(pgn::ADDRESS_CLAIMED << 8, ADDRESSED_GROUP_MASK),
    // ISO 15765-4: requests to all and to each, and their answers; makers use the rest of the range.
    CanFilter { id: CanId::Standard(0x700), mask: 0x700 },
    // ISO 15765-2 normal fixed addressing, to and from testers (F0 to FF).
    extended(0x18DA_F000, 0x1FFF_F000),
    extended(0x18DA_00F0, 0x1FFF_00F0),
    extended(0x18DB_00F0, 0x1FFF_00F0),
    extended(Id::SERVICE_TOOL_1 as u32, SOURCE_MASK),
    extended(Id::SERVICE_TOOL_2 as u32, SOURCE_MASK),
    // Data page 1, PDU2.
    extended(0x01F0_0000, 0x03F0_0000),
];

const fn extended(id: u32, mask: u32) -> CanFilter {
    CanFilter { id: CanId::Extended(id), mask }
}

impl Decoder {
    /// The filters that let through what the signals that `wanted` names come from, the DBC files'
    /// among them, with `identify` what VINs come from, and what is always asked for. The list is sorted
    /// and has no entry twice.
    pub fn interest(&self, wanted: impl Fn(SignalId) -> bool, identify: bool) -> Vec<CanFilter> {
        let mut filters = ALWAYS_HEARD.to_vec();
        for group in groups::GROUPS {
            if identify && group.is_vin() || group.signals(&self.plan).any(|signal| wanted(signal.id)) {
                filters.push(extended(group.pgn << 8, GROUP_MASK));
            }
        }
        if let Some(dbc) = &self.dbc {
            filters.extend(dbc.interest(&wanted));
        }
        filters.sort_unstable();
        filters.dedup();
        filters
    }
}
