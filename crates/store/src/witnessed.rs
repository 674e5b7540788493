//! What was seen of gateways' evidence logs, and what they found wrong with ours.

use crate::{Store, StoreError, sql::sql};
use vernport_types::{ControllerId, Slug, UtcMicros};

/// What is known of one gateway's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnessed {
    /// The last checkpoint that was cosigned, a signed note; empty where none was.
    pub note: String,
    /// What is wrong with it now, by its word.
    pub alarm: Option<String>,
    /// What the gateway finds wrong with central's log now.
    pub central_alarm: Option<String>,
    /// How often something new was found.
    pub alarms: u64,
    /// The last checkpoint of central's log that the gateway cosigned.
    pub cosigned: Option<String>,
}

type Columns = (String, Option<String>, Option<String>, i64, Option<String>);

impl Store {
    /// Lets `decide` change what is known of a gateway's log, in one transaction that nobody else of this
    /// controller writes beside (tlog-witness: check and remember at once). Durable when it answers.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing changed.
    pub async fn witness<T>(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        now: UtcMicros,
        decide: impl FnOnce(&mut Witnessed) -> T + Send,
    ) -> Result<T, StoreError> {
        let db = sql_or!(self, witness(controller, gateway, now, decide));
        let mut write = db.write(controller).await?;
        let row: Option<Columns> = sql("SELECT note, alarm, central_alarm, alarms, cosigned FROM witnessed
             WHERE controller = $1 AND gateway = $2")
        .bind(controller.as_str())
        .bind(gateway.as_str())
        .fetch_optional(&mut write.transaction)
        .await?;
        let before = row.map(read).unwrap_or_default();
        let mut known = before.clone();
        let decided = decide(&mut known);
        if known != before {
            sql("INSERT INTO witnessed (controller, gateway, note, seen_at, alarm, central_alarm, alarms, cosigned)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (controller, gateway) DO UPDATE SET note = excluded.note, seen_at = excluded.seen_at,
                     alarm = excluded.alarm, central_alarm = excluded.central_alarm, alarms = excluded.alarms,
                     cosigned = excluded.cosigned")
            .bind(controller.as_str())
            .bind(gateway.as_str())
            .bind(&known.note)
            .bind(now.0)
            .bind(known.alarm.as_deref())
            .bind(known.central_alarm.as_deref())
            .bind(i64::try_from(known.alarms).unwrap_or(i64::MAX))
            .bind(known.cosigned.as_deref())
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await?;
        Ok(decided)
    }

    /// How often something new was found wrong with an evidence log of this controller, and how many gateways are
    /// concerned now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_alarms(&self, controller: &ControllerId) -> Result<(u64, u64), StoreError> {
        let db = sql_or!(self, log_alarms(controller));
        let (alarms, standing): (i64, i64) = sql("SELECT CAST(COALESCE(SUM(alarms), 0) AS BIGINT),
                    COUNT(CASE WHEN alarm IS NOT NULL OR central_alarm IS NOT NULL THEN 1 END)
             FROM witnessed WHERE controller = $1")
        .bind(controller.as_str())
        .fetch_one(&db.main)
        .await?;
        Ok((alarms.unsigned_abs(), standing.unsigned_abs()))
    }
}

fn read((note, alarm, central_alarm, alarms, cosigned): Columns) -> Witnessed {
    Witnessed { note, alarm, central_alarm, alarms: alarms.unsigned_abs(), cosigned }
}
