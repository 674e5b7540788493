//! Opening a database by its URL and bringing it to the form that this program knows.

use crate::{
    StoreError,
    sql::{Pool, Transaction},
};
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
/// Connections to a PostgreSQL database; one of them listens.
pub(crate) const POSTGRES_CONNECTIONS: u32 = 9;
/// How long a statement waits for a free connection, or for one to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// What the server ends by itself, so that neither a slow statement nor a
/// process that stopped in a transaction holds up the others.
const SERVER_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "10s"), ("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "10s")];

/// Both databases, open and in the form that this program knows.
pub struct Opened {
    pub(crate) main: Pool,
    pub(crate) erasure: Pool,
}

impl Opened {
    /// Opens both databases, making and migrating them where needed.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::SameDatabase`] and [`StoreError::Open`].
    pub async fn open(main_url: &str, erasure_url: &str) -> Result<Self, StoreError> {
        if main_url == erasure_url && main_url.starts_with("postgres") {
            return Err(StoreError::SameDatabase);
        }
        let main = Database {
            name: "main",
            sqlite: main_of_sqlite(),
            sqlite_journal: SqliteJournalMode::Wal,
            postgres: main_of_postgres(),
        };
        let erasure = Database {
            name: "erasure",
            sqlite: sqlx::migrate!("migrations/erasure"),
            // A WAL would keep copies of deleted keys until its next checkpoint.
            sqlite_journal: SqliteJournalMode::Truncate,
            postgres: sqlx::migrate!("migrations/postgres/erasure"),
        };
        Ok(Self { main: main.open(main_url).await?, erasure: erasure.open(erasure_url).await? })
    }
}

fn main_of_sqlite() -> Migrator {
    sqlx::migrate!("migrations/main")
}

fn main_of_postgres() -> Migrator {
    sqlx::migrate!("migrations/postgres/main")
}

/// The number of the last migration of the main database that this program knows.
pub(crate) fn newest_main(of: &Transaction) -> i64 {
    let known = match of {
        Transaction::Sqlite(_) => main_of_sqlite(),
        Transaction::Postgres(_) => main_of_postgres(),
    };
    known.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// One of central's databases, before it is opened.
struct Database {
    /// `main` or `erasure`.
    name: &'static str,
    sqlite: Migrator,
    sqlite_journal: SqliteJournalMode,
    postgres: Migrator,
}

impl Database {
    async fn open(self, url: &str) -> Result<Pool, StoreError> {
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
        let (commits,): (String,) = sqlx::query_as("SHOW synchronous_commit")
            .fetch_one(&mut migrating)
            .await
            .map_err(|error| self.broken(error))?;
        migrating.close().await.map_err(|error| self.broken(error))?;
        // What was answered has to be on disk, whatever the server's default is.
        let durable = (commits == "off").then_some(("synchronous_commit", "on"));
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.options(SERVER_LIMITS).options(durable))
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

    #[tokio::test]
    async fn commits_are_durable_and_waits_bounded_whatever_the_servers_defaults_are() {
        let name = "commits_are_durable_and_waits_bounded_whatever_the_servers_defaults_are";
        let Some(cluster) = vernport_testkit::postgres::shared(name) else { return };
        let urls = [cluster.database(), cluster.database()];
        let mut look = PgConnection::connect(&urls[0]).await.expect("connects");
        let lax = "ALTER DATABASE test_0 SET synchronous_commit = off";
        sqlx::query(lax).execute(&mut look).await.expect("the owner may");
        let opened = Opened::open(&urls[0], &urls[1]).await.expect("opens");
        for (setting, expected) in
            [("synchronous_commit", "on"), ("statement_timeout", "10s"), ("lock_timeout", "2s")]
        {
            let (is,): (String,) = crate::sql::sql("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&opened.main)
                .await
                .expect("a setting");
            assert_eq!(is, expected, "{setting}");
        }
    }

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
