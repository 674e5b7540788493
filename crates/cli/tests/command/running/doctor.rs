//! What somebody broke, and what the doctor says to do about it.

use super::text;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};
use vernport::{
    args,
    dev::{self, Dev},
    doctor::{Check, Checks, Outcome, System, look},
    shipped,
};

/// A set of two controllers that never ran.
pub(super) struct Set {
    folder: tempfile::TempDir,
    pub(super) dev: Dev,
}

impl Set {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bundles = ["westrum", "example-fleet"];
        let options = dev::Options {
            central_port: 0,
            bundles: bundles
                .map(|name| (name.to_owned(), shipped::bundle_text(name).expect("shipped").1))
                .into(),
            bus: "can:can7".into(),
            file_time: false,
            gateway_extra: BTreeMap::new(),
        };
        let dev = dev::make(&folder.path().join("dev"), &options).expect("a set");
        let set = Self { folder, dev };
        // What is there when nothing is broken.
        set.interface("280", "0x40041");
        set
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dev.folder(&self.dev.controller[0])
    }

    pub(super) fn system(&self) -> System {
        let root = self.folder.path();
        System {
            sysfs: root.join("sys"),
            units: vec![root.join("units")],
            time_synchronised: root.join("synchronised"),
            ..System::default()
        }
    }

    fn interface(&self, kind: &str, flags: &str) {
        let at = self.folder.path().join("sys/class/net/can7");
        fs::create_dir_all(&at).expect("a folder");
        fs::write(at.join("type"), kind).expect("written");
        fs::write(at.join("flags"), flags).expect("written");
    }

    pub(super) fn change(&self, file: &Path, from: &str, to: &str) {
        let before = fs::read_to_string(file).expect("a file");
        assert!(before.contains(from), "{from} in {}", file.display());
        fs::write(file, before.replace(from, to)).expect("written");
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dev.gateway_config(&self.dev.controller[0])
    }

    async fn gateway(&self) -> Checks {
        self.gateway_on(&self.system()).await
    }

    pub(super) async fn gateway_on(&self, system: &System) -> Checks {
        let gateway = Some(self.config());
        look(&args::Doctor { gateway, central: None, json: false }, system).await.expect("a configuration")
    }

    async fn central(&self) -> Checks {
        let central = Some(self.dev.central_config());
        look(&args::Doctor { gateway: None, central, json: false }, &self.system())
            .await
            .expect("a configuration")
    }
}

/// Whether a check found this.
pub(super) fn found(checks: &Checks, what: &str, part: &str) {
    let fits = |check: &Check| check.what == what && check.found.contains(part);
    assert!(checks.all().iter().any(fits), "{what}: `{part}` in {:#?}", checks.all());
}

/// That a check came out so, and says to do this.
pub(super) fn says(checks: &Checks, what: &str, outcome: Outcome, remedy: &str) {
    let fits = |check: &&Check| {
        check.what == what
            && check.outcome == outcome
            && check.remedy.as_deref().unwrap_or("").contains(remedy)
    };
    assert!(
        checks.all().iter().any(|check| fits(&check)),
        "{what}: {outcome:?} `{remedy}` in {:#?}",
        checks.all()
    );
}

#[tokio::test]
async fn a_set_that_never_ran_lacks_nothing_but_its_line() {
    let set = Set::new();
    let checks = set.gateway().await;
    let failed: Vec<_> = checks.all().iter().filter(|check| check.outcome == Outcome::Fail).collect();
    assert!(failed.iter().all(|check| check.what == "central"), "{failed:#?}");
    says(&checks, "central", Outcome::Fail, "start what listens there, or let the network through");
    for what in ["configuration", "keys", "catalogue", "bundle", "certificate", "data folder", "bus can:can7"]
    {
        says(&checks, what, Outcome::Ok, "");
    }
    for what in ["daemon", "spool", "registry", "broker [fleet]", "unit vernport-gateway"] {
        says(&checks, what, Outcome::Skipped, "");
    }
    says(&set.central().await, "certificate of central", Outcome::Ok, "");
}

