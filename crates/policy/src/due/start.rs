//! When the period of a retention rule started, as the ledger knows it now.
//!
//! None: it did not start yet, and the latest time of the envelope counts alone.

use super::Kept;
use crate::{Rules, StartEvent, opening::Consented};
use vernport_registry::{Against, Facts, Milestone, Whom};
use vernport_types::{SubjectId, UtcMicros};

pub(super) fn started(facts: &Facts, rules: &Rules, kept: &Kept<'_>, now: UtcMicros) -> Option<UtcMicros> {
    let named = kept.flow.retention.start.as_str();
    let start = StartEvent::ALL.iter().find(|start| start.as_str() == named)?;
    let of_asset = |milestone| facts.milestone(Whom::Asset(kept.asset), milestone, now).map(|(_, at)| at);
    match start {
        StartEvent::Reading => Some(kept.read_at),
        StartEvent::OrderClosed => kept.order.and_then(|order| facts.order_ended(order, now)),
        StartEvent::LastInteraction => Some(last_interaction(facts, kept, now)),
        StartEvent::RelationshipEnd => relationship_end(facts, kept, now),
        StartEvent::WarrantyEnd => of_asset(Milestone::WarrantyEnded),
        StartEvent::VehicleEndOfLife => of_asset(Milestone::VehicleEnded),
        StartEvent::ConsentEnd => consent_end(facts, rules, kept, now),
        StartEvent::AccountClosed => account_closed(facts, kept, now),
    }
}

/// The later of the last contacts of the people and of the customer (CARS-6.4).
/// There is always one: being read is the first. What is said of the asset is of its
/// customer at that time, so from a sale on it is of somebody else.
fn last_interaction(facts: &Facts, kept: &Kept<'_>, now: UtcMicros) -> UtcMicros {
    let sold = facts.sold(kept.asset, kept.read_at, now);
    let before_sale = sold.map_or(now, |sold| sold.plus_micros(-1));
    let last = |whom, now| facts.milestone(whom, Milestone::Interaction, now).map(|(_, at)| at);
    let people = kept.subjects.iter().filter_map(|(_, subject)| last(Whom::Subject(*subject), now));
    people.chain(last(Whom::Asset(kept.asset), before_sale)).fold(kept.read_at, UtcMicros::max)
}

/// When the relationship with the last of the customers ended, and none of them is one again.
fn relationship_end(facts: &Facts, kept: &Kept<'_>, now: UtcMicros) -> Option<UtcMicros> {
    let ended = |whom| facts.milestone(whom, Milestone::RelationshipEnded, now).map(|(_, at)| at);
    let with_asset = ended(Whom::Asset(kept.asset));
    let with = |customer: &SubjectId| {
        let ended = ended(Whom::Subject(*customer)).max(with_asset)?;
        let since = facts.customer(*customer, now).and_then(|entry| facts.occurred_at(&entry));
        since.is_none_or(|since| since <= ended).then_some(ended)
    };
    let customers = kept.customers();
    if customers.is_empty() {
        return with_asset;
    }
    let ends: Option<Vec<UtcMicros>> = customers.iter().map(with).collect();
    ends?.into_iter().max()
}

/// When the first of the consents that the flow rests on ended: one that is
/// given again later is for what is read later. An objection that is absolute
/// ends it as well (WEST-7.3).
fn consent_end(facts: &Facts, rules: &Rules, kept: &Kept<'_>, now: UtcMicros) -> Option<UtcMicros> {
    let flow = kept.flow;
    let whole = Consented {
        asset: kept.asset,
        purpose: &flow.purpose,
        recipient: &flow.recipient,
        categories: &flow.categories,
    };
    let holders = kept.subjects.iter().filter(|(role, _)| flow.roles.contains(role));
    let consents = holders.filter_map(|holder| whole.ended(facts, rules, *holder, (kept.read_at, now)));
    let absolute = [(flow.marketing, Against::Marketing), (flow.profiling, Against::Profiling)];
    let against: Vec<Against> =
        absolute.into_iter().filter_map(|(is, against)| is.then_some(against)).collect();
    let objections = kept
        .subjects
        .iter()
        .flat_map(|(_, subject)| against.iter().filter_map(|against| facts.objected(*subject, against, now)));
    consents.chain(objections).min()
}

/// When the last of the customers who had an account closed it, and none of them has one again.
fn account_closed(facts: &Facts, kept: &Kept<'_>, now: UtcMicros) -> Option<UtcMicros> {
    let customers = kept.customers();
    if customers.iter().any(|customer| facts.account(*customer, now).is_some()) {
        return None;
    }
    let closed = |customer: &SubjectId| {
        facts.milestone(Whom::Subject(*customer), Milestone::AccountClosed, now).map(|(_, at)| at)
    };
    customers.iter().filter_map(closed).max()
}
