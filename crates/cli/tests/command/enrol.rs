//! Enrolling with the programs as they ship: central as a process that listens, an invitation typed
//! at the counter, and `vernport-gateway enrol` on the box.

use crate::program::{done, program, refused, stderr, stdout, vernport};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};
use vernport::{
    dev::{self, Dev, DevController},
    shipped,
};
use vernport_central::{
    Role,
    authority::{Authority, Credential},
};

const BOX: &str = "fresh-box";
/// What enrolling brings: the certificate, its key and the device key.
const KEPT: [&str; 3] = ["tls/gateway.pem", "tls/gateway.key", "keys/device.key"];

/// The folder with the daemons' programs.
fn daemons() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| vernport_testkit::built(&["vernport-gateway", "vernport-central"]))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

fn private(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).expect("writable");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our own file");
}

fn place(folder: &Path, name: &str, of: &Credential) {
    private(&folder.join(format!("{name}.pem")), &of.certificate_pem);
    private(&folder.join(format!("{name}.key")), &of.key_pem);
}

/// Central, and everything it has logged; killed when it is dropped.
struct Central {
    child: Child,
    log: PathBuf,
}

impl Central {
    fn start(config: &Path, log: PathBuf) -> Self {
        let mut child = Command::new(daemons().join("vernport-central"))
            .env_remove("VERNPORT_LOG")
            .args(["run", "--log", "trace", "--log-json", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines =
            BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut kept = File::create(&log).expect("a file");
        let serves = lines.by_ref().any(|line| {
            writeln!(kept, "{line}").expect("written");
            line.contains("central serves")
        });
        assert!(serves, "{}", fs::read_to_string(&log).unwrap_or_default());
        std::thread::spawn(move || lines.for_each(|line| drop(writeln!(kept, "{line}"))));
        Self { child, log }
    }
}

impl Drop for Central {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A set under an authority whose key central has.
struct Set {
    folder: tempfile::TempDir,
    dev: Dev,
    url: String,
}

impl Set {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = dev::Options {
            central_port: free_port(),
            bundles: vec![("westrum".into(), shipped::bundle_text("westrum").expect("shipped").1)],
            bus: "virtual:westrum".into(),
            file_time: false,
            gateway_extra: BTreeMap::new(),
        };
        let dev = dev::make(&folder.path().join("dev"), &options).expect("a set");
        let set = Self { folder, dev, url: format!("https://127.0.0.1:{}", free_port()) };
        let (dir, id) = (&set.dev.dir, &set.controller().id);
        let authority = Authority::of_clients().expect("random bytes");
        private(&dir.join("tls/ca.pem"), &authority.certificate_pem());
        private(&dir.join("central/ca.key"), &authority.key_pem());
        place(&dir.join("tls"), "central", &authority.server(&["localhost", "127.0.0.1"]).expect("names"));
        let registrar = authority.client(&"registrar".parse().expect("a slug"), Role::Registrar, id);
        place(&set.home().join("tls"), "registrar", &registrar.expect("issued"));
        let at = set.url.strip_prefix("https://").expect("it begins so");
        let section = format!(
            "[enrolment]\naddress = \"{at}\"\nauthority_certificate = \"tls/ca.pem\"\n\
             authority_key = \"central/ca.key\"\n\n[store]"
        );
        change(&set.dev.central_config(), "[store]", &section);
        let name = set.controller().gateway.to_string();
        change(&set.config(), &format!("name = \"{name}\""), &format!("name = \"{BOX}\""));
        set.without_keys(&set.home());
        set
    }

    fn controller(&self) -> &DevController {
        &self.dev.controller[0]
    }

    fn home(&self) -> PathBuf {
        self.dev.folder(self.controller())
    }

    fn config(&self) -> PathBuf {
        self.dev.gateway_config(self.controller())
    }

    /// Rules, storage key and identity key are there; neither certificate nor device key.
    fn without_keys(&self, home: &Path) {
        for gone in KEPT {
            fs::remove_file(home.join(gone)).expect("it was there");
        }
    }

    /// A box beside it that was set up in the same way.
    fn other_box(&self) -> PathBuf {
        let (from, to) = (self.home(), self.dev.dir.join("other"));
        for folder in ["", "tls", "keys", "bundle"] {
            fs::create_dir(to.join(folder)).expect("new");
            for file in fs::read_dir(from.join(folder)).expect("a folder").flatten() {
                if file.file_type().expect("about it").is_file() {
                    fs::copy(file.path(), to.join(folder).join(file.file_name())).expect("copied");
                }
            }
        }
        to
    }

    /// What is typed at the counter.
    fn invite(&self, more: &[&str]) -> Output {
        let (dev, site) = (self.dev.dir.display().to_string(), self.controller().site.to_string());
        let at =
            ["--dev", &dev, "--controller", "westrum", "--name", BOX, "--site", &site, "--station", "bay-1"];
        vernport(&[&["gateway", "invite"], &at[..], more].concat())
    }

    fn invited(&self, more: &[&str]) -> String {
        done(&self.invite(more)).trim().to_owned()
    }

    /// What is typed on the box whose folder that is, with the token on standard input.
    fn enrol(&self, home: &Path, token: &str, more: &[&str]) -> Output {
        let mut child = self
            .typed(home, more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // It may have refused before it read.
        let _ = writeln!(child.stdin.take().expect("it is piped"), "{token}");
        child.wait_with_output().expect("it ends")
    }

    fn typed(&self, home: &Path, more: &[&str]) -> Command {
        let mut typed = Command::new(daemons().join("vernport-gateway"));
        typed.env_remove("VERNPORT_LOG").arg("enrol").arg("--config").arg(home.join("gateway.toml"));
        typed.args(["--url", &self.url, "--ca"]).arg(self.dev.dir.join("tls/ca.pem")).args(more);
        typed
    }
}

fn change(file: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(file).expect("a file");
    assert!(before.contains(from), "{from} in {}", file.display());
    fs::write(file, before.replacen(from, to, 1)).expect("written");
}

fn files(home: &Path) -> [Vec<u8>; 3] {
    KEPT.map(|name| fs::read(home.join(name)).expect(name))
}

/// That nothing of enrolling is left but what it brings.
fn is_tidy(home: &Path) -> bool {
    let files = ["tls", "keys"].map(|folder| fs::read_dir(home.join(folder)).expect("a folder"));
    let mut names = files.into_iter().flatten().flatten().map(|file| file.file_name());
    names.all(|name| {
        let name = name.to_string_lossy();
        !name.contains("request") && !name.contains("enrolling")
    })
}

/// That the box is whole: its files are its owner's, fit together, and central takes them.
fn works(home: &Path) {
    for name in KEPT {
        let mode = fs::metadata(home.join(name)).expect("about it").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name} is its owner's alone");
    }
    let config = home.join("gateway.toml");
    let mut check = Command::new(daemons().join("vernport-gateway"));
    done(&check.arg("check-config").arg("--config").arg(&config).output().expect("it ends"));
    let looked = program().args(["doctor", "--gateway"]).arg(&config).output().expect("it ends");
    assert!(stdout(&looked).contains("reached, and it takes the certificate"), "{}", stdout(&looked));
}

#[test]
fn a_box_enrols_with_its_token_once_and_is_replaced_only_where_that_is_said() {
    let set = Set::new();
    let central = Central::start(&set.dev.central_config(), set.folder.path().join("central.log"));
    let (home, other) = (set.home(), set.other_box());
    let mut said = Vec::new();

    // The token comes in a file that only its owner reads.
    let token_file = set.folder.path().join("token");
    let path = token_file.to_str().expect("UTF-8");
    done(&set.invite(&["--token-file", path]));
    assert_eq!(fs::metadata(&token_file).expect("a file").permissions().mode() & 0o777, 0o600);
    let mut token = String::new();
    File::open(&token_file).and_then(|mut file| file.read_to_string(&mut token)).expect("text");
    let token = token.trim();
    let first = set.typed(&home, &["--token-file", path]).stdin(Stdio::null()).output().expect("it ends");
    let told = done(&first);
    assert!(told.contains(&format!("{BOX} is enrolled at main/bay-1 of")), "{told}");
    assert!(told.contains("next: vernport-gateway check-config --config"), "{told}");
    works(&home);
    assert!(is_tidy(&home));
    let enrolled = files(&home);
    said.push(first);

    // A second use, on the same box and on another one.
    let there = set.enrol(&home, token, &[]);
    assert_eq!(there.status.code(), Some(1));
    assert!(
        refused(&there).contains("be invited with --replace and enrol with --replace"),
        "{}",
        stderr(&there)
    );
    let thief = set.enrol(&other, token, &[]);
    assert_eq!(thief.status.code(), Some(1));
    let why = refused(&thief);
    assert!(why.contains("with the token of a new invitation the same command begins anew"), "{why}");
    assert!(why.contains("ask the controller for a new invitation"), "{why}");
    assert!(!other.join("tls/gateway.pem").exists() && !other.join("keys/device.key").exists());
    let again = set.enrol(&home, token, &["--replace"]);
    assert_eq!(again.status.code(), Some(1), "a used token replaces nothing: {}", stdout(&again));
    assert_eq!(files(&home), enrolled, "what was there works as before");
    works(&home);
    said.extend([there, thief, again]);

    // What is enrolled is not invited over by mistake.
    assert!(refused(&set.invite(&[])).contains("invite to replace it, or revoke it first"));
    let token = &set.invited(&["--replace"]);
    let unsaid = set.enrol(&home, token, &[]);
    assert!(refused(&unsaid).contains("--replace"), "{}", stderr(&unsaid));
    let replaced = set.enrol(&home, token, &["--replace"]);
    done(&replaced);
    let now = files(&home);
    assert!(enrolled.iter().zip(&now).all(|(before, now)| before != now), "all three are new");
    works(&home);
    assert!(is_tidy(&home));
    said.extend([unsaid, replaced]);

    // From now on the certificate before counts no more.
    for (name, bytes) in KEPT.iter().zip(&enrolled) {
        fs::write(other.join(name), bytes).expect("written");
    }
    let stale =
        program().args(["doctor", "--gateway"]).arg(other.join("gateway.toml")).output().expect("it ends");
    assert!(!stdout(&stale).contains("reached, and it takes the certificate"), "{}", stdout(&stale));

    let log = fs::read_to_string(&central.log).expect("a log");
    for text in said.iter().flat_map(|output| [stdout(output), stderr(output)]).chain([log]) {
        assert!(!text.contains("vpe1-"), "no token is shown: {text}");
    }
}

#[test]
fn what_is_no_token_or_leads_to_no_central_is_told_with_the_way_out() {
    let set = Set::new();
    let home = set.home();
    let none = set.enrol(&home, "", &[]);
    assert!(refused(&none).contains("name its file with --token-file"), "{}", stderr(&none));
    let wrong = set.enrol(&home, "vpe1-c0ffee", &[]);
    assert!(refused(&wrong).contains("copied whole"), "{}", stderr(&wrong));
    assert!(!stderr(&wrong).contains("c0ffee"));
    // Nobody listens: what was asked is kept, and asked again by the same command without the token.
    let token = vernport_api::Token::generate();
    let nobody = set.enrol(&home, &token.text(), &[]);
    let why = refused(&nobody);
    assert!(why.contains("the same command asks again") && why.contains("cannot be reached"), "{why}");
    let kept = home.join("tls/gateway.pem.request");
    assert_eq!(fs::metadata(kept).expect("it is kept").permissions().mode() & 0o777, 0o600);
    let _central = Central::start(&set.dev.central_config(), set.folder.path().join("central.log"));
    let unknown = set.enrol(&home, "", &[]);
    assert!(refused(&unknown).contains("ask the controller for a new invitation"), "{}", stderr(&unknown));
    done(&set.enrol(&home, &set.invited(&[]), &[]));
    works(&home);
}
