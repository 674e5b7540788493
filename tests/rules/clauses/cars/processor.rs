//! CARS-3.3 and CARS-11: Cars as processor of workshops, whose data it holds and may not use.

use super::{BUNDLE, stood, tenant};
use crate::clauses::world::{changed_text, compile, refused_text, rules, run, text};
use vernport_crypto::SigningKey;
use vernport_policy::{RecipientRole, sign_bundle, verify_bundle};

/// The terms of the workshop's hosting, at the edges of the agreement.
const AGREEMENT: &str = r#"
format = 1
clause = "CARS-11.4"
says = "Without a data-processing agreement in force nothing of a workshop is handled."
[[asset]]
name = "car"
since = 2025-12-01T00:00:00Z
[[event]]
time = 2025-12-01T00:00:00Z
kind = "notice-served"
notice = "hov-1"
[[event]]
time = 2025-12-31T08:00:00Z
kind = "order-opened"
order = "1"
assets = ["car"]
station = "main/bay-1"
[[event]]
time = 2028-12-31T08:00:00Z
kind = "order-opened"
order = "2"
assets = ["car"]
station = "main/bay-1"
[[expect]]
time = 2025-12-31T22:59:59Z
asset = "car"
signal = "Vehicle.TraveledDistance"
flow = "work"
withheld = "agreement-missing"
[[expect]]
time = 2025-12-31T23:00:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "work"
released = 158910605
[[expect]]
time = 2028-12-31T22:59:59Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "work"
released = 158910605
[[expect]]
time = 2028-12-31T23:00:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
flow = "work"
withheld = "agreement-missing"
"#;

/// The workshop's own notice, served a day after the first order.
const NOTICE: &str = r#"
format = 1
clause = "CARS-11.7"
says = "Nothing of a workshop is read before its own notice was served; that of Cars does not stand in for it."
[[asset]]
name = "car"
since = 2026-04-01T00:00:00Z
[[event]]
time = 2026-04-01T00:00:00Z
kind = "notice-served"
notice = "cars-1"
[[event]]
time = 2026-05-01T08:00:00Z
kind = "order-opened"
order = "1"
assets = ["car"]
station = "main/bay-1"
[[event]]
time = 2026-05-02T08:00:00Z
kind = "notice-served"
notice = "hov-1"
[[expect]]
time = 2026-05-02T07:59:59Z
asset = "car"
signal = "Vehicle.TraveledDistance"
flow = "work"
withheld = "notice-not-served"
[[expect]]
time = 2026-05-02T08:00:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "work"
released = 158910605
"#;

#[test]
fn cars_3_3_every_record_is_of_one_controller_whoever_hosts_it() {
    let [cars, hov] = stood();
    assert_ne!(cars.id, hov.id);
    for stood in [cars, hov] {
        assert!(!stood.batches.is_empty(), "{} read something", stood.id);
        assert!(stood.batches.iter().all(|batch| batch.envelope.header().controller == stood.id));
    }
}

#[test]
fn cars_11_1_for_a_workshop_cars_is_processor_and_gets_nothing_itself() {
    let rules = compile(tenant()).expect("the workshop's bundle");
    let hosting = rules.hosting().expect("terms of hosting");
    assert_eq!(hosting.processor.as_deref(), Some("Cars Software AS"));
    assert!(rules.recipients().iter().all(|recipient| recipient.role == RecipientRole::Controller));
    let [_, hov] = stood();
    assert!(hov.batches.iter().all(|batch| batch.recipient.as_str() == "hov-workshop"));
}

#[test]
fn cars_11_2_a_purpose_counts_only_under_the_workshop_s_own_key() {
    let (hov, cars) = (SigningKey::generate(), SigningKey::generate());
    let signed = |key: &SigningKey, text: &str| format!("{}\n", sign_bundle(key, text));
    let taken =
        |text: &str, signature: &str| verify_bundle(&hov.verifying_key(), text, Some(signature)).is_ok();
    let signature = signed(&hov, tenant());
    assert!(taken(tenant(), &signature));
    let added = "[[purpose]]\nid = \"improve-services\"\nbasis = \"A6-1-f\"\nbalancing = \"of Cars\"\n\
                 iri = \"https://w3id.org/dpv#ImproveExistingProductsAndServices\"\n\
                 necessity = \"Cars would like it.\"\nclauses = [\"CARS-4.9\"]\n\n";
    let widened = changed_text(tenant(), "[[recipient]]", &format!("{added}[[recipient]]"));
    assert!(compile(&widened).is_ok(), "nothing but the signature keeps it out");
    assert!(!taken(&widened, &signature), "what was signed has no such purpose");
    assert!(!taken(&widened, &signed(&cars, &widened)), "the key of Cars signs its own bundle only");
}

#[test]
fn cars_11_3_no_key_of_cars_opens_anything_of_a_workshop() {
    let [cars, hov] = stood();
    assert!(!cars.keys.is_empty() && !hov.keys.is_empty());
    for batch in &hov.batches {
        for (_, key) in &cars.keys {
            assert!(batch.envelope.open(key).is_err());
        }
        let own = hov.keys.iter().filter(|(_, key)| batch.envelope.open(key).is_ok()).count();
        assert_eq!(own, 1, "the workshop's own recipient opens it");
    }
    // Nor do purposes P5 to P8 of Cars exist for the workshop's data.
    let (own, hosted) = (rules(BUNDLE), compile(tenant()).expect("the workshop's bundle"));
    assert!(own.purposes().iter().any(|purpose| purpose.slug.as_str() == "improve-services"));
    assert!(hosted.purposes().iter().all(|purpose| purpose.slug.as_str() == "service-delivery"));
}

#[test]
fn cars_11_4_without_an_agreement_in_force_nothing_of_a_workshop_is_handled() {
    run(AGREEMENT, &compile(tenant()).expect("the workshop's bundle"));
    let said = refused_text(
        tenant(),
        "agreement = { id = \"dpa-hov-cars\", from = 2026-01-01, until = 2029-01-01 }\n",
        "",
    );
    assert!(said.contains("agreement"), "{said}");
}

#[test]
fn cars_11_7_nothing_of_a_workshop_is_read_without_its_own_notice() {
    run(NOTICE, &compile(tenant()).expect("the workshop's bundle"));
    let start = tenant().find("[[notice]]").expect("a notice");
    let end = tenant().find("[[purpose]]").expect("a purpose");
    let silent = [&tenant()[..start], &tenant()[end..]].concat();
    assert!(compile(&silent).expect_err("no notice, no bundle").contains("notice"));
    assert!(text(BUNDLE).contains("version = \"cars-1\""), "the notice of Cars has another name");
}
