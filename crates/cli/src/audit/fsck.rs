//! `vernport audit fsck`: a spool or central's database against its own log.

use super::{
    Unreadable,
    keys::Keys,
    log::Log,
    report::{Found, Report},
    walk::{Leaves, walk},
};
use crate::args::AuditFsck;
use anyhow::Result;
use std::path::Path;
use vernport_audit::{Counts, LeafKind};
use vernport_gateway::LogAlarms;
use vernport_spool::{Inspect, InspectError, Item, QueuedEvidence};

const NO_EVIDENCE: &str = "it was not queued by this gateway, or its leaf was taken out: do not deliver it, keep the \
     file for whoever looks into it";
const OTHER_BYTES: &str = "its bytes or its leaf were changed after it was queued: the gateway puts what does not read \
     into quarantine; keep the file for whoever looks into it";
const COUNTS: &str = "the counts beside the log were changed; the leaf still shows that they were others";
const SET_BACK: &str = "this spool is an older copy, or runs twice: deliver what waits, stop the gateway and move the spool \
     away; a new log begins, and central is told";
const CENTRAL: &str =
    "ask the operator of central what was restored or moved, and when; the gateway goes on meanwhile";

pub(super) async fn run(args: &AuditFsck) -> Result<()> {
    let keys = Keys::read(&args.keys, &[])?;
    let mut log = Log::open(&args.place).await?;
    let (mut report, leaves) = walk(&mut log, &keys).await?;
    match &mut log {
        Log::Folder { .. } => {
            let text =
                "fsck looks into a spool or a database; for exported files there is `vernport audit verify`";
            return Err(Unreadable::Typed(text.into()).into());
        }
        Log::Spool { inside, path } => {
            let held = spool_things(inside, &leaves, &mut report).await;
            held.map_err(|source| Unreadable::Spool { path: path.clone(), source: source.into() })?;
            alarms(inside, path, &mut report).await?;
        }
    }
    report.tell(args.json)
}

/// What waits, and counts, against their leaves.
async fn spool_things(
    inside: &mut Inspect,
    leaves: &Leaves,
    report: &mut Report,
) -> Result<(), InspectError> {
    for topics in [false, true] {
        let mut after = i64::MIN;
        loop {
            let page = inside.queued(topics, after).await?;
            let Some(last) = page.last() else { break };
            after = last.row;
            for queued in &page {
                report.things += 1;
                report.findings.extend(without_evidence(queued, leaves, report.leaves));
            }
        }
    }
    let mut from = 0;
    loop {
        let page = inside.counts(from).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = last + 1;
        for (number, bytes) in &page {
            report.things += 1;
            let leaf = leaves.get(*number);
            let fits = leaf.is_some_and(|leaf| leaf.kind() == LeafKind::Withheld && leaf.commits_to(bytes));
            if (*number >= leaves.first && !fits) || Counts::from_bytes(bytes).is_err() {
                let text = format!("what was withheld is not what leaf {number} commits to");
                report.findings.push(Found::new("counts-changed", text, COUNTS));
            }
        }
    }
}

/// What is wrong with the evidence of something that waits.
fn without_evidence(queued: &QueuedEvidence, leaves: &Leaves, size: u64) -> Option<Found> {
    let (kind, name) = match &queued.item {
        Item::Batch(id) => (LeafKind::Batch, format!("batch {id}")),
        Item::Topic(id) => (LeafKind::Message, format!("message {id}")),
    };
    let fits = |leaf: &&vernport_audit::Leaf| leaf.kind() == kind && leaf.commits_to(&queued.sealed);
    let Some(number) = queued.leaf else {
        // Queued before leaves had numbers: then one of them is its own.
        let any = leaves.kept.iter().flatten().any(|leaf| fits(&leaf));
        let text = format!("{name} waits without evidence: no leaf commits to it");
        return (!any).then(|| Found::new("without-evidence", text, NO_EVIDENCE));
    };
    if number >= size {
        let text = format!("{name} waits without evidence: it names leaf {number}, and there are {size}");
        return Some(Found::new("without-evidence", text, NO_EVIDENCE));
    }
    let known = number < leaves.first || leaves.get(number).as_ref().is_some_and(fits);
    let text = format!("{name} is not what leaf {number} commits to");
    (!known).then(|| Found::new("other-than-evidence", text, OTHER_BYTES))
}

/// What the two sides found wrong with one another's logs.
async fn alarms(inside: &mut Inspect, path: &Path, report: &mut Report) -> Result<(), Unreadable> {
    let kept = inside.kept("log-alarms").await;
    let kept = kept.map_err(|error| Unreadable::Spool { path: path.into(), source: error.into() })?;
    let alarms: LogAlarms = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if let Some(alarm) = alarms.own {
        let text = format!("central saw another log of this gateway: {alarm}");
        report.findings.push(Found::new("alarm-own-log", text, SET_BACK));
    }
    if let Some(alarm) = alarms.central {
        let text = format!("the log of central is not the one that this gateway saw: {alarm}");
        report.findings.push(Found::new("alarm-central-log", text, CENTRAL));
    }
    Ok(())
}
