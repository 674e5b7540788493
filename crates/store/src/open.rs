//! Opening a database by its URL and bringing it to the form that this program knows.

use crate::{StoreError, sql::Pool};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{str::FromStr as _, time::Duration};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections to a SQLite database; one of them writes.
const SQLITE_CONNECTIONS: u32 = 4;
/// Connections to a PostgreSQL database. One more listens.
const POSTGRES_CONNECTIONS: u32 = 8;
/// How long a statement waits for a free connection, or for one to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// What the server ends by itself, so that neither a slow statement nor a
/// process that stopped in a transaction holds up the others.
const SERVER_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "10s"), ("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "10s")];

/// One of central's databases, before it is opened.
pub(crate) struct Database {
    /// `main` or `erasure`.
    pub(crate) name: &'static str,
    pub(crate) sqlite: Migrator,
    pub(crate) sqlite_journal: SqliteJournalMode,
    pub(crate) postgres: Migrator,
}

impl Database {
    pub(crate) async fn open(self, url: &str) -> Result<Pool, StoreError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => self.open_sqlite(url).await,
            Some(("postgres" | "postgresql", _)) => self.open_postgres(url).await,
            _ => Err(StoreError::Url { database: self.name }),
        }
    }

    async fn open_sqlite(self, url: &str) -> Result<Pool, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| StoreError::Url { database: self.name })?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(self.sqlite_journal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(SQLITE_CONNECTIONS)
            .connect_with(options.disable_statement_logging())
            .await
            .map_err(|error| self.broken(error))?;
        self.sqlite.run(&pool).await.map_err(|error| self.broken(error))?;
        Ok(Pool::Sqlite(pool))
    }

    async fn open_postgres(self, url: &str) -> Result<Pool, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Url { database: self.name })?;
        let options = with_tls(options).application_name("vernport-central").disable_statement_logging();
        // A migration may take longer than any statement of a request, and waits for that of another process.
        let mut migrating = PgConnection::connect_with(&options).await.map_err(|error| self.broken(error))?;
        self.postgres.run(&mut migrating).await.map_err(|error| self.broken(error))?;
        migrating.close().await.map_err(|error| self.broken(error))?;
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.options(SERVER_LIMITS))
            .await
            .map_err(|error| self.broken(error))?;
        Ok(Pool::Postgres(pool))
    }

    fn broken(&self, error: impl Into<MigrateError>) -> StoreError {
        StoreError::Open { database: self.name, source: error.into() }
    }
}

/// A pool that only reads, of one database as it is: nothing is made, nothing migrated.
pub(crate) async fn look(url: &str) -> Result<Pool, StoreError> {
    let no_url = |_| StoreError::Url { database: "main" };
    match url.split_once(':') {
        Some(("sqlite", _)) => {
            let options = SqliteConnectOptions::from_str(url).map_err(no_url)?.read_only(true);
            let options = options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            Ok(Pool::Sqlite(pool))
        }
        Some(("postgres" | "postgresql", _)) => {
            let options = with_tls(PgConnectOptions::from_str(url).map_err(no_url)?);
            let options = options.application_name("vernport").disable_statement_logging();
            Ok(Pool::Postgres(PgPoolOptions::new().max_connections(1).connect_with(options).await?))
        }
        _ => Err(StoreError::Url { database: "main" }),
    }
}

/// A server on another machine has to show a certificate for its name, unless
/// the URL asks for something else than to try.
fn with_tls(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let is_near = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match options.get_ssl_mode() {
        PgSslMode::Allow | PgSslMode::Prefer if !is_near => options.ssl_mode(PgSslMode::VerifyFull),
        _ => options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_has_to_show_a_certificate() {
        let mode = |url: &str| with_tls(url.parse().expect("a URL")).get_ssl_mode();
        let is_verified = |url: &str| matches!(mode(url), PgSslMode::VerifyFull);
        assert!(is_verified("postgres://central@db.example/main"));
        assert!(is_verified("postgres://central@db.example/main?sslmode=prefer"));
        assert!(is_verified("postgres://central@192.0.2.1/main"));
        for near in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(!is_verified(&format!("postgres://central@{near}/main")), "{near}");
        }
        assert!(!is_verified("postgres:///main?host=/run/postgresql"));
        assert!(matches!(mode("postgres://central@db.example/main?sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://central@db.example/main?sslmode=verify-ca"), PgSslMode::VerifyCa));
    }
}
