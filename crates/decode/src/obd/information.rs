//! Service 09, vehicle information (SAE J1979): VIN, calibrations, the unit's name.
//!
//! ```text
//! 49 02 01 VIN(17)         the VIN
//! 49 04 n  CALID(16)…      calibration identifications
//! 49 06 n  CVN(4)…         calibration verification numbers
//! 49 0A 01 name(20)        name of the control unit
//! ```

use crate::RejectCode;
use vernport_types::Vin;

/// What an answer of service 09 says. It has no `Debug`: names and numbers may tell the vehicle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Information<'a> {
    /// Type 02.
    Vin(Vin),
    /// Type 04: each of 16 bytes, filled with zeros.
    Calibrations(&'a [[u8; 16]]),
    /// Type 06.
    VerificationNumbers(&'a [[u8; 4]]),
    /// Type 0A: filled with zeros.
    UnitName(&'a [u8; 20]),
}

/// Reads one message; none if it is another one, or of a type that is not read.
///
/// # Errors
/// Inside: [`RejectCode::WrongLength`] where count and length disagree, and what a VIN is rejected for.
pub fn information(message: &[u8]) -> Option<Result<Information<'_>, RejectCode>> {
    let [0x49, kind, count, data @ ..] = message else { return None };
    let wrong = Err(RejectCode::WrongLength);
    Some(match (kind, count) {
        (0x02, 1) => crate::vin::read(data).map(Information::Vin),
        (0x04, count) => items(data, *count).map_or(wrong, |items| Ok(Information::Calibrations(items))),
        (0x06, count) => {
            items(data, *count).map_or(wrong, |items| Ok(Information::VerificationNumbers(items)))
        }
        (0x0A, 1) => data.try_into().map_or(wrong, |name| Ok(Information::UnitName(name))),
        _ => return None,
    })
}

fn items<const N: usize>(data: &[u8], count: u8) -> Option<&[[u8; N]]> {
    let (items, rest) = data.as_chunks();
    (rest.is_empty() && items.len() == usize::from(count)).then_some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calibrations_and_names_are_read_where_their_count_fits() {
        let calibration = [&[0x49, 4, 1][..], b"3V0906259G  0003"].concat();
        assert!(information(&calibration) == Some(Ok(Information::Calibrations(&[*b"3V0906259G  0003"]))));
        let numbers = [0x49, 6, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        let expected = Information::VerificationNumbers(&[[1, 2, 3, 4], [5, 6, 7, 8]]);
        assert!(information(&numbers) == Some(Ok(expected)));
        let name = [&[0x49, 0x0A, 1][..], b"ECM\0-EngineControl\0\0"].concat();
        assert!(information(&name) == Some(Ok(Information::UnitName(b"ECM\0-EngineControl\0\0"))));
        for bad in [&numbers[..10], &calibration[..18], &name[..22], &[0x49, 6, 1]] {
            assert!(information(bad) == Some(Err(RejectCode::WrongLength)));
        }
        assert!(information(&[0x49, 0x00, 0x55, 0x40, 0, 0]).is_none(), "a bitmap");
        assert!(information(&[0x7F, 9, 0x12]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_u8..12) {
            let _ = information(&message);
            let _ = information(&[&[0x49, kind], &message[..]].concat());
        }
    }
}
