//! Where a test's store lies: files of SQLite, two databases of PostgreSQL, or a model of them.

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgRow},
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use vernport_api::Answer;
use vernport_crypto::{MasterKey, random};
use vernport_store::{
    Change, CommitError, GrantRow, Incoming, Journal, JournalError, Page, Place, ReadQuery, RecipientKeyRow,
    RecordError, Revision, Row, Store, StoreError,
    model::{Model, Outcome, Tape, When},
};
use vernport_testkit::postgres::{self, Cluster};
use vernport_types::{AssetId, BatchId, ControllerId, EpochId, GrantId, KeyId, Slug, SubjectId, UtcMicros};

pub(crate) const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);
pub(crate) const KEY: KeyId = KeyId::from_bytes([0x4B; 16]);
pub(crate) const WRAPS: &[u8] = b"wraps that nobody else may see";

/// Makes of each behaviour three tests, one for each kind of database; of those behind `; sql:`,
/// which are about what only SQL has, two. On the model time passes by itself.
macro_rules! on_all {
    ($($behaviour:ident,)* $(; sql: $($sql:ident,)*)?) => {
        mod sqlite {
            $crate::bed::on!(sqlite $($behaviour,)* $($($sql,)*)?);
        }
        mod postgres {
            $crate::bed::on!(postgres $($behaviour,)* $($($sql,)*)?);
        }
        mod model {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                super::$behaviour($crate::bed::Bed::model()).await;
            })*
        }
    };
}
pub(crate) use on_all;

macro_rules! on {
    ($database:ident $($behaviour:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            if let Some(bed) = $crate::bed::Bed::$database(stringify!($behaviour)) {
                super::$behaviour(bed).await;
            }
        })*
    };
}
pub(crate) use on;

/// The databases of one test.
pub(crate) enum Bed {
    Sqlite(TempDir),
    Postgres { cluster: Arc<Cluster>, main: String, erasure: String },
    Model(Model),
}

impl Bed {
    pub(crate) fn sqlite(_: &str) -> Option<Self> {
        Some(Self::Sqlite(TempDir::new().expect("a temporary folder")))
    }

    pub(crate) fn model() -> Self {
        Self::Model(Model::new())
    }

    pub(crate) fn postgres(test: &str) -> Option<Self> {
        let cluster = postgres::shared(test)?;
        Some(Self::Postgres { main: cluster.database(), erasure: cluster.database(), cluster })
    }

    fn urls(&self) -> [String; 2] {
        match self {
            Self::Sqlite(folder) => {
                ["main", "erasure"].map(|name| format!("sqlite://{}", file(folder.path(), name).display()))
            }
            Self::Postgres { main, erasure, .. } => [main.clone(), erasure.clone()],
            Self::Model(_) => panic!("a model has no URLs"),
        }
    }

    /// Another process of central.
    pub(crate) async fn open(&self) -> Store {
        self.open_as([7; 32]).await
    }

    pub(crate) async fn open_as(&self, master: [u8; 32]) -> Store {
        let master = MasterKey::from_bytes(master);
        if let Self::Model(model) = self {
            return model.open(master).await.expect("opens");
        }
        let [main, erasure] = self.urls();
        Store::open(&main, &erasure, master).await.expect("opens")
    }

    /// A store with a gateway, a recipient's key and one open grant.
    pub(crate) async fn with_grant(&self) -> (Store, GrantId) {
        let store = self.open().await;
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
        record(&store, &change).await.expect("recorded");
        (store, id)
    }

    /// Somebody else who looks into the main database.
    pub(crate) async fn look(&self) -> Look {
        let [main, _] = self.urls();
        Look::at(&main).await
    }

    /// Somebody who checks the evidence log from outside.
    pub(crate) async fn look_at_log(&self) -> vernport_store::Look {
        if let Self::Model(model) = self {
            return model.look(controller());
        }
        let [main, _] = self.urls();
        vernport_store::Look::open(&main, controller()).await.expect("opens")
    }

    /// Somebody else who looks into the database of the erasure keys.
    pub(crate) async fn look_at_keys(&self) -> Look {
        let [_, erasure] = self.urls();
        Look::at(&erasure).await
    }

    /// Begins to write for the controller, and does not end before it is told to.
    pub(crate) async fn write_for_long(&self) -> LongWrite {
        let Self::Model(model) = self else {
            let mut look = self.look().await;
            look.begin_to_write().await;
            return LongWrite::Sql(look);
        };
        let begun = Arc::new(Notify::new());
        let told = Arc::clone(&begun);
        model.on_call(move |call| match (call.operation, call.when) {
            ("claim_rules", When::Commit) => {
                told.notify_one();
                Outcome::Wait(Duration::from_secs(3600))
            }
            _ => Outcome::GoOn,
        });
        let store = self.open().await;
        let writing = tokio::spawn(async move { drop(store.claim_rules(&controller(), &[9; 32]).await) });
        begun.notified().await;
        LongWrite::Model(writing)
    }

    /// From now on the log of reads takes no row.
    pub(crate) async fn take_away_the_log_of_reads(&self) {
        match self {
            Self::Model(model) => model.on_call(|call| match (call.operation, call.when) {
                ("read", When::Commit) => Outcome::Full,
                _ => Outcome::GoOn,
            }),
            _ => self.look().await.run("DROP TABLE read_log").await,
        }
    }

