//! Random rules, snapshots and steps.

use crate::world::id;
use proptest::prelude::*;
use std::fmt::Write;
use vernport_crypto::OpeningKey;
use vernport_policy::{Believe, ClosedGrant, FlowGrant, Grant, GrantId, Rules, Snapshot};
use vernport_types::{
    AssetId, Catalogue, EntryHash, Label, LegalBasis, Number, OrderId, Position, Reason, Source, UtcMicros,
    Value, VehicleAlias,
};

pub(crate) const PATHS: [(&str, &str); 6] = [
    ("A.Integer", "integer"),
    ("B.Number", "number"),
    ("C.Flag", "flag"),
    ("D.Label", "label"),
    ("E.Position", "position"),
    ("F.Unnamed", "integer"),
];
pub(crate) const REASONS: [Reason; 4] =
    [Reason::ConsentWithdrawn, Reason::Restricted, Reason::OrderNotOpen, Reason::NoticeNotServed];
pub(crate) const CLASSES: [&str; 3] = ["vehicle", "tool", "manual"];
pub(crate) const SECOND: i64 = 1_000_000;

pub(crate) fn signals() -> Catalogue {
    let mut text = "format = 1\n".to_owned();
    for (path, kind) in PATHS {
        writeln!(text, "[[signal]]\npath = \"{path}\"\nkind = \"{kind}\"\ncategory = \"component-status\"")
            .expect("a string");
    }
    Catalogue::from_toml([("signals.toml", text.as_str())]).expect("a catalogue")
}

/// One flow as the test draws it.
#[derive(Debug, Clone, Default)]
pub(crate) struct DrawnFlow {
    pub(crate) purpose: usize,
    pub(crate) weakest: usize,
    /// One bit for each of vehicle, tool and manual; none: the flow is silent.
    pub(crate) sources: usize,
    pub(crate) sample: usize,
    pub(crate) time: bool,
    pub(crate) minimisers: [usize; 5],
}

pub(crate) fn drawn_flow() -> impl Strategy<Value = DrawnFlow> {
    let said = (0..3_usize, 0..4_usize, 0..8_usize, 0..4_usize, any::<bool>());
    (said, prop::array::uniform5(0..5_usize)).prop_map(
        |((purpose, weakest, sources, sample, time), minimisers)| DrawnFlow {
            purpose,
            weakest,
            sources,
            sample,
            time,
            minimisers,
        },
    )
}

/// What may stand for a minimiser of each signal; the first means: not named.
pub(crate) fn minimiser(signal: usize, choice: usize) -> Option<&'static str> {
    let fitting: [&str; 4] = match signal {
        0 | 1 => ["exact", "round-10", "bucket-7", "drop"],
        4 => ["exact", "cell-6", "presence", "drop"],
        _ => ["exact", "presence", "drop", "exact"],
    };
    choice.checked_sub(1).map(|choice| fitting[choice])
}

pub(crate) fn bundle(flows: &[DrawnFlow]) -> String {
    let mut text = "format = 1\nname = \"drawn\"\n[controller]\nid = \"NO-999999999\"\nname = \"Drawn\"\n\
        role = \"controller\"\njurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"NO\"]\nclauses = [\"1\"]\n\
        [[notice]]\nversion = \"n\"\nserved_when = \"recorded\"\ncategories = [\"component-status\"]\nclauses = [\"2\"]\n\
        [[recipient]]\nid = \"r\"\nname = \"R\"\nrole = \"controller\"\nregion = \"NO\"\nclauses = [\"3\"]\n\
        [[retention]]\nid = \"k\"\nstart = \"reading\"\nperiod = \"P1D\"\nat_most = \"P1D\"\nclauses = [\"4\"]\n\
        [[form]]\nid = \"f\"\npurpose = \"a6-1-a\"\nrecipient = \"r\"\ncategories = [\"component-status\"]\n\
        valid = \"P1Y\"\nclauses = [\"5\"]\ntexts = { en = \"yes\" }\n"
        .to_owned();
    for basis in ["A6-1-a", "A6-1-b", "A6-1-f"] {
        write!(
            text,
            "[[purpose]]\nid = \"{}\"\niri = \"https://w3id.org/dpv#ServiceProvision\"\nbasis = \"{basis}\"\n\
             necessity = \"drawn\"\nbalancing = \"drawn\"\nclauses = [\"6\"]\n",
            basis.to_lowercase()
        )
        .expect("a string");
    }
    for (n, flow) in flows.iter().enumerate() {
        let purpose = ["a6-1-a", "a6-1-b", "a6-1-f"][flow.purpose];
        let weakest = ["pinned", "tool", "asserted", "bus-vin"][flow.weakest];
        write!(
            text,
            "[[flow]]\nid = \"flow-{n}\"\npurpose = \"{purpose}\"\nrecipient = \"r\"\nretention = \"k\"\n\
             deliver = {{ store = true }}\nweakest = \"{weakest}\"\nroles = [\"driver\"]\nclauses = [\"7\"]\n"
        )
        .expect("a string");
        match flow.sample {
            1 => text.push_str("sample = \"per-order\"\n"),
            2 => text.push_str("sample = \"PT10S\"\n"),
            _ => {}
        }
        if flow.sources > 0 {
            let named = CLASSES.iter().enumerate().filter(|(n, _)| flow.sources & (1 << n) != 0);
            let named: Vec<_> = named.map(|(_, class)| class.to_string()).collect();
            writeln!(text, "sources = {named:?}").expect("a string");
        }
        if flow.time {
            text.push_str("time = \"PT1M\"\n");
        }
        text.push_str("[flow.signals]\n");
        let mut named = false;
        for (signal, choice) in flow.minimisers.iter().enumerate() {
            if let Some(minimiser) = minimiser(signal, *choice) {
                writeln!(text, "\"{}\" = \"{minimiser}\"", PATHS[signal].0).expect("a string");
                named = true;
            }
        }
        if !named {
            text.push_str("\"A.Integer\" = \"exact\"\n");
        }
    }
    text
}

