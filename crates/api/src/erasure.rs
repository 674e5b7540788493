//! Erasure: what became of an order to erase, its signed certificate, and what
//! recipients have to delete of what they read before.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey, hash_text, sha256};
use vernport_types::{ControllerId, EntryHash, EpochId, Slug, UtcMicros};

/// The most deletion orders in one answer, and confirmations in one request.
pub const MAX_DELETIONS: u16 = 256;
/// The most key epochs that a certificate lists one by one.
pub const MAX_LISTED_EPOCHS: usize = 4_096;

const CERTIFICATE_TAG: &[u8] = b"vernport erasure certificate v1\0";

/// A registrar asks what became of an order to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// The entry that ordered it; its certificates bear the same name.
    pub entry: EntryHash,
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasureState {
    /// Central is at it.
    UnderWay,
    /// All is done that may be done; the rest is kept for the time that the last certificate says.
    Kept,
    /// Nothing is left.
    Complete,
    /// The order was a mistake: what it had erased by then is gone, the rest is there and used as before.
    Voided,
}

/// What became of an order to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureAnswer {
    /// How far it is.
    pub state: ErasureState,
    /// Its certificates, the last one last.
    pub certificates: Vec<SignedCertificate>,
    /// What recipients were told to delete.
    pub deletions: Vec<Deletion>,
    /// What fleet operators were told to delete of what was published to them.
    pub notices: Vec<Notice>,
}

/// Why something is kept in spite of an order to erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptBy {
    /// A hold.
    Hold,
    /// An exception from the order (GDPR Art. 17(3)).
    Exception,
    /// A restriction, which suspends deletion, too.
    Restriction,
}

/// What is kept, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What kind of thing keeps it.
    pub by: KeptBy,
    /// The entry that keeps it.
    pub entry: EntryHash,
    /// The first moment at which it goes; none: when the restriction is lifted.
    pub until: Option<UtcMicros>,
    /// How many key epochs.
    pub epochs: u64,
    /// How many batches they have.
    pub batches: u64,
}

/// Who read some of it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBefore {
    /// Who.
    pub recipient: Slug,
    /// For which purpose.
    pub purpose: Slug,
    /// How many key epochs have an order to delete.
    pub epochs: u64,
    /// How many batches the recipient read of them.
    pub batches: u64,
}

/// What an erasure at central does not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotReached {
    /// Keys that recipients unwrapped before: there is an order to delete for each, and its receipt.
    KeysUnwrappedBefore,
    /// Messages that a fleet operator took from its topics before.
    MessagesPublishedBefore,
    /// Backups of the second database: they have to end by themselves, soon.
    BackupsOfErasureKeys,
    /// The ledger: what was said stays, by pseudonym, as evidence.
    Ledger,
}

/// What central certifies of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// 1 for this form.
    pub format: u16,
    /// Whose data it was.
    pub controller: ControllerId,
    /// The ledger entry that ordered it.
    pub entry: EntryHash,
    /// Which certificate of that order, from 1.
    pub number: u32,
    /// When it was issued.
    pub issued_at: UtcMicros,
    /// Whether nothing that the order is about is left here.
    pub complete: bool,
    /// How many key epochs were erased, since the order.
    pub epochs: u64,
    /// How many batches they had.
    pub batches: u64,
    /// SHA-256 over the SHA-256 of each erased epoch's id, in the order of these hashes.
    #[serde(with = "hash_text")]
    pub epochs_hash: [u8; 32],
    /// The SHA-256 of each erased epoch's id, as hexadecimal digits, sorted; at most [`MAX_LISTED_EPOCHS`].
    pub epoch_hashes: Vec<String>,
    /// What is kept.
    pub kept: Vec<Kept>,
    /// Who read some of it before.
    pub read_before: Vec<ReadBefore>,
    /// What this does not reach.
    pub not_reached: Vec<NotReached>,
}

impl Certificate {
    /// The form that this version writes and reads.
    pub const FORMAT: u16 = 1;

    /// The hashes of erased epochs: over all, and one by one.
    pub fn hashes(epochs: &[EpochId]) -> ([u8; 32], Vec<String>) {
        let mut hashes: Vec<[u8; 32]> = epochs.iter().map(|epoch| sha256(epoch.as_bytes())).collect();
        hashes.sort_unstable();
        let all = sha256(&hashes.concat());
        (all, hashes.iter().take(MAX_LISTED_EPOCHS).map(hex::encode).collect())
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> SignedCertificate {
        let certificate = serde_json::to_string(self).expect("ids, numbers and lists are plain data");
        let signature = key.sign(&signed_bytes(&certificate));
        SignedCertificate { certificate, signature }
    }
}

fn signed_bytes(certificate: &str) -> Vec<u8> {
    [CERTIFICATE_TAG, certificate.as_bytes()].concat()
}

/// Why something is not a certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// Not signed by this key.
    #[error("the certificate is not signed by central's head key")]
    Signature(#[from] VerifyError),
    /// Not the JSON of a certificate.
    #[error("not a certificate of format 1, at line {line} column {column}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

/// A certificate as text, and central's signature over that text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCertificate {
    /// The JSON of a [`Certificate`].
    pub certificate: String,
    /// By central's head key, over `"vernport erasure certificate v1" 00` and the text.
    pub signature: Signature,
}

impl SignedCertificate {
    /// The certificate, if the key signed it.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<Certificate, CertificateError> {
        key.verify(&signed_bytes(&self.certificate), &self.signature)?;
        let shape = |line, column| CertificateError::Shape { line, column };
        let read: Certificate =
            serde_json::from_str(&self.certificate).map_err(|error| shape(error.line(), error.column()))?;
        if read.format == Certificate::FORMAT { Ok(read) } else { Err(shape(1, 1)) }
    }
}

