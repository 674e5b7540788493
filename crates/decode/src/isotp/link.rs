//! Who speaks to whom: the addressing formats of ISO 15765-2:2016, clause 9.4
//! and annex A, for 11 and 29 bits.
//!
//! ```text
//!               identifier                          before the control byte
//! normal        agreed, one for each direction      -
//! normal fixed  18DA tt ss (18DB to a group)        -
//! extended      agreed, or of each side             target address
//! mixed         agreed (11 bits) or 18CE tt ss      address extension
//!               (18CD to a group)
//! ```

use vernport_types::{CanFrame, CanId, FrameKind};

/// Whether one node or a group is spoken to (N_TAtype, ISO 15765-2:2016, 8.3.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetType {
    /// One node.
    Physical,
    /// Whoever answers to this address. Single frames only.
    Functional,
}

/// One direction: identifier, and the byte of address in front of the data where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The identifier.
    pub id: CanId,
    /// Target address (extended) or address extension (mixed).
    pub address: Option<u8>,
}

impl Path {
    /// How many bytes stand before the control byte.
    pub fn address_bytes(&self) -> usize {
        usize::from(self.address.is_some())
    }

    /// The data of a frame on this path, its byte of address included.
    pub fn data<'a>(&self, frame: &'a CanFrame) -> Option<&'a [u8]> {
        let is_data = matches!(frame.kind(), FrameKind::Data | FrameKind::FdData);
        let same_address = self.address.is_none_or(|address| frame.data().first() == Some(&address));
        (is_data && frame.id() == self.id && same_address).then(|| frame.data())
    }
}

/// Both directions between two nodes, seen from one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Where this side speaks.
    pub speaks: Path,
    /// Where it hears the other one.
    pub hears: Path,
}

impl Link {
    /// Normal addressing, 11 or 29 bits.
    pub const fn normal(speaks: CanId, hears: CanId) -> Self {
        Self { speaks: Path { id: speaks, address: None }, hears: Path { id: hears, address: None } }
    }

    /// Normal fixed addressing, 29 bits: from `own` to `target` and back.
    pub const fn normal_fixed(own: u8, target: u8, kind: TargetType) -> Self {
        Self::normal(
            fixed(0x18DA, 0x18DB, target, own, kind),
            fixed(0x18DA, 0, own, target, TargetType::Physical),
        )
    }

    /// Extended addressing, 11 or 29 bits: what comes bears `own`, what goes bears `target`.
    pub const fn extended(speaks: CanId, hears: CanId, own: u8, target: u8) -> Self {
        Self {
            speaks: Path { id: speaks, address: Some(target) },
            hears: Path { id: hears, address: Some(own) },
        }
    }

    /// Mixed addressing, 11 bits: both directions bear the extension.
    pub const fn mixed(speaks: CanId, hears: CanId, extension: u8) -> Self {
        Self::extended(speaks, hears, extension, extension)
    }

    /// Mixed addressing, 29 bits: from `own` to `target` and back, both with the extension.
    pub const fn mixed_fixed(own: u8, target: u8, extension: u8, kind: TargetType) -> Self {
        Self::mixed(
            fixed(0x18CE, 0x18CD, target, own, kind),
            fixed(0x18CE, 0, own, target, TargetType::Physical),
            extension,
        )
    }

    /// The same link seen from the other side.
    pub const fn turned(self) -> Self {
        Self { speaks: self.hears, hears: self.speaks }
    }
}

/// Priority 6, the format, target and source (ISO 15765-2:2016, annex A.2 and A.4).
const fn fixed(physical: u32, functional: u32, target: u8, source: u8, kind: TargetType) -> CanId {
    let format = match kind {
        TargetType::Physical => physical,
        TargetType::Functional => functional,
    };
    CanId::Extended(format << 16 | (target as u32) << 8 | source as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_identifiers_hold_target_and_source() {
        let link = Link::normal_fixed(0xF1, 0x10, TargetType::Physical);
        assert_eq!(
            (link.speaks.id, link.hears.id),
            (CanId::Extended(0x18DA_10F1), CanId::Extended(0x18DA_F110))
        );
        let group = Link::normal_fixed(0xF1, 0x33, TargetType::Functional);
        assert_eq!(group.speaks.id, CanId::Extended(0x18DB_33F1));
        let mixed = Link::mixed_fixed(0xF1, 0x33, 5, TargetType::Functional);
        assert_eq!((mixed.speaks.id, mixed.speaks.address), (CanId::Extended(0x18CD_33F1), Some(5)));
        assert_eq!(mixed.hears.id, CanId::Extended(0x18CE_F133));
    }

    #[test]
    fn a_frame_is_of_a_path_by_identifier_kind_and_address() {
        let link = Link::extended(CanId::Standard(0x6F1), CanId::Standard(0x612), 0xF1, 0x12);
        let frame = |id, data: &[u8]| CanFrame::data_frame(CanId::Standard(id), data).expect("short");
        assert_eq!(link.hears.data(&frame(0x612, &[0xF1, 1, 9])), Some(&[0xF1, 1, 9][..]));
        assert_eq!(link.turned().hears.data(&frame(0x6F1, &[0x12, 1, 9])), Some(&[0x12, 1, 9][..]));
        for other in [frame(0x612, &[0xF2, 1, 9]), frame(0x612, &[]), frame(0x613, &[0xF1, 1, 9])] {
            assert_eq!(link.hears.data(&other), None);
        }
        let remote = CanFrame::new(CanId::Standard(0x612), FrameKind::Remote, &[]).expect("empty");
        assert_eq!(Link::normal(CanId::Standard(1), CanId::Standard(0x612)).hears.data(&remote), None);
    }
}
