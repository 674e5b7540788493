//! Messages a second to a subscriber: our publisher, which opens and numbers what the spool keeps, beside
//! a plain rumqttc worker that sends the same bytes. Two clients, a broker and a subscriber share the
//! processor, so the rounds take turns and what counts is their ratio.

use crate::{
    PATIENCE,
    broker::{Broker, FLEET},
    certificates::{Certificates, Shown, login},
    world::{NOW, World},
};
use anyhow::{Context as _, Result, ensure};
use rumqttc::{
    TlsConfiguration, Transport,
    v5::{self, mqttbytes::v5::Packet},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use vernport_central::Role;
use vernport_mqtt::{Endpoint, Inbox, InboxConfig, LinkState, Numbers, Outcome, Publisher, PublisherConfig};
use vernport_seal::{Sealed, Storage};
use vernport_uplink::TlsFiles;

/// Messages without acknowledgement at one time, for both.
const WINDOW: u16 = 64;
const ROUNDS: usize = 7;
/// One of our own payloads, as our publisher sends it.
const TOPIC: &str =
    "vernport/v1/fleet/fjord/service/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/Vehicle.TraveledDistance";

/// Prints both rates and their ratio.
pub(crate) async fn measure(count: usize) -> Result<()> {
    let mut broker = Broker::start(FLEET, &[], |text| text);
    let gateway = broker.certificates.client("box-1", Role::Gateway);
    let operator = broker.certificates.client("fjord", Role::Recipient);
    broker.set_rules(&[
        login("O=NO-999999999,OU=gateway,CN=box-1", "gateway.box-1.north"),
        login("O=NO-999999999,OU=recipient,CN=fjord", "operator.fjord"),
    ]);
    broker.restart();
    let mut subscriber = Subscriber::start(&broker, &operator).await?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let publisher = Ours::start(&broker, &gateway)?;
    let worker = Plain::start(&broker, &gateway).await?;
    let payload = publisher.one(&mut subscriber).await?;
    for _ in 0..ROUNDS {
        ours.push(round(count, &mut subscriber, publisher.send(count)).await?);
        plain.push(round(count, &mut subscriber, worker.send(count, &payload)).await?);
    }
    let (ours, plain) = (median(ours), median(plain));
    println!(
        "{count} messages of {} bytes a round, {ROUNDS} rounds each, QoS 1, TLS, window {WINDOW}",
        payload.len()
    );
    println!("our publisher     {ours:.0} messages/s");
    println!("plain rumqttc     {plain:.0} messages/s");
    println!("ratio             {:.2}", ours / plain);
    Ok(())
}

/// Messages a second, from the first that is sent to the last that the subscriber has.
async fn round(
    count: usize,
    subscriber: &mut Subscriber,
    send: impl Future<Output = Result<()>>,
) -> Result<f64> {
    let begun = Instant::now();
    let (sent, received) = tokio::join!(send, subscriber.take(count));
    sent.and(received)?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn tls(certificates: &Certificates, who: &Shown) -> Result<Arc<rustls::ClientConfig>> {
    let files = TlsFiles {
        ca: certificates.file("ca.pem"),
        certificate: who.certificate.clone(),
        key: who.key.clone(),
    };
    Ok(Arc::new(files.client()?))
}

pub(crate) fn endpoint(broker: &Broker, who: &Shown, client_id: &str) -> Result<Endpoint> {
    let url = format!("mqtts://127.0.0.1:{}", broker.port);
    Ok(Endpoint::from_url(&url, client_id, Some(tls(&broker.certificates, who)?))?)
}

/// The operator: counts what it is handed.
struct Subscriber(mpsc::Receiver<Vec<u8>>);

impl Subscriber {
    async fn start(broker: &Broker, who: &Shown) -> Result<Self> {
        let config =
            InboxConfig::new(endpoint(broker, who, "fjord")?, vec!["vernport/v1/fleet/fjord/#".into()]);
        let mut inbox = Inbox::start(config);
        inbox.status().wait_for(|status| status.state == LinkState::Up).await?;
        let (heard, shelf) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Some(message) = inbox.next().await {
                let payload = message.payload.to_vec();
                message.ack.done();
                if heard.send(payload).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self(shelf))
    }

    async fn take(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            tokio::time::timeout(PATIENCE, self.0.recv()).await.context("a message is missing")?;
        }
        Ok(())
    }
}

/// The publisher of a gateway, and a page of stored messages.
struct Ours {
    publisher: Publisher,
    stored: Vec<Sealed<Storage>>,
}

impl Ours {
    fn start(broker: &Broker, who: &Shown) -> Result<Self> {
        let world = World::new();
        let endpoint = endpoint(broker, who, "box-1")?;
        let config = PublisherConfig { window: WINDOW, ..PublisherConfig::new(endpoint, "box-1".parse()?) };
        let publisher = Publisher::start(config, Arc::clone(&world.keys));
        let stored = (0..=u8::MAX).map(|id| world.stored(id, 158_910_649)).collect();
        Ok(Self { publisher, stored })
    }

    async fn one(&self, subscriber: &mut Subscriber) -> Result<Vec<u8>> {
        self.send(1).await?;
        tokio::time::timeout(PATIENCE, subscriber.0.recv()).await?.context("the subscriber runs")
    }

    async fn send(&self, count: usize) -> Result<()> {
        let link = self.publisher.link().await.context("the publisher runs")?;
        let mut receipts = VecDeque::new();
        for (at, stored) in self.stored.iter().cycle().take(count).enumerate() {
            let numbers = Numbers { seq: at as u64 + 1, skipped: 0 };
            receipts.push_back(link.publish(stored, numbers, false, NOW.wall).await?);
            if receipts.len() >= usize::from(WINDOW) {
                acknowledged(receipts.pop_front()).await?;
            }
        }
        while !receipts.is_empty() {
            acknowledged(receipts.pop_front()).await?;
        }
        Ok(())
    }
}

async fn acknowledged(receipt: Option<vernport_mqtt::Receipt>) -> Result<()> {
    let outcome = receipt.context("there is one")?.outcome().await;
    ensure!(outcome == Outcome::Acknowledged, "the broker has it: {outcome:?}");
    Ok(())
}

/// rumqttc as its examples use it: a task polls, another publishes; acknowledgements are counted.
struct Plain {
    client: v5::AsyncClient,
    acknowledged: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl Plain {
    async fn start(broker: &Broker, who: &Shown) -> Result<Self> {
        let mut options = v5::MqttOptions::new("plain", "127.0.0.1", broker.port);
        let tls = TlsConfiguration::Rustls(tls(&broker.certificates, who)?);
        options.set_transport(Transport::tls_with_config(tls)).set_outgoing_inflight_upper_limit(WINDOW);
        options.set_receive_maximum(Some(WINDOW)).set_keep_alive(Duration::from_secs(15));
        let (client, mut events) = v5::AsyncClient::new(options, usize::from(WINDOW));
        let (heard, acknowledged) = mpsc::channel(1024);
        let (up, is_up) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let mut up = Some(up);
            while let Ok(event) = events.poll().await {
                match event {
                    v5::Event::Incoming(Packet::ConnAck(_)) => {
                        let told = up.take().is_none_or(|up| up.send(()).is_ok());
                        assert!(told, "who started it waits");
                    }
                    v5::Event::Incoming(Packet::PubAck(_)) if heard.send(()).await.is_err() => return,
                    _ => {}
                }
            }
        });
        tokio::time::timeout(PATIENCE, is_up).await?.context("the broker lets it in")?;
        Ok(Self { client, acknowledged: acknowledged.into() })
    }

    async fn send(&self, count: usize, payload: &[u8]) -> Result<()> {
        let publish = async {
            for _ in 0..count {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                self.client.publish(TOPIC, qos, false, payload.to_vec()).await?;
            }
            anyhow::Ok(())
        };
        let count_acknowledged = async {
            let mut acknowledged = self.acknowledged.lock().await;
            for _ in 0..count {
                tokio::time::timeout(PATIENCE, acknowledged.recv()).await?.context("the worker runs")?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(publish, count_acknowledged).map(drop)
    }
}
