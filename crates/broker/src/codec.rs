//! What comes in: rumqttc's codec for both versions behind one set of types,
//! with the framing done here.
//!
//! Two reasons for own framing: the size bound is checked on the header, before
//! a byte of the body is waited for; and inside a complete packet the codec
//! reports a short field as "more bytes needed", which must end the connection
//! and not wait. DISCONNECT of MQTT 5 is read here, since the codec refuses its
//! shortest form.

use crate::topic;
use bytes::{Bytes, BytesMut};
use rumqttc::{
    mqttbytes::{self as base, v4},
    v5::mqttbytes::{self as base5, v5},
};
use std::{sync::Arc, time::Instant};
use thiserror::Error;

/// Why a connection cannot go on. Never repeats what came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum CodecError {
    #[error("the packet is larger than the bound")]
    TooLarge,
    #[error("the packet is malformed or not allowed here")]
    Malformed,
    #[error("the protocol is neither MQTT 3.1.1 nor 5")]
    Protocol,
    #[error("QoS 2 is not offered")]
    QoS2,
}

/// Protocol version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V311,
    V5,
}

/// A message as it is routed.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    /// At least once (QoS 1), else at most once.
    pub(crate) acked: bool,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Instant>,
    pub(crate) properties: Option<Arc<v5::PublishProperties>>,
}

impl Message {
    /// Makes it older.
    pub(crate) fn age(&mut self, by: std::time::Duration) {
        self.expires = self.expires.map(|at| crate::session::earlier(at, by));
    }
}

pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_bytes: usize,
    pub(crate) will: Option<Message>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(crate) acked: bool,
    pub(crate) no_local: bool,
    pub(crate) keep_retain_flag: bool,
    pub(crate) retained: Retained,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retained {
    Always,
    IfNew,
    Never,
}

pub(crate) enum Incoming {
    Publish { message: Message, pkid: u16 },
    PubAck(u16),
    Subscribe { pkid: u16, wanted: Vec<Wanted>, identified: bool },
    Unsubscribe { pkid: u16, filters: Vec<String> },
    Ping,
    Disconnect { with_will: bool },
}

/// Takes one whole packet out of `buffer`, if it is there.
pub(crate) fn frame(buffer: &mut BytesMut, max: usize) -> Result<Option<BytesMut>, CodecError> {
    let mut body = 0_usize;
    for place in 0..4 {
        let Some(byte) = buffer.get(1 + place) else { return Ok(None) };
        body |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let whole = 2 + place + body;
            if whole > max {
                return Err(CodecError::TooLarge);
            }
            return Ok((buffer.len() >= whole).then(|| buffer.split_to(whole)));
        }
    }
    Err(CodecError::Malformed)
}

pub(crate) fn connect(mut packet: BytesMut) -> Result<Connect, CodecError> {
    if packet.first() != Some(&0x10) {
        return Err(CodecError::Malformed);
    }
    let name = packet.iter().skip(1).position(|byte| byte & 0x80 == 0).ok_or(CodecError::Malformed)? + 2;
    let header = packet.get(name..name + 7).ok_or(CodecError::Malformed)?;
    match (&header[..6], header[6]) {
        (b"\0\x04MQTT", 4) => connect_v311(&mut packet),
        (b"\0\x04MQTT", 5) => connect_v5(&mut packet),
        _ => Err(CodecError::Protocol),
    }
}

fn connect_v311(packet: &mut BytesMut) -> Result<Connect, CodecError> {
    let max = packet.len();
    let Ok(v4::Packet::Connect(connect)) = v4::Packet::read(packet, max) else {
        return Err(CodecError::Malformed);
    };
    let will = connect
        .last_will
        .map(|will| message(&will.topic, will.message, will.qos as u8, will.retain, None))
        .transpose()?;
    let (user, password) = split(connect.login.map(|l| (l.username, l.password)));
    Ok(Connect {
        version: Version::V311,
        client_id: connect.client_id,
        clean: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        session_expiry_s: if connect.clean_session { 0 } else { u32::MAX },
        receive_maximum: u16::MAX,
        packet_bytes: usize::MAX,
        will,
        user,
        password,
    })
}

