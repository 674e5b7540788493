//! What may be used in spite of a restriction, and kept in spite of an erasure.

use crate::samples::{self, EIGHT, slug};
use crate::told::*;
use vernport_registry::*;
use vernport_types::*;

const RESTRICTED: &str = r#"
[[event]]
kind = "restriction-set"
name = "disputed"
time = "-9h"
whom = { subject = "anna" }
ground = "accuracy-disputed"
[[event]]
kind = "restriction-set"
name = "unlawful"
time = "-8h"
whom = { subject = "anna" }
purpose = "service"
ground = "unlawful"
"#;

/// An exception of Anna's first restriction by the consent of a name.
const BY_CONSENT: &str = r#"
[[event]]
kind = "restriction-excepted"
time = "-6h"
restriction = "disputed"
exception = "consent"
receipt = "given"
flows = ["odometer"]
until = "+48h"
"#;

fn restrictions(told: &Told, now: UtcMicros) -> Vec<EntryHash> {
    told.facts.restrictions(Whom::Subject(told.subject("anna")), &slug("service"), now)
}

/// Until when the first restriction is lifted for the service of the truck.
fn excepted(told: &Told, flow: &str, now: UtcMicros) -> Option<UtcMicros> {
    let first = restrictions(told, EIGHT)[0];
    let found = told.facts.restriction_excepted(first, told.truck(), &slug("service"), &slug(flow), now);
    found.map(|(_, until)| until)
}

fn erased(events: &str) -> (Told, EntryHash) {
    let told = told(&format!(
        "[[event]]\nkind = \"erasure-ordered\"\nname = \"erasure\"\ntime = \"-5h\"\n\
         whom = {{ subject = \"anna\" }}\nground = \"consent-withdrawn\"\n{events}"
    ));
    let anna = Whom::Subject(told.subject("anna"));
    let (erasure, _) = told.facts.erasure(anna, &slug("service"), EIGHT).expect("ordered");
    (told, erasure)
}

#[test]
fn an_exception_lifts_one_restriction_for_its_flows_and_its_time() {
    let told = told(&format!(
        "{RESTRICTED}{}",
        r#"
        [[event]]
        kind = "restriction-excepted"
        time = "-6h"
        recorded = "-4h"
        restriction = "disputed"
        exception = "legal-claim"
        flows = ["odometer", "claims"]
        until = "-1h"
        [[event]]
        kind = "restriction-excepted"
        time = "-3h"
        restriction = "disputed"
        exception = "public-interest"
        flows = ["claims"]
        until = "+5h"
        "#
    ));
    assert_eq!(restrictions(&told, EIGHT).len(), 2);
    assert_eq!(restrictions(&told, hours(-9)).len(), 1);
    let anna = Whom::Subject(told.subject("anna"));
    let first = told.facts.restriction(anna, &slug("service"), EIGHT);
    assert_eq!(first, restrictions(&told, EIGHT).first().copied(), "in the order of time");
    let other = told.facts.restrictions(anna, &slug("warranty"), EIGHT);
    assert_eq!(other, restrictions(&told, hours(-9)), "the second is about the service alone");

    assert_eq!(excepted(&told, "odometer", hours(-5)), None, "nobody knew of it yet");
    assert_eq!(excepted(&told, "odometer", hours(-4)), Some(hours(-1)));
    assert_eq!(excepted(&told, "odometer", hours(-1)), None, "it is over");
    assert_eq!(excepted(&told, "position", hours(-4)), None, "not one of its flows");
    assert_eq!(excepted(&told, "claims", hours(-2)), Some(hours(5)), "the longest");
    let second = restrictions(&told, EIGHT)[1];
    for flow in ["odometer", "claims"] {
        let found =
            told.facts.restriction_excepted(second, told.truck(), &slug("service"), &slug(flow), hours(-2));
        assert_eq!(found, None, "an exception of one restriction lifts no other");
    }
}

