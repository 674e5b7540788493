//! The commit of sealed batches: the moment that counts.

use crate::{Databases, Sql, Store, StoreError, Write, erasure::Keys, partition::month, sql::sql};
use std::{collections::HashMap, ops::Range};
use thiserror::Error;
use vernport_api::Answer;
use vernport_audit::LeafKind;
use vernport_types::{BatchId, ControllerId, EpochId, Fate, GrantId, Reason, Slug, UtcMicros};

/// A sealed batch whose signature was verified, ready to commit.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The grant that it was sealed under.
    pub grant: GrantId,
    /// Its id, from the header.
    pub batch: BatchId,
    /// Its key epoch, from the header.
    pub epoch: EpochId,
    /// Its flow, from the header.
    pub flow: Slug,
    /// Its place in its epoch, from the header.
    pub sequence: u64,
    /// When it has to be gone, from the header.
    pub latest_due: UtcMicros,
    /// The rule that says so, from the header.
    pub retention_rule: Slug,
    /// SHA-256 of the whole envelope.
    pub envelope_hash: [u8; 32],
    /// The envelope without its wraps.
    pub without_wraps: Vec<u8>,
    /// Its wraps.
    pub wraps: Vec<u8>,
}

/// Why nothing of a request was committed.
#[derive(Debug, Error)]
pub enum CommitError {
    /// An id was used before, for other bytes.
    #[error("the id of item {item} was used before for other bytes")]
    IdReused {
        /// Which item, from 0.
        item: usize,
    },
    /// An item names another flow than its grant, or an epoch of another grant or gateway.
    #[error("item {item} does not belong to its grant")]
    NotOfGrant {
        /// Which item, from 0.
        item: usize,
    },
    /// The store failed.
    #[error("the store failed while it committed")]
    Store(#[from] StoreError),
}

impl Store {
    /// Commits what may be committed, in one transaction, and answers for each item.
    ///
    /// # Errors
    /// [`CommitError`]; then nothing was committed.
    pub async fn commit(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        items: &[Incoming],
        now: UtcMicros,
    ) -> Result<Vec<Answer>, CommitError> {
        match self.try_commit(controller, gateway, items, now).await {
            Err(CommitError::Store(error)) if error.is_busy() => Ok(vec![Answer::Retry; items.len()]),
            answers => answers,
        }
    }

    async fn try_commit(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        items: &[Incoming],
        now: UtcMicros,
    ) -> Result<Vec<Answer>, CommitError> {
        let keys = self.make_erasure_keys(controller, items.iter().map(|item| item.epoch), now).await?;
        match &self.databases {
            Databases::Sql(db) => db.commit(controller, gateway, items, &keys, now).await,
            #[cfg(feature = "model")]
            Databases::Model(model) => model.commit(controller, gateway, items, &keys, now).await,
        }
    }

    /// How many batches of a controller are in the store.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn count_batches(&self, controller: &ControllerId) -> Result<u64, StoreError> {
        let db = sql_or!(self, count_batches(controller));
        let (count,): (i64,) = sql("SELECT COUNT(*) FROM batch WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_one(&db.main)
            .await?;
        Ok(count.unsigned_abs())
    }
}

impl Sql {
    async fn commit(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        items: &[Incoming],
        keys: &Keys,
        now: UtcMicros,
    ) -> Result<Vec<Answer>, CommitError> {
        match self.try_commit(controller, gateway, items, keys, now).await {
            Err(CommitError::Store(error)) if error.lacks_partition() => {
                self.months().clear();
                Ok(vec![Answer::Retry; items.len()])
            }
            answers => answers,
        }
    }

    async fn try_commit(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        items: &[Incoming],
        keys: &Keys,
        now: UtcMicros,
    ) -> Result<Vec<Answer>, CommitError> {
        self.make_partitions(items, now).await?;
        let write = self.write(controller).await?;
        let (grants, epochs, positions) = (HashMap::new(), HashMap::new(), 0..0);
        let mut commit = Commit { write, controller, gateway, keys, now, grants, epochs, positions };
        let mut answers = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            answers.push(commit.one(at, items.len() - at, item).await?);
        }
        commit.write.commit().await?;
        Ok(answers)
    }
}

struct Commit<'a> {
    write: Write,
    controller: &'a ControllerId,
    gateway: &'a Slug,
    keys: &'a Keys,
    now: UtcMicros,
    /// What was asked once holds to the end: nobody else writes for this controller meanwhile.
    grants: HashMap<GrantId, Option<Standing>>,
    /// Of each epoch that was entered or found, its grant and gateway.
    epochs: HashMap<EpochId, (Vec<u8>, String)>,
    /// Positions for the items that are left.
    positions: Range<i64>,
}

/// The flow of a grant, and why it is closed if it is.
type Standing = (Slug, Option<Reason>);

