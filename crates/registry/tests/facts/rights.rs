//! Objections, restrictions, private mode, holds, unknown events.

use crate::samples::{self, EIGHT, slug};
use crate::told::*;
use vernport_registry::*;
use vernport_types::*;

#[test]
fn an_objection_waits_until_weighed_and_one_to_marketing_does_not() {
    let told = told(
        r#"
        [[event]]
        kind = "objection-raised"
        name = "service"
        time = "-5h"
        subject = "anna"
        against = { purpose = "service" }
        [[event]]
        kind = "objection-weighed"
        time = "-2h"
        objection = "service"
        [[event]]
        kind = "objection-raised"
        time = "-5h"
        subject = "bo"
        against = "marketing"
        "#,
    );
    let service = Against::Purpose(slug("service"));
    let asked = |name, against: &Against, now| told.facts.objection(told.subject(name), against, now);
    assert_eq!(asked("anna", &service, hours(-6)), Objected::No);
    assert!(matches!(asked("anna", &service, hours(-3)), Objected::Pending { .. }));
    assert_eq!(asked("anna", &service, EIGHT), Objected::No);
    assert!(matches!(asked("bo", &Against::Marketing, hours(-5)), Objected::Upheld { .. }));
    assert_eq!(asked("bo", &service, EIGHT), Objected::No);
    assert_eq!(asked("bo", &Against::Profiling, EIGHT), Objected::No);
}

#[test]
fn a_restriction_lasts_until_lifted_and_comes_back_if_the_announcement_was_a_mistake() {
    let lifted = r#"
        [[event]]
        kind = "restriction-set"
        name = "restriction"
        time = "-5h"
        whom = { subject = "anna" }
        ground = "accuracy-disputed"
        [[event]]
        kind = "restriction-lifting-announced"
        name = "told"
        time = "-4h"
        restriction = "restriction"
        [[event]]
        kind = "restriction-lifted"
        time = "-2h"
        restriction = "restriction"
        "#;
    let restricted = |told: &Told, now| {
        told.facts.restriction(Whom::Subject(told.subject("anna")), &slug("service"), now).is_some()
    };
    let proper = told(lifted);
    assert!(!restricted(&proper, hours(-6)));
    assert!(restricted(&proper, hours(-3)), "announcing lifts nothing");
    assert!(!restricted(&proper, hours(-2)));
    let again = "[[event]]\nkind = \"restriction-lifting-announced\"\ntime = \"-2h\"\nrestriction = \"restriction\"\n";
    let together = format!("{lifted}{again}[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"told\"\n");
    assert!(restricted(&told(&together), EIGHT), "told in the moment of lifting is not told before");
    let mistaken = told(&format!("{lifted}[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"told\"\n"));
    assert!(restricted(&mistaken, EIGHT));
}

#[test]
fn private_mode_a_notice_a_hold_and_an_erasure_answer_at_their_times() {
    let told = told(
        r#"
        [[event]]
        kind = "private-mode-started"
        time = "-5h"
        asset = "truck"
        [[event]]
        kind = "private-mode-ended"
        time = "-3h"
        asset = "truck"
        [[event]]
        kind = "notice-served"
        time = "-3h"
        notice = "fleet 2026-10"
        [[event]]
        kind = "notice-served"
        time = "-3h"
        notice = "to anna alone"
        subject = "anna"
        [[event]]
        kind = "hold-set"
        name = "hold"
        time = "-3h"
        scope = { flows = { asset = "truck", flows = ["odometer"] } }
        ground = "dispute"
        until = "+5h"
        [[event]]
        kind = "erasure-ordered"
        time = "-2h"
        whom = { subject = "anna" }
        ground = "consent-withdrawn"
        "#,
    );
    let facts = &told.facts;
    let truck = told.truck();
    assert!(facts.private_mode(truck, hours(-4)).is_some());
    assert!(facts.private_mode(truck, hours(-3)).is_none());
    assert!(facts.notice_served("fleet 2026-10", hours(-4)).is_none());
    assert!(facts.notice_served("fleet 2026-10", hours(-3)).is_some());
    assert!(facts.notice_served("fleet 2026-11", EIGHT).is_none());
    assert!(facts.notice_served("to anna alone", EIGHT).is_none());
    let held = |flow, now| facts.hold(truck, &slug(flow), EpochId::from_bytes([0; 16]), now).map(|h| h.until);
    assert_eq!(held("odometer", EIGHT), Some(hours(5)));
    assert_eq!(held("odometer", hours(5)), None);
    assert_eq!(held("position", EIGHT), None);
    let erased = facts.erasure(Whom::Subject(told.subject("anna")), &slug("service"), EIGHT);
    assert_eq!(erased.map(|(_, up_to)| up_to), Some(hours(-2)));
}

