//! The store's promises: once, withdrawal first, logged first, nothing readable.

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use vernport_api::Answer;
use vernport_crypto::{MasterKey, Zeroizing, random};
use vernport_store::{
    Change, CommitError, GrantRow, Incoming, NewEntry, Place, ReadQuery, RecipientKeyRow, RecordError,
    Rewrapped, Store, StoreError,
};
use vernport_types::{
    AssetId, BatchId, ControllerId, EntryHash, EpochId, GrantId, KeyId, Reason, Slug, SubjectId, UtcMicros,
};

const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);
const KEY: KeyId = KeyId::from_bytes([0x4B; 16]);
const WRAPS: &[u8] = b"wraps that nobody else may see";

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

fn controller() -> ControllerId {
    "NO-999999999".parse().expect("a controller")
}

async fn open_as(folder: &Path, master: [u8; 32]) -> Store {
    let url = |name: &str| format!("sqlite://{}", folder.join(name).display());
    Store::open(&url("main.db"), &url("erasure.db"), MasterKey::from_bytes(master)).await.expect("opens")
}

async fn open(folder: &Path) -> Store {
    open_as(folder, [7; 32]).await
}

/// Another process that looks into a database.
async fn look(folder: &Path, name: &str) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.join(name)).connect().await.expect("connects")
}

fn grant(id: GrantId) -> GrantRow {
    GrantRow {
        id,
        asset: AssetId::from_bytes([1; 16]),
        flow: slug("odometer"),
        opening: "{}".into(),
        opened_at: NOW,
        closed: None,
        subjects: vec![SubjectId::from_bytes([2; 16])],
        gateways: vec![slug("bay-1")],
    }
}

/// A store with a gateway, a recipient's key and one open grant.
async fn with_grant() -> (TempDir, Store, GrantId) {
    let folder = TempDir::new().expect("a temporary folder");
    let store = open(folder.path()).await;
    store.add_controller(&controller()).await.expect("added");
    let id = GrantId::from_bytes(random());
    let place =
        Place { site: slug("oslo"), station: slug("bay-1"), gateway: slug("bay-1"), device_key: [0; 32] };
    let key = RecipientKeyRow {
        key_id: KEY,
        recipient: slug("workshop"),
        purpose: slug("service"),
        active_from: NOW,
    };
    let change = Change {
        places: vec![place],
        recipient_keys: vec![key],
        opened: vec![grant(id)],
        ..Change::default()
    };
    store.record(&controller(), &change, NOW).await.expect("recorded");
    (folder, store, id)
}

fn batch(grant: GrantId) -> Incoming {
    Incoming {
        grant,
        batch: BatchId::from_bytes(random()),
        epoch: EpochId::from_bytes(random()),
        flow: slug("odometer"),
        sequence: 0,
        latest_due: NOW.plus_seconds(60),
        retention_rule: slug("short"),
        envelope_hash: random(),
        without_wraps: b"envelope".to_vec(),
        wraps: WRAPS.to_vec(),
    }
}

async fn commit(store: &Store, items: &[Incoming]) -> Result<Vec<Answer>, CommitError> {
    store.commit(&controller(), &slug("bay-1"), items, NOW).await
}

