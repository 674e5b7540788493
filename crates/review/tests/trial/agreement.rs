//! On random worlds a trial says what a gateway's table decides: grants computed
//! by central, as bytes, under a signed head that the gateway verifies.
//!
//! Shared with the code under test are the world's ledger and `policy`; the way from
//! there to a table is written here a second time, as central and gateway go it.

use crate::common::{WORLD, catalogue, rules};
use proptest::prelude::*;
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use vernport_crypto::{IdentityKey, OpeningKey, SigningKey};
use vernport_policy::{
    Head, Opening, Outcomes, Rules, Sampler, Snapshot, SnapshotFor, StationRef, Table, Tables, snapshot,
};
use vernport_registry::{
    Actor, ActorRole, ENTRY_FORMAT, Entry, Event, Facts, RecipientKeyActivated, world::World,
};
use vernport_review::{
    shown::Shown,
    trial::{NOW, Trial},
};
use vernport_types::{
    AssetId, BootMicros, Catalogue, GrantId, Identification, Label, Number, Position, Reading, Slug, Source,
    Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};

/// Events that a world may have, minutes from [`NOW`] left open.
const EVENTS: &[&str] = &[
    "kind = \"order-opened\"\norder = \"2\"\nassets = [\"car\"]\nstation = \"main/bay-1\"",
    "kind = \"order-closed\"\norder = \"1\"",
    "kind = \"consent-given\"\nsubject = \"kari\"\nrole = \"driver\"\npurpose = \"coaching\"\nrecipient = \"coach\"\n\
     categories = [\"driving-behaviour\"]\nvalid_until = \"+3h\"",
    "kind = \"consent-withdrawn\"\nscope = { asset = \"car\" }",
    "kind = \"restriction-set\"\nwhom = { asset = \"car\" }\nground = \"accuracy-disputed\"\npurpose = \"service\"",
    "kind = \"objection-raised\"\nsubject = \"kari\"\nagainst = { purpose = \"planning\" }",
    "kind = \"private-mode-started\"\nasset = \"car\"",
    "kind = \"private-mode-ended\"\nasset = \"car\"",
    "kind = \"linked\"\nasset = \"car\"\nsubject = \"ola\"\nrole = \"driver\"",
    "kind = \"unlinked\"\nasset = \"car\"\nsubject = \"kari\"\nrole = \"driver\"",
    "kind = \"gateway-enrolled\"\ngateway = \"box\"\npinned = \"car\"\nstation = \"main/bay-2\"",
    "kind = \"erasure-ordered\"\nwhom = { asset = \"car\" }\nground = \"consent-withdrawn\"\npurpose = \"coaching\"",
];

const BY: &[(&str, Identification)] = &[
    ("pinned", Identification::Pinned),
    ("tool", Identification::Tool),
    ("asserted", Identification::Asserted),
    ("bus-vin", Identification::BusVin),
];

const FROM: &[(&str, Source)] = &[
    ("vehicle", Source::Obd { service: 1, pid: 0xA6, responder: 0x7E8 }),
    ("tool", Source::Tool),
    ("manual", Source::Manual),
];

/// A signal and a value that it may have.
fn readings() -> Vec<(&'static str, Value)> {
    let number = |x| Value::Number(Number::new(x).expect("finite"));
    vec![
        ("Vehicle.TraveledDistance", Value::Integer(158_910_605)),
        ("Vehicle.TraveledDistance", Value::Nothing),
        ("Vehicle.Speed", number(53.5)),
        ("Vehicle.CurrentLocation", Value::Position(Position::from_degrees(59.91, 10.75).expect("there"))),
        ("Vehicle.LowVoltageBattery.CurrentVoltage", number(12.6)),
        ("Vehicle.VehicleIdentification.VIN", Value::Label(Label::new("a label").expect("short"))),
    ]
}

#[derive(Debug, Clone)]
struct Asked {
    asset: &'static str,
    reading: usize,
    by: usize,
    from: usize,
    bay: u8,
    /// Minutes from [`NOW`].
    at: i64,
    /// How many minutes before that central was heard.
    head_age: i64,
    /// How many minutes before it the same was read already.
    before: Option<i64>,
}

