//! The partitions of `batch` in PostgreSQL, one for each month.

use crate::{
    Incoming, Sql, Store, StoreError,
    sql::{Pool, Transaction, composed, sql},
};
use vernport_types::UtcMicros;

/// The number under which processes take turns to make partitions: "vern" in ASCII.
const TURN: i64 = 0x7665_726E;
/// For how many months ahead there are partitions. What is due later lies
/// together in the last one, so that no envelope, however strange, makes more.
const MONTHS_AHEAD: i64 = 240;
/// The month of what is due later than that.
const LATER: i64 = 999_912;

impl Sql {
    /// Makes the partitions that these batches will lie in. A transaction of its
    /// own, before that of the commit: making one there would wait for every
    /// other commit, and those for each other.
    pub(crate) async fn make_partitions(&self, items: &[Incoming], now: UtcMicros) -> Result<(), StoreError> {
        let Pool::Postgres(_) = &self.main else { return Ok(()) };
        let due = items.iter().map(|item| item.latest_due).filter(|due| *due > now);
        let mut months: Vec<i64> = due.map(|due| month(due, now)).collect();
        months.sort_unstable();
        months.dedup();
        let known = |month: &i64| self.months().contains(month);
        months.retain(|month| !known(month));
        for month in months {
            let mut transaction = self.main.writing().await?;
            make(&mut transaction, month).await?;
            transaction.commit().await?;
            self.months().insert(month);
        }
        Ok(())
    }
}

impl Store {
    /// Drops the partitions of months that are over and empty; how many. What is held
    /// beyond its month keeps its partition.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_partitions(&self, now: UtcMicros) -> Result<usize, StoreError> {
        let db = sql_or!(self, drop_partitions(now));
        let Pool::Postgres(_) = &db.main else { return Ok(0) };
        let (year, of_year) = calendar(now);
        let this_month = year * 100 + of_year;
        let rows: Vec<(String,)> = sql("SELECT child.relname::TEXT FROM pg_inherits
             JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
             WHERE parent.oid = to_regclass('batch') ORDER BY child.relname")
        .fetch_all(&db.main)
        .await?;
        let months = rows.iter().filter_map(|(table,)| table.strip_prefix("batch_")?.parse::<i64>().ok());
        let mut dropped = 0;
        for month in months.filter(|month| *month < this_month) {
            let mut transaction = db.main.writing().await?;
            sql("SELECT pg_advisory_xact_lock($1)").bind(TURN).execute(&mut transaction).await?;
            // No batch comes into a month that is over: it would be overdue.
            let table = format!("batch_{month:06}");
            let (is_there,): (bool,) =
                sql("SELECT to_regclass($1) IS NOT NULL").bind(&table).fetch_one(&mut transaction).await?;
            if !is_there {
                continue;
            }
            let (is_empty,): (bool,) = composed(format!("SELECT NOT EXISTS (SELECT 1 FROM {table})"))
                .fetch_one(&mut transaction)
                .await?;
            if is_empty {
                composed(format!("DROP TABLE {table}")).execute(&mut transaction).await?;
                transaction.commit().await?;
                db.months().remove(&month);
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// Makes the partition of a month unless it is there. Attaching a table that
/// was made beforehand holds up nobody who writes into other partitions.
async fn make(transaction: &mut Transaction, month: i64) -> Result<(), StoreError> {
    sql("SELECT pg_advisory_xact_lock($1)").bind(TURN).execute(&mut *transaction).await?;
    let table = format!("batch_{month:06}");
    let (is_there,): (bool,) =
        sql("SELECT to_regclass($1) IS NOT NULL").bind(&table).fetch_one(&mut *transaction).await?;
    if is_there {
        return Ok(());
    }
    composed(format!("CREATE TABLE {table} (LIKE batch INCLUDING ALL)")).execute(&mut *transaction).await?;
    composed(format!("ALTER TABLE batch ATTACH PARTITION {table} FOR VALUES IN ({month})"))
        .execute(&mut *transaction)
        .await?;
    Ok(())
}

/// The partition of what is due at a time: year times 100 plus month, UTC.
pub(crate) fn month(due: UtcMicros, now: UtcMicros) -> i64 {
    let (due, now) = (calendar(due), calendar(now));
    let ahead = (due.0 - now.0) * 12 + due.1 - now.1;
    if ahead > MONTHS_AHEAD { LATER } else { due.0 * 100 + due.1 }
}

/// Year and month, UTC; times that no calendar has go to the nearest that one has.
fn calendar(at: UtcMicros) -> (i64, i64) {
    let nearest = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(nearest).to_zoned(jiff::tz::TimeZone::UTC);
    (i64::from(at.year()), i64::from(at.month()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_is_the_calendar_month_of_the_due_time_and_there_is_a_last_one() {
        let now = UtcMicros(1_795_132_800_000_000);
        assert_eq!(month(UtcMicros(0), UtcMicros(0)), 197_001);
        assert_eq!(month(UtcMicros(-1), UtcMicros(-1)), 196_912);
        assert_eq!(month(UtcMicros(1_795_132_799_999_999), now), 202_611);
        let years = |years: i64| now.plus_seconds(years * 365 * 86_400);
        assert_eq!(month(years(20), now), 204_611);
        assert_eq!(month(years(21), now), LATER);
        assert_eq!(month(UtcMicros(i64::MAX), now), LATER);
    }
}
