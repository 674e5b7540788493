//! One visit with every real part: central, a gateway, a truck that talks on a
//! virtual bus, and the recipients who open what central keeps for them.

use anyhow::{Context as _, Result};
use std::{sync::Arc, time::Duration};
use vernport::{
    dev::DevController,
    registrar::read_all,
    stage::{Setting, Stage},
};
use vernport_crypto::{OpeningKey, VerifyingKey};
use vernport_gateway::SystemClock;
use vernport_registry::world::World;
use vernport_seal::{Body, ReceivedEnvelope};
use vernport_sim::{J1939Fault, Truck, TruckConfig};
use vernport_types::{BootMicros, ControllerId, KeyId, Position, Slug};

/// What the truck says of itself when it comes, in metres.
pub(super) const ODOMETER_M: i64 = 412_345_675;
const VIN: &str = "YV2RT40A8KB123456";
const SECOND: u64 = 1_000_000;
/// How long the truck talks at most, in its own seconds, and the pause after each.
const MAX_SECONDS: u64 = 200;
const PACE: Duration = Duration::from_millis(50);

/// The truck stands at the station of every controller; each has served its notice.
const WORLD: &str = r#"
format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "YV2RT40A8KB123456"
[[event]]
time = "-30d"
kind = "notice-served"
notice = "{notice}"
[[event]]
time = "-1h"
kind = "order-opened"
order = "1017"
assets = ["truck"]
station = "main/bay-1"
"#;

/// A batch as its recipient opened it.
pub(super) struct Batch {
    pub(super) recipient: Slug,
    pub(super) envelope: ReceivedEnvelope,
    pub(super) body: Body,
}

/// One controller of a visit, and what came of it.
pub(super) struct Stood {
    pub(super) id: ControllerId,
    /// The key that its gateway signs with.
    pub(super) device_key: VerifyingKey,
    pub(super) batches: Vec<Batch>,
    /// The keys of everybody who may open something of this controller, its own recovery key apart.
    pub(super) keys: Vec<(KeyId, OpeningKey)>,
}

/// The truck visits one station of each controller. `bundles` are name, text and newest notice.
///
/// # Errors
/// If a part does not start, or a state does not come.
pub(super) async fn visit(bundles: &[(&str, String, &str)]) -> Result<Vec<Stood>> {
    let folder = tempfile::tempdir()?;
    let setting = Setting {
        bundles: bundles.iter().map(|(name, text, _)| ((*name).to_owned(), text.clone())).collect(),
        bus: "virtual:{name}".into(),
        file_time: true,
        clock: Arc::new(SystemClock),
        brokers: false,
    };
    let mut stage = Stage::set_up(&folder.path().join("set"), setting).await?;
    let mut stood = Vec::new();
    for (name, _, notice) in bundles {
        let controller = stage.dev.controller(&name.parse()?)?.clone();
        stood.push(stand(&mut stage, &controller, notice).await?);
    }
    stage.stop().await;
    Ok(stood)
}

async fn stand(stage: &mut Stage, controller: &DevController, notice: &str) -> Result<Stood> {
    let registrar = stage.registrar(controller)?;
    registrar.activate_keys(&stage.dev, controller).await?;
    let world = World::from_toml("visit.toml", &WORLD.replace("{notice}", notice))?;
    let now = stage.clock.now().wall;
    registrar.record(world.entries(&controller.id, &registrar.identity, now)?).await?;
    stage.start_gateway(controller).await?;
    stage.wait_for(controller, "vehicle expected", |status| status.expected_assets > 0).await?;

    let node = stage.buses.attach(&controller.name, Arc::clone(&stage.clock))?;
    let wire = node.sender();
    let mut truck = truck()?;
    // Rules that read no VIN wait two seconds for one before the order says who stands there.
    let mut sent = 0;
    for second in 1..=MAX_SECONDS {
        while truck.next_due() <= BootMicros(second * SECOND) {
            for frame in truck.on_tick(truck.next_due()) {
                wire.send(&frame);
                sent += 1;
            }
        }
        let heard =
            stage.wait_for(controller, "everything heard", |status| status.tally.frames >= sent).await?;
        if heard.tally.queued_batches + heard.tally.gathered > 0 {
            break;
        }
        tokio::time::sleep(PACE).await;
    }
    stage
        .wait_for(controller, "something released, all of it delivered", |status| {
            status.tally.queued_batches > 0 && status.tally.gathered + status.spool.batches_queued == 0
        })
        .await?;

    let (mut batches, mut keys) = (Vec::new(), Vec::new());
    for key in &controller.recipient {
        for (bytes, body) in read_all(&stage.dev, controller, key, "clauses").await? {
            let envelope = ReceivedEnvelope::parse(&bytes).context("an envelope that was opened")?;
            batches.push(Batch { recipient: key.recipient.clone(), envelope, body });
        }
        keys.push((key.key_id, stage.dev.opening_key(controller, key)?));
    }
    Ok(Stood { id: controller.id.clone(), device_key: controller.device_key, batches, keys })
}

fn truck() -> Result<Truck> {
    let config = TruckConfig {
        vin: VIN.parse()?,
        odometer_m: u64::try_from(ODOMETER_M)?,
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
