//! When something that is kept has to go, by what is known now (invariant 12).
//!
//! The envelope says the latest time that the rule allows ([`crate::Retention::latest_due`]). The
//! ledger says the rest, and says it anew at each question: nothing is remembered
//! here, so what was put off by a hold goes as soon as the hold does. In this order:
//! 1. The rule: its period after its start event, never later than the latest time.
//! 2. An order to erase ends it at once, unless an exception from each such order keeps it.
//! 3. A hold that the bundle knows keeps it beyond that, for as long as the bundle allows.
//! 4. A restriction suspends the deletion, whatever its time (CSPE-6.5.3).

mod start;

use crate::{Flow, Rules};
use vernport_registry::{Facts, HoldFacts, Role, Whom};
use vernport_types::{AssetId, EntryHash, EpochId, OrderId, Slug, SubjectId, UtcMicros};

/// What was read and is kept: one batch, or all that one key epoch holds.
#[derive(Debug, Clone)]
pub struct Kept<'a> {
    /// The flow by which it was read.
    pub flow: &'a Flow,
    /// The asset.
    pub asset: AssetId,
    /// Everybody linked to the asset when it was read, with their roles.
    pub subjects: Vec<(Role, SubjectId)>,
    /// The work order during which it was read.
    pub order: Option<OrderId>,
    /// When it was read: of several readings, the first.
    pub read_at: UtcMicros,
    /// The latest time to which it may be kept, as its envelope says: a bundle
    /// that came later moves it no more.
    pub latest_due: UtcMicros,
    /// The key epoch.
    pub epoch: EpochId,
}

impl<'a> Kept<'a> {
    /// What a reading of a flow was, by what the ledger knows now of that time.
    pub fn read(facts: &Facts, flow: &'a Flow, asset: AssetId, read_at: UtcMicros, epoch: EpochId) -> Self {
        let linked = |role: &Role| {
            let role = *role;
            facts.subjects(asset, role, read_at).into_iter().map(move |linked| (role, linked.subject))
        };
        Self {
            flow,
            asset,
            subjects: Role::ALL.iter().flat_map(linked).collect(),
            order: facts.open_order(asset, None, read_at).map(|order| order.id),
            read_at,
            latest_due: flow.retention.latest_due(read_at),
            epoch,
        }
    }

    /// Whom it is about: the asset and everybody linked to it.
    fn whom(&self) -> impl Iterator<Item = Whom> {
        let people = self.subjects.iter().map(|(_, subject)| Whom::Subject(*subject));
        std::iter::once(Whom::Asset(self.asset)).chain(people)
    }

    /// The customers: who owns the asset or orders for it, else everybody linked.
    fn customers(&self) -> Vec<SubjectId> {
        let customer = |(role, _): &&(Role, SubjectId)| matches!(role, Role::Owner | Role::Orderer);
        let found: Vec<_> = self.subjects.iter().filter(customer).map(|(_, subject)| *subject).collect();
        if found.is_empty() { self.subjects.iter().map(|(_, subject)| *subject).collect() } else { found }
    }
}

/// When something has to go, and why then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When it has to go, by what is known now.
    pub at: UtcMicros,
    /// The retention rule of the bundle.
    pub rule: Slug,
    /// When the period of the rule started; none if what starts it did not happen yet.
    pub started: Option<UtcMicros>,
    /// The order that erases it.
    pub erased_by: Option<EntryHash>,
    /// The exception that keeps it in spite of orders to erase. It is kept, and used for nothing else.
    pub excepted_by: Option<EntryHash>,
    /// The hold that keeps it beyond its time, with its end as far as the bundle allows it.
    pub held_by: Option<HoldFacts>,
    /// The restriction that suspends the deletion.
    pub restricted_by: Option<EntryHash>,
}

impl Due {
    /// Whether it has to go now.
    pub fn is_over(&self, now: UtcMicros) -> bool {
        self.restricted_by.is_none() && self.at <= now
    }

    /// Whether something keeps it beyond the time at which it had to go.
    pub const fn is_held(&self) -> bool {
        self.held_by.is_some() || self.excepted_by.is_some() || self.restricted_by.is_some()
    }
}

/// When something that is kept has to go, by what the ledger says now.
pub fn due(facts: &Facts, rules: &Rules, kept: &Kept<'_>, now: UtcMicros) -> Due {
    let retention = &kept.flow.retention;
    // What started before the reading starts with the reading.
    let started = start::started(facts, rules, kept, now).map(|started| started.max(kept.read_at));
    let by_rule = started.map_or(kept.latest_due, |started| retention.period.after(started, &retention.zone));
    let mut due = Due {
        at: by_rule.min(kept.latest_due),
        rule: retention.rule.clone(),
        started,
        erased_by: None,
        excepted_by: None,
        held_by: None,
        restricted_by: kept.whom().find_map(|whom| facts.restriction(whom, &kept.flow.purpose, now)),
    };
    erase(facts, kept, now, &mut due);
    hold(facts, rules, kept, now, &mut due);
    due
}

/// What was read up to an order to erase goes by it. An exception is one from
/// one order: where one order has none, it goes.
fn erase(facts: &Facts, kept: &Kept<'_>, now: UtcMicros, due: &mut Due) {
    let orders = kept.whom().flat_map(|whom| facts.erasures(whom, &kept.flow.purpose, now));
    let (mut erased, mut excepted) = (None, None);
    for (order, up_to) in orders.filter(|(_, up_to)| kept.read_at <= *up_to) {
        match facts.erasure_excepted(order, kept.asset, &kept.flow.slug, kept.epoch, now) {
            None => erased = earliest(erased, (up_to, order)),
            Some((exception, until)) => excepted = earliest(excepted, (until, exception)),
        }
    }
    match (erased, excepted) {
        (Some((up_to, order)), _) => {
            due.at = due.at.min(up_to);
            due.erased_by = Some(order);
        }
        (None, Some((until, exception))) => {
            due.at = until;
            due.excepted_by = Some(exception);
        }
        (None, None) => {}
    }
}

/// A hold keeps it beyond its time, if the bundle knows the ground, and no longer
/// than the bundle allows, counted from when it was set.
fn hold(facts: &Facts, rules: &Rules, kept: &Kept<'_>, now: UtcMicros, due: &mut Due) {
    let allowed = |hold: HoldFacts| {
        let longest = rules.hold(hold.ground)?.latest_end(facts.occurred_at(&hold.entry)?);
        Some(HoldFacts { until: hold.until.min(longest), ..hold })
    };
    let holds = facts.holds(kept.asset, &kept.flow.slug, kept.epoch, now).into_iter().filter_map(allowed);
    let longest = holds.filter(|hold| now < hold.until).max_by_key(|hold| (hold.until, hold.entry));
    if let Some(hold) = longest.filter(|hold| due.at < hold.until) {
        due.at = hold.until;
        due.held_by = Some(hold);
    }
}

fn earliest(
    known: Option<(UtcMicros, EntryHash)>,
    found: (UtcMicros, EntryHash),
) -> Option<(UtcMicros, EntryHash)> {
    Some(known.map_or(found, |known| known.min(found)))
}
