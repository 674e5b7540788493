//! Renewing by a clock of its own, and interrupted at every place there is.

use super::*;
use std::{
    io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use vernport_testkit::pki::DevCa;
use vernport_types::{BootMicros, ControllerId, Slug, Stamp, TimeQuality};
use vernport_uplink::Config;

/// 2026-11-20T00:00:00Z.
const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);
const DAY_SECONDS: i64 = 86_400;

fn days(days: i64) -> UtcMicros {
    NOW.plus_seconds(days * DAY_SECONDS)
}

/// A clock that was right all the time.
fn at(wall: UtcMicros) -> Stamp {
    let boot = BootMicros(wall.0.abs_diff(NOW.0));
    Stamp { wall, boot, quality: TimeQuality::Bounded }
}

fn plan() -> Plan {
    Plan::new(Validity { not_before: NOW, not_after: days(30) })
}

#[test]
fn it_is_due_at_two_thirds_told_from_80_percent_and_an_error_after_the_end() {
    let plan = plan();
    let late = UtcMicros(days(24).0 - 1);
    let before = UtcMicros(days(20).0 - 1);
    assert!(!plan.is_due(at(NOW)) && !plan.is_due(at(before)) && plan.is_due(at(days(20))));
    let health = |now| plan.seen(now).health;
    assert_eq!((health(days(20)), health(late)), (CertificateHealth::Good, CertificateHealth::Good));
    assert_eq!((health(days(24)), health(days(30))), (CertificateHealth::Late, CertificateHealth::Ended));
    assert_eq!(plan.seen(NOW).until, days(30));
    assert!(plan.is_due(at(days(400))), "central may know better what still counts");
}

#[test]
fn after_a_failure_it_waits_a_minute_to_an_hour_or_as_long_as_it_is_told() {
    let mut plan = plan();
    let now = days(20);
    let is_due = |plan: &Plan, seconds| plan.is_due(at(now.plus_seconds(seconds)));
    plan.failed(at(now), u32::MAX, None);
    assert!(!is_due(&plan, 59) && is_due(&plan, 60));
    for _ in 0..20 {
        plan.failed(at(now), u32::MAX, None);
    }
    assert!(!is_due(&plan, 3_599) && is_due(&plan, 3_600));
    plan.failed(at(now), 0, Some(Duration::from_secs(120)));
    assert!(!is_due(&plan, 119) && is_due(&plan, 120));
}

#[test]
fn a_clock_that_was_years_ahead_once_puts_off_no_renewal_after_it_is_right() {
    let mut plan = plan();
    let ahead = Stamp { wall: days(12 * 365), ..at(days(20)) };
    plan.failed(ahead, u32::MAX, None);
    assert!(plan.is_due(at(days(20).plus_seconds(60))));
}

/// A gateway with a certificate of 30 days, and the authority.
struct Set {
    ca: DevCa,
    files: TlsFiles,
    _folder: TempDir,
}

fn names() -> (Slug, ControllerId) {
    ("bay-1".parse().expect("a slug"), "NO-999999999".parse().expect("a controller"))
}

impl Set {
    fn new() -> Self {
        let (ca, folder) = (DevCa::new(), tempfile::tempdir().expect("a temporary folder"));
        let at = |name: &str| folder.path().join(name);
        let files = TlsFiles { ca: at("ca.pem"), certificate: at("gateway.pem"), key: at("gateway.key") };
        let (key, csr) = enrol::draw().expect("random bytes");
        fs::write(&files.ca, ca.certificate_pem()).expect("writable");
        fs::write(&files.key, &*key).expect("writable");
        let it = Self { ca, files, _folder: folder };
        fs::write(&it.files.certificate, enrol::pem(&it.issue(&csr, NOW))).expect("writable");
        it
    }

    fn issue(&self, csr: &[u8], now: UtcMicros) -> CertificateAnswer {
        let (gateway, controller) = names();
        let issued = self.ca.issue(csr, &gateway, &controller, now);
        CertificateAnswer { chain: vec![Blob(issued.certificate)], not_after: issued.not_after }
    }

    fn until(&self) -> UtcMicros {
        Held::of(&self.files).expect("certificate and key fit");
        Certificate::read(&self.files.certificate).expect("a certificate").validity.not_after
    }

    fn is_there(&self, ending: &str) -> bool {
        [&self.files.certificate, &self.files.key].iter().any(|path| Path::exists(&with(path, ending)))
    }
}

