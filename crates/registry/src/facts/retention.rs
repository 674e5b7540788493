//! Holds and erasures.

use super::{
    Facts,
    history::{Book, Filed, Item},
};
use crate::{Erasure, HoldGround, HoldLifted, HoldScope, HoldSet, Whom};
use vernport_types::{AssetId, EntryHash, EpochId, Slug, UtcMicros};

/// All holds (there are few), and erasures by whom or what they are about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retention {
    holds: Vec<Item<HoldSet>>,
    lifted: Book<EntryHash, ()>,
    erasures: Book<Whom, Option<Slug>>,
}

/// A hold in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldFacts {
    /// The entry that set it.
    pub entry: EntryHash,
    /// Why.
    pub ground: HoldGround,
    /// The first moment at which it no longer holds.
    pub until: UtcMicros,
}

impl Retention {
    pub(crate) fn hold(&mut self, hold: &HoldSet, filed: &Filed) {
        self.holds.push(filed.item(hold.clone()));
    }

    pub(crate) fn lift(&mut self, lifted: &HoldLifted, filed: &Filed) {
        self.lifted.file(lifted.hold, filed.item(()));
    }

    pub(crate) fn erase(&mut self, erasure: &Erasure, filed: &Filed) {
        self.erasures.file(erasure.whom, filed.item(erasure.purpose.clone()));
    }
}

impl HoldScope {
    /// Whether a key epoch of a flow of an asset, by all its ids, is within.
    pub(super) fn covers(&self, ids: &[AssetId], flow: &Slug, epoch: EpochId) -> bool {
        match self {
            Self::Epochs(epochs) => epochs.contains(&epoch),
            Self::Flows { asset, flows } => {
                flows.contains(flow) && asset.is_none_or(|asset| ids.contains(&asset))
            }
        }
    }
}

impl Facts {
    /// The hold that keeps a key epoch of an asset and a flow now: the one that
    /// lasts longest.
    pub fn hold(&self, asset: AssetId, flow: &Slug, epoch: EpochId, now: UtcMicros) -> Option<HoldFacts> {
        self.holds(asset, flow, epoch, now).pop()
    }

    /// All holds that keep a key epoch of an asset and a flow now, the one that
    /// lasts longest at the end. A bundle may not know the ground of that one.
    pub fn holds(&self, asset: AssetId, flow: &Slug, epoch: EpochId, now: UtcMicros) -> Vec<HoldFacts> {
        let members = self.assets.members(asset, &self.voids);
        let mut holds: Vec<_> = self
            .retention
            .holds
            .iter()
            .filter(|item| item.says.scope.covers(&members, flow, epoch))
            .filter(|item| self.voids.counts(item, now) && now < item.says.until)
            .filter(|item| !self.is_hold_lifted(item, now))
            .collect();
        holds.sort_by_key(|item| (item.says.until, item.place()));
        let facts = |item: &Item<HoldSet>| HoldFacts {
            entry: item.entry,
            ground: item.says.ground,
            until: item.says.until,
        };
        holds.into_iter().map(facts).collect()
    }

    fn is_hold_lifted(&self, hold: &Item<HoldSet>, now: UtcMicros) -> bool {
        let mut lifted = self.retention.lifted.of(&hold.entry);
        lifted.any(|lifted| self.voids.counts(lifted, now) && hold.place() < lifted.place())
    }

    /// The last order to erase a purpose of a person or an asset: its entry and
    /// the moment up to which everything goes.
    pub fn erasure(&self, whom: Whom, purpose: &Slug, now: UtcMicros) -> Option<(EntryHash, UtcMicros)> {
        self.erasures(whom, purpose, now).pop()
    }

    /// All orders to erase a purpose of a person or an asset, in the order of
    /// time: what is excepted from one of them is not excepted from the others.
    pub fn erasures(&self, whom: Whom, purpose: &Slug, now: UtcMicros) -> Vec<(EntryHash, UtcMicros)> {
        let mut orders: Vec<_> = self
            .retention
            .erasures
            .of_all(self.members(whom))
            .filter(|item| item.says.as_ref().is_none_or(|only| only == purpose))
            .filter(|item| self.voids.counts(item, now))
            .collect();
        orders.sort_by_key(|item| item.place());
        orders.into_iter().map(|item| (item.entry, item.occurred)).collect()
    }
}
