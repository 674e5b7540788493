//! What is committed, once, and what is not.

use crate::common::{
    CONTROLLER, DRIVER, GATEWAY, ORDER, OTHER_CONTROLLER, World, client, refused, signed, slug, with_visit,
};
use serde_json::json;
use vernport_api::{Answer, Code};
use vernport_crypto::SigningKey;
use vernport_seal::EnvelopeHeader;
use vernport_testkit::pki::Role;
use vernport_types::{GrantId, Reason, UtcMicros};

const BODY: &[u8] = b"sealed bytes of at least a tag's length";

#[tokio::test]
async fn a_batch_is_committed_once_however_often_it_is_sent() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let (one, two) = (central.world.batch("odometer"), central.world.batch("odometer"));
    assert_eq!(central.deliver(&[(grant, &one)]).await, [Answer::Committed]);
    assert_eq!(
        central.deliver(&[(grant, &one), (grant, &two)]).await,
        [Answer::Duplicate, Answer::Committed]
    );
    assert_eq!(central.deliver(&[(grant, &two), (grant, &two)]).await, [Answer::Duplicate; 2]);
    assert_eq!(central.stored_batches().await, 2);
    let central = central.restart().await;
    assert_eq!(central.deliver(&[(grant, &one)]).await, [Answer::Duplicate]);
    assert_eq!(central.stored_batches().await, 2);
}

#[tokio::test]
async fn an_id_used_again_for_other_bytes_is_refused_with_all_that_came_along() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let header = central.world.header("odometer");
    let first = central.world.envelope(&header, BODY);
    assert_eq!(central.deliver(&[(grant, &first)]).await, [Answer::Committed]);
    let fresh = central.world.batch("odometer");
    let other_header = EnvelopeHeader { latest_due: header.latest_due.plus_seconds(1), ..header.clone() };
    for second in [
        central.world.envelope(&header, b"other bytes that are as long as a tag"),
        central.world.envelope(&other_header, BODY),
    ] {
        let response = central.send(&central.gateway(), &[(grant, &fresh), (grant, &second)]).await;
        assert_eq!(refused(response, Code::BatchIdReused).await.item, Some(1));
    }
    assert_eq!(central.stored_batches().await, 1);
}

#[tokio::test]
async fn what_is_not_the_gateways_own_is_refused_with_all_that_came_along() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let world = &central.world;
    let header = world.header("odometer");
    let good = world.envelope(&header, BODY);
    let keys = [world.workshop.wrapping_key(), world.recovery.wrapping_key()];

    let mut tampered = good.clone();
    let due = 4 + 1 + 1 + CONTROLLER.len() + 1 + GATEWAY.len() + 16 + 1 + "odometer".len() + 16;
    tampered[due + 7] ^= 1;
    let mut broken = good.clone();
    broken[0] = b'X';
    let without_wraps = vernport_seal::ReceivedEnvelope::parse(&good).expect("good").without_wraps();
    let elsewhere = EnvelopeHeader { controller: OTHER_CONTROLLER.parse().expect("an id"), ..header.clone() };
    let of_spare = EnvelopeHeader { gateway: slug("bay-1-spare"), ..header.clone() };
    let cases = [
        (tampered, Code::EnvelopeForged),
        (signed(&header, BODY, &keys, &SigningKey::generate()), Code::EnvelopeForged),
        (broken, Code::EnvelopeMalformed),
        (without_wraps.as_bytes().to_vec(), Code::EnvelopeMalformed),
        (world.envelope(&elsewhere, BODY), Code::OtherController),
        (world.envelope(&of_spare, BODY), Code::OtherGateway),
        (world.batch("speed"), Code::EnvelopeNotOfGrant),
    ];
    for (envelope, code) in cases {
        let response = central.send(&central.gateway(), &[(grant, &good), (grant, &envelope)]).await;
        assert_eq!(refused(response, code).await.item, Some(1), "{code}");
        assert_eq!(central.stored_batches().await, 0, "{code}");
    }

    let foreign = client(&world.ca, GATEWAY, Role::Gateway, OTHER_CONTROLLER);
    refused(central.send(&foreign, &[(grant, &good)]).await, Code::OtherGateway).await;
    let unknown = client(&world.ca, "bay-9", Role::Gateway, CONTROLLER);
    refused(central.send(&unknown, &[(grant, &good)]).await, Code::OtherGateway).await;
    assert_eq!(central.stored_batches().await, 0);
}

