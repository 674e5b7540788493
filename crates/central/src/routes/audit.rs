//! `POST /v1/audit/witness`: a gateway shows the head of its log and sees central's.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{WitnessAnswer, WitnessRequest};

pub(super) async fn witness(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<WitnessAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Gateway)?;
    let asked: WitnessRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(controller.witness(&peer.name, &asked).await?))
}
