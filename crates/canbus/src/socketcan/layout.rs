//! The bytes of a frame as the kernel hands it over (`linux/can.h`): a word with
//! identifier and flags, a length, and 8 or 64 bytes.

use vernport_types::{CanFrame, CanId, FrameKind};

/// `struct can_frame`.
pub(crate) const CLASSIC_BYTES: usize = 16;
/// `struct canfd_frame`, the longest one.
pub(crate) const FD_BYTES: usize = 72;
/// 29-bit format.
pub(crate) const EXTENDED_FLAG: u32 = 0x8000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;
const ERROR_FLAG: u32 = 0x2000_0000;
pub(crate) const EXTENDED_BITS: u32 = 0x1FFF_FFFF;
pub(crate) const STANDARD_BITS: u32 = 0x7FF;
const DATA_AT: usize = 8;

/// Our frame; none when the bytes are no frame.
pub(crate) fn read(bytes: &[u8]) -> Option<CanFrame> {
    let (head, data) = bytes.split_at_checked(DATA_AT)?;
    let word = u32::from_ne_bytes(head.get(..4)?.try_into().ok()?);
    let data = data.get(..usize::from(*head.get(4)?))?;
    let extended = CanId::extended(word & EXTENDED_BITS);
    let (id, kind) = match bytes.len() {
        // Its identifier holds classes of errors, more than 11 bits of them.
        CLASSIC_BYTES if word & ERROR_FLAG != 0 => return CanFrame::new(extended?, FrameKind::Error, data),
        CLASSIC_BYTES if word & REMOTE_FLAG != 0 => (word, FrameKind::Remote),
        CLASSIC_BYTES => (word, FrameKind::Data),
        FD_BYTES => (word, FrameKind::FdData),
        _ => return None,
    };
    let id = if id & EXTENDED_FLAG == 0 {
        CanId::standard(u16::try_from(id & EXTENDED_BITS).ok()?)?
    } else {
        extended?
    };
    // The length of a request is that of the answer: it carries nothing.
    CanFrame::new(id, kind, if kind == FrameKind::Remote { &[] } else { data })
}

/// The kernel's bytes and how many of them count; none for an error frame, which no node sends.
pub(crate) fn write(frame: &CanFrame) -> Option<([u8; FD_BYTES], usize)> {
    let (flag, len) = match frame.kind() {
        FrameKind::Data => (0, CLASSIC_BYTES),
        FrameKind::FdData => (0, FD_BYTES),
        FrameKind::Remote => (REMOTE_FLAG, CLASSIC_BYTES),
        FrameKind::Error => return None,
    };
    let data = frame.data();
    let mut bytes = [0; FD_BYTES];
    bytes[..4].copy_from_slice(&(word(frame.id()) | flag).to_ne_bytes());
    bytes[4] = u8::try_from(data.len()).ok()?;
    bytes.get_mut(DATA_AT..)?.get_mut(..data.len())?.copy_from_slice(data);
    Some((bytes, len))
}

/// An identifier with the flag of its format.
pub(crate) const fn word(id: CanId) -> u32 {
    match id {
        CanId::Standard(id) => id as u32,
        CanId::Extended(id) => id | EXTENDED_FLAG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_of_every_kind_go_to_the_kernels_form_and_back() {
        let ids =
            [CanId::standard(0), CanId::standard(0x7FF), CanId::extended(0), CanId::extended(EXTENDED_BITS)];
        for id in ids.into_iter().flatten() {
            for (kind, bytes) in [
                (FrameKind::Data, vec![]),
                (FrameKind::Data, (1..=8).collect()),
                (FrameKind::FdData, (0..64).collect()),
                (FrameKind::Remote, vec![]),
            ] {
                let frame = CanFrame::new(id, kind, &bytes).expect("short enough");
                let (bytes, len) = write(&frame).expect("can be sent");
                assert_eq!(read(&bytes[..len]), Some(frame));
            }
            let error = CanFrame::new(id, FrameKind::Error, &[0; 8]).expect("short enough");
            assert!(write(&error).is_none(), "nobody sends an error frame");
        }
    }

    #[test]
    fn the_kernels_bytes_are_read_as_its_header_says() {
        let frame = |word: u32, len: u8| {
            let mut bytes = [0xA5; CLASSIC_BYTES];
            bytes[..4].copy_from_slice(&word.to_ne_bytes());
            bytes[4] = len;
            read(&bytes)
        };
        let data = frame(0x7E8, 3).expect("a frame");
        assert_eq!(
            (data.id(), data.kind(), data.data()),
            (CanId::Standard(0x7E8), FrameKind::Data, &[0xA5; 3][..])
        );
        let extended = frame(0x98FE_F100, 8).expect("a frame");
        assert_eq!(extended.id(), CanId::Extended(0x18FE_F100));
        let remote = frame(0x4000_0123, 8).expect("a frame");
        assert_eq!((remote.kind(), remote.data()), (FrameKind::Remote, &[][..]));
        let error = frame(0x2000_0044, 8).expect("a frame");
        assert_eq!((error.kind(), error.id().raw()), (FrameKind::Error, 0x44));
        for (word, len) in [(0x7E8, 9), (0x7E8, 255), (0x800, 1), (0x4000_0800, 0)] {
            assert_eq!(frame(word, len), None, "{word:x} {len}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_reading_ends_well(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(frame) = read(&bytes) {
                prop_assert!(frame.data().len() <= bytes.len());
            }
        }
    }
}
