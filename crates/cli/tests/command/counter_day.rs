//! A day at the counter, as typed: an order by plate, a consent in Danish with its
//! receipt, a second driver, a withdrawal on the telephone, a wrong plate, the line
//! down and an order at the station, a hand-back that nobody recorded.

use crate::program::{done, program, shipped, stderr, stdout};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use vernport::stage::{Setting, Stage};
use vernport_gateway::SystemClock;
use vernport_types::{Clock, Stamp};

/// The clock of this machine, and what it is put forward.
#[derive(Debug, Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now(&self) -> Stamp {
        let now = SystemClock.now();
        Stamp { wall: now.wall.plus_seconds(self.0.load(Ordering::Relaxed)), ..now }
    }
}

const FLEET: &str = r#"
format = 1
[[event]]
time = "-10d"
kind = "notice-served"
notice = "fleet-1"
language = "da"
"#;
const CARS: &str = r#"
format = 1
[[event]]
time = "-10d"
kind = "notice-served"
notice = "cars-1"
language = "nb"
"#;
const TRUCK: [&str; 3] = ["--plate", "NO", "AB12345"];
const SPEED: &str = "Vehicle.Speed";
const ODOMETER: &str = "Vehicle.TraveledDistance";

/// What is typed at one controller's counter.
struct Counter {
    dev: PathBuf,
    controller: &'static str,
}

impl Counter {
    fn typed(&self, words: &[&str], rest: &[&str]) -> Output {
        let dev = self.dev.to_str().expect("UTF-8");
        let at = ["--dev", dev, "--controller", self.controller];
        program().args([words, &at, rest].concat()).output().expect("the program starts")
    }

    fn says(&self, words: &[&str], rest: &[&str]) -> String {
        let output = self.typed(words, rest);
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Why a signal of a vehicle is withheld from a flow now; "released" if it is not.
    fn outcome(&self, plate: &[&str], signal: &str, flow: &str) -> String {
        let asked = [plate, &["--signal", signal, "--flow", flow, "--json"]].concat();
        let explained: Value = serde_json::from_str(&self.says(&["explain"], &asked)).expect("JSON");
        let answer = &explained["answers"][0];
        assert_eq!(answer["flow"], flow, "{explained}");
        answer["withheld"].as_str().unwrap_or("released").to_owned()
    }
}

/// The word behind another one.
fn behind<'a>(text: &'a str, word: &str) -> &'a str {
    let rest = text.split_once(word).unwrap_or_else(|| panic!("`{word}` in: {text}")).1;
    rest.split_whitespace().next().expect("a word behind it")
}

