//! Another firm's system, let in by an agreement in the ledger and by nothing else.

use crate::common::{
    ASSET, CONTROLLER, Central, ORDER, OTHER_CONTROLLER, VIN, World, client, refused, taken, with_visit,
};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use vernport_api::{
    Code, FindAnswer, HEADER_CONTROLLER, LedgerAnswer, PATH_BATCHES, PATH_CLOCK, PATH_CONSENTS,
    PATH_ERASURES, PATH_EVENTS, PATH_FEED, PATH_FIND_ASSET, PATH_FIND_ENTRY, PATH_IMPORT, PATH_LEDGER,
    PATH_READS, PATH_STATUS,
};
use vernport_testkit::pki::Role;

/// The firm that makes the workshops' system.
pub(crate) const PROCESSOR: &str = "NO-912345678";
/// As what it stands in entries.
pub(crate) const OWN: &str = "no-912345678";

pub(crate) fn processor(central: &Central) -> Client {
    client(&central.world.ca, "dealer-cloud", Role::Processor, PROCESSOR)
}

pub(crate) fn agreed(central: &Central, scope: &[&str], seconds: i64) -> Value {
    json!({"kind": "processor-agreed", "processor": PROCESSOR, "name": "dealer-system", "contract": "DPA 7",
           "scope": scope, "until": central.world.now().plus_seconds(seconds)})
}

/// What a controller lets it record for an hour.
pub(crate) async fn agree(central: &Central) -> String {
    let scope = ["order-opened", "order-closed", "linked", "consent-given", "consent-withdrawn"];
    central.say(agreed(central, &scope, 3_600)).await.results[0].entry.to_string()
}

/// An entry as the processor writes it.
pub(crate) fn entry(central: &Central, event: Value) -> Value {
    let mut entry = central.world.entry(event);
    entry["source"] = json!(OWN);
    entry["actor"] = json!({"role": "system", "id": OWN});
    entry
}

pub(crate) async fn ask(central: &Central, client: &Client, on: &str, path: &str, body: &Value) -> Response {
    let asked = client.post(central.url(path)).header(HEADER_CONTROLLER, on).body(body.to_string());
    asked.send().await.expect("an answer")
}

fn closing() -> Value {
    json!({"kind": "order-closed", "order": ORDER})
}

#[tokio::test]
async fn a_processor_records_for_each_controller_that_agreed_and_for_no_other() {
    let central = with_visit().await;
    let system = processor(&central);
    let asked = json!({"entries": [entry(&central, closing())]});
    let refuse = async |on: &str| {
        let response = ask(&central, &system, on, PATH_LEDGER, &asked).await;
        let problem = refused(response, Code::NoAgreement).await;
        (problem.title, problem.detail)
    };
    let before = refuse(CONTROLLER).await;
    agree(&central).await;
    let taken: LedgerAnswer = taken(ask(&central, &system, CONTROLLER, PATH_LEDGER, &asked).await).await;
    assert!(!taken.results[0].duplicate && !taken.effect.stopped.is_empty());
    // One that is served and did not agree, and one that is not served, look the same.
    assert_eq!(refuse(OTHER_CONTROLLER).await, before);
    assert_eq!(refuse("NO-123456785").await, before);
    // Its agreement at one controller does not reach into the ledger of another.
    let mut other = entry(&central, closing());
    other["controller"] = json!(OTHER_CONTROLLER);
    let other = json!({"entries": [other]});
    refused(ask(&central, &system, CONTROLLER, PATH_LEDGER, &other).await, Code::OtherController).await;
}

#[tokio::test]
async fn a_request_names_one_controller_and_others_name_their_own_or_none() {
    let central = with_visit().await;
    agree(&central).await;
    let (system, registrar) = (processor(&central), central.registrar());
    let find = json!({"identifier": {"vin": VIN}});
    refused(central.post(&system, PATH_FIND_ASSET, &find).await, Code::BadRequest).await;
    for wrong in ["", "999999999", "NO-999999999, DK-10628334", "no-999999999"] {
        let response = ask(&central, &system, wrong, PATH_FIND_ASSET, &find).await;
        refused(response, Code::BadRequest).await;
    }
    let twice = system
        .post(central.url(PATH_FIND_ASSET))
        .header(HEADER_CONTROLLER, CONTROLLER)
        .header(HEADER_CONTROLLER, OTHER_CONTROLLER);
    refused(twice.body(find.to_string()).send().await.expect("an answer"), Code::BadRequest).await;

    let found: FindAnswer = taken(ask(&central, &registrar, CONTROLLER, PATH_FIND_ASSET, &find).await).await;
    assert_eq!(found.asset.map(|asset| asset.to_string()).as_deref(), Some(ASSET));
    for (path, body) in [(PATH_FIND_ASSET, &find), (PATH_BATCHES, &json!({}))] {
        let response = ask(&central, &registrar, OTHER_CONTROLLER, path, body).await;
        refused(response, Code::OtherController).await;
    }
}

#[tokio::test]
async fn what_only_the_controller_may_is_refused_to_a_processor_wherever_it_asks() {
    let central = with_visit().await;
    let system = processor(&central);
    agree(&central).await;
    for on in [CONTROLLER, OTHER_CONTROLLER, "NO-123456785"] {
        for path in [PATH_ERASURES, PATH_CLOCK, PATH_READS, PATH_FEED, PATH_BATCHES] {
            let response = ask(&central, &system, on, path, &json!({})).await;
            refused(response, Code::RoleNotAllowed).await;
        }
    }
    let status = system.get(central.url(PATH_STATUS)).header(HEADER_CONTROLLER, CONTROLLER);
    let status: vernport_api::Status = taken(status.send().await.expect("an answer")).await;
    assert_eq!(status.api, vernport_api::VERSION);
}

