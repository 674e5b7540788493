//! Lines of `candump -l` and `candump -L` (can-utils): the log format of SocketCAN.
//!
//! ```text
//! [number] (seconds.fraction) channel id#data [T|R]
//!
//! 123#1122334455667788      11-bit id (3 digits), data; bytes may be parted by '.'
//! 12345678#11               29-bit id (8 digits)
//! 123#R  123#R4             remote frame, with its length
//! 123#1122334455667788_A    8 bytes sent with a raw DLC over 8; so with 123#R8_A
//! 123##1112233              CAN FD: one digit of flags, then data
//! 20000080#0000…            error frame (flag 0x20000000 and the class of error)
//! ```
//!
//! A torn line is an error with its column and what to mend. It never repeats the line.

pub use super::{Line, LineError};

use super::fields::TORN;
use vernport_types::{CanFrame, CanId, FrameKind, UtcMicros};

/// `CAN_ERR_FLAG` of Linux: the id of an error frame.
const ERROR_FLAG: u32 = 0x2000_0000;

const NOT_A_LOG: &str = "record with `candump -l` or `candump -L`";

/// Reads one line, with or without its line end.
///
/// # Errors
/// [`LineError`] for anything but a whole candump line.
pub fn parse(line: &str) -> Result<Line<'_>, LineError> {
    let mut cursor = Cursor { line, at: 0 };
    cursor.spaces();
    if cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
        cursor.word();
        cursor.spaces();
    }
    let time = cursor.time()?;
    cursor.gap("no space after the time", TORN)?;
    let channel = cursor.word();
    cursor.gap("no frame after the channel", TORN)?;
    let frame = cursor.frame()?;
    cursor.spaces();
    // `candump -x` appends the direction.
    if matches!(cursor.peek(), Some(b'R' | b'T')) {
        cursor.at += 1;
        cursor.spaces();
    }
    match cursor.peek() {
        None => Ok(Line { time, channel, frame }),
        Some(_) => Err(cursor.error("something follows the frame", TORN)),
    }
}

/// Reads a log.
pub(super) struct Log;

impl super::LineFormat for Log {
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError> {
        parse(line).map(Some)
    }
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn error(&self, problem: &'static str, remedy: &'static str) -> LineError {
        LineError { column: self.at + 1, problem, remedy }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn gap(&mut self, problem: &'static str, remedy: &'static str) -> Result<(), LineError> {
        let before = self.at;
        self.spaces();
        if self.at == before || self.peek().is_none() { Err(self.error(problem, remedy)) } else { Ok(()) }
    }

    /// Everything up to the next blank.
    fn word(&mut self) -> &'a str {
        let rest = &self.line[self.at..];
        let end = rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn digits(&mut self) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        &self.line[start..self.at]
    }

    fn time(&mut self) -> Result<UtcMicros, LineError> {
        if !self.take(b'(') {
            return Err(self.error("no time in parentheses", NOT_A_LOG));
        }
        let start = self.at;
        let seconds: i64 = self
            .digits()
            .parse()
            .map_err(|_| self.error("the time is not in seconds since 1970", NOT_A_LOG))?;
        if !self.take(b'.') {
            return Err(self.error("the time has no fraction", NOT_A_LOG));
        }
        let fraction = self.digits();
        if !(1..=9).contains(&fraction.len()) {
            return Err(self.error("the fraction of the time has not 1 to 9 digits", NOT_A_LOG));
        }
        let micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
        let micros = micros.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        if !self.take(b')') {
            return Err(self.error("the time does not end with ')'", TORN));
        }
        let time = seconds.checked_mul(1_000_000).and_then(|s| s.checked_add(micros)).map(UtcMicros);
        time.ok_or(LineError {
            column: start + 1,
            problem: "the time is too large",
            remedy: "mend the clock of the recorder, or take the line out",
        })
    }

    fn hex(&mut self) -> Option<u8> {
        let digit = char::from(self.peek()?).to_digit(16)?;
        self.at += 1;
        u8::try_from(digit).ok()
    }

