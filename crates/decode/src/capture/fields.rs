//! The parts of a line: words, numbers, bytes. Every reader of a text format
//! is built of these; none of them repeats what the line holds.

use super::LineError;
use vernport_types::{CanFrame, CanId, FrameKind};

/// How to mend most lines.
pub(super) const TORN: &str = "the line is torn: take it out, or record again";

/// The data of a frame while it is read.
#[derive(Clone, Copy)]
pub(super) struct Payload {
    bytes: [u8; CanFrame::MAX_BYTES],
    len: usize,
}

impl Payload {
    pub(super) const EMPTY: Self = Self { bytes: [0; CanFrame::MAX_BYTES], len: 0 };

    /// Takes one more byte, unless there is no room in any frame.
    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Puts the last byte first.
    pub(super) fn reverse(&mut self) {
        self.bytes[..self.len].reverse();
    }
}

/// The words of a line from left to right.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    line: &'a str,
    separator: Option<char>,
    at: usize,
    /// Where the word that was taken last begins.
    word_at: usize,
}

impl<'a> Fields<'a> {
    /// Words between blanks.
    pub(super) fn between_blanks(line: &'a str) -> Self {
        Self { line, separator: None, at: 0, word_at: 0 }
    }

    /// Words between separators, without the blanks around them; some may be empty.
    pub(super) fn between(separator: char, line: &'a str) -> Self {
        Self { line, separator: Some(separator), at: 0, word_at: 0 }
    }

    /// The next word, none at the end of the line.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let rest = self.line.get(self.at..)?;
        let (skipped, word, used) = match self.separator {
            None => {
                let word = rest.trim_start();
                let skipped = rest.len() - word.len();
                let end = word.find(char::is_whitespace).unwrap_or(word.len());
                (skipped, &word[..end], skipped + end)
            }
            Some(separator) => {
                let end = rest.find(separator).unwrap_or(rest.len());
                let word = rest[..end].trim_start();
                (end - word.len(), word.trim_end(), end + separator.len_utf8())
            }
        };
        self.word_at = self.at + skipped;
        self.at += used;
        (self.separator.is_some() || !word.is_empty()).then_some(word)
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<&'a str> {
        let mut ahead = *self;
        ahead.next()
    }

    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// An error at the word that was taken last.
    pub(super) fn wrong(&self, problem: &'static str) -> LineError {
        LineError { column: self.word_at + 1, problem, remedy: TORN }
    }

    /// The next word.
    pub(super) fn need(&mut self, problem: &'static str) -> Result<&'a str, LineError> {
        self.next().ok_or_else(|| self.wrong(problem))
    }

    /// What `read` makes of the next word.
    pub(super) fn read<T>(
        &mut self,
        problem: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, LineError> {
        self.next().and_then(read).ok_or_else(|| self.wrong(problem))
    }

    /// The next `count` words as bytes.
    pub(super) fn data(&mut self, count: usize, base: Base) -> Result<Payload, LineError> {
        let mut payload = Payload::EMPTY;
        for _ in 0..count {
            let byte = self.read("a byte of data is missing or is none", |word| byte(word, base))?;
            payload.push(byte).ok_or_else(|| self.wrong("more data than a frame can hold"))?;
        }
        Ok(payload)
    }

    /// The bytes up to the end of the line.
    pub(super) fn data_to_end(&mut self, base: Base) -> Result<Payload, LineError> {
        let mut payload = Payload::EMPTY;
        while let Some(word) = self.next() {
            let byte = byte(word, base).ok_or_else(|| self.wrong("a byte of data is none"))?;
            payload.push(byte).ok_or_else(|| self.wrong("more data than a frame can hold"))?;
        }
        Ok(payload)
    }

    /// The frame, unless the id or the data are too large for it.
    pub(super) fn frame(&self, id: CanId, kind: FrameKind, payload: &Payload) -> Result<CanFrame, LineError> {
        frame(id, kind, payload.bytes()).ok_or_else(|| self.wrong("more data than such a frame can hold"))
    }
}

/// In which base the numbers of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Hexadecimal,
    Decimal,
}

impl Base {
    /// A number of digits only: no sign, no prefix.
    pub(super) fn number(self, word: &str) -> Option<u32> {
        match self {
            Self::Hexadecimal if word.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(word, 16).ok()
            }
            Self::Decimal if word.bytes().all(|b| b.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        }
    }
}

/// A hexadecimal number without prefix.
pub(super) fn hexadecimal(word: &str) -> Option<u32> {
    Base::Hexadecimal.number(word)
}

/// A decimal number.
pub(super) fn decimal(word: &str) -> Option<u32> {
    Base::Decimal.number(word)
}

