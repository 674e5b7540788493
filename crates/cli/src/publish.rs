//! `vernport publish`: sends one message as a workshop tool, after it was
//! checked here, and prints what the station answers.
//!
//! A message that is not answered is sent again under its id until the time is
//! over: it is counted once. No error repeats anything of the message.

pub(crate) mod check;

use crate::{
    args,
    link::{Unusable, endpoint, hopeless},
    show,
};
use anyhow::{Result, bail};
use serde_json::{Value as Json, json};
use std::{
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use vernport_crypto::random;
use vernport_gateway::SystemClock;
use vernport_mqtt::{Outcome, ResultCode, ToolClient, ToolResult, acl::Principal, tool_message};
use vernport_types::{Catalogue, Clock as _};

/// Pause before a message that was lost with its connection is sent again.
const AGAIN: Duration = Duration::from_millis(200);

/// The station refuses the message; the answer was printed.
#[derive(Debug, Error)]
#[error("refused: {}; {}", code.as_str(), remedy(*code))]
struct Refused {
    code: ResultCode,
}

/// Checks, sends, waits for the answer and prints it.
///
/// # Errors
/// [`Unusable`] before anything is sent; another one if the station refuses it, or does not answer in time.
pub async fn run(args: &args::Publish) -> Result<()> {
    let payload = payload(args)?;
    let catalogue = catalogue(args.signals.as_deref())?;
    let id = check::check(&payload, &catalogue, SystemClock.now().wall)
        .map_err(|wrong| Unusable(format!("the message: {wrong}")))?;
    if args.dry_run {
        return told(args.json, &json!({"id": id, "checked": true}), "checked; nothing was sent");
    }
    let principal = Principal::Tool(args.tool.clone());
    // Not the client id of the tool itself: its connection stays.
    let client_id = format!("{principal}.publish-{}", hex::encode(random::<4>()));
    let endpoint = endpoint(&args.at, &principal, &client_id)?;
    let mut tool = ToolClient::start(endpoint, args.tool.clone());
    let answer = timeout(Duration::from_secs(args.wait), answer(&mut tool, &payload, &id)).await;
    let trouble = tool.trouble();
    tool.stop().await;
    let result = match (answer, trouble) {
        (Ok(answer), _) => answer?,
        (Err(_), Some(cause)) => bail!("{}", hopeless(&cause).unwrap_or_else(|| cause.to_string())),
        (Err(_), None) => bail!(
            "no answer within {} s; see on the station whether its gateway runs and listens (vernport status)",
            args.wait
        ),
    };
    told(args.json, &json!(result), &format!("{}: {}", id, result.code.as_str()))?;
    if result.accepted { Ok(()) } else { Err(Refused { code: result.code }.into()) }
}

/// Sends until the station has answered. Gives up early where another attempt will not help.
async fn answer(tool: &mut ToolClient, payload: &[u8], id: &str) -> Result<ToolResult> {
    loop {
        tokio::select! {
            ready = tool.ready() => anyhow::ensure!(ready, "the line to the broker has stopped"),
            why = refused(tool) => bail!(why),
        }
        match tool.send(payload.to_vec()).await {
            Outcome::Acknowledged => {}
            Outcome::Refused => {
                bail!(
                    "the broker refused the message: this login may not publish there, or no gateway listens"
                )
            }
            Outcome::TooLong => bail!("the broker takes no packet as long as the message: send it in parts"),
            Outcome::Lost => {
                sleep(AGAIN).await;
                continue;
            }
        }
        while let Ok(Some(result)) = timeout(Duration::from_secs(5), tool.result()).await {
            // An answer without an id is to a message whose id was not read, as one over the rate.
            if result.id.as_deref().is_none_or(|of| of == id) {
                return Ok(result);
            }
        }
        // The answer may have been lost: asked again, it says that it has the message.
    }
}

/// Comes true when the broker will never take us.
async fn refused(tool: &ToolClient) -> String {
    loop {
        if let Some(why) = tool.trouble().as_ref().and_then(hopeless) {
            return why;
        }
        sleep(AGAIN).await;
    }
}

/// The message as it will be sent.
fn payload(args: &args::Publish) -> Result<Vec<u8>, Unusable> {
    args.file.as_deref().map_or_else(|| Ok(composed(args)), read)
}

/// A payload out of a file, or standard input: one byte more than may be sent, so that a longer one is told.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Unusable> {
    let bounded = tool_message::MAX_PAYLOAD_BYTES as u64 + 1;
    let read = |from: &mut dyn std::io::Read| {
        let mut payload = Vec::new();
        from.take(bounded).read_to_end(&mut payload).map(|_| payload)
    };
    let payload = if file == Path::new("-") {
        read(&mut std::io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(|mut file| read(&mut file))
    };
    payload.map_err(|error| {
        Unusable(format!("{}: cannot be read ({error}); check the path and its owner", file.display()))
    })
}

/// One reading out of what was typed.
fn composed(args: &args::Publish) -> Vec<u8> {
    let value = args.value.as_deref().unwrap_or_default();
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    let time = args.time.clone().unwrap_or_else(|| show::time(SystemClock.now().wall));
    let mut reading = json!({"path": args.path, "value": value, "time": time});
    if let Some(unit) = &args.unit {
        reading["unit"] = unit.as_str().into();
    }
    let id = args.id.clone().unwrap_or_else(|| format!("cli-{}", hex::encode(random::<8>())));
    let mut message = json!({"id": id, "readings": [reading]});
    let vehicle = match (&args.vin, args.plate.as_deref(), &args.order) {
        (Some(vin), ..) => Some(json!({"vin": vin})),
        (_, Some([country, number]), _) => Some(json!({"plate": {"country": country, "number": number}})),
        (.., Some(order)) => Some(json!({"order": order})),
        _ => None,
    };
    if let Some(vehicle) = vehicle {
        message["vehicle"] = vehicle;
    }
    message.to_string().into_bytes()
}

/// The catalogue of a folder, or the shipped one.
pub(crate) fn catalogue(folder: Option<&Path>) -> Result<Catalogue, Unusable> {
    match folder {
        None => Ok(crate::shipped::catalogue()),
        Some(folder) => {
            vernport_gateway::rules::load_catalogue(folder).map_err(|error| Unusable::from_error(&error))
        }
    }
}

/// What to do about an answer.
fn remedy(code: ResultCode) -> &'static str {
    match code {
        ResultCode::Accepted | ResultCode::Duplicate => "nothing has to be done",
        ResultCode::Limited => "the tool sends too much: send it again later, more slowly",
        ResultCode::Busy => "the box cannot keep it at the moment: send it again later",
        ResultCode::Vehicle => "no such vehicle stands or is expected here: open an order, or name another",
        ResultCode::Identity => "the topic is another tool's: name your own with --as",
        ResultCode::UnknownSignal | ResultCode::Unit | ResultCode::Value => {
            "the box has another catalogue than the one that it was checked against: name its folder with --signals"
        }
        ResultCode::Time | ResultCode::TimeWithoutZone => "compare the clocks of tool and box",
        ResultCode::Malformed | ResultCode::TooLarge => "the box reads another version of messages",
    }
}

fn told(json: bool, answer: &Json, line: &str) -> Result<()> {
    let text = if json { answer.to_string() } else { line.to_owned() };
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