    fn frame(&mut self) -> Result<CanFrame, LineError> {
        let start = self.at;
        let mut raw = 0_u32;
        while self.at - start < 8 {
            let Some(digit) = self.hex() else { break };
            raw = raw << 4 | u32::from(digit);
        }
        let digits = self.at - start;
        if !self.take(b'#') {
            return Err(self.error("no '#' after the id", NOT_A_LOG));
        }
        let at_id = |problem| LineError { column: start + 1, problem, remedy: TORN };
        let (id, error) = match digits {
            3 => (CanId::standard(u16::try_from(raw).expect("three hexadecimal digits")), false),
            8 if raw & ERROR_FLAG != 0 => (CanId::extended(raw & !ERROR_FLAG), true),
            8 => (CanId::extended(raw), false),
            _ => return Err(at_id("the id has neither 3 nor 8 hexadecimal digits")),
        };
        let id = id.ok_or_else(|| at_id("the id is too large for its format"))?;
        if self.take(b'#') {
            return self.fd_data(id);
        }
        if self.take(b'R') {
            return self.remote(id);
        }
        let kind = if error { FrameKind::Error } else { FrameKind::Data };
        self.data(id, kind)
    }

    fn remote(&mut self, id: CanId) -> Result<CanFrame, LineError> {
        if matches!(self.peek(), Some(b'0'..=b'8')) {
            let eight = self.peek() == Some(b'8');
            self.at += 1;
            self.raw_dlc(eight)?;
        }
        CanFrame::new(id, FrameKind::Remote, &[]).ok_or_else(|| self.error("not a remote frame", TORN))
    }

    fn fd_data(&mut self, id: CanId) -> Result<CanFrame, LineError> {
        if self.hex().is_none() {
            return Err(self.error("a CAN FD frame without its digit of flags", TORN));
        }
        let frame = self.data(id, FrameKind::FdData)?;
        match frame.data().len() {
            0..=8 | 12 | 16 | 20 | 24 | 32 | 48 | 64 => Ok(frame),
            _ => Err(self.error("a CAN FD frame of a length that none can have", TORN)),
        }
    }

