//! One visit of the truck to one station, step by step. Each step waits for the
//! state that the one before has to bring, never for a moment.

use super::Progress;
use crate::{dev::DevController, registrar::Registrar, stage::Stage};
use anyhow::{Context as _, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;
use vernport_canbus::VirtualSender;
use vernport_crypto::random;
use vernport_mqtt::{Outcome, ToolAddress, ToolClient, acl::Principal};
use vernport_registry::{
    Consent, Event, Method, OrderClosed, OrderOpened, ReceiptCode, Role, StationRef, TextHash, Withdrawal,
    WithdrawalScope, world::World,
};
use vernport_sim::{J1939Fault, Truck, TruckConfig};
use vernport_types::{AssetId, BootMicros, CanFrame, CanId, OrderId, Position, SubjectId, UtcMicros};

/// What is known at each controller before the truck comes: the vehicle, its people, the notice.
const WORLD: &str = include_str!("world.toml");
/// The truck's odometer, in metres.
pub(crate) const ODOMETER_M: u64 = 412_345_675;
/// Its VIN, made up.
pub(crate) const VIN: &str = "YV2RT40A8KB123456";

const SECOND: u64 = 1_000_000;
const IDLE: Duration = Duration::from_millis(500);
const DAY_SECONDS: i64 = 86_400;

/// The truck on the bus of one station. Its own time is driven from here, so that each
/// phase has the same frames in every run.
struct OnBus {
    truck: Truck,
    wire: Wire,
    now: BootMicros,
    /// Ends the idle frames with the visit.
    _idle: AbortOnDrop,
}

/// The truck's end of the bus; counts what it sends.
#[derive(Clone)]
struct Wire {
    sender: VirtualSender,
    sent: Arc<AtomicU64>,
}

impl Wire {
    fn send(&self, frame: &CanFrame) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.sender.send(frame);
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl OnBus {
    /// Attaches a truck. A running truck is never silent: while the demo waits, a frame that
    /// says nothing (EEC1, all values "not available") keeps the visit alive.
    fn attach(truck: Truck, sender: VirtualSender) -> Result<Self> {
        let wire = Wire { sender, sent: Arc::default() };
        let nothing = CanId::extended(0x0CF0_0400).and_then(|id| CanFrame::data_frame(id, &[0xFF; 8]));
        let nothing = nothing.context("a frame of eight bytes")?;
        let idle = wire.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE).await;
                idle.send(&nothing);
            }
        });
        Ok(Self { truck, wire, now: BootMicros(0), _idle: AbortOnDrop(task) })
    }

    /// Lets the truck send for so many seconds of its own time, and waits until the gateway has taken it all.
    async fn drive(&mut self, seconds: u64, stage: &Stage, controller: &DevController) -> Result<()> {
        let until = BootMicros(self.now.0 + seconds * SECOND);
        while self.truck.next_due() <= until {
            self.now = self.truck.next_due();
            for frame in self.truck.on_tick(self.now) {
                self.wire.send(&frame);
            }
        }
        self.now = until;
        let sent = self.wire.sent.load(Ordering::SeqCst);
        stage.wait_for(controller, "all frames taken", |status| status.tally.frames >= sent).await?;
        // What may go on has gone before the next step changes what may.
        stage.wait_for(controller, "everything sent", vernport_gateway::Status::is_settled).await?;
        Ok(())
    }
}

/// Runs the visit.
pub(crate) async fn run(stage: &Stage, controller: &DevController, progress: &Progress) -> Result<()> {
    progress.say(&format!("\n{} ({})", controller.name, controller.id))?;
    let registrar = stage.registrar(controller)?;
    let world = World::from_toml("the demo's world", WORLD)?;
    let asset = world.asset("truck").context("the demo's world has a truck")?;
    before(stage, controller, &registrar, &world).await?;

    let clock = Arc::clone(&stage.clock);
    let node = stage.buses.attach(&controller.name, clock)?;
    let mut bus = OnBus::attach(truck()?, node.sender())?;
    bus.drive(2, stage, controller).await?;
    progress.say("  the truck stands at bay-1 and talks; nobody has opened an order: nothing may be read")?;

    let order = open_order(stage, controller, &registrar, asset).await?;
    bus.drive(1, stage, controller).await?;
    stage.wait_for(controller, "vehicle recognised", |status| status.tally.visits > 0).await?;
    bus.drive(6, stage, controller).await?;
    progress.say(
        "  order opened at the counter; the truck says its VIN, which is compared here and goes nowhere",
    )?;

    let consents = consent(stage, controller, &registrar, &world).await?;
    bus.drive(3, stage, controller).await?;
    progress.say(&match consents.len() {
        0 => "  no form of this controller asks for consent to vehicle data".to_owned(),
        n => format!("  consent given on {n} form(s), with a receipt code"),
    })?;

    tool(stage, controller).await?;
    // What its message released has gone before a withdrawal may stop it.
    stage.wait_for(controller, "everything sent", vernport_gateway::Status::is_settled).await?;
    progress.say("  a workshop tool sends the distance to the next service over MQTT; it is answered when that is durable")?;

    for receipt in &consents {
        withdraw(stage, controller, &registrar, receipt).await?;
    }
    bus.drive(3, stage, controller).await?;
    if !consents.is_empty() {
        progress
            .say("  consent withdrawn with the receipt code: those flows close at once, the others go on")?;
    }

    stage.say(controller, &registrar, Event::OrderClosed(OrderClosed { order })).await?;
    stage.wait_for(controller, "vehicle handed back", |status| status.tally.visits_ended > 0).await?;
    bus.drive(2, stage, controller).await?;
    progress.say("  handed back: the order is closed, and nothing passes any more")?;
    Ok(())
}

