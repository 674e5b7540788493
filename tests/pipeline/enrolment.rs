//! A box that has no certificate: invited at the counter, enrolled by its own
//! command, it delivers, renews by itself, and is revoked. Central with its listener, the commands and the
//! gateway are the real ones; their clock is one that the test moves.

use crate::{
    moved::Moved,
    stand::{OnBus, Stand, is_delivered},
};
use anyhow::{Context as _, Result};
use clap::Parser as _;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use vernport::args::Cli;
use vernport_central::{
    Role,
    authority::{Authority, Credential},
};
use vernport_gateway::{
    CertificateHealth, Config, Status,
    enrol::{self, Enrolled, Enrolling},
    secrets::read_key,
};
use vernport_types::Clock as _;

const BOX: &str = "fresh-box";
const DAY_MICROS: i64 = 86_400_000_000;

fn private(path: &Path, text: &str) -> Result<()> {
    let _ = fs::remove_file(path);
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

/// What `vernport` does when this is typed.
async fn typed(stand: &Stand, words: &[&str]) -> Result<()> {
    let dir = stand.stage.dev.dir.display().to_string();
    let at = ["--dev", &dir, "--controller", stand.controller.name.as_str()];
    let all = ["vernport"].iter().chain(words).chain(&at).copied();
    vernport::run(Cli::try_parse_from(all)?).await
}

/// A set under an authority whose key central has; its gateway is fresh: rules, storage key and identity key, and
/// neither certificate nor device key.
async fn fresh(clock: Moved) -> Result<Stand> {
    let mut stand = Stand::on_virtual_bus_with(Arc::new(clock)).await?;
    stand.stage.stop_central().await;
    let authority = Authority::of_clients()?;
    let dir = stand.stage.dev.dir.clone();
    let id = stand.controller.id.clone();
    let place = |folder: PathBuf, name: &str, of: &Credential| -> Result<()> {
        private(&folder.join(format!("{name}.pem")), &of.certificate_pem)?;
        private(&folder.join(format!("{name}.key")), &of.key_pem)
    };
    private(&dir.join("tls/ca.pem"), &authority.certificate_pem())?;
    private(&dir.join("central/ca.key"), &authority.key_pem())?;
    place(dir.join("tls"), "central", &authority.server(&["localhost", "127.0.0.1"])?)?;
    let registrar = authority.client(&"registrar".parse()?, Role::Registrar, &id)?;
    place(stand.file("tls"), "registrar", &registrar)?;
    for key in &stand.controller.recipient {
        let own = authority.client(&key.recipient, Role::Recipient, &id)?;
        place(stand.file("tls"), key.recipient.as_str(), &own)?;
    }
    for gone in ["tls/gateway.pem", "tls/gateway.key", "keys/device.key"] {
        fs::remove_file(stand.file(gone))?;
    }
    let name = stand.controller.gateway.clone();
    stand.configure(|text| text.replace(&format!("name = \"{name}\""), &format!("name = \"{BOX}\"")))?;
    let central = stand.stage.dev.central_config();
    let section = "\n[enrolment]\naddress = \"127.0.0.1:0\"\nauthority_certificate = \"tls/ca.pem\"\n\
                   authority_key = \"central/ca.key\"\n";
    let text = fs::read_to_string(&central)?.replace("\n[store]", &format!("{section}\n[store]"));
    fs::write(&central, text)?;
    stand.stage.start_central().await?;
    stand.registrar = stand.stage.registrar(&stand.controller)?;
    Ok(stand)
}

/// Invites at the counter and enrols on the box.
async fn enrol(stand: &mut Stand, replace: bool) -> Result<()> {
    let token = stand.file("token");
    let (path, site) = (token.display().to_string(), stand.controller.site.to_string());
    let mut words = vec![
        "gateway",
        "invite",
        "--name",
        BOX,
        "--site",
        &site,
        "--station",
        "bay-1",
        "--token-file",
        &path,
    ];
    words.extend(replace.then_some("--replace"));
    typed(stand, &words).await?;
    assert_eq!(fs::metadata(&token)?.permissions().mode() & 0o777, 0o600);
    let config = Config::load(&stand.stage.dev.gateway_config(&stand.controller))?;
    let at = stand.stage.central()?.enrolment_addr.context("central enrols")?;
    let url = format!("https://{at}");
    let ca = stand.stage.dev.dir.join("tls/ca.pem");
    let text = fs::read_to_string(&token)?;
    let asked = Enrolling { config: &config, url: &url, ca: &ca, token: Some(text.trim().parse()?), replace };
    let enrolled = enrol::enrol(asked).await?;
    assert!(matches!(&enrolled, Enrolled::Now(answer) if answer.head_key == config.central.head_key));
    fs::remove_file(&token)?;
    let device = vernport_crypto::SigningKey::from_seed(*read_key(&stand.file("keys/device.key"))?);
    stand.controller.device_key = device.verifying_key();
    Ok(())
}

#[tokio::test]
async fn a_fresh_box_enrols_delivers_renews_and_is_revoked() -> Result<()> {
    let clock = Moved::default();
    let mut stand = fresh(clock.clone()).await?;
    assert!(stand.start().await.is_err(), "it has no certificate yet");
    enrol(&mut stand, false).await?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some() && status.expected_assets > 0).await?;
    let mut bus = OnBus::arrive(&stand, 0)?;
    bus.drive(&stand, 30).await?;
    let delivered = |status: &Status| status.delivered_batches > 0 && is_delivered(status);
    let before = stand.until("delivered", delivered).await?;
    let opened = stand.opened().await?;
    assert!(
        opened.of("westrum-workshop", "service-delivery").len() > 0,
        "its recipient opens what it sealed"
    );
    typed(&stand, &["gateway", "list"]).await?;

    // Two thirds of its life are over: it renews while it runs, by the clock, and goes on delivering.
    let first = before.certificate.context("it says until when")?.until;
    let (certificate, key) = (stand.file("tls/gateway.pem"), stand.file("tls/gateway.key"));
    let written = (fs::read(&certificate)?, fs::read(&key)?);
    clock.forward(20 * DAY_MICROS);
    let renewed =
        stand.until("renewed", |status| status.certificate.is_some_and(|of| of.until > first)).await?;
    let seen = renewed.certificate.context("it says until when")?;
    assert_eq!(seen.health, CertificateHealth::Good);
    assert!((seen.until.0 - first.0 - 20 * DAY_MICROS).abs() < DAY_MICROS / 24);
    assert_ne!(written, (fs::read(&certificate)?, fs::read(&key)?));
    assert_eq!(fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);
    let heard = renewed.head.map(|(head, _)| head.sequence);
    // Past the end of the first certificate only the new one counts.
    clock.forward(11 * DAY_MICROS);
    let since = clock.now().wall;
    stand
        .until("heads under the new certificate", |status| {
            status.head.is_some_and(|(head, _)| Some(head.sequence) > heard && head.at >= since)
        })
        .await?;
    // The call that was open under the old one may have been turned away; no other is.
    let refused = || anyhow::Ok(stand.stage.central()?.refusals().get("certificate-revoked").copied());
    let once = refused()?;
    assert!(once.unwrap_or(0) <= 1, "{once:?}");
    let heard = stand.stage.gateway(&stand.controller)?.status().await?.head.map(|(head, _)| head.sequence);
    stand.until("another head", |status| status.head.map(|(head, _)| head.sequence) > heard).await?;
    assert_eq!(refused()?, once);

    // Stolen: at once nothing is taken from it.
    typed(&stand, &["gateway", "revoke", "--name", BOX, "--stolen", "--reason", "case 7"]).await?;
    let failures = stand.stage.gateway(&stand.controller)?.status().await?.central_failures;
    stand.until("turned away", |status| status.central_failures > failures).await?;
    assert!(stand.stage.central()?.refusals().contains_key("certificate-revoked"));
    assert!(typed(&stand, &["gateway", "revoke", "--name", "nobody"]).await.is_err());
    stand.stop().await;

    // Found again, or another box in its place: enrolled anew under the same name.
    let config = Config::load(&stand.stage.dev.gateway_config(&stand.controller))?;
    let old = stand.controller.device_key;
    enrol(&mut stand, true).await?;
    assert_ne!(stand.controller.device_key, old);
    assert!(enrol::unanswered(&config).is_none());
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    stand.stop().await;
    Ok(())
}
