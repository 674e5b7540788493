//! Keeping snapshots up to date: at an entry, or when a moment passes, only the
//! grants that it touches are computed anew.
//!
//! Promise: a snapshot kept so is the one that [`crate::snapshot`] would give, at every time.
//! Whatever may change the grants of an asset is an entry of the ledger that comes in, a moment
//! of one that was there before ([`Agenda`]), or of the rules; and each names the assets it touches.

use crate::{
    Rules, Snapshot, Tables,
    grants::{Asked, alias_year, day, identify_open},
};
use std::collections::{BTreeMap, BTreeSet};
use vernport_registry::{Entry, Event, Facts, StationRef, Touched};
use vernport_types::{AssetId, EntryHash, UtcMicros};

/// The moments that are still to come at which an entry begins to count, or ends.
#[derive(Debug, Clone, Default)]
pub struct Agenda {
    moments: BTreeSet<(UtcMicros, EntryHash)>,
    /// For when everything was computed last.
    passed: Option<UtcMicros>,
}

impl Agenda {
    /// Notes the moments of an entry that the facts took.
    pub fn note(&mut self, rules: &Rules, entry: &Entry, hash: EntryHash) {
        let by_form = match &entry.event {
            Event::ConsentGiven(consent) => Some(&consent.form),
            Event::ConsentRenewed(renewal) => Some(&renewal.consent.form),
            _ => None,
        };
        let by_form = by_form.and_then(|form| rules.form(form));
        let by_form = by_form.map(|form| form.valid.after(entry.occurred_at, rules.zone()));
        let moments = [entry.occurred_at, entry.recorded_at].into_iter().chain(entry.event.ends());
        let to_come = moments.chain(by_form).filter(|moment| self.passed < Some(*moment));
        self.moments.extend(to_come.map(|moment| (moment, hash)));
    }

    /// Whether anything may have changed by time alone since it was asked last.
    pub fn is_due(&self, rules: &Rules, now: UtcMicros) -> bool {
        self.moments.first().is_some_and(|(moment, _)| *moment <= now) || self.turns(rules, now)
    }

    /// The assets whose grants may have changed by time alone since it was asked last; all of
    /// them the first time. They have to be computed for this `now`, or later.
    pub fn pass(&mut self, facts: &Facts, rules: &Rules, now: UtcMicros) -> Touched {
        let mut touched = if self.turns(rules, now) { Touched::All } else { Touched::none() };
        while let Some((_, entry)) = self.moments.first().copied().filter(|(moment, _)| *moment <= now) {
            self.moments.pop_first();
            if touched != Touched::All {
                touched = touched.and(facts.touched_by(&entry));
            }
        }
        self.passed = self.passed.max(Some(now));
        touched
    }

    /// Whether something passed that is the same for every asset: a day, a year of the
    /// controller's calendar, or the beginning or end of an agreement.
    fn turns(&self, rules: &Rules, now: UtcMicros) -> bool {
        let Some(passed) = self.passed else { return true };
        passed < now
            && (day(passed) != day(now)
                || alias_year(rules, passed) != alias_year(rules, now)
                || rules.moments().any(|moment| passed < moment && moment <= now))
    }
}

/// Assets whose grants are to be computed anew, and the stations that may meet each.
#[derive(Debug, Clone)]
pub struct Anew {
    /// By every id, also those given up.
    ids: BTreeSet<AssetId>,
    stations: BTreeMap<AssetId, BTreeSet<StationRef>>,
}

impl Anew {
    /// What there is to compute for assets, named as [`Touched`] names them.
    pub fn of(facts: &Facts, ids: BTreeSet<AssetId>, now: UtcMicros) -> Self {
        let assets: BTreeSet<AssetId> = ids.iter().map(|asset| facts.canonical_asset(*asset)).collect();
        let stations = assets.into_iter().map(|asset| (asset, facts.stations_of(asset, now)));
        Self { stations: stations.collect(), ids }
    }

    /// The assets, by every id.
    pub const fn ids(&self) -> &BTreeSet<AssetId> {
        &self.ids
    }

    /// Whether a snapshot of a gateway at a station has, or is to have, a grant of one of them.
    pub fn concerns(&self, snapshot: &Snapshot, at: &StationRef) -> bool {
        self.stations.values().any(|stations| stations.contains(at))
            || snapshot.grants.iter().any(|grant| self.ids.contains(&grant.asset))
    }

    /// A snapshot with the grants of these assets as they are now, and all others as they were.
    /// The openings that are over are left to the caller.
    #[must_use]
    pub fn renew(
        &self,
        snapshot: &Snapshot,
        (facts, rules): (&Facts, &Rules),
        at: &StationRef,
        now: UtcMicros,
        tables: &mut dyn Tables,
    ) -> Snapshot {
        let here = self.stations.iter().filter(|(_, stations)| stations.contains(at));
        let anew = here.map(|(asset, _)| Asked { facts, rules, at, asset: *asset, now }.grant(tables));
        let kept = snapshot.grants.iter().filter(|grant| !self.ids.contains(&grant.asset)).cloned();
        let mut grants: Vec<_> = kept.chain(anew).collect();
        grants.sort_by_key(|grant| grant.asset);
        Snapshot { identify_open: identify_open(rules, &grants), grants, ..snapshot.clone() }
    }
}
