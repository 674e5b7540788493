//! The document that describes the contract is that of this router; every exchange of the other
//! tests is held against it in `common/described.rs`.

use crate::{
    common::{CONTROLLER, GATEWAY, World, client, described},
    processors::{PROCESSOR, processor},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, panic::catch_unwind, process::Command};
use vernport_api::{OPENAPI, PATH_ENROLMENTS, PATH_FIND_ASSET, PATH_OPENAPI, PATH_STATUS};
use vernport_central::ROUTES;
use vernport_testkit::pki::Role;

#[test]
fn what_is_served_is_described_and_what_is_described_is_served() {
    let document: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("an object")
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("an object").keys();
            methods.map(|method| (method.clone(), path.clone()))
        })
        .collect();
    // That one has a listener of its own.
    let all = ROUTES.iter().chain(&[("post", PATH_ENROLMENTS)]);
    let served = all.map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(described, served.collect());
}

#[tokio::test]
async fn whoever_has_a_certificate_gets_the_document_and_the_program_prints_it() {
    let central = World::new().start().await;
    let recipient = client(&central.world.ca, "coach", Role::Recipient, CONTROLLER);
    for client in [central.gateway(), central.registrar(), recipient, processor(&central)] {
        let response = client.get(central.url(PATH_OPENAPI)).send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.text().await.expect("a body"), OPENAPI);
    }
    let printed = Command::new(env!("CARGO_BIN_EXE_vernport-central")).arg("openapi").output();
    let printed = printed.expect("the program starts");
    assert!(printed.status.success());
    assert_eq!(String::from_utf8_lossy(&printed.stdout), OPENAPI);
    assert_ne!(PROCESSOR, GATEWAY);
}

/// The check itself: what is not described does not get through it.
#[test]
fn an_exchange_that_is_not_described_is_found() {
    let json = Some("application/json");
    described::answered(PATH_FIND_ASSET, 200, json, br#"{"asset": null}"#);
    let problem = |code: &str, status: u16| {
        json!({"type": "t", "title": "t", "status": status, "detail": "d", "code": code}).to_string()
    };
    let document = Some(vernport_api::PROBLEM_JSON);
    described::answered(PATH_FIND_ASSET, 403, document, problem("no-agreement", 403).as_bytes());
    let wrong: [(&str, u16, Option<&str>, String); 7] = [
        (PATH_FIND_ASSET, 200, json, r#"{"asset": "no id"}"#.into()),
        (PATH_FIND_ASSET, 200, json, r#"{"asset": null, "more": 1}"#.into()),
        (PATH_FIND_ASSET, 200, document, r#"{"asset": null}"#.into()),
        (PATH_FIND_ASSET, 200, None, r#"{"asset": null}"#.into()),
        (PATH_FIND_ASSET, 418, document, problem("bad-request", 418)),
        (PATH_FIND_ASSET, 403, document, problem("recipient-key-unknown", 403)),
        ("/v1/other", 200, json, "{}".into()),
    ];
    for (path, status, content_type, body) in wrong {
        let found = catch_unwind(|| described::answered(path, status, content_type, body.as_bytes()));
        assert!(found.is_err(), "{path} {status} {body}");
    }
    assert!(catch_unwind(|| described::asked(PATH_FIND_ASSET, &json!({"identifier": 1}))).is_err());
    described::asked(PATH_STATUS, &json!(null));
}
