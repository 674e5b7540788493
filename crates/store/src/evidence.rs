//! Central's evidence log, one a controller: a leaf goes into the transaction of the
//! entry, batch, read or erasure that it is evidence of. The tree is computed out of
//! the rows by whoever asks; full tiles are kept, so that asking stays cheap.

use crate::{
    Sql, Store, StoreError, Write, bytes,
    sql::{Row, Statement, Transaction, composed, sql},
};
use vernport_audit::{
    Leaf, LeafKind, Missing, TILE_WIDTH, TileId, Tiles, leaf_hash, read_tile, root, tile_root,
};
use vernport_crypto::random;
use vernport_types::ControllerId;

const TILE: &str = "evidence_tile";
/// How many leaves go with one statement at most.
const MAX_ROWS: usize = 64;
/// How many tiles are made in one transaction at most.
const MAX_TILES_AT_ONCE: usize = 16;
/// How many checkpoints are kept of one log; the oldest give way.
pub(crate) const MAX_CHECKPOINTS: u16 = 4096;
/// Hashes in a full tile, as the database counts.
const WIDTH: i64 = TILE_WIDTH as i64;

/// Leaves that a transaction will append when it commits.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    leaves: Vec<(i64, Leaf)>,
}

/// The log of a controller as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Its random name.
    pub name: [u8; 8],
    /// How many leaves it has.
    pub size: u64,
    /// The root of their tree.
    pub root: [u8; 32],
}

impl Write {
    /// Takes note of evidence for what this transaction wrote at a position; it is appended at the commit.
    pub(crate) fn evidence(&mut self, kind: LeafKind, position: i64, subject: &[u8]) {
        self.evidence.leaves.push((position, Leaf::new(kind, random(), subject)));
    }

    /// Appends what was taken note of, as the last thing before the commit: the log's row is held shortly.
    pub(crate) async fn append_evidence(&mut self, controller: &ControllerId) -> Result<(), StoreError> {
        let leaves = std::mem::take(&mut self.evidence.leaves);
        if leaves.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(leaves.len()).unwrap_or(i64::MAX);
        // Whoever is first begins the log.
        let (size,): (i64,) = sql("INSERT INTO evidence_log (controller, name, size) VALUES ($1, $2, $3)
             ON CONFLICT (controller) DO UPDATE SET size = evidence_log.size + excluded.size RETURNING size")
        .bind(controller.as_str())
        .bind(&random::<8>())
        .bind(count)
        .fetch_one(&mut self.transaction)
        .await?;
        let numbered: Vec<_> = leaves
            .into_iter()
            .zip(size - count..)
            .map(|((position, leaf), number)| (number, position, leaf.to_bytes()))
            .collect();
        for rows in numbered.chunks(MAX_ROWS) {
            insert(controller, rows).execute(&mut self.transaction).await?;
        }
        Ok(())
    }
}

fn insert<'q>(controller: &'q ControllerId, rows: &'q [(i64, i64, [u8; 49])]) -> Statement<'q> {
    let values: Vec<_> = (0..rows.len())
        .map(|row| format!("($1, ${}, ${}, ${})", 3 * row + 2, 3 * row + 3, 3 * row + 4))
        .collect();
    let text = format!(
        "INSERT INTO evidence_leaf (controller, number, position, leaf) VALUES {}",
        values.join(", ")
    );
    let statement = composed(text).bind(controller.as_str());
    rows.iter().fold(statement, |statement, (number, position, leaf)| {
        statement.bind(*number).bind(*position).bind(leaf)
    })
}

impl Store {
    /// The head of a controller's log, which begins with this where there is none: its name stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_head(&self, controller: &ControllerId) -> Result<LogHead, StoreError> {
        let db = sql_or!(self, log_head(controller));
        db.make_tiles(controller).await?;
        loop {
            let mut reading = db.main.reading().await?;
            if let Some((name, size)) = reading.log_name(controller).await? {
                let root = reading.ask_log(controller, |tiles| root(size, tiles)).await?;
                return Ok(LogHead { name, size, root });
            }
            drop(reading);
            let mut write = db.write_aside(Some(controller)).await?;
            sql(
                "INSERT INTO evidence_log (controller, name, size) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
            )
            .bind(controller.as_str())
            .bind(&random::<8>())
            .execute(&mut write.transaction)
            .await?;
            write.commit().await?;
        }
    }