#[test]
fn an_exception_by_consent_lasts_as_long_as_the_consent() {
    let consented = format!("{RESTRICTED}{}{BY_CONSENT}", gives("anna", "name = \"given\"\ntime = \"-7h\""));
    let proper = told(&consented);
    assert_eq!(excepted(&proper, "odometer", hours(-6)), Some(hours(10)), "the consent ends first");
    assert_eq!(excepted(&proper, "odometer", hours(10)), None);
    let first = restrictions(&proper, EIGHT)[0];
    let marketing = slug("marketing");
    let other =
        proper.facts.restriction_excepted(first, proper.truck(), &marketing, &slug("odometer"), EIGHT);
    assert_eq!(other, None, "the consent is for another purpose");

    let withdrawals = [
        "scope = { receipt = \"given\" }",
        "scope = { asset = \"truck\" }",
        "scope = { subject = { subject = \"anna\" } }",
        "scope = { subject = { subject = \"anna\", purpose = \"service\", categories = [\"odometer\"] } }",
    ];
    for scope in withdrawals {
        let event = format!("[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\n{scope}\n");
        let withdrawn = told(&format!("{consented}{event}"));
        assert!(excepted(&withdrawn, "odometer", hours(-3)).is_some(), "{scope}");
        assert_eq!(excepted(&withdrawn, "odometer", hours(-2)), None, "{scope}");
    }
    for scope in [
        "scope = { asset = \"stranger\" }",
        "scope = { subject = { subject = \"bo\" } }",
        "scope = { subject = { subject = \"anna\", purpose = \"marketing\" } }",
        "scope = { subject = { subject = \"anna\", categories = [\"location\"] } }",
    ] {
        let event = format!("[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\n{scope}\n");
        let other = told(&format!("{consented}{event}"));
        assert!(excepted(&other, "odometer", EIGHT).is_some(), "{scope}");
    }
    let voided = "[[event]]\nkind = \"voided\"\ntime = \"-2h\"\nentry = \"given\"\n";
    assert_eq!(excepted(&told(&format!("{consented}{voided}")), "odometer", EIGHT), None);
}

#[test]
fn the_consent_of_somebody_else_lifts_nothing_until_they_turn_out_to_be_one_person() {
    let given = gives("bo", "name = \"given\"\ntime = \"-7h\"");
    let text = format!("{TRUCK}{RESTRICTED}{given}{BY_CONSENT}");
    let world = world::World::from_toml("test.toml", &text).expect("reads");
    let refused = world.facts(&samples::controller(), &identity(), EIGHT).expect_err("another person");
    assert!(refused.message.contains("no consent in force of the restricted person"), "{refused}");
    let merge = "[[event]]\nkind = \"subject-merged\"\nname = \"merge\"\ntime = \"-7h\"\n\
                 from = \"bo\"\ninto = \"anna\"\n";
    let merged = format!("{RESTRICTED}{given}{merge}{BY_CONSENT}");
    assert!(excepted(&told(&merged), "odometer", EIGHT).is_some());
    let void = "[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"merge\"\n";
    let apart = told(&format!("{merged}{void}"));
    assert_eq!(excepted(&apart, "odometer", EIGHT), None, "the merge was a mistake");
}

#[test]
fn an_exception_keeps_what_it_names_in_spite_of_an_erasure() {
    let (told, erasure) = erased(
        r#"
        [[event]]
        kind = "erasure-excepted"
        name = "invoices"
        time = "-4h"
        recorded = "-1h"
        erasure = "erasure"
        exception = "legal-duty"
        scope = { flows = { asset = "truck", flows = ["invoice"] } }
        until = "+9h"
        [[event]]
        kind = "asset-merged"
        time = "-1h"
        from = "stranger"
        into = "truck"
        "#,
    );
    let kept = |asset, flow, now| {
        let epoch = EpochId::from_bytes([0; 16]);
        told.facts.erasure_excepted(erasure, asset, &slug(flow), epoch, now).map(|(_, until)| until)
    };
    let (truck, stranger) = (told.truck(), told.world.asset("stranger").expect("declared"));
    assert_eq!(kept(truck, "invoice", hours(-5)), None);
    assert_eq!(
        kept(truck, "invoice", hours(-4)),
        Some(hours(9)),
        "it stops a deletion as soon as it is said"
    );
    assert_eq!(kept(stranger, "invoice", EIGHT), Some(hours(9)), "one and the same asset");
    assert_eq!(kept(truck, "odometer", EIGHT), None);
    assert_eq!(kept(truck, "invoice", hours(9)), None);
    let anna = Whom::Subject(told.subject("anna"));
    let still = told.facts.erasure(anna, &slug("service"), EIGHT);
    assert_eq!(still.map(|(entry, _)| entry), Some(erasure), "and lifts the order for nothing else");
    let other = EntryHash::from_bytes([0; 32]);
    let epoch = EpochId::from_bytes([0; 16]);
    assert_eq!(told.facts.erasure_excepted(other, truck, &slug("invoice"), epoch, EIGHT), None);
}

#[test]
fn an_exception_from_an_erasure_that_was_a_mistake_kept_until_that_was_known() {
    let (told, erasure) = erased(
        r#"
        [[event]]
        kind = "erasure-excepted"
        name = "mistake"
        time = "-4h"
        erasure = "erasure"
        exception = "legal-claim"
        scope = { flows = { flows = ["invoice"] } }
        until = "+9h"
        [[event]]
        kind = "voided"
        time = "-2h"
        entry = "mistake"
        "#,
    );
    let kept = |now| {
        let epoch = EpochId::from_bytes([0; 16]);
        told.facts.erasure_excepted(erasure, told.truck(), &slug("invoice"), epoch, now).is_some()
    };
    assert!(kept(hours(-3)));
    assert!(!kept(hours(-2)));
}
