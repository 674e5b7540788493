//! Which DBC signal is which signal of the catalogue: rules, read from `config/dbc/*.toml`.
//!
//! Rules are tried in order; the first that fits a signal settles it. Names are
//! compared without case, underscores and other signs; `*` stands for anything.

use super::{assign::assign, database::Database};
use serde::Deserialize;
use thiserror::Error;
use vernport_types::{Catalogue, SignalId};

/// The rules that come with the program.
const SHIPPED: &str = include_str!("../../../../config/dbc/default.toml");

/// Why a mapping cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Not TOML of the expected shape.
    #[error("{file}: not a mapping of DBC signals: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and what, from the TOML reader.
        message: String,
    },
    /// A format this version cannot read.
    #[error("{file}: format {format} is not known here; this version reads format 1")]
    Format {
        /// Which file.
        file: String,
        /// The number found.
        format: u32,
    },
    /// A rule that says nothing, or too much.
    #[error("{file}: rule {number}: {what}")]
    Rule {
        /// Which file.
        file: String,
        /// Which rule, from 1.
        number: usize,
        /// What is wrong and how to mend it.
        what: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    rule: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    path: Option<String>,
    ignore: Option<String>,
    message: Option<String>,
    #[serde(default)]
    signal: Vec<String>,
    #[serde(default)]
    longitude: Vec<String>,
    spn: Option<u32>,
    assume_unit: Option<String>,
    reaches: Option<f64>,
    reaches_at_most: Option<f64>,
    finer_than: Option<f64>,
    on: Option<Vec<u8>>,
    off: Option<Vec<u8>>,
    valid: Option<ValidText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidText {
    signal: Vec<String>,
    is: u64,
}

/// A name with `*` for anything, compared by letters and digits alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    letters: Vec<char>,
    is_exact: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let letters: Vec<char> = text
            .chars()
            .filter(|letter| letter.is_alphanumeric() || *letter == '*')
            .flat_map(char::to_lowercase)
            .collect();
        let is_exact = !letters.contains(&'*');
        Self { letters, is_exact }
    }

    /// Whether it fits a name that [`plain`] made.
    pub(super) fn fits(&self, name: &[char]) -> bool {
        if self.is_exact {
            return self.letters == name;
        }
        // Greedy, with one place to go back to: the last star. At most pattern times name steps.
        let (mut at, mut of, mut star) = (0, 0, None);
        while of < name.len() {
            match self.letters.get(at) {
                Some('*') => {
                    star = Some((at, of));
                    at += 1;
                }
                Some(letter) if *letter == name[of] => {
                    at += 1;
                    of += 1;
                }
                _ => {
                    let Some((back, taken)) = star else { return false };
                    star = Some((back, taken + 1));
                    (at, of) = (back + 1, taken + 1);
                }
            }
        }
        self.letters[at..].iter().all(|letter| *letter == '*')
    }
}

/// A name as it is compared: letters and digits, small, the first 128 of them.
pub(super) fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).take(128).collect()
}

/// The signal that says whether others of its message hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Valid {
    pub(super) signal: Vec<Pattern>,
    pub(super) is: u64,
}

/// What a rule says of the signals that it fits.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// They are the signal of this path.
    Path(Box<str>),
    /// They are none, and why.
    Ignore(Box<str>),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) verdict: Verdict,
    pub(super) message: Option<Pattern>,
    /// Best first.
    pub(super) signal: Vec<Pattern>,
    /// For a position, beside the latitude in `signal`.
    pub(super) longitude: Vec<Pattern>,
    pub(super) spn: Option<u32>,
    pub(super) assume_unit: Option<Box<str>>,
    /// The largest value that the bits can hold has to be at least this, in the unit of the catalogue.
    pub(super) reaches: Option<f64>,
    /// And at most this.
    pub(super) reaches_at_most: Option<f64>,
    /// A bit has to be worth less than this, in the unit of the catalogue.
    pub(super) finer_than: Option<f64>,
    /// Raw values of a flag, one bit for each.
    pub(super) on: u64,
    pub(super) off: u64,
    pub(super) valid: Option<Valid>,
}

impl Rule {
    /// Whether a name holds one that leads to a path: a person may take it for that signal.
    pub(super) fn is_hinted_at_by(&self, name: &[char]) -> bool {
        let within = |pattern: &Pattern| {
            pattern.is_exact
                && pattern.letters.len() >= 3
                && name.windows(pattern.letters.len()).any(|w| w == pattern.letters)
        };
        matches!(self.verdict, Verdict::Path(_)) && self.signal.iter().any(within)
    }

    /// Names one signal of one message: as many such rules as one likes may name one path.
    pub(super) fn is_exact(&self) -> bool {
        self.message.as_ref().is_some_and(|pattern| pattern.is_exact)
            && matches!(self.signal.as_slice(), [pattern] if pattern.is_exact)
    }
}

/// What became of one signal of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Its line, from 1.
    pub line: u32,
    /// `<message>.<signal>`.
    pub name: String,
    /// Its unit, as written in the file.
    pub unit: Box<str>,
    /// The signal of the catalogue that it is, or why it is none.
    pub outcome: Result<SignalId, String>,
}

/// Rules, first to last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    pub(super) rules: Vec<Rule>,
}

