//! The box comes back: what its keys still open is sent, what they do not is put aside and
//! counted, and what is sealed to recipients goes in any case.

use crate::{disk::Mode, theft::Theft};
use anyhow::Result;
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vernport_canbus::VirtualBuses;
use vernport_gateway::{Config, Deps, Running, Status, SystemClock};

const PATIENCE: Duration = Duration::from_secs(30);

async fn start(config: &Path) -> Result<Running> {
    let deps = Deps { clock: Arc::new(SystemClock), buses: VirtualBuses::default() };
    Ok(vernport_gateway::run(&Config::load(config)?, deps, CancellationToken::new()).await?)
}

async fn until(gateway: &Running, what: &str, is: impl Fn(&Status) -> bool) -> Result<Status> {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = gateway.status().await?;
        if is(&status) {
            return Ok(status);
        }
        anyhow::ensure!(Instant::now() < end, "{what}: not within {} s: {status:?}", PATIENCE.as_secs());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_under_a_key_that_lived_in_memory_are_put_aside_and_batches_go() -> Result<()> {
    let theft = Theft::of(Mode::Memory).await?;
    let (batches, messages) = (theft.waiting.envelopes.len() as u64, theft.waiting.messages.len() as u64);
    let gateway = start(&theft.disk.config()).await?;
    let status = gateway.status().await?;
    assert_eq!(status.spool.quarantined, messages, "before anything else");
    assert_eq!(status.spool.topics_queued, 0);
    let status = until(&gateway, "batches delivered", |status| status.delivered_batches == batches).await?;
    assert_eq!((status.spool.batches_queued, status.spool.quarantined), (0, messages));
    let stored = theft.stage.registrar(&theft.controller)?.stored_batches().await?;
    assert_eq!(stored, theft.delivered + batches);
    gateway.stop().await;
    theft.stage.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_new_storage_key_what_waited_is_sent_and_then_the_old_one_goes() -> Result<()> {
    let theft = Theft::of(Mode::File).await?;
    let (config, keys) = (theft.disk.config(), theft.disk.root.join("keys"));
    let messages = theft.waiting.messages.len() as u64;
    let run = async |finish: bool| {
        let rotate = vernport::args::KeysRotate::Storage { gateway: theft.disk.config(), finish };
        vernport::keys::run(vernport::args::Keys::Rotate(rotate)).await
    };
    let old = fs::read(keys.join("storage.key"))?;
    run(false).await?;
    assert_eq!(fs::read(keys.join("storage.key.before"))?, old);
    assert_ne!(fs::read(keys.join("storage.key"))?, old);

    // Nobody listens yet: everything waits on, readable.
    let gateway = start(&config).await?;
    assert_eq!(gateway.status().await?.spool.quarantined, 0);
    gateway.stop().await;
    let told = run(true).await.expect_err("messages wait under it").to_string();
    assert!(told.contains(&format!("{messages} messages wait")), "{told}");

    let set = fs::read_to_string(theft.stage.dev.gateway_config(&theft.controller))?;
    let fleet = |text: &str| {
        text.split_once("[fleet]\nurl = \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(url, _)| url.to_owned())
    };
    let (nobody, broker) = (fleet(&fs::read_to_string(&config)?), fleet(&set));
    let text =
        fs::read_to_string(&config)?.replace(&nobody.expect("an address"), &broker.expect("an address"));
    fs::write(&config, text)?;
    let gateway = start(&config).await?;
    let status = until(&gateway, "messages sent", |status| status.published_messages == messages).await?;
    assert_eq!((status.spool.topics_queued, status.spool.quarantined), (0, 0));
    gateway.stop().await;
    run(true).await?;
    assert!(!keys.join("storage.key.before").exists());
    theft.stage.stop().await;
    Ok(())
}
