//! Sealing: one key epoch, one data key, one counter.

use crate::{
    BatchContext, BatchHead, Body, EnvelopeHeader, MAX_ENVELOPE_BYTES, MAX_RECORDS, MAX_SEQUENCE, MAX_WRAPS,
    Recipient, Record, Sealed, SignalName,
    envelope::{assemble, envelope_bytes, write_wraps},
    header::wrap_info,
};
use std::fmt;
use thiserror::Error;
use vernport_crypto::{DataKey, SigningKey, TAG_BYTES, Wrap, WrapError, WrappingKey};
use vernport_policy::{Minimiser, Released};
use vernport_types::{
    BatchId, Catalogue, ControllerId, EpochId, GrantId, Identification, KeyId, SignalId, Slug, UtcMicros,
};

/// What holds for all batches of one key epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochContext {
    /// Whose data it is.
    pub controller: ControllerId,
    /// Which gateway seals.
    pub gateway: Slug,
    /// Which flow.
    pub flow: Slug,
    /// The name of the epoch; random.
    pub epoch: EpochId,
    /// Which rule of the bundle says when a batch is due.
    pub retention_rule: Slug,
    /// The opening that the epoch serves: one asset, one flow, one state of facts.
    pub grant: GrantId,
}

/// Why an epoch cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EpochError {
    /// Nobody to seal to, or too many.
    #[error("{recipients} recipients; an epoch has 1 to {} beside the recovery key", MAX_WRAPS - 1)]
    Recipients {
        /// How many.
        recipients: usize,
    },
    /// Two of the keys are one.
    #[error("key {key} is there twice; recipients and recovery need keys of their own")]
    Twice {
        /// Which key.
        key: KeyId,
    },
    /// A key that nothing can be sealed to.
    #[error("the data key cannot be wrapped")]
    Wrap(#[from] WrapError),
}

/// Why a batch cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// A batch of nothing.
    #[error("a batch needs at least one release")]
    Empty,
    /// Over [`MAX_RECORDS`].
    #[error("{records} releases are too many for one batch; at most {MAX_RECORDS} fit")]
    Records {
        /// How many.
        records: usize,
    },
    /// A release of another opening.
    #[error(
        "a release of grant {found} does not belong to the epoch of grant {expected}; begin an epoch for it"
    )]
    OtherGrant {
        /// The grant of the epoch.
        expected: GrantId,
        /// The grant of the release.
        found: GrantId,
    },
    /// A release under another alias; the vehicle would be called two names in one batch.
    #[error("a release carries another alias than the first one; seal it in a batch of its own")]
    OtherAlias,
    /// More signals than a record can name.
    #[error("more than 256 signals in one batch; seal them in two")]
    Signals,
    /// Over [`MAX_ENVELOPE_BYTES`].
    #[error(
        "an envelope of {bytes} bytes is too long; at most {MAX_ENVELOPE_BYTES} are allowed, so seal fewer releases"
    )]
    TooLong {
        /// How long it would be.
        bytes: usize,
    },
    /// The counter is at its end.
    #[error("the key epoch {epoch} has sealed all of its batches; begin a new one")]
    Exhausted {
        /// Which epoch.
        epoch: EpochId,
    },
}

/// One key epoch at the gateway. Its data key is in memory only, and gone when
/// this is dropped.
pub struct EpochSealer {
    context: EpochContext,
    key: DataKey,
    /// The list of wraps as it stands in every envelope of the epoch.
    wraps: Vec<u8>,
    /// The next sequence.
    next: u64,
}

