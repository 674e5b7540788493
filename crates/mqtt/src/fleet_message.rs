//! What a fleet operator receives (frozen, decision note 0010): topic and
//! payload of one released value, of one sealed batch, and of a gap.
//!
//! ```json
//! {"v":1,"id":"…","seq":12,"vehicle":"…","path":"Vehicle.TraveledDistance","value":158910000,"unit":"m",
//!  "time":"2026-11-20T08:30:00Z","time_quality":"synced","source":"j1939:65217:sa=00","minimised":"round-1000",
//!  "purpose":"service-planning","flow":"odometer-to-fleet","bundle":"westrum","late":false,"delete_by":"2026-12-20T00:00:00Z"}
//! {"v":1,"id":"…","seq":13,"vehicle":"…","purpose":"…","flow":"…","bundle":"…","late":false,"delete_by":"…","envelope":"<base64>"}
//! {"v":1,"id":"…","seq":17,"vehicle":"…","purpose":"…","skipped":4}
//! ```
//!
//! A payload is complete in itself; properties of MQTT 5 only repeat it. `seq`
//! has no gap per operator, purpose and vehicle: a message with `skipped` stands
//! for that many numbers, of which its `seq` is the last. Nothing here tells why
//! something did not come. `schema/fleet-message-v1.json` states the same, and a
//! test compares.

use crate::{fleet_value::FleetValue, shape::Object, time, topic::Stream};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;
use vernport_policy::{Minimiser, Released};
use vernport_seal::{Recipient, Sealed, Storage, TopicError, TopicMessage, seal_for_storage};
use vernport_types::{MessageId, Signal, Slug, Source, TimeQuality, UtcMicros, VehicleAlias};

/// The largest payload that is read, in bytes.
pub const MAX_FLEET_PAYLOAD_BYTES: usize = vernport_seal::MAX_PAYLOAD_BYTES;

/// Stands in a stored payload; the spool numbers messages when it queues them.
const UNNUMBERED: u64 = 0;

/// What a message needs beyond the release itself.
#[derive(Debug, Clone, Copy)]
pub struct FleetContext<'a> {
    /// Operator, purpose and vehicle.
    pub stream: &'a Stream,
    /// The same on every delivery.
    pub id: MessageId,
    /// The flow that let it pass.
    pub flow: &'a Slug,
    /// The bundle of the flow.
    pub bundle: &'a Slug,
    /// When the operator has to have deleted it.
    pub delete_by: UtcMicros,
    /// When it is too late to send it.
    pub expiry: UtcMicros,
}

/// A released value as a message in plain words, sealed at once for the spool.
/// `signal` is the catalogue's entry of the release.
///
/// # Errors
/// [`TopicError`] if topic or payload are too long.
pub fn value_message(
    released: &Released,
    signal: &Signal,
    context: &FleetContext<'_>,
    key: &vernport_crypto::StorageKey,
) -> Result<Sealed<Storage>, TopicError> {
    let render = |released: &Released| {
        let stamp = released.at();
        let message = ValueMessage {
            v: Version,
            id: context.id,
            seq: UNNUMBERED,
            vehicle: context.stream.vehicle,
            path: signal.path.to_string(),
            value: FleetValue(released.value()),
            unit: signal.unit.to_string(),
            time: Time(stamp.wall),
            time_quality: stamp.quality,
            source: released.source(),
            minimised: released.minimiser(),
            purpose: context.stream.purpose.clone(),
            flow: context.flow.clone(),
            bundle: context.bundle.clone(),
            late: false,
            delete_by: Time(context.delete_by),
        };
        (context.stream.value_topic(&signal.path), encode(&message))
    };
    let message = TopicMessage::from_released(released, context.id, context.expiry, render)?;
    Ok(seal_for_storage(key, message))
}

/// A sealed batch as a message. Neither topic nor payload name a signal.
///
/// # Errors
/// [`TopicError`] if topic or payload are too long.
pub fn sealed_message(
    envelope: &Sealed<Recipient>,
    context: &FleetContext<'_>,
    key: &vernport_crypto::StorageKey,
) -> Result<Sealed<Storage>, TopicError> {
    let render = |envelope: &Sealed<Recipient>| {
        let message = SealedMessage {
            v: Version,
            id: context.id,
            seq: UNNUMBERED,
            vehicle: context.stream.vehicle,
            purpose: context.stream.purpose.clone(),
            flow: context.flow.clone(),
            bundle: context.bundle.clone(),
            late: false,
            delete_by: Time(context.delete_by),
            envelope: Envelope(envelope.as_bytes().to_vec()),
        };
        (context.stream.sealed_topic(), encode(&message))
    };
    let message = TopicMessage::from_sealed(envelope, context.id, context.expiry, render)?;
    Ok(seal_for_storage(key, message))
}

