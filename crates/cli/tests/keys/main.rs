//! `vernport keys …`, as a person types it.

mod check;
mod credentials;
mod interrupted;
mod recorded;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;
use vernport::{
    dev::{Dev, DevController},
    shipped,
};
use vernport_crypto::{OpeningKey, SigningKey};
use vernport_gateway::secrets::read_key;

fn vernport(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vernport"))
        .args(args)
        .env_remove("VERNPORT_LOG")
        .output()
        .expect("the program starts")
}

/// What it said on both ways.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Runs what has to go well, and gives what it said.
fn ok(args: &[&str]) -> String {
    let output = vernport(args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    said(&output)
}

/// Runs what has to be refused, and gives what it said.
fn refused(args: &[&str]) -> String {
    let output = vernport(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", said(&output));
    said(&output)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn key(path: &Path) -> [u8; 32] {
    *read_key(path).expect("a key closed to others")
}

/// Every key file below a folder.
fn keys_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(keys_below(&path));
        } else if path.extension().is_some_and(|end| end == "key" || end == "before") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Nothing of any key below a folder is in what was said.
fn assert_shows_none(said: &str, folder: &Path) {
    for file in keys_below(folder).iter().filter(|file| fs::metadata(file).expect("a file").len() == 65) {
        let digits = fs::read_to_string(file).expect("digits");
        assert!(!said.contains(&digits[..16]), "a key of {} is shown", file.display());
    }
}

/// A developer's set with one controller.
fn set() -> (TempDir, Dev, DevController) {
    let folder = tempfile::tempdir().expect("a folder");
    let bundles = vec![("westrum".to_owned(), shipped::bundle_text("westrum").expect("shipped").1)];
    let options = vernport::dev::Options {
        central_port: 1,
        bundles,
        bus: "virtual:bay".into(),
        file_time: false,
        gateway_extra: Default::default(),
    };
    let dev = vernport::dev::make(&folder.path().join("set"), &options).expect("a set");
    let controller = dev.controller[0].clone();
    (folder, dev, controller)
}

#[test]
fn new_makes_what_each_side_reads_closed_to_others_and_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = |name: &str| folder.path().join(name);
    let mut shown = ok(&["keys", "new", "controller", "--into", text(&dir("controller"))]);
    shown += &ok(&["keys", "new", "central", "--into", text(&dir("central"))]);
    let identity = dir("controller").join("identity.key");
    shown += &ok(&["keys", "new", "gateway", "--into", text(&dir("box")), "--identity", text(&identity)]);
    let recipient = ["--recipient", "workshop", "--purpose", "service"];
    shown += &ok(&[&["keys", "new", "recipient", "--into", text(&dir("workshop"))], &recipient[..]].concat());
    let names: Vec<String> = keys_below(folder.path())
        .iter()
        .map(|path| text(path.strip_prefix(folder.path()).expect("below")).to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "box/device.key",
            "box/identity.key",
            "box/storage.key",
            "central/head.key",
            "central/master.key",
            "controller/bundle.key",
            "controller/identity.key",
            "controller/recovery.key",
            "workshop/workshop.service.key",
        ]
    );
    let mut different = Vec::new();
    for file in keys_below(folder.path()) {
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        different.push(key(&file));
    }
    assert_eq!(different[1], different[6], "the gateway's is the controller's");
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 8);
    assert_eq!(fs::metadata(dir("box")).expect("a folder").permissions().mode() & 0o777, 0o700);
    let device = SigningKey::from_seed(key(&dir("box").join("device.key"))).verifying_key();
    let opening = OpeningKey::from_bytes(key(&dir("workshop").join("workshop.service.key"))).wrapping_key();
    for public in [device.to_string(), opening.to_string(), opening.key_id().to_string()] {
        assert!(shown.contains(&public), "{shown}");
    }
    assert_shows_none(&shown, folder.path());
}

