//! Notices to fleet operators to delete what was published to them before it was erased
//! here: one for each grant that something was published under.

use crate::{Store, StoreError, bytes, sql::sql, text};
use std::collections::BTreeSet;
use vernport_types::{ControllerId, EntryHash, GrantId, MessageId, Slug, UtcMicros, VehicleAlias};

const TABLE: &str = "deletion_notice";

/// What an operator has to delete. `Debug` names no vehicle.
#[derive(Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The answer names it.
    pub id: MessageId,
    /// Under which it was published.
    pub grant: GrantId,
    /// Who has to delete.
    pub operator: Slug,
    /// For which purpose it was published.
    pub purpose: Slug,
    /// What the vehicle is called towards the operator.
    pub vehicle: VehicleAlias,
    /// By which flow.
    pub flow: Slug,
    /// The earliest time of a message that is meant.
    pub from: UtcMicros,
    /// The latest.
    pub until: UtcMicros,
    /// The entry that ordered the erasure.
    pub entry: EntryHash,
    /// Since when.
    pub ordered_at: UtcMicros,
    /// Until when it has to be confirmed.
    pub confirm_by: UtcMicros,
    /// When a broker last took it.
    pub told_at: Option<UtcMicros>,
    /// When the operator confirmed it.
    pub confirmed_at: Option<UtcMicros>,
}

impl std::fmt::Debug for NoticeRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoticeRow")
            .field("id", &self.id)
            .field("operator", &self.operator)
            .field("flow", &self.flow)
            .field("told_at", &self.told_at)
            .field("confirmed_at", &self.confirmed_at)
            .finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Columns {
    id: Vec<u8>,
    grant_id: Vec<u8>,
    operator: String,
    purpose: String,
    vehicle: Vec<u8>,
    flow: String,
    from_time: i64,
    until_time: i64,
    entry: Vec<u8>,
    ordered_at: i64,
    confirm_by: i64,
    told_at: Option<i64>,
    confirmed_at: Option<i64>,
}

impl TryFrom<Columns> for NoticeRow {
    type Error = StoreError;

    fn try_from(row: Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: MessageId::from_bytes(bytes(TABLE, &row.id)?),
            grant: GrantId::from_bytes(bytes(TABLE, &row.grant_id)?),
            operator: text(TABLE, &row.operator)?,
            purpose: text(TABLE, &row.purpose)?,
            vehicle: VehicleAlias::from_bytes(bytes(TABLE, &row.vehicle)?),
            flow: text(TABLE, &row.flow)?,
            from: UtcMicros(row.from_time),
            until: UtcMicros(row.until_time),
            entry: EntryHash::from_bytes(bytes(TABLE, &row.entry)?),
            ordered_at: UtcMicros(row.ordered_at),
            confirm_by: UtcMicros(row.confirm_by),
            told_at: row.told_at.map(UtcMicros),
            confirmed_at: row.confirmed_at.map(UtcMicros),
        })
    }
}

impl Store {
    /// Keeps notices; a grant that has one keeps that.
    ///
    /// # Errors
    /// [`StoreError`]; then none is kept.
    pub async fn order_notices(
        &self,
        controller: &ControllerId,
        notices: &[NoticeRow],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, order_notices(controller, notices));
        let mut write = db.write_aside(Some(controller)).await?;
        for row in notices {
            sql("INSERT INTO deletion_notice (controller, id, grant_id, operator, purpose, vehicle, flow,
                                              from_time, until_time, entry, ordered_at, confirm_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(&row.id.as_bytes()[..])
            .bind(&row.grant.as_bytes()[..])
            .bind(row.operator.as_str())
            .bind(row.purpose.as_str())
            .bind(&row.vehicle.as_bytes()[..])
            .bind(row.flow.as_str())
            .bind(row.from.0)
            .bind(row.until.0)
            .bind(&row.entry.as_bytes()[..])
            .bind(row.ordered_at.0)
            .bind(row.confirm_by.0)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await
    }

    /// The oldest notices that are not confirmed, and that no broker took since `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_to_tell(
        &self,
        controller: &ControllerId,
        before: UtcMicros,
        limit: u16,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let db = sql_or!(self, notices_to_tell(controller, before, limit));
        let rows: Vec<Columns> = sql("SELECT * FROM deletion_notice
             WHERE controller = $1 AND confirmed_at IS NULL AND (told_at IS NULL OR told_at < $2)
             ORDER BY ordered_at, id LIMIT $3")
        .bind(controller.as_str())
        .bind(before.0)
        .bind(i64::from(limit))
        .fetch_all(&db.main)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Notes that a broker took a notice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_told(
        &self,
        controller: &ControllerId,
        id: MessageId,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, note_told(controller, id, now));
        let mut write = db.write_aside(Some(controller)).await?;
        sql("UPDATE deletion_notice SET told_at = $3 WHERE controller = $1 AND id = $2")
            .bind(controller.as_str())
            .bind(&id.as_bytes()[..])
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// Notes that an operator deleted what a notice named; says whether that notice was for it, about that
    /// purpose and vehicle. Confirming again is harmless.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was noted.
    pub async fn confirm_notice(
        &self,
        controller: &ControllerId,
        (operator, purpose, vehicle): (&Slug, &Slug, VehicleAlias),
        id: MessageId,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let of = (operator, purpose, vehicle);
        let db = sql_or!(self, confirm_notice(controller, of, id, now));
        let mut write = db.write_aside(Some(controller)).await?;
        let known = sql("UPDATE deletion_notice SET confirmed_at = COALESCE(confirmed_at, $6)
             WHERE controller = $1 AND id = $2 AND operator = $3 AND purpose = $4 AND vehicle = $5")
        .bind(controller.as_str())
        .bind(&id.as_bytes()[..])
        .bind(of.0.as_str())
        .bind(of.1.as_str())
        .bind(&of.2.as_bytes()[..])
        .bind(now.0)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(known == 1)
    }

    /// All notices that came of one order to erase, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_of(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let db = sql_or!(self, notices_of(controller, entry));
        let rows: Vec<Columns> = sql("SELECT * FROM deletion_notice WHERE controller = $1 AND entry = $2
             ORDER BY ordered_at, id")
        .bind(controller.as_str())
        .bind(&entry.as_bytes()[..])
        .fetch_all(&db.main)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Who did not confirm in time a deletion that it was ordered or told, and for which purpose.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn late_with_deletion(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<BTreeSet<(Slug, Slug)>, StoreError> {
        let db = sql_or!(self, late_with_deletion(controller, now));
        let rows: Vec<(String, String)> = sql("SELECT recipient, purpose FROM deletion_order
             WHERE controller = $1 AND confirmed_at IS NULL AND confirm_by <= $2
             UNION SELECT operator, purpose FROM deletion_notice
             WHERE controller = $1 AND confirmed_at IS NULL AND confirm_by <= $2")
        .bind(controller.as_str())
        .bind(now.0)
        .fetch_all(&db.main)
        .await?;
        rows.iter().map(|(who, purpose)| Ok((text(TABLE, who)?, text(TABLE, purpose)?))).collect()
    }
}
