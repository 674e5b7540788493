//! One workshop tool at fifty times its limit beside ten honest ones, at a real
//! gateway over a real broker: the honest lose nothing, and what waits stays bounded.
//!
//! How long an answer takes beside a flood is the bench's matter (`benches/flood.rs`),
//! which plays the same scene.

use crate::{
    fleet,
    stand::{OnBus, Stand},
};
use anyhow::{Context as _, Result, ensure};
use futures_util::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use vernport::show;
use vernport_broker::{Broker, Totals};
use vernport_mqtt::{Outcome, ResultCode, ToolAddress, ToolClient, acl::Principal};
use vernport_types::{CanFrame, CanId};

/// Honest tools.
const HONEST: u32 = 10;
/// One tool's limit is ten messages a second; the flood is fifty times that, in bursts.
const BURST: u64 = 50;
const BURST_EVERY: Duration = Duration::from_millis(100);
/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The scene: a gateway that knows the vehicle at its bay, and the broker of its tools.
pub(crate) struct Bay {
    stand: Stand,
    broker: Broker,
    /// The truck stands there with its engine running: a silent one has left.
    idle: AbortHandle,
}

/// What came of it.
pub(crate) struct Answers {
    /// From sending to the answer, of each message of the honest tools.
    pub(crate) times: Vec<Duration>,
    /// Answers to the honest tools other than that it was accepted.
    pub(crate) refused: u64,
    /// What the flood sent, and how many of its messages were answered `limited`.
    pub(crate) flooded: u64,
    pub(crate) limited: u64,
}