impl Commit<'_> {
    async fn one(&mut self, at: usize, left: usize, item: &Incoming) -> Result<Answer, CommitError> {
        if let Some(hash) = self.seen(item.batch).await? {
            let same = hash == item.envelope_hash;
            return if same { Ok(Answer::Duplicate) } else { Err(CommitError::IdReused { item: at }) };
        }
        let Some((flow, closed)) = self.grant(item.grant).await? else { return Ok(Answer::Retry) };
        if flow != item.flow {
            return Err(CommitError::NotOfGrant { item: at });
        }
        match closed.map(Reason::fate) {
            None | Some(Fate::Send) => {}
            Some(Fate::Park) => return Ok(Answer::ParkedRestricted),
            Some(Fate::Destroy) => return Ok(Answer::RefusedWithdrawn),
        }
        let Some(Some(key)) = self.keys.get(&item.epoch) else { return Ok(Answer::RefusedWithdrawn) };
        if item.latest_due <= self.now {
            return Ok(Answer::RefusedWithdrawn);
        }
        if !self.enter_epoch(item).await? {
            return Err(CommitError::NotOfGrant { item: at });
        }
        let wraps = key.seal(&wraps_place(self.controller, item.batch), &item.wraps);
        let position = self.position(left).await?;
        self.insert(item, position, &wraps).await?;
        Ok(Answer::Committed)
    }

    async fn seen(&mut self, batch: BatchId) -> Result<Option<Vec<u8>>, StoreError> {
        let row: Option<(Vec<u8>,)> =
            sql("SELECT envelope_hash FROM batch_seen WHERE controller = $1 AND batch = $2")
                .bind(self.controller.as_str())
                .bind(&batch.as_bytes()[..])
                .fetch_optional(&mut self.write.transaction)
                .await?;
        Ok(row.map(|(hash,)| hash))
    }

    async fn grant(&mut self, grant: GrantId) -> Result<Option<Standing>, StoreError> {
        if let Some(known) = self.grants.get(&grant) {
            return Ok(known.clone());
        }
        let standing = self.ask_grant(grant).await?;
        self.grants.insert(grant, standing.clone());
        Ok(standing)
    }

    async fn ask_grant(&mut self, grant: GrantId) -> Result<Option<Standing>, StoreError> {
        let row: Option<(String, Option<String>)> =
            sql("SELECT flow, reason FROM flow_grant WHERE controller = $1 AND grant_id = $2")
                .bind(self.controller.as_str())
                .bind(&grant.as_bytes()[..])
                .fetch_optional(&mut self.write.transaction)
                .await?;
        let Some((flow, reason)) = row else { return Ok(None) };
        let broken = StoreError::Row { table: "flow_grant" };
        let reason = match reason.as_deref().map(Reason::from_code) {
            None => None,
            Some(None) => return Err(broken),
            Some(known) => known,
        };
        Ok(Some((flow.parse().map_err(|_| broken)?, reason)))
    }

    /// Enters the epoch at its first batch; false if it belongs to another grant or gateway.
    async fn enter_epoch(&mut self, item: &Incoming) -> Result<bool, StoreError> {
        if !self.epochs.contains_key(&item.epoch) {
            let epoch = self.ask_epoch(item).await?;
            self.epochs.insert(item.epoch, epoch);
        }
        let (grant, gateway) = &self.epochs[&item.epoch];
        Ok(*grant == item.grant.as_bytes() && gateway == self.gateway.as_str())
    }

    async fn ask_epoch(&mut self, item: &Incoming) -> Result<(Vec<u8>, String), StoreError> {
        sql("INSERT INTO epoch (controller, epoch, grant_id, gateway, first_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING")
        .bind(self.controller.as_str())
        .bind(&item.epoch.as_bytes()[..])
        .bind(&item.grant.as_bytes()[..])
        .bind(self.gateway.as_str())
        .bind(self.now.0)
        .execute(&mut self.write.transaction)
        .await?;
        sql("SELECT grant_id, gateway FROM epoch WHERE controller = $1 AND epoch = $2")
            .bind(self.controller.as_str())
            .bind(&item.epoch.as_bytes()[..])
            .fetch_one(&mut self.write.transaction)
            .await
    }

    /// The next position, of those taken for all items that were `left`; what is not used stays so.
    async fn position(&mut self, left: usize) -> Result<i64, StoreError> {
        if let Some(position) = self.positions.next() {
            return Ok(position);
        }
        let taken = self.write.next_positions(self.controller, left).await?;
        self.positions = taken.start + 1..taken.end;
        Ok(taken.start)
    }

    async fn insert(&mut self, item: &Incoming, position: i64, wraps: &[u8]) -> Result<(), StoreError> {
        self.write.evidence(LeafKind::Commit, position, &commit_subject(item.batch, &item.envelope_hash));
        sql("INSERT INTO batch_seen (controller, batch, envelope_hash) VALUES ($1, $2, $3)")
            .bind(self.controller.as_str())
            .bind(&item.batch.as_bytes()[..])
            .bind(&item.envelope_hash[..])
            .execute(&mut self.write.transaction)
            .await?;
        sql("INSERT INTO batch (controller, month, batch, position, epoch, flow, gateway, sequence,
                                latest_due, retention_rule, committed_at, envelope, wraps)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(self.controller.as_str())
        .bind(month(item.latest_due, self.now))
        .bind(&item.batch.as_bytes()[..])
        .bind(position)
        .bind(&item.epoch.as_bytes()[..])
        .bind(item.flow.as_str())
        .bind(self.gateway.as_str())
        .bind(i64::try_from(item.sequence).unwrap_or(i64::MAX))
        .bind(item.latest_due.0)
        .bind(item.retention_rule.as_str())
        .bind(self.now.0)
        .bind(&item.without_wraps)
        .bind(wraps)
        .execute(&mut self.write.transaction)
        .await?;
        Ok(())
    }
}

/// What a leaf commits to for a batch: what stays known of it when its body is deleted.
pub(crate) fn commit_subject(batch: BatchId, envelope_hash: &[u8]) -> Vec<u8> {
    [&batch.as_bytes()[..], envelope_hash].concat()
}

/// Binds the sealed wraps to their batch.
pub(crate) fn wraps_place(controller: &ControllerId, batch: BatchId) -> Vec<u8> {
    [b"wraps\0", controller.as_str().as_bytes(), b"\0", batch.as_bytes()].concat()
}
