//! `vernport subscribe` and `vernport publish` as developers type them, over a running
//! station; and the commands of `crates/mqtt/README.md` as they stand there.

use crate::{
    program::{done, program, refused, shipped, stderr, stdout},
    running::all_lines_there,
};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use vernport::{
    dev::DevController,
    stage::{Setting, Stage},
};
use vernport_mqtt::{ResultCode, ToolAddress, acl::Principal};
use vernport_sim::{Truck, TruckConfig};
use vernport_types::{BootMicros, Position};

const README: &str = include_str!("../../../mqtt/README.md");
const EXAMPLE: &str = include_str!("../../../mqtt/examples/fleet.py");
const OPERATOR: &str = "nordic-haulage";
const TOOL: &str = "main/bay-1/reader";
const WORLD: &str = include_str!("../../src/demo/world.toml");

/// A running station of Westrum where the known truck was handed in, and where people connect.
struct Station {
    stage: Stage,
    controller: DevController,
    truck: Truck,
    frames: u64,
    folder: tempfile::TempDir,
    fleet_url: String,
    tools_url: String,
}

impl Station {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bundles = shipped().bundles.into_iter().filter(|(name, _)| name == "westrum").collect();
        let setting = Setting { bundles, brokers: true, ..shipped() };
        let mut stage = Stage::set_up(&folder.path().join("dev"), setting).await.expect("central serves");
        let controller = stage.dev.controller[0].clone();
        let brokers = stage.brokers.as_ref().expect("with brokers");
        let operator = brokers.operator(&OPERATOR.parse().expect("a slug")).expect("an endpoint");
        let tool: ToolAddress = TOOL.parse().expect("an address");
        let tool = brokers.tool(&controller.name, &Principal::Tool(tool)).expect("an endpoint");
        let url = |endpoint: &vernport_mqtt::Endpoint| format!("mqtt://{}:{}", endpoint.host, endpoint.port);
        let (fleet_url, tools_url) = (url(&operator), url(&tool));
        let password = stage.dev.folder(&controller).join("keys/broker.password");
        for name in ["operator.password", "tool.password"] {
            fs::copy(&password, folder.path().join(name)).expect("copied");
        }
        stage.start_gateway(&controller).await.expect("the gateway runs");
        all_lines_there(&stage, &controller).await;
        let config = TruckConfig {
            vin: "YV2RT40A8KB123456".parse().expect("a VIN"),
            odometer_m: 412_345_675,
            speed_km_per_h: 0,
            position: Position::from_degrees(59.7, 10.2).expect("a place"),
            fuel_percent: 62,
            battery_mv: 24_700,
            engine_s: 3_600,
            faults: Vec::new(),
            obd_trouble_codes: Vec::new(),
            announce_vin_every_micros: Some(1_000_000),
        };
        let truck = Truck::new(config, BootMicros(0));
        Self { stage, controller, truck, frames: 0, folder, fleet_url, tools_url }
    }

    /// The truck stands at the bay under an order, and says who it is.
    async fn hand_in(&mut self) {
        let registrar = self.stage.registrar(&self.controller).expect("a registrar");
        registrar.activate_keys(&self.stage.dev, &self.controller).await.expect("keys");
        let order = "\n[[event]]\ntime = \"-1h\"\nkind = \"order-opened\"\norder = \"1017\"\nassets = [\"truck\"]\nstation = \"main/bay-1\"\n\
            \n[[event]]\ntime = \"-2h\"\nkind = \"notice-served\"\nnotice = \"westrum-1\"\n";
        let world = vernport_registry::world::World::from_toml("world", &(WORLD.to_owned() + order));
        let world = world.expect("a world");
        let now = self.stage.clock.now().wall;
        let entries = world.entries(&self.controller.id, &registrar.identity, now).expect("entries");
        registrar.record(entries).await.expect("recorded");
        let expected = |status: &vernport_gateway::Status| status.expected_assets > 0;
        self.stage.wait_for(&self.controller, "expected", expected).await.expect("it comes");
        self.drive(2).await;
        let visits = |status: &vernport_gateway::Status| status.tally.visits > 0;
        self.stage.wait_for(&self.controller, "recognised", visits).await.expect("it comes");
    }

    /// It talks for so many seconds of its own time, and what it says is published.
    async fn drive(&mut self, seconds: u64) {
        let clock = std::sync::Arc::clone(&self.stage.clock);
        let node = self.stage.buses.attach(&self.controller.name, clock).expect("a bus");
        let sender = node.sender();
        let until = BootMicros(self.truck.next_due().0 + seconds * 1_000_000);
        while self.truck.next_due() < until {
            let at = self.truck.next_due();
            for frame in self.truck.on_tick(at) {
                sender.send(&frame);
                self.frames += 1;
            }
        }
        let sent =
            |status: &vernport_gateway::Status| status.tally.frames >= self.frames && status.is_settled();
        self.stage.wait_for(&self.controller, "everything sent", sent).await.expect("it comes");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Types a command in the folder where the passwords are.
    async fn typed(&self, words: &[&str]) -> Output {
        self.command(words).await.expect("it runs")
    }

    async fn command(&self, words: &[&str]) -> std::io::Result<Output> {
        let mut program = program();
        program.current_dir(self.folder.path()).args(words);
        tokio::task::spawn_blocking(move || program.output()).await.expect("typed")
    }

    async fn subscribe(&self, more: &[&str]) -> Output {
        let words = ["subscribe", "--url", &self.fleet_url, "--operator", OPERATOR];
        let password = ["--password-file", "operator.password"];
        self.typed(&[&words[..], &password, more].concat()).await
    }

    /// The counter says what an operator calls the truck.
    async fn called(&self, more: &[&str]) -> Output {
        let truck = ["fleet-number", "--dev", "dev", "--controller", "westrum", "--vin", "YV2RT40A8KB123456"];
        self.typed(&[&truck[..], &["--operator"], more].concat()).await
    }

    async fn publish(&self, more: &[&str]) -> Output {
        let words = ["publish", "--url", &self.tools_url, "--as", TOOL, "--password-file", "tool.password"];
        self.typed(&[&words[..], more].concat()).await
    }

    /// A command of the README, with the brokers of this station.
    async fn of_the_readme(&self, command: &str, url: &str) -> Output {
        let words: Vec<_> = command.split_whitespace().collect();
        assert_eq!(words[0], "vernport");
        let words: Vec<_> =
            words[1..].iter().map(|word| if *word == "mqtt://localhost:1883" { url } else { word }).collect();
        self.typed(&words).await
    }
}

