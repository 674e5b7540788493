//! Log of BUSMASTER.
//!
//! ```text
//! ***START DATE AND TIME 23:9:2015 22:17:28:928***
//! ***HEX***  or  ***DEC***
//! ***SYSTEM MODE***  ABSOLUTE MODE, RELATIVE MODE
//! 22:20:14:992  Rx 0 0x21A s 8 FE 36 12 …      time, direction, channel, id, type, DLC, data
//! ```
//!
//! Types: `s` 11 bits, `x` 29 bits; `sr`, `xr` remote frames; with `-fd` behind, CAN FD.
//! In system mode the time is that of the day; else it counts from the start,
//! or from the line before. A time that goes back by hours has passed midnight.

use super::{
    Line, LineError, LineFormat, civil,
    fields::{self, Base, Fields, Payload},
};
use vernport_types::{FrameKind, UtcMicros};

const DAY_MICROS: i64 = 86_400_000_000;

/// Reads a log.
pub(super) struct Busmaster {
    base: Base,
    mode: Mode,
    has_header: bool,
    /// Midnight before the start, and the start.
    midnight: i64,
    start: i64,
    last: i64,
}

#[derive(PartialEq, Eq)]
enum Mode {
    System,
    Absolute,
    Relative,
}

impl Default for Busmaster {
    fn default() -> Self {
        let (base, mode) = (Base::Hexadecimal, Mode::System);
        Self { base, mode, has_header: false, midnight: 0, start: 0, last: 0 }
    }
}

impl LineFormat for Busmaster {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        if let Some(header) = line.strip_prefix("***") {
            self.header(header.trim_end().trim_end_matches('*'));
            return Ok(None);
        }
        let mut fields = Fields::between_blanks(line);
        let time = fields.read("no time", civil::time_of_day)?;
        fields.read("no direction", |word| matches!(word, "Rx" | "Tx").then_some(()))?;
        let channel = fields.need("no channel")?;
        let raw = fields.read("no id", |word| self.base.number(fields::without_prefix(word)))?;
        let kind = fields.need("no type")?;
        let (kind, fd) = kind.strip_suffix("-fd").map_or((kind, false), |kind| (kind, true));
        let (extended, remote) = match kind {
            "s" => (false, false),
            "x" => (true, false),
            "sr" => (false, true),
            "xr" => (true, true),
            _ => return Err(fields.wrong("no type that is known")),
        };
        let id =
            fields::id(raw, extended).ok_or_else(|| fields.wrong("the id is too large for its format"))?;
        let len = fields.read("no DLC", fields::decimal)? as usize;
        let frame = if remote {
            fields.frame(id, FrameKind::Remote, &Payload::EMPTY)?
        } else {
            let payload = fields.data(len, self.base)?;
            fields.frame(id, if fd { FrameKind::FdData } else { FrameKind::Data }, &payload)?
        };
        Ok(Some(Line { time: self.time(time), channel, frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

impl Busmaster {
    fn header(&mut self, header: &str) {
        if header.starts_with("BUSMASTER") {
            self.has_header = true;
        } else if let Some(at) = header.strip_prefix("START DATE AND TIME ") {
            (self.midnight, self.start) = started(at).unwrap_or((0, 0));
            self.last = 0;
        }
        match header {
            "DEC" => self.base = Base::Decimal,
            "HEX" => self.base = Base::Hexadecimal,
            "SYSTEM MODE" => self.mode = Mode::System,
            "ABSOLUTE MODE" => self.mode = Mode::Absolute,
            "RELATIVE MODE" => self.mode = Mode::Relative,
            _ => {}
        }
    }

    fn time(&mut self, time: i64) -> UtcMicros {
        match self.mode {
            Mode::System => {
                if time < self.last - DAY_MICROS / 2 {
                    self.midnight = self.midnight.saturating_add(DAY_MICROS);
                }
                self.last = time;
                UtcMicros(self.midnight.saturating_add(time))
            }
            Mode::Absolute => UtcMicros(self.start.saturating_add(time)),
            Mode::Relative => {
                self.last = self.last.saturating_add(time);
                UtcMicros(self.start.saturating_add(self.last))
            }
        }
    }
}

/// `23:9:2015 22:17:28:928`: midnight before it, and the time itself.
fn started(text: &str) -> Option<(i64, i64)> {
    let (day, time) = text.split_once(' ')?;
    let mut parts = day.splitn(3, ':').map(fields::decimal);
    let (day, month, year) = (parts.next()??, parts.next()??, parts.next()??);
    let midnight = civil::date(year, month, day)?;
    Some((midnight, midnight + civil::time_of_day(time)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::CanId;

    fn times(head: &str, times: &[&str]) -> Vec<i64> {
        let mut log = Busmaster::default();
        head.lines().for_each(|head| assert_eq!(log.line(head), Ok(None)));
        let line = |time: &&str| format!("{time} Rx 1 0x1 s 0");
        times.iter().map(line).map(|line| log.line(&line).expect("whole").expect("a frame").time.0).collect()
    }

    #[test]
    fn frames_of_every_type_are_read() {
        let mut log = Busmaster::default();
        let line = log.line("22:20:14:992 Rx 0 0000021A s 2 FE 36 ").expect("whole").expect("a frame");
        assert_eq!((line.channel, line.frame.id()), ("0", CanId::Standard(0x21A)));
        assert_eq!(line.frame.data(), [0xFE, 0x36]);
        let mut frame = |line| log.line(line).expect("whole").expect("a frame").frame;
        assert_eq!(frame("22:20:14:9920 Tx 1 0x18FEF100 x 0").id(), CanId::Extended(0x18FE_F100));
        assert_eq!(frame("22:20:14:9920 Rx 1 0x1 sr 8").kind(), FrameKind::Remote);
        assert_eq!(frame("22:20:14:9920 Rx 1 0x1 x-fd 12 0 1 2 3 4 5 6 7 8 9 A B").kind(), FrameKind::FdData);
        assert_eq!(log.line("***DEC***"), Ok(None));
        let decimal = log.line("22:20:14:9920 Rx 1 256 s 1 255").expect("whole").expect("a frame").frame;
        assert_eq!((decimal.id(), decimal.data()), (CanId::Standard(256), &[255][..]));
    }

    #[test]
    fn times_are_as_the_mode_says() {
        let head = "***BUSMASTER Ver 2.4.0***\n***START DATE AND TIME 1:1:1970 23:59:59:000***\n";
        let system = head.to_owned() + "***SYSTEM MODE***";
        assert_eq!(times(&system, &["23:59:59:500", "00:00:00:5000"]), [86_399_500_000, 86_400_500_000]);
        let absolute = head.to_owned() + "***ABSOLUTE MODE***";
        assert_eq!(times(&absolute, &["0:0:0:5000", "0:0:1:5000"]), [86_399_500_000, 86_400_500_000]);
        let relative = head.to_owned() + "***RELATIVE MODE***";
        assert_eq!(times(&relative, &["0:0:0:5000", "0:0:1:0000"]), [86_399_500_000, 86_400_500_000]);
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in [
            "22:20",
            "22:20:14:992",
            "22:20:14:992 Rx 0 21A",
            "22:20:14:992 Rx 0 21A q 0",
            "22:20:14:992 Rx 0 FFF s 0",
            "22:20:14:992 Rx 0 21A s 2 00",
        ] {
            let error = Busmaster::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
