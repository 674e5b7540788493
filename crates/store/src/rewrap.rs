//! Another master key: everything under the one before is sealed anew, in both databases.
//!
//! Row by row and with nobody else at work. What is under the new key already is
//! passed over, so that an interrupted run is simply done again.

use crate::{
    Store, StoreError, bytes, erasure,
    ledger::{self, Sealed},
    sql::sql,
    text,
};
use vernport_crypto::{MasterKey, OpenError, Zeroizing};
use vernport_types::{ControllerId, EpochId};

/// How many erasure keys are read in one go.
pub(crate) const KEYS_A_STEP: u16 = 256;

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Ledger entries.
    pub entries: u64,
    /// Erasure keys.
    pub erasure_keys: u64,
}

impl Store {
    /// Seals ledger entries and erasure keys under `new`. No process may serve from these databases
    /// meanwhile, nor this store afterwards: open it again with the new key.
    ///
    /// Answers under an Idempotency-Key are forgotten: keys are kept as keyed hashes only. What was recorded
    /// is still recorded once, by its reference.
    ///
    /// References of sources are kept as keyed hashes, so `external_ref` reads them out of an entry's JSON. An
    /// entry that is not recorded under its own keeps [`stand_in_ref`](crate::stand_in_ref).
    ///
    /// # Errors
    /// [`StoreError::Row`] for a row that neither key opens; run it again after mending that.
    pub async fn rewrap(
        &self,
        new: &MasterKey,
        external_ref: impl Fn(&[u8]) -> Option<Zeroizing<String>>,
    ) -> Result<Rewrapped, StoreError> {
        let mut done = Rewrapped::default();
        for controller in &self.controllers().await? {
            self.forget_keyed(controller).await?;
            done.entries += self.rewrap_entries(controller, new, &external_ref).await?;
            done.erasure_keys += self.rewrap_erasure_keys(controller, new).await?;
        }
        Ok(done)
    }

    async fn controllers(&self) -> Result<Vec<ControllerId>, StoreError> {
        let db = sql_or!(self, controllers());
        let rows: Vec<(String,)> =
            sql("SELECT controller FROM controller ORDER BY controller").fetch_all(&db.main).await?;
        rows.iter().map(|(controller,)| text("controller", controller)).collect()
    }

    async fn rewrap_entries(
        &self,
        controller: &ControllerId,
        new: &MasterKey,
        external_ref: impl Fn(&[u8]) -> Option<Zeroizing<String>>,
    ) -> Result<u64, StoreError> {
        let broken = || StoreError::Row { table: "entry" };
        let (mut done, mut after) = (0, i64::MIN);
        loop {
            let rows = self.sealed_entries(controller, after).await?;
            let Some((last, ..)) = rows.last() else { return Ok(done) };
            after = *last;
            let mut resealed = Vec::new();
            for (position, entry, sealed) in rows {
                let place = ledger::entry_place(controller, entry);
                let plain = under_old(&self.master, new, &place, &sealed.json).map_err(|_| broken())?;
                let Some(plain) = plain else { continue };
                let mut own = external_ref(&plain).ok_or_else(broken)?;
                if sealed.reference != ledger::reference(&self.master, controller, &own) {
                    // Its own stands for another entry of the ledger.
                    own = Zeroizing::new(ledger::stand_in_ref(entry));
                }
                let reference = ledger::reference(new, controller, &own);
                resealed.push((position, Sealed { json: new.seal(&place, &plain), reference }));
            }
            done += resealed.len() as u64;
            self.reseal_entries(controller, &resealed).await?;
        }
    }

    async fn reseal_entries(
        &self,
        controller: &ControllerId,
        entries: &[(i64, Sealed)],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, reseal_entries(controller, entries));
        let mut write = db.write(controller).await?;
        for (position, Sealed { json, reference }) in entries {
            sql("UPDATE entry SET sealed = $3, reference = $4 WHERE controller = $1 AND position = $2")
                .bind(controller.as_str())
                .bind(*position)
                .bind(json)
                .bind(reference)
                .execute(&mut write.transaction)
                .await?;
        }
        write.commit().await
    }

    async fn rewrap_erasure_keys(
        &self,
        controller: &ControllerId,
        new: &MasterKey,
    ) -> Result<u64, StoreError> {
        let broken = || StoreError::Row { table: "erasure_key" };
        let (mut done, mut after) = (0, None);
        loop {
            let rows = self.wrapped_keys(controller, after).await?;
            let Some((last, _)) = rows.last() else { return Ok(done) };
            after = Some(*last);
            let mut rewrapped = Vec::new();
            for (epoch, wrapped) in rows {
                let place = erasure::place(controller, epoch);
                let plain = under_old(&self.master, new, &place, &wrapped).map_err(|_| broken())?;
                rewrapped.extend(plain.map(|plain| (epoch, new.seal(&place, &plain))));
            }
            done += rewrapped.len() as u64;
            self.replace_keys(controller, &rewrapped).await?;
        }
    }

    /// Some erasure keys behind that of an epoch.
    async fn wrapped_keys(
        &self,
        controller: &ControllerId,
        after: Option<EpochId>,
    ) -> Result<Vec<(EpochId, Vec<u8>)>, StoreError> {
        let db = sql_or!(self, wrapped_keys(controller, after));
        // Every id is behind no bytes at all.
        let after = after.as_ref().map_or(&[][..], |epoch| epoch.as_bytes());
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sql("SELECT epoch, wrapped FROM erasure_key
             WHERE controller = $1 AND epoch > $2 AND wrapped IS NOT NULL ORDER BY epoch LIMIT $3")
        .bind(controller.as_str())
        .bind(after)
        .bind(i64::from(KEYS_A_STEP))
        .fetch_all(&db.erasure)
        .await?;
        let row = |(epoch, wrapped): (Vec<u8>, Vec<u8>)| {
            Ok((EpochId::from_bytes(bytes("erasure_key", &epoch)?), wrapped))
        };
        rows.into_iter().map(row).collect()
    }

    /// A key that is erased meanwhile stays erased.
    async fn replace_keys(
        &self,
        controller: &ControllerId,
        keys: &[(EpochId, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, replace_keys(controller, keys));
        let mut transaction = db.erasure.writing().await?;
        for (epoch, wrapped) in keys {
            sql("UPDATE erasure_key SET wrapped = $3
                 WHERE controller = $1 AND epoch = $2 AND wrapped IS NOT NULL")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .bind(wrapped)
            .execute(&mut transaction)
            .await?;
        }
        transaction.commit().await
    }
}

/// What a row holds; none if it is under the new key already.
fn under_old(
    old: &MasterKey,
    new: &MasterKey,
    place: &[u8],
    row: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, OpenError> {
    match old.open(place, row) {
        Ok(plain) => Ok(Some(plain)),
        Err(_) => new.open(place, row).map(|_| None),
    }
}