    /// Asks the tree of a log something: a root or a proof.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Row`] where leaves or tiles are missing.
    pub async fn ask_log<T>(
        &self,
        controller: &ControllerId,
        question: impl Fn(&Tiles) -> Result<T, Missing>,
    ) -> Result<T, StoreError> {
        let db = sql_or!(self, ask_log(controller, question));
        db.main.reading().await?.ask_log(controller, question).await
    }

    /// Keeps a checkpoint of a controller's own log, durably, before it leaves.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_log_checkpoint(
        &self,
        controller: &ControllerId,
        size: u64,
        note: &str,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, keep_log_checkpoint(controller, size, note));
        let mut write = db.write_aside(Some(controller)).await?;
        let added = sql("INSERT INTO evidence_checkpoint (controller, size, note) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING")
        .bind(controller.as_str())
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(note)
        .execute(&mut write.transaction)
        .await?;
        if added > 0 {
            sql("DELETE FROM evidence_checkpoint WHERE controller = $1 AND size <=
                 (SELECT size FROM evidence_checkpoint WHERE controller = $1
                  ORDER BY size DESC LIMIT 1 OFFSET $2)")
            .bind(controller.as_str())
            .bind(i64::from(MAX_CHECKPOINTS))
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await
    }
}

impl Sql {
    /// Makes the full tiles that are missing yet, some in each transaction.
    async fn make_tiles(&self, controller: &ControllerId) -> Result<(), StoreError> {
        // Most often there is nothing to do, and nobody has to wait for it.
        while self.main.reading().await?.lacks_tile(controller).await?.is_some() {
            let mut write = self.write(controller).await?;
            for _ in 0..MAX_TILES_AT_ONCE {
                let Some(number) = write.transaction.lacks_tile(controller).await? else { break };
                write.make_tile(controller, number).await?;
            }
            write.commit().await?;
        }
        Ok(())
    }
}

impl Write {
    /// Makes a full tile of level 0, and puts its root into the row above, as far up as tiles become full.
    async fn make_tile(&mut self, controller: &ControllerId, number: i64) -> Result<(), StoreError> {
        let mut hashes = self.transaction.leaf_hashes(controller, number).await?;
        let mut number = number;
        for level in 0..8_i64 {
            sql("INSERT INTO evidence_tile (controller, level, number, hashes) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (controller, level, number) DO UPDATE SET hashes = excluded.hashes")
            .bind(controller.as_str())
            .bind(level)
            .bind(number)
            .bind(&hashes.concat())
            .execute(&mut self.transaction)
            .await?;
            if hashes.len() as i64 != WIDTH {
                break;
            }
            let (root, place) = (tile_root(&hashes), number % WIDTH);
            number /= WIDTH;
            hashes = self.transaction.kept_tile(controller, level + 1, number).await?;
            // Each root has its place; a row that was cut from outside stays cut, `audit fsck` names it.
            if hashes.len() as i64 == place {
                hashes.push(root);
            }
        }
        Ok(())
    }
}