/// Topic and payload of a gap: `skipped` numbers never come, of which `seq` is the last.
pub(crate) fn skipped_message(stream: &Stream, id: MessageId, seq: u64, skipped: u64) -> (String, Vec<u8>) {
    let purpose = stream.purpose.clone();
    let message = SkippedMessage { v: Version, id, seq, vehicle: stream.vehicle, purpose, skipped };
    (stream.skipped_topic(), encode(&message))
}

/// Completes a rendered payload with what is known only when it is sent: its
/// number, and whether it comes late. A quote inside of a text is escaped, so a
/// key can only stand where it was written.
pub(crate) fn complete(payload: &mut Vec<u8>, seq: u64, late: bool) {
    replace_once(payload, br#","seq":0,"#, format!(r#","seq":{seq},"#).as_bytes());
    if late {
        replace_once(payload, br#","late":false,"#, br#","late":true,"#);
    }
}

fn replace_once(payload: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    if let Some(at) = payload.windows(old.len()).position(|part| part == old) {
        payload.splice(at..at + old.len(), new.iter().copied());
    }
}

fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("text keys and finite numbers always encode")
}

/// One message of a fleet topic, as a subscriber reads it.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetMessage {
    /// A value in plain words.
    Value(ValueMessage),
    /// A sealed batch.
    Sealed(SealedMessage),
    /// A gap.
    Skipped(SkippedMessage),
}

/// Why a payload is no message of this version. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a fleet message of version 1 (schema/fleet-message-v1.json)")]
pub struct NotAMessage;

impl FleetMessage {
    /// Reads a payload of at most [`MAX_FLEET_PAYLOAD_BYTES`].
    ///
    /// # Errors
    /// [`NotAMessage`] for anything but a message of version 1.
    pub fn from_json(payload: &[u8]) -> Result<Self, NotAMessage> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Value(Object<ValueMessage>),
            Sealed(Object<SealedMessage>),
            Skipped(Object<SkippedMessage>),
        }
        if payload.len() > MAX_FLEET_PAYLOAD_BYTES {
            return Err(NotAMessage);
        }
        match serde_json::from_slice(payload).map_err(|_| NotAMessage)? {
            Any::Value(Object(m)) if is_path(&m.path) => Ok(Self::Value(m)),
            Any::Sealed(Object(m)) => Ok(Self::Sealed(m)),
            Any::Skipped(Object(m)) if m.skipped > 0 => Ok(Self::Skipped(m)),
            _ => Err(NotAMessage),
        }
    }

    /// The message's id: the same on every delivery.
    pub fn id(&self) -> MessageId {
        match self {
            Self::Value(m) => m.id,
            Self::Sealed(m) => m.id,
            Self::Skipped(m) => m.id,
        }
    }

    /// Its number in the stream.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Value(m) => m.seq,
            Self::Sealed(m) => m.seq,
            Self::Skipped(m) => m.seq,
        }
    }

    /// Which vehicle.
    pub fn vehicle(&self) -> VehicleAlias {
        match self {
            Self::Value(m) => m.vehicle,
            Self::Sealed(m) => m.vehicle,
            Self::Skipped(m) => m.vehicle,
        }
    }
}

fn is_path(path: &str) -> bool {
    (1..=128).contains(&path.len())
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
}

/// One released value. `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueMessage {
    v: Version,
    /// The same on every delivery.
    pub id: MessageId,
    /// Number in the stream.
    pub seq: u64,
    /// Which vehicle.
    pub vehicle: VehicleAlias,
    /// VSS path.
    pub path: String,
    /// The value.
    pub value: FleetValue,
    /// Its unit; empty for none.
    pub unit: String,
    /// When it was read, as coarse as the rules want it.
    pub time: Time,
    /// How far the clock could be trusted.
    pub time_quality: TimeQuality,
    /// From where it was read.
    #[serde(with = "as_text")]
    pub source: Source,
    /// How it was made coarser.
    pub minimised: Minimiser,
    /// For what it was released.
    pub purpose: Slug,
    /// By which flow.
    pub flow: Slug,
    /// Of which bundle.
    pub bundle: Slug,
    /// Whether it waited for a connection, or was parked.
    pub late: bool,
    /// When it has to be deleted.
    pub delete_by: Time,
}

