//! Files of another version, a registry that was set back and a clock that is off, as the doctor
//! finds them beside real daemons.

use super::{
    doctor::{found, says},
    westrum,
};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{fs, path::Path};
use vernport::{
    args,
    doctor::{Checks, Outcome, System, look},
    stage::{Setting, Stage},
};
use vernport_gateway::SystemClock;
use vernport_types::{Clock as _, Stamp};

/// A station of Westrum without brokers whose gateway has heard central.
async fn heard(dev: &Path) -> Stage {
    let setting = Setting { brokers: false, ..westrum() };
    let mut stage = Stage::set_up(dev, setting).await.expect("central serves");
    let controller = stage.dev.controller[0].clone();
    stage.start_gateway(&controller).await.expect("the gateway runs");
    stage.wait_for(&controller, "grants heard", |status| status.head.is_some()).await.expect("it comes");
    stage
}

async fn doctor(stage: &Stage, system: &System) -> Checks {
    let gateway = Some(stage.dev.gateway_config(&stage.dev.controller[0]));
    let central = Some(stage.dev.central_config());
    look(&args::Doctor { gateway, central, json: false }, system).await.expect("configurations")
}

/// What a version to come leaves behind.
async fn migrate_further(database: &Path) {
    let mut file = SqliteConnectOptions::new().filename(database).connect().await.expect("a database");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'to come', TRUE, x'00', 1)";
    sqlx::query(newer).execute(&mut file).await.expect("written");
    file.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_a_newer_version_are_named_and_nothing_else_is_read_out_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stage = heard(&folder.path().join("dev")).await;
    let controller = stage.dev.controller[0].clone();
    stage.stop_gateway(&controller).await;
    stage.stop_central().await;
    let before = doctor(&stage, &System::default()).await;
    says(&before, "spool", Outcome::Ok, "");
    says(&before, "evidence", Outcome::Ok, "");
    says(&before, "database", Outcome::Ok, "");
    migrate_further(&stage.dev.folder(&controller).join("data/spool.db")).await;
    migrate_further(&stage.dev.dir.join("central/main.db")).await;
    let newer = doctor(&stage, &System::default()).await;
    says(&newer, "spool", Outcome::Fail, "start the version that wrote it, or a newer one");
    found(&newer, "spool", "was written by a newer version (schema 999, this knows ");
    assert!(!newer.all().iter().any(|check| check.what == "evidence"), "{:#?}", newer.all());
    says(&newer, "database", Outcome::Fail, "start the version that wrote it, or a newer one");
    found(&newer, "database", "was written by a newer central (schema 999, this knows ");
    stage.start_gateway(&controller).await.expect_err("the gateway itself does not touch it");
    stage.start_central().await.expect_err("nor does central");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_was_set_back_is_told_by_the_running_gateway_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stage = heard(&folder.path().join("dev")).await;
    let controller = stage.dev.controller[0].clone();
    says(&doctor(&stage, &System::default()).await, "registry", Outcome::Ok, "");
    // The backup was made before the gateway heard what it heard; nobody looks at the journal.
    stage.stop_central().await;
    let central = stage.dev.dir.join("central");
    fs::copy(central.join("main.db"), central.join("backup.db")).expect("copied");
    stage.start_central().await.expect("it serves");
    let before = stage.gateway(&controller).expect("runs").status().await.expect("a status").head;
    let later = |status: &vernport_gateway::Status| {
        status.head.zip(before).is_some_and(|((now, _), (before, _))| now.sequence > before.sequence)
    };
    stage.wait_for(&controller, "another head", later).await.expect("it comes");
    stage.stop_central().await;
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(central.join(format!("main.db{end}")));
    }
    fs::copy(central.join("backup.db"), central.join("main.db")).expect("copied");
    let config = stage.dev.central_config();
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text.replace("[journal]\npath = \"central/journal\"\n", "")).expect("written");
    stage.start_central().await.expect("it serves");
    let noticed = |status: &vernport_gateway::Status| status.central_rolled_back;
    stage.wait_for(&controller, "the rollback is noticed", noticed).await.expect("it comes");
    let checks = doctor(&stage, &System::default()).await;
    says(&checks, "registry", Outcome::Fail, "its controller begins a new era: `vernport registry restored`");
    found(&checks, "registry", "central is behind what it said before");
    stage.stop().await;
}

/// This machine's clock, off by so many seconds.
fn off(seconds: i64) -> Stamp {
    let now = SystemClock.now();
    Stamp { wall: now.wall.plus_seconds(seconds), ..now }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_central_does_not_share_is_told_with_the_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::set_up(&folder.path().join("dev"), Setting { brokers: false, ..westrum() }).await;
    let stage = stage.expect("central serves");
    let ahead = doctor(&stage, &System { clock: || off(60), ..System::default() }).await;
    says(&ahead, "clock of central", Outcome::Fail, "let a time service keep both clocks");
    found(&ahead, "clock of central", "s ahead of central's");
    let behind = doctor(&stage, &System { clock: || off(-60), ..System::default() }).await;
    says(&behind, "clock of central", Outcome::Fail, "let a time service keep both clocks");
    found(&behind, "clock of central", "s behind central's");
    says(&doctor(&stage, &System::default()).await, "clock of central", Outcome::Ok, "");
    stage.stop().await;
}
