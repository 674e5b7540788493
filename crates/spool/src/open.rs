//! Opening: one process at a time, the right SQLite, the settings that the promises rest on, the schema.

use crate::{Config, OpenError, error::is_full, log};
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The first SQLite without the bug that can corrupt a write-ahead log on reset.
const LEAST_SQLITE: [u32; 3] = [3, 51, 3];

/// Bytes of one page of the database.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// What an open spool holds.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writer: SqliteConnection,
    pub(crate) reader: SqliteConnection,
    pub(crate) lock: File,
}

pub(crate) async fn open(config: &Config) -> Result<Opened, OpenError> {
    if config.reserve_bytes < Config::MIN_RESERVE_BYTES {
        return Err(OpenError::ReserveTooSmall {
            given_bytes: config.reserve_bytes,
            least_bytes: Config::MIN_RESERVE_BYTES,
        });
    }
    let lock = lock(config)?;
    // Made here, so that nobody else may read it; SQLite gives its other files the same mode.
    private_file(&config.path, "create")?;
    let (writer, reader) =
        match connect(config).await {
            // Opening takes some room, too: settling has to be possible after a restart on a full disk.
            Err(OpenError::Database { source, .. }) if is_full(&source) => {
                tracing::warn!("no room on the disk: the spool opens with the room of its reserve");
                private_file(&reserve_path(config), "open")?.set_len(0).map_err(|source| {
                    OpenError::File { what: "empty", path: reserve_path(config), source }
                })?;
                connect(config).await?
            }
            connected => connected?,
        };
    Ok(Opened { writer, reader, lock })
}

async fn connect(config: &Config) -> Result<(SqliteConnection, SqliteConnection), OpenError> {
    let database = |source| OpenError::Database { path: config.path.clone(), source };
    let mut writer = options(config).connect().await.map_err(database)?;
    check_version(&mut writer).await.map_err(database)??;
    check_settings(&mut writer).await.map_err(database)??;
    migrate(config, &mut writer).await?;
    log::prepare(&mut writer, config).await.map_err(database)?;
    set_max_pages(&mut writer, config.max_file_bytes).await.map_err(database)?;
    let reader = options(config).read_only(true).connect().await.map_err(database)?;
    Ok((writer, reader))
}

/// Where the reserve lies.
pub(crate) fn reserve_path(config: &Config) -> PathBuf {
    beside(&config.path, ".reserve")
}

pub(crate) fn options(config: &Config) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .page_size(PAGE_BYTES as u32)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        // Nothing of it may land in a file of its own.
        .pragma("temp_store", "MEMORY")
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

fn lock(config: &Config) -> Result<File, OpenError> {
    let path = beside(&config.path, ".lock");
    let file = private_file(&path, "create")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: config.path.clone() }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { what: "lock", path, source }),
    }
}

fn private_file(path: &Path, what: &'static str) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| OpenError::File { what, path: path.into(), source })
}

/// The file whose name is that of the database and `ending`.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(ending);
    name.into()
}

async fn check_version(connection: &mut SqliteConnection) -> sqlx::Result<Result<(), OpenError>> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    Ok(if is_new_enough(&found) { Ok(()) } else { Err(OpenError::OldSqlite { found }) })
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version >= LEAST_SQLITE
}

/// Asks for the settings back: some file systems silently have no write-ahead log.
async fn check_settings(connection: &mut SqliteConnection) -> sqlx::Result<Result<(), OpenError>> {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    let secure_delete: i64 = sqlx::query_scalar("PRAGMA secure_delete").fetch_one(&mut *connection).await?;
    let settings = [
        ("journal_mode", journal, "wal"),
        ("synchronous", synchronous.to_string(), "2"),
        ("secure_delete", secure_delete.to_string(), "1"),
    ];
    let wrong = settings.into_iter().find(|(_, found, wanted)| found != wanted);
    Ok(match wrong {
        None => Ok(()),
        Some((setting, found, wanted)) => Err(OpenError::Setting { setting, found, wanted }),
    })
}

async fn migrate(config: &Config, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    MIGRATIONS.run(connection).await.map_err(|source| match source {
        MigrateError::VersionMissing(version) => OpenError::Newer { path: config.path.clone(), version },
        source => OpenError::Schema { path: config.path.clone(), source },
    })
}

/// The number of the last migration that this version knows.
pub(crate) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Bounds the database file; SQLite itself never goes below what the file has already.
pub(crate) async fn set_max_pages(connection: &mut SqliteConnection, file_bytes: u64) -> sqlx::Result<()> {
    // The number is ours: pragmas take no parameters.
    let pragma =
        format!("PRAGMA max_page_count = {}", (file_bytes / PAGE_BYTES).clamp(1, u64::from(u32::MAX - 1)));
    sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(connection).await?;
    Ok(())
}

/// Moves what the log holds into the database and empties the log, as far as readers allow.
pub(crate) async fn empty_log(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? == 0)
}

/// Closes a connection; what fails then is only the tidying of the log.
pub(crate) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the spool");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number_and_unreadable_ones_are_too_old() {
        for new in ["3.51.3", "3.52.0", "4.0.0", "3.51.10"] {
            assert!(is_new_enough(new), "{new}");
        }
        for old in ["3.51.2", "3.9.9", "3.40.1", "", "x", "3.51"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }
}