#[tokio::test]
async fn interrupted_anywhere_the_old_or_the_new_certificate_works_and_the_next_look_goes_on() {
    for steps in 0.. {
        let set = Set::new();
        let left = AtomicUsize::new(steps);
        let power = || {
            let left = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.map(|_| ()).map_err(|_| io::Error::other("the power is gone"))
        };
        let asked = Mutex::new(Vec::new());
        let central = async |request: &RenewalRequest| {
            let down = || CallError::Busy { status: 503, retry_after: None };
            power().map_err(|_| down())?;
            asked.lock().expect("one at a time").push(request.csr.0.clone());
            power().map_err(|_| down())?;
            Ok(set.issue(&request.csr.0, days(20)))
        };
        let first = renew(&power, &set.files, central).await;
        // What a gateway does at its start.
        let places =
            Places { certificate: set.files.certificate.clone(), key: set.files.key.clone(), device: None };
        files::finish(&files::open, &places, RENEWING).expect("the power is back");
        assert!([days(30), days(50)].contains(&set.until()), "after {steps} steps");
        if first.is_ok() {
            assert!(steps > 8, "there is that much to interrupt");
            assert!(set.until() == days(50) && !set.is_there(RENEWING));
            return;
        }
        if set.until() == days(30) {
            let central = async |request: &RenewalRequest| Ok(set.issue(&request.csr.0, days(20)));
            renew(&files::open, &set.files, central).await.expect("it goes on");
        }
        assert!(set.until() == days(50) && !set.is_there(RENEWING), "after {steps} steps");
    }
}

#[tokio::test]
async fn a_key_whose_answer_was_lost_is_asked_with_again() {
    let set = Set::new();
    let drawn = Mutex::new(Vec::new());
    for round in 0..3 {
        let central = async |request: &RenewalRequest| {
            let (_, key) = x509_key(&request.csr.0);
            drawn.lock().expect("one at a time").push(key);
            if round < 2 {
                Err(CallError::Busy { status: 503, retry_after: None })
            } else {
                Ok(set.issue(&request.csr.0, days(20)))
            }
        };
        assert_eq!(renew(&files::open, &set.files, central).await.is_ok(), round == 2);
    }
    let drawn = drawn.into_inner().expect("whole");
    assert!(drawn.len() == 3 && drawn.iter().all(|key| *key == drawn[0]), "one key, until it is answered");
    assert_eq!(set.until(), days(50));
}

/// The public key in a certificate request, found by its length: the 65 bytes of a point on P-256 (SEC 1, 2.3.3).
fn x509_key(csr: &[u8]) -> (usize, Vec<u8>) {
    let at =
        csr.windows(4).position(|four| four == [0x03, 0x42, 0x00, 0x04]).expect("a bit string with a point");
    (at, csr[at + 3..at + 68].to_vec())
}

#[tokio::test]
async fn while_central_is_away_the_certificate_stays_and_how_it_stands_is_told() {
    let set = Set::new();
    let held = Held::of(&set.files).expect("a pair");
    // Nobody listens there.
    let nowhere = Config { connect_timeout: Duration::from_millis(50), ..Config::new("https://127.0.0.1:9") };
    let tls = set.files.client_with(&held).expect("a client");
    let uplink = Uplink::new(&nowhere, names().0, tls).expect("an address");
    let micros = Arc::new(AtomicI64::new(NOW.0));
    let shown = Arc::clone(&micros);
    let clock: Arc<dyn Clock> = Arc::new(move || Stamp {
        wall: UtcMicros(shown.load(Ordering::SeqCst)),
        boot: BootMicros(0),
        quality: TimeQuality::Synced,
    });
    let shared = Arc::new(Shared::default());
    let mut renewing =
        Renew::new(uplink, set.files.clone(), held, clock, Arc::clone(&shared)).expect("a plan");
    let mut seen = async |now: UtcMicros| {
        micros.store(now.0, Ordering::SeqCst);
        renewing.look().await;
        shared.certificate_seen().expect("told").health
    };
    assert_eq!(seen(days(19)).await, CertificateHealth::Good);
    assert!(!set.is_there(RENEWING), "nothing was tried");
    assert_eq!(seen(days(20)).await, CertificateHealth::Good);
    assert!(set.is_there(RENEWING), "it was tried");
    assert_eq!(seen(days(25)).await, CertificateHealth::Late);
    assert_eq!(seen(days(30)).await, CertificateHealth::Ended);
    assert_eq!(set.until(), days(30));
}