/// How far a deletion at a recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletionState {
    /// Ordered, and there is time left.
    Ordered,
    /// The recipient says that it deleted.
    Confirmed,
    /// Not confirmed in time.
    Late,
}

/// An order to a recipient: delete what was read of this key epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// Its number, for the confirmation.
    pub id: i64,
    /// Who has to delete.
    pub recipient: Slug,
    /// For which purpose it was read.
    pub purpose: Slug,
    /// Of which flow.
    pub flow: Slug,
    /// The key epoch: it stands in the header of each envelope that is meant.
    pub epoch: EpochId,
    /// How many batches of it were read.
    pub batches: u64,
    /// The entry that ordered the erasure.
    pub entry: EntryHash,
    /// Since when.
    pub ordered_at: UtcMicros,
    /// Until when it has to be confirmed.
    pub confirm_by: UtcMicros,
    /// When the recipient first fetched it.
    pub fetched_at: Option<UtcMicros>,
    /// When the recipient confirmed it.
    pub confirmed_at: Option<UtcMicros>,
    /// How far it is.
    pub state: DeletionState,
}

/// A notice to a fleet operator: delete what was published of this flow about one vehicle, in this time.
/// Which vehicle is between the operator and central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Who has to delete.
    pub operator: Slug,
    /// For which purpose it was published.
    pub purpose: Slug,
    /// Of which flow.
    pub flow: Slug,
    /// The earliest time of a message that is meant.
    pub from: UtcMicros,
    /// The latest.
    pub until: UtcMicros,
    /// Since when it is ordered.
    pub ordered_at: UtcMicros,
    /// Until when it has to be confirmed.
    pub confirm_by: UtcMicros,
    /// When the operator's broker last took it.
    pub told_at: Option<UtcMicros>,
    /// When the operator confirmed it.
    pub confirmed_at: Option<UtcMicros>,
    /// How far it is.
    pub state: DeletionState,
}

/// A recipient asks what it has to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionsRequest {
    /// Where the last answer ended; none to begin.
    pub after: Option<i64>,
    /// The most orders wanted, 1 to [`MAX_DELETIONS`].
    pub limit: u16,
}

/// What a recipient has to delete and has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionsAnswer {
    /// The orders, the oldest first.
    pub deletions: Vec<Deletion>,
    /// Where this answer ended; none if nothing was behind `after`.
    pub cursor: Option<i64>,
}

/// A recipient says that it deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The numbers of the orders, all of them fetched before; 1 to [`MAX_DELETIONS`].
    pub deletions: Vec<i64>,
}

/// How many of them are confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmAnswer {
    /// Those that are orders to this recipient.
    pub confirmed: u64,
}

/// A registrar says what time it is: central does not delete by a clock that went far ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockRequest {
    /// The time by another clock than central's.
    pub now: UtcMicros,
}

/// Whether central believes its clock now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockAnswer {
    /// Whether the two clocks agree.
    pub believed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Certificate {
        let epochs = [EpochId::from_bytes([1; 16]), EpochId::from_bytes([2; 16])];
        let (epochs_hash, epoch_hashes) = Certificate::hashes(&epochs);
        Certificate {
            format: 1,
            controller: "NO-999999999".parse().expect("an id"),
            entry: EntryHash::from_bytes([7; 32]),
            number: 1,
            issued_at: UtcMicros(5),
            complete: false,
            epochs: 2,
            batches: 9,
            epochs_hash,
            epoch_hashes,
            kept: vec![Kept {
                by: KeptBy::Hold,
                entry: EntryHash::from_bytes([8; 32]),
                until: Some(UtcMicros(9)),
                epochs: 1,
                batches: 3,
            }],
            read_before: Vec::new(),
            not_reached: vec![NotReached::BackupsOfErasureKeys, NotReached::Ledger],
        }
    }

    #[test]
    fn a_certificate_counts_as_it_was_signed_only() {
        let key = SigningKey::from_seed([1; 32]);
        let signed = certificate().sign(&key);
        assert_eq!(signed.verify(&key.verifying_key()).expect("signed"), certificate());
        let certificate = signed.certificate.replace("\"batches\":9", "\"batches\":8");
        assert_ne!(certificate, signed.certificate);
        let changed = SignedCertificate { certificate, ..signed.clone() };
        assert!(matches!(changed.verify(&key.verifying_key()), Err(CertificateError::Signature(_))));
        let other = SigningKey::from_seed([2; 32]).verifying_key();
        assert!(matches!(signed.verify(&other), Err(CertificateError::Signature(_))));
    }

    #[test]
    fn what_is_signed_but_no_certificate_is_none_of_it() {
        let key = SigningKey::from_seed([1; 32]);
        for text in
            ["", "{}", "[1]", &certificate().sign(&key).certificate.replace("\"format\":1", "\"format\":2")]
        {
            let signed =
                SignedCertificate { certificate: text.into(), signature: key.sign(&signed_bytes(text)) };
            assert!(matches!(signed.verify(&key.verifying_key()), Err(CertificateError::Shape { .. })));
        }
    }
}
