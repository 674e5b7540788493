//! The evidence log inside the spool: leaves are numbered in the transaction that
//! queues; 256 of them become a tile and a bundle, and their rows go.
//!
//! What it takes: 60 bytes a leaf as a row; 83 bytes once it is in a tile (32 of the tile, 51 of the bundle), for
//! the newest [`Config::log_tiles`](crate::Config::log_tiles) tiles; an eighth of a byte after that, so that the
//! tree goes on and consistency stays provable for as long as the spool lives.

use crate::{Config, change::fixed};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use vernport_audit::{
    Count, Counts, Leaf, LeafKind, Missing, TILE_WIDTH, TileId, Tiles, leaf_hash, tile_root, write_bundle,
};
use vernport_crypto::random;
use vernport_types::{Reason, UtcMicros};

/// How many tiles are made in one transaction at most: one and seldom two, but after an update many wait.
const MAX_TILES_AT_ONCE: usize = 8;
/// Hashes in a full tile, as the database counts.
const WIDTH: i64 = TILE_WIDTH as i64;

/// How many leaves the log has. Rows are taken out tile by tile, so the last row or the last tile tells.
pub(crate) async fn size(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT coalesce((SELECT max(row) FROM leaf),
                         (SELECT (max(number) + 1) * 256 FROM tile WHERE level = 0), 0)",
    )
    .fetch_one(connection)
    .await
}

/// The leaves that a transaction appends, one after the other.
#[derive(Debug)]
pub(crate) struct Appending {
    next: i64,
}

impl Appending {
    pub(crate) async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        Ok(Self { next: size(connection).await? })
    }

    /// Appends the evidence of some bytes; the number of its leaf.
    pub(crate) async fn append(
        &mut self,
        connection: &mut SqliteConnection,
        kind: LeafKind,
        subject: &[u8],
    ) -> sqlx::Result<i64> {
        let number = self.next;
        sqlx::query("INSERT INTO leaf (row, leaf) VALUES (?, ?)")
            .bind(number + 1)
            .bind(&Leaf::new(kind, random(), subject).to_bytes()[..])
            .execute(connection)
            .await?;
        self.next += 1;
        Ok(number)
    }
}

/// Closes the counts of what was withheld: a leaf commits to them, and new ones begin.
pub(crate) async fn close_counts(
    connection: &mut SqliteConnection,
    log: &mut Appending,
    until: UtcMicros,
) -> sqlx::Result<()> {
    let rows = sqlx::query(
        "SELECT controller, flow, reason, count, since FROM uncounted ORDER BY controller, flow, reason",
    )
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut counts = Counts { from: until, until, rows: Vec::with_capacity(rows.len()) };
    for row in &rows {
        let invalid =
            |index: &str| sqlx::Error::ColumnDecode { index: index.into(), source: "not ours".into() };
        counts.from = counts.from.min(UtcMicros(row.try_get("since")?));
        let flow: &str = row.try_get("flow")?;
        let reason: i64 = row.try_get("reason")?;
        let reason = usize::try_from(reason).ok().and_then(|number| Reason::ALL.get(number).copied());
        counts.rows.push(Count {
            controller: row.try_get::<&str, _>("controller")?.parse().map_err(|_| invalid("controller"))?,
            flow: if flow.is_empty() { None } else { Some(flow.parse().map_err(|_| invalid("flow"))?) },
            reason: reason.ok_or_else(|| invalid("reason"))?,
            readings: row.try_get::<i64, _>("count")?.unsigned_abs(),
        });
    }
    let bytes = counts.to_bytes();
    let leaf = log.append(connection, LeafKind::Withheld, &bytes).await?;
    sqlx::query("INSERT INTO counted (leaf, counts) VALUES (?, ?)")
        .bind(leaf)
        .bind(bytes)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM uncounted").execute(connection).await?;
    Ok(())
}

/// Makes tiles of the leaves that are complete, and forgets the oldest beyond the bound; whether any were left to make.
pub(crate) async fn condense(connection: &mut SqliteConnection, config: &Config) -> sqlx::Result<bool> {
    for _ in 0..MAX_TILES_AT_ONCE {
        let number: i64 = sqlx::query_scalar("SELECT coalesce(max(number) + 1, 0) FROM tile WHERE level = 0")
            .fetch_one(&mut *connection)
            .await?;
        let (first, end) = (number * WIDTH + 1, (number + 1) * WIDTH);
        let complete: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM leaf WHERE row = ?)")
            .bind(end)
            .fetch_one(&mut *connection)
            .await?;
        if !complete {
            return Ok(false);
        }
        let leaves: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT leaf FROM leaf WHERE row BETWEEN ? AND ? ORDER BY row")
                .bind(first)
                .bind(end)
                .fetch_all(&mut *connection)
                .await?;
        if leaves.len() as u64 != TILE_WIDTH {
            // A row was taken out from outside: the log is not made to fit that, `audit fsck` names it.
            return Ok(false);
        }
        let hashes: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        sqlx::query("INSERT INTO bundle (number, entries) VALUES (?, ?)")
            .bind(number)
            .bind(write_bundle(leaves.iter().map(Vec::as_slice)))
            .execute(&mut *connection)
            .await?;
        add_tile(connection, number, &hashes).await?;
        sqlx::query("DELETE FROM leaf WHERE row BETWEEN ? AND ?")
            .bind(first)
            .bind(end)
            .execute(&mut *connection)
            .await?;
        forget(connection, number + 1 - i64::try_from(config.log_tiles).unwrap_or(i64::MAX)).await?;
    }
    Ok(true)
}