#[test]
fn new_never_writes_over_a_key_and_then_makes_none_of_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("storage.key");
    fs::write(&mine, "mine").expect("a file");
    let told = refused(&["keys", "new", "gateway", "--into", text(folder.path())]);
    assert!(told.contains("storage.key") && told.contains("nothing was made"), "{told}");
    assert_eq!(fs::read_to_string(&mine).expect("still there"), "mine");
    assert!(!folder.path().join("device.key").exists());
    let output = vernport(&["keys", "new", "recipient", "--into", text(folder.path())]);
    assert_eq!(output.status.code(), Some(2), "a recipient's key has a name and a purpose");
}

#[test]
fn a_new_device_key_is_named_in_central_s_configuration_and_the_other_way_is_told() {
    let (_folder, dev, controller) = set();
    let config = dev.gateway_config(&controller);
    let central_file = dev.central_config();
    let device = dev.folder(&controller).join("keys/device.key");
    let before = key(&device);
    let told =
        ok(&["keys", "rotate", "device", "--gateway", text(&config), "--central", text(&central_file)]);
    let after = key(&device);
    assert_ne!(before, after);
    let public = SigningKey::from_seed(after).verifying_key();
    let central = vernport_central::Config::read(&central_file).expect("still a configuration");
    assert_eq!(central.controllers[0].gateways[0].device_key, public);
    assert!(told.contains(&public.to_string()) && told.contains("restart central"), "{told}");
    assert!(told.contains("30 days") && told.contains("enrolment-ended"), "{told}");
    ok(&["keys", "check", "--gateway", text(&config), "--central", text(&central_file)]);

    let told = ok(&["keys", "rotate", "device", "--gateway", text(&config)]);
    assert!(told.contains("device_key = \"") && told.contains("gateway-enrolled"), "{told}");
    let told = refused(&["keys", "check", "--gateway", text(&config), "--central", text(&central_file)]);
    assert!(told.contains("is not the device key that central enrols"), "{told}");
    // Central's file does not know the key that is there now: nothing happens.
    let now = key(&device);
    let args = ["keys", "rotate", "device", "--gateway", text(&config), "--central", text(&central_file)];
    assert!(refused(&args).contains("was not changed"));
    assert_eq!(key(&device), now);
}

/// Where the test runs as root, the files are another's.
#[test]
fn a_new_key_and_a_changed_configuration_belong_to_whom_the_old_ones_belonged() {
    let (_folder, dev, controller) = set();
    let (gateway, central) = (dev.gateway_config(&controller), dev.central_config());
    let device = dev.folder(&controller).join("keys/device.key");
    for path in [&device, &central] {
        let _ = lchown(path, Some(4_711), Some(4_712));
    }
    let owner = |path: &Path| fs::metadata(path).map(|about| (about.uid(), about.gid())).expect("there");
    let before = owner(&device);
    ok(&["keys", "rotate", "device", "--gateway", text(&gateway), "--central", text(&central)]);
    assert_eq!((owner(&device), owner(&central)), (before, before));
}

#[tokio::test]
async fn the_storage_key_before_stays_until_nothing_waits_under_it() {
    let (_folder, dev, controller) = set();
    let config = dev.gateway_config(&controller);
    let storage = dev.folder(&controller).join("keys/storage.key");
    let kept = dev.folder(&controller).join("keys/storage.key.before");
    let before = key(&storage);
    let told = ok(&["keys", "rotate", "storage", "--gateway", text(&config)]);
    assert!(told.contains("--finish"), "{told}");
    assert_eq!(key(&kept), before);
    assert_ne!(key(&storage), before);
    assert_shows_none(&told, &dev.dir);
    let now = key(&storage);
    assert!(refused(&["keys", "rotate", "storage", "--gateway", text(&config)]).contains("still here"));
    let told = ok(&["keys", "check", "--gateway", text(&config)]);
    assert!(told.contains("note: ") && told.contains("the storage key before is still here"), "{told}");

    // While the gateway runs, its spool is its own.
    let gateway = vernport_gateway::Config::load(&config).expect("a configuration");
    let spool = vernport_spool::Config::new(gateway.gateway.data_dir.join("spool.db"), 1 << 20);
    let running = vernport_spool::Spool::open(spool).await.expect("opens");
    let finish = ["keys", "rotate", "storage", "--gateway", text(&config), "--finish"];
    assert!(refused(&finish).contains("stop the gateway first"));
    running.close().await;
    assert!(ok(&finish).contains("taken away"));
    assert!(!kept.exists());
    assert_eq!(key(&storage), now);
    assert!(refused(&finish).contains("the change is finished"));

    let text_of = fs::read_to_string(&config).expect("a configuration");
    for (source, says) in [("memory", "nothing to change"), ("credential:storage", "systemd-creds encrypt")] {
        fs::write(&config, text_of.replace("keys/storage.key", source)).expect("written");
        let output = vernport(&["keys", "rotate", "storage", "--gateway", text(&config)]);
        assert!(said(&output).contains(says), "{}", said(&output));
        assert_eq!(output.status.success(), source == "memory");
    }
}

