//! The expectation on a category of data, also on one that no signal has: does the newest notice
//! list it, and which rules may use it?

use super::{
    Stage, TrialError, Unmet,
    raw::{Place, RawCategory},
};
use std::collections::BTreeSet;
use vernport_policy::Rules;
use vernport_types::{Category as Kind, Reason};

#[derive(Debug, Clone)]
pub(super) struct Category {
    category: Kind,
    /// The rules that may use it, by path; none: the notice does not list it.
    used: Option<BTreeSet<String>>,
}

impl Category {
    pub(super) fn read(raw: RawCategory, place: &Place<'_>) -> Result<Self, TrialError> {
        let used = match (raw.used, raw.withheld) {
            (Some(used), None) => Some(used),
            (None, Some(code)) if code == Reason::CategoryNotInNotice.code() => None,
            _ => {
                let message =
                    "a category is expected `used` by rules, or `withheld = \"category-not-in-notice\"`";
                return Err(place.error(message));
            }
        };
        Ok(Self { category: raw.category, used })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let listed =
            stage.rules.notices().last().is_some_and(|newest| newest.categories.contains(&self.category));
        let came = listed.then(|| used(stage.rules, self.category));
        let word = |used: &Option<BTreeSet<String>>| match used {
            None => format!("`{}` in no notice", self.category),
            Some(used) if used.is_empty() => format!("`{}` listed, used by nothing", self.category),
            Some(used) => {
                format!("`{}` used by {}", self.category, used.iter().cloned().collect::<Vec<_>>().join(", "))
            }
        };
        if came == self.used { Ok(()) } else { Err(Unmet::new(word(&self.used), word(&came))) }
    }
}

/// The flows, forms and messages that use a category, and the purposes and retentions that name it.
fn used(rules: &Rules, category: Kind) -> BTreeSet<String> {
    let flows = rules.flows().iter().map(|rule| ("flow", &rule.slug, &rule.categories));
    let forms = rules.forms().iter().map(|rule| ("form", &rule.slug, &rule.categories));
    let messages = rules.messages().iter().map(|rule| ("message", &rule.slug, &rule.categories));
    let purposes =
        rules.purposes().iter().filter_map(|rule| Some(("purpose", &rule.slug, rule.categories.as_ref()?)));
    let retentions = rules.retentions().iter().map(|rule| ("retention", &rule.slug, &rule.categories));
    flows
        .chain(forms)
        .chain(messages)
        .chain(purposes)
        .chain(retentions)
        .filter(|(_, _, categories)| categories.contains(&category))
        .map(|(table, slug, _)| format!("{table}.{slug}"))
        .collect()
}
