//! Bytes to lines, with a bound on each.

/// The longest line; one of CAN FD with all that CANoe adds has some 500 bytes.
pub(super) const LINE_MAX_BYTES: usize = 4096;

/// What was between two newlines.
pub(super) enum Piece<'a> {
    /// A line. What is not UTF-8 in it is shown as `?`: the formats are ASCII,
    /// and names and comments of people are no part of a frame.
    Line(&'a str),
    /// More than a line can be.
    TooLong,
}

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    overlong: bool,
    number: u64,
}

impl Lines {
    /// Takes more bytes and gives out every line that is whole.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(u64, Piece<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end]);
            self.end(&mut sink);
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    /// The last line, if it has no end.
    pub(super) fn finish(&mut self, mut sink: impl FnMut(u64, Piece<'_>)) {
        if self.overlong || !self.line.is_empty() {
            self.end(&mut sink);
        }
    }

    fn extend(&mut self, part: &[u8]) {
        if self.line.len() + part.len() > LINE_MAX_BYTES {
            self.overlong = true;
            self.line.clear();
        }
        if !self.overlong {
            self.line.extend_from_slice(part);
        }
    }

    fn end(&mut self, sink: &mut impl FnMut(u64, Piece<'_>)) {
        self.number += 1;
        if self.overlong {
            sink(self.number, Piece::TooLong);
        } else {
            if std::str::from_utf8(&self.line).is_err() {
                self.line.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
            }
            let text = std::str::from_utf8(&self.line).unwrap_or_default();
            let text = if self.number == 1 { text.trim_start_matches('\u{FEFF}') } else { text };
            sink(self.number, Piece::Line(text.strip_suffix('\r').unwrap_or(text)));
        }
        self.line.clear();
        self.overlong = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(parts: &[&[u8]]) -> Vec<Option<String>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut sink = |_, piece: Piece<'_>| {
            found.push(match piece {
                Piece::Line(text) => Some(text.to_owned()),
                Piece::TooLong => None,
            });
        };
        for part in parts {
            lines.push(part, &mut sink);
        }
        lines.finish(&mut sink);
        assert_eq!(lines.number, found.len() as u64);
        found
    }

    #[test]
    fn lines_end_in_either_way_and_the_last_need_not() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(lines(&[b"a\r\nb\n\nc"]), [some("a"), some("b"), some(""), some("c")]);
        assert_eq!(lines(&[b""]), []);
        assert_eq!(lines(&["\u{FEFF}a\n".as_bytes(), b"\xFCb\n"]), [some("a"), some("?b")]);
    }

    #[test]
    fn a_line_without_end_takes_no_room() {
        let mut long = vec![b'x'; 3 * LINE_MAX_BYTES];
        long.extend_from_slice(b"\nshort\n");
        assert_eq!(lines(&[&long]), [None, Some("short".to_owned())]);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cut in 0_usize..200,
        ) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(lines(&[&bytes]), lines(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
