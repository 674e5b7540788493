//! Cargo, called by a test as a person calls it.

use std::{env, process::Command};

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
