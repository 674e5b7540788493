//! Who is what towards an asset.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{Link, OwnerChanged, Role, Unlink};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vernport_types::{AssetId, EntryHash, SubjectId, UtcMicros};

/// Links by asset, and the assets that a subject was ever linked to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    said: Book<AssetId, Said>,
    assets: HashMap<SubjectId, BTreeSet<AssetId>>,
}

/// In the order in which events of one moment are looked at: a sale ends what
/// was before it, and a link of the same moment stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Sold { owners: Vec<SubjectId> },
    Linked { subject: SubjectId, role: Role, until: Option<UtcMicros> },
    Unlinked { subject: SubjectId, role: Role },
}

impl Said {
    fn rank(&self) -> u8 {
        match self {
            Self::Sold { .. } => 0,
            Self::Linked { .. } => 1,
            Self::Unlinked { .. } => 2,
        }
    }
}

/// A person who has a role towards an asset, and the entry that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linked {
    /// The person, by the id that stands for them after merges.
    pub subject: SubjectId,
    /// The entry that linked them.
    pub entry: EntryHash,
    /// When the link ends by itself.
    pub until: Option<UtcMicros>,
}

impl Links {
    pub(crate) fn link(&mut self, link: &Link, filed: &Filed) {
        let said = Said::Linked { subject: link.subject, role: link.role, until: link.until };
        self.said.file(link.asset, filed.item(said));
        self.assets.entry(link.subject).or_default().insert(link.asset);
    }

    pub(crate) fn unlink(&mut self, unlink: &Unlink, filed: &Filed) {
        let said = Said::Unlinked { subject: unlink.subject, role: unlink.role };
        self.said.file(unlink.asset, filed.item(said));
    }

    pub(crate) fn change_owner(&mut self, change: &OwnerChanged, filed: &Filed) {
        self.said.file(change.asset, filed.item(Said::Sold { owners: change.owners.clone() }));
        for owner in &change.owners {
            self.assets.entry(*owner).or_default().insert(change.asset);
        }
    }

    /// The assets that a subject was ever linked to.
    pub(crate) fn assets_of(&self, subject: SubjectId) -> impl Iterator<Item = AssetId> {
        self.assets.get(&subject).into_iter().flatten().copied()
    }
}

impl Facts {
    /// Everybody who has a role towards an asset now, by subject.
    pub fn subjects(&self, asset: AssetId, role: Role, now: UtcMicros) -> Vec<Linked> {
        let members = self.assets.members(asset, &self.voids);
        let mut said: Vec<_> =
            self.links.said.of_all(members).filter(|item| self.voids.counts(item, now)).collect();
        said.sort_by_key(|item| (item.occurred, item.says.rank(), item.recorded, item.entry));
        let mut linked = BTreeMap::new();
        for item in said {
            match &item.says {
                Said::Sold { owners } => {
                    linked.clear();
                    if role == Role::Owner {
                        linked.extend(
                            owners.iter().map(|owner| (self.canonical_subject(*owner), (item.entry, None))),
                        );
                    }
                }
                Said::Linked { subject, role: said, until } if *said == role => {
                    linked.insert(self.canonical_subject(*subject), (item.entry, *until));
                }
                Said::Unlinked { subject, role: said } if *said == role => {
                    linked.remove(&self.canonical_subject(*subject));
                }
                Said::Linked { .. } | Said::Unlinked { .. } => {}
            }
        }
        linked
            .into_iter()
            .filter(|(_, (_, until))| until.is_none_or(|until| now < until))
            .map(|(subject, (entry, until))| Linked { subject, entry, until })
            .collect()
    }

    /// When an asset was sold for the first time after a moment.
    pub fn sold(&self, asset: AssetId, after: UtcMicros, now: UtcMicros) -> Option<UtcMicros> {
        self.links
            .said
            .of_all(self.assets.members(asset, &self.voids))
            .filter(|item| matches!(item.says, Said::Sold { .. }) && self.voids.counts(item, now))
            .map(|item| item.occurred)
            .filter(|sold| after < *sold)
            .min()
    }

    /// The id that stands for a person after merges.
    pub fn canonical_subject(&self, subject: SubjectId) -> SubjectId {
        self.subjects.canonical(subject, &self.voids)
    }
}