#[tokio::test]
async fn a_key_epoch_stays_with_its_grant_and_gateway() {
    let central = with_visit().await;
    let (odometer, speed) = (central.grant("odometer").await, central.grant("speed").await);
    let header = central.world.header("odometer");
    assert_eq!(
        central.deliver(&[(odometer, &central.world.envelope(&header, BODY))]).await,
        [Answer::Committed]
    );

    let same_epoch = EnvelopeHeader { epoch: header.epoch, ..central.world.header("speed") };
    let envelope = central.world.envelope(&same_epoch, BODY);
    let response = central.send(&central.gateway(), &[(speed, &envelope)]).await;
    refused(response, Code::EnvelopeNotOfGrant).await;

    let of_spare = EnvelopeHeader {
        gateway: slug("bay-1-spare"),
        epoch: header.epoch,
        ..central.world.header("odometer")
    };
    let envelope = central.world.envelope(&of_spare, BODY);
    let spare = client(&central.world.ca, "bay-1-spare", Role::Gateway, CONTROLLER);
    refused(central.send(&spare, &[(odometer, &envelope)]).await, Code::EnvelopeNotOfGrant).await;
    assert_eq!(central.stored_batches().await, 1);
}

#[tokio::test]
async fn an_unknown_grant_is_asked_for_again_and_an_overdue_batch_is_destroyed() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(GrantId::from_bytes([1; 16]), &batch)]).await, [Answer::Retry]);
    let overdue = EnvelopeHeader { latest_due: central.world.now(), ..central.world.header("odometer") };
    let overdue = central.world.envelope(&overdue, BODY);
    assert_eq!(central.deliver(&[(grant, &overdue)]).await, [Answer::RefusedWithdrawn]);
    let far = EnvelopeHeader { latest_due: UtcMicros(i64::MAX), ..central.world.header("odometer") };
    assert_eq!(central.deliver(&[(grant, &central.world.envelope(&far, BODY))]).await, [Answer::Committed]);
    assert_eq!(central.stored_batches().await, 1);
}

#[tokio::test]
async fn a_withdrawal_that_committed_before_wins_and_the_contract_goes_on() {
    let central = with_visit().await;
    let (odometer, speed) = (central.grant("odometer").await, central.grant("speed").await);
    assert_eq!(central.deliver(&[(speed, &central.world.batch("speed"))]).await, [Answer::Committed]);
    let (queued_speed, queued_odometer) = (central.world.batch("speed"), central.world.batch("odometer"));
    central
        .say(json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"}))
        .await;
    let sent = [(speed, &queued_speed[..]), (odometer, &queued_odometer[..])];
    assert_eq!(central.deliver(&sent).await, [Answer::RefusedWithdrawn, Answer::Committed]);
    let central = central.restart().await;
    assert_eq!(central.deliver(&sent).await, [Answer::RefusedWithdrawn, Answer::Duplicate]);
}

#[tokio::test]
async fn a_withdrawal_counts_when_it_is_answered_also_after_centrals_clock_was_set_back() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    central.world.advance_seconds(4);
    let mut withdrawal = central
        .world
        .entry(json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"}));
    withdrawal["occurred_at"] = json!(central.world.now().0);
    // Central saw the time before; the counter's clock is right, and so far ahead of central's now.
    central.world.advance_seconds(-600);
    central.ledger(vec![withdrawal]).await;
    let batch = central.world.batch("speed");
    assert_eq!(central.deliver(&[(speed, &batch)]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn an_order_that_ended_lets_go_what_was_read_before_until_the_consent_is_withdrawn_too() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    central.say(json!({"kind": "order-closed", "order": ORDER})).await;
    assert_eq!(central.deliver(&[(speed, &central.world.batch("speed"))]).await, [Answer::Committed]);
    let scope = json!({"subject": {"subject": DRIVER}});
    let answer = central.say(json!({"kind": "consent-withdrawn", "scope": scope, "method": "web"})).await;
    let [stopped] = &answer.effect.stopped[..] else { panic!("one grant is over for another reason now") };
    assert_eq!((stopped.grant, stopped.reason), (speed, Reason::ConsentWithdrawn));
    assert_eq!((stopped.gateways.len(), stopped.gateways[0].at_the_latest), (2, None));
    let told = central.snapshot().await.closed;
    assert!(told.iter().any(|over| over.id == speed && over.reason == Reason::ConsentWithdrawn));
    assert_eq!(central.deliver(&[(speed, &central.world.batch("speed"))]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn a_consent_that_ran_out_is_as_one_withdrawn_although_nobody_said_a_word() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    central.world.advance_seconds(86_400 - 1);
    let queued = central.world.batch("speed");
    assert_eq!(central.deliver(&[(speed, &central.world.batch("speed"))]).await, [Answer::Committed]);
    central.world.advance_seconds(1);
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::RefusedWithdrawn]);
    // A clock set back reopens nothing.
    central.world.advance_seconds(-3_600);
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn a_consent_that_runs_out_after_the_order_ended_stops_what_is_still_queued() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    central.say(json!({"kind": "order-closed", "order": ORDER})).await;
    let queued = central.world.batch("speed");
    let late = EnvelopeHeader { latest_due: UtcMicros(i64::MAX), ..central.world.header("speed") };
    let late = central.world.envelope(&late, BODY);
    central.world.advance_seconds(86_400 - 1);
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::Committed]);
    central.world.advance_seconds(1);
    assert_eq!(central.deliver(&[(speed, &late)]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn what_is_restricted_waits_and_goes_on_under_its_grant_once_lifted() {
    let central = with_visit().await;
    let speed = central.grant("speed").await;
    let queued = central.world.batch("speed");
    let restriction = central
        .say(json!({"kind": "restriction-set", "whom": {"subject": DRIVER}, "ground": "accuracy-disputed",
                    "case": "case-1"}))
        .await
        .results[0]
        .entry;
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::ParkedRestricted]);
    assert_eq!(central.stored_batches().await, 0);

    central.world.advance_seconds(1);
    let told = json!({"kind": "restriction-lifting-announced", "restriction": restriction, "method": "message",
                      "evidence": "letter-1"});
    central.say(told).await;
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::ParkedRestricted]);
    central.world.advance_seconds(1);
    central.say(json!({"kind": "restriction-lifted", "restriction": restriction})).await;
    assert_eq!(central.deliver(&[(speed, &queued)]).await, [Answer::Committed]);
    assert_eq!(central.grant("speed").await, speed);
}