#[test]
fn an_unknown_closing_event_closes_its_asset_and_any_other_opens_nothing() {
    let mut told = told("");
    let newer = |json: &str, reference: &str| {
        samples::entry(serde_json::from_str(json).expect("readable"), hours(-1), hours(-1), reference)
    };
    let (truck, stranger) = (told.truck(), told.world.asset("stranger").expect("declared"));
    told.facts.replay(&newer("{\"kind\":\"vehicle-blessed\"}", "a")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(truck, EIGHT), None);
    let closing = format!("{{\"kind\":\"vehicle-scrapped\",\"closes\":true,\"asset\":\"{truck}\"}}");
    let applied = told.facts.replay(&newer(&closing, "b")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(truck, EIGHT), Some(applied.entry));
    assert!(applied.touched.includes(truck) && !applied.touched.includes(stranger));
    assert_eq!(told.facts.closed_by_unknown(stranger, EIGHT), None);
    let all = told.facts.replay(&newer("{\"kind\":\"bankruptcy\",\"closes\":true}", "c")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(stranger, EIGHT), Some(all.entry));
    assert_eq!(told.facts.closed_by_unknown(stranger, hours(-2)), None);
}

#[test]
fn a_voiding_touches_what_its_entry_touched_and_no_other_asset() {
    let mut told = told(
        r#"
        [[event]]
        kind = "linked"
        time = "-5h"
        asset = "truck"
        subject = "anna"
        role = "driver"
        [[event]]
        kind = "linked"
        time = "-5h"
        asset = "stranger"
        subject = "bo"
        role = "driver"
        [[event]]
        kind = "objection-raised"
        name = "objection"
        time = "-4h"
        subject = "anna"
        against = { purpose = "service" }
        "#,
    );
    let (truck, stranger) = (told.truck(), told.world.asset("stranger").expect("declared"));
    let (anna, bo) = (told.subject("anna"), told.subject("bo"));
    let mut apply = |event: Event, reference: &str| {
        told.facts.apply(&samples::entry(event, hours(-1), hours(-1), reference)).expect("admitted")
    };
    let against = |touched: &Touched| (touched.includes(truck), touched.includes(stranger));
    let raised = Objection {
        subject: anna,
        against: Against::Purpose(slug("service")),
        method: Method::Web,
        recorded_by: None,
    };
    let again = raised.clone();
    let raised = apply(Event::ObjectionRaised(raised), "raised");
    let outcome = ObjectionOutcome {
        objection: raised.entry,
        reasons: samples::text("case"),
        decided_by: slug("lead-1"),
    };
    let upheld = apply(Event::ObjectionUpheld(outcome), "upheld");
    let void = |entry| Event::Voided(Voided { entry, reason: VoidReason::WrongSubject });
    let void_outcome = apply(void(upheld.entry), "void outcome");
    let merged = apply(Event::SubjectMerged(Merge { from: bo, into: anna }), "merged");
    let unmerged = apply(void(merged.entry), "unmerged");
    let again = apply(Event::ObjectionRaised(again), "again");
    assert_eq!(against(&raised.touched), (true, false));
    assert_eq!(against(&upheld.touched), (true, false));
    assert_eq!(against(&void_outcome.touched), (true, false));
    assert_eq!(against(&merged.touched), (true, true));
    assert_eq!(against(&unmerged.touched), (true, true));
    // What was opened while the two were one names both, and is asked about again.
    assert_eq!(against(&again.touched), (true, true));
}
