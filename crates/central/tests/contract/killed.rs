//! Two programs of central over one PostgreSQL, one of them killed under load.

use crate::common::{CONTROLLER, Central, GATEWAY, World, client, slug, taken};
use reqwest::Client;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};
use vernport_api::{
    Answer, BatchAnswers, Feed, FeedNonce, FeedRequest, LedgerAnswer, PATH_BATCHES, PATH_FEED, PATH_LEDGER,
    PATH_READS, ReadAnswer, batch::Encoder,
};
use vernport_policy::{GrantId, Head};
use vernport_seal::ReceivedEnvelope;
use vernport_testkit::{pki::Role, postgres};

/// How many send batches at a time, and how many batches a request of theirs has.
const SENDERS: usize = 4;
const BATCHES: usize = 3;
/// The kill comes when so many batches were answered.
const KILL_AFTER: usize = 60;
/// How many more requests each client makes after it.
const AFTERWARDS: usize = 5;

/// A program; killed when it is dropped.
pub(crate) struct Program(Child);

impl Program {
    /// Starts one; returns when it serves, and where.
    pub(crate) fn start(world: &Arc<World>, config: &Path) -> (Self, Central) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vernport-central"))
            .args(["run", "--log-json", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let line =
            lines.by_ref().map(|line| line.expect("text")).find(|line| line.contains("central serves"));
        let line: Value = serde_json::from_str(&line.expect("it serves")).expect("JSON");
        let addr = line["fields"]["addr"].as_str().expect("it says where").parse().expect("an address");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), Arc::clone(world).at(addr))
    }

    /// SIGKILL: no time for anything.
    pub(crate) fn kill(&mut self) {
        assert!(self.0.try_wait().expect("our child").is_none(), "it has ended by itself");
        self.0.kill().expect("our child");
        self.0.wait().expect("our child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client that goes on with the other program when one does not answer.
struct Caller {
    client: Client,
    urls: [String; 2],
    at: usize,
    moved: Arc<AtomicBool>,
}

impl Caller {
    fn new(client: Client, programs: &[Central; 2], moved: &Arc<AtomicBool>) -> Self {
        let urls = [0, 1].map(|n: usize| programs[n].url(""));
        Self { client, urls, at: 0, moved: Arc::clone(moved) }
    }

    async fn call<T: DeserializeOwned>(&mut self, path: &str, body: Vec<u8>) -> T {
        for _ in 0..200 {
            let url = format!("{}{path}", self.urls[self.at]);
            match self.client.post(url).body(body.clone()).send().await {
                Ok(response) if response.status() != 503 => {
                    // The answer itself may be cut off.
                    let status = response.status();
                    if let Ok(bytes) = response.bytes().await {
                        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
                        return serde_json::from_slice(&bytes).expect("as the contract says");
                    }
                }
                _ => {}
            }
            self.at = 1 - self.at;
            self.moved.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("neither program answers");
    }
}

/// Counts down what is left to do once the kill was.
struct Until {
    killed: watch::Receiver<bool>,
    left: usize,
}

impl Until {
    fn goes_on(&mut self) -> bool {
        self.left -= usize::from(*self.killed.borrow_and_update());
        self.left > 0
    }
}

/// Sends requests one after the other; each batch is answered in the end, however often it was sent.
async fn send(
    mut caller: Caller,
    world: Arc<World>,
    grant: GrantId,
    answered: watch::Sender<usize>,
    mut until: Until,
) {
    while until.goes_on() {
        let mut body = Encoder::default();
        for _ in 0..BATCHES {
            body.push(grant, &world.batch("odometer")).expect("fits");
        }
        let body = body.finish();
        loop {
            let answers: BatchAnswers = caller.call(PATH_BATCHES, body.clone()).await;
            if answers.answers.iter().all(|of| matches!(of.answer, Answer::Committed | Answer::Duplicate)) {
                break;
            }
            assert!(answers.answers.iter().all(|of| of.answer == Answer::Retry), "{answers:?}");
        }
        answered.send_modify(|count| *count += BATCHES);
    }
}

/// A gateway that keeps asking: whoever answers, its heads rise.
async fn follow(mut caller: Caller, key: vernport_crypto::VerifyingKey, mut until: Until) {
    let mut last: Option<Head> = None;
    while until.goes_on() {
        let known = last.as_ref().map(|head| head.snapshot_hash);
        let asked = FeedRequest {
            gateway: slug(GATEWAY),
            nonce: FeedNonce([9; 16]),
            known,
            wait_ms: 50,
            notices: false,
        };
        let feed: Feed = caller.call(PATH_FEED, serde_json::to_vec(&asked).expect("plain data")).await;
        last =
            Some(feed.head.verify(&key, &[9; 16], last.as_ref()).expect("signed, and later than the last"));
    }
}

/// Records statements one after the other; gives them.
async fn state(mut caller: Caller, world: Arc<World>, mut until: Until) -> Vec<Value> {
    let mut said = Vec::new();
    while until.goes_on() {
        let linked = json!({"kind": "linked", "asset": format!("{:032x}", said.len()), "subject": "5".repeat(32),
                            "role": "driver"});
        said.push(world.entry(linked));
        let body = json!({"entries": [said.last()]}).to_string();
        let _: LedgerAnswer = caller.call(PATH_LEDGER, body.into()).await;
    }
    said
}

/// Every batch that the workshop is given, in order.
async fn read_all(central: &Central) -> Vec<vernport_types::BatchId> {
    let recipient = client(&central.world.ca, "workshop", Role::Recipient, CONTROLLER);
    let key = central.world.workshop.wrapping_key().key_id();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let asked = json!({"controller": CONTROLLER, "task": "repair-1", "recipient_key": key, "after": after,
                           "limit": 64});
        let page: ReadAnswer = taken(central.post(&recipient, PATH_READS, &asked).await).await;
        let ids = page.envelopes.iter().map(|envelope| ReceivedEnvelope::parse(&envelope.0).expect("whole"));
        all.extend(ids.map(|envelope| envelope.header().batch));
        if page.cursor.is_none() {
            return all;
        }
        after = page.cursor;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_programs_one_is_killed_under_load_and_nothing_is_lost_or_there_twice() {
    let name = "of_two_programs_one_is_killed_under_load_and_nothing_is_lost_or_there_twice";
    let Some(cluster) = postgres::shared(name) else { return };
    let world = World::over_postgres(&cluster);
    world.go_to_real_time();
    let config = world.configure();
    let (mut victim, there) = Program::start(&world, &config);
    let (_survivor, here) = Program::start(&world, &config);
    let programs = [there, here];
    programs[0].ledger(world.visit()).await;
    let odometer = programs[1].grant("odometer").await;

    let (answered, mut count) = watch::channel(0);
    let (killed, was_killed) = watch::channel(false);
    let until = || Until { killed: was_killed.clone(), left: AFTERWARDS };
    let moved: [Arc<AtomicBool>; 3] = std::array::from_fn(|_| Arc::default());
    let caller = |client, who: usize| Caller::new(client, &programs, &moved[who]);
    let mut load = JoinSet::new();
    for _ in 0..SENDERS {
        let sender = caller(programs[0].gateway(), 0);
        load.spawn(send(sender, Arc::clone(&world), odometer, answered.clone(), until()));
    }
    let saying = tokio::spawn(state(caller(programs[0].registrar(), 1), Arc::clone(&world), until()));
    load.spawn(follow(caller(programs[0].gateway(), 2), world.head_key(), until()));

    count.wait_for(|count| *count >= KILL_AFTER).await.expect("the senders go on");
    victim.kill();
    killed.send_replace(true);
    load.join_all().await;
    let statements = saying.await.expect("no panic");
    let total = *count.borrow();
    for (who, moved) in ["senders", "registrar", "gateway"].iter().zip(&moved) {
        assert!(moved.load(Ordering::SeqCst), "{who} did not go on with the other program");
    }

    let read = read_all(&programs[1]).await;
    let distinct: BTreeSet<_> = read.iter().collect();
    assert_eq!((read.len(), distinct.len()), (total, total));
    assert_eq!(programs[1].stored_batches().await, u64::try_from(total).expect("small"));
    let again = programs[1].ledger(statements).await;
    assert!(again.results.iter().all(|result| result.duplicate), "every statement stands");
}
