//! Who is not who it says: foreign certificates and keys get nothing, and nothing
//! of theirs is accepted; what was read meanwhile is not lost.

use crate::{opened::Opened, stand::Stand, truck::Log};
use anyhow::{Context as _, Result};
use std::fs;
use tempfile::TempDir;
use vernport::registrar::read_all;
use vernport_api::Code;
use vernport_central::{Role, authority::Authority};
use vernport_crypto::{SigningKey, random};
use vernport_gateway::{Status, SystemClock};
use vernport_types::{Clock as _, GrantId};
use vernport_uplink::{CallError, Config, SendError, Uplink};

const CERTIFICATE: [&str; 2] = ["tls/gateway.pem", "tls/gateway.key"];

/// A log of the truck in a folder of its own, and what of it belongs to the workshop.
fn log() -> Result<(TempDir, String, Opened)> {
    let folder = tempfile::tempdir()?;
    let log = Log::of_one_visit(SystemClock.now().wall.plus_seconds(-60), 5)?;
    let path = folder.path().join("drive.log");
    log.write(&path)?;
    Ok((folder, format!("candump:{}", path.display()), log.workshop()?))
}

/// The gateway was refused often enough, heard of no grant, and read nothing.
async fn gets_nothing(stand: &Stand) -> Result<()> {
    let status = stand.until("refused three times", |status| status.central_failures >= 3).await?;
    let Status { tally, spool, head, .. } = status;
    assert_eq!(head, None, "no grant");
    assert_eq!((tally.frames, tally.readings, spool.leaves), (0, 0, 0), "the log waits for the first grants");
    assert_eq!(stand.registrar.stored_batches().await?, 0);
    Ok(())
}

/// With its own certificate the same gateway reads the same log.
async fn works_as_itself(stand: &mut Stand, own: [Vec<u8>; 2], expected: &Opened) -> Result<()> {
    stand.stop().await;
    for (file, bytes) in CERTIFICATE.iter().zip(own) {
        fs::write(stand.file(file), bytes)?;
    }
    stand.start().await?;
    stand.until_log_is_delivered().await?;
    stand.opened().await?.of("westrum-workshop", "service-delivery").assert_same(expected);
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_nothing_and_nothing_is_accepted() -> Result<()> {
    let (_folder, bus, expected) = log()?;
    let mut stand = Stand::of(&["westrum"], &bus, false).await?;
    let own = [fs::read(stand.file(CERTIFICATE[0]))?, fs::read(stand.file(CERTIFICATE[1]))?];
    let forged = Authority::new()?.client(&stand.controller.gateway, Role::Gateway, &stand.controller.id)?;
    fs::write(stand.file(CERTIFICATE[0]), &forged.certificate_pem)?;
    fs::write(stand.file(CERTIFICATE[1]), forged.key_pem.as_bytes())?;
    stand.start().await?;
    gets_nothing(&stand).await?;
    works_as_itself(&mut stand, own, &expected).await?;
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_another_controller_is_refused() -> Result<()> {
    let (_folder, bus, expected) = log()?;
    let mut stand = Stand::of(&["westrum", "cars-software"], &bus, false).await?;
    let own = [fs::read(stand.file(CERTIFICATE[0]))?, fs::read(stand.file(CERTIFICATE[1]))?];
    let other = stand.stage.dev.controller(&"cars-software".parse()?)?.clone();
    for file in CERTIFICATE {
        fs::copy(stand.stage.dev.folder(&other).join(file), stand.file(file))?;
    }
    stand.start().await?;
    gets_nothing(&stand).await?;
    works_as_itself(&mut stand, own, &expected).await?;

    // A whole envelope of Westrum, handed in by the gateway of Cars.
    let stored = stand.registrar.stored_batches().await?;
    let key = stand.controller.recipient.first().context("somebody reads")?;
    let read = read_all(&stand.stage.dev, &stand.controller, key, "pipeline").await?;
    let (envelope, _) = read.into_iter().next().context("something was stored")?;
    let envelope = vernport_seal::reload_recipient(envelope)?;
    let tls = stand.stage.dev.client_tls(&other, "gateway").client()?;
    let uplink = Uplink::new(&Config::new(&stand.stage.dev.central_url), other.gateway.clone(), tls)?;
    let refused = uplink.send(&[(GrantId::from_bytes(random()), &envelope)]).await.expect_err("another's");
    let SendError::Call(CallError::Refused(problem)) = refused else { panic!("{refused}") };
    assert_eq!(problem.code, Code::OtherController);
    assert_eq!(stand.registrar.stored_batches().await?, stored);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_envelope_signed_by_another_device_key_is_refused_by_central() -> Result<()> {
    let (_folder, bus, _) = log()?;
    let mut stand = Stand::of(&["westrum"], &bus, false).await?;
    let other = SigningKey::generate();
    fs::write(stand.file("keys/device.key"), hex::encode(&other.seed()[..]) + "\n")?;
    stand.start().await?;
    let status = stand.until_log_is_delivered().await?;
    assert!(status.tally.queued_batches > 0, "it was read and sealed");
    assert_eq!(
        status.spool.quarantined, status.tally.queued_batches,
        "all of it is kept for a person to look at"
    );
    assert_eq!(status.delivered_batches, 0);
    assert_eq!(stand.registrar.stored_batches().await?, 0);
    assert_eq!(stand.opened().await?.len(), 0);
    stand.stage.stop().await;
    Ok(())
}
