//! Deciding and minimising allocate nothing, sampling included.

#[path = "../../testkit/src/counted.rs"]
mod counted;
mod world;

use counted::allocations;
use std::{hint::black_box, sync::Arc};
use vernport_crypto::OpeningKey;
use vernport_policy::{Head, Outcomes, Role, Sampler, SnapshotFor, Table, snapshot};
use vernport_types::{
    BootMicros, Identification, Number, Position, Reading, Source, Stamp, TimeQuality, Value,
};
use world::{ANNE, NOON, TRUCK, World, catalogue, id, shipped};

#[test]
fn deciding_minimising_and_sampling_allocate_nothing() {
    let mut world = World::ready(shipped("example-fleet"));
    world.link(ANNE, Role::Driver);
    world.consent(ANNE, Role::Driver, "eco-coaching");
    let whom = SnapshotFor {
        gateway: id("box-1"),
        at: world::bay(),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    let snapshot = snapshot(&world.facts, &world.rules, whom, NOON, &mut world.tables);
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let start = Stamp { wall: NOON, boot: BootMicros(1), quality: TimeQuality::Synced };
    let mut table = Table::new(Arc::new(world.rules.clone()));
    assert_eq!(table.apply(snapshot, &head, start).expect("it names the snapshot").opened, 3);

    let number = |n: f64| Value::Number(Number::new(n).expect("finite"));
    let readings: Vec<Reading> = [
        ("Vehicle.TraveledDistance", Value::Integer(158_910_605)),
        (
            "Vehicle.CurrentLocation",
            Value::Position(Position::from_degrees(59.9, 10.7).expect("on the globe")),
        ),
        ("Vehicle.Speed", number(81.6)),
        ("Vehicle.Powertrain.CombustionEngine.EngineHours", number(7_000.0)),
        ("Vehicle.VehicleIdentification.VIN", Value::Nothing),
    ]
    .into_iter()
    .map(|(path, value)| Reading {
        asset: TRUCK,
        signal: catalogue().find(path).expect(path),
        value,
        at: start,
        source: Source::Tool,
        identified_by: Identification::BusVin,
    })
    .collect();

    let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
    sampler.make_room(NOON, 16);
    let (mut released, mut withheld, mut sampled) = (0, 0, 0);
    let before = allocations();
    for second in 0..200_u64 {
        let wall = NOON.plus_seconds(i64::try_from(second).expect("small"));
        let now = Stamp { wall, boot: BootMicros(second * 1_000_000), ..start };
        for reading in &readings {
            table.decide(black_box(reading), now, &mut sampler, &mut out);
            released += out.released().len();
            withheld += out.withheld().len();
            sampled += out.samples().len();
        }
    }
    let allocated = allocations() - before;
    assert_eq!(allocated, 0);
    // Distance and speed each second, the place once in five minutes; hours and VIN never.
    assert_eq!((released, withheld, sampled), (401, 599, 1));
}
