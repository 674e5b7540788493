//! UDS (ISO 14229-1): answers of the reading services 22 and 19, negative
//! answers, and what other testers ask for.
//!
//! ```text
//! 62 DID(2) data [DID data …]   data by identifier
//! 59 sub-function …             trouble codes
//! 7F service code               negative answer
//! ```

mod identifiers;
mod negative;
mod tester;
mod trouble;

pub use identifiers::{Identifiers, identifiers};
pub use negative::{Negative, NegativeCode, Reaction};
pub(crate) use tester::MEMORY_ACCESS_FILTER;
pub use tester::{Purpose, TesterRequest, answer_heard, request_heard};
pub use trouble::{Record, Report, fault_state};

use crate::RejectCode;
use vernport_types::Vin;

/// Service "read trouble code information".
pub const READ_TROUBLE_CODES: u8 = 0x19;
/// Service "read data by identifier".
pub const READ_BY_IDENTIFIER: u8 = 0x22;
/// How an answer to it begins.
pub(crate) const POSITIVE_BY_IDENTIFIER: u8 = 0x62;
/// Data identifier of the VIN (ISO 14229-1, annex C).
pub const VIN: u16 = 0xF190;

/// How long a VIN is (ISO 3779).
const VIN_BYTES: usize = 17;

/// How long a unit that said "response pending" may take until it says it again or
/// answers (P2*server_max by default, ISO 14229-2).
pub const P2_STAR_MICROS: u64 = 5_000_000;

/// The VIN of an answer to 22 F190; none if the message is another one.
pub fn vin(message: &[u8]) -> Option<Result<Vin, RejectCode>> {
    let mut found = None;
    for item in identifiers(message, |did| (did == VIN).then_some(VIN_BYTES))? {
        match item {
            Ok((VIN, text)) => found = Some(crate::vin::read(text)),
            Ok(_) => {}
            Err(code) => return Some(Err(code)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vin_of_a_real_tachograph_is_read() {
        let answer = hex::decode("62F1904C43303453343452304B34303030303932").expect("hexadecimal");
        let vin_of_unit = Some(Ok("LC04S44R0K4000092".parse().expect("a VIN")));
        assert_eq!(vin(&answer), vin_of_unit);
        // With another identifier behind it.
        assert_eq!(vin(&[&answer[..], &[0xF1, 0x94, b'0']].concat()), vin_of_unit);
    }

    #[test]
    fn other_messages_are_not_the_vin_and_one_of_a_wrong_length_is_refused() {
        assert_eq!(vin(&[0x62, 0xF1, 0x8A, 1]), None);
        assert_eq!(vin(&[0x7F, 0x22, 0x31]), None);
        assert_eq!(vin(&[0x62, 0xF1, 0x90]), Some(Err(RejectCode::WrongLength)));
        let too_long = [&[0x62, 0xF1, 0x90][..], b"LC04S44R0K40000921"].concat();
        assert_eq!(vin(&too_long), Some(Err(RejectCode::WrongLength)));
        assert_eq!(vin(&[&[0x62, 0xF1, 0x90][..], &[0xFF; 17]].concat()), Some(Err(RejectCode::NotText)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = vin(&message);
            let _ = vin(&[&[0x62, 0xF1, 0x90], &message[..]].concat());
        }
    }
}
