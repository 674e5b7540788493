//! Every rule that an answer names is one of the bundle, by its path.

mod common;

use std::{collections::BTreeSet, sync::Arc};
use vernport_crypto::IdentityKey;
use vernport_policy::{Bundle, Rules};
use vernport_registry::world::World;
use vernport_review::{
    ask::{Outcome, Question, ask},
    trial::{NOW, give_keys},
};
use vernport_types::{Catalogue, Identification, Reason, Source};

const SHIPPED: [(&str, &str); 4] = [
    ("cars-software", include_str!("../../../config/bundles/cars-software/bundle.toml")),
    ("westrum", include_str!("../../../config/bundles/westrum/bundle.toml")),
    ("car-special", include_str!("../../../config/bundles/car-special/bundle.toml")),
    ("example-fleet", include_str!("../../../config/bundles/example-fleet/bundle.toml")),
];

#[test]
fn the_rule_of_every_answer_is_in_the_bundle() {
    let text = include_str!("../../../config/signals/vehicle.toml");
    let shipped = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
    let mut reasons = BTreeSet::new();
    for (name, text) in SHIPPED {
        let bundle = Bundle::from_toml(name, text).expect("a bundle");
        let rules = Rules::compile(&bundle, &shipped).expect("a bundle");
        reasons.extend(named(name, rules, &shipped));
    }
    reasons.extend(named("the tests'", common::rules(), &common::catalogue()));
    assert!(reasons.len() >= 6, "few outcomes were seen: {reasons:?}");
}

/// The reasons that were seen.
fn named(name: &str, rules: Rules, catalogue: &Catalogue) -> BTreeSet<Reason> {
    let rules = Arc::new(rules);
    let paths: BTreeSet<&str> = rules.paths().iter().map(|rule| rule.path.as_str()).collect();
    let world = World::from_toml("world.toml", common::WORLD).expect("a world");
    let mut facts =
        world.facts(rules.controller(), &IdentityKey::from_bytes([0; 32]), NOW).expect("a ledger");
    give_keys(&mut facts, &rules, |_| false).expect("keys");
    let mut seen = BTreeSet::new();
    for hours in [-48, -1, 0, 48] {
        for (by, source) in [(Identification::BusVin, Source::Tool), (Identification::Pinned, Source::Manual)]
        {
            let asset = world.asset("car").expect("declared");
            let mut question = Question::new(asset, NOW.plus_seconds(hours * 3_600));
            (question.by, question.source) = (by, source);
            for answer in ask(&rules, catalogue, &facts, &question) {
                if let Outcome::Withheld(reason) = answer.outcome {
                    seen.insert(reason);
                }
                let Some(rule) = &answer.rule else {
                    assert_eq!(answer.flow, None, "{name}: what a flow names, a rule decides");
                    continue;
                };
                assert!(paths.contains(rule.as_str()), "{name}: {rule}");
                assert!(!answer.clauses.is_empty(), "{name}: {rule}");
            }
        }
    }
    seen
}
