//! DM1 and DM2 (SAE J1939-73): lamps, and active or previously active trouble codes,
//! in one frame or a long message.
//!
//! ```text
//! byte 1     lamps, two bits each: 7-8 MIL, 5-6 red stop, 3-4 amber warning, 1-2 protect
//! byte 2     how they flash, not read: a lamp that flashes is on in byte 1, and how it
//!            flashes says how soon to stop, which no signal of the catalogue tells
//! bytes 3-6  trouble code: SPN (three forms, see spn) and FMI (5 bits),
//!            conversion bit and occurrence count (7 bits); and so on
//! ```

use super::spn::{self, Methods};
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

impl Lamp {
    /// Whether it is on.
    ///
    /// # Errors
    /// [`RejectCode`] if the sender says neither on nor off.
    pub const fn is_on(self) -> Result<bool, RejectCode> {
        match self {
            Self::Off => Ok(false),
            Self::On => Ok(true),
            Self::Reserved => Err(RejectCode::ReservedValue),
            Self::NotAvailable => Err(RejectCode::NotAvailable),
        }
    }
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

/// The lamps of a DM1 or DM2.
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

/// The trouble codes of a message from `sa`; none for "asked, none". All of them
/// are learned from before the first is read.
///
/// # Errors
/// [`RejectCode::WrongLength`] if no trouble code fits in; for a code alone
/// [`RejectCode::ConversionMethod`] if its SPN is not certain.
pub fn trouble_codes<'a>(
    data: &'a [u8],
    sa: u8,
    state: FaultState,
    methods: &'a mut Methods,
) -> Result<impl Iterator<Item = Result<TroubleCode, RejectCode>> + 'a, RejectCode> {
    let codes = data.get(2..).filter(|codes| codes.len() >= 4).ok_or(RejectCode::WrongLength)?;
    let (codes, _filler) = codes.as_chunks();
    for code in codes {
        methods.learn(sa, code);
    }
    let methods = &*methods;
    let codes = codes.iter().filter(|code| !spn::is_none(code));
    Ok(codes.map(move |code| {
        let &[_, _, high, count] = code;
        let occurrence = Some(count & 0x7F).filter(|occurrence| *occurrence != 127);
        let fault = Fault::J1939 { spn: methods.spn(sa, code)?, fmi: high & 0x1F, occurrence };
        Ok(TroubleCode { fault, state })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(text: &str) -> Vec<Result<TroubleCode, RejectCode>> {
        let data = hex::decode(text).expect("hexadecimal");
        let mut methods = Methods::default();
        trouble_codes(&data, 0, FaultState::Present, &mut methods).expect("long enough").collect()
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
    fn an_old_conversion_method_is_rejected_until_it_is_certain_and_an_unknown_count_is_none() {
        assert_eq!(codes("40FF5B000381FFFF"), [Err(RejectCode::ConversionMethod)]);
        assert_eq!(codes("40FF5B00037FFFFF"), [present(91, 3, None)]);
        // Method 1: 190, which nothing else than method 1 can be, and 100, which it then is.
        assert_eq!(codes("40FF000C83810017C281"), [present(100, 3, Some(1)), present(190, 2, Some(1))]);
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
        assert_eq!(all.protect.is_on(), Err(RejectCode::NotAvailable));
        assert_eq!(lamps(&[]), Err(RejectCode::WrongLength));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..1785)) {
            let _ = lamps(&data);
            if let Ok(codes) = trouble_codes(&data, 0, FaultState::Stored, &mut Methods::default()) {
                prop_assert!(codes.count() <= data.len() / 4);
            }
        }
    }
}
