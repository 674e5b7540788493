//! What central, or something else at its address, may do instead of answering.

use crate::double::*;
use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    routing::any,
};
use std::{error::Error, time::Duration};
use vernport_api::{Code, PROBLEM_JSON, Problem};
use vernport_testkit::pki::DevCa;
use vernport_types::Identifier;
use vernport_uplink::{CallError, Client, Config, SetupError};

fn status(code: u16) -> axum::http::response::Builder {
    Response::builder().status(StatusCode::from_u16(code).expect("a status"))
}

async fn failure(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> CallError {
    Double::saying(answer).await.client().status().await.expect_err("is no answer")
}

/// An error and all its causes, as a log would show them.
fn chain(error: &dyn Error) -> String {
    let below = error.source().map(chain).unwrap_or_default();
    format!("{error} {error:?}\n{below}")
}

#[tokio::test]
async fn a_refusal_comes_with_its_code_and_is_not_tried_again() {
    let error = failure(|| {
        let problem = Problem::new(Code::OtherController, "enrol the gateway at this controller").at_item(3);
        let body = serde_json::to_vec(&problem).expect("encodes");
        status(403).header("content-type", PROBLEM_JSON).body(body.into()).expect("a response")
    })
    .await;
    assert!(!error.is_transient());
    let CallError::Refused(problem) = error else { panic!("{error}") };
    assert_eq!((problem.code, problem.item), (Code::OtherController, Some(3)));
}

#[tokio::test]
async fn busy_comes_with_the_time_to_come_back() {
    for code in [503, 429] {
        let error =
            failure(move || status(code).header("retry-after", "17").body(Body::empty()).expect("fits"))
                .await;
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    }
    for text in ["", "soon", "-1", "99999999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let error =
            failure(move || status(503).header("retry-after", text).body(Body::empty()).expect("fits")).await;
        assert_eq!((error.is_transient(), error.retry_after()), (true, None), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_central_is_told_apart() {
    let error = failure(|| status(404).body("<html>".into()).expect("a response")).await;
    assert!(matches!(error, CallError::Unexpected { status: 404 }), "{error}");
    assert!(!error.is_transient());
    let error = failure(|| status(502).body("<html>".into()).expect("a response")).await;
    assert!(matches!(error, CallError::Unexpected { status: 502 }) && error.is_transient(), "{error}");
    // A long refusal is cut off, not read.
    let error = failure(|| status(400).body(vec![b' '; 1 << 20].into()).expect("a response")).await;
    assert!(matches!(error, CallError::Unexpected { status: 400 }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = || status(307).header("location", "https://example.invalid/v1/status").body(Body::empty());
    let error = failure(move || moved().expect("a response")).await;
    assert!(matches!(error, CallError::Unexpected { status: 307 }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_none_does_not_reach_the_log() {
    for body in [
        r#"{"api":1,"software":"0","batches":"WVWZZZ1JZXW000001"}"#,
        r#"{"WVWZZZ1JZXW000001":1}"#,
        "WVWZZZ1JZXW000001",
        r#"{"api":1,"software":"0","batches":1} WVWZZZ1JZXW000001"#,
        "",
    ] {
        let error = failure(move || json(body)).await;
        assert!(matches!(error, CallError::Malformed { .. }), "{error}");
        assert!(!error.is_transient());
        assert!(!chain(&error).contains("WVWZZZ1JZXW000001"), "{error}");
    }
}

#[tokio::test]
async fn what_was_asked_does_not_reach_the_log_either() {
    let double = Double::saying(|| status(500).body(Body::empty()).expect("a response")).await;
    let vin = "WVWZZZ1JZXW000001";
    let identifier: Identifier = Identifier::Vin(vin.parse().expect("a VIN"));
    let error = double.client().find_asset(identifier).await.expect_err("is no answer");
    assert!(!chain(&error).contains(vin), "{error}");
}

#[tokio::test]
async fn an_answer_longer_than_any_is_cut_off() {
    let error = failure(|| json(vec![b' '; 9 << 20])).await;
    assert!(matches!(error, CallError::TooLong { max_bytes } if max_bytes == 8 << 20), "{error}");
}

#[tokio::test]
async fn central_that_does_not_answer_is_not_waited_for_without_end() {
    let double = Double::start(Router::new().fallback(any(std::future::pending::<Response<Body>>))).await;
    let error = double.client().status().await.expect_err("never answers");
    assert!(matches!(error, CallError::Timeout) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_waited_for_either() {
    let error = failure(|| {
        let body = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        status(200).body(Body::from_stream(body)).expect("a response")
    })
    .await;
    assert!(matches!(error, CallError::Timeout) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_central_that_is_not_there_or_not_ours_is_not_reached() {
    let double = Double::saying(|| json("{}")).await;
    let unreachable = async |config: &Config, tls| {
        let error = Client::new(config, tls).expect("in order").status().await.expect_err("is not reached");
        assert!(matches!(error, CallError::Unreachable(_)) && error.is_transient(), "{error}");
    };
    // Another authority than ours certified it; ours is certified by another than its.
    let other = DevCa::new();
    let mine =
        other.client(&gateway(), vernport_testkit::pki::Role::Gateway, &"DK-10628334".parse().expect("one"));
    unreachable(&double.config(), other.client_config(Some(&mine))).await;
    unreachable(&double.config(), double.tls(&other)).await;
    unreachable(&double.config(), double.ca.client_config(None)).await;
    // The certificate is not for this name.
    let name = format!("https://localhost.localdomain:{}", double.address.port());
    let tls = double.tls(&double.ca);
    let error = Client::new(&Config::new(name), tls).expect("in order").status().await;
    assert!(matches!(error, Err(CallError::Unreachable(_))));
    // Nobody listens.
    let config = double.config();
    let tls = double.tls(&double.ca);
    drop(double);
    unreachable(&config, tls).await;
}

#[test]
fn an_address_that_is_none_of_a_central_is_refused() {
    let tls = || DevCa::new().client_config(None);
    for url in [
        "",
        "central",
        "http://central.example",
        "https://central.example/v1",
        "https://central.example/?a=b",
    ] {
        let error = Client::new(&Config::new(url), tls()).expect_err("is none");
        assert!(matches!(error, SetupError::Url { .. }), "{url}: {error}");
    }
    for url in ["https://central.example", "https://central.example:8443/", "https://[::1]:8443"] {
        assert!(Client::new(&Config::new(url), tls()).is_ok(), "{url}");
    }
}
