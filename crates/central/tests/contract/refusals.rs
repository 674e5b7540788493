//! What has to be refused with a problem document, counted, and without effect:
//! every row of both databases is the same before and after.

use crate::common::{
    CONTROLLER, Central, GATEWAY, OTHER_CONTROLLER, client,
    enrolling::{BOX, NewBox, enrolling},
    refused, slug, taken,
};
use reqwest::{Body, Client};
use serde_json::json;
use std::{io, time::Duration};
use vernport_api::{Code, EnrolmentAnswer, PATH_BATCHES, PATH_LEDGER, PATH_SEGMENTS, batch::MAX_BODY_BYTES};
use vernport_crypto::SigningKey;
use vernport_seal::EnvelopeHeader;
use vernport_testkit::pki::{DevCa, Role};

/// A central with a visit, a gateway that was enrolled here and replaced, and the client that it had.
async fn central() -> (Central, Client) {
    let central = enrolling().await;
    let old = central.enrolled(&NewBox::new(BOX), false).await;
    central.world.advance_seconds(1);
    central.enrolled(&NewBox::new(BOX), true).await;
    (central, old)
}

#[tokio::test]
async fn foreign_tampered_replayed_and_overlong_things_are_refused_counted_and_change_nothing() {
    let (central, old) = central().await;
    let world = &central.world;
    let grant = central.grant("odometer").await;
    let (used, new) = (central.invite("bay-2", false).await, NewBox::new("bay-2"));
    taken::<EnrolmentAnswer>(central.enrol(&new.request(&used)).await).await;
    let before = world.inspect().await;
    let mut expected: Vec<Code> = Vec::new();

    // A wrong certificate: of a gateway that was replaced, of another role, of a controller that is not served.
    let good = world.batch("odometer");
    refused(central.deliver_of(&old, &NewBox::new(BOX), grant).await, Code::CertificateRevoked).await;
    let recipient = client(&world.ca, "workshop", Role::Recipient, CONTROLLER);
    refused(central.send(&recipient, &[(grant, &good)]).await, Code::RoleNotAllowed).await;
    let stranger = client(&world.ca, GATEWAY, Role::Gateway, "NO-123456785");
    refused(central.send(&stranger, &[(grant, &good)]).await, Code::OtherController).await;
    expected.extend([Code::CertificateRevoked, Code::RoleNotAllowed, Code::OtherController]);

    // A replayed token.
    refused(central.enrol(&NewBox::new("bay-2").request(&used)).await, Code::EnrolmentRefused).await;
    expected.push(Code::EnrolmentRefused);

    // Another controller's batch, and under another controller's certificate.
    let elsewhere =
        EnvelopeHeader { controller: OTHER_CONTROLLER.parse().expect("an id"), ..world.header("odometer") };
    let foreign = world.envelope(&elsewhere, b"sealed bytes of at least a tag's length");
    refused(central.send(&central.gateway(), &[(grant, &foreign)]).await, Code::OtherController).await;
    let other = client(&world.ca, GATEWAY, Role::Gateway, OTHER_CONTROLLER);
    refused(central.send(&other, &[(grant, &good)]).await, Code::OtherGateway).await;
    expected.extend([Code::OtherController, Code::OtherGateway]);

    // A header with any bit of it changed: told as forged, foreign or malformed, and taken never.
    let length = world.header("odometer").to_bytes().len();
    for at in 0..length {
        let mut tampered = good.clone();
        tampered[at] ^= 1 << (at % 8);
        let response = central.send(&central.gateway(), &[(grant, &tampered)]).await;
        let problem: vernport_api::Problem =
            serde_json::from_slice(&response.bytes().await.expect("a body")).expect("a problem document");
        assert!(
            matches!(
                problem.code,
                Code::EnvelopeForged | Code::EnvelopeMalformed | Code::OtherController | Code::OtherGateway
            ),
            "byte {at}: {problem}"
        );
        expected.push(problem.code);
    }
    let by_another = SigningKey::generate();
    let keys = [world.workshop.wrapping_key(), world.recovery.wrapping_key()];
    let forged =
        crate::common::signed(&world.header("odometer"), b"sealed bytes of a tag", &keys, &by_another);
    refused(central.send(&central.gateway(), &[(grant, &forged)]).await, Code::EnvelopeForged).await;
    expected.push(Code::EnvelopeForged);

    assert_eq!(world.inspect().await, before);
    for code in Code::ALL {
        let count = expected.iter().filter(|refused| *refused == code).count() as u64;
        assert_eq!(central.refusals(*code), count, "{code}");
    }
    // And the batch itself is still good.
    assert!(central.send(&central.gateway(), &[(grant, &good)]).await.status().is_success());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let (central, _) = central().await;
    let before = central.world.inspect().await;
    let mut refusals = 0;
    let limits = [(PATH_LEDGER, 1 << 20, central.registrar()), (PATH_SEGMENTS, 1 << 20, central.gateway())];
    for (path, limit, client) in limits.iter().chain([&(PATH_BATCHES, MAX_BODY_BYTES, central.gateway())]) {
        let declared = vec![b' '; limit + 1];
        let piece = vec![b' '; 64 << 10];
        let pieces = (0..=limit / piece.len()).map(move |_| Ok::<_, io::Error>(piece.clone()));
        let chunked = Body::wrap_stream(futures_util::stream::iter(pieces));
        for body in [Body::from(declared), chunked] {
            // Refused while it is still being sent: the document may come, or the stream is reset.
            if let Ok(response) = client.post(central.url(path)).body(body).send().await {
                refused(response, Code::BodyTooLarge).await;
            }
            refusals += 1;
        }
    }
    for body in [Body::from(vec![b' '; 9 << 10]), Body::from("x".repeat(100 << 10))] {
        refused(central.enrol_with(body).await, Code::BodyTooLarge).await;
        refusals += 1;
    }
    assert_eq!(central.refusals(Code::BodyTooLarge), refusals);
    assert_eq!(central.world.inspect().await, before);
}