/// Writes a full tile of level 0, and its root into the row above, as far up as tiles become full.
async fn add_tile(
    connection: &mut SqliteConnection,
    mut number: i64,
    hashes: &[[u8; 32]],
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO tile (level, number, hashes) VALUES (0, ?, ?)")
        .bind(number)
        .bind(hashes.concat())
        .execute(&mut *connection)
        .await?;
    let mut root = tile_root(hashes);
    for level in 1..8_u8 {
        let place = (number % WIDTH) as usize;
        number /= WIDTH;
        let mut row = tile(connection, level, number.unsigned_abs()).await?;
        // Each root has its place; a row that was cut from outside stays as it is, `audit fsck` names it.
        if row.len() == place {
            row.push(root);
        }
        sqlx::query(
            "INSERT INTO tile (level, number, hashes) VALUES (?, ?, ?)
             ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
        )
        .bind(i64::from(level))
        .bind(number)
        .bind(row.concat())
        .execute(&mut *connection)
        .await?;
        if place as i64 + 1 < WIDTH {
            break;
        }
        root = tile_root(&row);
    }
    Ok(())
}

/// Forgets leaves and hashes below a tile. The rows above stay: they carry the tree.
async fn forget(connection: &mut SqliteConnection, below: i64) -> sqlx::Result<()> {
    for statement in [
        "DELETE FROM tile WHERE level = 0 AND number < ?",
        "DELETE FROM bundle WHERE number < ?",
        "DELETE FROM counted WHERE leaf < 256 * ?",
    ] {
        sqlx::query(statement).bind(below).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The hashes of a tile as far as they are there: out of its row, or of the rows of its leaves.
pub(crate) async fn tile(
    connection: &mut SqliteConnection,
    level: u8,
    number: u64,
) -> sqlx::Result<Vec<[u8; 32]>> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let row: Option<Vec<u8>> = sqlx::query_scalar("SELECT hashes FROM tile WHERE level = ? AND number = ?")
        .bind(i64::from(level))
        .bind(number)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        return Ok(row.as_chunks().0.to_vec());
    }
    if level > 0 {
        return Ok(Vec::new());
    }
    let leaves: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT leaf FROM leaf WHERE row > ? AND row <= ? ORDER BY row")
            .bind(number.saturating_mul(WIDTH))
            .bind(number.saturating_add(1).saturating_mul(WIDTH))
            .fetch_all(connection)
            .await?;
    Ok(leaves.iter().map(|leaf| leaf_hash(leaf)).collect())
}

/// Asks the tree something, bringing each tile that it needs. `None` names one that is not kept any more.
pub(crate) async fn ask<T>(
    connection: &mut SqliteConnection,
    question: impl Fn(&Tiles) -> Result<T, Missing>,
) -> sqlx::Result<Result<T, TileId>> {
    let mut tiles = Tiles::default();
    loop {
        let Missing(id) = match question(&tiles) {
            Ok(answer) => return Ok(Ok(answer)),
            Err(missing) => missing,
        };
        let hashes = tile(connection, id.level, id.index).await?;
        if hashes.len() < usize::from(id.width) {
            return Ok(Err(id));
        }
        tiles.insert(id.level, id.index, hashes);
    }
}

/// Gives the log its random name where it has none, and makes the tiles that an earlier version left to make.
pub(crate) async fn prepare(connection: &mut SqliteConnection, config: &Config) -> sqlx::Result<()> {
    let named: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM kept WHERE name = 'log')")
        .fetch_one(&mut *connection)
        .await?;
    if !named {
        sqlx::query("INSERT INTO kept (name, bytes) VALUES ('log', ?)")
            .bind(&random::<8>()[..])
            .execute(&mut *connection)
            .await?;
    }
    loop {
        let mut step = connection.begin().await?;
        let more = condense(&mut step, config).await?;
        step.commit().await?;
        if !more {
            return Ok(());
        }
    }
}

/// The random name of this log: another spool is another log.
pub(crate) async fn name(connection: &mut SqliteConnection) -> sqlx::Result<[u8; 8]> {
    fixed(&sqlx::query("SELECT bytes FROM kept WHERE name = 'log'").fetch_one(connection).await?, "bytes")
}
