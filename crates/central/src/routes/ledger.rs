//! `POST /v1/ledger`: what people and firms said comes in.

use super::{MAX_LEDGER_BYTES, Served};
use crate::{
    caller::Caller,
    keyed::{self, Attempt, Begin},
    refusal::{Refusal, body, parse},
};
use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use vernport_api::{Code, LedgerAnswer, LedgerRequest, MAX_ENTRIES, PATH_LEDGER};

pub(super) async fn record(
    State(served): State<Served>,
    caller: Caller,
    headers: HeaderMap,
    from: Body,
) -> Result<Response, Refusal> {
    let desk = caller.desk(&served).await?;
    let key = keyed::key(&headers)?;
    let bytes = body(from, MAX_LEDGER_BYTES).await?;
    let asked: LedgerRequest = parse(&bytes)?;
    let count = asked.entries.len();
    if !(1..=MAX_ENTRIES).contains(&count) || asked.identifiers.len() > MAX_ENTRIES {
        let detail = format!("send 1 to {MAX_ENTRIES} entries, and at most as many identifiers");
        return Err(Refusal::new(Code::BadRequest, detail));
    }
    let Some(key) = key else {
        return Ok(answer(&desk.controller.record(asked, &desk.by, None).await?));
    };
    let request = keyed::digest(PATH_LEDGER, "", &bytes);
    match Attempt::begin(&desk, &key).await? {
        Begin::Answered { request: known, answer } => keyed::again(known, request, answer),
        Begin::Attempt(attempt) => {
            match desk.controller.record(asked, &desk.by, Some((&attempt, request))).await {
                Ok(recorded) => {
                    let answer = to_json(&recorded);
                    attempt.keep(request, &answer).await;
                    Ok(keyed::json_bytes(answer))
                }
                Err(refusal) => {
                    attempt.give_up().await;
                    Err(refusal)
                }
            }
        }
    }
}

fn to_json(answer: &LedgerAnswer) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer is plain data")
}

fn answer(recorded: &LedgerAnswer) -> Response {
    keyed::json_bytes(to_json(recorded))
}