/// A byte of at most two hexadecimal or three decimal digits.
fn byte(word: &str, base: Base) -> Option<u8> {
    u8::try_from(base.number(word)?).ok()
}

/// `0x` taken off, if it is there.
pub(super) fn without_prefix(word: &str) -> &str {
    word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word)
}

/// An id whose format the file tells.
pub(super) fn id(raw: u32, extended: bool) -> Option<CanId> {
    if extended { CanId::extended(raw) } else { CanId::standard(u16::try_from(raw).ok()?) }
}

/// An id whose format the file does not tell: what is too large for 11 bits has 29.
pub(super) fn id_by_size(raw: u32) -> Option<CanId> {
    id(raw, raw > 0x7FF)
}

/// A frame whose length can stand on a bus.
pub(super) fn frame(id: CanId, kind: FrameKind, bytes: &[u8]) -> Option<CanFrame> {
    match bytes.len() {
        0..=8 | 12 | 16 | 20 | 24 | 32 | 48 | 64 => CanFrame::new(id, kind, bytes),
        _ => None,
    }
}

/// The most bytes up to `len` that a frame can have.
pub(super) fn longest_within(len: usize) -> usize {
    (0..=15).rev().filter_map(|dlc| bytes_of_dlc(dlc, true)).find(|bytes| *bytes <= len).unwrap_or(0)
}

/// How many bytes a DLC stands for (ISO 11898-1).
pub(super) const fn bytes_of_dlc(dlc: u8, fd: bool) -> Option<usize> {
    Some(match dlc {
        0..=8 => dlc as usize,
        9..=15 if !fd => 8,
        9 => 12,
        10 => 16,
        11 => 20,
        12 => 24,
        13 => 32,
        14 => 48,
        15 => 64,
        _ => return None,
    })
}

/// A decimal number with an optional fraction, times 10 to the power of
/// `digits`, without what is smaller: `1.5` seconds with 6 digits are 1 500 000 µs.
pub(super) fn scaled(word: &str, digits: u32) -> Option<i64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let digits = usize::try_from(digits).ok()?;
    let fraction = fraction.bytes().chain(std::iter::repeat(b'0')).take(digits);
    fraction
        .map(|digit| i64::from(digit - b'0'))
        .try_fold(whole, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_found_with_their_columns() {
        let mut fields = Fields::between_blanks("  ab \t c ");
        assert_eq!((fields.next(), fields.wrong("x").column), (Some("ab"), 3));
        assert_eq!((fields.peek(), fields.next(), fields.wrong("x").column), (Some("c"), Some("c"), 8));
        assert_eq!(fields.next(), None);
        let mut fields = Fields::between(',', "a, b,,");
        assert_eq!([fields.next(), fields.next()], [Some("a"), Some("b")]);
        assert_eq!(fields.wrong("x").column, 4);
        assert_eq!([fields.next(), fields.next(), fields.next()], [Some(""), Some(""), None]);
    }

    #[test]
    fn numbers_have_no_sign_and_times_are_exact() {
        assert_eq!((hexadecimal("1F"), hexadecimal("+1"), hexadecimal("")), (Some(31), None, None));
        assert_eq!((decimal("19"), decimal("1F"), decimal("-1")), (Some(19), None, None));
        assert_eq!(scaled("348.16155", 6), Some(348_161_550));
        assert_eq!(scaled("348.1615509", 6), Some(348_161_550));
        assert_eq!(scaled("17", 3), Some(17_000));
        assert_eq!((scaled(".5", 6), scaled("-1.0", 6), scaled("9999999999999999", 6)), (None, None, None));
    }

    #[test]
    fn a_length_that_no_frame_can_have_is_refused() {
        let id = CanId::Standard(1);
        assert!(frame(id, FrameKind::FdData, &[0; 12]).is_some());
        assert!(frame(id, FrameKind::FdData, &[0; 13]).is_none());
        assert!(frame(id, FrameKind::Data, &[0; 12]).is_none());
        assert_eq!([bytes_of_dlc(15, true), bytes_of_dlc(15, false)], [Some(64), Some(8)]);
        assert_eq!(bytes_of_dlc(16, true), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line in "\\PC{0,60}") {
            for mut fields in [Fields::between_blanks(&line), Fields::between(',', &line)] {
                let mut words = 0;
                while let Some(word) = fields.next() {
                    words += 1;
                    let _ = (scaled(word, 6), hexadecimal(word), fields.wrong("x"), fields.rest());
                }
                prop_assert!(words <= line.len() + 1);
            }
        }

        #[test]
        fn a_time_is_read_as_it_was_written(micros in 0_i64..4_000_000_000_000_000) {
            let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            prop_assert_eq!(scaled(&text, 6), Some(micros));
        }
    }
}
