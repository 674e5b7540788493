//! How each stage of a gateway stands: a pure function of what it has counted.

use crate::{CertificateHealth, Status, config::Config};
use vernport_canbus::ControllerState;
use vernport_decode::poll::Standing;
use vernport_mqtt::{LinkState, LinkStatus};
use vernport_policy::Table;
use vernport_status::{Cause, Daemon, PathStatus, Stage, StageKind, State};
use vernport_types::{Reason, Slug, Stamp, TimeQuality, UtcMicros};

/// Frames without one value after which the bus is taken to be another one than was meant.
const FRAMES_WITHOUT_VALUE: u64 = 2_000;
/// A head older than this is missed, in seconds: heads come every three at most.
pub(crate) const HEAD_MISSED_SECONDS: i64 = 30;
/// And after this central counts as unreachable: consent flows are closed by then.
pub(crate) const HEAD_LOST_SECONDS: i64 = 300;

/// What the configuration says of the path.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The name of the gateway.
    pub name: String,
    /// The sources, as written.
    pub buses: Vec<String>,
    /// Whether fleet operators get messages.
    pub fleet: bool,
    /// Whether workshop tools are heard.
    pub tools: bool,
}

impl Plan {
    /// Of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            name: config.gateway.name.to_string(),
            buses: config.bus.iter().map(|bus| bus.source.clone()).collect(),
            fleet: config.fleet.is_some(),
            tools: config.tools.is_some(),
        }
    }
}

/// What is looked up when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub now: Stamp,
    /// When the gateway started.
    pub started: Stamp,
    /// Whether its main loop goes round.
    pub lives: bool,
    /// Whether the spool answered.
    pub spool_read: bool,
    /// Until when the first of the open flows is believed.
    pub believed_until: Option<UtcMicros>,
}

/// Until when the first of the open flows is believed, if no other head comes; none where none is open.
pub(crate) fn believed_until(table: &Table, heard: Option<Stamp>) -> Option<UtcMicros> {
    let opened = table.snapshot()?.grants.iter().flat_map(|grant| &grant.flows);
    let until = opened.map(|opened| {
        let lease = opened.believe.lease_seconds.zip(heard);
        let leased = lease.map(|(seconds, heard)| heard.wall.plus_seconds(i64::from(seconds)));
        leased.map_or(opened.believe.until, |leased| leased.min(opened.believe.until))
    });
    until.min()
}

/// How a gateway stands.
pub fn path(status: &Status, plan: &Plan, moment: &Moment) -> PathStatus {
    let mut stages: Vec<Stage> =
        (0..plan.buses.len()).map(|place| bus(status, place, &plan.buses[place])).collect();
    if stages.is_empty() {
        stages.push(Stage::new(StageKind::Bus, State::Off));
    }
    stages.extend([
        decode(status),
        visit(status),
        decide(status, moment),
        seal(status),
        spool(status, moment),
        uplink(status, moment),
    ]);
    stages.extend(brokers(status, plan));
    let version = env!("CARGO_PKG_VERSION");
    PathStatus::of(Daemon::Gateway, plan.name.clone(), version, moment.now.wall, stages)
}

fn bus(status: &Status, place: usize, source: &str) -> Stage {
    let heard = status.tally.heard.get(place).copied().unwrap_or_default();
    let stage = Stage::new(StageKind::Bus, State::Ok).named(source).last(heard.at);
    let stage = stage.count("frames", heard.frames);
    let live = status.buses.iter().find(|bus| bus.place == place);
    let Some(live) = live else { return stage.because(Cause::NoFrames, heard.frames == 0) };
    let (counters, errors) = (live.counters, live.counters.bus_errors);
    let stage = stage
        .count("lost", counters.dropped)
        .count("kept_away", counters.filtered)
        .count("bus_errors", errors.reports)
        .because(Cause::BusDown, live.is_down)
        .because(Cause::BusErrors, matches!(errors.state, ControllerState::Passive | ControllerState::BusOff))
        .because(Cause::FramesLost, counters.dropped > 0 && counters.dropped > heard.frames / 1000)
        .because(Cause::NoFrames, heard.frames == 0);
    let Some(asking) = live.asking else { return stage };
    stage
        .count("asked", asking.counts.asked)
        .count("answered", asking.counts.answered)
        .because(Cause::OtherTester, matches!(asking.standing, Standing::OtherTester { .. }))
}

