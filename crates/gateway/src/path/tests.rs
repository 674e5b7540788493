//! How a gateway stands, against what is put into it.

use super::*;
use crate::{BusStatus, CertificateSeen, OperatorStatus, metrics::families, status::Shared, tally::Heard};
use proptest::prelude::*;
use std::collections::BTreeSet;
use vernport_canbus::Counters;
use vernport_policy::Head;
use vernport_spool::SpoolStatus;
use vernport_status::Exposition;
use vernport_types::BootMicros;

const NOW: Stamp = Stamp {
    wall: UtcMicros(1_800_000_000_000_000),
    boot: BootMicros(10_000_000_000),
    quality: TimeQuality::Bounded,
};

fn ago(seconds: u64) -> Stamp {
    let micros = seconds * 1_000_000;
    Stamp { wall: NOW.wall.plus_seconds(-(seconds as i64)), boot: BootMicros(NOW.boot.0 - micros), ..NOW }
}

fn head() -> Head {
    Head { era: 0, sequence: 1, at: NOW.wall, nonce: [0; 16], snapshot_hash: [0; 32] }
}

/// A gateway in which everything goes well.
fn well() -> (Status, Plan, Moment) {
    let shared = Shared::default();
    let spool =
        SpoolStatus { max_bytes: 1_000, used_bytes: 10, reserve_whole: true, ..SpoolStatus::default() };
    let mut status = shared.read(shared.seen(), spool, 0);
    status.head = Some((head(), ago(2)));
    status.certificate = certificate(CertificateHealth::Good);
    status.expected_assets = 1;
    let tally = &mut status.tally;
    (tally.frames, tally.readings, tally.visits) = (5_000, 100, 1);
    tally.heard = vec![Heard { frames: 5_000, at: Some(NOW.wall) }];
    (tally.decided_at, tally.sealed_at) = (Some(NOW.wall), Some(NOW.wall));
    tally.released(vernport_types::SignalId(0), vernport_policy::FlowIndex(0), vernport_policy::How::Exact);
    let bus =
        BusStatus { place: 0, is_down: false, counters: Counters::default(), filtered: false, asking: None };
    status.buses = vec![bus];
    status.fleet = Some(LinkStatus { state: LinkState::Up, ..LinkStatus::default() });
    let got = OperatorStatus { published: 3, skipped: 0, last_at: Some(NOW.wall) };
    status.operators.insert("haulage".parse().expect("a slug"), got);
    let plan = Plan { name: "bay-1".into(), buses: vec!["can:can0".into()], fleet: true, tools: false };
    let moment =
        Moment { now: NOW, started: ago(3_600), lives: true, spool_read: true, believed_until: None };
    (status, plan, moment)
}

fn certificate(health: CertificateHealth) -> Option<CertificateSeen> {
    Some(CertificateSeen { until: NOW.wall, health })
}

fn stage(path: &PathStatus, kind: StageKind) -> &Stage {
    path.stages.iter().find(|stage| stage.stage == kind).expect("every path has it")
}

#[test]
fn a_gateway_in_which_all_goes_well_says_so_stage_by_stage() {
    let (status, plan, moment) = well();
    let path = path(&status, &plan, &moment);
    assert_eq!(path.state, State::Ok, "{path:#?}");
    let kinds: Vec<_> = path.stages.iter().map(|stage| stage.stage.code()).collect();
    assert_eq!(kinds, ["bus", "decode", "visit", "decide", "seal", "spool", "uplink", "broker"]);
    assert!(path.stages.iter().all(|stage| stage.remedy.is_none() && stage.reasons.is_empty()));
}

