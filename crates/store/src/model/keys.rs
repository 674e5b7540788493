//! The second database: erasure keys, one a key epoch, each statement a transaction.

use super::{
    Session,
    fault::{Call, Database, When, gone},
    tables::Table,
};
use crate::{StoreError, rewrap::KEYS_A_STEP};
use vernport_types::{ControllerId, EpochId, UtcMicros};

/// The wrapped key of an epoch; none: erased, and never made again.
pub(super) type KeyTable = Table<(ControllerId, EpochId), Option<Vec<u8>>>;

impl Session {
    pub(super) async fn keys(&self, operation: &'static str) -> Result<KeyTable, StoreError> {
        self.ask(Database::Erasure, operation).await?;
        Ok(self.model.erasure().clone())
    }

    async fn change_keys(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut KeyTable),
    ) -> Result<(), StoreError> {
        self.ask(Database::Erasure, operation).await?;
        let commit = Call { database: Database::Erasure, operation, when: When::Commit };
        let is_answered = self.model.0.hook.commit(commit).await?;
        change(&mut self.model.erasure());
        if is_answered { Ok(()) } else { Err(gone()) }
    }

    pub(crate) async fn wrapped_key(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        Ok(self.keys("wrapped_key").await?.get(&(controller.clone(), epoch)).cloned())
    }

    pub(crate) async fn keep_wrapped_key(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        wrapped: &[u8],
        _now: UtcMicros,
    ) -> Result<(), StoreError> {
        let place = (controller.clone(), epoch);
        let keep = |keys: &mut KeyTable| {
            keys.entry(place).or_insert_with(|| Some(wrapped.to_vec()));
        };
        self.change_keys("keep_wrapped_key", keep).await
    }

    pub(crate) async fn erase_keys(
        &self,
        controller: &ControllerId,
        epochs: &[EpochId],
        _now: UtcMicros,
    ) -> Result<(), StoreError> {
        for epoch in epochs {
            let place = (controller.clone(), *epoch);
            let erase = |keys: &mut KeyTable| drop(keys.insert(place, None));
            self.change_keys("erase_keys", erase).await?;
        }
        Ok(())
    }

    pub(crate) async fn wrapped_keys(
        &self,
        controller: &ControllerId,
        after: Option<EpochId>,
    ) -> Result<Vec<(EpochId, Vec<u8>)>, StoreError> {
        let keys = self.keys("wrapped_keys").await?;
        let of = keys.iter().filter(|((of, epoch), _)| of == controller && Some(*epoch) > after);
        let wrapped = of.filter_map(|((_, epoch), wrapped)| Some((*epoch, wrapped.clone()?)));
        Ok(wrapped.take(KEYS_A_STEP.into()).collect())
    }

    pub(crate) async fn replace_keys(
        &self,
        controller: &ControllerId,
        replaced: &[(EpochId, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let replace = |keys: &mut KeyTable| {
            for (epoch, wrapped) in replaced {
                if let Some(key) = keys.get_mut(&(controller.clone(), *epoch)).filter(|key| key.is_some()) {
                    *key = Some(wrapped.clone());
                }
            }
        };
        self.change_keys("replace_keys", replace).await
    }
}
