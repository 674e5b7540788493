//! One connection, from its CONNECT to its end: a reading and a writing half
//! that share nothing but the session and a bounded list of replies.

use crate::{
    codec::{self, CodecError, Incoming, Message, Version},
    config::{Acknowledge, Login},
    counters::count,
    encode::{self, Farewell, Offer, Refusal, Verdict},
    fault::{Fate, Packet},
    hub::{Attached, Hub},
    session::{Ack, Reply, ReplyBody},
    topic,
};
use bytes::BytesMut;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    sync::{
        Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

const MAX_CLIENT_ID_BYTES: usize = 128;
/// Replies that may wait beyond the publisher's window, so that a ping or a
/// subscription is answered while acknowledgements are held back.
const SPARE_REPLIES: usize = 16;
/// Messages taken from the session at a time.
const BATCH: usize = 32;

/// How a connection ended.
enum End {
    /// The client said good-bye and wants no will published.
    Normal,
    /// The client is gone, or asked for its will.
    Gone,
    /// The broker ends it.
    Farewell(Farewell),
}

impl From<CodecError> for End {
    fn from(error: CodecError) -> Self {
        Self::Farewell(match error {
            CodecError::TooLarge => Farewell::TooLarge,
            CodecError::QoS2 => Farewell::QoS2,
            CodecError::Malformed | CodecError::Protocol => Farewell::Malformed,
        })
    }
}

/// Serves one connection until it ends. `certificate_name` is the common name
/// of the verified client certificate, if there was one.
pub(crate) async fn serve<S>(
    hub: &Hub,
    stream: S,
    certificate_name: Option<String>,
    deadline: Instant,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = split(stream);
    let mut buffer = BytesMut::with_capacity(4096);
    let packet = tokio::select! {
        packet = timeout_at(deadline, read_packet(&mut reader, &mut buffer, hub.limits.packet_bytes)) => packet,
        () = stop.cancelled() => return,
    };
    let Ok(Ok(packet)) = packet else { return count(&hub.counters.connections_refused) };
    let Ok(mut connect) = codec::connect(packet) else { return count(&hub.counters.malformed) };

    let mut out = BytesMut::new();
    let mut assigned = None;
    if connect.client_id.is_empty() && (connect.clean || connect.version == Version::V5) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        connect.client_id = format!("auto-{}", LAST.fetch_add(1, Ordering::Relaxed));
        assigned = Some(connect.client_id.clone());
    }
    let held = match admit(hub, &connect, certificate_name.as_deref()) {
        Ok(held) => held,
        Err(refusal) => {
            count(&hub.counters.connections_refused);
            encode::put_connack(connect.version, Err(refusal), &mut out);
            let _ = timeout(hub.limits.write_timeout, writer.write_all(&out)).await;
            return;
        }
    };
    count(&hub.counters.connections);
    tracing::debug!(identity = held.identity.name(), "client connected");

    let longest = hub.limits.keep_alive_s;
    let told =
        connect.version == Version::V5 && (connect.keep_alive_s == 0 || connect.keep_alive_s > longest);
    let keep_alive_s = if told { longest } else { connect.keep_alive_s };
    let offer = Offer {
        session_present: held.session_present,
        assigned_client_id: assigned,
        session_expiry_s: u32::try_from(held.expiry.as_secs()).unwrap_or(u32::MAX),
        receive_maximum: hub.limits.inflight,
        packet_bytes: u32::try_from(hub.limits.packet_bytes).unwrap_or(u32::MAX),
        keep_alive_s: told.then_some(longest),
    };
    encode::put_connack(connect.version, Ok(&offer), &mut out);

    let places = usize::from(hub.limits.inflight) + SPARE_REPLIES;
    // Every reply holds one of as many permits: the channel is never too full.
    let (replies, waiting) = channel(places);
    let version = connect.version;
    let mut reading =
        Reading { hub, held: &held, version, replies, permits: Arc::new(Semaphore::new(places)) };
    // One and a half times the keep-alive (3.1.2.10).
    let idle = (keep_alive_s > 0).then(|| Duration::from_millis(1500 * u64::from(keep_alive_s)));
    let mut writing =
        Writing { hub, held: &held, version, packet_bytes: connect.packet_bytes, late: BytesMut::new() };
    let end = tokio::select! {
        end = reading.run(&mut reader, &mut buffer, idle) => end,
        end = writing.run(&mut writer, out, waiting) => end,
        () = held.cut.cancelled() => End::Farewell(Farewell::TakenOver),
        () = stop.cancelled() => End::Farewell(Farewell::ShuttingDown),
    };
    hub.detach(&held);
    if hub.killed.load(Ordering::SeqCst) {
        return;
    }
    if let End::Farewell(farewell) = end {
        if matches!(farewell, Farewell::Malformed | Farewell::TooLarge | Farewell::QoS2) {
            count(&hub.counters.malformed);
        }
        let mut last = BytesMut::new();
        encode::put_disconnect(version, farewell, &mut last);
        let _ = timeout(Duration::from_millis(200), writer.write_all(&last)).await;
    }
    let _ = timeout(Duration::from_millis(200), writer.shutdown()).await;
    if !matches!(end, End::Normal)
        && let Some(will) = connect.will
        && hub.may_publish(&held.identity, &will)
    {
        hub.route(&held.client, &will, None);
    }
    tracing::debug!(identity = held.identity.name(), "client gone");
}

