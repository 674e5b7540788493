//! Journal and ledger are held against each other before central serves: what the
//! journal knows and the ledger does not was lost with a restored database.

use crate::StartError;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};
use vernport_store::{Journal, JournalError, Row, RowKind, Store, StoreError};
use vernport_types::{ControllerId, EntryHash, EpochId, UtcMicros};

/// What a journal holds of one controller.
#[derive(Default)]
pub(crate) struct Journaled {
    /// All entries by their hashes.
    pub(crate) entries: HashSet<EntryHash>,
    fences: Vec<Row>,
    eras: Vec<Row>,
}

impl Journaled {
    fn take(&mut self, row: Row) {
        match row.kind {
            RowKind::Entry => drop(self.entries.insert(row.entry)),
            RowKind::Fences => self.fences.push(row),
            RowKind::Era => self.eras.push(row),
        }
    }

    /// The number of the newest era, if one began.
    pub(crate) fn era(&self, store: &Store) -> Option<u32> {
        self.eras.iter().filter_map(|row| store.journaled_era(row).ok()).max()
    }

    /// How many rows are from before the master key was changed: only with that one they can be read.
    fn unreadable(&self, store: &Store) -> usize {
        let fences = self.fences.iter().filter(|row| store.journaled_fences(row).is_err());
        fences.count() + self.eras.iter().filter(|row| store.journaled_era(row).is_err()).count()
    }

    /// The epochs that it fences, as far as it can be read.
    pub(crate) fn fenced(&self, store: &Store) -> HashSet<EpochId> {
        self.fences.iter().filter_map(|row| store.journaled_fences(row).ok()).flatten().collect()
    }

    /// Sees to it that no fenced epoch has an erasure key; how many had one again.
    pub(crate) async fn fence(&self, store: &Store, now: UtcMicros) -> Result<usize, StoreError> {
        let mut again = 0;
        for row in &self.fences {
            let Ok(epochs) = store.journaled_fences(row) else { continue };
            let found = store.with_keys(&row.controller, &epochs).await?;
            store.erase_keys(&row.controller, &found, now).await?;
            again += found.len();
        }
        Ok(again)
    }
}

/// All that a journal holds, by controller.
pub(crate) type ByController = HashMap<ControllerId, Journaled>;

/// A journal that is open to write, with all that it holds.
pub struct OpenJournal {
    pub(crate) journal: Journal,
    held: ByController,
}

impl OpenJournal {
    /// Opens one by a function that shows its rows.
    ///
    /// # Errors
    /// Those of the function.
    pub fn open(
        open: impl FnOnce(&mut dyn FnMut(Row)) -> Result<Journal, JournalError>,
    ) -> Result<Self, JournalError> {
        let mut held = ByController::new();
        let journal = open(&mut |row| held.entry(row.controller.clone()).or_default().take(row))?;
        Ok(Self { journal, held })
    }

    /// The store with this journal, and what it holds.
    pub(crate) fn of(self, store: Store) -> (Store, ByController) {
        let entries = self.held.values().flat_map(|held| held.entries.iter().copied()).collect();
        (store.with_journal(self.journal, entries), self.held)
    }
}

impl std::fmt::Debug for OpenJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenJournal").finish_non_exhaustive()
    }
}

/// Opens the file of a journal.
pub(crate) async fn open(path: &Path) -> Result<OpenJournal, JournalError> {
    let path: PathBuf = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || OpenJournal::open(|row| Journal::open(&path, row)));
    opened.await.map_err(|_| JournalError::Ended)?
}

/// Gives the store its journal, if ledgers and journal agree.
pub(crate) async fn join(
    store: Store,
    journal: Option<OpenJournal>,
    controllers: &[ControllerId],
    now: UtcMicros,
) -> Result<Store, StartError> {
    let Some(journal) = journal else {
        tracing::warn!(
            "no [journal] is configured: after a restore from a backup, withdrawals and erasures since then are lost"
        );
        return Ok(store);
    };
    let (store, held) = journal.of(store);
    let nothing = Journaled::default();
    for controller in controllers {
        let held = held.get(controller).unwrap_or(&nothing);
        let ledger = store.entry_hashes(controller).await?;
        let missing = held.entries.difference(&ledger).count();
        let era = store.era(controller).await?.map(|(era, _)| era);
        if missing > 0 || held.era(&store) > era {
            return Err(StartError::Restored { controller: controller.clone(), missing });
        }
        let unreadable = held.unreadable(&store);
        if unreadable > 0 {
            tracing::warn!(%controller, unreadable, "rows of the journal are under an earlier master key: this journal was not named to `vernport keys rotate master`");
        }
        let again = held.fence(&store, now).await?;
        if again > 0 {
            tracing::warn!(%controller, again, "erasure keys were there again that had been erased: the second database was restored");
        }
        let behind = store.catch_up_journal(controller, now).await?;
        if behind > 0 {
            tracing::info!(%controller, behind, "the journal was brought up to the ledger");
        }
    }
    Ok(store)
}