async fn read(store: &Store) -> Result<Option<vernport_store::Page>, StoreError> {
    let (controller, recipient, purpose) = (controller(), slug("workshop"), slug("service"));
    let (task, flows) = (slug("repair-1"), [slug("odometer")]);
    let query = ReadQuery {
        controller: &controller,
        recipient: &recipient,
        task: &task,
        key_id: KEY,
        purpose: &purpose,
        flows: &flows,
        after: 0,
        limit: 64,
        now: NOW,
    };
    store.read(&query, |_| true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_commit_that_begins_after_a_withdrawal_was_recorded_succeeds() {
    for _ in 0..10 {
        let (_folder, store, id) = with_grant().await;
        let (store, withdrawn) = (Arc::new(store), Arc::new(AtomicBool::new(false)));
        let mut commits = JoinSet::new();
        for _ in 0..16 {
            let (store, withdrawn) = (Arc::clone(&store), Arc::clone(&withdrawn));
            commits.spawn(async move {
                let after = withdrawn.load(Ordering::SeqCst);
                let answers = commit(&store, &[batch(id)]).await.expect("no failure");
                (after, answers[0])
            });
        }
        let closing = Change { closed: vec![(id, Reason::ConsentWithdrawn)], ..Change::default() };
        store.record(&controller(), &closing, NOW).await.expect("recorded");
        withdrawn.store(true, Ordering::SeqCst);
        assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::RefusedWithdrawn]);

        let mut committed = 0;
        while let Some(outcome) = commits.join_next().await {
            let (after, answer) = outcome.expect("no panic");
            assert!(!(after && answer == Answer::Committed), "committed on a withdrawn basis");
            committed += u64::from(answer == Answer::Committed);
        }
        assert_eq!(store.count_batches(&controller()).await.expect("counted"), committed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_batch_sent_from_many_sides_at_once_is_stored_once() {
    let (folder, store, id) = with_grant().await;
    let stores = [Arc::new(store), Arc::new(open(folder.path()).await)];
    let item = batch(id);
    let mut commits = JoinSet::new();
    for n in 0..12 {
        let (store, item) = (Arc::clone(&stores[n % 2]), item.clone());
        commits.spawn(async move { commit(&store, &[item]).await.expect("no failure")[0] });
    }
    let answers = commits.join_all().await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count(Answer::Committed), count(Answer::Duplicate)), (1, 11));
    assert_eq!(stores[1].count_batches(&controller()).await.expect("counted"), 1);
}

#[tokio::test]
async fn while_another_process_writes_for_long_the_gateway_is_asked_to_come_again() {
    let (folder, store, id) = with_grant().await;
    let mut other = look(folder.path(), "main.db").await;
    let held = other.begin_with("BEGIN IMMEDIATE").await.expect("free");
    let item = batch(id);
    assert_eq!(commit(&store, std::slice::from_ref(&item)).await.expect("no failure"), [Answer::Retry]);
    held.rollback().await.expect("nothing was written");
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Committed]);
}

#[tokio::test]
async fn a_request_with_one_refused_item_leaves_nothing_but_an_unused_erasure_key() {
    let (_folder, store, id) = with_grant().await;
    let first = batch(id);
    let forged = Incoming { envelope_hash: [0; 32], ..first.clone() };
    commit(&store, &[first]).await.expect("no failure");
    let fresh = batch(id);
    let refused = commit(&store, &[fresh.clone(), forged]).await;
    assert!(matches!(refused, Err(CommitError::IdReused { item: 1 })));
    assert_eq!(store.count_batches(&controller()).await.expect("counted"), 1);
    // The key that was made for it serves when it comes again.
    assert_eq!(commit(&store, &[fresh]).await.expect("no failure"), [Answer::Committed]);
    assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 2);
}

