//! Enrolment: a token works once, for one name, for who has the keys; nothing else
//! tells anything to anybody.

use crate::common::{
    CONTROLLER, GATEWAY, OTHER_CONTROLLER, World, client, connect, controller,
    enrolling::{BOX, NewBox, csr, enrolling},
    open_flow, refused, slug, taken,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::json;
use std::time::Duration;
use vernport_api::{
    Blob, CertificateAnswer, Code, EnrolmentAnswer, EnrolmentRequest, GatewayState, GatewaysAnswer,
    PATH_ENROLMENTS, PATH_GATEWAYS, PATH_INVITATIONS, Token,
};
use vernport_crypto::SigningKey;
use vernport_testkit::pki::Role;

const DAY_SECONDS: i64 = 86_400;

#[tokio::test]
async fn an_invited_box_enrols_once_and_then_is_a_gateway_like_any_other() {
    let central = enrolling().await;
    let (new, token) = (NewBox::new(BOX), central.invite(BOX, false).await);
    let answer: EnrolmentAnswer = taken(central.enrol(&new.request(&token)).await).await;
    assert_eq!((answer.controller.as_str(), answer.site.as_str()), (CONTROLLER, "oslo"));
    assert_eq!(answer.station.as_str(), "bay-1");
    assert_eq!(answer.head_key, central.world.head_key());
    assert_eq!(answer.central_url.as_deref(), Some("https://central.example:8443"));
    assert_eq!(answer.certificate.not_after, central.world.now().plus_seconds(30 * DAY_SECONDS));
    assert_eq!(answer.certificate.chain.len(), 1, "the authority itself is trusted");

    let gateway = central.as_box(&new.tls, &answer.certificate);
    let snapshot = central.feed_as(&gateway, BOX, None, 0).await.snapshot.expect("enrolled");
    let grant = open_flow(&snapshot, "odometer").expect("the order is at its station").id;
    assert!(central.deliver_of(&gateway, &new, grant).await.status().is_success());
    assert_eq!(central.stored_batches().await, 1);

    let listed: GatewaysAnswer =
        taken(central.registrar().get(central.url(PATH_GATEWAYS)).send().await.expect("an answer")).await;
    let own = listed.gateways.iter().find(|of| of.gateway.as_str() == BOX).expect("listed");
    assert_eq!(
        (own.state, own.certificate_until),
        (GatewayState::Enrolled, Some(answer.certificate.not_after))
    );
    let by_file = listed.gateways.iter().find(|of| of.gateway.as_str() == GATEWAY).expect("listed");
    assert_eq!((by_file.state, by_file.certificate_until), (GatewayState::Enrolled, None));
    assert!(listed.invitations.is_empty(), "it was used");

    // It stays so: enrolled, and with the certificate that is in force.
    let central = central.restart_enrolling().await;
    let gateway = central.as_box(&new.tls, &answer.certificate);
    assert!(central.deliver_of(&gateway, &new, grant).await.status().is_success());
}

#[tokio::test]
async fn what_is_not_an_open_invitation_gets_one_answer_whatever_it_is() {
    let central = enrolling().await;
    let (new, other) = (NewBox::new(BOX), NewBox::new("bay-2"));
    let token = central.invite(BOX, false).await;
    let replaceable = central.invite(GATEWAY, true).await;
    let before = central.world.inspect().await;

    let mut elsewhere = new.request(&token);
    elsewhere.controller = controller(OTHER_CONTROLLER);
    let mut not_served = new.request(&token);
    not_served.controller = controller("NO-123456785");
    let mut foreign_device = new.request(&token);
    foreign_device.device_key = SigningKey::generate().verifying_key();
    let mut other_csr = new.request(&token);
    other_csr.csr = Blob(other.csr());
    let cases = [
        ("token unknown", new.request(&Token::generate())),
        ("token of another name", other.request(&token)),
        ("token of another name", new.request(&replaceable)),
        ("token unknown", elsewhere),
        ("controller not served", not_served),
        ("proof of the device key wrong", foreign_device),
        ("proof of the device key wrong", other_csr),
    ];
    let mut told = Vec::new();
    for (reason, request) in &cases {
        let counted = central.turned_away(reason);
        let problem = refused(central.enrol(request).await, Code::EnrolmentRefused).await;
        assert_eq!(central.turned_away(reason), counted + 1, "{reason}");
        told.push(problem);
    }
    assert_eq!(central.world.inspect().await, before, "without effect");
    central.world.advance_seconds(DAY_SECONDS);
    told.push(refused(central.enrol(&new.request(&token)).await, Code::EnrolmentRefused).await);
    assert_eq!(central.turned_away("token expired"), 1);
    assert!(told.windows(2).all(|two| two[0] == two[1]), "one answer for all");
    assert_eq!(central.refusals(Code::EnrolmentRefused), told.len() as u64);
    let after = central.world.inspect().await;
    for table in ["invitation", "gateway", "gateway_certificate", "entry"] {
        assert_eq!(after[table], before[table], "without effect");
    }
}

#[tokio::test]
async fn a_replayed_token_is_refused_and_changes_nothing_but_a_lost_answer_is_given_again() {
    let central = enrolling().await;
    let (new, thief) = (NewBox::new(BOX), NewBox::new(BOX));
    let token = central.invite(BOX, false).await;
    let first: EnrolmentAnswer = taken(central.enrol(&new.request(&token)).await).await;
    let before = central.world.inspect().await;

    refused(central.enrol(&thief.request(&token)).await, Code::EnrolmentRefused).await;
    let half = NewBox { device: SigningKey::from_seed(*new.device.seed()), ..NewBox::new(BOX) };
    refused(central.enrol(&half.request(&token)).await, Code::EnrolmentRefused).await;
    assert_eq!(central.turned_away("token replayed"), 2);
    // Signed anew, by the same keys: other bytes, and the same request.
    let again: EnrolmentAnswer = taken(central.enrol(&new.request(&token)).await).await;
    assert_eq!(again, first);
    assert_eq!(central.world.inspect().await, before);

    central.say(json!({"kind": "enrolment-ended", "gateway": BOX})).await;
    refused(central.enrol(&new.request(&token)).await, Code::EnrolmentRefused).await;
}

#[tokio::test]
async fn of_two_uses_of_a_token_at_once_one_wins() {
    let central = enrolling().await;
    let boxes = [NewBox::new(BOX), NewBox::new(BOX)];
    let token = central.invite(BOX, false).await;
    let (one, other) = (boxes[0].request(&token), boxes[1].request(&token));
    let (one, other) = tokio::join!(central.enrol(&one), central.enrol(&other));
    let (won, lost) = if one.status().is_success() { (one, other) } else { (other, one) };
    taken::<EnrolmentAnswer>(won).await;
    refused(lost, Code::EnrolmentRefused).await;
    let enrolments = central.world.inspect().await["gateway_certificate"].len();
    assert_eq!(enrolments, 1);
}

#[tokio::test]
async fn a_certificate_request_counts_by_its_key_alone_and_has_to_be_a_sound_one() {
    let central = enrolling().await;
    let (new, token) = (NewBox::new(BOX), central.invite(BOX, false).await);
    let before = central.world.inspect().await;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut signer = CertificateParams::default();
    signer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let good = new.csr();
    let mut foreign = good.clone();
    *foreign.last_mut().expect("long") ^= 1;
    let behind = [&good[..], b"\0"].concat();
    let cases = [
        csr(&authority, &new.tls),
        csr(&signer, &new.tls),
        foreign,
        behind,
        RSA_REQUEST.to_vec(),
        b"garbage".to_vec(),
        Vec::new(),
        vec![0x30; vernport_api::MAX_CSR_BYTES + 1],
    ];
    for wrong in &cases {
        let request = new.request_with(&token, wrong.clone());
        refused(central.enrol(&request).await, Code::CertificateRequestRefused).await;
    }
    refused(central.enrol_with("{}").await, Code::BadRequest).await;
    refused(central.enrol_with(vec![b' '; 9 * 1024]).await, Code::BodyTooLarge).await;
    assert_eq!(central.refusals(Code::CertificateRequestRefused), cases.len() as u64);
    assert_eq!(central.world.inspect().await, before);

    // Another's name in the request, and an Ed25519 key: the name is not looked at, the key is taken.
    let mut named = CertificateParams::default();
    named.distinguished_name.push(DnType::CommonName, "somebody");
    named.distinguished_name.push(DnType::OrganizationalUnitName, "registrar");
    let tls = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("random bytes");
    let new = NewBox { tls, ..new };
    let request = new.request_with(&token, csr(&named, &new.tls));
    let answer: EnrolmentAnswer = taken(central.enrol(&request).await).await;
    let gateway = central.as_box(&new.tls, &answer.certificate);
    assert!(central.feed_as(&gateway, BOX, None, 0).await.snapshot.is_some());
    refused(central.post(&gateway, PATH_INVITATIONS, &json!({})).await, Code::RoleNotAllowed).await;
}

/// A certificate request for an RSA key (RFC 8017) needs no more than its head to be refused: of the kind of its key.
const RSA_REQUEST: &[u8] = include_bytes!("rsa-request.der");

#[tokio::test]
async fn only_a_registrar_invites_within_bounds_and_nobody_over_one_that_is_enrolled() {
    let central = enrolling().await;
    for hours in [0, 169] {
        refused(central.invite_for(BOX, hours, false).await, Code::BadRequest).await;
    }
    refused(central.invite_for(GATEWAY, 24, false).await, Code::AlreadyEnrolled).await;
    for role in [Role::Gateway, Role::Recipient] {
        let other = client(&central.world.ca, GATEWAY, role, CONTROLLER);
        refused(central.post(&other, PATH_INVITATIONS, &json!({})).await, Code::RoleNotAllowed).await;
        let listed = other.get(central.url(PATH_GATEWAYS)).send().await.expect("an answer");
        refused(listed, Code::RoleNotAllowed).await;
    }
    for _ in 0..64 {
        central.invite(BOX, false).await;
    }
    refused(central.invite_for(BOX, 24, false).await, Code::TooManyInvitations).await;
    central.world.advance_seconds(DAY_SECONDS);
    central.invite(BOX, false).await;

    let without = World::new().start().await;
    without.ledger(without.world.visit()).await;
    refused(without.invite_for(BOX, 24, false).await, Code::NotFound).await;
    refused(without.renew(&without.gateway(), &NewBox::new(GATEWAY).tls).await, Code::NotFound).await;
}

#[tokio::test]
async fn an_invitation_is_overtaken_by_what_the_ledger_says_of_the_gateway_afterwards() {
    let central = enrolling().await;
    let token = central.invite(GATEWAY, true).await;
    central.world.advance_seconds(1);
    central.say(json!({"kind": "gateway-revoked", "gateway": GATEWAY})).await;
    let new = NewBox::new(GATEWAY);
    refused(central.enrol(&new.request(&token)).await, Code::EnrolmentRefused).await;
    assert_eq!(central.turned_away("token overtaken by the ledger"), 1);
    central.world.advance_seconds(1);
    let again = central.invite(GATEWAY, false).await;
    taken::<EnrolmentAnswer>(central.enrol(&new.request(&again)).await).await;
}

#[tokio::test]
async fn attempts_are_bounded_and_what_is_too_slow_or_too_long_is_given_up() {
    let central = World::new()
        .start_enrolling_within(|bounds| {
            bounds.attempts_per_minute = (100, 3);
            bounds.connection_timeout = Duration::from_millis(600);
        })
        .await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let slow = central.enrol_with(reqwest::Body::wrap_stream(never)).await;
    refused(slow, Code::Busy).await;
    let pieces = futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_024])));
    let long = central.enrol_with(reqwest::Body::wrap_stream(pieces)).await;
    refused(long, Code::BodyTooLarge).await;
    let request = NewBox::new(BOX).request(&Token::generate());
    refused(central.enrol(&request).await, Code::EnrolmentRefused).await;
    let fourth = central.enrol(&request).await;
    assert_eq!(fourth.headers().get("retry-after").map(|it| it.as_bytes()), Some(&b"2"[..]));
    refused(fourth, Code::Busy).await;
    assert_eq!(central.turned_away("too many attempts to enrol"), 1);

    // One who connects and says nothing is cut off.
    let mut silent = tokio::net::TcpStream::connect(central.enrolment_addr()).await.expect("accepted");
    let mut byte = [0];
    let closed = tokio::io::AsyncReadExt::read(&mut silent, &mut byte);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), closed).await.expect("cut off").unwrap_or(0), 0);
    assert_eq!(central.turned_away("slow client at the listener for enrolments"), 1);
}

