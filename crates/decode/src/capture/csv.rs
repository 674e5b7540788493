//! Two plain tables: the "generic CSV" of SavvyCAN and the CSV of python-can.
//!
//! ```text
//! ID,Data Bytes                                        no time, no bus, no format of the id
//! 0000021A,FE 36 12 FE 69 05 07 AD
//!
//! timestamp,arbitration_id,extended,remote,error,dlc,data
//! 820.298,0x85,0,0,0,8,fDOAAEfgfH8=                    data in base64
//! ```

use super::{
    Line, LineError, LineFormat, PseudoTime,
    fields::{self, Base, Fields, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use vernport_types::{CanFrame, CanId, FrameKind, UtcMicros};

/// Base64 of the longest data, and a little more.
const BASE64_MAX: usize = 92;

/// Reads the table of SavvyCAN.
#[derive(Default)]
pub(super) struct Generic {
    has_header: bool,
    pseudo: PseudoTime,
}

impl LineFormat for Generic {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        if line.trim_end() == "ID,Data Bytes" {
            self.has_header = true;
            return Ok(None);
        }
        let mut fields = Fields::between(',', line);
        let raw = fields.read("no id in hexadecimal digits", |word| {
            if word.is_empty() { None } else { fields::hexadecimal(word) }
        })?;
        let id = fields::id_by_size(raw).ok_or_else(|| fields.wrong("the id is too large"))?;
        let data = fields.need("no data")?;
        let payload = Fields::between_blanks(data)
            .data_to_end(Base::Hexadecimal)
            .map_err(|error| LineError { column: fields.wrong("").column + error.column - 1, ..error })?;
        let kind = if payload.bytes().len() > 8 { FrameKind::FdData } else { FrameKind::Data };
        let frame = fields.frame(id, kind, &payload)?;
        Ok(Some(Line { time: self.pseudo.next(), channel: "", frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

/// Reads the table of python-can.
#[derive(Default)]
pub(super) struct PythonCan {
    has_header: bool,
}

impl LineFormat for PythonCan {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        if line.starts_with("timestamp,arbitration_id,extended,remote,error,dlc,data") {
            self.has_header = true;
            return Ok(None);
        }
        let mut fields = Fields::between(',', line);
        let time = fields.read("no time in seconds", |word| fields::scaled(word, 6))?;
        let raw = fields.read("no id", |word| fields::hexadecimal(fields::without_prefix(word)))?;
        let flag = |word: &str| match word {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        let extended = fields.read("the column extended is neither 0 nor 1", flag)?;
        let remote = fields.read("the column remote is neither 0 nor 1", flag)?;
        let error = fields.read("the column error is neither 0 nor 1", flag)?;
        let dlc = fields.read("no length", fields::decimal)? as usize;
        let data = fields.next().unwrap_or_default();
        let frame = match (remote, error) {
            (_, true) => fields.frame(CanId::Extended(0), FrameKind::Error, &Payload::EMPTY),
            (true, false) => {
                let id = fields::id(raw, extended).ok_or_else(|| fields.wrong("the id is too large"))?;
                fields.frame(id, FrameKind::Remote, &Payload::EMPTY)
            }
            (false, false) => {
                let id = fields::id(raw, extended).ok_or_else(|| fields.wrong("the id is too large"))?;
                base64_frame(id, data, dlc).ok_or_else(|| fields.wrong("the data is not as long as it says"))
            }
        };
        Ok(Some(Line { time: UtcMicros(time), channel: "", frame: frame? }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

fn base64_frame(id: CanId, text: &str, len: usize) -> Option<CanFrame> {
    if text.len() > BASE64_MAX {
        return None;
    }
    let mut bytes = [0; BASE64_MAX];
    let read = STANDARD.decode_slice(text, &mut bytes).ok()?;
    let kind = if len > 8 { FrameKind::FdData } else { FrameKind::Data };
    (read == len).then(|| fields::frame(id, kind, &bytes[..read])).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_times_is_read_by_order() {
        let mut generic = Generic::default();
        assert_eq!(generic.line("ID,Data Bytes"), Ok(None));
        let line = generic.line("0000021A,FE 36 12 ").expect("whole").expect("a frame");
        assert_eq!((line.time, line.frame.id()), (UtcMicros(0), CanId::Standard(0x21A)));
        assert_eq!(line.frame.data(), [0xFE, 0x36, 0x12]);
        let line = generic.line("18FEF100,").expect("whole").expect("a frame");
        assert_eq!((line.time, line.frame.id()), (UtcMicros(1000), CanId::Extended(0x18FE_F100)));
        for line in ["", "x,00", "1", "FFFFFFFF,00", "1,0G", "1,00 00 00 00 00 00 00 00 00"] {
            let error = Generic::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }

    #[test]
    fn the_table_of_python_can_is_read() {
        let read = |line| PythonCan::default().line(line);
        let line = read("820.298,0x85,0,0,0,8,fDOAAEfgfH8=").expect("whole").expect("a frame");
        assert_eq!((line.time, line.frame.id()), (UtcMicros(820_298_000), CanId::Standard(0x85)));
        assert_eq!(line.frame.data(), [0x7C, 0x33, 0x80, 0x00, 0x47, 0xE0, 0x7C, 0x7F]);
        let kind = |line| read(line).expect("whole").expect("a frame").frame.kind();
        assert_eq!(kind("1.5,0x18fef100,1,1,0,4,"), FrameKind::Remote);
        assert_eq!(kind("1.5,0x0,1,0,1,0,"), FrameKind::Error);
        assert_eq!(kind("1.5,0x1,0,0,0,12,AAAAAAAAAAAAAAAA"), FrameKind::FdData);
        assert_eq!(kind("1.5,0x1,0,0,0,0,"), FrameKind::Data);
        for line in ["1.5", "1.5,0x1,2", "1.5,0xFFF,0,0,0,0,", "1.5,0x1,0,0,0,2,AA==", "1.5,0x1,0,0,0,1,?"] {
            let error = read(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
