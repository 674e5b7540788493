//! Evidence over the whole path: what was queued and recorded has its leaf, each side
//! witnesses the other, a spool that was set back is an alarm on both sides and stops
//! nothing, and `vernport audit` names whatever was tampered with.

use crate::stand::{OnBus, Stand, is_delivered};
use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport::{
    args::{Audit, AuditExport, AuditFsck, AuditProve, AuditVerify, LogPlace},
    audit,
};
use vernport_api::LogAlarm;
use vernport_crypto::VerifyingKey;
use vernport_gateway::Status;

/// A leaf that was signed for becomes another one.
const CHANGED: &str = "UPDATE leaf SET leaf = (SELECT leaf FROM leaf ORDER BY row DESC LIMIT 1)
                       WHERE row = (SELECT min(row) FROM leaf)";

/// What somebody does who can write where the file lies.
async fn tamper(file: &Path, statement: &str) -> Result<()> {
    let mut hand = SqliteConnectOptions::new().filename(file).connect().await?;
    let changed = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut hand).await?;
    anyhow::ensure!(changed.rows_affected() > 0, "nothing changed by {statement}");
    Ok(hand.close().await?)
}

/// Brings an older copy of a database back, as from a backup.
fn put_back(file: &Path, bytes: &[u8]) -> Result<()> {
    for ending in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{ending}", file.display()));
        if beside.exists() {
            fs::remove_file(beside)?;
        }
    }
    Ok(fs::write(file, bytes)?)
}

fn place(stand: &Stand, log: String) -> LogPlace {
    LogPlace { log, controller: Some(stand.controller.id.clone()) }
}

/// What `audit fsck` finds, by its words.
async fn fsck(stand: &Stand, log: String, key: VerifyingKey) -> Result<(u64, Vec<String>)> {
    let args = AuditFsck { place: place(stand, log), keys: vec![key.to_string()], json: false };
    let report = audit::fsck(&args).await?;
    Ok((report.things, report.findings.into_iter().map(|found| found.what).collect()))
}

/// What `audit verify` finds in a log, by its words.
async fn verify(stand: &Stand, log: &Path, key: VerifyingKey) -> Result<Vec<String>> {
    let report = audit::check(&verifying(stand, log, key)).await?;
    anyhow::ensure!(report.checkpoints > 0 && report.leaves > 0, "there is something to verify");
    Ok(report.findings.into_iter().map(|found| found.what).collect())
}

fn verifying(stand: &Stand, log: &Path, key: VerifyingKey) -> AuditVerify {
    AuditVerify {
        place: place(stand, log.display().to_string()),
        keys: vec![key.to_string()],
        witnesses: Vec::new(),
        envelope: None,
        json: false,
    }
}

fn is_witnessed(status: &Status) -> bool {
    let (leaves, log) = (status.spool.leaves, &status.log);
    is_delivered(status) && leaves > 0 && log.cosigned_leaves == leaves && log.central_leaves > 0
}

/// The one partial tile over the leaves.
fn partial(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder.join("tile/0"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "p") {
            return Ok(fs::read_dir(path)?.next().context("a width")??.path());
        }
    }
    anyhow::bail!("no partial tile")
}

