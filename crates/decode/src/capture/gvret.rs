//! CSV of SavvyCAN and of GVRET firmware.
//!
//! ```text
//! Time Stamp,ID,Extended,[Dir,]Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8
//! 166064000,0000021A,false,0,8,FE,36,12,FE,69,05,07,AD,
//! ```
//!
//! Times are microseconds. Of the data only `LEN` bytes count: older versions
//! fill up with zeros. The columns stand in the order of the header.

use super::{
    Line, LineError, LineFormat,
    fields::{self, Base, Fields},
};
use vernport_types::{FrameKind, UtcMicros};

/// Reads a CSV.
#[derive(Default)]
pub(super) struct Gvret {
    has_header: bool,
    has_direction: bool,
}

impl LineFormat for Gvret {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        let mut fields = Fields::between(',', line);
        if line.starts_with("Time Stamp,ID,Extended,") {
            self.has_header = true;
            self.has_direction = line.contains(",Dir,");
            return Ok(None);
        }
        let time = fields.read("no time in microseconds", |word| fields::scaled(word, 0))?;
        let id = fields.need("no id")?;
        let raw = fields::hexadecimal(id).ok_or_else(|| fields.wrong("no id in hexadecimal digits"))?;
        let extended = fields.read("neither true nor false", flag)?;
        let id =
            fields::id(raw, extended).ok_or_else(|| fields.wrong("the id is too large for its format"))?;
        if self.has_direction {
            fields.need("no direction")?;
        }
        let channel = fields.need("no bus")?;
        let len = fields.read("no length", fields::decimal)? as usize;
        let payload = fields.data(len, Base::Hexadecimal)?;
        let kind = if len > 8 { FrameKind::FdData } else { FrameKind::Data };
        let frame = fields.frame(id, kind, &payload)?;
        Ok(Some(Line { time: UtcMicros(time), channel, frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

fn flag(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" | "1" => Some(true),
        "false" | "False" | "FALSE" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    #[test]
    fn rows_are_read_with_and_without_a_direction() {
        let mut gvret = Gvret::default();
        let old = "166064000,0000021A,false,0,4,40,C0,30,F8,00,00,00,00,";
        let line = gvret.line(old).expect("whole").expect("a frame");
        assert_eq!((line.time, line.channel), (UtcMicros(166_064_000), "0"));
        assert_eq!(
            (line.frame.id(), line.frame.data()),
            (CanId::Standard(0x21A), &[0x40, 0xC0, 0x30, 0xF8][..])
        );
        assert_eq!(gvret.line("Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8"), Ok(None));
        let line = gvret.line("1,18FEF100,true,Rx,1,1,AB,").expect("whole").expect("a frame");
        assert_eq!((line.frame.id(), line.channel), (CanId::Extended(0x18FE_F100), "1"));
    }

    #[test]
    fn a_torn_row_says_where() {
        for line in
            ["x", "1", "1,1FF", "1,1FF,maybe", "1,FFF,false,0,0", "1,1FF,false,0,2,00", "1,1,true,0,99,00"]
        {
            let error = Gvret::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
