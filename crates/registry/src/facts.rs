//! What the entries of one controller's ledger amount to.
//!
//! An entry is filed under what it is about; a question looks at the few
//! entries filed there. Nothing is computed ahead, so voiding an entry is one
//! mark and every answer follows, and the order of arrival changes no answer.
//!
//! What counts at `now` is said in [`crate::Effect`]. Among what counts, the latest
//! `occurred_at` decides; at one and the same moment what closes wins.
//!
//! A question may be about the past (`explain`): it is answered with all that is
//! known today.

mod admit;
mod assets;
mod consents;
mod disclosures;
mod exceptions;
mod history;
mod links;
mod merges;
mod milestones;
mod orders;
mod pauses;
mod places;
mod processors;
mod retention;
mod rights;
mod state;
mod touched;

pub use admit::Refused;
pub use consents::{ConsentFacts, ConsentQuestion, ConsentState};
pub use disclosures::Disclosed;
pub use links::Linked;
pub use orders::OrderFacts;
pub use places::{DEVICE_KEY_OVERLAP_DAYS, EnrolmentFacts, EnrolmentState, GatewayFacts};
pub use processors::Agreement;
pub use retention::HoldFacts;
pub use rights::Objected;
pub use state::EntryState;
pub use touched::Touched;

use crate::{Effect, Entry, Event, Text};
use history::{Book, Filed, Voids};
use merges::Merges;
use std::collections::HashMap;
use touched::About;
use vernport_types::{AssetId, ControllerId, EntryHash, Slug, SubjectId, UtcMicros};

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its name; of a repetition, the name of the entry that was there before.
    pub entry: EntryHash,
    /// Whether the same was recorded before: then nothing changed now.
    pub duplicate: bool,
    /// Where answers may have changed.
    pub touched: Touched,
}

/// The facts of one controller.
#[derive(Debug, Clone)]
pub struct Facts {
    controller: ControllerId,
    log: HashMap<EntryHash, Logged>,
    references: HashMap<Slug, HashMap<Text, Reference>>,
    voids: Voids,
    notices: Book<Text, ()>,
    /// Notices that were served to one person.
    told: Book<SubjectId, Text>,
    assets: Merges<AssetId>,
    subjects: Merges<SubjectId>,
    identifiers: assets::Identifiers,
    links: links::Links,
    orders: orders::Orders,
    consents: consents::Consents,
    rights: rights::Rights,
    places: places::Places,
    retention: retention::Retention,
    milestones: milestones::Milestones,
    disclosures: disclosures::Disclosures,
    exceptions: exceptions::Exceptions,
    processors: processors::Processors,
    pauses: pauses::Pauses,
    /// Renewals, by the consent that they renew.
    renewals: Book<EntryHash, ()>,
    /// Closed by events of a newer version; under `None` those that name no asset.
    closed: Book<Option<AssetId>, ()>,
}

/// What is kept of each entry.
#[derive(Debug, Clone)]
struct Logged {
    about: About,
    occurred: UtcMicros,
    recorded: UtcMicros,
    effect: Effect,
    source: Slug,
}

#[derive(Debug, Clone)]
struct Reference {
    entry: EntryHash,
    statement: [u8; 32],
}

impl Facts {
    /// The facts of an empty ledger.
    pub fn new(controller: ControllerId) -> Self {
        Self {
            controller,
            log: HashMap::new(),
            references: HashMap::new(),
            voids: Voids::default(),
            notices: Book::default(),
            told: Book::default(),
            assets: Merges::default(),
            subjects: Merges::default(),
            identifiers: assets::Identifiers::default(),
            links: links::Links::default(),
            orders: orders::Orders::default(),
            consents: consents::Consents::default(),
            rights: rights::Rights::default(),
            places: places::Places::default(),
            retention: retention::Retention::default(),
            milestones: milestones::Milestones::default(),
            disclosures: disclosures::Disclosures::default(),
            exceptions: exceptions::Exceptions::default(),
            processors: processors::Processors::default(),
            pauses: pauses::Pauses::default(),
            renewals: Book::default(),
            closed: Book::default(),
        }
    }

