//! Car Special, sections 1 and 2: principles and breaches (CSPE-1.*, CSPE-2.3).

use super::{
    cspe_overlay::{made, refused, rules, world},
    entries::{consent, ledger, with, write},
    sealed::{NOW, seal_odometer},
    terms::says,
    world as shipped,
};
use vernport_audit::{Leaf, LeafKind};
use vernport_decode::odometer::Odometers;
use vernport_seal::ReceivedEnvelope;
use vernport_types::{BootMicros, LegalBasis, Source, Value};

#[test]
fn cspe_1_1_national_numbers_and_special_categories_are_refused() {
    let mut facts = ledger("car-special");
    for number in ["010190-1234", "0101901234", "kunde 610190-1234"] {
        let said = write(&mut facts, "1", &with(&consent(), "evidence", number)).expect_err("a CPR number");
        assert!(said.contains("national identity number") && !said.contains("1234"), "{said}");
    }
    let listed = "\"identity-document\"]\nsources";
    for special in ["health", "national-id", "religion", "trade-union", "sexual-orientation"] {
        let wider = format!("\"identity-document\", \"{special}\"]\nsources");
        let said = shipped::refused("car-special", listed, &wider);
        assert!(said.contains("unknown variant"), "{special}: {said}");
    }
}

#[test]
fn cspe_1_2_a_changed_byte_is_seen() {
    says("car-special", "CSPE-1.2");
    let batch = seal_odometer(&made(), "services");
    let device = batch.device.verifying_key();
    batch.envelope.verify(&device).expect("as the gateway sealed it");
    let bytes = batch.envelope.as_bytes();
    for place in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        let passes = ReceivedEnvelope::parse(&changed).is_ok_and(|envelope| {
            envelope.verify(&device).is_ok() && envelope.open(&batch.recipient).is_ok()
        });
        assert!(!passes, "byte {place}");
    }
}

#[test]
fn cspe_1_6_what_is_read_has_a_basis_and_a_notice_and_says_so() {
    world("CSPE-1.6");
    let batch = seal_odometer(&made(), "services");
    let context = batch.envelope.open(&batch.recipient).expect("its own").head.context;
    assert_eq!(context.basis, LegalBasis::Contract);
    assert_eq!(context.notice, "car-special-made-2");
    assert_eq!(context.rests_on, batch.opening.rests_on);
    assert!(!context.rests_on.is_empty());
}

#[test]
fn cspe_1_7_every_record_carries_the_purpose_that_it_was_read_for() {
    let said = refused("id = \"supplier\"\npurpose = \"services\"\n", "id = \"supplier\"\n");
    assert!(said.contains("purpose"), "{said}");
    for flow in ["services", "supplier", "invoices"] {
        let batch = seal_odometer(&made(), flow);
        let purpose = batch.envelope.open(&batch.recipient).expect("its own").head.context.purpose;
        assert_eq!(purpose, batch.rules.find(&flow.parse().expect("a slug")).expect("a flow").purpose_iri);
        assert_eq!(batch.opening.flow.as_str(), flow);
    }
}

#[test]
fn cspe_1_8_each_use_gets_what_it_needs_as_coarse_as_serves() {
    world("CSPE-1.8");
}

#[test]
fn cspe_1_9_a_distance_never_falls_and_a_record_says_when_and_from_where() {
    let mut odometers = Odometers::default();
    let source = Source::J1939 { pgn: 65_217, sa: 0 };
    let second = |n: u64| BootMicros(n * 1_000_000);
    odometers.check(source, 158_910_605, None, second(1)).expect("the first");
    odometers.check(source, 158_910_600, None, second(2)).expect_err("it fell");
    odometers.check(source, 158_910_625, None, second(3)).expect("it went on");
    let batch = seal_odometer(&made(), "services");
    let record = batch.envelope.open(&batch.recipient).expect("its own").records[0];
    assert_eq!((record.at.wall, record.source), (NOW, source));
    assert!(matches!(record.value, Value::Integer(_)));
}

#[test]
fn cspe_1_10_nothing_is_kept_longer_than_needed() {
    world("CSPE-1.10");
}

#[test]
fn cspe_1_11_what_leaves_is_sealed_to_whom_it_is_for() {
    for flow in ["services", "invoices"] {
        let batch = seal_odometer(&made(), flow);
        assert!(!batch.shows_the_distance(), "{flow}");
        batch.envelope.open(&batch.recipient).expect("its own");
    }
    // Each purpose has a key of its own.
    let (services, invoices) = (seal_odometer(&made(), "services"), seal_odometer(&made(), "invoices"));
    assert!(services.envelope.open(&invoices.recipient).is_err());
}

#[test]
fn cspe_1_12_what_left_can_be_shown_and_nothing_else_can() {
    let batch = seal_odometer(&made(), "services");
    let leaf = Leaf::new(LeafKind::Batch, [9; 16], batch.envelope.as_bytes());
    let kept = Leaf::from_bytes(&leaf.to_bytes()).expect("a leaf");
    assert!(kept.commits_to(batch.envelope.as_bytes()));
    let other = seal_odometer(&made(), "services");
    assert!(!kept.commits_to(other.envelope.as_bytes()), "another batch of the same flow");
    let context = batch.envelope.open(&batch.recipient).expect("its own").head.context;
    assert_eq!(context.bundle_hash, batch.rules.hash(), "and under which rules");
}

#[test]
fn cspe_2_3_whom_a_lost_key_concerns_is_known() {
    let rules = rules();
    let found: Vec<_> = ["services", "supplier", "invoices"]
        .into_iter()
        .map(|flow| seal_odometer(&made(), flow))
        .filter(|batch| batch.opening.recipient.as_str() == "dealer-system")
        .map(|batch| (batch.envelope.header().flow.to_string(), batch.opening.subjects.len()))
        .collect();
    assert_eq!(found, [("supplier".to_owned(), 1)], "one batch for that recipient, about one person");
    assert!(rules.recipients().iter().any(|recipient| recipient.slug.as_str() == "dealer-system"));
}