/// The command behind a mark of the README, and what is shown below it.
fn shown(mark: &str) -> (&'static str, &'static str) {
    let after = README.split(&format!("<!-- {mark}:")).nth(1).expect("the README marks its block");
    let mut blocks = after.split("```");
    let command = blocks.nth(1).expect("a command").strip_prefix("sh\n").expect("of the shell");
    (command.trim(), blocks.nth(1).expect("an output"))
}

fn schema() -> jsonschema::Validator {
    let schema: Json = serde_json::from_str(include_str!("../../schema/subscribe-v1.json")).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn lines(output: &Output) -> Vec<Json> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("JSON alone")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_for_developers_shows_what_the_commands_print() {
    let mut station = Station::open().await;
    station.hand_in().await;
    let (command, output) = shown("tool");
    let answered = done(&station.of_the_readme(command, &station.tools_url).await);
    assert_eq!(answered, output.trim_start());

    let (command, output) = shown("fleet");
    // The session begins with the first subscription: what comes after it waits there.
    assert!(station.subscribe(&["--for", "1"]).await.status.success());
    station.drive(1).await;
    let printed = done(&station.of_the_readme(command, &station.fleet_url).await);
    assert_eq!(printed.lines().next(), output.trim_start().lines().next(), "the head");
    let row = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let shown_row = row(output.trim_start().lines().nth(1).expect("a row"));
    let same = printed.lines().map(row).find(|row| row.get(3) == shown_row.get(3)).expect("a distance");
    assert_eq!((same.len(), &same[3..6]), (shown_row.len(), &shown_row[3..6]));

    for code in ResultCode::ALL {
        assert!(README.contains(&format!("`{}`", code.as_str())), "{}", code.as_str());
    }
    let python: Vec<_> =
        README.split("```python\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert!(!python.is_empty());
    for block in python {
        assert!(EXAMPLE.contains(block), "not in examples/fleet.py: {block}");
    }
    station.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_tells_each_message_once_and_over_a_restart_what_is_missing() {
    let mut station = Station::open().await;
    station.hand_in().await;
    let state = ["--json", "--state", "seen.json"];
    let first = station.subscribe(&[&state[..], &["--for", "1"]].concat()).await;
    let end = lines(&first).pop().expect("an end");
    assert_eq!((first.status.code(), &end["kind"], &end["messages"]), (Some(0), &"end".into(), &0.into()));

    station.drive(2).await;
    let second = station.subscribe(&[&state[..], &["--count", "10"]].concat()).await;
    assert!(second.status.success(), "{}", stderr(&second));
    let told = lines(&second);
    for line in &told {
        let wrong: Vec<_> = schema().iter_errors(line).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    let numbers: Vec<_> = told.iter().filter_map(|line| line["message"]["seq"].as_u64()).collect();
    assert_eq!(numbers.len(), 10);
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");

    // Somebody takes two messages out of the session: the next run misses them.
    let taken = station.subscribe(&["--count", "2"]).await;
    assert!(taken.status.success(), "{}", stderr(&taken));
    let third = station.subscribe(&[&state[..], &["--count", "1"]].concat()).await;
    assert_eq!(third.status.code(), Some(1), "{}", stdout(&third));
    assert!(stderr(&third).contains("2 number(s) are missing"), "{}", stderr(&third));
    let missing = lines(&third).into_iter().find(|line| line["kind"] == "missing").expect("a gap");
    let last = numbers.last().copied().expect("ten");
    assert_eq!((&missing["first"], &missing["last"]), (&(last + 1).into(), &(last + 2).into()));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(station.file("seen.json")).expect("kept").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    station.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_its_own_number_of_a_vehicle_once_the_counter_said_it() {
    let mut station = Station::open().await;
    station.hand_in().await;
    assert!(station.subscribe(&["--json", "--for", "1"]).await.status.success(), "the session begins");
    let said = done(&station.called(&[OPERATOR, "Lastebil 17"]).await);
    assert_eq!(said, "the operator is told, sealed, for service-delivery\n");
    let nobody = station.called(&["nobody", "Lastebil 17"]).await;
    assert!(refused(&nobody).contains("publishes nothing to this operator"), "{}", stderr(&nobody));
    assert!(!stderr(&nobody).contains("Lastebil"));
    let other = ["--dev", "dev", "--controller", "westrum", "--plate", "NO", "ZZ99999"];
    let other = [&["fleet-number"], &other[..], &["--operator", OPERATOR, "Lastebil 18"]].concat();
    let unknown = station.typed(&other).await;
    assert!(refused(&unknown).contains("no such vehicle"), "{}", stderr(&unknown));
    let recipient = station.controller.recipient.iter().find(|key| key.recipient.as_str() == OPERATOR);
    let recipient = recipient.expect("it has a key").clone();
    let key = station.stage.dev.recipient_key(&station.controller, &recipient).display().to_string();
    let central = station.stage.dev.head_key.to_string();
    let with_key = ["--key", &key, "--central", &central, "--for", "1"];
    // What is said is on its way; what was heard before is not remembered by the next run.
    let rows = until(async || {
        done(&station.called(&[OPERATOR, "Lastebil 17"]).await);
        station.drive(1).await;
        let table = done(&station.subscribe(&with_key).await);
        let rows: Vec<String> =
            table.lines().filter(|row| row.contains("Lastebil 17")).map(Into::into).collect();
        (rows.len() > 2).then_some(rows)
    })
    .await;
    assert!(rows[0].contains("own number"), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("Vehicle.TraveledDistance")), "it goes by it: {rows:?}");

    let closed = until(async || {
        done(&station.called(&[OPERATOR, "Lastebil 17"]).await);
        let output = station.subscribe(&["--json", "--for", "1"]).await;
        lines(&output).into_iter().find(|line| line["kind"] == "roster")
    })
    .await;
    assert!(schema().is_valid(&closed), "{closed}");
    assert_eq!((&closed["closed"], closed["number"].as_str()), (&"--key opens it".into(), None));
    let strange = "17".repeat(32);
    until(async || {
        done(&station.called(&[OPERATOR, "Lastebil 17"]).await);
        let output = station.subscribe(&["--json", "--for", "1", "--central", &strange]).await;
        assert!(lines(&output).iter().all(|line| line["kind"] != "roster"));
        stderr(&output).contains("no central of --central signed").then_some(())
    })
    .await;
    assert_eq!(done(&station.called(&[OPERATOR, "--none"]).await).lines().count(), 1);
    station.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_subscribe_is_told_so_and_what_cannot_be_read_is_told_apart() {
    let station = Station::open().await;
    fs::write(station.file("operator.password"), "guessed").expect("written");
    let wrong = station.subscribe(&["--for", "10"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(refused(&wrong).contains("check user and password"), "{}", stderr(&wrong));
    fs::write(station.file("broken"), "{}").expect("written");
    for more in [["--state", "broken"], ["--key", "broken"], ["--password-file", "nowhere"]] {
        let words = ["subscribe", "--url", &station.fleet_url, "--operator", OPERATOR];
        let output = station.typed(&[&words[..], &more].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(more[1]), "{}", stderr(&output));
    }
    station.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_message_is_not_sent_and_the_stations_answer_decides_how_it_ends() {
    let mut station = Station::open().await;
    let reading = ["--path", "Vehicle.Service.DistanceToService", "--value", "18500"];
    let with = |more: &[&'static str]| [&reading[..], more].concat();
    // Nothing stands at the bay yet: the station refuses.
    let early = station.publish(&with(&["--unit", "km"])).await;
    assert_eq!(early.status.code(), Some(1), "{}", stderr(&early));
    assert!(stderr(&early).contains("refused: vehicle; no such vehicle"), "{}", stderr(&early));
    for (more, expected) in [
        (&["--unit", "h"][..], "readings[0].unit: has no listed conversion"),
        (&["--unit", "km", "--vin", "NOTAVIN"], "vehicle: "),
        (&["--unit", "km", "--time", "2026-11-20T09:00:00"], "readings[0].time: "),
    ] {
        let wrong = station.publish(&with(more)).await;
        assert_eq!(wrong.status.code(), Some(2));
        assert!(stderr(&wrong).contains(expected), "{}", stderr(&wrong));
        assert!(
            !stderr(&wrong).contains("NOTAVIN") && !stderr(&wrong).contains("18500"),
            "{}",
            stderr(&wrong)
        );
    }

    station.hand_in().await;
    let twice: Vec<_> = [
        station.publish(&with(&["--unit", "km", "--id", "k-1"])).await,
        station.publish(&with(&["--unit", "km", "--id", "k-1", "--json"])).await,
    ]
    .into();
    assert_eq!(done(&twice[0]), "k-1: accepted\n");
    let again: BTreeMap<String, Json> = serde_json::from_slice(&twice[1].stdout).expect("JSON alone");
    assert_eq!((&again["accepted"], &again["code"]), (&true.into(), &"duplicate".into()));
    let checked = station.publish(&with(&["--unit", "km", "--dry-run"])).await;
    assert_eq!(done(&checked), "checked; nothing was sent\n");
    assert_eq!(done(&from_stdin(&station).await), "k-2: accepted\n");
    station.stage.stop().await;
}

/// Tries until something comes of it.
async fn until<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..30 {
        if let Some(come) = attempt().await {
            return come;
        }
    }
    panic!("it does not come to that");
}

/// A message through standard input.
async fn from_stdin(station: &Station) -> Output {
    let time = vernport::show::time(station.stage.clock.now().wall);
    let message = format!(
        r#"{{"id":"k-2","readings":[{{"path":"Vehicle.Service.DistanceToService","value":18400,"unit":"km","time":"{time}"}}]}}"#
    );
    let mut program = program();
    program.current_dir(station.folder.path());
    program.args([
        "publish",
        "-",
        "--url",
        &station.tools_url,
        "--as",
        TOOL,
        "--password-file",
        "tool.password",
    ]);
    tokio::task::spawn_blocking(move || piped(&mut program, &message)).await.expect("typed")
}

fn piped(program: &mut Command, text: &str) -> Output {
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_example_of_the_page_is_python_and_lies_where_the_page_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mqtt/examples/fleet.py");
    assert!(path.is_file() && README.contains("examples/fleet.py"));
    // Where there is a python3, it reads the file; paho is needed to run it only.
    let parsed = Command::new("python3")
        .args(["-c", "import ast, sys; ast.parse(open(sys.argv[1], encoding='utf-8').read())"])
        .arg(&path)
        .output();
    if let Ok(parsed) = parsed {
        assert!(parsed.status.success(), "{}", stderr(&parsed));
    }
}
