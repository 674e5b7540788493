//! The lines of an import, out of its bytes as they come: no more of them is held
//! than a line, and the parts make no difference.
//!
//! Lines end with LF; a CR before it does not count, nor does a missing LF at
//! the end. A line over [`MAX_LINE_BYTES`] is passed over and told by its number.

use crate::{ImportLine, MAX_IMPORT_BYTES, MAX_IMPORT_LINES, MAX_LINE_BYTES};
use bytes::{Bytes, BytesMut};
use thiserror::Error;
use vernport_crypto::sha256;

/// What comes next in an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextLine {
    /// A line, without its end.
    Line(Bytes),
    /// A line over its bound.
    TooLong,
    /// It has to be given more bytes, or told that there are no more.
    Wanting,
    /// There are no more lines.
    End,
}

/// Over a bound of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooMuch {
    /// More bytes than an import may have.
    #[error("send at most {MAX_IMPORT_BYTES} bytes at a time")]
    Bytes,
    /// More lines than an import may have.
    #[error("send at most {MAX_IMPORT_LINES} lines at a time")]
    Lines,
}

/// Why a line is no entry. Says where, and repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineError {
    /// Nothing stands in it.
    #[error("the line is empty; write one entry a line and nothing in between")]
    Empty,
    /// It is not text.
    #[error("not UTF-8 from byte {byte} on")]
    Text {
        /// Which byte of the line, from 1.
        byte: usize,
    },
    /// It is not JSON, or not of an entry.
    #[error("not an entry with its identifiers, at column {column}")]
    Entry {
        /// Which byte of the line, from 1; 0 if there is none to name.
        column: usize,
    },
}

impl ImportLine {
    /// Reads one line, without its end.
    ///
    /// # Errors
    /// [`LineError`] says where in the line.
    pub fn read(line: &[u8]) -> Result<Self, LineError> {
        if line.is_empty() {
            return Err(LineError::Empty);
        }
        let text =
            std::str::from_utf8(line).map_err(|error| LineError::Text { byte: error.valid_up_to() + 1 })?;
        serde_json::from_str(text).map_err(|error| LineError::Entry { column: error.column() })
    }
}

/// An import on its way in, line by line.
#[derive(Debug)]
pub struct ImportLines {
    held: BytesMut,
    /// How much of `held` is known to have no end of a line.
    searched: usize,
    /// Of a line over its bound: how long it is until now, and what it begins with.
    passing: Option<(u64, [u8; 32])>,
    /// Bytes that came.
    came: usize,
    number: u32,
    has_ended: bool,
    digest: [u8; 32],
}

impl Default for ImportLines {
    fn default() -> Self {
        Self {
            held: BytesMut::new(),
            searched: 0,
            passing: None,
            came: 0,
            number: 0,
            has_ended: false,
            digest: sha256(b""),
        }
    }
}

impl ImportLines {
    /// How many lines were given out: the number of the last one.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// A digest of what was given out, however it came.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Takes the next part. To hold little, lines are taken out before more is put in.
    ///
    /// # Errors
    /// [`TooMuch::Bytes`]; the part is not taken then.
    pub fn push(&mut self, part: &[u8]) -> Result<(), TooMuch> {
        self.came = self.came.saturating_add(part.len());
        if self.came > MAX_IMPORT_BYTES {
            return Err(TooMuch::Bytes);
        }
        self.held.extend_from_slice(part);
        Ok(())
    }

