//! What `candump` (can-utils) shows on a screen, caught in a file.
//!
//! ```text
//! [(time)]  channel  [RX|TX  B|-  E|-]  id   [length]  bytes [text] | remote request
//!
//!   can0  123   [8]  11 22 33 44 55 66 77 88   '."3DUfw.'       -a
//!  (000.001234)  can0  RX - -  18FEF100   [2]  11 22            -t d or z, -x
//!  (2026-11-20 16:29:11.123456)  can0  123  [12]  11 …          -t A, CAN FD
//!   can0  123   {A}  11 22 33 44 55 66 77 88                    -8: 8 bytes, raw DLC A
//!   can0  123   [3]  33`22`11                                   -S: last byte first
//!   can0  123   [1]  00010001                                   -i: bits
//!   can0  20000080   [8]  00 00 08 00 00 00 00 00   ERRORFRAME
//!         protocol-violation{{tx-recessive-bit-error}{}}        -e: more of it
//! ```
//!
//! Colours (`-c`) are taken off. Times: without `-t` frame *n* is told *n*
//! milliseconds after the first; with `-t d` the differences are added up (the
//! first time that goes back shows that they are differences).

use super::{
    Line, LineError, LineFormat, PseudoTime, civil,
    fields::{self, Fields, Payload},
};
use vernport_types::{CanFrame, CanId, FrameKind, UtcMicros};

const ERROR_FLAG: u32 = 0x2000_0000;
/// Times below are no time since 1970 (they would be before 2001).
const SINCE_1970_MICROS: i64 = 1_000_000_000_000_000;

/// Reads what was on a screen.
#[derive(Default)]
pub(super) struct Screen {
    pseudo: PseudoTime,
    clock: Clock,
}

/// The times in parentheses.
#[derive(Default)]
struct Clock {
    last: i64,
    sum: i64,
    differences: bool,
}

impl Clock {
    fn time(&mut self, micros: i64) -> UtcMicros {
        self.sum = self.sum.saturating_add(micros);
        self.differences |= micros < self.last && micros < SINCE_1970_MICROS;
        self.last = micros;
        UtcMicros(if self.differences { self.sum } else { micros })
    }
}

impl LineFormat for Screen {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        // `-e` tells an error frame in words, on further lines; `-d` tells what was lost.
        if line.starts_with('\t') || line.starts_with("DROPCOUNT:") {
            return Ok(None);
        }
        let mut fields = Fields::between_blanks(line);
        let time = time(&mut fields)?;
        let mut channel = uncoloured(fields.need("no interface")?);
        while channel.is_empty() {
            channel = uncoloured(fields.need("no interface")?);
        }
        if !channel.starts_with(|c: char| c.is_ascii_alphabetic()) || channel.contains([':', '#', ',', ';']) {
            return Err(fields.wrong("no name of an interface"));
        }
        let frame = frame(&mut fields)?;
        let time = time.map_or_else(|| self.pseudo.next(), |micros| self.clock.time(micros));
        Ok(Some(Line { time, channel, frame }))
    }
}

/// A word without the escape sequences that colour it.
fn uncoloured(mut word: &str) -> &str {
    while let Some(end) = word.strip_prefix('\u{1B}').and_then(|rest| rest.find('m')) {
        word = &word[end + 2..];
    }
    word.split('\u{1B}').next().unwrap_or_default()
}

/// The time in parentheses, if there is one.
fn time(fields: &mut Fields<'_>) -> Result<Option<i64>, LineError> {
    let Some(first) = fields.peek().map(uncoloured).and_then(|word| word.strip_prefix('(')) else {
        return Ok(None);
    };
    fields.next();
    let problem = "no time in parentheses";
    if let Some(seconds) = first.strip_suffix(')') {
        return fields::scaled(seconds, 6).map(Some).ok_or_else(|| fields.wrong(problem));
    }
    let mut date = first.splitn(3, '-').map(fields::decimal);
    let mut part = || date.next().flatten();
    let day = part().zip(part()).zip(part()).and_then(|((year, month), day)| civil::date(year, month, day));
    let time = fields.read(problem, |word| civil::time_of_day(word.strip_suffix(')')?))?;
    day.map(|day| Some(day + time)).ok_or_else(|| fields.wrong(problem))
}

