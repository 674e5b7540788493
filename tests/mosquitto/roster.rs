//! An operator's own numbers through a foreign broker: to the operator, in both versions of MQTT, and to nobody else.

use crate::{
    broker::{is_missing, wait_until},
    deletion::{PATIENCE, central},
    foreign::{Kind, Listener},
    operators::Fleet,
};
use anyhow::{Result, bail, ensure};
use tokio::time::timeout;
use vernport_crypto::{OpeningKey, SigningKey};
use vernport_mqtt::{
    Heard, Interest, LinkState, Outcome, Protocol, Roster, RosterVehicle, Subscription, SubscriptionConfig,
};
use vernport_seal::SealedFleetNumber;
use vernport_types::{ControllerId, Slug, UtcMicros, VehicleAlias};

const TOPIC: &str = "vernport/v1/fleet/a/roster";

/// What central says to operator "a".
fn roster(to: &OpeningKey, by: &SigningKey) -> Result<Roster> {
    let (controller, a): (ControllerId, Slug) = ("NO-999999999".parse()?, "a".parse()?);
    let (purpose, key) = ("service".parse()?, to.wrapping_key());
    let number = SealedFleetNumber::seal(&controller, &a, &purpose, &key, &"Lastebil 17".parse()?)?;
    let vehicle = RosterVehicle::new(purpose, VehicleAlias::from_bytes([0xA5; 16]), &number);
    Ok(Roster::sign(controller, &a, UtcMicros(1_795_334_400_000_000), vec![vehicle], by))
}

async fn subscribed(fleet: &Fleet, protocol: Protocol) -> Result<Subscription> {
    let endpoint = fleet.endpoint(&fleet.a, "operator.a.subscribe", protocol)?;
    let subscription = Subscription::start(SubscriptionConfig::new(endpoint, Interest::all("a".parse()?)));
    let mut status = subscription.status();
    timeout(PATIENCE, status.wait_for(|status| status.state == LinkState::Up)).await??;
    Ok(subscription)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_reads_its_own_numbers_and_another_hears_nothing_of_them() -> Result<()> {
    if is_missing("an_operator_reads_its_own_numbers_and_another_hears_nothing_of_them") {
        return Ok(());
    }
    let fleet = Fleet::start(|text| text);
    let (key, signer) = (OpeningKey::generate(), SigningKey::generate());
    let said = roster(&key, &signer)?;
    let foreign = Listener::start(Kind::MosquittoV311, &fleet.broker, &fleet.a, &["vernport/v1/fleet/a/#"]);
    let other = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.b, &["#", TOPIC]);
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut subscription = subscribed(&fleet, protocol).await?;
        let link = central(&fleet, protocol).await?;
        let told = timeout(PATIENCE, link.tell_roster(&"a".parse()?, &said, 60)).await?;
        ensure!(told == Outcome::Acknowledged, "the broker has it: {told:?}");
        let Some(Heard::Roster(listed)) = timeout(PATIENCE, subscription.next()).await? else {
            bail!("a roster comes");
        };
        let heard = &listed.roster;
        ensure!(*heard == said && heard.verify(&"a".parse()?, &signer.verifying_key()).is_ok());
        let [vehicle] = heard.vehicles() else { bail!("one vehicle") };
        let number = vehicle.number().open(&key, &heard.controller, &"a".parse()?, &vehicle.purpose)?;
        ensure!(number.expose() == "Lastebil 17");
        listed.ack.done();
        link.stop().await;
        subscription.stop().await;
    }
    wait_until("the foreign client has both", || foreign.heard().len() >= 2);
    for message in foreign.heard() {
        ensure!(message.topic == TOPIC && message.payload == said.to_json() && !message.retained);
    }
    let late = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.a, &[TOPIC]);
    fleet.send(TOPIC, "{}");
    wait_until("what is said next", || !late.heard().is_empty());
    ensure!(late.heard()[0].payload == b"{}", "nothing was retained");
    ensure!(other.heard().is_empty(), "it is nobody else's");
    Ok(())
}
