//! After a sleep central is asked for what holds now, and need not wait until it has news: leases may be over, and what
//! waits under them is parked until a fresh head is there.

use anyhow::{Context as _, Result};
use std::{
    collections::BTreeMap,
    future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use vernport::{dev, shipped};
use vernport_api::{FeedRequest, PATH_FEED};
use vernport_canbus::VirtualBuses;
use vernport_gateway::{Config, Deps, Given, SystemClock};
use vernport_types::{BootMicros, Clock, Stamp};
use vernport_uplink::{Call, Carrying, SetupError, Transport, Uplink};

const PATIENCE: Duration = Duration::from_secs(20);

/// A clock of a machine that was suspended for some time.
#[derive(Debug, Default)]
struct Suspended(AtomicU64);

impl Clock for Suspended {
    fn now(&self) -> Stamp {
        let (now, asleep) = (SystemClock.now(), self.0.load(Ordering::SeqCst));
        Stamp { boot: BootMicros(now.boot.0 + asleep), ..now }
    }
}

/// A central that never answers: it tells what it was asked in the feed, and when it was left.
#[derive(Debug)]
struct Silent(mpsc::Sender<Option<FeedRequest>>);

impl Transport for Silent {
    fn carry(&self, call: Call) -> Carrying<'_> {
        if let Some((_, body)) = call.body.filter(|_| call.path == PATH_FEED) {
            let asked: FeedRequest = serde_json::from_slice(&body).expect("a question");
            let _ = self.0.try_send(Some(asked));
        }
        Box::pin(future::pending())
    }

    fn reconnect(&self) -> Result<(), SetupError> {
        let _ = self.0.try_send(None);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sleep_central_is_asked_anew_over_a_new_connection_and_answers_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = dev::Options {
        central_port: 1,
        bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
        bus: "virtual:{name}".into(),
        file_time: false,
        gateway_extra: BTreeMap::new(),
    };
    let set = dev::make(&folder.path().join("set"), &options)?;
    let config = Config::load(&set.gateway_config(&set.controller[0]))?;
    let (told, mut asked) = mpsc::channel(64);
    let uplink = Uplink::over(Arc::new(Silent(told)), config.gateway.name.clone());
    let given = Given { uplink, certificate: None, ..Given::load(&config).await? };
    let clock = Arc::new(Suspended::default());
    let deps = Deps { clock: Arc::clone(&clock) as Arc<dyn Clock>, buses: VirtualBuses::default() };
    let running = vernport_gateway::run_with(&config, given, deps, CancellationToken::new()).await?;

    let mut next = async || timeout(PATIENCE, asked.recv()).await?.context("the gateway runs");
    let usual = next().await?.context("nobody slept yet")?;
    assert!(usual.wait_ms > 0, "central waits for news");
    for _ in 0..3 {
        clock.0.fetch_add(3_600_000_000, Ordering::SeqCst);
        assert!(next().await?.is_none(), "the connection from before is left");
        let first = next().await?.context("asked anew")?;
        assert_eq!(first.wait_ms, 0, "whatever holds now is the answer");
    }
    running.stop().await;
    Ok(())
}