#[tokio::test]
async fn no_file_holds_the_wraps_as_they_came_and_without_the_erasure_key_they_are_gone() {
    let (folder, store, id) = with_grant().await;
    let (kept, erased) = (batch(id), batch(id));
    commit(&store, &[kept, erased.clone()]).await.expect("no failure");
    for file in fs::read_dir(folder.path()).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(WRAPS.len()).any(|window| window == WRAPS));
    }
    let page = read(&store).await.expect("read").expect("active");
    assert_eq!(page.batches.iter().map(|batch| &batch.wraps[..]).collect::<Vec<_>>(), [WRAPS, WRAPS]);

    let mut keys = look(folder.path(), "erasure.db").await;
    sqlx::query("UPDATE erasure_key SET wrapped = NULL, erased_at = 1 WHERE epoch = $1")
        .bind(&erased.epoch.as_bytes()[..])
        .execute(&mut keys)
        .await
        .expect("erased");
    assert_eq!(read(&store).await.expect("read").expect("active").batches.len(), 1);
    // A fence: no new key is made for an epoch that was erased.
    let late = Incoming { epoch: erased.epoch, ..batch(id) };
    assert_eq!(commit(&store, &[late]).await.expect("no failure"), [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn a_read_that_cannot_be_logged_releases_nothing() {
    let (folder, store, id) = with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let mut other = look(folder.path(), "main.db").await;
    read(&store).await.expect("read");
    type Row = (String, String, String, Vec<u8>, i64, i64);
    let logged: Vec<Row> =
        sqlx::query_as("SELECT recipient, task, purpose, key_id, read_at, batches FROM read_log")
            .fetch_all(&mut other)
            .await
            .expect("logged");
    let expected =
        ("workshop".into(), "repair-1".into(), "service".into(), KEY.as_bytes().to_vec(), NOW.0, 1);
    assert_eq!(logged, [expected]);

    sqlx::query("DROP TABLE read_log").execute(&mut other).await.expect("dropped");
    assert!(matches!(read(&store).await, Err(StoreError::Statement(_))));
}

#[tokio::test]
async fn a_key_that_was_revoked_or_is_anothers_reads_nothing_and_leaves_no_log() {
    let (_folder, store, id) = with_grant().await;
    commit(&store, &[batch(id)]).await.expect("no failure");
    let revoke = Change { revoked_keys: vec![KEY], ..Change::default() };
    store.record(&controller(), &revoke, NOW).await.expect("recorded");
    assert_eq!(read(&store).await.expect("no failure"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_head_sequence_is_given_twice_also_after_a_restart() {
    let (folder, store, _) = with_grant().await;
    let gateway = slug("bay-1");
    let store = Arc::new(store);
    let mut takers = JoinSet::new();
    for _ in 0..8 {
        let (store, gateway) = (Arc::clone(&store), gateway.clone());
        takers.spawn(
            async move { store.take_head_sequences(&controller(), &gateway, 10).await.expect("taken") },
        );
    }
    let mut firsts = takers.join_all().await;
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 10, 20, 30, 40, 50, 60, 70]);
    store.close().await;
    let again = open(folder.path()).await;
    assert_eq!(again.take_head_sequences(&controller(), &gateway, 1).await.expect("taken"), 80);
    assert!(again.take_head_sequences(&controller(), &slug("nobody"), 1).await.is_err());
}

fn entry(byte: u8, external_ref: &str) -> NewEntry {
    NewEntry {
        entry: EntryHash::from_bytes([byte; 32]),
        kind: "order-closed".into(),
        source: slug("dms"),
        external_ref: external_ref.into(),
        recorded_at: NOW,
        json: format!("{{\"about\":\"{external_ref}\"}}").into_bytes(),
        voids: None,
    }
}

#[tokio::test]
async fn a_change_is_recorded_whole_or_not_at_all_and_its_entries_are_sealed() {
    let (folder, store, id) = with_grant().await;
    let good = Change { entries: vec![entry(1, "order of AB12345")], ..Change::default() };
    store.record(&controller(), &good, NOW).await.expect("recorded");
    let bad = Change {
        entries: vec![entry(2, "another"), entry(3, "order of AB12345")],
        closed: vec![(id, Reason::OrderNotOpen)],
        ..Change::default()
    };
    let refused = store.record(&controller(), &bad, NOW).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 1 })));

    let loaded = store.load(&controller()).await.expect("loaded");
    let texts: Vec<&[u8]> = loaded.entries.iter().map(|entry| &entry.json[..]).collect();
    assert_eq!(texts, [b"{\"about\":\"order of AB12345\"}"]);
    assert_eq!(loaded.grants, [grant(id)]);
    store.close().await;
    for file in fs::read_dir(folder.path()).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(7).any(|window| window == b"AB12345"));
    }
    let stranger = open_as(folder.path(), [8; 32]).await;
    assert!(matches!(stranger.load(&controller()).await, Err(StoreError::Row { table: "entry" })));
}

