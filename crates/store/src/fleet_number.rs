//! What fleet operators call vehicles themselves, sealed to them, and under which alias they were told so.
//!
//! A number is kept for as long as an alias of this year or the last is there that it explains.

use crate::{Store, StoreError, bytes, sql::sql, text};
use vernport_types::{AssetId, ControllerId, KeyId, Slug, UtcMicros, VehicleAlias};

const TABLE: &str = "fleet_number";

/// An operator's own number of a vehicle, sealed to its key for one purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetNumberRow {
    /// Whose key opens it.
    pub purpose: Slug,
    /// Which key that is.
    pub key: KeyId,
    /// The sealed number.
    pub sealed: Vec<u8>,
}

/// An alias, and what its operator calls that vehicle. `Debug` names no vehicle.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedRow {
    /// For what the vehicle is called so.
    pub purpose: Slug,
    /// What it is called.
    pub vehicle: VehicleAlias,
    /// The key that opens the number.
    pub key: KeyId,
    /// The sealed number.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for ListedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ListedRow({})", self.purpose)
    }
}

#[derive(sqlx::FromRow)]
struct Columns {
    purpose: String,
    alias: Vec<u8>,
    key_id: Vec<u8>,
    sealed: Vec<u8>,
}

impl TryFrom<Columns> for ListedRow {
    type Error = StoreError;

    fn try_from(row: Columns) -> Result<Self, StoreError> {
        Ok(Self {
            purpose: text(TABLE, &row.purpose)?,
            vehicle: VehicleAlias::from_bytes(bytes(TABLE, &row.alias)?),
            key: KeyId::from_bytes(bytes(TABLE, &row.key_id)?),
            sealed: row.sealed,
        })
    }
}

impl Store {
    /// Keeps what an operator calls a vehicle, one number for each purpose, in the place of what it was called
    /// before; no rows: it is called nothing any more. Its aliases are to be told again.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing changed.
    pub async fn call_asset(
        &self,
        controller: &ControllerId,
        asset: AssetId,
        operator: &Slug,
        rows: &[FleetNumberRow],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, call_asset(controller, asset, operator, rows, now));
        let mut write = db.write_aside(Some(controller)).await?;
        sql("DELETE FROM fleet_number WHERE controller = $1 AND asset = $2 AND recipient = $3")
            .bind(controller.as_str())
            .bind(&asset.as_bytes()[..])
            .bind(operator.as_str())
            .execute(&mut write.transaction)
            .await?;
        for row in rows {
            sql(
                "INSERT INTO fleet_number (controller, asset, recipient, purpose, key_id, sealed, entered_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(controller.as_str())
            .bind(&asset.as_bytes()[..])
            .bind(operator.as_str())
            .bind(row.purpose.as_str())
            .bind(&row.key.as_bytes()[..])
            .bind(&row.sealed[..])
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        }
        sql("UPDATE alias SET listed_at = NULL WHERE controller = $1 AND asset = $2 AND recipient = $3")
            .bind(controller.as_str())
            .bind(&asset.as_bytes()[..])
            .bind(operator.as_str())
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// An operator's aliases from a year on whose vehicles have a number that no broker took since `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn aliases_to_list(
        &self,
        controller: &ControllerId,
        operator: &Slug,
        from_year: i16,
        before: UtcMicros,
        limit: u16,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let db = sql_or!(self, aliases_to_list(controller, operator, from_year, before, limit));
        let rows: Vec<Columns> = sql("SELECT a.purpose, a.alias, n.key_id, n.sealed
             FROM fleet_number n JOIN alias a ON a.controller = n.controller AND a.asset = n.asset
                  AND a.recipient = n.recipient AND a.purpose = n.purpose
             WHERE n.controller = $1 AND n.recipient = $2 AND a.year >= $3
               AND (a.listed_at IS NULL OR a.listed_at < $4)
             ORDER BY a.alias LIMIT $5")
        .bind(controller.as_str())
        .bind(operator.as_str())
        .bind(i64::from(from_year))
        .bind(before.0)
        .bind(i64::from(limit))
        .fetch_all(&db.main)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Notes that a broker took these; one whose number changed meanwhile is to be told again.
    ///
    /// # Errors
    /// [`StoreError`]; then none is noted.
    pub async fn note_listed(
        &self,
        controller: &ControllerId,
        rows: &[ListedRow],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, note_listed(controller, rows, now));
        let mut write = db.write_aside(Some(controller)).await?;
        for row in rows {
            sql("UPDATE alias SET listed_at = $4 WHERE controller = $1 AND alias = $2 AND EXISTS (
                     SELECT 1 FROM fleet_number n WHERE n.controller = alias.controller
                     AND n.asset = alias.asset AND n.recipient = alias.recipient
                     AND n.purpose = alias.purpose AND n.sealed = $3)")
            .bind(controller.as_str())
            .bind(&row.vehicle.as_bytes()[..])
            .bind(&row.sealed[..])
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await
    }

    /// Deletes numbers entered before `before` that explain no alias from a year on; says how many.
    ///
    /// # Errors
    /// [`StoreError`]; then none went.
    pub async fn forget_numbers(
        &self,
        controller: &ControllerId,
        from_year: i16,
        before: UtcMicros,
    ) -> Result<u64, StoreError> {
        let db = sql_or!(self, forget_numbers(controller, from_year, before));
        let mut write = db.write_aside(Some(controller)).await?;
        let gone = sql("DELETE FROM fleet_number WHERE controller = $1 AND entered_at < $3 AND NOT EXISTS (
                 SELECT 1 FROM alias a WHERE a.controller = fleet_number.controller
                 AND a.asset = fleet_number.asset AND a.recipient = fleet_number.recipient
                 AND a.purpose = fleet_number.purpose AND a.year >= $2)")
        .bind(controller.as_str())
        .bind(i64::from(from_year))
        .bind(before.0)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(gone)
    }
}
