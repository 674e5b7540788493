//! The expectations on what a bundle says, whatever happens: which rules use a category (also one
//! that no signal has), what a flow gives to whom, on what a purpose rests, where recipients may be.

use super::{
    Stage, TrialError, Unmet,
    raw::{Place, RawCategory, RawClass, RawFlow, RawPurpose, RawRegions},
};
use std::collections::BTreeSet;
use vernport_policy::{Elsewhere, Message, MessageClass, Purpose, Rules};
use vernport_types::{Catalogue, Category, LegalBasis, Reason, Slug};

type Names = BTreeSet<String>;

#[derive(Debug, Clone)]
pub(super) enum Said {
    /// Who uses a category; none: no notice lists it, and nothing uses it.
    Category { category: Category, used: Option<Names> },
    /// What a flow is for, who gets what, and whether a station may open it alone.
    Flow(RawFlow),
    /// The legal basis of a purpose, and which objections to it are absolute.
    Purpose(RawPurpose),
    /// What a class of messages is for, and whether customers get it without consent.
    Class(RawClass),
    /// Where recipients may be.
    Regions { regions: Names, elsewhere: Elsewhere },
}

impl Said {
    pub(super) fn category(raw: RawCategory, place: &Place<'_>) -> Result<Self, TrialError> {
        let used = match (raw.used, raw.withheld) {
            (Some(used), None) => Some(used),
            (None, Some(code)) if code == Reason::CategoryNotInNotice.code() => None,
            _ => {
                let message =
                    "a category is expected `used` by rules, or `withheld = \"category-not-in-notice\"`";
                return Err(place.error(message));
            }
        };
        Ok(Self::Category { category: raw.category, used })
    }

    pub(super) fn regions(raw: RawRegions, place: &Place<'_>) -> Result<Self, TrialError> {
        let known: Vec<_> = Elsewhere::ALL.iter().map(|elsewhere| (elsewhere.as_str(), *elsewhere)).collect();
        Ok(Self::Regions {
            regions: raw.regions,
            elsewhere: place.word("elsewhere", &raw.elsewhere, &known)?,
        })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let expected = match self {
            Self::Category { used: None, .. } => "listed in no notice, used by nothing".to_owned(),
            Self::Category { used: Some(used), .. } => listed(true, used),
            Self::Flow(raw) => given(&raw.purpose, &raw.to, &raw.signals, raw.offline),
            Self::Purpose(raw) => rests(raw.basis, raw.marketing, raw.profiling),
            Self::Class(raw) => classed(raw.class, &raw.purpose, raw.similar_goods),
            Self::Regions { regions, elsewhere } => allowed(regions, *elsewhere),
        };
        let came = self.came(stage.rules, stage.catalogue);
        if came == expected { Ok(()) } else { Err(Unmet::new(expected, came)) }
    }

    fn came(&self, rules: &Rules, catalogue: &Catalogue) -> String {
        let without = || "a bundle without it".to_owned();
        match self {
            Self::Category { category, .. } => {
                let newest = rules.notices().last();
                listed(
                    newest.is_some_and(|newest| newest.categories.contains(category)),
                    &used(rules, *category),
                )
            }
            Self::Flow(raw) => rules.find(&raw.flow).map_or_else(without, |flow| {
                let path = |signal| catalogue.signal(signal).path.to_string();
                let signals = flow.signals.iter().map(|(signal, _)| path(*signal)).collect();
                given(&flow.purpose, &flow.recipient, &signals, flow.offline)
            }),
            Self::Purpose(raw) => {
                let purpose = rules.purposes().iter().find(|known| known.slug == raw.purpose);
                let rests = |known: &Purpose| rests(known.basis, known.marketing, known.profiling);
                purpose.map_or_else(without, rests)
            }
            Self::Class(raw) => {
                let message = rules.messages().iter().find(|known| known.slug == raw.message);
                let classed = |known: &Message| classed(known.class, &known.purpose, known.similar_goods);
                message.map_or_else(without, classed)
            }
            Self::Regions { .. } => {
                let controller = rules.controller_info();
                allowed(&controller.regions.iter().cloned().collect(), controller.elsewhere)
            }
        }
    }
}

fn joined(names: &Names) -> String {
    if names.is_empty() { "nothing".into() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

fn listed(listed: bool, used: &Names) -> String {
    format!("listed in {} notice, used by {}", if listed { "the" } else { "no" }, joined(used))
}

fn given(purpose: &Slug, to: &Slug, signals: &Names, offline: bool) -> String {
    format!(
        "{} to {to} for {purpose}{}",
        joined(signals),
        if offline { ", opened by a station alone" } else { "" }
    )
}

fn rests(basis: LegalBasis, marketing: bool, profiling: bool) -> String {
    let flag = |is, word| if is { word } else { "" };
    format!("{basis}{}{}", flag(marketing, ", marketing"), flag(profiling, ", profiling"))
}

fn classed(class: MessageClass, purpose: &Slug, similar_goods: bool) -> String {
    format!("{class} for {purpose}{}", if similar_goods { ", of similar goods to customers" } else { "" })
}

fn allowed(regions: &Names, elsewhere: Elsewhere) -> String {
    format!("{}, elsewhere {elsewhere}", joined(regions))
}

/// The flows, forms and messages that use a category, and the purposes and retentions that name it.
fn used(rules: &Rules, category: Category) -> Names {
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
