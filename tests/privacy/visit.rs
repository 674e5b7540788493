//! One truck at one station of each of the four controllers, with everything
//! that could give somebody away planted on every way in: the bus, the tool's
//! messages, the ledger, the questions to central. Real parts, real sockets.

use crate::{
    evidence::{Batch, Evidence, File, Holder, Key, Received, Refused, read_files},
    planted::{
        DRIVER_CARD, FLEET_NUMBER, ODOMETER_M, OTHER_VIN, PLATE, SECOND, SERIAL, TOOL_ODOMETER_M, VIN,
        canaries, consent, truck, world,
    },
};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use vernport::{
    dev::DevController,
    registrar::{Registrar, read_all},
    shipped,
    stage::{Setting, Stage},
};
use vernport_api::FleetNumberRequest;
use vernport_canbus::VirtualSender;
use vernport_crypto::{OpeningKey, random};
use vernport_gateway::{Status, SystemClock};
use vernport_mqtt::{
    Cause, Inbox, InboxConfig, LinkState, LinkStatus, Outcome, ToolAddress, ToolClient, acl::Principal,
    topic::operator_filter,
};
use vernport_registry::{Event, Method, OrderClosed, Withdrawal, WithdrawalScope, world::World};
use vernport_sim::Truck;
use vernport_testkit::{canary::Canaries, logs::Logs};
use vernport_types::{BootMicros, CanFrame, Identifier, Plate, Slug, SubjectId};

/// How long a message or a refusal of a broker is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The truck on the bus of one station, its time driven from here.
struct OnBus {
    truck: Truck,
    wire: VirtualSender,
    now: BootMicros,
    sent: u64,
}

impl OnBus {
    async fn drive(&mut self, seconds: u64, stage: &Stage, controller: &DevController) -> Result<()> {
        let until = BootMicros(self.now.0 + seconds * SECOND);
        while self.truck.next_due() <= until {
            self.now = self.truck.next_due();
            let frames: Vec<CanFrame> = self.truck.on_tick(self.now);
            self.sent += frames.len() as u64;
            frames.iter().for_each(|frame| self.wire.send(frame));
        }
        self.now = until;
        let sent = self.sent;
        stage.wait_for(controller, "all frames taken", |status| status.tally.frames >= sent).await?;
        Ok(())
    }
}