/// Records what was there before, and the keys of the recipients.
async fn before(
    stage: &Stage,
    controller: &DevController,
    registrar: &Registrar,
    world: &World,
) -> Result<()> {
    let now = stage.clock.now().wall;
    registrar.record(world.entries(&controller.id, &registrar.identity, now)?).await?;
    // The first version of the notice is published and served; a later one is not yet.
    let rules = stage.gateway(controller)?.rules();
    if let Some(notice) = rules.notices().first() {
        let served = vernport_registry::NoticeServed {
            notice: notice.version.as_str().parse()?,
            text_hash: TextHash([0; 32]),
            language: "nb".parse()?,
            method: Method::Screen,
            subject: None,
            evidence: None,
        };
        registrar.say(Event::NoticeServed(served)).await?;
    }
    registrar.activate_keys(&stage.dev, controller).await
}

fn truck() -> Result<Truck> {
    let config = TruckConfig {
        vin: VIN.parse()?,
        odometer_m: ODOMETER_M,
        speed_km_per_h: 0,
        position: Position::from_degrees(59.743_21, 10.204_56)?,
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: vec![J1939Fault { spn: 3216, fmi: 4, occurrences: 2 }],
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(2 * SECOND),
    };
    Ok(Truck::new(config, BootMicros(0)))
}

async fn open_order(
    stage: &Stage,
    controller: &DevController,
    registrar: &Registrar,
    asset: AssetId,
) -> Result<OrderId> {
    let order = OrderId::from_bytes(random());
    let at = StationRef { site: controller.site.clone(), station: controller.station.clone() };
    let opened = OrderOpened::new(order, asset, at, stage.clock.now().wall);
    stage.say(controller, registrar, Event::OrderOpened(opened)).await?;
    // What changed the grants first may have been a key that was activated before.
    stage.wait_for(controller, "vehicle expected", |status| status.expected_assets > 0).await?;
    Ok(order)
}

/// Gives consent on every form of the controller, by whoever the flow asks.
async fn consent(
    stage: &Stage,
    controller: &DevController,
    registrar: &Registrar,
    world: &World,
) -> Result<Vec<ReceiptCode>> {
    let rules = Arc::clone(stage.gateway(controller)?.rules());
    let mut receipts = Vec::new();
    for form in rules.forms() {
        let flow = rules
            .flows()
            .iter()
            .find(|flow| flow.purpose == form.purpose && flow.recipient == form.recipient);
        for role in flow.map_or(&[][..], |flow| &flow.roles) {
            let receipt = ReceiptCode::from_bytes(random());
            let (language, text) = form.texts.iter().next().context("a form has a text")?;
            let consent = Consent {
                subject: person(world, *role)?,
                role: *role,
                purpose: form.purpose.clone(),
                categories: form.categories.iter().copied().collect(),
                recipient: form.recipient.clone(),
                processing: "as the form says".parse()?,
                form: form.slug.clone(),
                text_hash: TextHash(vernport_crypto::sha256(text.as_bytes())),
                language: language.parse()?,
                method: Method::Screen,
                recorded_by: "counter".parse()?,
                evidence: None,
                receipt,
                valid_until: valid_until(stage.clock.now().wall),
            };
            stage.say(controller, registrar, Event::ConsentGiven(consent)).await?;
            receipts.push(receipt);
        }
    }
    Ok(receipts)
}

fn valid_until(now: UtcMicros) -> UtcMicros {
    now.plus_seconds(300 * DAY_SECONDS)
}

fn person(world: &World, role: Role) -> Result<SubjectId> {
    world.subject(role.as_str()).with_context(|| format!("the demo's world has a {role}"))
}

async fn withdraw(
    stage: &Stage,
    controller: &DevController,
    registrar: &Registrar,
    receipt: &ReceiptCode,
) -> Result<()> {
    let withdrawal =
        Withdrawal { scope: WithdrawalScope::Receipt(*receipt), method: Method::Screen, recorded_by: None };
    stage.say(controller, registrar, Event::ConsentWithdrawn(withdrawal)).await.map(drop)
}

/// A workshop tool at the station publishes one message and waits for its answer.
async fn tool(stage: &Stage, controller: &DevController) -> Result<()> {
    let address = ToolAddress {
        site: controller.site.clone(),
        station: controller.station.clone(),
        tool: "reader".parse()?,
    };
    let brokers = stage.brokers.as_ref().context("the demo has brokers")?;
    let endpoint = brokers.tool(&controller.name, &Principal::Tool(address.clone()))?;
    let mut tool = ToolClient::start(endpoint, address);
    anyhow::ensure!(tool.ready().await, "the tool cannot connect");
    let message = serde_json::json!({
        "id": "service-1",
        "readings": [{
            "path": "Vehicle.Service.DistanceToService",
            "value": 18_500,
            "unit": "km",
            "time": crate::show::time(stage.clock.now().wall),
        }],
    });
    let sent = tool.send(serde_json::to_vec(&message)?).await;
    anyhow::ensure!(sent == Outcome::Acknowledged, "the station's broker did not take the tool's message");
    let result = tool.result().await.context("the station answered nothing")?;
    anyhow::ensure!(result.accepted, "the station refused the tool's message: {}", result.code.as_str());
    tool.stop().await;
    Ok(())
}
