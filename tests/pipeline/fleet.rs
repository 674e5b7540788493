//! A broker of the test's own between a stand's gateway and what is outside:
//! the fleet's operator, or the station's tools. What the operator heard is kept
//! here, number by number, and held against what the decoder alone reads.

use crate::{stand::Stand, truck};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use vernport::shipped;
use vernport_broker::{Access, Broker, Config, Identity, Login};
use vernport_crypto::Zeroizing;
use vernport_decode::{Config as DecoderConfig, Decoded, Decoder};
use vernport_mqtt::{
    Backoff, Endpoint, FleetMessage, Interest, LinkState, News, StreamLimits, Streams, Subscription,
    SubscriptionConfig, acl::Principal,
};
use vernport_types::{BootMicros, CanFrame, MessageId, Slug, Stamp, TimeQuality, UtcMicros, Value};

/// The fleet operator of Westrum's bundle.
pub(crate) const OPERATOR: &str = "nordic-haulage";
/// What Westrum's flow "customer-report" passes on of a truck, made coarser.
const REPORTED: [&str; 3] = [
    "Vehicle.TraveledDistance",
    "Vehicle.Diagnostics.DTCList",
    "Vehicle.Powertrain.FuelSystem.RelativeLevel",
];

/// Every principal by its name, with the rights of `acl`, whatever the password.
struct ByName;

impl Access for ByName {
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity> {
        let user = login.user?;
        user.parse::<Principal>().is_ok().then(|| Identity::new(user))
    }

    fn may_publish(&self, who: &Identity, topic: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_publish(topic))
    }

    fn may_retain(&self, who: &Identity, topic: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_retain(topic))
    }

    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_subscribe(filter))
    }
}

/// A broker that lets every principal in.
pub(crate) async fn broker(change: impl FnOnce(&mut Config)) -> Result<Broker> {
    let mut config = Config::loopback(Arc::new(ByName));
    change(&mut config);
    Ok(Broker::start(config).await?)
}

/// Puts a broker in the place of the one in a section of the stand's configuration.
pub(crate) fn lead_to(stand: &Stand, section: &str, broker: &Broker, more: &str) -> Result<()> {
    let head = format!("[{section}]\nurl = \"");
    stand.configure(|text| {
        let (before, after) = text.split_once(&head).expect("a stand with brokers");
        let (_, rest) = after.split_once("\"\n").expect("a line");
        format!("{before}{head}mqtt://{}\"\n{more}{rest}", broker.addr())
    })
}

/// A login at such a broker.
pub(crate) fn endpoint(broker: &Broker, who: &Principal, client_id: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::from_url(&format!("mqtt://{}", broker.addr()), client_id, None)?;
    Ok(endpoint.with_login(&who.to_string(), Zeroizing::new("any".to_owned())))
}

fn operator() -> Slug {
    OPERATOR.parse().expect("a slug")
}

/// The operator's subscription.
pub(crate) fn subscribe(broker: &Broker, streams: Streams, away_h: u32) -> Result<Subscription> {
    let interest = Interest::all(operator());
    let endpoint = endpoint(broker, &Principal::Operator(operator()), &interest.client_id())?;
    let mut config = SubscriptionConfig::new(endpoint, interest);
    config.away_s = away_h * 3600;
    config.streams = streams;
    config.backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
    Ok(Subscription::start(config))
}

/// Waits until a subscription is there.
pub(crate) async fn subscribed(subscription: &Subscription) -> Result<()> {
    let mut status = subscription.status();
    let up = status.wait_for(|status| status.state == LinkState::Up);
    tokio::time::timeout(Duration::from_secs(20), up).await.context("it does not come up")??;
    Ok(())
}

/// What has to be known for the next subscription of the operator.
pub(crate) fn saved(subscription: &Subscription) -> Result<Streams> {
    let saved = subscription.streams().save(&operator());
    Ok(Streams::restore(StreamLimits::default(), &operator(), &saved)?)
}

/// Everything that the operator heard, over all of its subscriptions.
#[derive(Default)]
pub(crate) struct Heard {
    /// By number: the first delivery of each message.
    pub(crate) values: BTreeMap<u64, (MessageId, String, Value)>,
    /// Numbers that the gateway named as never coming.
    pub(crate) skipped: BTreeSet<u64>,
    /// Numbers that the subscription told to be missing, and that did not come after all.
    pub(crate) missing: BTreeSet<u64>,
    pub(crate) repeated: u64,
    streams: BTreeSet<String>,
}

