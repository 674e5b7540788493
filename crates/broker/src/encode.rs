//! What goes out: the answers and messages of the broker, in either version.
//!
//! DISCONNECT of MQTT 5 is written by hand, since the codec writes one byte too many.

use crate::codec::{Message, Version};
use bytes::{BufMut, Bytes, BytesMut};
use rumqttc::{
    mqttbytes::{self as base, v4},
    v5::mqttbytes::{self as base5, v5},
};
use std::time::Instant;

/// Why a connection or a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    ClientId,
    Login,
    Busy,
}

/// What the broker tells an MQTT 5 client about its bounds.
pub(crate) struct Offer {
    pub(crate) session_present: bool,
    pub(crate) assigned_client_id: Option<String>,
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_bytes: u32,
    pub(crate) keep_alive_s: Option<u16>,
}

pub(crate) fn put_connack(version: Version, answer: Result<&Offer, Refusal>, out: &mut BytesMut) {
    let session_present = answer.as_ref().is_ok_and(|offer| offer.session_present);
    match version {
        Version::V311 => {
            let code = match answer {
                Ok(_) => v4::ConnectReturnCode::Success,
                Err(Refusal::ClientId) => v4::ConnectReturnCode::BadClientId,
                Err(Refusal::Login) => v4::ConnectReturnCode::NotAuthorized,
                Err(Refusal::Busy) => v4::ConnectReturnCode::ServiceUnavailable,
            };
            written(v4::ConnAck { session_present, code }.write(out));
        }
        Version::V5 => {
            let code = match answer {
                Ok(_) => v5::ConnectReturnCode::Success,
                Err(Refusal::ClientId) => v5::ConnectReturnCode::ClientIdentifierNotValid,
                Err(Refusal::Login) => v5::ConnectReturnCode::NotAuthorized,
                Err(Refusal::Busy) => v5::ConnectReturnCode::ServerBusy,
            };
            let properties = answer.ok().map(|offer| v5::ConnAckProperties {
                session_expiry_interval: Some(offer.session_expiry_s),
                receive_max: Some(offer.receive_maximum),
                max_qos: Some(1),
                retain_available: None,
                max_packet_size: Some(offer.packet_bytes),
                assigned_client_identifier: offer.assigned_client_id.clone(),
                topic_alias_max: None,
                reason_string: None,
                user_properties: Vec::new(),
                wildcard_subscription_available: None,
                subscription_identifiers_available: Some(0),
                shared_subscription_available: Some(0),
                server_keep_alive: offer.keep_alive_s,
                response_information: None,
                server_reference: None,
                authentication_method: None,
                authentication_data: None,
            });
            written(v5::ConnAck { session_present, code, properties }.write(out));
        }
    }
}

/// How a QoS 1 message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    NotAuthorized,
    /// Nobody took it: no subscriber, or no room.
    NotTaken,
}

/// False if this version has no word for it, so that the connection has to end.
pub(crate) fn put_puback(version: Version, pkid: u16, verdict: Verdict, out: &mut BytesMut) -> bool {
    match version {
        Version::V311 if verdict != Verdict::Accepted => return false,
        Version::V311 => written(v4::PubAck::new(pkid).write(out)),
        Version::V5 => {
            let mut ack = v5::PubAck::new(pkid, None);
            ack.reason = match verdict {
                Verdict::Accepted => v5::PubAckReason::Success,
                Verdict::NotAuthorized => v5::PubAckReason::NotAuthorized,
                Verdict::NotTaken => v5::PubAckReason::QuotaExceeded,
            };
            written(ack.write(out));
        }
    }
    true
}

/// How one filter is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    AtMostOnce,
    AtLeastOnce,
    NotAuthorized,
    Quota,
    Shared,
}

