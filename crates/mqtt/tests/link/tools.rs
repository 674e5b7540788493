//! Workshop tools and the gateway's listener, from payload to result.

use crate::world::{
    GATEWAY, TOOL, broker, broker_with, endpoint, inbox_config, not_yet, slug, soon, until, up,
};
use std::{num::NonZeroU32, sync::Arc};
use vernport_broker::{Acknowledge, Broker};
use vernport_mqtt::{
    Endpoint, Outcome, Protocol, ResultCode, ToolAddress, ToolClient, ToolInbox, ToolLimits, ToolMessage,
    ToolResult,
};
use vernport_testkit::pki::{DevCa, Role};
use vernport_types::{Catalogue, UtcMicros};

const CATALOGUE: &str = r#"
format = 1
[[signal]]
path = "Vehicle.TraveledDistance"
unit = "m"
kind = "integer"
category = "odometer"
"#;
const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);
const READING: &str = r#"{"id":"1","readings":[{"path":"Vehicle.TraveledDistance","value":158.9,"unit":"km","time":"2026-11-20T09:00:00Z"}]}"#;

fn address() -> ToolAddress {
    "north/bay-1/scanner".parse().expect("an address")
}

async fn tool(broker: &Broker, name: &str) -> ToolClient {
    let tool = ToolClient::start(endpoint(broker, name, name), address());
    assert!(soon(tool.ready()).await);
    tool
}

async fn listener(broker: &Broker, limits: ToolLimits) -> ToolInbox {
    let inbox = ToolInbox::with_config(inbox_config(broker, Protocol::V5), limits);
    up(inbox.status(), 1).await;
    inbox
}

/// Decides on one message as a gateway would, without a spool.
async fn decide(inbox: &mut ToolInbox) -> ToolResult {
    let catalogue = Catalogue::from_toml([("signals.toml", CATALOGUE)]).expect("a catalogue");
    let inbound = soon(inbox.next()).await.expect("the link runs");
    assert_eq!(inbound.tool, address());
    let result = match ToolMessage::from_json(&inbound.payload, &catalogue, NOW) {
        Ok(message) => ToolResult::new(Some(&message.id), ResultCode::Accepted),
        Err(refused) => refused.result(),
    };
    inbound.ack.done();
    inbox.answer(&inbound.tool, &result);
    result
}

#[tokio::test]
async fn a_tool_gets_its_acknowledgement_and_its_result() {
    let broker = broker_with(|c| c.acknowledge = Acknowledge::WhenDelivered).await;
    let mut inbox = listener(&broker, ToolLimits::default()).await;
    let mut tool = tool(&broker, TOOL).await;
    for (payload, accepted, code) in [
        (READING, true, ResultCode::Accepted),
        ("{}", false, ResultCode::Malformed),
        ("\u{0}", false, ResultCode::Malformed),
    ] {
        let (outcome, result) = tokio::join!(tool.send(payload.as_bytes().to_vec()), decide(&mut inbox));
        assert_eq!(outcome, Outcome::Acknowledged);
        assert_eq!((result.accepted, result.code), (accepted, code));
        assert_eq!(soon(tool.result()).await, Some(result));
    }
    inbox.stop().await;
    tool.stop().await;
}

#[tokio::test]
async fn nobody_listens_and_the_tool_learns_it() {
    let broker = broker_with(|c| c.acknowledge = Acknowledge::WhenDelivered).await;
    assert_eq!(soon(tool(&broker, TOOL).await.send(READING.into())).await, Outcome::Refused);
}

#[tokio::test]
async fn a_tool_cannot_publish_as_another() {
    let broker = broker().await;
    let mut inbox = listener(&broker, ToolLimits::default()).await;
    // The address is the scanner's, the login is not: no result can be heard
    // under it and no reading be sent.
    let thief = ToolClient::start(endpoint(&broker, "tool.north.bay-1.thief", "thief"), address());
    not_yet(thief.ready()).await;
    assert_eq!(soon(thief.send(READING.into())).await, Outcome::Refused);
    not_yet(inbox.next()).await;
    assert_eq!(broker.totals().delivered, 0);
}

#[tokio::test]
async fn a_flood_is_answered_and_stays_bounded() {
    let broker = broker().await;
    let number = |n| NonZeroU32::new(n).expect("not zero");
    let limits =
        ToolLimits { per_tool_per_minute: number(1), per_tool_burst: number(3), ..ToolLimits::default() };
    let mut inbox = listener(&broker, limits).await;
    let mut flooding = tool(&broker, TOOL).await;
    for _ in 0..20 {
        assert_eq!(soon(flooding.send(READING.into())).await, Outcome::Acknowledged);
    }
    for _ in 0..3 {
        assert!(decide(&mut inbox).await.accepted);
    }
    not_yet(inbox.next()).await;
    let mut limited = 0;
    for _ in 0..20 {
        let result = soon(flooding.result()).await.expect("runs");
        limited += usize::from(result.code == ResultCode::Limited);
    }
    assert_eq!((limited, *inbox.limited().borrow()), (17, 17));
    until(|| broker.totals().acknowledged, 20).await;
}

#[tokio::test]
async fn with_certificates_the_name_in_the_certificate_decides() {
    let ca = DevCa::new();
    let server = Arc::new(ca.server_config(&ca.server()));
    let broker = broker_with(|c| c.tls = Some(server)).await;
    let client = |ca: &DevCa, name| {
        let controller = "NO-999999999".parse().expect("a controller");
        Arc::new(ca.client_config(Some(&ca.client(&slug(name), Role::Gateway, &controller))))
    };
    let url = format!("mqtts://127.0.0.1:{}", broker.addr().port());
    // The certificate names "scanner", which is no principal of ours: refused,
    // whatever the login says.
    let endpoint = Endpoint::from_url(&url, "scanner", Some(client(&ca, "scanner"))).expect("valid");
    let endpoint = endpoint.with_login(GATEWAY, zeroize::Zeroizing::new("right".into()));
    let inbox = ToolInbox::start(endpoint, &slug("north"), None, ToolLimits::default());
    let mut status = inbox.status();
    let cause = soon(status.wait_for(|s| s.last_cause.is_some())).await.expect("runs").last_cause.clone();
    assert_eq!(cause, Some(vernport_mqtt::Cause::Refused("NotAuthorized".into())));
    // A certificate of another authority does not even get so far.
    let endpoint = Endpoint::from_url(&url, "scanner", Some(client(&DevCa::new(), "box-1"))).expect("valid");
    let inbox = ToolInbox::start(endpoint, &slug("north"), None, ToolLimits::default());
    let mut status = inbox.status();
    let cause = soon(status.wait_for(|s| s.last_cause.is_some())).await.expect("runs").last_cause.clone();
    assert!(matches!(cause, Some(vernport_mqtt::Cause::Network(_))), "{cause:?}");
    assert_eq!(broker.totals().connections, 0);
    // The box's own gets in, in both versions, without any password.
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut endpoint = Endpoint::from_url(&url, "box-1", Some(client(&ca, "box-1"))).expect("valid");
        endpoint.protocol = protocol;
        let inbox = ToolInbox::start(endpoint, &slug("north"), None, ToolLimits::default());
        up(inbox.status(), 1).await;
    }
}
