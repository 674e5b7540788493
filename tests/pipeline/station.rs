//! What a technician says while the line to central is down counts at the station at
//! once, is kept over a restart, and is merged at central when the line is back.

use crate::{
    stand::{OnBus, Stand, is_delivered},
    truck,
    wire::Wire,
};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use vernport::{shipped, station::ask};
use vernport_gateway::{
    Status,
    station::{Answered, Done, Said},
};
use vernport_registry::world::World;
use vernport_types::{Identifier, LegalBasis, Plate, Reason};

const NOTICE_WORLD: &str = include_str!("worlds/notice.toml");

/// Westrum's bundle, of which a station may open the workshop's flow.
fn westrum() -> Result<Vec<(String, String)>> {
    let flow = "[[flow]]\nid = \"workshop\"\n";
    let text = shipped::bundle_text("westrum")?.1;
    anyhow::ensure!(text.contains(flow), "the flow of the workshop");
    Ok(vec![("westrum".into(), text.replace(flow, &format!("{flow}offline = true\n")))])
}

/// A stand with a socket, whose gateway has heard from central.
async fn stand(with_truck: bool) -> Result<(Stand, Wire)> {
    let mut stand = Stand::empty(westrum()?, "virtual:{name}", false).await?;
    let now = stand.stage.clock.now().wall;
    let world = if with_truck { None } else { Some(World::from_toml("worlds/notice.toml", NOTICE_WORLD)?) };
    let world = world.as_ref().unwrap_or(&stand.world);
    stand.registrar.record(world.entries(&stand.controller.id, &stand.registrar.identity, now)?).await?;
    let wire = Wire::lay(&stand).await?;
    stand.configure(|text| text + "\n[station]\nsocket = \"station.sock\"\n")?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    Ok((stand, wire))
}

fn socket(stand: &Stand) -> PathBuf {
    stand.file("station.sock")
}

async fn done(stand: &Stand, said: &Said) -> Result<Done> {
    match ask(&socket(stand), said).await? {
        Answered::Done(done) => Ok(done),
        Answered::Refused { why } => bail!("refused: {why}"),
    }
}

async fn refused(stand: &Stand, said: &Said) -> Result<String> {
    match ask(&socket(stand), said).await? {
        Answered::Done(_) => bail!("it was taken"),
        Answered::Refused { why } => Ok(why),
    }
}

fn vin() -> Result<Identifier> {
    Ok(Identifier::Vin(truck::VIN.parse()?))
}

fn open() -> Result<Said> {
    Ok(Said::OrderOpen { vehicle: vin()?, hours: 72 })
}

/// Nothing of the station is unknown at central.
fn is_merged(status: &Status) -> bool {
    status.station_links == 0
}

