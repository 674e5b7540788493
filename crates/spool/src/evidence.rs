//! The evidence log to its keeper: its head, proofs out of it, and the checkpoints that
//! left the box or are about to.

use crate::{ReadError, SettleError, Spool, log, station::Memory};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use vernport_audit::{Missing, Proof, TileId, Tiles, consistency, root};
use vernport_types::UtcMicros;

/// How many checkpoints are kept; the oldest give way.
const MAX_CHECKPOINTS: i64 = 4096;

/// The log as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Its random name: another spool is another log.
    pub name: [u8; 8],
    /// How many leaves it has.
    pub size: u64,
    /// The root of their tree.
    pub root: [u8; 32],
}

/// A checkpoint that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// How many leaves it is for.
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// When central cosigned it.
    pub cosigned: Option<UtcMicros>,
}

impl Spool {
    /// The head of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn log_head(&self) -> Result<LogHead, ReadError> {
        self.ask_log(async |log| {
            let size = log::size(log).await?.unsigned_abs();
            let name = log::name(log).await?;
            Ok(log::ask(log, |tiles| root(size, tiles)).await?.map(|root| LogHead { name, size, root }))
        })
        .await
    }

    /// Proves that the tree of `new` leaves begins with that of `old`.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NotKept`] for more leaves than there are.
    pub async fn prove_consistency(&self, old: u64, new: u64) -> Result<Proof, ReadError> {
        self.prove(|tiles| consistency(old, new, tiles)).await
    }

    /// The root of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NotKept`] for more leaves than there are.
    pub async fn log_root(&self, size: u64) -> Result<[u8; 32], ReadError> {
        self.prove(|tiles| root(size, tiles)).await
    }

    /// Keeps a checkpoint before it leaves the box, or the same with its cosignature. Durable when it answers.
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none while the reserve suffices.
    pub async fn keep_checkpoint(&self, kept: KeptCheckpoint) -> Result<(), SettleError> {
        let KeptCheckpoint { size, note, cosigned } = kept;
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let cosigned = cosigned.map(|at| at.0);
        self.remember(Memory::Checkpoint { size, note, cosigned }).await.map(drop)
    }

    /// The last checkpoint that was kept, and the last one that central cosigned.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn last_checkpoints(
        &self,
    ) -> Result<(Option<KeptCheckpoint>, Option<KeptCheckpoint>), ReadError> {
        self.read(async |reader| {
            let last = checkpoints(reader, "ORDER BY size DESC LIMIT 1").await?;
            let cosigned =
                checkpoints(reader, "WHERE cosigned IS NOT NULL ORDER BY size DESC LIMIT 1").await?;
            Ok((last.into_iter().next(), cosigned.into_iter().next()))
        })
        .await
    }

    async fn prove<T>(&self, question: impl Fn(&Tiles) -> Result<T, Missing>) -> Result<T, ReadError> {
        self.ask_log(async |log| log::ask(log, &question).await).await
    }

    /// Asks in one transaction: rows become tiles meanwhile.
    async fn ask_log<T>(
        &self,
        ask: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<Result<T, TileId>>,
    ) -> Result<T, ReadError> {
        self.read(async |reader| {
            let mut view = reader.begin().await?;
            let answer = ask(&mut view).await?;
            view.commit().await?;
            Ok(answer)
        })
        .await?
        .map_err(|tile| ReadError::NotKept { tile: tile.to_string() })
    }
}

/// Checkpoints of a choice: the end of a statement, ours.
pub(crate) async fn checkpoints(
    connection: &mut SqliteConnection,
    choice: &'static str,
) -> sqlx::Result<Vec<KeptCheckpoint>> {
    let statement = format!("SELECT size, note, cosigned FROM checkpoint {choice}");
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(KeptCheckpoint {
                size: row.try_get::<i64, _>("size")?.unsigned_abs(),
                note: row.try_get("note")?,
                cosigned: row.try_get::<Option<i64>, _>("cosigned")?.map(UtcMicros),
            })
        })
        .collect()
}

/// Keeps a checkpoint, inside a transaction that the writer opened. A cosignature is not forgotten.
pub(crate) async fn keep_checkpoint(
    connection: &mut SqliteConnection,
    size: i64,
    note: &str,
    cosigned: Option<i64>,
) -> sqlx::Result<u64> {
    let kept = sqlx::query(
        "INSERT INTO checkpoint (size, note, cosigned) VALUES (?, ?, ?)
         ON CONFLICT (size) DO UPDATE SET note = excluded.note, cosigned = excluded.cosigned
         WHERE excluded.cosigned IS NOT NULL",
    );
    let kept = kept.bind(size).bind(note).bind(cosigned).execute(&mut *connection).await?;
    sqlx::query(
        "DELETE FROM checkpoint WHERE size <= (SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET ?)",
    )
    .bind(MAX_CHECKPOINTS)
    .execute(connection)
    .await?;
    Ok(kept.rows_affected())
}
