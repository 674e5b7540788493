//! Links of stations' segments: each place of each chain once.

use crate::{
    Revision, Store, StoreError, Write, bytes,
    sql::{Transaction, sql},
    text,
};
use vernport_types::{ControllerId, EntryHash, LinkHash, SegmentId, Slug, UtcMicros};

const TABLE: &str = "link";

/// A link that was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Which gateway brought it.
    pub gateway: Slug,
    /// Its chain.
    pub segment: SegmentId,
    /// Its place there, from 1.
    pub sequence: u64,
    /// Its name.
    pub link: LinkHash,
    /// The ledger entry that came of it.
    pub entry: Option<EntryHash>,
    /// Why none did.
    pub refused: Option<String>,
}

type Columns = (String, Vec<u8>, i64, Vec<u8>, Option<Vec<u8>>, Option<String>);

impl Store {
    /// A link by its place, or the last one of its chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        segment: SegmentId,
        sequence: Option<u64>,
    ) -> Result<Option<LinkRow>, StoreError> {
        let db = sql_or!(self, link(controller, gateway, segment, sequence));
        let row: Option<Columns> = sql("SELECT gateway, segment, sequence, link, entry, refused FROM link
             WHERE controller = $1 AND gateway = $2 AND segment = $3 AND ($4 IS NULL OR sequence = $4)
             ORDER BY sequence DESC LIMIT 1")
        .bind(controller.as_str())
        .bind(gateway.as_str())
        .bind(&segment.as_bytes()[..])
        .bind(sequence.map(signed))
        .fetch_optional(&db.main)
        .await?;
        row.map(read).transpose()
    }

    /// Whether an entry named an asset before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn knows_asset(
        &self,
        controller: &ControllerId,
        asset: vernport_types::AssetId,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, knows_asset(controller, asset));
        let row: Option<(i64,)> = sql("SELECT first_at FROM asset WHERE controller = $1 AND asset = $2")
            .bind(controller.as_str())
            .bind(&asset.as_bytes()[..])
            .fetch_optional(&db.main)
            .await?;
        Ok(row.is_some())
    }

    /// Counts a refusal of links.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_link_refusal(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        code: &str,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, count_link_refusal(controller, gateway, code));
        let mut write = db.write_aside(None).await?;
        sql("INSERT INTO link_refusal (controller, gateway, code, count) VALUES ($1, $2, $3, 1)
             ON CONFLICT (controller, gateway, code) DO UPDATE SET count = link_refusal.count + 1")
        .bind(controller.as_str())
        .bind(gateway.as_str())
        .bind(code)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await
    }

    /// How often links of a gateway were refused, by the code of the problem.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_refusals(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let db = sql_or!(self, link_refusals(controller, gateway));
        let rows: Vec<(String, i64)> =
            sql("SELECT code, count FROM link_refusal WHERE controller = $1 AND gateway = $2 ORDER BY code")
                .bind(controller.as_str())
                .bind(gateway.as_str())
                .fetch_all(&db.main)
                .await?;
        Ok(rows.into_iter().map(|(code, count)| (code, count.unsigned_abs())).collect())
    }
}

impl Transaction {
    /// Of each gateway the link that was merged last.
    pub(crate) async fn load_tips(
        &mut self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<Vec<LinkRow>, StoreError> {
        let rows: Vec<Columns> = sql("SELECT gateway, segment, sequence, link, entry, refused FROM link
             WHERE controller = $1 AND position IN
                 (SELECT MAX(position) FROM link WHERE controller = $1 AND revision > $2 GROUP BY gateway)")
        .bind(controller.as_str())
        .bind(behind.0)
        .fetch_all(self)
        .await?;
        rows.into_iter().map(read).collect()
    }
}

fn read(row: Columns) -> Result<LinkRow, StoreError> {
    let (gateway, segment, sequence, link, entry, refused) = row;
    let entry = entry.map(|entry| bytes(TABLE, &entry).map(EntryHash::from_bytes)).transpose()?;
    Ok(LinkRow {
        gateway: text(TABLE, &gateway)?,
        segment: SegmentId::from_bytes(bytes(TABLE, &segment)?),
        sequence: u64::try_from(sequence).map_err(|_| StoreError::Row { table: TABLE })?,
        link: LinkHash::from_bytes(bytes(TABLE, &link)?),
        entry,
        refused,
    })
}

/// Numbers in the database are signed; places stay far below the end of the range, and stop there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Write {
    /// Enters a link. Its place must be free.
    pub(crate) async fn enter_link(
        &mut self,
        controller: &ControllerId,
        revision: Revision,
        row: &LinkRow,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let position = self.next_position(controller).await?;
        sql(
            "INSERT INTO link (controller, gateway, segment, sequence, link, entry, refused, position, merged_at,
                               revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(controller.as_str())
        .bind(row.gateway.as_str())
        .bind(&row.segment.as_bytes()[..])
        .bind(signed(row.sequence))
        .bind(&row.link.as_bytes()[..])
        .bind(row.entry.as_ref().map(|entry| &entry.as_bytes()[..]))
        .bind(row.refused.as_deref())
        .bind(position)
        .bind(now.0)
        .bind(revision.0)
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }
}
