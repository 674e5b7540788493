//! Revisions: how processes that hold a controller's state in memory see that
//! others recorded something, and take turns to record.

use crate::{
    RecordError, Sql, Store, StoreError, Write, bytes,
    listen::RECORDED,
    sql::{On, Pool, Transaction, sql},
};
#[cfg(feature = "model")]
use tokio::sync::OwnedMutexGuard;
use tokio::sync::OwnedSemaphorePermit;
use vernport_types::ControllerId;

/// Counts the changes that were recorded for a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub(crate) i64);

impl Revision {
    /// Of whoever knows nothing yet.
    pub const NONE: Self = Self(-1);
}

/// How a controller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Its last change.
    pub revision: Revision,
    /// Hash of the rules by which its grants are computed; none before anybody [claimed](Store::claim_rules) it.
    pub rules: Option<[u8; 32]>,
}

/// The turn to record for a controller, among all processes; given up when dropped.
///
/// Who computes between taking it and [`Store::record_in`] is not overtaken.
/// Batches are committed meanwhile.
pub struct Turn {
    /// The controller's revision, which nobody raises during this turn.
    pub revision: Revision,
    held: Held,
}

/// What keeps others from recording.
enum Held {
    /// SQLite: a state in memory is that of the one process there.
    Nothing,
    Postgres {
        write: Box<Write>,
        _place: OwnedSemaphorePermit,
    },
    #[cfg(feature = "model")]
    Model {
        _turn: OwnedMutexGuard<()>,
    },
}

#[cfg(feature = "model")]
impl Turn {
    pub(crate) fn in_model(revision: Revision, turn: OwnedMutexGuard<()>) -> Self {
        Self { revision, held: Held::Model { _turn: turn } }
    }
}

impl Store {
    /// How a controller stands: one row.
    ///
    /// # Errors
    /// [`StoreError`], also where the controller is not there.
    pub async fn current(&self, controller: &ControllerId) -> Result<Current, StoreError> {
        let db = sql_or!(self, current(controller));
        current(On::from(&db.main), controller).await
    }

    /// From now on grants of a controller are computed by these rules. Two
    /// processes with different rules would undo each other's grants: whoever
    /// sees other rules than its own in [`Current`] must not serve.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_rules(&self, controller: &ControllerId, rules: &[u8; 32]) -> Result<(), StoreError> {
        let db = sql_or!(self, claim_rules(controller, rules));
        let mut write = db.write(controller).await?;
        sql("UPDATE controller SET rules = $2 WHERE controller = $1")
            .bind(controller.as_str())
            .bind(rules)
            .execute(&mut write.transaction)
            .await?;
        write.announce(RECORDED, controller).await?;
        write.commit().await
    }

    /// Waits for the turn to record.
    ///
    /// # Errors
    /// [`StoreError`]; busy if others held it for too long.
    pub async fn turn(&self, controller: &ControllerId) -> Result<Turn, StoreError> {
        let db = sql_or!(self, turn(controller));
        if let Pool::Sqlite(_) = &db.main {
            return Ok(Turn { revision: self.current(controller).await?.revision, held: Held::Nothing });
        }
        let place = db.recording.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut write = db.write_aside(None).await?;
        // Whose evidence its commit appends.
        write.controller = Some(controller.clone());
        // Another lock than that of the commits: they go on while grants are computed.
        sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(controller.as_str())
            .execute(&mut write.transaction)
            .await?;
        let Current { revision, .. } = write.transaction.current(controller).await?;
        Ok(Turn { revision, held: Held::Postgres { write: Box::new(write), _place: place } })
    }
}

impl Sql {
    /// The transaction of a turn, as one that writes.
    pub(crate) async fn write_in(&self, turn: Turn, controller: &ControllerId) -> Result<Write, StoreError> {
        match turn.held {
            Held::Postgres { write, .. } => Ok(*write),
            _ => self.write(controller).await,
        }
    }
}

async fn current(on: On<'_>, controller: &ControllerId) -> Result<Current, StoreError> {
    let (revision, rules): (i64, Option<Vec<u8>>) =
        sql("SELECT revision, rules FROM controller WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_one(on)
            .await?;
    let rules = rules.map(|rules| bytes("controller", &rules)).transpose()?;
    Ok(Current { revision: Revision(revision), rules })
}

impl Transaction {
    pub(crate) async fn current(&mut self, controller: &ControllerId) -> Result<Current, StoreError> {
        current(On::from(self), controller).await
    }
}

impl Write {
    /// Raises the revision, if it still is the one that a change was computed
    /// from. Locks the controller's row, as [`Store::write`] does.
    pub(crate) async fn raise(
        &mut self,
        controller: &ControllerId,
        based_on: Revision,
    ) -> Result<Revision, RecordError> {
        let raised: Option<(i64,)> =
            sql("UPDATE controller SET revision = revision + 1 WHERE controller = $1 AND revision = $2
             RETURNING revision")
            .bind(controller.as_str())
            .bind(based_on.0)
            .fetch_optional(&mut self.transaction)
            .await?;
        let (revision,) = raised.ok_or(RecordError::Stale)?;
        self.announce(RECORDED, controller).await?;
        Ok(Revision(revision))
    }

    /// Wakes the other processes when this commits.
    pub(crate) async fn announce(
        &mut self,
        channel: &str,
        controller: &ControllerId,
    ) -> Result<(), StoreError> {
        if let Transaction::Postgres(_) = &self.transaction {
            sql("SELECT pg_notify($1, $2)")
                .bind(channel)
                .bind(controller.as_str())
                .execute(&mut self.transaction)
                .await?;
        }
        Ok(())
    }
}
