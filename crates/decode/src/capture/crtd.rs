//! CRTD, the text log of OVMS; SavvyCAN writes it too.
//!
//! ```text
//! 166.064000 R11 0000021A FE 36 12       seconds, received, 11 bits, id, data
//! 166.064000 2T29 18FEF100 FE 36         sent on bus 2, 29 bits
//! 166.064000 CXX words                   C…: comment, event, status
//! ```

use super::{
    Line, LineError, LineFormat,
    fields::{self, Base, Fields},
};
use vernport_types::{FrameKind, UtcMicros};

/// Reads a log.
pub(super) struct Crtd;

impl LineFormat for Crtd {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        let mut fields = Fields::between_blanks(line);
        let time = fields.read("no time in seconds", |word| fields::scaled(word, 6))?;
        let word = fields.need("no type")?;
        let kind = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let channel = &word[..word.len() - kind.len()];
        let extended = match kind {
            "R11" | "T11" => false,
            "R29" | "T29" => true,
            _ if kind.len() == 3 && kind.starts_with('C') => return Ok(None),
            _ => return Err(fields.wrong("no type that is known")),
        };
        let raw = fields.read("no id in hexadecimal digits", fields::hexadecimal)?;
        let id =
            fields::id(raw, extended).ok_or_else(|| fields.wrong("the id is too large for its format"))?;
        let payload = fields.data_to_end(Base::Hexadecimal)?;
        let frame = fields.frame(id, FrameKind::Data, &payload)?;
        Ok(Some(Line { time: UtcMicros(time), channel, frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    #[test]
    fn frames_are_read_and_comments_passed_over() {
        let line = Crtd.line("166.064000 R11 0000021A FE 36 ").expect("whole").expect("a frame");
        assert_eq!((line.time, line.channel), (UtcMicros(166_064_000), ""));
        assert_eq!((line.frame.id(), line.frame.data()), (CanId::Standard(0x21A), &[0xFE, 0x36][..]));
        let line = Crtd.line("1.5 2T29 18FEF100").expect("whole").expect("a frame");
        assert_eq!((line.frame.id(), line.channel), (CanId::Extended(0x18FE_F100), "2"));
        for line in ["166.064000 CXX GVRET-PC", "1.5 1CEV vehicle.on", "1.5 CBF"] {
            assert_eq!(Crtd.line(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in [
            "1.5",
            "1.5 R12 1",
            "1.5 R11",
            "1.5 R11 FFF",
            "1.5 R11 1 GG",
            "1.5 R11 1 00 00 00 00 00 00 00 00 00",
        ] {
            let error = Crtd.line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
