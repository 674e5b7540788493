//! A PostgreSQL of a test's own: its files in a temporary folder, reached
//! through a socket there, gone when the test is over, however it ends.
//!
//! The server hangs on a shell that reads from this process. When the other end
//! closes, because the [`Cluster`] was dropped or this process was killed, the
//! shell stops the server and removes the folder.

pub use std::sync::Arc;
use std::{
    env, fs,
    io::Write as _,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest time that a server may take to start, also after a crash.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long to wait before looking again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Who owns the databases.
const OWNER: &str = "vernport";

/// Starts the server `$1` on the folder `$2`, in `$3`, with the options that follow. A word
/// that comes in is a signal for the server; the end of the input is the end of all.
const KEEPER: &str = r#"
server=$1 data=$2 folder=$3
shift 3
"$server" -D "$data" -k "$folder" "$@" >>"$folder/log" 2>&1 &
if read -r signal; then
    kill -s "$signal" $!
    wait $!
else
    kill -s QUIT $!
    wait $!
    rm -rf "$folder"
fi
"#;

/// What a cluster does other than its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Whether a commit reaches the disk. Off, it survives the server's death but not the machine's.
    pub fsync: bool,
}

/// A server with its databases.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    account: Option<(u32, u32)>,
    settings: Settings,
    keeper: Option<Child>,
    databases: AtomicU64,
    folder: TempDir,
}

/// Why there can be no cluster here; none if there can.
pub fn missing() -> Option<&'static str> {
    if programs().is_none() {
        return Some("PostgreSQL is not installed; run cargo xtask setup");
    }
    let alone = rustix::process::geteuid().is_root() && account("postgres").is_none();
    alone.then_some("PostgreSQL does not run as root, and there is no user postgres")
}

/// A cluster that the tests of one binary share, each with databases of its own; `None`, and a line
/// that says so, where there is no PostgreSQL. It ends with the last test that holds it.
pub fn shared(test: &str) -> Option<Arc<Cluster>> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    if is_skipped(test) {
        return None;
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return Some(cluster);
    }
    let cluster = Arc::new(Cluster::start(Settings::default()));
    *shared = Arc::downgrade(&cluster);
    Some(cluster)
}

/// A cluster for one test, which may stop or kill it; `None`, and a line that says so, where there
/// is no PostgreSQL.
pub fn own(test: &str, settings: Settings) -> Option<Cluster> {
    (!is_skipped(test)).then(|| Cluster::start(settings))
}

