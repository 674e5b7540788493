//! The metrics of a gateway, taken from what it has counted. Their table is config/metrics.md.

use crate::{
    Status,
    path::{Moment, Plan, path},
};
use vernport_decode::RejectCode;
use vernport_mqtt::{LinkState, PassedOver, ResultCode};
use vernport_status::{Family, number, process_families};
use vernport_types::{Reason, Stamp, TimeQuality, UtcMicros};

/// All families, those without a sample too.
pub(crate) fn families(status: &Status, plan: &Plan, moment: &Moment) -> Vec<Family> {
    let mut families = Vec::new();
    readings(status, plan, &mut families);
    spool(status, &mut families);
    central(status, moment, &mut families);
    edges(status, plan, moment, &mut families);
    families.extend(process_families());
    families
}

fn seconds(at: UtcMicros) -> f64 {
    at.0 as f64 / 1e6
}

fn one(key: &'static str, value: impl Into<String>) -> Vec<(&'static str, String)> {
    vec![(key, value.into())]
}

fn by_word<const N: usize>(family: Family, key: &'static str, counts: [(&str, u64); N]) -> Family {
    counts.into_iter().fold(family, |family, (word, count)| family.with(one(key, word), number(count)))
}

/// From the bus to what is sealed.
fn readings(status: &Status, plan: &Plan, families: &mut Vec<Family>) {
    let tally = &status.tally;
    let mut frames = Family::counter("vernport_gateway_frames_total", "Frames taken, by source.");
    let mut lost = Family::counter(
        "vernport_gateway_frames_lost_total",
        "Frames lost because a queue was full, the kernel's too.",
    );
    let mut kept =
        Family::counter("vernport_gateway_frames_filtered_total", "Frames that no filter let through.");
    let mut errors =
        Family::counter("vernport_gateway_bus_errors_total", "Reports of the controller of a bus.");
    let mut up = Family::gauge("vernport_gateway_bus_up", "1 while a live bus is read, 0 while it is down.");
    let mut requests = Family::counter("vernport_gateway_requests_total", "Requests on a bus, by outcome.");
    for (place, source) in plan.buses.iter().enumerate() {
        let bus = || one("bus", source);
        let heard = tally.heard.get(place).map_or(0, |heard| heard.frames);
        frames = frames.with(bus(), number(heard));
        let Some(live) = status.buses.iter().find(|live| live.place == place) else { continue };
        lost = lost.with(bus(), number(live.counters.dropped));
        kept = kept.with(bus(), number(live.counters.filtered));
        errors = errors.with(bus(), number(live.counters.bus_errors.reports));
        up = up.with(bus(), if live.is_down { 0.0 } else { 1.0 });
        let Some(asking) = live.asking else { continue };
        let counts = asking.counts;
        for (outcome, count) in [
            ("answered", counts.answered),
            ("refused", counts.refused),
            ("unanswered", counts.unanswered),
            ("unsent", asking.unsent),
        ] {
            let labels = vec![("bus", source.clone()), ("outcome", outcome.to_owned())];
            requests = requests.with(labels, number(count));
        }
    }
    families.extend([frames, lost, kept, errors, up, requests]);
    let (exact, coarsened, _) = tally.totals();
    families.push(
        Family::counter("vernport_gateway_readings_total", "Readings that were decided on.")
            .value(number(tally.readings)),
    );
    let rejected = Family::counter(
        "vernport_gateway_values_rejected_total",
        "Bytes that did not become a value, by code.",
    );
    families.push(RejectCode::ALL.iter().fold(rejected, |family, code| {
        family.with(one("code", code.as_str()), number(tally.rejected.get(code).copied().unwrap_or(0)))
    }));
    let released = Family::counter("vernport_gateway_released_total", "Releases, as read or coarser.");
    families.push(by_word(released, "how", [("exact", exact), ("coarsened", coarsened)]));
    let reasons = tally.reasons();
    let of =
        |counts: &std::collections::BTreeMap<Reason, u64>, reason| counts.get(reason).copied().unwrap_or(0);
    let withheld =
        Family::counter("vernport_gateway_withheld_total", "Readings withheld, by reason and flow decision.");
    families.push(Reason::ALL.iter().fold(withheld, |family, reason| {
        family.with(one("reason", reason.code()), number(of(&reasons, reason)))
    }));
    let dropped = Family::counter(
        "vernport_gateway_dropped_total",
        "Releases dropped before they were queued, by reason.",
    );
    families.push(Reason::ALL.iter().fold(dropped, |family, reason| {
        family.with(one("reason", reason.code()), number(of(&tally.dropped, reason)))
    }));
    families.extend([
        Family::counter("vernport_gateway_unsealed_total", "Releases that could not be sealed.")
            .value(number(tally.unsealed)),
        by_word(
            Family::counter("vernport_gateway_visits_total", "Visits that began or ended."),
            "event",
            [("began", tally.visits), ("ended", tally.visits_ended)],
        ),
        Family::gauge("vernport_gateway_expected_assets", "Vehicles with an order here or mounted here.")
            .value(status.expected_assets as f64),
        by_word(
            Family::counter(
                "vernport_gateway_sealed_total",
                "Batches for central and messages for topics that were sealed.",
            ),
            "kind",
            [("batch", tally.queued_batches), ("message", tally.queued_messages)],
        ),
    ]);
}

