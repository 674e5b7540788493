//! Tells a boat's bus from a truck's: NMEA 2000 has the frames, the address claims and
//! the long broadcasts of J1939, and another vehicle on them.
//!
//! The rule, on what was heard since the last break of the bus:
//!
//! 1. An address claim of industry group 4 (marine) speaks for a boat.
//! 2. So do three different groups that only a boat has. Not among them are those that
//!    receivers and weather stations send on tractors too (position, course, time, wind,
//!    what they are: ISO 11783-7 lets them), and the manufacturers' own groups, which both
//!    have. A group that NMEA 2000 spreads over several frames (fast packet) counts when
//!    a frame begins such a message.
//! 3. A claim of industry group 1, 2 or 3 (highway, agriculture, construction) outweighs
//!    both: receivers made for boats are mounted on land machines, not the other way round.
//!
//! Groups of data page 1 as such speak for nothing: heavy vehicles have some.

use super::{
    Id,
    claim::{Claim, Industry},
};

/// How many groups that only a boat has make one.
pub const MARINE_GROUPS: usize = 3;

/// Groups in one frame that only a boat has (NMEA publishes its list of groups).
const SINGLE: &[u32] = &[
    127_245, // rudder
    127_488, // engine, rapid
    127_493, // transmission
    127_505, // fluid level
    127_508, // battery status
    128_259, // speed through water
    128_267, // water depth
];

/// Groups in several frames that only a boat has.
const FAST: &[u32] = &[
    127_237, // heading and track control
    127_489, // engine, dynamic
    127_506, // direct current status
    128_275, // distance log
    129_038, // AIS class A position
    129_039, // AIS class B position
    129_794, // AIS class A static data
];

/// What speaks for a boat and what against it.
#[derive(Debug, Default)]
pub struct Evidence {
    marine_claim: bool,
    land_claim: bool,
    groups: [Option<u32>; MARINE_GROUPS],
}

impl Evidence {
    /// Takes an address claim.
    pub fn claim(&mut self, claim: Claim) {
        match claim.name.industry() {
            Industry::Marine => self.marine_claim = true,
            Industry::OnHighway | Industry::Agriculture | Industry::Construction => self.land_claim = true,
            Industry::Global | Industry::Process | Industry::Reserved => {}
        }
    }

    /// Takes a message of data page 1.
    pub fn message(&mut self, id: Id, data: &[u8]) {
        let marine = SINGLE.contains(&id.pgn) || FAST.contains(&id.pgn) && begins_fast_packet(data);
        if !marine || self.groups.contains(&Some(id.pgn)) {
            return;
        }
        if let Some(place) = self.groups.iter_mut().find(|place| place.is_none()) {
            *place = Some(id.pgn);
        }
    }

    /// Whether it is a boat's bus.
    pub fn is_marine(&self) -> bool {
        let groups = self.groups.iter().all(Option::is_some);
        (self.marine_claim || groups) && !self.land_claim
    }
}

/// A fast packet begins with frame 0 of a message of 7 to 223 bytes, in 8 bytes.
fn begins_fast_packet(data: &[u8]) -> bool {
    matches!(data, [counter, 7..=223, ..] if counter & 0x1F == 0 && data.len() == 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::j1939::claim::Name;

    fn id(pgn: u32) -> Id {
        Id { priority: 6, pgn, destination: None, source: 3 }
    }

    fn claim(industry: u64) -> Claim {
        Claim { address: Some(3), name: Name::from_bits(industry << 60) }
    }

    fn after(industries: &[u64], messages: &[(u32, &[u8])]) -> bool {
        let mut evidence = Evidence::default();
        for (pgn, data) in messages {
            evidence.message(id(*pgn), data);
        }
        for industry in industries {
            evidence.claim(claim(*industry));
        }
        evidence.is_marine()
    }

    const DEPTH: (u32, &[u8]) = (128_267, &[0xFF; 8]);
    const RUDDER: (u32, &[u8]) = (127_245, &[0xFF; 8]);
    const BATTERY: (u32, &[u8]) = (127_508, &[0xFF; 8]);
    const ENGINE: (u32, &[u8]) = (127_489, &[0x40, 26, 0, 0, 0, 0, 0, 0]);

    #[test]
    fn a_marine_claim_makes_a_boat_and_a_land_claim_unmakes_it_in_any_order() {
        assert!(after(&[4], &[]) && after(&[0, 4, 5], &[]));
        for land in [1, 2, 3] {
            assert!(!after(&[4, land], &[]) && !after(&[land, 4], &[]));
            assert!(!after(&[land], &[DEPTH, RUDDER, BATTERY]));
        }
        assert!(!after(&[0, 5, 6, 7], &[]));
    }

    #[test]
    fn three_groups_of_boats_alone_make_a_boat_and_two_do_not() {
        assert!(!after(&[], &[DEPTH, RUDDER, DEPTH, RUDDER]));
        assert!(after(&[], &[DEPTH, RUDDER, BATTERY]) && after(&[], &[DEPTH, RUDDER, ENGINE]));
        assert!(
            !after(&[], &[DEPTH, RUDDER, (127_489, &[0x41, 26, 0, 0, 0, 0, 0, 0])]),
            "not its first frame"
        );
        assert!(!after(&[], &[DEPTH, RUDDER, (127_489, &[0xFF; 8])]));
    }

    #[test]
    fn a_tractor_with_a_receiver_and_makers_own_groups_is_no_boat() {
        let groups = [
            129_025, 129_026, 129_029, 126_992, 126_996, 127_250, 130_306, 126_720, 130_816, 131_071, 123_456,
        ];
        let messages: Vec<(u32, &[u8])> = groups.map(|pgn| (pgn, &[0x40, 43, 0, 0, 0, 0, 0, 0][..])).to_vec();
        assert!(!after(&[], &messages));
    }
}
