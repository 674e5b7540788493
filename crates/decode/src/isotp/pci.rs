//! One frame of ISO-TP, read by its protocol control information.

use super::{PADDING, timing::Gap};
use crate::RejectCode;

/// Flow control "continue to send": no limit of frames, no gap.
pub const FLOW_CONTROL: [u8; 8] = [0x30, 0, 0, PADDING, PADDING, PADDING, PADDING, PADDING];

/// What a flow control says (ISO 15765-2:2016, 9.6.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Send on.
    Continue,
    /// Wait for another flow control.
    Wait,
    /// The message is too long for the receiver: it ends here.
    Overflow,
    /// A reserved status: the message ends here (9.6.5.2).
    Reserved,
}

/// A flow control frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowControl {
    /// What to do.
    pub status: Status,
    /// How many consecutive frames until the next flow control; 0: all of them.
    pub block_size: u8,
    /// The least time between them.
    pub gap: Gap,
}

impl FlowControl {
    /// The three bytes; none for a reserved status.
    pub const fn bytes(&self) -> Option<[u8; 3]> {
        let status = match self.status {
            Status::Continue => 0x30,
            Status::Wait => 0x31,
            Status::Overflow => 0x32,
            Status::Reserved => return None,
        };
        Some([status, self.block_size, self.gap.byte()])
    }
}

/// What one frame is. `Debug` shows no data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pci<'a> {
    /// A whole message.
    Single(&'a [u8]),
    /// The start of a longer one.
    First {
        /// Length of the message in bytes.
        length: u32,
        /// Its first bytes.
        data: &'a [u8],
    },
    /// A further part.
    Consecutive {
        /// Number of the part, modulo 16.
        number: u8,
        /// Its bytes; behind the end of the message they are filler.
        data: &'a [u8],
    },
    /// Said by the receiver of a message.
    FlowControl(FlowControl),
}

impl std::fmt::Debug for Pci<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Single(data) => write!(f, "Single({} bytes)", data.len()),
            Self::First { length, .. } => write!(f, "First(of {length} bytes)"),
            Self::Consecutive { number, .. } => write!(f, "Consecutive({number})"),
            Self::FlowControl(flow_control) => flow_control.fmt(f),
        }
    }
}

impl<'a> Pci<'a> {
    /// Reads the data of one frame, of which `address_bytes` stand before the
    /// control byte; none if it is no ISO-TP.
    ///
    /// # Errors
    /// [`RejectCode::TransportSize`] for a length that the frame cannot have.
    pub fn read(frame: &'a [u8], address_bytes: usize) -> Result<Option<Self>, RejectCode> {
        let Some([control, rest @ ..]) = frame.get(address_bytes..) else { return Ok(None) };
        let pci = match (control >> 4, control & 0x0F) {
            (0, length) => Self::Single(single(frame.len(), length, rest).ok_or(RejectCode::TransportSize)?),
            (1, high) => first(frame.len(), high, rest).ok_or(RejectCode::TransportSize)?,
            (2, number) => Self::Consecutive { number, data: rest },
            (3, status) => {
                let [block_size, gap, ..] = *rest else { return Ok(None) };
                let status = match status {
                    0 => Status::Continue,
                    1 => Status::Wait,
                    2 => Status::Overflow,
                    _ => Status::Reserved,
                };
                Self::FlowControl(FlowControl { status, block_size, gap: Gap::from_byte(gap) })
            }
            _ => return Ok(None),
        };
        Ok(Some(pci))
    }
}

/// The message of a single frame (9.6.2). In more than 8 bytes its length stands
/// in a byte of its own; we take it also where it would have fitted in 8, since
/// there are senders that fill every frame to 64 bytes.
fn single(frame_bytes: usize, length: u8, rest: &[u8]) -> Option<&[u8]> {
    let (length, data) = match (frame_bytes > 8, length, rest) {
        (false, 1.., data) => (length, data),
        (true, 0, [length, data @ ..]) if *length > 0 => (*length, data),
        _ => return None,
    };
    data.get(..usize::from(length))
}

