//! What is said on the wire. Kinds are never used twice, bodies of one version
//! never change, and a kind that only a later version knows is passed over.

use crate::{MIN_VERSION, VERSION};
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// The most filters of one bus.
pub const MAX_FILTERS: usize = 32;
/// The longest name of a firmware.
pub const MAX_FIRMWARE_BYTES: usize = 32;

/// A CAN identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CanId {
    /// 11 bits.
    Standard(u16),
    /// 29 bits.
    Extended(u32),
}

impl CanId {
    /// Whether the number fits the format.
    pub const fn is_well_formed(self) -> bool {
        match self {
            Self::Standard(id) => id <= 0x7FF,
            Self::Extended(id) => id <= 0x1FFF_FFFF,
        }
    }
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameKind {
    /// Data of a classic frame, at most 8 bytes.
    Data,
    /// Data of a CAN FD frame, at most 64 bytes.
    FdData,
    /// A request for data; carries none.
    Remote,
    /// Reported by the CAN controller, at most 8 bytes.
    Error,
}

/// Host to adapter, first of a session: which versions the host speaks. It
/// ends an earlier session with its filters and credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version.
    pub lowest: u8,
    /// The newest version.
    pub highest: u8,
    /// A number drawn for this session.
    pub session: u32,
}

/// Adapter to host, in answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloAck {
    /// The version to speak from now on; 0 when there is none in common.
    pub version: u8,
    /// The session's number, given back.
    pub session: u32,
    /// How many buses the adapter has.
    pub buses: u8,
    /// How many frames it can hold back while there is no credit.
    pub queue_frames: u16,
    /// Name and version of its firmware.
    pub firmware: String<MAX_FIRMWARE_BYTES>,
}

/// A frame that the adapter heard, or that the host wants sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanFrame {
    /// The bus, from 0.
    pub bus: u8,
    /// The adapter's clock when the frame was heard, in microseconds; 0 from the host.
    pub at_micros: u64,
    /// The identifier.
    pub id: CanId,
    /// What it carries.
    pub kind: FrameKind,
    /// The data.
    pub data: Vec<u8, 64>,
}

impl CanFrame {
    /// Whether the identifier fits its format and the data its kind.
    pub fn is_well_formed(&self) -> bool {
        let most = match self.kind {
            FrameKind::Data | FrameKind::Error => 8,
            FrameKind::FdData => 64,
            FrameKind::Remote => 0,
        };
        self.id.is_well_formed() && self.data.len() <= most
    }
}

impl core::fmt::Debug for CanFrame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CanFrame(bus {}, {:?}, {:?}, {} bytes)", self.bus, self.id, self.kind, self.data.len())
    }
}

/// Host to adapter: how many frames more it may send. Heartbeats and answers
/// need no credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Added to what is left.
    pub frames: u32,
}

/// Passes a frame whose identifier has this format and agrees with `id` in the
/// bits that are set in `mask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The identifier and its format.
    pub id: CanId,
    /// The bits that count.
    pub mask: u32,
}

impl Filter {
    /// Whether a frame with this identifier passes.
    pub const fn passes(&self, id: CanId) -> bool {
        match (self.id, id) {
            (CanId::Standard(wanted), CanId::Standard(id)) => (wanted ^ id) as u32 & self.mask == 0,
            (CanId::Extended(wanted), CanId::Extended(id)) => (wanted ^ id) & self.mask == 0,
            _ => false,
        }
    }
}

/// Host to adapter: what to pass on from one bus from now on, in place of the
/// filters before. Without any, nothing passes; so it is at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterSet {
    /// The bus, from 0.
    pub bus: u8,
    /// A frame passes if any of these lets it.
    pub filters: Vec<Filter, MAX_FILTERS>,
}

/// Either way, at least once a second: who hears none for three seconds
/// begins a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// One more each time.
    pub sequence: u32,
    /// Frames that the sender of this lost since the session began, for want
    /// of credit or room.
    pub dropped_frames: u32,
}

/// Host to adapter: what is your time?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRequest {
    /// The host's boot clock at sending, in microseconds.
    pub host_micros: u64,
}

