//! The questions, over the read-only connection.

use crate::{
    Config, Item,
    change::{Change, fixed},
    gauges::{Flowed, Gauges},
    log,
};
use futures_util::{Stream, TryStreamExt as _};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use vernport_crypto::sha256;

use vernport_policy::{Sample, SampleKey};
use vernport_seal::{Recipient, Sealed, Storage, reload_recipient, reload_storage};
use vernport_types::{BatchId, GrantId, MessageId, Reason, Slug, UtcMicros};

/// Which part of the queue is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what stands behind this row; 0 from the front. A sender whose answer was "retry" goes on
    /// behind it and comes back later.
    pub after: i64,
    /// How many items at most.
    pub max_items: u32,
    /// How many sealed bytes at most; the first item comes in any case.
    pub max_bytes: u64,
}

impl Page {
    /// From the front of the queue.
    pub const fn front(max_items: u32, max_bytes: u64) -> Self {
        Self { after: 0, max_items, max_bytes }
    }
}

/// An envelope that waits.
#[derive(Debug)]
pub struct StoredBatch {
    /// Its place in the queue.
    pub row: i64,
    /// Its id.
    pub batch: BatchId,
    /// The opening of the flow it rests on.
    pub grant: GrantId,
    /// When it was queued.
    pub queued_at: UtcMicros,
    /// The envelope.
    pub sealed: Sealed<Recipient>,
}

/// A fleet message that waits.
#[derive(Debug)]
pub struct StoredTopic {
    /// Its place in the queue.
    pub row: i64,
    /// Its id, the same on every delivery.
    pub message: MessageId,
    /// The opening of the flow it rests on.
    pub grant: GrantId,
    /// Its number in the stream of its operator, purpose and alias, from 1.
    pub seq: u64,
    /// How many messages right before this one were destroyed, parked or put into quarantine:
    /// `seq` is the number before, and one, and these.
    pub skipped: u64,
    /// Time after which it must not be sent.
    pub expiry: UtcMicros,
    /// When it was queued.
    pub queued_at: UtcMicros,
    /// Topic and payload, under the storage key.
    pub sealed: Sealed<Storage>,
}

/// A fleet message that waits or is parked, without its place in a stream.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its place in the queue.
    pub row: i64,
    /// Its id.
    pub message: MessageId,
    /// Topic and payload, under the storage key.
    pub sealed: Sealed<Storage>,
}

/// A grant that something waits under, if only in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldGrant {
    /// The grant.
    pub grant: GrantId,
    /// How many items may go.
    pub queued: u64,
    /// How many are parked, in quarantine or not.
    pub parked: u64,
    /// What all of them are parked for, those in quarantine too; none where one is not, or for something else.
    pub parked_for: Option<Reason>,
}

/// What was destroyed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Its place among the notes.
    pub row: i64,
    /// What was destroyed.
    pub item: Item,
    /// The opening of the flow it rested on.
    pub grant: GrantId,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: UtcMicros,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Envelopes that may go.
    pub batches_queued: u64,
    /// Envelopes that are parked.
    pub batches_parked: u64,
    /// Fleet messages that may go.
    pub topics_queued: u64,
    /// Fleet messages that are parked.
    pub topics_parked: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Notes on what was destroyed.
    pub notes: u64,
    /// Envelopes that gave way since the spool was made, because there was no room or they grew too old.
    pub batches_dropped: u64,
    /// Fleet messages that gave way.
    pub topics_dropped: u64,
    /// Leaves of the evidence log.
    pub leaves: u64,
    /// Readings withheld since the spool was made.
    pub withheld: u64,
    /// Messages of tools that were refused and are remembered.
    pub refused_tool_messages: u64,
    /// How many bytes wait.
    pub used_bytes: u64,
    /// How many may.
    pub max_bytes: u64,
    /// When the oldest item was queued.
    pub oldest_at: Option<UtcMicros>,
    /// How many units were refused since the opening.
    pub refused_units: u64,
    /// Whether the reserve for a full disk is whole; where not, nothing is queued.
    pub reserve_whole: bool,
    /// How many transactions were committed since the opening, each with one synchronisation of the disk.
    pub commits: u64,
    /// What came and went since the opening.
    pub flowed: Flowed,
    /// What came and went within the last hour.
    pub last_hour: Flowed,
}