impl Heard {
    /// Takes note of a delivery, and acknowledges it.
    pub(crate) fn note(&mut self, heard: vernport_mqtt::Heard) -> Result<()> {
        let vernport_mqtt::Heard::Message(delivery) = heard else { bail!("nothing was erased here") };
        self.streams.insert(delivery.stream.to_string());
        ensure!(self.streams.len() == 1, "one vehicle, one purpose: one stream");
        ensure!(delivery.noted.news != News::BeganAnew, "a number under two ids");
        self.repeated += u64::from(delivery.noted.news == News::Repeated);
        if let Some(missing) = delivery.noted.missing {
            self.missing.extend(missing.first..=missing.last);
        }
        let seq = delivery.message.seq();
        match &delivery.message {
            FleetMessage::Value(value) => {
                let is_new = delivery.noted.news != News::Repeated;
                let said = (value.id, value.path.clone(), value.value.0);
                self.missing.remove(&seq);
                match self.values.get(&seq) {
                    Some(before) => ensure!(*before == said && !is_new, "number {seq} is another message"),
                    None => {
                        ensure!(is_new, "number {seq} counts as repeated and has not come");
                        let highest = self.values.keys().next_back().copied().unwrap_or(0);
                        let in_order = seq > highest || delivery.noted.news == News::Late;
                        ensure!(in_order, "number {seq} comes after {highest} and is not told to be late");
                        self.values.insert(seq, said);
                    }
                }
            }
            FleetMessage::Skipped(skipped) => {
                let these = seq + 1 - skipped.skipped..=seq;
                self.missing.retain(|number| !these.contains(number));
                self.skipped.extend(these);
            }
            FleetMessage::Sealed(_) => anyhow::bail!("Westrum's operator gets plain messages"),
        }
        delivery.ack.done();
        Ok(())
    }

    /// The highest number heard of.
    pub(crate) fn highest(&self) -> u64 {
        let last = |numbers: &BTreeSet<u64>| numbers.last().copied().unwrap_or(0);
        self.values.keys().next_back().copied().unwrap_or(0).max(last(&self.skipped))
    }

    /// Every number from 1 to the last is received, named, or told to be missing.
    pub(crate) fn accounts_for_all(&self) -> Result<()> {
        for number in 1..=self.highest() {
            let known = self.values.contains_key(&number)
                || self.skipped.contains(&number)
                || self.missing.contains(&number);
            ensure!(known, "number {number} is neither received, nor named, nor told to be missing");
        }
        Ok(())
    }

    /// What came under each number is what stands there in the list of all readings.
    pub(crate) fn fits(&self, all: &[(String, Option<i64>)]) -> Result<()> {
        ensure!(self.highest() <= all.len() as u64, "{} of {} readings", self.highest(), all.len());
        for (number, (_, path, value)) in &self.values {
            let (expected, metres) = &all[usize::try_from(number - 1)?];
            let coarse = metres.map(|metres| Value::Integer((metres + 500) / 1000 * 1000));
            let same = path == expected && coarse.is_none_or(|coarse| coarse == *value);
            ensure!(same, "number {number} is {path}, expected {expected} {coarse:?}");
        }
        Ok(())
    }
}

/// What the operator has to get of these frames of one visit, in order: path, and of the distance the metres.
pub(crate) fn reported(frames: &[(BootMicros, CanFrame)]) -> Result<Vec<(String, Option<i64>)>> {
    let catalogue = shipped::catalogue();
    let mut decoder = Decoder::new(&catalogue, DecoderConfig::default())?;
    let mut all = Vec::new();
    for (at, frame) in frames {
        let stamp = Stamp { wall: UtcMicros(0), boot: *at, quality: TimeQuality::Bounded };
        decoder.push(frame, stamp, &mut |decoded| {
            let Decoded::Signal { signal, value, .. } = decoded else { return };
            let path = catalogue.signal(signal).path.to_string();
            let metres = if let Value::Integer(metres) = value { Some(metres) } else { None };
            if REPORTED.contains(&path.as_str()) {
                let metres = metres.filter(|_| path == truck::WORKSHOP[0]);
                all.push((path, metres));
            }
        });
    }
    Ok(all)
}
