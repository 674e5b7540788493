//! `vernport audit` as typed: what it says of a gateway's log, and the codes that a script goes by.

use crate::program::{done, vernport};
use std::{fs, path::Path, process::Output, sync::Arc};
use vernport::{
    registrar::read_all,
    shipped,
    stage::{Setting, Stage},
};
use vernport_gateway::{Status, SystemClock};
use vernport_registry::world::World;
use vernport_sim::{Truck, TruckConfig};
use vernport_types::{BootMicros, Position};

const WORLD: &str = include_str!("../../../../tests/pipeline/worlds/truck.toml");
const SECONDS: u64 = 5;

/// A gateway's folder after a truck was there and central has the batches; files of two of their envelopes.
async fn after_a_visit(folder: &Path) -> (Stage, [String; 2]) {
    let setting = Setting {
        bundles: vec![("westrum".into(), shipped::bundle_text("westrum").expect("shipped").1)],
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::new(SystemClock),
        brokers: false,
    };
    let mut stage = Stage::set_up(&folder.join("dev"), setting).await.expect("central serves");
    let controller = stage.dev.controller.first().expect("one").clone();
    let config = stage.dev.gateway_config(&controller);
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(config, text + "\n[batch]\nmax_records = 2\n").expect("written");
    let registrar = stage.registrar(&controller).expect("a registrar");
    registrar.activate_keys(&stage.dev, &controller).await.expect("activated");
    let world = World::from_toml("truck.toml", WORLD).expect("a world");
    let entries = world.entries(&controller.id, &registrar.identity, registrar.now()).expect("entries");
    registrar.record(entries).await.expect("recorded");
    stage.start_gateway(&controller).await.expect("starts");
    stage.wait_for(&controller, "grants", |status| status.head.is_some()).await.expect("heard");
    let bus = stage.buses.attach(&controller.name, Arc::clone(&stage.clock)).expect("room");
    let mut truck = Truck::new(truck(), BootMicros(0));
    let until = BootMicros(SECONDS * 1_000_000);
    while truck.next_due() <= until {
        let due = truck.next_due();
        truck.on_tick(due).iter().for_each(|frame| bus.sender().send(frame));
    }
    let witnessed = |status: &Status| {
        let waits = status.spool.batches_queued + status.tally.gathered;
        waits == 0 && status.delivered_batches > 2 && status.log.cosigned_leaves == status.spool.leaves
    };
    stage.wait_for(&controller, "delivered and witnessed", witnessed).await.expect("in time");
    stage.stop_gateway(&controller).await;
    let mut envelopes = Vec::new();
    for key in &controller.recipient {
        let read = read_all(&stage.dev, &controller, key, "audit").await.expect("read");
        envelopes.extend(read.into_iter().map(|(bytes, _)| bytes));
    }
    let files = [0, 1].map(|n| {
        let file = folder.join(format!("batch-{n}.bin"));
        fs::write(&file, &envelopes[n]).expect("written");
        file.display().to_string()
    });
    (stage, files)
}

fn truck() -> TruckConfig {
    TruckConfig {
        vin: "YV2RT40A8KB123456".parse().expect("a VIN"),
        odometer_m: 412_345_675,
        speed_km_per_h: 0,
        position: Position::from_degrees(59.743_21, 10.204_56).expect("on the globe"),
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: Vec::new(),
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(1_000_000),
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON alone")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_verified_proven_and_held_against_itself_as_typed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, [first, second]) = after_a_visit(folder.path()).await;
    let controller = stage.dev.controller.first().expect("one").clone();
    let device = controller.device_key.to_string();
    let other = stage.dev.head_key.to_string();
    let spool = stage.dev.folder(&controller).join("data/spool.db").display().to_string();
    let proof = folder.path().join("batch.tlog-proof").display().to_string();
    tokio::task::spawn_blocking(move || {
        let verify = |log: &str, key: &str, rest: &[&str]| {
            vernport(&[&["audit", "verify", log, "--key", key], rest].concat())
        };
        // The log fits its own key, and no other.
        let fits = verify(&spool, &device, &["--json"]);
        assert_eq!(code(&fits), Some(0), "{fits:?}");
        let report = json(&fits);
        assert!(
            report["leaves"].as_u64() > Some(2) && report["findings"] == serde_json::json!([]),
            "{report}"
        );
        assert!(done(&verify(&spool, &device, &[])).contains("checkpoints"));
        let strange = verify(&spool, &other, &["--json"]);
        assert_eq!(
            (code(&strange), &json(&strange)["findings"][0]["what"]),
            (Some(1), &"checkpoint-not-signed".into())
        );
        // What cannot be read is told apart from what does not fit.
        assert_eq!(code(&verify("no-such.db", &device, &[])), Some(2));
        assert_eq!(code(&verify(&spool, "no key", &[])), Some(2));

        // The leaf of an envelope is proven, and the proof needs no log.
        let prove = vernport(&["audit", "prove", &spool, "--envelope", &first, "--out", &proof, "--json"]);
        assert_eq!((code(&prove), json(&prove)["kind"].is_string()), (Some(0), true), "{prove:?}");
        let held = verify(&proof, &device, &["--envelope", &first, "--json"]);
        assert_eq!((code(&held), &json(&held)["index"]), (Some(0), &json(&prove)["leaf"]), "{held:?}");
        assert!(done(&verify(&proof, &device, &["--envelope", &first])).contains("commits to this envelope"));
        let swapped = verify(&proof, &device, &["--envelope", &second, "--json"]);
        assert_eq!(
            (code(&swapped), &json(&swapped)["findings"][0]["what"]),
            (Some(1), &"leaf-of-something-else".into())
        );
        assert_eq!(code(&verify(&proof, &other, &["--envelope", &first])), Some(1));
        let text = fs::read_to_string(&proof).expect("a proof");
        fs::write(&proof, text.replacen("index ", "index 9", 1)).expect("written");
        assert_eq!(code(&verify(&proof, &device, &[])), Some(1), "another leaf's place");
        let none = vernport(&["audit", "prove", &spool, "--leaf", "1000000", "--out", &proof]);
        assert_eq!(code(&none), Some(2), "{none:?}");
        let neither = vernport(&["audit", "prove", &spool, "--out", &proof]);
        assert_eq!(code(&neither), Some(2), "{neither:?}");

        // The spool against its log.
        let fsck = |rest: &[&str]| vernport(&[&["audit", "fsck", &spool, "--key", &device], rest].concat());
        assert_eq!(code(&fsck(&[])), Some(0));
        assert_eq!(json(&fsck(&["--json"]))["findings"], serde_json::json!([]));
        let cut = fs::read(&spool).expect("a spool");
        fs::write(&spool, &cut[..4096]).expect("written");
        let broken = fsck(&["--json"]);
        assert!(matches!(code(&broken), Some(1 | 2)), "{broken:?}");
    })
    .await
    .expect("typed");
    stage.stop().await;
}
