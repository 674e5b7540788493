//! Cargo, called by a test as a person calls it.

use std::{env, path::PathBuf, process::Command};

/// The cargo that built this. It does not see which package's test calls it: build scripts of others
/// (ring's) ask for these variables, and everything above them would be built anew at each change.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        cargo.env_remove(name);
    }
    cargo
}

/// The folder with the programs of these packages of the workspace, which are built first, in the profile of
/// the test that asks.
///
/// # Panics
/// If they do not build.
pub fn built(packages: &[&str]) -> PathBuf {
    // …/target/debug/deps/command-0123456789abcdef
    let test = env::current_exe().expect("a test is a program");
    let folder = test.ancestors().nth(2).expect("a test stands in a target folder").to_owned();
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--bins"]);
    cargo.args(packages.iter().flat_map(|package| ["-p", package]));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env("CARGO_TARGET_DIR", folder.parent().expect("a profile stands in a target folder"));
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{packages:?}: {}", String::from_utf8_lossy(&output.stderr));
    folder
}