    /// Whose facts these are.
    pub fn controller(&self) -> &ControllerId {
        &self.controller
    }

    /// Takes a new entry, if it may be written ([`Self::admit`]).
    ///
    /// # Errors
    /// [`Refused`] says what is wrong with it. Nothing changed then.
    pub fn apply(&mut self, entry: &Entry) -> Result<Applied, Refused> {
        if let Some(first) = self.admit(entry)? {
            return Ok(Applied { entry: first, duplicate: true, touched: Touched::none() });
        }
        Ok(self.file(entry, entry.name_and_statement()))
    }

    /// Takes an entry that the ledger already holds, written by this version or
    /// another one. What may be written now is not asked again: rules for
    /// writing change, a ledger does not.
    ///
    /// # Errors
    /// [`Refused`] if it is of another controller or of a format that cannot be read.
    pub fn replay(&mut self, entry: &Entry) -> Result<Applied, Refused> {
        self.own(entry)?;
        let named = entry.name_and_statement();
        if self.log.contains_key(&named.0) {
            return Ok(Applied { entry: named.0, duplicate: true, touched: Touched::none() });
        }
        Ok(self.file(entry, named))
    }

    /// What a source said first under the reference of this entry, and whether the entry says the same.
    pub fn said_before(&self, entry: &Entry) -> Option<(EntryHash, bool)> {
        let first = self.references.get(&entry.source)?.get(&entry.external_ref)?;
        Some((first.entry, first.statement == entry.name_and_statement().1))
    }

    /// When that happened which an entry says, whether or not it counts.
    pub fn occurred_at(&self, entry: &EntryHash) -> Option<UtcMicros> {
        self.log.get(entry).map(|logged| logged.occurred)
    }

    /// From when on an entry counts, unless it is voided ([`Effect`]).
    pub fn counts_from(&self, entry: &EntryHash) -> Option<UtcMicros> {
        self.log.get(entry).map(|logged| match logged.effect {
            Effect::Opens => logged.occurred.max(logged.recorded),
            Effect::Closes | Effect::States => logged.occurred,
        })
    }

    /// Whether an entry was voided, and when that was recorded.
    pub fn voided_at(&self, entry: &EntryHash) -> Option<UtcMicros> {
        self.voids.at(entry)
    }

    /// The entry by which a notice was served to everybody concerned. The notice
    /// is named as the bundle names it, with its version.
    pub fn notice_served(&self, notice: &str, now: UtcMicros) -> Option<EntryHash> {
        let served = self.notices.of(notice).filter(|item| self.voids.counts(item, now));
        served.min_by_key(|item| item.place()).map(|item| item.entry)
    }

    /// The entry by which one person was told of a notice. What was served to
    /// everybody concerned does not count here.
    pub fn notice_told(&self, notice: &str, subject: SubjectId, now: UtcMicros) -> Option<EntryHash> {
        self.told
            .of_all(self.subjects.members(subject, &self.voids))
            .filter(|item| item.says.as_str() == notice && self.voids.counts(item, now))
            .min_by_key(|item| item.place())
            .map(|item| item.entry)
    }

    /// The entry of a kind unknown to this version that closed the asset. Then
    /// nothing is open for it, whatever else the facts say.
    pub fn closed_by_unknown(&self, asset: AssetId, now: UtcMicros) -> Option<EntryHash> {
        let members = self.assets.members(asset, &self.voids).into_iter().map(Some).chain([None]);
        self.closed
            .of_all(members)
            .filter(|item| self.voids.counts(item, now))
            .min_by_key(|item| item.place())
            .map(|item| item.entry)
    }

    /// Files an entry under what it is about.
    fn file(&mut self, entry: &Entry, (hash, statement): (EntryHash, [u8; 32])) -> Applied {
        let logged = Logged {
            about: About::of(&entry.event),
            occurred: entry.occurred_at,
            recorded: entry.recorded_at,
            effect: entry.event.effect(),
            source: entry.source.clone(),
        };
        self.log.insert(hash, logged);
        self.references
            .entry(entry.source.clone())
            .or_default()
            .entry(entry.external_ref.clone())
            .or_insert(Reference { entry: hash, statement });
        self.file_event(&entry.event, &Filed::of(entry, hash));
        Applied { entry: hash, duplicate: false, touched: self.touched_by(&hash) }
    }

