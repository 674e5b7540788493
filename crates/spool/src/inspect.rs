//! A spool looked into from outside, read-only, also while its gateway runs: its
//! evidence log, and what waits with the number of its evidence.

use crate::{Config, Item, KeptCheckpoint, LogHead, change::fixed, evidence::checkpoints, log, open};
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};
use std::path::Path;
use thiserror::Error;
use vernport_audit::{Missing, TILE_WIDTH, TileId, Tiles, root};
use vernport_types::{BatchId, MessageId};

/// Why a spool could not be looked into: what SQLite said.
#[derive(Debug, Error)]
#[error("the spool cannot be read")]
pub struct InspectError(#[from] sqlx::Error);

pub(crate) type Result<T> = std::result::Result<T, InspectError>;

/// A read-only view of one moment: what the gateway writes meanwhile is not seen.
#[derive(Debug)]
pub struct Inspect {
    pub(crate) connection: SqliteConnection,
}

/// Something that waits, and the number of the leaf that was written with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedEvidence {
    /// What waits.
    pub item: Item,
    /// Its sealed bytes, as they are now.
    pub sealed: Vec<u8>,
    /// The number of its leaf, from 0; none where it was queued before leaves had numbers.
    pub leaf: Option<u64>,
    /// Its place among its kind.
    pub row: i64,
}

impl Inspect {
    /// Opens the file of a spool.
    ///
    /// # Errors
    /// [`InspectError`] where it cannot be read, or was written by a version without the log: start its gateway once.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = open::options(&Config::new(path, 0)).read_only(true).create_if_missing(false);
        let mut connection = options.connect().await?;
        sqlx::query("BEGIN").execute(&mut connection).await?;
        log::name(&mut connection).await?;
        Ok(Self { connection })
    }

    /// The head of the log; none where a tile that carries it is gone.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn head(&mut self) -> Result<Option<LogHead>> {
        let size = self.size().await?;
        let name = log::name(&mut self.connection).await?;
        let root = self.ask(|tiles| root(size, tiles)).await?;
        Ok(root.ok().map(|root| LogHead { name, size, root }))
    }

    /// The random name of the log.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn name(&mut self) -> Result<[u8; 8]> {
        Ok(log::name(&mut self.connection).await?)
    }

    /// How many leaves the log has.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn size(&mut self) -> Result<u64> {
        Ok(log::size(&mut self.connection).await?.unsigned_abs())
    }

    /// How many tiles of level 0 at the front are not kept any more.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn pruned_tiles(&mut self) -> Result<u64> {
        let first: Option<i64> = sqlx::query_scalar(
            "SELECT min(number) FROM (SELECT number FROM tile WHERE level = 0 UNION ALL SELECT number FROM bundle)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(first.unwrap_or(0).unsigned_abs())
    }

    /// The stored bytes of a tile, if there is one.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn tile(&mut self, level: u8, number: u64) -> Result<Option<Vec<u8>>> {
        let tile = sqlx::query_scalar("SELECT hashes FROM tile WHERE level = ? AND number = ?")
            .bind(i64::from(level))
            .bind(i64::try_from(number).unwrap_or(i64::MAX));
        Ok(tile.fetch_optional(&mut self.connection).await?)
    }

    /// The stored leaves under tile `number` of level 0: its bundle, or else the rows, each with its place in the log.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn leaves(&mut self, number: u64) -> Result<Leaves> {
        let place = i64::try_from(number).unwrap_or(i64::MAX);
        let bundle: Option<Vec<u8>> = sqlx::query_scalar("SELECT entries FROM bundle WHERE number = ?")
            .bind(place)
            .fetch_optional(&mut self.connection)
            .await?;
        if let Some(bundle) = bundle {
            return Ok(Leaves::Bundle(bundle));
        }
        let first = place.saturating_mul(TILE_WIDTH as i64);
        let rows = sqlx::query("SELECT row, leaf FROM leaf WHERE row > ? AND row <= ? ORDER BY row")
            .bind(first)
            .bind(first.saturating_add(TILE_WIDTH as i64))
            .fetch_all(&mut self.connection)
            .await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.try_get::<i64, _>("row")?.unsigned_abs() - 1, row.try_get("leaf")?)));
        Ok(Leaves::Rows(rows.collect::<sqlx::Result<_>>()?))
    }

    /// All checkpoints that are kept, in the order of their sizes.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn checkpoints(&mut self) -> Result<Vec<KeptCheckpoint>> {
        Ok(checkpoints(&mut self.connection, "ORDER BY size").await?)
    }

    /// The counts that are kept beside leaves, by number of leaf, behind one of them; at most 256.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn counts(&mut self, from: u64) -> Result<Vec<(u64, Vec<u8>)>> {
        let rows = sqlx::query("SELECT leaf, counts FROM counted WHERE leaf >= ? ORDER BY leaf LIMIT 256")
            .bind(i64::try_from(from).unwrap_or(i64::MAX))
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get::<i64, _>("leaf")?.unsigned_abs(), row.try_get("counts")?)))
            .collect()
    }

    /// What waits behind a row, in the order of queueing; at most 64: envelopes, or with `topics` messages.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn queued(&mut self, topics: bool, after: i64) -> Result<Vec<QueuedEvidence>> {
        let statement = if topics {
            "SELECT row, id, leaf, sealed FROM topic WHERE row > ? ORDER BY row LIMIT 64"
        } else {
            "SELECT b.row, b.id, b.leaf, coalesce(e.sealed, x'') AS sealed FROM batch b
             LEFT JOIN envelope e ON e.row = b.row WHERE b.row > ? ORDER BY b.row LIMIT 64"
        };
        let rows = sqlx::query(statement).bind(after).fetch_all(&mut self.connection).await?;
        rows.iter()
            .map(|row| {
                let id = fixed(row, "id")?;
                Ok(QueuedEvidence {
                    item: if topics {
                        Item::Topic(MessageId::from_bytes(id))
                    } else {
                        Item::Batch(BatchId::from_bytes(id))
                    },
                    sealed: row.try_get("sealed")?,
                    leaf: row.try_get::<Option<i64>, _>("leaf")?.map(i64::unsigned_abs),
                    row: row.try_get("row")?,
                })
            })
            .collect()
    }

    /// A value that the gateway keeps in the spool.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn kept(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let kept = sqlx::query_scalar("SELECT bytes FROM kept WHERE name = ?").bind(name);
        Ok(kept.fetch_optional(&mut self.connection).await?)
    }

    /// Asks the tree something; the tile that it would need and is not there.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn ask<T>(
        &mut self,
        question: impl Fn(&Tiles) -> std::result::Result<T, Missing>,
    ) -> Result<std::result::Result<T, TileId>> {
        Ok(log::ask(&mut self.connection, question).await?)
    }

    /// Closes the file.
    pub async fn close(self) {
        open::close(self.connection).await;
    }
}

/// Stored leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaves {
    /// Those under a full tile, as a bundle of entries.
    Bundle(Vec<u8>),
    /// Those that are not complete yet: number from 0, leaf.
    Rows(Vec<(u64, Vec<u8>)>),
}
