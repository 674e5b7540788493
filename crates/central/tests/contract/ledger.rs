//! What is recorded, what an entry changes, and what is said about it.

use crate::common::{
    ASSET, CONTROLLER, Central, GATEWAY, ORDER, VIN, World, client, open_flow, refused, slug, taken, vin,
    with_visit,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::fs;
use vernport_api::{Code, FindAnswer, LedgerAnswer, PATH_FIND_ASSET, PATH_LEDGER};
use vernport_central::Gateway;
use vernport_testkit::pki::Role;
use vernport_types::{LegalBasis, Reason};

fn withdrawal() -> Value {
    json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"})
}

#[tokio::test]
async fn an_entry_sent_again_is_recorded_once_and_its_reference_stands_for_it() {
    let central = with_visit().await;
    let entry = central.world.entry(json!({"kind": "order-closed", "order": ORDER}));
    let first = central.ledger(vec![entry.clone()]).await;
    central.world.advance_seconds(60);
    let second = central.ledger(vec![entry.clone()]).await;
    assert_eq!((first.results[0].duplicate, second.results[0].duplicate), (false, true));
    assert_eq!(first.results[0].entry, second.results[0].entry);
    assert_eq!(second.effect, vernport_api::LedgerEffect::default());

    let central = central.restart().await;
    assert!(central.ledger(vec![entry.clone()]).await.results[0].duplicate);
    let mut other = entry;
    other["event"] = withdrawal();
    let response = central.post(&central.registrar(), PATH_LEDGER, &json!({"entries": [other]})).await;
    refused(response, Code::ExternalRefReused).await;
}

#[tokio::test]
async fn entries_of_a_request_are_recorded_together_or_not_at_all() {
    let central = with_visit().await;
    let good = central.world.entry(withdrawal());
    let bad = central.world.entry(json!({"kind": "order-closed", "order": "00".repeat(16)}));
    let asked = json!({"entries": [good.clone(), bad]});
    let problem =
        refused(central.post(&central.registrar(), PATH_LEDGER, &asked).await, Code::EntryRefused).await;
    assert_eq!(problem.item, Some(1));
    central.grant("speed").await;
    assert!(!central.ledger(vec![good]).await.results[0].duplicate);
    for entries in [json!([]), json!(vec![0; 257])] {
        let response = central.post(&central.registrar(), PATH_LEDGER, &json!({"entries": entries})).await;
        refused(response, Code::BadRequest).await;
    }
}

#[tokio::test]
async fn a_hold_beyond_what_the_bundle_allows_is_refused_and_says_what_it_allows() {
    let central = with_visit().await;
    let hold = |ground: &str, days: i64| {
        let until = central.world.now().plus_seconds(days * 86_400);
        let scope = json!({"flows": {"flows": ["speed"]}});
        json!({"kind": "hold-set", "scope": scope, "ground": ground, "citation": "case 7", "until": until})
    };
    for (ground, days, what) in
        [("dispute", 31, "(hold.dispute: P30D)"), ("incident", 1, "no hold on the ground incident")]
    {
        let entry = central.world.entry(hold(ground, days));
        // Alone, and behind one that may be written: then neither is.
        let other = central.world.entry(json!({"kind": "order-closed", "order": ORDER}));
        for (entries, item) in [(json!([entry]), 0), (json!([other, entry]), 1)] {
            let asked = json!({"entries": entries});
            let response = central.post(&central.registrar(), PATH_LEDGER, &asked).await;
            let problem = refused(response, Code::EntryRefused).await;
            assert_eq!(problem.item, Some(item));
            assert!(problem.detail.contains(what), "{}", problem.detail);
        }
    }
    central.grant("speed").await;
    let allowed = central.world.entry(hold("dispute", 30));
    assert!(!central.ledger(vec![allowed.clone()]).await.results[0].duplicate);
    // Said again it is the same, also after its time.
    central.world.advance_seconds(40 * 86_400);
    assert!(central.ledger(vec![allowed]).await.results[0].duplicate);
}

#[tokio::test]
async fn an_entry_that_could_not_be_stored_is_not_in_force_and_can_be_sent_again() {
    let central = with_visit().await;
    let file = SqliteConnectOptions::new().filename(central.world.folder.path().join("main.db"));
    let mut other = file.connect().await.expect("connects");
    let held = other.begin_with("BEGIN IMMEDIATE").await.expect("free");
    let asked = json!({"entries": [central.world.entry(withdrawal())]});
    refused(central.post(&central.registrar(), PATH_LEDGER, &asked).await, Code::Busy).await;
    held.rollback().await.expect("nothing was written");
    central.grant("speed").await;
    let answer: LedgerAnswer = taken(central.post(&central.registrar(), PATH_LEDGER, &asked).await).await;
    assert_eq!((answer.results[0].duplicate, answer.effect.stopped.len()), (false, 1));
}

#[tokio::test]
async fn a_withdrawal_says_where_it_took_effect_or_by_when_and_what_goes_on() {
    let central = with_visit().await;
    let spare = client(&central.world.ca, "bay-1-spare", Role::Gateway, CONTROLLER);
    central.feed_as(&spare, "bay-1-spare", None, 0).await;
    let spare_head_at = central.world.now();
    // From here on the spare is silent, and the other gateway follows.
    central.world.advance_seconds(60);
    let (known, speed) = (central.snapshot().await.hash(), central.grant("speed").await);
    let gateway = central.gateway();
    let follow = async {
        let heard = central.feed_as(&gateway, GATEWAY, Some(known), 5_000).await;
        let known = heard.snapshot.expect("changed").hash();
        central.feed_as(&gateway, GATEWAY, Some(known), 0).await;
    };
    let asked = json!({"entries": [central.world.entry(withdrawal())], "wait_ms": 5_000});
    let registrar = central.registrar();
    let (answer, ()) = tokio::join!(central.post(&registrar, PATH_LEDGER, &asked), follow);
    let answer: LedgerAnswer = taken(answer).await;

    let [stopped] = &answer.effect.stopped[..] else { panic!("one flow rests on the consent") };
    assert_eq!((stopped.grant, stopped.reason), (speed, Reason::ConsentWithdrawn));
    assert_eq!((stopped.since, stopped.flow.as_str()), (central.world.now(), "speed"));
    let [told, silent] = &stopped.gateways[..] else { panic!("two gateways had the grant") };
    assert_eq!((told.gateway.as_str(), told.took_effect_at), (GATEWAY, Some(central.world.now())));
    assert_eq!((silent.gateway.as_str(), silent.took_effect_at), ("bay-1-spare", None));
    assert_eq!(silent.at_the_latest, Some(spare_head_at.plus_seconds(300)));
    let [goes_on] = &answer.effect.goes_on[..] else { panic!("the contract goes on") };
    assert_eq!((goes_on.flow.as_str(), goes_on.basis), ("odometer", LegalBasis::Contract));
}

#[tokio::test]
async fn a_silent_gateway_is_not_waited_for_and_a_restart_does_not_forget_when_it_was_heard_of() {
    let central = with_visit().await;
    central.snapshot().await;
    let heard_at = central.world.now();
    central.world.advance_seconds(3_600);
    let central = central.restart().await;
    let answer = central.say(withdrawal()).await;
    let [told, never_heard_of] = &answer.effect.stopped[0].gateways[..] else { panic!("both were told") };
    assert_eq!((told.gateway.as_str(), told.took_effect_at), (GATEWAY, None));
    // Heads are noted for 15 seconds at a time.
    assert_eq!(told.at_the_latest, Some(heard_at.plus_seconds(15 + 300)));
    assert_eq!((never_heard_of.gateway.as_str(), never_heard_of.took_effect_at), ("bay-1-spare", None));
    assert_eq!(never_heard_of.at_the_latest, Some(central.world.now().plus_seconds(300)));
}

#[tokio::test]
async fn what_is_said_opens_flows_and_says_so() {
    let central = World::new().start().await;
    let mut visit = central.world.visit();
    let order = visit.pop().expect("the order comes last");
    assert_eq!(central.ledger(visit).await.effect.opened, []);
    let opened = central.ledger(vec![order]).await.effect.opened;
    let mut open = [central.grant("odometer").await, central.grant("speed").await];
    open.sort();
    assert_eq!(opened, open);
}

#[tokio::test]
async fn a_gateway_of_the_configuration_is_enrolled_once_and_again_only_where_it_changed() {
    let world = World::new();
    let gateway = |station: &str, world: &World| Gateway {
        name: slug("bay-7"),
        site: slug("oslo"),
        station: slug(station),
        device_key: world.device.verifying_key(),
    };
    let (here, there) = (gateway("bay-7", &world), gateway("bay-8", &world));
    let central = world.start_with(|_| {}, std::slice::from_ref(&here)).await;
    let first = central.feed_as(&bay_of(&central), "bay-7", None, 0).await.snapshot.expect("enrolled").hash();

    let world = central.stop().await;
    world.advance_seconds(1);
    let central = world.start_with(|_| {}, &[here]).await;
    assert_eq!(central.feed_as(&bay_of(&central), "bay-7", Some(first), 0).await.snapshot, None);

    let mut visit = central.world.visit();
    visit.last_mut().expect("the order")["event"]["station"]["station"] = json!("bay-8");
    central.ledger(visit).await;
    let world = central.stop().await;
    world.advance_seconds(1);
    let central = world.start_with(|_| {}, &[there]).await;
    let moved = central.feed_as(&bay_of(&central), "bay-7", None, 0).await.snapshot.expect("enrolled");
    assert!(open_flow(&moved, "odometer").is_some(), "it stands where the order is now");
}

fn bay_of(central: &Central) -> reqwest::Client {
    client(&central.world.ca, "bay-7", Role::Gateway, CONTROLLER)
}

#[tokio::test]
async fn an_asset_is_found_by_its_identifier_which_is_in_no_file() {
    let central = World::new().start().await;
    let asked = json!({"entries": central.world.visit(), "identifiers": [vin()]});
    let _: LedgerAnswer = taken(central.post(&central.registrar(), PATH_LEDGER, &asked).await).await;
    let find = async |vin: &str| -> Option<String> {
        let asked = json!({"identifier": {"vin": vin}});
        let found: FindAnswer =
            taken(central.post(&central.registrar(), PATH_FIND_ASSET, &asked).await).await;
        found.asset.map(|asset| asset.to_string())
    };
    assert_eq!(find(VIN).await.as_deref(), Some(ASSET));
    assert_eq!(find("WDB9634031L738002").await, None);

    let world = central.stop().await;
    let mut files = 0;
    for file in fs::read_dir(world.folder.path()).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(VIN.len()).any(|window| window == VIN.as_bytes()));
        // Neither are entries: they say who consented to what at which counter.
        assert!(!bytes.windows(9).any(|window| window == b"counter-7"));
        files += 1;
    }
    assert!(files >= 2, "both databases are there");
}

#[tokio::test]
async fn an_identifier_without_its_entry_is_refused() {
    let central = World::new().start().await;
    let mut visit = central.world.visit();
    visit.retain(|entry| entry["event"]["kind"] != "asset-identified");
    let asked = json!({"entries": visit, "identifiers": [vin()]});
    let problem =
        refused(central.post(&central.registrar(), PATH_LEDGER, &asked).await, Code::BadRequest).await;
    assert!(!problem.detail.contains(VIN));
}
