//! Every batch goes by its actual due (invariant 12), whatever the clock does.

use crate::{
    common::{Central, DRIVER, slug, taken, with_visit},
    erasures::{keep, readable},
};
use serde_json::json;
use vernport_api::{Answer, ClockAnswer, PATH_CLOCK};
use vernport_status::{Address, Listen, PathStatus, StageKind};

const DAY_SECONDS: i64 = 86_400;

/// Confirms the clock, which has central look at once.
async fn confirm(central: &Central, seconds_off: i64) -> bool {
    let now = central.world.now().plus_seconds(seconds_off);
    let answer = central.post(&central.registrar(), PATH_CLOCK, &json!({"now": now})).await;
    taken::<ClockAnswer>(answer).await.believed
}

/// Stops and starts again, telling how it stands; returns when it has looked for what is due.
async fn restart_and_look(central: Central) -> Central {
    let world = central.stop().await;
    let address: Address =
        format!("unix:{}", world.folder.path().join("status.sock").display()).parse().expect("an address");
    let mut deps = world.deps();
    deps.status = Some(Listen { address: address.clone() });
    let central = world.start_as(|_| {}, deps).await;
    for _ in 0..1_000 {
        let told = vernport_status::ask(&address, "/status", "").await.expect("it tells");
        let told: PathStatus = serde_json::from_slice(&told).expect("a status");
        let looks = told.stages.iter().filter(|stage| stage.stage == StageKind::Retention);
        if looks.map(|stage| stage.last_at_micros).eq([Some(central.world.now())]) {
            return central;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it did not look");
}

async fn until_stored(central: &Central, batches: u64) {
    for _ in 0..1_000 {
        if central.stored_batches().await == batches {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("not {batches} batches but {}", central.stored_batches().await);
}

async fn deleted(central: &Central) -> u64 {
    let response = central.registrar().get(central.url(vernport_api::PATH_STATUS)).send().await;
    let status: vernport_api::Status = taken(response.expect("an answer")).await;
    status.deleted.get(&slug("short")).copied().unwrap_or(0)
}

/// A batch that is due in so many days by its envelope.
async fn keep_for(central: &Central, days: i64) -> Vec<u8> {
    let grant = central.grant("odometer").await;
    let mut header = central.world.header("odometer");
    header.latest_due = central.world.now().plus_seconds(days * DAY_SECONDS);
    let batch = central.world.envelope(&header, b"sealed bytes of at least a tag's length");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    batch
}

#[tokio::test]
async fn what_is_due_goes_by_its_rule_and_the_rest_stays() {
    let central = with_visit().await;
    keep_for(&central, 1).await;
    let second = keep_for(&central, 2).await;
    assert!(confirm(&central, 0).await);
    central.world.advance_seconds(DAY_SECONDS);
    assert!(confirm(&central, 0).await);
    until_stored(&central, 1).await;
    assert_eq!((readable(&central, "workshop").await, deleted(&central).await), (vec![second], 1));
    central.world.advance_seconds(DAY_SECONDS);
    let central = central.restart().await;
    until_stored(&central, 0).await;
    assert_eq!(deleted(&central).await, 2, "counted once, also over a restart");
}

/// The rule says a week after the reading, the envelope a month at the latest.
#[tokio::test]
async fn the_period_of_the_rule_counts_where_it_ends_before_the_latest_time() {
    let central = with_visit().await;
    keep_for(&central, 30).await;
    for _ in 0..2 {
        central.world.advance_seconds(3 * DAY_SECONDS);
        assert!(confirm(&central, 0).await);
    }
    central.world.advance_seconds(DAY_SECONDS - 1);
    let central = restart_and_look(central).await;
    assert_eq!(central.stored_batches().await, 1);
    central.world.advance_seconds(3_600);
    assert!(confirm(&central, 0).await);
    until_stored(&central, 0).await;
}

#[tokio::test]
async fn what_is_held_or_restricted_stays_beyond_its_time_and_goes_after_it() {
    let central = with_visit().await;
    keep(&central, "odometer").await;
    keep(&central, "speed").await;
    let until = central.world.now().plus_seconds(3 * DAY_SECONDS).0;
    central
        .say(json!({"kind": "hold-set", "scope": {"flows": {"flows": ["odometer"]}}, "ground": "dispute",
                    "citation": "claim 9", "until": until}))
        .await;
    central.world.advance_seconds(DAY_SECONDS);
    assert!(confirm(&central, 0).await);
    until_stored(&central, 1).await;
    let restricted =
        json!({"kind": "restriction-set", "whom": {"subject": DRIVER}, "ground": "unlawful", "case": "c"});
    central.say(restricted).await;
    central.world.advance_seconds(2 * DAY_SECONDS + 3_600);
    let central = restart_and_look(central).await;
    assert_eq!((central.stored_batches().await, deleted(&central).await), (1, 1));
}

/// By a counter whose clock is ahead it begins a little later; it was answered, and so it counts.
#[tokio::test]
async fn a_restriction_by_a_counter_whose_clock_is_ahead_keeps_what_is_due_before_that() {
    let central = with_visit().await;
    keep_for(&central, 1).await;
    central.world.advance_seconds(DAY_SECONDS - 30);
    assert!(confirm(&central, 0).await);
    let restricted =
        json!({"kind": "restriction-set", "whom": {"subject": DRIVER}, "ground": "unlawful", "case": "c"});
    let mut entry = central.world.entry(restricted);
    entry["occurred_at"] = json!(central.world.now().plus_seconds(240).0);
    central.ledger(vec![entry]).await;
    central.world.advance_seconds(60);
    let central = restart_and_look(central).await;
    assert_eq!((central.stored_batches().await, deleted(&central).await), (1, 0));
}

#[tokio::test]
async fn nothing_goes_by_a_clock_that_went_days_ahead_before_it_is_confirmed() {
    let central = with_visit().await;
    keep(&central, "odometer").await;
    assert!(confirm(&central, 0).await);
    central.world.advance_seconds(5 * DAY_SECONDS);
    let central = restart_and_look(central).await;
    assert_eq!(central.stored_batches().await, 1);
    assert!(!confirm(&central, -3_600).await, "the other clock tells another time");
    assert_eq!(central.stored_batches().await, 1);
    // Put right again, nothing was lost.
    central.world.advance_seconds(-5 * DAY_SECONDS);
    let central = central.restart().await;
    assert_eq!(readable(&central, "workshop").await.len(), 1);
    // It was right after all.
    central.world.advance_seconds(5 * DAY_SECONDS);
    assert!(confirm(&central, 30).await);
    until_stored(&central, 0).await;
}