type Damaged = (Item, Change);

pub(crate) async fn batches(
    connection: &mut SqliteConnection,
    page: Page,
) -> sqlx::Result<(Vec<StoredBatch>, Vec<Damaged>)> {
    let rows = sqlx::query(
        "SELECT b.row, b.id, b.grant_id, b.queued_at, b.digest, coalesce(e.sealed, x'') AS sealed
         FROM batch b LEFT JOIN envelope e ON e.row = b.row
         WHERE b.parked IS NULL AND b.problem IS NULL AND b.row > ? ORDER BY b.row LIMIT ?",
    )
    .bind(page.after)
    .bind(i64::from(page.max_items))
    .fetch(connection);
    let item = |id| Item::Batch(BatchId::from_bytes(id));
    paged(rows, page, item, |row, bytes| {
        let Ok(sealed) = reload_recipient(bytes) else { return Ok(Err("not an envelope")) };
        Ok(Ok(StoredBatch {
            row: row.try_get("row")?,
            batch: BatchId::from_bytes(fixed(row, "id")?),
            grant: GrantId::from_bytes(fixed(row, "grant_id")?),
            queued_at: UtcMicros(row.try_get("queued_at")?),
            sealed,
        }))
    })
    .await
}

pub(crate) async fn topics(
    connection: &mut SqliteConnection,
    operator: &Slug,
    page: Page,
) -> sqlx::Result<(Vec<StoredTopic>, Vec<Damaged>)> {
    // A number below `seq` was delivered, waits in front, or was skipped.
    let rows = sqlx::query(
        "SELECT t.row, t.id, t.grant_id, t.seq, t.expiry, t.queued_at, t.digest, t.sealed,
             max(0, t.seq - 1 - max(s.delivered, coalesce((
                 SELECT max(p.seq) FROM topic p
                 WHERE p.stream = t.stream AND p.seq < t.seq AND p.parked IS NULL AND p.problem IS NULL
             ), 0))) AS skipped
         FROM topic t JOIN stream s ON s.id = t.stream
         WHERE t.operator = ? AND t.parked IS NULL AND t.problem IS NULL AND t.row > ?
         ORDER BY t.row LIMIT ?",
    )
    .bind(operator.as_str())
    .bind(page.after)
    .bind(i64::from(page.max_items))
    .fetch(connection);
    paged(rows, page, topic_item, |row, bytes| {
        let Ok(sealed) = reload_storage(bytes) else { return Ok(Err(NO_MESSAGE)) };
        Ok(Ok(StoredTopic {
            row: row.try_get("row")?,
            message: MessageId::from_bytes(fixed(row, "id")?),
            grant: GrantId::from_bytes(fixed(row, "grant_id")?),
            seq: number(row, "seq")?,
            skipped: number(row, "skipped")?,
            expiry: UtcMicros(row.try_get("expiry")?),
            queued_at: UtcMicros(row.try_get("queued_at")?),
            sealed,
        }))
    })
    .await
}

pub(crate) async fn messages(
    connection: &mut SqliteConnection,
    page: Page,
) -> sqlx::Result<(Vec<StoredMessage>, Vec<Damaged>)> {
    let rows = sqlx::query(
        "SELECT row, id, digest, sealed FROM topic WHERE problem IS NULL AND row > ? ORDER BY row LIMIT ?",
    )
    .bind(page.after)
    .bind(i64::from(page.max_items))
    .fetch(connection);
    paged(rows, page, topic_item, |row, bytes| {
        let Ok(sealed) = reload_storage(bytes) else { return Ok(Err(NO_MESSAGE)) };
        let message = MessageId::from_bytes(fixed(row, "id")?);
        Ok(Ok(StoredMessage { row: row.try_get("row")?, message, sealed }))
    })
    .await
}

