//! After the main database was restored from a backup: brings back from the
//! journals what the ledger lost, erases again what was erased, and begins a new
//! era that the controller signs. Central does not run meanwhile.

use crate::{
    Databases,
    journal::{self, OpenJournal},
    ledger::{note, own_entry},
};
use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};
use thiserror::Error;
use vernport_crypto::{MasterKey, SigningKey, sha256};
use vernport_policy::{Era, SignedEra};
use vernport_registry::{Entry, Event, Facts, VoidReason, Voided};
use vernport_store::{
    Change, Journal, JournalError, RecordError, RecordedEntry, Revision, Row, RowKind, Store, StoreError,
    stand_in_ref,
};
use vernport_types::{ControllerId, EntryHash, EpochId, UtcMicros};

/// How many entries are recorded in one transaction.
const ENTRIES_A_STEP: usize = 64;

/// What is needed to begin a new era.
pub struct Restoring<'a> {
    /// The two databases.
    pub databases: &'a Databases,
    /// Opens what is in the journals.
    pub master_key: MasterKey,
    /// Whose registry.
    pub controller: &'a ControllerId,
    /// The journal of the central that will serve.
    pub journal: &'a PathBuf,
    /// Those of further central processes that wrote to the same database.
    pub others: &'a [PathBuf],
    /// The controller's bundle key: signs the era.
    pub bundle_key: &'a SigningKey,
    /// The time.
    pub now: UtcMicros,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Entries that the ledger had lost.
    pub entries: usize,
    /// Key epochs whose erasure key was there again and was erased again.
    pub fences: usize,
    /// The era that began.
    pub era: u32,
}

/// Why a registry was not brought back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A database or journal cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// A journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The ledger does not take an entry of the journal.
    #[error("an entry of the journal cannot be recorded again")]
    Record(#[from] RecordError),
    /// An entry cannot be read.
    #[error("entry {entry} cannot be read by this version: update vernport")]
    Entry {
        /// Which entry.
        entry: EntryHash,
    },
}

/// Brings a registry back and begins its next era. Done again after it was broken off, it
/// goes on; done again after it ended, it begins one more era.
///
/// # Errors
/// [`RestoreError`]; what was recorded until then stays.
pub async fn restored(asked: Restoring<'_>) -> Result<Restored, RestoreError> {
    let Restoring { databases, master_key, controller, journal, others, bundle_key, now } = asked;
    let store = Store::open(&databases.main, &databases.erasure, master_key).await?;
    // Made first, where it is not there yet.
    let own = journal::open(journal).await?;
    let rows = rows(others.iter().chain([journal])).await?;
    restored_over(store, own, rows, (controller, bundle_key), now).await
}

/// The same over a store and a journal that are open; `rows` are those of all journals.
///
/// # Errors
/// As [`restored`].
pub async fn restored_over(
    store: Store,
    journal: OpenJournal,
    rows: Vec<Row>,
    (controller, bundle_key): (&ControllerId, &SigningKey),
    now: UtcMicros,
) -> Result<Restored, RestoreError> {
    store.add_controller(controller).await?;
    let (store, held) = journal.of(store);
    let mut own = held.get(controller).map(|held| held.fenced(&store)).unwrap_or_default();
    let rows = in_order(controller, rows);
    let entries = record_again(&store, controller, &rows, now).await?;
    let mut fences = 0;
    for row in rows.iter().filter(|row| row.kind == RowKind::Fences) {
        let epochs = store.journaled_fences(row)?;
        // Those of other processes, too: after the next restore this journal may be the only one.
        let news: Vec<EpochId> = epochs.iter().copied().filter(|epoch| own.insert(*epoch)).collect();
        if !news.is_empty() {
            store.journal_fences(controller, row.entry, &news, now).await?;
        }
        let found = store.with_keys(controller, &epochs).await?;
        store.erase_keys(controller, &found, now).await?;
        fences += found.len();
    }
    let mut last = store.era(controller).await?.map_or(Era::FIRST, |(era, _)| era);
    for row in rows.iter().filter(|row| row.kind == RowKind::Era) {
        last = last.max(store.journaled_era(row)?);
    }
    let era = last + 1;
    let document = document(&store, controller, era, now).await?.sign(bundle_key);
    store.begin_era(controller, era, &encode(&document), now).await?;
    store.close().await;
    Ok(Restored { entries, fences, era })
}

/// The rows of a controller in the order of time; each entry once.
fn in_order(controller: &ControllerId, mut rows: Vec<Row>) -> Vec<Row> {
    let mut seen = HashSet::new();
    rows.retain(|row| {
        row.controller == *controller && (row.kind != RowKind::Entry || seen.insert(row.entry))
    });
    rows.sort_by_key(|row| row.at);
    rows
}