/// The first frame of a message (9.6.3): of at least 8 bytes, and longer than
/// what a single frame of the same size would carry; a length of 32 bits only
/// where 12 do not hold it.
fn first(frame_bytes: usize, high: u8, rest: &[u8]) -> Option<Pci<'_>> {
    let [low, data @ ..] = rest else { return None };
    let (length, data) = match (u32::from(high) << 8 | u32::from(*low), data) {
        (0, [a, b, c, d, data @ ..]) => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            (Some(length).filter(|length| *length > 4095)?, data)
        }
        (length, data) => (length, data),
    };
    let most_in_single = if frame_bytes > 8 { rest.len() - 1 } else { rest.len() };
    let longer = usize::try_from(length).is_ok_and(|length| length > most_in_single);
    (frame_bytes >= 8 && longer).then_some(Pci::First { length, data })
}

/// A message of at most 7 bytes as the data of one frame.
pub(crate) fn single_frame(message: &[u8]) -> Option<[u8; 8]> {
    let length = u8::try_from(message.len()).ok().filter(|length| (1..=7).contains(length))?;
    let mut data = [PADDING; 8];
    data[0] = length;
    data[1..=message.len()].copy_from_slice(message);
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_the_protocol_does_not_allow_are_refused() {
        let mut short_in_fd = [0x10; 64];
        short_in_fd[1] = 62;
        let refused: [&[u8]; 11] = [
            &[0x00],
            &[0x03, 1, 2],
            &[0x08, 1, 2, 3, 4, 5, 6, 7],
            &[0x10],
            &[0x10, 0x07, 1, 2, 3, 4, 5, 6],
            &[0x10, 9, 1],
            &[0x10, 0, 0, 0, 0x0F, 0xFF, 0, 0],
            &[0x10, 0, 0, 1],
            &[0x03, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x00, 11, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0],
            &short_in_fd,
        ];
        for frame in refused {
            assert_eq!(Pci::read(frame, 0), Err(RejectCode::TransportSize), "{frame:02X?}");
        }
        // What is no ISO-TP, or too short to be a flow control.
        for frame in [&[][..], &[0x40, 1, 2], &[0xFF], &[0x30, 0]] {
            assert_eq!(Pci::read(frame, 0), Ok(None), "{frame:02X?}");
        }
        assert_eq!(Pci::read(&[], 1), Ok(None));
    }

    #[test]
    fn an_address_byte_takes_its_place_from_the_data() {
        assert_eq!(Pci::read(&[0xF1, 2, 8, 9], 1), Ok(Some(Pci::Single(&[8, 9]))));
        // Six bytes are what a single frame still carries beside an address.
        assert_eq!(Pci::read(&[0xF1, 0x10, 6, 1, 2, 3, 4, 5], 1), Err(RejectCode::TransportSize));
        let first = Pci::First { length: 7, data: &[1, 2, 3, 4, 5] };
        assert_eq!(Pci::read(&[0xF1, 0x10, 7, 1, 2, 3, 4, 5], 1), Ok(Some(first)));
    }

    #[test]
    fn a_length_of_32_bits_is_read() {
        let first = Pci::First { length: 4096, data: &[1, 2] };
        assert_eq!(Pci::read(&[0x10, 0, 0, 0, 0x10, 0, 1, 2], 0), Ok(Some(first)));
    }

    #[test]
    fn a_request_fills_one_frame() {
        assert_eq!(single_frame(&[0x09, 0x02]), Some([2, 9, 2, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC]));
        assert_eq!((single_frame(&[]), single_frame(&[0; 8])), (None, None));
    }

    #[test]
    fn flow_control_is_written_as_it_is_read() {
        for status in [Status::Continue, Status::Wait, Status::Overflow] {
            let sent = FlowControl { status, block_size: 8, gap: Gap::from_byte(0xF5) };
            let bytes = sent.bytes().expect("has a number");
            assert_eq!(Pci::read(&bytes, 0), Ok(Some(Pci::FlowControl(sent))));
        }
        let go_on = FlowControl { status: Status::Continue, block_size: 0, gap: Gap::NONE };
        assert_eq!(Pci::read(&FLOW_CONTROL, 0), Ok(Some(Pci::FlowControl(go_on))));
        let reserved = FlowControl { status: Status::Reserved, block_size: 0, gap: Gap::NONE };
        assert_eq!(Pci::read(&[0x35, 0, 0], 0), Ok(Some(Pci::FlowControl(reserved))));
        assert_eq!(reserved.bytes(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..=64), address in 0_usize..=2) {
            if let Ok(Some(Pci::Single(data))) = Pci::read(&frame, address) {
                prop_assert!(!data.is_empty() && data.len() < frame.len());
            }
        }
    }
}
