//! Making room: what gives way, of what may.
//!
//! Lowest rank first; of one rank messages for topics, whose time runs out soonest,
//! before envelopes; of these the oldest. What has no rank, is parked or in
//! quarantine stays. Each that goes leaves a note and is counted.

use crate::{
    Item,
    change::{self, Change, fixed},
    command::Outcome,
};
use sqlx::{Row as _, SqliteConnection};
use vernport_types::{BatchId, MessageId, Reason, UtcMicros};

/// How many items of a kind are looked at in one go.
const STEP: i64 = 64;

/// Destroys what gives way until `asked_bytes` are free, or nothing more does: the caller compares.
pub(crate) async fn make(
    connection: &mut SqliteConnection,
    asked_bytes: u64,
    at: UtcMicros,
) -> sqlx::Result<Outcome> {
    let mut total = Outcome::default();
    while total.freed_bytes < asked_bytes {
        let victims = victims(connection).await?;
        if victims.is_empty() {
            break;
        }
        for (_, item) in victims {
            let gone = [(item, Change::Destroyed(Reason::QueueFull))];
            total.add(change::change(connection, &gone, at).await?);
            if total.freed_bytes >= asked_bytes {
                break;
            }
        }
    }
    Ok(total)
}

/// The next to give way, in their order: by rank, messages before envelopes, the oldest first.
async fn victims(connection: &mut SqliteConnection) -> sqlx::Result<Vec<(i64, Item)>> {
    let topics = sqlx::query(
        "SELECT id, rank FROM topic WHERE rank IS NOT NULL AND parked IS NULL AND problem IS NULL
         ORDER BY rank, row LIMIT ?",
    );
    let batches = sqlx::query(
        "SELECT id, rank FROM batch WHERE rank IS NOT NULL AND parked IS NULL AND problem IS NULL
         ORDER BY rank, row LIMIT ?",
    );
    let mut found = Vec::new();
    for row in topics.bind(STEP).fetch_all(&mut *connection).await? {
        found.push((row.try_get("rank")?, Item::Topic(MessageId::from_bytes(fixed(&row, "id")?))));
    }
    for row in batches.bind(STEP).fetch_all(&mut *connection).await? {
        found.push((row.try_get("rank")?, Item::Batch(BatchId::from_bytes(fixed(&row, "id")?))));
    }
    // Stable: within a rank the two orders stay as they are. Each list begins with its first, so does this.
    found.sort_by_key(|(rank, _)| *rank);
    found.truncate(STEP as usize);
    Ok(found)
}

/// Counts what gave way.
pub(crate) async fn count(connection: &mut SqliteConnection, item: Item) -> sqlx::Result<()> {
    let kind: i64 = match item {
        Item::Batch(_) => 0,
        Item::Topic(_) => 1,
    };
    sqlx::query(
        "INSERT INTO dropped (kind, count) VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = count + 1",
    )
    .bind(kind)
    .execute(connection)
    .await
    .map(drop)
}
