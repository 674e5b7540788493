//! An operator that is away for a weekend: 60 hours of a time that the test
//! moves, for gateway, central and the fleet's broker alike. What expires at the
//! broker is a gap that the operator is told; with a window of 72 hours there is none.

use crate::{
    fleet::{self, Heard},
    moved::Moved,
    stand::{OnBus, Stand},
};
use anyhow::{Context as _, Result};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use vernport_broker::{Broker, Totals};
use vernport_gateway::Status;
use vernport_mqtt::{StreamLimits, Streams, Subscription};
use vernport_types::Clock;

/// Half a day, five times: from Friday evening to Monday morning.
const STEP: Duration = Duration::from_secs(12 * 3600);
const STEPS: u32 = 5;

/// Hears until the operator has heard of this number.
async fn hear(operator: &mut Subscription, heard: &mut Heard, last: u64) -> Result<()> {
    let hearing = async {
        while heard.highest() < last {
            heard.note(operator.next().await.context("it runs")?)?;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(30), hearing).await.with_context(|| format!("number {last} does not come"))?
}

/// A second of driving, published. Answers how many messages the gateway has published so far.
async fn drive(stand: &Stand, truck: &mut OnBus) -> Result<u64> {
    truck.drive(stand, 1).await?;
    Ok(stand.until("everything sent", Status::is_settled).await?.published_messages)
}

/// The time goes on for everybody.
async fn pass(stand: &Stand, clock: &Moved, broker: &Broker) -> Result<()> {
    clock.forward(i64::try_from(STEP.as_micros())?);
    broker.age(STEP);
    let now = clock.now().wall;
    let fresh = |status: &Status| status.head.is_some_and(|(head, _)| head.at >= now);
    stand.until("heard of central after the pause", fresh).await.map(drop)
}

/// The weekend; what the operator heard, what the gateway published, what the broker counted.
async fn weekend(window: &str) -> Result<(Heard, u64, Totals)> {
    let clock = Moved::default();
    let broker = fleet::broker(|config| {
        config.limits.session_expiry = Duration::from_secs(96 * 3600);
        config.limits.queue_messages = 1 << 14;
    })
    .await?;
    let mut stand = Stand::with_brokers_and(Arc::new(clock.clone())).await?;
    fleet::lead_to(&stand, "fleet", &broker, window)?;
    let mut operator = fleet::subscribe(&broker, Streams::new(StreamLimits::default()), 96)?;
    fleet::subscribed(&operator).await?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let mut truck = OnBus::arrive(&stand, 80)?;
    let mut heard = Heard::default();
    let friday = drive(&stand, &mut truck).await?;
    hear(&mut operator, &mut heard, friday).await?;
    let known = fleet::saved(&operator)?;
    operator.stop().await;

    for _ in 0..STEPS {
        drive(&stand, &mut truck).await?;
        pass(&stand, &clock, &broker).await?;
    }
    let mut operator = fleet::subscribe(&broker, known, 96)?;
    let monday = drive(&stand, &mut truck).await?;
    hear(&mut operator, &mut heard, monday).await?;
    heard.accounts_for_all()?;
    let totals = broker.totals();
    operator.stop().await;
    stand.stage.stop().await;
    Ok((heard, monday, totals))
}

#[tokio::test]
async fn what_expires_while_the_operator_is_away_is_a_gap_that_it_is_told() -> Result<()> {
    let (heard, published, totals) = weekend("").await?;
    assert!(!heard.missing.is_empty(), "a day's window does not last a weekend");
    assert_eq!(heard.missing.len() as u64, totals.expired, "what is told is what expired");
    assert_eq!((heard.values.len() + heard.missing.len()) as u64, published);
    assert!(heard.skipped.is_empty() && heard.repeated == 0);
    Ok(())
}

#[tokio::test]
async fn with_a_window_of_three_days_a_weekend_loses_nothing() -> Result<()> {
    let (heard, published, totals) = weekend("delivery_window_h = 72\n").await?;
    assert_eq!((heard.missing.len(), totals.expired), (0, 0));
    assert_eq!(heard.values.len() as u64, published);
    Ok(())
}
