//! The daemons as processes of their own, which can be killed.

use crate::disk;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};
use tokio::time::Instant;

/// How long a daemon may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// The folder with the daemons, which are built first.
pub(crate) fn built() -> Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    folder.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    // …/target/debug/deps/pipeline-0123456789abcdef
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("a test stands in a target folder")?.to_owned();
    let mut cargo = vernport_testkit::cargo();
    cargo.args(["build", "--quiet"]);
    for package in ["vernport-gateway", "vernport-central", "vernport-forgetful"] {
        cargo.args(["-p", package]);
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env("CARGO_TARGET_DIR", folder.parent().context("a profile stands in a target folder")?);
    let output = cargo.output().context("cargo does not start")?;
    ensure!(
        output.status.success(),
        "the daemons do not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(folder)
}

/// A port that was free just now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A running daemon; killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it; what it logs goes to the end of `log`. Where `synced` is given, its disk keeps copies
    /// there of what was synced.
    pub(crate) fn start(name: &str, config: &Path, log: &Path, synced: Option<&Path>) -> Result<Self> {
        Self::start_with(name, config, log, synced, &[])
    }

    /// The same, with paths in its environment.
    pub(crate) fn start_with(
        name: &str,
        config: &Path,
        log: &Path,
        synced: Option<&Path>,
        with: &[(&str, &Path)],
    ) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(built()?.join(name));
        if let Some(folder) = synced {
            command.env("LD_PRELOAD", disk::library()?).env(disk::FOLDER, folder);
        }
        let child = command
            .args(["run", "--config"])
            .arg(config)
            .envs(with.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Self { child })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no time for anything.
    pub(crate) fn kill(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the daemon has ended by itself");
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits until it has ended well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let told =
            Command::new("sh").args(["-c", "kill -TERM \"$0\""]).arg(self.id().to_string()).status()?;
        ensure!(told.success(), "the daemon cannot be told to stop");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the daemon ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < until, "the daemon does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
