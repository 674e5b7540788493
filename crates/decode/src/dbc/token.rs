//! The text of a DBC file, cut into words, numbers, strings and signs, each with its line.
//!
//! From `//` to the end of a line stands a remark.
//!
//! One pass, no look back further than one token: the time is linear in the
//! length of the text, whatever stands in it.

use std::borrow::Cow;

/// What a piece of the text is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// A keyword or name.
    Word(&'a str),
    /// A number as it is written, with its sign.
    Number(&'a str),
    /// What stands between two quotation marks; a mark inside is written with a backslash.
    Text(&'a str),
    /// Any other sign.
    Sign(char),
}

/// A piece of the text and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) token: Token<'a>,
    /// From 1.
    pub(super) line: u32,
    /// Nothing but space stands before it on its line.
    pub(super) first: bool,
    /// The quotation that it begins does not end.
    pub(super) open: bool,
}

/// The bytes of a file as text: UTF-8 with or without its mark, else code page 1252.
/// Also the first line that is neither (with one of the five bytes that code page 1252 leaves free).
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, Option<u32>) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), None);
    }
    let mut unknown = None;
    let mut line = 1;
    let text = bytes
        .iter()
        .map(|byte| {
            line += u32::from(*byte == b'\n');
            let letter = code_page_1252(*byte);
            if letter == char::REPLACEMENT_CHARACTER {
                unknown.get_or_insert(line);
            }
            letter
        })
        .collect();
    (Cow::Owned(text), unknown)
}

/// Windows code page 1252: Latin-1, with letters and signs from 80 to 9F.
fn code_page_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž', '\u{FFFD}',
        '\u{FFFD}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// The pieces of a text, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'a> {
    rest: &'a str,
    line: u32,
    first: bool,
    /// No quotation ends from here on: it is not looked for again, which would take quadratic time.
    endless: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1, first: true, endless: false }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn pass_space(&mut self) {
        let start = self.rest.find(|letter: char| !letter.is_whitespace()).unwrap_or(self.rest.len());
        let passed = lines(self.take(start));
        self.line += passed;
        self.first |= passed > 0;
    }

    /// A quotation, the opening mark being gone. One that never ends ends with its line.
    fn quotation(&mut self) -> (&'a str, bool) {
        let mut escaped = false;
        let searched = if self.endless { "" } else { self.rest };
        for (at, letter) in searched.char_indices() {
            match letter {
                '"' if !escaped => {
                    let inner = self.take(at);
                    self.take(1);
                    self.line += lines(inner);
                    return (inner, false);
                }
                _ => escaped = letter == '\\' && !escaped,
            }
        }
        self.endless = true;
        let end = self.rest.find(['\r', '\n']).unwrap_or(self.rest.len());
        (self.take(end), true)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        self.pass_space();
        while self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(end);
            self.pass_space();
        }
        let letter = self.rest.chars().next()?;
        let (line, first) = (self.line, std::mem::replace(&mut self.first, false));
        let mut open = false;
        let token = if letter == '"' {
            self.take(1);
            let (inner, unended) = self.quotation();
            open = unended;
            Token::Text(inner)
        } else if let Some(bytes) = number(self.rest) {
            Token::Number(self.take(bytes))
        } else if is_of_word(letter) {
            let end = self.rest.find(|letter| !is_of_word(letter)).unwrap_or(self.rest.len());
            Token::Word(self.take(end))
        } else {
            self.take(letter.len_utf8());
            Token::Sign(letter)
        };
        Some(Piece { token, line, first, open })
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// How many bytes the number at the start of the text has; none if it is a sign or a name with a digit in front.
fn number(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if exponent < bytes.len() && digits(exponent) > 0 {
            end = exponent + digits(exponent);
        }
    }
    match text[end..].chars().next() {
        Some(letter) if is_of_word(letter) => None,
        _ => Some(end),
    }
}

/// A whole number that may be written with a fraction of zero.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Token::{Number, Sign, Text, Word};
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Pieces::new(text).map(|piece| piece.token).collect()
    }

    #[test]
    fn a_signal_is_cut_the_same_with_and_without_space() {
        let spaced = tokens("SG_ s m1M : 8 | 16 @ 1 + ( 1E-05 , -1e3 ) [ 0 | 1.5E+3 ] \"km/h\" A");
        assert_eq!(spaced, tokens("SG_ s m1M:8|16@1 +(1E-05,-1e3)[0|1.5E+3]\"km/h\"A"));
        assert_eq!(spaced[..3], [Word("SG_"), Word("s"), Word("m1M")]);
        assert!(spaced.contains(&Number("1E-05")) && spaced.contains(&Text("km/h")));
        assert_eq!(
            tokens("8@1+ (1"),
            [Number("8"), Sign('@'), Number("1"), Sign('+'), Sign('('), Number("1")]
        );
        assert_eq!(tokens("12V_Net -1 -"), [Word("12V_Net"), Number("-1"), Sign('-')]);
        assert_eq!(tokens("a // b \"\n// c\nd / e //"), [Word("a"), Word("d"), Sign('/'), Word("e")]);
        assert_eq!(tokens("1e 1e+ 1."), [Word("1e"), Word("1e"), Sign('+'), Number("1.")]);
    }

    #[test]
    fn a_quotation_may_hold_marks_and_lines_and_is_counted_by_where_it_begins() {
        let pieces: Vec<_> = Pieces::new("CM_ \"a\n \\\"b\\\"\n;\" ;\nBO_ \"open\nSG_").collect();
        assert_eq!(pieces[1].token, Text("a\n \\\"b\\\"\n;"));
        assert_eq!((pieces[1].line, pieces[2].line), (1, 3));
        assert!(!pieces[2].first && pieces[3].first && !pieces[3].open);
        assert_eq!((pieces[4].token, pieces[4].open), (Text("open"), true));
        assert_eq!((pieces[5].token, pieces[5].line, pieces[5].first), (Word("SG_"), 5, true));
    }

    #[test]
    fn bytes_are_utf_8_or_else_of_the_code_page() {
        assert_eq!(text("\u{FEFF}µ°".as_bytes()), ("µ°".into(), None));
        assert_eq!(text(b"\xB0C \x80"), ("°C €".into(), None));
        assert_eq!(text(b"a\n\xB0\x81").1, Some(2));
    }

    proptest! {
        #[test]
        fn every_text_comes_to_an_end_and_no_piece_is_lost(letters in "[ \"\\\\\n\r\tA-c0-2.+e@|;°-]{0,200}") {
            let cut: usize = Pieces::new(&letters).map(|piece| match piece.token {
                Word(text) | Number(text) => text.len(),
                Text(text) => text.len() + if piece.open { 1 } else { 2 },
                Sign(sign) => sign.len_utf8(),
            }).sum();
            prop_assert!(cut <= letters.len());
            let solid = letters.chars().filter(|letter| !letter.is_whitespace()).map(char::len_utf8).sum::<usize>();
            prop_assert!(cut >= solid);
        }
    }
}