/// One flow of one asset in a drawn snapshot.
#[derive(Debug, Clone)]
pub(crate) enum DrawnGrant {
    Absent,
    Closed(usize),
    Open { until_s: i64, lease_s: Option<u32>, wrong_basis: bool, over: bool },
}

pub(crate) fn drawn_grant() -> impl Strategy<Value = DrawnGrant> {
    let lease = prop_oneof![Just(None), Just(Some(60)), Just(Some(300)), Just(Some(301))];
    prop_oneof![
        1 => Just(DrawnGrant::Absent),
        2 => (0..REASONS.len()).prop_map(DrawnGrant::Closed),
        7 => (-600_i64..3_000_000, lease, prop::bool::weighted(0.05), prop::bool::weighted(0.05)).prop_map(
            |(until_s, lease_s, wrong_basis, over)| DrawnGrant::Open { until_s, lease_s, wrong_basis, over }
        ),
    ]
}

/// By asset: its order, 0 for none, and its flows.
pub(crate) type DrawnAssets = Vec<(u8, Vec<DrawnGrant>)>;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Apply(DrawnAssets),
    Refresh,
    Decide { asset: u8, signal: u16, value: usize, by: usize, from: usize },
    Standing { grant: u8 },
}

pub(crate) fn steps(flows: usize) -> impl Strategy<Value = Vec<(Step, i64, i64, u8)>> {
    let assets = prop::collection::vec((0..3_u8, prop::collection::vec(drawn_grant(), flows)), 3);
    let step = prop_oneof![
        2 => assets.prop_map(Step::Apply),
        1 => Just(Step::Refresh),
        12 => (0..4_u8, 0..8_u16, 0..8_usize, 0..4_usize, 0..6_usize)
            .prop_map(|(asset, signal, value, by, from)| Step::Decide { asset, signal, value, by, from }),
        3 => (0..24_u8).prop_map(|grant| Step::Standing { grant }),
    ];
    // The wall clock jumps both ways; the boot clock only goes on.
    let wall = prop_oneof![6 => 0..120_i64, 1 => -100_000..100_000_i64];
    let boot = prop_oneof![6 => 0..30_i64, 1 => 0..400_i64];
    prop::collection::vec((step, wall, boot, 0..12_u8), 1..40)
}

pub(crate) fn value(choice: usize) -> Value {
    match choice {
        0 => Value::Integer(158_910_605),
        1 => Value::Number(Number::new(81.6).expect("finite")),
        2 => Value::Flag(true),
        3 => Value::Label(Label::new("M").expect("short")),
        4 => Value::Position(Position::from_degrees(59.91, 10.75).expect("on the globe")),
        5 => Value::Nothing,
        6 => Value::Present,
        _ => Value::Integer(-3),
    }
}

pub(crate) fn source(choice: usize) -> Source {
    match choice {
        0 => Source::J1939 { pgn: 65_217, sa: 0 },
        1 => Source::Obd { service: 1, pid: 0xA6, responder: 0x7E8 },
        2 => Source::Uds { service: 0x22, did: 0xF190, responder: 0x7E8 },
        3 => Source::Dbc { signal: 7 },
        4 => Source::Tool,
        _ => Source::Manual,
    }
}

pub(crate) fn grant_id(asset: usize, flow: usize) -> GrantId {
    GrantId::from_bytes([u8::try_from(8 * asset + flow % 8).expect("small"); 16])
}

pub(crate) fn asset_id(asset: usize) -> AssetId {
    AssetId::from_bytes([u8::try_from(asset).expect("small"); 16])
}

pub(crate) fn snapshot(rules: &Rules, drawn: &DrawnAssets, head_at: UtcMicros) -> Snapshot {
    let mut closed = Vec::new();
    let grants = drawn.iter().enumerate().map(|(asset, (order, flows))| {
        let mut grant = Grant {
            asset: asset_id(asset),
            identifiers: Vec::new(),
            order: (*order > 0).then(|| OrderId::from_bytes([*order; 16])),
            flows: Vec::new(),
            closed: Vec::new(),
        };
        for (n, (flow, drawn)) in rules.flows().iter().zip(flows).enumerate() {
            match drawn {
                DrawnGrant::Absent => {}
                DrawnGrant::Closed(reason) => grant.closed.push((flow.slug.clone(), REASONS[*reason])),
                DrawnGrant::Open { until_s, lease_s, wrong_basis, over } => {
                    if *over {
                        closed.push(ClosedGrant { id: grant_id(asset, n), reason: Reason::EntryVoided });
                    }
                    grant.flows.push(FlowGrant {
                        flow: flow.slug.clone(),
                        id: grant_id(asset, n),
                        basis: if *wrong_basis { LegalBasis::PublicTask } else { flow.basis },
                        believe: Believe {
                            lease_seconds: *lease_s,
                            until: head_at.plus_seconds(*until_s),
                            ends_as: Reason::ConsentExpired,
                        },
                        alias: VehicleAlias::from_bytes([3; 16]),
                        rests_on: vec![EntryHash::from_bytes([9; 32])],
                    });
                }
            }
        }
        grant
    });
    Snapshot {
        format: Snapshot::FORMAT,
        controller: rules.controller().clone(),
        gateway: id("box-1"),
        bundle_hash: rules.hash(),
        identify_open: false,
        grants: grants.collect(),
        closed,
        recipient_keys: Vec::new(),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
    }
}