#[tokio::test]
async fn a_processor_writes_under_its_own_name_within_its_scope_and_voids_only_what_is_its_own() {
    let central = with_visit().await;
    let system = processor(&central);
    agree(&central).await;
    let refuse = async |entry: Value, code| {
        let asked = json!({"entries": [entry]});
        let problem = refused(ask(&central, &system, CONTROLLER, PATH_LEDGER, &asked).await, code).await;
        assert_eq!(problem.item, Some(0));
    };
    // In the name of the counter, of another program, or of another source.
    refuse(central.world.entry(closing()), Code::EntryRefused).await;
    for (member, value) in [
        ("source", json!("dms")),
        ("actor", json!({"role": "staff", "id": OWN})),
        ("actor", json!({"role": "system", "id": "no-987654321"})),
    ] {
        let mut wrong = entry(&central, closing());
        wrong[member] = value;
        refuse(wrong, Code::EntryRefused).await;
    }
    let erasure =
        json!({"kind": "erasure-ordered", "whom": {"asset": ASSET}, "ground": "unlawful", "case": "1"});
    for event in
        [erasure, agreed(&central, &["linked"], 60), json!({"kind": "private-mode-started", "asset": ASSET})]
    {
        refuse(entry(&central, event), Code::OutOfScope).await;
    }
    let theirs = central
        .say(json!({"kind": "linked", "asset": ASSET, "subject": "5".repeat(32), "role": "owner"}))
        .await;
    let void = |hash: String| json!({"kind": "voided", "entry": hash, "reason": "mistake"});
    refuse(entry(&central, void(theirs.results[0].entry.to_string())), Code::OutOfScope).await;
    refuse(entry(&central, void("00".repeat(32))), Code::OutOfScope).await;

    let linked = json!({"kind": "linked", "asset": ASSET, "subject": "6".repeat(32), "role": "owner"});
    let asked = json!({"entries": [entry(&central, linked)]});
    let mine: LedgerAnswer = taken(ask(&central, &system, CONTROLLER, PATH_LEDGER, &asked).await).await;
    let asked = json!({"entries": [entry(&central, void(mine.results[0].entry.to_string()))]});
    let _: LedgerAnswer = taken(ask(&central, &system, CONTROLLER, PATH_LEDGER, &asked).await).await;
}

#[tokio::test]
async fn an_agreement_that_ends_by_its_time_or_by_word_ends_everything_at_once() {
    let central = with_visit().await;
    let system = processor(&central);
    let linked = |n: usize| {
        let event =
            json!({"kind": "linked", "asset": ASSET, "subject": format!("{n:032x}"), "role": "owner"});
        json!({"entries": [entry(&central, event)]})
    };
    let mut agreement = agree(&central).await;
    for (n, by_word) in [(1, false), (2, true)] {
        let _: LedgerAnswer = taken(ask(&central, &system, CONTROLLER, PATH_LEDGER, &linked(n)).await).await;
        if by_word {
            central.say(json!({"kind": "processor-ended", "agreement": agreement})).await;
        } else {
            central.world.advance_seconds(3_600);
        }
        for (path, body) in [
            (PATH_LEDGER, linked(n)),
            (PATH_CONSENTS, json!({"receipt": World::receipt()})),
            (PATH_FIND_ASSET, json!({"identifier": {"vin": VIN}})),
            (PATH_EVENTS, json!({"after": null, "limit": 1})),
            (PATH_FIND_ENTRY, json!({"source": OWN, "external_ref": "ref-1"})),
            (PATH_IMPORT, json!({})),
        ] {
            refused(ask(&central, &system, CONTROLLER, path, &body).await, Code::NoAgreement).await;
        }
        agreement = agree(&central).await;
    }
}

#[tokio::test]
async fn an_agreement_that_ends_at_one_process_lets_nothing_in_at_the_other() {
    let name = "an_agreement_that_ends_at_one_process_lets_nothing_in_at_the_other";
    let Some(cluster) = vernport_testkit::postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    let agreement = agree(&one).await;
    let other = Arc::new(other);
    let system = processor(&other);
    let asked = json!({"entries": [entry(&one, closing())]});
    let _: LedgerAnswer = taken(ask(&other, &system, CONTROLLER, PATH_LEDGER, &asked).await).await;
    one.say(json!({"kind": "processor-ended", "agreement": agreement})).await;
    refused(ask(&other, &system, CONTROLLER, PATH_LEDGER, &asked).await, Code::NoAgreement).await;
}

#[tokio::test]
async fn consents_are_shown_to_a_processor_that_takes_them_only() {
    let central = with_visit().await;
    let system = processor(&central);
    central.say(agreed(&central, &["order-opened", "order-closed"], 60)).await;
    let asked = json!({"receipt": World::receipt()});
    refused(ask(&central, &system, CONTROLLER, PATH_CONSENTS, &asked).await, Code::OutOfScope).await;
    central.world.advance_seconds(1);
    agree(&central).await;
    let told: vernport_api::ConsentsAnswer =
        taken(ask(&central, &system, CONTROLLER, PATH_CONSENTS, &asked).await).await;
    assert_eq!(told.consents.len(), 1);
}
