//! The metrics of central. Their table is config/metrics.md.

use crate::told::{Asked, Look};
use std::sync::atomic::Ordering::Relaxed;
use vernport_status::{Family, number, process_families};
use vernport_store::OpenWork;

/// All families, those without a sample too.
pub(crate) fn families(look: &Look<'_>) -> Vec<Family> {
    let told = look.told;
    let requests =
        Family::counter("vernport_central_requests_total", "Requests, by path of the contract and status.");
    let requests = told.counted.requests().into_iter().fold(requests, |family, ((route, status), count)| {
        family.with(vec![("route", route), ("status", status.to_string())], number(count))
    });
    let refusals =
        Family::counter("vernport_central_refusals_total", "Refusals, by code of the problem document.");
    let refusals = told.counted.refusals().into_iter().fold(refusals, |family, (code, count)| {
        family.with(vec![("code", code.code().to_owned())], number(count))
    });
    let mut families = vec![
        requests,
        refusals,
        Family::counter(
            "vernport_central_refused_clients_total",
            "Clients refused at the handshake or by their certificate.",
        )
        .value(number(told.counted.refused_clients.load(Relaxed))),
        Family::gauge("vernport_central_connections", "Connections that are open.")
            .value(number(look.used_connections())),
        Family::gauge("vernport_central_max_connections", "Connections that may be open.")
            .value(told.max_connections as f64),
        Family::gauge("vernport_central_database_up", "1 while the main database answers.")
            .value(f64::from(u8::from(look.database_answers()))),
        Family::gauge("vernport_central_journal_configured", "1 where there is a journal.")
            .value(f64::from(u8::from(told.store.has_journal()))),
    ];
    counts(look, &mut families);
    work(look, &mut families);
    let stages = Family::gauge(
        "vernport_central_stage_state",
        "How each stage stands: 0 off, 1 ok, 2 waiting, 3 degraded, 4 broken.",
    );
    families.push(look.path().stages.into_iter().fold(stages, |family, stage| {
        family.with(vec![("stage", stage.stage.code().to_owned())], f64::from(stage.state as u8))
    }));
    families.extend([
        Family::counter("vernport_central_turns_total", "Turns of the loop that accepts connections.")
            .value(number(told.turns.load(Relaxed))),
        Family::gauge("vernport_central_info", "1, with the version.")
            .with(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0),
    ]);
    families.extend(process_families());
    families
}

/// What this process counted for each controller.
fn counts(look: &Look<'_>, families: &mut Vec<Family>) {
    let mut batches = Family::counter("vernport_central_batches_total", "Batches that came, by answer.");
    let mut entries =
        Family::counter("vernport_central_entries_total", "Ledger entries recorded by this process.");
    let mut waiting = Family::gauge("vernport_central_feed_waiting", "Gateways whose question is held.");
    let mut heads = Family::counter("vernport_central_heads_total", "Signed heads sent to gateways.");
    let mut fails =
        Family::gauge("vernport_central_duties_failing", "1 while erasing or deleting is broken off.");
    let mut last = Family::gauge(
        "vernport_central_duties_timestamp_seconds",
        "When erasing and deleting last ended well.",
    );
    for controller in look.told.controllers.all() {
        let of = || vec![("controller", controller.id().to_string())];
        let counted = &controller.counted;
        for (answer, count) in counted.answers() {
            let labels = vec![("controller", controller.id().to_string()), ("answer", answer.to_owned())];
            batches = batches.with(labels, number(count));
        }
        entries = entries.with(of(), number(counted.entries.load(Relaxed)));
        waiting = waiting.with(of(), counted.waiting.load(Relaxed) as f64);
        heads = heads.with(of(), number(counted.heads.load(Relaxed)));
        fails = fails.with(of(), f64::from(u8::from(counted.duties_fail.load(Relaxed))));
        let at = counted.duties_at.load(Relaxed);
        if at > 0 {
            last = last.with(of(), at as f64 / 1e6);
        }
    }
    families.extend([batches, entries, waiting, heads, fails, last]);
}

/// What the database says is open for each controller.
fn work(look: &Look<'_>, families: &mut Vec<Family>) {
    let each = |family: Family, of: fn(&OpenWork) -> u64| {
        look.asked.iter().fold(family, |family, asked| match &asked.work {
            Some(work) => family.with(vec![("controller", asked.id.to_string())], number(of(work))),
            None => family,
        })
    };
    let alarms = |family: Family, of: fn((u64, u64)) -> u64| {
        look.asked.iter().fold(family, |family, Asked { id, alarms, .. }| match alarms {
            Some(alarms) => family.with(vec![("controller", id.to_string())], number(of(*alarms))),
            None => family,
        })
    };
    families.extend([
        each(
            Family::counter("vernport_central_swept_total", "Batches deleted because they were due."),
            |work| work.swept,
        ),
        each(
            Family::gauge("vernport_central_retention_late_epochs", "Key epochs whose retention is late."),
            |work| work.late_epochs,
        ),
        each(
            Family::gauge("vernport_central_erasures_open", "Orders to erase without a certificate."),
            |work| work.erasures,
        ),
        each(
            Family::gauge("vernport_central_epochs_fenced", "Key epochs that are fenced and not erased yet."),
            |work| work.fenced_epochs,
        ),
        each(
            Family::gauge("vernport_central_deletions_open", "Orders to recipients that were not confirmed."),
            |work| work.deletions,
        ),
        each(
            Family::gauge("vernport_central_deletions_overdue", "Of these, those whose time is over."),
            |work| work.deletions_overdue,
        ),
        each(Family::gauge("vernport_central_log_leaves", "Leaves of the evidence log."), |work| work.leaves),
        alarms(
            Family::counter("vernport_central_log_alarms_total", "What was found wrong with evidence logs."),
            |(ever, _)| ever,
        ),
        alarms(
            Family::gauge(
                "vernport_central_log_alarms_now",
                "Gateways with whose log something is wrong now.",
            ),
            |(_, now)| now,
        ),
    ]);
}