prop_compose! {
    fn asked()(
        asset in prop::sample::select(vec!["car", "car", "car", "car", "car", "van"]),
        reading in 0..6_usize, by in 0..4_usize, from in 0..3_usize, bay in prop::sample::select(vec![2_u8, 2, 2, 1]),
        at in -130..500_i64, head_age in prop::sample::select(vec![0_i64, 0, 1, 4, 6, 30]),
        before in prop::option::of(0..10_i64),
    ) -> Asked {
        Asked { asset, reading, by, from, bay, at, head_age, before }
    }
}

fn world_text(events: &[(usize, i64)]) -> String {
    let mut text = format!("{WORLD}\n[[subject]]\nname = \"ola\"\n");
    for (event, minute) in events {
        let _ = writeln!(text, "\n[[event]]\ntime = \"{minute:+}m\"\n{}", EVENTS[*event]);
    }
    text
}

fn minutes(minutes: i64) -> UtcMicros {
    NOW.plus_seconds(minutes * 60)
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

/// Draws ids by counting, as central draws them by chance.
#[derive(Default)]
struct Counted(HashMap<[u8; 32], GrantId>);

impl Tables for Counted {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let next = u8::try_from(self.0.len() + 1).expect("few");
        *self.0.entry(opening.key()).or_insert(GrantId::from_bytes([next; 16]))
    }

    fn alias(&mut self, _: AssetId, _: &Slug, _: &Slug, _: i16) -> VehicleAlias {
        VehicleAlias::from_bytes([9; 16])
    }
}

fn facts(world: &World, rules: &Rules) -> Option<Facts> {
    let mut facts = world.facts(rules.controller(), &IdentityKey::from_bytes([7; 32]), NOW).ok()?;
    for (n, flow) in rules.flows().iter().enumerate() {
        let key = OpeningKey::from_bytes([3; 32]).wrapping_key();
        let (recipient, purpose) = (flow.recipient.clone(), flow.purpose.clone());
        facts
            .apply(&Entry {
                format: ENTRY_FORMAT,
                controller: rules.controller().clone(),
                event: Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key }),
                actor: Actor { role: ActorRole::System, id: slug("test") },
                occurred_at: minutes(-99_999),
                recorded_at: minutes(-99_999),
                source: slug("test"),
                external_ref: format!("{n}").parse().expect("a text"),
            })
            .expect("a key");
    }
    Some(facts)
}

