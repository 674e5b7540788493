//! A client that does nothing by itself: every packet is written and awaited by the test.

use bytes::BytesMut;
use rumqttc::{
    mqttbytes::v4,
    v5::mqttbytes::{QoS, v5},
};
use std::{fmt::Debug, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use vernport_broker::{Access, Broker, Config, Identity, Login};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Names are `name:password`, in user and password or in the certificate's
/// name. A client may do everything below `open/` and below its own name.
pub(crate) struct ByName;

impl Access for ByName {
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity> {
        match (login.certificate_name, login.user, login.password) {
            (Some(name), ..) => Some(Identity::new(name)),
            (None, Some(user), Some("right")) => Some(Identity::new(user)),
            _ => None,
        }
    }

    fn may_publish(&self, who: &Identity, topic: &str) -> bool {
        topic.starts_with("open/") || topic.starts_with(&format!("{}/", who.name()))
    }

    fn may_retain(&self, _: &Identity, topic: &str) -> bool {
        topic.ends_with("/status")
    }

    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        self.may_publish(who, filter)
    }
}

pub(crate) async fn broker() -> Broker {
    broker_with(|_| {}).await
}

pub(crate) async fn broker_with(change: impl FnOnce(&mut Config)) -> Broker {
    let mut config = Config::loopback(Arc::new(ByName));
    change(&mut config);
    Broker::start(config).await.expect("a free port")
}

pub(crate) struct Client {
    stream: Box<dyn Io>,
    buffer: BytesMut,
}

