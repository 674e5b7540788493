//! The 29-bit identifier of SAE J1939-21: priority, parameter group, destination, source.

use vernport_types::CanId;

/// A J1939 identifier, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    /// 0 (first) to 7.
    pub priority: u8,
    /// Parameter group number, 18 bits. For a group with a destination (PDU1) its low byte is 0.
    pub pgn: u32,
    /// To whom; none for a group that is always for everybody (PDU2).
    pub destination: Option<u8>,
    /// From whom.
    pub source: u8,
}

impl Id {
    /// Everybody (SAE J1939-81).
    pub const GLOBAL: u8 = 0xFF;
    /// Nobody yet: the source of a control unit that has no address (SAE J1939-81).
    pub const NULL: u8 = 0xFE;
    /// Off-board service tool 1: ours when we ask (SAE J1939, table B2).
    pub const SERVICE_TOOL_1: u8 = 0xF9;
    /// Off-board service tool 2.
    pub const SERVICE_TOOL_2: u8 = 0xFA;

    /// Takes a 29-bit identifier apart; 11-bit ones are not J1939.
    pub fn from_can(id: CanId) -> Option<Self> {
        let CanId::Extended(raw) = id else { return None };
        let [top, format, specific, source] = raw.to_be_bytes();
        let group = (raw >> 8) & 0x3_FF00;
        // SAE J1939-21, 5.2: PDU format below 240 carries a destination.
        let (pgn, destination) =
            if format < 240 { (group, Some(specific)) } else { (group | u32::from(specific), None) };
        Some(Self { priority: top >> 2, pgn, destination, source })
    }

    /// The identifier as it stands on the bus.
    pub fn to_can(self) -> Option<CanId> {
        if self.priority > 7 || self.pgn > 0x3_FFFF {
            return None;
        }
        let specific = self.destination.map_or(0, |to| u32::from(to) << 8);
        CanId::extended(u32::from(self.priority) << 26 | self.pgn << 8 | specific | u32::from(self.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_with_and_without_destination_are_told_apart() {
        let id = |raw| Id::from_can(CanId::Extended(raw)).expect("29 bits");
        assert_eq!(id(0x18FE_C117), Id { priority: 6, pgn: 65217, destination: None, source: 0x17 });
        assert_eq!(id(0x1CEC_FF00), Id { priority: 7, pgn: 0xEC00, destination: Some(0xFF), source: 0 });
        assert_eq!(id(0x18DA_FBEE), Id { priority: 6, pgn: 0xDA00, destination: Some(0xFB), source: 0xEE });
        assert_eq!(id(0x19FE_C117).pgn, 0x1_FEC1, "the data page is part of the group");
        assert_eq!(Id::from_can(CanId::Standard(0x7E8)), None);
    }

    proptest! {
        #[test]
        fn an_identifier_is_put_together_as_it_was(raw in 0_u32..0x2000_0000) {
            let id = Id::from_can(CanId::Extended(raw)).expect("29 bits");
            prop_assert_eq!(id.to_can(), Some(CanId::Extended(raw)));
        }

        #[test]
        fn priority_and_source_do_not_change_the_group(raw in 0_u32..0x2000_0000, other in 0_u32..0x2000_0000) {
            let mixed = raw & 0x03FF_FF00 | other & 0x1C00_00FF;
            let group = |raw| Id::from_can(CanId::Extended(raw)).map(|id| (id.pgn, id.destination));
            prop_assert_eq!(group(raw), group(mixed));
        }
    }
}
