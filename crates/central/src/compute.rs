//! What holds at every gateway: computed for what was touched since the last
//! computation, or for everything where that is not known.
//!
//! Promise: both give the same (`compute/tests.rs`).

use crate::{
    book::{Changes, Draft},
    controller::State,
};
use std::collections::{BTreeMap, BTreeSet};
use vernport_crypto::WrappingKey;
use vernport_policy::{Anew, Rules, Snapshot, SnapshotFor, snapshot};
use vernport_registry::Touched;
use vernport_types::{AssetId, KeyId, Slug, UtcMicros};

/// What holds now, not yet recorded.
pub(crate) struct Computed {
    pub(crate) changes: Changes,
    /// Of the gateways for which anything may have changed.
    pub(crate) snapshots: Vec<(Slug, Snapshot)>,
    pub(crate) keys: BTreeMap<KeyId, (Slug, Slug)>,
}

/// Computes what holds now.
pub(crate) fn compute(rules: &Rules, recovery: WrappingKey, state: &State, now: UtcMicros) -> Computed {
    let computing = Computing { rules, recovery, state, now };
    match &state.touched {
        Touched::Assets(assets) if state.places.keys().all(|gateway| state.watches.contains_key(gateway)) => {
            computing.part(assets)
        }
        _ => computing.whole(),
    }
}

struct Computing<'a> {
    rules: &'a Rules,
    recovery: WrappingKey,
    state: &'a State,
    now: UtcMicros,
}

impl Computing<'_> {
    fn whole(&self) -> Computed {
        let Self { rules, state: State { facts, book, places, .. }, now, .. } = *self;
        let mut draft = Draft::new(book);
        let mut snapshots = Vec::with_capacity(places.len());
        for gateway in places.keys() {
            let snapshot = match facts.enrolment(gateway, now) {
                Some(enrolment) => {
                    let whom = SnapshotFor {
                        gateway: gateway.clone(),
                        at: enrolment.station,
                        recovery: self.recovery,
                        closed: Vec::new(),
                    };
                    snapshot(facts, rules, whom, now, draft.at(gateway))
                }
                None => self.nothing_open(gateway),
            };
            snapshots.push((gateway.clone(), snapshot));
        }
        let changes = draft.changes(facts, rules, now, None);
        for (gateway, snapshot) in &mut snapshots {
            snapshot.closed = draft.closed_at(gateway, &changes, now, None);
        }
        let mut keys = BTreeMap::new();
        for flow in rules.flows() {
            for (key, _) in facts.recipient_keys(&flow.recipient, &flow.purpose, now) {
                keys.insert(key.key_id(), (flow.recipient.clone(), flow.purpose.clone()));
            }
        }
        Computed { changes, snapshots, keys }
    }

    /// Only what these assets bear on: their grants, and the gateways that have
    /// them, are to have them, or knew an opening of theirs.
    fn part(&self, assets: &BTreeSet<AssetId>) -> Computed {
        let Self { rules, state: State { facts, book, places, watches, .. }, now, .. } = *self;
        let anew = Anew::of(facts, assets.clone(), now);
        let mut draft = Draft::new(book);
        let mut renewed = Vec::new();
        for gateway in places.keys() {
            let held = &watches[gateway].snapshot;
            let enrolled = facts.enrolment(gateway, now).filter(|at| anew.concerns(held, &at.station));
            let renew = |at: vernport_registry::EnrolmentFacts| {
                anew.renew(held, (facts, rules), &at.station, now, draft.at(gateway))
            };
            renewed.push((gateway, held, enrolled.map(renew)));
        }
        let changes = draft.changes(facts, rules, now, Some(anew.ids()));
        let mut snapshots = Vec::new();
        for (gateway, held, renewed) in renewed {
            let closed = draft.closed_at(gateway, &changes, now, Some((anew.ids(), &held.closed)));
            if renewed.is_some() || closed != held.closed {
                let snapshot = renewed.unwrap_or_else(|| held.clone());
                snapshots.push((gateway.clone(), Snapshot { closed, ..snapshot }));
            }
        }
        // A key that comes or goes touches everything.
        Computed { changes, snapshots, keys: self.state.keys.clone() }
    }

    /// What a gateway hears after its enrolment ended.
    fn nothing_open(&self, gateway: &Slug) -> Snapshot {
        Snapshot {
            format: Snapshot::FORMAT,
            controller: self.rules.controller().clone(),
            gateway: gateway.clone(),
            bundle_hash: self.rules.hash(),
            identify_open: false,
            grants: Vec::new(),
            closed: Vec::new(),
            recipient_keys: Vec::new(),
            recovery: self.recovery,
        }
    }
}

#[cfg(test)]
mod tests;
