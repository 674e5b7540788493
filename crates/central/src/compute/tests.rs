//! What was computed in part, against computing everything again: it finds nothing to change.

#[path = "../../../policy/tests/anew/beginning.rs"]
mod beginning;
#[path = "../../../registry/tests/ledgers/mod.rs"]
mod ledgers;
#[path = "../../../registry/tests/samples/mod.rs"]
mod samples;

/// What the random ledgers ask of the suite that they are drawn for.
mod naive {
    use vernport_types::AssetId;

    pub(crate) fn all_assets() -> [AssetId; 3] {
        [1, 2, 3].map(super::samples::asset)
    }
}

use super::compute;
use crate::controller::State;
use beginning::beginning;
use ledgers::{ledger, line, moment};
use proptest::prelude::*;
use std::collections::BTreeSet;
use vernport_crypto::WrappingKey;
use vernport_policy::{Bundle, Rules};
use vernport_registry::{Entry, Event, Touched};
use vernport_types::{Catalogue, Slug, UtcMicros};

const HALF_HOUR: i64 = 1_800;
const RECOVERY: WrappingKey = WrappingKey::from_bytes([9; 32]);

struct World {
    rules: Rules,
    state: State,
    now: UtcMicros,
    /// How many times only some grants were computed, and how many were closed then.
    in_part: (usize, usize),
}

impl World {
    fn new() -> Self {
        let text = include_str!("../../../../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
        let text = include_str!("../../../policy/tests/bundles/drawn.toml");
        let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
        let rules = Rules::compile(&bundle, &catalogue).expect("rules");
        let state = State::empty(samples::controller());
        Self { rules, state, now: moment(0), in_part: (0, 0) }
    }

    /// With much that is open, so that there is something to change.
    fn begun() -> Result<Self, TestCaseError> {
        let mut world = Self::new();
        for entry in beginning() {
            world.say(&entry)?;
        }
        Ok(world)
    }

    fn say(&mut self, entry: &Entry) -> Result<(), TestCaseError> {
        let applied = match entry.event {
            Event::Unknown(_) => self.state.facts.replay(entry),
            _ => self.state.facts.apply(entry),
        };
        if let Ok(applied) = applied {
            self.state.note(&self.rules, entry, applied);
        }
        self.compute()
    }

    fn wait(&mut self, seconds: i64) -> Result<(), TestCaseError> {
        self.now = self.now.plus_seconds(seconds);
        self.compute()
    }

    /// Computes what was touched, and then everything again.
    fn compute(&mut self) -> Result<(), TestCaseError> {
        let Self { rules, state, now, .. } = self;
        state.pass(rules, *now);
        let computed = compute(rules, RECOVERY, state, *now);
        if matches!(state.touched, Touched::Assets(_)) {
            self.in_part.0 += 1;
            self.in_part.1 += computed.changes.closed.len();
        }
        let told: BTreeSet<Slug> = computed.snapshots.iter().map(|(gateway, _)| gateway.clone()).collect();
        let before = state.watches.iter().map(|(gateway, watch)| (gateway.clone(), watch.snapshot.hash()));
        let before: Vec<(Slug, [u8; 32])> = before.collect();
        state.take(computed, *now);
        for (gateway, hash) in before {
            prop_assert!(told.contains(&gateway) || state.watches[&gateway].snapshot.hash() == hash);
        }

        state.touched = Touched::All;
        let again = compute(rules, RECOVERY, state, *now);
        state.touched = Touched::none();
        prop_assert_eq!(&again.changes.closed, &[]);
        prop_assert_eq!(&again.changes.newly_open, &[]);
        prop_assert!(again.changes.opened.is_empty() && again.changes.aliases.is_empty());
        prop_assert_eq!(&again.keys, &state.keys);
        for (gateway, snapshot) in &again.snapshots {
            prop_assert_eq!(&state.watches[gateway].snapshot, snapshot);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_computed_in_part_is_what_everything_computed_again_gives(
        lines in prop::collection::vec((line(), 0..3_i64), 1..60),
        later in prop::collection::vec(0..8 * 86_400_i64, 0..8),
    ) {
        let mut world = World::begun()?;
        let (lines, steps): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        for (entry, half_hours) in ledger(&lines).0.iter().zip(steps) {
            world.say(entry)?;
            world.wait(half_hours * HALF_HOUR)?;
        }
        for _ in 0..40 {
            world.wait(HALF_HOUR)?;
        }
        for seconds in later {
            world.wait(seconds)?;
        }
        prop_assert!(world.in_part.0 > 0, "something was computed in part");
    }
}

#[test]
fn orders_that_end_by_themselves_are_closed_in_part() -> Result<(), TestCaseError> {
    let mut world = World::begun()?;
    for _ in 0..40 {
        world.wait(HALF_HOUR)?;
    }
    assert!(world.in_part.1 > 0);
    Ok(())
}