    /// No part follows.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`TooMuch::Lines`] instead of the first line that is one too many.
    pub fn next_line(&mut self) -> Result<NextLine, TooMuch> {
        if let Some(end) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') {
            let mut line = self.held.split_to(self.searched + end + 1);
            line.truncate(line.len() - 1);
            return self.give(line.freeze());
        }
        self.searched = self.held.len();
        if self.held.len() > MAX_LINE_BYTES {
            self.pass();
        }
        if !self.has_ended {
            return Ok(NextLine::Wanting);
        }
        if self.held.is_empty() && self.passing.is_none() {
            return Ok(NextLine::End);
        }
        let line = self.held.split().freeze();
        self.give(line)
    }

    /// Lets go of a part of a line that is too long.
    fn pass(&mut self) {
        let part = self.held.split();
        let (length, begins) = self.passing.unwrap_or_else(|| (0, sha256(&part[..MAX_LINE_BYTES])));
        self.passing = Some((length + part.len() as u64, begins));
        self.searched = 0;
    }

    fn give(&mut self, mut line: Bytes) -> Result<NextLine, TooMuch> {
        self.searched = 0;
        if self.number == MAX_IMPORT_LINES {
            return Err(TooMuch::Lines);
        }
        self.number += 1;
        let over = match self.passing.take() {
            Some((length, begins)) => Some((length + line.len() as u64, begins)),
            None => {
                (line.len() > MAX_LINE_BYTES).then(|| (line.len() as u64, sha256(&line[..MAX_LINE_BYTES])))
            }
        };
        let said = match over {
            Some((length, begins)) => sha256(&[&length.to_be_bytes()[..], &begins].concat()),
            None => sha256(&line),
        };
        self.digest = sha256(&[self.digest, said].concat());
        if over.is_some() {
            return Ok(NextLine::TooLong);
        }
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Ok(NextLine::Line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that is given out of what comes in these parts, and its digest.
    fn read(parts: &[&[u8]]) -> (Vec<Option<Bytes>>, [u8; 32]) {
        let (mut lines, mut given, mut parts) = (ImportLines::default(), Vec::new(), parts.iter());
        loop {
            match lines.next_line().expect("few lines") {
                NextLine::Line(line) => given.push(Some(line)),
                NextLine::TooLong => given.push(None),
                NextLine::Wanting => match parts.next() {
                    Some(part) => lines.push(part).expect("few bytes"),
                    None => lines.end(),
                },
                NextLine::End => {
                    assert_eq!(lines.number() as usize, given.len());
                    return (given, lines.digest());
                }
            }
        }
    }

    /// The same of the whole text.
    fn split(text: &[u8]) -> Vec<Option<Bytes>> {
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let given = lines.into_iter().map(|line| {
            let bare = line.strip_suffix(b"\r").unwrap_or(line);
            (line.len() <= MAX_LINE_BYTES).then(|| Bytes::copy_from_slice(bare))
        });
        given.collect()
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            3 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            4 => proptest::collection::vec(any::<u8>(), 0..9),
            2 => (0..4_usize).prop_map(|more| vec![b'x'; MAX_LINE_BYTES - 2 + more]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lines_are_those_of_the_whole_text_however_it_comes(
            pieces in proptest::collection::vec(piece(), 0..12),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = pieces.concat();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            ends.push(text.len());
            ends.sort_unstable();
            let mut from = 0;
            let parts: Vec<&[u8]> =
                ends.iter().map(|end| &text[std::mem::replace(&mut from, *end)..*end]).collect();
            let (given, digest) = read(&parts);
            prop_assert_eq!(&given, &split(&text));
            prop_assert_eq!(digest, read(&[&text]).1, "the digest does not know the parts");
        }
    }

    #[test]
    fn a_line_or_a_byte_too_many_ends_it_and_lines_before_are_given() {
        let mut lines = ImportLines::default();
        lines.push(&b"x\n".repeat(10_001)).expect("few bytes");
        for _ in 0..MAX_IMPORT_LINES {
            assert_eq!(lines.next_line(), Ok(NextLine::Line(Bytes::from_static(b"x"))));
        }
        assert_eq!(lines.next_line(), Err(TooMuch::Lines));
        let mut lines = ImportLines::default();
        let part = vec![b'\n'; MAX_IMPORT_BYTES / 8];
        for _ in 0..8 {
            lines.push(&part).expect("within the bound");
        }
        assert_eq!(lines.push(b"\n"), Err(TooMuch::Bytes));
        assert_eq!(lines.next_line(), Ok(NextLine::Line(Bytes::new())));
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_with_the_place_and_nothing_of_what_it_says() {
        let cases: [(&[u8], LineError); 4] = [
            (b"", LineError::Empty),
            (b"{\"entry\": \"\xff\"}", LineError::Text { byte: 12 }),
            (b"{\"entry\": ", LineError::Entry { column: 10 }),
            (b"{\"secret\": 1}", LineError::Entry { column: 9 }),
        ];
        for (line, error) in cases {
            assert_eq!(ImportLine::read(line), Err(error));
            assert!(!error.to_string().contains("secret"));
        }
    }
}
