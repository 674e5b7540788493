//! What is served at which path, and to whom.

mod audit;
mod batches;
mod consents;
mod erasures;
mod events;
mod explain;
mod feed;
mod fleet_numbers;
mod gateways;
mod import;
mod ledger;
mod reads;
mod segments;

use crate::{
    caller::Caller,
    controller::{Controller, Controllers},
    keyed,
    refusal::Refusal,
    tls::{Peer, Role},
};
use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{Next, from_extractor, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use vernport_api::{
    Code, PATH_BATCHES, PATH_CLOCK, PATH_CONFIRM_DELETIONS, PATH_CONSENTS, PATH_DELETIONS, PATH_ERASURES,
    PATH_EVENTS, PATH_EXPLAIN, PATH_FEED, PATH_FIND_ASSET, PATH_FIND_ENTRY, PATH_FLEET_NUMBERS,
    PATH_GATEWAYS, PATH_IMPORT, PATH_INVITATIONS, PATH_LEDGER, PATH_OPENAPI, PATH_READS, PATH_RENEW,
    PATH_SEGMENTS, PATH_STATUS, PATH_WITNESS, Status,
};

/// The longest JSON body but for the ledger's, in bytes.
const MAX_JSON_BYTES: usize = 16 * 1024;
/// The longest body of ledger entries or links, in bytes.
const MAX_LEDGER_BYTES: usize = 1024 * 1024;

type Served = Arc<Controllers>;

/// What is served where: one list, so that the document that describes it can be held against it.
macro_rules! routes {
    ($($method:ident $path:ident => $handler:path,)*) => {
        /// Every path that is served, with its method in small letters.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path),)*];

        fn routes() -> Router<Served> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    post PATH_BATCHES => batches::deliver,
    post PATH_FEED => feed::follow,
    post PATH_WITNESS => audit::witness,
    post PATH_LEDGER => ledger::record,
    post PATH_IMPORT => import::import,
    post PATH_EVENTS => events::follow,
    post PATH_FIND_ENTRY => events::find,
    post PATH_SEGMENTS => segments::merge,
    post PATH_READS => reads::read,
    post PATH_CONSENTS => consents::stand,
    post PATH_FIND_ASSET => reads::find_asset,
    post PATH_FLEET_NUMBERS => fleet_numbers::call,
    post PATH_EXPLAIN => explain::explain,
    post PATH_ERASURES => erasures::erasure,
    post PATH_DELETIONS => erasures::fetch,
    post PATH_CONFIRM_DELETIONS => erasures::confirm,
    post PATH_CLOCK => erasures::clock,
    get PATH_GATEWAYS => gateways::list,
    post PATH_INVITATIONS => gateways::invite,
    post PATH_RENEW => gateways::renew,
    get PATH_STATUS => status,
    get PATH_OPENAPI => openapi,
}

pub(crate) fn router(controllers: Served, request_timeout: Duration) -> Router {
    routes()
        .fallback(|| async { Refusal::new(Code::NotFound, "look at the paths of the contract, version 1") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(Code::MethodNotAllowed, "look at the paths of the contract, version 1")
        })
        .layer(from_extractor::<Caller>())
        .layer(from_fn_with_state(request_timeout, in_time))
        .with_state(controllers)
}

/// Gives up what takes too long. An import has bounds of its own.
pub(crate) async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    let within = if request.uri().path() == PATH_IMPORT { import::WITHIN } else { within };
    let late = "the request took too long; send it faster, or again later";
    timeout(within, next.run(request))
        .await
        .unwrap_or_else(|_| Refusal::new(Code::Busy, late).into_response())
}

/// The description of the contract, for whoever has a certificate.
async fn openapi() -> Response {
    keyed::json_bytes(vernport_api::OPENAPI.into())
}

async fn status(State(served): State<Served>, caller: Caller) -> Result<Json<Status>, Refusal> {
    let controller = caller.controller(&served).await?;
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