/// Two controllers: a fleet, and a workshop whose station may open its own flow.
async fn day(folder: &std::path::Path, clock: Arc<Forward>) -> (Stage, Counter, Counter) {
    let text = |name| vernport::shipped::bundle_text(name).expect("shipped").1;
    let flow = "[[flow]]\nid = \"service-delivery\"\n";
    let cars = text("cars-software");
    assert!(cars.contains(flow), "the workshop's flow");
    let bundles = vec![
        ("example-fleet".to_owned(), text("example-fleet")),
        ("cars-software".to_owned(), cars.replace(flow, &format!("{flow}offline = true\n"))),
    ];
    let setting = Setting { bundles, clock, ..shipped() };
    let dev = folder.join("dev");
    let mut stage = Stage::set_up(&dev, setting).await.expect("central serves");
    for controller in stage.dev.controller.clone() {
        let file = stage.dev.gateway_config(&controller);
        let config = fs::read_to_string(&file).expect("a configuration");
        fs::write(&file, config + "\n[station]\nsocket = \"station.sock\"\n").expect("written");
        stage.start_gateway(&controller).await.expect("it starts");
    }
    let counter = |controller| Counter { dev: dev.clone(), controller };
    (stage, counter("example-fleet"), counter("cars-software"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_at_the_counter() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(Forward::default());
    let (mut stage, fleet, cars) = day(folder.path(), Arc::clone(&clock)).await;
    for (counter, world) in [(&fleet, FLEET), (&cars, CARS)] {
        let file = folder.path().join(format!("{}.toml", counter.controller));
        fs::write(&file, world).expect("written");
        counter.says(&["ledger", "record"], &["--world", file.to_str().expect("UTF-8")]);
    }

    // Morning: the truck is handed in, and its driver wants the coach. The form is in Danish.
    let order = ["--station", "bay-1", "--reference", "1017"];
    fleet.says(&["order", "open"], &[&TRUCK[..], &order].concat());
    assert_eq!(fleet.outcome(&TRUCK, ODOMETER, "maintenance"), "released");
    assert_eq!(fleet.outcome(&TRUCK, SPEED, "eco-coaching"), "role-missing");
    let form = ["--form", "eco-coaching-1", "--language", "da", "--role", "driver"];
    let how = ["--method", "screen", "--recorded-by", "kari"];
    let given = fleet.says(&["consent", "give"], &[&TRUCK[..], &form, &how].concat());
    let first = behind(&given, "receipt ").to_owned();
    assert!(given.contains("in da:") && given.contains("eco-coaching, to eco-coach"), "{given}");
    assert_eq!(fleet.outcome(&TRUCK, SPEED, "eco-coaching"), "released");

    // A second driver: one is not enough any more, until both have consented (invariant 7).
    let again = fleet.says(&["consent", "give"], &[&TRUCK[..], &form, &how, &["--new"]].concat());
    let second = behind(&again, "receipt ").to_owned();
    assert_ne!(first, second);
    assert_eq!(fleet.outcome(&TRUCK, SPEED, "eco-coaching"), "released");
    let unsaid = fleet.typed(&["consent", "give"], &[&TRUCK[..], &form, &how].concat());
    assert!(stderr(&unsaid).contains("2 people are driver of this vehicle"));

    // Noon, on the telephone: the code is all it takes, and the answer says what it did.
    let said = fleet.says(&["consent", "withdraw"], &["--receipt", &second, "--recorded-by", "kari"]);
    assert!(said.contains("eco-coaching") && said.contains("consent-withdrawn"), "{said}");
    assert!(said.contains("stopped at") || said.contains("at the latest"), "{said}");
    assert!(said.contains("goes on: maintenance for maintenance, basis"), "{said}");
    assert_eq!(fleet.outcome(&TRUCK, SPEED, "eco-coaching"), "consent-withdrawn");
    assert_eq!(fleet.outcome(&TRUCK, ODOMETER, "maintenance"), "released");
    let shown = fleet.says(&["consent", "show"], &["--receipt", &second]);
    assert!(shown.contains("withdrawn at"), "{shown}");
    let shown = fleet.says(&["consent", "show"], &["--receipt", &first]);
    assert!(shown.contains("in force until"), "the other's stands: {shown}");
    let mistyped = fleet.typed(&["consent", "withdraw"], &["--receipt", "7K4M-9QRT-2XAD"]);
    assert!(!mistyped.status.success(), "a wrong code withdraws nothing");

    // A wrong plate: the order never had a basis.
    let wrong = ["--plate", "NO", "ZZ99999"];
    let opened = fleet
        .says(&["order", "open"], &[&wrong[..], &["--station", "bay-1", "--reference", "1018"]].concat());
    assert_eq!(fleet.outcome(&wrong, ODOMETER, "maintenance"), "released");
    let voided = fleet.says(&["ledger", "void"], &[behind(&opened, "entry "), "--reason", "wrong-asset"]);
    assert!(voided.contains("entry-voided"), "{voided}");
    assert_ne!(fleet.outcome(&wrong, ODOMETER, "maintenance"), "released");

    // Afternoon: the line is down, and the station opens the order by itself.
    let workshop = stage.dev.controller[1].clone();
    stage.wait_for(&workshop, "grants heard", |status| status.head.is_some()).await.expect("heard");
    stage.stop_central().await;
    let socket = stage.dev.folder(&workshop).join("station.sock");
    let socket = socket.to_str().expect("UTF-8").to_owned();
    let car = ["--plate", "NO", "CD45678"];
    let station = |words: &[&str]| {
        let output = program()
            .args([&["station", "--socket", &socket], words, &car].concat())
            .output()
            .expect("the program starts");
        done(&output)
    };
    let told = station(&["order", "open"]);
    assert!(told.contains("open now: service-delivery"), "{told}");
    stage.start_central().await.expect("central serves again");
    let until = Instant::now() + Duration::from_secs(30);
    let known = || {
        let asked = [&car[..], &["--signal", ODOMETER, "--flow", "service-delivery", "--json"]].concat();
        let output = cars.typed(&["explain"], &asked);
        let explained: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        explained["answers"][0]["withheld"].is_null() && explained["answers"][0]["flow"] == "service-delivery"
    };
    while !known() {
        assert!(Instant::now() < until, "central hears of the station's order");
    }

    // Evening: nobody recorded the hand-back. The order ends by itself.
    clock.0.store(73 * 3_600, Ordering::Relaxed);
    assert_ne!(fleet.outcome(&TRUCK, ODOMETER, "maintenance"), "released");
    assert_ne!(cars.outcome(&car, ODOMETER, "service-delivery"), "released");
    stage.stop().await;
}
