//! Requests under an Idempotency-Key: once, with one answer, at any number of processes.

use crate::{
    common::{ASSET, CONTROLLER, Central, ORDER, VIN, World, client, refused, taken, with_visit},
    processors::{self, processor},
};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{fs, sync::Arc};
use tokio::task::JoinSet;
use vernport_api::{
    Code, HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, HEADER_REPLAYED, LedgerAnswer, PATH_LEDGER,
};
use vernport_testkit::pki::Role;

pub(crate) async fn keyed(central: &Central, client: &Client, key: &str, body: &Value) -> Response {
    let asked = client.post(central.url(PATH_LEDGER)).header(HEADER_IDEMPOTENCY_KEY, key);
    asked.body(body.to_string()).send().await.expect("an answer")
}

fn is_replayed(response: &Response) -> bool {
    response.headers().get(HEADER_REPLAYED).is_some_and(|says| says == "true")
}

fn linking(central: &Central, n: usize) -> Value {
    let subject = format!("{n:032x}");
    let event = json!({"kind": "linked", "asset": ASSET, "subject": subject, "role": "owner"});
    json!({"entries": [central.world.entry(event)]})
}

fn closing(central: &Central) -> Value {
    json!({"entries": [central.world.entry(json!({"kind": "order-closed", "order": ORDER}))]})
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_also_after_a_restart() {
    let central = with_visit().await;
    let asked = closing(&central);
    let first = keyed(&central, &central.registrar(), "\"k-1\"", &asked).await;
    assert!(!is_replayed(&first));
    let first: LedgerAnswer = taken(first).await;
    assert!(!first.results[0].duplicate && !first.effect.stopped.is_empty());
    let central = central.restart().await;
    central.world.advance_seconds(23 * 3_600);
    let again = keyed(&central, &central.registrar(), "\"k-1\"", &asked).await;
    assert!(is_replayed(&again));
    assert_eq!(taken::<LedgerAnswer>(again).await, first);
    // Without the key, and after its time, the reference still stands for it.
    central.world.advance_seconds(3 * 3_600);
    let late = keyed(&central, &central.registrar(), "\"k-1\"", &asked).await;
    assert!(!is_replayed(&late));
    assert!(taken::<LedgerAnswer>(late).await.results[0].duplicate);
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused_and_changes_nothing() {
    let central = with_visit().await;
    let registrar = central.registrar();
    let _: LedgerAnswer = taken(keyed(&central, &registrar, "\"k-1\"", &linking(&central, 1)).await).await;
    let other = closing(&central);
    refused(keyed(&central, &registrar, "\"k-1\"", &other).await, Code::IdempotencyKeyReused).await;
    central.grant("odometer").await;
    let taken: LedgerAnswer = taken(keyed(&central, &registrar, "\"k-2\"", &other).await).await;
    assert!(!taken.results[0].duplicate);
}

#[tokio::test]
async fn a_key_is_a_callers_own_at_one_controller() {
    let central = with_visit().await;
    processors::agree(&central).await;
    let other = client(&central.world.ca, "dms-2", Role::Registrar, CONTROLLER);
    let _: LedgerAnswer =
        taken(keyed(&central, &central.registrar(), "\"k-1\"", &linking(&central, 1)).await).await;
    let taken_too = keyed(&central, &other, "\"k-1\"", &linking(&central, 2)).await;
    assert!(!is_replayed(&taken_too));
    let _: LedgerAnswer = taken(taken_too).await;
    let event = json!({"kind": "order-closed", "order": ORDER});
    let body = json!({"entries": [processors::entry(&central, event)]}).to_string();
    let asked = processor(&central).post(central.url(PATH_LEDGER)).header(HEADER_CONTROLLER, CONTROLLER);
    let asked = asked.header(HEADER_IDEMPOTENCY_KEY, "\"k-1\"").body(body).send().await.expect("an answer");
    assert!(!is_replayed(&asked));
    let _: LedgerAnswer = taken(asked).await;
}

#[tokio::test]
async fn what_was_refused_is_judged_anew_and_what_is_no_key_is_said() {
    let central = with_visit().await;
    let registrar = central.registrar();
    let wrong =
        json!({"entries": [central.world.entry(json!({"kind": "order-closed", "order": "00".repeat(16)}))]});
    for _ in 0..2 {
        refused(keyed(&central, &registrar, "\"k-1\"", &wrong).await, Code::EntryRefused).await;
    }
    let _: LedgerAnswer = taken(keyed(&central, &registrar, "\"k-1\"", &linking(&central, 1)).await).await;
    let long = format!("\"{}\"", "x".repeat(65));
    for bad in ["k-1", "\"\"", "\"k 1\"", &long, "\"k\";a=1"] {
        refused(keyed(&central, &registrar, bad, &linking(&central, 2)).await, Code::BadRequest).await;
    }
}

#[tokio::test]
async fn one_of_many_at_two_processes_is_recorded_and_the_others_get_its_answer_or_are_asked_to_wait() {
    let name = "one_of_many_at_two_processes_is_recorded_and_the_others_get_its_answer_or_are_asked_to_wait";
    let Some(cluster) = vernport_testkit::postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    let asked = closing(&one);
    let centrals = [Arc::new(one), Arc::new(other)];
    let mut requests = JoinSet::new();
    for n in 0..12 {
        let (central, asked) = (Arc::clone(&centrals[n % 2]), asked.clone());
        requests.spawn(async move {
            let registrar = central.registrar();
            loop {
                let response = keyed(&central, &registrar, "\"k-1\"", &asked).await;
                if response.status() == 409 {
                    refused(response, Code::IdempotencyKeyInUse).await;
                    tokio::task::yield_now().await;
                    continue;
                }
                let replayed = is_replayed(&response);
                return (replayed, taken::<LedgerAnswer>(response).await);
            }
        });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers.iter().filter(|(replayed, _)| !replayed).count(), 1);
    for (_, answer) in &answers {
        assert_eq!(answer, &answers[0].1);
        assert!(!answer.results[0].duplicate, "all got the answer of the one that recorded it");
    }
}

#[tokio::test]
async fn while_the_first_is_worked_on_the_same_is_refused_and_who_died_is_followed_after_its_time() {
    let central = with_visit().await;
    let registrar = central.registrar();
    let asked = linking(&central, 1);
    let _: LedgerAnswer = taken(keyed(&central, &registrar, "\"k-1\"", &asked).await).await;
    // As a process leaves it that is killed before it answered.
    let file = SqliteConnectOptions::new().filename(central.world.folder.path().join("main.db"));
    let mut look = file.connect().await.expect("connects");
    let until = central.world.now().plus_seconds(300).0;
    let held = format!("UPDATE keyed_request SET answer = NULL, request = NULL, until = {until}");
    let changed = sqlx::query(sqlx::AssertSqlSafe(held)).execute(&mut look).await.expect("our own table");
    assert_eq!(changed.rows_affected(), 1);
    look.close().await.expect("closes");
    refused(keyed(&central, &registrar, "\"k-1\"", &asked).await, Code::IdempotencyKeyInUse).await;
    central.world.advance_seconds(300);
    let taken_over: LedgerAnswer = taken(keyed(&central, &registrar, "\"k-1\"", &asked).await).await;
    assert!(taken_over.results[0].duplicate, "it was recorded before, and its reference says so");
}

#[tokio::test]
async fn kept_answers_and_keys_are_in_no_file_in_the_clear() {
    let central = with_visit().await;
    let mut asked = linking(&central, 1);
    asked["entries"][0]["external_ref"] = json!(format!("invoice of {VIN}"));
    let key = format!("\"order-{VIN}\"");
    let _: LedgerAnswer = taken(keyed(&central, &central.registrar(), &key, &asked).await).await;
    let world = central.stop().await;
    for file in fs::read_dir(world.folder.path()).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(VIN.len()).any(|window| window == VIN.as_bytes()));
    }
}