#[tokio::test]
async fn what_rested_on_a_mistake_is_destroyed() {
    let central = World::new().start().await;
    let recorded = central.ledger(central.world.visit()).await;
    let order = recorded.results.last().expect("the order").entry;
    let odometer = central.grant("odometer").await;
    central.say(json!({"kind": "voided", "entry": order, "reason": "wrong-asset"})).await;
    let queued = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(odometer, &queued)]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn a_consent_given_again_opens_another_grant_and_not_the_old_one() {
    let central = with_visit().await;
    let before = central.grant("speed").await;
    let withdrawn =
        json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"});
    let withdrawal = central.say(withdrawn).await.results[0].entry;
    central.world.advance_seconds(1);
    // The withdrawal was a mistake: the old consent is in force again, for new readings.
    central.say(json!({"kind": "voided", "entry": withdrawal, "reason": "mistake"})).await;
    let after = central.grant("speed").await;
    assert_ne!(before, after);
    let (old, new) = (central.world.batch("speed"), central.world.batch("speed"));
    let answers = central.deliver(&[(before, &old), (after, &new)]).await;
    assert_eq!(answers, [Answer::RefusedWithdrawn, Answer::Committed]);
}

#[tokio::test]
async fn what_the_key_before_signed_still_comes_in_for_a_month_unless_the_enrolment_was_ended() {
    const MONTH_SECONDS: i64 = 30 * 86_400;
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let next = SigningKey::generate();
    let enrolled = |key: &SigningKey| {
        let station = json!({"site": "oslo", "station": "bay-1"});
        json!({"kind": "gateway-enrolled", "gateway": GATEWAY, "station": station,
               "device_key": key.verifying_key()})
    };
    let keys = [central.world.workshop.wrapping_key(), central.world.recovery.wrapping_key()];
    let by = |key: &SigningKey| signed(&central.world.header("odometer"), BODY, &keys, key);
    let send = async |key: &SigningKey| central.send(&central.gateway(), &[(grant, &by(key))]).await;

    let early = by(&next);
    refused(central.send(&central.gateway(), &[(grant, &early)]).await, Code::EnvelopeForged).await;
    central.world.advance_seconds(1);
    central.ledger(vec![central.world.entry(enrolled(&next))]).await;
    for key in [&central.world.device, &next] {
        assert!(send(key).await.status().is_success());
    }
    refused(send(&SigningKey::generate()).await, Code::EnvelopeForged).await;
    central.world.advance_seconds(MONTH_SECONDS);
    refused(send(&central.world.device).await, Code::EnvelopeForged).await;
    assert!(send(&next).await.status().is_success());

    // The box was stolen: its enrolment is ended, another is enrolled in its place.
    let replacement = SigningKey::generate();
    let ended = json!({"kind": "enrolment-ended", "gateway": GATEWAY});
    central.ledger(vec![central.world.entry(ended)]).await;
    central.world.advance_seconds(1);
    central.ledger(vec![central.world.entry(enrolled(&replacement))]).await;
    refused(send(&next).await, Code::EnvelopeForged).await;
    assert!(send(&replacement).await.status().is_success());
}
