//! A main database that is restored from an old backup: nothing erased opens, what was withdrawn
//! stays so, and gateways can tell.

use crate::{
    common::{
        ASSET, CONTROLLER, Central, DRIVER, GATEWAY, World, controller, databases, refused, rules,
        with_journal,
    },
    erasures::{certified, consent, granted, order, readable, withdrawal},
};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;
use vernport_api::{Code, PATH_FEED};
use vernport_central::{Listen, Restored, Restoring, StartError, restored, run};
use vernport_crypto::{MasterKey, SigningKey};
use vernport_policy::HeadError;
use vernport_seal::EnvelopeHeader;
use vernport_types::BatchId;

const FILES: [&str; 2] = ["main.db", "erasure.db"];

fn copy(world: &World, name: &str, from: &str, to: &str) {
    let folder = world.folder.path();
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (folder.join(format!("{from}{name}{end}")), folder.join(format!("{to}{name}{end}")));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(from, to).expect("copied");
        }
    }
}

async fn starts(world: &World) -> Result<(), StartError> {
    let shutdown = CancellationToken::new();
    let listen = Listen::at(SocketAddr::from(([127, 0, 0, 1], 0)));
    let running = run(listen, &databases(world.folder.path()), world.deps(), shutdown.clone()).await?;
    shutdown.cancel();
    running.stopped().await;
    Ok(())
}

async fn bring_back(world: &World, key: &SigningKey) -> Restored {
    bring_back_with(world, &[], key).await
}

/// The same with the journals of other processes.
async fn bring_back_with(world: &World, others: &[PathBuf], key: &SigningKey) -> Restored {
    let databases = databases(world.folder.path());
    let journal: PathBuf = world.journal().expect("there is a journal");
    let asked = Restoring {
        databases: &databases,
        master_key: MasterKey::from_bytes(world.master()),
        controller: &controller(CONTROLLER),
        journal: &journal,
        others,
        bundle_key: key,
        now: world.now(),
    };
    restored(asked).await.expect("brought back")
}

/// Something was kept, then a backup was made, then a person withdrew and had everything erased.
async fn erased_after_backup(
    second_too: bool,
) -> (Arc<World>, vernport_policy::Head, vernport_types::EntryHash) {
    let central = with_journal().await;
    granted(&central, "speed").await;
    granted(&central, "odometer").await;
    let world = central.stop().await;
    FILES.iter().for_each(|name| copy(&world, name, "", "backup-"));
    let central = world.start().await;
    // Heads are taken in blocks: more than one, so that the backup is behind.
    let key = central.world.head_key();
    for _ in 0..3 {
        central.snapshot().await;
    }
    central.say(withdrawal()).await;
    central.world.advance_seconds(1);
    let entry = order(&central, json!({"subject": DRIVER})).await;
    assert!(certified(&central, entry, 1).await.1.complete);
    let head = central.feed_as(&central.gateway(), GATEWAY, None, 0).await.head;
    let head = head.verify(&key, &[9; 16], None).expect("signed");
    let world = central.stop().await;
    copy(&world, "main.db", "backup-", "");
    if second_too {
        copy(&world, "erasure.db", "backup-", "");
    }
    (world, head, entry)
}