#[expect(clippy::print_stdout, reason = "the harness reads this line")]
fn is_skipped(test: &str) -> bool {
    let why = missing();
    if let Some(why) = why {
        println!("SKIPPED {test}: {why}");
    }
    why.is_some()
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// If there can be none here ([`missing`]), or it does not start.
    pub fn start(settings: Settings) -> Self {
        let programs = programs().expect("PostgreSQL is installed");
        let account = rustix::process::geteuid().is_root().then(|| {
            account("postgres").expect("PostgreSQL does not run as root: it needs the user postgres")
        });
        let folder = TempDir::with_prefix("vernport-pg-").expect("a temporary folder");
        if let Some((user, group)) = account {
            chown(folder.path(), Some(user), Some(group)).expect("root may");
        }
        let databases = AtomicU64::new(0);
        let mut cluster = Self { programs, account, settings, keeper: None, databases, folder };
        let data = cluster.data();
        let mut initdb = cluster.command("initdb");
        initdb.args(["--auth=trust", "--no-locale", "--encoding=UTF8", "--username", OWNER]);
        if !settings.fsync {
            initdb.arg("--no-sync");
        }
        succeed(initdb.arg("--pgdata").arg(data));
        cluster.start_again();
        cluster
    }

    /// A new database; gives its URL.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut createdb = self.command("createdb");
        succeed(createdb.arg("--host").arg(self.folder.path()).args(["--username", OWNER, &name]));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{OWNER}@localhost/{name}?host={}", self.folder.path().display())
    }

    /// The folder of the databases' files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops the server: what was committed is on disk, what was not is rolled back, clients lose
    /// their connections.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Kills the server: what was committed is in its write-ahead log.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Starts the server after [`stop`](Self::stop) or [`kill`](Self::kill); returns when it serves.
    ///
    /// # Panics
    /// If it does not within a minute.
    pub fn start_again(&mut self) {
        assert!(self.keeper.is_none(), "it runs");
        let until = Instant::now() + START_WITHIN;
        let mut keeper = self.keep();
        while !self.is_ready() {
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", self.log());
            // After a kill, its processes may still be on their way out.
            if keeper.try_wait().expect("it is our child").is_some() || self.has_refused() {
                self.keeper = Some(keeper);
                self.end("QUIT");
                keeper = self.keep();
            }
            sleep(LOOK_EVERY);
        }
        self.keeper = Some(keeper);
    }

    fn keep(&self) -> Child {
        let _ = fs::remove_file(self.folder.path().join("log"));
        let mut shell = self.run(Path::new("sh"));
        shell.args(["-c", KEEPER, "sh"]).arg(self.programs.join("postgres"));
        shell.arg(self.data()).arg(self.folder.path());
        let fsync = if self.settings.fsync { "fsync=on" } else { "fsync=off" };
        for setting in ["listen_addresses=", "shared_buffers=32MB", "max_connections=200", fsync] {
            shell.args(["-c", setting]);
        }
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell")
    }

    /// Whether the server gave up: then the shell waits for a word all the same.
    fn has_refused(&self) -> bool {
        self.log().contains("FATAL:  pre-existing shared memory")
            || self.log().contains("FATAL:  lock file \"postmaster.pid\" already exists")
    }

    fn end(&mut self, signal: &str) {
        let Some(mut keeper) = self.keeper.take() else { return };
        let mut words = keeper.stdin.take().expect("it is piped");
        // The shell may have ended by itself.
        let _ = writeln!(words, "{signal}");
        keeper.wait().expect("it is our child");
    }

    fn is_ready(&self) -> bool {
        let mut asked = self.command("pg_isready");
        asked.arg("--quiet").arg("--host").arg(self.folder.path());
        asked.status().expect("it is beside the server").success()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        self.run(&self.programs.join(program))
    }

    fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Nothing of the environment decides where it lies or whom it serves.
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        drop(keeper.stdin.take());
        let _ = keeper.wait();
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("it is beside the server");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The folder of the newest server's programs: Debian's place, or the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|version| version.path()).max_by_key(number).map(|path| path.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    newest.into_iter().chain(env::split_paths(&path)).find(|folder| {
        ["postgres", "initdb", "createdb", "pg_isready"].iter().all(|program| folder.join(program).is_file())
    })
}

/// User and group number of an account.
fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields =
        accounts.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
    Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    /// The rows of a question to a database of the cluster, one a line.
    fn ask(cluster: &Cluster, url: &str, question: &str) -> String {
        let output = cluster.command("psql").args(["--no-psqlrc", "-qtA", url, "-c", question]).output();
        let output = output.expect("it is beside the server");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    #[test]
    fn what_was_committed_is_there_after_a_stop_and_after_a_kill_and_nothing_after_a_panic() {
        let name = "what_was_committed_is_there_after_a_stop_and_after_a_kill_and_nothing_after_a_panic";
        let Some(mut cluster) = own(name, Settings::default()) else { return };
        let url = cluster.database();
        ask(&cluster, &url, "CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (1)");
        cluster.stop();
        assert!(!cluster.is_ready());
        cluster.start_again();
        ask(&cluster, &url, "INSERT INTO kept VALUES (2)");
        cluster.kill();
        cluster.start_again();
        assert_eq!(ask(&cluster, &url, "SELECT COUNT(*) FROM kept"), "2");

        let folder = cluster.folder.path().to_owned();
        let server = fs::read_to_string(cluster.data().join("postmaster.pid")).expect("it runs");
        let server = PathBuf::from("/proc").join(server.lines().next().expect("its number"));
        assert!(server.exists());
        let panicked = catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _cluster = cluster;
            panic!("a test that fails");
        }));
        assert!(panicked.is_err() && !folder.exists() && !server.exists());
    }

    #[test]
    fn a_durable_cluster_says_that_it_is_one() {
        let Some(cluster) = own("a_durable_cluster_says_that_it_is_one", Settings { fsync: true }) else {
            return;
        };
        let url = cluster.database();
        assert_eq!(ask(&cluster, &url, "SHOW fsync"), "on");
    }
}
