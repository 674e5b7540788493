//! `vernport bundle activate`: makes a signed bundle the one that gateways and central read.
//!
//! What the folder holds after it, beside `history.jsonl`:
//!
//! ```text
//! versions/0001/bundle.toml, bundle.sig, <base>.toml    each version as it was activated
//! active -> versions/0001                               the one in force
//! bundle.toml -> active/bundle.toml, and so on          what daemons are configured with
//! ```
//!
//! The link `active` is replaced in one step: bundle and signature change together. Whatever the
//! new version permits that the old one did not has to wait for a newer notice (CSPE-8.1, CSPE-8.3):
//! its flow names one, and stays closed until that is served.

use super::{
    files::{Usable, in_folder, or_invalid, replace, sync_folder},
    history::{self, Activation},
};
use crate::{args, shipped};
use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use vernport_policy::{Change, Diff, Rules, diff, verify_bundle};
use vernport_status::output;
use vernport_types::Slug;

/// Activates a bundle; ends with 1 if people would have to be told first.
pub(super) fn run(args: &args::BundleActivate) -> Result<()> {
    let args::BundleActivate { folder, into, signed_by } = args;
    let catalogue = shipped::catalogue();
    let new = or_invalid(in_folder(folder, &catalogue))?;
    let signature_file = folder.join("bundle.sig");
    let signature = fs::read_to_string(&signature_file).ok();
    verify_bundle(signed_by, &new.text, signature.as_deref())
        .with_context(|| signature_file.display().to_string())?;
    fs::create_dir_all(into).with_context(|| format!("{}: cannot be made", into.display()))?;
    let lock = lock(into)?;
    let (past, head) = history::read(into)?;
    let old = match past.last() {
        None => None,
        Some(last) => {
            let folder = into.join(version(last.sequence));
            let old = in_folder(&folder, &catalogue)
                .with_context(|| format!("{}: what was activated last cannot be read", folder.display()))?;
            ensure!(
                hex::encode(old.rules.hash()) == last.hash,
                "{}: not the bundle that line {} of the history names; restore the folder from a backup",
                folder.display(),
                last.sequence
            );
            Some(old)
        }
    };
    if let (Some(old), Some(last)) = (&old, past.last())
        && old.rules.hash() == new.rules.hash()
    {
        // The last activation may have been cut off before its last step.
        switch(into, last.sequence)?;
        output::tell(&format!("{}: active already, as number {}", new.file, last.sequence))?;
        return Ok(());
    }
    let difference = match &old {
        None => Diff::default(),
        Some(old) => compared(old, &new)?,
    };
    let sequence = past.last().map_or(1, |last| last.sequence + 1);
    store(&into.join(version(sequence)), &new, signature.as_deref().unwrap_or_default())?;
    append(into, &activation(sequence, head, &new, &difference))?;
    switch(into, sequence)?;
    drop(lock);
    output::tell(&format!(
        "{}: active as number {sequence}; SHA-256 {}, {} wider, {} narrower",
        new.file,
        hex::encode(new.rules.hash()),
        difference.permitted().count(),
        difference.denied().count()
    ))?;
    Ok(())
}

/// What changes; refused where people would have to be told first and are not.
fn compared(old: &Usable, new: &Usable) -> Result<Diff> {
    ensure!(
        old.rules.controller() == new.rules.controller(),
        "{}: is of controller {}, the folder holds the rules of {}; activate it into a folder of its own",
        new.file,
        new.rules.controller(),
        old.rules.controller()
    );
    let difference = diff(&old.rules, &new.rules, &shipped::catalogue());
    let untold: Vec<&Change> =
        difference.permitted().filter(|change| !is_told(change, &old.rules, &new.rules)).collect();
    if untold.is_empty() {
        return Ok(difference);
    }
    for Change { path, what, .. } in &untold {
        let place = new.rules.paths().iter().find(|rule| rule.path == *path);
        let at = place.map_or_else(|| new.file.clone(), |rule| format!("{}:{}", rule.file, rule.line));
        output::remark(&format!("{at}: {path} is wider ({what}), and no newer notice tells of it"));
    }
    bail!(
        "{} things are newly permitted that no newer notice tells of: add a [[notice]] that does, and name it as \
         `notice` in their flows; they open when it is served",
        untold.len()
    )
}

