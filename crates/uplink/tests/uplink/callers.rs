//! What a processor and an importer put into the head of a request.

use crate::double::Double;
use axum::{Json, Router, body::Bytes, extract::RawQuery, http::HeaderMap, routing::post};
use std::sync::{Arc, Mutex};
use vernport_api::{
    IdempotencyKey, ImportAnswer, ImportQuery, LedgerAnswer, LedgerEffect, LedgerRequest, OnError,
};
use vernport_testkit::pki::Role;
use vernport_uplink::{Client, Config};

type Seen = Arc<Mutex<Vec<(HeaderMap, Option<String>, Bytes)>>>;

#[tokio::test]
async fn a_request_names_its_controller_and_bears_its_key() {
    let seen = Seen::default();
    let note = {
        let seen = Arc::clone(&seen);
        move |headers: HeaderMap, RawQuery(query): RawQuery, body: Bytes| {
            seen.lock().expect("nobody panics with it").push((headers, query, body));
        }
    };
    let (recorded, imported) = (note.clone(), note);
    let router = Router::new()
        .route(
            "/v1/ledger",
            post(async move |headers: HeaderMap, query: RawQuery, body: Bytes| {
                recorded(headers, query, body);
                Json(LedgerAnswer { results: Vec::new(), effect: LedgerEffect::default() })
            }),
        )
        .route(
            "/v1/ledger/import",
            post(async move |headers: HeaderMap, query: RawQuery, body: Bytes| {
                imported(headers, query, body);
                Json(ImportAnswer::default())
            }),
        );
    let double = Double::start(router).await;
    let name = "dealer-cloud".parse().expect("a slug");
    let identity =
        double.ca.client(&name, Role::Processor, &"NO-912345678".parse().expect("an organisation"));
    let config = Config::new(format!("https://{}", double.address));
    let client = Client::new(&config, double.ca.client_config(Some(&identity))).expect("a client");
    let client = client.on("DK-10628334".parse().expect("a controller"));
    let key = IdempotencyKey::new("k\"1").expect("visible");
    let request = LedgerRequest { entries: Vec::new(), identifiers: Vec::new(), wait_ms: 0 };
    client.record_keyed(&request, &key).await.expect("answered");
    let query = ImportQuery { dry_run: true, on_error: OnError::Continue };
    client.import(b"{}\n".to_vec(), query, None).await.expect("answered");
    client.record(&request).await.expect("answered");

    let seen = seen.lock().expect("nobody panics with it");
    let head = |n: usize, name: &str| seen[n].0.get(name).and_then(|value| value.to_str().ok());
    assert!((0..3).all(|n| head(n, "vernport-controller") == Some("DK-10628334")));
    assert_eq!(head(0, "idempotency-key"), Some(r#""k\"1""#));
    assert_eq!((head(1, "idempotency-key"), head(1, "content-type")), (None, Some("application/x-ndjson")));
    assert_eq!(seen[1].1.as_deref(), Some("dry_run=true&on_error=continue"));
    assert_eq!((&seen[1].2[..], head(2, "idempotency-key")), (&b"{}\n"[..], None));
}
