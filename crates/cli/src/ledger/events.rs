//! `vernport ledger events` and `find`: what was recorded, and what became of an entry.

use crate::{
    args::{LedgerEvents, LedgerFind},
    order::connect,
    registrar::Registrar,
    show,
};
use anyhow::{Result, bail};
use serde_json::json;
use vernport_api::{Cursor, EventsRequest, FindEntryRequest, LedgerEvent, MAX_EVENTS, MAX_WAIT_MS};
use vernport_registry::EntryState;
use vernport_status::output;

/// Prints what is recorded, a line each.
///
/// # Errors
/// If central cannot be reached, or the cursor is of another state of the registry.
pub(super) async fn follow(args: LedgerEvents) -> Result<()> {
    let (_, registrar) = connect(&args.registrar)?;
    let mut after = args.after;
    loop {
        let wait_ms = if args.follow { MAX_WAIT_MS } else { 0 };
        let asked = EventsRequest { after, limit: MAX_EVENTS, wait_ms };
        let answer = tokio::select! {
            answer = registrar.events(&asked) => answer?,
            _ = tokio::signal::ctrl_c() => break,
        };
        for event in &answer.events {
            output::print(&serde_json::to_string(event)?)?;
        }
        after = answer.next;
        if answer.events.is_empty() && !args.follow {
            break;
        }
    }
    output::print(&json!({ "next": after }).to_string())?;
    Ok(())
}

/// Everything that stands in the ledger.
pub(crate) async fn all(registrar: &Registrar) -> Result<Vec<LedgerEvent>> {
    let (mut events, mut after) = (Vec::new(), None::<Cursor>);
    loop {
        let answer = registrar.events(&EventsRequest { after, limit: MAX_EVENTS, wait_ms: 0 }).await?;
        if answer.events.is_empty() {
            return Ok(events);
        }
        events.extend(answer.events);
        after = answer.next;
    }
}

/// Says what became of an entry.
///
/// # Errors
/// If there is none, or central cannot be reached.
pub(super) async fn find(args: LedgerFind) -> Result<()> {
    let (_, registrar) = connect(&args.registrar)?;
    let source = args.source.clone();
    let asked = FindEntryRequest { source: args.source, external_ref: args.external_ref };
    let Some(found) = registrar.find_entry(&asked).await? else {
        bail!("{source} recorded nothing under this reference; is it another --source?");
    };
    let state = match found.state {
        EntryState::InForce => "in force",
        EntryState::Voided => "voided: it was a mistake",
        EntryState::Superseded => "superseded: it was renewed",
    };
    output::print(&format!(
        "entry {}\n{} recorded at {}, position {}: {state}",
        found.entry,
        found.kind,
        show::time(found.recorded_at),
        found.position
    ))?;
    Ok(())
}
