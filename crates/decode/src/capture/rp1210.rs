//! Lines of an RP1210 adapter, as Java programs log them, with anything before.
//!
//! ```text
//! 2021-04-23 12:22:43.128 FINE … 12:22:43.1281 0CF00400 [8] F1 9F 7D 00 00 00 F6 7D
//! ```
//!
//! The last three words before the data are the time of day that the adapter
//! gave, the id (29 bits with 8 digits, else 11 bits) and the count of bytes.
//! The date is that at the beginning of the line, if there is one. An adapter
//! also gives messages that it put together out of several frames; they are
//! longer than a frame and cannot be read as one.

use super::{
    Line, LineError, LineFormat, civil,
    fields::{self, Base, Fields},
};
use vernport_types::{FrameKind, UtcMicros};

/// Reads such lines.
pub(super) struct Rp1210;

impl LineFormat for Rp1210 {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        let mut fields = Fields::between_blanks(line);
        let first = fields;
        let (mut time, mut id) = ("", "");
        let count = loop {
            let word = fields.need("no count of bytes in brackets")?;
            if let Some(count) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                break count;
            }
            (time, id) = (id, word);
        };
        let count = fields::decimal(count).ok_or_else(|| fields.wrong("no count of bytes in brackets"))?;
        let raw = (!id.is_empty()).then(|| fields::hexadecimal(id)).flatten();
        let can_id = raw.and_then(|raw| fields::id(raw, id.len() == 8));
        let can_id = can_id.ok_or_else(|| fields.wrong("no id before the count"))?;
        let time = civil::time_of_day(time).ok_or_else(|| fields.wrong("no time of day before the id"))?;
        let payload = fields.data(count as usize, Base::Hexadecimal)?;
        let frame = fields.frame(can_id, FrameKind::Data, &payload)?;
        Ok(Some(Line { time: UtcMicros(date(first).saturating_add(time)), channel: "", frame }))
    }
}

/// `2021-04-23` at the beginning of the line.
fn date(mut fields: Fields<'_>) -> i64 {
    let date = fields.next().and_then(|word| {
        let mut parts = word.splitn(3, '-').map(fields::decimal);
        civil::date(parts.next()??, parts.next()??, parts.next()??)
    });
    date.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    #[test]
    fn a_frame_is_read_whatever_stands_before() {
        let long = "2021-04-23 12:22:43.128 FINE   org.x.Bus lambda$1 12:22:43.1281 0CF00400 [2] F1 9F";
        let line = Rp1210.line(long).expect("whole").expect("a frame");
        assert_eq!((line.time.0, line.frame.id()), (1_619_180_563_128_100, CanId::Extended(0x0CF0_0400)));
        assert_eq!(line.frame.data(), [0xF1, 0x9F]);
        let line = Rp1210.line("12:22:43.1281 7E8 [0]").expect("whole").expect("a frame");
        assert_eq!((line.time.0, line.frame.id()), (44_563_128_100, CanId::Standard(0x7E8)));
        let sent = Rp1210.line("12:22:43.1281 18EAFFF9 [3] EC FE 00 (TX)").expect("whole").expect("a frame");
        assert_eq!(sent.frame.data(), [0xEC, 0xFE, 0x00]);
    }

    #[test]
    fn what_is_no_frame_says_where() {
        for line in [
            "2021-04-23 words of a program",
            "[1] 00",
            "0CF00400 [1] 00",
            "12:22 0CF00400 [1] 00",
            "12:22:43.1281 0CF00400 [2] 00",
            "12:22:43.1281 18FECA00 [10] 00 01 02 03 04 05 06 07 08 09",
            "12:22:43.1281 18FECA00 [x] 00",
        ] {
            let error = Rp1210.line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