/// What may break, how, and which stage has to say so by which code.
type Breakage = (fn(&mut Status, &mut Moment), StageKind, State, &'static str);
const BREAKAGES: &[Breakage] = &[
    (|s, _| s.buses[0].is_down = true, StageKind::Bus, State::Broken, "bus-down"),
    (|s, _| s.buses[0].counters.dropped = 100, StageKind::Bus, State::Degraded, "frames-lost"),
    (
        |s, _| s.buses[0].counters.bus_errors.state = ControllerState::BusOff,
        StageKind::Bus,
        State::Degraded,
        "bus-errors",
    ),
    (|s, _| s.tally.readings = 0, StageKind::Decode, State::Degraded, "nothing-decoded"),
    (|_, m| m.lives = false, StageKind::Decide, State::Broken, "stands-still"),
    (|_, m| m.now.quality = TimeQuality::Unset, StageKind::Decide, State::Broken, "clock-untrusted"),
    (
        |s, _| *s.tally.dropped.entry(Reason::RecipientKeyMissing).or_default() += 1,
        StageKind::Decide,
        State::Degraded,
        "recipient-key-missing",
    ),
    (|s, _| s.tally.unsealed = 1, StageKind::Seal, State::Degraded, "unsealed"),
    (|s, _| s.waiting_for_room = true, StageKind::Spool, State::Broken, "no-room"),
    (|s, _| s.spool.reserve_whole = false, StageKind::Spool, State::Broken, "reserve-broken"),
    (|s, _| s.spool.used_bytes = 800, StageKind::Spool, State::Degraded, "nearly-full"),
    (|s, _| s.spool.quarantined = 1, StageKind::Spool, State::Degraded, "quarantined"),
    (|_, m| m.spool_read = false, StageKind::Spool, State::Broken, "spool-unread"),
    (|s, _| s.central_rolled_back = true, StageKind::Uplink, State::Broken, "central-rolled-back"),
    (|s, _| s.head = Some((head(), ago(31))), StageKind::Uplink, State::Degraded, "central-silent"),
    (|s, _| s.head = Some((head(), ago(301))), StageKind::Uplink, State::Broken, "central-unreachable"),
    (|s, _| s.head = None, StageKind::Uplink, State::Broken, "central-unreachable"),
    (|s, _| s.delivering.failing = true, StageKind::Uplink, State::Degraded, "delivery-fails"),
    (|s, _| s.station_refused = 1, StageKind::Uplink, State::Degraded, "station-refused"),
    (
        |s, _| s.log.alarms.own = Some(vernport_api::LogAlarm::Forked),
        StageKind::Uplink,
        State::Degraded,
        "log-alarm",
    ),
    (
        |s, _| s.certificate = certificate(CertificateHealth::Ended),
        StageKind::Uplink,
        State::Broken,
        "certificate-over",
    ),
    (
        |s, _| s.certificate = certificate(CertificateHealth::Late),
        StageKind::Uplink,
        State::Degraded,
        "certificate-ends",
    ),
    (|s, _| s.fleet = Some(LinkStatus::default()), StageKind::Broker, State::Degraded, "broker-away"),
];

#[test]
fn each_thing_that_breaks_is_said_by_its_stage_with_its_code_and_a_remedy() {
    for (breaks, kind, state, code) in BREAKAGES {
        let (mut status, plan, mut moment) = well();
        breaks(&mut status, &mut moment);
        let path = path(&status, &plan, &moment);
        let stage = stage(&path, *kind);
        assert_eq!((stage.state, path.state), (*state, *state), "{code}: {stage:?}");
        assert!(stage.reasons.iter().any(|told| told.code == *code), "{code}: {stage:?}");
        assert!(stage.remedy.is_some(), "{code}");
        let others = path.stages.iter().filter(|other| other.stage != *kind);
        assert!(others.clone().all(|other| !other.state.is_trouble()), "{code} spoils another stage");
    }
}

#[test]
fn a_head_is_no_fresher_by_a_wall_clock_that_is_set_back_and_a_young_gateway_waits() {
    let (mut status, plan, mut moment) = well();
    status.head = Some((head(), ago(400)));
    moment.now.wall = ago(400).wall;
    assert_eq!(stage(&path(&status, &plan, &moment), StageKind::Uplink).state, State::Broken);
    (status.head, moment.started) = (None, ago(5));
    assert_eq!(stage(&path(&status, &plan, &moment), StageKind::Uplink).state, State::Waiting);
}

#[test]
fn what_people_and_firms_decided_is_told_and_is_no_trouble() {
    let (mut status, plan, moment) = well();
    status.tally.rows.clear();
    for reason in [Reason::ConsentMissing, Reason::ConsentMissing, Reason::OrderNotOpen] {
        status.tally.withheld(vernport_types::SignalId(0), None, reason);
    }
    let path = path(&status, &plan, &moment);
    let decide = stage(&path, StageKind::Decide);
    assert_eq!((decide.state, decide.counts["withheld"]), (State::Waiting, 3));
    let told: Vec<_> = decide.reasons.iter().map(|told| (told.code.as_str(), told.count)).collect();
    assert_eq!(told, [("consent-missing", 2), ("order-not-open", 1)]);
    assert_eq!(decide.remedy.as_deref(), Some(Reason::ConsentMissing.remedy()));
}

proptest! {
    #[test]
    fn never_is_a_stage_well_with_a_broken_part_however_many_break_at_once(
        which in prop::collection::btree_set(0..BREAKAGES.len(), 0..6)
    ) {
        let (mut status, plan, mut moment) = well();
        for place in &which {
            BREAKAGES[*place].0(&mut status, &mut moment);
        }
        let path = path(&status, &plan, &moment);
        for stage in &path.stages {
            // What a later breakage of the same thing took back does not count.
            let broken: BTreeSet<_> = which.iter().filter(|place| BREAKAGES[**place].1 == stage.stage).collect();
            prop_assert_eq!(stage.state.is_trouble(), !broken.is_empty(), "{:?}", stage);
            prop_assert_eq!(stage.state.is_trouble(), stage.remedy.is_some() && stage.state > State::Waiting);
        }
        let worst = path.stages.iter().map(|stage| stage.state).max();
        prop_assert_eq!(Some(path.state), worst);
    }
}

#[test]
fn every_reason_code_and_answer_has_its_sample_from_the_first_scrape_on() {
    let (mut status, plan, moment) = well();
    status.tally = crate::Tally::default();
    let text = Exposition::Text.write(families(&status, &plan, &moment));
    for reason in Reason::ALL {
        let line = format!("vernport_gateway_withheld_total{{reason=\"{}\"}} 0.0\n", reason.code());
        assert!(text.contains(&line), "{line}");
    }
    for code in vernport_decode::RejectCode::ALL {
        assert!(text.contains(&format!(
            "vernport_gateway_values_rejected_total{{code=\"{}\"}} 0.0\n",
            code.as_str()
        )));
    }
    for line in [
        "vernport_gateway_head_age_seconds 2.0\n",
        "vernport_gateway_spool_used_bytes 10.0\n",
        "vernport_gateway_topic_messages_total{operator=\"haulage\",outcome=\"published\"} 3.0\n",
        "vernport_gateway_stage_state{stage=\"bus\",name=\"can:can0\"} 2.0\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
