//! Milliseconds, id and bytes: what small loggers print.
//!
//! ```text
//! 820298   0x085: 7C 33 80 00 47 E0 7C 7F
//! ```
//!
//! An id of more than 4 digits, or too large for 11 bits, has 29.

use super::{
    Line, LineError, LineFormat,
    fields::{self, Base, Fields},
};
use vernport_types::{FrameKind, UtcMicros};

/// Reads such lines.
pub(super) struct MillisText;

impl LineFormat for MillisText {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        let mut fields = Fields::between_blanks(line);
        let time = fields.read("no time in milliseconds", |word| fields::scaled(word, 3))?;
        let digits = fields.read("no id with 0x and ':'", |word| {
            word.strip_prefix("0x")?.strip_suffix(':').filter(|digits| !digits.is_empty())
        })?;
        let id = fields::hexadecimal(digits).and_then(|raw| fields::id(raw, digits.len() > 4 || raw > 0x7FF));
        let id = id.ok_or_else(|| fields.wrong("no id"))?;
        let payload = fields.data_to_end(Base::Hexadecimal)?;
        let frame = fields.frame(id, FrameKind::Data, &payload)?;
        Ok(Some(Line { time: UtcMicros(time), channel: "", frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    #[test]
    fn a_line_is_read() {
        let line = MillisText.line("820298   0x085: 7C 33").expect("whole").expect("a frame");
        assert_eq!((line.time, line.frame.id()), (UtcMicros(820_298_000), CanId::Standard(0x85)));
        assert_eq!(line.frame.data(), [0x7C, 0x33]);
        let line = MillisText.line("1 0x00000085:").expect("whole").expect("a frame");
        assert_eq!(line.frame.id(), CanId::Extended(0x85));
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in ["x", "1", "1 085: 00", "1 0x: 00", "1 0x085 00", "1 0x1: 00 0G", "1 0xFFFFFFFF:"] {
            let error = MillisText.line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
