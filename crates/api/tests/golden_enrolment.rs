//! The frozen forms of enrolment. Where one of these fails, mend the code, not the
//! file: gateways in the field speak this (decision note 0020).

mod frozen;

use frozen::{frozen, slug};
use vernport_api::{
    Blob, CertificateAnswer, EnrolmentAnswer, EnrolmentRequest, GatewayListed, GatewayState, GatewaysAnswer,
    InvitationAnswer, InvitationListed, InvitationRequest, RenewalRequest, Token,
};
use vernport_crypto::{Signature, VerifyingKey, sha256};
use vernport_types::UtcMicros;

/// 2026-12-20T00:00:00Z.
const UNTIL: UtcMicros = UtcMicros(1_797_724_800_000_000);

fn token() -> Token {
    Token::from_bytes([0xA5; 32])
}

fn certificate() -> CertificateAnswer {
    CertificateAnswer {
        chain: vec![Blob(b"certificate".to_vec()), Blob(b"above".to_vec())],
        not_after: UNTIL,
    }
}

#[test]
fn a_gateway_is_invited_like_this() {
    let request = InvitationRequest {
        gateway: slug("bay-1"),
        site: slug("main"),
        station: slug("bay-1"),
        valid_h: 24,
        replace: false,
    };
    frozen(include_str!("../golden/invitation-request.json"), &request);
    let answer = InvitationAnswer { token: token(), expires_at: UNTIL };
    frozen(include_str!("../golden/invitation-answer.json"), &answer);
}

#[test]
fn a_gateway_enrols_and_renews_like_this() {
    let request = EnrolmentRequest {
        controller: "NO-999999999".parse().expect("a controller"),
        gateway: slug("bay-1"),
        token: token(),
        csr: Blob(b"request".to_vec()),
        device_key: VerifyingKey::from_bytes([0x44; 32]),
        proof: Signature::from_bytes([0x55; 64]),
    };
    frozen(include_str!("../golden/enrolment-request.json"), &request);
    let answer = EnrolmentAnswer {
        certificate: certificate(),
        controller: "NO-999999999".parse().expect("a controller"),
        site: slug("main"),
        station: slug("bay-1"),
        head_key: VerifyingKey::from_bytes([0x66; 32]),
        central_url: Some("https://central.example:8443".into()),
    };
    frozen(include_str!("../golden/enrolment-answer.json"), &answer);
    let renewal = RenewalRequest { csr: Blob(b"request".to_vec()) };
    frozen(include_str!("../golden/renewal-request.json"), &renewal);
    frozen(include_str!("../golden/certificate-answer.json"), &certificate());
}

#[test]
fn gateways_are_listed_like_this() {
    let listed = |name: &str, state, certificate_until| GatewayListed {
        gateway: slug(name),
        site: slug("main"),
        station: slug("bay-1"),
        state,
        enrolled_at: UtcMicros(1_795_132_800_000_000),
        certificate_until,
    };
    let answer = GatewaysAnswer {
        gateways: vec![
            listed("bay-1", GatewayState::Enrolled, Some(UNTIL)),
            listed("bay-2", GatewayState::Ended, None),
            listed("bay-3", GatewayState::Revoked, Some(UNTIL)),
        ],
        invitations: vec![InvitationListed { gateway: slug("bay-4"), expires_at: UNTIL, replace: true }],
    };
    frozen(include_str!("../golden/gateways-answer.json"), &answer);
}

#[test]
fn central_keeps_this_hash_of_a_token() {
    let bytes = [b"vernport enrolment token v1\0".as_slice(), &[0xA5; 32]].concat();
    assert_eq!(token().hash(), sha256(&bytes));
}
