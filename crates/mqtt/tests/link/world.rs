//! What the tests share: a broker with vernport's own rules of access, links
//! that come back quickly, and a release to publish.

use std::{fmt::Debug, sync::Arc, time::Duration};
use vernport_broker::{Access, Broker, Config, Identity, Login};
use vernport_crypto::{OpeningKey, SigningKey, StorageKey, StorageKeys};
use vernport_mqtt::{
    Backoff, Endpoint, FleetContext, Inbox, InboxConfig, LinkState, LinkStatus, Message, Protocol, Publisher,
    PublisherConfig, Stream, acl::Principal, fleet_message,
};
use vernport_policy::{
    Believe, Bundle, FlowGrant, Grant, Head, Outcomes, Released, Rules, Sampler, Snapshot, Table,
};
use vernport_seal::{BatchContext, EpochContext, EpochSealer, Sealed, Storage};
use vernport_types::{
    AssetId, BatchId, BootId, BootMicros, Catalogue, EntryHash, EpochId, GrantId, Identification, LegalBasis,
    MessageId, OrderId, Reading, Reason, Slug, Source, Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};
use zeroize::Zeroizing;

/// The rules of `acl`, as a gateway plays them on its own listener.
struct ByPrincipal;

fn principal(who: &Identity) -> Option<Principal> {
    who.name().parse().ok()
}

impl Access for ByPrincipal {
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity> {
        // An enrolled certificate; without one, name and password.
        let name = match login.certificate_name {
            Some("box-1") => GATEWAY,
            Some(other) => other,
            None => login.user.filter(|_| login.password == Some("right"))?,
        };
        (name == MONITOR || name.parse::<Principal>().is_ok()).then(|| Identity::new(name))
    }

    fn may_publish(&self, who: &Identity, topic: &str) -> bool {
        principal(who).is_some_and(|p| p.may_publish(topic))
    }

    fn may_retain(&self, who: &Identity, topic: &str) -> bool {
        principal(who).is_some_and(|p| p.may_retain(topic))
    }

    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        who.name() == MONITOR || principal(who).is_some_and(|p| p.may_subscribe(filter))
    }
}

pub(crate) const GATEWAY: &str = "gateway.box-1.north";
/// Hears everything: only here.
pub(crate) const MONITOR: &str = "monitor";
pub(crate) const OPERATOR: &str = "operator.fjord";
pub(crate) const TOOL: &str = "tool.north.bay-1.scanner";
pub(crate) const READINGS: &str = "vernport/v1/tool/north/+/+/reading";

pub(crate) async fn broker() -> Broker {
    broker_with(|_| {}).await
}

pub(crate) async fn broker_with(change: impl FnOnce(&mut Config)) -> Broker {
    let mut config = Config::loopback(Arc::new(ByPrincipal));
    change(&mut config);
    Broker::start(config).await.expect("a free port")
}

pub(crate) fn endpoint(broker: &Broker, name: &str, client_id: &str) -> Endpoint {
    let url = format!("mqtt://{}", broker.addr());
    let endpoint = Endpoint::from_url(&url, client_id, None).expect("a loopback address");
    endpoint.with_login(name, Zeroizing::new("right".to_owned()))
}

pub(crate) fn quickly() -> Backoff {
    Backoff { first: Duration::from_millis(10), longest: Duration::from_millis(40) }
}

pub(crate) fn inbox_config(broker: &Broker, protocol: Protocol) -> InboxConfig {
    let mut endpoint = endpoint(broker, GATEWAY, "box-1-in");
    endpoint.protocol = protocol;
    let mut config = InboxConfig::new(endpoint, vec![READINGS.to_owned()]);
    config.backoff = quickly();
    config.retry_after = Duration::from_millis(20);
    config
}

pub(crate) async fn inbox(broker: &Broker, protocol: Protocol) -> Inbox {
    let inbox = Inbox::start(inbox_config(broker, protocol));
    up(inbox.status(), 1).await;
    inbox
}

/// Waits until a link is up for at least the `epoch`-th time.
pub(crate) async fn up(mut status: tokio::sync::watch::Receiver<LinkStatus>, epoch: u64) -> LinkStatus {
    let up = status.wait_for(|status| status.state == LinkState::Up && status.epoch >= epoch);
    soon(up).await.expect("the link runs").clone()
}

/// What has to happen soon, or the test fails.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("happens soon")
}

