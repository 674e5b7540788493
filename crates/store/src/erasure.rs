//! Erasure keys: one per key epoch, in the second database, wrapped by
//! central's master key. Without its erasure key the wraps of an epoch are
//! gone for everybody, also those in a backup of the main database.

use crate::{Store, StoreError, sql::sql};
use std::collections::HashMap;
use vernport_crypto::{ErasureKey, MasterKey, random};
use vernport_types::{ControllerId, EpochId, UtcMicros};

/// Erasure keys by key epoch; none for an epoch that was erased.
pub(crate) type Keys = HashMap<EpochId, Option<ErasureKey>>;

impl Store {
    /// Fetches the erasure keys of these epochs and makes those that were never
    /// there. Durable before it returns: a batch is never committed under a key
    /// that a crash could take away.
    pub(crate) async fn make_erasure_keys(
        &self,
        controller: &ControllerId,
        epochs: impl Iterator<Item = EpochId>,
        now: UtcMicros,
    ) -> Result<Keys, StoreError> {
        let mut keys = Keys::new();
        for epoch in epochs {
            if keys.contains_key(&epoch) {
                continue;
            }
            // Two commits of one epoch may race: the row that is there first stays.
            if self.wrapped_key(controller, epoch).await?.is_none() {
                let wrapped = self.master.seal(&place(controller, epoch), &random::<32>());
                self.keep_wrapped_key(controller, epoch, &wrapped, now).await?;
            }
            keys.insert(epoch, self.erasure_key(controller, epoch).await?);
        }
        Ok(keys)
    }

    /// Keeps the key of an epoch, unless one is or was there.
    async fn keep_wrapped_key(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        wrapped: &[u8],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, keep_wrapped_key(controller, epoch, wrapped, now));
        sql("INSERT INTO erasure_key (controller, epoch, wrapped, made_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING")
        .bind(controller.as_str())
        .bind(&epoch.as_bytes()[..])
        .bind(wrapped)
        .bind(now.0)
        .execute(&db.erasure)
        .await
        .map(drop)
    }

    /// The erasure key of an epoch; none if it was erased or never there.
    pub(crate) async fn erasure_key(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
    ) -> Result<Option<ErasureKey>, StoreError> {
        let Some(Some(wrapped)) = self.wrapped_key(controller, epoch).await? else { return Ok(None) };
        open_key(&self.master, controller, epoch, &wrapped).map(Some)
    }

    pub(crate) async fn wrapped_key(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let db = sql_or!(self, wrapped_key(controller, epoch));
        let row: Option<(Option<Vec<u8>>,)> =
            sql("SELECT wrapped FROM erasure_key WHERE controller = $1 AND epoch = $2")
                .bind(controller.as_str())
                .bind(&epoch.as_bytes()[..])
                .fetch_optional(&db.erasure)
                .await?;
        Ok(row.map(|(wrapped,)| wrapped))
    }
}

/// An erasure key out of its row.
pub(crate) fn open_key(
    master: &MasterKey,
    controller: &ControllerId,
    epoch: EpochId,
    wrapped: &[u8],
) -> Result<ErasureKey, StoreError> {
    let broken = || StoreError::Row { table: "erasure_key" };
    let key = master.open(&place(controller, epoch), wrapped).map_err(|_| broken())?;
    let key: [u8; 32] = key[..].try_into().map_err(|_| broken())?;
    Ok(ErasureKey::from_bytes(key))
}

/// Binds a wrapped erasure key to its row.
pub(crate) fn place(controller: &ControllerId, epoch: EpochId) -> Vec<u8> {
    [b"erasure\0", controller.as_str().as_bytes(), b"\0", epoch.as_bytes()].concat()
}
