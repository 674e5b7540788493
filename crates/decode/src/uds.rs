//! UDS (ISO 14229-1): the answer of service 22 to F190, the VIN. Only heard, never asked, here.
//!
//! ```text
//! 62 F1 90 and 17 characters
//! ```

use crate::RejectCode;
use vernport_types::Vin;

/// Service "read data by identifier".
pub const READ_BY_IDENTIFIER: u8 = 0x22;
/// Data identifier of the VIN (ISO 14229-1, annex C).
pub const VIN: u16 = 0xF190;

/// The VIN of an answer to 22 F190; none if the message is another one.
pub fn vin(message: &[u8]) -> Option<Result<Vin, RejectCode>> {
    match message {
        [0x62, 0xF1, 0x90, text @ ..] => Some(crate::vin::read(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vin_of_a_real_tachograph_is_read() {
        let answer = hex::decode("62F1904C43303453343452304B34303030303932").expect("hexadecimal");
        assert_eq!(vin(&answer), Some(Ok("LC04S44R0K4000092".parse().expect("a VIN"))));
    }

    #[test]
    fn other_messages_are_not_the_vin_and_a_short_one_is_refused() {
        assert_eq!(vin(&[0x62, 0xF1, 0x8A, 1]), None);
        assert_eq!(vin(&[0x7F, 0x22, 0x31]), None);
        assert_eq!(vin(&[0x62, 0xF1, 0x90]), Some(Err(RejectCode::NotAVin)));
    }
}
