//! A broker of a few bytes: it does what the test says and nothing by itself,
//! in both versions. Packets as in MQTT 3.1.1 and 5, chapter 3.

use crate::world::soon;
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use vernport_mqtt::{Endpoint, Protocol};
use zeroize::Zeroizing;

/// Where the script waits for its client.
pub(crate) struct Script {
    listener: TcpListener,
    protocol: Protocol,
}

/// One connection of the client.
pub(crate) struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    protocol: Protocol,
    /// Whether the client asked for a clean session.
    pub(crate) clean: bool,
}

/// What the client says.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Publish { topic: String, pkid: u16, dup: bool, payload: Vec<u8> },
    PubAck(u16),
    Subscribe(u16),
    Ping,
    Disconnect,
}

impl Script {
    pub(crate) async fn of(protocol: Protocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self { listener, protocol }
    }

    pub(crate) fn endpoint(&self, client_id: &str) -> Endpoint {
        let url = format!("mqtt://{}", self.listener.local_addr().expect("bound"));
        let mut endpoint = Endpoint::from_url(&url, client_id, None).expect("a loopback address");
        endpoint.protocol = self.protocol;
        endpoint.with_login("box", Zeroizing::new("right".to_owned()))
    }

    /// The client's next connection, its CONNECT answered.
    pub(crate) async fn connected(&self, session_present: bool) -> Peer {
        let (stream, _) = soon(self.listener.accept()).await.expect("it connects");
        let (buffer, protocol) = (BytesMut::new(), self.protocol);
        let mut peer = Peer { stream, buffer, protocol, clean: false };
        let (kind, body) = peer.packet().await.expect("a CONNECT");
        assert_eq!(kind >> 4, 1, "CONNECT comes first");
        // After the name of the protocol (2 + 4) and its level: the flags (3.1.2.3).
        assert_eq!(body[6], if protocol == Protocol::V5 { 5 } else { 4 });
        peer.clean = body[7] & 2 != 0;
        let present = u8::from(session_present);
        match protocol {
            Protocol::V5 => peer.write(&[0x20, 3, present, 0, 0]).await,
            Protocol::V311 => peer.write(&[0x20, 2, present, 0]).await,
        }
        peer
    }

    /// The same for a publisher, whose status message is the first, and is acknowledged.
    pub(crate) async fn publisher(&self) -> Peer {
        let mut peer = self.connected(false).await;
        let Some(Said::Publish { topic, pkid, .. }) = peer.said().await else { panic!("its status") };
        assert!(topic.ends_with("/status"), "{topic}");
        peer.acknowledge(pkid).await;
        peer
    }
}

impl Peer {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The client may be gone; the next read tells.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Kind and flags, and what follows the length; `None` when the client is gone.
    async fn packet(&mut self) -> Option<(u8, BytesMut)> {
        loop {
            if let Some((length, bytes)) = remaining_length(&self.buffer)
                && self.buffer.len() >= 1 + bytes + length
            {
                let kind = self.buffer[0];
                self.buffer.advance(1 + bytes);
                return Some((kind, self.buffer.split_to(length)));
            }
            match soon(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// What the client says next; `None` when it is gone.
    pub(crate) async fn said(&mut self) -> Option<Said> {
        let (kind, mut body) = self.packet().await?;
        Some(match kind >> 4 {
            3 => {
                let length = usize::from(body.get_u16());
                let topic = String::from_utf8(body.split_to(length).to_vec()).expect("UTF-8");
                let pkid = if kind & 6 == 0 { 0 } else { body.get_u16() };
                if self.protocol == Protocol::V5 {
                    let properties = usize::from(body.get_u8());
                    assert!(properties < 128, "one byte of length");
                    body.advance(properties);
                }
                Said::Publish { topic, pkid, dup: kind & 8 != 0, payload: body.to_vec() }
            }
            4 => Said::PubAck(body.get_u16()),
            8 => Said::Subscribe(body.get_u16()),
            12 => Said::Ping,
            14 => Said::Disconnect,
            other => panic!("a packet of kind {other} from a client"),
        })
    }

    /// The next message, with its packet id.
    pub(crate) async fn message(&mut self) -> (u16, Vec<u8>) {
        match self.said().await {
            Some(Said::Publish { pkid, payload, dup, .. }) => {
                assert!(!dup, "on a clean session nothing is sent for the second time");
                (pkid, payload)
            }
            other => panic!("expected a message, got {other:?}"),
        }
    }

    pub(crate) async fn acknowledge(&mut self, pkid: u16) {
        let [high, low] = pkid.to_be_bytes();
        self.write(&[0x40, 2, high, low]).await;
    }

    /// Waits for a subscription and grants it.
    pub(crate) async fn grant(&mut self) {
        let Some(Said::Subscribe(pkid)) = self.said().await else { panic!("a subscription") };
        let [high, low] = pkid.to_be_bytes();
        match self.protocol {
            Protocol::V5 => self.write(&[0x90, 4, high, low, 0, 1]).await,
            Protocol::V311 => self.write(&[0x90, 3, high, low, 1]).await,
        }
    }

    /// Waits until the client has left.
    pub(crate) async fn left(mut self) {
        while self.said().await.is_some() {}
    }
}

/// A message at QoS 1 as the broker writes it.
pub(crate) fn publish(protocol: Protocol, topic: &str, pkid: u16, payload: &[u8]) -> Vec<u8> {
    let length = |n: usize| u16::try_from(n).expect("short").to_be_bytes();
    let mut body = [&length(topic.len())[..], topic.as_bytes(), &pkid.to_be_bytes()].concat();
    if protocol == Protocol::V5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    let length = u8::try_from(body.len()).expect("short");
    assert!(length < 128, "one byte of length");
    [&[0x32, length], &body[..]].concat()
}

/// The length after the first byte, and how many bytes it takes; none if they are not all here.
fn remaining_length(buffer: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (at, byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((length, at + 1));
        }
    }
    None
}