fn admit(hub: &Hub, connect: &codec::Connect, certificate_name: Option<&str>) -> Result<Attached, Refusal> {
    let id = connect.client_id.as_str();
    if id.is_empty() || id.len() > MAX_CLIENT_ID_BYTES || id.chars().any(char::is_control) {
        return Err(Refusal::ClientId);
    }
    let login = Login {
        client_id: id,
        user: connect.user.as_deref(),
        password: connect.password.as_deref(),
        certificate_name,
    };
    let identity = hub.access.authenticate(&login).ok_or(Refusal::Login)?;
    hub.attach(identity, id, connect)
}

async fn read_packet<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut BytesMut,
    max: usize,
) -> Result<BytesMut, End> {
    loop {
        if let Some(packet) = codec::frame(buffer, max)? {
            return Ok(packet);
        }
        buffer.reserve(4096);
        match reader.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(End::Gone),
            Ok(_) => {}
        }
    }
}

struct Reading<'a> {
    hub: &'a Hub,
    held: &'a Attached,
    version: Version,
    replies: Sender<Reply>,
    permits: Arc<Semaphore>,
}

impl Reading<'_> {
    async fn run<R: AsyncRead + Unpin>(
        &mut self,
        reader: &mut R,
        buffer: &mut BytesMut,
        idle: Option<Duration>,
    ) -> End {
        loop {
            let packet = read_packet(reader, buffer, self.hub.limits.packet_bytes);
            let packet = match idle {
                Some(idle) => match timeout(idle, packet).await {
                    Ok(packet) => packet,
                    Err(_) => return End::Farewell(Farewell::KeepAlive),
                },
                None => packet.await,
            };
            let step = match packet.and_then(|packet| Ok(codec::read(self.version, packet)?)) {
                Ok(incoming) => self.take(incoming).await,
                Err(end) => return end,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), End> {
        match incoming {
            Incoming::Publish { message, pkid } => {
                if self.passes(Packet::PublishIn { topic: &message.topic })? {
                    self.publish(&message, pkid).await?;
                }
            }
            Incoming::PubAck(pkid) => {
                if self.passes(Packet::PubAckIn)? && self.hub.settle(self.held, pkid, true) {
                    count(&self.hub.counters.acknowledged);
                }
            }
            Incoming::Subscribe { pkid, wanted, identified } => {
                // Subscription identifiers were declined in CONNACK.
                if identified || pkid == 0 || wanted.iter().any(|w| !topic::is_filter(&w.filter)) {
                    return Err(CodecError::Malformed.into());
                }
                if self.passes(Packet::SubscribeIn)? {
                    let granted = self.hub.subscribe(self.held, wanted);
                    self.reply(ReplyBody::SubAck(pkid, granted)).await;
                }
            }
            Incoming::Unsubscribe { pkid, filters } => {
                let existed = self.hub.unsubscribe(self.held, &filters);
                self.reply(ReplyBody::UnsubAck(pkid, existed)).await;
            }
            Incoming::Ping => self.reply(ReplyBody::Ping).await,
            Incoming::Disconnect { with_will: true } => return Err(End::Gone),
            Incoming::Disconnect { with_will: false } => return Err(End::Normal),
        }
        Ok(())
    }

    async fn publish(&mut self, message: &Message, pkid: u16) -> Result<(), End> {
        if !self.hub.may_publish(&self.held.identity, message) {
            count(&self.hub.counters.publishes_refused);
            tracing::warn!(identity = self.held.identity.name(), "publish refused: no right to the topic");
            if message.acked {
                self.reply(ReplyBody::PubAck(pkid, Verdict::NotAuthorized)).await;
            }
            return Ok(());
        }
        count(&self.hub.counters.published);
        if !message.acked {
            self.hub.route(&self.held.client, message, None);
            return Ok(());
        }
        match self.hub.acknowledge {
            Acknowledge::OnReceipt => {
                self.hub.route(&self.held.client, message, None);
                self.reply(ReplyBody::PubAck(pkid, Verdict::Accepted)).await;
            }
            Acknowledge::WhenDelivered => {
                if let Ok(permit) = self.permits.clone().acquire_owned().await {
                    let ack = Ack::new(pkid, self.replies.clone(), permit);
                    self.hub.route(&self.held.client, message, Some(&ack));
                }
            }
        }
        Ok(())
    }

    /// Asks the fault hook about an incoming packet.
    fn passes(&self, packet: Packet<'_>) -> Result<bool, End> {
        match self.hub.fate(&self.held.client, packet) {
            Fate::Pass | Fate::Twice | Fate::Later => Ok(true),
            Fate::Drop => Ok(false),
            Fate::Cut => Err(End::Gone),
        }
    }

    /// Queues a reply. Waits while too many wait: then reading stops, too.
    async fn reply(&self, body: ReplyBody) {
        if let Ok(permit) = self.permits.clone().acquire_owned().await {
            let _ = self.replies.try_send(Reply { body, _permit: permit });
        }
    }
}

struct Writing<'a> {
    hub: &'a Hub,
    held: &'a Attached,
    version: Version,
    packet_bytes: usize,
    /// An acknowledgement that the fault hook wants to come late.
    late: BytesMut,
}

