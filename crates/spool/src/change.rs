//! What happens to items that wait, and which items: statements inside or beside a
//! transaction that the writer opened.

use crate::{
    Item, Settlement,
    command::Outcome,
    queue::{cost, next_seq},
    room,
};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use vernport_types::{BatchId, GrantId, MessageId, Reason, UtcMicros};

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;
/// How long a tool message is known, so that it is taken once.
const TOOL_MESSAGE_DAYS: i64 = 30;
/// How long a numbering outlives its last message. Longer than any period of an alias.
const STREAM_DAYS: i64 = 400;
/// How many notes are kept.
pub(crate) const MAX_NOTES: i64 = 100_000;

/// What happens to one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Delivered,
    Destroyed(Reason),
    Parked(Reason),
    Resumed,
    /// It does not read any more, for this reason.
    Damaged(&'static str),
}

impl From<Settlement> for Change {
    fn from(settlement: Settlement) -> Self {
        match settlement {
            Settlement::Delivered => Self::Delivered,
            Settlement::Destroyed(reason) => Self::Destroyed(reason),
            Settlement::Parked(reason) => Self::Parked(reason),
            Settlement::Quarantined => Self::Damaged("refused as unreadable"),
        }
    }
}

/// Changes items that are there; passes over those that are not.
pub(crate) async fn change(
    connection: &mut SqliteConnection,
    items: &[(Item, Change)],
    at: UtcMicros,
) -> sqlx::Result<Outcome> {
    let mut total = Outcome::default();
    for (item, change) in items {
        total.add(match item {
            Item::Batch(id) => change_batch(connection, id, *change, at).await?,
            Item::Topic(id) => change_topic(connection, id, *change, at).await?,
        });
    }
    Ok(total)
}

async fn change_batch(
    connection: &mut SqliteConnection,
    id: &BatchId,
    change: Change,
    at: UtcMicros,
) -> sqlx::Result<Outcome> {
    let bytes = &id.as_bytes()[..];
    let affected = match change {
        Change::Parked(reason) => sqlx::query("UPDATE batch SET parked = ? WHERE id = ?")
            .bind(i64::from(reason.number()))
            .bind(bytes),
        Change::Resumed => sqlx::query("UPDATE batch SET parked = NULL WHERE id = ?").bind(bytes),
        Change::Damaged(problem) => {
            sqlx::query("UPDATE batch SET problem = ? WHERE id = ?").bind(problem).bind(bytes)
        }
        Change::Delivered | Change::Destroyed(_) => {
            let gone = sqlx::query("DELETE FROM batch WHERE id = ? RETURNING row, grant_id")
                .bind(bytes)
                .fetch_optional(&mut *connection)
                .await?;
            let Some(gone) = gone else { return Ok(Outcome::default()) };
            let length: Option<i64> =
                sqlx::query_scalar("DELETE FROM envelope WHERE row = ? RETURNING length(sealed)")
                    .bind(gone.try_get::<i64, _>("row")?)
                    .fetch_optional(&mut *connection)
                    .await?;
            return removed(connection, Item::Batch(*id), &gone, length.unwrap_or(0), change, at).await;
        }
    };
    let changed = affected.execute(connection).await?.rows_affected();
    Ok(Outcome { changed, ..Outcome::default() })
}

async fn change_topic(
    connection: &mut SqliteConnection,
    id: &MessageId,
    change: Change,
    at: UtcMicros,
) -> sqlx::Result<Outcome> {
    let bytes = &id.as_bytes()[..];
    let affected = match change {
        Change::Parked(reason) => sqlx::query("UPDATE topic SET parked = ? WHERE id = ?")
            .bind(i64::from(reason.number()))
            .bind(bytes),
        Change::Damaged(problem) => {
            sqlx::query("UPDATE topic SET problem = ? WHERE id = ?").bind(problem).bind(bytes)
        }
        Change::Resumed => {
            // Later messages may have gone meanwhile, so it goes behind them: last row, next number.
            let stream: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT stream FROM topic WHERE id = ? AND parked IS NOT NULL")
                    .bind(bytes)
                    .fetch_optional(&mut *connection)
                    .await?;
            let Some(stream) = stream else { return Ok(Outcome::default()) };
            let seq = next_seq(connection, &stream, at).await?;
            sqlx::query(
                "UPDATE topic SET parked = NULL, seq = ?, row = (SELECT max(row) + 1 FROM topic) WHERE id = ?",
            )
            .bind(seq)
            .bind(bytes)
        }
        Change::Delivered | Change::Destroyed(_) => {
            let gone = sqlx::query(
                "DELETE FROM topic WHERE id = ? RETURNING grant_id, stream, seq, length(sealed) AS length",
            )
            .bind(bytes)
            .fetch_optional(&mut *connection)
            .await?;
            let Some(gone) = gone else { return Ok(Outcome::default()) };
            if change == Change::Delivered {
                sqlx::query("UPDATE stream SET delivered = max(delivered, ?) WHERE id = ?")
                    .bind(gone.try_get::<i64, _>("seq")?)
                    .bind(gone.try_get::<&[u8], _>("stream")?)
                    .execute(&mut *connection)
                    .await?;
            }
            let length = gone.try_get("length")?;
            return removed(connection, Item::Topic(*id), &gone, length, change, at).await;
        }
    };
    let changed = affected.execute(connection).await?.rows_affected();
    Ok(Outcome { changed, ..Outcome::default() })
}