/// Whether people are told of a change before it holds: each flow that it bears on waits for a notice
/// that the old bundle did not have. What bears on no flow needs such a notice at all.
fn is_told(change: &Change, old: &Rules, new: &Rules) -> bool {
    let place =
        |rules: &Rules, version: &Slug| rules.notices().iter().position(|notice| notice.version == *version);
    // In the new order, after every version that the old bundle had.
    let newest_old = old.notices().iter().filter_map(|notice| place(new, &notice.version)).max();
    let is_newer = |version: &Slug| {
        place(old, version).is_none()
            && place(new, version).is_some_and(|at| newest_old.is_none_or(|old| at > old))
    };
    if !change.to_be_told {
        return true;
    }
    if change.flows.is_empty() {
        return new.notices().iter().any(|notice| is_newer(&notice.version));
    }
    change.flows.iter().filter_map(|flow| new.find(flow)).all(|flow| is_newer(&flow.notice))
}

fn activation(sequence: u64, previous: String, new: &Usable, difference: &Diff) -> Activation {
    let named = |change: &Change| format!("{}: {}", change.path, change.what);
    Activation {
        format: 1,
        sequence,
        time: Timestamp::now().to_string(),
        bundle: new.rules.name().to_string(),
        hash: hex::encode(new.rules.hash()),
        previous,
        notices: new.rules.notices().iter().map(|notice| notice.version.to_string()).collect(),
        widened: difference.permitted().map(named).collect(),
        narrowed: difference.denied().map(named).collect(),
    }
}

/// One activation at a time; let go when dropped.
fn lock(into: &Path) -> Result<File> {
    let file = into.join(".lock");
    let broken = || format!("{}: cannot be locked; does another activation run?", file.display());
    let lock = File::options().create(true).append(true).open(&file).with_context(broken)?;
    lock.try_lock().with_context(broken)?;
    Ok(lock)
}

fn version(sequence: u64) -> PathBuf {
    Path::new("versions").join(format!("{sequence:04}"))
}

/// Writes a version with all that it is made of. One that was begun before is written anew.
fn store(version: &Path, new: &Usable, signature: &str) -> Result<()> {
    fs::create_dir_all(version).with_context(|| format!("{}: cannot be made", version.display()))?;
    replace(&version.join("bundle.toml"), new.text.as_bytes())?;
    replace(&version.join("bundle.sig"), signature.as_bytes())?;
    for (name, text) in &new.bases {
        replace(&version.join(format!("{name}.toml")), text.as_bytes())?;
    }
    sync_folder(version.parent().unwrap_or(version))
}

fn append(into: &Path, activation: &Activation) -> Result<()> {
    let file = history::file(into);
    let line = serde_json::to_string(activation)? + "\n";
    let broken = || format!("{}: cannot be written", file.display());
    let mut open = File::options().create(true).append(true).open(&file).with_context(broken)?;
    open.write_all(line.as_bytes()).with_context(broken)?;
    open.sync_all().with_context(broken)?;
    sync_folder(into)
}

/// Makes a version the active one, and sees to the links to it.
fn switch(into: &Path, sequence: u64) -> Result<()> {
    link(&into.join("active"), &version(sequence))?;
    let active = into.join("active");
    let listed = fs::read_dir(&active).with_context(|| format!("{}: cannot be listed", active.display()))?;
    for entry in listed {
        let name = entry.with_context(|| format!("{}: cannot be listed", active.display()))?.file_name();
        link(&into.join(&name), &Path::new("active").join(&name))?;
    }
    sync_folder(into)
}

/// Puts a link in its place, in one step.
fn link(at: &Path, to: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|found| found == to) {
        return Ok(());
    }
    ensure!(
        fs::symlink_metadata(at).map_or(true, |found| found.is_symlink()),
        "{}: is there, and no activation made it; move it away",
        at.display()
    );
    let broken = || format!("{}: cannot be written", at.display());
    let next = at.with_extension("next");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(broken),
        _ => {}
    }
    symlink(to, &next).with_context(broken)?;
    fs::rename(&next, at).with_context(broken)
}
