//! The frozen forms of what callers with systems of their own send and get. Where one of these
//! fails, mend the code, not the file (decision note 0021).

mod frozen;

use frozen::{frozen, slug};
use vernport_api::{
    Code, Cursor, EventEntry, EventsAnswer, EventsRequest, FindEntryAnswer, FindEntryRequest, FoundEntry,
    ImportAnswer, ImportLine, ImportStop, ImportedLine, LedgerEvent, LedgerRequest, LineOutcome,
};
use vernport_crypto::BlindIndex;
use vernport_registry::{
    Actor, ActorRole, AssetIdentified, ENTRY_FORMAT, Entry, EntryState, Event, OrderClosed,
};
use vernport_types::{AssetId, EntryHash, Identifier, IdentifierKind, OrderId, UtcMicros};

/// 2026-11-20T00:00:00Z.
const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);

fn entry(event: Event, external_ref: &str) -> Entry {
    Entry {
        format: ENTRY_FORMAT,
        controller: "NO-999999999".parse().expect("a controller"),
        event,
        actor: Actor { role: ActorRole::Staff, id: slug("counter-7") },
        occurred_at: NOW,
        recorded_at: UtcMicros(0),
        source: slug("dms"),
        external_ref: external_ref.parse().expect("short"),
    }
}

fn identified() -> Entry {
    let event = AssetIdentified {
        asset: AssetId::from_bytes([0xC3; 16]),
        identifier_kind: IdentifierKind::Vin,
        index: BlindIndex::from_bytes([0xB1; 32]),
    };
    entry(Event::AssetIdentified(event), "vehicle-17")
}

fn closed() -> Entry {
    let order = OrderId::from_bytes([0x0D; 16]);
    entry(Event::OrderClosed(OrderClosed { order }), "order-4711")
}

fn vin() -> Identifier {
    Identifier::Vin("WDB9634031L738001".parse().expect("a VIN"))
}

fn hash(byte: u8) -> EntryHash {
    EntryHash::from_bytes([byte; 32])
}

#[test]
fn entries_are_sent_like_this_together_or_a_line_each() {
    let request =
        LedgerRequest { entries: vec![identified(), closed()], identifiers: vec![vin()], wait_ms: 2_000 };
    frozen(include_str!("../golden/ledger-request.json"), &request);
    let line = ImportLine { entry: identified(), identifiers: vec![vin()] };
    frozen(include_str!("../golden/import-line.json"), &line);
}

#[test]
fn an_import_is_answered_like_this() {
    let line = |line, outcome, entry| ImportedLine { line, outcome, entry, code: None, detail: None };
    let detail = "what was wrong, and how to mend it".to_owned();
    let (code, said) = (Some(Code::EntryRefused), Some(detail.clone()));
    let mut answer = ImportAnswer {
        stopped: Some(ImportStop { line: 3, code: Code::EntryRefused, detail }),
        ..ImportAnswer::default()
    };
    answer.push(line(1, LineOutcome::Recorded, Some(hash(0xE1))));
    answer.push(line(2, LineOutcome::Already, Some(hash(0xE2))));
    answer.push(ImportedLine { code, detail: said, ..line(3, LineOutcome::Refused, None) });
    frozen(include_str!("../golden/import-answer.json"), &answer);
}

#[test]
fn the_ledger_is_followed_like_this() {
    let request = EventsRequest { after: Some(Cursor::at(1, 41, &hash(0xE1))), limit: 500, wait_ms: 5_000 };
    frozen(include_str!("../golden/events-request.json"), &request);
    let own = slug("no-912345678");
    let statement = Entry {
        actor: Actor { role: ActorRole::System, id: own.clone() },
        source: own,
        recorded_at: NOW.plus_seconds(5),
        ..closed()
    };
    let shown = EventEntry { hash: hash(0xE2), statement };
    let answer = EventsAnswer {
        events: vec![
            LedgerEvent { position: 42, kind: "order-closed".into(), entry: Some(shown) },
            LedgerEvent { position: 44, kind: "erasure-ordered".into(), entry: None },
        ],
        next: Some(Cursor::at(1, 44, &hash(0xE3))),
    };
    frozen(include_str!("../golden/events-answer.json"), &answer);
}

#[test]
fn an_entry_is_found_like_this() {
    let external_ref = "order-4711".parse().expect("short");
    frozen(
        include_str!("../golden/find-entry-request.json"),
        &FindEntryRequest { source: slug("dms"), external_ref },
    );
    let found = FoundEntry {
        entry: hash(0xE2),
        position: 42,
        kind: "order-closed".into(),
        recorded_at: NOW.plus_seconds(5),
        state: EntryState::InForce,
    };
    frozen(include_str!("../golden/find-entry-answer.json"), &FindEntryAnswer { found: Some(found) });
}