fn connect_v5(packet: &mut BytesMut) -> Result<Connect, CodecError> {
    let Ok(v5::Packet::Connect(connect, will, login)) = v5::Packet::read(packet, None) else {
        return Err(CodecError::Malformed);
    };
    let properties = connect.properties.unwrap_or_default();
    if properties.authentication_method.is_some() || properties.receive_maximum == Some(0) {
        return Err(CodecError::Malformed);
    }
    let will = will
        .map(|will| {
            let properties = will.properties.map(|p| v5::PublishProperties {
                payload_format_indicator: p.payload_format_indicator,
                message_expiry_interval: p.message_expiry_interval,
                content_type: p.content_type,
                response_topic: p.response_topic,
                correlation_data: p.correlation_data,
                user_properties: p.user_properties,
                ..Default::default()
            });
            let topic = std::str::from_utf8(&will.topic).map_err(|_| CodecError::Malformed)?;
            message(topic, will.message, will.qos as u8, will.retain, properties)
        })
        .transpose()?;
    let (user, password) = split(login.map(|l| (l.username, l.password)));
    Ok(Connect {
        version: Version::V5,
        client_id: connect.client_id,
        clean: connect.clean_start,
        keep_alive_s: connect.keep_alive,
        session_expiry_s: properties.session_expiry_interval.unwrap_or(0),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes: properties.max_packet_size.map_or(usize::MAX, |max| max as usize),
        will,
        user,
        password,
    })
}

fn split(login: Option<(String, String)>) -> (Option<String>, Option<String>) {
    let (user, password) = login.unwrap_or_default();
    (Some(user).filter(|u| !u.is_empty()), Some(password).filter(|p| !p.is_empty()))
}

fn message(
    topic: &str,
    payload: Bytes,
    qos: u8,
    retain: bool,
    properties: Option<v5::PublishProperties>,
) -> Result<Message, CodecError> {
    if qos > 1 {
        return Err(CodecError::QoS2);
    }
    // No topic alias was offered, so none may be used; a subscription
    // identifier is for brokers to send.
    let aliased = properties
        .as_ref()
        .is_some_and(|p| p.topic_alias.is_some() || !p.subscription_identifiers.is_empty());
    if aliased || !topic::is_topic(topic) {
        return Err(CodecError::Malformed);
    }
    let expires = properties
        .as_ref()
        .and_then(|p| p.message_expiry_interval)
        .and_then(|s| Instant::now().checked_add(std::time::Duration::from_secs(s.into())));
    let properties = properties.map(Arc::new);
    Ok(Message { topic: topic.into(), payload, acked: qos == 1, retain, expires, properties })
}

/// Reads a whole packet that came after CONNECT.
pub(crate) fn read(version: Version, mut packet: BytesMut) -> Result<Incoming, CodecError> {
    // Only what a client may send, with the flags the standard fixes (2.1.3).
    let first = *packet.first().ok_or(CodecError::Malformed)?;
    let allowed = match first >> 4 {
        3 => true,
        4 | 12 | 14 => first & 0x0F == 0,
        8 | 10 => first & 0x0F == 2,
        _ => false,
    };
    if !allowed {
        return Err(CodecError::Malformed);
    }
    match (version, first) {
        (_, 0xC0) => Ok(Incoming::Ping),
        (Version::V311, 0xE0) => Ok(Incoming::Disconnect { with_will: false }),
        (Version::V5, 0xE0) => Ok(Incoming::Disconnect { with_will: packet.get(2).copied() == Some(4) }),
        (Version::V311, _) => read_v311(&mut packet),
        (Version::V5, _) => read_v5(&mut packet),
    }
}

fn read_v311(packet: &mut BytesMut) -> Result<Incoming, CodecError> {
    let max = packet.len();
    match v4::Packet::read(packet, max).map_err(|_| CodecError::Malformed)? {
        v4::Packet::Publish(p) => {
            let message = message(&p.topic, p.payload, p.qos as u8, p.retain, None)?;
            Ok(Incoming::Publish { message, pkid: p.pkid })
        }
        v4::Packet::PubAck(ack) => Ok(Incoming::PubAck(ack.pkid)),
        v4::Packet::Subscribe(s) => Ok(Incoming::Subscribe {
            pkid: s.pkid,
            wanted: s
                .filters
                .into_iter()
                .map(|f| Wanted {
                    filter: f.path,
                    acked: f.qos != base::QoS::AtMostOnce,
                    no_local: false,
                    keep_retain_flag: false,
                    retained: Retained::Always,
                })
                .collect(),
            identified: false,
        }),
        v4::Packet::Unsubscribe(u) => Ok(Incoming::Unsubscribe { pkid: u.pkid, filters: u.topics }),
        _ => Err(CodecError::Malformed),
    }
}

