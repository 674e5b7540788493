//! Carries out orders to erase, in bounded steps. Each step says in the store
//! that it was done, so that a crash between any two of them is made good at the
//! next start: what is fenced is erased, what is not is looked at again.
//!
//! An order is about the key epochs of the grants that it fences: those about that
//! person or asset that were open up to the order. Of these, what a hold, an exception
//! or a restriction keeps now is left alone, and only that; it goes when its time is over.

use crate::{
    controller::{Controller, State},
    refusal::Refusal,
};
use std::collections::{BTreeMap, BTreeSet};
use vernport_api::{Certificate, Kept as KeptRow, KeptBy, NotReached, ReadBefore};
use vernport_policy::{Due, Kept, Opened, Opening, Rules, due};
use vernport_registry::{Facts, Whom};
use vernport_store::{CertificateRow, DeletionRow, Fence, StoreError};
use vernport_types::{EntryHash, EpochId, GrantId, Slug, UtcMicros};

/// How many epochs are fenced in one transaction, and journaled at once.
const EPOCHS_A_STEP: u16 = 64;
/// How long a recipient has to confirm a deletion: a month, as a controller has to
/// answer a person (GDPR Art. 12(3)).
pub(crate) const CONFIRM_SECONDS: i64 = 30 * 86_400;

/// Stands for what is kept outside of every key epoch: only what is said of whole flows keeps it.
pub(crate) const NO_EPOCH: EpochId = EpochId::from_bytes([0; 16]);

/// Stands where nothing is named that keeps something: it is looked at again.
const NO_ENTRY: EntryHash = EntryHash::from_bytes([0; 32]);

/// What keeps an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Keeper {
    by: KeptBy,
    entry: EntryHash,
    /// Until when; none: until it is lifted.
    pub(crate) until: Option<UtcMicros>,
}

/// One grant that an order is about.
pub(crate) struct Covered {
    pub(crate) id: GrantId,
    pub(crate) opening: Opening,
    opened_at: UtcMicros,
    /// Who was told of it.
    pub(crate) gateways: BTreeSet<Slug>,
}

impl Covered {
    pub(crate) fn opened(&self) -> Opened<'_> {
        Opened { opening: &self.opening, since: Some(self.opened_at) }
    }

    /// Whether it goes to an operator's topic.
    pub(crate) fn is_published(&self, rules: &Rules) -> bool {
        rules.find(&self.opening.flow).is_some_and(|flow| flow.deliver.topic.is_some())
    }

    /// The earliest that something of it can have been read.
    pub(crate) fn read_at(&self, facts: &Facts) -> UtcMicros {
        self.opened().read_since(facts).unwrap_or(self.opened_at)
    }
}

/// What an order came to: what is kept, and whether anything of it was published.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Epochs and batches, by what keeps them.
    pub(crate) kept: BTreeMap<Keeper, (u64, u64)>,
    is_published: bool,
}

impl Controller {
    /// Does everything that can be done now for orders to erase.
    pub(crate) async fn erase(&self) -> Result<(), Refusal> {
        self.finish_fenced().await?;
        for entry in self.store.open_erasures(&self.id).await? {
            let outcome = self.fence_all(entry).await?;
            self.finish_fenced().await?;
            let is_voided = self.is_voided(&entry).await?;
            self.certify(entry, &outcome, is_voided).await?;
        }
        Ok(())
    }

    /// Whether an order was a mistake.
    pub(crate) async fn is_voided(&self, entry: &EntryHash) -> Result<bool, Refusal> {
        Ok(self.locked().await?.facts.voided_at(entry).is_some())
    }

    /// Erases what is fenced: journal, keys, batches.
    async fn finish_fenced(&self) -> Result<(), StoreError> {
        loop {
            let fenced = self.store.fenced(&self.id, EPOCHS_A_STEP).await?;
            if fenced.is_empty() {
                return Ok(());
            }
            let mut by_order: BTreeMap<EntryHash, Vec<EpochId>> = BTreeMap::new();
            for (epoch, entry) in fenced {
                by_order.entry(entry).or_default().push(epoch);
            }
            let now = self.clock.now().wall;
            for (entry, epochs) in by_order {
                self.store.journal_fences(&self.id, entry, &epochs, now).await?;
                self.store.erase_keys(&self.id, &epochs, now).await?;
                for epoch in epochs {
                    while !self.store.delete_fenced(&self.id, epoch, now).await? {}
                }
            }
        }
    }

