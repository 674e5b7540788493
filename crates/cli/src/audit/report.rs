//! What was found in a log, where, and how to mend it; for people and as JSON.

use super::Broken;
use anyhow::Result;
use serde::Serialize;
use vernport_audit::Finding;
use vernport_status::output;

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Which kind of thing, one word for programs.
    pub what: String,
    /// What is wrong, with its place.
    pub message: String,
    /// What to do about it.
    pub mend: &'static str,
}

/// What was gone over, and what was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many leaves the log has.
    pub leaves: u64,
    /// How many of them were read; the others are not kept any more.
    pub leaves_read: u64,
    /// How many checkpoints.
    pub checkpoints: usize,
    /// How many things that were queued, stored or recorded were held against their leaves.
    pub things: u64,
    /// What does not fit.
    pub findings: Vec<Found>,
}

const CHANGED: &str = "keep this copy as it is and compare it with an export, a backup or what the other side \
     cosigned: who could write here changed it after it was signed";
const CUT: &str = "bring the file back from a backup; if this is the spool of a gateway, deliver what waits, stop it and \
     move the spool away: a new log begins, and central is told";

impl Found {
    pub(crate) fn new(what: &str, message: String, mend: &'static str) -> Self {
        Self { what: what.to_owned(), message, mend }
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        let mend = match &finding {
            Finding::LeafUnreadable { .. }
            | Finding::LeafChanged { .. }
            | Finding::TileChanged { .. }
            | Finding::CheckpointOtherRoot { .. } => CHANGED,
            Finding::LeavesMissing { .. }
            | Finding::TileMissing { .. }
            | Finding::TileCut { .. }
            | Finding::CheckpointBeyond { .. } => CUT,
        };
        let kind = serde_json::to_value(&finding).ok();
        let what = kind.as_ref().and_then(|kind| kind["what"].as_str()).unwrap_or("log").to_owned();
        Self { what, message: finding.to_string(), mend }
    }
}

impl Report {
    /// Prints it, and says whether all is well.
    pub(crate) fn tell(&self, json: bool) -> Result<()> {
        if json {
            output::tell(&serde_json::to_string_pretty(self)?)?;
        } else {
            let kept = self.leaves - self.leaves_read.min(self.leaves);
            let older = if kept > 0 { format!(", {kept} older ones are not kept") } else { String::new() };
            output::tell(&format!(
                "{} leaves{older}, {} checkpoints, {} things held against their leaves",
                self.leaves, self.checkpoints, self.things
            ))?;
            for found in &self.findings {
                output::tell(&format!("{}: {}\n  {}", found.what, found.message, found.mend))?;
            }
        }
        if self.findings.is_empty() { Ok(()) } else { Err(Broken { count: self.findings.len() }.into()) }
    }
}
