//! Foreign senders whose messages have to be told apart: by their arrival alone, or several vehicles in one.

use crate::{fleet, stand::Stand};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use vernport_broker::{
    Broker,
    fault::{Fate, Hook, Packet},
};
use vernport_mqtt::{LinkState, Outcome, ResultCode, ToolAddress, ToolClient, acl::Principal};

const PATIENCE: Duration = Duration::from_secs(20);
/// It says neither when it read something nor which message it is.
const BARE: &str = r#"
format = 1
id = "payload"
vehicle = { vin = "vin" }
time = "arrival"
[[readings]]
signal = [{ at = "km", unit = "km", path = "Vehicle.TraveledDistance" }]
"#;
const FLEET: &str = r#"
format = 1
id = { at = ["$.batch", "@index"] }
messages = "vehicles[*]"
vehicle = { vin = "vin" }
time = "arrival"
[[readings]]
signal = [{ at = "km", unit = "km", path = "Vehicle.TraveledDistance" }]
"#;

/// A station whose tool `sender` is read by a mapping, at a broker of the test's own.
struct Bay {
    stand: Stand,
    tool: ToolClient,
    _broker: Broker,
}

impl Bay {
    async fn open(mapping: &str, faults: Option<Hook>) -> Result<Self> {
        let mut stand = Stand::of(&["westrum"], "virtual:{name}", true).await?;
        let broker = fleet::broker(|config| config.faults = faults).await?;
        fleet::lead_to(&stand, "tools", &broker, "")?;
        fs::write(stand.file("sender.toml"), mapping)?;
        stand.configure(|text| text + "\n[[tool]]\nname = \"sender\"\nmapping = \"sender.toml\"\n")?;
        stand.start().await?;
        let is_up = |status: &vernport_gateway::Status| {
            status.tools.as_ref().is_some_and(|link| link.state == LinkState::Up)
                && status.expected_assets > 0
        };
        stand.until("tools heard and grants known", is_up).await?;
        let (site, station) = (stand.controller.site.clone(), stand.controller.station.clone());
        let address = ToolAddress { site, station, tool: "sender".parse()? };
        let principal = Principal::Tool(address.clone());
        let endpoint = fleet::endpoint(&broker, &principal, &principal.to_string())?;
        let tool = ToolClient::start(endpoint, address);
        ensure!(timeout(PATIENCE, tool.ready()).await?, "the tool connects");
        Ok(Self { stand, tool, _broker: broker })
    }

    async fn send(&self, payload: &str) -> Result<()> {
        let sent = timeout(PATIENCE, self.tool.send(payload.as_bytes().to_vec())).await?;
        ensure!(sent == Outcome::Acknowledged, "the broker did not take the message");
        Ok(())
    }

    async fn answer(&mut self) -> Result<ResultCode> {
        let result = timeout(PATIENCE, self.tool.result()).await.context("no answer")?;
        Ok(result.context("the line is there")?.code)
    }

    /// How many messages were decided on, when there are so many at least.
    async fn decided(&mut self, at_least: u64) -> Result<u64> {
        let decided = |status: &vernport_gateway::Status| status.tally.tool_messages >= at_least;
        Ok(self.stand.until("messages decided on", decided).await?.tally.tool_messages)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_broker_brings_twice_counts_once_and_the_same_words_anew_count_anew() -> Result<()>
{
    let cuts = Arc::new(AtomicBool::new(true));
    let once = Arc::clone(&cuts);
    // The gateway's first acknowledgement is lost with its connection: what it decided on comes again.
    let hook: Hook = Arc::new(move |client, packet| {
        let lost = client.starts_with("vernport-") && packet == Packet::PubAckIn;
        if lost && once.swap(false, Ordering::SeqCst) { Fate::Cut } else { Fate::Pass }
    });
    let mut bay = Bay::open(BARE, Some(hook)).await?;
    let payload = format!(r#"{{"vin":"{}","km":158910.6}}"#, crate::truck::VIN);
    bay.send(&payload).await?;
    // The first answer may be lost with that connection; brought again, the message is known.
    while bay.answer().await? != ResultCode::Duplicate {}
    ensure!(!cuts.load(Ordering::SeqCst), "the connection was cut");
    bay.send(&payload).await?;
    assert_eq!(bay.answer().await?, ResultCode::Accepted, "said again");
    assert_eq!(bay.decided(2).await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_vehicle_of_a_message_is_decided_on_by_itself_and_the_sender_answered_once() -> Result<()> {
    let mut bay = Bay::open(FLEET, None).await?;
    let (here, elsewhere) = (crate::truck::VIN, "WDB9634031L738001");
    let payload = |batch: u32, vehicles: &[(&str, &str)]| {
        let list: Vec<_> =
            vehicles.iter().map(|(vin, km)| format!(r#"{{"vin":"{vin}","km":{km}}}"#)).collect();
        format!(r#"{{"batch":{batch},"vehicles":[{}]}}"#, list.join(","))
    };
    for (what, payload, code, decided) in [
        ("both known", payload(1, &[(here, "1"), (here, "2")]), ResultCode::Accepted, 2),
        ("again", payload(1, &[(here, "1"), (here, "2")]), ResultCode::Duplicate, 2),
        ("one more", payload(1, &[(here, "1"), (here, "2"), (here, "3")]), ResultCode::Accepted, 3),
        (
            "a stranger between",
            payload(2, &[(here, "4"), (elsewhere, "5"), (here, "6")]),
            ResultCode::Vehicle,
            5,
        ),
        ("again", payload(2, &[(here, "4"), (elsewhere, "5"), (here, "6")]), ResultCode::Vehicle, 5),
        ("one that cannot be read", payload(3, &[(here, "7"), (here, "\"far\"")]), ResultCode::Value, 5),
        ("nobody", payload(4, &[]), ResultCode::Accepted, 5),
    ] {
        bay.send(&payload).await?;
        assert_eq!(bay.answer().await?, code, "{what}");
        assert_eq!(bay.decided(decided).await?, decided, "{what}");
    }
    Ok(())
}
