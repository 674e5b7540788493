//! `clauses.toml` beside a bundle: each clause of the notice, the rules that keep it and
//! the tests that show it.
//!
//! ```toml
//! [[clause]]
//! id = "CARS-4.14"
//! class = "E"             # E: the machine keeps it; S: it helps; E/S: both; O: people alone
//! status = "covered"      # covered | due-later | supported | organisational
//! rules = ["form.service-reminder-1", "engine: consents, in registry"]
//! tests = ["rules::clauses::cars::cars_4_14", "tests/CARS-4.14.toml"]
//! flag = "F-1"            # a contradiction or gap that the clause shows
//! note = "…"
//! ```
//!
//! A rule is a path of the bundle, or `engine: …` where code holds for every bundle. A test is a
//! trial beside the bundle, or a Rust test by suite or crate, modules and function.

use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fmt};
use thiserror::Error;
use toml::Spanned;

/// The longest file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// How a rule begins that stands in code.
const ENGINE: &str = "engine: ";

/// Why a file is no list of clauses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {what}; {remedy}")]
pub struct ClausesError {
    /// Which file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub remedy: &'static str,
}

/// What software can do about a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// The machine makes the breach impossible, or refuses.
    E,
    /// The core as `E`, the rest as `S`.
    #[serde(rename = "E/S")]
    ES,
    /// The machine produces, reminds or shows; a person decides.
    S,
    /// People alone.
    O,
}

impl Class {
    /// Whether a rule has to keep it.
    pub const fn is_enforced(self) -> bool {
        matches!(self, Self::E | Self::ES)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::E => "E",
            Self::ES => "E/S",
            Self::S => "S",
            Self::O => "O",
        })
    }
}

/// How far a clause is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A rule keeps it, and a test shows that.
    Covered,
    /// A rule will keep it.
    DueLater,
    /// Something helps people to keep it.
    Supported,
    /// People keep it.
    Organisational,
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Its id, such as `CARS-4.14`.
    pub id: String,
    /// What software can do about it.
    pub class: Class,
    /// How far it is kept.
    pub status: Status,
    /// The rules that keep it.
    pub rules: Vec<Keeper>,
    /// The tests that show it.
    pub tests: Vec<Test>,
    /// The contradiction or gap that it shows, such as `F-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// What has to be said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The line that it begins at, from 1.
    #[serde(skip)]
    pub line: usize,
}

/// What keeps a clause.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Keeper {
    /// A rule of the bundle, by its path.
    Rule(String),
    /// Code that holds for every bundle: what, and in which crate.
    Engine(String),
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(path) => f.write_str(path),
            Self::Engine(what) => write!(f, "{ENGINE}{what}"),
        }
    }
}

impl Serialize for Keeper {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What shows that a clause is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// A trial, by its path beside the bundle.
    Trial(String),
    /// A Rust test: suite or crate, modules, function.
    Rust(Vec<String>),
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trial(path) => f.write_str(path),
            Self::Rust(path) => f.write_str(&path.join("::")),
        }
    }
}

impl Serialize for Test {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All clauses of one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clauses {
    pub(crate) file: String,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    clause: Vec<Spanned<RawClause>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClause {
    id: String,
    class: Class,
    status: Status,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    tests: Vec<String>,
    flag: Option<String>,
    note: Option<String>,
}

impl Clauses {
    /// Reads a list. `file` is only named in errors and findings.
    ///
    /// # Errors
    /// [`ClausesError`] for another shape, and for a clause that stands twice.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ClausesError> {
        let line = |start: usize| 1 + text[..text.floor_char_boundary(start)].matches('\n').count();
        let fault = |start: usize, what: String, remedy| {
            Err(ClausesError { file: file.into(), line: line(start), what, remedy })
        };
        if text.len() > MAX_BYTES {
            return fault(0, format!("{} bytes are too many", text.len()), "keep it below 1 MiB");
        }
        let raw: Raw = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let what = error.message().replace('\n', ", ");
                return fault(start, what, "write [[clause]] with id, class, status, rules and tests");
            }
        };
        let mut seen = HashSet::new();
        let mut clauses = Vec::with_capacity(raw.clause.len());
        for spanned in raw.clause {
            let start = spanned.span().start;
            let raw = spanned.into_inner();
            if !seen.insert(raw.id.clone()) {
                return fault(start, format!("clause {} stands twice", raw.id), "join the two");
            }
            let mut tests = Vec::with_capacity(raw.tests.len());
            for test in &raw.tests {
                let Some(test) = Test::read(test) else {
                    let what = format!("`{test}` is no test");
                    return fault(start, what, "write tests/<name>.toml, or <suite or crate>::<path>");
                };
                tests.push(test);
            }
            clauses.push(Clause {
                id: raw.id,
                class: raw.class,
                status: raw.status,
                rules: raw.rules.into_iter().map(Keeper::read).collect(),
                tests,
                flag: raw.flag,
                note: raw.note,
                line: line(start),
            });
        }
        Ok(Self { file: file.into(), clauses })
    }

    /// The clauses, as they stand.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }
}

impl Keeper {
    fn read(text: String) -> Self {
        match text.strip_prefix(ENGINE) {
            Some(what) => Self::Engine(what.into()),
            None => Self::Rule(text),
        }
    }
}

impl Test {
    fn read(text: &str) -> Option<Self> {
        if std::path::Path::new(text).extension().is_some_and(|extension| extension == "toml") {
            // Beside the bundle, and nowhere else.
            let inside =
                !text.starts_with('/') && text.split('/').all(|part| !part.is_empty() && part != "..");
            return inside.then(|| Self::Trial(text.into()));
        }
        let parts: Vec<String> = text.split("::").map(Into::into).collect();
        let word = |part: &String| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        (parts.len() >= 2 && parts.iter().all(word)).then_some(Self::Rust(parts))
    }
}

/// How many clauses are kept, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All clauses.
    pub clauses: usize,
    /// Those that a rule has to keep (`E` and `E/S`).
    pub enforced: usize,
    /// Of these: a rule keeps it, and a test shows that.
    pub covered: usize,
    /// Of these: due later.
    pub due_later: usize,
    /// Of these: neither, or its rule or test is missing.
    pub open: usize,
    /// Supported (`S`).
    pub supported: usize,
    /// Organisational (`O`).
    pub organisational: usize,
}

impl Counts {
    /// Counts clauses; `broken` says of which a rule or a test is missing.
    pub(crate) fn of(clauses: &[Clause], broken: impl Fn(&Clause) -> bool) -> Self {
        let mut counts = Self { clauses: clauses.len(), ..Self::default() };
        for clause in clauses {
            if !clause.class.is_enforced() {
                match clause.class {
                    Class::O => counts.organisational += 1,
                    _ => counts.supported += 1,
                }
                continue;
            }
            counts.enforced += 1;
            match clause.status {
                _ if broken(clause) => counts.open += 1,
                Status::Covered => counts.covered += 1,
                Status::DueLater => counts.due_later += 1,
                Status::Supported | Status::Organisational => counts.open += 1,
            }
        }
        counts
    }
}