/// Adapter to host, in answer to [`ClockRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReply {
    /// The host's time, given back.
    pub host_micros: u64,
    /// The adapter's clock when the request came in, in microseconds.
    pub received_micros: u64,
    /// The adapter's clock when this went out, in microseconds.
    pub sent_micros: u64,
}

/// Host to adapter: whether anything may be sent on one bus. At the beginning
/// of a session nothing may, on any bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusMode {
    /// The bus, from 0.
    pub bus: u8,
    /// The adapter sends none of the host's frames on this bus.
    pub listen_only: bool,
}

/// Adapter to host, before each [`HelloAck`]: which versions the adapter
/// speaks, so that the host can say which end is to be updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The oldest version.
    pub lowest: u8,
    /// The newest version.
    pub highest: u8,
}

/// Adapter to host, after each [`Heartbeat`]: what the adapter knows of this
/// session, so that the host finds out what noise on the line has cost. All
/// counts begin at 0 with the session and wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Frames sent to the host.
    pub sent_frames: u32,
    /// The sum of the [`Credit`] that came in.
    pub credit_frames: u32,
    /// How many [`FilterSet`] and [`BusMode`] came in and were taken.
    pub settings: u32,
    /// The host's frames that did not get onto their bus.
    pub refused_frames: u32,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $kind:literal),+ $(,)?) => {
        /// One message of the wire.
        // A frame is nine messages of ten; boxing it needs an allocator.
        #[allow(clippy::large_enum_variant)]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Message {
            $($(#[$doc])* $name($name),)+
        }

        impl Message {
            /// The number that names the kind on the wire.
            pub const fn kind(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $kind,)+
                }
            }

            /// Writes the body, and gives how many bytes it took.
            pub(crate) fn write_body(&self, buffer: &mut [u8]) -> postcard::Result<usize> {
                match self {
                    $(Self::$name(body) => postcard::to_slice(body, buffer).map(|used| used.len()),)+
                }
            }

            /// Reads a body to its end; `None` for a kind that is not known.
            pub(crate) fn read_body(kind: u8, bytes: &[u8]) -> Option<postcard::Result<(Self, &[u8])>> {
                match kind {
                    $($kind => Some(postcard::take_from_bytes(bytes).map(|(body, rest)| (Self::$name(body), rest))),)+
                    _ => None,
                }
            }
        }
    };
}

messages! {
    /// Begins a session.
    Hello = 1,
    /// Answers [`Message::Hello`].
    HelloAck = 2,
    /// Heard, or to be sent.
    CanFrame = 3,
    /// Lets the adapter send.
    Credit = 4,
    /// Says what to pass on.
    FilterSet = 5,
    /// Still here.
    Heartbeat = 6,
    /// Asks for the adapter's time.
    ClockRequest = 7,
    /// Answers [`Message::ClockRequest`].
    ClockReply = 8,
    /// Locks or opens a bus for sending.
    BusMode = 9,
    /// Which versions the adapter speaks.
    Versions = 10,
    /// What came through.
    Report = 11,
}

impl Message {
    /// Whether numbers and lengths fit each other; what does not is neither
    /// sent nor given out.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::CanFrame(frame) => frame.is_well_formed(),
            Self::FilterSet(set) => set.filters.iter().all(|filter| filter.id.is_well_formed()),
            _ => true,
        }
    }
}

impl Versions {
    /// What this crate speaks.
    pub const OURS: Self = Self { lowest: MIN_VERSION, highest: VERSION };

    /// The version that an adapter with these speaks with that host: the newest
    /// that both know. 0 is none.
    pub const fn agree(&self, hello: &Hello) -> Option<u8> {
        let newest = if hello.highest < self.highest { hello.highest } else { self.highest };
        let oldest = if hello.lowest > self.lowest { hello.lowest } else { self.lowest };
        if newest >= oldest && newest > 0 { Some(newest) } else { None }
    }
}

/// The version that an adapter with this crate speaks with that host.
pub const fn agree(hello: &Hello) -> Option<u8> {
    Versions::OURS.agree(hello)
}
