//! What a recipient gets, and what is known of it afterwards.

use crate::common::{
    CONTROLLER, Central, DRIVER, OTHER_CONTROLLER, World, client, refused, taken, with_visit,
};
use reqwest::Client;
use serde_json::{Value, json};
use vernport_api::{Answer, Blob, Code, PATH_READS, ReadAnswer};
use vernport_testkit::pki::Role;
use vernport_types::KeyId;

fn asked(key: KeyId, after: Option<i64>, limit: u16) -> Value {
    json!({"controller": CONTROLLER, "task": "repair-1", "recipient_key": key, "after": after, "limit": limit})
}

fn recipient(central: &Central, name: &str) -> Client {
    client(&central.world.ca, name, Role::Recipient, CONTROLLER)
}

async fn read(central: &Central, name: &str, key: KeyId, after: Option<i64>, limit: u16) -> ReadAnswer {
    let client = recipient(central, name);
    taken(central.post(&client, PATH_READS, &asked(key, after, limit)).await).await
}

#[tokio::test]
async fn a_recipient_gets_its_own_batches_as_they_were_sealed_page_by_page() {
    let central = with_visit().await;
    let (odometer, speed) = (central.grant("odometer").await, central.grant("speed").await);
    let batches: Vec<Vec<u8>> = (0..3).map(|_| central.world.batch("odometer")).collect();
    for batch in &batches {
        assert_eq!(central.deliver(&[(odometer, batch)]).await, [Answer::Committed]);
        central.deliver(&[(speed, &central.world.batch("speed"))]).await;
    }
    let key = central.world.workshop.wrapping_key().key_id();
    let first = read(&central, "workshop", key, None, 2).await;
    assert_eq!(first.envelopes, [Blob(batches[0].clone()), Blob(batches[1].clone())]);
    let central = central.restart().await;
    let second = read(&central, "workshop", key, first.cursor, 2).await;
    assert_eq!(second.envelopes, [Blob(batches[2].clone())]);
    let third = read(&central, "workshop", key, second.cursor, 2).await;
    assert_eq!((third.envelopes, third.cursor), (Vec::new(), None));
}

#[tokio::test]
async fn a_key_serves_its_recipient_and_purpose_until_it_is_revoked() {
    let central = with_visit().await;
    let odometer = central.grant("odometer").await;
    central.deliver(&[(odometer, &central.world.batch("odometer"))]).await;
    let (workshop, coach) =
        (central.world.workshop.wrapping_key().key_id(), central.world.coach.wrapping_key().key_id());
    assert_eq!(read(&central, "coach", coach, None, 64).await.envelopes, []);

    for (name, key) in [("workshop", coach), ("coach", workshop), ("workshop", KeyId::from_bytes([0; 16]))] {
        let response = central.post(&recipient(&central, name), PATH_READS, &asked(key, None, 64)).await;
        refused(response, Code::RecipientKeyUnknown).await;
    }
    let foreign = client(&central.world.ca, "workshop", Role::Recipient, OTHER_CONTROLLER);
    let response = central.post(&foreign, PATH_READS, &asked(workshop, None, 64)).await;
    refused(response, Code::OtherController).await;
    for limit in [0, 65] {
        let response =
            central.post(&recipient(&central, "workshop"), PATH_READS, &asked(workshop, None, limit)).await;
        refused(response, Code::BadRequest).await;
    }

    central.say(json!({"kind": "recipient-key-revoked", "key": workshop})).await;
    let response =
        central.post(&recipient(&central, "workshop"), PATH_READS, &asked(workshop, None, 64)).await;
    refused(response, Code::RecipientKeyUnknown).await;
}

#[tokio::test]
async fn what_is_restricted_is_not_read_and_what_was_lawful_when_committed_is() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    central.deliver(&[(speed, &central.world.batch("speed"))]).await;
    let coach = central.world.coach.wrapping_key().key_id();
    let count = async || read(&central, "coach", coach, None, 64).await.envelopes.len();
    assert_eq!(count().await, 1);

    let restricted =
        json!({"kind": "restriction-set", "whom": {"subject": DRIVER}, "ground": "unlawful", "case": "c"});
    let restriction = central.say(restricted).await.results[0].entry;
    assert_eq!(count().await, 0);
    central.world.advance_seconds(1);
    let told = json!({"kind": "restriction-lifting-announced", "restriction": restriction, "method": "web",
                      "evidence": "e"});
    central.say(told).await;
    central.world.advance_seconds(1);
    central.say(json!({"kind": "restriction-lifted", "restriction": restriction})).await;
    assert_eq!(count().await, 1);

    let withdrawn =
        json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"});
    central.say(withdrawn).await;
    assert_eq!(count().await, 1, "withdrawal is not retroactive");
    let erased = json!({"kind": "erasure-ordered", "whom": {"subject": DRIVER}, "ground": "consent-withdrawn", "case": "c"});
    central.say(erased).await;
    assert_eq!(count().await, 0);
    central.world.advance_seconds(86_400);
    assert_eq!(count().await, 0);
}
