//! One file imported at two processes of central over one PostgreSQL at once: each line is recorded
//! once, whoever recorded it, and every answer says so.

use crate::{
    common::{ASSET, CONTROLLER, Central, World, refused, taken},
    killed::Program,
};
use futures_util::StreamExt as _;
use reqwest::{Body, Client, Response};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;
use vernport_api::{
    Code, Cursor, EventsAnswer, HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, HEADER_REPLAYED, ImportAnswer,
    LineOutcome, MAX_ENTRIES, NDJSON, PATH_EVENTS, PATH_IMPORT, Problem,
};
use vernport_testkit::postgres;

/// More than two chunks, and a part of a third.
const LINES: usize = 2 * MAX_ENTRIES + 88;
/// How long who is asked to wait does.
const AGAIN: Duration = Duration::from_millis(20);

fn lines(world: &World) -> Vec<String> {
    let link = |n| {
        let subject = format!("{n:032x}");
        world.entry(json!({"kind": "linked", "asset": ASSET, "subject": subject, "role": "owner"}))
    };
    (0..LINES).map(|n| json!({"entry": link(n)}).to_string() + "\n").collect()
}

async fn send(central: &Central, client: &Client, key: Option<&str>, body: impl Into<Body>) -> Response {
    let asked = client.post(central.url(PATH_IMPORT)).header("content-type", NDJSON);
    let mut asked = asked.header(HEADER_CONTROLLER, CONTROLLER);
    if let Some(key) = key {
        asked = asked.header(HEADER_IDEMPOTENCY_KEY, key);
    }
    asked.body(body).send().await.expect("an answer")
}

/// Sends a file until it is not asked to wait: the answer, and whether it was given before.
async fn until_taken(central: &Central, key: Option<&str>, file: &str) -> (ImportAnswer, bool) {
    let registrar = central.registrar();
    loop {
        let response = send(central, &registrar, key, file.to_owned()).await;
        if response.status().is_success() {
            let replayed = response.headers().contains_key(HEADER_REPLAYED);
            return (taken(response).await, replayed);
        }
        let bytes = response.bytes().await.expect("a body");
        let problem: Problem = serde_json::from_slice(&bytes).expect("a problem document");
        assert!(matches!(problem.code, Code::Busy | Code::IdempotencyKeyInUse), "{problem}");
        tokio::time::sleep(AGAIN).await;
    }
}

/// The references of what stands in the ledger, each with how often.
async fn recorded(central: &Central) -> BTreeMap<String, usize> {
    let (mut found, mut after) = (BTreeMap::new(), None::<Cursor>);
    loop {
        let asked = json!({"after": after, "limit": 500});
        let answer: EventsAnswer = taken(central.post(&central.registrar(), PATH_EVENTS, &asked).await).await;
        if answer.events.is_empty() {
            return found;
        }
        for event in answer.events {
            let statement = event.entry.expect("of one's own ledger").statement;
            *found.entry(statement.external_ref.as_str().to_owned()).or_default() += 1;
        }
        after = answer.next;
    }
}

/// That each line stands in the ledger, once.
async fn each_stands_once(central: &Central, lines: &[String]) {
    let found = recorded(central).await;
    assert!(found.values().all(|count| *count == 1), "{found:?}");
    for line in lines {
        let line: Value = serde_json::from_str(line).expect("our own");
        let reference = line["entry"]["external_ref"].as_str().expect("a reference");
        assert!(found.contains_key(reference), "{reference}");
    }
}

#[tokio::test]
async fn a_file_under_one_key_at_both_processes_at_once_is_imported_once_with_one_answer() {
    let name = "a_file_under_one_key_at_both_processes_at_once_is_imported_once_with_one_answer";
    let Some(cluster) = postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    let lines = lines(&one.world);
    let file: Arc<str> = lines.concat().into();
    let centrals = [Arc::new(one), Arc::new(other)];
    let mut requests = JoinSet::new();
    for n in 0..8 {
        let (central, file) = (Arc::clone(&centrals[n % 2]), Arc::clone(&file));
        requests.spawn(async move { until_taken(&central, Some("\"i-1\""), &file).await });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1);
    for (answer, _) in &answers {
        assert_eq!(answer, &answers[0].0);
        assert_eq!((answer.recorded as usize, answer.lines.len(), &answer.stopped), (LINES, LINES, &None));
    }
    for central in &centrals {
        each_stands_once(central, &lines).await;
    }
}

