//! What people say while batches wait for a dead network: consent withdrawn,
//! order closed, processing restricted. May it be sent is asked at the sending.

use crate::{
    opened::Opened,
    stand::{OnBus, Stand, is_delivered},
    wire::Wire,
};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use vernport_registry::{
    Event, Ground, Method, OrderClosed, Restriction, RestrictionLifted, RestrictionLifting, Whom, Withdrawal,
    WithdrawalScope,
};
use vernport_types::Reason;

/// A stand whose gateway has heard of its grants, and the truck at it.
async fn stand() -> Result<(Stand, Wire, OnBus)> {
    let mut stand = Stand::on_virtual_bus().await?;
    let wire = Wire::lay(&stand).await?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    let truck = OnBus::arrive(&stand, 0)?;
    Ok((stand, wire, truck))
}

fn workshop(opened: &Opened) -> Opened {
    opened.of("westrum-workshop", "service-delivery").timeless()
}

fn reminder(opened: &Opened) -> Opened {
    opened.of("westrum-workshop", "maintenance-reminder").timeless()
}

#[tokio::test]
async fn queued_batches_of_a_withdrawn_consent_never_reach_central_and_those_of_the_contract_do() -> Result<()>
{
    let (stand, wire, mut truck) = stand().await?;
    truck.drive(&stand, 2).await?;
    stand.until("delivered", is_delivered).await?;
    let before = reminder(&stand.opened().await?);
    assert!(before.len() > 10, "while the consent stands: {}", before.len());

    wire.cut();
    truck.drive(&stand, 3).await?;
    let owner = stand.world.subject("owner").context("the world has an owner")?;
    let scope = WithdrawalScope::Subject {
        subject: owner,
        purpose: None,
        recipient: None,
        categories: BTreeSet::new(),
    };
    let withdrawal = Withdrawal { scope, method: Method::Spoken, recorded_by: None };
    let answer = stand.registrar.say(Event::ConsentWithdrawn(withdrawal)).await?;
    let stopped: Vec<_> = answer.effect.stopped.iter().map(|s| (s.flow.as_str(), s.reason)).collect();
    assert_eq!(stopped, [("maintenance-reminder", Reason::ConsentWithdrawn)]);

    wire.mend();
    let status = stand.until("delivered", is_delivered).await?;
    assert!(status.spool.notes > 0, "what was destroyed left a note");
    truck.drive(&stand, 2).await?;
    stand.until("delivered", is_delivered).await?;
    let opened = stand.opened().await?;
    reminder(&opened).assert_same(&before);
    workshop(&opened).assert_same(&truck.workshop(0)?);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_closed_order_sends_what_was_read_and_reads_no_more() -> Result<()> {
    let (stand, wire, mut truck) = stand().await?;
    wire.cut();
    truck.drive(&stand, 3).await?;
    let read = truck.workshop(0)?;
    stand.registrar.say(Event::OrderClosed(OrderClosed { order: stand.world.order("1017") })).await?;
    wire.mend();
    stand.until("handed back", |status| status.tally.visits_ended > 0).await?;
    let status = stand.until("delivered", is_delivered).await?;
    assert_eq!((status.spool.batches_parked, status.spool.notes), (0, 0), "nothing was held back");
    workshop(&stand.opened().await?).assert_same(&read);

    let all = stand.opened().await?.len();
    truck.drive(&stand, 3).await?;
    stand.until("delivered", is_delivered).await?;
    assert_eq!(stand.opened().await?.len(), all, "after the order was closed");
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_restriction_parks_what_waits_until_it_was_announced_and_lifted() -> Result<()> {
    let (stand, wire, mut truck) = stand().await?;
    wire.cut();
    truck.drive(&stand, 3).await?;
    let read = truck.workshop(0)?;
    let asset = stand.world.asset("truck").context("the world has a truck")?;
    let set = Restriction {
        whom: Whom::Asset(asset),
        purpose: None,
        ground: Ground::AccuracyDisputed,
        case: "case 7".parse()?,
    };
    let answer = stand.registrar.say(Event::RestrictionSet(set)).await?;
    let restriction = answer.results.first().context("one entry")?.entry;
    wire.mend();
    let parked = |status: &vernport_gateway::Status| status.spool.batches_parked > 0 && is_delivered(status);
    stand.until("parked", parked).await?;
    assert_eq!(stand.registrar.stored_batches().await?, 0);

    let lifted = || Event::RestrictionLifted(RestrictionLifted { restriction });
    stand.registrar.say(lifted()).await.expect_err("the person was not told yet");
    let told = RestrictionLifting { restriction, method: Method::Message, evidence: "letter 8".parse()? };
    let controller = &stand.controller;
    stand.stage.say(controller, &stand.registrar, Event::RestrictionLiftingAnnounced(told)).await?;
    stand.until("still parked", parked).await?;
    assert_eq!(stand.registrar.stored_batches().await?, 0, "announced is not lifted");

    stand.registrar.say(lifted()).await?;
    let resumed =
        |status: &vernport_gateway::Status| status.spool.batches_parked == 0 && is_delivered(status);
    let status = stand.until("resumed", resumed).await?;
    assert_eq!(status.spool.notes, 0, "nothing was destroyed");
    workshop(&stand.opened().await?).assert_same(&read);
    stand.stage.stop().await;
    Ok(())
}
