//! Who is on the bus: addresses claimed and the NAMEs that claim them (SAE J1939-81). Only heard.
//!
//! ```text
//! NAME, 64 bits, low byte first (SAE J1939-81, 4.1.1)
//! bits  0-20 identity number      32-34 ECU instance       49-55 vehicle system
//!      21-31 manufacturer         35-39 function instance  56-59 vehicle system instance
//!                                 40-47 function           60-62 industry group
//!                                                          63    may take any address
//! ```

use super::{Id, pgn};

/// The function of an off-board service tool in industry group 0 (SAE J1939, table B11).
const SERVICE_TOOL_FUNCTION: u8 = 129;
/// How many addresses can be claimed: 0 to 253.
pub const MAX_CLAIMS: usize = 254;

/// What a control unit is. `Debug` leaves out its identity number, which is a serial number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(u64);

impl Name {
    /// The NAME with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The serial number that the manufacturer gave.
    pub const fn identity_number(self) -> u32 {
        self.field(0, 21)
    }

    /// The manufacturer (SAE J1939, table B10).
    pub const fn manufacturer(self) -> u32 {
        self.field(21, 11)
    }

    /// Which of several control units of one function.
    pub const fn ecu_instance(self) -> u32 {
        self.field(32, 3)
    }

    /// Which of several functions.
    pub const fn function_instance(self) -> u32 {
        self.field(35, 5)
    }

    /// What it does; from 128 on within its industry group and vehicle system.
    pub const fn function(self) -> u8 {
        self.0.to_le_bytes()[5]
    }

    /// What it is part of, within its industry group.
    pub const fn vehicle_system(self) -> u32 {
        self.field(49, 7)
    }

    /// Which of several vehicle systems.
    pub const fn vehicle_system_instance(self) -> u32 {
        self.field(56, 4)
    }

    /// What kind of machine it is made for.
    pub const fn industry(self) -> Industry {
        match self.field(60, 3) {
            0 => Industry::Global,
            1 => Industry::OnHighway,
            2 => Industry::Agriculture,
            3 => Industry::Construction,
            4 => Industry::Marine,
            5 => Industry::Process,
            _ => Industry::Reserved,
        }
    }

    /// Whether it may take another address when it loses this one.
    pub const fn may_take_any_address(self) -> bool {
        self.0 >> 63 == 1
    }

    /// Whether it is an off-board service tool.
    pub const fn is_service_tool(self) -> bool {
        matches!(self.industry(), Industry::Global) && self.function() == SERVICE_TOOL_FUNCTION
    }

    const fn field(self, from: u32, bits: u32) -> u32 {
        let [a, b, c, d, ..] = (self.0 >> from & ((1 << bits) - 1)).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Name")
            .field("manufacturer", &self.manufacturer())
            .field("function", &self.function())
            .field("industry", &self.industry())
            .finish_non_exhaustive()
    }
}

/// Industry groups (SAE J1939, table B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Industry {
    /// 0: for all.
    Global,
    /// 1: trucks and buses.
    OnHighway,
    /// 2: agriculture and forestry.
    Agriculture,
    /// 3: construction.
    Construction,
    /// 4: marine.
    Marine,
    /// 5: industrial process control, stationary.
    Process,
    /// 6 and 7.
    Reserved,
}

/// A message that claims an address, or gives up doing so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address; none for a unit that could not get one.
    pub address: Option<u8>,
    /// Who claims it.
    pub name: Name,
}

impl Claim {
    /// The claim in a message; none if it is another one, or its length is wrong.
    pub fn read(id: Id, data: &[u8]) -> Option<Self> {
        let data = <[u8; 8]>::try_from(data).ok().filter(|_| id.pgn == pgn::ADDRESS_CLAIMED)?;
        let address = Some(id.source).filter(|address| usize::from(*address) < MAX_CLAIMS);
        Some(Self { address, name: Name(u64::from_le_bytes(data)) })
    }
}

/// What somebody else does with an address that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressConflict {
    /// Claims it.
    Claimed(Name),
    /// Sends from it.
    Used,
}

/// Whether a message that is not ours claims or uses the address `ours`. We do not
/// defend it: who meets a conflict keeps silent.
pub fn conflict(id: Id, data: &[u8], ours: u8) -> Option<AddressConflict> {
    (id.source == ours).then(|| {
        Claim::read(id, data).map_or(AddressConflict::Used, |claim| AddressConflict::Claimed(claim.name))
    })
}

/// The addresses claimed on one bus. Bounded: one NAME for each address.
pub struct Claims {
    names: Vec<Option<Name>>,
}