#[tokio::test]
async fn the_two_listeners_serve_nothing_of_each_other() {
    let central = enrolling().await;
    let nobody = connect(&central.world.ca, None);
    let at = |path: &str| format!("https://{}{path}", central.enrolment_addr());
    for path in ["/v1/status", "/v1/feed", "/v1/ledger", "/"] {
        // Not by `refused`: the document describes these paths as they are at the other listener.
        let answer = nobody.get(at(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), 404);
        let problem: vernport_api::Problem = answer.json().await.expect("a problem document");
        assert_eq!(problem.code, Code::NotFound);
    }
    refused(nobody.get(at(PATH_ENROLMENTS)).send().await.expect("an answer"), Code::MethodNotAllowed).await;
    let request = NewBox::new(BOX).request(&Token::generate());
    let body = serde_json::to_value(&request).expect("plain data");
    let answer = central.registrar().post(central.url(PATH_ENROLMENTS)).json(&body).send().await;
    assert_eq!(answer.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_renewed_certificate_works_and_the_one_before_until_its_end() {
    let central = enrolling().await;
    let new = NewBox::new(BOX);
    let first = central.enrolled(&new, false).await;
    central.world.advance_seconds(20 * DAY_SECONDS);
    let key = KeyPair::generate().expect("random bytes");
    let renewed: CertificateAnswer = taken(central.renew(&first, &key).await).await;
    assert_eq!(renewed.not_after, central.world.now().plus_seconds(30 * DAY_SECONDS));
    // The answer was lost: the same key is given the same certificate.
    let again: CertificateAnswer = taken(central.renew(&first, &key).await).await;
    assert_eq!(again, renewed);
    let second = central.as_box(&key, &renewed);
    for gateway in [&first, &second] {
        central.feed_as(gateway, BOX, None, 0).await;
    }
    // Past its end the first is refused, also on a connection that was made before.
    central.world.advance_seconds(10 * DAY_SECONDS);
    let asked = serde_json::to_value(vernport_api::FeedRequest {
        gateway: slug(BOX),
        nonce: vernport_api::FeedNonce([9; 16]),
        known: None,
        wait_ms: 0,
        notices: false,
    })
    .expect("plain data");
    refused(central.post(&first, vernport_api::PATH_FEED, &asked).await, Code::CertificateRevoked).await;
    central.feed_as(&second, BOX, None, 0).await;

    let by_file = central.gateway();
    refused(central.renew(&by_file, &key).await, Code::EnrolmentRefused).await;
    let wrong = json!({"csr": Blob(b"garbage".to_vec())});
    let wrong = central.post(&second, vernport_api::PATH_RENEW, &wrong).await;
    refused(wrong, Code::CertificateRequestRefused).await;
    for _ in 0..7 {
        taken::<CertificateAnswer>(central.renew(&second, &KeyPair::generate().expect("random")).await).await;
    }
    refused(central.renew(&second, &KeyPair::generate().expect("random")).await, Code::Busy).await;
}

#[test]
fn the_debug_of_a_request_hides_its_token() {
    let token = Token::generate();
    let request: EnrolmentRequest = NewBox::new(BOX).request(&token);
    assert!(!format!("{request:?}").contains(&token.text()[5..]));
}
