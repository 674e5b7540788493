//! Disclosures: what an authority gets, and until when.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{DisclosureApproved, DisclosureEnded, DisclosureGround};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, Slug, UtcMicros};

/// Disclosures by asset, and the ends by disclosure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disclosures {
    approved: Book<AssetId, Approved>,
    ended: Book<EntryHash, ()>,
}

/// The part of a disclosure that decides.
#[derive(Debug, Clone)]
struct Approved {
    ground: DisclosureGround,
    flows: BTreeSet<Slug>,
    until: UtcMicros,
}

/// An open disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disclosed {
    /// The entry that approved it.
    pub entry: EntryHash,
    /// The first moment at which it is no longer open.
    pub until: UtcMicros,
    /// On what ground.
    pub ground: DisclosureGround,
}

impl Disclosures {
    pub(crate) fn approve(&mut self, approved: &DisclosureApproved, filed: &Filed) {
        for asset in approved.assets.iter().collect::<BTreeSet<_>>() {
            let (ground, until) = (approved.ground, approved.until);
            let flows = approved.flows.clone();
            self.approved.file(*asset, filed.item(Approved { ground, flows, until }));
        }
    }

    pub(crate) fn end(&mut self, ended: &DisclosureEnded, filed: &Filed) {
        self.ended.file(ended.disclosure, filed.item(()));
    }
}

impl Facts {
    /// The disclosure that is open for an asset and a flow now: of several, the
    /// one that lasts longest.
    pub fn disclosure(&self, asset: AssetId, flow: &Slug, now: UtcMicros) -> Option<Disclosed> {
        self.disclosure_on(asset, flow, |_| true, now)
    }

    /// The same, of those that are approved on a ground that fits.
    pub fn disclosure_on(
        &self,
        asset: AssetId,
        flow: &Slug,
        fits: impl Fn(DisclosureGround) -> bool,
        now: UtcMicros,
    ) -> Option<Disclosed> {
        self.disclosures
            .approved
            .of_all(self.assets.members(asset, &self.voids))
            .filter(|item| item.says.flows.contains(flow) && fits(item.says.ground))
            .filter(|item| self.voids.counts(item, now) && now < item.says.until)
            .filter(|item| !self.is_disclosure_ended(&item.entry, now))
            .max_by_key(|item| (item.says.until, item.place()))
            .map(|item| Disclosed { entry: item.entry, until: item.says.until, ground: item.says.ground })
    }

    /// An end holds however the times of the two compare: nothing reopens a disclosure.
    fn is_disclosure_ended(&self, disclosure: &EntryHash, now: UtcMicros) -> bool {
        self.disclosures.ended.of(disclosure).any(|item| self.voids.counts(item, now))
    }
}