async fn nothing_opens(central: &Central) {
    assert_eq!(readable(central, "coach").await, Vec::<Vec<u8>>::new());
    assert_eq!(readable(central, "workshop").await, Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_central_restored_from_a_backup_serves_only_when_the_journal_was_replayed() {
    let (world, before, entry) = erased_after_backup(false).await;
    let error = starts(&world).await.expect_err("the ledger lost two entries");
    assert!(matches!(&error, StartError::Restored { missing: 2, .. }), "{error}");
    assert!(error.to_string().contains("vernport registry restored"), "{error}");

    let key = SigningKey::from_seed([5; 32]);
    assert_eq!(bring_back(&world, &key).await, Restored { entries: 2, fences: 0, era: 2 });
    let central = world.start().await;
    assert!(certified(&central, entry, 1).await.1.complete, "what came back is erased again");
    nothing_opens(&central).await;
    assert_eq!(central.stored_batches().await, 0);

    // The withdrawal holds, and gateways hear of the era with its controller's signature.
    let feed = central.feed_as(&central.gateway(), GATEWAY, None, 0).await;
    let snapshot = feed.snapshot.expect("asked without one");
    assert!(crate::common::open_flow(&snapshot, "speed").is_none());
    let head = feed.head.verify(&central.world.head_key(), &[9; 16], Some(&before)).expect("a later era");
    let era = feed.era.expect("in every feed");
    let signed = era.verify(&key.verifying_key()).expect("signed with the bundle key");
    assert_eq!((head.era, signed.era, &signed.controller), (2, 2, rules(CONTROLLER).controller()));
    let central = central.restart().await;
    assert!(
        central.feed_as(&central.gateway(), GATEWAY, None, 0).await.era.is_some(),
        "also after a restart"
    );
}

#[tokio::test]
async fn with_both_databases_restored_the_keys_are_erased_again_from_the_journal() {
    let (world, _, entry) = erased_after_backup(true).await;
    let restored = bring_back(&world, &SigningKey::from_seed([5; 32])).await;
    assert_eq!((restored.entries, restored.fences), (2, 2));
    let central = world.start().await;
    nothing_opens(&central).await;
    assert!(certified(&central, entry, 1).await.1.complete);
}

/// After the next restore this journal may be the only one.
#[tokio::test]
async fn what_only_the_journal_of_another_process_knew_is_in_this_one_after_a_restore() {
    let (world, _, entry) = erased_after_backup(true).await;
    let (key, other) = (SigningKey::from_seed([5; 32]), world.journal().expect("there was one"));
    world.set_journal(Some(world.folder.path().join("own.journal")));
    let restored = bring_back_with(&world, std::slice::from_ref(&other), &key).await;
    assert_eq!((restored.entries, restored.fences), (2, 2));

    fs::remove_file(other).expect("removed");
    FILES.iter().for_each(|name| copy(&world, name, "backup-", ""));
    assert_eq!(bring_back(&world, &key).await, Restored { entries: 2, fences: 2, era: 3 });
    let central = world.start().await;
    nothing_opens(&central).await;
    assert!(certified(&central, entry, 1).await.1.complete);
}

#[tokio::test]
async fn a_restored_second_database_alone_is_noticed_at_the_start() {
    let central = with_journal().await;
    let (_, batch) = granted(&central, "odometer").await;
    let world = central.stop().await;
    copy(&world, "erasure.db", "", "backup-");
    let central = world.start().await;
    assert_eq!(readable(&central, "workshop").await, [batch]);
    let entry = order(&central, json!({"asset": ASSET})).await;
    certified(&central, entry, 1).await;
    let world = central.stop().await;
    copy(&world, "erasure.db", "backup-", "");
    let has_key = || fs::read(world.folder.path().join("erasure.db")).expect("there");
    let before = has_key();
    starts(&world).await.expect("the ledger is whole");
    assert_ne!(before, has_key(), "the key was erased again");
}

#[tokio::test]
async fn without_a_journal_a_gateway_still_sees_that_its_central_was_rolled_back() {
    let (world, before, _) = erased_after_backup(false).await;
    world.set_journal(None);
    let central = world.start().await;
    let head = central.feed_as(&central.gateway(), GATEWAY, None, 0).await.head;
    let error = head.verify(&central.world.head_key(), &[9; 16], Some(&before)).expect_err("it is behind");
    assert!(matches!(error, HeadError::Backwards { .. }), "{error}");
}

/// Starts a central on an old backup, as somebody does who takes the journal out of its configuration.
async fn set_back_without_journal(central: Central) -> (Central, PathBuf) {
    let world = central.stop().await;
    copy(&world, "main.db", "backup-", "");
    let journal = world.journal().expect("there was one");
    world.set_journal(None);
    (world.start().await, journal)
}

async fn restored_with(central: Central, journal: PathBuf) -> (Central, Restored) {
    let world = central.stop().await;
    world.set_journal(Some(journal));
    let restored = bring_back(&world, &SigningKey::from_seed([5; 32])).await;
    (world.start().await, restored)
}

async fn is_open(central: &Central, flow: &str) -> bool {
    crate::common::open_flow(&central.snapshot().await, flow).is_some()
}

/// As a standby that had lagged takes over, or a backup is put in the place of what central has open.
#[tokio::test]
async fn a_database_that_is_set_back_under_a_running_central_is_not_served() {
    let central = with_journal().await;
    assert!(is_open(&central, "speed").await);
    central.say(withdrawal()).await;
    let file = SqliteConnectOptions::new().filename(central.world.folder.path().join("main.db"));
    let mut set_back = file.connect().await.expect("connects");
    for lost in [
        "DELETE FROM entry WHERE position = (SELECT MAX(position) FROM entry)",
        "UPDATE flow_grant SET closed_at = NULL, reason = NULL, revision = revision - 1
         WHERE revision = (SELECT revision FROM controller)",
        "UPDATE controller SET revision = revision - 1",
    ] {
        let lost = sqlx::query(lost).execute(&mut set_back).await.expect("our own table");
        assert!(lost.rows_affected() > 0);
    }
    let asked = json!({"gateway": GATEWAY, "nonce": "09".repeat(16), "wait_ms": 0});
    let refusal = refused(central.post(&central.gateway(), PATH_FEED, &asked).await, Code::Busy).await;
    assert!(refusal.detail.contains("set back"), "{refusal}");
    // Others may go on from there, and the revision is as high again: this process has seen it.
    let again = "UPDATE controller SET revision = revision + 1";
    sqlx::query(again).execute(&mut set_back).await.expect("our own table");
    refused(central.post(&central.gateway(), PATH_FEED, &asked).await, Code::Busy).await;
    set_back.close().await.expect("closes");

    let world = central.stop().await;
    let error = starts(&world).await.expect_err("the ledger lost an entry");
    assert!(matches!(&error, StartError::Restored { missing: 1, .. }), "{error}");
    bring_back(&world, &SigningKey::from_seed([5; 32])).await;
    assert!(!is_open(&world.start().await, "speed").await);
}

/// Its batches under the key that was lost are gone; what comes after them is not.
#[tokio::test]
async fn a_reader_gets_past_batches_whose_erasure_key_was_set_back() {
    let central = with_journal().await;
    let grant = central.grant("odometer").await;
    let world = central.stop().await;
    copy(&world, "erasure.db", "", "backup-");
    let central = world.start().await;
    let header = central.world.header("odometer");
    let next = EnvelopeHeader { batch: BatchId::from_bytes([8; 16]), ..header.clone() };
    let [lost, kept] = [header, next].map(|header| central.world.envelope(&header, &[7; 32]));
    central.deliver(&[(grant, &lost)]).await;
    assert_eq!(readable(&central, "workshop").await, [lost]);
    let world = central.stop().await;
    copy(&world, "erasure.db", "backup-", "");
    let central = world.start().await;
    central.deliver(&[(grant, &kept)]).await;
    assert_eq!(readable(&central, "workshop").await, [kept]);
}

async fn backed_up() -> Central {
    let central = with_journal().await;
    assert!(is_open(&central, "speed").await);
    let world = central.stop().await;
    copy(&world, "main.db", "", "backup-");
    world.start().await
}

/// As a system does whose answer was lost.
#[tokio::test]
async fn what_was_said_again_to_a_central_that_had_forgotten_it_does_not_keep_the_journal_away() {
    let central = backed_up().await;
    let said = central.world.entry(withdrawal());
    central.ledger(vec![said.clone()]).await;
    central.world.advance_seconds(60);
    let (central, journal) = set_back_without_journal(central).await;
    assert!(is_open(&central, "speed").await, "it has forgotten");
    let again = central.ledger(vec![said.clone()]).await.results.remove(0);
    assert!(!again.duplicate);
    let (central, restored) = restored_with(central, journal.clone()).await;
    assert_eq!((restored.entries, restored.era), (1, 2));
    assert!(!is_open(&central, "speed").await);
    let known = central.ledger(vec![said]).await.results.remove(0);
    assert_eq!((known.entry, known.duplicate), (again.entry, true), "it is found by its reference");
    let (_, restored) = restored_with(central, journal).await;
    assert_eq!(restored.entries, 0, "it has both");
}

/// The voiding in the journal names the consent as it was recorded first.
#[tokio::test]
async fn a_consent_that_was_voided_and_then_said_again_to_a_central_that_had_forgotten_both_stays_voided() {
    let central = backed_up().await;
    let withdrawn = central.world.entry(withdrawal());
    central.world.advance_seconds(1);
    let given = central.world.entry(consent(&central, DRIVER));
    let said = vec![withdrawn, given];
    let entry = central.ledger(said.clone()).await.results[1].entry;
    assert!(is_open(&central, "speed").await);
    central.say(json!({"kind": "voided", "entry": entry, "reason": "mistake"})).await;
    assert!(!is_open(&central, "speed").await);
    central.world.advance_seconds(60);
    let (central, journal) = set_back_without_journal(central).await;
    central.ledger(said).await;
    assert!(is_open(&central, "speed").await, "it has forgotten");
    let (central, restored) = restored_with(central, journal.clone()).await;
    assert_eq!(restored.entries, 3);
    assert!(!is_open(&central, "speed").await);
    let (central, restored) = restored_with(central, journal).await;
    assert_eq!(restored.entries, 0);
    assert!(!is_open(&central, "speed").await);
}

#[tokio::test]
async fn a_journal_that_came_later_or_lost_its_end_is_brought_up_to_the_ledger() {
    let central = with_journal().await;
    granted(&central, "speed").await;
    let world = central.stop().await;
    let journal = world.journal().expect("there is one");
    // A power cut tears the last frame; it was never answered for.
    let bytes = fs::read(&journal).expect("readable");
    fs::write(&journal, &bytes[..bytes.len() - 7]).expect("written");
    starts(&world).await.expect("it catches up");
    let healed = fs::read(&journal).expect("readable").len();
    assert!(healed >= bytes.len());
    // A new journal on an old ledger gets all of it.
    world.set_journal(Some(world.folder.path().join("later.journal")));
    starts(&world).await.expect("it catches up");
    starts(&world).await.expect("and finds it in order");
    // What was changed in the middle is nobody's accident.
    let mut bytes = fs::read(&journal).expect("readable");
    bytes[100] ^= 1;
    fs::write(&journal, bytes).expect("written");
    world.set_journal(Some(journal));
    let error = vernport_types::chain(&starts(&world).await.expect_err("broken")).to_string();
    assert!(error.contains("broken at byte"), "{error}");
}

#[tokio::test]
async fn the_journal_has_every_entry_before_the_answer_and_names_nobody() {
    let central = with_journal().await;
    let journal = central.world.journal().expect("there is one");
    let before = fs::metadata(&journal).expect("there").len();
    central.say(withdrawal()).await;
    let bytes = fs::read(&journal).expect("readable");
    assert!(bytes.len() as u64 > before + 200, "{before}");
    // Entries name people by pseudonym, staff and cases: sealed here as in the database.
    assert!(!bytes.windows(9).any(|window| window == b"counter-7"));
    let second = starts(&central.world).await.expect_err("one writer for each journal");
    assert!(vernport_types::chain(&second).to_string().contains("another process"));
}
