//! Licences, bans and sources, read from `.deny.toml` and checked offline.
//!
//! cargo-deny does the same and more; where it is installed it runs too. What
//! is here always runs, so that no machine goes without the check.

use crate::{
    metadata::{Metadata, Package},
    workspace::{Workspace, has_program, succeed},
};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

const CONFIG: &str = ".deny.toml";

/// The part of `.deny.toml` that is checked here; cargo-deny reads the rest.
#[derive(Deserialize)]
struct Config {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// Runs the checks; one error that names all findings.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let config: Config =
        toml::from_str(&workspace.read(CONFIG)?).with_context(|| format!("{CONFIG} is not understood"))?;
    let metadata = Metadata::read(workspace)?;
    let findings = findings(&config, &metadata.packages);
    if !findings.is_empty() {
        bail!("{CONFIG} does not allow:\n  {}", findings.join("\n  "));
    }
    println!(
        "deny: {} packages, their licences, bans and sources are as {CONFIG} asks",
        metadata.packages.len()
    );
    if !has_program("cargo-deny") {
        println!("deny: for advisories, install cargo-deny (cargo install --locked cargo-deny)");
        return Ok(());
    }
    succeed(&mut workspace.cargo(&[
        "deny",
        "--offline",
        "check",
        "--config",
        CONFIG,
        "licenses",
        "bans",
        "sources",
    ]))?;
    let database = std::env::var_os("CARGO_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo").into()))
        .map(|cargo| std::path::Path::new(&cargo).join("advisory-dbs"));
    if database.is_some_and(|folder| folder.is_dir()) {
        return succeed(&mut workspace.cargo(&[
            "deny",
            "--offline",
            "check",
            "--config",
            CONFIG,
            "advisories",
        ]));
    }
    println!("deny: no advisory database here (cargo deny fetch db gets it)");
    Ok(())
}

fn findings(config: &Config, packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for Package { name, version, license, source, .. } in packages {
        match license.as_deref() {
            None => findings.push(format!("{name} {version} names no licence")),
            Some(text) if !allowed(text, &config.licenses.allow) => {
                findings.push(format!("{name} {version} has the licence '{text}'"));
            }
            Some(_) => {}
        }
        if let Some(ban) = config.bans.deny.iter().find(|ban| ban.name == *name) {
            findings.push(format!("{name} {version}: {}", ban.reason));
        }
        // Ours have none; everything else comes from the one default registry.
        let source = source.as_deref().unwrap_or("registry+");
        let default = packages.iter().find_map(|package| package.source.as_deref()).unwrap_or("registry+");
        if !source.starts_with("registry+") || (source != "registry+" && source != default) {
            findings.push(format!("{name} {version} comes from {source}"));
        }
    }
    findings
}

/// Whether an SPDX expression (or the older form with `/` for `OR`) holds
/// when only these licences are allowed.
fn allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allow };
    reader.any().unwrap_or(false) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    allow: &'a [String],
}

impl Reader<'_> {
    /// `A OR B`, which binds less than `AND`.
    fn any(&mut self) -> Option<bool> {
        let mut holds = self.all()?;
        while self.take("OR") {
            holds |= self.all()?;
        }
        Some(holds)
    }

    fn all(&mut self) -> Option<bool> {
        let mut holds = self.one()?;
        while self.take("AND") {
            holds &= self.one()?;
        }
        Some(holds)
    }

    /// `A`, `A WITH B` or `( … )`.
    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let holds = self.any()?;
            return self.take(")").then_some(holds);
        }
        let (name, rest) = self.words.split_first()?;
        self.words = rest;
        let mut name = (*name).to_owned();
        if self.take("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            name = format!("{name} WITH {exception}");
        }
        Some(self.allow.contains(&name))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow() -> Vec<String> {
        ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into()
    }

    #[test]
    fn a_licence_expression_holds_only_by_what_is_allowed() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only/MIT",
            "(MIT OR GPL-3.0-only) AND Unicode-3.0",
            "GPL-3.0-only AND ISC OR MIT",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed(good, &allow()), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT OR",
            "(MIT",
            "MIT MIT",
            "MIT WITH GPL-exception",
            "mit",
        ] {
            assert!(!allowed(bad, &allow()), "{bad}");
        }
    }

    #[test]
    fn a_ban_a_missing_licence_and_another_source_are_found() {
        let config: Config = toml::from_str(
            "licenses.allow = ['MIT']\n[[bans.deny]]\ncrate = 'openssl-sys'\nreason = 'one TLS stack'",
        )
        .expect("a config");
        let package = |name: &str, license: Option<&str>, source: Option<&str>| Package {
            id: name.into(),
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(Into::into),
            source: source.map(Into::into),
            dependencies: Vec::new(),
            targets: Vec::new(),
        };
        let found = findings(
            &config,
            &[
                package("ours", Some("MIT"), None),
                package("good", Some("MIT"), Some("registry+default")),
                package("openssl-sys", Some("MIT"), Some("registry+default")),
                package("bare", None, Some("registry+default")),
                package("forked", Some("MIT"), Some("git+somewhere")),
                package("private", Some("MIT"), Some("registry+another")),
            ],
        );
        assert_eq!(
            found,
            [
                "openssl-sys 1.0.0: one TLS stack",
                "bare 1.0.0 names no licence",
                "forked 1.0.0 comes from git+somewhere",
                "private 1.0.0 comes from registry+another",
            ]
        );
    }
}
