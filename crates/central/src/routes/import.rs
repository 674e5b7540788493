//! `POST /v1/ledger/import`: many entries come in, a line each.

use super::Served;
use crate::{
    caller::{Caller, Desk},
    import::{Import, ReadLine},
    keyed::{self, Attempt, Begin},
    lines::{Lines, Next},
    refusal::Refusal,
};
use axum::{
    body::Body,
    extract::{Query, RawQuery, State, rejection::QueryRejection},
    http::{HeaderMap, header::CONTENT_TYPE},
    response::Response,
};
use std::time::Duration;
use tokio::time::Instant;
use vernport_api::{Code, ImportQuery, NDJSON, PATH_IMPORT};

/// How long an import may take, and a little before that: no other chunk is begun.
pub(super) const WITHIN: Duration = Duration::from_secs(660);
const BEGIN_WITHIN: Duration = Duration::from_secs(600);

pub(super) async fn import(
    State(served): State<Served>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    query: Result<Query<ImportQuery>, QueryRejection>,
    from: Body,
) -> Result<Response, Refusal> {
    let desk = caller.desk(&served).await?;
    let Query(query) = query.map_err(|_| {
        let detail = "the query is dry_run=true or false, and on_error=stop or continue";
        Refusal::new(Code::BadRequest, detail)
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case(NDJSON)) {
        return Err(Refusal::new(Code::BadRequest, format!("send {NDJSON}: one entry a line")));
    }
    let Ok(_place) = desk.controller.imports.try_acquire() else {
        return Err(Refusal::new(Code::Busy, "other imports of this controller run; send it again later"));
    };
    let mut lines = Lines::of(from);
    // A dry run changes nothing: repeating it needs no key.
    let key = keyed::key(&headers)?.filter(|_| !query.dry_run);
    let Some(key) = key else {
        return finish(run(&desk, query, &mut lines, None).await?.0);
    };
    let said =
        |lines: &Lines| keyed::digest(PATH_IMPORT, raw.as_deref().unwrap_or_default(), &lines.digest());
    match Attempt::begin(&desk, &key).await? {
        Begin::Answered { request, answer } => {
            drain(&mut lines).await?;
            keyed::again(request, said(&lines), answer)
        }
        Begin::Attempt(attempt) => match run(&desk, query, &mut lines, Some(&attempt)).await {
            // What central's own trouble stopped goes on when it is sent again.
            Ok((import, is_final)) => {
                let answer = serde_json::to_vec(&import.answer).expect("an answer is plain data");
                if is_final {
                    attempt.keep(said(&lines), &answer).await;
                } else {
                    attempt.give_up().await;
                }
                finish(import)
            }
            Err(refusal) => {
                attempt.give_up().await;
                Err(refusal)
            }
        },
    }
}

/// Takes chunk after chunk, and reads the whole body in any case: also what comes behind the place
/// where it stopped belongs to the request. False if it is not the last word.
async fn run<'a>(
    desk: &'a Desk<'_>,
    query: ImportQuery,
    lines: &mut Lines,
    attempt: Option<&Attempt>,
) -> Result<(Import<'a>, bool), Refusal> {
    let began = Instant::now();
    let mut import = Import::begin(desk.controller, &desk.by, query).await?;
    loop {
        let (chunk, broken, is_more) = import.read(lines).await;
        if began.elapsed() > BEGIN_WITHIN {
            let late = Refusal::new(Code::Busy, "the import takes too long; send it again from here on");
            import.stop(chunk.first().map_or(lines.number(), ReadLine::number), late);
        } else {
            if let Some(attempt) = attempt {
                attempt.hold(desk.controller.clock.now().wall).await?;
            }
            import.take(&chunk).await;
        }
        let mut is_whole = broken.is_none();
        if let Some((line, refusal)) = broken {
            import.stop(line, refusal);
        }
        if !import.goes_on() && is_more {
            is_whole = drain(lines).await.is_ok();
        }
        if !import.goes_on() || !is_more {
            let stop = import.answer.stopped.as_ref().map(|stop| stop.code);
            let is_trouble = matches!(stop, Some(Code::Busy | Code::Internal | Code::NoAgreement));
            return Ok((import, is_whole && !is_trouble));
        }
    }
}

/// What central's own trouble, or a body that broke, stopped before its first line is a refusal as any other.
fn finish(import: Import<'_>) -> Result<Response, Refusal> {
    let answer = import.answer;
    match &answer.stopped {
        Some(stop) if answer.lines.is_empty() => Err(Refusal::new(stop.code, stop.detail.clone())),
        _ => Ok(keyed::json_bytes(serde_json::to_vec(&answer).expect("an answer is plain data"))),
    }
}

async fn drain(lines: &mut Lines) -> Result<(), Refusal> {
    loop {
        match lines.next().await {
            Next::Line(_) | Next::TooLong => {}
            Next::End => return Ok(()),
            Next::Broken(refusal) => return Err(refusal),
        }
    }
}
