//! What waits, by where it goes, as somebody sees it who looks into the file from outside.

use crate::{Config, Inspect, inspect::Result, open};
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeMap;
use vernport_seal::reload_recipient;
use vernport_types::{Slug, UtcMicros};

/// Where something goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// To central, under this flow.
    Flow(Slug),
    /// To the topics of this operator.
    Operator(Slug),
    /// It does not say any more.
    Unreadable,
}

/// What waits for one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Batches or messages that may go.
    pub queued: u64,
    /// Those that are parked.
    pub parked: u64,
    /// Those in quarantine.
    pub quarantined: u64,
    /// Bytes of all of them, as they count against the bound.
    pub bytes: u64,
    /// Of these, bytes that came since the time that was asked for.
    pub recent_bytes: u64,
    /// When the oldest was queued.
    pub oldest_at: Option<UtcMicros>,
    /// How many give way when there is no room.
    pub gives_way: u64,
    /// The lowest rank among those: lower ones go first.
    pub lowest_rank: Option<u8>,
}

impl Inspect {
    /// What waits by destination; `since` divides what came lately from what is older.
    ///
    /// # Errors
    /// [`InspectError`](crate::InspectError).
    pub async fn waiting(&mut self, since: UtcMicros) -> Result<BTreeMap<Destination, Waiting>> {
        let mut found = BTreeMap::new();
        topics(&mut self.connection, since, &mut found).await?;
        let mut after = i64::MIN;
        while let Some(last) = batches(&mut self.connection, since, after, &mut found).await? {
            after = last;
        }
        Ok(found)
    }

    /// What SQLite's own quick check finds wrong; nothing where the file is whole.
    ///
    /// # Errors
    /// [`InspectError`](crate::InspectError).
    pub async fn quick_check(&mut self) -> Result<Vec<String>> {
        let said: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(&mut self.connection).await?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// The number of the last migration of the file, and of the last that this version knows.
    ///
    /// # Errors
    /// [`InspectError`](crate::InspectError).
    pub async fn schema(&mut self) -> Result<(i64, i64)> {
        let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut self.connection)
            .await?;
        Ok((found, open::newest_schema()))
    }
}

async fn topics(
    connection: &mut SqliteConnection,
    since: UtcMicros,
    found: &mut BTreeMap<Destination, Waiting>,
) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query(
            "SELECT row, operator, length(sealed) AS bytes, queued_at, parked IS NOT NULL AS parked,
                    problem IS NOT NULL AS problem, rank FROM topic WHERE row > ? ORDER BY row LIMIT 1024",
        )
        .bind(after)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get("row")?;
        for row in &rows {
            let operator = row.try_get::<&str, _>("operator")?.parse();
            let to = operator.map_or(Destination::Unreadable, Destination::Operator);
            found.entry(to).or_default().add(row, since)?;
        }
    }
}

/// One page behind a row; the last row of it.
async fn batches(
    connection: &mut SqliteConnection,
    since: UtcMicros,
    after: i64,
    found: &mut BTreeMap<Destination, Waiting>,
) -> Result<Option<i64>> {
    let rows = sqlx::query(
        "SELECT b.row, b.queued_at, b.parked IS NOT NULL AS parked, b.problem IS NOT NULL AS problem, b.rank,
                coalesce(length(e.sealed), 0) AS bytes, coalesce(e.sealed, x'') AS sealed
         FROM batch b LEFT JOIN envelope e ON e.row = b.row WHERE b.row > ? ORDER BY b.row LIMIT 64",
    )
    .bind(after)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let sealed = reload_recipient(row.try_get("sealed")?);
        let to =
            sealed.map_or(Destination::Unreadable, |sealed| Destination::Flow(sealed.header().flow.clone()));
        found.entry(to).or_default().add(row, since)?;
    }
    Ok(rows.last().map(|row| row.try_get("row")).transpose()?)
}

impl Waiting {
    fn add(&mut self, row: &sqlx::sqlite::SqliteRow, since: UtcMicros) -> sqlx::Result<()> {
        let queued_at = UtcMicros(row.try_get("queued_at")?);
        let bytes = row.try_get::<i64, _>("bytes")?.unsigned_abs() + Config::ROW_BYTES;
        let (parked, problem): (bool, bool) = (row.try_get("parked")?, row.try_get("problem")?);
        let rank: Option<i64> = row.try_get("rank")?;
        match (problem, parked) {
            (true, _) => self.quarantined += 1,
            (_, true) => self.parked += 1,
            _ => self.queued += 1,
        }
        if let Some(rank) = rank.filter(|_| !parked && !problem) {
            let rank = u8::try_from(rank).unwrap_or(u8::MAX);
            self.gives_way += 1;
            self.lowest_rank = Some(self.lowest_rank.map_or(rank, |lowest| lowest.min(rank)));
        }
        self.bytes += bytes;
        self.recent_bytes += if queued_at >= since { bytes } else { 0 };
        self.oldest_at = Some(self.oldest_at.map_or(queued_at, |oldest| oldest.min(queued_at)));
        Ok(())
    }
}
