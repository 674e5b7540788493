//! Store and journal together: what goes into it, and what it knows that the
//! main database does not, because that was restored from a backup.

use crate::{
    Journal, JournalError, Journaling, Row, RowKind, Store, StoreError, bytes,
    erase::fences_place,
    ledger::{Sealed, entry_place},
    sql::sql,
};
use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use vernport_types::{ControllerId, EntryHash, EpochId, UtcMicros};

/// How many entries are read in one go, to be journaled or sealed anew.
pub(crate) const ENTRIES_A_STEP: u16 = 256;

/// Position and hash of an entry, and what is stored of what it says.
pub(crate) type SealedEntry = (i64, EntryHash, Sealed);

type SealedColumns = (i64, Vec<u8>, Vec<u8>, Vec<u8>);

impl Store {
    /// Has every entry and fence from now on written to a journal as well, in which these entries lie already.
    #[must_use]
    pub fn with_journal(self, journal: Journal, entries: HashSet<EntryHash>) -> Self {
        let entries = Mutex::new(entries);
        Self { journal: Some(Journaling { journal, entries, fails: AtomicBool::new(false) }), ..self }
    }

    /// Whether there is a journal.
    pub fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Whether the journal did not take what it was last given.
    pub fn journal_fails(&self) -> bool {
        self.journal.as_ref().is_some_and(|journaling| journaling.fails.load(Relaxed))
    }

    /// Writes what the journal could not take when it was recorded. Nothing may be
    /// answered for before this returns.
    ///
    /// # Errors
    /// [`StoreError::Journal`].
    pub async fn settle_journal(&self) -> Result<(), StoreError> {
        self.journal(Vec::new()).await
    }

    pub(crate) async fn journal(&self, rows: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let Some(Journaling { journal, fails, .. }) = &self.journal else { return Ok(()) };
        let written = journal.append(rows).await;
        fails.store(written.is_err(), Relaxed);
        Ok(written?)
    }

    /// Writes entries, with their times and as they are sealed, that the journal does not hold. What it cannot take
    /// now it keeps for [`settle_journal`](Self::settle_journal).
    pub(crate) async fn journal_entries(
        &self,
        controller: &ControllerId,
        entries: impl IntoIterator<Item = (EntryHash, UtcMicros, Vec<u8>)>,
    ) -> Result<usize, StoreError> {
        let Some(journaling) = &self.journal else { return Ok(0) };
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for (entry, at, sealed) in entries {
            if !journaling.held().contains(&entry) {
                names.push(entry);
                rows.push(Row::entry(controller.clone(), entry, at, sealed).encode());
            }
        }
        let count = names.len();
        let written = self.journal(rows).await;
        // Not before it has the rows, in its file or waiting for it: whoever asked may have gone meanwhile.
        journaling.held().extend(names);
        written.map(|()| count)
    }

    /// What a row of the journal says about an entry: its JSON. May hold identifiers.
    ///
    /// # Errors
    /// [`StoreError::Row`] if it is no entry, or was not sealed here.
    pub fn journaled_entry(&self, row: &Row) -> Result<Vec<u8>, StoreError> {
        self.open_row(row, RowKind::Entry, &entry_place(&row.controller, row.entry))
    }

    /// The key epochs that a row of the journal fences.
    ///
    /// # Errors
    /// [`StoreError::Row`] if it is none of fences, or was not sealed here.
    pub fn journaled_fences(&self, row: &Row) -> Result<Vec<EpochId>, StoreError> {
        let epochs = self.open_row(row, RowKind::Fences, &fences_place(&row.controller, row.entry))?;
        let (epochs, rest) = epochs.as_chunks();
        if !rest.is_empty() {
            return Err(StoreError::Row { table: "journal" });
        }
        Ok(epochs.iter().copied().map(EpochId::from_bytes).collect())
    }

    /// The number of the era that a row of the journal tells of.
    ///
    /// # Errors
    /// [`StoreError::Row`] if it is none of an era, or was not sealed here.
    pub fn journaled_era(&self, row: &Row) -> Result<u32, StoreError> {
        let era = self.open_row(row, RowKind::Era, &era_place(&row.controller))?;
        Ok(u32::from_be_bytes(bytes("journal", &era)?))
    }

    fn open_row(&self, row: &Row, kind: RowKind, place: &[u8]) -> Result<Vec<u8>, StoreError> {
        let broken = StoreError::Row { table: "journal" };
        if row.kind != kind {
            return Err(broken);
        }
        Ok(self.master.open(place, &row.sealed).map_err(|_| broken)?.to_vec())
    }

    /// All entries of a controller's ledger.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entry_hashes(&self, controller: &ControllerId) -> Result<HashSet<EntryHash>, StoreError> {
        let db = sql_or!(self, entry_hashes(controller));
        let rows: Vec<(Vec<u8>,)> = sql("SELECT entry FROM entry WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_all(&db.main)
            .await?;
        rows.iter().map(|(entry,)| Ok(EntryHash::from_bytes(bytes("entry", entry)?))).collect()
    }

    /// Brings a journal up to the ledger: entries that were recorded before there
    /// was one, or right before a crash. Says how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn catch_up_journal(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<usize, StoreError> {
        if self.journal.is_none() {
            return Ok(0);
        }
        let (mut after, mut count) = (i64::MIN, 0);
        loop {
            let rows = self.sealed_entries(controller, after).await?;
            let Some((last, ..)) = rows.last() else { return Ok(count) };
            after = *last;
            let entries = rows.into_iter().map(|(_, entry, sealed)| (entry, now, sealed.json));
            count += self.journal_entries(controller, entries).await?;
        }
    }

    /// Some entries behind a position, as they are stored.
    pub(crate) async fn sealed_entries(
        &self,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<SealedEntry>, StoreError> {
        let db = sql_or!(self, sealed_entries(controller, after));
        let rows: Vec<SealedColumns> = sql("SELECT position, entry, sealed, reference FROM entry
             WHERE controller = $1 AND position > $2 ORDER BY position LIMIT $3")
        .bind(controller.as_str())
        .bind(after)
        .bind(i64::from(ENTRIES_A_STEP))
        .fetch_all(&db.main)
        .await?;
        let row = |(position, entry, json, reference): SealedColumns| {
            let reference = bytes("entry", &reference)?;
            Ok((position, EntryHash::from_bytes(bytes("entry", &entry)?), Sealed { json, reference }))
        };
        rows.into_iter().map(row).collect()
    }

    /// Writes an era that began into the journal.
    pub(crate) async fn journal_era(
        &self,
        controller: &ControllerId,
        era: u32,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let sealed = self.master.seal(&era_place(controller), &era.to_be_bytes());
        self.journal(vec![Row::era(controller.clone(), now, sealed).encode()]).await
    }
}

impl Journaling {
    fn held(&self) -> MutexGuard<'_, HashSet<EntryHash>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn era_place(controller: &ControllerId) -> Vec<u8> {
    [b"era\0", controller.as_str().as_bytes()].concat()
}

impl From<JournalError> for crate::RecordError {
    fn from(error: JournalError) -> Self {
        Self::Store(error.into())
    }
}
