//! `POST /v1/batches`: sealed batches come in. All of a request is checked
//! before any of it is committed.

use super::{Served, admit};
use crate::{
    chain,
    controller::Controller,
    refusal::{Refusal, body},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{
    BatchAnswer, BatchAnswers, Code,
    batch::{Item, MAX_BODY_BYTES, decode},
};
use vernport_crypto::{VerifyingKey, sha256};
use vernport_seal::ReceivedEnvelope;
use vernport_store::{CommitError, Incoming};

pub(super) async fn deliver(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<BatchAnswers>, Refusal> {
    let controller = admit(&served, &peer, Role::Gateway)?;
    let body = body(from, MAX_BODY_BYTES).await?;
    // Not before all of it is here: a gateway may be revoked while it sends slowly.
    let device_keys = controller.device_keys(&peer.name).await?;
    let items = decode(&body).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
    let incoming = items
        .iter()
        .enumerate()
        .map(|(at, item)| check(item, &peer, &device_keys).map_err(|refusal| refusal.at_item(at)))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = commit(controller, &peer, &incoming).await?;
    answers.iter().for_each(|answer| controller.counted.answered(answer));
    let batches = incoming.iter().map(|item| item.batch);
    let answers = batches.zip(answers).map(|(batch, answer)| BatchAnswer { batch, answer });
    Ok(Json(BatchAnswers { answers: answers.collect() }))
}

/// Reads an envelope and holds it against the certificate of who sent it.
fn check(item: &Item<'_>, peer: &Peer, device_keys: &[VerifyingKey]) -> Result<Incoming, Refusal> {
    let envelope = ReceivedEnvelope::parse(item.envelope)
        .map_err(|error| Refusal::new(Code::EnvelopeMalformed, error.to_string()))?;
    let header = envelope.header();
    if header.controller != peer.controller {
        return Err(Refusal::new(Code::OtherController, "the envelope is of another controller"));
    }
    if header.gateway != peer.name {
        return Err(Refusal::new(Code::OtherGateway, "the envelope is of another gateway"));
    }
    if envelope.recipients().next().is_none() {
        return Err(Refusal::new(
            Code::EnvelopeMalformed,
            "the envelope has lost its wraps: nobody could open it",
        ));
    }
    if !device_keys.iter().any(|key| envelope.verify(key).is_ok()) {
        let detail = "it is not signed by the device key that this gateway was enrolled with, or was changed";
        return Err(Refusal::new(Code::EnvelopeForged, detail));
    }
    Ok(Incoming {
        grant: item.grant,
        batch: header.batch,
        epoch: header.epoch,
        flow: header.flow.clone(),
        sequence: header.sequence,
        latest_due: header.latest_due,
        retention_rule: header.retention_rule.clone(),
        envelope_hash: sha256(item.envelope),
        without_wraps: envelope.without_wraps().as_bytes().to_vec(),
        wraps: envelope.wraps_bytes().to_vec(),
    })
}

async fn commit(
    controller: &Controller,
    peer: &Peer,
    incoming: &[Incoming],
) -> Result<Vec<vernport_api::Answer>, Refusal> {
    let answers = controller.commit(&peer.name, incoming).await?;
    answers.map_err(|error| match error {
        CommitError::IdReused { item } => {
            Refusal::new(Code::BatchIdReused, "draw a new id for each batch").at_item(item)
        }
        CommitError::NotOfGrant { item } => {
            let detail = "flow and key epoch of an envelope have to be those of its grant and gateway";
            Refusal::new(Code::EnvelopeNotOfGrant, detail).at_item(item)
        }
        CommitError::Store(error) => {
            tracing::error!(error = chain(&error), "batches could not be committed");
            error.into()
        }
    })
}
