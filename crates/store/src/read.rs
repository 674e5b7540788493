//! Reads of sealed batches by recipients, logged before they are answered.

use crate::{
    Store, StoreError, Write,
    batch::wraps_place,
    bytes,
    sql::{Statement, composed, sql},
};
use vernport_audit::LeafKind;
use vernport_types::{BatchId, ControllerId, EpochId, GrantId, KeyId, Slug, UtcMicros};

/// A read.
#[derive(Debug, Clone)]
pub struct ReadQuery<'a> {
    /// Whose data.
    pub controller: &'a ControllerId,
    /// Who reads.
    pub recipient: &'a Slug,
    /// For which task.
    pub task: &'a Slug,
    /// Wrapped to which of the recipient's keys.
    pub key_id: KeyId,
    /// For which purpose: that of the key.
    pub purpose: &'a Slug,
    /// Which flows serve that recipient and purpose; at least one.
    pub flows: &'a [Slug],
    /// Batches behind this position.
    pub after: i64,
    /// At most so many.
    pub limit: u16,
    /// When.
    pub now: UtcMicros,
}

/// One batch that a read releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The envelope without its wraps.
    pub without_wraps: Vec<u8>,
    /// Its wraps.
    pub wraps: Vec<u8>,
}

/// What a read releases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The batches, in the order of their commits.
    pub batches: Vec<Released>,
    /// Where the page ended; none if there was nothing behind `after`.
    pub last: Option<i64>,
    /// How many were passed over because their wraps do not open with the erasure key of their epoch: the second
    /// database was set back to before that key, and another was made.
    pub unreadable: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    batch: Vec<u8>,
    epoch: Vec<u8>,
    grant_id: Vec<u8>,
    envelope: Vec<u8>,
    wraps: Vec<u8>,
}

impl Store {
    /// Releases batches to a recipient; none if the key is not that
    /// recipient's for that purpose, or was revoked. The log entry is durable
    /// before this returns. Batches of erased epochs, overdue ones, those of a grant that `usable` says no to, and
    /// what nobody can open any more, are passed over.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was released.
    pub async fn read(
        &self,
        query: &ReadQuery<'_>,
        usable: impl Fn(GrantId) -> bool,
    ) -> Result<Option<Page>, StoreError> {
        let db = sql_or!(self, read(query, usable, &self.master));
        let mut write = db.write(query.controller).await?;
        if !write.is_active(query).await? {
            return Ok(None);
        }
        let rows: Vec<Row> = select(query).fetch_all(&mut write.transaction).await?;
        let mut page = Page { batches: Vec::with_capacity(rows.len()), ..Page::default() };
        for row in rows {
            page.last = Some(row.position);
            if !usable(GrantId::from_bytes(bytes("epoch", &row.grant_id)?)) {
                continue;
            }
            let epoch = EpochId::from_bytes(bytes("batch", &row.epoch)?);
            let Some(key) = self.erasure_key(query.controller, epoch).await? else { continue };
            let batch = BatchId::from_bytes(bytes("batch", &row.batch)?);
            match key.open(&wraps_place(query.controller, batch), &row.wraps) {
                Ok(wraps) => {
                    page.batches.push(Released { without_wraps: row.envelope, wraps: wraps.to_vec() });
                }
                Err(_) => page.unreadable += 1,
            }
        }
        let position = write.next_position(query.controller).await?;
        let last = page.last.unwrap_or(query.after);
        let batches = i64::try_from(page.batches.len()).unwrap_or(i64::MAX);
        sql("INSERT INTO read_log (controller, position, recipient, task, key_id, purpose, read_at,
                                   after_position, last_position, batches)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(query.controller.as_str())
        .bind(position)
        .bind(query.recipient.as_str())
        .bind(query.task.as_str())
        .bind(&query.key_id.as_bytes()[..])
        .bind(query.purpose.as_str())
        .bind(query.now.0)
        .bind(query.after)
        .bind(last)
        .bind(batches)
        .execute(&mut write.transaction)
        .await?;
        let numbers = [query.now.0, query.after, last, batches];
        let words = [query.recipient.as_str(), query.task.as_str(), query.purpose.as_str()];
        write.evidence(LeafKind::Read, position, &read_subject(words, &query.key_id.as_bytes()[..], numbers));
        write.commit().await?;
        Ok(Some(page))
    }
}

/// What a leaf commits to for a read: its row, word by word. Slugs have no line end.
pub(crate) fn read_subject(words: [&str; 3], key_id: &[u8], numbers: [i64; 4]) -> Vec<u8> {
    let mut subject = words.map(|word| format!("{word}\n")).concat().into_bytes();
    subject.extend_from_slice(key_id);
    numbers.iter().for_each(|number| subject.extend_from_slice(&number.to_be_bytes()));
    subject
}

impl Write {
    async fn is_active(&mut self, query: &ReadQuery<'_>) -> Result<bool, StoreError> {
        let (count,): (i64,) = sql(
            "SELECT COUNT(*) FROM recipient_key
             WHERE controller = $1 AND key_id = $2 AND recipient = $3 AND purpose = $4 AND revoked_at IS NULL",
        )
        .bind(query.controller.as_str())
        .bind(&query.key_id.as_bytes()[..])
        .bind(query.recipient.as_str())
        .bind(query.purpose.as_str())
        .fetch_one(&mut self.transaction)
        .await?;
        Ok(count > 0)
    }
}

fn select<'q>(query: &'q ReadQuery<'_>) -> Statement<'q> {
    // $1 to $4 are the other values.
    let flows: Vec<String> = (5..5 + query.flows.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "SELECT batch.position, batch.batch, batch.epoch, epoch.grant_id, batch.envelope, batch.wraps
         FROM batch JOIN epoch ON epoch.controller = batch.controller AND epoch.epoch = batch.epoch
         WHERE batch.controller = $1 AND batch.position > $2 AND batch.latest_due > $3
           AND batch.flow IN ({})
         ORDER BY batch.position LIMIT $4",
        flows.join(", "),
    );
    let statement = composed(text)
        .bind(query.controller.as_str())
        .bind(query.after)
        .bind(query.now.0)
        .bind(i64::from(query.limit));
    query.flows.iter().fold(statement, |statement, flow| statement.bind(flow.as_str()))
}
