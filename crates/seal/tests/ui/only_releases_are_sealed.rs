//! Neither a reading nor a body made by hand gets into an envelope or a message.
use vernport_crypto::{SigningKey, StorageKey};
use vernport_seal::{BatchContext, Body, EpochSealer, TopicMessage, seal_for_storage};
use vernport_types::{BatchId, Catalogue, MessageId, Reading, UtcMicros};

fn try_all(
    sealer: &mut EpochSealer,
    signer: &SigningKey,
    batch: BatchId,
    due: UtcMicros,
    context: BatchContext,
    readings: &[Reading],
    catalogue: &Catalogue,
    body: Body,
    key: &StorageKey,
    id: MessageId,
) {
    let _ = sealer.seal(signer, batch, due, context, readings, catalogue);
    let _ = sealer.seal_body(signer, batch, due, &body);
    let _ = TopicMessage::from_released(&readings[0], id, due, |_| (String::new(), Vec::new()));
    let _ = seal_for_storage(key, b"158910600".to_vec());
}

fn main() {}