/// All rows of some files.
async fn rows(journals: impl Iterator<Item = &PathBuf>) -> Result<Vec<Row>, JournalError> {
    let paths: Vec<PathBuf> = journals.cloned().collect();
    let read = tokio::task::spawn_blocking(move || {
        let mut rows = Vec::new();
        for path in paths {
            Journal::read(&path, |row| rows.push(row))?;
        }
        Ok(rows)
    });
    read.await.map_err(|_| JournalError::Ended)?
}

/// The ledger, read to be completed.
struct Again {
    facts: Facts,
    /// By its first name all names of what was said again: sent anew, under its old reference, to a central that
    /// had forgotten it.
    repeated: BTreeMap<EntryHash, Vec<EntryHash>>,
}

impl Again {
    async fn read(
        store: &Store,
        controller: &ControllerId,
    ) -> Result<(Self, HashSet<EntryHash>), RestoreError> {
        let mut again = Self { facts: Facts::new(controller.clone()), repeated: BTreeMap::new() };
        let mut known = HashSet::new();
        for RecordedEntry { entry, json } in store.load(controller, Revision::NONE).await?.entries {
            again.take(entry, &json)?;
            known.insert(entry);
        }
        Ok((again, known))
    }

    /// Takes an entry; false if its reference stands for another one already.
    fn take(&mut self, name: EntryHash, json: &[u8]) -> Result<(Entry, bool), RestoreError> {
        let broken = || RestoreError::Entry { entry: name };
        let entry: Entry = serde_json::from_slice(json).map_err(|_| broken())?;
        let before = self.facts.said_before(&entry).filter(|(first, _)| *first != name);
        self.facts.replay(&entry).map_err(|_| broken())?;
        if let Some((first, true)) = before {
            self.repeated.entry(first).or_insert_with(|| vec![first]).push(name);
        }
        Ok((entry, before.is_none()))
    }

    /// What was voided by one of its names only.
    fn mistakes(&self) -> impl Iterator<Item = EntryHash> {
        let is_voided = |name: &EntryHash| self.facts.voided_at(name).is_some();
        let voided = self.repeated.values().filter(move |names| names.iter().any(is_voided));
        voided.flatten().filter(move |name| !is_voided(name)).copied()
    }
}

/// Records the entries that the ledger does not hold; how many.
async fn record_again(
    store: &Store,
    controller: &ControllerId,
    rows: &[Row],
    now: UtcMicros,
) -> Result<usize, RestoreError> {
    let (mut again, ledger) = Again::read(store, controller).await?;
    let lost = rows.iter().filter(|row| row.kind == RowKind::Entry && !ledger.contains(&row.entry));
    let mut news = Vec::new();
    for row in lost {
        let (entry, is_free) = again.take(row.entry, &store.journaled_entry(row)?)?;
        news.push((row.entry, entry, is_free));
    }
    let count = news.len();
    for mistake in again.mistakes() {
        let voided = Event::Voided(Voided { entry: mistake, reason: VoidReason::Mistake });
        let void = own_entry(controller, voided, &format!("void {mistake}"), now);
        news.push((void.hash(), void, true));
    }
    for step in news.chunks(ENTRIES_A_STEP) {
        let mut change = Change::default();
        for (name, entry, is_free) in step {
            // Sealed identifiers did not come along: blind indexes and links are all there.
            note(&mut change, entry, *name, &BTreeMap::new());
            if !is_free && let Some(new) = change.entries.last_mut() {
                new.external_ref = stand_in_ref(*name);
            }
        }
        record(store, controller, &change, now).await?;
    }
    Ok(count)
}

/// Records without having computed anything: no central serves from these databases now.
async fn record(
    store: &Store,
    controller: &ControllerId,
    change: &Change,
    now: UtcMicros,
) -> Result<(), RestoreError> {
    let revision = store.current(controller).await?.revision;
    Ok(store.record(controller, revision, change, now).await.map(drop)?)
}

async fn document(
    store: &Store,
    controller: &ControllerId,
    era: u32,
    now: UtcMicros,
) -> Result<Era, StoreError> {
    let mut entries: Vec<EntryHash> = store.entry_hashes(controller).await?.into_iter().collect();
    entries.sort_unstable();
    let bytes: Vec<u8> = entries.iter().flat_map(EntryHash::as_bytes).copied().collect();
    Ok(Era {
        controller: controller.clone(),
        era,
        at: now,
        entries: entries.len() as u64,
        ledger_hash: sha256(&bytes),
    })
}

fn encode(era: &SignedEra) -> Vec<u8> {
    serde_json::to_vec(era).expect("texts and numbers are plain data")
}

/// The document of an era as the store keeps it.
pub(crate) fn decode(document: &[u8]) -> Option<SignedEra> {
    serde_json::from_slice(document).ok()
}
