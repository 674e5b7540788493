//! Answers of service 19, trouble codes (ISO 14229-1, 12.3).
//!
//! ```text
//! 59 01 mask format count(2)          also 07, 11, 12
//! 59 02 mask [code(3) status]…        also 0A to 0F, 13, 15
//! 59 03 [code(3) record]…
//! 59 04 code(3) status …              a snapshot; what is in it is the maker's own
//! 59 06 code(3) status …              extended data, likewise
//! ```
//!
//! `mask` says which bits of the status a unit keeps at all.

use crate::RejectCode;
use vernport_types::FaultState;

/// Status bits (ISO 14229-1, annex D.2).
mod status {
    /// Failed at its last test.
    pub(super) const TEST_FAILED: u8 = 1 << 0;
    /// Failed in this operation cycle.
    pub(super) const FAILED_THIS_CYCLE: u8 = 1 << 1;
    /// Failed in this or the last operation cycle.
    pub(super) const PENDING: u8 = 1 << 2;
    /// Failed often enough to be kept.
    pub(super) const CONFIRMED: u8 = 1 << 3;
    /// Failed since the codes were cleared.
    pub(super) const FAILED_SINCE_CLEAR: u8 = 1 << 5;
}

/// A code and its status. It has no `Debug`, since a log must not hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Three bytes, high byte first.
    pub code: u32,
    /// Status byte.
    pub status: u8,
}

/// What an answer of service 19 says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Report<'a> {
    /// How many codes there are.
    Count {
        /// Which count.
        sub_function: u8,
        /// How many.
        count: u16,
    },
    /// Codes with their status.
    Codes {
        /// Which list.
        sub_function: u8,
        /// The status bits that the unit keeps.
        available: u8,
        /// Four bytes for each code; all zeros is none.
        records: &'a [[u8; 4]],
    },
    /// Which snapshots there are: code and record number, four bytes for each.
    Snapshots(&'a [[u8; 4]]),
    /// One code, with data that is the maker's own.
    One {
        /// 04 or 06.
        sub_function: u8,
        /// The code.
        record: Record,
    },
}

impl<'a> Report<'a> {
    /// Reads one message; none if it is not of service 19, or of a sub-function that is not read.
    ///
    /// # Errors
    /// Inside: [`RejectCode::WrongLength`] for an answer that is cut. Zeros behind the last code are filler.
    pub fn read(message: &'a [u8]) -> Option<Result<Self, RejectCode>> {
        let [0x59, rest @ ..] = message else { return None };
        let wrong = Some(Err(RejectCode::WrongLength));
        let [sub_function, data @ ..] = rest else { return wrong };
        let sub_function = *sub_function;
        let report = match (sub_function, data) {
            (0x01 | 0x07 | 0x11 | 0x12, [_, _, high, low]) => {
                Self::Count { sub_function, count: u16::from_be_bytes([*high, *low]) }
            }
            (0x02 | 0x0A..=0x0F | 0x13 | 0x15, [available, records @ ..]) => {
                let Some(records) = in_fours(records) else { return wrong };
                Self::Codes { sub_function, available: *available, records }
            }
            (0x03, records) => {
                let Some(records) = in_fours(records) else { return wrong };
                Self::Snapshots(records)
            }
            (0x04 | 0x06, [a, b, c, status, ..]) => {
                let code = u32::from_be_bytes([0, *a, *b, *c]);
                Self::One { sub_function, record: Record { code, status: *status } }
            }
            (0x01..=0x04 | 0x06 | 0x07 | 0x0A..=0x0F | 0x11..=0x13 | 0x15, _) => return wrong,
            _ => return None,
        };
        Some(Ok(report))
    }

    /// The codes with a status, one by one, and the status bits that count.
    pub fn records(&self) -> impl Iterator<Item = (Record, u8)> + 'a {
        let (many, one, available) = match *self {
            Self::Codes { available, records, .. } => (records, None, available),
            Self::One { record, .. } => (&[][..], Some(record), 0xFF),
            Self::Count { .. } | Self::Snapshots(_) => (&[][..], None, 0),
        };
        let many = many
            .iter()
            .filter(|bytes| **bytes != [0; 4])
            .map(|&[a, b, c, status]| Record { code: u32::from_be_bytes([0, a, b, c]), status });
        many.chain(one).map(move |record| (record, available))
    }
}

/// Whole codes; what is left over may only be zeros.
fn in_fours(bytes: &[u8]) -> Option<&[[u8; 4]]> {
    let (records, rest) = bytes.as_chunks();
    rest.iter().all(|byte| *byte == 0).then_some(records)
}

