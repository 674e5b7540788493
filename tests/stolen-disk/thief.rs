//! What a thief has: every string of bytes on the disk that could be a key, and
//! every place on it that could be sealed. Everything is tried with everything.

use crate::disk::Found;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::collections::BTreeSet;
use vernport_crypto::{BackupKey, ErasureKey, MasterKey, OpeningKey, StorageKey};
use vernport_seal::{
    EnvelopeError, ReceivedEnvelope, Recipient, Sealed, Storage, TopicMessage, open_from_storage,
    reload_storage,
};

/// How much longer or shorter than those that wait a message in raw bytes may be.
const LENGTHS_AROUND: usize = 6;

/// The keys that were found.
pub(crate) struct Thief {
    pub(crate) keys: Vec<[u8; 32]>,
    /// Those that are a file of their own.
    files: Vec<[u8; 32]>,
}

impl Thief {
    /// Takes every key out of the files: hexadecimal digits, PEM, and what is 32 bytes long.
    pub(crate) fn of(files: &[Found]) -> Self {
        let (mut keys, mut whole) = (BTreeSet::new(), BTreeSet::new());
        for file in files {
            if let Ok(bytes) = <[u8; 32]>::try_from(file.bytes.trim_ascii_end()) {
                keys.insert(bytes);
            }
            let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
            for run in text.split(|c: char| !c.is_ascii_hexdigit()) {
                let mut key = [0; 32];
                if hex::decode_to_slice(run, &mut key).is_ok() {
                    keys.insert(key);
                    if run == text.trim_end() {
                        whole.insert(key);
                    }
                }
            }
            // A private key in PKCS #8 holds its secret somewhere within.
            for block in text.split("-----BEGIN PRIVATE KEY-----").skip(1) {
                let body: String = block.lines().take_while(|line| !line.starts_with("---")).collect();
                let der = STANDARD.decode(body.trim()).expect("PEM");
                keys.extend(der.windows(32).map(|window| <[u8; 32]>::try_from(window).expect("32 bytes")));
            }
        }
        Self { keys: keys.into_iter().collect(), files: whole.into_iter().collect() }
    }

    /// Whether any key opens the body of an envelope.
    pub(crate) fn opens_envelope(&self, envelope: &ReceivedEnvelope) -> bool {
        self.keys.iter().any(|key| envelope.open(&OpeningKey::from_bytes(*key)).is_ok())
    }

    /// What any key makes of a message for a topic.
    pub(crate) fn open_message(&self, sealed: &Sealed<Storage>) -> Option<TopicMessage> {
        let row = &sealed.as_bytes()[5..];
        let magic = &sealed.as_bytes()[..5];
        let other_uses = |key: &[u8; 32]| {
            MasterKey::from_bytes(*key).open(magic, row).is_ok()
                || ErasureKey::from_bytes(*key).open(magic, row).is_ok()
                || BackupKey::from_bytes(*key).open(magic, row).is_ok()
        };
        assert!(!self.keys.iter().any(other_uses), "a key of another use opens a message");
        self.keys.iter().find_map(|key| open_from_storage(&StorageKey::from_bytes(*key), sealed).ok())
    }

    /// What any key makes of the snapshot that is kept.
    pub(crate) fn open_snapshot(&self, row: &[u8]) -> Option<Vec<u8>> {
        self.keys
            .iter()
            .find_map(|key| StorageKey::from_bytes(*key).open(b"snapshot", row).ok())
            .map(|plain| plain.to_vec())
    }

    /// Messages in raw bytes, wherever one may begin, that any key file opens. Where one ends is not
    /// written there, so lengths about those of `known` are tried.
    pub(crate) fn messages_in(&self, bytes: &[u8], known: &[Sealed<Storage>]) -> usize {
        let around = |sealed: &Sealed<Storage>| {
            let len = sealed.as_bytes().len();
            len - LENGTHS_AROUND..=len + LENGTHS_AROUND
        };
        let lengths: BTreeSet<usize> = known.iter().flat_map(around).collect();
        starts(bytes, b"VPST\x01").filter(|at| self.message_at(&bytes[*at..], &lengths)).count()
    }

    /// Envelopes that stand whole in raw bytes, and how many of them any key opens.
    pub(crate) fn envelopes_in(&self, bytes: &[u8]) -> (usize, usize) {
        let whole: Vec<_> = starts(bytes, b"VPEN\x01").filter_map(|at| envelope_at(&bytes[at..])).collect();
        (whole.len(), whole.iter().filter(|envelope| self.opens_envelope(envelope)).count())
    }

    fn message_at(&self, bytes: &[u8], lengths: &BTreeSet<usize>) -> bool {
        lengths.iter().filter_map(|len| bytes.get(..*len)).any(|bytes| {
            let sealed = reload_storage(bytes.to_vec()).expect("it begins so");
            self.files.iter().any(|key| open_from_storage(&StorageKey::from_bytes(*key), &sealed).is_ok())
        })
    }
}

/// Reads an envelope as it waits.
pub(crate) fn received(sealed: &Sealed<Recipient>) -> ReceivedEnvelope {
    ReceivedEnvelope::parse(sealed.as_bytes()).expect("the spool keeps whole envelopes")
}

/// The envelope inside of an opened message, where it carries one.
pub(crate) fn carried(message: &TopicMessage) -> Option<ReceivedEnvelope> {
    let payload: serde_json::Value = serde_json::from_slice(message.payload()).expect("JSON");
    let text = payload.get("envelope")?.as_str().expect("base64");
    Some(ReceivedEnvelope::parse(&STANDARD.decode(text).expect("base64")).expect("an envelope"))
}

/// An envelope that begins here, whatever follows it.
fn envelope_at(bytes: &[u8]) -> Option<ReceivedEnvelope> {
    let bytes = &bytes[..bytes.len().min(vernport_seal::MAX_ENVELOPE_BYTES)];
    match ReceivedEnvelope::parse(bytes) {
        Ok(envelope) => Some(envelope),
        Err(EnvelopeError::Trailing { bytes: behind }) => {
            ReceivedEnvelope::parse(&bytes[..bytes.len() - behind]).ok()
        }
        Err(_) => None,
    }
}

fn starts<'a>(bytes: &'a [u8], magic: &'a [u8]) -> impl Iterator<Item = usize> {
    bytes.windows(magic.len()).enumerate().filter(move |(_, window)| *window == magic).map(|(at, _)| at)
}
