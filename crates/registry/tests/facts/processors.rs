//! Agreements with processors: which one is in force, and which may be written.

use crate::samples::{EIGHT, agreement, entry, slug};
use crate::told::*;
use std::collections::BTreeSet;
use vernport_registry::*;
use vernport_types::*;

const AGREED: &str = r#"
[[event]]
kind = "processor-agreed"
name = "first"
time = "-5h"
recorded = "-4h"
processor = "NO-912345678"
scope = ["order-opened", "order-closed"]
until = "+5h"
"#;

fn processor() -> ControllerId {
    "NO-912345678".parse().expect("an organisation")
}

fn in_force(told: &Told, now: UtcMicros) -> Option<UtcMicros> {
    told.facts.agreement(&processor(), now).map(|agreement| agreement.until)
}

#[test]
fn an_agreement_is_in_force_from_when_it_was_recorded_until_its_end_and_for_its_processor_only() {
    let agreed = told(AGREED);
    assert_eq!(in_force(&agreed, hours(-5)), None, "nobody could rest on it");
    assert_eq!(in_force(&agreed, hours(-4)), Some(hours(5)));
    assert_eq!(in_force(&agreed, hours(5)), None);
    let other = "NO-987654321".parse().expect("an organisation");
    assert_eq!(agreed.facts.agreement(&other, EIGHT), None);
    let touched =
        agreed.facts.touched_by(&agreed.facts.agreement(&processor(), EIGHT).expect("in force").entry);
    assert!(touched.is_empty(), "no grant rests on it");
}

#[test]
fn an_end_counts_at_once_also_backdated_and_brings_no_earlier_agreement_back() {
    let later =
        AGREED.replace("first", "second").replace("-5h", "-3h").replace("-4h", "-3h").replace("+5h", "+1h");
    let both = format!("{AGREED}{later}");
    assert_eq!(in_force(&told(&both), EIGHT), Some(hours(1)), "the latest counts, also where it is shorter");
    for time in ["-2h", "-9h"] {
        let ended = format!(
            "{both}[[event]]\nkind = \"processor-ended\"\ntime = \"{time}\"\nrecorded = \"-2h\"\nagreement = \"second\"\n"
        );
        assert_eq!(in_force(&told(&ended), EIGHT), None, "{time}");
    }
    // A mistake never counted: then the one before does.
    let voided = format!("{both}[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"second\"\n");
    assert_eq!(in_force(&told(&voided), EIGHT), Some(hours(5)));
}

#[test]
fn an_agreement_that_gives_too_much_too_long_or_opens_without_closing_is_refused() {
    let facts = Facts::new(crate::samples::controller());
    let refused = |change: fn(&mut ProcessorAgreed)| {
        let mut agreed = agreement();
        change(&mut agreed);
        facts.admit(&entry(Event::ProcessorAgreed(agreed), EIGHT, EIGHT, "agreed")).expect_err("refused")
    };
    let end = Refused::Invalid(Invalid::End { member: "until", most_days: 1_827 });
    assert_eq!(refused(|agreed| agreed.until = EIGHT.plus_seconds(1_828 * 86_400)), end);
    assert_eq!(refused(|agreed| agreed.until = EIGHT), end);
    let count = Refused::Invalid(Invalid::Count { member: "scope", most: PROCESSOR_KINDS.len() });
    assert_eq!(refused(|agreed| agreed.scope.clear()), count);
    for kind in Event::KINDS.iter().filter(|kind| !PROCESSOR_KINDS.contains(kind)) {
        let mut agreed = agreement();
        agreed.scope.insert(slug(kind));
        let refused = facts.admit(&entry(Event::ProcessorAgreed(agreed), EIGHT, EIGHT, "agreed"));
        assert_eq!(refused, Err(Refused::Invalid(Invalid::ProcessorScope)), "{kind}");
    }
    let closes = Invalid::ProcessorCloses { opens: "consent-given", closes: "consent-withdrawn" };
    let only = refused(|agreed| agreed.scope = BTreeSet::from([slug("consent-given")]));
    assert_eq!(only, Refused::Invalid(closes));
    let own = refused(|agreed| agreed.processor = crate::samples::controller());
    assert_eq!(own, Refused::Invalid(Invalid::OwnProcessor));
    assert!(PROCESSOR_KINDS.iter().all(|kind| Event::KINDS.contains(kind)));
}

#[test]
fn only_an_agreement_is_ended_and_what_became_of_an_entry_is_told() {
    let mut facts = Facts::new(crate::samples::controller());
    let mut said = 0_i64;
    let mut say = |facts: &mut Facts, event| {
        said += 1;
        let at = EIGHT.plus_seconds(said);
        facts.apply(&entry(event, at, at, &format!("said-{said}"))).map(|applied| applied.entry)
    };
    let agreed = say(&mut facts, Event::ProcessorAgreed(agreement())).expect("admitted");
    let consented = say(&mut facts, Event::ConsentGiven(crate::samples::consent())).expect("admitted");
    let wrong = say(&mut facts, Event::ProcessorEnded(ProcessorEnded { agreement: consented }));
    assert!(matches!(wrong, Err(Refused::NoSuchEntry { .. })), "{wrong:?}");
    say(&mut facts, Event::ProcessorEnded(ProcessorEnded { agreement: agreed })).expect("admitted");

    let consent = Consent { receipt: ReceiptCode::from_bytes([9; 7]), ..crate::samples::consent() };
    let renewed = Event::ConsentRenewed(Renewal { renews: consented, consent });
    let now = EIGHT.plus_seconds(60);
    assert_eq!(facts.entry_state(&consented, now), Some(EntryState::InForce));
    let renewed = say(&mut facts, renewed).expect("admitted");
    assert_eq!(facts.entry_state(&consented, now), Some(EntryState::Superseded));
    say(&mut facts, Event::Voided(Voided { entry: renewed, reason: VoidReason::Mistake })).expect("admitted");
    assert_eq!(facts.entry_state(&renewed, now), Some(EntryState::Voided));
    assert_eq!(facts.entry_state(&consented, now), Some(EntryState::InForce), "the renewal never counted");
    assert_eq!(facts.entry_state(&EntryHash::from_bytes([0; 32]), now), None);
    assert_eq!(facts.source_of(&agreed), Some(&slug("workshop")));
}
