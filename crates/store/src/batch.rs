//! The commit of sealed batches: the moment that counts.

use crate::{Store, StoreError, Write, erasure::Keys, partition::month, sql::sql};
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
        self.make_partitions(items, now).await?;
        let mut commit =
            Commit { write: self.write(controller).await?, controller, gateway, keys: &keys, now };
        let mut answers = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            answers.push(commit.one(at, item).await?);
        }
        commit.write.commit().await?;
        Ok(answers)
    }

    /// How many batches of a controller are in the store.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn count_batches(&self, controller: &ControllerId) -> Result<u64, StoreError> {
        let (count,): (i64,) = sql("SELECT COUNT(*) FROM batch WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_one(&self.main)
            .await?;
        Ok(count.unsigned_abs())
    }
}

struct Commit<'a> {
    write: Write,
    controller: &'a ControllerId,
    gateway: &'a Slug,
    keys: &'a Keys,
    now: UtcMicros,
}

impl Commit<'_> {
    async fn one(&mut self, at: usize, item: &Incoming) -> Result<Answer, CommitError> {
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
        self.insert(item, &wraps).await?;
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

    /// The flow of a grant, and why it is closed if it is.
    async fn grant(&mut self, grant: GrantId) -> Result<Option<(Slug, Option<Reason>)>, StoreError> {
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
        sql("INSERT INTO epoch (controller, epoch, grant_id, gateway, first_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING")
        .bind(self.controller.as_str())
        .bind(&item.epoch.as_bytes()[..])
        .bind(&item.grant.as_bytes()[..])
        .bind(self.gateway.as_str())
        .bind(self.now.0)
        .execute(&mut self.write.transaction)
        .await?;
        let (grant, gateway): (Vec<u8>, String) =
            sql("SELECT grant_id, gateway FROM epoch WHERE controller = $1 AND epoch = $2")
                .bind(self.controller.as_str())
                .bind(&item.epoch.as_bytes()[..])
                .fetch_one(&mut self.write.transaction)
                .await?;
        Ok(grant == item.grant.as_bytes() && gateway == self.gateway.as_str())
    }

    async fn insert(&mut self, item: &Incoming, wraps: &[u8]) -> Result<(), StoreError> {
        let position = self.write.next_position(self.controller).await?;
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
