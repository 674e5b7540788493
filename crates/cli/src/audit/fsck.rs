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
use vernport_store::{Look, StoreError, Things};

const NO_EVIDENCE: &str = "it was not queued by this gateway, or its leaf was taken out: do not deliver it, keep the \
     file for whoever looks into it";
const OTHER_BYTES: &str = "its bytes or its leaf were changed after it was queued: the gateway puts what does not read \
     into quarantine; keep the file for whoever looks into it";
const COUNTS: &str = "the counts beside the log were changed; the leaf still shows that they were others";
const SET_BACK: &str = "this spool is an older copy, or runs twice: deliver what waits, stop the gateway and move the spool \
     away; a new log begins, and central is told";
const PUT_IN: &str = "it was not recorded by central, or its leaf was changed: keep the database for whoever looks \
     into it, and compare it with a backup";
const TAKEN_OUT: &str = "a row was deleted from outside, or the database was put together from two backups: bring the \
     newest backup back";
const GATEWAY: &str = "ask who keeps the box whether its spool was set back, copied or replaced; its deliveries go on \
     meanwhile";
const CENTRAL: &str =
    "ask the operator of central what was restored or moved, and when; the gateway goes on meanwhile";

pub(super) async fn report(args: &AuditFsck) -> Result<Report> {
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
        Log::Central { look } => {
            central_things(look, &mut report).await.map_err(|error| Unreadable::Store(error.into()))?;
        }
    }
    log.close().await;
    Ok(report)
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

/// What central recorded, against the leaves at its positions; and the other way round.
async fn central_things(look: &mut Look, report: &mut Report) -> Result<(), StoreError> {
    for things in [Things::Entries, Things::Batches, Things::Reads] {
        let mut after = 0;
        loop {
            let page = look.recorded(things, after).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            report.things += page.len() as u64;
            for thing in page.into_iter().filter(|thing| !thing.has_evidence) {
                let text =
                    format!("{} stands in the database without evidence: no leaf commits to it", thing.name);
                report.findings.push(Found::new("without-evidence", text, PUT_IN));
            }
        }
    }
    let mut after = -1;
    loop {
        let page = look.orphans(after).await?;
        let Some((last, _)) = page.last() else { break };
        after = i64::try_from(*last).unwrap_or(i64::MAX);
        // Batches are deleted when they are due.
        for (number, kind) in page.iter().filter(|(_, kind)| matches!(kind, LeafKind::Entry | LeafKind::Read))
        {
            let what = if *kind == LeafKind::Entry { "ledger entry" } else { "read" };
            let text = format!("leaf {number} is evidence of a {what} that is not there any more");
            report.findings.push(Found::new("evidence-of-nothing", text, TAKEN_OUT));
        }
    }
    for (gateway, own, central) in look.alarms().await? {
        if let Some(alarm) = own {
            let text = format!("the log of gateway {gateway} is not the one that was seen: {alarm}");
            report.findings.push(Found::new("alarm-gateway-log", text, GATEWAY));
        }
        if let Some(alarm) = central {
            let text = format!("gateway {gateway} saw another log of this central: {alarm}");
            report.findings.push(Found::new("alarm-central-log", text, CENTRAL));
        }
    }
    Ok(())
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
