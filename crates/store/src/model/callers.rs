//! Keyed requests, entries by reference and behind a position.

use super::{
    Session, Write,
    tables::{Entry, KeyedRequest},
};
use crate::{Answered, Begun, EntryRow, KEPT_SECONDS, Keyed, MAX_KEYED, RecordError, StoreError};
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

impl Session {
    pub(crate) async fn begin_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        now: UtcMicros,
        until: UtcMicros,
    ) -> Result<Begun, StoreError> {
        let mut write = self.writing("begin_keyed", controller).await?;
        let since = now.plus_seconds(-KEPT_SECONDS);
        let requests = &mut write.tables.keyed_requests;
        requests.retain(|_, of| of.first_at > since || of.until > now);
        let place = (keyed.caller, keyed.key);
        let begun = match requests.get(&place).cloned() {
            Some(of) if now < of.until => Begun::UnderWay,
            Some(KeyedRequest { answer: Some((request, answer)), .. }) => Begun::Answered { request, answer },
            None if requests.len() as i64 >= MAX_KEYED => Begun::Full,
            known => {
                let first_at = known.map_or(now, |known| known.first_at);
                let held = KeyedRequest { holder: keyed.holder, until, first_at, answer: None };
                requests.insert(place, held);
                Begun::Free
            }
        };
        write.commit().await?;
        Ok(begun)
    }

    pub(crate) async fn hold_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        until: UtcMicros,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("hold_keyed", controller).await?;
        let held = write.held(keyed).filter(|of| of.answer.is_none()).map(|of| of.until = until).is_some();
        write.commit().await?;
        Ok(held)
    }

    pub(crate) async fn answer_keyed(
        &self,
        controller: &ControllerId,
        answered: &Answered,
    ) -> Result<(), RecordError> {
        let mut write = self.writing("answer_keyed", controller).await?;
        write.answer_keyed(answered)?;
        write.let_go(&answered.keyed);
        Ok(write.commit().await?)
    }

    pub(crate) async fn give_up_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("give_up_keyed", controller).await?;
        if write.held(keyed).is_some_and(|of| of.answer.is_none()) {
            write.tables.keyed_requests.remove(&(keyed.caller, keyed.key));
        }
        write.let_go(keyed);
        write.commit().await
    }

    pub(crate) async fn forget_keyed(&self, controller: &ControllerId) -> Result<(), StoreError> {
        let mut write = self.writing("forget_keyed", controller).await?;
        write.tables.keyed_requests.clear();
        write.commit().await
    }

    pub(crate) async fn find_entry(
        &self,
        controller: &ControllerId,
        source: &Slug,
        reference: &[u8; 32],
    ) -> Result<Option<EntryRow>, StoreError> {
        let tables = self.reading("find_entry", controller).await?;
        let is_it = |of: &Entry| of.source == *source && of.reference == *reference;
        Ok(tables.entries.iter().find(|(_, of)| is_it(of)).map(row))
    }

    pub(crate) async fn entry_at(
        &self,
        controller: &ControllerId,
        position: i64,
    ) -> Result<Option<EntryHash>, StoreError> {
        let tables = self.reading("entry_at", controller).await?;
        Ok(tables.entries.get(&position).map(|of| of.entry))
    }

    pub(crate) async fn sealed_after(
        &self,
        controller: &ControllerId,
        position: i64,
        limit: u16,
    ) -> Result<Vec<(EntryRow, Vec<u8>)>, StoreError> {
        let tables = self.reading("entries_after", controller).await?;
        let behind = tables.entries.iter().filter(|(at, _)| **at > position).take(limit.into());
        Ok(behind.map(|of| (row(of), of.1.sealed.to_vec())).collect())
    }
}

impl Write {
    /// Fails, and with it the whole transaction, if the attempt is no longer the one that works on it.
    pub(super) fn answer_keyed(&mut self, answered: &Answered) -> Result<(), RecordError> {
        let held = self.held(&answered.keyed).ok_or(RecordError::Overtaken)?;
        held.answer = Some((answered.request, answered.sealed.clone()));
        Ok(())
    }

    fn let_go(&mut self, keyed: &Keyed) {
        if let Some(held) = self.held(keyed) {
            held.until = UtcMicros(0);
        }
    }

    /// The request of an attempt, if it is the one that works on it, or did.
    fn held(&mut self, keyed: &Keyed) -> Option<&mut KeyedRequest> {
        let known = self.tables.keyed_requests.get_mut(&(keyed.caller, keyed.key));
        known.filter(|of| of.holder == keyed.holder)
    }
}

fn row((position, of): (&i64, &Entry)) -> EntryRow {
    EntryRow { position: *position, entry: of.entry, kind: of.kind.clone(), recorded_at: of.recorded_at }
}
