//! Data keys wrapped to recipients: HPKE base mode (RFC 9180) with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
//!
//! `info` binds a wrap to its place; the additional data is empty. Points of
//! small order (the all-zero one among them) are refused on both sides
//! (RFC 9180, 7.1.4).

use crate::{DataKey, OpenError, TAG_BYTES, public::public_32, random, redacted_debug, sign::key_id};
use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256, rand_core::CryptoRng, setup_receiver, setup_sender_with_rng,
};
use thiserror::Error;
use vernport_types::KeyId;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// The longest `info` of a wrap.
pub const MAX_INFO_BYTES: usize = 1024;

public_32!(
    /// X25519 public key of a recipient: wraps data keys to it. Public.
    WrappingKey
);

/// A data key wrapped to one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrap {
    /// Whose key opens it.
    pub key_id: KeyId,
    /// The ephemeral public key (`enc` of RFC 9180).
    pub enc: [u8; 32],
    /// Data key and tag, sealed.
    pub ciphertext: [u8; 32 + TAG_BYTES],
}

/// Why a data key cannot be wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrapError {
    /// The recipient's key is a point of small order; it would protect nothing.
    #[error("key {key} is no usable X25519 key (small order); ask the recipient for a new one")]
    WeakKey {
        /// Which key.
        key: KeyId,
    },
    /// `info` over [`MAX_INFO_BYTES`].
    #[error("the wrap context has {bytes} bytes; at most {MAX_INFO_BYTES} are allowed")]
    Info {
        /// How long it is.
        bytes: usize,
    },
}

impl WrappingKey {
    /// The name of this key.
    pub fn key_id(&self) -> KeyId {
        key_id(self.as_bytes())
    }

    /// Wraps a data key so that only this key's secret half opens it, with the same `info`.
    ///
    /// # Errors
    /// [`WrapError`] for a key of small order or an `info` that is too long.
    pub fn wrap(&self, key: &DataKey, info: &[u8]) -> Result<Wrap, WrapError> {
        let ikm = Zeroizing::new(random::<32>());
        let (enc, ciphertext) = self.seal_base(&mut Once(&ikm[..]), info, b"", key.as_bytes())?;
        let ciphertext = ciphertext.try_into().expect("32 bytes and a tag");
        Ok(Wrap { key_id: self.key_id(), enc, ciphertext })
    }

    /// `SealBase` of RFC 9180, 6.1.
    fn seal_base(
        &self,
        rng: &mut impl CryptoRng,
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<([u8; 32], Vec<u8>), WrapError> {
        if info.len() > MAX_INFO_BYTES {
            return Err(WrapError::Info { bytes: info.len() });
        }
        let weak = |_| WrapError::WeakKey { key: self.key_id() };
        let public = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(self.as_bytes()).map_err(weak)?;
        let (enc, mut sender) = setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            info,
            rng,
        )
        .map_err(weak)?;
        let sealed = sender.seal(plaintext, aad).expect("the first message of a context seals");
        Ok((enc.to_bytes().into(), sealed))
    }
}

/// X25519 secret key of a recipient: opens what was wrapped to it.
#[derive(ZeroizeOnDrop)]
pub struct OpeningKey {
    secret: Zeroizing<[u8; 32]>,
    /// Its public half, which each opening asks for.
    #[zeroize(skip)]
    public: WrappingKey,
}

redacted_debug!(OpeningKey);

impl OpeningKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self::from_bytes(random())
    }

    /// The key of 32 stored bytes (RFC 7748; clamped when used).
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let secret = Zeroizing::new(bytes);
        bytes.zeroize();
        let public = X25519HkdfSha256::sk_to_pk(&private(&secret)).to_bytes().into();
        Self { secret, public: WrappingKey::from_bytes(public) }
    }

    /// The bytes, for the recipient's key file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.clone()
    }

    /// The public half.
    pub const fn wrapping_key(&self) -> WrappingKey {
        self.public
    }

    /// Opens a wrap made for this key with the same `info`.
    ///
    /// # Errors
    /// [`OpenError::OtherKey`] if the wrap names another key, [`OpenError::Refused`] if it does not open.
    pub fn unwrap(&self, wrap: &Wrap, info: &[u8]) -> Result<DataKey, OpenError> {
        let given = self.wrapping_key().key_id();
        if wrap.key_id != given {
            return Err(OpenError::OtherKey { wanted: wrap.key_id, given });
        }
        let plaintext = self.open_base(&wrap.enc, info, b"", &wrap.ciphertext)?;
        DataKey::from_slice(&plaintext).ok_or(OpenError::Refused)
    }

    /// `OpenBase` of RFC 9180, 6.1.
    pub(crate) fn open_base(
        &self,
        enc: &[u8; 32],
        info: &[u8],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if info.len() > MAX_INFO_BYTES {
            return Err(OpenError::Refused);
        }
        let enc =
            <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| OpenError::Refused)?;
        let mut receiver = setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private(&self.secret),
            &enc,
            info,
        )
        .map_err(|_| OpenError::Refused)?;
        receiver.open(sealed, aad).map(Zeroizing::new).map_err(|_| OpenError::Refused)
    }
}

