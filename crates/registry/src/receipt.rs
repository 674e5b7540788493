//! Receipt codes: what a person gets when consenting, and needs to withdraw.
//!
//! 55 bits that the caller drew, as eleven digits of Crockford's base 32, and
//! one check digit: `7K4M-9QRT-2XAC`. Made to be read out on the telephone: no
//! I, L, O or U; small letters, spaces and dashes do not matter; a single wrong
//! digit is always noticed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not a receipt code. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Not twelve digits of the alphabet.
    #[error(
        "a receipt code has 12 characters out of 0-9 and A-Z without I, L, O and U, as in 7K4M-9QRT-2XAC"
    )]
    Form,
    /// The check digit does not fit.
    #[error("the receipt code is mistyped: its last character does not fit the others")]
    Check,
}

/// A receipt code. Whoever holds it can withdraw, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptCode([u8; 12]);

impl ReceiptCode {
    /// Makes a code from random bytes that the caller drew; one bit of them is not used.
    pub fn from_bytes(random: [u8; 7]) -> Self {
        let mut padded = [0; 8];
        padded[1..].copy_from_slice(&random);
        let mut rest = u64::from_be_bytes(padded);
        let mut digits = [0; 12];
        for digit in digits.iter_mut().take(11).rev() {
            *digit = u8::try_from(rest & 31).expect("five bits");
            rest >>= 5;
        }
        digits[11] = check_digit(&digits);
        Self(digits)
    }
}

/// The odd weights make each single wrong digit change the sum.
fn check_digit(digits: &[u8; 12]) -> u8 {
    let sum =
        digits[..11].iter().zip((1_u32..).step_by(2)).map(|(d, weight)| u32::from(*d) * weight).sum::<u32>();
    u8::try_from(sum % 32).expect("below 32")
}

impl fmt::Display for ReceiptCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, digit) in self.0.iter().enumerate() {
            let dash = if n == 4 || n == 8 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(DIGITS[usize::from(*digit)]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReceiptCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptCode(<redacted>)")
    }
}

impl FromStr for ReceiptCode {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let mut digits = [0; 12];
        let mut typed = text.chars().filter(|c| !matches!(c, ' ' | '-'));
        for digit in &mut digits {
            let typed = match typed.next().ok_or(ReceiptError::Form)?.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let place = DIGITS.iter().position(|d| char::from(*d) == typed).ok_or(ReceiptError::Form)?;
            *digit = u8::try_from(place).expect("below 32");
        }
        if typed.next().is_some() {
            return Err(ReceiptError::Form);
        }
        if digits[11] == check_digit(&digits) { Ok(Self(digits)) } else { Err(ReceiptError::Check) }
    }
}

impl Serialize for ReceiptCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReceiptCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_frozen_for_its_bytes() {
        assert_eq!(ReceiptCode::from_bytes([0; 7]).to_string(), "0000-0000-0000");
        let code = ReceiptCode::from_bytes([0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE]);
        assert_eq!(code.to_string(), "4HMA-SW9N-F6YD");
    }

    #[test]
    fn a_code_is_understood_as_people_write_it() {
        let code = ReceiptCode::from_bytes([0x10, 0x20, 0x41, 0, 0, 0x42, 0x9F]);
        let careless = code.to_string().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(careless.parse(), Ok(code));
    }

    #[test]
    fn every_single_wrong_digit_is_noticed() {
        let code = ReceiptCode::from_bytes([0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32]).to_string();
        let plain: Vec<u8> = code.bytes().filter(|b| *b != b'-').collect();
        for place in 0..plain.len() {
            for digit in DIGITS.iter().filter(|d| **d != plain[place]) {
                let mut wrong = plain.clone();
                wrong[place] = *digit;
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert_eq!(wrong.parse::<ReceiptCode>(), Err(ReceiptError::Check), "{wrong}");
            }
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bad in
            ["", "0000-0000-000", "0000-0000-0000-0", "0000-0000-000U", "0000/0000/0000", "0000-0000-000é"]
        {
            assert_eq!(bad.parse::<ReceiptCode>(), Err(ReceiptError::Form), "{bad}");
        }
    }
}