    /// Fences all epochs that an order is about and that nothing keeps.
    async fn fence_all(&self, entry: EntryHash) -> Result<Outcome, Refusal> {
        let mut outcome = Outcome::default();
        let all = self.covered(entry).await?;
        for covered in &all {
            outcome.is_published |= covered.is_published(&self.rules);
            let epochs = self.store.live_epochs(&self.id, covered.id).await?;
            for part in epochs.chunks(EPOCHS_A_STEP.into()) {
                self.fence_some(entry, covered, part, &mut outcome).await?;
            }
        }
        self.order_notices(entry, &all, &mut outcome).await?;
        Ok(outcome)
    }

    /// The grants that an order is about. Their closing is recorded before this returns, so that no
    /// batch comes in behind it.
    async fn covered(&self, entry: EntryHash) -> Result<Vec<Covered>, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let is_about =
            |known: &crate::book::Known| known.opened().fenced_by(&state.facts, now).contains(&entry);
        let covered = state.book.iter().filter(|(_, known)| is_about(known));
        let covered = covered.map(|(id, known)| Covered {
            id,
            opening: known.opening.clone(),
            opened_at: known.opened_at,
            gateways: known.gateways.clone(),
        });
        Ok(covered.collect())
    }

    /// Whether something keeps an epoch is asked while nothing else can be said.
    async fn fence_some(
        &self,
        entry: EntryHash,
        covered: &Covered,
        epochs: &[(EpochId, u64)],
        outcome: &mut Outcome,
    ) -> Result<(), Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        if !covered.opened().fenced_by(&state.facts, now).contains(&entry) {
            return Ok(()); // The order was voided meanwhile.
        }
        // No reading of its epochs can be earlier: what is ordered to go is taken whole.
        let read_at = covered.read_at(&state.facts);
        let mut fences = Vec::new();
        for (epoch, batches) in epochs {
            match self.keeper(&state, &covered.opening, read_at, *epoch, now) {
                Some(keeper) => {
                    let kept = outcome.kept.entry(keeper).or_default();
                    kept.0 += 1;
                    kept.1 += batches;
                }
                None => fences.push(Fence {
                    epoch: *epoch,
                    recipient: covered.opening.recipient.clone(),
                    purpose: covered.opening.purpose.clone(),
                }),
            }
        }
        if !fences.is_empty() {
            let confirm_by = now.plus_seconds(CONFIRM_SECONDS);
            self.store.fence(&self.id, &entry, &fences, confirm_by, now).await?;
        }
        Ok(())
    }

    /// What keeps an epoch of a grant in spite of every order to erase it.
    pub(crate) fn keeper(
        &self,
        state: &State,
        opening: &Opening,
        read_at: UtcMicros,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Option<Keeper> {
        let Some(flow) = self.rules.find(&opening.flow) else {
            return self.keeper_without_flow(state, opening, epoch, now);
        };
        let kept = Kept {
            flow,
            asset: opening.asset,
            subjects: opening.subjects.clone(),
            order: opening.order,
            read_at,
            latest_due: flow.retention.latest_due(now),
            epoch,
        };
        let due = due(&state.facts, &self.rules, &kept, now);
        if due.is_over(now) { None } else { Some(keeper_of(&due)) }
    }

    /// A bundle that came later has the flow no more: only what was said about it keeps it.
    pub(crate) fn keeper_without_flow(
        &self,
        state: &State,
        opening: &Opening,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Option<Keeper> {
        let people = opening.subjects.iter().map(|(_, subject)| Whom::Subject(*subject));
        let mut whom = std::iter::once(Whom::Asset(opening.asset)).chain(people);
        if let Some(entry) = whom.find_map(|whom| state.facts.restriction(whom, &opening.purpose, now)) {
            return Some(Keeper { by: KeptBy::Restriction, entry, until: None });
        }
        let hold = state.facts.hold(opening.asset, &opening.flow, epoch, now)?;
        self.rules.hold(hold.ground)?;
        Some(Keeper { by: KeptBy::Hold, entry: hold.entry, until: Some(hold.until) })
    }

    /// Issues a certificate, if there is anything new to certify. An order that was a mistake ends where it was
    /// voided: what was erased until then is certified, and the rest is there and used as before.
    async fn certify(&self, entry: EntryHash, outcome: &Outcome, is_voided: bool) -> Result<(), StoreError> {
        let complete = outcome.kept.is_empty() && !is_voided;
        let erased = self.store.erased_by(&self.id, &entry).await?;
        let deletions = self.store.deletions_of(&self.id, &entry).await?;
        let known = self.store.certificates(&self.id, &entry).await?;
        let (epochs_hash, epoch_hashes) = Certificate::hashes(&erased.epochs);
        let now = self.clock.now().wall;
        let certificate = Certificate {
            format: Certificate::FORMAT,
            controller: self.id.clone(),
            entry,
            number: known.last().map_or(1, |last| last.number + 1),
            issued_at: now,
            complete,
            epochs: erased.epochs.len() as u64,
            batches: erased.batches,
            epochs_hash,
            epoch_hashes,
            kept: outcome.rows(),
            read_before: read_before(&deletions),
            not_reached: outcome.not_reached(!deletions.is_empty()),
        };
        let is_told = match known.last() {
            Some(last) => says_the_same(&last.certificate, &certificate),
            None => is_voided && certificate.epochs == 0,
        };
        if is_told {
            return match is_voided {
                true => self.store.end_erasure(&self.id, &entry, now).await,
                false => Ok(()),
            };
        }
        let signed = certificate.sign(&self.head_key);
        let row = CertificateRow {
            number: certificate.number,
            issued_at: now,
            certificate: signed.certificate,
            signature: signed.signature.as_bytes().to_vec(),
        };
        self.store.certify(&self.id, &entry, &row, complete || is_voided).await?;
        tracing::info!(%entry, number = row.number, complete, "an erasure is certified");
        Ok(())
    }
}

/// What puts off the time of something that an order to erase is about.
fn keeper_of(due: &Due) -> Keeper {
    let until = Some(due.at);
    match (due.restricted_by, &due.held_by, due.excepted_by) {
        (Some(entry), ..) => Keeper { by: KeptBy::Restriction, entry, until: None },
        (None, Some(hold), _) => Keeper { by: KeptBy::Hold, entry: hold.entry, until },
        // What is fenced is ordered to go by now, unless one of these puts it off.
        (None, None, excepted) => {
            Keeper { by: KeptBy::Exception, entry: excepted.unwrap_or(NO_ENTRY), until }
        }
    }
}

impl Outcome {
    fn rows(&self) -> Vec<KeptRow> {
        let row = |(keeper, (epochs, batches)): (&Keeper, &(u64, u64))| KeptRow {
            by: keeper.by,
            entry: keeper.entry,
            until: keeper.until,
            epochs: *epochs,
            batches: *batches,
        };
        self.kept.iter().map(row).collect()
    }

    fn not_reached(&self, was_read: bool) -> Vec<NotReached> {
        let always = [NotReached::BackupsOfErasureKeys, NotReached::Ledger];
        let read = was_read.then_some(NotReached::KeysUnwrappedBefore);
        let published = self.is_published.then_some(NotReached::MessagesPublishedBefore);
        read.into_iter().chain(published).chain(always).collect()
    }
}

fn read_before(deletions: &[DeletionRow]) -> Vec<ReadBefore> {
    let mut readers: BTreeMap<(&Slug, &Slug), (u64, u64)> = BTreeMap::new();
    for row in deletions {
        let reader = readers.entry((&row.recipient, &row.purpose)).or_default();
        reader.0 += 1;
        reader.1 += row.batches;
    }
    let row = |((recipient, purpose), (epochs, batches)): ((&Slug, &Slug), (u64, u64))| ReadBefore {
        recipient: recipient.clone(),
        purpose: purpose.clone(),
        epochs,
        batches,
    };
    readers.into_iter().map(row).collect()
}

/// Whether an earlier certificate differs in its number and time only.
fn says_the_same(earlier: &str, new: &Certificate) -> bool {
    serde_json::from_str(earlier).is_ok_and(|earlier: Certificate| {
        let new = Certificate { number: earlier.number, issued_at: earlier.issued_at, ..new.clone() };
        earlier == new
    })
}
