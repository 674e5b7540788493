//! `POST /v1/explain`: a registrar asks why something passes or does not.

use super::{MAX_JSON_BYTES, Served};
use crate::{
    caller::Caller,
    refusal::{Refusal, json},
};
use axum::{Json, body::Body, extract::State};
use vernport_api::explain::{ExplainAnswer, ExplainRequest};

pub(super) async fn explain(
    State(served): State<Served>,
    caller: Caller,
    from: Body,
) -> Result<Json<ExplainAnswer>, Refusal> {
    let controller = caller.desk(&served).await?.controller;
    let asked: ExplainRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(ExplainAnswer { explanation: controller.explain(asked).await? }))
}