impl Mapping {
    /// Reads one file of rules.
    ///
    /// # Errors
    /// [`MappingError`] names the file, the rule and what to mend.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, MappingError> {
        let read: File = toml::from_str(text)
            .map_err(|e| MappingError::Syntax { file: file.into(), message: e.to_string() })?;
        if read.format != 1 {
            return Err(MappingError::Format { file: file.into(), format: read.format });
        }
        let rules = read.rule.into_iter().zip(1..).map(|(text, number)| {
            rule(text).map_err(|what| MappingError::Rule { file: file.into(), number, what })
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The rules that come with the program.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn shipped() -> Self {
        Self::from_toml("config/dbc/default.toml", SHIPPED).expect("the shipped rules are tested")
    }

    /// These rules first, then the others.
    #[must_use]
    pub fn before(mut self, others: Self) -> Self {
        self.rules.extend(others.rules);
        self
    }

    /// What becomes of the signals of a database that any rule knows by name, in the order of the file.
    pub fn explain(&self, database: &Database, catalogue: &Catalogue) -> Vec<Explained> {
        let assignment = assign(self, database, catalogue);
        let taken = assignment.taken.iter().map(|taken| (taken.message, taken.signal, Ok(taken.path)));
        let passed =
            assignment.passed.into_iter().map(|passed| (passed.message, passed.signal, Err(passed.why)));
        let mut all: Vec<_> = taken.chain(passed).collect();
        all.sort_by_key(|(message, signal, _)| (*message, *signal));
        all.into_iter()
            .map(|(message, signal, outcome)| {
                let of = &database.messages[message];
                let signal = &of.signals[signal];
                let name = format!("{}.{}", of.name, signal.name);
                Explained { line: signal.line, name, unit: signal.unit.clone(), outcome }
            })
            .collect()
    }

    /// The paths that rules name.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match &rule.verdict {
            Verdict::Path(path) => Some(&**path),
            Verdict::Ignore(_) => None,
        })
    }
}

fn rule(text: RuleText) -> Result<Rule, &'static str> {
    let verdict = match (text.path, text.ignore) {
        (Some(path), None) => Verdict::Path(path.into()),
        (None, Some(why)) => Verdict::Ignore(why.into()),
        _ => return Err("give it either a path, or ignore = \"why\""),
    };
    if text.signal.is_empty() && text.spn.is_none() {
        return Err("name signals, or an spn");
    }
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
    let signal = patterns(&text.signal);
    if signal.iter().any(|pattern| pattern.letters.iter().all(|letter| *letter == '*')) {
        return Err("a signal has letters or digits in its name");
    }
    Ok(Rule {
        verdict,
        message: text.message.as_deref().map(Pattern::new),
        signal,
        longitude: patterns(&text.longitude),
        spn: text.spn,
        assume_unit: text.assume_unit.map(Into::into),
        reaches: text.reaches,
        reaches_at_most: text.reaches_at_most,
        finer_than: text.finer_than,
        on: values(text.on.as_deref().unwrap_or(&[1]))?,
        off: values(text.off.as_deref().unwrap_or(&[0]))?,
        valid: text.valid.map(|valid| Valid { signal: patterns(&valid.signal), is: valid.is }),
    })
}

fn values(raws: &[u8]) -> Result<u64, &'static str> {
    raws.iter().try_fold(0, |mask, raw| {
        if *raw < 64 { Ok(mask | 1 << raw) } else { Err("the values of a flag are 0 to 63") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_compared_by_letters_and_digits() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).fits(&plain(name));
        assert!(fits("fuel_level", "FuelLevel") && fits("FuelLevel", "FUEL_LEVEL"));
        assert!(!fits("odometer", "ODOMETER_LEFT") && fits("odometer*", "ODOMETER_LEFT"));
        assert!(fits("*odo*trip*", "Cluster_OdoTripVerify") && !fits("*odo*trip*", "TripOdo"));
        assert!(fits("a*b*c", "aXbXbXc") && !fits("a*b*c", "aXbXbX"));
    }

    #[test]
    fn a_broken_rule_is_refused_with_file_and_number() {
        let refused = |text: &str| {
            Mapping::from_toml("map.toml", &format!("format = 1\n[[rule]]\n{text}"))
                .expect_err("broken")
                .to_string()
        };
        assert_eq!(
            refused("signal = [\"a\"]"),
            "map.toml: rule 1: give it either a path, or ignore = \"why\""
        );
        assert_eq!(refused("path = \"P\""), "map.toml: rule 1: name signals, or an spn");
        assert_eq!(
            refused("path = \"P\"\nsignal = [\"*\"]"),
            "map.toml: rule 1: a signal has letters or digits in its name"
        );
        assert!(refused("path = \"P\"\nsignals = [\"a\"]").starts_with("map.toml: not a mapping"));
        assert!(Mapping::from_toml("m", "format = 2").expect_err("newer").to_string().contains("format 2"));
        assert!(!Mapping::shipped().rules.is_empty());
    }

    proptest! {
        #[test]
        fn a_pattern_fits_as_its_definition_says(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            fn naive(pattern: &[char], name: &[char]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some(('*', rest)) => (0..=name.len()).any(|skip| naive(rest, &name[skip..])),
                    Some((letter, rest)) => name.first() == Some(letter) && naive(rest, &name[1..]),
                }
            }
            let letters: Vec<char> = pattern.chars().collect();
            let name = plain(&name);
            prop_assert_eq!(Pattern::new(&pattern).fits(&name), naive(&letters, &name));
        }
    }
}