impl fmt::Debug for EpochSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochSealer")
            .field("context", &self.context)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl EpochSealer {
    /// Begins an epoch: draws its data key and wraps it to each recipient and to the recovery key.
    ///
    /// # Errors
    /// [`EpochError`] for no, too many, equal or weak keys.
    pub fn new(
        context: EpochContext,
        recipients: &[WrappingKey],
        recovery: &WrappingKey,
    ) -> Result<Self, EpochError> {
        if !(1..MAX_WRAPS).contains(&recipients.len()) {
            return Err(EpochError::Recipients { recipients: recipients.len() });
        }
        let key = DataKey::generate();
        let mut wraps: Vec<Wrap> = Vec::with_capacity(recipients.len() + 1);
        for recipient in recipients.iter().chain([recovery]) {
            let key_id = recipient.key_id();
            if wraps.iter().any(|wrap| wrap.key_id == key_id) {
                return Err(EpochError::Twice { key: key_id });
            }
            let info = wrap_info(&context.controller, &context.flow, &context.epoch, &key_id);
            wraps.push(recipient.wrap(&key, &info)?);
        }
        Ok(Self { context, key, wraps: write_wraps(&wraps), next: 0 })
    }

    /// What the epoch is of.
    pub fn context(&self) -> &EpochContext {
        &self.context
    }

    /// Seals and signs one batch of releases, all of this epoch's grant.
    ///
    /// # Errors
    /// [`SealError`]; nothing is sealed then.
    pub fn seal(
        &mut self,
        signer: &SigningKey,
        batch: BatchId,
        latest_due: UtcMicros,
        context: BatchContext,
        released: &[Released],
        catalogue: &Catalogue,
    ) -> Result<Sealed<Recipient>, SealError> {
        if released.len() > MAX_RECORDS {
            return Err(SealError::Records { records: released.len() });
        }
        let expected = self.context.grant;
        if let Some(other) = released.iter().find(|release| release.grant_id() != expected) {
            return Err(SealError::OtherGrant { expected, found: other.grant_id() });
        }
        let body = body(context, released, catalogue)?;
        self.seal_body(signer, batch, latest_due, &body)
    }

    fn seal_body(
        &mut self,
        signer: &SigningKey,
        batch: BatchId,
        latest_due: UtcMicros,
        body: &Body,
    ) -> Result<Sealed<Recipient>, SealError> {
        let EpochContext { controller, gateway, flow, epoch, retention_rule, grant: _ } =
            self.context.clone();
        if self.next > MAX_SEQUENCE {
            return Err(SealError::Exhausted { epoch });
        }
        let header = EnvelopeHeader {
            controller,
            gateway,
            batch,
            flow,
            epoch,
            latest_due,
            retention_rule,
            sequence: self.next,
        }
        .to_bytes();
        let plain = body.to_bytes();
        let bytes = envelope_bytes(header.len(), plain.len() + TAG_BYTES, self.wraps.len());
        if bytes > MAX_ENVELOPE_BYTES {
            return Err(SealError::TooLong { bytes });
        }
        // INVARIANT: the counter moves before the key is used, so that none is used twice.
        let sequence = self.next;
        self.next += 1;
        let sealed = self.key.seal(sequence, &header, plain);
        Ok(Sealed::new(assemble(&header, &sealed, &self.wraps, signer)))
    }
}

