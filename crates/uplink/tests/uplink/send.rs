//! Delivering batches: what arrives, and which answers are taken for ours.

use crate::double::*;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Version},
    routing::post,
};
use vernport_api::{
    Answer, BatchAnswer, BatchAnswers,
    batch::{self, MAX_BODY_BYTES, MAX_ITEMS},
};
use vernport_seal::{MAX_ENVELOPE_BYTES, Sealed};
use vernport_types::BatchId;
use vernport_uplink::{SendError, Uplink};

fn number_of(envelope: &[u8]) -> u8 {
    // Magic and version, the controller and the gateway with their lengths.
    envelope[5 + 13 + 6]
}

fn answer(number: u8, answer: Answer) -> BatchAnswer {
    BatchAnswer { batch: BatchId::from_bytes([number; 16]), answer }
}

/// Reads each body, then lets `change` have its way with the right answers.
async fn reading(change: fn(&mut Vec<BatchAnswer>)) -> Double {
    let handler = move |version: Version, headers: HeaderMap, body: Bytes| async move {
        assert_eq!(version, Version::HTTP_2);
        assert_eq!(headers["content-type"], batch::CONTENT_TYPE);
        let items = batch::decode(&body).expect("a body of the contract");
        let mut answers: Vec<_> = items
            .iter()
            .map(|item| {
                let number = number_of(item.envelope);
                assert_eq!(item.grant, grant(number));
                assert_eq!(item.envelope.len(), envelope(number, usize::from(number) + 16).as_bytes().len());
                answer(number, Answer::ALL[usize::from(number) % Answer::ALL.len()])
            })
            .collect();
        change(&mut answers);
        json(serde_json::to_vec(&BatchAnswers { answers }).expect("encodes"))
    };
    let limit = axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES);
    Double::start(Router::new().route("/v1/batches", post(handler)).layer(limit)).await
}

fn envelopes(
    numbers: std::ops::Range<u8>,
) -> Vec<(vernport_types::GrantId, Sealed<vernport_seal::Recipient>)> {
    numbers.map(|number| (grant(number), envelope(number, usize::from(number) + 16))).collect()
}

async fn send(double: &Double, numbers: std::ops::Range<u8>) -> Result<Vec<BatchAnswer>, SendError> {
    let envelopes = envelopes(numbers);
    let batches: Vec<_> = envelopes.iter().map(|(grant, sealed)| (*grant, sealed)).collect();
    double.uplink().send(&batches).await
}

#[tokio::test]
async fn batches_arrive_whole_with_their_grants_and_each_has_its_answer() {
    let double = reading(|_| {}).await;
    let answers = send(&double, 1..6).await.expect("is answered");
    let expected: Vec<_> =
        (1..6).map(|number| answer(number, Answer::ALL[usize::from(number) % Answer::ALL.len()])).collect();
    assert_eq!(answers, expected);
    assert!(send(&double, 0..0).await.expect("nothing to ask").is_empty());
}

#[tokio::test]
async fn what_finds_no_place_in_one_call_has_no_answer_yet() {
    let double = reading(|_| {}).await;
    assert_eq!(send(&double, 0..70).await.expect("is answered").len(), MAX_ITEMS);
}

#[tokio::test]
async fn bytes_bound_a_call_as_items_do() {
    let handler = |body: Bytes| async move {
        assert!(body.len() <= MAX_BODY_BYTES);
        let items = batch::decode(&body).expect("a body of the contract");
        let answers = items.iter().map(|item| answer(number_of(item.envelope), Answer::Committed)).collect();
        json(serde_json::to_vec(&BatchAnswers { answers }).expect("encodes"))
    };
    let limit = axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES);
    let double = Double::start(Router::new().route("/v1/batches", post(handler)).layer(limit)).await;
    let envelopes: Vec<_> = (0..10).map(|number| envelope(number, MAX_ENVELOPE_BYTES - 1000)).collect();
    let batches: Vec<_> = (0..10).map(grant).zip(&envelopes).collect();
    let config =
        vernport_uplink::Config { request_timeout: std::time::Duration::from_secs(20), ..double.config() };
    let uplink = Uplink::new(&config, gateway(), double.tls(&double.ca)).expect("in order");
    assert_eq!(uplink.send(&batches).await.expect("is answered").len(), 8);
}

#[tokio::test]
async fn answers_for_other_batches_than_were_sent_are_not_taken() {
    let changes: [fn(&mut Vec<BatchAnswer>); 4] = [
        |answers| answers.reverse(),
        |answers| answers.truncate(2),
        |answers| answers.push(answer(200, Answer::Committed)),
        |answers| answers[1].batch = answers[0].batch,
    ];
    for change in changes {
        let double = reading(change).await;
        let error = send(&double, 1..4).await.expect_err("must not be taken");
        assert!(matches!(error, SendError::OtherBatches), "{error}");
    }
}

#[tokio::test]
async fn an_uplink_and_its_clones_leave_a_dead_connection_together() {
    let double = Double::saying(|| json("{\"answers\":[]}")).await;
    let (one, other) = (double.uplink(), double.uplink());
    let clone = one.clone();
    let connections = || double.connections.load(std::sync::atomic::Ordering::Relaxed);
    let call = async |uplink: &Uplink| {
        let sent = uplink.send(&[(grant(1), &envelope(1, 16))]).await;
        assert!(matches!(sent, Err(SendError::OtherBatches)), "the double answers for none");
    };
    for uplink in [&one, &clone, &one] {
        call(uplink).await;
    }
    assert_eq!(connections(), 1, "clones share one connection");
    clone.reconnect().expect("a new client");
    for uplink in [&one, &clone] {
        call(uplink).await;
    }
    assert_eq!(connections(), 2, "and share the next one");
    call(&other).await;
    assert_eq!(connections(), 3);
}
