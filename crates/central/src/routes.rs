//! What is served at which path, and to whom.

mod audit;
mod batches;
mod consents;
mod erasures;
mod explain;
mod feed;
mod ledger;
mod reads;
mod segments;

use crate::{
    controller::{Controller, Controllers},
    counted::count,
    refusal::Refusal,
    tls::{Peer, Role},
};
use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    middleware::{from_fn, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::{sync::Arc, time::Duration};
use tower_http::timeout::TimeoutLayer;
use vernport_api::{
    Code, PATH_BATCHES, PATH_CLOCK, PATH_CONFIRM_DELETIONS, PATH_CONSENTS, PATH_DELETIONS, PATH_ERASURES,
    PATH_EXPLAIN, PATH_FEED, PATH_FIND_ASSET, PATH_LEDGER, PATH_READS, PATH_SEGMENTS, PATH_STATUS,
    PATH_WITNESS, Status,
};

/// The longest JSON body but for the ledger's, in bytes.
const MAX_JSON_BYTES: usize = 16 * 1024;
/// The longest body of ledger entries or links, in bytes.
const MAX_LEDGER_BYTES: usize = 1024 * 1024;

type Served = Arc<Controllers>;

pub(crate) fn router(controllers: Served, request_timeout: Duration) -> Router {
    Router::new()
        .route(PATH_BATCHES, post(batches::deliver))
        .route(PATH_FEED, post(feed::follow))
        .route(PATH_WITNESS, post(audit::witness))
        .route(PATH_LEDGER, post(ledger::record))
        .route(PATH_SEGMENTS, post(segments::merge))
        .route(PATH_READS, post(reads::read))
        .route(PATH_CONSENTS, post(consents::stand))
        .route(PATH_FIND_ASSET, post(reads::find_asset))
        .route(PATH_EXPLAIN, post(explain::explain))
        .route(PATH_ERASURES, post(erasures::erasure))
        .route(PATH_DELETIONS, post(erasures::fetch))
        .route(PATH_CONFIRM_DELETIONS, post(erasures::confirm))
        .route(PATH_CLOCK, post(erasures::clock))
        .route(PATH_STATUS, get(status))
        .fallback(|| async { Refusal::new(Code::NotFound, "look at the paths of the contract, version 1") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(Code::MethodNotAllowed, "look at the paths of the contract, version 1")
        })
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, request_timeout))
        .layer(map_response(timed_out))
        .layer(from_fn(count))
        .with_state(controllers)
}

/// The one refusal that a layer makes gets its document here.
async fn timed_out(response: Response) -> Response {
    if response.status() == StatusCode::REQUEST_TIMEOUT {
        Refusal::new(Code::Busy, "the request took too long; send it faster, or again later").into_response()
    } else {
        response
    }
}

async fn status(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<Status>, Refusal> {
    let controller = served.of(&peer)?;
    Ok(Json(Status {
        api: vernport_api::VERSION,
        software: env!("CARGO_PKG_VERSION").into(),
        batches: controller.store().count_batches(controller.id()).await?,
        deleted: controller.store().swept(controller.id()).await?,
        log_alarms: controller.store().log_alarms(controller.id()).await?.1,
    }))
}

/// The peer's controller, if the peer has this role.
fn admit<'a>(served: &'a Controllers, peer: &Peer, role: Role) -> Result<&'a Controller, Refusal> {
    if peer.role == role {
        served.of(peer)
    } else {
        let detail = format!("ask with a certificate whose organisational unit is {}", role.as_str());
        Err(Refusal::new(Code::RoleNotAllowed, detail))
    }
}
