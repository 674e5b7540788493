//! The fast decision against a naive one that was written from the prose, on
//! random rules, snapshots, clocks and readings.

mod cases;
mod drawn;
mod naive;
#[path = "../world/mod.rs"]
mod world;

use drawn::*;
use naive::*;
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc};
use vernport_policy::{Bundle, GrantId, Head, Outcomes, Rules, Sampler, SourceClass, Table};
use vernport_types::{BootMicros, Identification, Reading, SignalId, Stamp, TimeQuality, UtcMicros};
use world::NOON;

fn run(flows: &[DrawnFlow], steps: &[(Step, i64, i64, u8)]) -> Result<(), TestCaseError> {
    let catalogue = signals();
    let parsed = Bundle::from_toml("drawn.toml", &bundle(flows)).expect("a bundle");
    let rules = Arc::new(Rules::compile(&parsed, &catalogue).expect("rules"));
    let mut table = Table::new(Arc::clone(&rules));
    let mut naive = Naive {
        rules: &rules,
        drawn: flows,
        catalogue: &catalogue,
        told: None,
        latest_seen: i64::MIN,
        taken: HashMap::new(),
    };
    let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
    let (mut wall, mut boot) = (NOON.0, 1_000_000_000_u64);
    for (sequence, (step, wall_s, boot_s, quality)) in steps.iter().enumerate() {
        wall += wall_s * SECOND;
        boot += u64::try_from(boot_s * SECOND).expect("positive");
        let quality = match quality {
            0 => TimeQuality::Unset,
            1..4 => TimeQuality::Bounded,
            _ => TimeQuality::Synced,
        };
        let now = Stamp { wall: UtcMicros(wall), boot: BootMicros(boot), quality };
        // Central's clock is right; the gateway's may not be.
        let head = |snapshot_hash| Head {
            era: 1,
            sequence: u64::try_from(sequence).expect("small"),
            at: UtcMicros(NOON.0 + i64::try_from(boot).expect("small")),
            nonce: [0; 16],
            snapshot_hash,
        };
        match step {
            Step::Apply(drawn) => {
                let at = head([0; 32]).at;
                let snapshot = snapshot(&rules, drawn, at);
                let head = head(snapshot.hash());
                naive.told = Some((snapshot.clone(), head, now));
                naive.latest_seen = head.at.0;
                table.apply(snapshot, &head, now).expect("it names the snapshot");
            }
            Step::Refresh => {
                if let Some((snapshot, ..)) = naive.told.clone() {
                    let head = head(snapshot.hash());
                    // Bounds of grants were checked when they came.
                    naive.told =
                        Some((snapshot, Head { at: naive.told.as_ref().expect("some").1.at, ..head }, now));
                    naive.latest_seen = head.at.0;
                    table.refresh(&head, now).expect("it names the snapshot");
                }
            }
            Step::Decide { asset, signal, value: choice, by, from } => {
                let reading = Reading {
                    asset: asset_id(usize::from(*asset)),
                    signal: SignalId(*signal),
                    value: value(*choice),
                    at: now,
                    source: source(*from),
                    identified_by: [
                        Identification::Pinned,
                        Identification::Tool,
                        Identification::Asserted,
                        Identification::BusVin,
                    ][*by],
                };
                let recognised = (reading.identified_by, SourceClass::of(&reading.source));
                let mask = table.open_flows(reading.asset, reading.signal, recognised, now);
                table.decide(&reading, now, &mut sampler, &mut out);
                let expected = naive.decide(&reading, now);
                prop_assert_eq!(said_by(&out), expected);
                for released in out.released() {
                    prop_assert!(mask & (1 << released.flow().0) != 0, "what is released is open");
                }
            }
            Step::Standing { grant } => {
                let id = GrantId::from_bytes([*grant; 16]);
                prop_assert_eq!(table.standing(id, now), naive.standing(id, now));
            }
        }
    }
    Ok(())
}

/// `VERNPORT_CASES` runs more.
fn cases() -> u32 {
    std::env::var("VERNPORT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_table_decides_as_the_prose_says(
        (flows, steps) in prop::collection::vec(drawn_flow(), 1..8)
            .prop_flat_map(|flows| { let n = flows.len(); (Just(flows), steps(n)) })
    ) {
        run(&flows, &steps)?;
    }
}
