//! Sealed things of a given id and size, and a spool in a folder of its own.

use std::path::PathBuf;
use tempfile::TempDir;
use vernport_crypto::sha256;
use vernport_seal::{Recipient, Sealed, Storage, reload_recipient, reload_storage};
use vernport_spool::{Config, Page, QueuedBatch, QueuedTopic, Spool, Stream, Unit, WhenFull};
use vernport_types::{BatchId, ControllerId, GrantId, MessageId, Slug, UtcMicros, VehicleAlias};

/// When everything here happens, unless a test says otherwise.
pub(crate) const NOW: UtcMicros = UtcMicros(1_800_000_000_000_000);
/// When things are due, unless a test says otherwise.
pub(crate) const DUE: UtcMicros = NOW.plus_seconds(86_400);
pub(crate) const ALL: Page = Page::front(1000, u64::MAX);

/// An id of `bytes` length that tells its number.
pub(crate) fn id<const N: usize>(number: u32) -> [u8; N] {
    let mut bytes = [0xA5; N];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn controller() -> ControllerId {
    "NO-999999999".parse().expect("a controller")
}

pub(crate) fn grant(number: u32) -> GrantId {
    GrantId::from_bytes(id(number))
}

/// An envelope whose structure is in order; nobody could open it. Its body has 16 bytes and `filler_bytes`.
pub(crate) fn envelope(number: u32, due: UtcMicros, filler_bytes: usize) -> Sealed<Recipient> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    let body = vec![u8::try_from(number % 251).expect("a byte"); 16 + filler_bytes];
    let wraps = [&[2][..], &[7; 2 * 96]].concat();
    let bytes = [
        &b"VPEN\x01"[..],
        &text(controller().as_str()),
        &text("bay-1"),
        &id::<16>(number),
        &text("service-odometer"),
        &[9; 16],
        &due.0.to_be_bytes(),
        &text("odometer-24-months"),
        &0_u64.to_be_bytes(),
        &u32::try_from(body.len()).expect("short").to_be_bytes(),
        &body,
        &wraps,
        &sha256(&body),
        &sha256(&wraps),
        &[3; 64],
    ]
    .concat();
    reload_recipient(bytes).expect("the structure of an envelope")
}

/// A sealed topic message whose beginning is in order.
pub(crate) fn message(number: u32) -> Sealed<Storage> {
    let bytes = [&b"VPST\x01"[..], &[5; 60], &number.to_be_bytes()].concat();
    reload_storage(bytes).expect("the beginning of a sealed message")
}

pub(crate) fn batch(number: u32, under: u32) -> QueuedBatch {
    QueuedBatch { grant: grant(under), when_full: WhenFull::Wait, sealed: envelope(number, DUE, 100) }
}

pub(crate) fn stream(number: u8) -> Stream {
    Stream {
        operator: slug("operator"),
        purpose: slug("fleet-location"),
        alias: VehicleAlias::from_bytes([number; 16]),
    }
}

pub(crate) fn topic(number: u32, under: u32, on: u8) -> QueuedTopic {
    QueuedTopic {
        controller: controller(),
        grant: grant(under),
        when_full: WhenFull::Wait,
        stream: stream(on),
        message: MessageId::from_bytes(id(number)),
        expiry: DUE,
        sealed: message(number),
    }
}

pub(crate) fn unit(batches: Vec<QueuedBatch>, topics: Vec<QueuedTopic>) -> Unit {
    Unit { batches, topics, ..Unit::new(NOW) }
}

/// A spool and the folder that goes with it.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("spool.db")
    }

    pub(crate) fn config(&self) -> Config {
        Config::new(self.path(), 64 << 20)
    }

    pub(crate) async fn open(&self) -> Spool {
        Spool::open(self.config()).await.expect("the spool opens")
    }
}

/// The batches that may go, by number, in order.
pub(crate) async fn ready(spool: &Spool) -> Vec<u32> {
    let batches = spool.next_batches(ALL).await.expect("reads");
    batches
        .iter()
        .map(|stored| {
            let number = number(*stored.batch.as_bytes());
            assert_eq!(stored.batch, BatchId::from_bytes(id(number)));
            number
        })
        .collect()
}

/// The messages that may go: number, seq, skipped, in order.
pub(crate) async fn ready_topics(spool: &Spool) -> Vec<(u32, u64, u64)> {
    let topics = spool.next_topics(&slug("operator"), ALL).await.expect("reads");
    topics.iter().map(|stored| (number(*stored.message.as_bytes()), stored.seq, stored.skipped)).collect()
}

pub(crate) fn number(id: [u8; 16]) -> u32 {
    u32::from_be_bytes([id[0], id[1], id[2], id[3]])
}