impl Default for Claims {
    fn default() -> Self {
        Self { names: vec![None; MAX_CLAIMS] }
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Claims {
    /// Takes a claim. The last one for an address stands, since of two that claim it
    /// the one that has to go claims another; a NAME holds one address.
    pub fn heard(&mut self, claim: Claim) {
        for place in &mut self.names {
            if *place == Some(claim.name) {
                *place = None;
            }
        }
        if let Some(place) = claim.address.and_then(|address| self.names.get_mut(usize::from(address))) {
            *place = Some(claim.name);
        }
    }

    /// Who claimed an address.
    pub fn name_of(&self, address: u8) -> Option<Name> {
        self.names.get(usize::from(address)).copied().flatten()
    }

    /// The addresses claimed, upwards.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Name)> + '_ {
        (0_u8..).zip(&self.names).filter_map(|(address, name)| Some((address, (*name)?)))
    }

    /// Whether an address is that of an off-board service tool: by its number, or by what claimed it.
    pub fn is_service_tool(&self, address: u8) -> bool {
        matches!(address, Id::SERVICE_TOOL_1 | Id::SERVICE_TOOL_2)
            || self.name_of(address).is_some_and(Name::is_service_tool)
    }

    /// Forgets all claims: another vehicle may be there.
    pub fn reset(&mut self) {
        self.names.fill(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vernport_types::CanId;

    fn id(raw: u32) -> Id {
        Id::from_can(CanId::Extended(raw)).expect("29 bits")
    }

    fn claim(address: u8, bits: u64) -> Claim {
        Claim::read(id(0x18EE_FF00 | u32::from(address)), &bits.to_le_bytes()).expect("a claim")
    }

    #[test]
    fn a_name_is_taken_apart_where_the_standard_has_its_fields() {
        // Each field its own pattern: 21, 11, 3, 5, 8, 1, 7, 4, 3 and 1 bits.
        let bits =
            0x15_5555 | 0x2AA << 21 | 5 << 32 | 0x11 << 35 | 129 << 40 | 0x55 << 49 | 9 << 56 | 1 << 63;
        let Claim { address, name } = claim(0x0B, bits);
        assert_eq!(address, Some(0x0B));
        assert_eq!((name.identity_number(), name.manufacturer()), (0x15_5555, 0x2AA));
        assert_eq!((name.ecu_instance(), name.function_instance(), name.function()), (5, 0x11, 129));
        assert_eq!((name.vehicle_system(), name.vehicle_system_instance()), (0x55, 9));
        assert!(name.may_take_any_address() && name.is_service_tool());
        let industries = [0, 1, 2, 3, 4, 5, 6, 7].map(|group: u64| Name::from_bits(group << 60).industry());
        assert_eq!(
            industries,
            [
                Industry::Global,
                Industry::OnHighway,
                Industry::Agriculture,
                Industry::Construction,
                Industry::Marine,
                Industry::Process,
                Industry::Reserved,
                Industry::Reserved
            ]
        );
        assert!(!format!("{name:?}").contains(&0x15_5555.to_string()), "a serial number is not printed");
    }

    #[test]
    fn the_last_claim_of_an_address_stands_and_a_name_has_one_address() {
        let mut claims = Claims::default();
        claims.heard(claim(0x80, 1));
        claims.heard(claim(0x80, 2));
        claims.heard(claim(0x81, 1));
        assert_eq!(claims.iter().collect::<Vec<_>>(), [(0x80, Name(2)), (0x81, Name(1))]);
        claims.heard(claim(Id::NULL, 2));
        assert_eq!(claims.name_of(0x80), None, "it could not keep the address");
        claims.reset();
        assert_eq!(claims.iter().count(), 0);
    }

    #[test]
    fn service_tools_are_known_by_address_and_by_claim() {
        let mut claims = Claims::default();
        assert!(
            claims.is_service_tool(0xF9) && claims.is_service_tool(0xFA) && !claims.is_service_tool(0x80)
        );
        claims.heard(claim(0x80, 129 << 40));
        assert!(claims.is_service_tool(0x80));
        claims.heard(claim(0x80, 129 << 40 | 2 << 60));
        assert!(!claims.is_service_tool(0x80), "129 is another function in another industry group");
    }

    #[test]
    fn our_address_in_the_hands_of_others_is_a_conflict() {
        let bytes = 7_u64.to_le_bytes();
        assert_eq!(conflict(id(0x18EE_FFF9), &bytes, 0xF9), Some(AddressConflict::Claimed(Name(7))));
        assert_eq!(conflict(id(0x18EA_FFF9), &[0xEC, 0xFE, 0], 0xF9), Some(AddressConflict::Used));
        assert_eq!(conflict(id(0x18EA_F90B), &[0xEC, 0xFE, 0], 0xF9), None, "to us, not from us");
    }

    proptest! {
        #[test]
        fn whatever_is_claimed_the_table_is_bounded_and_has_no_name_twice(
            heard in proptest::collection::vec((any::<u8>(), 0_u64..20), 0..400)
        ) {
            let mut claims = Claims::default();
            for (address, bits) in heard {
                claims.heard(claim(address, bits));
            }
            let mut names: Vec<Name> = claims.iter().map(|(_, name)| name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            prop_assert!(names.len() == all && all <= MAX_CLAIMS);
        }
    }
}
