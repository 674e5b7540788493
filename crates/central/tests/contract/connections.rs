//! Who gets in, and within which bounds.

use crate::common::{
    CONTROLLER, GATEWAY, OTHER_CONTROLLER, World, client, connect, refused, slug, with_visit,
};
use serde_json::json;
use std::time::Duration;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use vernport_api::{
    Code, PATH_BATCHES, PATH_FEED, PATH_LEDGER, PATH_READS, PATH_STATUS, batch::MAX_BODY_BYTES,
};
use vernport_testkit::pki::{DevCa, Role};

#[tokio::test]
async fn no_certificate_and_that_of_another_authority_are_refused_at_the_handshake() {
    let central = World::new().start().await;
    let other = DevCa::new().client(&slug(GATEWAY), Role::Gateway, &crate::common::controller(CONTROLLER));
    for identity in [None, Some(&other)] {
        let client = connect(&central.world.ca, identity);
        assert!(client.get(central.url(PATH_STATUS)).send().await.is_err());
    }
    // The server's own certificate is of the right authority, and names nobody.
    let client = connect(&central.world.ca, Some(&central.world.ca.server()));
    assert!(client.get(central.url(PATH_STATUS)).send().await.is_err());
    assert!(
        central.gateway().get(central.url(PATH_STATUS)).send().await.expect("served").status().is_success()
    );
}

#[tokio::test]
async fn each_role_does_its_own_and_a_controller_that_is_not_served_nothing() {
    let central = with_visit().await;
    let ca = &central.world.ca;
    let gateway = central.gateway();
    for path in [PATH_LEDGER, PATH_READS, "/v1/assets/find"] {
        refused(central.post(&gateway, path, &json!({})).await, Code::RoleNotAllowed).await;
    }
    for role in [Role::Registrar, Role::Recipient] {
        let other = client(ca, "other", role, CONTROLLER);
        for path in [PATH_BATCHES, PATH_FEED] {
            refused(central.post(&other, path, &json!({})).await, Code::RoleNotAllowed).await;
        }
    }
    let stranger = client(ca, "dms", Role::Registrar, "NO-123456785");
    refused(central.post(&stranger, PATH_LEDGER, &json!({})).await, Code::OtherController).await;
    let foreign = client(ca, "dms", Role::Registrar, OTHER_CONTROLLER);
    let entry = central.world.entry(json!({"kind": "order-closed", "order": crate::common::ORDER}));
    let asked = json!({"entries": [entry]});
    refused(central.post(&foreign, PATH_LEDGER, &asked).await, Code::OtherController).await;
}

#[tokio::test]
async fn what_is_not_in_the_contract_gets_a_problem_document() {
    let central = World::new().start().await;
    let registrar = central.registrar();
    refused(central.post(&registrar, "/v2/ledger", &json!({})).await, Code::NotFound).await;
    let got = registrar.get(central.url(PATH_LEDGER)).send().await.expect("an answer");
    refused(got, Code::MethodNotAllowed).await;
    let problem = refused(
        central.post(&registrar, PATH_LEDGER, &json!({"entries": ["secret"]})).await,
        Code::BadRequest,
    );
    let problem = problem.await;
    assert!(problem.detail.contains("column") && !problem.detail.contains("secret"), "{problem}");
}

#[tokio::test]
async fn a_body_over_its_bound_is_refused_without_effect() {
    let central = with_visit().await;
    let over = vec![0; MAX_BODY_BYTES + 1];
    let sent = central.gateway().post(central.url(PATH_BATCHES)).body(over).send().await;
    // Refused while it is still being sent: the document may come, or the stream is reset.
    if let Ok(response) = sent {
        refused(response, Code::BodyTooLarge).await;
    }
    let over = json!({"entries": [], "padding": "x".repeat(1024 * 1024)});
    refused(central.post(&central.registrar(), PATH_LEDGER, &over).await, Code::BodyTooLarge).await;
    assert_eq!(central.stored_batches().await, 0);
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_is_cut_off_and_frees_the_place() {
    let central = World::new()
        .start_within(|bounds| {
            bounds.handshake_timeout_ms = 100;
            bounds.max_connections = 1;
        })
        .await;
    let mut silent = TcpStream::connect(central.addr).await.expect("accepted");
    let mut byte = [0];
    let closed = timeout(Duration::from_secs(10), silent.read(&mut byte)).await.expect("cut off");
    assert_eq!(closed.unwrap_or(0), 0);
    assert!(
        central.registrar().get(central.url(PATH_STATUS)).send().await.expect("served").status().is_success()
    );
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let central = World::new().start_within(|bounds| bounds.request_timeout_ms = 200).await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let sent =
        central.registrar().post(central.url(PATH_LEDGER)).body(reqwest::Body::wrap_stream(never)).send();
    let response = timeout(Duration::from_secs(10), sent).await.expect("given up").expect("an answer");
    refused(response, Code::Busy).await;
}