#[tokio::test]
async fn under_another_master_key_everything_is_as_before_and_under_the_one_before_nothing_opens() {
    let (folder, store, id) = with_grant().await;
    let made = |n: usize| {
        let mut new = entry(0, &format!("order-{n}"));
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        new.entry = EntryHash::from_bytes(hash);
        new.json = format!("order-{n}").into_bytes();
        new
    };
    // More than one page of them.
    let change = Change { entries: (0..316).map(made).collect(), ..Change::default() };
    store.record(&controller(), &change, NOW).await.expect("recorded");
    assert_eq!(commit(&store, &[batch(id), batch(id)]).await.expect("commits"), [Answer::Committed; 2]);
    let before = store.load(&controller()).await.expect("loads");

    let new = MasterKey::from_bytes([8; 32]);
    let plain_reference = |json: &[u8]| String::from_utf8(json.to_vec()).ok().map(Into::into);
    // Interrupted: an entry that does not give its reference away stops it in the second page.
    let stops = |json: &[u8]| plain_reference(json).filter(|text: &Zeroizing<String>| **text != "order-300");
    assert!(matches!(store.rewrap(&new, stops).await, Err(StoreError::Row { table: "entry" })));
    let rewrapped = store.rewrap(&new, plain_reference).await.expect("and done again");
    assert_eq!((rewrapped.entries, rewrapped.erasure_keys), (60, 2), "the first page was done");
    assert_eq!(store.rewrap(&new, plain_reference).await.expect("nothing is left"), Rewrapped::default());
    store.close().await;

    let old = open(folder.path()).await;
    assert!(matches!(old.load(&controller()).await, Err(StoreError::Row { table: "entry" })));
    old.close().await;
    let store = open_as(folder.path(), [8; 32]).await;
    let after = store.load(&controller()).await.expect("loads");
    let json = |loaded: &vernport_store::Loaded| {
        loaded.entries.iter().map(|entry| (entry.entry, entry.json.clone())).collect::<Vec<_>>()
    };
    assert_eq!(json(&after), json(&before));
    let page = read(&store).await.expect("reads").expect("the workshop's key");
    assert_eq!(page.batches.len(), 2);
    assert!(page.batches.iter().all(|batch| batch.wraps == WRAPS));
    let again = Change { entries: vec![made(7)], ..Change::default() };
    let refused = store.record(&controller(), &again, NOW).await;
    assert!(matches!(refused, Err(RecordError::ReferenceReused { item: 0 })), "references count as before");
}

#[tokio::test]
async fn a_grant_that_waits_opens_again_under_its_id() {
    let (_folder, store, id) = with_grant().await;
    let item = batch(id);
    let close = |reason| Change { closed: vec![(id, reason)], ..Change::default() };
    store.record(&controller(), &close(Reason::Restricted), NOW).await.expect("recorded");
    assert_eq!(
        commit(&store, std::slice::from_ref(&item)).await.expect("no failure"),
        [Answer::ParkedRestricted]
    );
    let open = Change { opened: vec![grant(id)], ..Change::default() };
    store.record(&controller(), &open, NOW).await.expect("recorded");
    assert_eq!(commit(&store, &[item]).await.expect("no failure"), [Answer::Committed]);
    store.record(&controller(), &close(Reason::OrderNotOpen), NOW).await.expect("recorded");
    assert_eq!(commit(&store, &[batch(id)]).await.expect("no failure"), [Answer::Committed]);
}

#[tokio::test]
async fn a_url_or_folder_that_cannot_be_used_is_named() {
    let open = |main: &'static str| Store::open(main, "sqlite::memory:", MasterKey::generate());
    let error = open("mysql://somewhere").await.expect_err("not SQLite").to_string();
    assert!(error.starts_with("the database URL of the main database"), "{error}");
    let error = open("sqlite:///no/such/folder/x.db").await.expect_err("no folder").to_string();
    assert!(error.starts_with("the main database cannot be opened"), "{error}");
}
