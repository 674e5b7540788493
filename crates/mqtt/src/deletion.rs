//! What a fleet operator is told to delete, and its answer (frozen, decision note 0024).
//!
//! ```json
//! {"v":1,"id":"…","vehicle":"…","purpose":"service-planning","flow":"odometer-to-fleet",
//!  "from":"2026-11-20T08:00:00Z","until":"2026-11-20T16:00:00Z","confirm_by":"2026-12-20T16:00:00Z"}
//! {"v":1,"id":"…"}
//! ```
//!
//! A notice is about every message of that vehicle, purpose and flow whose `time`, once opened, lies from
//! `from` to `until`, both included. It says no reason. It comes again with the same id until its answer came.
//! `schema/deletion-notice-v1.json` and `schema/deletion-confirmed-v1.json` state the same, and a test compares.

use crate::{
    fleet_message::{Time, Version},
    shape::Object,
    topic::Stream,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_types::{MessageId, Slug, UtcMicros, VehicleAlias};

/// The largest payload of either that is read, in bytes.
pub const MAX_DELETION_PAYLOAD_BYTES: usize = 1_024;

/// Why a payload is neither. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not of version 1 (schema/deletion-notice-v1.json, schema/deletion-confirmed-v1.json)")]
pub struct NotOfDeletion;

/// What has to be deleted. `Debug` names no vehicle.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionNotice {
    v: Version,
    /// The same each time it comes; the answer names it.
    pub id: MessageId,
    /// Which vehicle.
    pub vehicle: VehicleAlias,
    /// For what it was published.
    pub purpose: Slug,
    /// By which flow.
    pub flow: Slug,
    /// The earliest `time` that is meant.
    pub from: Time,
    /// The latest.
    pub until: Time,
    /// Until when the answer has to be there; nothing more is published after that.
    pub confirm_by: Time,
}

impl DeletionNotice {
    /// A notice about what a flow published in a stream `from` one time `until` another, both included.
    pub fn new(
        id: MessageId,
        stream: &Stream,
        flow: Slug,
        (from, until): (UtcMicros, UtcMicros),
        confirm_by: UtcMicros,
    ) -> Self {
        let (vehicle, purpose) = (stream.vehicle, stream.purpose.clone());
        let (from, until, confirm_by) = (Time(from), Time(until), Time(confirm_by));
        Self { v: Version, id, vehicle, purpose, flow, from, until, confirm_by }
    }

    /// Whether something is meant that a flow published with this `time`, in the notice's own stream.
    pub fn covers(&self, flow: &Slug, time: UtcMicros) -> bool {
        self.flow == *flow && (self.from.0..=self.until.0).contains(&time)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`NotOfDeletion`].
    pub fn from_json(payload: &[u8]) -> Result<Self, NotOfDeletion> {
        read(payload)
    }

    /// The payload.
    pub fn to_json(&self) -> Vec<u8> {
        encode(self)
    }
}

impl std::fmt::Debug for DeletionNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeletionNotice({:?}, {})", self.id, self.flow)
    }
}

/// The answer: it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionConfirmed {
    v: Version,
    /// Of the notice.
    pub id: MessageId,
}

impl DeletionConfirmed {
    /// The answer to a notice.
    pub const fn new(id: MessageId) -> Self {
        Self { v: Version, id }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`NotOfDeletion`].
    pub fn from_json(payload: &[u8]) -> Result<Self, NotOfDeletion> {
        read(payload)
    }

    /// The payload.
    pub fn to_json(&self) -> Vec<u8> {
        encode(self)
    }
}

fn read<T: for<'de> Deserialize<'de>>(payload: &[u8]) -> Result<T, NotOfDeletion> {
    if payload.len() > MAX_DELETION_PAYLOAD_BYTES {
        return Err(NotOfDeletion);
    }
    let Object(read) = serde_json::from_slice(payload).map_err(|_| NotOfDeletion)?;
    Ok(read)
}

fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("text keys always encode")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIAS: &str = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";

    fn notice() -> DeletionNotice {
        let slug = |text: &str| text.parse::<Slug>().expect("a slug");
        let stream = Stream {
            operator: slug("fjord"),
            purpose: slug("service"),
            vehicle: ALIAS.parse().expect("an alias"),
        };
        let at = UtcMicros(1_795_165_200_000_000);
        let range = (at, at.plus_seconds(3_600));
        DeletionNotice::new(MessageId::from_bytes([1; 16]), &stream, slug("odometer"), range, at)
    }

    #[test]
    fn both_keep_their_bytes() {
        let id = "01".repeat(16);
        let text = format!(
            "{{\"v\":1,\"id\":\"{id}\",\"vehicle\":\"{ALIAS}\",\"purpose\":\"service\",\"flow\":\"odometer\",\
             \"from\":\"2026-11-20T09:00:00Z\",\"until\":\"2026-11-20T10:00:00Z\",\
             \"confirm_by\":\"2026-11-20T09:00:00Z\"}}"
        );
        assert_eq!(String::from_utf8(notice().to_json()).expect("UTF-8"), text);
        assert_eq!(DeletionNotice::from_json(text.as_bytes()), Ok(notice()));
        let answer = DeletionConfirmed::new(notice().id);
        assert_eq!(answer.to_json(), format!("{{\"v\":1,\"id\":\"{id}\"}}").into_bytes());
        assert_eq!(DeletionConfirmed::from_json(&answer.to_json()), Ok(answer));
    }

    #[test]
    fn both_ends_are_meant_and_another_flow_is_not() {
        let notice = notice();
        let flow = notice.flow.clone();
        assert!(notice.covers(&flow, notice.from.0) && notice.covers(&flow, notice.until.0));
        assert!(!notice.covers(&flow, UtcMicros(notice.from.0.0 - 1)));
        assert!(!notice.covers(&flow, UtcMicros(notice.until.0.0 + 1)));
        assert!(!notice.covers(&"position".parse().expect("a slug"), notice.from.0));
    }

    #[test]
    fn what_is_too_long_or_of_another_version_is_refused_and_nothing_shows_a_vehicle() {
        let text = String::from_utf8(notice().to_json()).expect("UTF-8");
        let long = text.replacen("{\"v\"", &format!("{{{}\"v\"", " ".repeat(1_024)), 1);
        for bad in [long, text.replacen("\"v\":1", "\"v\":2", 1), text.replacen("from", "since", 1)] {
            assert_eq!(DeletionNotice::from_json(bad.as_bytes()), Err(NotOfDeletion));
        }
        assert_eq!(
            DeletionConfirmed::from_json(b"[1,\"01010101010101010101010101010101\"]"),
            Err(NotOfDeletion)
        );
        assert!(!format!("{:?}", notice()).contains("a5a5"));
    }
}
