//! How a suspect parameter number stands in a trouble code: conversion methods 1 to 4 (SAE J1939-73, 5.7.1.11).
//!
//! ```text
//!             byte 1       byte 2       bits 6-8 of byte 3   conversion bit
//! method 1    SPN 12-19    SPN 4-11     SPN 1-3              1
//! method 2    SPN 4-11     SPN 12-19    SPN 1-3              1
//! method 3    SPN 1-8      SPN 9-16     SPN 17-19            1
//! method 4    SPN 1-8      SPN 9-16     SPN 17-19            0
//! ```
//!
//! The bit tells method 4 from the old ones, and nothing in the code tells the
//! old ones apart. So an old code gives its number only once its sender has
//! shown its method: under each of the two others something that it sent would
//! be a number that nobody has assigned. Until then there is none, for a
//! wrong number is worse than none.

use crate::RejectCode;

/// Numbers up to here are, or will be, assigned by SAE. The digital annex of 2023 ends below half of it.
const ASSIGNED_BY_SAE: u32 = 0x7FFF;
/// From here on manufacturers assign numbers themselves (SAE J1939).
const ASSIGNED_BY_MAKERS: u32 = 516_096;

/// The old methods that each sender has shown not to use.
#[derive(Clone)]
pub struct Methods {
    /// One bit for each of methods 1 to 3, by source address.
    ruled_out: [u8; 256],
}

impl Default for Methods {
    fn default() -> Self {
        Self { ruled_out: [0; 256] }
    }
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let old = self.ruled_out.iter().filter(|ruled_out| **ruled_out != 0).count();
        f.debug_struct("Methods").field("old_senders", &old).finish()
    }
}

impl Methods {
    /// Learns from a trouble code of a sender.
    pub fn learn(&mut self, sa: u8, code: &[u8; 4]) {
        if is_method_4(code) || is_none(code) {
            return;
        }
        for (method, spn) in old(code).into_iter().enumerate() {
            if !is_assigned(spn) {
                self.ruled_out[usize::from(sa)] |= 1 << method;
            }
        }
    }

    /// The number in a trouble code of a sender.
    ///
    /// # Errors
    /// [`RejectCode::ConversionMethod`] while it is not certain.
    pub fn spn(&self, sa: u8, code: &[u8; 4]) -> Result<u32, RejectCode> {
        let [of_method_1, of_method_2, of_method_3] = old(code);
        if is_method_4(code) {
            return Ok(of_method_3);
        }
        match self.ruled_out[usize::from(sa)] {
            0b110 => Ok(of_method_1),
            0b101 => Ok(of_method_2),
            0b011 => Ok(of_method_3),
            _ => Err(RejectCode::ConversionMethod),
        }
    }

    /// Forgets all senders: another vehicle may be there.
    pub fn reset(&mut self) {
        self.ruled_out.fill(0);
    }
}

/// Whether the bytes say "no code": all zeros, and from some senders all ones.
pub fn is_none(&[first, second, third, _]: &[u8; 4]) -> bool {
    matches!([first, second, third], [0, 0, 0] | [0xFF, 0xFF, 0xFF])
}

fn is_method_4(code: &[u8; 4]) -> bool {
    code[3] & 0x80 == 0
}

fn is_assigned(spn: u32) -> bool {
    (1..=ASSIGNED_BY_SAE).contains(&spn) || spn >= ASSIGNED_BY_MAKERS
}

/// The number under methods 1, 2 and 3; 4 reads as 3 does.
fn old(&[first, second, third, _]: &[u8; 4]) -> [u32; 3] {
    let (first, second, top) = (u32::from(first), u32::from(second), u32::from(third >> 5));
    [first << 11 | second << 3 | top, second << 11 | first << 3 | top, top << 16 | second << 8 | first]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive sender: a number as each method writes it, failure mode 3, occurrence 1.
    fn write(spn: u32, method: u8) -> [u8; 4] {
        let byte = |shift: u32| u8::try_from(spn >> shift & 0xFF).expect("a byte");
        let low_3 = (byte(0) & 7) << 5 | 3;
        let top_3 = (byte(16) & 7) << 5 | 3;
        match method {
            1 => [byte(11), byte(3), low_3, 0x81],
            2 => [byte(3), byte(11), low_3, 0x81],
            3 => [byte(0), byte(8), top_3, 0x81],
            _ => [byte(0), byte(8), top_3, 0x01],
        }
    }

    #[test]
    fn engine_speed_is_told_in_methods_1_2_and_4_at_once_and_in_3_after_more_evidence() {
        for method in [1, 2, 4] {
            let mut methods = Methods::default();
            methods.learn(0, &write(190, method));
            assert_eq!(methods.spn(0, &write(190, method)), Ok(190), "method {method}");
        }
        let mut methods = Methods::default();
        methods.learn(0, &write(190, 3));
        assert_eq!(methods.spn(0, &write(190, 3)), Err(RejectCode::ConversionMethod));
        methods.learn(0, &write(520_200, 3));
        methods.learn(0, &write(4_096, 3));
        assert_eq!(methods.spn(0, &write(190, 3)), Ok(190), "what it showed later tells all its codes");
        assert_eq!(
            methods.spn(1, &write(190, 3)),
            Err(RejectCode::ConversionMethod),
            "each sender for itself"
        );
        methods.reset();
        assert_eq!(methods.spn(0, &write(190, 3)), Err(RejectCode::ConversionMethod));
    }

    #[test]
    fn a_sender_that_fits_no_method_is_never_trusted() {
        let mut methods = Methods::default();
        for method in 1..=3 {
            methods.learn(0, &write(190, method));
            methods.learn(0, &write(4_096, method));
        }
        for method in 1..=3 {
            assert_eq!(methods.spn(0, &write(190, method)), Err(RejectCode::ConversionMethod));
        }
        assert_eq!(methods.spn(0, &write(190, 4)), Ok(190));
    }

    #[test]
    fn placeholders_teach_nothing() {
        let mut methods = Methods::default();
        methods.learn(0, &[0, 0, 0, 0x80]);
        methods.learn(0, &[0xFF; 4]);
        assert_eq!(methods.ruled_out[0], 0);
    }

    proptest! {
        /// Whatever assigned numbers a sender of one method sends, none is read wrongly.
        #[test]
        fn a_number_is_right_or_there_is_none(
            method in 1_u8..=4,
            sent in proptest::collection::vec(prop_oneof![1_u32..=0x7FFF, 516_096_u32..=0x7_FFFF], 1..20),
        ) {
            let mut methods = Methods::default();
            for spn in sent {
                let code = write(spn, method);
                if is_none(&code) { continue }
                methods.learn(9, &code);
                let read = methods.spn(9, &code);
                prop_assert!(read == Ok(spn) || method != 4 && read == Err(RejectCode::ConversionMethod));
            }
        }
    }
}