/// Whether a status means a fault, and which. `available` are the bits that the unit keeps.
///
/// - Confirmed and failing at the last test: present. A unit that does not
///   keep "confirmed" has no other way to say it than by the test.
/// - Confirmed and not failing: stored.
/// - Not confirmed, but failing now, in this cycle or pending: pending.
/// - Failed at some time since the codes were cleared: stored.
/// - Otherwise none: never failed, or not tested yet.
pub fn fault_state(status: u8, available: u8) -> Option<FaultState> {
    let has = |bits: u8| status & available & bits != 0;
    let confirms = available & status::CONFIRMED != 0;
    if has(status::TEST_FAILED) && (has(status::CONFIRMED) || !confirms) {
        Some(FaultState::Present)
    } else if has(status::CONFIRMED) {
        Some(FaultState::Stored)
    } else if has(status::TEST_FAILED | status::FAILED_THIS_CYCLE | status::PENDING) {
        Some(FaultState::Pending)
    } else if has(status::FAILED_SINCE_CLEAR) {
        Some(FaultState::Stored)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(text: &str) -> Option<Result<Vec<(u32, u8)>, RejectCode>> {
        let message = hex::decode(text).expect("hexadecimal");
        let report = Report::read(&message)?;
        Some(report.map(|report| report.records().map(|(record, _)| (record.code, record.status)).collect()))
    }

    #[test]
    fn lists_are_read_with_zeros_behind_them() {
        let two = vec![(0x12_3456, 0x20), (0x12_3457, 0x60)];
        for text in ["5902FB1234562012345760", "590AFB1234562012345760"] {
            assert_eq!(codes(text), Some(Ok(two.clone())), "{text}");
        }
        assert_eq!(codes("5902FB12345620123457600000000000"), Some(Ok(two)));
        assert_eq!(codes("5902FB"), Some(Ok(vec![])));
        assert_eq!(codes("5904123456240102AA"), Some(Ok(vec![(0x12_3456, 0x24)])));
        assert_eq!(codes("5906123456AF01"), Some(Ok(vec![(0x12_3456, 0xAF)])));
    }

    #[test]
    fn counts_and_snapshots_are_no_codes() {
        let read = |bytes: &'static [u8]| Report::read(bytes);
        let count = Report::Count { sub_function: 1, count: 0x1234 };
        assert!(read(&[0x59, 1, 0xFB, 1, 0x12, 0x34]) == Some(Ok(count)));
        let snapshots = Report::Snapshots(&[[0x12, 0x34, 0x56, 1], [0x78, 0x9A, 0xBC, 3]]);
        assert!(read(&[0x59, 3, 0x12, 0x34, 0x56, 1, 0x78, 0x9A, 0xBC, 3]) == Some(Ok(snapshots)));
        assert_eq!(codes("590312345601789ABC03"), Some(Ok(vec![])));
    }

    #[test]
    fn what_is_cut_is_wrong_and_what_is_not_read_is_nothing() {
        for text in
            ["59", "5902", "5902FB12", "5902FB123456", "590312", "5904123456", "5901FB0112", "5901FB01123400"]
        {
            assert_eq!(codes(text), Some(Err(RejectCode::WrongLength)), "{text}");
        }
        for text in ["", "5914123456", "5942", "7F1912", "62F190"] {
            assert_eq!(codes(text), None, "{text}");
        }
    }

    #[test]
    fn a_status_says_whether_there_is_a_fault() {
        for (status, available, state) in [
            (0x09, 0xFF, Some(FaultState::Present)),
            (0x2F, 0xFF, Some(FaultState::Present)),
            (0x08, 0xFF, Some(FaultState::Stored)),
            (0x28, 0xFF, Some(FaultState::Stored)),
            (0x24, 0xFF, Some(FaultState::Pending)),
            (0x27, 0xFF, Some(FaultState::Pending)),
            (0x02, 0xFF, Some(FaultState::Pending)),
            (0x20, 0xFF, Some(FaultState::Stored)),
            (0x50, 0xFF, None),
            (0x00, 0xFF, None),
            (0x01, 0x01, Some(FaultState::Present)),
            (0xFF, 0x50, None),
        ] {
            assert_eq!(fault_state(status, available), state, "{status:02X} of {available:02X}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300), sub in 0_u8..0x20) {
            for message in [message.clone(), [&[0x59, sub], &message[..]].concat()] {
                if let Some(Ok(report)) = Report::read(&message) {
                    prop_assert!(report.records().count() <= message.len());
                }
            }
        }
    }
}