impl Bay {
    pub(crate) async fn open() -> Result<Self> {
        let mut stand = Stand::of(&["westrum"], "virtual:{name}", true).await?;
        let broker = fleet::broker(|_| {}).await?;
        fleet::lead_to(&stand, "tools", &broker, "")?;
        stand.start().await?;
        let linked =
            |status: &vernport_gateway::Status| status.tools.as_ref().is_some_and(|link| link.epoch > 0);
        stand.until("listening", |status| status.head.is_some() && linked(status)).await?;
        let mut truck = OnBus::arrive(&stand, 0)?;
        truck.drive(&stand, 3).await?;
        stand.until("vehicle recognised", |status| status.tally.visits > 0).await?;
        let clock = Arc::clone(&stand.stage.clock);
        let wire = stand.stage.buses.attach(&stand.controller.name, clock)?.sender();
        // EEC1, all values "not available".
        let frame = CanId::extended(0x0CF0_0400).and_then(|id| CanFrame::data_frame(id, &[0xFF; 8]));
        let frame = frame.context("a frame of eight bytes")?;
        let idle = tokio::spawn(async move {
            loop {
                wire.send(&frame);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Ok(Self { stand, broker, idle: idle.abort_handle() })
    }

    async fn tool(&self, name: &str) -> Result<ToolClient> {
        let address = ToolAddress {
            site: self.stand.controller.site.clone(),
            station: self.stand.controller.station.clone(),
            tool: name.parse()?,
        };
        let principal = Principal::Tool(address.clone());
        let endpoint = fleet::endpoint(&self.broker, &principal, &principal.to_string())?;
        let tool = ToolClient::start(endpoint, address);
        ensure!(timeout(PATIENCE, tool.ready()).await?, "{name} connects");
        Ok(tool)
    }

    /// Ten honest tools send so many messages each, one after the other, `pause` apart; a flood beside them or not.
    pub(crate) async fn scene(
        &self,
        run: &str,
        messages: u32,
        pause: Duration,
        flood: bool,
    ) -> Result<Answers> {
        let over = Arc::new(AtomicBool::new(false));
        let mut flooding = None;
        if flood {
            let tool = self.tool("flood").await?;
            flooding = Some(tokio::spawn(flood_until(Arc::clone(&over), tool, self.reading())));
        }
        let mut honest = JoinSet::new();
        for n in 0..HONEST {
            let tool = self.tool(&format!("honest-{n}")).await?;
            honest.spawn(send(tool, format!("{run}-{n}"), messages, pause, self.reading()));
        }
        let mut answers = Answers { times: Vec::new(), refused: 0, flooded: 0, limited: 0 };
        while let Some(sent) = honest.join_next().await {
            let (times, refused) = sent??;
            answers.times.extend(times);
            answers.refused += refused;
        }
        over.store(true, Ordering::SeqCst);
        if let Some(flooding) = flooding {
            (answers.flooded, answers.limited) = flooding.await??;
        }
        Ok(answers)
    }

    /// One reading of now, in a message whose id has to be put in.
    fn reading(&self) -> String {
        let time = show::time(self.stand.stage.clock.now().wall);
        format!(
            r#"{{"id":"ID","readings":[{{"path":"Vehicle.Service.DistanceToService","value":18500,"unit":"km","time":"{time}"}}]}}"#
        )
    }

    pub(crate) fn totals(&self) -> Totals {
        self.broker.totals()
    }

    pub(crate) async fn close(self) {
        self.idle.abort();
        self.stand.stage.stop().await;
    }
}

/// An honest tool: sends, waits for the answer, pauses. The times, and how many were refused.
async fn send(
    mut tool: ToolClient,
    name: String,
    messages: u32,
    pause: Duration,
    reading: String,
) -> Result<(Vec<Duration>, u64)> {
    let mut times = Vec::new();
    let mut refused = 0;
    for n in 0..messages {
        let id = format!("{name}-{n}");
        let begun = Instant::now();
        let sent = timeout(PATIENCE, tool.send(reading.replace("ID", &id).into_bytes())).await;
        ensure!(sent.context("the broker does not answer")? == Outcome::Acknowledged, "the broker has it");
        loop {
            let result = timeout(PATIENCE, tool.result()).await.with_context(|| format!("{id} is lost"))?;
            let result = result.context("the line is there")?;
            if result.id.as_deref() == Some(id.as_str()) {
                refused += u64::from(result.code != ResultCode::Accepted);
                break;
            }
            refused += u64::from(result.id.is_none());
        }
        times.push(begun.elapsed());
        tokio::time::sleep(pause).await;
    }
    tool.stop().await;
    Ok((times, refused))
}

/// A tool at fifty times its limit, until the others are done. How many messages it sent, and how many of them
/// were answered `limited`.
async fn flood_until(over: Arc<AtomicBool>, mut tool: ToolClient, reading: String) -> Result<(u64, u64)> {
    let mut pace = interval(BURST_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut sent, mut limited) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        pace.tick().await;
        let burst = (0..BURST).map(|n| {
            let id = format!("flood-{}", sent + n);
            tool.send(reading.replace("ID", &id).into_bytes())
        });
        let outcomes = join_all(burst).await;
        sent += outcomes.iter().filter(|outcome| **outcome == Outcome::Acknowledged).count() as u64;
        while let Ok(Some(result)) = timeout(Duration::from_millis(1), tool.result()).await {
            limited += u64::from(result.code == ResultCode::Limited);
        }
    }
    tool.stop().await;
    Ok((sent, limited))
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split(' ').nth(1).context("statm has a second number")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_flooding_tool_honest_ones_lose_nothing_and_memory_is_bounded() -> Result<()> {
    let bay = Bay::open().await?;
    let calm = bay.scene("calm", 5, Duration::ZERO, false).await?;
    assert_eq!((calm.times.len(), calm.refused), (50, 0));
    let before = resident_bytes()?;
    let flooded = bay.scene("beside", 20, Duration::from_millis(100), true).await?;
    let grown = resident_bytes()?.saturating_sub(before);
    assert_eq!((flooded.times.len(), flooded.refused), (200, 0), "each was accepted");
    assert!(flooded.flooded > 200 && flooded.limited * 2 > flooded.flooded, "it did flood, and was told so");
    assert_eq!(bay.totals().queue_full, 0, "nothing fell out of a queue");
    assert!(grown < 64 << 20, "{grown} bytes more than before the flood");
    bay.close().await;
    Ok(())
}
