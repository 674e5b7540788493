//! What cargo knows about the workspace and its dependencies.

use crate::workspace::{Workspace, output};
use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The part of `cargo metadata` that the checks look at.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Where it comes from; none for one of ours.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or none for a normal one.
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let text = output(&mut workspace.cargo(&["metadata", "--format-version", "1", "--locked"]))?;
        serde_json::from_str(&text).context("cargo metadata has another format than expected")
    }

    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

impl Package {
    /// What it is built from: normal and build dependencies.
    pub(crate) fn built_from(&self) -> impl Iterator<Item = &str> {
        let built = self.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        built.map(|dependency| dependency.name.as_str())
    }
}