    /// Whether a file of the databases holds these bytes.
    pub(crate) async fn any_file_holds(&self, wanted: &[u8]) -> bool {
        let folders = match self {
            Self::Sqlite(folder) => vec![folder.path().to_owned()],
            Self::Postgres { cluster, .. } => {
                let mut folders = vec![cluster.data().join("pg_wal")];
                for mut look in [self.look().await, self.look_at_keys().await] {
                    // What is in memory only is in no file.
                    look.run("CHECKPOINT").await;
                    let oid: (i64,) = look
                        .one("SELECT oid::BIGINT FROM pg_database WHERE datname = current_database()")
                        .await;
                    folders.push(cluster.data().join("base").join(oid.0.to_string()));
                }
                folders
            }
            Self::Model(_) => panic!("a model has no files"),
        };
        folders.iter().flat_map(|folder| files(folder)).any(|file| match fs::read(file) {
            Ok(bytes) => bytes.windows(wanted.len()).any(|window| window == wanted),
            // The server puts a file of its log away when it is done with it.
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
                false
            }
        })
    }
}

fn file(folder: &Path, database: &str) -> PathBuf {
    folder.join(format!("{database}.db"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_file()).collect()
}

/// Somebody who writes, and does not end.
pub(crate) enum LongWrite {
    Sql(Look),
    Model(JoinHandle<()>),
}

impl LongWrite {
    /// It breaks off.
    pub(crate) async fn end(self) {
        match self {
            Self::Sql(look) => look.close().await,
            Self::Model(writing) => {
                writing.abort();
                writing.await.expect_err("it was broken off");
            }
        }
    }
}

/// Where a journal lies.
pub(crate) enum Paper {
    File(TempDir),
    Tape(Tape),
}

impl Paper {
    pub(crate) fn of(bed: &Bed) -> Self {
        match bed {
            Bed::Model(_) => Self::Tape(Tape::new()),
            _ => Self::File(TempDir::new().expect("a temporary folder")),
        }
    }

    pub(crate) fn open(&self, row: impl FnMut(Row)) -> Result<Journal, JournalError> {
        match self {
            Self::File(folder) => Journal::open(&folder.path().join("journal"), row),
            Self::Tape(tape) => tape.open(row),
        }
    }

    pub(crate) fn read(&self, row: impl FnMut(Row)) {
        match self {
            Self::File(folder) => Journal::read(&folder.path().join("journal"), row),
            Self::Tape(tape) => tape.read(row),
        }
        .expect("read");
    }
}

/// A connection beside the store.
pub(crate) enum Look {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Look {
    async fn at(url: &str) -> Self {
        if url.starts_with("sqlite") {
            let options: SqliteConnectOptions = url.parse().expect("a URL");
            Self::Sqlite(options.connect().await.expect("connects"))
        } else {
            let options: PgConnectOptions = url.parse().expect("a URL");
            Self::Postgres(options.connect().await.expect("connects"))
        }
    }

    pub(crate) async fn run(&mut self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        match self {
            Self::Sqlite(on) => drop(sqlx::query(statement).execute(on).await.expect("runs")),
            Self::Postgres(on) => drop(sqlx::query(statement).execute(on).await.expect("runs")),
        }
    }

    pub(crate) async fn one<T>(&mut self, question: &str) -> T
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let question = AssertSqlSafe(question.to_owned());
        match self {
            Self::Sqlite(on) => sqlx::query_as(question).fetch_one(on).await.expect("one row"),
            Self::Postgres(on) => sqlx::query_as(question).fetch_one(on).await.expect("one row"),
        }
    }

    /// Begins to write for the controller, and does not end.
    async fn begin_to_write(&mut self) {
        match self {
            Self::Sqlite(_) => self.run("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => {
                self.run("BEGIN").await;
                self.run("SELECT 1 FROM controller FOR UPDATE").await;
            }
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(on) => on.close().await.expect("closes"),
            Self::Postgres(on) => on.close().await.expect("closes"),
        }
    }
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn controller() -> ControllerId {
    "NO-999999999".parse().expect("a controller")
}

pub(crate) fn grant(id: GrantId) -> GrantRow {
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

pub(crate) fn batch(grant: GrantId) -> Incoming {
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

/// Records what was computed from what holds now.
pub(crate) async fn record(store: &Store, change: &Change) -> Result<Revision, RecordError> {
    let current = store.current(&controller()).await.expect("is there");
    store.record(&controller(), current.revision, change, NOW).await
}

pub(crate) async fn commit(store: &Store, items: &[Incoming]) -> Result<Vec<Answer>, CommitError> {
    store.commit(&controller(), &slug("bay-1"), items, NOW).await
}

pub(crate) async fn read(store: &Store) -> Result<Option<Page>, StoreError> {
    read_behind(store, 0).await
}

pub(crate) async fn read_behind(store: &Store, after: i64) -> Result<Option<Page>, StoreError> {
    let (controller, recipient, purpose) = (controller(), slug("workshop"), slug("service"));
    let (task, flows) = (slug("repair-1"), [slug("odometer")]);
    let query = ReadQuery {
        controller: &controller,
        recipient: &recipient,
        task: &task,
        key_id: KEY,
        purpose: &purpose,
        flows: &flows,
        after,
        limit: 64,
        now: NOW,
    };
    store.read(&query, |_| true).await
}
