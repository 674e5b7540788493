//! Enrolling with a central that answers here, and a disk and a line that fail at
//! every place there is.

use super::*;
use std::{
    cell::RefCell,
    io,
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicUsize, Ordering},
};
use tempfile::TempDir;
use vernport_api::{Blob, Code, Problem};
use vernport_crypto::{VerifyingKey, sha256};
use vernport_testkit::pki::DevCa;
use vernport_types::UtcMicros;
use vernport_uplink::{CallError, Held, TlsFiles};

/// 2026-11-20T00:00:00Z.
const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);

/// A central that takes one token, as the real one does.
struct Central {
    ca: DevCa,
    token: Token,
    /// What it enrolled: request, answer.
    enrolled: RefCell<Option<(EnrolmentRequest, EnrolmentAnswer)>>,
}

impl Central {
    fn new() -> Self {
        Self { ca: DevCa::new(), token: Token::generate(), enrolled: RefCell::new(None) }
    }

    fn answer(&self, asked: &EnrolmentRequest) -> Result<EnrolmentAnswer, EnrolError> {
        asked.verify().expect("the proof holds");
        let mut enrolled = self.enrolled.borrow_mut();
        if let Some((before, answer)) = &*enrolled
            && before == asked
        {
            return Ok(answer.clone());
        }
        if asked.token != self.token || enrolled.is_some() {
            let problem = Problem::new(Code::EnrolmentRefused, "ask for a new invitation");
            return Err(CallError::Refused(Box::new(problem)).into());
        }
        let issued = self.ca.issue(&asked.csr.0, &asked.gateway, &asked.controller, NOW);
        let answer = EnrolmentAnswer {
            certificate: CertificateAnswer {
                chain: vec![Blob(issued.certificate)],
                not_after: issued.not_after,
            },
            controller: asked.controller.clone(),
            site: "drammen".parse().expect("a slug"),
            station: "bay-1".parse().expect("a slug"),
            head_key: asked.device_key,
            central_url: None,
        };
        *enrolled = Some((asked.clone(), answer.clone()));
        Ok(answer)
    }
}

/// A gateway's folder, without keys or with those of an earlier enrolment.
struct Folder {
    folder: TempDir,
    config: Config,
}

impl Folder {
    fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["keys", "tls"] {
            fs::create_dir(folder.path().join(name)).expect("writable");
        }
        let path = folder.path().join("gateway.toml");
        fs::write(&path, include_str!("../../../../config/gateway.basic.toml")).expect("writable");
        let config = Config::load(&path).expect("the sample");
        Self { folder, config }
    }

    fn enrolled_before(central: &Central) -> Self {
        let it = Self::fresh();
        let identity = &it.config.gateway;
        let own =
            central.ca.client(&identity.name, vernport_testkit::pki::Role::Gateway, &identity.controller);
        let places = places(&it.config);
        files::write(&files::open, &places.certificate, own.certificate_pem().as_bytes()).expect("writable");
        files::write(&files::open, &places.key, own.key_pem().as_bytes()).expect("writable");
        let device = format!("{}\n", "07".repeat(32));
        files::write(&files::open, &places.device.expect("a file"), device.as_bytes()).expect("writable");
        it
    }

    /// The device key and a hash of the certificate, once both fit together; none: nothing is there.
    fn works(&self) -> Option<(VerifyingKey, [u8; 32])> {
        let places = places(&self.config);
        if !places.certificate.exists() {
            return None;
        }
        let (certificate, key) = (places.certificate.clone(), places.key);
        Held::of(&TlsFiles { ca: PathBuf::new(), certificate, key }).expect("certificate and key fit");
        let device = SigningKey::from_seed(*read_key(&places.device.expect("a file")).expect("a device key"));
        Some((device.verifying_key(), sha256(&fs::read(places.certificate).expect("readable"))))
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["keys", "tls"] {
            for file in fs::read_dir(self.folder.path().join(name)).expect("a folder") {
                let file = file.expect("a file");
                let mode = file.metadata().expect("about it").permissions().mode();
                assert_eq!(mode & 0o077, 0, "{:?} is closed to others", file.file_name());
                found.push(file.file_name().to_string_lossy().into_owned());
            }
        }
        found.sort();
        found
    }
}

/// Fails from the so-and-so-many-th question on, as after a power cut.
struct Power {
    left: AtomicUsize,
}

impl Power {
    fn for_steps(steps: usize) -> Self {
        Self { left: AtomicUsize::new(steps) }
    }

    fn step(&self) -> io::Result<()> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| io::Error::other("the power is gone"))
    }
}

fn lost() -> EnrolError {
    CallError::Busy { status: 503, retry_after: None }.into()
}

async fn run(
    of: &Folder,
    central: &Central,
    replace: bool,
    power: &Power,
) -> Result<Enrolled, EnrolmentError> {
    let ask = async |request: &EnrolmentRequest| {
        // The line may go before the request is heard, and after it was answered.
        power.step().map_err(|_| lost())?;
        let answer = central.answer(request);
        power.step().map_err(|_| lost())?;
        answer
    };
    enrol_with(&of.config, Some(central.token.clone()), replace, &|| power.step(), ask).await
}

