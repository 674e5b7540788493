//! `vernport bundle history`: which rules were active when, as a chain of hashes.
//!
//! `history.jsonl` has one line for each activation. Each names the SHA-256 of the line before,
//! so that no line can be changed, taken out or put in between without breaking the chain. Lines cut
//! off at its end break nothing: whoever has to notice that keeps the hash that this command prints.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport_crypto::sha256;
use vernport_status::output;

/// What the first line names as the one before it.
pub(super) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The longest history that is read, in bytes: some ten thousand activations.
const MAX_BYTES: u64 = 64 << 20;

/// One activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activation {
    pub(super) format: u8,
    /// From 1, without a gap.
    pub(super) sequence: u64,
    /// When, RFC 3339.
    pub(super) time: String,
    /// The name of the bundle.
    pub(super) bundle: String,
    /// SHA-256 of `bundle.toml`.
    pub(super) hash: String,
    /// SHA-256 of the line before.
    pub(super) previous: String,
    /// The versions of the notice, oldest first.
    pub(super) notices: Vec<String>,
    /// What was newly permitted, by rule.
    pub(super) widened: Vec<String>,
    /// What was newly denied, by rule.
    pub(super) narrowed: Vec<String>,
}

/// The file of a folder's history.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("history.jsonl")
}

/// All activations of a folder, and the hash of the last line; the chain holds.
pub(super) fn read(dir: &Path) -> Result<(Vec<Activation>, String)> {
    let file = file(dir);
    let size = match fs::metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Vec::new(), BEGINNING.into()));
        }
        size => size.with_context(|| format!("{}: cannot be read", file.display()))?.len(),
    };
    ensure!(size <= MAX_BYTES, "{}: longer than {MAX_BYTES} bytes; is it a history?", file.display());
    let text = fs::read_to_string(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
    chain(&file, &text)
}

fn chain(file: &Path, text: &str) -> Result<(Vec<Activation>, String)> {
    let mut activations: Vec<Activation> = Vec::new();
    let mut previous = BEGINNING.to_owned();
    for (place, line) in text.split_inclusive('\n').enumerate() {
        let at = || format!("{}:{}", file.display(), place + 1);
        let Some(line) = line.strip_suffix('\n') else {
            bail!(
                "{}: the line is cut off; the activation did not end: take the line out, activate again",
                at()
            );
        };
        let activation: Activation =
            serde_json::from_str(line).with_context(|| format!("{}: not an activation", at()))?;
        let sequence = u64::try_from(place + 1).unwrap_or(u64::MAX);
        ensure!(activation.format == 1, "{}: format {} is not known here", at(), activation.format);
        ensure!(
            activation.sequence == sequence && activation.previous == previous,
            "{}: the chain is broken: the line does not follow the one before it; restore the file from a backup",
            at()
        );
        previous = hex::encode(sha256(line.as_bytes()));
        activations.push(activation);
    }
    Ok((activations, previous))
}

/// Shows the history of a folder, and ends with an error if it does not hold.
pub(super) fn run(dir: &Path) -> Result<()> {
    let (activations, head) = read(dir)?;
    ensure!(!activations.is_empty(), "{}: nothing was activated here", file(dir).display());
    for activation in &activations {
        let Activation { sequence, time, bundle, hash, notices, widened, narrowed, .. } = activation;
        output::print(&format!(
            "{sequence}  {time}  {bundle}  {hash}  notices {}; {} wider, {} narrower",
            notices.join(", "),
            widened.len(),
            narrowed.len()
        ))?;
        for path in widened {
            output::print(&format!("     wider     {path}"))?;
        }
        for path in narrowed {
            output::print(&format!("     narrower  {path}"))?;
        }
    }
    let last = activations.last().expect("one at least");
    let active = fs::read_to_string(dir.join("bundle.toml"))
        .with_context(|| format!("{}: cannot be read", dir.join("bundle.toml").display()))?;
    ensure!(
        hex::encode(sha256(active.as_bytes())) == last.hash,
        "{}: the bundle there is not the one that was activated last; activate it, or restore the one of line {}",
        dir.display(),
        last.sequence
    );
    output::print(&format!("the chain holds; its last line has SHA-256 {head}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sequence: u64, previous: &str) -> String {
        let activation = Activation {
            format: 1,
            sequence,
            time: "2026-05-01T10:00:00Z".into(),
            bundle: "b".into(),
            hash: "00".into(),
            previous: previous.into(),
            notices: Vec::new(),
            widened: Vec::new(),
            narrowed: Vec::new(),
        };
        serde_json::to_string(&activation).expect("plain data")
    }

    #[test]
    fn a_line_that_is_changed_taken_out_or_cut_off_breaks_the_chain() {
        let first = line(1, BEGINNING);
        let second = line(2, &hex::encode(sha256(first.as_bytes())));
        let third = line(3, &hex::encode(sha256(second.as_bytes())));
        let file = Path::new("history.jsonl");
        let good = format!("{first}\n{second}\n{third}\n");
        let (activations, head) = chain(file, &good).expect("good");
        assert_eq!((activations.len(), head), (3, hex::encode(sha256(third.as_bytes()))));
        for (bad, at) in [
            (format!("{first}\n{third}\n"), "history.jsonl:2"),
            (format!("{second}\n{third}\n"), "history.jsonl:1"),
            (good.replacen("10:00", "11:00", 1), "history.jsonl:2"),
            (format!("{first}\n{second}"), "history.jsonl:2"),
            (format!("{first}\n{second}\n{second}\n"), "history.jsonl:3"),
            (format!("{first}\n\n"), "history.jsonl:2"),
        ] {
            let error = format!("{:#}", chain(file, &bad).expect_err("broken"));
            assert!(error.starts_with(at), "{error}");
        }
    }
}
