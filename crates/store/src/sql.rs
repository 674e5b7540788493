//! One set of statements for SQLite and PostgreSQL: a pool, a transaction and
//! a statement with its values, each of which knows which database it talks to.
//!
//! A statement is written once, in the SQL that both understand, with `$1` and
//! so on. What goes in and comes out is whole numbers, bytes and text, or none.

use crate::StoreError;
use sqlx::{
    Arguments as _, AssertSqlSafe, FromRow, PgPool, Postgres, SqlSafeStr, SqlStr, Sqlite, SqlitePool,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

/// Connections to one database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// A transaction that reads: it sees one state, however many statements it asks.
    pub(crate) async fn reading(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let mut transaction = pool.begin_with(begin).await?;
                // A whole ledger may take longer than what a request asks for.
                sqlx::query("SET LOCAL statement_timeout = '120s'").execute(&mut *transaction).await?;
                Transaction::Postgres(transaction)
            }
        })
    }

    /// A transaction that writes. SQLite's has the write lock from its beginning.
    pub(crate) async fn writing(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction; rolled back when dropped.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// Where a statement runs.
pub(crate) enum On<'c> {
    Pool(&'c Pool),
    Transaction(&'c mut Transaction),
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(pool: &'c Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'c> From<&'c mut Transaction> for On<'c> {
    fn from(transaction: &'c mut Transaction) -> Self {
        Self::Transaction(transaction)
    }
}

/// A value of a statement.
#[derive(Clone, Copy)]
pub(crate) enum Value<'q> {
    Number(Option<i64>),
    Bytes(Option<&'q [u8]>),
    Text(Option<&'q str>),
}

macro_rules! values {
    ($($from:ty => $variant:ident $wrap:expr;)*) => { $(
        impl<'q> From<$from> for Value<'q> {
            fn from(value: $from) -> Self {
                Self::$variant($wrap(value))
            }
        }
    )* };
}

values! {
    i64 => Number Some;
    Option<i64> => Number std::convert::identity;
    &'q [u8] => Bytes Some;
    Option<&'q [u8]> => Bytes std::convert::identity;
    &'q Vec<u8> => Bytes |value: &'q Vec<u8>| Some(value.as_slice());
    &'q str => Text Some;
    Option<&'q str> => Text std::convert::identity;
    &'q String => Text |value: &'q String| Some(value.as_str());
}

impl<'q, const N: usize> From<&'q [u8; N]> for Value<'q> {
    fn from(value: &'q [u8; N]) -> Self {
        Self::Bytes(Some(value))
    }
}

/// A row of either database.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A statement with its values.
pub(crate) struct Statement<'q> {
    sql: SqlStr,
    values: Vec<Value<'q>>,
}

/// A statement without values yet.
pub(crate) fn sql<'q>(text: &'static str) -> Statement<'q> {
    Statement { sql: text.into_sql_str(), values: Vec::new() }
}

/// A statement that was put together here, of nothing that came from outside.
pub(crate) fn composed<'q>(text: String) -> Statement<'q> {
    Statement { sql: AssertSqlSafe(text).into_sql_str(), values: Vec::new() }
}

/// The values as sqlx takes them for one database.
macro_rules! arguments {
    ($kind:ty, $values:expr) => {{
        let mut arguments = <$kind>::default();
        for value in $values {
            match value {
                Value::Number(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

/// Fetches rows of type `T` in either database.
macro_rules! fetch {
    ($statement:expr, $on:expr, $method:ident) => {{
        let Statement { sql, values } = $statement;
        match $on.into() {
            On::Pool(Pool::Sqlite(pool)) => {
                sqlx::query_as_with(sql, arguments!(SqliteArguments, values)).$method(pool).await?
            }
            On::Pool(Pool::Postgres(pool)) => {
                sqlx::query_as_with(sql, arguments!(PgArguments, values)).$method(pool).await?
            }
            On::Transaction(Transaction::Sqlite(on)) => {
                sqlx::query_as_with(sql, arguments!(SqliteArguments, values)).$method(&mut **on).await?
            }
            On::Transaction(Transaction::Postgres(on)) => {
                sqlx::query_as_with(sql, arguments!(PgArguments, values)).$method(&mut **on).await?
            }
        }
    }};
}

impl<'q> Statement<'q> {
    /// The next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it; says how many rows it changed.
    pub(crate) async fn execute(self, on: impl Into<On<'_>>) -> Result<u64, StoreError> {
        let Statement { sql, values } = self;
        Ok(match on.into() {
            On::Pool(Pool::Sqlite(pool)) => sqlx::query_with(sql, arguments!(SqliteArguments, values))
                .execute(pool)
                .await?
                .rows_affected(),
            On::Pool(Pool::Postgres(pool)) => {
                sqlx::query_with(sql, arguments!(PgArguments, values)).execute(pool).await?.rows_affected()
            }
            On::Transaction(Transaction::Sqlite(on)) => {
                sqlx::query_with(sql, arguments!(SqliteArguments, values))
                    .execute(&mut **on)
                    .await?
                    .rows_affected()
            }
            On::Transaction(Transaction::Postgres(on)) => {
                sqlx::query_with(sql, arguments!(PgArguments, values))
                    .execute(&mut **on)
                    .await?
                    .rows_affected()
            }
        })
    }

    /// Its rows.
    pub(crate) async fn fetch_all<T: Row>(self, on: impl Into<On<'_>>) -> Result<Vec<T>, StoreError> {
        Ok(fetch!(self, on, fetch_all))
    }

    /// Its one row.
    pub(crate) async fn fetch_one<T: Row>(self, on: impl Into<On<'_>>) -> Result<T, StoreError> {
        Ok(fetch!(self, on, fetch_one))
    }

    /// Its row, if there is one.
    pub(crate) async fn fetch_optional<T: Row>(self, on: impl Into<On<'_>>) -> Result<Option<T>, StoreError> {
        Ok(fetch!(self, on, fetch_optional))
    }
}