#[tokio::test]
async fn a_bundle_without_its_signature_and_a_key_open_to_others_are_named() {
    let set = Set::new();
    fs::remove_file(set.home().join("bundle/bundle.sig")).expect("it was signed");
    let storage = set.home().join("keys/storage.key");
    fs::set_permissions(&storage, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    let checks = set.gateway().await;
    says(&checks, "bundle", Outcome::Fail, "sign and activate a bundle");
    says(&checks, "keys", Outcome::Fail, "vernport keys");
    fs::remove_dir_all(set.dev.dir.join("signals")).expect("it was there");
    let checks = set.gateway().await;
    says(&checks, "catalogue", Outcome::Fail, "put the shipped catalogue");
    says(&checks, "bundle", Outcome::Skipped, "");
}

#[tokio::test]
async fn certificates_of_others_of_another_authority_and_without_their_key_are_told_apart() {
    let set = Set::new();
    let (own, other) = (set.home().join("tls"), set.dev.folder(&set.dev.controller[1]).join("tls"));
    for file in ["gateway.pem", "gateway.key"] {
        fs::copy(own.join(file), own.join(format!("{file}.own"))).expect("copied");
        fs::copy(other.join(file), own.join(file)).expect("copied");
    }
    let checks = set.gateway().await;
    let of = |checks: &Checks, part: &str| {
        checks.all().iter().any(|check| check.what == "certificate" && check.found.contains(part))
    };
    assert!(of(&checks, "its common name is") && of(&checks, "has to say gateway of"), "{:#?}", checks.all());
    says(&checks, "certificate", Outcome::Fail, "get a certificate of this gateway");
    fs::copy(own.join("gateway.pem.own"), own.join("gateway.pem")).expect("copied");
    says(&set.gateway().await, "certificate", Outcome::Fail, "that belong together");
    fs::copy(own.join("gateway.key.own"), own.join("gateway.key")).expect("copied");
    let stranger = Set::new();
    fs::copy(stranger.dev.dir.join("tls/ca.pem"), set.dev.dir.join("tls/ca.pem")).expect("copied");
    says(&set.gateway().await, "certificate", Outcome::Fail, "give the authority that issued it as `ca`");
}

#[tokio::test]
async fn a_folder_that_is_a_file_and_a_spool_that_is_none_are_named() {
    let set = Set::new();
    let data = set.home().join("data");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("spool.db"), "this was a database").expect("written");
    says(&set.gateway().await, "spool", Outcome::Fail, "vernport audit fsck");
    fs::remove_dir_all(&data).expect("removed");
    fs::write(&data, "a file").expect("written");
    says(&set.gateway().await, "data folder", Outcome::Fail, "give the folder to the user");
}

#[tokio::test]
async fn a_spool_larger_than_its_disk_is_told_before_it_is_full() {
    let set = Set::new();
    let config = set.dev.gateway_config(&set.dev.controller[0]);
    set.change(&config, "[rules]", "[spool]\nmax_mib = 1048576\n\n[rules]");
    says(&set.gateway().await, "disk", Outcome::Warn, "lower [spool] max_mib");
}

#[tokio::test]
async fn an_interface_that_is_away_is_no_bus_or_is_down_is_named_with_the_command() {
    let set = Set::new();
    set.interface("280", "0x40040");
    says(&set.gateway().await, "bus can:can7", Outcome::Fail, "ip link set can7 up type can bitrate");
    set.interface("1", "0x1003");
    says(&set.gateway().await, "bus can:can7", Outcome::Fail, "name a CAN interface");
    fs::remove_dir_all(set.folder.path().join("sys/class/net/can7")).expect("removed");
    says(&set.gateway().await, "bus can:can7", Outcome::Fail, "plug the adapter in");
    let config = set.dev.gateway_config(&set.dev.controller[0]);
    set.change(&config, "can:can7", "candump:none.log");
    let checks = set.gateway().await;
    assert!(
        checks
            .all()
            .iter()
            .any(|check| check.what.starts_with("bus candump:") && check.outcome == Outcome::Fail)
    );
    let from = fs::read_to_string(&config).expect("a file");
    let source = from.lines().find(|line| line.starts_with("source")).expect("a bus").to_owned();
    set.change(&config, &source, "source = \"serial:/dev/no-such-adapter\"");
    says(&set.gateway().await, "bus serial:/dev/no-such-adapter", Outcome::Fail, "plug the adapter in");
}

