//! `POST /v1/ledger`: what people and firms said comes in.

use super::{MAX_LEDGER_BYTES, Served, admit};
use crate::{
    refusal::{Refusal, json},
    tls::{Peer, Role},
};
use axum::{Extension, Json, body::Body, extract::State};
use vernport_api::{Code, LedgerAnswer, LedgerRequest, MAX_ENTRIES};

pub(super) async fn record(
    State(served): State<Served>,
    Extension(peer): Extension<Peer>,
    from: Body,
) -> Result<Json<LedgerAnswer>, Refusal> {
    let controller = admit(&served, &peer, Role::Registrar)?;
    let asked: LedgerRequest = json(from, MAX_LEDGER_BYTES).await?;
    let count = asked.entries.len();
    if !(1..=MAX_ENTRIES).contains(&count) || asked.identifiers.len() > MAX_ENTRIES {
        let detail = format!("send 1 to {MAX_ENTRIES} entries, and at most as many identifiers");
        return Err(Refusal::new(Code::BadRequest, detail));
    }
    Ok(Json(controller.record(asked).await?))
}
