//! From the bus to a foreign subscriber, and from a foreign tool to the gateway and back.

use crate::{
    broker::{is_missing, wait_until},
    foreign::{Answer, Heard, Kind, Listener, publish, publish_with},
    installation::Installation,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vernport_gateway::Status;
use vernport_mqtt::{FleetMessage, schema};
use vernport_registry::{Event, GatewayRevoked, Method, OrderClosed, Withdrawal, WithdrawalScope};
use vernport_seal::ReceivedEnvelope;
use vernport_types::Reason;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_truck_s_readings_reach_foreign_subscribers_and_a_tool_s_reach_the_gateway() -> Result<()> {
    if is_missing("a_truck_s_readings_reach_foreign_subscribers_and_a_tool_s_reach_the_gateway") {
        return Ok(());
    }
    let mut of = Installation::set_up().await?;
    let controller = of.controller.clone();
    let written = of.rules().await?;
    of.check(&written).await.context("what was just written fits")?;
    let spy = Listener::start(Kind::MosquittoV5, &of.fleet, &of.client("registrar"), &["#"]);
    let mut operators = Vec::new();
    for name in ["nordic-haulage", "eco-coach"] {
        for kind in Kind::ALL {
            operators.push((name, kind, Listener::start(kind, &of.fleet, &of.client(name), &["#"])));
        }
    }
    let page = Listener::fleet_page(&of.fleet, &of.client("nordic-haulage"), "nordic-haulage");
    of.stage.start_gateway(&controller).await?;
    let is_up = |status: &Status| {
        let up = |link: &Option<vernport_mqtt::LinkStatus>| {
            link.as_ref().is_some_and(|link| link.state == vernport_mqtt::LinkState::Up)
        };
        up(&status.fleet) && up(&status.tools) && status.expected_assets > 0
    };
    of.stage.wait_for(&controller, "brokers reached, vehicle expected", is_up).await?;
    let mut truck = of.truck()?;
    truck.drive(3, &of).await?;
    of.stage.wait_for(&controller, "vehicle recognised", |status| status.tally.visits > 0).await?;
    truck.drive(4, &of).await?;
    tools(&of)?;
    truck.drive(1, &of).await?;

    // What people say next makes the gateway keep back, each with a reason of its own.
    let subject = of.world.subject("driver").context("the world has a driver")?;
    let scope =
        WithdrawalScope::Subject { subject, purpose: None, recipient: None, categories: BTreeSet::new() };
    let withdrawal = Withdrawal { scope, method: Method::Spoken, recorded_by: None };
    of.stage.say(&controller, &of.registrar, Event::ConsentWithdrawn(withdrawal)).await?;
    truck.drive(2, &of).await?;
    let order = of.world.order("1017");
    of.stage.say(&controller, &of.registrar, Event::OrderClosed(OrderClosed { order })).await?;
    of.stage.wait_for(&controller, "handed back", |status| status.tally.visits_ended > 0).await?;
    let status = of.stage.wait_for(&controller, "everything sent", Status::is_settled).await?;

    let published = usize::try_from(status.published_messages)?;
    ensure!(published > 5, "{published} messages");
    let of_kind = |heard: &[(&str, Kind, Vec<Heard>)], kind| {
        heard.iter().filter(|one| one.1 == kind).map(|one| one.2.len()).sum::<usize>()
    };
    let all = || operators.iter().map(|(name, kind, of)| (*name, *kind, of.heard())).collect::<Vec<_>>();
    wait_until("each client has all of both operators", || {
        let heard = all();
        Kind::ALL.into_iter().all(|kind| of_kind(&heard, kind) >= published)
    });
    let heard = all();
    for kind in Kind::ALL {
        assert_eq!(of_kind(&heard, kind), published, "{kind:?}");
    }
    for (name, _, heard) in &heard {
        messages(&of, name, heard)?;
    }
    let own = heard.iter().find(|one| one.0 == "nordic-haulage").map_or(0, |one| one.2.len());
    wait_until("the program of the page has as many", || page.told().len() >= own);
    let accounts = |line: &String| line.contains("missing") || line.contains("skipped");
    assert!(page.told().len() == own && !page.told().iter().any(accounts), "{} lines", page.told().len());
    nothing_is_retained_but_the_status(&of, &spy, &controller.gateway.to_string());

    // A gateway in wrong hands drops out of the rules.
    of.registrar.say(Event::GatewayRevoked(GatewayRevoked { gateway: controller.gateway.clone() })).await?;
    assert!(of.check(&written).await.is_err(), "the registry says otherwise now");
    let anew = of.rules().await?;
    let gateway = format!("OU=gateway,CN={}", controller.gateway);
    assert!(written.contains(&gateway) && !anew.contains(&gateway) && anew.contains("CN=eco-coach"));
    of.stage.stop().await;
    Ok(())
}

/// Everything that one client of an operator was handed.
fn messages(of: &Installation, operator: &str, heard: &[Heard]) -> Result<()> {
    let schema: Value = serde_json::from_str(schema::FLEET_MESSAGE)?;
    let schema = jsonschema::validator_for(&schema)?;
    let prefix = format!("vernport/v1/fleet/{operator}/");
    let mut next: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut sealed = 0;
    ensure!(!heard.is_empty(), "{operator} hears something");
    for one in heard {
        assert!(one.topic.starts_with(&prefix) && !one.retained, "{}", one.topic);
        let text = std::str::from_utf8(&one.payload)?;
        for reason in Reason::ALL {
            let said = [one.topic.as_str(), text].iter().any(|text| text.contains(reason.code()));
            assert!(!said, "{reason} in {} characters", text.len());
        }
        let json: Value = serde_json::from_str(text)?;
        assert!(schema.is_valid(&json), "{operator}: a message against the schema");
        let message = FleetMessage::from_json(&one.payload)?;
        // Gapless in each stream: nothing was lost and nothing came twice.
        let purpose = json["purpose"].as_str().context("a purpose")?.to_owned();
        let number = next.entry((message.vehicle().to_string(), purpose.clone())).or_insert(message.seq());
        assert_eq!(message.seq(), *number, "{operator} {purpose}");
        *number += 1;
        if let FleetMessage::Sealed(message) = message {
            let key = of.controller.recipient.iter();
            let mut key =
                key.filter(|key| key.recipient.as_str() == operator && key.purpose.as_str() == purpose);
            let key = of.stage.dev.opening_key(&of.controller, key.next().context("a key")?)?;
            let envelope = ReceivedEnvelope::parse(&message.envelope.0)?;
            envelope.verify(&of.controller.device_key)?;
            assert!(!envelope.open(&key)?.records.is_empty());
            sealed += 1;
        }
    }
    ensure!(sealed > 0, "{operator} has sealed messages");
    let is_plain = sealed < heard.len();
    ensure!(is_plain == (operator == "nordic-haulage"), "{operator}: topics in plain words, or not");
    Ok(())
}

/// Tools publish with what they have, and are answered; the gateway takes a message once.
fn tools(of: &Installation) -> Result<()> {
    let reading = "vernport/v1/tool/main/bay-1/scanner/reading";
    let result = "vernport/v1/tool/main/bay-1/scanner/result";
    let answers = Listener::start(Kind::PahoV5, &of.tools, &of.scanner, &["#", result]);
    let time = vernport::show::time(of.stage.clock.now().wall);
    let readings =
        json!([{"path": "Vehicle.Service.DistanceToService", "value": 18_500, "unit": "km", "time": time}]);
    let mut expected = BTreeMap::new();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        let id = format!("service-{at}");
        let message = json!({"id": id, "readings": readings}).to_string();
        assert_eq!(
            publish(kind, &of.tools, &of.scanner, reading, &message),
            Answer::Acknowledged,
            "{kind:?}"
        );
        expected.insert(id, "accepted".to_owned());
    }
    let answered = || -> BTreeMap<String, String> {
        let own = answers.heard().into_iter().filter(|heard| heard.topic == result);
        let text = |json: &Value, member: &str| json[member].as_str().unwrap_or_default().to_owned();
        own.filter_map(|heard| serde_json::from_slice::<Value>(&heard.payload).ok())
            .map(|json| (text(&json, "id"), text(&json, "code")))
            .collect()
    };
    wait_until("each message of the tool is answered", || answered().len() >= expected.len());
    assert_eq!(answered(), expected);
    let again = json!({"id": "service-0", "readings": readings}).to_string();
    publish_with(Kind::MosquittoV311, &of.tools, &of.scanner, reading, &again, &["-i", "scanner-17"]);
    wait_until("the repetition is answered", || {
        answered().get("service-0").is_some_and(|code| code == "duplicate")
    });
    assert!(answers.heard().iter().all(|heard| heard.topic == result), "it hears its own answers alone");
    Ok(())
}

/// Who comes late finds the status of the gateway, and no value.
fn nothing_is_retained_but_the_status(of: &Installation, spy: &Listener, gateway: &str) {
    let status = format!("vernport/v1/gateway/{gateway}/status");
    assert!(spy.heard().iter().all(|heard| !heard.retained || heard.topic == status));
    let late = Listener::start(Kind::MosquittoV311, &of.fleet, &of.client("registrar"), &["#"]);
    let kept = late.until(&status);
    let is_status = |heard: &Heard| heard.retained && heard.payload.ends_with(b"\"status\":\"online\"}");
    assert!(kept.len() == 1 && kept.iter().all(is_status), "{} messages are retained", kept.len());
}
