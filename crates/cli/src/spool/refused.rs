//! `vernport spool refused`: which messages of tools were refused. Known by a keyed hash; what they
//! said is nowhere. Reads only, also beside a running gateway.

use super::{configuration, now, place};
use crate::{
    args,
    audit::Unreadable,
    show,
    status::{Unasked, ago},
};
use anyhow::Result;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use vernport_gateway::{refused_digest, secrets::Secrets};
use vernport_mqtt::tool_message::MAX_PAYLOAD_BYTES;
use vernport_spool::{Inspect, MAX_REFUSED_TOOL_MESSAGES, RefusedToolMessage};
use vernport_status::output;
use vernport_types::{UtcMicros, chain};

/// All that is told.
struct Found {
    file: PathBuf,
    messages: Vec<RefusedToolMessage>,
    now: UtcMicros,
}

/// Looks and prints.
///
/// # Errors
/// [`Unasked`] for a configuration or its keys, [`Unreadable`] for a spool or message that cannot be read.
pub async fn run(args: &args::SpoolRefused) -> Result<()> {
    let found = look(args).await?;
    output::print(&if args.json { found.json().to_string() } else { found.text() })?;
    Ok(())
}

async fn look(args: &args::SpoolRefused) -> Result<Found> {
    let config = configuration(args.at.gateway.as_deref())?;
    let file = place(config.as_ref(), &args.at)?;
    let unread = |source| Unreadable::Spool { path: file.clone(), source };
    let mut inside = Inspect::open(&file).await.map_err(|error| unread(error.into()))?;
    let messages = inside.refused_tool_messages(MAX_REFUSED_TOOL_MESSAGES).await;
    inside.close().await;
    let mut messages = messages.map_err(|error| unread(error.into()))?;
    messages.retain(|message| args.tool.as_ref().is_none_or(|tool| *tool == message.tool));
    if let (Some(brought), Some(config)) = (&args.message, &config) {
        let secrets = Secrets::load(&config.keys);
        let secrets = secrets.map_err(|error| Unasked::Configuration(chain(&error).to_string()))?;
        let digest = refused_digest(&secrets.identity, &payload(brought)?);
        messages.retain(|message| message.digest == digest);
    }
    Ok(Found { file, messages, now: now() })
}

/// A message that somebody brought, as far as a gateway would have read it.
fn payload(path: &Path) -> Result<Vec<u8>, Unreadable> {
    use std::io::Read as _;
    let unread = |source| Unreadable::File { path: path.into(), source };
    let mut payload = Vec::new();
    let file = std::fs::File::open(path).map_err(unread)?;
    // A broker lets nothing by that is twice as long.
    file.take(2 * MAX_PAYLOAD_BYTES as u64).read_to_end(&mut payload).map_err(unread)?;
    Ok(payload)
}

impl Found {
    fn json(&self) -> Json {
        let messages: Vec<Json> = self
            .messages
            .iter()
            .map(|message| {
                json!({
                    "tool": message.tool, "message": hex::encode(message.digest), "code": message.code,
                    "count": message.count, "first_at_micros": message.first_at, "last_at_micros": message.last_at,
                })
            })
            .collect();
        json!({"v": 1, "file": self.file, "kept_at_most": MAX_REFUSED_TOOL_MESSAGES, "messages": messages})
    }

    fn text(&self) -> String {
        if self.messages.is_empty() {
            return "none of the refused messages that are remembered\n".to_owned();
        }
        let rows = self.messages.iter().map(|message| {
            [
                message.tool.to_string(),
                hex::encode(message.digest),
                message.code.clone(),
                message.count.to_string(),
                ago(message.first_at, self.now),
                ago(message.last_at, self.now),
            ]
        });
        show::table(&["tool", "message", "code", "count", "first", "last"], rows)
            + "\na message is told by its keyed hash: --message FILE says whether it is one of these, and \
               `vernport mqtt try` what is wrong in it\n"
    }
}
