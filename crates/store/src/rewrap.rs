//! Another master key: everything under the one before is sealed anew, in both databases.
//!
//! Row by row and with nobody else at work. What is under the new key already is
//! passed over, so that an interrupted run is simply done again.

use crate::{Store, StoreError, bytes, erasure, ledger, sql::sql};
use vernport_crypto::{MasterKey, OpenError, Zeroizing};
use vernport_types::{ControllerId, EntryHash, EpochId};

/// How many rows are read in one go.
const PAGE: i64 = 256;

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Ledger entries.
    pub entries: u64,
    /// Erasure keys.
    pub erasure_keys: u64,
}

type EntryColumns = (i64, Vec<u8>, Vec<u8>);

impl Store {
    /// Seals ledger entries and erasure keys under `new`. No process may serve from these databases
    /// meanwhile, nor this store afterwards: open it again with the new key.
    ///
    /// Answers under an Idempotency-Key are forgotten: keys are kept as keyed hashes only. What was recorded
    /// is still recorded once, by its reference.
    ///
    /// References of sources are kept as keyed hashes, so `external_ref` reads them out of an entry's JSON.
    ///
    /// # Errors
    /// [`StoreError::Row`] for a row that neither key opens; run it again after mending that.
    pub async fn rewrap(
        &self,
        new: &MasterKey,
        external_ref: impl Fn(&[u8]) -> Option<Zeroizing<String>>,
    ) -> Result<Rewrapped, StoreError> {
        let mut done = Rewrapped::default();
        let controllers: Vec<(String,)> =
            sql("SELECT controller FROM controller ORDER BY controller").fetch_all(&self.main).await?;
        for (controller,) in &controllers {
            let controller = crate::text("controller", controller)?;
            let mut write = self.write(&controller).await?;
            write.transaction.forget_keyed(&controller).await?;
            write.commit().await?;
            done.entries += self.rewrap_entries(&controller, new, &external_ref).await?;
            done.erasure_keys += self.rewrap_erasure_keys(&controller, new).await?;
        }
        Ok(done)
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
            let rows: Vec<EntryColumns> = sql("SELECT position, entry, sealed FROM entry
                 WHERE controller = $1 AND position > $2 ORDER BY position LIMIT $3")
            .bind(controller.as_str())
            .bind(after)
            .bind(PAGE)
            .fetch_all(&self.main)
            .await?;
            let Some((last, ..)) = rows.last() else { return Ok(done) };
            after = *last;
            let mut write = self.write(controller).await?;
            for (position, entry, sealed) in rows {
                let place = ledger::entry_place(controller, EntryHash::from_bytes(bytes("entry", &entry)?));
                let Some(plain) = under_old(&self.master, new, &place, &sealed).map_err(|_| broken())? else {
                    continue;
                };
                let sealed = new.seal(&place, &plain);
                let reference = external_ref(&plain).ok_or_else(broken)?;
                let reference = ledger::reference(new, controller, &reference);
                sql("UPDATE entry SET sealed = $3, reference = $4 WHERE controller = $1 AND position = $2")
                    .bind(controller.as_str())
                    .bind(position)
                    .bind(&sealed)
                    .bind(&reference[..])
                    .execute(&mut write.transaction)
                    .await?;
                done += 1;
            }
            write.commit().await?;
        }
    }

    async fn rewrap_erasure_keys(
        &self,
        controller: &ControllerId,
        new: &MasterKey,
    ) -> Result<u64, StoreError> {
        let broken = || StoreError::Row { table: "erasure_key" };
        let (mut done, mut after) = (0, Vec::new());
        loop {
            let rows: Vec<(Vec<u8>, Vec<u8>)> = sql("SELECT epoch, wrapped FROM erasure_key
                 WHERE controller = $1 AND epoch > $2 AND wrapped IS NOT NULL ORDER BY epoch LIMIT $3")
            .bind(controller.as_str())
            .bind(&after[..])
            .bind(PAGE)
            .fetch_all(&self.erasure)
            .await?;
            let Some((last, _)) = rows.last() else { return Ok(done) };
            after.clone_from(last);
            let mut transaction = self.erasure.writing().await?;
            for (epoch, wrapped) in rows {
                let id = EpochId::from_bytes(bytes("erasure_key", &epoch)?);
                let place = erasure::place(controller, id);
                let Some(plain) = under_old(&self.master, new, &place, &wrapped).map_err(|_| broken())?
                else {
                    continue;
                };
                let sealed = new.seal(&place, &plain);
                // A key that is erased meanwhile stays erased.
                sql("UPDATE erasure_key SET wrapped = $3
                     WHERE controller = $1 AND epoch = $2 AND wrapped IS NOT NULL")
                .bind(controller.as_str())
                .bind(&epoch[..])
                .bind(&sealed)
                .execute(&mut transaction)
                .await?;
                done += 1;
            }
            transaction.commit().await?;
        }
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
