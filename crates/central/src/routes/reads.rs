//! `POST /v1/reads`: a recipient fetches what is sealed to it; and
//! `POST /v1/assets/find`: a registrar looks up an asset.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    caller::Caller,
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{Code, FindAnswer, FindRequest, MAX_READ_LIMIT, ReadAnswer, ReadRequest};

pub(super) async fn read(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<ReadAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Recipient)?;
    let asked: ReadRequest = json(from, MAX_JSON_BYTES).await?;
    if asked.controller != peer.controller {
        return Err(Refusal::new(Code::OtherController, "ask for the controller of the certificate"));
    }
    if !(1..=MAX_READ_LIMIT).contains(&asked.limit) {
        return Err(Refusal::new(Code::BadRequest, format!("ask for 1 to {MAX_READ_LIMIT} envelopes")));
    }
    Ok(Json(controller.read(&peer.name, &asked).await?))
}

pub(super) async fn find_asset(
    State(served): State<Served>,
    caller: Caller,
    from: Body,
) -> Result<Json<FindAnswer>, Refusal> {
    let controller = caller.desk(&served).await?.controller;
    let asked: FindRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(FindAnswer { asset: controller.find_asset(&asked.identifier).await? }))
}
