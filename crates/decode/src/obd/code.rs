//! Trouble codes as SAE J2012 writes them: `P0420`, and `P0420-1C` with the
//! failure type of a UDS code.
//!
//! ```text
//! bits 15-14  P, C, B, U
//! bits 13-12  second character, 0 to 3
//! bits 11-0   three hexadecimal digits
//! ```

use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is not a trouble code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a trouble code is P, C, B or U, a digit up to 3 and three hexadecimal digits")]
pub struct CodeError;

/// A two-byte trouble code. `Display` writes it; it has no `Debug`, since a log must not hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = ["P", "C", "B", "U"][usize::from(self.0 >> 14)];
        write!(f, "{system}{:04X}", self.0 & 0x3FFF)
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let (system, digits) = text.split_at_checked(1).ok_or(CodeError)?;
        let system = "PCBU".find(system).filter(|_| !system.is_empty()).ok_or(CodeError)?;
        let plain = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u16::from_str_radix(digits, 16).ok().filter(|number| plain && *number <= 0x3FFF);
        let system = u16::try_from(system).map_err(|_| CodeError)?;
        number.map(|number| Self(system << 14 | number)).ok_or(CodeError)
    }
}

/// A three-byte code of UDS, whose third byte is the failure type (SAE J2012-DA).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UdsCode(pub u32);

impl fmt::Display for UdsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, high, low, failure] = self.0.to_be_bytes();
        write!(f, "{}-{failure:02X}", Code(u16::from_be_bytes([high, low])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_and_read_as_workshops_do() {
        for (code, text) in [
            (0x0420, "P0420"),
            (0x0000, "P0000"),
            (0x5234, "C1234"),
            (0x9ABC, "B1ABC"),
            (0xD00A, "U100A"),
            (0xFFFF, "U3FFF"),
        ] {
            assert_eq!(Code(code).to_string(), text);
            assert_eq!(text.parse::<Code>().ok().map(|code| code.0), Some(code));
        }
        assert_eq!(UdsCode(0x04_201C).to_string(), "P0420-1C");
        for bad in ["", "P", "P420", "P04200", "P4420", "X0420", "p0420", "P+420", "é0420"] {
            assert_eq!(bad.parse::<Code>().err(), Some(CodeError), "{bad}");
        }
    }

    #[test]
    fn every_code_reads_back() {
        assert!(
            (0..=u16::MAX)
                .all(|code| Code(code).to_string().parse::<Code>().is_ok_and(|read| read.0 == code))
        );
    }
}
