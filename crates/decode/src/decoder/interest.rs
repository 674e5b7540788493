//! Which frames a bus has to deliver for what is wanted now, so that kernel and
//! adapter can keep the rest away.
//!
//! A broadcast that gives no wanted signal is not asked for. Frames of the
//! transport protocols always are: what a long message holds shows only when it
//! is whole, and then unwanted ones are dropped.

use super::Decoder;
use crate::j1939::{pgn, transport};
use vernport_types::{CanFilter, CanId, SignalId};

/// Format and group number of a PDU2 identifier; priority and source do not count.
const GROUP_MASK: u32 = 0x03FF_FF00;
/// As [`GROUP_MASK`], without the destination of a PDU1 identifier.
const ADDRESSED_GROUP_MASK: u32 = 0x03FF_0000;

impl Decoder {
    /// The filters that let through what the signals that `wanted` names come from, and, with
    /// `identify`, what VINs come from. The list is sorted and has no entry twice.
    pub fn interest(&self, wanted: impl Fn(SignalId) -> bool, identify: bool) -> Vec<CanFilter> {
        let plan = &self.plan;
        let is_wanted = |entry: &Option<crate::plan::Wanted>| entry.is_some_and(|entry| wanted(entry.id));
        let mut filters = vec![
            group(transport::CONNECTION, ADDRESSED_GROUP_MASK),
            group(transport::DATA, ADDRESSED_GROUP_MASK),
            // Answers of control units (ISO 15765-4).
            CanFilter { id: CanId::Standard(0x7E8), mask: 0x7F8 },
            CanFilter { id: CanId::Extended(0x18DA_F000), mask: 0x1FFF_F000 },
        ];
        for (number, entry) in [
            (pgn::DISTANCE_HIGH_RESOLUTION, &plan.odometer),
            (pgn::DISTANCE, &plan.odometer),
            (pgn::POSITION, &plan.location),
            (pgn::SPEED, &plan.speed),
            (pgn::DASH_DISPLAY, &plan.fuel_level),
            (pgn::ELECTRICAL_POWER, &plan.battery_voltage),
            (pgn::ENGINE_HOURS, &plan.engine_hours),
            (pgn::SERVICE, &plan.distance_to_service),
            (pgn::PTO_DRIVE, &plan.power_take_off),
            (pgn::ACTIVE_TROUBLE_CODES, &plan.trouble_codes),
        ] {
            if is_wanted(entry) {
                filters.push(group(number, GROUP_MASK));
            }
        }
        if identify || is_wanted(&plan.vin) {
            filters.push(group(pgn::VEHICLE_IDENTIFICATION, GROUP_MASK));
        }
        filters.sort_unstable();
        filters.dedup();
        filters
    }
}

fn group(number: u32, mask: u32) -> CanFilter {
    CanFilter { id: CanId::Extended(number << 8), mask }
}
