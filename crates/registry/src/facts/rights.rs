//! Objections, restrictions and private mode: what a person can stop.

use super::{
    Facts,
    history::{Book, Filed, Item, Place},
};
use crate::{
    Against, Objection, ObjectionOutcome, PrivateMode, Restriction, RestrictionLifted, RestrictionLifting,
    Whom,
};
use std::collections::HashMap;
use vernport_types::{AssetId, EntryHash, Slug, SubjectId, UtcMicros};

/// What was stopped by whom, and what became of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    objections: Book<SubjectId, Against>,
    /// By objection: whether it was upheld.
    outcomes: Book<EntryHash, bool>,
    restrictions: Book<Whom, Option<Slug>>,
    /// By restriction: whom it is about, and which purpose alone.
    restricted: HashMap<EntryHash, (Whom, Option<Slug>)>,
    announced: Book<EntryHash, ()>,
    lifted: Book<EntryHash, ()>,
    /// By asset: whether private mode started.
    private: Book<AssetId, bool>,
}

/// Whether somebody objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objected {
    /// Nobody, or the grounds of the controller prevailed.
    No,
    /// It is being weighed.
    Pending {
        /// The entry that raised it.
        entry: EntryHash,
    },
    /// It stands.
    Upheld {
        /// The entry that raised it.
        entry: EntryHash,
    },
}

impl Rights {
    pub(crate) fn object(&mut self, objection: &Objection, filed: &Filed) {
        self.objections.file(objection.subject, filed.item(objection.against.clone()));
    }

    pub(crate) fn weigh(&mut self, outcome: &ObjectionOutcome, upheld: bool, filed: &Filed) {
        self.outcomes.file(outcome.objection, filed.item(upheld));
    }

    pub(crate) fn restrict(&mut self, restriction: &Restriction, filed: &Filed) {
        self.restrictions.file(restriction.whom, filed.item(restriction.purpose.clone()));
        self.restricted.insert(filed.entry, (restriction.whom, restriction.purpose.clone()));
    }

    pub(crate) fn announce(&mut self, lifting: &RestrictionLifting, filed: &Filed) {
        self.announced.file(lifting.restriction, filed.item(()));
    }

    pub(crate) fn lift(&mut self, lifted: &RestrictionLifted, filed: &Filed) {
        self.lifted.file(lifted.restriction, filed.item(()));
    }

    pub(crate) fn private(&mut self, private: &PrivateMode, started: bool, filed: &Filed) {
        self.private.file(private.asset, filed.item(started));
    }

    /// Whom a restriction is about, and which purpose alone, whether or not it counts.
    pub(crate) fn restricted(&self, restriction: &EntryHash) -> Option<&(Whom, Option<Slug>)> {
        self.restricted.get(restriction)
    }
}

impl Facts {
    /// Whether a person objects to something now. An objection to marketing or to
    /// profiling is upheld the moment it is raised, and nothing outweighs it (invariant 5).
    pub fn objection(&self, subject: SubjectId, against: &Against, now: UtcMicros) -> Objected {
        let (mut pending, mut upheld) = (None, None);
        for (stands, place) in self.standing(subject, against, now) {
            match stands {
                Some(true) => upheld = upheld.max(Some(place)),
                Some(false) => {}
                None => pending = pending.max(Some(place)),
            }
        }
        match (upheld, pending) {
            (Some((.., entry)), _) => Objected::Upheld { entry },
            (None, Some((.., entry))) => Objected::Pending { entry },
            (None, None) => Objected::No,
        }
    }

    /// When a person objected for the first time with an objection that stands now.
    pub fn objected(&self, subject: SubjectId, against: &Against, now: UtcMicros) -> Option<UtcMicros> {
        self.standing(subject, against, now)
            .filter(|(stands, _)| *stands == Some(true))
            .map(|(_, (at, ..))| at)
            .min()
    }

    /// All objections of a person that count, each with what became of it.
    fn standing(
        &self,
        subject: SubjectId,
        against: &Against,
        now: UtcMicros,
    ) -> impl Iterator<Item = (Option<bool>, Place)> {
        let raised = self
            .rights
            .objections
            .of_all(self.subjects.members(subject, &self.voids))
            .filter(move |item| item.says == *against && self.voids.counts(item, now));
        raised.map(move |item| {
            let outcome = self
                .rights
                .outcomes
                .of(&item.entry)
                .filter(|outcome| self.voids.counts(outcome, now) && item.place() < outcome.place())
                .max_by_key(|outcome| outcome.place())
                .map(|outcome| outcome.says);
            (if against.is_absolute() { Some(true) } else { outcome }, item.place())
        })
    }

    /// The first of the entries that restrict a purpose for a person or an asset now.
    pub fn restriction(&self, whom: Whom, purpose: &Slug, now: UtcMicros) -> Option<EntryHash> {
        self.restricting(whom, purpose, now).map(|item| item.place()).min().map(|(.., entry)| entry)
    }

    /// All entries that restrict a purpose for a person or an asset now, in the
    /// order of time: each has to be lifted or excepted by itself.
    pub fn restrictions(&self, whom: Whom, purpose: &Slug, now: UtcMicros) -> Vec<EntryHash> {
        let mut places: Vec<Place> = self.restricting(whom, purpose, now).map(|item| item.place()).collect();
        places.sort();
        places.into_iter().map(|(.., entry)| entry).collect()
    }

    fn restricting(
        &self,
        whom: Whom,
        purpose: &Slug,
        now: UtcMicros,
    ) -> impl Iterator<Item = &Item<Option<Slug>>> {
        self.rights
            .restrictions
            .of_all(self.members(whom))
            .filter(move |item| item.says.as_ref().is_none_or(|only| only == purpose))
            .filter(move |item| {
                self.voids.counts(item, now) && !self.is_lifted(item.entry, item.place(), now)
            })
    }

    /// INVARIANT: a lifting counts only if an announcement that counts came
    /// before it (invariant 4), also when the announcement was voided later.
    fn is_lifted(&self, restriction: EntryHash, set: Place, now: UtcMicros) -> bool {
        self.rights.lifted.of(&restriction).filter(|lifted| self.voids.counts(lifted, now)).any(|lifted| {
            self.rights.announced.of(&restriction).any(|told| {
                self.voids.counts(told, now) && set < told.place() && told.occurred < lifted.occurred
            })
        })
    }

    /// Whether the person was told before a time that a restriction will be lifted.
    pub(super) fn told_before(&self, restriction: &EntryHash, at: UtcMicros) -> bool {
        self.rights
            .announced
            .of(restriction)
            .any(|told| self.voids.at(&told.entry).is_none() && told.occurred < at)
    }

    /// The entry that switched an asset to private, if it is private now.
    pub fn private_mode(&self, asset: AssetId, now: UtcMicros) -> Option<EntryHash> {
        let members = self.assets.members(asset, &self.voids);
        self.rights
            .private
            .of_all(members)
            .filter(|item| self.voids.counts(item, now))
            .max_by_key(|item| item.place())
            .and_then(|item| item.says.then_some(item.entry))
    }

    /// All ids of whom or what is asked about.
    pub(super) fn members(&self, whom: Whom) -> Vec<Whom> {
        match whom {
            Whom::Subject(id) => {
                self.subjects.members(id, &self.voids).into_iter().map(Whom::Subject).collect()
            }
            Whom::Asset(id) => self.assets.members(id, &self.voids).into_iter().map(Whom::Asset).collect(),
        }
    }
}
