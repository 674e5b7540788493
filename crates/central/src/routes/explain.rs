//! `POST /v1/explain`: a registrar asks why something passes or does not.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::explain::{ExplainAnswer, ExplainRequest};

pub(super) async fn explain(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<ExplainAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    let asked: ExplainRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(ExplainAnswer { explanation: controller.explain(asked).await? }))
}