fn body(context: BatchContext, released: &[Released], catalogue: &Catalogue) -> Result<Body, SealError> {
    let alias = released.first().ok_or(SealError::Empty)?.alias();
    let mut identified_by = Identification::BusVin;
    let mut signals: Vec<(SignalId, Minimiser)> = Vec::new();
    let mut records = Vec::with_capacity(released.len());
    for release in released {
        if release.alias() != alias {
            return Err(SealError::OtherAlias);
        }
        identified_by = identified_by.min(release.identified_by());
        let signal = (release.signal(), release.minimiser());
        let place = signals.iter().position(|known| *known == signal).unwrap_or_else(|| {
            signals.push(signal);
            signals.len() - 1
        });
        records.push(Record {
            signal: u8::try_from(place).map_err(|_| SealError::Signals)?,
            value: release.value(),
            at: release.at(),
            source: release.source(),
            how: release.how(),
        });
    }
    let name = |(id, minimiser): &(SignalId, Minimiser)| {
        let signal = catalogue.signal(*id);
        SignalName {
            path: signal.path.to_string(),
            unit: signal.unit.to_string(),
            minimiser: minimiser.to_string(),
        }
    };
    let signals = signals.iter().map(name).collect();
    Ok(Body { head: BatchHead { context, alias, identified_by, signals }, records })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReceivedEnvelope;
    use serde_json::Value as Json;
    use vernport_crypto::OpeningKey;

    /// The published vectors; `tests/vectors.rs` reads all of them.
    fn vectors() -> Json {
        serde_json::from_str(include_str!("../vectors/envelope-v1.json")).expect("JSON")
    }

    fn key(hex: &Json) -> [u8; 32] {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex.as_str().expect("text"), &mut bytes).expect("32 bytes of hex");
        bytes
    }

    fn context() -> EpochContext {
        EpochContext {
            controller: "NO-999999999".parse().expect("valid"),
            gateway: "bay-1-box".parse().expect("valid"),
            flow: "service-odometer".parse().expect("valid"),
            epoch: EpochId::from_bytes([1; 16]),
            retention_rule: "order-plus-90d".parse().expect("valid"),
            grant: GrantId::from_bytes([2; 16]),
        }
    }

    fn sealer(recipient: &OpeningKey) -> EpochSealer {
        let recovery = OpeningKey::generate().wrapping_key();
        EpochSealer::new(context(), &[recipient.wrapping_key()], &recovery).expect("begins")
    }

    fn a_body() -> Body {
        serde_json::from_value(vectors()["envelopes"][0]["body"].clone()).expect("a body")
    }

    /// The sealing side, byte for byte: what HPKE draws at random is taken out
    /// of the published wraps, and everything else is sealed anew.
    #[test]
    fn sealing_gives_the_published_envelopes() {
        let vectors = vectors();
        let device = SigningKey::from_seed(key(&vectors["keys"]["device"]["seed"]));
        let recipient = OpeningKey::from_bytes(key(&vectors["keys"]["recipient"]["secret"]));
        for vector in vectors["envelopes"].as_array().expect("a list") {
            let published = hex::decode(vector["envelope"].as_str().expect("text")).expect("hex");
            let (header, wrap) = {
                let envelope = ReceivedEnvelope::parse(&published).expect("valid");
                (envelope.header().clone(), envelope.first_wrap())
            };
            let EnvelopeHeader {
                controller,
                gateway,
                batch,
                flow,
                epoch,
                latest_due,
                retention_rule,
                sequence,
            } = header;
            let info = wrap_info(&controller, &flow, &epoch, &wrap.key_id);
            let grant = GrantId::from_bytes([0; 16]);
            let mut sealer = EpochSealer {
                context: EpochContext { controller, gateway, flow, epoch, retention_rule, grant },
                key: recipient.unwrap(&wrap, &info).expect("opens"),
                wraps: hex::decode(vector["wraps"].as_str().expect("text")).expect("hex"),
                next: sequence,
            };
            let body: Body = serde_json::from_value(vector["body"].clone()).expect("a body");
            let sealed = sealer.seal_body(&device, batch, latest_due, &body).expect("seals");
            assert_eq!(hex::encode(sealed.as_bytes()), hex::encode(published), "{}", vector["name"]);
        }
    }

    #[test]
    fn each_batch_has_the_next_counter_and_the_last_one_ends_the_epoch() {
        let (recipient, device) = (OpeningKey::generate(), SigningKey::generate());
        let mut sealer = sealer(&recipient);
        let seal = |sealer: &mut EpochSealer| {
            sealer.seal_body(&device, BatchId::from_bytes([3; 16]), UtcMicros(0), &a_body())
        };
        for sequence in 0..3 {
            assert_eq!(seal(&mut sealer).expect("seals").header().sequence, sequence);
        }
        sealer.next = MAX_SEQUENCE;
        let last = seal(&mut sealer).expect("the last one");
        let last = ReceivedEnvelope::parse(last.as_bytes()).expect("valid");
        assert_eq!(last.header().sequence, MAX_SEQUENCE);
        assert!(last.open(&recipient).is_ok());
        let exhausted = SealError::Exhausted { epoch: context().epoch };
        assert_eq!(seal(&mut sealer), Err(exhausted.clone()));
        assert_eq!(seal(&mut sealer), Err(exhausted), "and stays at its end");
    }

    #[test]
    fn two_bodies_alike_are_sealed_unlike() {
        let device = SigningKey::generate();
        let mut sealer = sealer(&OpeningKey::generate());
        let mut sealed = || {
            let sealed = sealer.seal_body(&device, BatchId::from_bytes([3; 16]), UtcMicros(0), &a_body());
            ReceivedEnvelope::parse(sealed.expect("seals").as_bytes()).expect("valid").body_hash()
        };
        assert_ne!(sealed(), sealed());
    }

    #[test]
    fn a_body_over_the_bound_is_refused_and_one_at_the_bound_is_not() {
        let mut sealer = sealer(&OpeningKey::generate());
        let device = SigningKey::generate();
        let mut seal = |collector_bytes: usize| {
            let mut body = a_body();
            body.head.context.collector = "x".repeat(collector_bytes);
            sealer.seal_body(&device, BatchId::from_bytes([3; 16]), UtcMicros(0), &body)
        };
        let base = seal(1 << 16).expect("seals").as_bytes().len() - (1 << 16);
        let room = MAX_ENVELOPE_BYTES - base;
        assert_eq!(seal(room).expect("at the bound").as_bytes().len(), MAX_ENVELOPE_BYTES);
        assert_eq!(seal(room + 1), Err(SealError::TooLong { bytes: MAX_ENVELOPE_BYTES + 1 }));
    }

    #[test]
    fn an_epoch_needs_recipients_with_keys_of_their_own() {
        let keys: Vec<WrappingKey> = (0..16).map(|_| OpeningKey::generate().wrapping_key()).collect();
        let begin = |recipients: &[WrappingKey]| EpochSealer::new(context(), recipients, &keys[15]).map(drop);
        assert_eq!(begin(&[]), Err(EpochError::Recipients { recipients: 0 }));
        assert_eq!(begin(&keys), Err(EpochError::Recipients { recipients: 16 }));
        assert_eq!(begin(&keys[14..]), Err(EpochError::Twice { key: keys[15].key_id() }));
        assert_eq!(begin(&[keys[0], keys[0]]), Err(EpochError::Twice { key: keys[0].key_id() }));
        let weak = WrappingKey::from_bytes([0; 32]);
        assert!(matches!(begin(&[weak]), Err(EpochError::Wrap(_))));
        assert_eq!(begin(&keys[..15]), Ok(()));
    }
}
