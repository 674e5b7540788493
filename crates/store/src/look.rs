//! Central's evidence log looked into from outside: one state of the main database,
//! read-only, without the erasure keys or the master key; also while central serves.

#[cfg(feature = "model")]
use crate::model::Moment;
use crate::{
    StoreError,
    batch::commit_subject,
    open,
    read::read_subject,
    sql::{Pool, Transaction, sql},
};
use vernport_audit::{Leaf, LeafKind};
use vernport_types::{BatchId, ControllerId};

/// A read-only view of one moment of one controller's log.
pub struct Look {
    view: View,
    controller: ControllerId,
}

enum View {
    Sql {
        reading: Transaction,
        pool: Pool,
    },
    #[cfg(feature = "model")]
    Model(Box<Moment>),
}

/// As for the store: SQL's transaction comes back from this, the model answers at once.
macro_rules! sql_or {
    ($look:ident, $call:ident($($given:expr),*)) => {
        match &mut $look.view {
            View::Sql { reading, .. } => reading,
            #[cfg(feature = "model")]
            View::Model(moment) => return Ok(moment.$call($($given),*)),
        }
    };
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("controller", &self.controller).finish_non_exhaustive()
    }
}

/// Which things are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Things {
    /// Entries of the ledger.
    Entries,
    /// Batches that are stored.
    Batches,
    /// Reads.
    Reads,
}

/// Something that central recorded, and the leaf that stands at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its position.
    pub position: i64,
    /// What it is called in a message: a kind and an id, or a position.
    pub name: String,
    /// Whether a leaf of its kind commits to it.
    pub has_evidence: bool,
}

type EntryRow = (i64, Vec<u8>, Option<Vec<u8>>);
type BatchRow = (i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
type ReadRow = (i64, String, String, Vec<u8>, String, i64, i64, i64, i64, Option<Vec<u8>>);

impl Look {
    /// Looks into the main database.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Statement`] where it cannot be reached or holds no log of this version.
    pub async fn open(main_url: &str, controller: ControllerId) -> Result<Self, StoreError> {
        let pool = open::look(main_url).await?;
        let mut reading = pool.reading().await?;
        reading.log_name(&controller).await?;
        Ok(Self { view: View::Sql { reading, pool }, controller })
    }

    #[cfg(feature = "model")]
    pub(crate) fn at(moment: Moment, controller: ControllerId) -> Self {
        Self { view: View::Model(moment.into()), controller }
    }

    /// The number of the last migration of the database, and of the last that this program knows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn schema(&mut self) -> Result<(i64, i64), StoreError> {
        let reading = match &mut self.view {
            View::Sql { reading, .. } => reading,
            // It has no other form than that of this program.
            #[cfg(feature = "model")]
            View::Model(_) => return Ok((0, 0)),
        };
        let (found,): (i64,) =
            sql("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(&mut *reading).await?;
        Ok((found, open::newest_main(reading)))
    }

    /// Name and size of the log; none where nothing was ever recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log(&mut self) -> Result<Option<([u8; 8], u64)>, StoreError> {
        sql_or!(self, log()).log_name(&self.controller).await
    }

    /// How many full tiles of level 0 are kept; the others follow from their leaves.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_tiles(&mut self) -> Result<u64, StoreError> {
        Ok(sql_or!(self, kept_tiles()).kept_tiles(&self.controller).await?.unsigned_abs())
    }

    /// The stored bytes of a tile, if it is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tile(&mut self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let reading = sql_or!(self, tile(level, number));
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        reading.log_tile(&self.controller, level.into(), number).await
    }

    /// Number and bytes of the leaves under a tile of level 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leaves(&mut self, number: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let reading = sql_or!(self, leaves(number));
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let leaves = reading.log_leaves(&self.controller, number).await?;
        Ok(leaves.into_iter().map(|(number, leaf)| (number.unsigned_abs(), leaf)).collect())
    }

    /// The checkpoints that are kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn checkpoints(&mut self) -> Result<Vec<String>, StoreError> {
        let reading = sql_or!(self, checkpoints());
        let rows: Vec<(String,)> =
            sql("SELECT note FROM evidence_checkpoint WHERE controller = $1 ORDER BY size")
                .bind(self.controller.as_str())
                .fetch_all(reading)
                .await?;
        Ok(rows.into_iter().map(|(note,)| note).collect())
    }

    /// Gateways whose logs, or whose view of ours, are in alarm: name, what is wrong with its log, what it finds
    /// wrong with ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn alarms(&mut self) -> Result<Vec<(String, Option<String>, Option<String>)>, StoreError> {
        let reading = sql_or!(self, alarms());
        sql("SELECT gateway, alarm, central_alarm FROM witnessed
             WHERE controller = $1 AND (alarm IS NOT NULL OR central_alarm IS NOT NULL) ORDER BY gateway")
        .bind(self.controller.as_str())
        .fetch_all(reading)
        .await
    }

    /// Things behind a position, at most 256, each held against the leaf at its position. Those from before the log
    /// are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recorded(&mut self, what: Things, after: i64) -> Result<Vec<Recorded>, StoreError> {
        let reading = sql_or!(self, recorded(what, after));
        let (first,): (Option<i64>,) =
            sql("SELECT MIN(position) FROM evidence_leaf WHERE controller = $1 AND number = 0")
                .bind(self.controller.as_str())
                .fetch_one(&mut *reading)
                .await?;
        // A log without its first leaf proves nothing for anything.
        let after = after.max(first.unwrap_or(0) - 1);
        match what {
            Things::Entries => reading.recorded_entries(&self.controller, after).await,
            Things::Batches => reading.recorded_batches(&self.controller, after).await,
            Things::Reads => reading.recorded_reads(&self.controller, after).await,
        }
    }

    /// Leaves behind a number whose ledger entry or read is not there any more; at most 256. Batches are deleted when
    /// they are due, entries and reads are not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn orphans(&mut self, after: i64) -> Result<Vec<(u64, LeafKind)>, StoreError> {
        let reading = sql_or!(self, orphans(after));
        let text = "SELECT leaf.number, leaf.leaf FROM evidence_leaf leaf
                    LEFT JOIN entry ON entry.controller = leaf.controller AND entry.position = leaf.position
                    LEFT JOIN read_log ON read_log.controller = leaf.controller AND read_log.position = leaf.position
                    LEFT JOIN batch ON batch.controller = leaf.controller AND batch.position = leaf.position
                    WHERE leaf.controller = $1 AND leaf.number > $2
                      AND entry.position IS NULL AND read_log.position IS NULL AND batch.position IS NULL
                    ORDER BY leaf.number LIMIT 256";
        let rows: Vec<(i64, Vec<u8>)> = reading.behind(text, &self.controller, after).await?;
        let kind = |leaf: &[u8]| Leaf::from_bytes(leaf).map(|leaf| leaf.kind());
        Ok(rows.iter().filter_map(|(number, leaf)| Some((number.unsigned_abs(), kind(leaf).ok()?))).collect())
    }

    /// Ends the view and closes the database.
    pub async fn close(self) {
        match self.view {
            View::Sql { reading, pool } => {
                drop(reading);
                pool.close().await;
            }
            #[cfg(feature = "model")]
            View::Model(_) => {}
        }
    }
}

