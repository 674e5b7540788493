//! Raw values of SAE J1939-71 (5.1.4): little endian, with ranges that are no value.
//!
//! ```text
//! top byte 00…FA  a value                         two bits 00, 01  off, on
//!          FB     specific to the parameter                10      error
//!          FC…FD  reserved                                 11      not available
//!          FE     error
//!          FF     not available
//! ```

use crate::RejectCode;

/// One byte at `at` (from 0).
///
/// # Errors
/// [`RejectCode`] if it is missing or no value.
pub fn byte(data: &[u8], at: usize) -> Result<u8, RejectCode> {
    let [byte] = bytes(data, at)?;
    Ok(byte)
}

/// Two bytes from `at`.
///
/// # Errors
/// [`RejectCode`] if they are missing or no value.
pub fn word(data: &[u8], at: usize) -> Result<u16, RejectCode> {
    bytes(data, at).map(u16::from_le_bytes)
}

/// Four bytes from `at`.
///
/// # Errors
/// [`RejectCode`] if they are missing or no value.
pub fn double(data: &[u8], at: usize) -> Result<u32, RejectCode> {
    bytes(data, at).map(u32::from_le_bytes)
}

/// Two bits of the byte at `at`, from bit `shift` (0 to 6).
///
/// # Errors
/// [`RejectCode`] if they are missing or neither off nor on.
pub fn flag(data: &[u8], at: usize, shift: u8) -> Result<bool, RejectCode> {
    match data.get(at).ok_or(RejectCode::WrongLength)? >> shift & 3 {
        0 => Ok(false),
        1 => Ok(true),
        2 => Err(RejectCode::SensorError),
        _ => Err(RejectCode::NotAvailable),
    }
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N], RejectCode> {
    let bytes: [u8; N] =
        data.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(RejectCode::WrongLength)?;
    match bytes[N - 1] {
        0xFF => Err(RejectCode::NotAvailable),
        0xFE => Err(RejectCode::SensorError),
        0xFC | 0xFD => Err(RejectCode::ReservedValue),
        0xFB => Err(RejectCode::ParameterSpecific),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the top byte of a value means, as a table written from the standard.
    const RANGES: [(u8, Option<RejectCode>); 6] = [
        (0xFA, None),
        (0xFB, Some(RejectCode::ParameterSpecific)),
        (0xFC, Some(RejectCode::ReservedValue)),
        (0xFD, Some(RejectCode::ReservedValue)),
        (0xFE, Some(RejectCode::SensorError)),
        (0xFF, Some(RejectCode::NotAvailable)),
    ];

    #[test]
    fn the_ranges_end_where_the_standard_says_in_one_two_and_four_bytes() {
        for (top, code) in RANGES {
            for low in [0, 0xFF] {
                assert_eq!(byte(&[top], 0).err(), code, "{top:02X}");
                assert_eq!(word(&[low, top], 0).err(), code, "{top:02X}");
                assert_eq!(double(&[low, low, low, top], 0).err(), code, "{top:02X}");
            }
        }
        assert_eq!(byte(&[0xFA], 0), Ok(0xFA));
        assert_eq!(word(&[0xFF, 0xFA], 0), Ok(0xFAFF));
        assert_eq!(double(&[0xFF, 0xFF, 0xFF, 0xFA], 0), Ok(0xFAFF_FFFF));
        assert_eq!(word(&[0xFF, 0x00], 0), Ok(0x00FF), "only the top byte tells");
        assert_eq!(
            [0, 1, 2, 3].map(|bits| flag(&[bits << 4], 0, 4)),
            [Ok(false), Ok(true), Err(RejectCode::SensorError), Err(RejectCode::NotAvailable)]
        );
    }

    #[test]
    fn a_short_message_has_no_value() {
        assert_eq!(word(&[1, 2, 3], 2), Err(RejectCode::WrongLength));
        assert_eq!(double(&[1, 2, 3], usize::MAX), Err(RejectCode::WrongLength));
        assert_eq!(flag(&[], 0, 0), Err(RejectCode::WrongLength));
    }
}