/// Cuts the power after each number of steps, until one is enough; after each cut either the old enrolment
/// works or the new one, and the same command ends what was begun.
async fn interrupted_everywhere(replace: bool) {
    for steps in 0.. {
        let central = Central::new();
        let of = if replace { Folder::enrolled_before(&central) } else { Folder::fresh() };
        let old = of.works();
        let first = run(&of, &central, replace, &Power::for_steps(steps)).await;
        // What a gateway does at its start.
        finish(&of.config).expect("the power is back");
        let after = of.works();
        let enrolled = central.enrolled.borrow().clone();
        let of_new = |works: Option<(VerifyingKey, [u8; 32])>| {
            let (request, answer) = central.enrolled.borrow().clone().expect("central enrolled it");
            let expected = (request.device_key, sha256(pem(&answer.certificate).as_bytes()));
            assert_eq!(works, Some(expected));
        };
        if after == old {
            assert!(first.is_err(), "after {steps} steps");
        } else {
            assert!(enrolled.is_some(), "after {steps} steps");
            of_new(after);
        }
        if first.is_ok() {
            assert!(steps > 10, "there is that much to interrupt");
            of_new(after);
            assert_eq!(of.files(), ["device.key", "gateway.key", "gateway.pem"]);
            return;
        }
        if after == old {
            run(&of, &central, replace, &Power::for_steps(1_000)).await.expect("it goes on");
        }
        of_new(of.works());
        assert_eq!(of.files(), ["device.key", "gateway.key", "gateway.pem"], "after {steps} steps");
    }
}

#[tokio::test]
async fn a_fresh_box_that_is_interrupted_anywhere_is_enrolled_by_the_same_command() {
    interrupted_everywhere(false).await;
}

#[tokio::test]
async fn a_box_that_is_replaced_and_interrupted_anywhere_has_the_old_or_the_new_enrolment() {
    interrupted_everywhere(true).await;
}

#[tokio::test]
async fn nothing_that_is_there_is_replaced_unless_it_is_said() {
    let central = Central::new();
    let of = Folder::enrolled_before(&central);
    let old = of.works();
    let refused = run(&of, &central, false, &Power::for_steps(1_000)).await.expect_err("it is there");
    assert!(matches!(&refused, EnrolmentError::There { path } if path.ends_with("gateway.pem")), "{refused}");
    assert!(refused.to_string().contains("--replace"));
    assert_eq!((of.works(), of.files().len()), (old, 3));
    assert!(central.enrolled.borrow().is_none(), "nothing was asked");
}

#[tokio::test]
async fn a_device_key_that_was_made_before_is_used_and_stays() {
    let central = Central::new();
    let of = Folder::fresh();
    let device = of.folder.path().join("keys/device.key");
    files::write(&files::open, &device, format!("{}\n", "09".repeat(32)).as_bytes()).expect("writable");
    run(&of, &central, false, &Power::for_steps(1_000)).await.expect("enrolled");
    let key = SigningKey::from_seed([9; 32]).verifying_key();
    assert_eq!(of.works().map(|(device, _)| device), Some(key));
}

#[tokio::test]
async fn a_refusal_leaves_everything_and_another_token_begins_anew() {
    let central = Central::new();
    let of = Folder::enrolled_before(&central);
    let old = of.works();
    let power = Power::for_steps(10_000);
    let ask = async |request: &EnrolmentRequest| central.answer(request);
    let wrong = Some(Token::generate());
    let refused = enrol_with(&of.config, wrong, true, &|| power.step(), ask).await.expect_err("refused");
    assert!(matches!(refused, EnrolmentError::Refused(_)));
    assert_eq!(of.works(), old);
    // Without a token the same is asked again, and refused again.
    let ask = async |request: &EnrolmentRequest| central.answer(request);
    enrol_with(&of.config, None, true, &|| power.step(), ask).await.expect_err("refused");
    run(&of, &central, true, &power).await.expect("with the right one");
    assert_ne!(of.works(), old);
    let fresh = Folder::fresh();
    let ask = async |_: &EnrolmentRequest| unreachable!("there is nothing to ask with");
    let none = enrol_with(&fresh.config, None, false, &|| power.step(), ask).await.expect_err("no token");
    assert!(matches!(none, EnrolmentError::NoToken), "{none}");
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_taken() {
    let central = Central::new();
    let of = Folder::enrolled_before(&central);
    let old = of.works();
    let power = Power::for_steps(10_000);
    let ask = async |request: &EnrolmentRequest| {
        let (_, csr) = draw().expect("random bytes");
        let other = EnrolmentRequest::sign(
            request.controller.clone(),
            request.gateway.clone(),
            request.token.clone(),
            csr,
            &SigningKey::generate(),
        );
        central.answer(&other)
    };
    let token = Some(central.token.clone());
    let unfit = enrol_with(&of.config, token, true, &|| power.step(), ask).await.expect_err("another key");
    assert!(matches!(unfit, EnrolmentError::File(FileError::Unfit(_))), "{unfit}");
    finish(&of.config).expect("nothing to finish");
    assert_eq!(of.works(), old);
}

#[tokio::test]
async fn what_was_asked_for_another_gateway_is_not_sent() {
    let central = Central::new();
    let mut of = Folder::fresh();
    let power = Power::for_steps(10_000);
    let ask = async |_: &EnrolmentRequest| Err(lost());
    let token = Some(central.token.clone());
    enrol_with(&of.config, token, false, &|| power.step(), ask).await.expect_err("the line is down");
    let request = of.folder.path().join("tls/gateway.pem.request");
    assert!(request.exists(), "it is kept");
    of.config.gateway.name = "bay-2".parse().expect("a slug");
    let refused = run(&of, &central, false, &power).await.expect_err("another gateway");
    assert!(matches!(&refused, EnrolmentError::OtherGateway { path } if *path == request), "{refused}");
    fs::write(&request, "c0ffee").expect("writable");
    let refused = run(&of, &central, false, &power).await.expect_err("no request");
    assert!(matches!(&refused, EnrolmentError::Request { .. }) && !refused.to_string().contains("c0ffee"));
}