/// What waits.
fn spool(status: &Status, families: &mut Vec<Family>) {
    let spool = &status.spool;
    let mut items =
        Family::gauge("vernport_gateway_spool_items", "Batches and messages in the spool, by state.");
    for (kind, state, count) in [
        ("batch", "queued", spool.batches_queued),
        ("batch", "parked", spool.batches_parked),
        ("message", "queued", spool.topics_queued),
        ("message", "parked", spool.topics_parked),
        ("any", "quarantined", spool.quarantined),
    ] {
        items = items.with(vec![("kind", kind.to_owned()), ("state", state.to_owned())], number(count));
    }
    let oldest =
        Family::gauge("vernport_gateway_spool_oldest_timestamp_seconds", "When the oldest item was queued.");
    families.extend([
        items,
        Family::gauge("vernport_gateway_spool_used_bytes", "Bytes that wait.")
            .value(number(spool.used_bytes)),
        Family::gauge("vernport_gateway_spool_max_bytes", "Bytes that may wait.")
            .value(number(spool.max_bytes)),
        spool.oldest_at.map_or(oldest.clone(), |at| oldest.value(seconds(at))),
        Family::counter("vernport_gateway_spool_taken_bytes_total", "Bytes queued.")
            .value(number(spool.flowed.taken_bytes)),
        Family::counter(
            "vernport_gateway_spool_freed_bytes_total",
            "Bytes delivered, destroyed or given way.",
        )
        .value(number(spool.flowed.freed_bytes)),
        Family::counter(
            "vernport_gateway_spool_commits_total",
            "Transactions of the spool, each synchronised to the disk.",
        )
        .value(number(spool.commits)),
        by_word(
            Family::counter(
                "vernport_gateway_spool_gave_way_total",
                "What gave way since the spool was made.",
            ),
            "kind",
            [("batch", spool.batches_dropped), ("message", spool.topics_dropped)],
        ),
        Family::counter("vernport_gateway_spool_refused_units_total", "Units refused for want of room.")
            .value(number(spool.refused_units)),
        Family::gauge(
            "vernport_gateway_spool_reserve_whole",
            "1 while the reserve for a full disk is whole.",
        )
        .value(f64::from(u8::from(spool.reserve_whole))),
        Family::gauge("vernport_gateway_waiting_for_room", "1 while reading stands still for want of room.")
            .value(f64::from(u8::from(status.waiting_for_room))),
        Family::counter(
            "vernport_gateway_settled_total",
            "Batches and messages parked or destroyed instead of sent.",
        )
        .value(number(status.settled_items)),
    ]);
}