fn decode(status: &Status) -> Stage {
    let tally = &status.tally;
    let values = tally.readings + tally.unidentified;
    let rejected: u64 = tally.rejected.values().sum();
    let state = if tally.frames + tally.tool_messages == 0 { State::Waiting } else { State::Ok };
    let nothing = values + rejected == 0 && tally.frames >= FRAMES_WITHOUT_VALUE;
    let mut codes: Vec<_> = tally.rejected.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    codes.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    Stage::new(StageKind::Decode, state)
        .last(tally.decided_at)
        .count("values", values)
        .count("rejected", rejected)
        .because(Cause::NothingDecoded, nothing)
        .codes(codes)
}

fn visit(status: &Status) -> Stage {
    let tally = &status.tally;
    let present = tally.visits > tally.visits_ended;
    let expected = u64::try_from(status.expected_assets).unwrap_or(u64::MAX);
    let stage = Stage::new(StageKind::Visit, if present { State::Ok } else { State::Waiting })
        .last(tally.visit_at)
        .count("recognised", tally.visits)
        .count("expected", expected)
        .because(Cause::NobodyExpected, !present && expected == 0);
    stage.reasons([(Reason::Unidentified, tally.unidentified)])
}

/// Reasons that say something of this box, not of what people and firms decided.
const OF_THE_BOX: [Reason; 5] = [
    Reason::NoBundle,
    Reason::RecipientKeyMissing,
    Reason::GrantStale,
    Reason::RuleBroken,
    Reason::NoEvidence,
];

fn decide(status: &Status, moment: &Moment) -> Stage {
    let tally = &status.tally;
    let (exact, coarsened, withheld) = tally.totals();
    let mut state = if exact + coarsened > 0 { State::Ok } else { State::Waiting };
    let mut reasons = tally.reasons();
    for (reason, count) in &tally.dropped {
        *reasons.entry(*reason).or_default() += count;
    }
    if OF_THE_BOX.iter().any(|reason| reasons.contains_key(reason)) {
        state = State::Degraded;
    }
    let mut stage = Stage::new(StageKind::Decide, state)
        .last(tally.decided_at)
        .count("exact", exact)
        .count("coarsened", coarsened)
        .count("withheld", withheld)
        .because(Cause::StandsStill, !moment.lives);
    if moment.now.quality == TimeQuality::Unset {
        // It holds now, however often it held before.
        let reason = Reason::ClockUntrusted;
        reasons.remove(&reason);
        stage.state = State::Broken;
        stage.remedy.get_or_insert_with(|| reason.remedy().to_owned());
        stage = stage.codes([(reason.code(), 1)]);
    }
    stage.reasons(reasons)
}

fn seal(status: &Status) -> Stage {
    let tally = &status.tally;
    let state = if tally.sealed_at.is_some() { State::Ok } else { State::Waiting };
    Stage::new(StageKind::Seal, state)
        .last(tally.sealed_at)
        .count("batches", tally.queued_batches)
        .count("messages", tally.queued_messages)
        .count("gathered", tally.gathered)
        .count("unsealed", tally.unsealed)
        .because(Cause::Unsealed, tally.unsealed > 0)
}

fn spool(status: &Status, moment: &Moment) -> Stage {
    let spool = &status.spool;
    let stage = Stage::new(StageKind::Spool, State::Ok);
    if !moment.spool_read {
        return stage.because(Cause::SpoolUnread, true);
    }
    let used_hundredths = u128::from(spool.used_bytes) * 100 / u128::from(spool.max_bytes.max(1));
    stage
        .last(status.tally.sealed_at)
        .count("queued", spool.batches_queued + spool.topics_queued)
        .count("parked", spool.batches_parked + spool.topics_parked)
        .count("quarantined", spool.quarantined)
        .count("gave_way", spool.batches_dropped + spool.topics_dropped)
        .count("used_bytes", spool.used_bytes)
        .count("max_bytes", spool.max_bytes)
        .count("taken_bytes_last_hour", spool.last_hour.taken_bytes)
        .count("freed_bytes_last_hour", spool.last_hour.freed_bytes)
        .count("last_hour_seconds", spool.last_hour.seconds)
        .because(Cause::NoRoom, status.waiting_for_room)
        .because(Cause::ReserveBroken, !spool.reserve_whole)
        .because(Cause::NearlyFull, used_hundredths >= 80)
        .because(Cause::Quarantined, spool.quarantined > 0)
}

