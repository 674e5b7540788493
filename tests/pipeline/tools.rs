//! Workshop tools on the whole path: our contract in both forms, a foreign
//! sender by its mapping, and what is remembered of what was refused.

use crate::stand::Stand;
use anyhow::{Context as _, Result, ensure};
use std::{fs, time::Duration};
use tokio::time::timeout;
use vernport_mqtt::{
    LinkState, Outcome, PayloadForm, ResultCode, ToolAddress, ToolClient, acl::Principal, tool_postcard,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Its clock stands in the workshop's zone and does not say so.
const MAPPING: &str = r#"
format = 1
id = { at = "seq" }
vehicle = { vin = "car.vin" }
time = { at = "$.when", pattern = "%d.%m.%Y %H:%M:%S" }
[[readings]]
each = "data[*]"
name = "[0]"
value = "[1]"
signal = [{ name = "km", unit = "km", path = "Vehicle.TraveledDistance" }]
"#;

async fn tool(stand: &Stand, name: &str) -> Result<ToolClient> {
    let controller = &stand.controller;
    let address = ToolAddress {
        site: controller.site.clone(),
        station: controller.station.clone(),
        tool: name.parse()?,
    };
    let brokers = stand.stage.brokers.as_ref().context("the stand has brokers")?;
    let endpoint = brokers.tool(&controller.name, &Principal::Tool(address.clone()))?;
    let tool = ToolClient::start(endpoint, address);
    ensure!(tool.ready().await, "the tool cannot connect");
    Ok(tool)
}

async fn says(tool: &mut ToolClient, form: PayloadForm, payload: &[u8]) -> Result<ResultCode> {
    let sent = tool.send_as(form, payload.to_vec()).await;
    ensure!(sent == Outcome::Acknowledged, "the broker did not take the message");
    let result = timeout(PATIENCE, tool.result()).await.context("no answer")?.context("no answer")?;
    Ok(result.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_sender_is_read_by_its_mapping_and_what_is_refused_is_remembered_by_hash() -> Result<()> {
    let mut stand = Stand::of(&["westrum"], "virtual:{name}", true).await?;
    fs::write(stand.file("sender.toml"), MAPPING)?;
    let tools = "\n[[tool]]\nname = \"sender\"\nmapping = \"sender.toml\"\ntime_zone = \"Europe/Oslo\"\n";
    stand.configure(|text| text + tools)?;
    stand.start().await?;
    let is_up = |link: &Option<vernport_mqtt::LinkStatus>| {
        link.as_ref().is_some_and(|link| link.state == LinkState::Up)
    };
    stand.until("tools heard and grants known", |s| is_up(&s.tools) && s.expected_assets > 0).await?;

    let vin = crate::truck::VIN;
    let mut sender = tool(&stand, "sender").await?;
    let message = |seq: u32, vin: &str, rest: &str| {
        format!(
            r#"{{"seq":{seq},"car":{{"vin":"{vin}"}},"when":"20.11.2024 10:00:00","data":[["rpm",800]{rest}]}}"#
        )
    };
    let odometer = r#",["km","158910.6"]"#;
    for (payload, code) in [
        (message(1, vin, odometer), ResultCode::Accepted),
        (message(1, vin, odometer), ResultCode::Duplicate),
        (message(2, vin, ""), ResultCode::Accepted),
        (message(3, vin, r#",["km","far"]"#), ResultCode::Value),
        (message(3, vin, r#",["km","far"]"#), ResultCode::Value),
        (message(4, "WDB9634031L738001", odometer), ResultCode::Vehicle),
        ("{".to_owned(), ResultCode::Malformed),
    ] {
        assert_eq!(says(&mut sender, PayloadForm::Text, payload.as_bytes()).await?, code);
    }
    sender.stop().await;

    let mut own = tool(&stand, "own").await?;
    let reading = tool_postcard::Reading {
        path: "Vehicle.TraveledDistance",
        value: tool_postcard::Value::Number(158_911.0),
        unit: Some("km"),
        time: stand.stage.clock.now().wall.0,
    };
    let postcard = tool_postcard::Message {
        id: "1",
        vehicle: tool_postcard::Vehicle::Vin(vin),
        readings: vec![reading],
    };
    let bytes = postcard.to_bytes();
    assert_eq!(says(&mut own, PayloadForm::Postcard, &bytes).await?, ResultCode::Accepted);
    assert_eq!(says(&mut own, PayloadForm::Postcard, &bytes).await?, ResultCode::Duplicate);
    assert_eq!(says(&mut own, PayloadForm::Postcard, b"").await?, ResultCode::Malformed);
    own.stop().await;

    let status = stand.until("two messages decided on", |status| status.tally.tool_messages == 2).await?;
    assert_eq!(status.passed_over.get("unlisted"), Some(&4), "rpm, in each message that was read");
    assert_eq!(status.refused_tool_messages, 5);

    // Written with the last unit at the latest, and there after a restart: one row for what came twice.
    stand.stop().await;
    stand.start().await?;
    let status = stand.until("refused messages remembered", |s| s.spool.refused_tool_messages > 0).await?;
    assert_eq!(status.spool.refused_tool_messages, 4);
    Ok(())
}
