//! The eras of a registry.

use crate::{Store, StoreError, sql::sql};
use vernport_types::{ControllerId, UtcMicros};

impl Store {
    /// The newest era of a controller with its document; none: it is the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn era(&self, controller: &ControllerId) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
        let db = sql_or!(self, era(controller));
        let row: Option<(i64, Vec<u8>)> =
            sql("SELECT era, document FROM era WHERE controller = $1 ORDER BY era DESC LIMIT 1")
                .bind(controller.as_str())
                .fetch_optional(&db.main)
                .await?;
        let broken = |_| StoreError::Row { table: "era" };
        row.map(|(era, document)| Ok((u32::try_from(era).map_err(broken)?, document))).transpose()
    }

    /// Begins an era. In the journal before it is in the database: its number is used once.
    ///
    /// # Errors
    /// [`StoreError`]; then it did not begin.
    pub async fn begin_era(
        &self,
        controller: &ControllerId,
        era: u32,
        document: &[u8],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        self.journal_era(controller, era, now).await?;
        let db = sql_or!(self, begin_era(controller, era, document, now));
        let mut write = db.write(controller).await?;
        sql("INSERT INTO era (controller, era, began_at, document) VALUES ($1, $2, $3, $4)")
            .bind(controller.as_str())
            .bind(i64::from(era))
            .bind(now.0)
            .bind(document)
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }
}