    fn file_event(&mut self, event: &Event, filed: &Filed) {
        match event {
            Event::NoticeServed(served) => match served.subject {
                None => self.notices.file(served.notice.clone(), filed.item(())),
                Some(subject) => self.told.file(subject, filed.item(served.notice.clone())),
            },
            Event::ConsentGiven(consent) => self.consents.give(consent, filed),
            Event::ConsentRenewed(renewal) => {
                self.renewals.file(renewal.renews, filed.item(()));
                self.consents.give(&renewal.consent, filed);
            }
            Event::ConsentWithdrawn(withdrawal) => self.consents.withdraw(&withdrawal.scope, filed),
            Event::ObjectionRaised(objection) => self.rights.object(objection, filed),
            Event::ObjectionWeighed(outcome) => self.rights.weigh(outcome, false, filed),
            Event::ObjectionUpheld(outcome) => self.rights.weigh(outcome, true, filed),
            Event::RestrictionSet(restriction) => self.rights.restrict(restriction, filed),
            Event::RestrictionLiftingAnnounced(lifting) => self.rights.announce(lifting, filed),
            Event::RestrictionLifted(lifted) => self.rights.lift(lifted, filed),
            Event::OrderOpened(order) => self.orders.open(order, filed),
            Event::OrderClosed(order) => self.orders.close(order, filed),
            Event::AssetIdentified(identified) => self.identifiers.identify(identified, filed),
            Event::IdentifierEnded(ended) => self.identifiers.end(ended, filed),
            Event::Linked(link) => self.links.link(link, filed),
            Event::Unlinked(unlink) => self.links.unlink(unlink, filed),
            Event::OwnerChanged(change) => self.links.change_owner(change, filed),
            Event::SubjectMerged(merge) => self.subjects.merge(merge, filed.entry),
            Event::AssetMerged(merge) => self.assets.merge(merge, filed.entry),
            Event::PrivateModeStarted(private) => self.rights.private(private, true, filed),
            Event::PrivateModeEnded(private) => self.rights.private(private, false, filed),
            Event::GatewayEnrolled(enrolled) => self.places.enrol(enrolled, filed),
            Event::EnrolmentEnded(ended) => self.places.end(ended, filed),
            Event::GatewayRevoked(revoked) => self.places.revoke_gateway(revoked, filed),
            Event::RecipientKeyActivated(key) => self.places.activate(key, filed),
            Event::RecipientKeyRevoked(key) => self.places.revoke(key, filed),
            Event::HoldSet(hold) => self.retention.hold(hold, filed),
            Event::HoldLifted(lifted) => self.retention.lift(lifted, filed),
            Event::ErasureOrdered(erasure) => self.retention.erase(erasure, filed),
            Event::MilestoneReached(reached) => self.milestones.reach(reached, filed),
            Event::DisclosureApproved(approved) => self.disclosures.approve(approved, filed),
            Event::DisclosureEnded(ended) => self.disclosures.end(ended, filed),
            Event::RestrictionExcepted(excepted) => self.exceptions.use_restricted(excepted, filed),
            Event::ErasureExcepted(excepted) => self.exceptions.keep_erased(excepted, filed),
            Event::ProcessorAgreed(agreed) => self.processors.agree(agreed, filed),
            Event::ProcessorEnded(ended) => self.processors.end(ended, filed),
            Event::RecipientPaused(paused) => self.pauses.pause(paused, filed),
            Event::RecipientResumed(resumed) => self.pauses.resume(resumed, filed),
            Event::Voided(voided) => self.voids.mark(voided.entry, filed.recorded),
            Event::Unknown(unknown) => {
                if unknown.closes() {
                    self.closed.file(unknown.asset(), filed.item(()));
                }
            }
        }
    }
}
