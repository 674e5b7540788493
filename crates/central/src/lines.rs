//! A body read line by line, as it comes: no more of it is held than a line.
//!
//! Lines end with LF; a CR before it does not count, nor does a missing LF at
//! the end. A line over its bound is passed over and told by its number.

use crate::refusal::Refusal;
use axum::body::Body;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::timeout;
use vernport_api::{Code, MAX_IMPORT_BYTES, MAX_IMPORT_LINES, MAX_LINE_BYTES};
use vernport_crypto::sha256;

/// How long the next part of a body may take to come.
const PART_WITHIN: Duration = Duration::from_secs(30);

/// What comes next in a body.
#[derive(Debug)]
pub(crate) enum Next {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line over its bound.
    TooLong,
    /// The body ended as it should.
    End,
    /// It does not go on: broken off, too slow, or over a bound of the whole.
    Broken(Refusal),
}

/// A body, line by line.
pub(crate) struct Lines {
    body: Body,
    held: BytesMut,
    /// How much of `held` is known to have no end of a line.
    searched: usize,
    /// Of a line over its bound: how long it is until now, and what it begins with.
    passing: Option<(u64, [u8; 32])>,
    /// Bytes that came.
    came: usize,
    /// Lines that were given out.
    pub(crate) number: u32,
    has_ended: bool,
    digest: [u8; 32],
}

impl Lines {
    pub(crate) fn of(body: Body) -> Self {
        let held = BytesMut::new();
        let digest = sha256(b"");
        Self { body, held, searched: 0, passing: None, came: 0, number: 0, has_ended: false, digest }
    }

    /// A digest of what was given out, however it came.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The next line.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if let Some(end) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.held.split_to(self.searched + end + 1);
                line.truncate(line.len() - 1);
                return self.give(&line);
            }
            self.searched = self.held.len();
            if self.held.len() > MAX_LINE_BYTES {
                self.pass();
            }
            if self.has_ended {
                if self.held.is_empty() && self.passing.is_none() {
                    return Next::End;
                }
                let line = self.held.split();
                return self.give(&line);
            }
            if let Err(broken) = self.more().await {
                return Next::Broken(broken);
            }
        }
    }

    async fn more(&mut self) -> Result<(), Refusal> {
        match timeout(PART_WITHIN, self.body.frame()).await {
            Ok(None) => self.has_ended = true,
            Ok(Some(Ok(frame))) => {
                if let Ok(part) = frame.into_data() {
                    self.came += part.len();
                    if self.came > MAX_IMPORT_BYTES {
                        let detail = format!("send at most {MAX_IMPORT_BYTES} bytes at a time");
                        return Err(Refusal::new(Code::BodyTooLarge, detail));
                    }
                    self.held.extend_from_slice(&part);
                }
            }
            Ok(Some(Err(_))) => {
                return Err(Refusal::new(Code::BadRequest, "the body ended before its time"));
            }
            Err(_) => return Err(Refusal::new(Code::Busy, "the body came too slowly; send it again")),
        }
        Ok(())
    }

    /// Lets go of a part of a line that is too long.
    fn pass(&mut self) {
        let part = self.held.split();
        let (length, begins) = self.passing.unwrap_or_else(|| (0, sha256(&part[..MAX_LINE_BYTES])));
        self.passing = Some((length + part.len() as u64, begins));
        self.searched = 0;
    }

    fn give(&mut self, line: &[u8]) -> Next {
        self.searched = 0;
        if self.number == MAX_IMPORT_LINES {
            let detail = format!("send at most {MAX_IMPORT_LINES} lines at a time");
            return Next::Broken(Refusal::new(Code::BodyTooLarge, detail));
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
            None => sha256(line),
        };
        self.digest = sha256(&[self.digest, said].concat());
        match over {
            Some(_) => Next::TooLong,
            None => Next::Line(line.strip_suffix(b"\r").unwrap_or(line).to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// Everything that is given out of a body that comes in these parts, and its digest.
    fn read(parts: Vec<Vec<u8>>) -> (Vec<Option<Vec<u8>>>, [u8; 32]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let body = Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, Infallible>)));
            let (mut lines, mut given) = (Lines::of(body), Vec::new());
            loop {
                match lines.next().await {
                    Next::Line(line) => given.push(Some(line)),
                    Next::TooLong => given.push(None),
                    Next::End => return (given, lines.digest()),
                    Next::Broken(refusal) => panic!("{refusal:?}"),
                }
            }
        })
    }

    /// The same of the whole text.
    fn split(text: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let given = lines.into_iter().map(|line| {
            (line.len() <= MAX_LINE_BYTES).then(|| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
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
            let parts = ends.iter().map(|end| text[std::mem::replace(&mut from, *end)..*end].to_vec());
            let (given, digest) = read(parts.collect());
            prop_assert_eq!(&given, &split(&text));
            prop_assert_eq!(digest, read(vec![text]).1, "the digest does not know the parts");
        }
    }

    #[test]
    fn a_line_too_many_ends_it_and_those_before_are_given() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut lines = Lines::of(Body::from("x\n".repeat(10_001)));
            for _ in 0..MAX_IMPORT_LINES {
                assert!(matches!(lines.next().await, Next::Line(_)));
            }
            let Next::Broken(refusal) = lines.next().await else { panic!("it is one too many") };
            assert_eq!(refusal.0.code, Code::BodyTooLarge);
        });
    }
}