#[tokio::test]
async fn an_order_opened_at_the_station_reads_over_a_restart_and_is_delivered_once_when_the_line_is_back()
-> Result<()> {
    let (mut stand, wire) = stand(false).await?;
    wire.cut();
    let opened = done(&stand, &open()?).await?;
    assert_eq!(opened.opened.iter().map(ToString::to_string).collect::<Vec<_>>(), ["workshop"]);
    assert!(opened.stopped.is_empty() && opened.goes_on.is_empty());
    assert!(refused(&stand, &open()?).await?.contains("open for this vehicle"));

    let mut truck = OnBus::arrive(&stand, 0)?;
    truck.drive(&stand, 3).await?;
    stand.stop().await;
    stand.start().await?;
    let status = stand.until("what was said is remembered", |status| status.station_links == 2).await?;
    assert!(status.head.is_none() && status.spool.batches_queued > 0);
    let before = truck.sent.len();
    truck.restarted();
    truck.drive(&stand, 3).await?;
    assert_eq!(stand.registrar.stored_batches().await?, 0, "the line is down");
    // Meanwhile central came to know the vehicle by another id.
    let known = stand.registrar.enter_asset(vin()?).await?;

    wire.mend();
    stand.until("merged", is_merged).await?;
    let status = stand.until("delivered", is_delivered).await?;
    assert_eq!((status.spool.notes, status.station_refused), (0, 0), "nothing was lost");
    // Each run of the gateway decodes by itself.
    let mut expected = truck.workshop_of(0..before)?;
    expected.extend(truck.workshop(before)?);
    stand.opened().await?.of("westrum-workshop", "service-delivery").timeless().assert_same(&expected);
    assert_eq!(stand.registrar.find(vin()?).await?, Some(known), "the two ids are one vehicle");

    let closed = done(&stand, &Said::OrderClose { vehicle: vin()? }).await?;
    assert_eq!(closed.order, opened.order);
    stand.until("merged", is_merged).await?;
    let all = stand.opened().await?.len();
    truck.drive(&stand, 3).await?;
    stand.until("delivered", is_delivered).await?;
    assert_eq!(stand.opened().await?.len(), all, "handed back");
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_withdrawal_with_the_line_down_stops_within_the_call_and_in_the_queue() -> Result<()> {
    let (stand, wire) = stand(true).await?;
    let mut truck = OnBus::arrive(&stand, 0)?;
    wire.cut();
    truck.drive(&stand, 3).await?;
    let said = Said::Withdraw { vehicle: Some(vin()?), receipt: None };
    let answer = done(&stand, &said).await?;
    let stopped: Vec<_> = answer.stopped.iter().map(|(flow, why)| (flow.as_str(), *why)).collect();
    assert_eq!(stopped, [("maintenance-reminder", Reason::ConsentWithdrawn)]);
    assert!(
        answer
            .goes_on
            .iter()
            .any(|(flow, basis)| flow.as_str() == "workshop" && *basis == LegalBasis::Contract)
    );
    // Not at the next tick, nor when the line is back: now.
    let status = stand.stage.gateway(&stand.controller)?.status().await?;
    assert!(status.spool.notes > 0, "what waited was destroyed");
    truck.drive(&stand, 3).await?;

    wire.mend();
    stand.until("merged", is_merged).await?;
    stand.until("delivered", is_delivered).await?;
    let opened = stand.opened().await?;
    assert_eq!(opened.of("westrum-workshop", "maintenance-reminder").len(), 0);
    opened.of("westrum-workshop", "service-delivery").timeless().assert_same(&truck.workshop(0)?);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_receipt_pauses_all_consents_until_central_says_whose_it_is() -> Result<()> {
    let (stand, wire) = stand(true).await?;
    let mut truck = OnBus::arrive(&stand, 0)?;
    wire.cut();
    truck.drive(&stand, 3).await?;
    // Nobody got this one, so in the end nothing is withdrawn.
    let receipt = vernport_registry::ReceiptCode::from_bytes([1; 7]);
    let answer = done(&stand, &Said::Withdraw { vehicle: None, receipt: Some(receipt) }).await?;
    assert_eq!(answer.stopped.len(), 1);
    let paused = stand.until("paused", |status| status.spool.batches_parked > 0).await?;
    assert_eq!(paused.spool.notes, 0, "what may be somebody else's is not destroyed");
    wire.mend();
    stand.until("merged", is_merged).await?;
    let status =
        stand.until("resumed", |status| status.spool.batches_parked == 0 && is_delivered(status)).await?;
    assert_eq!((status.station_refused, status.spool.notes), (1, 0));
    assert!(stand.opened().await?.of("westrum-workshop", "maintenance-reminder").len() > 0);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn with_a_full_spool_a_station_is_heard() -> Result<()> {
    let (mut stand, wire) = stand(true).await?;
    stand.stop().await;
    stand.configure(|text| text + "\n[batch]\nmax_records = 2\n[spool]\nmax_mib = 1\n")?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    wire.cut();
    let mut truck = OnBus::arrive(&stand, 0)?;
    truck.drive_until(&stand, "no room", |status| status.spool.batches_dropped > 0).await?;
    let said = Said::Withdraw { vehicle: Some(vin()?), receipt: None };
    let answer = done(&stand, &said).await?;
    assert_eq!(answer.stopped.len(), 1);
    let status = stand.stage.gateway(&stand.controller)?.status().await?;
    assert!(status.station_links > 0 && status.spool.notes > 0);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_remedy_and_strange_lines_harm_nobody() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut stand, _wire) = stand(false).await?;
    let mode = std::fs::metadata(socket(&stand))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "owner and group only");
    let plate = Identifier::Plate(Plate::new("NO", "AB12345")?);
    let why = refused(&stand, &Said::OrderClose { vehicle: plate.clone() }).await?;
    assert!(why.contains("no order is open"), "{why}");
    let why = refused(&stand, &Said::Assert { vehicle: plate.clone() }).await?;
    assert!(why.contains("open one first"), "{why}");
    let why = refused(&stand, &Said::OrderOpen { vehicle: plate.clone(), hours: 24 * 30 }).await?;
    assert!(why.contains("168 hours"), "{why}");
    let why = refused(&stand, &Said::Private { on: true, vehicle: None }).await?;
    assert!(why.contains("which vehicle"), "{why}");
    for line in [&b"{\n"[..], b"\n", b"\xFF\xFE\n", &[b'x'; 4_096], b"{\"do\":\"order-open\",\"extra\":1}\n"]
    {
        let mut stream = tokio::net::UnixStream::connect(socket(&stand)).await?;
        stream.write_all(line).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer: Answered = serde_json::from_slice(&answer).context("an answer")?;
        assert!(matches!(answer, Answered::Refused { .. }), "{answer:?}");
    }
    // Two orders say nothing; the technician does.
    done(&stand, &open()?).await?;
    done(&stand, &Said::OrderOpen { vehicle: plate.clone(), hours: 2 }).await?;
    done(&stand, &Said::Assert { vehicle: plate.clone() }).await?;
    done(&stand, &Said::Private { on: true, vehicle: None }).await?;
    done(&stand, &Said::Private { on: false, vehicle: Some(plate) }).await?;
    let status = stand.until("merged", is_merged).await?;
    assert_eq!(status.station_refused, 0);
    let path = socket(&stand);
    stand.stop().await;
    assert!(!path.exists(), "the socket goes with its gateway");
    stand.stage.stop().await;
    Ok(())
}