/// One sealed batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedMessage {
    v: Version,
    /// The same on every delivery.
    pub id: MessageId,
    /// Number in the stream.
    pub seq: u64,
    /// Which vehicle.
    pub vehicle: VehicleAlias,
    /// For what it was released.
    pub purpose: Slug,
    /// By which flow.
    pub flow: Slug,
    /// Of which bundle.
    pub bundle: Slug,
    /// Whether it waited for a connection, or was parked.
    pub late: bool,
    /// When it has to be deleted.
    pub delete_by: Time,
    /// The envelope.
    pub envelope: Envelope,
}

/// A gap in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedMessage {
    v: Version,
    /// The same on every delivery.
    pub id: MessageId,
    /// The last number that it stands for.
    pub seq: u64,
    /// Which vehicle.
    pub vehicle: VehicleAlias,
    /// For what the stream is.
    pub purpose: Slug,
    /// How many numbers it stands for.
    pub skipped: u64,
}

/// The number 1, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self),
            _ => Err(D::Error::custom("not version 1")),
        }
    }
}

/// A time, written in RFC 3339 with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub UtcMicros);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::write(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let zoned = crate::shape::has_zone(&text).then(|| time::read(&text)).flatten();
        zoned.map(Self).ok_or_else(|| D::Error::custom("not a time with its zone"))
    }
}

/// The bytes of an envelope; base64 (RFC 4648, 4) in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(pub Vec<u8>);

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({} bytes)", self.0.len())
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(|_| D::Error::custom("not base64"))?;
        if bytes.is_empty() { Err(D::Error::custom("empty")) } else { Ok(Self(bytes)) }
    }
}

/// A type in its written form.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("not the written form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::{Label, Value};

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    fn message(value: Value, unit: &str) -> ValueMessage {
        ValueMessage {
            v: Version,
            id: MessageId::from_bytes([1; 16]),
            seq: 12,
            vehicle: VehicleAlias::from_bytes([0xA5; 16]),
            path: "Vehicle.Part".to_owned(),
            value: FleetValue(value),
            unit: unit.to_owned(),
            time: Time(UtcMicros(1_795_165_200_000_000)),
            time_quality: TimeQuality::Bounded,
            source: Source::Tool,
            minimised: Minimiser::Exact,
            purpose: slug("service-planning"),
            flow: slug("parts-to-fleet"),
            bundle: slug("westrum"),
            late: false,
            delete_by: Time(UtcMicros(1_797_757_200_000_000)),
        }
    }

    #[test]
    fn number_and_lateness_are_set_where_they_stand_and_not_in_a_text_that_looks_like_them() {
        for text in [r#"","late":false,""#, r#"","seq":0,""#] {
            let before = message(Value::Label(Label::new(text).expect("short")), "");
            for late in [false, true] {
                let mut payload = encode(&ValueMessage { seq: UNNUMBERED, ..before.clone() });
                complete(&mut payload, 12, late);
                let after = FleetMessage::from_json(&payload).expect("still a message");
                assert_eq!(after, FleetMessage::Value(ValueMessage { late, ..before.clone() }));
            }
        }
    }

    #[test]
    fn another_version_or_an_empty_gap_is_no_message() {
        let payload = String::from_utf8(encode(&message(Value::Flag(true), ""))).expect("UTF-8");
        assert!(FleetMessage::from_json(payload.as_bytes()).is_ok());
        for bad in [
            payload.replacen("\"v\":1", "\"v\":2", 1),
            payload.replacen("\"v\":1,", "", 1),
            payload.replacen("Vehicle.Part", "", 1),
            payload.replacen("2026-12", "2026-13", 1),
        ] {
            assert_eq!(FleetMessage::from_json(bad.as_bytes()), Err(NotAMessage), "{bad}");
        }
        let stream = Stream {
            operator: slug("fjord"),
            purpose: slug("service"),
            vehicle: VehicleAlias::from_bytes([0xA5; 16]),
        };
        let (_, empty) = skipped_message(&stream, MessageId::from_bytes([2; 16]), 17, 0);
        assert_eq!(FleetMessage::from_json(&empty), Err(NotAMessage));
    }

    #[test]
    fn no_message_shows_its_value_or_envelope() {
        let shown =
            format!("{:?}", message(Value::Label(Label::new("WDB9634031L738001").expect("short")), ""));
        assert!(!shown.contains("WDB"), "{shown}");
        assert_eq!(format!("{:?}", Envelope(vec![7; 9])), "Envelope(9 bytes)");
    }
}
