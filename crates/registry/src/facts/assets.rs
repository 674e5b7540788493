//! Assets: which there are, and what they are called.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{AssetIdentified, IdentifierEnded, StationRef};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vernport_crypto::BlindIndex;
use vernport_types::{AssetId, UtcMicros};

/// Identifiers with their validity, from both ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identifiers {
    /// Whether the asset has (or no longer has) the identifier.
    said: Book<AssetId, (BlindIndex, bool)>,
    holders: HashMap<BlindIndex, BTreeSet<AssetId>>,
}

impl Identifiers {
    pub(crate) fn identify(&mut self, identified: &AssetIdentified, filed: &Filed) {
        self.said.file(identified.asset, filed.item((identified.index, true)));
        self.holders.entry(identified.index).or_default().insert(identified.asset);
    }

    pub(crate) fn end(&mut self, ended: &IdentifierEnded, filed: &Filed) {
        self.said.file(ended.asset, filed.item((ended.index, false)));
    }
}

impl Facts {
    /// The id that stands for an asset after merges.
    pub fn canonical_asset(&self, asset: AssetId) -> AssetId {
        self.assets.canonical(asset, &self.voids)
    }

    /// The blind indexes of what an asset is called now, in no telling order.
    pub fn identifiers(&self, asset: AssetId, now: UtcMicros) -> BTreeSet<BlindIndex> {
        let members = self.assets.members(asset, &self.voids);
        let mut said: Vec<_> =
            self.identifiers.said.of_all(members).filter(|item| self.voids.counts(item, now)).collect();
        // An end is looked at after an identification of the same moment.
        said.sort_by_key(|item| (item.occurred, !item.says.1, item.recorded, item.entry));
        let mut has = BTreeMap::new();
        for item in said {
            has.insert(item.says.0, item.says.1);
        }
        has.into_iter().filter_map(|(index, has)| has.then_some(index)).collect()
    }

    /// The asset that has an identifier now. None if there is none, or more than
    /// one: readings go to the right asset or to nobody (invariant 6).
    pub fn find_asset(&self, index: &BlindIndex, now: UtcMicros) -> Option<AssetId> {
        let mut found = self
            .identifiers
            .holders
            .get(index)?
            .iter()
            .filter(|asset| self.identifiers(**asset, now).contains(index))
            .map(|asset| self.canonical_asset(*asset))
            .collect::<BTreeSet<_>>()
            .into_iter();
        match (found.next(), found.next()) {
            (Some(asset), None) => Some(asset),
            _ => None,
        }
    }

    /// The assets that a station may meet now: those with an order open there,
    /// and those that a gateway enrolled there is mounted in.
    pub fn assets_of_interest(&self, station: &StationRef, now: UtcMicros) -> BTreeSet<AssetId> {
        let ordered = self.orders_at(station, now).into_iter().flat_map(|order| order.assets);
        let pinned = self.enrolments_at(station, now).into_iter().filter_map(|enrolment| enrolment.pinned);
        ordered.chain(pinned).map(|asset| self.canonical_asset(asset)).collect()
    }

    /// The stations that may meet an asset now: those where an order is open for
    /// it, and those of the gateways that are mounted in it. The same question
    /// as [`Self::assets_of_interest`], asked from the other end.
    pub fn stations_of(&self, asset: AssetId, now: UtcMicros) -> BTreeSet<StationRef> {
        let members = self.assets.members(asset, &self.voids);
        let pinned = self
            .enrolments(now)
            .filter(|enrolment| enrolment.pinned.is_some_and(|pinned| members.contains(&pinned)));
        let pinned = pinned.map(|enrolment| enrolment.station);
        self.open_orders(&members, now).map(|order| order.station.clone()).chain(pinned).collect()
    }
}