#[test]
fn an_identity_key_stays_and_the_reason_is_told() {
    let told = refused(&["keys", "rotate", "identity"]);
    assert!(told.contains("never rewritten") && told.contains("asset-identified"), "{told}");
}

#[test]
fn a_new_bundle_key_signs_the_rules_and_is_named_in_both_configurations() {
    let (_folder, dev, controller) = set();
    let folder = dev.folder(&controller);
    let (bundle_key, bundle) = (folder.join("keys/bundle.key"), folder.join("bundle"));
    let (gateway, central) = (dev.gateway_config(&controller), dev.central_config());
    let args = [
        "keys",
        "rotate",
        "bundle",
        "--key",
        text(&bundle_key),
        "--bundle",
        text(&bundle),
        "--config",
        text(&gateway),
        "--config",
        text(&central),
    ];
    let told = ok(&args);
    assert_shows_none(&told, &dev.dir);
    ok(&["keys", "check", "--gateway", text(&gateway), "--central", text(&central)]);
    let public = SigningKey::from_seed(key(&bundle_key)).verifying_key();
    let config = vernport_gateway::Config::load(&gateway).expect("a configuration");
    assert_eq!(config.rules.bundle_key, public);

    // A file that names neither key is told, and nothing was changed.
    let other = dev.dir.join("dev.toml");
    let args = [
        "keys",
        "rotate",
        "bundle",
        "--key",
        text(&bundle_key),
        "--bundle",
        text(&bundle),
        "--config",
        text(&other),
    ];
    assert!(refused(&args).contains("nothing was changed"));
    ok(&["keys", "check", "--gateway", text(&gateway), "--central", text(&central)]);
}

#[test]
fn a_backup_opens_with_its_key_or_passphrase_and_comes_back_as_it_was() {
    let (folder, dev, controller) = set();
    let keys = dev.folder(&controller).join("keys");
    let recovery = keys.join("recovery.key");
    let public = OpeningKey::from_bytes(key(&recovery)).wrapping_key().to_string();
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "orbit lamp seven cedar quiet mirror\n").expect("written");
    for (to, from) in [
        (["--recovery-key", &public], ["--key", text(&recovery)]),
        (["--passphrase-file", text(&passphrase)], ["--passphrase-file", text(&passphrase)]),
    ] {
        let backup = folder.path().join(format!("backup{}", to[0]));
        let into = folder.path().join(format!("restored{}", to[0]));
        let made = [&["keys", "backup", text(&dev.dir), "--to", text(&backup)], &to[..]].concat();
        let told = ok(&made);
        assert!(told.contains("westrum/keys/device.key") && told.contains("central/master.key"), "{told}");
        let bytes = fs::read(&backup).expect("a backup");
        for file in keys_below(&dev.dir) {
            let content = fs::read(&file).expect("a key");
            assert!(!bytes.windows(16).any(|window| window == &content[..16]), "{}", file.display());
        }
        assert_eq!(fs::metadata(&backup).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(refused(&made).contains("is there already"));
        let restored = [&["keys", "restore", text(&backup), "--into", text(&into)], &from[..]].concat();
        ok(&restored);
        let originals = keys_below(&dev.dir);
        assert_eq!(keys_below(&into).len(), originals.len());
        for file in originals {
            let copy = into.join(file.strip_prefix(&dev.dir).expect("below"));
            assert_eq!(fs::read(&copy).expect("restored"), fs::read(&file).expect("a key"));
            assert_eq!(fs::metadata(&copy).expect("a file").permissions().mode() & 0o777, 0o600);
        }
        assert!(refused(&restored).contains("is there already"));
    }
    fs::write(&passphrase, "short\n").expect("written");
    let to = folder.path().join("never");
    let args = ["keys", "backup", text(&keys), "--to", text(&to), "--passphrase-file", text(&passphrase)];
    assert!(refused(&args).contains("too short") && !to.exists());
    let other = dev.folder(&controller).join("keys/device.key");
    let backup = folder.path().join("backup--recovery-key");
    let args = ["keys", "restore", text(&backup), "--into", text(&to), "--key", text(&other)];
    assert!(refused(&args).contains("is for key") && !to.exists());
}

