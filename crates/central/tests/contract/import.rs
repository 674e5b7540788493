//! Importing: line by line as if each had been recorded alone, and an answer for each.

use crate::{
    common::{ASSET, CONTROLLER, Central, ORDER, VIN, World, refused, taken, vin, with_visit},
    processors::{self, processor},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use reqwest::{Body, Client, Response};
use serde_json::{Value, json};
use std::convert::Infallible;
use vernport_api::{
    Code, FindAnswer, HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, HEADER_REPLAYED, ImportAnswer, LineOutcome,
    MAX_LINE_BYTES, NDJSON, PATH_EVENTS, PATH_FIND_ASSET, PATH_IMPORT, PATH_LEDGER, Problem,
};

use LineOutcome::{Already, Recorded, Refused};

async fn send(
    central: &Central,
    client: &Client,
    query: &str,
    key: Option<&str>,
    body: impl Into<Body>,
) -> Response {
    let url = central.url(&format!("{PATH_IMPORT}{query}"));
    let mut asked = client.post(url).header("content-type", NDJSON).header(HEADER_CONTROLLER, CONTROLLER);
    if let Some(key) = key {
        asked = asked.header(HEADER_IDEMPOTENCY_KEY, key);
    }
    asked.body(body).send().await.expect("an answer")
}

async fn import(central: &Central, query: &str, lines: &str) -> ImportAnswer {
    taken(send(central, &central.registrar(), query, None, lines.to_owned()).await).await
}

fn text(entries: &[Value]) -> String {
    entries.iter().map(|entry| json!({"entry": entry}).to_string() + "\n").collect()
}

fn outcomes(answer: &ImportAnswer) -> Vec<LineOutcome> {
    answer.lines.iter().map(|line| line.outcome).collect()
}

fn linked(central: &Central, n: usize) -> Value {
    let event = json!({"kind": "linked", "asset": ASSET, "subject": format!("{n:032x}"), "role": "owner"});
    central.world.entry(event)
}

fn bad(central: &Central) -> Value {
    central.world.entry(json!({"kind": "order-closed", "order": "00".repeat(16)}))
}

/// How many entries the ledger has.
async fn entries(central: &Central) -> usize {
    let asked = json!({"after": null, "limit": 500});
    let answer: vernport_api::EventsAnswer =
        taken(central.post(&central.registrar(), PATH_EVENTS, &asked).await).await;
    answer.events.len()
}

#[tokio::test]
async fn a_visit_is_imported_with_what_refers_to_earlier_lines_and_again_it_is_known() {
    let central = World::new().start().await;
    let mut visit = central.world.visit();
    visit.push(central.world.entry(json!({"kind": "order-closed", "order": ORDER})));
    let lines: Vec<String> = visit
        .iter()
        .map(|entry| match entry["event"]["kind"] == "asset-identified" {
            true => json!({"entry": entry, "identifiers": [vin()]}).to_string(),
            false => json!({"entry": entry}).to_string(),
        })
        .collect();
    // Ends of lines as they come, and none at the end.
    let text = lines.join("\r\n");
    let dry = import(&central, "?dry_run=true", &text).await;
    assert!(dry.dry_run && dry.stopped.is_none());
    assert_eq!(outcomes(&dry), vec![Recorded; visit.len()]);
    assert_eq!(entries(&central).await, 0, "a dry run writes nothing");
    let first = import(&central, "", &text).await;
    assert_eq!(outcomes(&first), vec![Recorded; visit.len()]);
    assert!(first.lines.iter().zip(1..).all(|(line, number)| line.line == number && line.entry.is_some()));
    let again = import(&central, "", &text).await;
    assert_eq!((outcomes(&again), again.already), (vec![Already; visit.len()], 10));
    assert!(again.lines.iter().zip(&first.lines).all(|(again, first)| again.entry == first.entry));
    let asked = json!({"identifier": {"vin": VIN}});
    let found: FindAnswer = taken(central.post(&central.registrar(), PATH_FIND_ASSET, &asked).await).await;
    assert!(found.asset.is_some());
}

#[tokio::test]
async fn each_broken_line_is_told_apart_and_loses_nothing_before_it() {
    let central = with_visit().await;
    let before = entries(&central).await;
    let good = |n| json!({"entry": linked(&central, n)}).to_string();
    let long = format!("{{\"entry\": \"{}\"}}", "x".repeat(MAX_LINE_BYTES));
    let broken: [(&[u8], Code, &str); 6] = [
        (b"", Code::BadRequest, "empty"),
        (b"{\"entry\": ", Code::BadRequest, "column"),
        (b"{\"entry\": \"\xff\"}", Code::BadRequest, "UTF-8"),
        (long.as_bytes(), Code::BodyTooLarge, "65536"),
        (b"{\"entry\": {}, \"secret\": 1}", Code::BadRequest, "column"),
        (b"[]", Code::BadRequest, "column"),
    ];
    for (n, (line, code, what)) in broken.iter().enumerate() {
        let text = [good(2 * n).as_bytes(), line, good(2 * n + 1).as_bytes()].join(&b'\n');
        let registrar = central.registrar();
        let stopped: ImportAnswer = taken(send(&central, &registrar, "", None, text.clone()).await).await;
        assert_eq!(outcomes(&stopped), [Recorded, Refused]);
        let stop = stopped.stopped.as_ref().expect("it stopped");
        assert_eq!((stop.line, stop.code), (2, *code));
        assert_eq!(stopped.lines[1].code, Some(*code));
        let detail = stopped.lines[1].detail.as_deref().unwrap_or_default();
        assert!(detail.contains(what) && !detail.contains("secret"), "{detail}");
        assert_eq!(entries(&central).await, before + 2 * n + 1, "nothing behind it");
        let on: ImportAnswer =
            taken(send(&central, &registrar, "?on_error=continue", None, text).await).await;
        assert_eq!((outcomes(&on), on.stopped), (vec![Already, Refused, Recorded], None));
        assert_eq!(entries(&central).await, before + 2 * n + 2);
    }
}

#[tokio::test]
async fn more_than_a_chunk_goes_on_over_its_ends_and_stops_where_a_line_is_refused() {
    let central = with_visit().await;
    let before = entries(&central).await;
    let mut all: Vec<Value> = (0..300).map(|n| linked(&central, n)).collect();
    all[280] = bad(&central);
    let stopped = import(&central, "", &text(&all)).await;
    assert_eq!((stopped.recorded, stopped.refused, stopped.lines.len()), (280, 1, 281));
    assert_eq!(entries(&central).await, before + 280);
    let on = import(&central, "?on_error=continue", &text(&all)).await;
    assert_eq!((on.recorded, on.already, on.refused), (19, 280, 1));
}

#[tokio::test]
async fn what_cannot_be_an_import_is_refused_as_a_whole() {
    let central = with_visit().await;
    let registrar = central.registrar();
    for query in ["?dry_run=perhaps", "?on_error=shrug", "?dryrun=true"] {
        refused(send(&central, &registrar, query, None, "{}\n").await, Code::BadRequest).await;
    }
    let asked = registrar.post(central.url(PATH_IMPORT)).body("{}\n").send().await.expect("an answer");
    refused(asked, Code::BadRequest).await;
    refused(send(&central, &central.gateway(), "", None, "{}\n").await, Code::RoleNotAllowed).await;
    assert_eq!(import(&central, "", "").await, ImportAnswer::default());
    let many = import(&central, "?on_error=continue", &"x\n".repeat(10_002)).await;
    let stop = many.stopped.expect("it has too many lines");
    assert_eq!((many.refused, stop.line, stop.code), (10_000, 10_001, Code::BodyTooLarge));
}

#[tokio::test]
async fn an_import_under_a_key_gets_its_answer_again_and_another_body_is_refused() {
    let central = with_visit().await;
    let registrar = central.registrar();
    let lines = text(&[linked(&central, 1), bad(&central), linked(&central, 2)]);
    let key = Some("\"i-1\"");
    let first = send(&central, &registrar, "", key, lines.clone()).await;
    assert!(!first.headers().contains_key(HEADER_REPLAYED));
    let first: ImportAnswer = taken(first).await;
    // In parts, and with other ends of lines within the same: the bytes are what counts.
    let (head, tail) = lines.split_at(100);
    let parts = [head.to_owned(), tail.to_owned()].map(Ok::<_, Infallible>);
    let parts = Body::wrap_stream(futures_util::stream::iter(parts));
    let again = send(&central, &registrar, "", key, parts).await;
    assert!(again.headers().contains_key(HEADER_REPLAYED));
    assert_eq!(taken::<ImportAnswer>(again).await, first);
    for (query, body) in [("", lines.replace("owner", "driver")), ("?on_error=continue", lines.clone())] {
        refused(send(&central, &registrar, query, key, body).await, Code::IdempotencyKeyReused).await;
    }
    // A dry run leaves no key behind.
    let dry: ImportAnswer =
        taken(send(&central, &registrar, "?dry_run=true", Some("\"i-2\""), lines.clone()).await).await;
    assert_eq!(outcomes(&dry), [Already, Refused]);
    let other = text(&[linked(&central, 9)]);
    let taken: ImportAnswer = taken(send(&central, &registrar, "", Some("\"i-2\""), other).await).await;
    assert_eq!(outcomes(&taken), [Recorded]);
}

#[tokio::test]
async fn a_processor_imports_within_its_agreement() {
    let central = with_visit().await;
    processors::agree(&central).await;
    let event = json!({"kind": "linked", "asset": ASSET, "subject": "7".repeat(32), "role": "owner"});
    let private = json!({"kind": "private-mode-started", "asset": ASSET});
    let lines = text(&[
        processors::entry(&central, event),
        processors::entry(&central, private),
        linked(&central, 3),
    ]);
    let answer = send(&central, &processor(&central), "?on_error=continue", None, lines).await;
    let answer: ImportAnswer = taken(answer).await;
    assert_eq!(outcomes(&answer), [Recorded, Refused, Refused]);
    let codes: Vec<_> = answer.lines.iter().map(|line| line.code).collect();
    assert_eq!(codes, [None, Some(Code::OutOfScope), Some(Code::EntryRefused)]);
}

#[tokio::test]
async fn a_withdrawal_that_is_imported_counts_at_once() {
    let central = with_visit().await;
    central.grant("speed").await;
    let scope = json!({"receipt": World::receipt()});
    let withdrawal = json!({"kind": "consent-withdrawn", "scope": scope, "method": "web"});
    import(&central, "", &text(&[central.world.entry(withdrawal)])).await;
    assert!(crate::common::open_flow(&central.snapshot().await, "speed").is_none());
}

/// Entries that build on each other, or do not, or come twice.
fn drawn(central: &Central) -> impl Strategy<Value = Vec<Value>> + use<> {
    let now = central.world.now();
    let event = (0..6_u8, 0..3_u8, 0..3_u8, 0..4_u8).prop_map(move |(kind, a, b, reference)| {
        let (order, asset) = (format!("{a:032x}"), format!("{b:032x}"));
        let event = match kind {
            0 => json!({"kind": "order-opened", "order": order, "assets": [asset],
                        "station": {"site": "oslo", "station": "bay-1"}, "expires_at": now.plus_seconds(86_400)}),
            1 => json!({"kind": "order-closed", "order": order}),
            2 => json!({"kind": "linked", "asset": asset, "subject": order, "role": "owner"}),
            3 => json!({"kind": "asset-merged", "from": order, "into": asset}),
            4 => json!({"kind": "asset-identified", "asset": asset, "identifier_kind": "plate", "index": format!("{a:064x}")}),
            _ => json!({"kind": "private-mode-started", "asset": asset}),
        };
        json!({"format": 1, "controller": CONTROLLER, "event": event, "actor": {"role": "staff", "id": "counter-7"},
               "occurred_at": now, "recorded_at": 0, "source": "dms", "external_ref": format!("{kind}-{a}-{b}-{}", reference / 2)})
    });
    proptest::collection::vec(event, 1..12)
}

#[tokio::test]
async fn an_import_says_and_does_what_recording_one_by_one_would_and_so_does_its_dry_run() {
    let mut runner = TestRunner::deterministic();
    for case in 0..24 {
        let (one, other) = (World::new().start().await, World::new().start().await);
        let entries = drawn(&one).new_tree(&mut runner).expect("a strategy").current();
        let lines = text(&entries);
        let dry = import(&one, "?dry_run=true&on_error=continue", &lines).await;
        let whole = import(&one, "?on_error=continue", &lines).await;
        let registrar = other.registrar();
        for ((entry, dry), line) in entries.iter().zip(&dry.lines).zip(&whole.lines) {
            let response = other.post(&registrar, PATH_LEDGER, &json!({"entries": [entry]})).await;
            let alone = if response.status().is_success() {
                let answer: vernport_api::LedgerAnswer = taken(response).await;
                let outcome = if answer.results[0].duplicate { Already } else { Recorded };
                (outcome, Some(answer.results[0].entry), None)
            } else {
                let problem: Problem =
                    serde_json::from_slice(&response.bytes().await.expect("a body")).expect("a document");
                (Refused, None, Some((problem.code, problem.detail)))
            };
            let why = line.code.zip(line.detail.clone());
            assert_eq!((line.outcome, line.entry, why.clone()), alone, "case {case}: {entry}");
            assert_eq!((dry.outcome, dry.code.zip(dry.detail.clone())), (line.outcome, why), "case {case}");
        }
        assert_eq!((dry.lines.len(), whole.lines.len()), (entries.len(), entries.len()));
    }
}
