//! What a thief may find, for each place of the storage key; and that it is so.

use crate::{
    disk::{Found, Mode},
    planted::{ODOMETER_ROUNDED_M, VIN, canaries},
    theft::Theft,
    thief::{Thief, carried, received},
};
use anyhow::Result;
use std::collections::BTreeMap;
use vernport_crypto::{IdentityKey, SigningKey};
use vernport_types::Identifier;

/// What is on the disk, and whether the box's own keys open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// Batches on their way to central, store and consent flows alike.
    Envelopes,
    /// Messages for fleet topics that wait: topic and payload.
    Messages,
    /// The envelope inside a message of a flow whose topic is sealed.
    Carried,
    /// What central said last: who to seal to, and what is open.
    Snapshot,
    /// The link from a VIN to asset ids: it needs the identity key.
    Link,
    /// New batches in the name of this box: it needs the device key.
    Forgery,
}

/// The promise. `tests/README.md` tells it to people.
const TABLE: [(Thing, Mode, bool); 18] = [
    (Thing::Envelopes, Mode::File, false),
    (Thing::Envelopes, Mode::Credential, false),
    (Thing::Envelopes, Mode::Memory, false),
    (Thing::Messages, Mode::File, true),
    (Thing::Messages, Mode::Credential, false),
    (Thing::Messages, Mode::Memory, false),
    (Thing::Carried, Mode::File, false),
    (Thing::Carried, Mode::Credential, false),
    (Thing::Carried, Mode::Memory, false),
    (Thing::Snapshot, Mode::File, true),
    (Thing::Snapshot, Mode::Credential, false),
    (Thing::Snapshot, Mode::Memory, false),
    (Thing::Link, Mode::File, true),
    (Thing::Link, Mode::Credential, false),
    (Thing::Link, Mode::Memory, true),
    (Thing::Forgery, Mode::File, true),
    (Thing::Forgery, Mode::Credential, false),
    (Thing::Forgery, Mode::Memory, true),
];

/// How many of a thing there are, and how many of them open.
type Tried = BTreeMap<Thing, (usize, usize)>;

fn try_all(theft: &Theft, files: &[Found]) -> Result<Tried> {
    let thief = Thief::of(files);
    let waiting = &theft.waiting;
    let mut tried = Tried::new();
    let envelopes: Vec<_> = waiting.envelopes.iter().map(received).collect();
    let mut opened = envelopes.iter().filter(|envelope| thief.opens_envelope(envelope)).count();
    let mut all = envelopes.len();
    let messages: Vec<_> =
        waiting.messages.iter().filter_map(|message| thief.open_message(message)).collect();
    let carried: Vec<_> = messages.iter().filter_map(carried).collect();
    let mut opened_raw = 0;
    for file in files {
        let (whole, open) = thief.envelopes_in(&file.bytes);
        all += whole;
        opened += open;
        opened_raw += thief.messages_in(&file.bytes, &waiting.messages);
    }
    tried.insert(Thing::Envelopes, (all, opened));
    // Those in raw bytes, some of them sent long ago, are no others: they open or do not as these.
    let opened_messages = if messages.is_empty() { opened_raw } else { messages.len() };
    tried.insert(Thing::Messages, (waiting.messages.len(), opened_messages));
    let open = carried.iter().filter(|envelope| thief.opens_envelope(envelope)).count();
    tried.insert(Thing::Carried, (carried.len(), open));
    let snapshot = waiting.snapshot.as_deref().and_then(|row| thief.open_snapshot(row));
    tried.insert(Thing::Snapshot, (1, usize::from(snapshot.is_some())));
    let registrar = theft.stage.registrar(&theft.controller)?;
    let vin = Identifier::Vin(VIN.parse()?);
    let index = registrar.identity.index(&vin);
    let links = thief.keys.iter().any(|key| IdentityKey::from_bytes(*key).index(&vin) == index);
    tried.insert(Thing::Link, (1, usize::from(links)));
    let forges =
        |key: &&[u8; 32]| SigningKey::from_seed(**key).verifying_key() == theft.controller.device_key;
    tried.insert(Thing::Forgery, (1, thief.keys.iter().filter(forges).count()));
    Ok(tried)
}

/// Where a canary was found, whatever the run.
fn canaries_in(files: &[Found]) -> Result<Vec<(String, &'static str, &'static str)>> {
    let canaries = canaries()?;
    let mut found = Vec::new();
    for file in files {
        found.extend(
            canaries.search(&file.bytes).into_iter().map(|one| (file.path.clone(), one.canary, one.form)),
        );
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_opens_on_a_stolen_disk_is_what_the_table_says_and_nothing_is_in_plain_words() -> Result<()> {
    let mut leaks: Option<Vec<_>> = None;
    for mode in Mode::ALL {
        let theft = Theft::of(mode).await?;
        let files = theft.files()?;
        let has = |path: &str| files.iter().any(|file| file.path == path && !file.bytes.is_empty());
        assert!(has("data/spool.db") && has("data/spool.db-wal") && has("gateway.log"), "{mode:?}");
        let tried = try_all(&theft, &files)?;
        for (thing, _, opens) in TABLE.iter().filter(|row| row.1 == mode) {
            let (all, opened) = tried[thing];
            let expected = if *opens { all } else { 0 };
            assert_eq!(opened, expected, "{thing:?} with the storage key in {mode:?}, of {all}");
            assert!(all > 0 || *thing == Thing::Carried && mode != Mode::File, "{thing:?} in {mode:?}: none");
        }
        // Needles of few bytes are met in ciphertext by chance; what leaks is there every time.
        let found = canaries_in(&files)?;
        leaks = Some(match leaks {
            None => found,
            Some(before) => before.into_iter().filter(|place| found.contains(place)).collect(),
        });
        if mode == Mode::File {
            the_search_finds_what_opens(&theft, &files)?;
        }
        theft.stage.stop().await;
    }
    assert_eq!(leaks, Some(Vec::new()), "planted values are in plain words");
    Ok(())
}

/// Without this, the table could hold by opening nothing and the search by looking for nothing.
fn the_search_finds_what_opens(theft: &Theft, files: &[Found]) -> Result<()> {
    let thief = Thief::of(files);
    let messages: Vec<_> =
        theft.waiting.messages.iter().filter_map(|message| thief.open_message(message)).collect();
    let canaries = canaries()?;
    let plain = messages.iter().filter(|message| carried(message).is_none());
    let mut found: Vec<_> =
        plain.flat_map(|message| canaries.search(message.payload())).map(|found| found.canary).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["odometer, rounded"], "the plaintext topic gets {ODOMETER_ROUNDED_M} m and no more");
    // And its recipients' keys do open what no key of the box does.
    let keys = &theft.controller.recipient;
    let keys = keys.iter().map(|key| theft.stage.dev.opening_key(&theft.controller, key));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    for envelope in theft.waiting.envelopes.iter().map(received) {
        assert!(keys.iter().any(|key| envelope.open(key).is_ok()), "{}", envelope.header().flow);
    }
    let flows: std::collections::BTreeSet<_> =
        theft.waiting.envelopes.iter().map(|sealed| sealed.header().flow.to_string()).collect();
    assert!(flows.contains("eco-coaching"), "a consent flow is among what waits: {flows:?}");
    Ok(())
}
