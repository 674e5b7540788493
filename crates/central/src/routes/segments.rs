//! `POST /v1/segments`: what was said at a station comes in.

use super::{MAX_LEDGER_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{Code, MAX_LINKS, SegmentAnswer, SegmentRequest};

pub(super) async fn merge(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<SegmentAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Gateway)?;
    let asked: SegmentRequest = json(from, MAX_LEDGER_BYTES).await?;
    if !(1..=MAX_LINKS).contains(&asked.links.len()) || asked.identifiers.len() > MAX_LINKS {
        let detail = format!("send 1 to {MAX_LINKS} links, and at most as many identifiers");
        return Err(Refusal::new(Code::BadRequest, detail));
    }
    Ok(Json(controller.merge(&peer.name, asked).await?))
}