fn frame(fields: &mut Fields<'_>) -> Result<CanFrame, LineError> {
    let mut word = uncoloured(fields.need("no id")?);
    while word.is_empty() {
        word = uncoloured(fields.need("no id")?);
    }
    if matches!(word, "RX" | "TX") {
        let flag = |flag: &str| matches!(uncoloured(flag), "-" | "B" | "E").then_some(());
        fields.read("no flag after the direction", flag)?;
        fields.read("no flag after the direction", flag)?;
        word = uncoloured(fields.need("no id")?);
        while word.is_empty() {
            word = uncoloured(fields.need("no id")?);
        }
    }
    let raw = fields::hexadecimal(word).ok_or_else(|| fields.wrong("no id in hexadecimal digits"))?;
    let error = word.len() == 8 && raw & ERROR_FLAG != 0;
    let id = match word.len() {
        3 => fields::id(raw, false),
        8 if error => CanId::extended(raw & !ERROR_FLAG),
        8 => fields::id(raw, true),
        _ => None,
    };
    let id = id.ok_or_else(|| fields.wrong("the id is not one of 3 or 8 digits"))?;
    let (len, fd) = fields.read("no length in brackets", length)?;
    if fields.peek() == Some("remote") {
        return fields.frame(id, FrameKind::Remote, &Payload::EMPTY);
    }
    let kind = match (error, fd) {
        (true, _) => FrameKind::Error,
        (false, true) => FrameKind::FdData,
        (false, false) => FrameKind::Data,
    };
    let payload = data(fields, len)?;
    fields.frame(id, kind, &payload)
}

/// `[8]`, `[08]` of CAN FD, `{A}` of 8 bytes with a raw DLC.
fn length(word: &str) -> Option<(usize, bool)> {
    if let Some(dlc) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
        return (dlc.len() == 1)
            .then(|| fields::hexadecimal(dlc))
            .flatten()
            .map(|dlc| (dlc.min(8) as usize, false));
    }
    let digits = word.strip_prefix('[')?.strip_suffix(']')?;
    let len = usize::try_from(fields::decimal(digits)?).ok()?;
    matches!(digits.len(), 1 | 2).then_some((len, digits.len() == 2))
}

/// The bytes; behind them there may be text, which is not looked at.
fn data(fields: &mut Fields<'_>, len: usize) -> Result<Payload, LineError> {
    let mut payload = Payload::EMPTY;
    let mut swapped = false;
    while payload.bytes().len() < len {
        let word = uncoloured(fields.need("data is missing")?);
        for part in word.split('`') {
            let byte = byte(part).ok_or_else(|| fields.wrong("no byte"))?;
            payload.push(byte).ok_or_else(|| fields.wrong("more data than a frame can hold"))?;
        }
        swapped |= word.contains('`');
    }
    if payload.bytes().len() > len {
        return Err(fields.wrong("more data than the length in brackets"));
    }
    if swapped {
        payload.reverse();
    }
    Ok(payload)
}

