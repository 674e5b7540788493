//! Ledger entries written for a test: read from JSON, as central reads them.

use super::world::rules;
use serde_json::{Value as Json, json};
use vernport_registry::{Applied, Entry, Event, Facts};

/// A consent of Car Special's newsletter form with all that it has to say.
pub(super) fn consent() -> Json {
    json!({
        "kind": "consent-given", "subject": "0a".repeat(16), "role": "owner", "purpose": "marketing",
        "categories": ["contact"], "recipient": "car-special", "processing": "as the form says",
        "form": "newsletter-1", "text_hash": "08".repeat(32), "language": "da", "method": "screen",
        "recorded_by": "staff-7", "receipt": vernport_registry::ReceiptCode::from_bytes([1; 7]),
        "valid_until": 1_800_000_000_000_000_i64,
    })
}

/// Whether an event can be read at all.
pub(super) fn is_event(event: &Json) -> bool {
    serde_json::from_value::<Event>(event.clone()).is_ok()
}

/// The event without one member.
pub(super) fn without(event: &Json, member: &str) -> Json {
    let mut event = event.clone();
    let members = event.as_object_mut().expect("an event is an object");
    members.remove(member).expect("the member is there");
    event
}

/// The event with one member changed.
pub(super) fn with(event: &Json, member: &str, value: impl Into<Json>) -> Json {
    let mut event = event.clone();
    event[member] = value.into();
    event
}

/// The ledger of a shipped bundle's controller, empty.
pub(super) fn ledger(bundle: &str) -> Facts {
    Facts::new(rules(bundle).controller().clone())
}

/// An entry of that ledger.
pub(super) fn entry(facts: &Facts, reference: &str, event: &Json) -> Entry {
    let written = json!({
        "format": 1, "controller": facts.controller(), "event": event,
        "actor": { "role": "staff", "id": "staff-7" }, "occurred_at": 1_777_888_800_000_000_i64,
        "recorded_at": 1_777_888_800_000_000_i64, "source": "booking", "external_ref": reference,
    });
    serde_json::from_value(written).expect("an entry")
}

/// Writes an event into the ledger; what is wrong with it, in words.
pub(super) fn write(facts: &mut Facts, reference: &str, event: &Json) -> Result<Applied, String> {
    let said = |refused: vernport_registry::Refused| {
        let cause = std::error::Error::source(&refused).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{refused}{cause}")
    };
    facts.apply(&entry(facts, reference, event)).map_err(said)
}