pub(crate) fn put_suback(version: Version, pkid: u16, granted: &[Granted], out: &mut BytesMut) {
    match version {
        Version::V311 => {
            let codes = granted.iter().map(|granted| match granted {
                Granted::AtMostOnce => v4::SubscribeReasonCode::Success(base::QoS::AtMostOnce),
                Granted::AtLeastOnce => v4::SubscribeReasonCode::Success(base::QoS::AtLeastOnce),
                _ => v4::SubscribeReasonCode::Failure,
            });
            written(v4::SubAck::new(pkid, codes.collect()).write(out));
        }
        Version::V5 => {
            let codes = granted.iter().map(|granted| match granted {
                Granted::AtMostOnce => v5::SubscribeReasonCode::Success(base5::QoS::AtMostOnce),
                Granted::AtLeastOnce => v5::SubscribeReasonCode::Success(base5::QoS::AtLeastOnce),
                Granted::NotAuthorized => v5::SubscribeReasonCode::NotAuthorized,
                Granted::Quota => v5::SubscribeReasonCode::QuotaExceeded,
                Granted::Shared => v5::SubscribeReasonCode::SharedSubscriptionsNotSupported,
            });
            written(v5::SubAck { pkid, return_codes: codes.collect(), properties: None }.write(out));
        }
    }
}

pub(crate) fn put_unsuback(version: Version, pkid: u16, existed: &[bool], out: &mut BytesMut) {
    match version {
        Version::V311 => written(v4::UnsubAck::new(pkid).write(out)),
        Version::V5 => {
            let reasons = existed.iter().map(|existed| {
                if *existed { v5::UnsubAckReason::Success } else { v5::UnsubAckReason::NoSubscriptionExisted }
            });
            written(v5::UnsubAck { pkid, reasons: reasons.collect(), properties: None }.write(out));
        }
    }
}

pub(crate) fn put_pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xD0, 0]);
}

/// Why the broker ends an MQTT 5 connection (3.14.2.1). 3.1.1 has no such packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Farewell {
    Malformed = 0x81,
    ShuttingDown = 0x8B,
    KeepAlive = 0x8D,
    TakenOver = 0x8E,
    TooLarge = 0x95,
    QoS2 = 0x9B,
}

pub(crate) fn put_disconnect(version: Version, farewell: Farewell, out: &mut BytesMut) {
    if version == Version::V5 {
        out.put_slice(&[0xE0, 2, farewell as u8, 0]);
    }
}

/// Writes a message for one subscriber. False if the client could not take a packet of that size.
pub(crate) fn put_publish(
    version: Version,
    message: &Message,
    delivery: (u16, bool, bool),
    packet_bytes: usize,
    out: &mut BytesMut,
) -> bool {
    let (pkid, dup, retain) = delivery;
    let before = out.len();
    match version {
        Version::V311 => {
            let qos = if pkid == 0 { base::QoS::AtMostOnce } else { base::QoS::AtLeastOnce };
            let mut publish = v4::Publish::from_bytes(&*message.topic, qos, message.payload.clone());
            (publish.pkid, publish.dup, publish.retain) = (pkid, dup, retain);
            written(publish.write(out));
        }
        Version::V5 => {
            let qos = if pkid == 0 { base5::QoS::AtMostOnce } else { base5::QoS::AtLeastOnce };
            let mut properties = message.properties.as_deref().cloned();
            if let (Some(p), Some(expires)) = (&mut properties, message.expires) {
                let left = expires.saturating_duration_since(Instant::now()).as_secs();
                p.message_expiry_interval = Some(u32::try_from(left).unwrap_or(u32::MAX));
            }
            let publish = v5::Publish {
                dup,
                qos,
                retain,
                topic: Bytes::copy_from_slice(message.topic.as_bytes()),
                pkid,
                payload: message.payload.clone(),
                properties,
            };
            written(publish.write(out));
        }
    }
    let fits = out.len() - before <= packet_bytes;
    if !fits {
        out.truncate(before);
    }
    fits
}

/// The codec only fails to write what is too large for MQTT or has no packet
/// id; neither can reach it, since every packet that came in was bounded.
fn written<T, E: std::fmt::Debug>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "{:?}", result.err());
}
