//! Several processes of central over one PostgreSQL: what one knows all know,
//! at once; and what becomes of requests while the database is gone.

use crate::common::{ASSET, CONTROLLER, Central, GATEWAY, World, open_flow, refused, rules, taken};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use vernport_api::{Answer, Code, LedgerAnswer, PATH_FEED, PATH_LEDGER, PATH_STATUS};
use vernport_policy::{Bundle, GrantId, Rules};
use vernport_testkit::postgres::{self, Cluster, Settings};

/// Two processes with a visit going on, and the cluster they live on.
async fn two(test: &str) -> Option<(Central, Central, Arc<Cluster>)> {
    let cluster = postgres::shared(test)?;
    let one = World::over_postgres(&cluster).start().await;
    let other = one.beside().await;
    one.ledger(one.world.visit()).await;
    Some((one, other, cluster))
}

fn withdrawal() -> Value {
    json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"})
}

#[tokio::test]
async fn what_one_process_records_is_in_effect_at_a_gateway_of_the_other_at_once_and_both_know() {
    let name = "what_one_process_records_is_in_effect_at_a_gateway_of_the_other_at_once_and_both_know";
    let Some((one, other, _cluster)) = two(name).await else { return };
    let gateway = other.gateway();
    let speed = other.grant("speed").await;
    assert_eq!(one.grant("speed").await, speed, "one opening has one id");
    let batch = one.world.batch("speed");
    assert_eq!(other.deliver(&[(speed, &batch)]).await, [Answer::Committed]);
    assert_eq!(one.deliver(&[(speed, &batch)]).await, [Answer::Duplicate]);

    let known = other.snapshot().await.hash();
    let begun = Instant::now();
    let asked = json!({"entries": [one.world.entry(withdrawal())], "wait_ms": 5_000});
    let registrar = one.registrar();
    let (heard, told) = tokio::join!(
        async {
            let heard = other.feed_as(&gateway, GATEWAY, Some(known), 5_000).await;
            let snapshot = heard.snapshot.expect("changed");
            other.feed_as(&gateway, GATEWAY, Some(snapshot.hash()), 0).await;
            snapshot
        },
        async { taken::<LedgerAnswer>(one.post(&registrar, PATH_LEDGER, &asked).await).await }
    );
    assert!(begun.elapsed() < Duration::from_secs(4), "nobody waited for the end of a poll");
    assert!(open_flow(&heard, "speed").is_none() && open_flow(&heard, "odometer").is_some());
    let gateways = &told.effect.stopped[0].gateways;
    let there = gateways.iter().find(|told| told.gateway.as_str() == GATEWAY).expect("it was told");
    assert_eq!(there.took_effect_at, Some(one.world.now()), "told at the other process");
    for central in [&one, &other] {
        let late = central.world.batch("speed");
        assert_eq!(central.deliver(&[(speed, &late)]).await, [Answer::RefusedWithdrawn]);
        assert_eq!(central.stored_batches().await, 1);
    }
}

#[tokio::test]
async fn heads_rise_for_a_gateway_that_goes_from_process_to_process() {
    let Some((one, other, _cluster)) =
        two("heads_rise_for_a_gateway_that_goes_from_process_to_process").await
    else {
        return;
    };
    let (key, nonce) = (one.world.head_key(), [9; 16]);
    let mut last = None;
    for round in 0..12 {
        // Now and then two in a row at one process, and something new in between.
        let central = if round % 3 == 0 { &one } else { &other };
        if round % 4 == 0 {
            let kind = if round % 8 == 0 { "private-mode-started" } else { "private-mode-ended" };
            one.world.advance_seconds(1);
            other.say(json!({"kind": kind, "asset": ASSET})).await;
        }
        let known = last.as_ref().map(|head: &vernport_policy::Head| head.snapshot_hash);
        let feed = central.feed_as(&central.gateway(), GATEWAY, known, 0).await;
        last = Some(feed.head.verify(&key, &nonce, last.as_ref()).expect("signed, and later than the last"));
    }
}

