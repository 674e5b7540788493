//! The spool takes sealed things only.
use vernport_policy::Released;
use vernport_seal::Body;
use vernport_spool::{QueuedBatch, QueuedTopic, Spool, Stream, Unit, WhenFull};
use vernport_types::{ControllerId, GrantId, MessageId, Reading, UtcMicros, Value};

async fn try_all(spool: Spool, reading: Reading, released: Released, value: Value, body: Body) {
    let _ = spool.queue(reading).await;
    let _ = spool.queue(released).await;
    let _ = spool.queue(value).await;
    let _ = spool.queue(body).await;
}

fn try_batch(unit: &mut Unit, grant: GrantId, released: Released, bytes: Vec<u8>) {
    let when_full = WhenFull::Wait;
    unit.batches.push(QueuedBatch { grant, when_full, sealed: released });
    unit.batches.push(QueuedBatch { grant, when_full, sealed: bytes });
}

fn try_topic(controller: ControllerId, stream: Stream, payload: Vec<u8>) -> QueuedTopic {
    QueuedTopic {
        controller,
        grant: GrantId::from_bytes([0; 16]),
        when_full: WhenFull::Wait,
        stream,
        message: MessageId::from_bytes([0; 16]),
        expiry: UtcMicros(0),
        sealed: payload,
    }
}

fn main() {}