#[tokio::test]
async fn a_slow_sender_is_given_up_and_changes_nothing() {
    let world = crate::common::World::new();
    let central = world.start_within(|bounds| bounds.request_timeout_ms = 300).await;
    central.ledger(central.world.visit()).await;
    let before = central.world.inspect().await;
    for (path, client) in [(PATH_LEDGER, central.registrar()), (PATH_BATCHES, central.gateway())] {
        // A good beginning, and then nothing.
        let entry = central.world.entry(json!({"kind": "enrolment-ended", "gateway": GATEWAY}));
        let begun = json!({"entries": [entry]}).to_string().into_bytes();
        let half = begun[..begun.len() - 1].to_vec();
        let stream = futures_util::stream::once(async move { Ok::<_, io::Error>(half) });
        let stream = futures_util::StreamExt::chain(stream, futures_util::stream::pending());
        let sent = client.post(central.url(path)).body(Body::wrap_stream(stream)).send();
        let response = tokio::time::timeout(Duration::from_secs(10), sent).await.expect("given up");
        refused(response.expect("an answer"), Code::Busy).await;
    }
    assert_eq!(central.refusals(Code::Busy), 2);
    assert_eq!(central.world.inspect().await, before);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_counted_where_no_document_can_be_sent() {
    let (central, _) = central().await;
    let before = central.world.inspect().await;
    let other = DevCa::new().client(&slug(GATEWAY), Role::Gateway, &crate::common::controller(CONTROLLER));
    for identity in [None, Some(&other)] {
        let client = crate::common::connect(&central.world.ca, identity);
        assert!(client.get(central.url("/v1/status")).send().await.is_err());
    }
    let nobody = crate::common::connect(&central.world.ca, Some(&central.world.ca.server()));
    assert!(nobody.get(central.url("/v1/status")).send().await.is_err());
    assert!(central.turned_away("handshake failed") >= 3);
    assert_eq!(central.world.inspect().await, before);
}
