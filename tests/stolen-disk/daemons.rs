//! The gateway as a process of its own, which can be killed.

use anyhow::{Context as _, Result, ensure};
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// The gateway's program, which is built first.
fn built() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    program.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    // …/target/debug/deps/stolen_disk-0123456789abcdef
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("a test stands in a target folder")?;
    let mut cargo = vernport_testkit::cargo();
    cargo.args(["build", "--quiet", "-p", "vernport-gateway", "--bins"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env("CARGO_TARGET_DIR", folder.parent().context("a profile stands in a target folder")?);
    let output = cargo.output().context("cargo does not start")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the gateway does not build:\n{told}");
    Ok(folder.join("vernport-gateway"))
}

/// A port that was free just now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A running gateway; killed when it is dropped.
pub(crate) struct Gateway(Child);

impl Gateway {
    /// Starts it, with paths in its environment; what it logs goes to the end of `log`.
    pub(crate) fn start(config: &Path, log: &Path, with: &[(&str, &Path)]) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(built()?);
        command.args(["run", "--config"]).arg(config).envs(with.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self(child.context("the gateway does not start")?))
    }

    /// SIGKILL: no time for anything.
    pub(crate) fn kill(mut self) -> Result<()> {
        ensure!(self.0.try_wait()?.is_none(), "the gateway has ended by itself");
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