/// What must not have happened yet. It cannot be waited for, so it gets a
/// moment in which a wrong program would have done it.
pub(crate) async fn not_yet<T: Debug>(future: impl Future<Output = T>) {
    if let Ok(early) = tokio::time::timeout(Duration::from_millis(100), future).await {
        panic!("too early: {early:?}");
    }
}

/// Waits until something holds that another task brings about.
pub(crate) async fn until<T: PartialEq + Debug>(mut state: impl FnMut() -> T, expected: T) {
    soon(async {
        while state() != expected {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// An operator that hears everything of its own.
pub(crate) async fn operator(broker: &Broker) -> Inbox {
    subscriber(broker, OPERATOR, "vernport/v1/fleet/fjord/#").await
}

pub(crate) async fn subscriber(broker: &Broker, name: &str, filter: &str) -> Inbox {
    let mut config = InboxConfig::new(endpoint(broker, name, name), vec![filter.to_owned()]);
    config.backoff = quickly();
    let inbox = Inbox::start(config);
    up(inbox.status(), 1).await;
    inbox
}

pub(crate) async fn next(inbox: &mut Inbox) -> Message {
    soon(inbox.next()).await.expect("the link runs")
}

pub(crate) const NOW: Stamp = Stamp {
    wall: UtcMicros(1_795_165_200_000_000),
    boot: BootMicros(1_000_000),
    quality: TimeQuality::Synced,
};
const DUE: UtcMicros = UtcMicros(1_800_000_000_000_000);

const CATALOGUE: &str = r#"
format = 1
[[signal]]
path = "Vehicle.TraveledDistance"
unit = "m"
kind = "integer"
category = "odometer"
"#;

const BUNDLE: &str = r#"
format = 1
requires = []
name = "example"

[controller]
id = "NO-999999999"
name = "Example"
role = "controller"
jurisdiction = "NO"
time_zone = "Europe/Oslo"
regions = ["NO"]
clauses = ["1"]

[[notice]]
version = "notice-1"
served_when = "recorded"
categories = ["odometer"]
clauses = ["2"]

[[purpose]]
id = "service"
iri = "https://w3id.org/dpv#ServiceProvision"
basis = "A6-1-b"
necessity = "The service follows the distance driven."
clauses = ["3"]

[[recipient]]
id = "fjord"
name = "Fjord Freight"
role = "controller"
region = "NO"
clauses = ["4"]

[[retention]]
id = "order-plus-90d"
start = "order-closed"
period = "P90D"
at_most = "P180D"
clauses = ["5"]

[[flow]]
id = "odometer-to-fleet"
purpose = "service"
recipient = "fjord"
retention = "order-plus-90d"
deliver = { store = true }
weakest = "tool"
clauses = ["6"]

[flow.signals]
"Vehicle.TraveledDistance" = "round-1000"
"#;

/// A world in which one flow of one vehicle is open.
pub(crate) struct World {
    pub(crate) keys: Arc<StorageKeys>,
    catalogue: Catalogue,
    table: Table,
    pub(crate) stream: Stream,
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

impl World {
    pub(crate) fn new() -> Self {
        let catalogue = Catalogue::from_toml([("signals.toml", CATALOGUE)]).expect("a catalogue");
        let bundle = Bundle::from_toml("bundle.toml", BUNDLE).expect("a bundle");
        let rules = Arc::new(Rules::compile(&bundle, &catalogue).expect("sound rules"));
        let alias = VehicleAlias::from_bytes([0xA5; 16]);
        let flow = FlowGrant {
            flow: slug("odometer-to-fleet"),
            id: GrantId::from_bytes([2; 16]),
            basis: LegalBasis::Contract,
            believe: Believe {
                lease_seconds: None,
                until: NOW.wall.plus_seconds(3600),
                ends_as: Reason::OrderNotOpen,
            },
            alias,
            rests_on: vec![EntryHash::from_bytes([9; 32])],
        };
        let snapshot = Snapshot {
            format: Snapshot::FORMAT,
            controller: rules.controller().clone(),
            gateway: slug("box-1"),
            bundle_hash: rules.hash(),
            identify_open: false,
            grants: vec![Grant {
                asset: AssetId::from_bytes([1; 16]),
                identifiers: Vec::new(),
                order: Some(OrderId::from_bytes([8; 16])),
                flows: vec![flow],
                closed: Vec::new(),
            }],
            closed: Vec::new(),
            recipient_keys: Vec::new(),
            recovery: OpeningKey::generate().wrapping_key(),
        };
        let head = Head { era: 0, sequence: 1, at: NOW.wall, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        let mut table = Table::new(rules);
        let applied = table.apply(snapshot, &head, NOW).expect("applies");
        assert_eq!(applied.opened, 1, "{applied:?}");
        let stream = Stream { operator: slug("fjord"), purpose: slug("service"), vehicle: alias };
        Self { keys: Arc::new(StorageKey::generate().into()), catalogue, table, stream }
    }

    fn release(&self, metres: i64) -> Released {
        let reading = Reading {
            asset: AssetId::from_bytes([1; 16]),
            signal: self.catalogue.find("Vehicle.TraveledDistance").expect("listed"),
            value: Value::Integer(metres),
            at: NOW,
            source: Source::J1939 { pgn: 65217, sa: 0 },
            identified_by: Identification::BusVin,
        };
        let mut outcomes = Outcomes::new();
        self.table.decide(&reading, NOW, &mut Sampler::default(), &mut outcomes);
        *outcomes.released().first().unwrap_or_else(|| panic!("withheld: {:?}", outcomes.withheld()))
    }

    /// A stored message: `id` is the first byte of its message id.
    pub(crate) fn stored(&self, id: u8, metres: i64) -> Sealed<Storage> {
        self.stored_until(id, metres, NOW.wall.plus_seconds(3600))
    }

    pub(crate) fn stored_until(&self, id: u8, metres: i64, expiry: UtcMicros) -> Sealed<Storage> {
        let released = self.release(metres);
        let context = FleetContext {
            stream: &self.stream,
            id: message_id(id),
            flow: &slug("odometer-to-fleet"),
            bundle: &slug("example"),
            delete_by: DUE,
            expiry,
        };
        let signal = self.catalogue.signal(released.signal());
        fleet_message::value_message(&released, signal, &context, self.keys.current()).expect("short enough")
    }

    /// A stored message that carries a sealed batch, and the batch.
    pub(crate) fn stored_batch(&self, id: u8, metres: i64) -> (Sealed<Storage>, Vec<u8>) {
        let epoch = EpochContext {
            controller: "NO-999999999".parse().expect("valid"),
            gateway: slug("box-1"),
            flow: slug("odometer-to-fleet"),
            epoch: EpochId::from_bytes([5; 16]),
            retention_rule: slug("order-plus-90d"),
            grant: GrantId::from_bytes([2; 16]),
        };
        let batch = BatchContext {
            bundle_hash: [0; 32],
            notice: "notice-1".into(),
            purpose: "https://w3id.org/dpv#ServiceProvision".into(),
            basis: LegalBasis::Contract,
            rests_on: vec![EntryHash::from_bytes([9; 32])],
            catalogue_hash: [0; 32],
            collector: "bay-1".into(),
            order: None,
            software: "test".into(),
            boot: BootId::from_bytes([7; 16]),
        };
        let key = || OpeningKey::generate().wrapping_key();
        let mut sealer = EpochSealer::new(epoch, &[key()], &key()).expect("begins");
        let released = [self.release(metres)];
        let device = SigningKey::generate();
        let envelope = sealer
            .seal(&device, BatchId::from_bytes([4; 16]), DUE, batch, &released, &self.catalogue)
            .expect("seals");
        let context = FleetContext {
            stream: &self.stream,
            id: message_id(id),
            flow: &slug("odometer-to-fleet"),
            bundle: &slug("example"),
            delete_by: DUE,
            expiry: NOW.wall.plus_seconds(3600),
        };
        let stored =
            fleet_message::sealed_message(&envelope, &context, self.keys.current()).expect("short enough");
        (stored, envelope.into_bytes())
    }

    pub(crate) fn publisher(&self, broker: &Broker, change: impl FnOnce(&mut PublisherConfig)) -> Publisher {
        let mut config = PublisherConfig::new(endpoint(broker, GATEWAY, "box-1-out"), slug("box-1"));
        config.backoff = quickly();
        change(&mut config);
        Publisher::start(config, Arc::clone(&self.keys))
    }
}

pub(crate) fn message_id(first: u8) -> MessageId {
    let mut bytes = [0; 16];
    bytes[0] = first;
    MessageId::from_bytes(bytes)
}
