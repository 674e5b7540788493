//! What tools sent and were refused: which message, why, how often. Never what it
//! said: a message is known by its keyed hash.

use crate::{
    change::fixed,
    inspect::{Inspect, Result as Inspected},
    read::number,
};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use vernport_types::{Slug, UtcMicros};

/// Messages that are remembered; the ones that came last stay.
pub const MAX_REFUSED_TOOL_MESSAGES: u32 = 1000;

/// A message of a tool that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedToolMessage {
    /// The tool.
    pub tool: Slug,
    /// Keyed hash of the payload.
    pub digest: [u8; 16],
    /// What the tool was answered, the last time.
    pub code: String,
    /// How often it came.
    pub count: u64,
    /// When it came first.
    pub first_at: UtcMicros,
    /// When it came last.
    pub last_at: UtcMicros,
}

pub(crate) async fn add(
    connection: &mut SqliteConnection,
    refused: &[RefusedToolMessage],
) -> sqlx::Result<()> {
    for message in refused {
        sqlx::query(
            "INSERT INTO refused_tool_message (tool, digest, code, count, first_at, last_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (tool, digest) DO UPDATE SET
                code = excluded.code, count = count + excluded.count, last_at = excluded.last_at",
        )
        .bind(message.tool.as_str())
        .bind(&message.digest[..])
        .bind(message.code.as_str())
        .bind(i64::try_from(message.count).unwrap_or(i64::MAX))
        .bind(message.first_at.0)
        .bind(message.last_at.0)
        .execute(&mut *connection)
        .await?;
    }
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM refused_tool_message WHERE (tool, digest) IN
            (SELECT tool, digest FROM refused_tool_message ORDER BY last_at DESC, tool, digest LIMIT -1 OFFSET ?)",
    )
    .bind(i64::from(MAX_REFUSED_TOOL_MESSAGES))
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    limit: u32,
) -> sqlx::Result<Vec<RefusedToolMessage>> {
    let rows = sqlx::query(
        "SELECT tool, digest, code, count, first_at, last_at FROM refused_tool_message
         ORDER BY last_at DESC, tool, digest LIMIT ?",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let message = |row: &SqliteRow| -> sqlx::Result<RefusedToolMessage> {
        let tool: String = row.try_get("tool")?;
        let tool = tool
            .parse()
            .map_err(|source| sqlx::Error::ColumnDecode { index: "tool".into(), source: Box::new(source) })?;
        Ok(RefusedToolMessage {
            tool,
            digest: fixed(row, "digest")?,
            code: row.try_get("code")?,
            count: number(row, "count")?,
            first_at: UtcMicros(row.try_get("first_at")?),
            last_at: UtcMicros(row.try_get("last_at")?),
        })
    };
    rows.iter().map(message).collect()
}

impl Inspect {
    /// Messages of tools that were refused, the newest first.
    ///
    /// # Errors
    /// [`InspectError`](crate::InspectError).
    pub async fn refused_tool_messages(&mut self, limit: u32) -> Inspected<Vec<RefusedToolMessage>> {
        Ok(list(&mut self.connection, limit).await?)
    }
}
