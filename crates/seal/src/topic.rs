//! Messages for fleet topics, sealed under the gateway's storage key while they
//! wait in the spool.
//!
//! A message is made of a release, or of an envelope: nothing else gets in.
//!
//! Bytes of a sealed message: `56 50 53 54` ("VPST"), version `01`, then a row
//! at rest (`crypto::AtRestKey`) with those five bytes as additional data, of
//! postcard: topic (text), payload (bytes), expiry (zigzag varint, µs of UTC),
//! message id (16).

use crate::{MAX_ENVELOPE_BYTES, Recipient, Sealed, Storage};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;
use vernport_crypto::StorageKey;
use vernport_policy::Released;
use vernport_types::{MessageId, UtcMicros};

const MAGIC: [u8; 5] = *b"VPST\x01";
/// The longest topic.
pub const MAX_TOPIC_BYTES: usize = 512;
/// The longest payload: the largest envelope in base64, and what stands around it.
pub const MAX_PAYLOAD_BYTES: usize = MAX_ENVELOPE_BYTES / 3 * 4 + 2048;

/// Why something is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TopicError {
    /// Over [`MAX_TOPIC_BYTES`], or empty.
    #[error("a topic of {bytes} bytes; 1 to {MAX_TOPIC_BYTES} are allowed")]
    Topic {
        /// How long it is.
        bytes: usize,
    },
    /// Over [`MAX_PAYLOAD_BYTES`].
    #[error("a payload of {bytes} bytes; at most {MAX_PAYLOAD_BYTES} are allowed")]
    Payload {
        /// How long it is.
        bytes: usize,
    },
}

/// A message for a fleet topic. `Debug` shows neither topic nor payload.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMessage {
    topic: String,
    payload: Vec<u8>,
    expiry: UtcMicros,
    message_id: MessageId,
}

impl fmt::Debug for TopicMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicMessage")
            .field("message_id", &self.message_id)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl TopicMessage {
    /// A message in plain words, for a recipient that chose so: `render` turns
    /// the release into topic and payload.
    ///
    /// # Errors
    /// [`TopicError`] if what was rendered is too long.
    pub fn from_released(
        released: &Released,
        message_id: MessageId,
        expiry: UtcMicros,
        render: impl FnOnce(&Released) -> (String, Vec<u8>),
    ) -> Result<Self, TopicError> {
        let (topic, payload) = render(released);
        Self::new(topic, payload, message_id, expiry)
    }

    /// A message that carries an envelope: `render` turns it into topic and payload.
    ///
    /// # Errors
    /// [`TopicError`] if what was rendered is too long.
    pub fn from_sealed(
        envelope: &Sealed<Recipient>,
        message_id: MessageId,
        expiry: UtcMicros,
        render: impl FnOnce(&Sealed<Recipient>) -> (String, Vec<u8>),
    ) -> Result<Self, TopicError> {
        let (topic, payload) = render(envelope);
        Self::new(topic, payload, message_id, expiry)
    }

    fn new(
        topic: String,
        payload: Vec<u8>,
        message_id: MessageId,
        expiry: UtcMicros,
    ) -> Result<Self, TopicError> {
        if !(1..=MAX_TOPIC_BYTES).contains(&topic.len()) {
            return Err(TopicError::Topic { bytes: topic.len() });
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(TopicError::Payload { bytes: payload.len() });
        }
        Ok(Self { topic, payload, expiry, message_id })
    }

    /// Where it goes.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What goes there.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// When it is too late to send it.
    pub fn expiry(&self) -> UtcMicros {
        self.expiry
    }

    /// The same on every delivery.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }
}

/// Seals a message for the spool.
#[expect(clippy::needless_pass_by_value, reason = "a sealed message is not to be kept in plain words")]
pub fn seal_for_storage(key: &StorageKey, message: TopicMessage) -> Sealed<Storage> {
    let plain = postcard::to_allocvec(&message).expect("every message has a postcard form");
    let plain = vernport_crypto::Zeroizing::new(plain);
    Sealed::new([&MAGIC[..], &key.seal(&MAGIC, &plain)].concat())
}