fn private(secret: &[u8; 32]) -> <X25519HkdfSha256 as hpke::Kem>::PrivateKey {
    Deserializable::from_bytes(secret).expect("every 32 bytes are an X25519 key")
}

/// A random number generator of 32 bytes drawn before: HPKE takes its ephemeral
/// key from exactly these (RFC 9180, 7.1.3), so that all randomness comes from
/// [`random`] and a published vector can be fed in.
struct Once<'a>(&'a [u8]);

impl hpke::rand_core::TryRng for Once<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        let (taken, left) = self.0.split_at(dst.len());
        dst.copy_from_slice(taken);
        self.0 = left;
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for Once<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).expect("hex of the right length");
        bytes
    }

    /// The test vector of RFC 9180's companion file (cfrg/draft-irtf-cfrg-hpke,
    /// test-vectors.json) with mode 0, KEM 32, KDF 1, AEAD 2: this very suite.
    #[test]
    fn the_published_vector_of_this_suite_seals_and_opens() {
        let info = bytes::<20>("4f6465206f6e2061204772656369616e2055726e");
        let ikm_e = bytes::<32>("2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9");
        let enc = bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
        let plaintext = b"Beauty is truth, truth beauty";
        let ciphertext = bytes::<45>(
            "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a",
        );
        let opening =
            OpeningKey::from_bytes(bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"));
        let wrapping = opening.wrapping_key();
        let public = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
        assert_eq!(wrapping.to_string(), public);
        let sealed = wrapping.seal_base(&mut Once(&ikm_e), &info, b"Count-0", plaintext);
        assert_eq!(sealed, Ok((enc, ciphertext.to_vec())));
        let opened = opening.open_base(&enc, &info, b"Count-0", &ciphertext).expect("opens");
        assert_eq!(opened.as_slice(), plaintext);
        assert_eq!(opening.open_base(&enc, &info, b"Count-1", &ciphertext), Err(OpenError::Refused));
    }

    #[test]
    fn only_the_named_recipient_opens_a_wrap_and_only_in_its_place() {
        let (recipient, other) = (OpeningKey::generate(), OpeningKey::generate());
        let key = DataKey::generate();
        let wrap = recipient.wrapping_key().wrap(&key, b"here").expect("wraps");
        assert_eq!(recipient.unwrap(&wrap, b"here").expect("opens").as_bytes(), key.as_bytes());
        assert_eq!(recipient.unwrap(&wrap, b"there").err(), Some(OpenError::Refused));
        let given = other.wrapping_key().key_id();
        assert_eq!(
            other.unwrap(&wrap, b"here").err(),
            Some(OpenError::OtherKey { wanted: wrap.key_id, given })
        );
        // A wrap relabelled to the other key names it and still does not open.
        let relabelled = Wrap { key_id: given, ..wrap };
        assert_eq!(other.unwrap(&relabelled, b"here").err(), Some(OpenError::Refused));
    }

    #[test]
    fn every_flipped_bit_of_a_wrap_is_noticed() {
        let recipient = OpeningKey::generate();
        let wrap = recipient.wrapping_key().wrap(&DataKey::generate(), b"").expect("wraps");
        for bit in 0..8 * wrap.ciphertext.len() {
            let mut changed = wrap;
            changed.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert!(recipient.unwrap(&changed, b"").is_err(), "ciphertext bit {bit}");
        }
        for bit in 0..8 * wrap.enc.len() {
            let mut changed = wrap;
            changed.enc[bit / 8] ^= 1 << (bit % 8);
            assert!(recipient.unwrap(&changed, b"").is_err(), "enc bit {bit}");
        }
    }

    /// The points of small order of Curve25519 (RFC 7748, 6.1 and its security considerations).
    #[test]
    fn points_of_small_order_are_refused_on_both_sides() {
        let recipient = OpeningKey::generate();
        let wrap = recipient.wrapping_key().wrap(&DataKey::generate(), b"").expect("wraps");
        for point in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let weak = WrappingKey::from_bytes(bytes(point));
            let refused = WrapError::WeakKey { key: weak.key_id() };
            assert_eq!(weak.wrap(&DataKey::generate(), b""), Err(refused), "{point}");
            let forged = Wrap { enc: bytes(point), ..wrap };
            assert_eq!(recipient.unwrap(&forged, b"").err(), Some(OpenError::Refused), "{point}");
        }
    }

    #[test]
    fn a_context_beyond_the_bound_is_refused_not_a_panic() {
        let (recipient, long) = (OpeningKey::generate(), vec![0; MAX_INFO_BYTES + 1]);
        let wrapping = recipient.wrapping_key();
        assert_eq!(
            wrapping.wrap(&DataKey::generate(), &long),
            Err(WrapError::Info { bytes: MAX_INFO_BYTES + 1 })
        );
        let wrap = wrapping.wrap(&DataKey::generate(), &long[1..]).expect("at the bound");
        assert!(recipient.unwrap(&wrap, &long[1..]).is_ok());
        assert_eq!(recipient.unwrap(&wrap, &long).err(), Some(OpenError::Refused));
    }
}
