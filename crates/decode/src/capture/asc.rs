//! Vector ASC: the text log of CANalyzer and CANoe; also of `log2asc` and python-can.
//!
//! ```text
//! date Fri Feb 14 08:51:20.000 am 2020
//! base hex|dec  timestamps absolute|relative
//! Begin Triggerblock Fri Feb 14 08:51:20.000 am 2020
//!   time channel id[x] Rx|Tx d dlc bytes …            x: 29 bits
//!   time channel id[x] Rx|Tx r [dlc] …                remote frame
//!   time channel ErrorFrame …
//!   time CANFD channel Rx|Tx id[x] [name] BRS ESI dlc length bytes … duration bits flags …
//!   time CANFD channel Rx|Tx ErrorFrame …
//! ```
//!
//! With `timestamps relative` a time counts from the line before, whatever that
//! holds. What begins with something else is an event of the recorder
//! (`Statistic`, `J1939TP`, `LIN`, `SV`, `TFS` …) and no frame of CAN;
//! neither is a wish to send (`TxRq`).

use super::{
    Line, LineError, LineFormat, civil,
    fields::{self, Base, Fields, Payload},
};
use vernport_types::{CanFrame, CanId, FrameKind, UtcMicros};

/// Flags of a CANFD line: a remote frame; a frame in the format of CAN FD.
const FLAG_REMOTE: u32 = 0x10;
const FLAG_FD: u32 = 0x1000;

/// Reads an ASC log.
pub(super) struct Asc {
    base: Base,
    relative: bool,
    has_header: bool,
    /// When the recording began.
    began: i64,
    triggered: bool,
    /// Time of the line before, since the recording began.
    now: i64,
}

impl Default for Asc {
    fn default() -> Self {
        Self {
            base: Base::Hexadecimal,
            relative: false,
            has_header: false,
            began: 0,
            triggered: false,
            now: 0,
        }
    }
}

impl LineFormat for Asc {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        let mut fields = Fields::between_blanks(line);
        let first = fields.next().unwrap_or_default();
        if !first.starts_with(|c: char| c.is_ascii_digit()) {
            return self.header(first, &mut fields).map(|()| None);
        }
        let time = fields::scaled(first, 6).ok_or_else(|| fields.wrong("no time in seconds"))?;
        self.now = if self.relative { self.now.saturating_add(time) } else { time };
        let second = fields.need("nothing follows the time")?;
        let found = if second == "CANFD" {
            self.fd(&mut fields)?
        } else if fields::decimal(second).is_some() {
            self.classic(&mut fields)?.map(|frame| (second, frame))
        } else {
            None
        };
        let time = UtcMicros(self.began.saturating_add(self.now));
        Ok(found.map(|(channel, frame)| Line { time, channel, frame }))
    }

    fn has_header(&self) -> bool {
        self.has_header
    }
}

impl Asc {
    fn header(&mut self, first: &str, fields: &mut Fields<'_>) -> Result<(), LineError> {
        match first {
            "date" => self.began = civil::english(fields.rest()).unwrap_or(self.began),
            "base" => self.base(fields)?,
            "Begin" if !self.triggered => {
                fields.next();
                self.triggered = true;
                self.began = civil::english(fields.rest()).unwrap_or(self.began);
            }
            "Begin" | "End" | "internal" | "no" | "previous" | "Start" => {}
            _ if first.starts_with("//") => {}
            _ => return Err(fields.wrong("neither a time nor a header")),
        }
        Ok(())
    }

    fn base(&mut self, fields: &mut Fields<'_>) -> Result<(), LineError> {
        self.base = match fields.need("no base")? {
            "hex" => Base::Hexadecimal,
            "dec" => Base::Decimal,
            _ => return Err(fields.wrong("the base is neither hex nor dec")),
        };
        fields.next();
        self.relative = fields.next() == Some("relative");
        self.has_header = true;
        Ok(())
    }

    fn id(&self, word: &str) -> Option<CanId> {
        match word.strip_suffix(['x', 'X']) {
            Some(digits) => fields::id(self.base.number(digits)?, true),
            None => fields::id(self.base.number(word)?, false),
        }
    }