fn byte(word: &str) -> Option<u8> {
    match word.len() {
        2 => fields::hexadecimal(word).and_then(|byte| u8::try_from(byte).ok()),
        8 if word.bytes().all(|bit| matches!(bit, b'0' | b'1')) => u8::from_str_radix(word, 2).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Line<'_> {
        Screen::default().line(line).expect("whole").expect("a frame")
    }

    #[test]
    fn every_form_that_candump_shows_is_read() {
        let plain = read("  can0  123   [8]  11 22 33 44 55 66 77 88");
        assert_eq!(
            (plain.channel, plain.frame.id(), plain.time),
            ("can0", CanId::Standard(0x123), UtcMicros(0))
        );
        assert_eq!(plain.frame.data(), [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
        for same in [
            "  can0       123   [8]  11 22 33 44 55 66 77 88   '.\"3DUfw.'",
            "  can0  123   [8]  88`77`66`55`44`33`22`11   `.wfUD3\".`",
            "  can0  RX - -  123   [8]  11 22 33 44 55 66 77 88",
            "  can0  TX B E  123   [8]  11 22 33 44 55 66 77 88",
            "  can0  123   {F}  11 22 33 44 55 66 77 88",
            "  can0  123   [8]  00010001 00100010 00110011 01000100 01010101 01100110 01110111 10001000",
            " \u{1B}[1m\u{1B}[34mcan0\u{1B}[0m  123   [8]  11 22 33 44 55 66 77 88",
            "  \u{1B}[1m\u{1B}[34mcan0  123   [8]  11 22 33 44 55 66 77 88\u{1B}[0m",
        ] {
            assert_eq!(read(same), plain, "{same}");
        }
        assert_eq!(read("  can0  00000123   [1]  11").frame.id(), CanId::Extended(0x123));
        assert_eq!(read("  can0  123   [0]").frame.data(), []);
        let fd = read(" can0  123  [12]  01 02 03 04 05 06 07 08 09 0A 0B 0C").frame;
        assert_eq!((fd.kind(), fd.data().len()), (FrameKind::FdData, 12));
        assert_eq!(read(" can0  123  [02]  01 02").frame.kind(), FrameKind::FdData);
        let all = format!(" can0  123  [64] {}", " FF".repeat(64));
        assert_eq!(read(&all).frame.data().len(), 64);
        assert_eq!(read("  can0  123   [4]  remote request").frame.kind(), FrameKind::Remote);
        let error = read("  can0  20000088   [8]  00 00 08 00 00 00 00 00   ERRORFRAME").frame;
        assert_eq!((error.kind(), error.id()), (FrameKind::Error, CanId::Extended(0x88)));
    }

    #[test]
    fn words_about_errors_and_losses_are_no_frames() {
        for line in
            ["\tprotocol-violation{{}{}}", "DROPCOUNT: dropped 3 CAN frames on 'can0' socket (total drops 3)"]
        {
            assert_eq!(Screen::default().line(line), Ok(None));
        }
    }

    #[test]
    fn times_are_absolute_with_a_date_from_zero_or_added_up() {
        let frame = "can0  123   [1]  11";
        let times = |texts: &[&str]| -> Vec<i64> {
            let mut screen = Screen::default();
            let line = |text: &&str| format!(" {text} {frame}");
            texts
                .iter()
                .map(line)
                .map(|line| screen.line(&line).expect("whole").expect("a frame").time.0)
                .collect()
        };
        assert_eq!(times(&["(1436509052.249713)"]), [1_436_509_052_249_713]);
        assert_eq!(times(&["(2026-11-20 16:29:11.123456)"]), [1_795_192_151_123_456]);
        assert_eq!(times(&["(000.000000)", "(000.001000)", "(000.001500)"]), [0, 1000, 1500]);
        assert_eq!(
            times(&["(000.000000)", "(000.001000)", "(000.000500)", "(000.002000)"]),
            [0, 1000, 1500, 3500]
        );
        assert_eq!(times(&["", "", ""]), [0, 1000, 2000]);
    }

    #[test]
    fn a_torn_line_says_where() {
        for line in [
            "  can0",
            "  can0  123",
            "  can0  123   [2]",
            "  can0  123   [2]  11",
            "  can0  123   [1]  11`22",
            "  can0  123   [9]  11 22 33 44 55 66 77 88 99",
            "  can0  1234   [1]  11",
            "  can0  FFF   [1]  11",
            "  can0  RX -  123   [1]  11",
            " (1.x)  can0  123   [1]  11",
            " (2026-13-20 16:29:11.1)  can0  123   [1]  11",
            "12:22:43.1281 0CF00400 [1] F1",
        ] {
            let error = Screen::default().line(line).expect_err(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
    }
}