/// What goes to central and comes from there.
fn central(status: &Status, moment: &Moment, families: &mut Vec<Family>) {
    let sent = status.delivering;
    let answers =
        Family::counter("vernport_gateway_batches_total", "Batches sent to central, by its answer.");
    let head = status.head.map(|(_, asked)| asked);
    let age = |stamp: Stamp| moment.now.boot.0.saturating_sub(stamp.boot.0) as f64 / 1e6;
    let head_age = Family::gauge(
        "vernport_gateway_head_age_seconds",
        "Since the last signed head was asked for; none before the first.",
    );
    let believed = Family::gauge(
        "vernport_gateway_believed_until_timestamp_seconds",
        "When the first open flow closes if no other head comes; none where none is open.",
    );
    let ends = Family::gauge(
        "vernport_gateway_certificate_not_after_timestamp_seconds",
        "When the certificate towards central ends.",
    );
    let alarms = status.log.alarms;
    families.extend([
        by_word(
            answers,
            "answer",
            [
                ("committed", sent.committed),
                ("duplicate", sent.duplicate),
                ("refused-withdrawn", sent.refused_withdrawn),
                ("parked-restricted", sent.parked_restricted),
                ("retry", sent.retry),
                ("quarantined", sent.quarantined),
            ],
        ),
        Family::counter("vernport_gateway_central_failures_total", "Calls to central that failed.")
            .value(number(status.central_failures)),
        head.map_or(head_age.clone(), |stamp| head_age.value(age(stamp))),
        moment.believed_until.map_or(believed.clone(), |at| believed.value(seconds(at))),
        status.certificate.map_or(ends.clone(), |seen| ends.value(seconds(seen.until))),
        Family::gauge(
            "vernport_gateway_central_rolled_back",
            "1 while central is behind what it said before.",
        )
        .value(f64::from(u8::from(status.central_rolled_back))),
        Family::gauge(
            "vernport_gateway_station_waiting",
            "Things said at the station that central does not know yet.",
        )
        .value(status.station_links as f64),
        Family::counter(
            "vernport_gateway_station_refused_total",
            "Things said at the station that central did not take.",
        )
        .value(number(status.station_refused)),
        by_word(
            Family::gauge(
                "vernport_gateway_log_leaves",
                "Leaves of the evidence logs: own, own as cosigned by central, central's as seen.",
            ),
            "log",
            [
                ("own", status.spool.leaves),
                ("cosigned", status.log.cosigned_leaves),
                ("central", status.log.central_leaves),
            ],
        ),
        Family::counter("vernport_gateway_log_alarms_total", "What was found wrong with an evidence log.")
            .value(number(alarms.count)),
        by_word(
            Family::gauge("vernport_gateway_log_alarm", "1 while something is wrong with the log."),
            "log",
            [("own", u64::from(alarms.own.is_some())), ("central", u64::from(alarms.central.is_some()))],
        ),
    ]);
}

/// Brokers, clock and the process.
fn edges(status: &Status, plan: &Plan, moment: &Moment, families: &mut Vec<Family>) {
    let mut messages =
        Family::counter("vernport_gateway_topic_messages_total", "Messages for fleet operators, by outcome.");
    for (operator, of) in &status.operators {
        for (outcome, count) in [("published", of.published), ("skipped", of.skipped)] {
            let labels = vec![("operator", operator.to_string()), ("outcome", outcome.to_owned())];
            messages = messages.with(labels, number(count));
        }
    }
    let mut links = Family::gauge("vernport_gateway_broker_up", "1 while the broker is connected.");
    for (broker, link) in [("fleet", &status.fleet), ("tools", &status.tools)] {
        if let Some(link) = link {
            links = links.with(one("broker", broker), f64::from(u8::from(link.state == LinkState::Up)));
        }
    }
    let results =
        Family::counter("vernport_gateway_tool_messages_total", "Messages of workshop tools, by answer.");
    let results = ResultCode::ALL.iter().fold(results, |family, code| {
        let count = status.tool_results.get(code.as_str()).copied().unwrap_or(0);
        family.with(one("result", code.as_str()), number(count))
    });
    let passed_over = Family::counter(
        "vernport_gateway_tool_values_passed_over_total",
        "What of tools' messages became no reading, by why.",
    );
    let whys = PassedOver::default().by_why().map(|(why, _)| why);
    let passed_over =
        by_word(passed_over, "why", whys.map(|why| (why, status.passed_over.get(why).copied().unwrap_or(0))));
    let quality =
        Family::gauge("vernport_gateway_clock_quality", "1 for how far the clock can be trusted now.");
    let qualities =
        [("unset", TimeQuality::Unset), ("bounded", TimeQuality::Bounded), ("synced", TimeQuality::Synced)];
    let quality = by_word(
        quality,
        "quality",
        qualities.map(|(word, quality)| (word, u64::from(quality == moment.now.quality))),
    );
    let stages = Family::gauge(
        "vernport_gateway_stage_state",
        "How each stage stands: 0 off, 1 ok, 2 waiting, 3 degraded, 4 broken.",
    );
    let stages = path(status, plan, moment).stages.into_iter().fold(stages, |family, stage| {
        let labels = vec![("stage", stage.stage.code().to_owned()), ("name", stage.name.unwrap_or_default())];
        family.with(labels, f64::from(stage.state as u8))
    });
    families.extend([
        messages,
        links,
        results,
        passed_over,
        Family::gauge(
            "vernport_gateway_tool_messages_quarantined",
            "Refused messages of tools that are remembered, by hash.",
        )
        .value(number(status.spool.refused_tool_messages)),
        quality,
        stages,
        Family::counter("vernport_gateway_turns_total", "Turns of the loop that decides and queues.")
            .value(number(status.turns)),
        Family::gauge("vernport_gateway_start_timestamp_seconds", "When the gateway started.")
            .value(seconds(moment.started.wall)),
        Family::gauge("vernport_gateway_info", "1, with the version.")
            .with(one("version", env!("CARGO_PKG_VERSION")), 1.0),
    ]);
}