    fn classic(&self, fields: &mut Fields<'_>) -> Result<Option<CanFrame>, LineError> {
        let id = fields.need("nothing follows the channel")?;
        if id == "ErrorFrame" {
            return error_frame(fields).map(Some);
        }
        // `Statistic:` and the like, and a long message that was put together.
        if id.ends_with(':') || id == "J1939TP" {
            return Ok(None);
        }
        let id = self.id(id).ok_or_else(|| fields.wrong("no id"))?;
        if direction(fields)? == Direction::Wish {
            return Ok(None);
        }
        let remote = fields.read("neither d nor r after the direction", |word| match word {
            "d" | "D" => Some(false),
            "r" | "R" => Some(true),
            _ => None,
        })?;
        if remote {
            return fields.frame(id, FrameKind::Remote, &Payload::EMPTY).map(Some);
        }
        // Some converters write CAN FD so, without a word on it, by DLC or by length: then all of
        // its bytes are there.
        let written = fields.peek().unwrap_or_default();
        let by_dlc = dlc(written).and_then(|dlc| fields::bytes_of_dlc(dlc, true));
        let by_length = self.base.number(written).and_then(|len| usize::try_from(len).ok());
        for len in [by_dlc, by_length].into_iter().flatten().filter(|len| (9..=64).contains(len)) {
            let mut ahead = *fields;
            ahead.next();
            if let Ok(payload) = ahead.data(len, self.base)
                && let Ok(frame) = ahead.frame(id, FrameKind::FdData, &payload)
            {
                return Ok(Some(frame));
            }
        }
        let dlc = fields.read("no DLC", dlc)?;
        let len = fields::bytes_of_dlc(dlc, false).ok_or_else(|| fields.wrong("no DLC of CAN"))?;
        let payload = fields.data(len, self.base)?;
        fields.frame(id, FrameKind::Data, &payload).map(Some)
    }

