//! What stands behind an outcome: the rule of the bundle, its clauses, and the
//! ledger entries that a refusal follows from.

use std::collections::BTreeSet;
use vernport_policy::{Flow, Refusal, Rules};
use vernport_registry::{Against, ConsentQuestion, ConsentState, Facts, Objected, Role, Whom};
use vernport_types::{AssetId, EntryHash, Reason, Signal, SignalId, SubjectId, UtcMicros};

/// A rule by its path, and the clauses that it follows. No path: nothing in the bundle
/// says so, it is denied by default.
pub(super) struct Rule {
    pub(super) path: Option<String>,
    pub(super) clauses: Vec<String>,
}

impl Rule {
    fn at(path: String, clauses: &[String]) -> Self {
        Self { path: Some(path), clauses: clauses.to_vec() }
    }

    /// What lets a signal pass in a flow.
    pub(super) fn release(flow: &Flow, signal: &Signal) -> Self {
        Self::at(format!("flow.{}.signals.{}", flow.slug, signal.path), &flow.clauses)
    }

    /// What holds a signal back: the bundle's own answer for its category, else that for the
    /// reason, else the rule that was not met.
    pub(super) fn refusal(
        rules: &Rules,
        flow: Option<&Flow>,
        (id, signal): (SignalId, &Signal),
        reason: Reason,
    ) -> Self {
        let said = |category| {
            let of = |refusal: &&Refusal| refusal.reason == reason && refusal.category == category;
            rules.refusals().iter().find(of)
        };
        if let Some(refusal) = said(Some(signal.category)).or_else(|| said(None)) {
            let category = refusal.category.map(|category| format!(".{category}")).unwrap_or_default();
            return Self::at(format!("refusal.{reason}{category}"), std::slice::from_ref(&refusal.clause));
        }
        let Some(flow) = flow else {
            let identify = rules.identify_rule().filter(|rule| rule.signals.contains(&id));
            return match identify {
                Some(rule) if reason == Reason::DroppedByRule => Self::at("identify".into(), &rule.clauses),
                _ => Self { path: None, clauses: Vec::new() },
            };
        };
        let path = match reason {
            Reason::DroppedByRule => format!("flow.{}.signals.{}", flow.slug, signal.path),
            Reason::AgreementMissing
            | Reason::TransferNotAllowed
            | Reason::RecipientKeyMissing
            | Reason::RecipientPaused => format!("recipient.{}", flow.recipient),
            Reason::ObjectionUpheld | Reason::ObjectionPending | Reason::Restricted => {
                format!("purpose.{}", flow.purpose)
            }
            _ => format!("flow.{}", flow.slug),
        };
        Self::at(path, &flow.clauses)
    }
}

/// The entries that closed a flow for an asset, for reasons that an entry gives.
pub(super) fn entries(
    facts: &Facts,
    flow: &Flow,
    asset: AssetId,
    reason: Reason,
    now: UtcMicros,
) -> Vec<EntryHash> {
    let linked = |role: &Role| {
        let role = *role;
        facts.subjects(asset, role, now).into_iter().map(move |linked| (role, linked.subject))
    };
    let people: Vec<(Role, SubjectId)> = Role::ALL.iter().flat_map(linked).collect();
    let found: BTreeSet<EntryHash> = match reason {
        Reason::ConsentWithdrawn | Reason::ConsentExpired => {
            let asked = people.iter().filter(|(role, _)| flow.roles.contains(role));
            let ended = |(role, subject): &(Role, SubjectId)| {
                ended_consents(facts, flow, (asset, *role, *subject), reason, now)
            };
            asked.flat_map(ended).collect()
        }
        Reason::ObjectionUpheld | Reason::ObjectionPending => {
            let purpose = Against::Purpose(flow.purpose.clone());
            let against = [Against::Marketing, Against::Profiling, purpose];
            let raised = |(_, subject): &(Role, SubjectId)| {
                let of = |against| match facts.objection(*subject, against, now) {
                    Objected::Upheld { entry, .. } if reason == Reason::ObjectionUpheld => Some(entry),
                    Objected::Pending { entry, .. } if reason == Reason::ObjectionPending => Some(entry),
                    _ => None,
                };
                against.iter().filter_map(of).collect::<Vec<_>>()
            };
            people.iter().flat_map(raised).collect()
        }
        Reason::Restricted => {
            let whom = people.iter().map(|(_, subject)| Whom::Subject(*subject)).chain([Whom::Asset(asset)]);
            whom.flat_map(|whom| facts.restrictions(whom, &flow.purpose, now)).collect()
        }
        Reason::RecipientPaused => {
            let pauses = facts.pauses(&flow.recipient, &flow.purpose, now);
            pauses.into_iter().map(|(entry, _)| entry).collect()
        }
        Reason::PrivateMode => facts.private_mode(asset, now).into_iter().collect(),
        Reason::RuleBroken => facts.closed_by_unknown(asset, now).into_iter().collect(),
        _ => BTreeSet::new(),
    };
    found.into_iter().collect()
}

/// Consents of one person in one role that the flow asks for and that are over for this reason.
fn ended_consents(
    facts: &Facts,
    flow: &Flow,
    (asset, role, subject): (AssetId, Role, SubjectId),
    reason: Reason,
    now: UtcMicros,
) -> Vec<EntryHash> {
    let ended = |category| {
        let (purpose, recipient) = (&flow.purpose, &flow.recipient);
        let asked = ConsentQuestion { asset, subject, role, purpose, category, recipient };
        match facts.consent(&asked, now) {
            ConsentState::Withdrawn { entry, .. } if reason == Reason::ConsentWithdrawn => Some(entry),
            ConsentState::Expired { entry, .. } if reason == Reason::ConsentExpired => Some(entry),
            _ => None,
        }
    };
    flow.categories.iter().copied().filter_map(ended).collect()
}