/// What is listened to: an operator's own topics, or somebody else's.
struct Listener {
    filter: String,
    received: Arc<Mutex<Vec<Received>>>,
    link: watch::Receiver<LinkStatus>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listener {
    fn start(stage: &Stage, operator: &Slug, filter: String) -> Result<Self> {
        let mut endpoint = stage.brokers.as_ref().context("the stage has brokers")?.operator(operator)?;
        endpoint.client_id = hex::encode(random::<8>());
        let mut inbox = Inbox::start(InboxConfig::new(endpoint, vec![filter.clone()]));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (link, shelf, operator) = (inbox.status(), Arc::clone(&received), operator.clone());
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            while let Some(message) = tokio::select! {
                _ = &mut stopped => None,
                message = inbox.next() => message,
            } {
                let one = Received {
                    operator: operator.clone(),
                    topic: message.topic.clone(),
                    payload: message.payload.to_vec(),
                };
                shelf.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                message.ack.done();
            }
            inbox.stop().await;
        });
        Ok(Self { filter, received, link, stop, task })
    }

    async fn heard(self) -> Result<Vec<Received>> {
        drop(self.stop);
        self.task.await?;
        Ok(std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Makes the visit and brings home what it left.
pub(crate) async fn visit() -> Result<Evidence> {
    let logs = Logs::of_this_process();
    let logged_before = logs.bytes().len();
    let folder = tempfile::tempdir()?;
    let setting = Setting {
        bundles: shipped::bundles(None)?,
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: true,
    };
    let mut stage = Stage::set_up(folder.path(), setting).await?;
    let controllers = stage.dev.controller.clone();
    let mut worlds = Vec::new();
    for controller in &controllers {
        stage.start_gateway(controller).await?;
        worlds.push(before(&stage, controller).await?);
    }

    let fleet: Slug = "nordic-haulage".parse()?;
    let coach: Slug = "eco-coach".parse()?;
    let mut own = Vec::new();
    for operator in [&fleet, &coach] {
        let mut listener = Listener::start(&stage, operator, operator_filter(operator))?;
        timeout(PATIENCE, listener.link.wait_for(|status| status.state == LinkState::Up)).await??;
        own.push(listener);
    }
    let mut thieves = Vec::new();
    for filter in ["vernport/v1/fleet/nordic-haulage/#", "vernport/v1/fleet/+/#", "vernport/#", "#"] {
        thieves.push(Listener::start(&stage, &coach, filter.into())?);
    }

    for (controller, known) in controllers.iter().zip(&worlds) {
        number(&stage, controller, known).await?;
    }
    let mut answers = Vec::new();
    for (controller, world) in controllers.iter().zip(&worlds) {
        at_station(&stage, controller, world, &mut answers).await?;
    }
    let mut files = Vec::new();
    read_files("running", folder.path(), &mut files)?;
    for controller in &controllers {
        let at = stage.gateway(controller)?.status_address().context("the set has [status]")?.clone();
        files.extend(told(&controller.name.to_string(), &at).await?);
    }
    files.extend(told("central", stage.central_status().context("the set has [status]")?).await?);
    let mut rules = Vec::new();
    let mut published = 0;
    for controller in &controllers {
        let status = stage.wait_for(controller, "everything sent", Status::is_settled).await?;
        published += status.published_messages;
        rules.push((controller.name.clone(), Arc::clone(stage.gateway(controller)?.rules())));
    }
    let mut refused = Vec::new();
    for mut thief in thieves {
        let told = |status: &LinkStatus| status.last_cause == Some(Cause::Subscription);
        let link = timeout(PATIENCE, thief.link.wait_for(told)).await.context("no refusal came")??.clone();
        refused.push((thief, link));
    }
    // The broker has them all; the operators' own ends may be a moment behind.
    let arrived = |listeners: &[Listener]| {
        let (mut messages, mut told) = (0, true);
        for one in listeners {
            let received = one.received.lock().unwrap_or_else(PoisonError::into_inner);
            let rosters = received.iter().filter(|message| is_roster(message)).count();
            messages += (received.len() - rosters) as u64;
            told &= rosters > 0;
        }
        messages >= published && told
    };
    // Central looks for what is to be told every half minute where its first word was lost.
    timeout(3 * PATIENCE, async {
        while !arrived(&own) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .context("messages that the broker has acknowledged did not arrive")?;

    let batches = batches(&stage, &controllers).await?;
    for controller in &controllers {
        stage.stop_gateway(controller).await;
    }
    read_files("gateways stopped", folder.path(), &mut files)?;
    let mut heard = Vec::new();
    for listener in own {
        heard.extend(listener.heard().await?);
    }
    let (rosters, received) = heard.into_iter().partition(is_roster);
    let mut thieves = Vec::new();
    for (thief, link) in refused {
        let filter = thief.filter.clone();
        thieves.push(Refused { filter, link, messages: thief.heard().await?.len() });
    }
    let keys = keys(&stage, &controllers)?;
    stage.stop().await;
    read_files("all stopped", folder.path(), &mut files)?;
    let mut persons = Canaries::default();
    for world in &worlds {
        for person in &world.persons {
            persons = persons.bytes("person", person.as_bytes());
        }
    }
    Ok(Evidence {
        canaries: canaries()?,
        persons,
        files,
        logs: logs.bytes().split_off(logged_before),
        batches,
        keys,
        received,
        rosters,
        answers,
        refused: thieves,
        rules,
    })
}

fn is_roster(message: &Received) -> bool {
    message.topic.ends_with("/roster")
}

/// What a daemon tells those who run it.
async fn told(name: &str, at: &vernport_status::Address) -> Result<Vec<File>> {
    let mut told = Vec::new();
    for path in ["/status", "/metrics"] {
        let bytes = vernport_status::ask(at, path, "").await?;
        anyhow::ensure!(bytes.len() > 200, "{name} tells of itself at {path}");
        told.push(File { path: format!("asked/{name}{path}"), bytes });
    }
    Ok(told)
}

/// The world of one controller.
struct Known {
    world: World,
    registrar: Registrar,
    persons: Vec<SubjectId>,
}

/// What people said before the truck talks, and what they asked: with identifiers wherever one fits.
async fn before(stage: &Stage, controller: &DevController) -> Result<Known> {
    let registrar = stage.registrar(controller)?;
    let rules = stage.gateway(controller)?.rules();
    let notice = rules.notices().first().context("a bundle has a notice")?.version.to_string();
    let name = controller.name.as_str();
    let world = World::from_toml("the visit's world", &world(name, &notice))?;
    registrar.activate_keys(&stage.dev, controller).await?;
    registrar.enter_asset(Identifier::serial(SERIAL)?).await?;
    registrar.enter_asset(Identifier::Vin(OTHER_VIN.parse()?)).await?;
    let entries = world.entries(&controller.id, &registrar.identity, stage.clock.now().wall)?;
    registrar.record(entries).await?;
    let found = registrar.find(Identifier::Plate(Plate::new("NO", PLATE)?)).await?;
    ensure!(found.is_some() && found == world.asset(&format!("truck of {name}")), "central knows the plate");
    let person = |role: &str| world.subject(&format!("{role} of {name}")).context("a person of the world");
    let persons = vec![person("owner")?, person("driver")?];
    Ok(Known { registrar, persons, world })
}

/// What the operators call the truck, who listen by now.
async fn number(stage: &Stage, controller: &DevController, known: &Known) -> Result<()> {
    let truck = format!("truck of {}", controller.name);
    let asset = known.world.asset(&truck).context("a truck of the world")?;
    let flows = stage.gateway(controller)?.rules().flows();
    let topics = flows.iter().filter_map(|flow| flow.deliver.topic.as_ref());
    for operator in topics.map(|topic| topic.operator.clone()).collect::<BTreeSet<Slug>>() {
        let number = Some(FLEET_NUMBER.parse()?);
        known.registrar.fleet_number(&FleetNumberRequest { asset, operator, number }).await?;
    }
    Ok(())
}

/// The truck's visit to one station.
async fn at_station(
    stage: &Stage,
    controller: &DevController,
    known: &Known,
    answers: &mut Vec<Vec<u8>>,
) -> Result<()> {
    stage.wait_for(controller, "grants have come", |status| status.head.is_some()).await?;
    let node = stage.buses.attach(&controller.name, Arc::clone(&stage.clock))?;
    let mut bus = OnBus { truck: truck()?, wire: node.sender(), now: BootMicros(0), sent: 0 };
    bus.drive(3, stage, controller).await?;
    stage.wait_for(controller, "vehicle recognised", |status| status.tally.visits > 0).await?;
    bus.drive(6, stage, controller).await?;
    tool(stage, controller, answers).await?;
    // What is about to be withdrawn has been used: whoever got a message has a batch of its kind, too.
    stage.wait_for(controller, "sent so far", Status::is_settled).await?;
    if let Some([role, ..]) = consent(controller.name.as_str()) {
        let subject =
            known.world.subject(&format!("{role} of {}", controller.name)).context("who consented")?;
        let categories = BTreeSet::new();
        let scope = WithdrawalScope::Subject { subject, purpose: None, recipient: None, categories };
        let withdrawal = Withdrawal { scope, method: Method::Spoken, recorded_by: None };
        stage.say(controller, &known.registrar, Event::ConsentWithdrawn(withdrawal)).await?;
    }
    bus.drive(2, stage, controller).await?;
    let order = known.world.order(&format!("order of {}", controller.name));
    known.registrar.say_as(Event::OrderClosed(OrderClosed { order }), &format!("invoice {PLATE}")).await?;
    stage.wait_for(controller, "vehicle handed back", |status| status.tally.visits_ended > 0).await?;
    Ok(())
}

/// A workshop tool sends one good message and several that are refused, each with more in it than was asked for.
async fn tool(stage: &Stage, controller: &DevController, answers: &mut Vec<Vec<u8>>) -> Result<()> {
    let address = ToolAddress {
        site: controller.site.clone(),
        station: controller.station.clone(),
        tool: "reader".parse()?,
    };
    let brokers = stage.brokers.as_ref().context("the stage has brokers")?;
    let endpoint = brokers.tool(&controller.name, &Principal::Tool(address.clone()))?;
    let mut tool = ToolClient::start(endpoint, address);
    ensure!(tool.ready().await, "the tool cannot connect");
    let now = stage.clock.now().wall;
    let time = vernport::show::time(now);
    let km = TOOL_ODOMETER_M as f64 / 1000.0;
    let readings = json!([{"path": "Vehicle.TraveledDistance", "value": km, "unit": "km", "time": time}]);
    let plate = json!({"plate": {"country": "NO", "number": PLATE}});
    let good = json!({"id": format!("{PLATE}.{DRIVER_CARD}"), "vehicle": plate, "readings": readings});
    let unknown =
        json!({"path": format!("Vehicle.{PLATE}"), "value": VIN, "unit": DRIVER_CARD, "time": time});
    let messages = [
        good.to_string(),
        good.to_string(),
        json!({"id": format!("{PLATE}-2"), "vehicle": {"vin": OTHER_VIN}, "readings": readings}).to_string(),
        json!({"id": format!("{PLATE}-3"), "vehicle": plate, "driver": DRIVER_CARD, "readings": readings})
            .to_string(),
        json!({"id": format!("{PLATE}-4"), "vehicle": plate, "readings": [unknown]}).to_string(),
        format!("{PLATE} {VIN} {DRIVER_CARD} {ODOMETER_M}"),
    ];
    let mut accepted = 0;
    for message in messages {
        let sent = tool.send(message.into_bytes()).await;
        ensure!(sent == Outcome::Acknowledged, "the station's broker did not take the tool's message");
        let result = timeout(PATIENCE, tool.result()).await.context("no answer")?.context("no answer")?;
        accepted += u32::from(result.accepted);
        answers.push(result.to_json());
    }
    ensure!(accepted == 2, "the good message, and its repetition, are accepted; {accepted} were");
    tool.stop().await;
    Ok(())
}

async fn batches(stage: &Stage, controllers: &[DevController]) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for controller in controllers {
        for key in &controller.recipient {
            for (envelope, body) in read_all(&stage.dev, controller, key, "privacy").await? {
                let (recipient, purpose) = (key.recipient.clone(), key.purpose.clone());
                batches.push(Batch { controller: controller.id.clone(), recipient, purpose, envelope, body });
            }
        }
    }
    Ok(batches)
}

/// Every secret of the installation that has the length of a key that opens.
fn keys(stage: &Stage, controllers: &[DevController]) -> Result<Vec<Key>> {
    let read = |file: &Path| anyhow::Ok(OpeningKey::from_bytes(*vernport_gateway::secrets::read_key(file)?));
    let mut keys = Vec::new();
    for controller in controllers {
        for key in &controller.recipient {
            let holder = Holder::Recipient {
                controller: controller.id.clone(),
                recipient: key.recipient.clone(),
                purpose: key.purpose.clone(),
            };
            keys.push(Key { holder, key: stage.dev.opening_key(controller, key)? });
        }
        let folder = stage.dev.folder(controller).join("keys");
        let holder = Holder::Controller(controller.id.clone());
        keys.push(Key { holder, key: read(&folder.join("recovery.key"))? });
        for machine in ["device", "storage", "identity", "bundle"] {
            let holder = Holder::Machine(format!("{}/{machine}", controller.name));
            keys.push(Key { holder, key: read(&folder.join(format!("{machine}.key")))? });
        }
    }
    let mut central: Vec<File> = Vec::new();
    let folder = stage.dev.central_config().with_file_name("central");
    read_files("central", &folder, &mut central)?;
    for file in central.iter().filter(|file| file.path.ends_with(".key")) {
        let key = read(&folder.join(file.path.trim_start_matches("central/")))?;
        keys.push(Key { holder: Holder::Machine(file.path.clone()), key });
    }
    Ok(keys)
}