/// Opens what [`seal_for_storage`] made; for the one publisher in `mqtt`.
///
/// # Errors
/// [`vernport_crypto::OpenError`] if the key differs or the bytes were changed.
pub fn open_from_storage(
    key: &StorageKey,
    sealed: &Sealed<Storage>,
) -> Result<TopicMessage, vernport_crypto::OpenError> {
    let plain = key.open(&MAGIC, &sealed.as_bytes()[MAGIC.len()..])?;
    postcard::from_bytes(&plain).map_err(|_| vernport_crypto::OpenError::Refused)
}

/// Whether a message opens with this key. Says nothing of it.
pub fn opens_from_storage(key: &StorageKey, sealed: &Sealed<Storage>) -> bool {
    key.open(&MAGIC, &sealed.as_bytes()[MAGIC.len()..]).is_ok()
}

pub(crate) fn is_storage_row(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload_storage;
    use vernport_crypto::OpenError;

    fn message() -> TopicMessage {
        let topic = "vernport/v1/fleet/example/service/a5a5/Vehicle.TraveledDistance";
        let payload = br#"{"v":1,"value":158910600}"#.to_vec();
        TopicMessage::new(topic.into(), payload, MessageId::from_bytes([7; 16]), UtcMicros(1)).expect("short")
    }

    #[test]
    fn a_message_comes_back_under_its_key_only() {
        let (key, other) = (StorageKey::generate(), StorageKey::generate());
        let sealed = seal_for_storage(&key, message());
        let reloaded = reload_storage(sealed.into_bytes()).expect("looks sealed");
        assert_eq!(open_from_storage(&key, &reloaded), Ok(message()));
        assert_eq!(open_from_storage(&other, &reloaded), Err(OpenError::Refused));
        assert!(opens_from_storage(&key, &reloaded) && !opens_from_storage(&other, &reloaded));
    }

    #[test]
    fn what_is_sealed_has_its_frozen_form() {
        let key = StorageKey::from_bytes([1; 32]);
        let row = seal_for_storage(&key, message()).into_bytes();
        assert_eq!(row[..6], *b"VPST\x01\x01");
        let plain = key.open(b"VPST\x01", &row[5..]).expect("a row at rest");
        let TopicMessage { topic, payload, .. } = message();
        let mut expected = vec![u8::try_from(topic.len()).expect("short")];
        expected.extend(topic.bytes());
        expected.push(u8::try_from(payload.len()).expect("short"));
        expected.extend(payload);
        expected.push(2); // zigzag of 1
        expected.extend([7; 16]);
        assert_eq!(plain.as_slice(), expected);
    }

    #[test]
    fn a_row_that_is_cut_or_changed_anywhere_does_not_open() {
        let key = StorageKey::generate();
        let row = seal_for_storage(&key, message()).into_bytes();
        let opens = |row: &[u8]| {
            reload_storage(row.to_vec()).is_ok_and(|sealed| open_from_storage(&key, &sealed).is_ok())
        };
        assert!(opens(&row));
        for len in 0..row.len() {
            assert!(!opens(&row[..len]), "{len} bytes");
        }
        for bit in 0..8 * row.len() {
            let mut changed = row.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&changed), "bit {bit}");
        }
    }

    #[test]
    fn neither_the_row_nor_debug_shows_topic_or_payload() {
        let sealed = seal_for_storage(&StorageKey::generate(), message());
        for needle in [&b"158910600"[..], b"Vehicle", b"a5a5"] {
            assert!(!sealed.as_bytes().windows(needle.len()).any(|window| window == needle));
        }
        let shown = format!("{:?} {sealed:?}", message());
        assert!(!shown.contains("158910600") && !shown.contains("Vehicle"), "{shown}");
    }

    #[test]
    fn topics_and_payloads_have_bounds() {
        let new = |topic: usize, payload: usize| {
            let id = MessageId::from_bytes([0; 16]);
            TopicMessage::new("t".repeat(topic), vec![0; payload], id, UtcMicros(0)).map(drop)
        };
        assert_eq!(new(0, 0), Err(TopicError::Topic { bytes: 0 }));
        assert_eq!(new(513, 0), Err(TopicError::Topic { bytes: 513 }));
        let payload = MAX_PAYLOAD_BYTES + 1;
        assert_eq!(new(1, payload), Err(TopicError::Payload { bytes: payload }));
        assert_eq!(new(512, MAX_PAYLOAD_BYTES), Ok(()));
    }
}