impl Transaction {
    pub(crate) async fn log_name(
        &mut self,
        controller: &ControllerId,
    ) -> Result<Option<([u8; 8], u64)>, StoreError> {
        let row: Option<(Vec<u8>, i64)> = sql("SELECT name, size FROM evidence_log WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_optional(self)
            .await?;
        row.map(|(name, size)| Ok((bytes("evidence_log", &name)?, size.unsigned_abs()))).transpose()
    }

    /// How many full tiles of level 0 are kept.
    pub(crate) async fn kept_tiles(&mut self, controller: &ControllerId) -> Result<i64, StoreError> {
        let (kept,): (i64,) =
            sql("SELECT COALESCE(MAX(number) + 1, 0) FROM evidence_tile WHERE controller = $1 AND level = 0")
                .bind(controller.as_str())
                .fetch_one(self)
                .await?;
        Ok(kept)
    }

    /// The first full tile that is not kept yet.
    async fn lacks_tile(&mut self, controller: &ControllerId) -> Result<Option<i64>, StoreError> {
        let Some((_, size)) = self.log_name(controller).await? else { return Ok(None) };
        let kept = self.kept_tiles(controller).await?;
        if kept.unsigned_abs() >= size / TILE_WIDTH {
            return Ok(None);
        }
        // A log with a hole gets no tile over it; `audit fsck` names that.
        let whole = self.leaf_hashes(controller, kept).await?.len() as i64 == WIDTH;
        Ok(whole.then_some(kept))
    }

    /// The hashes of the leaves under a tile, as far as they are there.
    async fn leaf_hashes(
        &mut self,
        controller: &ControllerId,
        number: i64,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let leaves = self.log_leaves(controller, number).await?;
        Ok(leaves.iter().map(|(_, leaf)| leaf_hash(leaf)).collect())
    }

    /// Number and bytes of the leaves under a tile.
    pub(crate) async fn log_leaves(
        &mut self,
        controller: &ControllerId,
        number: i64,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let first = number.saturating_mul(WIDTH);
        sql("SELECT number, leaf FROM evidence_leaf WHERE controller = $1 AND number >= $2 AND number < $3
             ORDER BY number")
        .bind(controller.as_str())
        .bind(first)
        .bind(first.saturating_add(WIDTH))
        .fetch_all(self)
        .await
    }

    /// The stored bytes of a tile.
    pub(crate) async fn log_tile(
        &mut self,
        controller: &ControllerId,
        level: i64,
        number: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row: Option<(Vec<u8>,)> =
            sql("SELECT hashes FROM evidence_tile WHERE controller = $1 AND level = $2 AND number = $3")
                .bind(controller.as_str())
                .bind(level)
                .bind(number)
                .fetch_optional(self)
                .await?;
        Ok(row.map(|(hashes,)| hashes))
    }

    async fn kept_tile(
        &mut self,
        controller: &ControllerId,
        level: i64,
        number: i64,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let Some(hashes) = self.log_tile(controller, level, number).await? else { return Ok(Vec::new()) };
        let width = u16::try_from(hashes.len() / 32).unwrap_or(u16::MAX);
        read_tile(width, &hashes).map_err(|_| StoreError::Row { table: TILE })
    }

    /// Asks the tree something, bringing each tile that it needs.
    pub(crate) async fn ask_log<T>(
        &mut self,
        controller: &ControllerId,
        question: impl Fn(&Tiles) -> Result<T, Missing>,
    ) -> Result<T, StoreError> {
        let mut tiles = Tiles::default();
        loop {
            let Missing(id) = match question(&tiles) {
                Ok(answer) => return Ok(answer),
                Err(missing) => missing,
            };
            let TileId { level, index, width } = id;
            let number = i64::try_from(index).unwrap_or(i64::MAX);
            let mut hashes = self.kept_tile(controller, level.into(), number).await?;
            if hashes.is_empty() && level == 0 {
                hashes = self.leaf_hashes(controller, number).await?;
            }
            if hashes.len() < width.into() {
                return Err(StoreError::Row { table: TILE });
            }
            tiles.insert(level, index, hashes);
        }
    }

    /// Rows of a statement for one controller and behind a position.
    pub(crate) async fn behind<T: Row>(
        &mut self,
        text: &'static str,
        controller: &ControllerId,
        after: i64,
    ) -> Result<Vec<T>, StoreError> {
        sql(text).bind(controller.as_str()).bind(after).fetch_all(self).await
    }
}
