//! A VIN out of bytes that a control unit sent, whatever protocol carried them.

use crate::RejectCode;
use vernport_types::Vin;

/// Takes 17 characters. A unit that was never told its VIN answers with one
/// character throughout (all zeros, say): that is none, and two such vehicles
/// must not look the same.
pub(crate) fn read(text: &[u8]) -> Result<Vin, RejectCode> {
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err(RejectCode::NotText);
    }
    let [first, rest @ ..] = text else { return Err(RejectCode::NotAVin) };
    if rest.iter().all(|byte| byte == first) {
        return Err(RejectCode::NotAVin);
    }
    Vin::from_ascii(text).map_err(|_| RejectCode::NotAVin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_knows_no_vin_gives_none() {
        assert_eq!(read(b"00000000000000000"), Err(RejectCode::NotAVin));
        assert_eq!(read(b""), Err(RejectCode::NotAVin));
        assert_eq!(read(b"WDB9634031L73800"), Err(RejectCode::NotAVin));
        assert_eq!(read(&[0xFF; 17]), Err(RejectCode::NotText));
        assert!(read(b"WDB9634031L738001").is_ok());
    }
}