fn uplink(status: &Status, moment: &Moment) -> Stage {
    let now = moment.now;
    // By the boot clock: a wall clock that is set back makes no head fresh again.
    let since = |stamp: Stamp| i64::try_from(now.boot.0.saturating_sub(stamp.boot.0) / 1_000_000);
    let heard = status.head.map(|(_, asked)| asked);
    let seconds = since(heard.unwrap_or(moment.started)).unwrap_or(i64::MAX);
    let certificate = status.certificate.map(|seen| seen.health);
    let state = if heard.is_some() { State::Ok } else { State::Waiting };
    let sent = status.delivering;
    Stage::new(StageKind::Uplink, state)
        .last(heard.map(|stamp| stamp.wall))
        .count("committed", sent.committed + sent.duplicate)
        .count("refused", sent.refused_withdrawn + sent.parked_restricted)
        .count("failures", status.central_failures)
        .count("station_waits", u64::try_from(status.station_links).unwrap_or(u64::MAX))
        .because(Cause::CentralRolledBack, status.central_rolled_back)
        .because(Cause::CertificateOver, certificate == Some(CertificateHealth::Ended))
        .because(Cause::CentralUnreachable, seconds >= HEAD_LOST_SECONDS)
        .because(Cause::CentralSilent, (HEAD_MISSED_SECONDS..HEAD_LOST_SECONDS).contains(&seconds))
        .because(Cause::DeliveryFails, sent.failing)
        .because(Cause::LogAlarm, status.log.alarms.own.is_some() || status.log.alarms.central.is_some())
        .because(Cause::StationRefused, status.station_refused > 0)
        .because(Cause::CertificateEnds, certificate == Some(CertificateHealth::Late))
}

fn brokers(status: &Status, plan: &Plan) -> Vec<Stage> {
    let is_away = |link: &Option<LinkStatus>| link.as_ref().is_none_or(|link| link.state == LinkState::Down);
    let mut stages = Vec::new();
    let operator = |(operator, of): (&Slug, &crate::OperatorStatus)| {
        let state = if of.last_at.is_some() { State::Ok } else { State::Waiting };
        Stage::new(StageKind::Broker, state)
            .named(operator.as_str())
            .last(of.last_at)
            .count("published", of.published)
            .count("skipped", of.skipped)
            .because(Cause::BrokerAway, is_away(&status.fleet))
    };
    stages.extend(status.operators.iter().map(operator));
    if plan.fleet && stages.is_empty() {
        let stage = Stage::new(StageKind::Broker, State::Waiting).named("fleet");
        stages.push(stage.because(Cause::BrokerAway, is_away(&status.fleet)));
    }
    if plan.tools {
        let accepted = status.tool_results.get("accepted").copied().unwrap_or(0);
        let mut codes: Vec<_> = status.tool_results.iter().map(|(code, count)| (*code, *count)).collect();
        codes.retain(|(code, _)| !matches!(*code, "accepted" | "duplicate"));
        codes.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
        let state = if accepted > 0 { State::Ok } else { State::Waiting };
        stages.push(
            Stage::new(StageKind::Broker, state)
                .named("tools")
                .count("accepted", accepted)
                .count("refused", status.refused_tool_messages)
                .count("quarantined", status.spool.refused_tool_messages)
                .count("passed_over", status.passed_over.values().sum())
                .because(Cause::BrokerAway, is_away(&status.tools))
                .codes(codes),
        );
    }
    if stages.is_empty() {
        stages.push(Stage::new(StageKind::Broker, State::Off));
    }
    stages
}

#[cfg(test)]
mod tests;