    fn data(&mut self, id: CanId, kind: FrameKind) -> Result<CanFrame, LineError> {
        let mut data = [0; CanFrame::MAX_BYTES];
        let most = if kind == FrameKind::FdData { CanFrame::MAX_BYTES } else { 8 };
        let mut len = 0;
        loop {
            if len > 0 {
                self.take(b'.');
            }
            let Some(high) = self.hex() else { break };
            let Some(low) = self.hex() else {
                return Err(self.error("half a byte", TORN));
            };
            if len == most {
                return Err(self.error("more data than such a frame can hold", TORN));
            }
            data[len] = high << 4 | low;
            len += 1;
        }
        if kind != FrameKind::FdData {
            self.raw_dlc(len == 8)?;
        }
        if !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(self.error("not a hexadecimal digit", TORN));
        }
        CanFrame::new(id, kind, &data[..len])
            .ok_or_else(|| self.error("more data than such a frame can hold", TORN))
    }

    /// `_9` to `_F`: the DLC of a frame of 8 bytes as it stood on the bus; of no use to us.
    fn raw_dlc(&mut self, eight: bool) -> Result<(), LineError> {
        if !self.take(b'_') {
            return Ok(());
        }
        match self.hex() {
            Some(9..=15) if eight => Ok(()),
            _ => Err(self.error("a raw DLC that is not 9 to F of a frame of 8 bytes", TORN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str) -> CanFrame {
        parse(&format!("(1436509052.249713) vcan0 {text}")).expect("a whole line").frame
    }

    fn refused(line: &str) -> LineError {
        parse(line).expect_err("not a whole line")
    }

    #[test]
    fn every_form_that_candump_writes_is_read() {
        let line = parse("(1436509052.249713) vcan0 044#2A366C2BBA").expect("whole");
        assert_eq!(line.time, UtcMicros(1_436_509_052_249_713));
        assert_eq!(line.channel, "vcan0");
        assert_eq!(line.frame.id(), CanId::Standard(0x044));
        assert_eq!(line.frame.data(), [0x2A, 0x36, 0x6C, 0x2B, 0xBA]);

        assert_eq!(frame("18FEC117#4C1D00004C1D0000").id(), CanId::Extended(0x18FE_C117));
        assert_eq!(frame("123#11.22.33").data(), [0x11, 0x22, 0x33]);
        assert_eq!(frame("123#").data(), []);
        assert_eq!(frame("123#1122334455667788_A").data().len(), 8);
        assert_eq!((frame("123#R").kind(), frame("123#R4").kind()), (FrameKind::Remote, FrameKind::Remote));
        assert_eq!(frame("12345678#R8_E").kind(), FrameKind::Remote);
        let fd = frame("123##31122");
        assert_eq!((fd.kind(), fd.data()), (FrameKind::FdData, &[0x11, 0x22][..]));
        assert_eq!(frame(&format!("123##0{}", "AB".repeat(64))).data().len(), 64);
        let error = frame("20000080#0000000000000000");
        assert_eq!((error.kind(), error.id()), (FrameKind::Error, CanId::Extended(0x80)));
    }

    #[test]
    fn line_numbers_directions_padding_and_nanoseconds_do_no_harm() {
        let plain = parse("(1.500000) can0 123#11").expect("whole");
        for other in [
            "17 (1.5) can0 123#11",
            "(1.500000000) can0 123#11",
            "(1.500000)    can0 123#11 R",
            " (1.500000) can0 123#11 T\r\n",
        ] {
            assert_eq!(parse(other), Ok(plain), "{other}");
        }
    }

    #[test]
    fn a_torn_line_says_where_and_what_to_mend() {
        let torn = refused("(1436509052.249713) vcan0 044#2A366C2BB");
        assert_eq!(
            torn.to_string(),
            "column 40: half a byte; the line is torn: take it out, or record again"
        );
        for line in [
            "",
            "(",
            "(1",
            "(1.",
            "(1.5",
            "(1.5)",
            "(1.5) ",
            "(1.5) can0",
            "(1.5) can0 ",
            "(1.5) can0 1",
            "(1.5) can0 1234#",
            "(1.5) can0 123",
            "(1.5) can0 FFF#00",
            "(1.5) can0 FFFFFFFF#00",
            "(1.5) can0 123#112233445566778899",
            "(1.5) can0 123##",
            "(1.5) can0 123##0112233445566778899",
            "(1.5) can0 123#11_9",
            "(1.5) can0 123#R8_8",
            "(1.5) can0 123#11x",
            "(1.5) can0 123#11 222#33",
            "(99999999999999.0) can0 123#11",
            "  can0  123   [2]  11 22",
        ] {
            let error = refused(line);
            assert!(error.column <= line.len() + 1, "{line}: {error}");
        }
        assert!(refused("  can0  123   [2]  11 22").to_string().contains("candump -l"));
    }

    #[test]
    fn an_error_does_not_repeat_the_data() {
        let error = refused("(1.5) can0 7E8#544D424A50374E5X").to_string();
        assert!(!error.contains("544D") && !error.contains("7E8"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line in "\\PC{0,80}") {
            let _ = parse(&line);
        }

        #[test]
        fn a_line_cut_anywhere_is_refused_or_says_less(
            id in 0_u32..0x2000_0000,
            data in proptest::collection::vec(any::<u8>(), 0..=8),
            cut in 0_usize..80,
        ) {
            let whole = format!("(1635188455.020850) can1 {id:08X}#{}", hex::encode_upper(&data));
            let line = parse(&whole).expect("whole");
            prop_assert_eq!(line.frame.id(), CanId::Extended(id));
            prop_assert_eq!(line.frame.data(), &data[..]);
            let cut = cut.min(whole.len());
            if let Ok(part) = parse(&whole[..cut]) {
                prop_assert!(data.starts_with(part.frame.data()));
            }
        }
    }
}
