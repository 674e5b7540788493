//! `vernport bundle test`: holds the trials of bundles (`tests/*.toml`) against their rules.

use crate::{args, dbc::Unreadable, shipped};
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport_policy::Rules;
use vernport_review::trial::{Failure, Trial};
use vernport_status::output;
use vernport_types::Catalogue;

/// What came of the trials of one bundle.
#[derive(Default, Serialize)]
struct Tried {
    bundle: String,
    /// Trials that were run.
    trials: usize,
    /// What they expected, in all.
    expectations: usize,
    failures: Vec<Failed>,
    /// Why a file cannot be used; it was not run.
    unreadable: Vec<String>,
}

/// One expectation that was not met.
#[derive(Serialize)]
struct Failed {
    file: String,
    line: usize,
    clause: String,
    says: String,
    expected: String,
    came: String,
}

/// Runs the trials of each folder.
///
/// # Errors
/// [`Unreadable`] if a bundle or trial cannot be read; else an error if an expectation was not met.
pub(super) fn run(args: &args::BundleTest) -> Result<()> {
    let catalogue = shipped::catalogue();
    let tried: Vec<Tried> = args.folders.iter().map(|folder| tried(folder, &catalogue)).collect();
    if args.json {
        output::tell(&serde_json::to_string_pretty(&tried)?)?;
    } else {
        tried.iter().try_for_each(show)?;
    }
    let unreadable = tried.iter().map(|tried| tried.unreadable.len()).sum();
    let failures: usize = tried.iter().map(|tried| tried.failures.len()).sum();
    if unreadable > 0 {
        let read: usize = tried.iter().map(|tried| tried.trials).sum();
        return Err(Unreadable { count: unreadable, of: unreadable + read }.into());
    }
    if failures > 0 {
        let expectations: usize = tried.iter().map(|tried| tried.expectations).sum();
        bail!("{failures} of {expectations} expectations are not met");
    }
    Ok(())
}

fn tried(folder: &Path, catalogue: &Catalogue) -> Tried {
    let mut tried = Tried { bundle: folder.display().to_string(), ..Tried::default() };
    let rules = match rules(folder, catalogue) {
        Ok(rules) => rules,
        Err(error) => {
            tried.unreadable.push(format!("{error:#}"));
            return tried;
        }
    };
    let files = match files(folder) {
        Ok(files) => files,
        Err(error) => {
            tried.unreadable.push(format!("{error:#}"));
            return tried;
        }
    };
    for file in files {
        match read(&file) {
            Ok(trial) => {
                tried.trials += 1;
                tried.expectations += trial.len();
                let failed = |failure| Failed::of(&trial, failure);
                tried.failures.extend(trial.run(&rules, catalogue).into_iter().map(failed));
            }
            Err(error) => tried.unreadable.push(format!("{error:#}")),
        }
    }
    tried
}

fn rules(folder: &Path, catalogue: &Catalogue) -> Result<Rules> {
    let (file, text) = shipped::read_bundle(folder)?;
    Ok(Rules::compile(&shipped::load(&file, &text)?, catalogue)?)
}

/// The trials of a bundle, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder.join("tests");
    let unlisted = || format!("{}: cannot be listed; trials of a bundle lie there", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(unlisted)? {
        let file = entry.with_context(unlisted)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{}: holds no trial (*.toml)", folder.display());
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Trial> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| format!("{name}: cannot be read"))?;
    Ok(Trial::from_toml(&name, &text)?)
}

impl Failed {
    fn of(trial: &Trial, failure: Failure) -> Self {
        let Failure { file, line, expected, came } = failure;
        Self { file, line, clause: trial.clause().into(), says: trial.says().into(), expected, came }
    }
}

fn show(tried: &Tried) -> Result<()> {
    for error in &tried.unreadable {
        output::remark(error);
    }
    for failed in &tried.failures {
        let Failed { file, line, clause, says, expected, came } = failed;
        output::tell(&format!("{file}:{line}: {clause}: expected {expected}; came {came} ({says})"))?;
    }
    output::tell(&format!(
        "{}: {} trials, {} expectations, {} not met, {} files cannot be read",
        tried.bundle,
        tried.trials,
        tried.expectations,
        tried.failures.len(),
        tried.unreadable.len()
    ))?;
    Ok(())
}
