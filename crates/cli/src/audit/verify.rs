//! `vernport audit verify`.

use super::{
    Broken,
    keys::Keys,
    read,
    report::{Found, Report},
};
use crate::args::AuditVerify;
use anyhow::{Context as _, Result};
use serde_json::json;
use vernport_audit::{ProofFile, ProofFileError, SignedCheckpoint};
use vernport_status::output;

/// What a proof file begins with.
const PROOF: &[u8] = b"c2sp.org/tlog-proof@";

/// Whether a proof file was named, not a log.
pub(super) fn is_proof(args: &AuditVerify) -> bool {
    std::fs::read(&args.place.log).is_ok_and(|bytes| bytes.starts_with(PROOF))
}

/// A proof file: its checkpoint, its proof, and with an envelope what its leaf commits to.
pub(super) fn proof(args: &AuditVerify) -> Result<()> {
    let keys = &Keys::read(&args.keys, &args.witnesses)?;
    let bytes = &read(args.place.log.as_ref())?;
    let held = hold(args, keys, bytes);
    match held {
        Ok(Some(told)) => {
            if args.json {
                output::tell(&serde_json::to_string_pretty(&told)?)?;
            } else {
                output::tell(&format!(
                    "leaf {} ({}) stands in {}, at {} leaves{}",
                    told["index"],
                    told["kind"].as_str().unwrap_or_default(),
                    told["origin"].as_str().unwrap_or_default(),
                    told["size"],
                    if args.envelope.is_some() { "; it commits to this envelope" } else { "" }
                ))?;
            }
            Ok(())
        }
        Ok(None) => broken(
            args,
            "leaf-of-something-else",
            "its leaf commits to something else than this envelope".into(),
        ),
        Err(error) => match error.downcast::<ProofFileError>() {
            Ok(error) => broken(args, "proof", vernport_types::chain(&error)),
            Err(error) => Err(error),
        },
    }
}

fn hold(args: &AuditVerify, keys: &Keys, bytes: &[u8]) -> Result<Option<serde_json::Value>> {
    let file = ProofFile::read(bytes)?;
    let origin = SignedCheckpoint::origin_of(file.checkpoint.as_bytes()).map_err(ProofFileError::from)?;
    let mut held = Err(ProofFileError::Checkpoint(vernport_audit::CheckpointError::Form));
    for key in keys.of(&origin) {
        held = file.verify(&key);
        if held.is_ok() {
            break;
        }
    }
    let checkpoint = held?;
    let signed = keys.checkpoint(&file.checkpoint).map_err(ProofFileError::from)?;
    if let Err(why) = keys.witnessed(&signed) {
        broken(args, "checkpoint-not-witnessed", why)?;
    }
    if let Some(path) = &args.envelope {
        let envelope = read(path)?;
        let subjects = super::prove::subjects(&envelope);
        if !subjects.iter().any(|subject| file.leaf.commits_to(subject)) {
            return Ok(None);
        }
    }
    Ok(Some(json!({
        "index": file.index,
        "kind": serde_json::to_value(file.leaf.kind()).context("a word")?,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex::encode(checkpoint.root),
    })))
}

fn broken(args: &AuditVerify, what: &str, message: String) -> Result<()> {
    let mend = "ask the keeper of the log for a new proof, and whose keys it is signed with";
    let report = Report { findings: vec![Found::new(what, message, mend)], ..Report::default() };
    if args.json {
        report.tell(true)
    } else {
        for found in &report.findings {
            output::tell(&format!("{}: {}\n  {}", found.what, found.message, found.mend))?;
        }
        Err(Broken { count: 1 }.into())
    }
}