impl Transaction {
    async fn recorded_entries(
        &mut self,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let text =
            "SELECT thing.position, thing.entry, leaf.leaf FROM entry thing LEFT JOIN evidence_leaf leaf
                    ON leaf.controller = thing.controller AND leaf.position = thing.position
                    WHERE thing.controller = $1 AND thing.position > $2 ORDER BY thing.position LIMIT 256";
        let rows: Vec<EntryRow> = self.behind(text, controller, after).await?;
        let recorded = rows.into_iter().map(|(position, entry, leaf)| Recorded {
            position,
            name: format!("ledger entry at position {position}"),
            has_evidence: commits(leaf, LeafKind::Entry, &entry),
        });
        Ok(recorded.collect())
    }

    async fn recorded_batches(
        &mut self,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let text = "SELECT thing.position, thing.batch, seen.envelope_hash, leaf.leaf FROM batch thing
                    LEFT JOIN batch_seen seen ON seen.controller = thing.controller AND seen.batch = thing.batch
                    LEFT JOIN evidence_leaf leaf
                    ON leaf.controller = thing.controller AND leaf.position = thing.position
                    WHERE thing.controller = $1 AND thing.position > $2 ORDER BY thing.position LIMIT 256";
        let rows: Vec<BatchRow> = self.behind(text, controller, after).await?;
        let mut recorded = Vec::with_capacity(rows.len());
        for (position, batch, hash, leaf) in rows {
            let batch = BatchId::from_bytes(crate::bytes("batch", &batch)?);
            let has_evidence =
                hash.is_some_and(|hash| commits(leaf, LeafKind::Commit, &commit_subject(batch, &hash)));
            recorded.push(Recorded { position, name: format!("batch {batch}"), has_evidence });
        }
        Ok(recorded)
    }

    async fn recorded_reads(
        &mut self,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let text =
            "SELECT thing.position, thing.recipient, thing.task, thing.key_id, thing.purpose, thing.read_at,
                           thing.after_position, thing.last_position, thing.batches, leaf.leaf
                    FROM read_log thing LEFT JOIN evidence_leaf leaf
                    ON leaf.controller = thing.controller AND leaf.position = thing.position
                    WHERE thing.controller = $1 AND thing.position > $2 ORDER BY thing.position LIMIT 256";
        let rows: Vec<ReadRow> = self.behind(text, controller, after).await?;
        let recorded = rows.into_iter().map(|row| {
            let (position, recipient, task, key, purpose, read_at, after, last, batches, leaf) = row;
            let subject = read_subject([&recipient, &task, &purpose], &key, [read_at, after, last, batches]);
            let name = format!("read at position {position}");
            Recorded { position, name, has_evidence: commits(leaf, LeafKind::Read, &subject) }
        });
        Ok(recorded.collect())
    }
}

pub(crate) fn commits(leaf: Option<Vec<u8>>, kind: LeafKind, subject: &[u8]) -> bool {
    let leaf = leaf.and_then(|leaf| Leaf::from_bytes(&leaf).ok());
    leaf.is_some_and(|leaf| leaf.kind() == kind && leaf.commits_to(subject))
}
