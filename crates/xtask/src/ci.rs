//! Every check, each by its name, in the order in which they fail cheapest.

use crate::{
    licences, proof, suites, tidy,
    workspace::{Workspace, succeed},
};
use anyhow::{Context as _, Result};
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// Layout of the source
    Fmt,
    /// House rules
    Tidy,
    /// Licences, bans and sources of what we depend on
    Deny,
    /// Lints, as errors
    Clippy,
    /// Documentation, warnings as errors
    Docs,
    /// The wire crate needs no std
    Proof,
    /// All test suites
    Test,
}

/// Workspaces beside the main one, as far as they are there.
const OTHER_WORKSPACES: [&str; 3] = ["firmware-bridge/proof", "tests/fuzz", "benches/peers"];

/// Runs the named checks, or all; stops at the first that fails.
pub(crate) fn run(workspace: &Workspace, wanted: &[Check]) -> Result<()> {
    let checks = if wanted.is_empty() { Check::value_variants() } else { wanted };
    for check in checks {
        let name = format!("{check:?}").to_lowercase();
        println!("check {name}");
        check.run(workspace).with_context(|| format!("check {name}"))?;
    }
    Ok(())
}

impl Check {
    fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Fmt => {
                succeed(&mut workspace.cargo(&["fmt", "--all", "--", "--check"]))?;
                for other in OTHER_WORKSPACES {
                    let manifest = format!("{other}/Cargo.toml");
                    if workspace.root().join(&manifest).is_file() {
                        let fmt = ["fmt", "--manifest-path", &manifest, "--", "--check"];
                        succeed(&mut workspace.cargo(&fmt))?;
                    }
                }
                Ok(())
            }
            Self::Tidy => tidy::run(workspace),
            Self::Deny => licences::run(workspace),
            Self::Clippy => {
                let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
                succeed(&mut workspace.cargo(&clippy))
            }
            Self::Docs => {
                let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
                succeed(doc.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Self::Proof => proof::run(workspace),
            Self::Test => suites::run(workspace, &[]),
        }
    }
}