/// The table of a gateway that heard from central at a time, and its clock from then on.
fn heard(
    facts: &Facts,
    rules: &Arc<Rules>,
    bay: u8,
    head_at: UtcMicros,
) -> (Table, impl Fn(UtcMicros) -> Stamp) {
    let whom = SnapshotFor {
        gateway: slug("box"),
        at: StationRef { site: slug("main"), station: slug(&format!("bay-{bay}")) },
        recovery: OpeningKey::from_bytes([4; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    let sent = snapshot(facts, rules, whom, head_at, &mut Counted::default()).encode();
    let received = Snapshot::decode(&sent).expect("as it was sent");
    let key = SigningKey::from_seed([5; 32]);
    let head = Head { era: 3, sequence: 9, at: head_at, nonce: [6; 16], snapshot_hash: received.hash() };
    let head = head.sign(&key).verify(&key.verifying_key(), &[6; 16], None).expect("signed");
    let boot = 77_000_000;
    let stamp = move |at: UtcMicros| Stamp {
        wall: at,
        boot: BootMicros(boot + u64::try_from(at.0 - head_at.0).unwrap_or(0)),
        quality: TimeQuality::Synced,
    };
    let mut table = Table::new(Arc::clone(rules));
    table.apply(received, &head, stamp(head_at)).expect("of these rules");
    (table, stamp)
}

/// What a gateway's table says, by flow: a value, or the code of a reason.
fn decided(world: &World, rules: &Arc<Rules>, asked: &Asked) -> Option<Vec<(Option<String>, String)>> {
    let facts = facts(world, rules)?;
    let (at, head_at) = (minutes(asked.at), minutes(asked.at - asked.head_age));
    let (path, value) = readings()[asked.reading];
    let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
    for at in asked.before.map(|age| minutes(asked.at - age)).into_iter().chain([at]) {
        let (table, stamp) = heard(&facts, rules, asked.bay, head_at.min(at));
        let reading = Reading {
            asset: world.asset(asked.asset).expect("declared"),
            signal: CATALOGUE.find(path).expect("in the catalogue"),
            value,
            at: stamp(at),
            source: FROM[asked.from].1,
            identified_by: BY[asked.by].1,
        };
        table.decide(&reading, stamp(at), &mut sampler, &mut out);
    }
    let name = |flow| rules.flow(flow).slug.to_string();
    let released =
        out.released().iter().map(|r| (Some(name(r.flow())), format!("released = {}", Shown(r.value()))));
    let withheld = out.withheld().iter().map(|w| (w.flow.map(name), format!("withheld = \"{}\"", w.reason)));
    Some(released.chain(withheld).collect())
}

/// The trial of one question, with what is expected of each flow.
fn trial(world: &str, asked: &Asked, expected: &[(Option<String>, String)]) -> Trial {
    let mut text = format!("clause = \"T-1\"\nsays = \"Drawn.\"\n{world}");
    let (path, value) = readings()[asked.reading];
    for (flow, outcome) in expected {
        let _ = writeln!(
            text,
            "[[expect]]\ntime = \"{:+}m\"\nhead = \"{:+}m\"\nasset = \"{}\"\nsignal = \"{path}\"\nvalue = {}\n\
             by = \"{}\"\nfrom = \"{}\"\nstation = \"main/bay-{}\"\n{outcome}",
            asked.at,
            asked.at - asked.head_age,
            asked.asset,
            Shown(value),
            BY[asked.by].0,
            FROM[asked.from].0,
            asked.bay,
        );
        if let Some(age) = asked.before {
            let _ = writeln!(text, "before = [\"{:+}m\"]", asked.at - age);
        }
        if let Some(flow) = flow {
            let _ = writeln!(text, "flow = \"{flow}\"");
        }
    }
    Trial::from_toml("drawn.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(rules()));
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(catalogue);
static RELEASED: AtomicUsize = AtomicUsize::new(0);
static WITHHELD: AtomicUsize = AtomicUsize::new(0);

fn agree(events: &[(usize, i64)], asked: &Asked) -> Result<(), TestCaseError> {
    let text = world_text(events);
    let world = World::from_toml("drawn.toml", &text).expect("a world");
    let (rules, catalogue) = (&*RULES, &*CATALOGUE);
    // An event that the ledger refuses (closed twice, linked twice) makes no world.
    let Some(decided) = decided(&world, rules, asked) else { return Err(TestCaseError::reject("refused")) };
    prop_assert!(!decided.is_empty());
    let failures = trial(&text, asked, &decided).run(rules, catalogue);
    prop_assert!(failures.is_empty(), "{:?}", failures.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (flow, outcome) in &decided {
        // Whatever else is expected is not met.
        let (count, others) = if outcome.starts_with("released") {
            (&RELEASED, ["withheld = \"order-not-open\"", "withheld = \"no-grant\""])
        } else {
            (&WITHHELD, ["withheld = \"overdue\"", "withheld = \"queue-full\""])
        };
        count.fetch_add(1, Ordering::Relaxed);
        for other in others {
            let failures = trial(&text, asked, &[(flow.clone(), other.to_owned())]).run(rules, catalogue);
            prop_assert_eq!(failures.len(), 1, "{} is met, {} was decided", other, outcome);
        }
    }
    Ok(())
}

#[test]
fn a_trial_says_what_the_table_of_a_gateway_decides() {
    let config = ProptestConfig {
        max_global_rejects: 100_000,
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    };
    let worlds = (prop::collection::vec((0..EVENTS.len(), -130..480_i64), 0..7), asked());
    proptest::test_runner::TestRunner::new(config)
        .run(&worlds, |(events, asked)| agree(&events, &asked))
        .unwrap_or_else(|failure| panic!("{failure}"));
    let (released, withheld) = (RELEASED.load(Ordering::Relaxed), WITHHELD.load(Ordering::Relaxed));
    assert!(released >= 30 && withheld >= 100, "{released} released, {withheld} withheld: too much alike");
}
