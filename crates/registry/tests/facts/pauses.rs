//! Recipients that get nothing for a while: from when, until when, and for which purpose.

use crate::{samples::slug, told::*};
use vernport_registry::*;
use vernport_types::*;

const PAUSED: &str = r#"
[[event]]
kind = "recipient-paused"
name = "late"
time = "-5h"
recorded = "-4h"
recipient = "fjord"
purpose = "service"
"#;

const RESUMED: &str = r#"
[[event]]
kind = "recipient-resumed"
time = "-3h"
recorded = "-2h"
pause = "late"
"#;

fn paused(told: &Told, now: UtcMicros) -> bool {
    told.facts.paused(&slug("fjord"), &slug("service"), now).is_some()
}

#[test]
fn a_pause_counts_from_when_it_happened_until_its_end_was_recorded() {
    let told = told(&format!("{PAUSED}{RESUMED}"));
    let expected = [(-6, false), (-5, true), (-3, true), (-2, false), (0, false)];
    for (at, is_paused) in expected {
        assert_eq!(paused(&told, hours(at)), is_paused, "{at} h");
    }
    for (recipient, purpose) in [("other", "service"), ("fjord", "other")] {
        assert_eq!(told.facts.paused(&slug(recipient), &slug(purpose), hours(-4)), None);
    }
}

#[test]
fn each_pause_has_an_end_of_its_own_and_touches_every_asset() {
    let second = PAUSED.replace("late", "again").replace("-5h", "-4h") + "ground = \"incident\"\n";
    let told = told(&format!("{PAUSED}{second}{RESUMED}"));
    assert!(paused(&told, hours(0)), "the second one goes on");
    let open = told.facts.pauses(&slug("fjord"), &slug("service"), hours(0));
    assert_eq!(open.iter().map(|(_, ground)| *ground).collect::<Vec<_>>(), [PauseGround::Incident]);
    assert_eq!(told.facts.touched_by(&open[0].0), Touched::All);
}

#[test]
fn a_pause_that_was_a_mistake_counts_until_that_was_said_and_its_end_needs_a_pause() {
    let voided = "[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"late\"\n";
    let told = told(&format!("{PAUSED}{voided}"));
    assert!(paused(&told, hours(-2)) && !paused(&told, hours(-1)));
    let nothing = RecipientResumed { pause: EntryHash::from_bytes([7; 32]) };
    let end = crate::samples::entry(
        Event::RecipientResumed(nothing),
        crate::samples::EIGHT,
        crate::samples::EIGHT,
        "WS-9",
    );
    let refused = Facts::new(crate::samples::controller()).apply(&end);
    assert!(matches!(refused, Err(Refused::NoSuchEntry { .. })), "{refused:?}");
}
