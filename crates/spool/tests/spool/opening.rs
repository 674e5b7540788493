//! What is no spool is told apart, with what to do about it.

use crate::support::*;
use vernport_spool::{Config, OpenError, Spool};

async fn refused(config: Config) -> OpenError {
    Spool::open(config).await.expect_err("it must not open")
}

#[tokio::test]
async fn a_second_process_is_told_that_the_spool_is_in_use() {
    let place = Place::new();
    let spool = place.open().await;
    let error = refused(place.config()).await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    spool.close().await;
    place.open().await;
}

#[tokio::test]
async fn a_missing_folder_and_a_file_that_is_no_database_are_told() {
    let place = Place::new();
    let missing = Config { path: place.folder.path().join("no/spool.db"), ..place.config() };
    let error = refused(missing).await;
    assert!(matches!(error, OpenError::File { .. }), "{error}");

    std::fs::write(place.path(), [7; 8192]).expect("writes");
    let error = refused(place.config()).await;
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(error.to_string().contains("move it away"));
}

#[tokio::test]
async fn a_spool_of_a_newer_program_is_left_alone() {
    use sqlx::{ConnectOptions as _, Connection as _};
    let place = Place::new();
    place.open().await.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut connection = options.connect().await.expect("opens");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'later', 1, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .expect("runs");
    connection.close().await.expect("closes");
    let error = refused(place.config()).await;
    assert!(matches!(error, OpenError::Newer { version: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_reserve_that_could_not_serve_is_refused() {
    let place = Place::new();
    let error = refused(Config { reserve_bytes: 1000, ..place.config() }).await;
    assert!(matches!(error, OpenError::ReserveTooSmall { given_bytes: 1000, .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1)], vec![])).await.expect("fits");
    let files = std::fs::read_dir(place.folder.path()).expect("lists");
    for file in files.map(|file| file.expect("lists")) {
        let mode = file.metadata().expect("is there").permissions().mode();
        let sealed = !file.file_name().to_string_lossy().ends_with(".reserve");
        assert!(!sealed || mode & 0o077 == 0, "{:?} has mode {mode:o}", file.file_name());
    }
}