fn read_v5(packet: &mut BytesMut) -> Result<Incoming, CodecError> {
    match v5::Packet::read(packet, None).map_err(|_| CodecError::Malformed)? {
        v5::Packet::Publish(p) => {
            let topic = std::str::from_utf8(&p.topic).map_err(|_| CodecError::Malformed)?;
            let message = message(topic, p.payload, p.qos as u8, p.retain, p.properties)?;
            Ok(Incoming::Publish { message, pkid: p.pkid })
        }
        v5::Packet::PubAck(ack) => Ok(Incoming::PubAck(ack.pkid)),
        v5::Packet::Subscribe(s) => Ok(Incoming::Subscribe {
            pkid: s.pkid,
            wanted: s
                .filters
                .into_iter()
                .map(|f| Wanted {
                    filter: f.path,
                    acked: f.qos != base5::QoS::AtMostOnce,
                    no_local: f.nolocal,
                    keep_retain_flag: f.preserve_retain,
                    retained: match f.retain_forward_rule {
                        v5::RetainForwardRule::OnEverySubscribe => Retained::Always,
                        v5::RetainForwardRule::OnNewSubscribe => Retained::IfNew,
                        v5::RetainForwardRule::Never => Retained::Never,
                    },
                })
                .collect(),
            identified: s.properties.is_some_and(|p| p.id.is_some()),
        }),
        v5::Packet::Unsubscribe(u) => Ok(Incoming::Unsubscribe { pkid: u.pkid, filters: u.filters }),
        _ => Err(CodecError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for first in [0x10, 0x30, 0x32, 0x40, 0x82, 0xA2, 0xC0, 0xE0] {
                let mut bytes = bytes.clone();
                bytes.splice(..0, [first, u8::try_from(bytes.len()).unwrap_or(0) & 0x7F]);
                let mut buffer = BytesMut::from(&bytes[..]);
                while let Ok(Some(packet)) = frame(&mut buffer, 256) {
                    let _ = connect(packet.clone());
                    let _ = read(Version::V311, packet.clone());
                    let _ = read(Version::V5, packet);
                }
            }
        }

        #[test]
        fn a_mangled_connect_never_panics(at in 0_usize..60, with in any::<u8>(), level in 4_u8..6) {
            let mut bytes = b"\x10\x30\0\x04MQTT\x04\xC6\0\x0A\0\x02id\0\x05a/b/c\0\x04gone\0\x04user\0\x08password".to_vec();
            bytes[8] = level;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            let mut buffer = BytesMut::from(&bytes[..]);
            if let Ok(Some(packet)) = frame(&mut buffer, 256) {
                let _ = connect(packet);
            }
        }
    }

    #[test]
    fn a_large_packet_is_refused_by_its_header_alone() {
        let mut buffer = BytesMut::from(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F][..]);
        assert_eq!(frame(&mut buffer, 1024), Err(CodecError::TooLarge));
        let mut endless = BytesMut::from(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01][..]);
        assert_eq!(frame(&mut endless, 1024), Err(CodecError::Malformed));
    }

    #[test]
    fn a_short_field_inside_a_whole_packet_is_malformed_and_not_awaited() {
        // MQTT 5 PUBLISH whose property length never ends.
        let packet = BytesMut::from(&[0x30, 4, 0, 1, b'a', 0x80][..]);
        assert_eq!(read(Version::V5, packet).err(), Some(CodecError::Malformed));
    }

    #[test]
    fn the_short_forms_of_disconnect_are_read() {
        for (bytes, expected) in
            [(&[0xE0, 0][..], false), (&[0xE0, 1, 0], false), (&[0xE0, 1, 4], true), (&[0xE0, 2, 4, 0], true)]
        {
            let Ok(Incoming::Disconnect { with_will }) = read(Version::V5, BytesMut::from(bytes)) else {
                panic!("not read: {bytes:?}");
            };
            assert_eq!(with_will, expected, "{bytes:?}");
        }
    }
}
