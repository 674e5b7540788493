//! `vernport status`, `doctor` and `spool status` as whoever runs a box types them: over
//! real daemons, over their files, and over what somebody broke.

mod doctor;
mod machine;
mod restored;

use crate::program::{done, refused, shipped, stderr, stdout, vernport};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};
use vernport::{
    dev::DevController,
    stage::{Setting, Stage},
};
use vernport_mqtt::LinkState;
use vernport_status::{Address, PathStatus, State, ask};

/// Westrum alone, with brokers.
fn westrum() -> Setting {
    let mut setting = shipped();
    setting.bundles.retain(|(name, _)| name == "westrum");
    setting.brokers = true;
    setting
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

async fn typed(words: Vec<String>) -> Output {
    let run = move || vernport(&words.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.expect("typed")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn schema() -> jsonschema::Validator {
    let schema: Json = serde_json::from_str(include_str!("../../schema/status-v1.json")).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Waits until a gateway has heard central and reached both brokers.
pub(crate) async fn all_lines_there(stage: &Stage, controller: &DevController) {
    let linked = |link: &Option<vernport_mqtt::LinkStatus>| {
        link.as_ref().is_some_and(|link| link.state == LinkState::Up)
    };
    let ready = |status: &vernport_gateway::Status| {
        status.head.is_some() && linked(&status.fleet) && linked(&status.tools)
    };
    stage.wait_for(controller, "all lines there", ready).await.expect("it comes");
}

/// A running station of Westrum whose lines are all there.
async fn running(dev: &Path) -> (Stage, PathBuf, PathBuf) {
    let mut stage = Stage::set_up(dev, westrum()).await.expect("central serves");
    let controller = stage.dev.controller[0].clone();
    stage.start_gateway(&controller).await.expect("the gateway runs");
    all_lines_there(&stage, &controller).await;
    let (gateway, central) = (stage.dev.gateway_config(&controller), stage.dev.central_config());
    (stage, gateway, central)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_path_is_told_stage_by_stage_and_its_files_when_it_does_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut stage, gateway, central) = running(&folder.path().join("dev")).await;
    let (gateway, central) = (text(&gateway).to_owned(), text(&central).to_owned());

    let both = words(&["status", "--config", &gateway, "--central", &central]);
    let told = done(&typed([both.clone(), words(&["--json"])].concat()).await);
    let statuses: Vec<Json> =
        told.lines().map(|line| serde_json::from_str(line).expect("JSON alone")).collect();
    for status in &statuses {
        let wrong: Vec<_> = schema().iter_errors(status).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?} in {status}");
    }
    assert_eq!([&statuses[0]["daemon"], &statuses[1]["daemon"]], ["gateway", "central"]);
    let table = done(&typed(both).await);
    for stage in
        ["bus", "decode", "visit", "decide", "seal", "spool", "uplink", "broker", "journal", "retention"]
    {
        assert!(table.lines().any(|line| line.trim_start().starts_with(stage)), "{stage} in\n{table}");
    }
    assert!(table.contains("no-frames") && table.contains("check plug, ignition and bit rate"), "{table}");

    let healthy = typed(words(&["doctor", "--gateway", &gateway, "--central", &central])).await;
    let said = stdout(&healthy);
    assert!(healthy.status.success(), "{said}{}", stderr(&healthy));
    for line in [
        "reached, and it takes the certificate",
        "reached, and it takes us",
        "s apart",
        "not behind what it said before",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }
    // The probe of a broker ends nobody's connection.
    let again = done(&typed(words(&["status", "--config", &gateway])).await);
    assert!(!again.contains("broker-away"), "{again}");

    let password = Path::new(&gateway).with_file_name("keys").join("broker.password");
    let right = fs::read(&password).expect("a password");
    fs::write(&password, "guessed").expect("written");
    let wrong = typed(words(&["doctor", "--gateway", &gateway])).await;
    assert!(
        stdout(&wrong).contains("check user, password_file or certificate, and the broker's ACL"),
        "{}",
        stdout(&wrong)
    );
    assert_eq!(wrong.status.code(), Some(1));
    fs::write(&password, right).expect("written");

    let spool: Json = serde_json::from_str(&done(
        &typed(words(&["spool", "status", "--gateway", &gateway, "--json"])).await,
    ))
    .expect("JSON");
    assert_eq!((&spool["running"], &spool["max_bytes"]), (&Json::from(true), &Json::from(256_u64 << 20)));

    let controller = stage.dev.controller[0].clone();
    stage.stop_gateway(&controller).await;
    let stopped = typed(words(&["status", "--config", &gateway])).await;
    assert_eq!(stopped.status.code(), Some(1), "{}", stderr(&stopped));
    assert!(
        stdout(&stopped).contains("does not run") && stdout(&stopped).contains("not-running"),
        "{}",
        stdout(&stopped)
    );
    stage.stop_central().await;
    let silent = typed(words(&["status", "--central", &central])).await;
    assert_eq!(silent.status.code(), Some(2));
    assert!(refused(&silent).contains("nobody listens there"), "{}", stderr(&silent));
    let cut = typed(words(&["doctor", "--gateway", &gateway])).await;
    assert_eq!(cut.status.code(), Some(1));
    assert!(
        stdout(&cut).contains("start what listens there, or let the network through"),
        "{}",
        stdout(&cut)
    );
    stage.stop().await;
}

#[test]
fn who_cannot_be_asked_is_told_apart_from_who_is_not_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    assert!(vernport(&["init", "--dev", text(&dir)]).status.success());
    let config = dir.join("westrum/gateway.toml");
    // It never ran: nobody answers, and there is no spool.
    let never = vernport(&["status", "--config", text(&config)]);
    assert_eq!(never.status.code(), Some(2), "{}", stderr(&never));
    let without = fs::read_to_string(&config)
        .expect("a configuration")
        .replace("\n[status]\naddress = \"unix:status.sock\"\n", "");
    fs::write(&config, without).expect("written");
    let unasked = vernport(&["status", "--config", text(&config)]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(
        stderr(&unasked).contains("has no [status]; write address = \"127.0.0.1:9750\""),
        "{}",
        stderr(&unasked)
    );
    let wide = vernport(&["status", "--gateway", "192.0.2.1:9750"]);
    assert!(refused(&wide).contains("only a loopback address"), "{}", stderr(&wide));
    let unreadable = vernport(&["doctor", "--gateway", "no-such.toml"]);
    assert_eq!(unreadable.status.code(), Some(2));
    let spool = vernport(&["spool", "status", text(&folder.path().join("none.db"))]);
    assert_eq!(spool.status.code(), Some(2));
    fs::write(
        folder.path().join("open.toml"),
        fs::read_to_string(dir.join("central.toml"))
            .expect("a file")
            .replace("unix:central/status.sock", "0.0.0.0:9751"),
    )
    .expect("written");
    let open = vernport(&["doctor", "--central", text(&folder.path().join("open.toml"))]);
    assert!(refused(&open).contains("only a loopback address"), "{}", stderr(&open));
}

/// One family of a scrape: its type and how many samples it has.
type Families = BTreeMap<String, (String, usize)>;

/// Reads Prometheus text 0.0.4; what is not of that form fails.
fn parsed(text: &str) -> Families {
    let mut families = Families::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# ") {
            let mut words = head.splitn(3, ' ');
            let (word, name, rest) =
                (words.next().expect("a word"), words.next().expect("a name"), words.next().expect("more"));
            match word {
                "HELP" => assert!(!families.contains_key(name), "{name} stands twice"),
                "TYPE" => drop(families.insert(name.to_owned(), (rest.to_owned(), 0))),
                _ => panic!("{line}"),
            }
            name.clone_into(&mut current);
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        value.parse::<f64>().expect("a number");
        let bare = name.split('{').next().expect("a name");
        assert_eq!(bare, current, "samples stand below their family");
        assert_eq!(name.contains('{'), name.ends_with('}'), "{line}");
        families.get_mut(bare).expect("typed").1 += 1;
    }
    families
}

/// The table of config/metrics.md: name and type.
fn documented() -> BTreeMap<String, String> {
    let text = include_str!("../../../../config/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        (cells.next().expect("a name"), cells.next().expect("a type"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_real_daemons_export_is_what_the_table_says_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, ..) = running(&folder.path().join("dev")).await;
    let controller = stage.dev.controller[0].clone();
    let gateway: Address =
        stage.gateway(&controller).expect("runs").status_address().expect("listens").clone();
    let central = stage.central_status().expect("listens").clone();
    let mut exported = BTreeMap::new();
    for address in [&gateway, &central] {
        let text =
            String::from_utf8(ask(address, "/metrics", "text/plain").await.expect("answers")).expect("UTF-8");
        let families = parsed(&text);
        assert!(
            families["process_cpu_seconds_total"].1 == 1 && families["process_resident_memory_bytes"].1 == 1
        );
        exported.extend(families.into_iter().map(|(name, (kind, _))| (name, kind)));
        let open =
            ask(address, "/metrics", "application/openmetrics-text;version=1.0.0").await.expect("answers");
        assert!(open.ends_with(b"# EOF\n"));
        assert_eq!(ask(address, "/health", "").await.expect("lives"), b"ok\n");
    }
    assert_eq!(exported, documented(), "config/metrics.md and the daemons differ");

    let status: PathStatus =
        serde_json::from_slice(&ask(&gateway, "/status", "").await.expect("answers")).expect("a status");
    assert_eq!(status.name, controller.gateway.as_str());
    assert!(status.state <= State::Waiting, "{status:#?}");
    let text = String::from_utf8(ask(&central, "/metrics", "").await.expect("answers")).expect("UTF-8");
    let heads = format!("vernport_central_heads_total{{controller=\"{}\"}}", controller.id);
    let count = text.lines().find_map(|line| line.strip_prefix(&heads)?.trim().parse::<f64>().ok());
    assert!(count.is_some_and(|count| count >= 1.0), "{heads} in\n{text}");
    assert!(text.contains("vernport_central_requests_total{route=\"/v1/feed\",status=\"200\"}"), "{text}");
    stage.stop().await;
}
