//! When what is kept has to go: random ledgers against a naive statement, and
//! named cases.

mod cases;
mod drawn;
mod naive;
mod regressions;
#[path = "../world/mod.rs"]
mod world;

use drawn::{Drawn, STARTS, ledger, line, moment};
use proptest::prelude::*;
use vernport_policy::due;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_due_is_what_the_ledger_read_from_its_beginning_says(
        lines in prop::collection::vec(line(), 0..24),
    ) {
        let Drawn { rules, facts, entries } = ledger(&lines);
        for start in STARTS {
            let flow = drawn::flow(&rules, start);
            let kept = drawn::kept(&flow);
            for n in drawn::READ..drawn::MOMENTS + 12 {
                let now = moment(n);
                let expected = naive::due(&entries, start, now);
                let found = due(&facts, &rules, &kept, now);
                let shown = (found.at, found.held_by.map(|hold| hold.entry), found.excepted_by, found.restricted_by);
                prop_assert_eq!(shown, expected, "{} at moment {}", start, n);
            }
        }
    }
}

/// Each answer that can be given is given somewhere, and not once only.
#[test]
fn the_random_ledgers_start_hold_except_erase_and_restrict() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(line(), 12..24);
    let mut seen = std::collections::BTreeMap::<(&str, &str), usize>::new();
    for _ in 0..128 {
        let lines = strategy.new_tree(&mut runner).expect("lines").current();
        let Drawn { rules, facts, .. } = ledger(&lines);
        for start in STARTS {
            let flow = drawn::flow(&rules, start);
            let found = due(&facts, &rules, &drawn::kept(&flow), moment(drawn::MOMENTS));
            let mut saw = |what| *seen.entry((start, what)).or_default() += 1;
            saw(if found.started.is_some() { "started" } else { "waits" });
            for (is, what) in [
                (found.held_by.is_some(), "held"),
                (found.excepted_by.is_some(), "excepted"),
                (found.erased_by.is_some(), "erased"),
                (found.restricted_by.is_some(), "restricted"),
            ] {
                if is {
                    saw(what);
                }
            }
        }
    }
    for start in STARTS {
        for what in ["started", "held", "excepted", "erased", "restricted"] {
            assert!(seen.get(&(start, what)).is_some_and(|n| *n >= 5), "{start} {what}: {seen:?}");
        }
        let always = ["reading", "last-interaction"].contains(&start);
        assert!(always || seen.get(&(start, "waits")).is_some_and(|n| *n >= 5), "{start}: {seen:?}");
    }
}
