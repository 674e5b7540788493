//! Notices: what people were told, and where data is taken from.

use crate::words::words;
use vernport_types::{Category, Slug, Source};

words! {
    /// When a notice version counts as served.
    pub enum ServedWhen {
        /// When the ledger says that it was published.
        Recorded = "recorded",
        /// When the ledger says that everybody linked to the asset was told.
        Told = "told",
    }
}

words! {
    /// Where a reading can come from, as people are told.
    pub enum SourceClass {
        /// The vehicle's own bus.
        Vehicle = "vehicle",
        /// A workshop tool.
        Tool = "tool",
        /// Typed in by a person.
        Manual = "manual",
    }
}

impl SourceClass {
    /// The class of a source.
    pub const fn of(source: &Source) -> Self {
        match source {
            Source::J1939 { .. } | Source::Obd { .. } | Source::Uds { .. } | Source::Dbc { .. } => {
                Self::Vehicle
            }
            Source::Tool => Self::Tool,
            Source::Manual => Self::Manual,
        }
    }

    /// Its place among the three.
    pub(crate) const fn place(self) -> usize {
        self as usize
    }
}

/// A set of classes of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources(u8);

impl Sources {
    /// All three.
    pub const ALL: Self = Self(0b111);

    /// Whether data may be taken from there.
    pub const fn contains(self, class: SourceClass) -> bool {
        self.0 & (1 << class.place()) != 0
    }

    /// Whether none is left.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of these are among others.
    pub const fn is_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = SourceClass> {
        SourceClass::ALL.iter().copied().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<SourceClass> for Sources {
    fn from_iter<I: IntoIterator<Item = SourceClass>>(classes: I) -> Self {
        Self(classes.into_iter().fold(0, |set, class| set | (1 << class.place())))
    }
}

/// One version of the controller's notice, oldest first. Path `notice.<version>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name with its version, as the ledger names it when it is served.
    pub version: Slug,
    /// When it counts as served.
    pub served_when: ServedWhen,
    /// The categories of data that it lists.
    pub categories: Vec<Category>,
    /// Where it says that data is taken from.
    pub sources: Sources,
    /// The clauses that list them.
    pub clauses: Vec<String>,
    /// Whether no notice states it.
    pub assumed: bool,
}