#[tokio::test]
async fn a_file_without_a_key_at_both_processes_at_once_is_recorded_line_by_line_once() {
    let name = "a_file_without_a_key_at_both_processes_at_once_is_recorded_line_by_line_once";
    let Some(cluster) = postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    let lines = lines(&one.world);
    // From both ends, so that each meets what the other did.
    let files = [lines.concat(), lines.iter().rev().cloned().collect()].map(Arc::<str>::from);
    let centrals = [Arc::new(one), Arc::new(other)];
    let mut requests = JoinSet::new();
    for n in 0..4 {
        let (central, file) = (Arc::clone(&centrals[n % 2]), Arc::clone(&files[n / 2]));
        requests.spawn(async move {
            let mut said = Vec::new();
            loop {
                let (answer, _) = until_taken(&central, None, &file).await;
                let stopped = answer.stopped.as_ref().map(|stop| stop.code);
                said.push((n / 2, answer));
                match stopped {
                    None => return said,
                    // Overtaken too often: sent again, it goes on.
                    Some(code) => assert_eq!(code, Code::Busy),
                }
            }
        });
    }
    let said: Vec<_> = requests.join_all().await.into_iter().flatten().collect();
    let mut recorded_by_line = vec![0; LINES];
    let mut hashes = vec![BTreeSet::new(); LINES];
    for (reversed, answer) in said {
        for line in answer.lines {
            let at = line.line as usize - 1;
            let at = if reversed == 1 { LINES - 1 - at } else { at };
            assert_ne!(line.outcome, LineOutcome::Refused, "{line:?}");
            recorded_by_line[at] += usize::from(line.outcome == LineOutcome::Recorded);
            hashes[at].insert(*line.entry.expect("it is there").as_bytes());
        }
    }
    assert!(recorded_by_line.iter().all(|count| *count == 1), "{recorded_by_line:?}");
    assert!(hashes.iter().all(|hashes| hashes.len() == 1), "all name the same entry");
    each_stands_once(&centrals[0], &lines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_dies_with_its_program_is_finished_at_the_other_and_nothing_is_there_twice() {
    let name = "an_import_that_dies_with_its_program_is_finished_at_the_other_and_nothing_is_there_twice";
    let Some(cluster) = postgres::shared(name) else { return };
    let world = World::over_postgres(&cluster);
    world.go_to_real_time();
    let config = world.configure();
    let (mut victim, dying) = Program::start(&world, &config);
    let (_survivor, living) = Program::start(&world, &config);
    dying.ledger(world.visit()).await;
    let before = recorded(&living).await.len();
    let lines = lines(&world);
    // One chunk and a part of the next; the rest never comes.
    let begun = lines[..MAX_ENTRIES + 40].concat();
    let body =
        futures_util::stream::iter([Ok::<_, Infallible>(begun)]).chain(futures_util::stream::pending());
    let registrar = dying.registrar();
    let url = dying.url(PATH_IMPORT);
    let asked = registrar.post(url).header("content-type", NDJSON).header(HEADER_IDEMPOTENCY_KEY, "\"i-1\"");
    let begun = tokio::spawn(asked.body(Body::wrap_stream(body)).send());
    while recorded(&living).await.len() < before + MAX_ENTRIES {
        assert!(!begun.is_finished(), "it waits for the rest");
        tokio::time::sleep(AGAIN).await;
    }
    let finishing = lines.concat();
    let (finished, ()) = tokio::join!(until_taken(&living, None, &finishing), async { victim.kill() });
    assert!(begun.await.expect("no panic").is_err(), "nobody answers any more");
    let answer = finished.0;
    assert_eq!((answer.already as usize, answer.recorded as usize), (MAX_ENTRIES, LINES - MAX_ENTRIES));
    each_stands_once(&living, &lines).await;
    // Who died still holds the key: for whom it would be too early is told so.
    let registrar = living.registrar();
    let early = send(&living, &registrar, Some("\"i-1\""), finishing).await;
    refused(early, Code::IdempotencyKeyInUse).await;
}
