//! Commits of sealed batches, and reads of them.

use super::{
    Session, Write,
    tables::{Batch, Epoch, Read, Tables},
};
use crate::{
    CommitError, Incoming, Page, ReadQuery, Released, StoreError,
    batch::{commit_subject, wraps_place},
    erasure::{Keys, open_key},
    read::read_subject,
};
use std::ops::Range;
use vernport_api::Answer;
use vernport_audit::LeafKind;
use vernport_crypto::MasterKey;
use vernport_types::{ControllerId, Fate, GrantId, Reason, Slug, UtcMicros};

impl Session {
    pub(crate) async fn commit(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        items: &[Incoming],
        keys: &Keys,
        now: UtcMicros,
    ) -> Result<Vec<Answer>, CommitError> {
        let write = self.writing("commit", controller).await?;
        let mut commit = Commit { write, controller, gateway, keys, now, positions: 0..0 };
        let mut answers = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            answers.push(commit.one(at, items.len() - at, item)?);
        }
        commit.write.commit().await?;
        Ok(answers)
    }

    pub(crate) async fn count_batches(&self, controller: &ControllerId) -> Result<u64, StoreError> {
        Ok(self.reading("count_batches", controller).await?.batches.len() as u64)
    }

    pub(crate) async fn read(
        &self,
        query: &ReadQuery<'_>,
        usable: impl Fn(GrantId) -> bool,
        master: &MasterKey,
    ) -> Result<Option<Page>, StoreError> {
        let mut write = self.writing("read", query.controller).await?;
        if !write.tables.is_active(query) {
            return Ok(None);
        }
        let keys = self.keys("read").await?;
        let mut page = Page::default();
        for (position, batch) in write.tables.asked_for(query) {
            page.last = Some(position);
            let usable = write.tables.epochs.get(&batch.epoch).is_some_and(|epoch| usable(epoch.grant));
            let key = keys.get(&(query.controller.clone(), batch.epoch));
            let Some(Some(wrapped)) = key.filter(|_| usable) else { continue };
            let key = open_key(master, query.controller, batch.epoch, wrapped)?;
            match key.open(&wraps_place(query.controller, batch.batch), &batch.wraps) {
                Ok(wraps) => page
                    .batches
                    .push(Released { without_wraps: batch.envelope.to_vec(), wraps: wraps.to_vec() }),
                Err(_) => page.unreadable += 1,
            }
        }
        let read = Read {
            recipient: query.recipient.clone(),
            task: query.task.clone(),
            key_id: query.key_id,
            purpose: query.purpose.clone(),
            read_at: query.now,
            after: query.after,
            last: page.last.unwrap_or(query.after),
            batches: i64::try_from(page.batches.len()).unwrap_or(i64::MAX),
        };
        let position = write.tables.next_position();
        write.tables.evidence(LeafKind::Read, position, &read.subject());
        write.tables.reads.insert(position, read);
        write.commit().await?;
        Ok(Some(page))
    }
}

struct Commit<'a> {
    write: Write,
    controller: &'a ControllerId,
    gateway: &'a Slug,
    keys: &'a Keys,
    now: UtcMicros,
    /// Positions for the items that are left.
    positions: Range<i64>,
}

impl Commit<'_> {
    fn one(&mut self, at: usize, left: usize, item: &Incoming) -> Result<Answer, CommitError> {
        let tables = &self.write.tables;
        if let Some(hash) = tables.seen.get(&item.batch) {
            let same = *hash == item.envelope_hash;
            return if same { Ok(Answer::Duplicate) } else { Err(CommitError::IdReused { item: at }) };
        }
        let Some(grant) = tables.grants.get(&item.grant) else { return Ok(Answer::Retry) };
        if grant.row.flow != item.flow {
            return Err(CommitError::NotOfGrant { item: at });
        }
        match grant.row.closed.map(|(_, reason)| Reason::fate(reason)) {
            None | Some(Fate::Send) => {}
            Some(Fate::Park) => return Ok(Answer::ParkedRestricted),
            Some(Fate::Destroy) => return Ok(Answer::RefusedWithdrawn),
        }
        let Some(Some(key)) = self.keys.get(&item.epoch) else { return Ok(Answer::RefusedWithdrawn) };
        if item.latest_due <= self.now {
            return Ok(Answer::RefusedWithdrawn);
        }
        let epoch = self.write.tables.epochs.entry(item.epoch).or_insert_with(|| Epoch {
            grant: item.grant,
            gateway: self.gateway.clone(),
            first_at: self.now,
            fenced_by: None,
            erased_at: None,
            erased_batches: 0,
            look_at: UtcMicros(0),
        });
        if epoch.grant != item.grant || epoch.gateway != *self.gateway {
            return Err(CommitError::NotOfGrant { item: at });
        }
        let wraps = key.seal(&wraps_place(self.controller, item.batch), &item.wraps);
        self.insert(left, item, &wraps);
        Ok(Answer::Committed)
    }

    fn insert(&mut self, left: usize, item: &Incoming, wraps: &[u8]) {
        let tables = &mut self.write.tables;
        if self.positions.is_empty() {
            // For all that are left: what is not used stays so.
            self.positions = tables.next_positions(left);
        }
        let position = self.positions.next().expect("taken for each item that is left");
        let batch = Batch {
            batch: item.batch,
            epoch: item.epoch,
            flow: item.flow.clone(),
            latest_due: item.latest_due,
            retention_rule: item.retention_rule.clone(),
            committed_at: self.now,
            envelope: item.without_wraps.as_slice().into(),
            wraps: wraps.into(),
        };
        tables.evidence(LeafKind::Commit, position, &commit_subject(item.batch, &item.envelope_hash));
        tables.seen.insert(item.batch, item.envelope_hash);
        tables.batches.insert(position, batch);
    }
}

impl Read {
    /// What its leaf commits to.
    pub(super) fn subject(&self) -> Vec<u8> {
        let words = [self.recipient.as_str(), self.task.as_str(), self.purpose.as_str()];
        read_subject(words, self.key_id.as_bytes(), [self.read_at.0, self.after, self.last, self.batches])
    }
}

impl Tables {
    fn is_active(&self, query: &ReadQuery<'_>) -> bool {
        self.recipient_keys.get(&query.key_id).is_some_and(|key| {
            key.revoked_at.is_none()
                && key.row.recipient == *query.recipient
                && key.row.purpose == *query.purpose
        })
    }

    /// Batches of the flows behind the position that are not overdue, in the order of their commits.
    fn asked_for(&self, query: &ReadQuery<'_>) -> impl Iterator<Item = (i64, &Batch)> {
        let of_flow = |batch: &Batch| query.flows.contains(&batch.flow) && batch.latest_due > query.now;
        let behind = self.batches.iter().filter(|(position, _)| **position > query.after);
        let found = behind.filter(move |(_, batch)| of_flow(batch)).take(query.limit.into());
        found.map(|(position, batch)| (*position, batch))
    }
}
