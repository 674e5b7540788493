//! Proof that the wire crate needs no `std`: a program that brings its own
//! panic handler lets the crate's two engines hold a session. That the proof
//! can fail is shown by building it with `std` on purpose.

use crate::workspace::{Workspace, succeed};
use anyhow::{Context as _, Result, bail};
use std::process::Command;

const MANIFEST: &str = "firmware-bridge/proof/Cargo.toml";
/// What rustc says when two crates bring a panic handler.
const DUPLICATE_LANG_ITEM: &str = "E0152";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let target = workspace.root().join("target/proof");
    let build = || {
        let mut cargo =
            workspace.cargo(&["build", "--release", "--locked", "--quiet", "--manifest-path", MANIFEST]);
        cargo.env("CARGO_TARGET_DIR", &target);
        cargo
    };
    succeed(&mut build()).context("the wire crate does not build without std")?;
    succeed(&mut Command::new(target.join("release/wire-proof"))).context("the proof does not run")?;
    let leak = build().args(["--features", "leak"]).output().context("cannot run cargo")?;
    if leak.status.success() || !String::from_utf8_lossy(&leak.stderr).contains(DUPLICATE_LANG_ITEM) {
        bail!(
            "the proof does not notice std: with its feature 'leak' it must fail with {DUPLICATE_LANG_ITEM}"
        );
    }
    Ok(())
}