#[tokio::test]
async fn a_clock_that_is_kept_is_well_and_one_that_nobody_keeps_is_told() {
    let set = Set::new();
    let kept = |checks: &Checks| {
        checks.all().iter().any(|check| check.what == "clock" && check.found.contains("systemd-timesyncd"))
    };
    assert!(!kept(&set.gateway().await));
    fs::write(set.folder.path().join("synchronised"), "").expect("written");
    assert!(kept(&set.gateway().await));
}

#[tokio::test]
async fn names_ports_and_brokers_that_lead_nowhere_are_told_apart() {
    let set = Set::new();
    let config = set.dev.gateway_config(&set.dev.controller[0]);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    set.change(
        &config,
        "[[bus]]",
        &format!("[fleet]\nurl = \"mqtt://{nobody}\"\nregion = \"NO\"\n\n[[bus]]"),
    );
    says(&set.gateway().await, "broker [fleet]", Outcome::Fail, "start what listens there");
    // Something that listens and is no broker.
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = other.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in other.incoming().flatten() {
            use std::io::Write as _;
            let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    set.change(&config, &nobody.to_string(), &at.to_string());
    says(&set.gateway().await, "broker [fleet]", Outcome::Fail, "that it is a broker");
    set.change(&config, "unix:status.sock", &at.to_string());
    says(&set.gateway().await, "daemon", Outcome::Fail, "a port that no other program has");
    let url = fs::read_to_string(&config).expect("a file");
    let url = url.lines().find(|line| line.starts_with("url = \"https")).expect("central").to_owned();
    set.change(&config, &url, "url = \"https://no-such-name.invalid:1\"");
    says(&set.gateway().await, "central", Outcome::Fail, "check the name, and the resolver");
    set.change(&config, "https://no-such-name.invalid:1", &format!("https://{at}"));
    says(&set.gateway().await, "central", Outcome::Fail, "it is TLS that fails");
}

#[tokio::test]
async fn a_unit_whose_credentials_are_not_there_is_named() {
    let set = Set::new();
    let units = set.folder.path().join("units");
    fs::create_dir_all(&units).expect("a folder");
    let shipped = include_str!("../../../../../config/systemd/vernport-gateway.service");
    fs::write(units.join("vernport-gateway.service"), shipped).expect("written");
    says(&set.gateway().await, "unit vernport-gateway", Outcome::Fail, "systemd-creds encrypt");
    let credentials = set.folder.path().join("credentials");
    fs::create_dir_all(&credentials).expect("a folder");
    for name in ["device", "storage", "identity"] {
        fs::write(credentials.join(name), "").expect("written");
    }
    let here = shipped.replace("/etc/vernport/credentials", text(&credentials));
    fs::write(units.join("vernport-gateway.service"), here).expect("written");
    says(&set.gateway().await, "unit vernport-gateway", Outcome::Ok, "");
}

#[tokio::test]
async fn dbc_files_that_are_away_or_wrong_are_told_for_their_bus() {
    let set = Set::new();
    let car = set.home().join("car.dbc");
    set.change(&set.config(), "[[bus]]", "[[bus]]\ndbc = [\"car.dbc\"]");
    let checks = set.gateway().await;
    says(&checks, "dbc", Outcome::Fail, "vernport dbc check");
    found(&checks, "dbc", "can:can7: ");
    found(&checks, "dbc", "car.dbc: cannot be read");
    fs::write(&car, "\x7FELF").expect("written");
    let checks = set.gateway().await;
    says(&checks, "dbc", Outcome::Fail, "vernport dbc check");
    found(&checks, "dbc", "car.dbc: is no DBC file");
    // Read as far as it can be: a signal that does not fit into its message.
    let odometer =
        "VERSION \"\"\nBU_: A\n\nBO_ 1072 Cluster: 8 A\n SG_ Odometer : 15|24@0+ (1,0) [0|0] \"km\" A\n";
    fs::write(&car, odometer.to_owned() + " SG_ Beyond : 63|24@0+ (1,0) [0|0] \"km\" A\n").expect("written");
    let checks = set.gateway().await;
    says(&checks, "dbc", Outcome::Warn, "vernport dbc check");
    found(&checks, "dbc", "can:can7: 1 findings");
    fs::write(&car, odometer).expect("written");
    says(&set.gateway().await, "dbc", Outcome::Ok, "");
}

#[tokio::test]
async fn a_station_whose_socket_cannot_be_made_is_named_with_the_path() {
    let set = Set::new();
    set.change(&set.config(), "[[bus]]", "[station]\nsocket = \"run/station.sock\"\n\n[[bus]]");
    let checks = set.gateway().await;
    says(&checks, "station", Outcome::Fail, "make the folder, for the service's user");
    found(&checks, "station", "run/station.sock: its folder is not there");
    let folder = set.home().join("run");
    fs::create_dir(&folder).expect("a folder");
    says(&set.gateway().await, "station", Outcome::Ok, "");
    fs::write(folder.join("station.sock"), "").expect("written");
    let checks = set.gateway().await;
    says(&checks, "station", Outcome::Fail, "choose another path for [station] socket");
    found(&checks, "station", "run/station.sock: is no socket");
    fs::remove_file(folder.join("station.sock")).expect("removed");
    let _listening = std::os::unix::net::UnixListener::bind(folder.join("station.sock")).expect("binds");
    found(&set.gateway().await, "station", "is there");
}

#[tokio::test]
async fn of_central_an_operators_broker_that_is_not_there_or_not_configured_is_named() {
    let set = Set::new();
    let config = set.dev.central_config();
    let [first, last] = [0, 1].map(|at| format!("broker of {}", set.dev.controller[at].id));
    for what in [&first, &last] {
        says(&set.central().await, what, Outcome::Warn, "write [controller.fleet]");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let section = format!("\n[controller.fleet]\nurl = \"mqtt://{nobody}\"\nregion = \"NO\"\n");
    fs::write(&config, fs::read_to_string(&config).expect("a file") + &section).expect("written");
    let checks = set.central().await;
    says(&checks, &last, Outcome::Fail, "start what listens there");
    says(&checks, &first, Outcome::Warn, "write [controller.fleet]");
}

#[tokio::test]
async fn of_central_a_journal_beside_its_databases_a_taken_port_and_a_broken_database_are_named() {
    let set = Set::new();
    let config = set.dev.central_config();
    let checks = set.central().await;
    says(&checks, "journal", Outcome::Warn, "put it on another disk");
    says(&checks, "database", Outcome::Skipped, "");
    set.change(&config, "[journal]\npath = \"central/journal\"\n", "");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    set.change(&config, "127.0.0.1:0", &taken.local_addr().expect("an address").to_string());
    fs::write(set.dev.dir.join("central/main.db"), "this was a database").expect("written");
    fs::write(set.dev.dir.join("central/master.key"), "no key").expect("written");
    let checks = set.central().await;
    says(&checks, "journal", Outcome::Warn, "without it a restored backup loses withdrawals");
    says(&checks, "port", Outcome::Fail, "stop what listens there");
    says(&checks, "database", Outcome::Fail, "start the database");
    says(&checks, "files of central", Outcome::Fail, "check-config");
    says(&checks, "keys", Outcome::Fail, "vernport keys");
}