#[test]
fn a_backup_holds_an_authority_whole_and_a_change_that_is_under_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, into) = (folder.path().join("keys"), folder.path().join("restored"));
    let (backup, passphrase) = (folder.path().join("backup"), folder.path().join("passphrase"));
    fs::write(&passphrase, "orbit lamp seven cedar quiet mirror\n").expect("written");
    ok(&["keys", "new", "authority", "--into", text(&from)]);
    ok(&["keys", "new", "central", "--into", text(&from)]);
    fs::copy(from.join("head.key"), from.join("master.key.new")).expect("copied");
    for other in ["box.pem", "central.toml.new"] {
        fs::write(from.join(other), "no key").expect("written");
    }
    ok(&["keys", "backup", text(&from), "--to", text(&backup), "--passphrase-file", text(&passphrase)]);
    ok(&["keys", "restore", text(&backup), "--into", text(&into), "--passphrase-file", text(&passphrase)]);
    let names = ["ca.key", "ca.pem", "head.key", "master.key", "master.key.new"];
    assert_eq!(fs::read_dir(&into).expect("a folder").count(), names.len());
    for name in names {
        let file = |folder: &Path| fs::read(folder.join(name)).expect(name);
        assert_eq!(file(&into), file(&from));
    }
}

#[test]
fn an_authority_is_made_once_and_central_can_issue_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("authority");
    let told = ok(&["keys", "new", "authority", "--into", text(&into)]);
    assert!(told.contains("authority_key") && told.contains("client_authority"), "{told}");
    let (key, certificate) = (into.join("ca.key"), into.join("ca.pem"));
    assert_eq!(fs::metadata(&key).expect("a file").permissions().mode() & 0o777, 0o600);
    let pem = fs::read_to_string(&key).expect("PEM");
    assert!(!told.contains(pem.lines().nth(1).expect("a body")), "nothing of the key is shown");
    let refused = refused(&["keys", "new", "authority", "--into", text(&into)]);
    assert!(refused.contains("ever written over"), "{refused}");

    // A central that trusts it may issue with it, and no other may.
    let (_folder, dev, _) = set();
    let central = dev.central_config();
    let section = format!(
        "[enrolment]\naddress = \"127.0.0.1:0\"\nauthority_certificate = \"{}\"\nauthority_key = \"{}\"\n[store]",
        certificate.display(),
        key.display()
    );
    let before = fs::read_to_string(&central).expect("a configuration");
    let load = |text: &str| {
        fs::write(&central, text).expect("written");
        let config = vernport_central::Config::read(&central).expect("a configuration");
        vernport_central::Deps::load(&config).map(|_| ()).map_err(|error| vernport_types::chain(&error))
    };
    let other = load(&before.replace("[store]", &section)).expect_err("the set has another authority");
    assert!(other.to_string().contains("client_authority is another one"), "{other}");
    let own = format!("client_authority = \"{}\"", certificate.display());
    let trusting = before.replace("client_authority = \"tls/ca.pem\"", &own).replace("[store]", &section);
    load(&trusting).expect("it issues what it lets in");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).expect("own file");
    load(&trusting).expect("a credential of systemd has this mode");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).expect("own file");
    assert!(load(&trusting).expect_err("others can read it").to_string().contains("chmod 600"));
}