impl Writing<'_> {
    async fn run<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        mut out: BytesMut,
        mut waiting: Receiver<Reply>,
    ) -> End {
        loop {
            let mut written = Vec::new();
            if out.is_empty() {
                tokio::select! {
                    Some(reply) = waiting.recv() => written.push(reply),
                    () = self.held.wake.notified() => {}
                }
                while written.len() < BATCH
                    && let Ok(reply) = waiting.try_recv()
                {
                    written.push(reply);
                }
            }
            let mut end = None;
            for reply in &written {
                if !self.put_reply(&reply.body, &mut out) {
                    end = Some(End::Gone);
                    break;
                }
            }
            if end.is_none() && !self.put_deliveries(&mut out) {
                end = Some(End::Gone);
            }
            match timeout(self.hub.limits.write_timeout, writer.write_all(&out)).await {
                Ok(Ok(())) => out.clear(),
                _ => return End::Gone,
            }
            if timeout(self.hub.limits.write_timeout, writer.flush()).await.is_err() {
                return End::Gone;
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// False if the connection has to end.
    fn put_reply(&mut self, body: &ReplyBody, out: &mut BytesMut) -> bool {
        let packet = match body {
            ReplyBody::PubAck(..) => Packet::PubAckOut,
            ReplyBody::SubAck(..) => Packet::SubAckOut,
            ReplyBody::UnsubAck(..) => return self.encode(body, out),
            ReplyBody::Ping => Packet::PingOut,
        };
        match self.hub.fate(&self.held.client, packet) {
            Fate::Pass => {
                let good = self.encode(body, out);
                out.extend_from_slice(&self.late.split());
                good
            }
            Fate::Drop => true,
            Fate::Twice => self.encode(body, out) && self.encode(body, out),
            Fate::Later => {
                let mut late = self.late.split();
                let good = self.encode(body, &mut late);
                self.late = late;
                good
            }
            Fate::Cut => false,
        }
    }

    fn encode(&self, body: &ReplyBody, out: &mut BytesMut) -> bool {
        match body {
            ReplyBody::PubAck(pkid, verdict) => {
                return encode::put_puback(self.version, *pkid, *verdict, out);
            }
            ReplyBody::SubAck(pkid, granted) => encode::put_suback(self.version, *pkid, granted, out),
            ReplyBody::UnsubAck(pkid, existed) => encode::put_unsuback(self.version, *pkid, existed, out),
            ReplyBody::Ping => encode::put_pingresp(out),
        }
        true
    }

    /// False if the fault hook ends the connection.
    fn put_deliveries(&mut self, out: &mut BytesMut) -> bool {
        let batch = self.hub.next(self.held, BATCH);
        if batch.len() == BATCH {
            self.held.wake.notify_one();
        }
        for next in batch {
            let times =
                match self.hub.fate(&self.held.client, Packet::PublishOut { topic: &next.message.topic }) {
                    Fate::Pass | Fate::Later => 1,
                    Fate::Twice => 2,
                    Fate::Drop => 0,
                    Fate::Cut => return false,
                };
            for _ in 0..times {
                let delivery = (next.pkid, next.dup, next.retain);
                if encode::put_publish(self.version, &next.message, delivery, self.packet_bytes, out) {
                    count(&self.hub.counters.delivered);
                } else {
                    self.hub.settle(self.held, next.pkid, false);
                }
            }
        }
        true
    }
}