impl Client {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.expect("the broker listens"))
    }

    pub(crate) fn over(stream: impl Io + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: BytesMut::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The broker may have closed already; the next read tells.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn send(&mut self, packet: v5::Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).expect("a valid packet");
        self.write(&bytes).await;
    }

    pub(crate) async fn send_v4(&mut self, packet: v4::Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).expect("a valid packet");
        self.write(&bytes).await;
    }

    /// The next whole packet; `None` if the broker closed.
    async fn frame(&mut self) -> Option<BytesMut> {
        loop {
            if self.buffer.len() >= 2 {
                let (mut len, mut at) = (0_usize, 1);
                while let Some(byte) = self.buffer.get(at) {
                    len |= usize::from(byte & 0x7F) << (7 * (at - 1));
                    at += 1;
                    if byte & 0x80 == 0 {
                        if self.buffer.len() >= at + len {
                            return Some(self.buffer.split_to(at + len));
                        }
                        break;
                    }
                }
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            match read.expect("the broker answers or closes") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Option<v5::Packet> {
        let mut frame = self.frame().await?;
        Some(v5::Packet::read(&mut frame, None).expect("the broker writes MQTT 5"))
    }

    pub(crate) async fn next_v4(&mut self) -> Option<v4::Packet> {
        let mut frame = self.frame().await?;
        let max = frame.len();
        Some(v4::Packet::read(&mut frame, max).expect("the broker writes MQTT 3.1.1"))
    }

    /// The next packet, which has to be a message.
    pub(crate) async fn message(&mut self) -> v5::Publish {
        match self.next().await {
            Some(v5::Packet::Publish(publish)) => publish,
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// Waits for the end of the connection, whatever comes before.
    pub(crate) async fn closed(&mut self) -> Option<v5::DisconnectReasonCode> {
        let mut reason = None;
        while let Some(packet) = self.next().await {
            if let v5::Packet::Disconnect(disconnect) = packet {
                reason = Some(disconnect.reason_code);
            }
        }
        reason
    }

    /// Writes the last bytes, and says so.
    pub(crate) async fn write_last(&mut self, bytes: &[u8]) {
        self.write(bytes).await;
        let _ = self.stream.shutdown().await;
    }

    /// Waits for the end of the connection, whatever bytes come before.
    pub(crate) async fn hung_up(&mut self) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the broker closes");
    }

    /// Everything that the broker has for this client is in before the answer to a ping.
    pub(crate) async fn nothing_more(&mut self) {
        self.send(v5::Packet::PingReq(v5::PingReq)).await;
        let answer = self.next().await;
        assert!(matches!(answer, Some(v5::Packet::PingResp(_))), "unexpected: {answer:?}");
    }

    pub(crate) async fn publish(&mut self, pkid: u16, topic: &str, payload: &str) {
        self.send(publish(pkid, topic, payload)).await;
    }

    pub(crate) async fn acked(&mut self, pkid: u16) -> v5::PubAckReason {
        match self.next().await {
            Some(v5::Packet::PubAck(ack)) if ack.pkid == pkid => ack.reason,
            other => panic!("expected the acknowledgement of {pkid}, got {other:?}"),
        }
    }

    pub(crate) async fn ack(&mut self, pkid: u16) {
        self.send(v5::Packet::PubAck(v5::PubAck::new(pkid, None))).await;
    }

    pub(crate) async fn subscribe(&mut self, filter: &str) -> v5::SubscribeReasonCode {
        self.subscribe_as(v5::Filter::new(filter, QoS::AtLeastOnce)).await
    }

    pub(crate) async fn subscribe_as(&mut self, filter: v5::Filter) -> v5::SubscribeReasonCode {
        let mut subscribe = v5::Subscribe::new(filter, None);
        subscribe.pkid = 7;
        self.send(v5::Packet::Subscribe(subscribe)).await;
        match self.next().await {
            Some(v5::Packet::SubAck(ack)) => ack.return_codes[0],
            other => panic!("expected a subscription, got {other:?}"),
        }
    }
}

pub(crate) fn publish(pkid: u16, topic: &str, payload: &str) -> v5::Packet {
    let qos = if pkid == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let mut publish = v5::Publish::new(topic, qos, payload.as_bytes().to_vec(), None);
    publish.pkid = pkid;
    v5::Packet::Publish(publish)
}

/// How a client connects.
#[derive(Default)]
pub(crate) struct How {
    pub(crate) keep: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) will: Option<v5::LastWill>,
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) packet_bytes: Option<u32>,
}

/// Connects as `name`, with `id` as client id.
pub(crate) async fn connect(broker: &Broker, name: &str, id: &str, how: How) -> (Client, v5::ConnAck) {
    let mut client = Client::open(broker.addr()).await;
    let ack = handshake(&mut client, Some((name, "right")), id, how).await;
    assert_eq!(ack.code, v5::ConnectReturnCode::Success);
    (client, ack)
}

pub(crate) async fn handshake(
    client: &mut Client,
    login: Option<(&str, &str)>,
    id: &str,
    how: How,
) -> v5::ConnAck {
    let properties = v5::ConnectProperties {
        session_expiry_interval: how.keep.then_some(600),
        receive_maximum: how.receive_maximum,
        max_packet_size: how.packet_bytes,
        ..Default::default()
    };
    let connect = v5::Connect {
        keep_alive: how.keep_alive_s,
        client_id: id.to_owned(),
        clean_start: !how.keep,
        properties: Some(properties),
    };
    let login = login.map(|(user, password)| v5::Login::new(user, password));
    client.send(v5::Packet::Connect(connect, how.will, login)).await;
    match client.next().await {
        Some(v5::Packet::ConnAck(ack)) => ack,
        other => panic!("expected CONNACK, got {other:?}"),
    }
}

/// Connects with MQTT 3.1.1.
pub(crate) async fn connect_v4(broker: &Broker, name: &str, id: &str, clean: bool) -> (Client, bool) {
    let mut client = Client::open(broker.addr()).await;
    let mut connect = v4::Connect::new(id);
    connect.clean_session = clean;
    connect.set_login(name, "right");
    client.send_v4(v4::Packet::Connect(connect)).await;
    match client.next_v4().await {
        Some(v4::Packet::ConnAck(ack)) => {
            assert_eq!(ack.code, v4::ConnectReturnCode::Success);
            (client, ack.session_present)
        }
        other => panic!("expected CONNACK, got {other:?}"),
    }
}

/// Waits until something holds that another task brings about.
pub(crate) async fn until<T: PartialEq + Debug>(mut state: impl FnMut() -> T, expected: T) {
    let wait = async {
        while state() != expected {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let reached = timeout(PATIENCE, wait).await.is_ok();
    assert!(reached, "expected {expected:?}, still {:?}", state());
}
