//! `POST /v1/ledger/events`: a caller follows what is recorded; and
//! `POST /v1/ledger/find`: it asks what became of an entry by its own reference.

use super::{MAX_JSON_BYTES, Served};
use crate::{
    caller::Caller,
    refusal::{Refusal, json},
};
use axum::{Json, body::Body, extract::State};
use vernport_api::{Code, EventsAnswer, EventsRequest, FindEntryAnswer, FindEntryRequest, MAX_EVENTS};

pub(super) async fn follow(
    State(served): State<Served>,
    caller: Caller,
    from: Body,
) -> Result<Json<EventsAnswer>, Refusal> {
    let desk = caller.desk(&served).await?;
    let asked: EventsRequest = json(from, MAX_JSON_BYTES).await?;
    if !(1..=MAX_EVENTS).contains(&asked.limit) {
        return Err(Refusal::new(Code::BadRequest, format!("ask for 1 to {MAX_EVENTS} events")));
    }
    Ok(Json(desk.controller.events(&asked, &desk.by).await?))
}

pub(super) async fn find(
    State(served): State<Served>,
    caller: Caller,
    from: Body,
) -> Result<Json<FindEntryAnswer>, Refusal> {
    let desk = caller.desk(&served).await?;
    let asked: FindEntryRequest = json(from, MAX_JSON_BYTES).await?;
    Ok(Json(desk.controller.find_entry(&asked, &desk.by).await?))
}