/// Leaves a note where something was destroyed, and says what became free.
async fn removed(
    connection: &mut SqliteConnection,
    item: Item,
    gone: &SqliteRow,
    length: i64,
    change: Change,
    at: UtcMicros,
) -> sqlx::Result<Outcome> {
    if let Change::Destroyed(reason) = change {
        let (kind, id) = match &item {
            Item::Batch(id) => (0_i64, id.as_bytes()),
            Item::Topic(id) => (1, id.as_bytes()),
        };
        sqlx::query("INSERT INTO note (kind, id, grant_id, reason, at) VALUES (?, ?, ?, ?, ?)")
            .bind(kind)
            .bind(&id[..])
            .bind(gone.try_get::<&[u8], _>("grant_id")?)
            .bind(i64::from(reason.number()))
            .bind(at.0)
            .execute(&mut *connection)
            .await?;
        if reason == Reason::QueueFull {
            room::count(connection, item).await?;
        }
    }
    Ok(Outcome {
        changed: 1,
        freed_bytes: cost(usize::try_from(length).unwrap_or(0)),
        destroyed: matches!(change, Change::Destroyed(_)),
        ..Outcome::default()
    })
}

/// What rests on `grant` and is not yet as `change` would have it, in the order of sending.
pub(crate) async fn resting_on(
    connection: &mut SqliteConnection,
    grant: GrantId,
    change: Change,
) -> sqlx::Result<Vec<(Item, Change)>> {
    // `wanted`: NULL to resume, a number to park, -1 (which no row has) to take all.
    let wanted = match change {
        Change::Resumed => None,
        Change::Parked(reason) => Some(i64::from(reason.number())),
        _ => Some(-1),
    };
    let rows = sqlx::query(
        "SELECT 0 AS kind, row, id FROM batch WHERE grant_id = ?1 AND parked IS NOT ?2
         UNION ALL
         SELECT 1, row, id FROM topic WHERE grant_id = ?1 AND parked IS NOT ?2
         ORDER BY kind, row",
    )
    .bind(&grant.as_bytes()[..])
    .bind(wanted)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((item(row)?, change))).collect()
}

/// What is past its due time or expiry, except what a restriction keeps (invariant 4); and what has
/// waited for longer than anything may, unless it is parked.
pub(crate) async fn overdue(
    connection: &mut SqliteConnection,
    now: UtcMicros,
    max_age_seconds: u64,
) -> sqlx::Result<Vec<(Item, Change)>> {
    let rows = sqlx::query(
        "SELECT 0 AS kind, id FROM batch WHERE latest_due < ?1 AND parked IS NOT ?2
         UNION ALL
         SELECT 1, id FROM topic WHERE expiry < ?1 AND parked IS NOT ?2",
    )
    .bind(now.0)
    .bind(i64::from(Reason::Restricted.number()))
    .fetch_all(&mut *connection)
    .await?;
    let aged = sqlx::query(
        "SELECT 0 AS kind, id FROM batch
         WHERE queued_at < ?1 AND latest_due >= ?2 AND parked IS NULL AND problem IS NULL
         UNION ALL
         SELECT 1, id FROM topic
         WHERE queued_at < ?1 AND expiry >= ?2 AND parked IS NULL AND problem IS NULL",
    )
    .bind(now.plus_seconds(-i64::try_from(max_age_seconds).unwrap_or(i64::MAX)).0)
    .bind(now.0)
    .fetch_all(connection)
    .await?;
    let gone = |row, reason| Ok((item(row)?, Change::Destroyed(reason)));
    let overdue = rows.iter().map(|row| gone(row, Reason::Overdue));
    overdue.chain(aged.iter().map(|row| gone(row, Reason::QueueFull))).collect()
}

fn item(row: &SqliteRow) -> sqlx::Result<Item> {
    let id = fixed(row, "id")?;
    Ok(match row.try_get::<i64, _>("kind")? {
        0 => Item::Batch(BatchId::from_bytes(id)),
        _ => Item::Topic(MessageId::from_bytes(id)),
    })
}

/// A column of a fixed number of bytes; the schema checks the length.
pub(crate) fn fixed<const N: usize>(row: &SqliteRow, column: &str) -> sqlx::Result<[u8; N]> {
    row.try_get::<&[u8], _>(column)?
        .try_into()
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.into(), source: Box::new(source) })
}

/// Forgets what counts no longer, and the oldest notes beyond the bound.
pub(crate) async fn forget(connection: &mut SqliteConnection, now: UtcMicros) -> sqlx::Result<()> {
    let before = |days: i64| now.plus_micros(-days * DAY_MICROS).0;
    sqlx::query("DELETE FROM tool_message WHERE at < ?")
        .bind(before(TOOL_MESSAGE_DAYS))
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM sample WHERE until < ?").bind(now.0).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM stream WHERE last_at < ? AND id NOT IN (SELECT stream FROM topic)")
        .bind(before(STREAM_DAYS))
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM note WHERE row <= (SELECT max(row) FROM note) - ?")
        .bind(MAX_NOTES)
        .execute(connection)
        .await?;
    Ok(())
}
