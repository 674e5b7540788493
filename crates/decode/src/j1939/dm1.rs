//! DM1 (SAE J1939-73): lamps and active trouble codes, in one frame or a long message.
//!
//! ```text
//! byte 1     lamps, two bits each: 7-8 MIL, 5-6 red stop, 3-4 amber warning, 1-2 protect
//! byte 2     how they flash (not read)
//! bytes 3-6  trouble code: SPN low, SPN mid, SPN high (3 bits) and FMI (5 bits),
//!            conversion method (1 bit) and occurrence count (7 bits); and so on
//! ```

use crate::RejectCode;
use vernport_types::{Fault, FaultState, TroubleCode};

/// What a lamp does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    /// Off.
    Off,
    /// On.
    On,
    /// A bit pattern without a meaning.
    Reserved,
    /// The sender has no such lamp: not the same as off.
    NotAvailable,
}

/// The four lamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lamps {
    /// Malfunction indicator.
    pub malfunction: Lamp,
    /// Red stop.
    pub red_stop: Lamp,
    /// Amber warning.
    pub amber_warning: Lamp,
    /// Protect.
    pub protect: Lamp,
}

/// The lamps of a DM1.
///
/// # Errors
/// [`RejectCode::WrongLength`] if there are none.
pub fn lamps(data: &[u8]) -> Result<Lamps, RejectCode> {
    let byte = data.first().ok_or(RejectCode::WrongLength)?;
    let lamp = |shift: u8| match byte >> shift & 3 {
        0 => Lamp::Off,
        1 => Lamp::On,
        2 => Lamp::Reserved,
        _ => Lamp::NotAvailable,
    };
    Ok(Lamps { malfunction: lamp(6), red_stop: lamp(4), amber_warning: lamp(2), protect: lamp(0) })
}

/// The active trouble codes of a DM1; none for "asked, none". An SPN in another
/// conversion method than 4 cannot be told without knowing the maker, and is rejected.
///
/// # Errors
/// [`RejectCode::WrongLength`] if no trouble code fits in.
pub fn trouble_codes(
    data: &[u8],
) -> Result<impl Iterator<Item = Result<TroubleCode, RejectCode>> + '_, RejectCode> {
    let codes = data.get(2..).filter(|codes| codes.len() >= 4).ok_or(RejectCode::WrongLength)?;
    Ok(codes.as_chunks().0.iter().filter_map(trouble_code))
}

fn trouble_code(&[low, mid, high, count]: &[u8; 4]) -> Option<Result<TroubleCode, RejectCode>> {
    let spn = u32::from_le_bytes([low, mid, high >> 5, 0]);
    let (fmi, occurrence) = (high & 0x1F, count & 0x7F);
    // "None" is written as all zeros, and by some as all ones.
    if (spn, fmi) == (0, 0) || (spn, fmi) == (0x7_FFFF, 0x1F) {
        return None;
    }
    if count & 0x80 != 0 {
        return Some(Err(RejectCode::ConversionMethod));
    }
    let occurrence = (occurrence != 127).then_some(occurrence);
    Some(Ok(TroubleCode { fault: Fault::J1939 { spn, fmi, occurrence }, state: FaultState::Present }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(text: &str) -> Vec<Result<TroubleCode, RejectCode>> {
        trouble_codes(&hex::decode(text).expect("hexadecimal")).expect("long enough").collect()
    }

    fn present(spn: u32, fmi: u8, occurrence: Option<u8>) -> Result<TroubleCode, RejectCode> {
        Ok(TroubleCode { fault: Fault::J1939 { spn, fmi, occurrence }, state: FaultState::Present })
    }

    #[test]
    fn four_codes_of_a_real_engine_are_read() {
        assert_eq!(
            codes("43FFD403097E900C14026102090161020C03"),
            [
                present(980, 9, Some(126)),
                present(3216, 20, Some(2)),
                present(609, 9, Some(1)),
                present(609, 12, Some(3)),
            ]
        );
    }

    #[test]
    fn placeholders_are_no_codes() {
        assert_eq!(codes("00FF00000000FFFF"), []);
        assert_eq!(codes("00FFFFFFFFFFFFFF"), []);
    }

    #[test]
    fn another_conversion_method_is_rejected_and_an_unknown_count_is_none() {
        assert_eq!(codes("40FF5B000381FFFF"), [Err(RejectCode::ConversionMethod)]);
        assert_eq!(codes("40FF5B00037FFFFF"), [present(91, 3, None)]);
    }

    #[test]
    fn a_lamp_that_is_not_there_is_not_off() {
        let all = lamps(&[0x43]).expect("a byte");
        assert_eq!(
            all,
            Lamps {
                malfunction: Lamp::On,
                red_stop: Lamp::Off,
                amber_warning: Lamp::Off,
                protect: Lamp::NotAvailable
            }
        );
        assert_eq!(lamps(&[]), Err(RejectCode::WrongLength));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..1785)) {
            let _ = lamps(&data);
            if let Ok(codes) = trouble_codes(&data) {
                prop_assert!(codes.count() <= data.len() / 4);
            }
        }
    }
}
