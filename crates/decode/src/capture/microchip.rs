//! Log of the Microchip CAN Bus Analyzer.
//!
//! ```text
//! 166064;RX;0x0000021A;8;0xFE;0x36;0x12;0xFE;0x69;0x05;0x07;0xAD;
//! ```
//!
//! Milliseconds, direction, id, DLC, data. The format of the id is not told:
//! what is too large for 11 bits has 29.

use super::{
    Line, LineError, LineFormat,
    fields::{self, Fields, Payload},
};
use vernport_types::{FrameKind, UtcMicros};

/// Reads a log.
#[derive(Default)]
pub(super) struct Microchip {
    has_header: bool,
}

impl LineFormat for Microchip {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        if !line.starts_with(|c: char| c.is_ascii_digit()) {
            self.has_header |= line.starts_with("Microchip Technology");
            // Five lines of words stand before the first frame.
            return if line.contains(';') {
                Err(Fields::between(';', line).wrong("no time in milliseconds"))
            } else {
                Ok(None)
            };
        }
        let mut fields = Fields::between(';', line);
        let time = fields.read("no time in milliseconds", |word| fields::scaled(word, 3))?;
        fields.read("no direction", |word| matches!(word, "RX" | "TX" | "Rx" | "Tx").then_some(()))?;
        let raw = fields.read("no id with 0x", hexadecimal)?;
        let id = fields::id_by_size(raw).ok_or_else(|| fields.wrong("the id is too large"))?;
        let len = fields.read("no DLC", fields::decimal)?;
        let mut payload = Payload::EMPTY;
        for _ in 0..len {
            let byte = fields
                .read("a byte of data is missing or is none", |word| u8::try_from(hexadecimal(word)?).ok())?;
            payload.push(byte).ok_or_else(|| fields.wrong("more data than a frame can hold"))?;
        }
        let frame = fields.frame(id, FrameKind::Data, &payload)?;
        Ok(Some(Line { time: UtcMicros(time), channel: "", frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

fn hexadecimal(word: &str) -> Option<u32> {
    word.strip_prefix("0x").filter(|digits| !digits.is_empty()).and_then(fields::hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    #[test]
    fn frames_are_read_and_the_head_passed_over() {
        let mut log = Microchip::default();
        for head in
            ["//----", "Microchip Technology Inc.", "CAN BUS Analyzer", "Logging Started: 23/9/2015 22:17:43"]
        {
            assert_eq!(log.line(head), Ok(None));
        }
        let line = log.line("166064;RX;0x0000021A;2;0xFE;0x36;").expect("whole").expect("a frame");
        assert_eq!((line.time, line.frame.id()), (UtcMicros(166_064_000), CanId::Standard(0x21A)));
        assert_eq!(line.frame.data(), [0xFE, 0x36]);
        let line = log.line("1;TX;0x18FEF100;0;").expect("whole").expect("a frame");
        assert_eq!(line.frame.id(), CanId::Extended(0x18FE_F100));
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in [
            "1",
            "1;RX",
            "1;RX;21A;0",
            "1;RX;0x1;2;0xFE;",
            "1;RX;0x1;4294967295;0xFE;",
            "x;RX;0x1;0",
            "1;RX;0xFFFFFFFF;0",
        ] {
            let error = Microchip::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
