//! Deletion notices through a foreign broker, to the program of our page for fleet developers and to the
//! command, each of which answers; and nobody else hears either.

use crate::{
    broker::{is_missing, wait_until},
    foreign::{Kind, Listener},
    operators::Fleet,
};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use tokio::time::timeout;
use vernport_mqtt::{Backoff, DeletionNotice, LinkState, NoticeLink, Outcome, Protocol, Stream};
use vernport_types::{MessageId, UtcMicros, VehicleAlias};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn stream() -> Result<Stream> {
    let vehicle = VehicleAlias::from_bytes([0xA5; 16]);
    Ok(Stream { operator: "a".parse()?, purpose: "service".parse()?, vehicle })
}

fn notice(n: u8) -> Result<DeletionNotice> {
    let at = UtcMicros(1_795_165_200_000_000);
    let times = (at, at.plus_seconds(3_600));
    let id = MessageId::from_bytes([n; 16]);
    Ok(DeletionNotice::new(id, &stream()?, "odometer".parse()?, times, at.plus_seconds(86_400)))
}

/// Central's end, as its configuration would make it.
pub(crate) async fn central(fleet: &Fleet, protocol: Protocol) -> Result<NoticeLink> {
    let endpoint = fleet.endpoint(&fleet.central, "central.no-999999999", protocol)?;
    let link = NoticeLink::start(endpoint, Backoff::default());
    let mut status = link.status();
    timeout(PATIENCE, status.wait_for(|status| status.state == LinkState::Up)).await??;
    Ok(link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_program_is_told_what_to_delete_and_its_answer_comes_back() -> Result<()> {
    if is_missing("a_foreign_program_is_told_what_to_delete_and_its_answer_comes_back") {
        return Ok(());
    }
    let fleet = Fleet::start(|text| text);
    let page = Listener::fleet_page(&fleet.broker, &fleet.a, "a");
    let other = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.b, &["#"]);
    for (n, protocol) in [(1, Protocol::V5), (2, Protocol::V311)] {
        let mut link = central(&fleet, protocol).await?;
        let (stream, notice) = (stream()?, notice(n)?);
        let told = timeout(PATIENCE, link.tell(&stream, &notice, 60)).await?;
        ensure!(told == Outcome::Acknowledged, "the broker has it: {told:?}");
        let answer = timeout(PATIENCE, link.answer()).await?.context("the line is there")?;
        ensure!(answer.stream == stream && answer.id == notice.id);
        answer.ack.done();
        link.stop().await;
    }
    wait_until("the page says what it deleted", || page.told().len() >= 2);
    let line = "service a5a5a5a5 delete odometer 2026-11-20T09:00:00Z 2026-11-20T10:00:00Z";
    assert_eq!(page.told(), [line, line]);
    assert!(other.heard().is_empty(), "it is nobody else's");
    Ok(())
}
