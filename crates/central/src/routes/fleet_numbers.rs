//! `POST /v1/fleet-numbers`: a registrar says what a fleet operator calls a vehicle.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{FleetNumberAnswer, FleetNumberRequest};

pub(super) async fn call(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<FleetNumberAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    let asked: FleetNumberRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(controller.call_asset(asked).await?))
}
