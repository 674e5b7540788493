//! An erasure through the whole path, and a central that is restored from a backup made before it:
//! nothing erased opens again, and the gateway believes a rolled-back registry only in a new era.

use crate::stand::{OnBus, Stand, is_delivered};
use anyhow::{Context as _, Result};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{fs, time::Duration};
use tokio::time::Instant;
use vernport::args;
use vernport_api::{ErasureAnswer, ErasureState, LogAlarm};
use vernport_registry::{Erasure, ErasureGround, Event, Whom};
use vernport_types::EntryHash;

/// How long an erasure may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn complete(stand: &Stand, entry: EntryHash) -> Result<ErasureAnswer> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = stand.registrar.erasure(entry).await?;
        if answer.state == ErasureState::Complete {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < until, "the erasure is not complete: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Copies the main database of a central that does not run.
fn copy(stand: &Stand, from: &str, to: &str) -> Result<()> {
    let folder = stand.stage.dev.dir.join("central");
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("{to}{end}")));
    }
    fs::copy(folder.join(from), folder.join(to)).context("the database is copied")?;
    Ok(())
}

fn database(stand: &Stand, name: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(stand.stage.dev.dir.join("central").join(name))
}

#[tokio::test]
async fn nothing_erased_opens_after_a_restore_and_the_gateway_goes_on_in_a_new_era_only() -> Result<()> {
    let mut stand = Stand::on_virtual_bus().await?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let mut truck = OnBus::arrive(&stand, 0)?;
    truck.drive(&stand, 2).await?;
    stand.until("delivered", is_delivered).await?;
    assert!(stand.opened().await?.len() > 10, "while nobody asked for an erasure");

    stand.stage.stop_central().await;
    copy(&stand, "main.db", "backup.db")?;
    stand.stage.start_central().await?;
    let owner = stand.world.subject("owner").context("the world has an owner")?;
    let order = Erasure {
        whom: Whom::Subject(owner),
        purpose: None,
        ground: ErasureGround::NoLongerNeeded,
        case: "case 7".parse()?,
    };
    let entry = stand.registrar.say(Event::ErasureOrdered(order)).await?.effect.erasures[0];
    let answer = complete(&stand, entry).await?;
    let certificate =
        answer.certificates.last().context("it is certified")?.verify(&stand.stage.dev.head_key)?;
    assert!(certificate.complete && certificate.epochs > 0);
    assert!(!answer.deletions.is_empty(), "the recipients read some of it before: {certificate:?}");
    assert_eq!(stand.opened().await?.len(), 0, "everything so far was about the owner");
    // What is read from now on rests on its own basis.
    truck.drive(&stand, 2).await?;
    stand.until("delivered", is_delivered).await?;
    let since = stand.opened().await?.len();
    assert!(since > 10, "{since}");
    // The gateway has seen more of central's evidence than the backup holds.
    let (backed_up,): (i64,) = sqlx::query_as("SELECT size FROM evidence_log")
        .fetch_one(&mut database(&stand, "backup.db").connect().await?)
        .await?;
    stand.until("witnessed", |status| status.log.central_leaves > backed_up.unsigned_abs()).await?;

    // Restored, and served by somebody who does not look at the journal.
    stand.stage.stop_central().await;
    copy(&stand, "backup.db", "main.db")?;
    let config = stand.stage.dev.central_config();
    let text = fs::read_to_string(&config)?;
    stand.stage.start_central().await.expect_err("central itself knows better");
    fs::write(&config, text.replace("[journal]\npath = \"central/journal\"\n", ""))?;
    stand.stage.start_central().await?;
    stand.until("the rollback is noticed", |status| status.central_rolled_back).await?;
    assert_eq!(stand.opened().await?.len(), 0, "the keys of the erased are gone for good");
    truck.drive(&stand, 2).await?;
    assert_eq!(stand.registrar.stored_batches().await?, stored(&stand).await?, "nothing comes in");

    // It catches up with its own numbers while the gateway is away: what it lost does not come back by that.
    stand.stop().await;
    stand.stage.stop_central().await;
    let mut hand = database(&stand, "main.db").connect().await?;
    sqlx::query("UPDATE gateway SET head_sequence = head_sequence + 1000000").execute(&mut hand).await?;
    hand.close().await?;
    stand.stage.start_central().await?;
    stand.start().await?;
    truck.restarted();
    let asked = stand.until("central asked", |status| status.central_failures > 0).await?;
    assert!(asked.central_rolled_back && asked.head.is_none(), "the gateway forgot what it knew");

    stand.stage.stop_central().await;
    fs::write(&config, text)?;
    let restored = args::Restored {
        config: config.clone(),
        controller: stand.controller.id.clone(),
        bundle_key: stand.file("keys/bundle.key"),
        master_key: None,
        journal: Vec::new(),
    };
    vernport::registry::run(args::Registry::Restored(restored)).await?;
    stand.stage.start_central().await?;
    let heard = |status: &vernport_gateway::Status| {
        !status.central_rolled_back && status.head.is_some_and(|(head, _)| head.era == 2)
    };
    stand.until("the new era is believed", heard).await?;
    complete(&stand, entry).await?;
    assert_eq!(stand.opened().await?.len(), 0, "nothing erased opens");
    truck.drive(&stand, 2).await?;
    stand.until("delivered", is_delivered).await?;
    assert!(stand.opened().await?.len() > 10, "it goes on");
    // The era explains what its log lost, and from there it is watched as before.
    let anew = |status: &vernport_gateway::Status| status.log.alarms.central == Some(LogAlarm::BegunAnew);
    let seen = stand.until("its log is begun anew", anew).await?.log.central_leaves;
    truck.drive(&stand, 2).await?;
    stand.until("its log is watched", |status| status.log.central_leaves > seen).await?;
    stand.stage.stop().await;
    Ok(())
}

/// What central keeps while nothing may come in: asked twice, some questions of the gateway apart.
async fn stored(stand: &Stand) -> Result<u64> {
    let failures = stand.stage.gateway(&stand.controller)?.status().await?.central_failures;
    stand.until("asked again", |status| status.central_failures > failures).await?;
    stand.registrar.stored_batches().await
}
