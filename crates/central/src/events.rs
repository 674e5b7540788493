//! The ledger as it grows: events behind a cursor, and what became of an entry.

use crate::{caller::By, controller::Controller, refusal::Refusal};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use vernport_api::{
    Code, Cursor, EventEntry, EventsAnswer, EventsRequest, FindEntryAnswer, FindEntryRequest, FoundEntry,
    LedgerEvent, MAX_WAIT_MS,
};
use vernport_registry::{Entry, EntryState};
use vernport_store::EntryRow;

/// While it waits, a poll looks at least this often by itself: others' word of a new entry may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Before the first entry.
const BEGINNING: i64 = -1;

impl Controller {
    /// What was recorded behind a cursor: at once if there is something, else when there is or the wait is over.
    pub(crate) async fn events(&self, asked: &EventsRequest, by: &By) -> Result<EventsAnswer, Refusal> {
        let end = Instant::now() + Duration::from_millis(asked.wait_ms.min(MAX_WAIT_MS).into());
        loop {
            let mut entered = self.entered.subscribe();
            // An agreement that ends while somebody waits ends the waiting, too.
            let scope = self.scope(by).await?;
            let after = match &asked.after {
                Some(cursor) => self.place_of(cursor).await?,
                None => BEGINNING,
            };
            let rows = self.store.entries_after(&self.id, after, asked.limit).await?;
            if !rows.is_empty() || Instant::now() >= end || self.shutdown.is_cancelled() {
                if !rows.is_empty() {
                    self.journaled().await?;
                }
                let last = rows.last().map(|(row, _)| Cursor::at(self.era.0, row.position, &row.entry));
                let event = |(row, json): (EntryRow, Vec<u8>)| {
                    let statement: Entry = serde_json::from_slice(&json).map_err(|_| unreadable())?;
                    let may_see = scope.covers(&row.kind) || by.owns(&statement.source);
                    let entry = may_see.then_some(EventEntry { hash: row.entry, statement });
                    Ok(LedgerEvent { position: row.position, kind: row.kind, entry })
                };
                let events = rows.into_iter().map(event).collect::<Result<_, Refusal>>()?;
                return Ok(EventsAnswer { events, next: last.or(asked.after) });
            }
            tokio::select! {
                _ = timeout_at(end.min(Instant::now() + LOOK_EVERY), entered.changed()) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// The position of a cursor of this registry as it stands.
    async fn place_of(&self, cursor: &Cursor) -> Result<i64, Refusal> {
        let there = match cursor.era == self.era.0 {
            true => self.store.entry_at(&self.id, cursor.position).await?,
            false => None,
        };
        if there.is_some_and(|entry| cursor.names(&entry)) {
            return Ok(cursor.position);
        }
        let detail = "this registry was restored from a backup since: begin again without `after`, and pass over \
                      entries whose hash you have; what you have and is not there was lost, record it again";
        Err(Refusal::new(Code::CursorOutdated, detail))
    }

    /// What became of the entry that a source recorded under its reference.
    pub(crate) async fn find_entry(
        &self,
        asked: &FindEntryRequest,
        by: &By,
    ) -> Result<FindEntryAnswer, Refusal> {
        if !by.owns(&asked.source) {
            let detail =
                "a processor asks for entries of its own source: its organisation number in small letters";
            return Err(Refusal::new(Code::OutOfScope, detail));
        }
        let reference = asked.external_ref.as_str();
        let Some(row) = self.store.find_entry(&self.id, &asked.source, reference).await? else {
            return Ok(FindEntryAnswer { found: None });
        };
        let mut state = self.locked().await?;
        self.store.settle_journal().await?;
        let now = state.now(&*self.clock);
        let became = state.facts.entry_state(&row.entry, now).unwrap_or(EntryState::InForce);
        let EntryRow { position, entry, kind, recorded_at } = row;
        Ok(FindEntryAnswer { found: Some(FoundEntry { entry, position, kind, recorded_at, state: became }) })
    }
}

fn unreadable() -> Refusal {
    Refusal::new(Code::Internal, "the ledger holds an entry that this version cannot read; update central")
}