/// Why a row of a message is put into quarantine.
const NO_MESSAGE: &str = "not a sealed message";

fn topic_item(id: [u8; 16]) -> Item {
    Item::Topic(MessageId::from_bytes(id))
}

/// Reads rows up to the bytes of the page; what does not read any more comes apart, with why.
async fn paged<T>(
    mut rows: impl Stream<Item = sqlx::Result<SqliteRow>> + Unpin,
    page: Page,
    item: impl Fn([u8; 16]) -> Item,
    read: impl Fn(&SqliteRow, Vec<u8>) -> sqlx::Result<Result<T, &'static str>>,
) -> sqlx::Result<(Vec<T>, Vec<Damaged>)> {
    let (mut good, mut bad, mut total_bytes) = (Vec::new(), Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let found = match sealed_bytes(&row)? {
            Err(problem) => Err(problem),
            Ok(bytes) => {
                total_bytes += bytes.len() as u64;
                if total_bytes > page.max_bytes && !good.is_empty() {
                    break;
                }
                read(&row, bytes)?
            }
        };
        match found {
            Ok(stored) => good.push(stored),
            Err(problem) => bad.push((item(fixed(&row, "id")?), Change::Damaged(problem))),
        }
    }
    Ok((good, bad))
}

fn sealed_bytes(row: &SqliteRow) -> sqlx::Result<Result<Vec<u8>, &'static str>> {
    let bytes: Vec<u8> = row.try_get("sealed")?;
    let digest: [u8; 32] = fixed(row, "digest")?;
    Ok(if sha256(&bytes) == digest { Ok(bytes) } else { Err("its digest differs") })
}

pub(crate) fn number(row: &SqliteRow, column: &str) -> sqlx::Result<u64> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.into(), source: Box::new(source) })
}

pub(crate) async fn grants(connection: &mut SqliteConnection) -> sqlx::Result<Vec<HeldGrant>> {
    let rows = sqlx::query(
        "SELECT grant_id, sum(parked IS NULL AND problem IS NULL) AS queued,
                count(parked) AS parked,
                CASE WHEN count(parked) = count(*) AND min(parked) = max(parked) THEN min(parked) END AS parked_for
         FROM (SELECT grant_id, parked, problem FROM batch
               UNION ALL SELECT grant_id, parked, problem FROM topic)
         GROUP BY grant_id ORDER BY grant_id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(HeldGrant {
                grant: GrantId::from_bytes(fixed(row, "grant_id")?),
                queued: number(row, "queued")?,
                parked: number(row, "parked")?,
                // One that a later version wrote is no reason here: it is written anew.
                parked_for: row.try_get::<Option<i64>, _>("parked_for")?.and_then(known_reason),
            })
        })
        .collect()
}

pub(crate) async fn cursor(connection: &mut SqliteConnection, source: &str) -> sqlx::Result<u64> {
    let row = sqlx::query("SELECT position FROM cursor WHERE source = ?")
        .bind(source)
        .fetch_optional(connection)
        .await?;
    row.map_or(Ok(0), |row| number(&row, "position"))
}

pub(crate) async fn seen(
    connection: &mut SqliteConnection,
    tool: &Slug,
    id: &[u8; 16],
) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tool_message WHERE tool = ? AND id = ?)")
        .bind(tool.as_str())
        .bind(&id[..])
        .fetch_one(connection)
        .await
}

pub(crate) async fn samples(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Sample>> {
    let rows = sqlx::query("SELECT key, until FROM sample ORDER BY key").fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(Sample { key: SampleKey(fixed(row, "key")?), until: UtcMicros(row.try_get("until")?) }))
        .collect()
}

