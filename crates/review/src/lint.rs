//! Findings about a bundle: what its notice leaves open, promises without a rule, rules
//! without a promise, what runs out.
//!
//! What a bundle shows is computed from its rules. What only the notice shows is taken from the
//! flags in `clauses.toml`. A finding that the controller knows stands in the bundle with a
//! reason; it is reported, and stops nobody.

mod dates;
mod promises;
mod shown;

use crate::coverage::{Clauses, Counts, Test};
use serde::Serialize;
use vernport_policy::Rules;
use vernport_types::{Catalogue, UtcMicros};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id: `F-1` to `F-13`, or a name such as `promise-without-rule`.
    pub id: String,
    /// The rule that it is about, by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The clause that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// The file that it stands in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is found.
    pub what: String,
    /// How to mend it.
    pub remedy: String,
    /// Why it stays, where the bundle says that it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<String>,
}

/// Whether a test is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is.
    There,
    /// It is not.
    Missing,
    /// Nobody here can tell: the sources of the tests are not at hand.
    Unknown,
}

/// What a bundle is checked against.
#[derive(Clone, Copy)]
pub struct Checked<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// The signals.
    pub catalogue: &'a Catalogue,
    /// The clauses of the notice, where a list of them stands beside the bundle.
    pub clauses: Option<&'a Clauses>,
    /// When.
    pub now: UtcMicros,
    /// Whether a test is there.
    pub exists: &'a dyn Fn(&Test) -> Known,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// All findings, those of the notice first.
    pub all: Vec<Finding>,
    /// How many clauses are kept.
    pub counts: Counts,
}

impl Findings {
    /// Those that the bundle does not acknowledge.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.all.iter().filter(|finding| finding.acknowledged.is_none())
    }
}

/// Checks a bundle.
pub fn lint(checked: Checked<'_>) -> Findings {
    let mut found = Found { checked, all: Vec::new() };
    found.shown();
    found.flags();
    found.promises();
    found.dates();
    found.acknowledge();
    let Found { mut all, .. } = found;
    all.sort_by(|a, b| order(a).cmp(&order(b)));
    let broken = |clause: &crate::coverage::Clause| {
        let about = |finding: &&Finding| finding.clause.as_deref() == Some(clause.id.as_str());
        all.iter().filter(about).any(|finding| matches!(&*finding.id, promises::NO_RULE | promises::NO_TEST))
    };
    let counts = Counts::of(checked.clauses.map_or(&[], Clauses::clauses), broken);
    Findings { all, counts }
}

/// `F-2` before `F-11`, and these before names.
fn order(finding: &Finding) -> (u32, &str, &str, usize) {
    let number = finding.id.strip_prefix("F-").and_then(|number| number.parse().ok());
    (number.unwrap_or(u32::MAX), &finding.id, &finding.file, finding.line)
}

struct Found<'a> {
    checked: Checked<'a>,
    all: Vec<Finding>,
}

impl Found<'_> {
    /// A finding about a rule of the bundle.
    fn about(&mut self, id: &str, rule: &str, what: impl Into<String>, remedy: &str) {
        let paths = self.checked.rules.paths();
        let place = paths.iter().find(|path| path.path == rule).or_else(|| paths.first());
        let (file, line) = place.map_or(("bundle.toml".to_owned(), 1), |p| (p.file.to_string(), p.line));
        self.all.push(Finding {
            id: id.into(),
            rule: Some(rule.into()),
            clause: None,
            file,
            line,
            what: what.into(),
            remedy: remedy.into(),
            acknowledged: None,
        });
    }

    /// Puts the bundle's own reasons to the findings; a reason without a finding is one itself.
    fn acknowledge(&mut self) {
        for known in self.checked.rules.acknowledged() {
            let mut used = false;
            for finding in &mut self.all {
                let of_rule = known.rule.is_none() || known.rule == finding.rule;
                if finding.id == known.finding && of_rule {
                    finding.acknowledged = Some(known.reason.clone());
                    used = true;
                }
            }
            if !used {
                let rule = known.rule.as_deref().unwrap_or("controller");
                let what = format!("`{}` is acknowledged, and is not there", known.finding);
                self.about("unused-acknowledgement", rule, what, "take [[acknowledged]] out");
            }
        }
    }
}