#[tokio::test]
async fn evidence_is_witnessed_and_whatever_is_tampered_with_is_named() -> Result<()> {
    let mut stand = Stand::on_virtual_bus().await?;
    stand.configure(|text| text + "\n[batch]\nmax_records = 2\n")?;
    let spool = stand.file("data/spool.db");
    let central = stand.stage.dev.dir.join("central/main.db");
    let (device, head_key) = (stand.controller.device_key, stand.stage.dev.head_key);
    let in_central = format!("sqlite://{}", central.display());
    let in_spool = spool.display().to_string();

    // Untouched: everything fits, on both sides.
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let mut truck = OnBus::arrive(&stand, 80)?;
    truck.drive(&stand, 30).await?;
    let first = stand.until("delivered and witnessed", is_witnessed).await?;
    assert_eq!(first.log.alarms.count, 0);
    stand.stop().await;
    assert_eq!(fsck(&stand, in_spool.clone(), device).await?.1, [""; 0]);
    assert_eq!(verify(&stand, &spool, device).await?, [""; 0]);
    let (things, found) = fsck(&stand, in_central.clone(), head_key).await?;
    assert_eq!(found, [""; 0]);
    assert!(things > first.spool.leaves, "batches and entries: {things}");
    let older = fs::read(&spool)?;

    // A proof holds without the log, under its key only.
    let (proof, folder) = (stand.file("leaf.tlog-proof"), stand.file("exported"));
    let prove = AuditProve {
        place: place(&stand, in_spool.clone()),
        envelope: None,
        leaf: Some(0),
        out: proof.clone(),
        json: false,
    };
    audit::run(&Audit::Prove(prove)).await?;
    audit::run(&Audit::Verify(verifying(&stand, &proof, device))).await?;
    assert!(audit::run(&Audit::Verify(verifying(&stand, &proof, head_key))).await.is_err());
    let export = AuditExport { place: place(&stand, in_spool.clone()), into: folder.clone() };
    audit::run(&Audit::Export(export)).await?;
    assert_eq!(verify(&stand, &folder, device).await?, [""; 0]);
    assert!(verify(&stand, &folder, head_key).await?.contains(&"checkpoint-not-signed".to_owned()));
    let tile = partial(&folder)?;
    let bytes = fs::read(&tile)?;
    fs::write(&tile, &bytes[..bytes.len() - 1])?;
    assert_eq!(verify(&stand, &folder, device).await?, ["tile-cut"]);
    fs::write(&tile, [&[bytes[0] ^ 1], &bytes[1..]].concat())?;
    assert!(verify(&stand, &folder, device).await?.contains(&"leaf-changed".to_owned()));

    // More is queued; a leaf that is changed afterwards is found out by what was signed.
    stand.start().await?;
    truck.restarted();
    stand.until("grants heard", |status| status.head.is_some()).await?;
    truck.drive(&stand, 30).await?;
    let grown = |status: &Status| is_witnessed(status) && status.spool.leaves > first.spool.leaves;
    stand.until("more delivered and witnessed", grown).await?;
    stand.stop().await;
    let newer = fs::read(&spool)?;
    tamper(&spool, CHANGED).await?;
    assert!(fsck(&stand, in_spool.clone(), device).await?.1.contains(&"checkpoint-other-root".to_owned()));
    put_back(&spool, &newer)?;
    tamper(&spool, "DELETE FROM leaf WHERE row = (SELECT min(row) FROM leaf)").await?;
    assert!(fsck(&stand, in_spool.clone(), device).await?.1.contains(&"leaves-missing".to_owned()));

    // Set back to the older copy, it is an alarm on both sides, and deliveries go on.
    put_back(&spool, &older)?;
    stand.start().await?;
    truck.restarted();
    let alarmed = stand.until("alarmed", |status| status.log.alarms.own.is_some()).await?;
    assert_eq!((alarmed.log.alarms.own, alarmed.log.alarms.count), (Some(LogAlarm::Shrunk), 1));
    truck.drive(&stand, 30).await?;
    let on = |status: &Status| is_delivered(status) && status.delivered_batches > 0;
    stand.until("deliveries go on", on).await?;
    stand.stop().await;
    assert!(fsck(&stand, in_spool, device).await?.1.contains(&"alarm-own-log".to_owned()));
    assert_eq!(fsck(&stand, in_central.clone(), head_key).await?.1, ["alarm-gateway-log"]);

    // A batch in central's store that nothing is evidence of.
    let commit = "SELECT number FROM evidence_leaf WHERE substr(leaf, 1, 1) = x'06' LIMIT 1";
    tamper(&central, &format!("UPDATE evidence_leaf SET position = 0 WHERE number = ({commit})")).await?;
    assert_eq!(fsck(&stand, in_central, head_key).await?.1, ["without-evidence", "alarm-gateway-log"]);
    stand.stage.stop().await;
    Ok(())
}
