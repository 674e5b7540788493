//! A CAN frame as it stands on the bus: classic or FD, data, remote or error.

use std::fmt;

/// A CAN identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CanId {
    /// 11 bits.
    Standard(u16),
    /// 29 bits.
    Extended(u32),
}

impl CanId {
    /// An 11-bit identifier, unless it is larger.
    pub const fn standard(id: u16) -> Option<Self> {
        if id <= 0x7FF { Some(Self::Standard(id)) } else { None }
    }

    /// A 29-bit identifier, unless it is larger.
    pub const fn extended(id: u32) -> Option<Self> {
        if id <= 0x1FFF_FFFF { Some(Self::Extended(id)) } else { None }
    }

    /// The number, without its format.
    pub const fn raw(self) -> u32 {
        match self {
            Self::Standard(id) => id as u32,
            Self::Extended(id) => id,
        }
    }
}

/// Passes a frame whose identifier has the format of `id` and agrees with it in
/// the bits that are set in `mask`.
///
/// A frame passes a list of filters if any of them lets it; an empty list lets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanFilter {
    /// The identifier and its format.
    pub id: CanId,
    /// The bits that count.
    pub mask: u32,
}

impl CanFilter {
    /// Passes one identifier only.
    pub const fn exactly(id: CanId) -> Self {
        let mask = match id {
            CanId::Standard(_) => 0x7FF,
            CanId::Extended(_) => 0x1FFF_FFFF,
        };
        Self { id, mask }
    }

    /// Passes everything: one filter for each format.
    pub const ALL: [Self; 2] =
        [Self { id: CanId::Standard(0), mask: 0 }, Self { id: CanId::Extended(0), mask: 0 }];

    /// Whether a frame with this identifier passes.
    pub const fn passes(&self, id: CanId) -> bool {
        match (self.id, id) {
            (CanId::Standard(wanted), CanId::Standard(id)) => (wanted ^ id) as u32 & self.mask == 0,
            (CanId::Extended(wanted), CanId::Extended(id)) => (wanted ^ id) & self.mask == 0,
            _ => false,
        }
    }
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Data of a classic frame (at most 8 bytes).
    Data,
    /// Data of a CAN FD frame (at most 64 bytes).
    FdData,
    /// A request for data; carries none.
    Remote,
    /// Reported by the controller, not by a node.
    Error,
}

/// One frame. `Debug` shows identifier and length, never the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CanFrame {
    id: CanId,
    kind: FrameKind,
    len: u8,
    data: [u8; CanFrame::MAX_BYTES],
}

impl CanFrame {
    /// The longest data field (CAN FD).
    pub const MAX_BYTES: usize = 64;

    /// Makes a frame, unless the data is too long for its kind: 8 bytes, or 64
    /// for [`FrameKind::FdData`].
    pub fn new(id: CanId, kind: FrameKind, bytes: &[u8]) -> Option<Self> {
        let most = if kind == FrameKind::FdData { Self::MAX_BYTES } else { 8 };
        if bytes.len() > most {
            return None;
        }
        let mut data = [0; Self::MAX_BYTES];
        data[..bytes.len()].copy_from_slice(bytes);
        Some(Self { id, kind, len: u8::try_from(bytes.len()).ok()?, data })
    }

    /// A classic data frame, unless the data is longer than 8 bytes.
    pub fn data_frame(id: CanId, bytes: &[u8]) -> Option<Self> {
        Self::new(id, FrameKind::Data, bytes)
    }

    /// The identifier.
    pub const fn id(&self) -> CanId {
        self.id
    }

    /// What the frame carries.
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The data bytes.
    pub fn data(&self) -> &[u8] {
        &self.data[..usize::from(self.len)]
    }
}

impl fmt::Debug for CanFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanFrame({:?}, {:?}, {} bytes)", self.id, self.kind, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_passes_what_agrees_in_the_bits_that_count() {
        let group = CanFilter { id: CanId::Extended(0x18FE_C100), mask: 0x03FF_FF00 };
        assert!(group.passes(CanId::Extended(0x0CFE_C117)), "priority and source do not count");
        assert!(!group.passes(CanId::Extended(0x18FE_C000)));
        assert!(!group.passes(CanId::Standard(0x100)), "formats are apart");
        let one = CanFilter::exactly(CanId::Standard(0x7E8));
        assert!(one.passes(CanId::Standard(0x7E8)) && !one.passes(CanId::Standard(0x7E9)));
        for id in [CanId::Standard(0x7FF), CanId::Extended(0x1FFF_FFFF)] {
            assert!(CanFilter::ALL.iter().any(|filter| filter.passes(id)));
        }
    }
}