pub(crate) async fn notes(
    connection: &mut SqliteConnection,
    after: i64,
    limit: u32,
) -> sqlx::Result<Vec<Note>> {
    let rows = sqlx::query(
        "SELECT row, kind, id, grant_id, reason, at FROM note WHERE row > ? ORDER BY row LIMIT ?",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let id = fixed(row, "id")?;
            Ok(Note {
                row: row.try_get("row")?,
                item: match row.try_get::<i64, _>("kind")? {
                    0 => Item::Batch(BatchId::from_bytes(id)),
                    _ => Item::Topic(MessageId::from_bytes(id)),
                },
                grant: GrantId::from_bytes(fixed(row, "grant_id")?),
                reason: known_reason(row.try_get("reason")?).ok_or_else(|| sqlx::Error::ColumnDecode {
                    index: "reason".into(),
                    source: "not a reason of this version".into(),
                })?,
                at: UtcMicros(row.try_get("at")?),
            })
        })
        .collect()
}

fn known_reason(number: i64) -> Option<Reason> {
    usize::try_from(number).ok().and_then(|place| Reason::ALL.get(place).copied())
}

pub(crate) async fn last_batch_row(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT coalesce(max(row), 0) FROM batch").fetch_one(connection).await
}

pub(crate) async fn used_bytes(connection: &mut SqliteConnection) -> sqlx::Result<u64> {
    let row = sqlx::query(
        "SELECT (SELECT coalesce(sum(length(sealed)), 0) FROM envelope)
              + (SELECT coalesce(sum(length(sealed)), 0) FROM topic) AS bytes,
                (SELECT count(*) FROM batch) + (SELECT count(*) FROM topic) AS items",
    )
    .fetch_one(connection)
    .await?;
    Ok(number(&row, "bytes")? + Config::ROW_BYTES * number(&row, "items")?)
}

pub(crate) async fn status(connection: &mut SqliteConnection, gauges: &Gauges) -> sqlx::Result<SpoolStatus> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM batch WHERE parked IS NULL AND problem IS NULL) AS batches_queued,
                (SELECT count(*) FROM batch WHERE parked IS NOT NULL AND problem IS NULL) AS batches_parked,
                (SELECT count(*) FROM topic WHERE parked IS NULL AND problem IS NULL) AS topics_queued,
                (SELECT count(*) FROM topic WHERE parked IS NOT NULL AND problem IS NULL) AS topics_parked,
                (SELECT count(*) FROM batch WHERE problem IS NOT NULL)
              + (SELECT count(*) FROM topic WHERE problem IS NOT NULL) AS quarantined,
                (SELECT count(*) FROM note) AS notes,
                (SELECT coalesce(sum(count), 0) FROM dropped WHERE kind = 0) AS batches_dropped,
                (SELECT coalesce(sum(count), 0) FROM dropped WHERE kind = 1) AS topics_dropped,
                (SELECT coalesce(sum(count), 0) FROM withheld) AS withheld,
                (SELECT count(*) FROM refused_tool_message) AS refused_tool_messages,
                (SELECT min(queued_at) FROM (SELECT queued_at FROM batch UNION ALL SELECT queued_at FROM topic))
                    AS oldest_at",
    )
    .fetch_one(&mut *connection)
    .await?;
    let leaves = log::size(connection).await?.unsigned_abs();
    let queued = gauges.queued();
    let (flowed, last_hour) = gauges.flowed();
    Ok(SpoolStatus {
        batches_queued: number(&row, "batches_queued")?,
        batches_parked: number(&row, "batches_parked")?,
        topics_queued: number(&row, "topics_queued")?,
        topics_parked: number(&row, "topics_parked")?,
        quarantined: number(&row, "quarantined")?,
        notes: number(&row, "notes")?,
        batches_dropped: number(&row, "batches_dropped")?,
        topics_dropped: number(&row, "topics_dropped")?,
        leaves,
        withheld: number(&row, "withheld")?,
        refused_tool_messages: number(&row, "refused_tool_messages")?,
        used_bytes: queued.used_bytes,
        max_bytes: queued.max_bytes,
        oldest_at: row.try_get::<Option<i64>, _>("oldest_at")?.map(UtcMicros),
        refused_units: gauges.refused(),
        reserve_whole: gauges.reserve_whole(),
        commits: gauges.commits(),
        flowed,
        last_hour,
    })
}
