//! What is wrong in a DBC file: line, what, and how to mend it.

use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something in the file is not decoded because of it.
    Error,
    /// It is decoded all the same, though perhaps not as its author meant.
    Warning,
}

impl Severity {
    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line, from 1.
    pub line: u32,
    /// Whether something is lost by it.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}; {}", self.line, self.severity, self.what, self.mend)
    }
}

/// The findings of one file, as many as are kept.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    errors_dropped: bool,
}

impl Findings {
    /// How many are kept; a file with more is not mended by reading on.
    const MOST: usize = 1_000;

    pub(super) fn error(&mut self, line: u32, what: String, mend: &'static str) {
        self.push(Severity::Error, line, what, mend);
    }

    pub(super) fn warning(&mut self, line: u32, what: String, mend: &'static str) {
        self.push(Severity::Warning, line, what, mend);
    }

    fn push(&mut self, severity: Severity, line: u32, what: String, mend: &'static str) {
        if self.list.len() < Self::MOST {
            self.list.push(Finding { line, severity, what, mend });
        } else if severity == Severity::Error && !self.errors_dropped {
            self.errors_dropped = true;
            let what = format!("more than {} findings; the rest is not listed", Self::MOST);
            self.list.push(Finding { line, severity, what, mend: "mend those above first" });
        }
    }

    /// By line.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.list.sort();
        self.list
    }
}
