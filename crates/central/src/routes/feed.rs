//! `POST /v1/feed`: a gateway waits for what holds.

use super::{MAX_JSON_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{Code, Feed, FeedRequest};

pub(super) async fn follow(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<Feed>, Refusal> {
    let controller = admit(&served, &peer, Role::Gateway)?;
    let asked: FeedRequest = json(from, MAX_JSON_BYTES).await?;
    if asked.gateway != peer.name {
        return Err(Refusal::new(Code::OtherGateway, "ask for the gateway of the certificate"));
    }
    let held = controller.counted.wait();
    let feed = controller.follow(&asked).await?;
    drop(held);
    controller.counted.heads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Ok(Json(feed))
}
