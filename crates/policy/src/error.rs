//! What is wrong with a bundle, where it stands and how to mend it.

use std::ops::Range;
use thiserror::Error;

/// Why a bundle cannot be used: file, line, column, what and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {what}; {remedy}")]
pub struct BundleError {
    /// Which file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub remedy: String,
}

impl BundleError {
    /// Places a finding at the start of a span of bytes of the text.
    pub(crate) fn at(
        file: &str,
        text: &str,
        span: &Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_stands_at_its_line_and_column() {
        let text = "a = 1\nbø = 2\n";
        let place = |start| {
            let error = BundleError::at("x.toml", text, &(start..start), "w", "r");
            (error.line, error.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(6), (2, 1));
        assert_eq!(place(10), (2, 4));
        assert_eq!(place(8), (2, 2), "inside of a character counts as its start");
        assert_eq!(place(99), (3, 1));
    }
}
