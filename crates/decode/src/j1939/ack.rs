//! Acknowledgement (PGN 59392, SAE J1939-21, 5.4.4): what a control unit says to a request
//! that it does not answer with the group.
//!
//! ```text
//! control, group function, FF FF, address that asked, group(3)
//! ```

use super::{Id, pgn};

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// 0: done.
    Positive,
    /// 1: it has no such group: asking again is of no use.
    Negative,
    /// 2: not to us.
    AccessDenied,
    /// 3: it has the group, and cannot answer now.
    Busy,
    /// A control byte without a meaning here.
    Other(u8),
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What it says.
    pub control: Control,
    /// Of which group.
    pub group: u32,
    /// Who says it.
    pub from: u8,
    /// To whose request. Older units leave it out and send to the one that asked.
    pub to: u8,
}

impl Acknowledgement {
    /// The acknowledgement in a message; none if it is another one, or too short.
    pub fn read(id: Id, data: &[u8]) -> Option<Self> {
        let &[control, _, _, _, asked_by, low, mid, high] = data else { return None };
        if id.pgn != pgn::ACKNOWLEDGEMENT {
            return None;
        }
        let control = match control {
            0 => Control::Positive,
            1 => Control::Negative,
            2 => Control::AccessDenied,
            3 => Control::Busy,
            other => Control::Other(other),
        };
        let to = id.destination.filter(|to| *to != Id::GLOBAL).unwrap_or(asked_by);
        Some(Self { control, group: u32::from_le_bytes([low, mid, high, 0]), from: id.source, to })
    }
}

/// The group that a message asks for (PGN 59904); none if it is another one.
pub fn requested(id: Id, data: &[u8]) -> Option<u32> {
    let &[low, mid, high, ..] = data else { return None };
    (id.pgn == pgn::REQUEST).then_some(u32::from_le_bytes([low, mid, high, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vernport_types::CanId;

    fn id(raw: u32) -> Id {
        Id::from_can(CanId::Extended(raw)).expect("29 bits")
    }

    #[test]
    fn a_refusal_says_of_what_from_whom_and_to_whom() {
        for (control, meaning) in [
            (0, Control::Positive),
            (1, Control::Negative),
            (2, Control::AccessDenied),
            (3, Control::Busy),
            (128, Control::Other(128)),
        ] {
            let data = [control, 0xFF, 0xFF, 0xFF, 0xF9, 0xEC, 0xFE, 0x00];
            let expected = Acknowledgement { control: meaning, group: 65260, from: 0x0B, to: 0xF9 };
            assert_eq!(Acknowledgement::read(id(0x18E8_FF0B), &data), Some(expected));
        }
        let older = [1, 0xFF, 0xFF, 0xFF, 0xFF, 0xEC, 0xFE, 0x00];
        assert_eq!(Acknowledgement::read(id(0x18E8_F90B), &older).map(|ack| ack.to), Some(0xF9));
        assert_eq!(Acknowledgement::read(id(0x18EA_F90B), &older), None);
        assert_eq!(Acknowledgement::read(id(0x18E8_F90B), &older[..7]), None);
    }

    #[test]
    fn a_request_names_its_group() {
        assert_eq!(requested(id(0x18EA_FF0B), &[0xEC, 0xFE, 0x00]), Some(65260));
        assert_eq!(requested(id(0x18EA_FF0B), &[0xEC, 0xFE]), None);
        assert_eq!(requested(id(0x18EB_FF0B), &[0xEC, 0xFE, 0x00]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in 0_u32..0x2000_0000, data in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = (Acknowledgement::read(id(raw), &data), requested(id(raw), &data));
        }
    }
}
