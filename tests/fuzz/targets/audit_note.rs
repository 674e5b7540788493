//! Notes, checkpoints and verifier keys that somebody sends: what reads is said again, and nothing
//! verifies by a key that did not sign.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_audit::{KeyKind, MAX_NOTE_BYTES, Note, NoteKey, SignedCheckpoint};
use vernport_crypto::SigningKey;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed([7; 32]));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::read(bytes) {
        assert!(bytes.len() <= MAX_NOTE_BYTES && bytes.starts_with(note.text().as_bytes()));
    }
    if let Ok(origin) = SignedCheckpoint::origin_of(bytes)
        && let Ok(key) = NoteKey::new(&origin, KeyKind::Note, KEY.verifying_key())
        && let Ok(signed) = SignedCheckpoint::read(bytes, &key)
    {
        // Only what the key signed: its corpus.
        assert_eq!(signed.as_str().as_bytes(), bytes);
        let _ = signed.cosigned_by(&key);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(key) = text.parse::<NoteKey>() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        let checkpoint = vernport_audit::Checkpoint { origin: "log".to_owned(), size: 1, root: [1; 32] };
        let signed = checkpoint.sign(&KEY).expect("a name");
        if let Ok(more) = signed.with_line(text) {
            assert_eq!(more.checkpoint(), signed.checkpoint());
        }
    }
});
