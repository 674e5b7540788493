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