    fn fd<'a>(&self, fields: &mut Fields<'a>) -> Result<Option<(&'a str, CanFrame)>, LineError> {
        let channel = fields.need("no channel")?;
        fields::decimal(channel).ok_or_else(|| fields.wrong("no channel"))?;
        let wish = direction(fields)? == Direction::Wish;
        let id = fields.need("no id")?;
        if id == "ErrorFrame" {
            return error_frame(fields).map(|frame| Some((channel, frame)));
        }
        let id = self.id(id).ok_or_else(|| fields.wrong("no id"))?;
        // Since version 8.1 the name of the message may stand here.
        if !matches!(fields.peek(), Some("0" | "1")) {
            fields.need("no flag BRS")?;
        }
        for problem in ["no flag BRS", "no flag ESI"] {
            fields.read(problem, |word| matches!(word, "0" | "1").then_some(()))?;
        }
        fields.read("no DLC", dlc)?;
        let len = fields.read("no length", fields::decimal)? as usize;
        let payload = fields.data(len, self.base)?;
        let flags = fields.next().and(fields.next()).and(fields.next()).and_then(fields::hexadecimal);
        let kind = match flags {
            Some(flags) if flags & FLAG_REMOTE != 0 && flags & FLAG_FD == 0 => FrameKind::Remote,
            Some(flags) if flags & FLAG_FD == 0 && len <= 8 => FrameKind::Data,
            _ => FrameKind::FdData,
        };
        let payload = if kind == FrameKind::Remote { Payload::EMPTY } else { payload };
        let frame = fields.frame(id, kind, &payload)?;
        Ok((!wish).then_some((channel, frame)))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Direction {
    Done,
    Wish,
}

fn direction(fields: &mut Fields<'_>) -> Result<Direction, LineError> {
    fields.read("no direction", |word| match word {
        "Rx" | "Tx" | "rx" | "tx" | "RX" | "TX" => Some(Direction::Done),
        "TxRq" => Some(Direction::Wish),
        _ => None,
    })
}

/// One hexadecimal digit in either base; two digits are decimal.
fn dlc(word: &str) -> Option<u8> {
    let dlc = if word.len() == 1 { fields::hexadecimal(word) } else { fields::decimal(word) };
    u8::try_from(dlc?).ok().filter(|dlc| *dlc <= 15)
}

fn error_frame(fields: &Fields<'_>) -> Result<CanFrame, LineError> {
    fields.frame(CanId::Extended(0), FrameKind::Error, &Payload::EMPTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Vec<(i64, String, CanFrame)> {
        let mut asc = Asc::default();
        let lines = text.lines().map(|line| asc.line(line).unwrap_or_else(|error| panic!("{line}: {error}")));
        lines.flatten().map(|line| (line.time.0, line.channel.to_owned(), line.frame)).collect()
    }

    fn frame(line: &str) -> CanFrame {
        read_all(line).pop().expect("a frame").2
    }

    #[test]
    fn frames_of_every_kind_are_read() {
        let data = frame(" 0.001 2  85              Rx   d 3 7C 33 80  Length = 1 BitCount = 2 ID = 3");
        assert_eq!((data.id(), data.data()), (CanId::Standard(0x85), &[0x7C, 0x33, 0x80][..]));
        assert_eq!(frame("0.1 1 12345678x Tx d 0 ").id(), CanId::Extended(0x1234_5678));
        for remote in ["0.1 1 123 Rx r", "0.1 1 123 Rx r 8", "0.1 1 123 Rx r 8 Length = 1"] {
            assert_eq!(frame(remote).kind(), FrameKind::Remote, "{remote}");
        }
        for error in
            ["0.1 1 ErrorFrame", "0.1 1 ErrorFrame Flags = 0xe ECC: 1", "0.1 CANFD 1 Rx ErrorFrame 2 3"]
        {
            assert_eq!(frame(error).kind(), FrameKind::Error, "{error}");
        }
        let fd =
            frame("0.1 CANFD 1 Rx 29a 1 0 9 12 01 02 03 04 05 06 07 08 09 0A 0B 0C 103625 136 303000 9 9 9");
        assert_eq!((fd.kind(), fd.data().len()), (FrameKind::FdData, 12));
        let named = frame("0.1 CANFD 2 Tx 18FEF100x CCVS1 0 0 2 2 01 02 103625 136 1000");
        assert_eq!((named.kind(), named.id()), (FrameKind::FdData, CanId::Extended(0x18FE_F100)));
        assert_eq!(frame("0.1 CANFD 1 Rx 29a 0 0 2 2 01 02 0 0 0").kind(), FrameKind::Data);
        assert_eq!(frame("0.1 CANFD 1 Rx 29a 0 0 2 0 0 0 10").kind(), FrameKind::Remote);
    }

    #[test]
    fn a_large_dlc_is_can_fd_where_its_bytes_are_there() {
        let fd = frame("0.1 1 123 Rx d 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F");
        assert_eq!((fd.kind(), fd.data().len()), (FrameKind::FdData, 16));
        let by_length = format!("0.1 1 123x Rx d 40{}", " 5A".repeat(64));
        assert_eq!(
            (frame(&by_length).kind(), frame(&by_length).data()),
            (FrameKind::FdData, &[0x5A; 64][..])
        );
        for classic in [
            "0.1 1 123 Rx d A 00 01 02 03 04 05 06 07",
            "0.1 1 123 Rx d 9 00 01 02 03 04 05 06 07 Length = 1",
        ] {
            assert_eq!(
                (frame(classic).kind(), frame(classic).data().len()),
                (FrameKind::Data, 8),
                "{classic}"
            );
        }
        assert!(Asc::default().line("0.1 1 123 Rx d 16 00 01 02 03 04 05 06 07").is_err());
    }

    #[test]
    fn events_of_the_recorder_are_no_frames() {
        let text = "date Fri Nov 20 11:34:09.625 2026\nbase hex  timestamps absolute\nno internal events logged\n\
            // version 8.2.1\nBegin TriggerBlock Thu Jan 01 00:13:40.298 1970\n 0.000000 Start of measurement\n\
            0.1 1  Statistic: D 9 R 0 XD 0 XR 0 E 0 O 0 B 0.02%\n0.2 CAN 1 Status:chip status error active\n\
            0.3 J1939TP FEE3p 6 0 0 - Rx d 23 A0 0F\n0.3 1  J1939TP FEE3p 6  0  0  -  Rx  d 23 A0 0F\n0.4 1 123 TxRq d 1 11\n0.5 LIN 1 f RxErr\n\
            0.6 CANFD 1 TxRq 29a 0 0 1 1 01 0 0 1000\nEnd TriggerBlock";
        assert_eq!(read_all(text), []);
    }

    #[test]
    fn numbers_and_times_are_as_the_header_says() {
        let head = "date Thu Jan 01 00:00:01 1970\nbase dec timestamps relative\n";
        let lines = "0.5 1 256 Rx d 2 255 16\n0.25 1 Statistic: D 0\n0.25 2 256x Rx d 0\n";
        let frames = read_all(&(head.to_owned() + lines));
        assert_eq!(frames[0].2.data(), [255, 16]);
        assert_eq!([frames[0].0, frames[1].0], [1_500_000, 2_000_000]);
        assert_eq!(frames[1].2.id(), CanId::Extended(256));
        let trigger = "date Fri Nov 20 11:34:09 2026\nBegin Triggerblock Thu Jan 01 00:00:10 1970\n0.5 1 1 Rx d 0\n\
            End Triggerblock\nBegin Triggerblock Thu Jan 01 00:00:20 1970\n1.5 1 1 Rx d 0";
        let times: Vec<i64> = read_all(trigger).iter().map(|frame| frame.0).collect();
        assert_eq!(times, [10_500_000, 11_500_000]);
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in [
            "0.1",
            "0.1 1",
            "0.x 1 123 Rx d 0",
            "0.1 1 123",
            "0.1 1 123 Rx",
            "0.1 1 123 Rx d",
            "0.1 1 123 Rx d 2 11",
            "0.1 1 123 Rx d 1 1G",
            "0.1 1 123 Rx d 1 111",
            "0.1 1 FFF Rx d 0",
            "0.1 1 FFFFFFFFx Rx d 0",
            "0.1 CANFD 1 Rx 29a 1 0 9 13 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D",
            "0.1 CANFD 1 Rx 29a 1 0 9 4294967295 01",
            "base oct timestamps absolute",
            "hello",
        ] {
            let error = Asc::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
