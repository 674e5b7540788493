//! What went wrong elsewhere and must not go wrong here: bugs of others that concern rules, each
//! with the project and the public number of its report.
//!
//! Beside these: bundles accepted unsigned, in `crates/central/tests/configuration.rs`; deletions
//! that a hold put off for good, and keys made anew after an erasure, in `crates/policy/tests/due/regressions.rs`.

use std::{collections::HashMap, sync::Arc};
use vernport_crypto::{IdentityKey, OpeningKey};
use vernport_mqtt::acl::Principal;
use vernport_policy::{
    Bundle, Flow, GrantId, Head, Kept, Minimiser, Opening, Outcomes, Rules, Sampler, SnapshotFor, Table,
    Tables, due, may_be_sent, snapshot,
};
use vernport_registry::{Entry, Facts, Refused, world::World};
use vernport_types::{
    AssetId, BootMicros, Catalogue, EpochId, Identification, Number, Position, Reading, Reason, Slug, Source,
    Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};

const BUNDLE: &str = include_str!("small/bundle.toml");

fn catalogue() -> Catalogue {
    let text = include_str!("../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

fn rules(text: &str) -> Arc<Rules> {
    let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
    Arc::new(Rules::compile(&bundle, &catalogue()).expect("rules"))
}

/// Noon of 20 November 2026, UTC.
const NOON: UtcMicros = UtcMicros(1_795_176_000_000_000);

/// A car at main/bay-1 with an order and keys; `more` is what else happened.
fn world(more: &str) -> String {
    let key = hex::encode(OpeningKey::from_bytes([2; 32]).wrapping_key().as_bytes());
    let mut text = "format = 1\n[[asset]]\nname = \"car\"\nsince = \"-30d\"\n".to_owned();
    for person in 0..4 {
        text += &format!("[[subject]]\nname = \"person-{person}\"\n");
    }
    for purpose in ["work", "upkeep", "coaching", "offers"] {
        text += &format!(
            "[[event]]\ntime = \"-30d\"\nkind = \"recipient-key-activated\"\nrecipient = \"small\"\n\
             purpose = \"{purpose}\"\nkey = \"{key}\"\n"
        );
    }
    text += "[[event]]\ntime = \"-30d\"\nkind = \"notice-served\"\nnotice = \"small-1\"\n\
             [[event]]\ntime = \"-2h\"\nkind = \"order-opened\"\norder = \"1\"\nassets = [\"car\"]\nstation = \"main/bay-1\"\n";
    text + more
}

fn linked(person: usize) -> String {
    format!(
        "[[event]]\ntime = \"-1h\"\nkind = \"linked\"\nasset = \"car\"\nsubject = \"person-{person}\"\nrole = \"driver\"\n"
    )
}

fn consents(person: usize) -> String {
    format!(
        "[[event]]\ntime = \"-1h\"\nkind = \"consent-given\"\nsubject = \"person-{person}\"\nrole = \"driver\"\n\
         purpose = \"coaching\"\nrecipient = \"small\"\ncategories = [\"driving-behaviour\"]\nvalid_until = \"+30d\"\n"
    )
}

fn read(text: &str, rules: &Rules) -> (World, Facts) {
    let world = World::from_toml("world.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let facts = world.facts(rules.controller(), &IdentityKey::from_bytes([0; 32]), NOON);
    let facts = facts.unwrap_or_else(|error| panic!("{error}\n{text}"));
    (world, facts)
}

/// Names openings by their key.
#[derive(Default)]
struct Named(HashMap<GrantId, Opening>);

impl Tables for Named {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let id = GrantId::from_bytes(std::array::from_fn(|n| opening.key()[n]));
        self.0.insert(id, opening.clone());
        id
    }

    fn alias(&mut self, _: AssetId, _: &Slug, _: &Slug, _: i16) -> VehicleAlias {
        VehicleAlias::from_bytes([1; 16])
    }
}

fn now() -> Stamp {
    Stamp { wall: NOON, boot: BootMicros(1_000_000), quality: TimeQuality::Synced }
}

/// A gateway that was told just now.
fn table(rules: &Arc<Rules>, facts: &Facts, named: &mut Named) -> Table {
    let whom = SnapshotFor {
        gateway: "box-1".parse().expect("a slug"),
        at: vernport_review::ask::default_station(),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    let snapshot = snapshot(facts, rules, whom, NOON, named);
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let mut table = Table::new(Arc::clone(rules));
    table.apply(snapshot, &head, now()).expect("a snapshot of these rules");
    table
}

fn reading(asset: AssetId, path: &str, value: Value) -> Reading {
    Reading {
        asset,
        signal: catalogue().find(path).expect("of the catalogue"),
        value,
        at: now(),
        source: Source::J1939 { pgn: 65_217, sa: 0 },
        identified_by: Identification::BusVin,
    }
}

fn decide(table: &Table, reading: &Reading) -> Outcomes {
    let mut out = Outcomes::new();
    table.decide(reading, now(), &mut Sampler::default(), &mut out);
    out
}

fn number(x: f64) -> Value {
    Value::Number(Number::new(x).expect("finite"))
}

/// A rule that forbids and fails was skipped, and so it was allowed (Cedar, issue 2428).
#[test]
fn regression_what_forbids_and_cannot_be_understood_forbids() {
    let rules = rules(BUNDLE);
    let (world, mut facts) = read(&world(&linked(0)), &rules);
    let car = world.asset("car").expect("declared");
    let odometer = reading(car, "Vehicle.TraveledDistance", Value::Integer(158_910_605));
    let open = table(&rules, &facts, &mut Named::default());
    assert_eq!(decide(&open, &odometer).released().len(), 1);
    // A value that the rule cannot coarsen is withheld, and not passed as it is.
    let odd = Reading { value: Value::Present, ..odometer };
    let out = decide(&open, &odd);
    assert!(out.released().is_empty() && out.withheld()[0].reason == Reason::RuleBroken);
    // What a newer version wrote to stop something stops it, although nobody here knows what it says.
    let newer = format!(
        "{{\"format\":1,\"controller\":\"{}\",\"event\":{{\"kind\":\"recall-ordered\",\"closes\":true,\"why\":[1]}},\
         \"actor\":{{\"role\":\"system\",\"id\":\"newer\"}},\"occurred_at\":{},\"recorded_at\":{},\
         \"source\":\"newer\",\"external_ref\":\"1\"}}",
        rules.controller(),
        NOON.0 - 1,
        NOON.0 - 1
    );
    facts.replay(&Entry::from_json(&newer).expect("an entry")).expect("of this ledger");
    let closed = table(&rules, &facts, &mut Named::default());
    let out = decide(&closed, &odometer);
    assert!(out.released().is_empty() && out.withheld()[0].reason == Reason::RuleBroken);
}

/// After a change of its buffer a decision log lost nine tenths of its records under load (OPA, issue 8123).
#[test]
fn regression_of_many_decisions_none_goes_unrecorded() {
    let flow = BUNDLE.split("[[flow]]").nth(2).expect("the flow of the upkeep");
    let mut text = BUNDLE.to_owned();
    for n in 0..124 {
        text += &format!("\n[[flow]]{}", flow.replace("id = \"upkeep\"", &format!("id = \"upkeep-{n}\"")));
    }
    let rules = rules(&text);
    assert_eq!(rules.flows().len(), 128, "as many as a bundle may have");
    let (world, facts) = read(&world(""), &rules);
    let table = table(&rules, &facts, &mut Named::default());
    let car = world.asset("car").expect("declared");
    let level = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
    let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
    for n in 0..2_000 {
        // Every third is of a stranger, so refusals are counted as releases are.
        let asset = if n % 3 == 0 { AssetId::from_bytes([9; 16]) } else { car };
        table.decide(&reading_of(&rules, asset, level), now(), &mut sampler, &mut out);
        let (released, withheld) = (out.released().len(), out.withheld().len());
        assert_eq!((released, withheld), if n % 3 == 0 { (0, 125) } else { (125, 0) });
    }
}

/// As [`reading`], without reading the catalogue again.
fn reading_of(rules: &Rules, asset: AssetId, path: &str) -> Reading {
    thread_local!(static ONCE: Catalogue = catalogue());
    let _ = rules;
    ONCE.with(|catalogue| Reading {
        signal: catalogue.find(path).expect("of the catalogue"),
        ..reading(asset, path, number(50.0))
    })
}

/// A second evaluator let failing members of "every" pass (regorus, issue 765).
#[test]
fn regression_everybody_is_everybody_wherever_it_is_asked() {
    let rules = rules(BUNDLE);
    for drivers in 0..=4_usize {
        for consenting in 0..1_u32 << drivers {
            let mut more: String = (0..drivers).map(linked).collect();
            more.extend((0..drivers).filter(|person| consenting >> person & 1 == 1).map(consents));
            let (world, facts) = read(&world(&more), &rules);
            let everybody = drivers > 0 && consenting.count_ones() as usize == drivers;
            let mut named = Named::default();
            let table = table(&rules, &facts, &mut named);
            let speed = reading(world.asset("car").expect("declared"), "Vehicle.Speed", number(50.0));
            let passed = decide(&table, &speed).released().len() == 1;
            assert_eq!(passed, everybody, "gateway, {drivers} drivers, consenting {consenting:b}");
            // The other evaluator: the batches of an opening with all of them, judged by this ledger.
            let full: String = (0..drivers).map(linked).chain((0..drivers).map(consents)).collect();
            let (_, all) = read(&self::world(&full), &rules);
            let mut named = Named::default();
            let _ = self::table(&rules, &all, &mut named);
            let opening = named.0.values().find(|opening| opening.flow.as_str() == "coaching");
            let Some(opening) = opening else { continue };
            let sent = may_be_sent(&facts, &rules, opening, NOON);
            assert_eq!(sent.is_ok(), everybody, "central, {drivers} drivers, consenting {consenting:b}");
        }
    }
}

/// An erasure counted as complete with a manual step still open (Fides, issue 4122).
#[test]
fn regression_an_erasure_is_not_over_while_anything_of_it_is_kept() {
    let holds =
        format!("{BUNDLE}\n[[hold]]\nground = \"dispute\"\nat_most = \"P1Y\"\nclauses = [\"SMALL-7\"]\n");
    let rules = rules(&holds);
    let erased = "[[event]]\ntime = \"-50m\"\nname = \"erased\"\nkind = \"erasure-ordered\"\n\
                  whom = { subject = \"person-0\" }\nground = \"no-longer-needed\"\n";
    let held = "[[event]]\ntime = \"-55m\"\nkind = \"hold-set\"\nscope = { flows = { flows = [\"work\"] } }\n\
                ground = \"dispute\"\nuntil = \"+30d\"\n";
    let restricted = "[[event]]\ntime = \"-55m\"\nkind = \"restriction-set\"\nwhom = { subject = \"person-0\" }\n\
                      ground = \"legal-claim\"\n";
    for (more, over) in [("", true), (held, false), (restricted, false)] {
        let (world, facts) = read(&world(&format!("{}{more}{erased}", linked(0))), &rules);
        let car = world.asset("car").expect("declared");
        let flow: &Flow = rules.flows().iter().find(|flow| flow.slug.as_str() == "work").expect("a flow");
        let read_at = NOON.plus_seconds(-57 * 60);
        let kept = Kept::read(&facts, flow, car, read_at, EpochId::from_bytes([3; 16]));
        let due = due(&facts, &rules, &kept, NOON);
        assert!(due.erased_by.is_some(), "it is ordered in each case");
        assert_eq!(due.is_over(NOON), over, "{more}");
        assert_eq!(due.is_held(), !over, "and why it is not done is said: {more}");
    }
}

/// A request and its duplicate both ran, the one verified, the other not (Fides, `DuplicateDetection.tla`).
#[test]
fn regression_a_request_and_its_repetition_are_one() {
    let rules = rules(BUNDLE);
    let erased = "[[event]]\ntime = \"-50m\"\nkind = \"erasure-ordered\"\n\
                  whom = { subject = \"person-0\" }\nground = \"no-longer-needed\"\n";
    let text = world(&format!("{}{erased}", linked(0)));
    let parsed = World::from_toml("world.toml", &text).expect("a world");
    let key = IdentityKey::from_bytes([0; 32]);
    let entries = parsed.entries(rules.controller(), &key, NOON).expect("entries");
    let mut facts = Facts::new(rules.controller().clone());
    for entry in &entries {
        assert!(!facts.apply(entry).expect("taken").duplicate);
    }
    let request = entries.last().expect("the order to erase").clone();
    let again = Entry { recorded_at: NOON, ..request.clone() };
    let applied = facts.apply(&again).expect("a repetition is no error");
    assert!(applied.duplicate && applied.entry == request.hash(), "nothing runs twice");
    // The same reference by somebody else, or about something else, is no repetition and does not run.
    let mut other = again;
    other.actor.id = "nobody".parse().expect("a slug");
    assert!(
        matches!(facts.apply(&other), Err(Refused::ReferenceTaken { first, .. }) if first == request.hash())
    );
}

/// Retained messages that had expired stayed in a broker until somebody subscribed (Mosquitto, issue
/// 3221): so nothing about a vehicle or a person is ever retained.
#[test]
fn regression_nobody_retains_what_is_about_a_vehicle() {
    let topics = [
        "vernport/v1/fleet/small/upkeep/00000000000000000000000000000001/fuel",
        "vernport/v1/fleet/small/upkeep/00000000000000000000000000000001/deleted",
        "vernport/v1/tool/main/bay-1/scanner/reading",
        "vernport/v1/tool/main/bay-1/scanner/result",
    ];
    for who in ["gateway.box-1.main", "tool.main.bay-1.scanner", "operator.small"] {
        let who: Principal = who.parse().expect("a principal");
        for topic in topics {
            assert!(!who.may_retain(topic), "{who} retains {topic}");
        }
    }
    let gateway: Principal = "gateway.box-1.main".parse().expect("a principal");
    assert!(gateway.may_retain("vernport/v1/gateway/box-1/status"), "what says nothing about a vehicle");
}

/// An empty cell was a panic (georust/geohash, issue 65).
#[test]
fn regression_every_place_has_a_cell_and_none_is_an_error() {
    for none in ["cell-", "cell", "cell-16", "cell--1", "cell-6.5", ""] {
        assert!(none.parse::<Minimiser>().is_err(), "`{none}` is no minimiser");
    }
    let ends = [-900_000_000, -899_999_999, -1, 0, 1, 899_999_999, 900_000_000];
    let sides = [-1_800_000_000, -1_799_999_999, -1, 0, 1, 1_799_999_999, 1_800_000_000];
    for resolution in 0..=15 {
        for (north, east) in ends.into_iter().flat_map(|north| sides.map(|east| (north, east))) {
            let place = Value::Position(Position::from_e7(north, east).expect("on the globe"));
            let Some(Value::Cell(cell)) = Minimiser::Cell(resolution).apply(place) else {
                panic!("{north} {east} has no cell of resolution {resolution}")
            };
            assert_eq!(cell.resolution(), resolution);
        }
        assert_eq!(
            Minimiser::Cell(resolution).apply(Value::Nothing),
            Some(Value::Nothing),
            "nobody was asked"
        );
        assert_eq!(Minimiser::Cell(resolution).apply(Value::Present), None, "no place");
    }
}

/// The last bits of a coarsened fraction told which fraction it was (OpenDP, issue 414).
#[test]
fn regression_a_coarsened_number_says_nothing_about_the_one_it_was() {
    let bits = |minimiser: Minimiser, x: f64| match minimiser.apply(number(x)).expect("fits") {
        Value::Number(number) => vec![number.get().to_bits()],
        Value::Bucket(from, to) => vec![from.cast_unsigned(), to.cast_unsigned()],
        other => panic!("{other:?}"),
    };
    for step in [1_u32, 3, 5, 7, 10, 20, 1_000, 999_999_937] {
        for place in [-1_000_000_i32, -7, -1, 0, 1, 7, 12_345, 1_000_000] {
            let (step_f, multiple) = (f64::from(step), f64::from(place) * f64::from(step));
            for (minimiser, from) in
                [(Minimiser::Round(step), multiple - step_f / 2.0), (Minimiser::Bucket(step), multiple)]
            {
                // From the lower end to just below the upper one, in uneven steps, signed zero included.
                let inside = [0.0, 1e-3, 0.1, 0.3, 0.499_999, 0.5, 0.7, 0.999];
                let mut all = inside.map(|part| bits(minimiser, from + part * step_f)).to_vec();
                if place == 0 {
                    all.push(bits(minimiser, -0.0));
                }
                all.dedup();
                assert_eq!(all.len(), 1, "{minimiser} near {multiple}");
                if minimiser == Minimiser::Round(step) {
                    assert_eq!(all[0], [(multiple + 0.0).to_bits()], "and it is the multiple itself");
                }
            }
        }
    }
}