#[tokio::test]
async fn a_statement_sent_to_both_processes_at_once_is_recorded_once_and_none_is_lost() {
    let name = "a_statement_sent_to_both_processes_at_once_is_recorded_once_and_none_is_lost";
    let Some((one, other, _cluster)) = two(name).await else { return };
    let entries: Vec<Value> = (0..12)
        .map(|n| {
            let asset = format!("{n:032x}");
            one.world
                .entry(json!({"kind": "linked", "asset": asset, "subject": "5".repeat(32), "role": "driver"}))
        })
        .collect();
    let mut requests = JoinSet::new();
    for entry in &entries {
        for central in [&one, &other] {
            let (url, registrar) = (central.url(PATH_LEDGER), central.registrar());
            let body = json!({"entries": [entry]}).to_string();
            requests.spawn(async move {
                let response = registrar.post(url).body(body).send().await.expect("an answer");
                let answer: LedgerAnswer = taken(response).await;
                answer.results[0].duplicate
            });
        }
    }
    let duplicates = requests.join_all().await;
    let repeated = duplicates.iter().filter(|duplicate| **duplicate).count();
    assert_eq!((duplicates.len(), repeated), (24, 12));
    for central in [&one, &other] {
        let again = central.ledger(entries.clone()).await;
        assert!(again.results.iter().all(|result| result.duplicate), "each is known at both");
    }
}

#[tokio::test]
async fn a_process_with_another_bundle_makes_those_with_the_old_one_step_back() {
    let name = "a_process_with_another_bundle_makes_those_with_the_old_one_step_back";
    let Some((old, other, _cluster)) = two(name).await else { return };
    let mut deps = other.stop().await.deps();
    let text = include_str!("bundle.toml").replace("Example's workshop", "Example's other workshop");
    let bundle = Bundle::from_toml("bundle.toml", &text).expect("a bundle");
    deps.controllers[0].rules = Rules::compile(&bundle, &deps.controllers[0].catalogue).expect("good rules");
    assert_ne!(deps.controllers[0].rules.hash(), rules(CONTROLLER).hash());
    let new = Arc::clone(&old.world).start_as(|_| {}, deps).await;
    let asked = json!({"gateway": GATEWAY, "nonce": "09".repeat(16), "known": null, "wait_ms": 0});
    refused(old.post(&old.gateway(), PATH_FEED, &asked).await, Code::Busy).await;
    assert!(open_flow(&new.snapshot().await, "odometer").is_some());
}

/// Sends until it is answered otherwise than busy, and says whether it was ever busy.
async fn until_served(central: &Central, gateway: &Client, item: (GrantId, &[u8])) -> Vec<Answer> {
    for _ in 0..600 {
        let response = central.send(gateway, &[item]).await;
        if response.status().is_success() {
            let answers: vernport_api::BatchAnswers = taken(response).await;
            return answers.answers.into_iter().map(|answer| answer.answer).collect();
        }
        let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
        assert!(after.is_some_and(|seconds: u64| (1..60).contains(&seconds)), "it says when to come again");
        refused(response, Code::Busy).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("central did not recover");
}

#[tokio::test]
async fn while_the_database_is_gone_central_says_when_to_come_again_and_it_recovers_by_itself() {
    let name = "while_the_database_is_gone_central_says_when_to_come_again_and_it_recovers_by_itself";
    let Some(mut cluster) = postgres::own(name, Settings::default()) else { return };
    let central = World::over_postgres(&cluster).start().await;
    central.ledger(central.world.visit()).await;
    let (gateway, odometer) = (central.gateway(), central.grant("odometer").await);
    for end in [Cluster::stop, Cluster::kill] {
        let batch = central.world.batch("odometer");
        end(&mut cluster);
        let response = central.send(&gateway, &[(odometer, &batch)]).await;
        assert!(response.headers().contains_key("retry-after"));
        refused(response, Code::Busy).await;
        let asked =
            json!({"entries": [central.world.entry(json!({"kind": "private-mode-ended", "asset": ASSET}))]});
        refused(central.post(&central.registrar(), PATH_LEDGER, &asked).await, Code::Busy).await;
        let (status, registrar) = (central.url(PATH_STATUS), central.registrar());
        refused(registrar.get(status).send().await.expect("an answer"), Code::Busy).await;

        cluster.start_again();
        assert_eq!(until_served(&central, &gateway, (odometer, &batch)).await, [Answer::Committed]);
        let recorded: LedgerAnswer = taken(central.post(&registrar, PATH_LEDGER, &asked).await).await;
        assert!(!recorded.results[0].duplicate);
        // It hears of other processes again, too.
        let other = central.beside().await;
        let known = central.snapshot().await.hash();
        let (heard, _) = tokio::join!(central.feed_as(&gateway, GATEWAY, Some(known), 5_000), async {
            let key = vernport_crypto::OpeningKey::generate().wrapping_key();
            let activated = json!({"kind": "recipient-key-activated", "recipient": "workshop", "purpose": "service", "key": key});
            other.say(activated).await
        });
        assert!(heard.snapshot.is_some(), "another key to seal to");
        other.stop().await;
    }
    assert_eq!(central.stored_batches().await, 2);
}
